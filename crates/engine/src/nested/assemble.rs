//! Documents from a cluster's parts, part after part: each is loaded, ordered and written as one part of
//! the embedded engine's passes is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use arrow_array::RecordBatch;
use hivecast_edition::{Edition, EditionWriter, Store};
use hivecast_run::{Context, Fault, Result, crash_point};

use crate::arrays::batch_bytes;
use crate::documents::Order;
use crate::embedded::{self, changed_or, description, into_findings, least_memory_for_part, workers};
use crate::findings::AllFindings;
use crate::gather::{Child, Content, Level};
use crate::job::Job;
use crate::memory::shard_count;
use crate::nested::level::level_of;
use crate::nested::{Joined, LevelCounts, Nesting, Parts, Quarantine};
use crate::nodes::NodePlan;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::row_gates::{Repeated, RowGate};

/// Builds the plan's edition in the store from what a cluster joined. It is whole when this returns, or
/// not there at all. What gates find is in its description; a failed gate is no error here.
///
/// Fails with `Class::Infrastructure` where rows are lost, doubled or in a part that is not theirs, and
/// where the inputs changed since they were frozen; with `Class::Usage` where a part needs more memory
/// than the plan has.
pub fn assemble(
    plan: &Plan,
    nesting: &Nesting<'_>,
    store: &Store,
    joined: &Joined<'_>,
    context: &Context<'_>,
) -> Result<Edition> {
    build(plan, nesting, store, joined, context).map_err(|fault| changed_or(fault, plan))
}

fn build(
    plan: &Plan,
    nesting: &Nesting<'_>,
    store: &Store,
    joined: &Joined<'_>,
    context: &Context<'_>,
) -> Result<Edition> {
    let feed = &plan.checked.feed;
    let writer = store.begin(&feed.name, plan.inputs.load_date)?;
    let (sources, repeated) = (BTreeMap::new(), Repeated::default());
    let job = Job {
        feed,
        root: &nesting.root,
        sources: &sources,
        repeated: &repeated,
        aside: &writer,
        threads: workers(plan),
        context,
        findings: Mutex::default(),
        progress: Progress::default(),
        masked: &nesting.masked,
    };
    take_counts(&job, &joined.levels)?;
    (joined.set_aside)(&Quarantine { job: &job, checked: &plan.checked })?;
    shards(plan, &job, joined, &writer)?;
    let findings = into_findings(job);
    plan.inputs.recheck()?;
    crash_point("engine.before_finish");
    joined.queried.0.exclude(&writer)?;
    let gates = joined.queried.0.results.clone();
    writer.finish(description(plan, &nesting.root, findings, &repeated, gates, &joined.engine, context))
}

/// Takes over what the cluster counted of all rows.
fn take_counts(job: &Job<'_>, levels: &[LevelCounts]) -> Result<()> {
    let mut found = job.found();
    for node in job.root.walk() {
        let counts = levels
            .iter()
            .find(|counts| counts.path == node.path)
            .ok_or_else(|| Fault::bug(format!("the cluster counted no rows of {}", node.title())))?;
        let mut counts = counts.clone();
        hide_examples(job.root, node, &mut counts);
        let mut gates = RowGate::of(job.feed, &node.table, job.repeated);
        gates.iter_mut().for_each(|gate| gate.hide(job.masked));
        found.take_counts(node, &counts, &gates);
    }
    Ok(())
}

/// Takes keys out of examples that consumers do not see.
fn hide_examples(root: &NodePlan, node: &NodePlan, counts: &mut LevelCounts) {
    let above = root.walk().into_iter().find_map(|parent| {
        let child = parent.children.iter().find(|child| child.node.path == node.path)?;
        Some((parent, child))
    });
    let Some((parent, child)) = above else { return };
    let orphans = counts.orphans.as_mut().map_or(&mut [][..], |(_, examples)| examples);
    let ambiguous = counts.ambiguous.as_mut().map_or(&mut [][..], |found| &mut found.examples);
    child.hide_keys(parent, orphans, ambiguous);
}

/// Writes the shards, each from adjacent parts, and sees that no row is missing.
fn shards(plan: &Plan, job: &Job<'_>, joined: &Joined<'_>, writer: &EditionWriter) -> Result<()> {
    let parts = joined.parts.count() as usize;
    let expected = job.found().level(job.root).tally.rows;
    let shards = shard_count(expected, job.threads).min(parts.max(1));
    let loaded = job.workers().run(shards, |shard| {
        let range = parts * shard / shards..parts * (shard + 1) / shards;
        shard_of(plan, job, joined.parts, writer, shard as u32, range)
    })?;
    let mut rows = RowsByLevel::default();
    loaded.iter().flatten().for_each(|(path, more)| *rows.entry(path).or_default() += more);
    check_rows(job, &joined.levels, &rows)
}

