//! Sizes, times and numbers as people write them. What is no such thing is told with what is expected.

use std::time::Duration;

use hivecast_run::format::count;

/// Larger sizes are slips.
const SIZE_MAX: u64 = 1 << 50;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Nobody waits longer for a run.
const DEADLINE_MAX_DAYS: u32 = 366;
/// The most that a core may cost by the hour, in whatever currency.
const PRICE_MAX: f64 = 1e6;
const MIB: u64 = 1 << 20;

/// Reads a size: a whole number with `B`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, of which `K`, `M`, `G`, `T`, `P` are
/// short as in Java and Spark, or with `KB`, `MB`, `GB`, `TB`, `PB` of 1000.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    const PREFIXES: &str = "KMGTPE";
    let wrong =
        || format!("{text:?} is no size; write a whole number with its unit, such as 512MiB, 2GiB or 2g");
    let digits = leading(text, |character| character.is_ascii_digit());
    let unit = text[digits.len()..].trim().to_ascii_uppercase();
    let (base, prefix): (u64, &str) = match (unit.strip_suffix("IB"), unit.strip_suffix('B')) {
        (Some(prefix), _) => (1024, prefix),
        (None, Some(prefix)) => (1000, prefix),
        (None, None) => (1024, &unit),
    };
    let power = match prefix {
        "" if unit == "B" => Some(0),
        prefix if prefix.len() == 1 => PREFIXES.find(prefix).map(|place| place as u32 + 1),
        _ => None,
    };
    let power = power.filter(|_| !digits.is_empty()).ok_or_else(wrong)?;
    // So many digits that they are no number are too much, too.
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(base.pow(power))) {
        Some(0) => Err(format!("{text:?} is nothing; write more than 0")),
        Some(bytes) if bytes <= SIZE_MAX => Ok(bytes),
        _ => Err(format!("{text:?} is too much: 1PiB is the most")),
    }
}

/// Reads a size that YARN counts in MiB.
pub(super) fn parse_yarn_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        bytes if bytes < MIB => Err("YARN counts in MiB; write 1MiB or more".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Reads a duration: `90s`, `30m`, `2h`, `1.5h`, `3m20s`, and what results print: `3 min 05 s`, `2 h 05 min`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is no duration; write it with its unit, such as 90s, 30m, 1.5h or 3m20s");
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    // Each unit once, the larger before the smaller.
    let mut below = u32::MAX;
    while !rest.is_empty() {
        let number = leading(rest, |character| character.is_ascii_digit() || character == '.');
        let after = rest[number.len()..].trim_start();
        let unit = leading(after, |character| character.is_ascii_alphabetic());
        rest = after[unit.len()..].trim_start();
        let seconds = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        if seconds >= below {
            return Err(wrong());
        }
        below = seconds;
        let part = times(number, seconds).ok_or_else(wrong)?;
        sum = sum.checked_add(part).ok_or_else(wrong)?;
    }
    if below == u32::MAX { Err(wrong()) } else { Ok(sum) }
}

fn leading(text: &str, of: impl Fn(char) -> bool) -> &str {
    let end = text.find(|character| !of(character)).unwrap_or(text.len());
    &text[..end]
}

/// A number of units of so many seconds. Whole ones are exact, whatever their size.
fn times(number: &str, seconds: u32) -> Option<Duration> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(seconds.into()).map(Duration::from_secs);
    }
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * f64::from(seconds)).ok()
}

/// Reads the time that a run may take.
pub(super) fn parse_deadline(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("no run takes no time; write more than 0s".to_owned()),
        time if time > DAY * DEADLINE_MAX_DAYS => {
            Err(format!("{text:?} is longer than a year; write what one run may take"))
        }
        time => Ok(time),
    }
}

/// Reads a price.
pub(super) fn parse_price(text: &str) -> Result<f64, String> {
    let price = text.trim().parse::<f64>().ok().filter(|price| *price > 0.0 && *price <= PRICE_MAX);
    price.ok_or_else(|| {
        format!("{text:?} is no price; write what a core costs by the hour: a number above 0, such as 0.05")
    })
}

