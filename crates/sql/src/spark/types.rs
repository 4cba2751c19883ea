//! Types on both sides of the wall.

use arrow_schema::{DataType, TimeUnit};

use crate::normal_type;

/// How Spark SQL writes a type, in DDL and in casts; none for what it does not have.
///
/// An unsigned 64-bit integer becomes `decimal(20,0)`, the least that holds it; a timestamp without a zone is
/// `timestamp_ntz`, and one with a zone, whatever zone, is an instant, `timestamp`.
pub fn sql_type(found: &DataType) -> Option<String> {
    Some(match found {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "int".to_owned(),
        DataType::Int64 | DataType::UInt32 => "bigint".to_owned(),
        DataType::UInt64 => "decimal(20,0)".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            format!("decimal({precision},{scale})")
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => "string".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "binary".to_owned()
        }
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => return None,
        DataType::Timestamp(_, None) => "timestamp_ntz".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp".to_owned(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("array<{}>", sql_type(item.data_type())?)
        }
        DataType::Struct(fields) => {
            let field = |field: &arrow_schema::FieldRef| {
                Some(format!("{}: {}", quoted(field.name()), sql_type(field.data_type())?))
            };
            format!("struct<{}>", fields.iter().map(field).collect::<Option<Vec<_>>>()?.join(", "))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else { return None };
            let [key, value] = fields.as_ref() else { return None };
            format!("map<{}, {}>", sql_type(key.data_type())?, sql_type(value.data_type())?)
        }
        DataType::Dictionary(_, value) => return sql_type(value),
        _ => return None,
    })
}

/// The type of a value within an expression. DataFusion computes with times in nanoseconds there, and Spark
/// in microseconds, which is what both give in the end.
pub(super) fn value_type(found: &DataType) -> Result<String, String> {
    sql_type(&normal_type(found)).ok_or_else(|| format!("Spark has no type for {}", named(found)))
}

/// A type as a feed's author knows it.
pub(super) fn named(found: &DataType) -> String {
    match normal_type(found) {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            "an unsigned integer".to_owned()
        }
        DataType::Interval(_) | DataType::Duration(_) => "an interval".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        other => sql_type(&other).unwrap_or_else(|| other.to_string()),
    }
}

pub(super) fn is_text(found: &DataType) -> bool {
    matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(super) fn is_binary(found: &DataType) -> bool {
    matches!(
        found,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    )
}

pub(super) fn is_list(found: &DataType) -> bool {
    matches!(found, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

/// What a list holds.
pub(super) fn item_type(found: &DataType) -> Option<&DataType> {
    match found {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type())
        }
        _ => None,
    }
}

/// Whether its wall clock is UTC's: that of times without a zone, as both compute them.
pub(super) fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "Etc/UTC" | "+00:00" | "Z"))
}

/// Whether values of it are told apart as Spark tells them: it holds no lists, structs or maps, whose order
/// and equality follow other rules, and no times of a zone's own.
pub(super) fn is_plain(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, value) => is_plain(value),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Boolean | DataType::Null => true,
        other => other.is_numeric() || is_text(other) || is_binary(other),
    }
}

/// A name as Spark SQL reads it literally.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as Spark SQL reads it literally: a backslash and a quote are escaped, and so is the brace of
/// `${…}`, which Spark would replace by a setting's value.
pub fn text(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'").replace("${", "$\\{");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::Field;

    use super::*;

    #[test]
    fn types_are_said_in_sparks_words() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true)));
        let object = DataType::Struct(
            vec![Field::new("a`b", DataType::Decimal128(38, 18), true), Field::new("l", list, true)].into(),
        );
        assert_eq!(sql_type(&object).unwrap(), "struct<`a``b`: decimal(38,18), `l`: array<string>>");
        assert_eq!(sql_type(&DataType::UInt64).unwrap(), "decimal(20,0)");
        assert_eq!(sql_type(&DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap(), "timestamp_ntz");
        assert_eq!(
            sql_type(&DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))).unwrap(),
            "timestamp"
        );
        assert_eq!(sql_type(&DataType::Decimal128(5, -2)), None);
    }

    #[test]
    fn texts_are_read_literally() {
        assert_eq!(text(r"it's a \ "), r"'it\'s a \\ '");
        assert_eq!(text("${env:HOME} $x {y}"), r"'$\{env:HOME} $x {y}'");
    }
}