/// How many rows of each level were loaded, by the level's path.
type RowsByLevel<'a> = BTreeMap<&'a str, u64>;

/// Sees that no row of any level is missing or doubled.
fn check_rows(job: &Job<'_>, counted: &[LevelCounts], rows: &RowsByLevel<'_>) -> Result<()> {
    for node in job.root.walk() {
        let found = rows.get(node.path.as_str()).copied().unwrap_or(0);
        let counts = counted.iter().find(|counts| counts.path == node.path);
        let expected = counts.map_or(0, |counts| counts.nested);
        if found != expected {
            return Err(Fault::infrastructure(format!(
                "the cluster wrote {found} rows of {} and had counted {expected}",
                node.title()
            ))
            .advise("run again; nothing of this build is kept"));
        }
    }
    Ok(())
}

/// Counts a level's rows and those below it.
fn count_rows<'a>(level: &Level<'a>, rows: &mut RowsByLevel<'a>) {
    *rows.entry(&level.plan.path).or_default() += level.len as u64;
    let Content::Parts { children, .. } = &level.content else { return };
    for child in children {
        if let Child::Linked { level, .. } = child {
            count_rows(level, rows);
        }
    }
}

fn shard_of<'a>(
    plan: &Plan,
    job: &Job<'a>,
    cluster: &dyn Parts,
    writer: &EditionWriter,
    shard: u32,
    parts: Range<usize>,
) -> Result<RowsByLevel<'a>> {
    let mut shard = writer.shard(shard, &job.root.fields)?;
    let mut rows = RowsByLevel::default();
    for part in parts {
        job.context.check_cancelled()?;
        let batches = load(plan, cluster, part as u32)?;
        let level = level_of(job, job.root, batches)?;
        count_rows(&level, &mut rows);
        let order = Order::new(&level, None)?;
        check_range(&order, part as u32, cluster.count())?;
        job.found().keys.add(&level, &order, job.document_keys(), job.aside)?;
        order.write(&level, 0..order.len(), &mut shard, &job.progress, job.context)?;
    }
    shard.finish()?;
    Ok(rows)
}

/// A part's rows. They are weighed as they come: a file's size says little of values that it holds once, and
/// a part with more than its share must not be in memory before it is refused.
fn load(plan: &Plan, cluster: &dyn Parts, part: u32) -> Result<Vec<RecordBatch>> {
    let (mut batches, mut bytes, mut rows) = (Vec::new(), 0, 0);
    cluster.load(part, &mut |batch: RecordBatch| {
        bytes += batch_bytes(batch.columns()) as u64;
        rows += batch.num_rows() as u64;
        if bytes > part_budget(plan) {
            // The rows that are to come weigh what those that came do, about.
            let all = u128::from(bytes) * u128::from(cluster.rows(part).max(rows)) / u128::from(rows.max(1));
            return Err(lacks_memory(plan, &format!("part {part} of the documents"), all as u64));
        }
        batches.push(batch);
        Ok(())
    })?;
    Ok(batches)
}

/// Bytes that a part's rows may have in memory.
pub fn part_budget(plan: &Plan) -> u64 {
    embedded::part_budget(plan) as u64
}

/// Why a part of this size can't be worked on, with the memory limit with which it can: `Class::Usage`.
pub fn lacks_memory(plan: &Plan, what: &str, bytes: u64) -> Fault {
    let least = least_memory_for_part(usize::try_from(bytes).unwrap_or(usize::MAX), workers(plan));
    Fault::usage(format!(
        "{what} needs {} MiB, more than the memory limit leaves for it",
        bytes.div_ceil(1 << 20)
    ))
    .advise(format!("run with --memory {}MiB or more", least.div_ceil(1 << 20)))
}

/// A row in a part that is not its own would be out of the edition's order.
fn check_range(order: &Order, part: u32, parts: u32) -> Result<()> {
    let own = |hash: u32| ((u64::from(hash) * u64::from(parts)) >> u32::BITS) as u32;
    match order.ends().into_iter().flatten().find(|hash| own(*hash) != part) {
        None => Ok(()),
        Some(hash) => Err(Fault::infrastructure(format!(
            "the cluster put a document with CRC-32 {hash} into part {part} of {parts}, and it belongs into {}",
            own(hash)
        ))
        .advise("its `crc32` or its text of the key is not ours: build with the embedded engine, and report this")),
    }
}

impl AllFindings {
    fn take_counts(&mut self, node: &NodePlan, counts: &LevelCounts, gates: &[RowGate]) {
        let level = self.level(node);
        level.tally.take(counts, gates);
        level.joined.take(counts);
    }
}
