//! Linear models of times and memory, each a sum of named terms that a person can read, fitted to runs by
//! non-negative least squares.

use hivecast_run::format::{count, plural};
use serde::{Deserialize, Serialize};

use crate::facts::Work;
use crate::nonnegative::least_squares;
use crate::quantity::{Range, Unit};

const MILLION: f64 = 1e6;
const GIB: f64 = (1u64 << 30) as f64;
const MIB: f64 = (1u64 << 20) as f64;

/// Only so many of the newest observations are learned from.
pub const OBSERVATIONS_MAX: usize = 60;
/// An observation counts by this share less than the one after it.
const FADING: f64 = 0.05;
/// How much the stated defaults count beside an observation's 1: as the square of what an observation is off by
/// itself, some 5 %, over what a default is. Times hang on the machine, and a term may be half or twice what is
/// stated.
const PRIOR_WEIGHT_OF_TIMES: f64 = 0.01;
/// Memory hangs on the program, which is the same everywhere.
const PRIOR_WEIGHT_OF_MEMORY: f64 = 0.1;
/// What the defaults are off by, below and above, on a machine of which nothing was measured.
const DEFAULT_DOUBT: (f64, f64) = (0.5, 1.5);
/// No model of times is more exact than this: two equal runs differ by as much.
const LEAST_DOUBT_OF_TIMES: f64 = 0.12;
/// Nor one of times that has seen shares of a day, and no whole day: what a share does not show is off in all of
/// them.
const LEAST_DOUBT_OF_SHARES: f64 = 0.2;
/// Nor one of memory: who believes it gives a process no more than that, so it had better hold.
const LEAST_DOUBT_OF_MEMORY: f64 = 0.2;
/// How much wider than the worst error so far the range is.
const MARGIN: f64 = 1.25;
/// With fewer observations, what was left out says nothing.
const OBSERVATIONS_FOR_DOUBT: usize = 3;
/// The doubt about fewer.
const DOUBT_OF_FEW: f64 = 0.25;
/// The doubt grows by this share with each doubling beyond what was observed.
const DOUBT_PER_DOUBLING: f64 = 0.15;

/// What a model foretells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Seconds until the edition is there, by the embedded engine.
    BuildEmbedded,
    /// Seconds until the edition is there, by a Spark cluster and then this machine.
    BuildSpark,
    /// Seconds of sending.
    Publish,
    /// Seconds of reading back.
    Verify,
    /// The most memory that the process holds, where all rows are in memory.
    MemoryOfRows,
    /// The same, where rows go through spill files.
    MemoryOfPasses,
}

/// Under what something was run, or will be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What there is to do.
    pub work: Work,
    /// Threads of this machine.
    pub threads: f64,
    /// Cores of the cluster; 0 without one.
    pub cores: f64,
    /// The memory limit, in bytes.
    pub limit_bytes: f64,
    /// Bytes that go through spill files; 0 where all is in memory.
    pub spilled_bytes: f64,
    /// 1 where the process sends, too; 0 where it only builds.
    pub sends: f64,
    /// Rows whose keys are hashed to choose a share of them, which a run for its own sake does not do.
    #[serde(default)]
    pub hashed_rows: f64,
}

impl Load {
    /// So much work on so many threads and, where a cluster joins, on its cores: nothing is limited, spilled, sent
    /// or hashed.
    pub(crate) fn plain(work: Work, threads: u32, cores: f64) -> Load {
        let threads = f64::from(threads);
        Load { work, threads, cores, limit_bytes: 0.0, spilled_bytes: 0.0, sends: 0.0, hashed_rows: 0.0 }
    }

    /// As much of everything to do, under the same conditions.
    pub(crate) fn times(&self, factor: f64) -> Load {
        Load { work: self.work.times(factor), spilled_bytes: self.spilled_bytes * factor, ..*self }
    }
}

/// A part of a model: what it says of a load is the coefficient times this.
struct Term {
    name: &'static str,
    /// What the coefficient is multiplied with, in words.
    of: &'static str,
    feature: fn(&Load) -> f64,
    /// What is stated where nothing was measured: of 2 cores of a virtual machine, see docs/plan.md.
    default: f64,
}

