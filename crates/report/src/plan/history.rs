use hivecast_estimate::{Range, Unit};
use serde::{Deserialize, Serialize};

use super::words;
use crate::layout::table;

/// What was foretold of a run, beside what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanError {
    /// When the run started, RFC 3339 in UTC.
    pub started: String,
    /// The day, `YYYY-MM-DD`.
    pub load_date: String,
    /// What was foretold, such as `wall time` or `peak memory`.
    pub what: String,
    /// What was foretold.
    pub predicted: Range,
    /// What it was.
    pub measured: f64,
    /// What both count.
    pub unit: Unit,
    /// What the prediction was made with.
    pub basis: String,
}

impl PlanError {
    /// How far the prediction was off, as a share of what was measured: positive where it was too high. None where
    /// nothing was measured that a share could be of.
    fn share(&self) -> Option<f64> {
        let share = (self.predicted.expected - self.measured) / self.measured;
        (self.measured > 0.0 && share.is_finite()).then_some(share)
    }

    fn place(&self) -> &'static str {
        if self.measured < self.predicted.low {
            "below"
        } else if self.measured > self.predicted.high {
            "above"
        } else {
            "within"
        }
    }
}

/// Predictions and what came of them, in the order given; below, how far they were off for each thing foretold.
pub fn plan_history(errors: &[PlanError]) -> String {
    if errors.is_empty() {
        return "no run has been foretold yet\n".to_owned();
    }
    let head = [
        "started (UTC)",
        "load_date",
        "what",
        "predicted",
        "range",
        "measured",
        "error",
        "measured is",
        "basis",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(errors.iter().map(|error| {
        vec![
            words::moment(&error.started),
            error.load_date.clone(),
            error.what.clone(),
            error.unit.show(error.predicted.expected),
            error.unit.show_range(error.predicted),
            error.unit.show(error.measured),
            error.share().map_or_else(|| "-".to_owned(), signed_percent),
            error.place().to_owned(),
            error.basis.clone(),
        ]
    }));
    format!("{}{ERROR_MEANS}\n\n{}", table("", &rows, &[3, 5, 6]), accuracy(errors))
}

/// What stands below the first table.
const ERROR_MEANS: &str = "error: (predicted - measured) / measured; + is too much foretold, and - too little. measured is: to its range";

/// A share in percent with its sign, which nothing does not have.
fn signed_percent(share: f64) -> String {
    match (100.0 * share).round() {
        0.0 => "0 %".to_owned(),
        percent => format!("{percent:+.0} %"),
    }
}

/// Of fewer errors the 90th percentile is the worst, and says no more than that.
const RANKED_LEAST: usize = 3;

/// One line for each thing foretold, in the order in which they come first.
fn accuracy(errors: &[PlanError]) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for error in errors {
        if !kinds.contains(&error.what.as_str()) {
            kinds.push(&error.what);
        }
    }
    let head = ["what", "predictions", "within range", "median |error|", "90th percentile"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for what in kinds {
        let of_kind: Vec<&PlanError> = errors.iter().filter(|error| error.what == what).collect();
        let within = of_kind.iter().filter(|error| error.place() == "within").count();
        let mut off: Vec<f64> = of_kind.iter().filter_map(|error| error.share()).map(f64::abs).collect();
        off.sort_by(f64::total_cmp);
        let percent = |share: Option<f64>| {
            share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
        };
        rows.push(vec![
            what.to_owned(),
            of_kind.len().to_string(),
            within.to_string(),
            percent(median(&off)),
            percent(nearest_rank(&off, 90).filter(|_| off.len() >= RANKED_LEAST)),
        ]);
    }
    table("", &rows, &[1, 2, 3, 4])
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => Some(sorted[middle]),
        _ if sorted.is_empty() => None,
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The least value that so many percent of all do not exceed.
fn nearest_rank(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(day: u32, what: &str, unit: Unit, predicted: f64, measured: f64) -> PlanError {
        PlanError {
            started: format!("2026-11-{day:02}T04:00:07.120Z"),
            load_date: format!("2026-11-{day:02}"),
            what: what.to_owned(),
            predicted: Range::around(predicted, 0.25, 0.25),
            measured,
            unit,
            basis: format!("learned from {} runs", day - 18),
        }
    }

    #[test]
    fn predictions_beside_what_was_measured() {
        const MIB: f64 = 1_048_576.0;
        let errors = [
            error(20, "build time", Unit::Seconds, 12.0, 10.0),
            error(20, "peak memory", Unit::Bytes, 800.0 * MIB, 820.0 * MIB),
            error(21, "build time", Unit::Seconds, 11.0, 15.0),
            error(22, "build time", Unit::Seconds, 11.5, 8.0),
        ];
        insta::assert_snapshot!(plan_history(&errors), @r"
        started (UTC)        load_date   what         predicted  range            measured  error  measured is  basis
        2026-11-20 04:00:07  2026-11-20  build time      12.0 s  9.0 to 15.0 s      10.0 s  +20 %  within       learned from 2 runs
        2026-11-20 04:00:07  2026-11-20  peak memory    800 MiB  600 to 1000 MiB   820 MiB   -2 %  within       learned from 2 runs
        2026-11-21 04:00:07  2026-11-21  build time      11.0 s  8.2 to 13.8 s      15.0 s  -27 %  above        learned from 3 runs
        2026-11-22 04:00:07  2026-11-22  build time      11.5 s  8.6 to 14.4 s       8.0 s  +44 %  below        learned from 4 runs
        error: (predicted - measured) / measured; + is too much foretold, and - too little. measured is: to its range

        what         predictions  within range  median |error|  90th percentile
        build time             3             1            27 %             44 %
        peak memory            1             1             2 %                -
        ");
    }

    #[test]
    fn nothing_to_divide_by() {
        assert_eq!(plan_history(&[]), "no run has been foretold yet\n");
        let text = plan_history(&[error(20, "verify time", Unit::Seconds, 1.0, 0.0)]);
        assert!(text.lines().nth(1).unwrap().contains("  -  below"), "{text}");
        assert!(text.ends_with("  -                -\n"), "{text}");
    }

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!(
            [-0.004, 0.0, 0.004, -0.006, 2.15].map(signed_percent),
            ["0 %", "0 %", "0 %", "-1 %", "+215 %"]
        );
    }

    #[test]
    fn two_runs_have_no_ninetieth_percentile() {
        let runs = |number: u32| -> String {
            let errors: Vec<PlanError> =
                (1..=number).map(|day| error(day + 19, "build time", Unit::Seconds, 12.0, 10.0)).collect();
            plan_history(&errors).lines().last().unwrap().to_owned()
        };
        assert!(runs(2).ends_with("20 %                -"), "{}", runs(2));
        assert!(runs(3).ends_with("20 %             20 %"), "{}", runs(3));
    }

    #[test]
    fn middle_and_ninetieth() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!((median(&ten), nearest_rank(&ten, 90)), (Some(5.5), Some(9.0)));
        assert_eq!((median(&ten[..1]), nearest_rank(&ten[..1], 90)), (Some(1.0), Some(1.0)));
        assert_eq!((median(&[]), nearest_rank(&[], 90)), (None, None));
    }
}
