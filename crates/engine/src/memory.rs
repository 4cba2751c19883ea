//! The way of an export that fits into memory: every level is read whole, joined by index, and only
//! the documents are gathered, piece by piece.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::ArrayRef;
use hivecast_edition::EditionWriter;
use hivecast_run::{Fault, Result};

use crate::arrays::{batch_bytes, joined};
use crate::documents::Order;
use crate::gather::{Child, Content, Level};
use crate::job::{ChildSlots, Job, Joining, slots_of};
use crate::nodes::NodePlan;
use crate::parallel::lock;
use crate::read::Reader;

/// Documents in a shard, at most.
const SHARD_DOCUMENTS: usize = 1_000_000;

/// What reading into memory came to.
pub(crate) enum Outcome {
    /// The shards are written.
    Done,
    /// The rows need more than the budget: nothing is written.
    TooLarge,
}

/// How many shards so many documents are written into: as many for each thread, since a last one would keep
/// one thread busy and the others waiting.
pub(crate) fn shard_count(documents: u64, threads: usize) -> usize {
    let least = usize::try_from(documents).unwrap_or(usize::MAX).div_ceil(SHARD_DOCUMENTS);
    least.max(1).next_multiple_of(threads)
}

/// Builds the shards in memory, unless the rows need more than `budget` bytes.
pub(crate) fn build(job: &Job<'_>, writer: &EditionWriter, budget: usize) -> Result<Outcome> {
    let Some(rows) = read(job, budget)? else { return Ok(Outcome::TooLarge) };
    let level = level(job, job.root, &mut rows.into_iter())?;
    let order = Order::new(&level, None)?;
    job.found().keys.add(&level, &order, job.document_keys(), job.aside)?;
    let shards = shard_count(order.len() as u64, job.threads);
    job.workers().run(shards, |shard| {
        let range = order.len() * shard / shards..order.len() * (shard + 1) / shards;
        let mut shard_writer = writer.shard(shard as u32, &job.root.fields)?;
        order.write(&level, range, &mut shard_writer, &job.progress, job.context)?;
        shard_writer.finish().map(drop)
    })?;
    Ok(Outcome::Done)
}

/// Rows as they were read: batches of slots.
type Batches = Vec<Vec<ArrayRef>>;

/// What one part of a table gave.
#[derive(Default)]
struct PartRows {
    batches: Batches,
    len: usize,
    /// For each child whose orphans are judged, the keys of rows that were left out.
    dead: Vec<Batches>,
}

/// A level's rows.
struct LevelRows {
    slots: Vec<ArrayRef>,
    len: usize,
    /// For each child whose orphans are judged, its place among the children and the keys of rows left out.
    dead: Vec<(usize, Vec<ArrayRef>)>,
}

/// A level that is being read.
struct Reading<'a> {
    node: &'a NodePlan,
    reader: Reader,
    /// The children whose orphans are judged.
    judged: Vec<usize>,
    /// Its parts in order, as far as they are read.
    parts: Mutex<Vec<PartRows>>,
    /// Parts that are still to be read.
    left: AtomicUsize,
}

impl<'a> Reading<'a> {
    fn new(job: &Job<'a>, node: &'a NodePlan) -> Result<Self> {
        let (reader, judged) = job.reader(node)?;
        let parts = (0..reader.parts()).map(|_| PartRows::default()).collect();
        let left = AtomicUsize::new(reader.parts());
        Ok(Reading { node, reader, judged, parts: Mutex::new(parts), left })
    }

    /// Reads one part, unless the rows of all levels then need more than `budget` bytes. Who reads the last
    /// one puts the level together, while others go on to the next level.
    fn read(
        &self,
        job: &Job<'a>,
        part: usize,
        used: &AtomicUsize,
        budget: usize,
    ) -> Result<Option<LevelRows>> {
        let mut rows = PartRows { batches: Vec::new(), len: 0, dead: vec![Vec::new(); self.judged.len()] };
        job.read_part(self.node, &self.reader, part, |read| {
            read(&mut |batch| {
                let dead = batch.dead.iter().map(|keys| batch_bytes(keys)).sum::<usize>();
                let bytes = batch_bytes(&batch.slots) + dead;
                if used.fetch_add(bytes, Ordering::Relaxed) + bytes > budget {
                    return Err(Fault::usage("the rows need more memory than there is"));
                }
                rows.batches.push(batch.slots);
                rows.len += batch.len;
                for (kept, keys) in rows.dead.iter_mut().zip(batch.dead) {
                    kept.extend((!keys.is_empty()).then_some(keys));
                }
                Ok(())
            })
        })?;
        lock(&self.parts)[part] = rows;
        let is_last = self.left.fetch_sub(1, Ordering::AcqRel) == 1;
        is_last.then(|| self.joined()).transpose()
    }