/// Reads a whole number from `least` to `most`.
pub(super) fn whole<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + use<T> {
    move |text| {
        let number = text.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match most >= u32::MAX.into() {
            // A bound that is the type's is no news.
            true => format!("write a whole number, {} at least", count(least)),
            false => format!("write a whole number from {} to {}", count(least), count(most)),
        })
    }
}

#[cfg(test)]
mod tests {
    use hivecast_run::format;

    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("512MiB", 512 << 20),
            ("2gib", 2 << 30),
            ("64G", 64 << 30),
            ("64g", 64 << 30),
            ("512m", 512 << 20),
            ("4k", 4 << 10),
            ("7 b", 7),
            ("3GB", 3_000_000_000),
            ("100 MiB", 100 << 20),
            ("1PiB", 1 << 50),
            ("1pb", 1_000_000_000_000_000),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "2", "GiB", "-1GiB", "2XiB", "1.5GiB", "2iB", "2KKiB", "2 Gi", "2é", "٣GiB"] {
            assert!(parse_size(wrong).unwrap_err().contains("is no size"), "{wrong}");
        }
        for large in ["1EiB", "1025TiB", "2PiB", "999999TiB", "99999999999TiB", "99999999999999999999999B"] {
            assert!(parse_size(large).unwrap_err().contains("1PiB is the most"), "{large}");
        }
        assert!(parse_size("0MiB").unwrap_err().contains("more than 0"));
        assert!(parse_yarn_size("1B").unwrap_err().contains("1MiB or more"));
        assert_eq!(parse_yarn_size("1MiB"), Ok(1 << 20));
    }

    #[test]
    fn durations_as_they_are_written_and_as_they_are_printed() {
        for (text, seconds) in [
            ("2h", 7200.0),
            ("90s", 90.0),
            ("1.5h", 5400.0),
            ("3m20s", 200.0),
            ("1h30m", 5400.0),
            ("2 h", 7200.0),
            ("0s", 0.0),
            ("0.25s", 0.25),
            ("30min", 1800.0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for seconds in [0.04, 7.4, 90.0, 185.0, 200.0, 3600.0, 7500.0] {
            let shown = format::seconds(seconds);
            assert_eq!(parse_duration(&shown), Ok(Duration::from_secs_f64(seconds)), "{shown}");
        }
        for wrong in [
            "",
            " ",
            "2",
            "h",
            "2d",
            "-1s",
            "1e3s",
            "infs",
            "1..5h",
            ".s",
            "20s3m",
            "1m1m",
            "1h 5",
            "99999999999999999h",
            "1m 30 sec",
            "NaNs",
        ] {
            assert!(parse_duration(wrong).unwrap_err().contains("is no duration"), "{wrong}");
        }
    }

    #[test]
    fn deadlines_and_prices_that_make_sense() {
        assert_eq!(parse_deadline("366m"), Ok(Duration::from_secs(366 * 60)));
        for wrong in ["0s", "0h", "99999999999999h", "8785h"] {
            assert!(parse_deadline(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_price("0.05"), Ok(0.05));
        for wrong in ["0", "-1", "1e300", "inf", "NaN", "$0.05", "free", ""] {
            assert!(parse_price(wrong).unwrap_err().contains("by the hour"), "{wrong}");
        }
    }

    #[test]
    fn whole_numbers_within_bounds() {
        let threads = whole::<u16>(1, 1024);
        assert_eq!((threads("1"), threads("1024")), (Ok(1), Ok(1024)));
        for wrong in ["0", "1025", "-1", "two", "", "1.5", "99999999999999999999999"] {
            let told = threads(wrong).unwrap_err();
            assert!(told.contains("from 1 to 1,024"), "{told}");
        }
        assert!(whole::<u32>(1, u32::MAX.into())("4294967296").unwrap_err().contains("number, 1 at least"));
    }
}
