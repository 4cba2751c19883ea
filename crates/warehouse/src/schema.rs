//! One schema for files that differ: which types stand for which, and how they widen.

use std::sync::Arc;

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field, Fields, TimeUnit};
use hivecast_feed::{ColumnType, type_name};
use hivecast_run::{Fault, Result};
use hivecast_storage::Location;

use crate::layout::Listed;

/// The columns of one file, and the file's estimated bytes for each.
pub(crate) struct FileColumns {
    pub(crate) path: Location,
    /// Newer files come first in the table's column order.
    pub(crate) modified_ns: i64,
    /// Names in lower case, types as [`canonical`] gives them.
    pub(crate) columns: Vec<(Field, u64)>,
}

impl FileColumns {
    pub(crate) fn of(file: &Listed, columns: Vec<(Field, u64)>) -> FileColumns {
        FileColumns { path: file.path.clone(), modified_ns: file.modified_ns, columns }
    }
}

/// The type that rows have in this room for a type that a file has.
pub(crate) fn canonical(file_type: &DataType) -> DataType {
    match file_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::BinaryView
        }
        // Hive has no unsigned integers: the next type that holds every value.
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, None) => WALL_CLOCK,
        DataType::Timestamp(_, Some(_)) => instant(),
        DataType::Dictionary(_, values) => canonical(values),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            list_of(canonical(item.data_type()))
        }
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| Field::new(field.name().to_lowercase(), canonical(field.data_type()), true))
                .collect(),
        ),
        DataType::Map(entries, _) => match map_entry(entries) {
            Some((key, value)) => map_of(canonical(key.data_type()), canonical(value.data_type())),
            None => file_type.clone(),
        },
        other => other.clone(),
    }
}

/// A timestamp without a zone.
pub(crate) const WALL_CLOCK: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// A timestamp that says when something was, whatever the clocks showed.
pub(crate) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// An array of these. One name for its items, whatever the file calls them.
pub(crate) fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// A map, with one name for its parts, whatever the file calls them.
pub(crate) fn map_of(key: DataType, value: DataType) -> DataType {
    let entry = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)
}

/// The key and the value of a map's entries.
pub(crate) fn map_entry(entries: &Field) -> Option<(&Arc<Field>, &Arc<Field>)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

/// The type of a column that a feed or a metastore declares.
pub(crate) fn data_type_of(declared: &ColumnType) -> DataType {
    match declared {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::TinyInt => DataType::Int8,
        ColumnType::SmallInt => DataType::Int16,
        ColumnType::Int => DataType::Int32,
        ColumnType::BigInt => DataType::Int64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
        ColumnType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
        ColumnType::String | ColumnType::Varchar(_) | ColumnType::Char(_) => DataType::Utf8View,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => WALL_CLOCK,
        ColumnType::TimestampLocal => instant(),
        ColumnType::Binary => DataType::BinaryView,
        ColumnType::Array(item) => list_of(data_type_of(item)),
        ColumnType::Map(key, value) => map_of(data_type_of(key), data_type_of(value)),
        ColumnType::Struct(fields) => DataType::Struct(
            fields.iter().map(|(name, of)| Field::new(name, data_type_of(of), true)).collect(),
        ),
        // Never a field of a table: its name and reason are in the schema's metadata.
        ColumnType::Unreadable(_) => DataType::Null,
    }
}

/// Whether a table's type for a column takes every value that a file has in another type, or at least
/// tells those that it does not take: what Hive would read as the other without a loss.
pub(crate) fn accepts(table: &DataType, file: &DataType) -> bool {
    match (file, table) {
        // Strings that old writers did not mark as such.
        (DataType::BinaryView, DataType::Utf8View) => true,
        // Avro has no smaller integers. What does not fit is an error when it is read.
        (DataType::Int32, DataType::Int8 | DataType::Int16) => true,
        // What the clocks of the feed's zone showed at that instant.
        (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, None)) => true,
        (DataType::List(file), DataType::List(table)) => accepts(table.data_type(), file.data_type()),
        (DataType::Map(file, _), DataType::Map(table, _)) => match (map_entry(file), map_entry(table)) {
            (Some(file), Some(table)) => {
                accepts(table.0.data_type(), file.0.data_type())
                    && accepts(table.1.data_type(), file.1.data_type())
            }
            _ => false,
        },
        (DataType::Struct(file), DataType::Struct(table)) => table.iter().all(|field| {
            let found = file.iter().find(|known| known.name() == field.name());
            found.is_none_or(|found| accepts(field.data_type(), found.data_type()))
        }),
        _ => widen(file, table).as_ref() == Some(table),
    }
}

