//! Columns built up value by value.

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryViewBuilder, BooleanBuilder, Decimal128Builder, PrimitiveBuilder, StringViewBuilder,
};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{NullBuffer, NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, TimeUnit};
use chrono_tz::Tz;

use crate::parse::{
    parse_base64, parse_boolean, parse_date, parse_decimal, parse_float, parse_instant, parse_timestamp,
};
use crate::schema::map_entry;

/// Values of one column, built up row by row.
pub(crate) enum Values {
    Boolean(BooleanBuilder),
    Int8(PrimitiveBuilder<Int8Type>),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringViewBuilder),
    Binary(BinaryViewBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Time(PrimitiveBuilder<Time64MicrosecondType>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>),
    Instant(PrimitiveBuilder<TimestampMicrosecondType>),
    List(Box<ListValues>),
    Map(Box<MapValues>),
    Struct(StructValues),
}

/// Why a text is no value of its column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    NotUtf8,
    NotOfType,
}

/// Arrays: the items of all, and where each ends.
pub(crate) struct ListValues {
    pub(crate) items: Values,
    rows: Rows,
    field: Arc<Field>,
}

/// Maps: the keys and values of all, and where each ends.
pub(crate) struct MapValues {
    pub(crate) keys: Values,
    pub(crate) values: Values,
    rows: Rows,
    field: Arc<Field>,
}

/// Structs: a column for each field.
pub(crate) struct StructValues {
    pub(crate) fields: Fields,
    pub(crate) columns: Vec<Values>,
    nulls: NullBufferBuilder,
}

/// Where the rows of a column of arrays or maps end, and which are null.
struct Rows {
    lengths: Vec<usize>,
    begun_at: usize,
    nulls: NullBufferBuilder,
}

impl Rows {
    fn new() -> Rows {
        Rows { lengths: Vec::new(), begun_at: 0, nulls: NullBufferBuilder::new(0) }
    }

    /// Ends a row whose items go up to `items` of all.
    fn end(&mut self, items: usize) {
        self.lengths.push(items - self.begun_at);
        self.begun_at = items;
        self.nulls.append_non_null();
    }

    fn end_null(&mut self) {
        self.lengths.push(0);
        self.nulls.append_null();
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        self.begun_at = 0;
        (OffsetBuffer::from_lengths(std::mem::take(&mut self.lengths)), self.nulls.finish())
    }
}

impl ListValues {
    /// Ends a row, whose items were pushed before.
    pub(crate) fn end(&mut self) {
        self.rows.end(self.items.len());
    }
}

impl MapValues {
    /// Ends a row, whose keys and values were pushed before.
    pub(crate) fn end(&mut self) {
        self.rows.end(self.keys.len());
    }
}

impl StructValues {
    /// Ends a row, for which every field's value was pushed before.
    pub(crate) fn end(&mut self) {
        self.nulls.append_non_null();
    }
}

