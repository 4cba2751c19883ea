//! Columns of a file as columns of a table: each value exactly, or an error.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{
    Array, ArrayRef, ListArray, MapArray, PrimitiveArray, StructArray, TimestampMicrosecondArray,
    UInt32Array, new_null_array,
};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_ord::ord::make_comparator;
use arrow_schema::{ArrowError, DataType, Field, Fields, SortOptions, TimeUnit};
use arrow_select::take::take;
use chrono_tz::Tz;
use hivecast_feed::ColumnType;

use crate::leaves::map_leaves;
use crate::zone::{to_instant, wall_clock};

/// The scale of a decimal that stands for a timestamp: nanoseconds, as ORC's reader gives them.
pub(crate) const NANOS_SCALE: i8 = 9;
const NANOS_PER_MICRO: i128 = 1_000;
const NANOS_PER_MICRO_64: i64 = 1_000;

/// The column in the type of the table. `zone` is where a wall clock of the table stands, for files
/// that hold instants.
pub(crate) fn convert(column: &ArrayRef, to: &DataType, zone: Tz) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == to {
        return Ok(Arc::clone(column));
    }
    match (column.data_type(), to) {
        (DataType::List(_), DataType::List(item)) => list(column.as_list::<i32>(), item, zone),
        (DataType::LargeList(item) | DataType::FixedSizeList(item, _), DataType::List(_)) => {
            let plain = cast(column, &DataType::List(Arc::clone(item)))?;
            convert(&plain, to, zone)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            Ok(Arc::new(fields_of(column.as_struct(), fields, zone)?))
        }
        (DataType::Map(..), DataType::Map(entries, _)) => map(column.as_map(), entries, zone),
        (DataType::Dictionary(_, values), _) => {
            let plain = cast(column, values)?;
            convert(&plain, to, zone)
        }
        (_, DataType::Timestamp(TimeUnit::Microsecond, wanted)) => timestamp(column, wanted.as_deref(), zone),
        _ => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(column, to, &options)
        }
    }
}

fn list(list: &ListArray, item: &Arc<Field>, zone: Tz) -> Result<ArrayRef, ArrowError> {
    let values = convert(list.values(), item.data_type(), zone)?;
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls)?))
}

/// Fields are found by name, whatever their case; what the file lacks is null.
fn fields_of(array: &StructArray, wanted: &Fields, zone: Tz) -> Result<StructArray, ArrowError> {
    let columns = wanted.iter().map(|field| {
        let found = array.fields().iter().position(|known| known.name().to_lowercase() == *field.name());
        match found {
            Some(at) => convert(array.column(at), field.data_type(), zone),
            None => Ok(new_null_array(field.data_type(), array.len())),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    if columns.is_empty() {
        return Ok(StructArray::new_empty_fields(array.len(), array.nulls().cloned()));
    }
    StructArray::try_new(wanted.clone(), columns, array.nulls().cloned())
}

fn map(map: &MapArray, entries: &Arc<Field>, zone: Tz) -> Result<ArrayRef, ArrowError> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::SchemaError("a map without entries".to_owned()));
    };
    let [key, value] = fields.as_ref() else {
        return Err(ArrowError::SchemaError("a map's entries are not keys and values".to_owned()));
    };
    let keys = convert(map.keys(), key.data_type(), zone)?;
    let values = convert(map.values(), value.data_type(), zone)?;
    let inner = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, inner, nulls, false)?))
}

/// Microseconds, of which what is smaller is cut off downwards. An instant becomes the wall clock of
/// the zone where that is wanted.
fn timestamp(column: &ArrayRef, wanted: Option<&str>, zone: Tz) -> Result<ArrayRef, ArrowError> {
    let (micros, is_instant) = match column.data_type() {
        DataType::Timestamp(unit, found) => (to_micros(column, *unit)?, found.is_some()),
        DataType::Decimal128(_, NANOS_SCALE) => {
            (nanos_to_micros(column.as_primitive::<Decimal128Type>())?, wanted.is_some())
        }
        other => {
            return Err(ArrowError::CastError(format!("a value of type {other} is no timestamp")));
        }
    };
    let micros = match (is_instant, wanted) {
        (true, None) => wall_clock(&micros, zone)?,
        (false, Some(_)) => to_instant(&micros, zone)?,
        _ => micros,
    };
    Ok(Arc::new(micros.with_timezone_opt(wanted)))
}

fn to_micros(column: &ArrayRef, unit: TimeUnit) -> Result<TimestampMicrosecondArray, ArrowError> {
    let times = |factor: i64| {
        move |value: i64| value.checked_mul(factor).ok_or_else(|| out_of_range(i128::from(value)))
    };
    match unit {
        TimeUnit::Microsecond => {
            let array = column.as_primitive::<TimestampMicrosecondType>();
            Ok(PrimitiveArray::new(array.values().clone(), array.nulls().cloned()))
        }
        TimeUnit::Second => column.as_primitive::<TimestampSecondType>().try_unary(times(1_000_000)),
        TimeUnit::Millisecond => column.as_primitive::<TimestampMillisecondType>().try_unary(times(1_000)),
        TimeUnit::Nanosecond => Ok(column
            .as_primitive::<TimestampNanosecondType>()
            .unary(|value| value.div_euclid(NANOS_PER_MICRO_64))),
    }
}

