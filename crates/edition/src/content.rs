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
        match &self.values {
            Values::Text(array) => out.text(tag::TEXT, array.value(row).as_bytes()),
            Values::TextView(array) => out.text(tag::TEXT, array.value(row).as_bytes()),
            Values::Object(fields) => {
                out.bytes.push(tag::OBJECT);
                for field in fields {
                    field.write(row, out);
                }
            }
            Values::List { offsets, first, element, tag } => {
                let (start, end) = (offsets[row] as usize - first, offsets[row + 1] as usize - first);
                out.counted(*tag, end - start);
                for index in start..end {
                    element.write(index, out);
                }
            }
            scalar => scalar.write(row, out),
        }
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
            Values::Binary(array) => out.text(tag::BINARY, array.value(row)),
            Values::BinaryView(array) => out.text(tag::BINARY, array.value(row)),
            Values::Text(_) | Values::TextView(_) | Values::Object(_) | Values::List { .. } => {
                unreachable!("written by the node that holds it")
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
