//! Quantities as text: percentages, bytes, durations. Each error completes a sentence
//! that begins with the setting's name.

use std::time::Duration;

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