/// Whether text of a partition's own type becomes the table's as in Hive, exactly or with an error: what
/// [`accepts`] takes, any single value that is text, and whole numbers and days that become text.
pub(crate) fn becomes(own: &DataType, table: &DataType) -> bool {
    match (own, table) {
        (DataType::Utf8View, DataType::List(_) | DataType::Map(..) | DataType::Struct(_)) => false,
        (DataType::Utf8View, _) => true,
        (
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32,
            DataType::Utf8View,
        ) => true,
        _ => accepts(table, own),
    }
}

/// The type that holds every value of both exactly, where Hive would read one as the other.
pub(crate) fn widen(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    widen_towards(a, b).or_else(|| widen_towards(b, a))
}

fn widen_towards(narrow: &DataType, wide: &DataType) -> Option<DataType> {
    use DataType::{Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Null};
    match (narrow, wide) {
        (Null, _)
        | (Int8, Int16 | Int32 | Int64 | Float32 | Float64)
        | (Int16, Int32 | Int64 | Float32 | Float64)
        | (Int32, Int64 | Float64)
        | (Float32, Float64) => Some(wide.clone()),
        // Neither holds the other exactly, but a double holds both.
        (Int32, Float32) => Some(Float64),
        (Int8 | Int16 | Int32 | Int64, Decimal128(precision, scale)) => {
            widen_decimals((integer_digits(narrow)?, 0), (*precision, *scale))
        }
        (Decimal128(precision, scale), Decimal128(other_precision, other_scale)) => {
            widen_decimals((*precision, *scale), (*other_precision, *other_scale))
        }
        (DataType::List(item), DataType::List(other)) => {
            Some(list_of(widen(item.data_type(), other.data_type())?))
        }
        (DataType::Map(entries, _), DataType::Map(other, _)) => {
            let ((key, value), (other_key, other_value)) = (map_entry(entries)?, map_entry(other)?);
            let key = widen(key.data_type(), other_key.data_type())?;
            Some(map_of(key, widen(value.data_type(), other_value.data_type())?))
        }
        (DataType::Struct(fields), DataType::Struct(others)) => widen_structs(fields, others),
        _ => None,
    }
}

/// The fields of both by name, those of the first in front: what a file lacks is null.
fn widen_structs(fields: &Fields, others: &Fields) -> Option<DataType> {
    let of = |name: &str, fields: &Fields| fields.iter().find(|field| field.name() == name).cloned();
    let mut all: Vec<Field> = Vec::with_capacity(fields.len());
    for field in fields {
        let wide = match of(field.name(), others) {
            Some(other) => widen(field.data_type(), other.data_type())?,
            None => field.data_type().clone(),
        };
        all.push(Field::new(field.name(), wide, true));
    }
    let added = others.iter().filter(|other| of(other.name(), fields).is_none());
    all.extend(added.map(|other| other.as_ref().clone().with_nullable(true)));
    Some(DataType::Struct(all.into()))
}

fn integer_digits(integer: &DataType) -> Option<u8> {
    match integer {
        DataType::Int8 => Some(3),
        DataType::Int16 => Some(5),
        DataType::Int32 => Some(10),
        DataType::Int64 => Some(19),
        _ => None,
    }
}

/// Enough digits before and after the point for both; none where that is more than 38 digits.
fn widen_decimals(a: (u8, i8), b: (u8, i8)) -> Option<DataType> {
    let whole = |(precision, scale): (u8, i8)| i16::from(precision) - i16::from(scale);
    let scale = a.1.max(b.1);
    let precision = u8::try_from(whole(a).max(whole(b)) + i16::from(scale)).ok()?;
    (precision <= DECIMAL128_MAX_PRECISION).then_some(DataType::Decimal128(precision, scale))
}

