use std::sync::Mutex;

use hivecast_edition::{Draft, Edition, GateResult, Store};
use hivecast_feed::{fingerprint, gates_fingerprint};
use hivecast_run::{Class, Context, Event, Fault, Result, Step, Unit, crash_point};

use crate::findings::AllFindings;
use crate::job::{Aside, Job};
use crate::masked::Masked;
use crate::memory::{self, Outcome};
use crate::nodes::NodePlan;
use crate::passes::{self, Budget};
use crate::plan::{Engine, Plan, Preview, Selection, input_files};
use crate::progress::Progress;
use crate::query_gates::{self, QueryFindings};
use crate::row_gates::Repeated;
use crate::tables::{self, Tables};

/// The least memory limit that the engine works with, in bytes.
pub const MIN_MEMORY_BYTES: usize = 64 << 20;

/// What one thread holds besides rows: the row group that it encodes and what it gathers, in bytes.
const WORKER_BYTES: usize = 48 << 20;
/// The share of the limit, less the workers' own, that rows in memory may take: the index over them
/// and the copies that are being made need the rest.
const ROWS_SHARE: f64 = 0.7;
/// How far estimates from footers may be off before reading itself shows it.
const ESTIMATE_SLACK: f64 = 1.1;
/// A worker's share of the limit for the rows that it loads at a time.
const LOAD_DIVISOR: usize = 8;
/// A worker's share of the limit for rows that it holds back while dividing them.
const SCATTER_DIVISOR: usize = 8;
/// A part that can't be cut may take this share of the limit, all threads together.
const PART_DIVISOR: usize = 3;
/// Fewest and most parts that a cut makes.
const PARTS: std::ops::RangeInclusive<u64> = 16..=1024;
/// Parts are made smaller than a load by this factor, so that a wrong estimate does no harm.
const PARTS_PER_LOAD: u64 = 2;

/// How the memory limit is divided, for who plans a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryRule {
    /// The least limit that the engine works with, in bytes.
    pub least_bytes: usize,
    /// What one thread holds besides rows, in bytes.
    pub worker_bytes: usize,
    /// The share of the rest that rows in memory may take.
    pub rows_share: f64,
    /// What estimates are multiplied with before rows are taken into memory.
    pub slack: f64,
    /// Rows of one key may take this part of the limit, all threads together.
    pub part_divisor: usize,
}

/// The engine's own.
pub const MEMORY_RULE: MemoryRule = MemoryRule {
    least_bytes: MIN_MEMORY_BYTES,
    worker_bytes: WORKER_BYTES,
    rows_share: ROWS_SHARE,
    slack: ESTIMATE_SLACK,
    part_divisor: PART_DIVISOR,
};

/// The engine in this process: DataFusion evaluates expressions and queries, our own assembler joins
/// and nests by index. What does not fit into memory goes through spill files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Embedded;

impl Engine for Embedded {
    fn build(&self, plan: &Plan, store: &Store, context: &Context<'_>) -> Result<Edition> {
        let feed = &plan.checked.feed;
        let what = format!("failed to build feed {} for {}", feed.name, plan.inputs.load_date);
        build(plan, store, context).map_err(|fault| changed_or(fault, plan).within(what))
    }

    fn preview(&self, plan: &Plan, selection: &Selection, context: &Context<'_>) -> Result<Preview> {
        crate::preview::preview(plan, selection, context)
    }
}

/// What descriptions of editions call this engine.
const EMBEDDED: &str = "embedded";

/// How rows are joined.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way<'a> {
    /// In memory where the rows fit into so many bytes, else in passes.
    Memory(usize),
    /// In passes over spill files.
    Passes(Budget<'a>),
}

/// What can't be read may have been replaced while it was read: then time heals it, and the data is not at
/// fault.
pub(crate) fn changed_or(fault: Fault, plan: &Plan) -> Fault {
    match fault.class() {
        Class::Data => plan.inputs.recheck().err().unwrap_or(fault),
        _ => fault,
    }
}

/// Fails with `Class::Usage` where the plan's memory limit is less than any engine here works with.
pub fn check_memory(plan: &Plan) -> Result<()> {
    if plan.memory_bytes < MIN_MEMORY_BYTES {
        return Err(Fault::usage(format!(
            "a memory limit of {} MiB is too small to work with",
            plan.memory_bytes >> 20
        ))
        .advise(format!("run with --memory {}MiB or more", MIN_MEMORY_BYTES >> 20)));
    }
    Ok(())
}

fn build(plan: &Plan, store: &Store, context: &Context<'_>) -> Result<Edition> {
    check_memory(plan)?;
    build_by(plan, store, context, &|job| {
        let rows = rows_budget(plan).saturating_sub(QueryFindings::bytes(job.repeated));
        let estimate = estimated_bytes(job)?;
        let fits = estimate as f64 * ESTIMATE_SLACK <= rows as f64;
        Ok((
            if fits { Way::Memory(rows) } else { Way::Passes(budget(plan, estimate)) },
            budget(plan, estimate),
        ))
    })
}