impl Values {
    /// An empty column; none for a type that is not canonical.
    pub(crate) fn new(data_type: &DataType) -> Option<Values> {
        Some(match data_type {
            DataType::Boolean => Values::Boolean(BooleanBuilder::new()),
            DataType::Int8 => Values::Int8(PrimitiveBuilder::new()),
            DataType::Int16 => Values::Int16(PrimitiveBuilder::new()),
            DataType::Int32 => Values::Int32(PrimitiveBuilder::new()),
            DataType::Int64 => Values::Int64(PrimitiveBuilder::new()),
            DataType::Float32 => Values::Float32(PrimitiveBuilder::new()),
            DataType::Float64 => Values::Float64(PrimitiveBuilder::new()),
            DataType::Decimal128(precision, scale) => {
                let builder = Decimal128Builder::new().with_data_type(data_type.clone());
                Values::Decimal(builder, *precision, *scale)
            }
            DataType::Utf8View => Values::Text(StringViewBuilder::new()),
            DataType::BinaryView => Values::Binary(BinaryViewBuilder::new()),
            DataType::Date32 => Values::Date(PrimitiveBuilder::new()),
            DataType::Time64(TimeUnit::Microsecond) => Values::Time(PrimitiveBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Values::Timestamp(PrimitiveBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                Values::Instant(PrimitiveBuilder::new().with_data_type(data_type.clone()))
            }
            DataType::List(item) => Values::List(Box::new(ListValues {
                items: Values::new(item.data_type())?,
                rows: Rows::new(),
                field: Arc::clone(item),
            })),
            DataType::Map(entries, _) => {
                let (key, value) = map_entry(entries)?;
                Values::Map(Box::new(MapValues {
                    keys: Values::new(key.data_type())?,
                    values: Values::new(value.data_type())?,
                    rows: Rows::new(),
                    field: Arc::clone(entries),
                }))
            }
            DataType::Struct(fields) => Values::Struct(StructValues {
                fields: fields.clone(),
                columns: fields.iter().map(|field| Values::new(field.data_type())).collect::<Option<_>>()?,
                nulls: NullBufferBuilder::new(0),
            }),
            _ => return None,
        })
    }

    /// Values so far.
    pub(crate) fn len(&self) -> usize {
        use arrow_array::builder::ArrayBuilder as _;
        match self {
            Values::Boolean(builder) => builder.len(),
            Values::Int8(builder) => builder.len(),
            Values::Int16(builder) => builder.len(),
            Values::Int32(builder) => builder.len(),
            Values::Int64(builder) => builder.len(),
            Values::Float32(builder) => builder.len(),
            Values::Float64(builder) => builder.len(),
            Values::Decimal(builder, ..) => builder.len(),
            Values::Text(builder) => builder.len(),
            Values::Binary(builder) => builder.len(),
            Values::Date(builder) => builder.len(),
            Values::Time(builder) => builder.len(),
            Values::Timestamp(builder) | Values::Instant(builder) => builder.len(),
            Values::List(list) => list.rows.lengths.len(),
            Values::Map(map) => map.rows.lengths.len(),
            Values::Struct(parts) => parts.nulls.len(),
        }
    }

    /// Appends null.
    pub(crate) fn push_null(&mut self) {
        match self {
            Values::Boolean(builder) => builder.append_null(),
            Values::Int8(builder) => builder.append_null(),
            Values::Int16(builder) => builder.append_null(),
            Values::Int32(builder) => builder.append_null(),
            Values::Int64(builder) => builder.append_null(),
            Values::Float32(builder) => builder.append_null(),
            Values::Float64(builder) => builder.append_null(),
            Values::Decimal(builder, ..) => builder.append_null(),
            Values::Text(builder) => builder.append_null(),
            Values::Binary(builder) => builder.append_null(),
            Values::Date(builder) => builder.append_null(),
            Values::Time(builder) => builder.append_null(),
            Values::Timestamp(builder) | Values::Instant(builder) => builder.append_null(),
            Values::List(list) => list.rows.end_null(),
            Values::Map(map) => map.rows.end_null(),
            Values::Struct(parts) => {
                parts.columns.iter_mut().for_each(Values::push_null);
                parts.nulls.append_null();
            }
        }
    }

    /// Appends a single value written as text. `zone` is that of an instant which names none.
    pub(crate) fn push(&mut self, field: &[u8], zone: Tz) -> Result<(), Misfit> {
        // Base64 is ASCII, and what is not is refused as such.
        let text = std::str::from_utf8(field).map_err(|_| Misfit::NotUtf8)?;
        match self {
            Values::Boolean(builder) => builder.append_value(fits(parse_boolean(text))?),
            Values::Int8(builder) => push_number(builder, text)?,
            Values::Int16(builder) => push_number(builder, text)?,
            Values::Int32(builder) => push_number(builder, text)?,
            Values::Int64(builder) => push_number(builder, text)?,
            Values::Float32(builder) => builder.append_value(fits(parse_float(text))?),
            Values::Float64(builder) => builder.append_value(fits(parse_float(text))?),
            Values::Decimal(builder, precision, scale) => {
                builder.append_value(fits(parse_decimal(text, *precision, *scale))?);
            }
            Values::Text(builder) => builder.append_value(text),
            Values::Binary(builder) => builder.append_value(fits(parse_base64(field))?),
            Values::Date(builder) => builder.append_value(fits(parse_date(text))?),
            Values::Timestamp(builder) => builder.append_value(fits(parse_timestamp(text))?),
            Values::Instant(builder) => builder.append_value(fits(parse_instant(text, zone))?),
            Values::Time(_) | Values::List(_) | Values::Map(_) | Values::Struct(_) => {
                return Err(Misfit::NotOfType);
            }
        }
        Ok(())
    }

    /// The rows so far; the next ones start a new array. Fails where a map's key is null.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::Int8(builder) => Arc::new(builder.finish()),
            Values::Int16(builder) => Arc::new(builder.finish()),
            Values::Int32(builder) => Arc::new(builder.finish()),
            Values::Int64(builder) => Arc::new(builder.finish()),
            Values::Float32(builder) => Arc::new(builder.finish()),
            Values::Float64(builder) => Arc::new(builder.finish()),
            Values::Decimal(builder, ..) => Arc::new(builder.finish()),
            Values::Text(builder) => Arc::new(builder.finish()),
            Values::Binary(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Time(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) | Values::Instant(builder) => Arc::new(builder.finish()),
            Values::List(list) => {
                let (offsets, nulls) = list.rows.finish();
                let items = list.items.finish()?;
                Arc::new(ListArray::try_new(Arc::clone(&list.field), offsets, items, nulls)?)
            }
            Values::Map(map) => {
                let (offsets, nulls) = map.rows.finish();
                let DataType::Struct(fields) = map.field.data_type() else {
                    return Err(ArrowError::SchemaError("a map without entries".to_owned()));
                };
                let columns = vec![map.keys.finish()?, map.values.finish()?];
                let entries = StructArray::try_new(fields.clone(), columns, None)?;
                Arc::new(MapArray::try_new(Arc::clone(&map.field), offsets, entries, nulls, false)?)
            }
            Values::Struct(parts) => Arc::new(parts.finish()?),
        })
    }
}

impl StructValues {
    fn finish(&mut self) -> Result<StructArray, ArrowError> {
        let rows = self.nulls.len();
        let nulls = self.nulls.finish();
        if self.columns.is_empty() {
            return Ok(StructArray::new_empty_fields(rows, nulls));
        }
        let columns = self.columns.iter_mut().map(Values::finish).collect::<Result<Vec<_>, _>>()?;
        StructArray::try_new(self.fields.clone(), columns, nulls)
    }
}

fn fits<T>(value: Option<T>) -> Result<T, Misfit> {
    value.ok_or(Misfit::NotOfType)
}

fn push_number<T>(builder: &mut PrimitiveBuilder<T>, text: &str) -> Result<(), Misfit>
where
    T: ArrowPrimitiveType,
    T::Native: FromStr,
{
    builder.append_value(fits(text.parse().ok())?);
    Ok(())
}