/// The union of the files' columns by name, in the order of the newest file, with each column's
/// estimated bytes over all files. Fails with `Class::Data` where two files' types do not widen.
pub(crate) fn unite(table: &str, mut files: Vec<FileColumns>) -> Result<Vec<(Field, u64)>> {
    files.sort_by(|a, b| b.modified_ns.cmp(&a.modified_ns).then_with(|| b.path.cmp(&a.path)));
    let mut united: Vec<(Field, u64)> = Vec::new();
    let mut origins: Vec<Location> = Vec::new();
    for file in files {
        for (column, bytes) in file.columns {
            let Some(at) = united.iter().position(|(known, _)| known.name() == column.name()) else {
                united.push((column.with_nullable(true), bytes));
                origins.push(file.path.clone());
                continue;
            };
            let (known, total) = &mut united[at];
            let wide = widen(known.data_type(), column.data_type())
                .ok_or_else(|| conflict(table, (known, &origins[at]), (&column, &file.path)))?;
            if wide == *column.data_type() && wide != *known.data_type() {
                origins[at].clone_from(&file.path);
            }
            known.set_data_type(wide);
            *total += bytes;
        }
    }
    Ok(united)
}

fn conflict(table: &str, one: (&Field, &Location), other: (&Field, &Location)) -> Fault {
    Fault::data(format!(
        "table {table}: column {} is {} in {} but {} in {}, and neither widens to the other",
        one.0.name(),
        type_name(one.0.data_type()),
        one.1,
        type_name(other.0.data_type()),
        other.1,
    ))
    .advise("export the partition again with one type for the column")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_widen_only_where_every_value_stays_exact() {
        use DataType::{Boolean, Date32, Decimal128, Float32, Float64, Int8, Int32, Int64, Utf8View};
        for (a, b, wide) in [
            (Int8, Int64, Some(Int64)),
            (Int32, Float32, Some(Float64)),
            (Int32, Float64, Some(Float64)),
            (Int64, Float64, None),
            (Float32, Float64, Some(Float64)),
            (Int32, Decimal128(10, 2), Some(Decimal128(12, 2))),
            (Int64, Decimal128(38, 20), None),
            (Int64, Decimal128(20, 18), Some(Decimal128(37, 18))),
            (Decimal128(5, 0), Decimal128(10, 4), Some(Decimal128(10, 4))),
            (Utf8View, Int32, None),
            (Boolean, Int8, None),
            (Date32, DataType::Timestamp(TimeUnit::Microsecond, None), None),
            (DataType::Null, Utf8View, Some(Utf8View)),
            (list_of(Int8), list_of(Int32), Some(list_of(Int32))),
            (list_of(Int8), list_of(Utf8View), None),
            (map_of(Utf8View, Int8), map_of(Utf8View, Int64), Some(map_of(Utf8View, Int64))),
        ] {
            assert_eq!(widen(&a, &b), wide, "{a} and {b}");
            assert_eq!(widen(&b, &a), wide, "{b} and {a}");
        }
    }

    #[test]
    fn structs_widen_to_the_fields_of_both() {
        let of = |fields: &[(&str, DataType)]| {
            DataType::Struct(fields.iter().map(|(name, of)| Field::new(*name, of.clone(), true)).collect())
        };
        let narrow = of(&[("a", DataType::Int8), ("b", DataType::Utf8View)]);
        let other = of(&[("c", DataType::Date32), ("a", DataType::Int64)]);
        let both = [("a", DataType::Int64), ("b", DataType::Utf8View), ("c", DataType::Date32)];
        assert_eq!(widen(&narrow, &other), Some(of(&both)));
        assert!(accepts(&of(&both), &narrow), "what the file lacks is null");
        assert!(accepts(&of(&both[..1]), &other), "what the table lacks is left out");
        assert!(!accepts(&narrow, &other), "a bigint is no tinyint");
    }

    #[test]
    fn tables_take_what_their_type_holds() {
        for (table, file, taken) in [
            (DataType::Int64, DataType::Int32, true),
            (DataType::Int32, DataType::Int64, false),
            (DataType::Int8, DataType::Int32, true),
            (DataType::Utf8View, DataType::BinaryView, true),
            (DataType::BinaryView, DataType::Utf8View, false),
            (DataType::Utf8View, DataType::Int32, false),
            (WALL_CLOCK, instant(), true),
            (instant(), WALL_CLOCK, false),
            (DataType::Decimal128(10, 2), DataType::Decimal128(8, 2), true),
            (DataType::Decimal128(10, 2), DataType::Decimal128(10, 3), false),
        ] {
            assert_eq!(accepts(&table, &file), taken, "{file} as {table}");
        }
    }
}
