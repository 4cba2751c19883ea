//! What the table and the page say alike.

use hivecast_estimate::{Answer, Chosen, Quantity, ShownTerm, Subject, Unit};
use hivecast_run::format::plural;

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
        Chosen::Spark => {
            let cluster = answer.cluster.as_ref().map(|plan| plan.chosen().point.wall);
            cluster.or(answer.server.as_ref().map(|server| server.wall))
        }
        Chosen::Neither => None,
    };
    let Some(wall) = wall else { return Some((Verdict::Missed, format!("{of}: missed"))) };
    let at_most = Unit::Seconds.show_like(wall.high, wall.expected);
    let range = format!("{} expected, {at_most} at most", show(wall.expected));
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

/// Numbers that count executors, where their names don't say so.
const SHAPES: [&str; 2] = ["cheapest shape", "fastest shape"];

/// The best guess.
pub(super) fn expected(quantity: &Quantity) -> String {
    match quantity.unit {
        Unit::Count if SHAPES.contains(&quantity.name.as_str()) => {
            plural(quantity.value.expected as u64, "executor")
        }
        unit => unit.show(quantity.value.expected),
    }
}

/// A moment, RFC 3339 in UTC, as people read it: without fractions of a second.
pub(super) fn moment(text: &str) -> String {
    text.get(..19).unwrap_or(text).replace('T', " ")
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
}
