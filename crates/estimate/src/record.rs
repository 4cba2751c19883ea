//! What was foretold of a run, beside what was measured of it: what later plans learn from.

use serde::{Deserialize, Serialize};

use crate::model::{Basis, Load, Model, Observation, Subject};
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

/// What a run was to do, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it had to do, as it turned out.
    pub load: Load,
    /// Times and memory.
    pub numbers: Vec<Foretold>,
}

/// The model of a subject, out of the records of runs, the newest last, and of runs that were made for the plan.
pub fn learn(subject: Subject, records: &[Record], calibration: &[Record]) -> Model {
    let before = observations(subject, records);
    let made = observations(subject, calibration);
    let basis = match (before.len(), made.len()) {
        (runs, 0) => Basis::Learned { runs },
        (before, runs) => Basis::Calibrated { runs, before },
    };
    let all: Vec<Observation> = before.into_iter().chain(made).collect();
    Model::fit(subject, &all, basis)
}

fn observations(subject: Subject, records: &[Record]) -> Vec<Observation> {
    let of_record = |record: &Record| {
        let number = record.numbers.iter().find(|number| number.subject == subject)?;
        Some(Observation { load: record.load, measured: number.measured? })
    };
    records.iter().filter_map(of_record).collect()
}
