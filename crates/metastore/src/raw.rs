//! A structure as it came, so that what this client does not know goes back as it was when a
//! partition is altered.

use crate::decode::{Input, wrong};
use crate::encode::{Fields, length};
use thrift::Result;
use thrift::protocol::{
    TFieldIdentifier, TListIdentifier, TMapIdentifier, TOutputProtocol, TSetIdentifier, TType,
};

/// Structures within structures: the metastore's own have far fewer.
const DEEPEST: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Structure(Vec<(i16, Raw)>),
    List(TType, Vec<Raw>),
    Set(TType, Vec<Raw>),
    Map(TType, TType, Vec<(Raw, Raw)>),
}

impl Raw {
    fn kind(&self) -> TType {
        match self {
            Raw::Bool(_) => TType::Bool,
            Raw::I8(_) => TType::I08,
            Raw::I16(_) => TType::I16,
            Raw::I32(_) => TType::I32,
            Raw::I64(_) => TType::I64,
            Raw::Double(_) => TType::Double,
            Raw::Bytes(_) => TType::String,
            Raw::Structure(_) => TType::Struct,
            Raw::List(..) => TType::List,
            Raw::Set(..) => TType::Set,
            Raw::Map(..) => TType::Map,
        }
    }

    /// Reads a value of the type `kind`.
    pub(crate) fn read(input: &mut Input<'_>, kind: TType) -> Result<Raw> {
        Raw::read_at(input, kind, 0)
    }

    fn read_at(input: &mut Input<'_>, kind: TType, depth: usize) -> Result<Raw> {
        if depth > DEEPEST {
            return Err(wrong("it is nested too deeply"));
        }
        Ok(match kind {
            TType::Bool => Raw::Bool(input.read_bool()?),
            TType::I08 => Raw::I8(input.read_i8()?),
            TType::I16 => Raw::I16(input.read_i16()?),
            TType::I32 => Raw::I32(input.read_i32()?),
            TType::I64 => Raw::I64(input.read_i64()?),
            TType::Double => Raw::Double(input.read_double()?),
            TType::String => Raw::Bytes(input.read_bytes()?),
            TType::Struct => Raw::Structure(read_fields(input, depth)?),
            TType::List => {
                let head = input.read_list_begin()?;
                Raw::List(head.element_type, read_items(input, head.element_type, head.size, depth)?)
            }
            TType::Set => {
                let head = input.read_set_begin()?;
                Raw::Set(head.element_type, read_items(input, head.element_type, head.size, depth)?)
            }
            TType::Map => {
                let head = input.read_map_begin()?;
                let (key, value) =
                    (head.key_type.unwrap_or(TType::Stop), head.value_type.unwrap_or(TType::Stop));
                let mut entries = Vec::new();
                for _ in 0..head.size {
                    let key = Raw::read_at(input, key, depth + 1)?;
                    entries.push((key, Raw::read_at(input, value, depth + 1)?));
                }
                Raw::Map(key, value, entries)
            }
            other => return Err(wrong(format!("a field of the type {other:?}"))),
        })
    }

    fn write(&self, output: &mut dyn TOutputProtocol) -> Result<()> {
        match self {
            Raw::Bool(value) => output.write_bool(*value),
            Raw::I8(value) => output.write_i8(*value),
            Raw::I16(value) => output.write_i16(*value),
            Raw::I32(value) => output.write_i32(*value),
            Raw::I64(value) => output.write_i64(*value),
            Raw::Double(value) => output.write_double(*value),
            Raw::Bytes(value) => output.write_bytes(value),
            Raw::Structure(fields) => {
                for (id, value) in fields {
                    output.write_field_begin(&TFieldIdentifier::new("", value.kind(), *id))?;
                    value.write(output)?;
                }
                output.write_field_stop()
            }
            Raw::List(kind, items) => {
                output.write_list_begin(&TListIdentifier::new(*kind, length(items.len())?))?;
                items.iter().try_for_each(|item| item.write(output))
            }
            Raw::Set(kind, items) => {
                output.write_set_begin(&TSetIdentifier::new(*kind, length(items.len())?))?;
                items.iter().try_for_each(|item| item.write(output))
            }
            Raw::Map(key, value, entries) => {
                output.write_map_begin(&TMapIdentifier::new(*key, *value, length(entries.len())?))?;
                entries.iter().try_for_each(|(key, value)| {
                    key.write(output)?;
                    value.write(output)
                })
            }
        }
    }

    /// Writes it as a field.
    pub(crate) fn write_field(&self, id: i16, fields: &mut Fields) {
        fields.write(|output| {
            output.write_field_begin(&TFieldIdentifier::new("", self.kind(), id))?;
            self.write(output)
        });
    }

    /// Sets an entry of the map of texts that a structure has as its field `id`; `None` takes it out.
    pub(crate) fn set_entry(&mut self, id: i16, name: &str, value: Option<&str>) -> Result<()> {
        let Raw::Structure(fields) = self else { return Err(wrong("no structure")) };
        if fields.iter().all(|(other, _)| *other != id) {
            fields.push((id, Raw::Map(TType::String, TType::String, Vec::new())));
        }
        let map = fields.iter_mut().find(|(other, _)| *other == id);
        let Some((_, Raw::Map(key_kind, value_kind, entries))) = map else { return Err(wrong("no map")) };
        // The types of an empty map may be anything.
        (*key_kind, *value_kind) = (TType::String, TType::String);
        entries.retain(|(key, _)| *key != Raw::Bytes(name.as_bytes().to_vec()));
        if let Some(value) = value {
            entries.push((Raw::Bytes(name.as_bytes().to_vec()), Raw::Bytes(value.as_bytes().to_vec())));
        }
        Ok(())
    }
}

fn read_fields(input: &mut Input<'_>, depth: usize) -> Result<Vec<(i16, Raw)>> {
    input.read_struct_begin()?;
    let mut fields = Vec::new();
    loop {
        let field = input.read_field_begin()?;
        if field.field_type == TType::Stop {
            break;
        }
        fields.push((field.id.unwrap_or_default(), Raw::read_at(input, field.field_type, depth + 1)?));
    }
    input.read_struct_end()?;
    Ok(fields)
}

fn read_items(input: &mut Input<'_>, kind: TType, count: i32, depth: usize) -> Result<Vec<Raw>> {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(Raw::read_at(input, kind, depth + 1)?);
    }
    Ok(items)
}