/// Builds the way that `choose` says; its second answer is for rows that turn out not to fit.
pub(crate) fn build_by<'a>(
    plan: &'a Plan,
    store: &Store,
    context: &Context<'_>,
    choose: &dyn Fn(&Job<'_>) -> Result<(Way<'a>, Budget<'a>)>,
) -> Result<Edition> {
    context.tell(Event::Started { step: Step::Engine, total: None, unit: Unit::Rows });
    std::fs::create_dir_all(&plan.spill).map_err(|error| {
        Fault::io(format!("failed to make the directory {} for spill files", plan.spill.display()), error)
    })?;
    let tables = tables::open(plan, context)?;
    let limits = query_gates::Limits { memory_bytes: plan.memory_bytes, spill: &plan.spill };
    let masked = Masked::of(&plan.checked);
    let queried = match &tables.queries {
        Some(queries) => query_gates::judge(&plan.checked, &masked, queries, limits, context)?,
        None => QueryFindings::default(),
    };
    let root = NodePlan::bind(&plan.checked, &masked)?;
    let begin = || store.begin(&plan.checked.feed.name, plan.inputs.load_date);
    let mut writer = begin()?;
    let mut job = job(plan, &tables, &root, &queried.repeated, &masked, &writer, context);
    let (way, otherwise) = choose(&job)?;
    let passes = match way {
        Way::Passes(budget) => Some(budget),
        Way::Memory(rows) => match memory::build(&job, &writer, rows)? {
            Outcome::Done => None,
            Outcome::TooLarge => Some(otherwise),
        },
    };
    if let Some(budget) = passes {
        // What a first try set aside or counted is forgotten with its writer.
        drop(job);
        writer = begin()?;
        job = self::job(plan, &tables, &root, &queried.repeated, &masked, &writer, context);
        passes::build(&job, &writer, budget)?;
    }
    let findings = into_findings(job);
    queried.exclude(&writer)?;
    crash_point("engine.read");
    plan.inputs.recheck()?;
    crash_point("engine.before_finish");
    let QueryFindings { repeated, results, .. } = queried;
    let edition = writer.finish(description(plan, &root, findings, &repeated, results, EMBEDDED, context))?;
    context.tell(Event::Ended { step: Step::Engine });
    Ok(edition)
}

fn job<'a>(
    plan: &'a Plan,
    tables: &'a Tables,
    root: &'a NodePlan,
    repeated: &'a Repeated,
    masked: &'a Masked,
    aside: &'a dyn Aside,
    context: &'a Context<'a>,
) -> Job<'a> {
    let rows = root.walk().into_iter().map(|node| tables.sources.get(&node.table)?.rows());
    Progress::begin(context, rows.sum());
    Job {
        feed: &plan.checked.feed,
        root,
        sources: &tables.sources,
        repeated,
        aside,
        threads: workers(plan),
        context,
        findings: Mutex::default(),
        progress: Progress::default(),
        masked,
    }
}

pub(crate) fn into_findings(job: Job<'_>) -> AllFindings {
    let mut findings = job.findings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (path, rows) in job.progress.into_used() {
        findings.levels.entry(path).or_default().rows_used = rows;
    }
    findings
}

/// As many threads as the plan says and the memory limit has room for: each encodes a row group and
/// gathers documents of its own.
pub(crate) fn workers(plan: &Plan) -> usize {
    plan.threads.min(plan.memory_bytes / WORKER_BYTES).max(1)
}

/// Bytes of rows that may be in memory at once.
fn rows_budget(plan: &Plan) -> usize {
    let rest = plan.memory_bytes.saturating_sub(workers(plan) * WORKER_BYTES);
    (rest as f64 * ROWS_SHARE) as usize
}

/// Bytes of all levels' rows, by the files' own figures.
fn estimated_bytes(job: &Job<'_>) -> Result<u64> {
    job.root.walk().into_iter().map(|node| Ok(job.reader(node)?.0.estimated_bytes())).sum()
}

fn budget(plan: &Plan, estimate: u64) -> Budget<'_> {
    let threads = workers(plan);
    let load_bytes = plan.memory_bytes / LOAD_DIVISOR / threads;
    let parts = estimate * PARTS_PER_LOAD / load_bytes.max(1) as u64;
    Budget {
        scatter_bytes: plan.memory_bytes / SCATTER_DIVISOR / threads,
        load_bytes,
        part_bytes: part_budget(plan),
        parts: parts.clamp(*PARTS.start(), *PARTS.end()) as u32,
        spill: &plan.spill,
    }
}

/// Bytes that a part may have at most, where it can't be cut any further.
pub(crate) fn part_budget(plan: &Plan) -> usize {
    plan.memory_bytes / PART_DIVISOR / workers(plan)
}

/// The least memory limit with which a part of this size can be worked on.
pub(crate) fn least_memory_for_part(part_bytes: usize, threads: usize) -> usize {
    part_bytes.saturating_mul(PART_DIVISOR * threads)
}

/// What the edition's description says, whoever joined. `queried` are the verdicts of `sql` gates.
pub(crate) fn description(
    plan: &Plan,
    root: &NodePlan,
    findings: AllFindings,
    repeated: &Repeated,
    queried: Vec<GateResult>,
    engine: &str,
    context: &Context<'_>,
) -> Draft {
    const NS_PER_MS: i64 = 1_000_000;
    let feed = &plan.checked.feed;
    let inputs = input_files(&plan.inputs);
    let tables = findings.tables(root);
    let mut gates = findings.verdicts(feed, root, repeated);
    gates.extend(queried);
    Draft {
        id: plan.edition.clone(),
        feed_fingerprint: fingerprint(feed),
        gates_fingerprint: gates_fingerprint(feed),
        time_ms: inputs.iter().map(|file| file.modified_ns.div_euclid(NS_PER_MS)).max().unwrap_or(0),
        built_ms: context.clock.now_ms(),
        engine: engine.to_owned(),
        tables,
        inputs,
        document: root.fields.clone(),
        gates,
    }
}
