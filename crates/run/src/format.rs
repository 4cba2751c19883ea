//! Numbers as people read them.

/// A number and what it counts: `1 row`, `1,234 rows`.
pub fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// A number with commas between thousands: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
/// Settings are whole numbers of these.
const MEBIBYTE: u64 = 1 << 20;
/// Beyond it a number of mebibytes has too many digits to be read.
const EXACT_MEBIBYTES_MAX: u64 = 65_535;
/// The most decimals of a number of bytes, where fewer would make nothing of it.
const BYTE_DECIMALS_MAX: usize = 3;
/// The most decimals of a number of seconds.
const SECOND_DECIMALS_MAX: usize = 4;

/// A number of bytes in binary units, as `--memory` takes them: `0 B`, `812 B`, `97.1 MiB`. What is a whole number
/// of mebibytes is a setting rather than a measurement, and is shown exactly: `1600 MiB`, `64 GiB`.
pub fn bytes(bytes: u64) -> String {
    bytes_like(bytes, bytes)
}

/// A number of bytes in the unit that another is shown in, to be compared with it: `0.9 GiB` beside `2.1 GiB`.
pub fn bytes_like(bytes: u64, like: u64) -> String {
    let (unit, decimals) = unit_of(like);
    let value = bytes as f64 / 1024_f64.powi(unit as i32);
    let decimals = match (value.fract() == 0.0, unit) {
        (_, 0) => 0,
        (true, _) => decimals,
        (false, _) => decimals_of(value, 1, BYTE_DECIMALS_MAX),
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// The unit of a number of bytes, as an index, and its decimals.
fn unit_of(bytes: u64) -> (usize, usize) {
    // Factors of 1024 in it, of which a mebibyte has two.
    let unit = (bytes.trailing_zeros() as usize / 10).min(UNITS.len() - 1);
    if bytes.is_multiple_of(MEBIBYTE) && (1..=EXACT_MEBIBYTES_MAX).contains(&(bytes >> (10 * unit))) {
        return (unit, 0);
    }
    let mut value = bytes as f64;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while value >= if unit == 0 { 1024.0 } else { 1023.95 } && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    (unit, usize::from(unit > 0))
}

/// As many decimals as are usual, but so many that a number which is not nothing does not read like it.
fn decimals_of(value: f64, usual: usize, most: usize) -> usize {
    let is_seen = |decimals: &usize| value == 0.0 || value * 10_f64.powi(*decimals as i32) >= 0.5;
    (usual..most).find(is_seen).unwrap_or(most)
}

/// A duration: `0.0004 s`, `0.042 s`, `7.4 s`, `3 min 20 s`, `2 h 05 min`.
pub fn seconds(seconds: f64) -> String {
    seconds_like(seconds, seconds)
}

/// A duration in the unit and with the decimals that another is shown in, to be compared with it: `0.9 s` beside
/// `2.1 s`.
pub fn seconds_like(seconds: f64, like: f64) -> String {
    const DECIMALS: [(f64, usize); 2] = [(0.9995, 3), (59.95, 1)];
    let seconds = seconds.max(0.0);
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    let Some((_, usual)) = DECIMALS.into_iter().find(|(below, _)| like < *below) else {
        return in_minutes(seconds.round() as u64);
    };
    // Tenths of hundreds of seconds are no news.
    let decimals = if seconds >= 99.95 { 0 } else { decimals_of(seconds, usual, SECOND_DECIMALS_MAX) };
    format!("{seconds:.decimals$} s")
}

/// Whole seconds in the two largest units, of which the lesser is left out where there is nothing of it.
fn in_minutes(seconds: u64) -> String {
    let (greater, lesser, units) = match seconds {
        ..60 => return format!("{seconds} s"),
        60..3600 => (seconds / 60, seconds % 60, ["min", "s"]),
        3600.. => (seconds / 3600, seconds % 3600 / 60, ["h", "min"]),
    };
    match lesser {
        0 => format!("{greater} {}", units[0]),
        _ => format!("{greater} {} {lesser:02} {}", units[0], units[1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1023, 1024, 1_048_575, 101_816_729, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "97.1 MiB", "16384.0 PiB"]
        );
        assert_eq!(
            [0.0, 7.44, 59.96, 99.96, 200.4, 1800.0, 7200.0, 7500.0].map(seconds),
            ["0 s", "7.4 s", "1 min", "1 min 40 s", "3 min 20 s", "30 min", "2 h", "2 h 05 min"]
        );
    }

    #[test]
    fn parts_of_a_second_add_up() {
        assert_eq!(
            [0.163_2, 0.238_1, 0.045_7, 0.447].map(seconds),
            ["0.163 s", "0.238 s", "0.046 s", "0.447 s"]
        );
        assert_eq!(
            [0.9996, 0.009_96, 0.001_24, 0.000_01].map(seconds),
            ["1.0 s", "0.010 s", "0.001 s", "0.0000 s"]
        );
    }

    #[test]
    fn a_setting_is_exact() {
        const MIB: u64 = 1 << 20;
        assert_eq!(
            [1, 384, 1600, 1024, 65_536, 1 << 20, 3 << 20].map(|mebibytes| bytes(mebibytes * MIB)),
            ["1 MiB", "384 MiB", "1600 MiB", "1 GiB", "64 GiB", "1 TiB", "3 TiB"]
        );
        assert_eq!([1600 * MIB + 1, 149_312 * MIB].map(bytes), ["1.6 GiB", "145.8 GiB"]);
    }

    #[test]
    fn numbers_that_are_compared_have_one_unit() {
        const MIB: u64 = 1 << 20;
        let expected = 2100 * MIB + 1;
        assert_eq!(
            [9, 903 * MIB, expected, 60_000 * MIB].map(|number| bytes_like(number, expected)),
            ["0.000 GiB", "0.9 GiB", "2.1 GiB", "58.6 GiB"]
        );
        assert_eq!(bytes_like(97 * MIB + 1, 64 * MIB), "97.0 MiB");
        assert_eq!(bytes_like(4 << 30, 1600 * MIB), "4096 MiB");
        assert_eq!(
            [0.0, 0.02, 0.4, 2.0, 225.04].map(|number| seconds_like(number, 2.0)),
            ["0 s", "0.02 s", "0.4 s", "2.0 s", "225 s"]
        );
        assert_eq!(
            [26.9, 136.0, 340.2, 7260.0].map(|number| seconds_like(number, 136.0)),
            ["27 s", "2 min 16 s", "5 min 40 s", "2 h 01 min"]
        );
        assert_eq!(
            [0.12, 0.3, 2.1].map(|number| seconds_like(number, 0.3)),
            ["0.120 s", "0.300 s", "2.100 s"]
        );
    }
}
