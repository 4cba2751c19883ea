//! Arguments of calls, as Thrift's binary protocol has them.

use std::collections::BTreeMap;
use thrift::protocol::{
    TBinaryOutputProtocol, TFieldIdentifier, TListIdentifier, TMapIdentifier, TMessageIdentifier,
    TMessageType, TOutputProtocol, TType,
};

/// Fields of a structure, written one after the other. Writing to memory does not fail; should it all
/// the same, [`Fields::finish`] says so.
pub(crate) struct Fields {
    output: TBinaryOutputProtocol<Vec<u8>>,
    result: thrift::Result<()>,
}

impl Fields {
    pub(crate) fn new() -> Fields {
        Fields { output: TBinaryOutputProtocol::new(Vec::new(), true), result: Ok(()) }
    }

    /// The bytes of the whole structure.
    pub(crate) fn finish(mut self) -> thrift::Result<Vec<u8>> {
        self.write(|output| output.write_field_stop());
        self.result.map(|()| self.output.transport)
    }

    pub(crate) fn write(&mut self, write: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>) {
        if self.result.is_ok() {
            self.result = write(&mut self.output);
        }
    }

    fn begin(&mut self, id: i16, kind: TType) {
        self.write(|output| output.write_field_begin(&TFieldIdentifier::new("", kind, id)));
    }

    pub(crate) fn text(mut self, id: i16, text: &str) -> Self {
        self.begin(id, TType::String);
        self.write(|output| output.write_string(text));
        self
    }

    pub(crate) fn optional_text(self, id: i16, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(id, text),
            None => self,
        }
    }

    pub(crate) fn short(mut self, id: i16, number: i16) -> Self {
        self.begin(id, TType::I16);
        self.write(|output| output.write_i16(number));
        self
    }

    pub(crate) fn int(mut self, id: i16, number: i32) -> Self {
        self.begin(id, TType::I32);
        self.write(|output| output.write_i32(number));
        self
    }

    pub(crate) fn long(mut self, id: i16, number: i64) -> Self {
        self.begin(id, TType::I64);
        self.write(|output| output.write_i64(number));
        self
    }

    pub(crate) fn flag(mut self, id: i16, flag: bool) -> Self {
        self.begin(id, TType::Bool);
        self.write(|output| output.write_bool(flag));
        self
    }

    /// A structure, whose fields `fill` writes.
    pub(crate) fn structure(mut self, id: i16, fill: impl FnOnce(Fields) -> Fields) -> Self {
        self.begin(id, TType::Struct);
        self.nested(fill)
    }

    fn nested(self, fill: impl FnOnce(Fields) -> Fields) -> Self {
        let mut filled = fill(self);
        filled.write(|output| output.write_field_stop());
        filled
    }

    pub(crate) fn texts<'a>(mut self, id: i16, texts: impl ExactSizeIterator<Item = &'a str>) -> Self {
        self.begin(id, TType::List);
        let count = texts.len();
        self.write(|output| output.write_list_begin(&TListIdentifier::new(TType::String, length(count)?)));
        for text in texts {
            self.write(|output| output.write_string(text));
        }
        self
    }

    pub(crate) fn ints(mut self, id: i16, numbers: &[i32]) -> Self {
        self.begin(id, TType::List);
        self.write(|output| {
            output.write_list_begin(&TListIdentifier::new(TType::I32, length(numbers.len())?))?;
            numbers.iter().try_for_each(|number| output.write_i32(*number))
        });
        self
    }

    pub(crate) fn structures<T>(mut self, id: i16, items: &[T], fill: impl Fn(Fields, &T) -> Fields) -> Self {
        self.begin(id, TType::List);
        self.write(|output| {
            output.write_list_begin(&TListIdentifier::new(TType::Struct, length(items.len())?))
        });
        items.iter().fold(self, |fields, item| fields.nested(|fields| fill(fields, item)))
    }

    pub(crate) fn map(mut self, id: i16, map: &BTreeMap<String, String>) -> Self {
        self.begin(id, TType::Map);
        self.write(|output| {
            output.write_map_begin(&TMapIdentifier::new(TType::String, TType::String, length(map.len())?))?;
            for (name, value) in map {
                output.write_string(name)?;
                output.write_string(value)?;
            }
            Ok(())
        });
        self
    }
}

/// A count as Thrift has it.
pub(crate) fn length(count: usize) -> thrift::Result<i32> {
    i32::try_from(count).map_err(|_| {
        thrift::new_protocol_error(thrift::ProtocolErrorKind::SizeLimit, "too many items for one message")
    })
}

/// A whole message that calls `method`; `arguments` are [`Fields::finish`]'s.
pub(crate) fn message(method: &str, sequence: i32, arguments: &[u8]) -> thrift::Result<Vec<u8>> {
    let mut output = TBinaryOutputProtocol::new(Vec::with_capacity(arguments.len() + 64), true);
    output.write_message_begin(&TMessageIdentifier::new(method, TMessageType::Call, sequence))?;
    output.transport.extend_from_slice(arguments);
    Ok(output.transport)
}
