//! Numbers that are told with their range, their unit and where they come from.

use hivecast_run::format;
use serde::{Deserialize, Serialize};

/// A number that is not known exactly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// It is hardly less.
    pub low: f64,
    /// The best guess.
    pub expected: f64,
    /// It is hardly more.
    pub high: f64,
}

impl Range {
    /// A number that is known.
    pub fn exact(value: f64) -> Range {
        Range { low: value, expected: value, high: value }
    }

    /// From `1 - below` to `1 + above` times the best guess.
    pub fn around(value: f64, below: f64, above: f64) -> Range {
        Range { low: value * (1.0 - below).max(0.0), expected: value, high: value * (1.0 + above) }
    }

    /// All three times a factor, which is not negative.
    pub fn times(self, factor: f64) -> Range {
        Range { low: self.low * factor, expected: self.expected * factor, high: self.high * factor }
    }

    /// The sum of two that are off together.
    pub fn plus(self, other: Range) -> Range {
        Range {
            low: self.low + other.low,
            expected: self.expected + other.expected,
            high: self.high + other.high,
        }
    }

    /// Whether its numbers are finite, not negative, and in their order.
    pub fn is_sound(self) -> bool {
        self.high.is_finite() && 0.0 <= self.low && self.low <= self.expected && self.expected <= self.high
    }

    /// Whether there is no doubt about it.
    pub fn is_exact(self) -> bool {
        self.low == self.expected && self.expected == self.high
    }
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds of wall time.
    Seconds,
    /// Money, in the currency that the price of a core is given in.
    Money,
}

impl Unit {
    /// A number as people read it.
    pub fn show(self, value: f64) -> String {
        self.show_like(value, value)
    }

    /// A number in the unit and with the decimals that another is shown in, to be compared with it.
    pub fn show_like(self, value: f64, like: f64) -> String {
        let whole = |value: f64| value.max(0.0).round() as u64;
        match self {
            Unit::Count => format::count(whole(value)),
            Unit::Bytes => format::bytes_like(whole(value), whole(like)),
            Unit::Seconds => format::seconds_like(value, like),
            Unit::Money => format!("{value:.*}", decimals_of_money(like)),
        }
    }

    /// From low to high, in the unit of the best guess: `0.9 to 5.9 GiB`. Empty where they read like one number.
    pub fn show_range(self, range: Range) -> String {
        // Of a best guess of nothing the unit says nothing.
        let like = if range.expected > 0.0 { range.expected } else { range.high };
        let show = |value: f64| self.show_like(value, like);
        let [low, expected, high] = [range.low, range.expected, range.high].map(show);
        if low == expected && expected == high {
            return String::new();
        }
        match (low.split_once(' '), high.split_once(' ')) {
            // Not of `1 min 25 s`.
            (Some((number, unit)), Some((_, other))) if unit == other && !unit.contains(' ') => {
                format!("{number} to {high}")
            }
            _ => format!("{low} to {high}"),
        }
    }
}

/// Two decimals; below 1 so many that there are three digits, since small runs cost less than a cent, and that is
/// worth knowing.
fn decimals_of_money(value: f64) -> usize {
    const DIGITS: f64 = 3.0;
    const DECIMALS_MAX: f64 = 8.0;
    if !(value > 0.0 && value < 1.0) {
        return 2;
    }
    (DIGITS - 1.0 - value.log10().floor()).clamp(2.0, DECIMALS_MAX) as usize
}

/// A number of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// What it is, which `--why` takes.
    pub name: String,
    /// The number.
    pub value: Range,
    /// What it counts.
    pub unit: Unit,
    /// How it was reckoned, with the numbers that went into it.
    pub how: String,
}

impl Quantity {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, value: Range, how: impl Into<String>) -> Quantity {
        Quantity { name: name.into(), value, unit, how: how.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    #[test]
    fn a_range_has_one_unit() {
        let range = |unit: Unit, low, expected, high| unit.show_range(Range { low, expected, high });
        assert_eq!(range(Unit::Bytes, 0.883 * GIB, 1.96 * GIB, 5.88 * GIB), "0.9 to 5.9 GiB");
        assert_eq!(range(Unit::Seconds, 0.4, 1.1, 136.0), "0.4 to 136 s");
        assert_eq!(range(Unit::Seconds, 68.0, 136.0, 340.0), "1 min 08 s to 5 min 40 s");
        assert_eq!(range(Unit::Seconds, 85.0, 188.0, 565.0), "1 min 25 s to 9 min 25 s");
        assert_eq!(range(Unit::Money, 0.0504, 0.1008, 0.252), "0.050 to 0.252");
        assert_eq!(range(Unit::Count, 7.0, 7.0, 1900.0), "7 to 1,900");
        assert_eq!(range(Unit::Bytes, 0.0, 0.0, GIB), "0 to 1 GiB");
    }

    #[test]
    fn a_range_that_reads_like_one_number_is_none() {
        assert_eq!(Unit::Count.show_range(Range::exact(7.0)), "");
        assert_eq!(Unit::Count.show_range(Range { low: 7.0, expected: 7.1, high: 7.2 }), "");
        assert_eq!(Unit::Seconds.show_range(Range::exact(0.0)), "");
    }

    #[test]
    fn money_has_three_digits_where_it_is_small() {
        assert_eq!(
            [0.0, 0.000_74, 0.005_82, 0.0504, 0.252, 1.0, 20.0].map(|value| Unit::Money.show(value)),
            ["0.00", "0.000740", "0.00582", "0.0504", "0.252", "1.00", "20.00"]
        );
    }
}