const fn term(name: &'static str, of: &'static str, feature: fn(&Load) -> f64, default: f64) -> Term {
    Term { name, of, feature, default }
}

static BUILD_EMBEDDED: [Term; 8] = [
    term("start", "once", |_| 1.0, 0.03),
    term("rows", "million rows / threads", |load| load.work.rows / MILLION / load.threads, 0.35),
    term("bytes", "GiB read / threads", |load| load.work.read_bytes / GIB / load.threads, 0.5),
    term(
        "documents",
        "million documents / threads",
        |load| load.work.documents / MILLION / load.threads,
        1.9,
    ),
    term("spill", "GiB spilled", |load| load.spilled_bytes / GIB, 1.8),
    term("passes", "where rows are spilled", |load| if load.spilled_bytes > 0.0 { 1.0 } else { 0.0 }, 0.05),
    // Pages that a process has not touched before cost the kernel's time, on virtual machines seconds for a GiB.
    term("pages", "GiB of rows held", |load| (load.work.kept_bytes - load.spilled_bytes) / GIB, 0.95),
    term("sampling", "million keys hashed / threads", |load| load.hashed_rows / MILLION / load.threads, 0.29),
];

static BUILD_SPARK: [Term; 4] = [
    term("start", "once", |_| 1.0, 8.0),
    term("rows", "million rows / cores", |load| load.work.rows / MILLION / load.cores.max(1.0), 5.0),
    term(
        "documents",
        "million documents / cores",
        |load| load.work.documents / MILLION / load.cores.max(1.0),
        24.0,
    ),
    term("own", "million documents / threads", |load| load.work.documents / MILLION / load.threads, 3.8),
];

static PUBLISH: [Term; 3] = [
    term("start", "once", |_| 1.0, 0.1),
    term("documents", "million documents", |load| load.work.documents / MILLION, 4.0),
    term("bytes", "GiB sent", |load| load.work.sent_bytes / GIB, 2.5),
];

static VERIFY: [Term; 3] = [
    term("start", "once", |_| 1.0, 0.05),
    term("documents", "million documents", |load| load.work.documents / MILLION, 0.9),
    term("bytes", "GiB read back", |load| load.work.sent_bytes / GIB, 0.6),
];

/// How often the limit has to be doubled to hold the rows: parts become more, and each has buffers.
fn doublings(rows: f64, limit: f64) -> f64 {
    if limit > 0.0 { (1.0 + rows / limit).log2() } else { 0.0 }
}

static MEMORY_OF_ROWS: [Term; 5] = [
    term("program", "once", |_| 1.0, 60.0 * MIB),
    term("workers", "threads", |load| load.threads, 24.0 * MIB),
    term("rows", "bytes of rows", |load| load.work.kept_bytes, 1.0),
    term("copy", "bytes of the largest level", |load| load.work.largest_level_bytes, 1.4),
    term("sending", "where it sends", |load| load.sends, 60.0 * MIB),
];

static MEMORY_OF_PASSES: [Term; 5] = [
    term("program", "once", |_| 1.0, 60.0 * MIB),
    term("workers", "threads", |load| load.threads, 24.0 * MIB),
    term("limit", "bytes of the limit", |load| load.limit_bytes, 0.45),
    term(
        "parts",
        "doublings of the limit",
        |load| doublings(load.work.read_bytes, load.limit_bytes),
        30.0 * MIB,
    ),
    term("sending", "where it sends", |load| load.sends, 60.0 * MIB),
];

impl Subject {
    /// All of them.
    pub const ALL: [Subject; 6] = [
        Subject::BuildEmbedded,
        Subject::BuildSpark,
        Subject::Publish,
        Subject::Verify,
        Subject::MemoryOfRows,
        Subject::MemoryOfPasses,
    ];

