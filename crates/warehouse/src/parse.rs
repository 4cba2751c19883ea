//! Single values out of text, exactly or not at all.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;
use hivecast_contract::LoadDate;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Digits of a fraction of a second that Hive writes at most.
const NANO_DIGITS: usize = 9;
/// Largest exponent of a JSON number that is written out for a decimal: none has more digits.
const MAX_EXPONENT: usize = 76;

pub(crate) fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" => Some(true),
        "0" | "f" | "F" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The nearest number that the type has; none where the text is one that is too large for it.
pub(crate) fn parse_float<T: FromStr + Into<f64> + Copy>(text: &str) -> Option<T> {
    let value = text.parse::<T>().ok()?;
    // The value that is infinite is written out, without a digit.
    let is_too_large = value.into().is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!is_too_large).then_some(value)
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A sign, digits, a point, digits. Digits that the scale has no room for must be zeros.
pub(crate) fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
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

pub(crate) fn parse_date(text: &str) -> Option<i32> {
    i32::try_from(text.parse::<LoadDate>().ok()?.days_since_epoch()).ok()
}

/// `YYYY-MM-DD`, alone or with ` HH:MM:SS` and a fraction (`T` may stand for the blank), in
/// microseconds; smaller parts are cut off.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
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

/// A timestamp with its zone behind it: `Z`, `+01:00` or a name, in microseconds since 1970. Where none
/// is there, it is `zone`.
pub(crate) fn parse_instant(text: &str, zone: Tz) -> Option<i64> {
    if let Ok(time) = DateTime::<FixedOffset>::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    // The blank behind the date is no end of the time.
    let behind_date = text.find([' ', 'T'])? + 1;
    let time_end = text[behind_date..]
        .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, ':' | '.')))
        .map(|end| behind_date + end);
    let (local, named) = text.split_at(time_end.unwrap_or(text.len()));
    let micros = parse_timestamp(local)?;
    let zone = match named.trim() {
        "" => zone,
        "Z" => Tz::UTC,
        offset if offset.starts_with(['+', '-']) => {
            let offset = parse_offset(offset)?;
            return micros.checked_sub(offset * MICROS_PER_SECOND);
        }
        name => name.parse().ok()?,
    };
    let local = arrow_array::TimestampMicrosecondArray::from(vec![micros]);
    Some(crate::zone::to_instant(&local, zone).ok()?.value(0))
}

/// `+01:00` in seconds.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, digits_of) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = digits_of.split_once(':').unwrap_or((digits_of, "00"));
    let part = |text: &str| (text.len() == 2 && digits(text)).then(|| text.parse::<i64>().ok()).flatten();
    Some(sign * (part(hours)? * 3600 + part(minutes)? * 60))
}

/// A JSON number without its exponent; none where that is too large to be any decimal's.
pub(crate) fn without_exponent(number: &str) -> Option<String> {
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else { return Some(number.to_owned()) };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let shift: i64 = exponent.parse().ok()?;
    let size = usize::try_from(shift.unsigned_abs()).ok().filter(|size| *size <= MAX_EXPONENT)?;
    let zeros = "0".repeat(size);
    let all = format!("{zeros}{whole}{fraction}{zeros}");
    // The point stands behind the whole part, and moves by the exponent.
    let point = if shift < 0 { whole.len() } else { 2 * size + whole.len() };
    Some(format!("{sign}{}.{}", &all[..point], &all[point..]))
}

/// Base64 (RFC 4648) with or without its padding.
pub(crate) fn parse_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            bits = bits << 6 | u32::from(base64_digit(*letter)?);
        }
        let (count, spare) = match group.len() {
            4 => (3, 0),
            3 => (2, 2),
            2 => (1, 4),
            _ => return None,
        };
        // What no byte is made of must be zeros, or two texts would be one value.
        if bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        bytes.extend_from_slice(&(bits >> spare).to_be_bytes()[4 - count..]);
    }
    Some(bytes)
}

fn base64_digit(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
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
    fn floats_are_of_their_types_range() {
        assert_eq!(parse_float::<f32>("3.4028235e38"), Some(f32::MAX));
        assert_eq!(parse_float::<f32>("1e300"), None);
        assert_eq!(parse_float::<f64>("1e300"), Some(1e300));
        assert_eq!(parse_float::<f64>("-1e309"), None);
        assert_eq!(parse_float::<f64>("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_float::<f32>("1,5"), None);
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

    #[test]
    fn timestamps_with_a_zone() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        let noon = (20_779 * SECONDS_PER_DAY + 43_200) * MICROS_PER_SECOND;
        for (text, value) in [
            ("2026-11-22 12:00:00 UTC", Some(noon)),
            ("2026-11-22T12:00:00Z", Some(noon)),
            ("2026-11-22 13:00:00.0 Europe/Berlin", Some(noon)),
            ("2026-11-22 13:00:00", Some(noon)),
            ("2026-11-22 14:30:00+02:30", Some(noon)),
            ("2026-11-22 12:00:00 Nowhere/There", None),
            ("2026-11-22 12:00:00+2", None),
        ] {
            assert_eq!(parse_instant(text, berlin), value, "{text}");
        }
    }

    #[test]
    fn exponents_are_written_out() {
        for (text, plain) in [
            ("1.5e2", Some(150)),
            ("15E+1", Some(150)),
            ("1500e-1", Some(150)),
            ("-0.0015e5", Some(-150)),
            ("1.5e-9", None),
            ("1e999", None),
        ] {
            let value = without_exponent(text).and_then(|text| parse_decimal(&text, 10, 0));
            assert_eq!(value, plain, "{text}");
        }
    }

    #[test]
    fn base64_is_exact_or_refused() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("Zg==", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9vYg", Some(b"foob")),
            ("/+8=", Some(b"\xff\xef")),
            ("Zh==", None),
            ("Z", None),
            ("Zm 9", None),
        ] {
            assert_eq!(parse_base64(text.as_bytes()).as_deref(), bytes, "{text}");
        }
    }
}
