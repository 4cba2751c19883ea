//! Some documents without an edition: only the rows that belong to them are kept.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_select::filter::filter;
use hashbrown::HashMap;
use hivecast_contract::key_hash;
use hivecast_run::{Context, Fault, Result};

use crate::documents::Order;
use crate::gather::{Child, Content, Level};
use crate::job::{ChildSlots, Job, Joining, Nowhere, slots_of};
use crate::keys::Keys;
use crate::masked::Masked;
use crate::nodes::NodePlan;
use crate::parallel::lock;
use crate::plan::{Plan, Preview, Selection};
use crate::progress::Progress;
use crate::query_gates;
use crate::read::Rows;
use crate::row_gates::Repeated;
use crate::{arrays, tables};
use hivecast_sql::to_text;

pub(crate) fn preview(plan: &Plan, selection: &Selection, context: &Context<'_>) -> Result<Preview> {
    let tables = tables::open(plan, context)?;
    let limits = query_gates::Limits { memory_bytes: plan.memory_bytes, spill: &plan.spill };
    let masked = Masked::of(&plan.checked);
    let repeated = match &tables.queries {
        Some(queries) => query_gates::judge(&plan.checked, &masked, queries, limits, context)?.repeated,
        None => Repeated::default(),
    };
    let root = NodePlan::bind(&plan.checked, &masked)?;
    let job = Job {
        feed: &plan.checked.feed,
        root: &root,
        sources: &tables.sources,
        repeated: &repeated,
        aside: &Nowhere,
        threads: plan.threads.max(1),
        context,
        findings: Mutex::default(),
        progress: Progress::default(),
        masked: &masked,
    };
    let wanted: HashSet<String> = match selection {
        Selection::Keys(keys) => keys.iter().cloned().collect(),
        Selection::First(count) => first_keys(&job, *count)?,
    };
    let key = root.key.ok_or_else(|| Fault::bug("the document has no key"))?;
    let level = load(&job, &root, &|rows| {
        let keys = to_text(&rows.slots[key])?;
        Ok(keys
            .as_string_view()
            .iter()
            .map(|key| Some(key.is_some_and(|key| wanted.contains(key))))
            .collect())
    })?;
    let order = Order::new(&level, None)?;
    let (_, keys, documents) = order.batch(&level, 0..order.len())?;
    Ok(Preview { keys, documents })
}

/// The keys of the first documents in the edition's order.
fn first_keys(job: &Job<'_>, count: usize) -> Result<HashSet<String>> {
    let key = job.root.key.ok_or_else(|| Fault::bug("the document has no key"))?;
    let (reader, _) = job.reader(job.root)?;
    let first: Mutex<std::collections::BTreeSet<(u32, String)>> = Mutex::default();
    job.read_parts(job.root, &reader, &|_, read| {
        read(&mut |rows| {
            let keys = to_text(&rows.slots[key])?;
            let mut first = lock(&first);
            for key in keys.as_string_view().iter().flatten() {
                let hash = key_hash(key.as_bytes());
                if first.len() < count
                    || first.last().is_some_and(|last| (hash, key) < (last.0, last.1.as_str()))
                {
                    first.insert((hash, key.to_owned()));
                    if first.len() > count {
                        first.pop_last();
                    }
                }
            }
            Ok(())
        })
    })?;
    let first = first.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(first.into_iter().map(|(_, key)| key).collect())
}

/// Which rows of a batch are kept.
type Keep<'k> = dyn Fn(&Rows) -> Result<BooleanArray> + Sync + 'k;

/// A level with the rows that are kept, and below it those that join with them.
fn load<'a>(job: &Job<'a>, node: &'a NodePlan, keep: &Keep<'_>) -> Result<Level<'a>> {
    let (reader, _) = job.reader(node)?;
    let parts = job.read_parts(node, &reader, &|_, read| {
        let mut batches: Vec<Vec<ArrayRef>> = Vec::new();
        read(&mut |rows| {
            let mask = keep(&rows)?;
            if mask.true_count() > 0 {
                let kept = rows.slots.iter().map(|slot| {
                    filter(slot, &mask).map_err(|error| Fault::bug("failed to filter rows").because(error))
                });
                batches.push(kept.collect::<Result<_>>()?);
            }
            Ok(())
        })?;
        Ok(batches)
    })?;
    let slots = arrays::joined(parts.into_iter().flatten(), node.slots.iter().map(|slot| slot.data_type()))?;
    let len = slots.first().map_or(0, |slot| slot.len());
    let children = node.children.iter().map(|child| {
        let parent_keys: Vec<ArrayRef> =
            child.parent_slots.iter().map(|slot| Arc::clone(&slots[*slot])).collect();
        let parents = Keys::new(&parent_keys, len)?;
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
        for row in (0..len).filter(|row| !parents.is_null(*row)) {
            by_hash.entry(parents.hash(row)).or_default().push(row);
        }
        let level = load(job, &child.node, &|rows| {
            let own: Vec<ArrayRef> =
                child.node.on.iter().map(|slot| Arc::clone(&rows.slots[*slot])).collect();
            let keys = Keys::new(&own, rows.len)?;
            let matches = |row: usize| {
                !keys.is_null(row)
                    && by_hash.get(&keys.hash(row)).is_some_and(|candidates| {
                        candidates.iter().any(|parent| keys.equal(row, &parents, *parent))
                    })
            };
            Ok((0..rows.len).map(|row| Some(matches(row))).collect())
        })?;
        let child_slots = slots_of(&level)?;
        let on: Vec<ArrayRef> = child.node.on.iter().map(|slot| Arc::clone(&child_slots[*slot])).collect();
        let groups = job.group(Joining {
            parent: node,
            child,
            parent_slots: &slots,
            parent_len: len,
            dead: None,
            child_slots: ChildSlots { on: &on, key: child.node.key.map(|key| &child_slots[key]) },
            child_numbers: None,
            level: &level,
            threads: job.threads,
        })?;
        Ok(Child::Linked { groups, level: Box::new(level) })
    });
    let children = children.collect::<Result<_>>()?;
    Ok(Level::new(node, len, Content::Parts { slots, children }))
}