    fn terms(self) -> &'static [Term] {
        match self {
            Subject::BuildEmbedded => &BUILD_EMBEDDED,
            Subject::BuildSpark => &BUILD_SPARK,
            Subject::Publish => &PUBLISH,
            Subject::Verify => &VERIFY,
            Subject::MemoryOfRows => &MEMORY_OF_ROWS,
            Subject::MemoryOfPasses => &MEMORY_OF_PASSES,
        }
    }

    /// What it counts.
    pub fn unit(self) -> Unit {
        match self {
            Subject::MemoryOfRows | Subject::MemoryOfPasses => Unit::Bytes,
            _ => Unit::Seconds,
        }
    }
}

/// A run that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What it had to do.
    pub load: Load,
    /// What it took: seconds or bytes, more than 0.
    pub measured: f64,
}

/// What a model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Basis {
    /// Nothing: the stated defaults.
    Default,
    /// Runs of this feed before.
    Learned {
        /// How many.
        runs: usize,
    },
    /// Runs on shares of the keys, made for a plan, and runs of whole days, if there are.
    Calibrated {
        /// Runs on shares.
        shares: usize,
        /// Runs of whole days.
        runs: usize,
    },
}

impl Basis {
    /// As the answer says it.
    pub fn words(self) -> String {
        match self {
            Basis::Default => "stated defaults; nothing was measured".to_owned(),
            Basis::Learned { runs } => format!("learned from {}", plural(runs as u64, "run")),
            Basis::Calibrated { shares, runs: 0 } => {
                format!("calibrated by {}", plural(shares as u64, "run"))
            }
            Basis::Calibrated { shares, runs } => format!(
                "learned from {}, and calibrated by {} more",
                plural(runs as u64, "run"),
                count(shares as u64)
            ),
        }
    }
}

/// One term of a model, for people and programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownTerm {
    /// Its name.
    pub name: &'static str,
    /// Seconds, or bytes, for each …
    pub coefficient: f64,
    /// … of these.
    pub of: &'static str,
}

/// Named terms with their coefficients.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    subject: Subject,
    coefficients: Vec<f64>,
    /// Where they come from.
    pub basis: Basis,
    /// Shares of the prediction by which it may be too high, and too low.
    doubt: (f64, f64),
    /// The largest prediction for an observation.
    observed: f64,
}

impl Model {
    /// The stated defaults.
    pub fn default_of(subject: Subject) -> Model {
        let coefficients = subject.terms().iter().map(|term| term.default).collect();
        Model { subject, coefficients, basis: Basis::Default, doubt: DEFAULT_DOUBT, observed: f64::INFINITY }
    }

    /// Learns from observations, the newest last. Without any, these are the defaults.
    pub fn fit(subject: Subject, observations: &[Observation], basis: Basis) -> Model {
        let usable: Vec<Observation> =
            observations.iter().copied().filter(|seen| seen.measured > 0.0).collect();
        let newest = &usable[usable.len().saturating_sub(OBSERVATIONS_MAX)..];
        if newest.is_empty() {
            return Model::default_of(subject);
        }
        let mut model = Model { basis, ..Model::default_of(subject) };
        model.coefficients = fitted(subject, newest);
        model.observed = newest.iter().map(|seen| model.value(&seen.load)).fold(0.0, f64::max);
        model.doubt = doubt(subject, newest, basis);
        model
    }

    fn value(&self, load: &Load) -> f64 {
        self.subject
            .terms()
            .iter()
            .zip(&self.coefficients)
            .map(|(term, per)| per * (term.feature)(load))
            .sum()
    }

    /// What it foretells for a load. The range holds what is not known of the model, not what is not known
    /// of the load.
    pub fn predict(&self, load: &Load) -> Range {
        let value = self.value(load);
        let doublings = (value / self.observed).log2().max(0.0);
        let wider = 1.0 + doublings * DOUBT_PER_DOUBLING;
        Range::around(value, (self.doubt.0 * wider).min(0.9), self.doubt.1 * wider)
    }

    /// The arithmetic of a prediction: its terms, but those that come to nothing.
    pub fn arithmetic(&self, load: &Load) -> String {
        let unit = self.subject.unit();
        let parts = self.subject.terms().iter().zip(&self.coefficients).filter_map(|(term, per)| {
            let amount = (term.feature)(load);
            let part = per * amount;
            let share = part / self.value(load).max(f64::MIN_POSITIVE);
            (share >= SHOWN_SHARE).then(|| match term.of {
                "once" | "where it sends" | "where rows are spilled" => {
                    format!("{} {}", unit.show(part), term.name)
                }
                _ => format!(
                    "{} {} ({} x {})",
                    unit.show(part),
                    term.name,
                    number(*per, unit, term),
                    amount_of(amount, term)
                ),
            })
        });
        parts.collect::<Vec<String>>().join(" + ")
    }

