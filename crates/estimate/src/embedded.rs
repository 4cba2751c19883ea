//! What the embedded engine needs on one machine.

use hivecast_run::format::{bytes, plural};
use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::model::{Load, Model, Subject};
use crate::quantity::{Quantity, Range, Unit};

/// Limits are rounded up to this.
const ROUNDING_BYTES: u64 = 64 << 20;
/// The share of the machine's memory that a run takes where nobody says how much.
const MEMORY_SHARE: u64 = 4;
/// Spill files' bytes for each byte of rows, at most: what is nested is divided once by the key that it
/// joins by, and once with its document.
const SPILL_FACTOR: Range = Range { low: 0.5, expected: 1.0, high: 2.0 };

/// The machine that runs Hivecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Threads that run at once, at least 1.
    pub threads: u32,
    /// Who says so.
    pub threads_by: ThreadsBy,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
    /// Free space where spill files go, in bytes, if it is known.
    pub spill_free_bytes: Option<u64>,
    /// The memory limit, where somebody has set it.
    pub limit_bytes: Option<u64>,
}

/// Who says how many threads a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadsBy {
    /// The machine has so many; fewer may be faster.
    Machine,
    /// Somebody has set it.
    Asked,
}

/// How the embedded engine divides its memory limit, by its own account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmbeddedRule {
    /// The least limit that it works with, in bytes.
    pub least_bytes: u64,
    /// What one thread holds besides rows, in bytes.
    pub worker_bytes: u64,
    /// The share of the rest that rows may take.
    pub rows_share: f64,
    /// What the footers' figures are multiplied with, to be safe.
    pub slack: f64,
    /// A key's rows may take this part of the limit, all threads together: 1 in so many.
    pub part_divisor: u64,
}

/// How rows are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// All in memory.
    Memory,
    /// In passes over spill files.
    Passes,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The edition alone.
    Build,
    /// The edition, sending it and reading it back.
    Publish,
}

/// The models that an answer is made with.
#[derive(Clone, Debug)]
pub struct Models {
    /// In the order of [`Subject::ALL`].
    models: Vec<Model>,
}

impl Models {
    /// One for each subject, made by `fit`.
    pub fn new(fit: impl Fn(Subject) -> Model) -> Models {
        Models { models: Subject::ALL.into_iter().map(fit).collect() }
    }

    /// The model of a subject.
    pub fn of(&self, subject: Subject) -> &Model {
        let at = Subject::ALL.iter().position(|other| *other == subject).unwrap_or(0);
        &self.models[at]
    }
}

/// The embedded engine's share of the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Embedded {
    /// `--threads`.
    pub threads: u32,
    /// `--memory`, in bytes.
    pub limit_bytes: u64,
    /// How rows are joined under that limit.
    pub way: Way,
    /// Wall time of the whole run, in seconds.
    pub wall: Range,
    /// The most memory that the process holds, in bytes.
    pub peak: Range,
    /// Free space for spill files, in bytes.
    pub spill: Range,
    /// Every number of it.
    pub quantities: Vec<Quantity>,
    /// Why it can't be done on this machine, if it can't, with what would do.
    pub lacks: Vec<String>,
}

/// The conditions of a run of the embedded engine under a limit.
pub fn embedded_load(
    facts: &Facts,
    threads: u32,
    limit_bytes: u64,
    rule: &EmbeddedRule,
    purpose: Purpose,
) -> Load {
    let work = facts.work();
    let spilled_bytes = match way(work.read_bytes, threads, limit_bytes, rule) {
        Way::Memory => 0.0,
        Way::Passes => work.kept_bytes,
    };
    Load {
        work,
        threads: workers(threads, limit_bytes, rule) as f64,
        cores: 0.0,
        limit_bytes: limit_bytes as f64,
        spilled_bytes,
        sends: if purpose == Purpose::Publish { 1.0 } else { 0.0 },
        hashed_rows: 0.0,
    }
}

/// How the engine joins so many bytes of rows.
fn way(rows: f64, threads: u32, limit: u64, rule: &EmbeddedRule) -> Way {
    let rest = limit.saturating_sub(workers(threads, limit, rule) * rule.worker_bytes);
    if rows * rule.slack <= rest as f64 * rule.rows_share { Way::Memory } else { Way::Passes }
}

