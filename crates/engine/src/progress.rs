//! How far a build came: rows read, then documents written, and the rows that are in them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{Array, StructArray};
use arrow_select::filter::filter;
use hivecast_run::{Context, Event, Fault, Result, Step, Unit};

use crate::nodes::{Arity, NodePlan, Part};
use crate::parallel::lock;

/// Counted by all threads of a build.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    read: AtomicU64,
    written: AtomicU64,
    /// Rows in documents, by the level's path.
    used: Mutex<BTreeMap<String, u64>>,
}

impl Progress {
    /// Tells that rows are read now, of so many where that is known.
    pub(crate) fn begin(context: &Context<'_>, total: Option<u64>) {
        context.tell(Event::Counts { step: Step::Engine, total, unit: Unit::Rows });
    }

    /// Adds rows that were read.
    pub(crate) fn read(&self, rows: u64, context: &Context<'_>) {
        let done = self.read.fetch_add(rows, Ordering::Relaxed) + rows;
        context.tell(Event::Advanced { step: Step::Engine, done });
    }

    /// Adds documents that were written.
    pub(crate) fn written(
        &self,
        root: &NodePlan,
        documents: &StructArray,
        context: &Context<'_>,
    ) -> Result<()> {
        let mut used = BTreeMap::new();
        count(root, &root.layout, documents, &mut used)?;
        used.insert(root.path.clone(), documents.len() as u64);
        let mut all = lock(&self.used);
        for (path, rows) in used {
            *all.entry(path).or_insert(0) += rows;
        }
        drop(all);
        let rows = documents.len() as u64;
        let before = self.written.fetch_add(rows, Ordering::Relaxed);
        if before == 0 {
            context.tell(Event::Counts { step: Step::Engine, total: None, unit: Unit::Records });
        }
        context.tell(Event::Advanced { step: Step::Engine, done: before + rows });
        Ok(())
    }

    /// Rows in documents, by the level's path.
    pub(crate) fn into_used(self) -> BTreeMap<String, u64> {
        self.used.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Counts the rows of every level below in structs that are made by `parts`.
fn count(
    node: &NodePlan,
    parts: &[Part],
    structs: &StructArray,
    used: &mut BTreeMap<String, u64>,
) -> Result<()> {
    for (part, column) in parts.iter().zip(structs.columns()) {
        match part {
            Part::Slot(_) => {}
            Part::Struct(inner, _) => count(node, inner, column.as_struct(), used)?,
            Part::List(elements, _) => {
                for (element, column) in elements.iter().zip(column.as_struct().columns()) {
                    count(node, &element.parts, &present(column.as_struct())?, used)?;
                }
            }
            Part::Child(child) => {
                let child = &node.children[*child].node;
                let rows = match child.arity {
                    Arity::Many => {
                        let list = column.as_list::<i32>();
                        let (first, last) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
                        list.values().slice(first as usize, (last - first) as usize)
                    }
                    Arity::One | Arity::Root => column.clone(),
                };
                let rows = present(rows.as_struct())?;
                *used.entry(child.path.clone()).or_insert(0) += rows.len() as u64;
                count(child, &child.layout, &rows, used)?;
            }
        }
    }
    Ok(())
}

/// The structs that are not null.
fn present(structs: &StructArray) -> Result<StructArray> {
    match structs.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            let kept = filter(structs, &arrow_array::BooleanArray::new(nulls.inner().clone(), None))
                .map_err(|error| Fault::bug("failed to count rows in documents").because(error))?;
            Ok(kept.as_struct().clone())
        }
        _ => Ok(structs.clone()),
    }
}
