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
        let whole = value.max(0.0).round() as u64;
        match self {
            Unit::Count => format::count(whole),
            Unit::Bytes => format::bytes(whole),
            Unit::Seconds => format::seconds(value),
            // Small runs cost less than a cent, and that is worth knowing.
            Unit::Money if value > 0.0 && value < 0.1 => format!("{value:.4}"),
            Unit::Money => format!("{value:.2}"),
        }
    }
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
