//! Single values: how each Arrow type reads as text, and whether JSON quotes it.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, BooleanArray, Float16Array};
use arrow_array::{
    BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray, StringArray,
    StringViewArray,
};
use arrow_buffer::{NullBuffer, i256};
use arrow_schema::{DataType, TimeUnit};
use hivecast_feed::{BigIntegers, Decimals, NotANumber, Nulls};
use hivecast_run::Result;

use super::number::{push_decimal, push_decimal256, push_float};
use super::text::{escape_tail, push_base64, push_escaped};
use super::time::{OutOfRange, Reading, Times};

/// Integers beyond ± this are rounded by readers that hold numbers as doubles.
const EXACT: u64 = 1 << 53;

/// The feed's choices of how values are written, understood.
pub(super) struct Formats {
    pub(super) times: Times,
    pub(super) nulls: Nulls,
    pub(super) decimals: Decimals,
    pub(super) nan: NotANumber,
    pub(super) big_integers: BigIntegers,
}

impl Formats {
    pub(super) fn new(format: &hivecast_feed::Format) -> Result<Self> {
        Ok(Formats {
            times: Times::new(format)?,
            nulls: format.nulls,
            decimals: format.decimals,
            nan: format.nan,
            big_integers: format.big_integers,
        })
    }
}

/// Why a value has no text: a date or time that the calendar lacks.
#[derive(Debug)]
pub(super) struct NoText {
    pub(super) number: i64,
    pub(super) unit: &'static str,
}

impl std::fmt::Display for NoText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} since 1970-01-01", self.number, self.unit)
    }
}

/// How a value's text stands in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Bare,
    Quoted,
    /// Quoted, and something in it may need an escape.
    Escaped,
}

