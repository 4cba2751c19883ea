//! The content of documents as bytes that depend on values alone: not on how an array encodes them
//! (plain, view, dictionary), how it is sliced, or which width or unit holds them.
//!
//! Each value is a tag byte and its payload, little-endian. Text and binary carry their length,
//! lists their count, so that no two different documents have the same bytes. A document starts
//! with a hash of its field names: a renamed field is other content.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int64Type, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, StringArray, StringViewArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, i256};
use arrow_cast::cast;
use arrow_schema::{DataType, Fields, TimeUnit};
use hivecast_contract::Checksum;
use hivecast_run::{Fault, Result};
use xxhash_rust::xxh3::xxh3_64;

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INTEGER: u8 = 3;
    /// An unsigned integer beyond the signed 64 bits.
    pub(super) const LARGE_INTEGER: u8 = 4;
    pub(super) const FLOAT32: u8 = 5;
    pub(super) const FLOAT64: u8 = 6;
    pub(super) const DECIMAL: u8 = 7;
    pub(super) const DATE: u8 = 8;
    pub(super) const TIME: u8 = 9;
    /// A timestamp without a zone.
    pub(super) const LOCAL_TIMESTAMP: u8 = 10;
    /// A timestamp with a zone: an instant, whichever zone it is shown in.
    pub(super) const INSTANT: u8 = 11;
    pub(super) const TEXT: u8 = 12;
    pub(super) const BINARY: u8 = 13;
    pub(super) const OBJECT: u8 = 14;
    pub(super) const LIST: u8 = 15;
    pub(super) const MAP: u8 = 16;
}

/// What one pass over a batch of documents adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// The order-free checksum of the documents.
    pub(crate) checksum: Checksum,
    /// The most bytes of text in one document, its key counted twice.
    pub(crate) max_text_bytes: u64,
    /// The most values in one document.
    pub(crate) max_values: u64,
}

impl Content {
    /// Adds what another pass found.
    pub(crate) fn add(&mut self, other: Content) {
        self.checksum += other.checksum;
        self.max_text_bytes = self.max_text_bytes.max(other.max_text_bytes);
        self.max_values = self.max_values.max(other.max_values);
    }
}

/// The content of `documents`, whose keys are `keys`. `buffer` is scratch that is kept between calls.
///
/// Fails with `Class::Bug` for a type that [`crate::schema::stored_fields`] refuses.
pub(crate) fn content(
    keys: &StringViewArray,
    documents: &StructArray,
    buffer: &mut Vec<u8>,
) -> Result<Content> {
    let names = xxh3_64(&field_names(documents.fields())).to_le_bytes();
    let columns: Vec<Node> = documents.columns().iter().map(Node::of).collect::<Result<_>>()?;
    let mut content = Content::default();
    for row in 0..documents.len() {
        buffer.clear();
        let mut out = Output { bytes: std::mem::take(buffer), text: 0, values: 0 };
        out.bytes.extend_from_slice(&names);
        for column in &columns {
            column.write(row, &mut out);
        }
        let key = keys.value(row).as_bytes();
        content.add(Content {
            checksum: Checksum::of_record(key, Some(&out.bytes)),
            max_text_bytes: out.text + 2 * key.len() as u64,
            max_values: out.values,
        });
        *buffer = out.bytes;
    }
    Ok(content)
}

/// The names of a document's fields, nested, as bytes that tell apart `a{b}` and `a,b`.
fn field_names(fields: &Fields) -> Vec<u8> {
    fn names_of(data_type: &DataType, out: &mut Vec<u8>) {
        match data_type {
            DataType::Struct(fields) => {
                out.push(b'{');
                for field in fields {
                    out.extend_from_slice(&(field.name().len() as u32).to_le_bytes());
                    out.extend_from_slice(field.name().as_bytes());
                    names_of(field.data_type(), out);
                }
                out.push(b'}');
            }
            // What Arrow calls a list's element or a map's entries is no part of the content.
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::ListView(element)
            | DataType::LargeListView(element)
            | DataType::FixedSizeList(element, _) => {
                out.push(b'[');
                names_of(element.data_type(), out);
            }
            DataType::Map(entries, _) => {
                out.push(b'<');
                if let DataType::Struct(pair) = entries.data_type() {
                    pair.iter().for_each(|field| names_of(field.data_type(), out));
                }
            }
            DataType::Dictionary(_, value) => names_of(value, out),
            _ => out.push(b'.'),
        }
    }
    let mut out = Vec::new();
    names_of(&DataType::Struct(fields.clone()), &mut out);
    out
}