    fn joined(&self) -> Result<LevelRows> {
        let mut parts = std::mem::take(&mut *lock(&self.parts));
        let mut dead = Vec::with_capacity(self.judged.len());
        for (place, child) in self.judged.iter().enumerate() {
            let batches = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.dead[place]));
            let slots = &self.node.children[*child].parent_slots;
            let types = slots.iter().map(|slot| self.node.slots[*slot].data_type());
            dead.push((*child, joined(batches, types)?));
        }
        let len = parts.iter().map(|part| part.len).sum();
        let types = self.node.slots.iter().map(|slot| slot.data_type());
        let slots = joined(parts.into_iter().flat_map(|part| part.batches), types)?;
        Ok(LevelRows { slots, len, dead })
    }
}

/// The rows of all levels, as [`NodePlan::walk`] goes; none where they need more than `budget` bytes.
fn read(job: &Job<'_>, budget: usize) -> Result<Option<Vec<LevelRows>>> {
    let nodes = job.root.walk();
    let levels = nodes.iter().map(|node| Reading::new(job, node)).collect::<Result<Vec<_>>>()?;
    // A table without rows is in the findings all the same.
    for node in &nodes {
        job.found().level(node);
    }
    // The largest first: while a level is put together, each of its columns in turn is in memory twice, and that is
    // best where the least else is.
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by_key(|level| std::cmp::Reverse(levels[*level].reader.estimated_bytes()));
    let parts = |level: usize| (0..levels[level].reader.parts()).map(move |part| (level, part));
    let tasks: Vec<(usize, usize)> = order.into_iter().flat_map(parts).collect();
    let used = AtomicUsize::new(0);
    let done = job.workers().run(tasks.len(), |task| {
        let (level, part) = tasks[task];
        Ok(levels[level].read(job, part, &used, budget)?.map(|rows| (level, rows)))
    });
    if used.into_inner() > budget {
        return Ok(None);
    }
    let mut rows: Vec<Option<LevelRows>> = levels.iter().map(|_| None).collect();
    done?.into_iter().flatten().for_each(|(level, joined)| rows[level] = Some(joined));
    // Nothing was read of a level that has no parts.
    let rows = rows.into_iter().zip(&levels).map(|(rows, level)| rows.map_or_else(|| level.joined(), Ok));
    rows.collect::<Result<_>>().map(Some)
}

/// A level with all below it, from the rows that were read of it and then of those below.
fn level<'a>(
    job: &Job<'a>,
    node: &'a NodePlan,
    rows: &mut std::vec::IntoIter<LevelRows>,
) -> Result<Level<'a>> {
    let LevelRows { slots, len, dead } =
        rows.next().ok_or_else(|| Fault::bug("a level's rows were not read"))?;
    let mut children = Vec::with_capacity(node.children.len());
    for (index, child) in node.children.iter().enumerate() {
        let level = level(job, &child.node, rows)?;
        let dead = dead.iter().find(|(judged, _)| *judged == index).map(|(_, keys)| keys.as_slice());
        let child_slots = slots_of(&level)?;
        let on: Vec<ArrayRef> =
            child.node.on.iter().map(|slot| ArrayRef::clone(&child_slots[*slot])).collect();
        let groups = job.group(Joining {
            parent: node,
            child,
            parent_slots: &slots,
            parent_len: len,
            dead,
            child_slots: ChildSlots { on: &on, key: child.node.key.map(|key| &child_slots[key]) },
            child_numbers: None,
            level: &level,
            threads: job.threads,
        })?;
        children.push(Child::Linked { groups, level: Box::new(level) });
    }
    Ok(Level::new(node, len, Content::Parts { slots, children }))
}