    /// Its terms.
    pub fn terms(&self) -> Vec<ShownTerm> {
        let terms = self.subject.terms().iter().zip(&self.coefficients);
        terms.map(|(term, per)| ShownTerm { name: term.name, coefficient: *per, of: term.of }).collect()
    }
}

/// Terms that are a smaller share of a prediction are not shown.
const SHOWN_SHARE: f64 = 0.005;

fn number(per: f64, unit: Unit, term: &Term) -> String {
    match (unit, term.of) {
        (Unit::Bytes, "threads" | "doublings of the limit") => unit.show(per),
        (Unit::Bytes, _) => format!("{per:.2}"),
        _ => unit.show(per),
    }
}

/// How much there is of a term, and of what.
fn amount_of(amount: f64, term: &Term) -> String {
    match (term.of.strip_prefix("bytes "), term.of) {
        (Some(of), _) => format!("{} {of}", Unit::Bytes.show(amount)),
        (None, "threads") => plural(amount as u64, "thread"),
        (None, of) => format!("{amount:.3} {of}"),
    }
}

/// Coefficients that make the relative errors of all observations small, and stay near the defaults, as fast
/// or slow as this machine is, where observations do not tell terms apart.
fn fitted(subject: Subject, observations: &[Observation]) -> Vec<f64> {
    let terms = subject.terms();
    let mut rows = Vec::with_capacity(observations.len() + terms.len());
    let mut speed = (0.0, 0.0);
    for (age, seen) in observations.iter().rev().enumerate() {
        let weight = (1.0 - FADING).powi(age as i32).sqrt();
        let row: Vec<f64> = terms
            .iter()
            .map(|term| weight * term.default * (term.feature)(&seen.load) / seen.measured)
            .collect();
        let share: f64 = row.iter().sum();
        speed = (speed.0 + share * weight, speed.1 + share * share);
        rows.push((row, weight));
    }
    // The one factor by which the defaults fit best.
    let speed = if speed.1 > 0.0 { speed.0 / speed.1 } else { 1.0 };
    let (prior, speed) = match subject.unit() {
        Unit::Bytes => (PRIOR_WEIGHT_OF_MEMORY.sqrt(), 1.0),
        _ => (PRIOR_WEIGHT_OF_TIMES.sqrt(), speed),
    };
    for index in 0..terms.len() {
        let mut row = vec![0.0; terms.len()];
        row[index] = prior;
        rows.push((row, prior * speed));
    }
    let factors = least_squares(&rows);
    terms.iter().zip(factors).map(|(term, factor)| term.default * factor).collect()
}

/// How far predictions are off, below and above, for observations that the model did not learn from.
fn doubt(subject: Subject, observations: &[Observation], basis: Basis) -> (f64, f64) {
    if observations.len() < OBSERVATIONS_FOR_DOUBT {
        return (DOUBT_OF_FEW, DOUBT_OF_FEW);
    }
    let least = match (subject.unit(), basis) {
        (Unit::Bytes, _) => LEAST_DOUBT_OF_MEMORY,
        (_, Basis::Calibrated { runs: 0, .. }) => LEAST_DOUBT_OF_SHARES,
        _ => LEAST_DOUBT_OF_TIMES,
    };
    let mut worst = (least, least);
    for (index, seen) in observations.iter().enumerate() {
        let mut others = observations.to_vec();
        others.remove(index);
        let model = Model { coefficients: fitted(subject, &others), ..Model::default_of(subject) };
        let off = seen.measured / model.value(&seen.load).max(f64::MIN_POSITIVE) - 1.0;
        worst = (worst.0.max(-off), worst.1.max(off));
    }
    (worst.0 * MARGIN, worst.1 * MARGIN)
}