/// Where a document's bytes and counts go.
struct Output {
    bytes: Vec<u8>,
    text: u64,
    values: u64,
}

impl Output {
    fn fixed<const N: usize>(&mut self, tag: u8, payload: [u8; N]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&payload);
    }

    fn counted(&mut self, tag: u8, count: usize) {
        // No Arrow array of 32-bit offsets or views holds a longer value.
        let count = (count as u32).to_le_bytes();
        self.bytes.extend_from_slice(&[tag, count[0], count[1], count[2], count[3]]);
    }

    fn text(&mut self, tag: u8, payload: &[u8]) {
        self.counted(tag, payload.len());
        self.bytes.extend_from_slice(payload);
        self.text += payload.len() as u64;
    }
}

/// Something whose values are written by row number, nulls aside.
enum Values {
    Null,
    Boolean(BooleanArray),
    Integer(Scalars<i64>),
    Unsigned(Scalars<u64>),
    Float32(Scalars<f32>),
    Float64(Scalars<f64>),
    Decimal { values: Scalars<i128>, scale: i8 },
    LargeDecimal { values: Scalars<i256>, scale: i8 },
    Date(Scalars<i32>),
    Time(Scalars<i64>),
    Timestamp { values: Scalars<i64>, per_second: i64, tag: u8 },
    Text(StringArray),
    TextView(StringViewArray),
    Binary(BinaryArray),
    BinaryView(BinaryViewArray),
    Object(Vec<Node>),
    List { offsets: OffsetBuffer<i32>, first: usize, element: Box<Node>, tag: u8 },
}

/// The values of a primitive array.
type Scalars<T> = arrow_buffer::ScalarBuffer<T>;

/// A column, its type resolved once for all of its rows.
struct Node {
    nulls: Option<NullBuffer>,
    values: Values,
}

impl Node {
    fn of(array: &ArrayRef) -> Result<Node> {
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Boolean(array.as_boolean().clone()),
            DataType::Int64 => Values::Integer(array.as_primitive::<Int64Type>().values().clone()),
            DataType::UInt64 => Values::Unsigned(array.as_primitive::<UInt64Type>().values().clone()),
            DataType::Float32 => Values::Float32(array.as_primitive::<Float32Type>().values().clone()),
            DataType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values().clone()),
            DataType::Decimal128(_, scale) => Values::Decimal {
                values: array.as_primitive::<Decimal128Type>().values().clone(),
                scale: *scale,
            },
            DataType::Decimal256(_, scale) => Values::LargeDecimal {
                values: array.as_primitive::<Decimal256Type>().values().clone(),
                scale: *scale,
            },
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().values().clone()),
            DataType::Time64(TimeUnit::Nanosecond) => {
                Values::Time(array.as_primitive::<Time64NanosecondType>().values().clone())
            }
            DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.is_some()),
            DataType::Utf8 => Values::Text(array.as_string().clone()),
            DataType::Utf8View => Values::TextView(array.as_string_view().clone()),
            DataType::Binary => Values::Binary(array.as_binary().clone()),
            DataType::BinaryView => Values::BinaryView(array.as_binary_view().clone()),
            DataType::Struct(_) => {
                Values::Object(array.as_struct().columns().iter().map(Node::of).collect::<Result<_>>()?)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                elements(list.offsets(), list.values(), tag::LIST)?
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
                elements(map.offsets(), &entries, tag::MAP)?
            }
            other => return Node::of(&recast(array, other)?),
        };
        Ok(Node { nulls: array.logical_nulls().filter(|nulls| nulls.null_count() > 0), values })
    }

    fn write(&self, row: usize, out: &mut Output) {
        out.values += 1;
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.bytes.push(tag::NULL);
            return;
        }
        self.values.write(row, out);
    }
}