fn nanos_to_micros(nanos: &PrimitiveArray<Decimal128Type>) -> Result<TimestampMicrosecondArray, ArrowError> {
    nanos.try_unary(|value| i64::try_from(value.div_euclid(NANOS_PER_MICRO)).map_err(|_| out_of_range(value)))
}

fn out_of_range(value: i128) -> ArrowError {
    ArrowError::CastError(format!("the timestamp {value} since 1970 is too far away for microseconds"))
}

/// What is asked of the text in values of the type: none where there is nothing to ask.
pub(crate) fn text_rule(of: &ColumnType) -> Option<TextRule> {
    match of {
        ColumnType::Varchar(most) => Some(TextRule::Varchar(*most)),
        ColumnType::Char(most) => Some(TextRule::Char(*most)),
        ColumnType::Array(item) => any_rule(vec![text_rule(item)]),
        ColumnType::Map(key, value) => any_rule(vec![text_rule(key), text_rule(value)]),
        ColumnType::Struct(fields) => any_rule(fields.iter().map(|(_, field)| text_rule(field)).collect()),
        _ => None,
    }
}

/// The rule for a value with these parts: none where no part has one.
pub(crate) fn any_rule(parts: Vec<Option<TextRule>>) -> Option<TextRule> {
    parts.iter().any(Option::is_some).then_some(TextRule::Within(parts))
}

/// What is asked of the text in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextRule {
    /// Blanks at its end are no part of it, and without them it has at most so many characters.
    Char(u32),
    /// It has at most so many characters.
    Varchar(u32),
    /// The rules for its items, its keys and values, or its fields, in their order.
    Within(Vec<Option<TextRule>>),
}

impl TextRule {
    /// The column, text as views, as the rule asks. Fails where a text is too long.
    pub(crate) fn apply(&self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let inner = match self {
            TextRule::Char(most) => {
                let trimmed = map_leaves(column, &without_blanks)?;
                check_lengths(&trimmed, *most, "char")?;
                return Ok(trimmed);
            }
            TextRule::Varchar(most) => {
                check_lengths(column, *most, "varchar")?;
                return Ok(Arc::clone(column));
            }
            TextRule::Within(inner) => inner,
        };
        let apply = |at: usize, column: &ArrayRef| match inner.get(at) {
            Some(Some(rule)) => rule.apply(column),
            _ => Ok(Arc::clone(column)),
        };
        Ok(match column.data_type() {
            DataType::List(item) => {
                let list = column.as_list::<i32>();
                let values = apply(0, list.values())?;
                let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
                Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls)?)
            }
            DataType::Map(entries, sorted) => {
                let map = column.as_map();
                let columns = vec![apply(0, map.keys())?, apply(1, map.values())?];
                let within = StructArray::try_new(map.entries().fields().clone(), columns, None)?;
                let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
                Arc::new(MapArray::try_new(Arc::clone(entries), offsets, within, nulls, *sorted)?)
            }
            DataType::Struct(fields) => {
                let array = column.as_struct();
                let columns = array.columns().iter().enumerate().map(|(at, column)| apply(at, column));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new(fields.clone(), columns, array.nulls().cloned())?)
            }
            _ => Arc::clone(column),
        })
    }
}

fn without_blanks(leaf: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(texts) = leaf.as_string_view_opt() else { return Ok(None) };
    if !texts.iter().flatten().any(|text| text.ends_with(' ')) {
        return Ok(None);
    }
    let mut trimmed = StringViewBuilder::with_capacity(texts.len());
    texts.iter().for_each(|text| trimmed.append_option(text.map(|text| text.trim_end_matches(' '))));
    Ok(Some(Arc::new(trimmed.finish())))
}

/// Hive cuts off what is too long when it reads, and so would lose it without a word.
fn check_lengths(column: &ArrayRef, most: u32, name: &str) -> Result<(), ArrowError> {
    let Some(texts) = column.as_string_view_opt() else { return Ok(()) };
    let most = most as usize;
    // No text has more characters than bytes.
    let mut long = texts.iter().flatten().filter(|text| text.len() > most).map(|text| text.chars().count());
    match long.find(|length| *length > most) {
        Some(length) => Err(ArrowError::InvalidArgumentError(format!(
            "a text of {length} characters, where {name}({most}) holds no more than {most}"
        ))),
        None => Ok(()),
    }
}