/// A column of single values.
pub(super) struct Scalars<'a> {
    /// Absent where no value is null.
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Nulls,
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float16(&'a Float16Array),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal32(&'a [i32], i8),
    Decimal64(&'a [i64], i8),
    Decimal128(&'a [i128], i8),
    Decimal256(&'a [i256], i8),
    Date32(&'a [i32]),
    Date64(&'a [i64]),
    Timestamp(&'a [i64], TimeUnit, Reading),
    Time32(&'a [i32], TimeUnit),
    Time64(&'a [i64], TimeUnit),
    Text(Texts<'a>),
    Bytes(Bytes<'a>),
    Dictionary(Vec<usize>, Box<Scalars<'a>>),
}

/// A column of text. Arrow's text is UTF-8, so that a lone surrogate can't reach here: engines
/// refuse such input or replace it with U+FFFD where they read it.
#[derive(Clone, Copy)]
enum Texts<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

#[derive(Clone, Copy)]
enum Bytes<'a> {
    Small(&'a BinaryArray),
    Large(&'a LargeBinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
    View(&'a BinaryViewArray),
}

impl<'a> Texts<'a> {
    #[inline]
    fn get(self, row: usize) -> &'a str {
        match self {
            Texts::View(array) => array.value(row),
            Texts::Small(array) => array.value(row),
            Texts::Large(array) => array.value(row),
        }
    }
}

impl<'a> Bytes<'a> {
    fn get(self, row: usize) -> &'a [u8] {
        match self {
            Bytes::Small(array) => array.value(row),
            Bytes::Large(array) => array.value(row),
            Bytes::Fixed(array) => array.value(row),
            Bytes::View(array) => array.value(row),
        }
    }
}

impl<'a> Scalars<'a> {
    /// The column's values, or `None` for a type that is none of the above.
    pub(super) fn new(array: &'a dyn Array) -> Option<Self> {
        let values = match array.data_type() {
            DataType::Null => Values::Nulls,
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int8 => Values::Int8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Values::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Values::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::UInt8 => Values::UInt8(array.as_primitive::<UInt8Type>().values()),
            DataType::UInt16 => Values::UInt16(array.as_primitive::<UInt16Type>().values()),
            DataType::UInt32 => Values::UInt32(array.as_primitive::<UInt32Type>().values()),
            DataType::UInt64 => Values::UInt64(array.as_primitive::<UInt64Type>().values()),
            DataType::Float16 => Values::Float16(array.as_primitive::<Float16Type>()),
            DataType::Float32 => Values::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Decimal32(_, scale) => {
                Values::Decimal32(array.as_primitive::<Decimal32Type>().values(), *scale)
            }
            DataType::Decimal64(_, scale) => {
                Values::Decimal64(array.as_primitive::<Decimal64Type>().values(), *scale)
            }
            DataType::Decimal128(_, scale) => {
                Values::Decimal128(array.as_primitive::<Decimal128Type>().values(), *scale)
            }
            DataType::Decimal256(_, scale) => {
                Values::Decimal256(array.as_primitive::<Decimal256Type>().values(), *scale)
            }
            DataType::Date32 => Values::Date32(array.as_primitive::<Date32Type>().values()),
            DataType::Date64 => Values::Date64(array.as_primitive::<Date64Type>().values()),
            DataType::Timestamp(unit, zone) => {
                let reading = if zone.is_some() { Reading::Instant } else { Reading::WallClock };
                Values::Timestamp(timestamps(array, *unit), *unit, reading)
            }
            DataType::Time32(unit @ TimeUnit::Second) => {
                Values::Time32(array.as_primitive::<Time32SecondType>().values(), *unit)
            }
            DataType::Time32(unit) => {
                Values::Time32(array.as_primitive::<Time32MillisecondType>().values(), *unit)
            }
            DataType::Time64(unit @ TimeUnit::Microsecond) => {
                Values::Time64(array.as_primitive::<Time64MicrosecondType>().values(), *unit)
            }
            DataType::Time64(unit) => {
                Values::Time64(array.as_primitive::<Time64NanosecondType>().values(), *unit)
            }
            DataType::Utf8 => Values::Text(Texts::Small(array.as_string())),
            DataType::LargeUtf8 => Values::Text(Texts::Large(array.as_string())),
            DataType::Utf8View => Values::Text(Texts::View(array.as_string_view())),
            DataType::Binary => Values::Bytes(Bytes::Small(array.as_binary())),
            DataType::LargeBinary => Values::Bytes(Bytes::Large(array.as_binary())),
            DataType::FixedSizeBinary(_) => Values::Bytes(Bytes::Fixed(array.as_fixed_size_binary())),
            DataType::BinaryView => Values::Bytes(Bytes::View(array.as_binary_view())),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                if dictionary.values().is_empty() {
                    // No key can point anywhere: every value is null.
                    return Some(Scalars { nulls: None, values: Values::Nulls });
                }
                let values = Scalars::new(dictionary.values().as_ref())?;
                Values::Dictionary(dictionary.normalized_keys(), Box::new(values))
            }
            _ => return None,
        };
        Some(Scalars { nulls: array.nulls().filter(|nulls| nulls.null_count() > 0), values })
    }

    /// The text at `row`, if the column is text and the value is not null. The way of most values.
    #[inline]
    pub(super) fn plain_text(&self, row: usize) -> Option<&'a str> {
        match &self.values {
            Values::Text(texts) if !self.is_null(row) => Some(texts.get(row)),
            _ => None,
        }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the value as JSON; says whether there was one. Null, and NaN where it counts as null,
    /// append nothing.
    pub(super) fn push_json(
        &self,
        row: usize,
        formats: &Formats,
        out: &mut Vec<u8>,
    ) -> std::result::Result<Presence, NoText> {
        let Some(quote) = self.quote(row, formats) else { return Ok(Presence::Null) };
        if quote == Quote::Bare {
            self.push_text(row, formats, out)?;
            return Ok(Presence::Value);
        }
        out.push(b'"');
        if let Some(text) = self.plain_text(row) {
            push_escaped(out, text.as_bytes());
        } else {
            let start = out.len();
            self.push_text(row, formats, out)?;
            if quote == Quote::Escaped {
                escape_tail(out, start);
            }
        }
        out.push(b'"');
        Ok(Presence::Value)
    }

    /// Appends the value's text form: as in JSON, without quotes and escapes. Says whether there was
    /// one.
    pub(super) fn push_raw(
        &self,
        row: usize,
        formats: &Formats,
        out: &mut Vec<u8>,
    ) -> std::result::Result<Presence, NoText> {
        if self.quote(row, formats).is_none() {
            return Ok(Presence::Null);
        }
        self.push_text(row, formats, out)?;
        Ok(Presence::Value)
    }

    /// How the value stands in JSON; `None` for null.
    fn quote(&self, row: usize, formats: &Formats) -> Option<Quote> {
        if self.is_null(row) {
            return None;
        }
        let float = |finite: bool| match (finite, formats.nan) {
            (true, _) => Some(Quote::Bare),
            (false, NotANumber::Text) => Some(Quote::Quoted),
            (false, NotANumber::Null) => None,
        };
        let integer = |magnitude: u64| match formats.big_integers {
            BigIntegers::Text if magnitude > EXACT => Some(Quote::Quoted),
            _ => Some(Quote::Bare),
        };
        let pattern = |clean: bool| Some(if clean { Quote::Quoted } else { Quote::Escaped });
        match &self.values {
            Values::Nulls => None,
            Values::Boolean(_)
            | Values::Int8(_)
            | Values::Int16(_)
            | Values::Int32(_)
            | Values::UInt8(_)
            | Values::UInt16(_)
            | Values::UInt32(_) => Some(Quote::Bare),
            Values::Int64(values) => integer(values[row].unsigned_abs()),
            Values::UInt64(values) => integer(values[row]),
            Values::Float16(array) => float(array.value(row).to_f32().is_finite()),
            Values::Float32(values) => float(values[row].is_finite()),
            Values::Float64(values) => float(values[row].is_finite()),
            Values::Decimal32(..)
            | Values::Decimal64(..)
            | Values::Decimal128(..)
            | Values::Decimal256(..) => Some(match formats.decimals {
                Decimals::Text => Quote::Quoted,
                Decimals::Number => Quote::Bare,
            }),
            Values::Date32(_) | Values::Date64(_) => pattern(formats.times.clean_dates()),
            Values::Timestamp(..) => pattern(formats.times.clean_timestamps()),
            Values::Time32(..) | Values::Time64(..) | Values::Bytes(_) => Some(Quote::Quoted),
            Values::Text(_) => Some(Quote::Escaped),
            Values::Dictionary(keys, values) => values.quote(keys[row], formats),
        }
    }

    /// Appends the text of a value that is not null.
    fn push_text(&self, row: usize, formats: &Formats, out: &mut Vec<u8>) -> std::result::Result<(), NoText> {
        match &self.values {
            Values::Nulls => {}
            Values::Boolean(array) => {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" })
            }
            Values::Int8(values) => push_integer(values[row], out),
            Values::Int16(values) => push_integer(values[row], out),
            Values::Int32(values) => push_integer(values[row], out),
            Values::Int64(values) => push_integer(values[row], out),
            Values::UInt8(values) => push_integer(values[row], out),
            Values::UInt16(values) => push_integer(values[row], out),
            Values::UInt32(values) => push_integer(values[row], out),
            Values::UInt64(values) => push_integer(values[row], out),
            Values::Float16(array) => push_float(array.value(row).to_f32(), out),
            Values::Float32(values) => push_float(values[row], out),
            Values::Float64(values) => push_float(values[row], out),
            Values::Decimal32(values, scale) => push_decimal(values[row].into(), *scale, out),
            Values::Decimal64(values, scale) => push_decimal(values[row].into(), *scale, out),
            Values::Decimal128(values, scale) => push_decimal(values[row], *scale, out),
            Values::Decimal256(values, scale) => push_decimal256(values[row], *scale, out),
            Values::Date32(values) => push_date(values[row].into(), formats, out)?,
            Values::Date64(values) => push_date(values[row].div_euclid(MILLIS_PER_DAY), formats, out)?,
            Values::Timestamp(values, unit, reading) => {
                push_timestamp(values[row], *unit, *reading, formats, out)?;
            }
            Values::Time32(values, unit) => push_time(values[row].into(), *unit, out),
            Values::Time64(values, unit) => push_time(values[row], *unit, out),
            Values::Text(texts) => out.extend_from_slice(texts.get(row).as_bytes()),
            Values::Bytes(bytes) => push_base64(out, bytes.get(row)),
            Values::Dictionary(keys, values) => values.push_text(keys[row], formats, out)?,
        }
        Ok(())
    }
}

/// Whether a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Null: nothing was written.
    Null,
    /// `[]` or `{}` was written.
    Empty,
    /// Anything else was written.
    Value,
}

const MILLIS_PER_DAY: i64 = 86_400_000;

fn timestamps(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    }
}

/// Units in a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Whole seconds, rounded down, and the nanoseconds above them.
fn split(value: i64, unit: TimeUnit) -> (i64, u32) {
    let per_second = per_second(unit);
    let rest = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    // Below 1,000,000,000, which fits.
    (value.div_euclid(per_second), rest as u32)
}

fn push_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn push_date(days: i64, formats: &Formats, out: &mut Vec<u8>) -> std::result::Result<(), NoText> {
    formats.times.push_date(days, out).map_err(|OutOfRange| NoText { number: days, unit: "days" })
}

fn push_timestamp(
    value: i64,
    unit: TimeUnit,
    reading: Reading,
    formats: &Formats,
    out: &mut Vec<u8>,
) -> std::result::Result<(), NoText> {
    let (seconds, nanos) = split(value, unit);
    formats.times.push_timestamp(seconds, nanos, reading, out).map_err(|OutOfRange| NoText {
        number: value,
        unit: match unit {
            TimeUnit::Second => "seconds",
            TimeUnit::Millisecond => "milliseconds",
            TimeUnit::Microsecond => "microseconds",
            TimeUnit::Nanosecond => "nanoseconds",
        },
    })
}

/// A time of day, `hh:mm:ss`, with as many decimals as the unit has.
fn push_time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let (second, nanos) = split(value, unit);
    let two = |number: i64| [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
    let second = second.rem_euclid(86_400);
    out.extend_from_slice(&two(second / 3600));
    out.push(b':');
    out.extend_from_slice(&two(second / 60 % 60));
    out.push(b':');
    out.extend_from_slice(&two(second % 60));
    let decimals = per_second(unit).ilog10() as usize;
    if decimals > 0 {
        let mut fraction = *b".000000000";
        let mut rest = nanos;
        for digit in fraction[1..].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&fraction[..=decimals]);
    }
}

/// Most bytes of a value of the type besides its text, with quotes; `None` for a type that has no
/// form in JSON.
pub(super) fn longest(data_type: &DataType, formats: &Formats) -> Option<u64> {
    const QUOTES: u64 = 2;
    /// A sign and the digits of 64 bits, or a double's shortest form.
    const NUMBER: u64 = 25;
    let (date, timestamp) = formats.times.longest();
    let decimal = |digits: u64, scale: &i8| {
        // Sign, point, leading zero; zeros that a scale adds before or behind the digits.
        QUOTES + 3 + digits + u64::from(scale.unsigned_abs())
    };
    Some(match data_type {
        DataType::Null | DataType::Boolean => 5,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => QUOTES + NUMBER,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => QUOTES + NUMBER,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => QUOTES + NUMBER,
        DataType::Decimal32(_, scale) => decimal(10, scale),
        DataType::Decimal64(_, scale) => decimal(19, scale),
        DataType::Decimal128(_, scale) => decimal(39, scale),
        DataType::Decimal256(_, scale) => decimal(77, scale),
        DataType::Date32 | DataType::Date64 => QUOTES + date,
        DataType::Timestamp(..) => QUOTES + timestamp,
        DataType::Time32(_) | DataType::Time64(_) => QUOTES + 18,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => QUOTES,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) | DataType::BinaryView => {
            QUOTES
        }
        DataType::Dictionary(_, values) => longest(values, formats)?,
        _ => return None,
    })
}