impl Values {
    fn write(&self, row: usize, out: &mut Output) {
        match self {
            Values::Null => out.bytes.push(tag::NULL),
            Values::Boolean(array) => out.bytes.push(if array.value(row) { tag::TRUE } else { tag::FALSE }),
            Values::Integer(values) => out.fixed(tag::INTEGER, values[row].to_le_bytes()),
            Values::Unsigned(values) => match i64::try_from(values[row]) {
                Ok(value) => out.fixed(tag::INTEGER, value.to_le_bytes()),
                Err(_) => out.fixed(tag::LARGE_INTEGER, values[row].to_le_bytes()),
            },
            // Every NaN is the same value: readers of JSON can't tell them apart.
            Values::Float32(values) => {
                let value = if values[row].is_nan() { f32::NAN } else { values[row] };
                out.fixed(tag::FLOAT32, value.to_le_bytes());
            }
            Values::Float64(values) => {
                let value = if values[row].is_nan() { f64::NAN } else { values[row] };
                out.fixed(tag::FLOAT64, value.to_le_bytes());
            }
            Values::Decimal { values, scale } => decimal(i256::from_i128(values[row]), *scale, out),
            Values::LargeDecimal { values, scale } => decimal(values[row], *scale, out),
            Values::Date(values) => out.fixed(tag::DATE, values[row].to_le_bytes()),
            Values::Time(values) => out.fixed(tag::TIME, values[row].to_le_bytes()),
            Values::Timestamp { values, per_second, tag } => timestamp(values[row], *per_second, *tag, out),
            Values::Text(array) => out.text(tag::TEXT, array.value(row).as_bytes()),
            Values::TextView(array) => out.text(tag::TEXT, array.value(row).as_bytes()),
            Values::Binary(array) => out.text(tag::BINARY, array.value(row)),
            Values::BinaryView(array) => out.text(tag::BINARY, array.value(row)),
            Values::Object(fields) => {
                out.bytes.push(tag::OBJECT);
                fields.iter().for_each(|field| field.write(row, out));
            }
            Values::List { offsets, first, element, tag } => {
                let (start, end) = (offsets[row] as usize - first, offsets[row + 1] as usize - first);
                out.counted(*tag, end - start);
                (start..end).for_each(|index| element.write(index, out));
            }
        }
    }
}

/// Scale is part of the content: `12.50` and `12.5` are written differently.
fn decimal(value: i256, scale: i8, out: &mut Output) {
    out.fixed(tag::DECIMAL, scale.to_le_bytes());
    out.bytes.extend_from_slice(&value.to_le_bytes());
}

/// Whole seconds and nanoseconds: nanoseconds alone would not reach the year 9999.
fn timestamp(value: i64, per_second: i64, tag: u8, out: &mut Output) {
    const NANOS: i64 = 1_000_000_000;
    let nanos = (value.rem_euclid(per_second) * (NANOS / per_second)) as u32;
    out.fixed(tag, value.div_euclid(per_second).to_le_bytes());
    out.bytes.extend_from_slice(&nanos.to_le_bytes());
}

fn timestamps(array: &ArrayRef, unit: TimeUnit, zoned: bool) -> Values {
    let (values, per_second) = match unit {
        TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().values(), 1),
        TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().values(), 1_000),
        TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().values(), 1_000_000),
        TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000_000),
    };
    let tag = if zoned { tag::INSTANT } else { tag::LOCAL_TIMESTAMP };
    Values::Timestamp { values: values.clone(), per_second, tag }
}

/// A list of only those elements that its rows reach: a slice of a large list must not cost as
/// much as the whole.
fn elements(offsets: &OffsetBuffer<i32>, values: &ArrayRef, tag: u8) -> Result<Values> {
    let first = offsets[0] as usize;
    let reached = offsets[offsets.len() - 1] as usize - first;
    let element = Box::new(Node::of(&values.slice(first, reached))?);
    Ok(Values::List { offsets: offsets.clone(), first, element, tag })
}

