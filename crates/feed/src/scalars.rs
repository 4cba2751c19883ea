//! Quantities as text: percentages, bytes, durations, column types. Each error completes a sentence
//! that begins with the setting's name.

use std::time::Duration;

use crate::model::ColumnType;
use crate::nearest::nearest;

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// `64MiB`, `900 KB`, `1000`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let (number, unit) = (digits.trim_end(), &text[digits.len()..]);
    let size = match unit {
        "" => Some(1),
        unit => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size),
    };
    let wrong = || format!("must be a number of bytes such as 64MiB, 900KB or 1000, and is `{text}`");
    let total = size.zip(number.parse::<u64>().ok()).ok_or_else(wrong)?;
    match total.0.checked_mul(total.1) {
        Some(0) => Err("must be at least one byte".to_owned()),
        Some(total) => Ok(total),
        None => Err(format!("is too large: `{text}`")),
    }
}

/// `20%` as 0.2.
pub(crate) fn percentage(text: &str) -> Result<f64, String> {
    let wrong = || format!("must be a percentage such as 20% or 0.1%, and is `{text}`");
    let number = text.strip_suffix('%').ok_or_else(wrong)?.trim_end();
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(wrong());
    }
    number.parse::<f64>().ok().filter(|share| share.is_finite()).map(|share| share / 100.0).ok_or_else(wrong)
}

/// A share of a whole: a percentage up to 100 %.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    match percentage(text)? {
        share if share > 1.0 => Err(format!("can't be more than 100%, and is `{text}`")),
        share => Ok(share),
    }
}

/// A whole number within limits.
pub(crate) fn integer(min: u64, max: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let number = text.parse::<u64>().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| match max {
            u64::MAX => format!("must be a whole number from {min}, and is `{text}`"),
            _ => format!("must be a whole number from {min} to {max}, and is `{text}`"),
        })
    }
}

/// `500ms`, `30s`, `5m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let milliseconds = match &text[digits.len()..] {
        "ms" => Some(1_u64),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let number = digits.trim_end().parse::<u64>().ok();
    let total = milliseconds.zip(number).and_then(|(unit, number)| unit.checked_mul(number));
    total
        .filter(|total| *total > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("must be a time such as 500ms, 30s or 5m, and is `{text}`"))
}

/// A byte that divides text: one ASCII character, `tab`, or a control character as `\001`, the way
/// Hive writes it.
pub(crate) fn byte(text: &str) -> Result<u8, String> {
    let octal = text.strip_prefix('\\').filter(|digits| digits.len() == 3);
    match (text, text.as_bytes()) {
        ("tab" | r"\t", _) => Ok(b'\t'),
        (_, [byte]) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => octal
            .and_then(|digits| u8::from_str_radix(digits, 8).ok())
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'\n' | b'\r'))
            .ok_or_else(|| format!(r"must be one ASCII character, `tab` or `\001`, and is `{text}`")),
    }
}

const SIMPLE_TYPES: [(&str, ColumnType); 13] = [
    ("boolean", ColumnType::Boolean),
    ("tinyint", ColumnType::TinyInt),
    ("smallint", ColumnType::SmallInt),
    ("int", ColumnType::Int),
    ("integer", ColumnType::Int),
    ("bigint", ColumnType::BigInt),
    ("float", ColumnType::Float),
    ("double", ColumnType::Double),
    ("string", ColumnType::String),
    ("date", ColumnType::Date),
    ("timestamp", ColumnType::Timestamp),
    ("binary", ColumnType::Binary),
    ("decimal", ColumnType::Decimal(10, 0)),
];

/// Most digits of a decimal, in Hive as in Arrow's 128-bit form.
const MAX_PRECISION: u8 = 38;

/// A Hive type: `int`, `decimal(10,2)`, `varchar(20)`.
pub(crate) fn column_type(text: &str) -> Result<ColumnType, String> {
    let lower = text.to_ascii_lowercase();
    let (name, arguments) = match lower.split_once('(') {
        Some((name, rest)) => (name.trim_end(), rest.strip_suffix(')')),
        None => (lower.as_str(), None),
    };
    let numbers: Option<Vec<u8>> =
        arguments.map(|list| list.split(',').map_while(|number| number.trim().parse().ok()).collect());
    let count = arguments.map_or(0, |list| list.split(',').count());
    let simple = SIMPLE_TYPES.iter().find(|(simple, _)| *simple == name).map(|(_, kind)| *kind);
    match (name, simple, numbers.as_deref()) {
        (_, Some(kind), None) if !lower.contains('(') => Ok(kind),
        ("decimal", _, Some(&[precision])) if count == 1 => decimal(precision, 0),
        ("decimal", _, Some(&[precision, scale])) if count == 2 => decimal(precision, scale),
        // A varchar may be longer than a byte counts, so its length is only looked at.
        ("varchar" | "char", ..) if arguments.is_some_and(|length| length.trim().parse::<u32>().is_ok()) => {
            Ok(ColumnType::String)
        }
        _ => {
            let names = SIMPLE_TYPES.iter().map(|(name, _)| *name).chain(["varchar(100)", "decimal(10,2)"]);
            let hint = nearest(&lower, names).map(|near| format!("; did you mean `{near}`?"));
            Err(format!("has no type `{text}`{}", hint.unwrap_or_default()))
        }
    }
}

fn decimal(precision: u8, scale: u8) -> Result<ColumnType, String> {
    if !(1..=MAX_PRECISION).contains(&precision) || scale > precision {
        return Err(format!(
            "has a decimal of 1 to {MAX_PRECISION} digits, not more of them after the point than in all; \
             it is `decimal({precision},{scale})`"
        ));
    }
    // At most 38, so that it fits.
    Ok(ColumnType::Decimal(precision, scale as i8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_every_unit() {
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("900 KB"), Ok(900_000));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("17"), Ok(17));
        for wrong in ["", "MiB", "64mib", "-1", "1.5MiB", "0", "99999999999999999GiB", "1é"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn percentages_need_their_sign() {
        assert_eq!(percentage("20%"), Ok(0.2));
        assert_eq!(percentage("0.1%"), Ok(0.001));
        assert_eq!(percentage("150 %"), Ok(1.5));
        for wrong in ["20", "%", "-1%", "nan%", "inf%", "1%%", "1e400%"] {
            assert!(percentage(wrong).is_err(), "{wrong}");
        }
        assert!(share("100%").is_ok());
        assert!(share("100.1%").is_err());
    }

    #[test]
    fn hive_types() {
        assert_eq!(column_type("INT"), Ok(ColumnType::Int));
        assert_eq!(column_type("decimal(10, 2)"), Ok(ColumnType::Decimal(10, 2)));
        assert_eq!(column_type("decimal"), Ok(ColumnType::Decimal(10, 0)));
        assert_eq!(column_type("varchar(65535)"), Ok(ColumnType::String));
        for wrong in ["decimal(39,2)", "decimal(2,3)", "decimal(1,x)", "decimal(1,2,3)", "int(3)", "varchar"]
        {
            assert!(column_type(wrong).is_err(), "{wrong}");
        }
        assert!(column_type("strin").is_err_and(|error| error.contains("`string`")));
    }

    #[test]
    fn bytes_that_divide_text() {
        assert_eq!(byte("|"), Ok(b'|'));
        assert_eq!(byte("tab"), Ok(b'\t'));
        assert_eq!(byte(r"\001"), Ok(1));
        for wrong in ["", "||", "é", "\n", r"\999"] {
            assert!(byte(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["30", "0s", "-1s", "1 day"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
