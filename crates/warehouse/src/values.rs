//! Fields of text as values of their column's type, exactly or not at all.

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Decimal128Builder, PrimitiveBuilder, StringViewBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_schema::{DataType, TimeUnit};
use hivecast_contract::LoadDate;
use hivecast_feed::ColumnType;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Digits of a fraction of a second that Hive writes at most.
const NANO_DIGITS: usize = 9;

/// The type that a column of text is read as; none for `binary`, of which Hive's own writers and
/// readers of text disagree whether it is base64.
pub(crate) fn data_type_of(declared: ColumnType) -> Option<DataType> {
    Some(match declared {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::TinyInt => DataType::Int8,
        ColumnType::SmallInt => DataType::Int16,
        ColumnType::Int => DataType::Int32,
        ColumnType::BigInt => DataType::Int64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
        ColumnType::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
        ColumnType::String => DataType::Utf8View,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Binary => return None,
    })
}

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
    Date(PrimitiveBuilder<Date32Type>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>),
}

/// Why a field is no value of its column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    NotUtf8,
    NotOfType,
}

impl Values {
    /// An empty column; none for a type that [`data_type_of`] never gives.
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
            DataType::Date32 => Values::Date(PrimitiveBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Values::Timestamp(PrimitiveBuilder::new()),
            _ => return None,
        })
    }

    /// Appends a field, none for null.
    pub(crate) fn push(&mut self, field: Option<&[u8]>) -> Result<(), Misfit> {
        let text = match field {
            Some(bytes) => Some(std::str::from_utf8(bytes).map_err(|_| Misfit::NotUtf8)?),
            None => None,
        };
        match self {
            Values::Boolean(builder) => builder.append_option(parse(text, parse_boolean)?),
            Values::Int8(builder) => push_number(builder, text)?,
            Values::Int16(builder) => push_number(builder, text)?,
            Values::Int32(builder) => push_number(builder, text)?,
            Values::Int64(builder) => push_number(builder, text)?,
            Values::Float32(builder) => push_number(builder, text)?,
            Values::Float64(builder) => push_number(builder, text)?,
            Values::Decimal(builder, precision, scale) => {
                builder.append_option(parse(text, |text| parse_decimal(text, *precision, *scale))?);
            }
            Values::Text(builder) => builder.append_option(text),
            Values::Date(builder) => builder.append_option(parse(text, parse_date)?),
            Values::Timestamp(builder) => builder.append_option(parse(text, parse_timestamp)?),
        }
        Ok(())
    }

    /// The rows so far; the next ones start a new array.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::Int8(builder) => Arc::new(builder.finish()),
            Values::Int16(builder) => Arc::new(builder.finish()),
            Values::Int32(builder) => Arc::new(builder.finish()),
            Values::Int64(builder) => Arc::new(builder.finish()),
            Values::Float32(builder) => Arc::new(builder.finish()),
            Values::Float64(builder) => Arc::new(builder.finish()),
            Values::Decimal(builder, ..) => Arc::new(builder.finish()),
            Values::Text(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}

fn parse<T>(text: Option<&str>, of: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Misfit> {
    text.map(|text| of(text).ok_or(Misfit::NotOfType)).transpose()
}

fn push_number<T>(builder: &mut PrimitiveBuilder<T>, text: Option<&str>) -> Result<(), Misfit>
where
    T: ArrowPrimitiveType,
    T::Native: FromStr,
{
    builder.append_option(parse(text, |text| text.parse().ok())?);
    Ok(())
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" => Some(true),
        "0" | "f" | "F" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A sign, digits, a point, digits. Digits that the scale has no room for must be zeros.
fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let scale = usize::try_from(scale).ok()?;
    let (kept, lost) = fraction.split_at_checked(scale.min(fraction.len()))?;
    if !digits(whole)
        || !digits(fraction)
        || whole.len() + fraction.len() == 0
        || lost.bytes().any(|b| b != b'0')
    {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() + scale > usize::from(precision) {
        return None;
    }
    let padding = std::iter::repeat_n(b'0', scale - kept.len());
    let value = whole
        .bytes()
        .chain(kept.bytes())
        .chain(padding)
        .fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    Some(if negative { -value } else { value })
}

fn parse_date(text: &str) -> Option<i32> {
    i32::try_from(text.parse::<LoadDate>().ok()?.days_since_epoch()).ok()
}

/// `YYYY-MM-DD`, alone or with ` HH:MM:SS` and a fraction (`T` may stand for the blank), in
/// microseconds; smaller parts are cut off.
fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, time_of_day(time)?),
        None => (text, 0),
    };
    let days = date.parse::<LoadDate>().ok()?.days_since_epoch();
    Some(days * SECONDS_PER_DAY * MICROS_PER_SECOND + time)
}

fn time_of_day(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':').map(|part| {
        let ok = part.len() == 2 && digits(part);
        ok.then(|| part.parse::<i64>().ok()).flatten()
    });
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    if !valid || fraction.is_empty() || fraction.len() > NANO_DIGITS || !digits(fraction) {
        return None;
    }
    let micros = format!("{fraction:0<6}")[..6].parse::<i64>().ok()?;
    Some((hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, value) in [
            ("12.5", Some(1250)),
            ("-0.01", Some(-1)),
            ("+3", Some(300)),
            (".5", Some(50)),
            ("0000012", Some(1200)),
            ("1.230", Some(123)),
            ("1.234", None),
            ("1234", None),
            ("", None),
            (".", None),
            ("1e2", None),
            ("--1", None),
        ] {
            assert_eq!(parse_decimal(text, 5, 2), value, "{text}");
        }
        let nines = "9".repeat(38);
        assert_eq!(parse_decimal(&nines, 38, 0), nines.parse().ok());
    }

    #[test]
    fn timestamps_as_hive_writes_them() {
        let day = 20_779 * SECONDS_PER_DAY * MICROS_PER_SECOND;
        for (text, value) in [
            ("2026-11-22", Some(day)),
            ("2026-11-22 00:00:01", Some(day + 1_000_000)),
            ("2026-11-22T23:59:59.5", Some(day + 86_399_500_000)),
            ("2026-11-22 00:00:00.123456789", Some(day + 123_456)),
            ("1969-12-31 23:59:59.999999", Some(-1)),
            ("2026-11-22 24:00:00", None),
            ("2026-11-22 1:00:00", None),
            ("2026-11-22 00:00:00Z", None),
            ("2026-11-22 00:00:00.", None),
            ("2026-02-30", None),
        ] {
            assert_eq!(parse_timestamp(text), value, "{text}");
        }
    }
}