/// Plans a run of the embedded engine: with as many threads as are fastest, since each takes memory of its own.
pub fn embedded(
    facts: &Facts,
    machine: Machine,
    rule: &EmbeddedRule,
    purpose: Purpose,
    models: &Models,
) -> Embedded {
    let with = |threads| Machine { threads, ..machine };
    let plan = |threads| planned(facts, with(threads), machine.threads, rule, purpose, models);
    let mut best = plan(machine.threads.max(1));
    if machine.threads_by == ThreadsBy::Asked {
        return best;
    }
    // Of equals the most, which a model that learned no term by threads can't tell apart.
    for threads in (1..machine.threads).rev() {
        let other = plan(threads);
        let able = best.lacks.is_empty().cmp(&other.lacks.is_empty());
        if able.then(other.wall.expected.total_cmp(&best.wall.expected)).is_lt() {
            best = other;
        }
    }
    best
}

/// With this machine's number of threads, out of so many.
fn planned(
    facts: &Facts,
    machine: Machine,
    offered: u32,
    rule: &EmbeddedRule,
    purpose: Purpose,
    models: &Models,
) -> Embedded {
    let limit = memory_limit(facts, machine, rule);
    let load = embedded_load(facts, machine.threads, limit.bytes, rule, purpose);
    let subject = match limit.way {
        Way::Memory => Subject::MemoryOfRows,
        Way::Passes => Subject::MemoryOfPasses,
    };
    let peak = match limit.way {
        Way::Memory => facts.foretell(models.of(subject), &load),
        // However many rows there are, the limit stands.
        Way::Passes => models.of(subject).predict(&load),
    };
    let spill = SPILL_FACTOR.times(load.spilled_bytes);
    let (wall, mut quantities) = times(facts, Subject::BuildEmbedded, &load, purpose, models);
    quantities.insert(
        0,
        Quantity::new(
            "--threads",
            Unit::Count,
            Range::exact(load.threads),
            threads_how(machine, offered, rule, load.threads),
        ),
    );
    quantities.insert(1, Quantity::new("--memory", Unit::Bytes, Range::exact(limit.bytes as f64), limit.how));
    let model = models.of(subject);
    let peak_how = format!("{}: {}", model.basis.words(), model.arithmetic(&load));
    quantities.insert(2, Quantity::new("peak memory", Unit::Bytes, peak, peak_how));
    quantities.insert(
        3,
        Quantity::new("spill space", Unit::Bytes, spill, spill_how(limit.way, load.spilled_bytes)),
    );
    Embedded {
        threads: load.threads as u32,
        limit_bytes: limit.bytes,
        way: limit.way,
        wall,
        peak,
        spill,
        quantities,
        lacks: lacks(facts, machine, rule, limit.bytes, peak, spill),
    }
}

/// The wall time of a run, and its parts.
pub(crate) fn times(
    facts: &Facts,
    build: Subject,
    load: &Load,
    purpose: Purpose,
    models: &Models,
) -> (Range, Vec<Quantity>) {
    let steps: &[(&str, Subject)] = match purpose {
        Purpose::Build => &[("build time", build)],
        Purpose::Publish => {
            &[("build time", build), ("publish time", Subject::Publish), ("verify time", Subject::Verify)]
        }
    };
    let mut wall = Range::exact(0.0);
    let mut quantities = Vec::new();
    for (name, subject) in steps {
        let model = models.of(*subject);
        let range = facts.foretell(model, load);
        wall = wall.plus(range);
        let how = format!("{}: {}", model.basis.words(), model.arithmetic(load));
        quantities.push(Quantity::new(*name, Unit::Seconds, range, how));
    }
    let sum =
        quantities.iter().map(|part| Unit::Seconds.show(part.value.expected)).collect::<Vec<_>>().join(" + ");
    quantities.push(Quantity::new("wall time", Unit::Seconds, wall, sum));
    (wall, quantities)
}

struct Limit {
    bytes: u64,
    way: Way,
    how: String,
}

