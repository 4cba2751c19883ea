//! What the table and the page say alike.

use hivecast_estimate::{Answer, Chosen, Quantity, Range, ShownTerm, Subject, Unit};

/// How to give a cluster where there is none.
pub(super) const NO_CLUSTER: &str = "--nodes, --node-cores and --node-memory describe a Spark cluster";

/// Decimals that a small number has at most.
const DECIMALS_MAX: usize = 8;

/// Which engine to use.
pub(super) fn engine(chosen: Chosen) -> &'static str {
    match chosen {
        Chosen::Embedded => "Use the embedded engine",
        Chosen::Spark => "Use the Spark cluster",
        Chosen::Neither => "Neither engine does it",
    }
}

/// Whether a deadline is met, as far as the range goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Surely,
    Likely,
    Missed,
}

impl Verdict {
    /// As a class of the page has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Verdict::Surely => "surely",
            Verdict::Likely => "likely",
            Verdict::Missed => "missed",
        }
    }
}

/// What becomes of the deadline with the engine that is to be used; none where there is no deadline.
pub(super) fn deadline(answer: &Answer) -> Option<(Verdict, String)> {
    let deadline = answer.deadline?;
    let show = |seconds: f64| Unit::Seconds.show(seconds);
    let of = format!("Deadline {}", show(deadline));
    let wall = match answer.choice.engine {
        Chosen::Embedded => Some(answer.embedded.wall),
        Chosen::Spark => answer.cluster.as_ref().map(|plan| plan.chosen().point.wall),
        Chosen::Neither => None,
    };
    let Some(wall) = wall else { return Some((Verdict::Missed, format!("{of}: missed"))) };
    let range = format!("{} expected, {} at most", show(wall.expected), show(wall.high));
    Some(if wall.high <= deadline {
        (Verdict::Surely, format!("{of}: surely met, {range}"))
    } else if wall.expected <= deadline {
        (Verdict::Likely, format!("{of}: likely met, {range}"))
    } else {
        (Verdict::Missed, format!("{of}: missed, {range}"))
    })
}

/// A sentence's first letter as such.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The best guess.
pub(super) fn expected(quantity: &Quantity) -> String {
    quantity.unit.show(quantity.value.expected)
}

/// From low to high; empty where both read like the best guess.
pub(super) fn range(value: Range, unit: Unit) -> String {
    let [low, expected, high] = [value.low, value.expected, value.high].map(|value| unit.show(value));
    if low == expected && expected == high { String::new() } else { format!("{low} to {high}") }
}

/// What a model is of.
pub(super) fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::BuildEmbedded => "build time, embedded engine",
        Subject::BuildSpark => "build time, Spark cluster and this machine",
        Subject::Publish => "publish time",
        Subject::Verify => "verify time",
        Subject::MemoryOfRows => "peak memory, all rows in memory",
        Subject::MemoryOfPasses => "peak memory, rows through spill files",
    }
}

/// A term's coefficient with its unit. Bytes for each byte are a factor.
pub(super) fn coefficient(subject: Subject, term: &ShownTerm) -> String {
    match subject.unit() {
        Unit::Bytes if term.of.starts_with("bytes ") => digits(term.coefficient),
        Unit::Seconds => format!("{} s", digits(term.coefficient)),
        unit => unit.show(term.coefficient),
    }
}

/// A number with two decimals, or with two digits where it is small.
pub(super) fn digits(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() {
        return "0".to_owned();
    }
    let small = (1.0 - size.log10().floor()).max(2.0) as usize;
    let decimals = if size >= 1.0 { 2 } else { small.min(DECIMALS_MAX) };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_two_digits() {
        assert_eq!(
            [0.0, 0.7, 24.0, 1.5, 0.0123, 0.000_456].map(digits),
            ["0", "0.70", "24.00", "1.50", "0.012", "0.00046"]
        );
    }

    #[test]
    fn a_range_that_reads_like_one_number_is_none() {
        assert_eq!(range(Range::exact(7.0), Unit::Count), "");
        assert_eq!(range(Range { low: 7.0, expected: 7.1, high: 7.2 }, Unit::Count), "");
        assert_eq!(range(Range { low: 7.0, expected: 7.0, high: 9.0 }, Unit::Count), "7 to 9");
    }
}
