mod parse;

use std::fmt;

/// A type of Hive's, as the metastore has it in text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HiveType {
    /// `void`: always null.
    Void,
    /// `boolean`.
    Boolean,
    /// `tinyint`, 8 bits.
    TinyInt,
    /// `smallint`, 16 bits.
    SmallInt,
    /// `int`, 32 bits.
    Int,
    /// `bigint`, 64 bits.
    BigInt,
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// `decimal(precision,scale)`; `decimal` alone is (10,0).
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to `precision`.
        scale: u8,
    },
    /// `string`.
    String,
    /// `char(n)`: at most so many characters, blanks at the end don't count.
    Char(u16),
    /// `varchar(n)`: at most so many characters.
    Varchar(u16),
    /// `binary`.
    Binary,
    /// `date`.
    Date,
    /// `timestamp`: wall-clock time, without a zone.
    Timestamp,
    /// `timestamp with local time zone`: an instant.
    TimestampLocalTz,
    /// `interval_year_month`.
    IntervalYearMonth,
    /// `interval_day_time`.
    IntervalDayTime,
    /// `array<T>`.
    Array(Box<HiveType>),
    /// `map<K,V>`.
    Map(Box<HiveType>, Box<HiveType>),
    /// `struct<a:T,b:U>`.
    Struct(Vec<StructField>),
    /// `uniontype<T,U>`.
    Union(Vec<HiveType>),
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructField {
    /// Its name, as the metastore has it.
    pub name: String,
    /// Its type.
    pub field_type: HiveType,
}

/// The most digits that a decimal has.
pub(crate) const MAX_PRECISION: u8 = 38;
/// The most characters that a `char` has.
pub(crate) const MAX_CHAR: u16 = 255;
/// The most characters that a `varchar` has.
pub(crate) const MAX_VARCHAR: u16 = 65535;

impl fmt::Display for HiveType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HiveType::Void => f.write_str("void"),
            HiveType::Boolean => f.write_str("boolean"),
            HiveType::TinyInt => f.write_str("tinyint"),
            HiveType::SmallInt => f.write_str("smallint"),
            HiveType::Int => f.write_str("int"),
            HiveType::BigInt => f.write_str("bigint"),
            HiveType::Float => f.write_str("float"),
            HiveType::Double => f.write_str("double"),
            HiveType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            HiveType::String => f.write_str("string"),
            HiveType::Char(length) => write!(f, "char({length})"),
            HiveType::Varchar(length) => write!(f, "varchar({length})"),
            HiveType::Binary => f.write_str("binary"),
            HiveType::Date => f.write_str("date"),
            HiveType::Timestamp => f.write_str("timestamp"),
            HiveType::TimestampLocalTz => f.write_str("timestamp with local time zone"),
            HiveType::IntervalYearMonth => f.write_str("interval_year_month"),
            HiveType::IntervalDayTime => f.write_str("interval_day_time"),
            HiveType::Array(item) => write!(f, "array<{item}>"),
            HiveType::Map(key, value) => write!(f, "map<{key},{value}>"),
            HiveType::Struct(fields) => {
                f.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{}", field.name, field.field_type)?;
                }
                f.write_str(">")
            }
            HiveType::Union(types) => {
                f.write_str("uniontype<")?;
                for (index, one) in types.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{one}")?;
                }
                f.write_str(">")
            }
        }
    }
}

#[cfg(test)]
mod tests;
