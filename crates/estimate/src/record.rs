//! What was foretold of a run, beside what was measured of it: what later plans learn from.

use serde::{Deserialize, Serialize};

use crate::model::{Basis, Load, Model, OBSERVATIONS_MAX, Observation, Subject};
use crate::quantity::Range;

/// One number of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Foretold {
    /// Of what.
    pub subject: Subject,
    /// What was foretold before the run.
    pub predicted: Range,
    /// What the prediction was made with.
    pub basis: Basis,
    /// What was measured; none where the run did not do it, or not all of it.
    pub measured: Option<f64>,
}

/// What a run was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// For its own sake: a whole day.
    #[default]
    Run,
    /// To measure a share of the keys, for a plan.
    Calibration,
}

/// What a run was to do, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it was made for.
    #[serde(default)]
    pub origin: Origin,
    /// What it had to do, as it turned out.
    pub load: Load,
    /// Times and memory.
    pub numbers: Vec<Foretold>,
}

/// The model of a subject, out of the records of runs, the newest last.
pub fn learn(subject: Subject, records: &[Record]) -> Model {
    let observed: Vec<(Origin, Observation)> = records
        .iter()
        .filter_map(|record| {
            let number = record.numbers.iter().find(|number| number.subject == subject)?;
            Some((record.origin, Observation { load: record.load, measured: number.measured? }))
        })
        .collect();
    let newest = newest_of(&observed);
    let shares = newest.iter().filter(|(origin, _)| *origin == Origin::Calibration).count();
    let basis = match (newest.len() - shares, shares) {
        (runs, 0) => Basis::Learned { runs },
        (runs, shares) => Basis::Calibrated { shares, runs },
    };
    let seen: Vec<Observation> = newest.iter().map(|(_, seen)| *seen).collect();
    Model::fit(subject, &seen, basis)
}

/// So many runs on shares are learned from: those of one calibration. More of them would say no more, and leave
/// no room for whole days.
const SHARES_MAX: usize = 18;

/// The newest observations in their order, of each kind so many.
fn newest_of(observed: &[(Origin, Observation)]) -> Vec<(Origin, Observation)> {
    let (mut shares, mut runs) = (SHARES_MAX, OBSERVATIONS_MAX - SHARES_MAX);
    let mut newest: Vec<(Origin, Observation)> = observed
        .iter()
        .rev()
        .filter(|(origin, _)| {
            let left = if *origin == Origin::Calibration { &mut shares } else { &mut runs };
            let is_taken = *left > 0;
            *left = left.saturating_sub(1);
            is_taken
        })
        .copied()
        .collect();
    newest.reverse();
    newest
}
