//! The way of an export that fits into memory: every level is read whole, joined by index, and only
//! the documents are gathered, piece by piece.

use arrow_array::ArrayRef;
use hivecast_edition::EditionWriter;
use hivecast_run::{Fault, Result};

use crate::arrays::{batch_bytes, joined};
use crate::documents::Order;
use crate::gather::{Child, Content, Level};
use crate::job::{ChildSlots, Job, Joining, slots_of};
use crate::nodes::NodePlan;

/// Documents in a shard, at most.
pub(crate) const SHARD_DOCUMENTS: usize = 1_000_000;

/// What reading into memory came to.
pub(crate) enum Outcome {
    /// The shards are written.
    Done,
    /// The rows need more than the budget: nothing is written.
    TooLarge,
}

/// Builds the shards in memory, unless the rows need more than `budget` bytes.
pub(crate) fn build(job: &Job<'_>, writer: &EditionWriter, budget: usize) -> Result<Outcome> {
    let mut left = budget;
    let Some((level, _)) = load(job, job.root, &mut left)? else { return Ok(Outcome::TooLarge) };
    let order = Order::new(&level, None)?;
    job.found().keys.add(&level, &order, job.document_keys(), job.aside)?;
    let shards = order.len().div_ceil(SHARD_DOCUMENTS).max(job.threads);
    job.in_parallel(shards, |shard| {
        let range = order.len() * shard / shards..order.len() * (shard + 1) / shards;
        let mut shard_writer = writer.shard(shard as u32, &job.root.fields)?;
        order.write(&level, range, &mut shard_writer, &job.progress, job.context)?;
        shard_writer.finish().map(drop)
    })?;
    Ok(Outcome::Done)
}

/// What one part of a table gave: batches of slots, and the keys of rows left out.
type PartRows = (Vec<Vec<ArrayRef>>, Vec<Vec<Vec<ArrayRef>>>);

/// A level with all below it, and its own slots' bytes taken off the budget. None where it does not
/// fit.
pub(crate) fn load<'a>(
    job: &Job<'a>,
    node: &'a NodePlan,
    left: &mut usize,
) -> Result<Option<(Level<'a>, usize)>> {
    let (reader, orphan_children) = job.reader(node)?;
    let used = std::sync::atomic::AtomicUsize::new(0);
    let limit = *left;
    let parts = job.read_parts(node, &reader, &|_, read| {
        let mut batches: Vec<Vec<ArrayRef>> = Vec::new();
        let mut dead: Vec<Vec<Vec<ArrayRef>>> = vec![Vec::new(); orphan_children.len()];
        read(&mut |rows| {
            let bytes = batch_bytes(&rows.slots);
            let total = used.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
            if total > limit {
                return Err(Fault::usage("the rows need more memory than there is"));
            }
            batches.push(rows.slots);
            for (kept, keys) in dead.iter_mut().zip(rows.dead) {
                if !keys.is_empty() {
                    kept.push(keys);
                }
            }
            Ok(())
        })?;
        Ok::<PartRows, _>((batches, dead))
    });
    let bytes = used.into_inner();
    if bytes > limit {
        return Ok(None);
    }
    *left -= bytes;
    let (batches, dead): (Vec<_>, Vec<_>) = parts?.into_iter().unzip();
    let slots = joined(batches.into_iter().flatten(), node.slots.iter().map(|slot| slot.data_type()))?;
    let len = job.found().level(node).tally.rows as usize;
    let dead_keys = |child: usize| -> Result<Option<Vec<ArrayRef>>> {
        let Some(place) = orphan_children.iter().position(|wanted| *wanted == child) else { return Ok(None) };
        let batches: Vec<Vec<ArrayRef>> = dead.iter().flat_map(|part| part[place].iter().cloned()).collect();
        let types = node.children[child].parent_slots.iter().map(|slot| node.slots[*slot].data_type());
        joined(batches, types).map(Some)
    };
    let mut children = Vec::with_capacity(node.children.len());
    for (index, child) in node.children.iter().enumerate() {
        let Some((level, _)) = load(job, &child.node, left)? else { return Ok(None) };
        let dead = dead_keys(index)?;
        let child_slots = slots_of(&level)?;
        let on: Vec<ArrayRef> =
            child.node.on.iter().map(|slot| ArrayRef::clone(&child_slots[*slot])).collect();
        let groups = job.group(Joining {
            parent: node,
            child,
            parent_slots: &slots,
            parent_len: len,
            dead: dead.as_deref(),
            child_slots: ChildSlots { on: &on, key: child.node.key.map(|key| &child_slots[key]) },
            child_numbers: None,
            level: &level,
        })?;
        *left = left.saturating_sub(groups.bytes());
        children.push(Child::Linked { groups, level: Box::new(level) });
    }
    Ok(Some((Level::new(node, len, Content::Parts { slots, children }), bytes)))
}