/// The rarer encodings, as the one that stands for their content.
fn recast(array: &ArrayRef, from: &DataType) -> Result<ArrayRef> {
    let to = match from {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Nanosecond),
        DataType::LargeUtf8 => DataType::Utf8View,
        DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => DataType::List(element.clone()),
        other => return Err(Fault::bug(format!("failed to hash documents: type {other} is not supported"))),
    };
    cast(array, &to)
        .map_err(|error| Fault::bug(format!("failed to hash documents: {from} as {to}")).because(error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow_array::types::{Int8Type, Int32Type};
    use arrow_array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeListArray, Float32Array,
        Float64Array, Int8Array, Int32Array, Int64Array, LargeListArray, LargeStringArray, ListArray,
        MapArray, NullArray, Time32MillisecondArray, Time64MicrosecondArray, TimestampMillisecondArray,
        TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt64Array, new_null_array,
    };
    use arrow_schema::Field;

    use super::*;

    /// The checksum of the second of three documents that hold this value; the others differ.
    fn sum_of(name: &str, array: impl Array + 'static) -> Checksum {
        assert_eq!(array.len(), 1);
        let padding = new_null_array(array.data_type(), 1);
        let padded = arrow_select::concat::concat(&[&padding, &array, &padding]).unwrap();
        let field = Field::new(name, array.data_type().clone(), true);
        let documents = StructArray::new(vec![field].into(), vec![padded], None);
        let keys = StringViewArray::from(vec!["k"]);
        content(&keys, &documents.slice(1, 1), &mut Vec::new()).unwrap().checksum
    }

    fn list(values: Vec<Option<Vec<Option<i32>>>>) -> ListArray {
        ListArray::from_iter_primitive::<Int32Type, _, _>(values)
    }

    fn map(pairs: &[(&str, i32)]) -> MapArray {
        let mut builder = arrow_array::builder::MapBuilder::new(
            None,
            arrow_array::builder::StringBuilder::new(),
            arrow_array::builder::Int32Builder::new(),
        );
        for (key, value) in pairs {
            builder.keys().append_value(key);
            builder.values().append_value(*value);
        }
        builder.append(true).unwrap();
        builder.finish()
    }

    #[test]
    fn equal_content_has_equal_sums_whatever_holds_it() {
        let same: Vec<(&str, Vec<Checksum>)> = vec![
            (
                "text",
                vec![
                    sum_of("x", StringArray::from(vec!["a longer text than a view holds"])),
                    sum_of("x", StringViewArray::from(vec!["a longer text than a view holds"])),
                    sum_of("x", LargeStringArray::from(vec!["a longer text than a view holds"])),
                    sum_of("x", DictionaryArray::<Int8Type>::from_iter(["a longer text than a view holds"])),
                ],
            ),
            (
                "integers",
                vec![
                    sum_of("x", Int8Array::from(vec![7])),
                    sum_of("x", UInt8Array::from(vec![7])),
                    sum_of("x", Int32Array::from(vec![7])),
                    sum_of("x", Int64Array::from(vec![7])),
                    sum_of("x", UInt64Array::from(vec![7])),
                ],
            ),
            (
                "timestamps",
                vec![
                    sum_of("x", TimestampSecondArray::from(vec![-1])),
                    sum_of("x", TimestampMillisecondArray::from(vec![-1_000])),
                    sum_of("x", TimestampNanosecondArray::from(vec![-1_000_000_000])),
                ],
            ),
            (
                "instants",
                vec![
                    sum_of("x", TimestampSecondArray::from(vec![1]).with_timezone("UTC")),
                    sum_of("x", TimestampMillisecondArray::from(vec![1_000]).with_timezone("Europe/Prague")),
                ],
            ),
            (
                "times",
                vec![
                    sum_of("x", Time32MillisecondArray::from(vec![5])),
                    sum_of("x", Time64MicrosecondArray::from(vec![5_000])),
                ],
            ),
            (
                "lists",
                vec![
                    sum_of("x", list(vec![Some(vec![Some(1), None])])),
                    sum_of(
                        "x",
                        LargeListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![
                            Some(1),
                            None,
                        ])]),
                    ),
                    sum_of(
                        "x",
                        FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
                            vec![Some(vec![Some(1), None])],
                            2,
                        ),
                    ),
                ],
            ),
            ("nulls", vec![sum_of("x", NullArray::new(1)), sum_of("x", Int32Array::from(vec![None]))]),
            (
                "not a number",
                vec![
                    sum_of("x", Float64Array::from(vec![f64::NAN])),
                    sum_of("x", Float64Array::from(vec![-f64::NAN])),
                ],
            ),
        ];
        for (what, sums) in same {
            assert!(sums.iter().all(|sum| *sum == sums[0]), "{what}: {sums:?}");
        }
    }

    #[test]
    fn different_content_has_different_sums() {
        let decimal =
            |value, scale| Decimal128Array::from(vec![value]).with_precision_and_scale(9, scale).unwrap();
        let object = |fields: Vec<(&str, ArrayRef)>, present: bool| {
            let columns: Vec<(Arc<Field>, ArrayRef)> = fields
                .into_iter()
                .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
                .collect();
            let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
            StructArray::new(fields.into(), arrays, Some(NullBuffer::from(vec![present])))
        };
        let text = |text: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let sums = [
            ("null", sum_of("x", StringArray::from(vec![None::<&str>]))),
            ("null of another name", sum_of("y", StringArray::from(vec![None::<&str>]))),
            ("empty text", sum_of("x", StringArray::from(vec![""]))),
            ("empty binary", sum_of("x", BinaryArray::from(vec![b"".as_slice()]))),
            ("text 0", sum_of("x", StringArray::from(vec!["0"]))),
            ("text zero byte", sum_of("x", StringArray::from(vec!["\0"]))),
            ("0", sum_of("x", Int32Array::from(vec![0]))),
            ("largest", sum_of("x", UInt64Array::from(vec![u64::MAX]))),
            ("-1", sum_of("x", Int64Array::from(vec![-1]))),
            ("false", sum_of("x", BooleanArray::from(vec![false]))),
            ("true", sum_of("x", BooleanArray::from(vec![true]))),
            ("0 as a float", sum_of("x", Float64Array::from(vec![0.0]))),
            ("0 as a small float", sum_of("x", Float32Array::from(vec![0.0]))),
            ("negative 0", sum_of("x", Float64Array::from(vec![-0.0]))),
            ("0.0", sum_of("x", decimal(0, 1))),
            ("0.00", sum_of("x", decimal(0, 2))),
            ("12.5", sum_of("x", decimal(125, 1))),
            ("12.50", sum_of("x", decimal(1250, 2))),
            ("day 0", sum_of("x", Date32Array::from(vec![0]))),
            ("midnight", sum_of("x", Time64MicrosecondArray::from(vec![0]))),
            ("local time 0", sum_of("x", TimestampSecondArray::from(vec![0]))),
            ("instant 0", sum_of("x", TimestampSecondArray::from(vec![0]).with_timezone("UTC"))),
            ("a nanosecond earlier", sum_of("x", TimestampNanosecondArray::from(vec![-1]))),
            ("no list", sum_of("x", list(vec![None]))),
            ("empty list", sum_of("x", list(vec![Some(vec![])]))),
            ("list of null", sum_of("x", list(vec![Some(vec![None])]))),
            ("list of 0", sum_of("x", list(vec![Some(vec![Some(0)])]))),
            ("list of 0, null", sum_of("x", list(vec![Some(vec![Some(0), None])]))),
            ("map", sum_of("x", map(&[("a", 1)]))),
            ("other map", sum_of("x", map(&[("a", 2)]))),
            ("no object", sum_of("x", object(vec![("a", text(None))], false))),
            ("object of null", sum_of("x", object(vec![("a", text(None))], true))),
            ("object of text", sum_of("x", object(vec![("a", text(Some("b")))], true))),
            ("text is elsewhere", sum_of("x", object(vec![("a", text(Some("b"))), ("c", text(None))], true))),
            ("and here", sum_of("x", object(vec![("a", text(None)), ("c", text(Some("b")))], true))),
            (
                "under another name",
                sum_of("x", object(vec![("a", text(None)), ("d", text(Some("b")))], true)),
            ),
        ];
        // A null says only that its path is there: its type is no content, what can't be in it is.
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (what, sum) in sums {
            if let Some(other) = seen.insert(sum.to_string(), what) {
                let nulls = ["null", "no list"];
                assert!(nulls.contains(&what) && nulls.contains(&other), "{what} is as {other}");
            }
        }
    }

    #[test]
    fn a_short_slice_of_a_large_list_is_as_the_list_alone() {
        let long = list((0..100).map(|n| Some(vec![Some(n); n as usize])).collect());
        let alone = list(vec![Some(vec![Some(57); 57])]);
        assert_eq!(sum_of("x", long.slice(57, 1)), sum_of("x", alone));
    }

    #[test]
    fn a_type_that_no_document_holds_is_a_bug_and_not_a_panic() {
        let interval = arrow_array::IntervalYearMonthArray::from(vec![1]);
        let field = Field::new("x", interval.data_type().clone(), true);
        let documents = StructArray::new(vec![field].into(), vec![Arc::new(interval)], None);
        let fault = content(&StringViewArray::from(vec!["k"]), &documents, &mut Vec::new()).unwrap_err();
        assert_eq!(fault.class(), hivecast_run::Class::Bug);
    }
}