/// The column with the entries of its maps in the order of their keys, at whatever depth they lie: a
/// map has no order, writers put one and the same in different ones, and its document must not change
/// with them.
pub fn sort_maps(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !has_maps(column.data_type()) {
        return Ok(Arc::clone(column));
    }
    Ok(match column.data_type() {
        DataType::List(item) => {
            let list = column.as_list::<i32>();
            let values = sort_maps(list.values())?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls)?)
        }
        DataType::Struct(fields) => {
            let array = column.as_struct();
            let columns = array.columns().iter().map(sort_maps).collect::<Result<Vec<_>, _>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, array.nulls().cloned())?)
        }
        DataType::Map(entries, sorted) => {
            let map = column.as_map();
            let values = sort_maps(map.values())?;
            let columns = match key_order(map)? {
                None => vec![Arc::clone(map.keys()), values],
                Some(order) => vec![take(map.keys(), &order, None)?, take(&values, &order, None)?],
            };
            let inner = StructArray::try_new(map.entries().fields().clone(), columns, None)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::clone(entries), offsets, inner, nulls, *sorted)?)
        }
        _ => Arc::clone(column),
    })
}

fn has_maps(of: &DataType) -> bool {
    match of {
        DataType::Map(..) => true,
        DataType::List(item) => has_maps(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_maps(field.data_type())),
        _ => false,
    }
}

/// Where the entries come from once those of each map are in order; none where they are.
fn key_order(map: &MapArray) -> Result<Option<UInt32Array>, ArrowError> {
    let compare = make_comparator(map.keys(), map.keys(), SortOptions::default())?;
    let entries = u32::try_from(map.keys().len()).map_err(|_| {
        ArrowError::ComputeError("a batch has more entries of maps than 32 bits count".to_owned())
    })?;
    let mut order: Vec<u32> = (0..entries).collect();
    let mut moved = false;
    for pair in map.value_offsets().windows(2) {
        let row = &mut order[pair[0] as usize..pair[1] as usize];
        if !row.is_sorted_by(|a, b| compare(*a as usize, *b as usize).is_le()) {
            row.sort_by(|a, b| compare(*a as usize, *b as usize));
            moved = true;
        }
    }
    Ok(moved.then(|| order.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Decimal128Array, StringArray, TimestampNanosecondArray};

    const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

    #[test]
    fn smaller_parts_are_cut_off_downwards() {
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_999, -1, -1_000, 0]));
        let micros = convert(&nanos, &MICROS, Tz::UTC).unwrap();
        let values = micros.as_primitive::<TimestampMicrosecondType>().values();
        assert_eq!(values.as_ref(), [1, -1, -1, 0]);
    }

    #[test]
    fn far_timestamps_are_kept_or_refused() {
        let decimals = |value: i128| -> ArrayRef {
            let array = Decimal128Array::from(vec![value]).with_precision_and_scale(38, 9);
            Arc::new(array.unwrap())
        };
        let year_9999 = 253_402_300_799_999_999_999;
        let micros = convert(&decimals(year_9999), &MICROS, Tz::UTC).unwrap();
        assert_eq!(micros.as_primitive::<TimestampMicrosecondType>().value(0), 253_402_300_799_999_999);
        assert!(convert(&decimals(year_9999 * 1_000), &MICROS, Tz::UTC).is_err());
    }

    #[test]
    fn blanks_are_trimmed_where_the_type_says_so() {
        let a: ArrayRef = Arc::new(StringArray::from(vec!["x  ", " y", "  "]));
        let text = cast(&a, &DataType::Utf8View).unwrap();
        let both = vec![Field::new("a", DataType::Utf8View, true), Field::new("b", DataType::Utf8View, true)];
        let pair: ArrayRef = Arc::new(
            StructArray::try_new(both.into(), vec![Arc::clone(&text), Arc::clone(&text)], None).unwrap(),
        );
        let of = ColumnType::parse("struct<a:char(3),b:string>").unwrap();
        let trimmed = text_rule(&of).unwrap().apply(&pair).unwrap();
        let values = |at: usize| -> Vec<String> {
            let column = trimmed.as_struct().column(at).as_string_view();
            column.iter().flatten().map(str::to_owned).collect()
        };
        assert_eq!(values(0), ["x", " y", ""]);
        assert_eq!(values(1), ["x  ", " y", "  "]);
        assert_eq!(text_rule(&ColumnType::parse("map<string,array<int>>").unwrap()), None);
    }

    #[test]
    fn texts_are_as_long_as_their_type_allows() {
        let texts: ArrayRef =
            Arc::new(StringArray::from(vec![Some("äöü"), Some("ab"), Some("abc   "), None]));
        let texts = cast(&texts, &DataType::Utf8View).unwrap();
        assert_eq!(TextRule::Char(3).apply(&texts).unwrap().as_string_view().value(2), "abc");
        assert!(TextRule::Char(2).apply(&texts).is_err());
        assert!(TextRule::Varchar(6).apply(&texts).is_ok());
        let error = TextRule::Varchar(5).apply(&texts).unwrap_err().to_string();
        assert!(error.contains("a text of 6 characters, where varchar(5) holds no more than 5"), "{error}");
    }
}
