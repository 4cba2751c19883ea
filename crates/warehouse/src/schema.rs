//! One schema for files that differ: which types stand for which, and how they widen.

use std::sync::Arc;

use arrow_cast::can_cast_types;
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field, TimeUnit};
use hivecast_run::{Fault, Result};
use hivecast_storage::Location;

/// The columns of one file, and the file's estimated bytes for each.
pub(crate) struct FileColumns {
    pub(crate) path: Location,
    /// Newer files come first in the table's column order.
    pub(crate) modified_ns: i64,
    /// Names in lower case, types as [`canonical`] gives them.
    pub(crate) columns: Vec<(Field, u64)>,
}

/// The type that rows have in this room for a type that a file has.
pub(crate) fn canonical(file_type: &DataType) -> DataType {
    let wanted = match file_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        // Hive has no unsigned integers: the next type that holds every value.
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::List(item) => DataType::List(canonical_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(canonical_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(canonical_field(entries), *sorted),
        other => other.clone(),
    };
    if can_cast_types(file_type, &wanted) { wanted } else { file_type.clone() }
}

fn canonical_field(field: &Arc<Field>) -> Arc<Field> {
    Arc::new(field.as_ref().clone().with_data_type(canonical(field.data_type())))
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
        _ => None,
    }
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

/// A type as Hive's users write it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8View => "string".to_owned(),
        DataType::BinaryView => "binary".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        other => other.to_string(),
    }
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
        ] {
            assert_eq!(widen(&a, &b), wide, "{a} and {b}");
            assert_eq!(widen(&b, &a), wide, "{b} and {a}");
        }
    }
}