fn memory_limit(facts: &Facts, machine: Machine, rule: &EmbeddedRule) -> Limit {
    let rows = facts.work().read_bytes;
    let workers = u64::from(machine.threads) * rule.worker_bytes;
    let all = round_up(((rows * rule.slack / rule.rows_share) as u64).saturating_add(1 + workers))
        .max(rule.least_bytes);
    let all_how = format!(
        "{} of rows that are read x {} / {} + {} x {}, rounded up to {}",
        bytes(rows as u64),
        rule.slack,
        rule.rows_share,
        plural(machine.threads.into(), "thread"),
        bytes(rule.worker_bytes),
        bytes(ROUNDING_BYTES)
    );
    let way = |limit: u64| way(rows, machine.threads, limit, rule);
    if let Some(limit) = machine.limit_bytes {
        return Limit {
            bytes: limit,
            way: way(limit),
            how: match way(limit) {
                Way::Memory => "as was set; it keeps all rows in memory".to_owned(),
                Way::Passes => {
                    format!("as was set; {} would keep all rows in memory: {all_how}", bytes(all))
                }
            },
        };
    }
    let share = machine.memory_bytes / MEMORY_SHARE;
    if all <= share {
        return Limit { bytes: all, way: Way::Memory, how: format!("all rows in memory: {all_how}") };
    }
    let least = least_limit(facts, machine, rule);
    let limit = (share / ROUNDING_BYTES * ROUNDING_BYTES).max(least);
    let how = format!(
        "a quarter of {}; all rows in memory would take {}: {all_how}",
        bytes(machine.memory_bytes),
        bytes(all)
    );
    Limit { bytes: limit, way: way(limit), how }
}

/// The least limit under which the rows of the largest key can be worked on.
fn least_limit(facts: &Facts, machine: Machine, rule: &EmbeddedRule) -> u64 {
    let part = facts.largest_key_bytes() as u64;
    let threads = u64::from(machine.threads);
    round_up(part.saturating_mul(rule.part_divisor * threads)).max(rule.least_bytes)
}

fn workers(threads: u32, limit: u64, rule: &EmbeddedRule) -> u64 {
    u64::from(threads).min(limit / rule.worker_bytes).max(1)
}

fn round_up(bytes: u64) -> u64 {
    bytes.div_ceil(ROUNDING_BYTES).saturating_mul(ROUNDING_BYTES)
}

fn threads_how(machine: Machine, offered: u32, rule: &EmbeddedRule, threads: f64) -> String {
    if threads < f64::from(machine.threads) {
        format!("of {offered} threads, those for which the limit has {} each", bytes(rule.worker_bytes))
    } else if machine.threads < offered {
        format!(
            "of {offered} threads; with more, {} each, less memory is left for rows",
            bytes(rule.worker_bytes)
        )
    } else if machine.threads_by == ThreadsBy::Asked {
        "as was set".to_owned()
    } else {
        "all that the machine has: more are faster".to_owned()
    }
}

fn spill_how(way: Way, spilled: f64) -> String {
    match way {
        Way::Memory => "all rows are in memory".to_owned(),
        Way::Passes => format!(
            "{} of rows that `where` leaves x {} (from {} to {}), written once and read once",
            bytes(spilled as u64),
            SPILL_FACTOR.expected,
            SPILL_FACTOR.low,
            SPILL_FACTOR.high
        ),
    }
}

fn lacks(
    facts: &Facts,
    machine: Machine,
    rule: &EmbeddedRule,
    limit: u64,
    peak: Range,
    spill: Range,
) -> Vec<String> {
    let mut lacks = Vec::new();
    let least = least_limit(facts, machine, rule);
    if limit < least {
        let why = match least == rule.least_bytes {
            true => "less than the engine works with".to_owned(),
            false => format!(
                "too little for {} of rows that have one key",
                bytes(facts.largest_key_bytes() as u64)
            ),
        };
        lacks.push(format!("--memory {} is {why}: set --memory {}MiB", bytes(limit), least >> 20));
    }
    if peak.expected.max(limit as f64) > machine.memory_bytes as f64 {
        let usual = memory_limit(facts, Machine { limit_bytes: None, ..machine }, rule).bytes;
        let advice = match machine.limit_bytes {
            Some(_) if usual <= machine.memory_bytes / MEMORY_SHARE => {
                format!("set --memory {}MiB", usual >> 20)
            }
            _ => {
                let most = round_up((peak.high as u64).max(limit).max(least));
                format!("a machine with {} would do", bytes(most))
            }
        };
        lacks.push(format!(
            "this machine has {} of memory, and the process takes {} under a limit of {}: {advice}",
            bytes(machine.memory_bytes),
            bytes(peak.expected as u64),
            bytes(limit)
        ));
    }
    if let Some(free) = machine.spill_free_bytes.filter(|free| spill.expected > *free as f64) {
        lacks.push(format!(
            "spill files take {}, and {} are free where they go",
            bytes(spill.expected as u64),
            bytes(free)
        ));
    }
    lacks
}
