//! What is known of a day's rows before it is built: counts and sizes, and how many rows one key has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hashbrown::HashMap;
use hivecast_run::{Context, Fault, Result};
use hivecast_sql::RowSource;

use crate::job::{Job, Nowhere};
use crate::keys::Keys;
use crate::masked::Masked;
use crate::nodes::{Arity, NodePlan};
use crate::parallel::lock;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::read::Reader;
use crate::row_gates::Repeated;
use crate::tables::{self, Files};

/// Keys that are counted at a time; where a table has more, those with few rows are dropped.
const KEYS_MAX: usize = 1 << 16;
/// The largest keys that are told.
const LARGEST: usize = 5;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What the files say of themselves; nothing is read.
    Files,
    /// The keys, and what `where` asks for, of every row; `sql:` tables are run.
    Keys,
}

/// What is known of one level of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelSurvey {
    /// Where it is nested, as messages have it; empty for the document.
    pub path: String,
    /// Its table in the feed.
    pub table: String,
    /// Rows that a build reads; none where that is not known without reading them.
    pub read: Option<u64>,
    /// Estimated bytes in memory of the columns that it reads.
    pub read_bytes: u64,
    /// Bytes in memory of those columns of one row, without those of texts and of lists' elements.
    pub fixed_row_bytes: u64,
    /// Rows that are left after `where`; none where they were not read.
    pub rows: Option<u64>,
    /// Rows of the keys by which the level joins that have most, the largest first.
    pub largest: Vec<u64>,
    /// How many more rows a key may have than that.
    pub largest_error: u64,
}

/// Surveys the plan's inputs: the document's level first, then what is nested in it, outer before inner.
pub fn survey(plan: &Plan, look: Look, context: &Context<'_>) -> Result<Vec<LevelSurvey>> {
    let masked = Masked::of(&plan.checked);
    let root = NodePlan::bind(&plan.checked, &masked)?;
    let sources = match look {
        Look::Keys => tables::open(plan, context)?.sources,
        Look::Files => plan.inputs.tables.iter().map(files_of).collect(),
    };
    let repeated = Repeated::default();
    let job = Job {
        feed: &plan.checked.feed,
        root: &root,
        sources: &sources,
        repeated: &repeated,
        aside: &Nowhere,
        threads: plan.threads.max(1),
        context,
        findings: Mutex::default(),
        progress: Progress::default(),
        masked: &masked,
    };
    let surveyed = |node: &NodePlan| match look {
        Look::Files => outline(&job, node),
        Look::Keys => count_keys(&job, node),
    };
    root.walk().into_iter().map(surveyed).collect()
}

fn files_of(input: &hivecast_warehouse::TableInput) -> (String, Arc<dyn RowSource>) {
    (input.table.clone(), Arc::new(Files::new(input.clone())))
}

/// What a level's files say. Of a query nothing is known before it has run.
fn outline(job: &Job<'_>, node: &NodePlan) -> Result<LevelSurvey> {
    let reader = job.sources.contains_key(&node.table).then(|| job.reader(node)).transpose()?;
    let reader = reader.map(|(reader, _)| reader);
    Ok(LevelSurvey {
        path: node.path.clone(),
        table: node.table.clone(),
        read: reader.as_ref().and_then(Reader::known_rows),
        read_bytes: reader.as_ref().map_or(0, Reader::estimated_bytes),
        fixed_row_bytes: reader.as_ref().map_or(0, Reader::fixed_row_bytes),
        rows: None,
        largest: Vec::new(),
        largest_error: 0,
    })
}

fn count_keys(job: &Job<'_>, node: &NodePlan) -> Result<LevelSurvey> {
    let table = job.feed.tables.iter().find(|table| table.name == node.table);
    let filter = table.and_then(|table| table.filter.as_ref()).map(|filter| filter.value.as_str());
    let keys = node.keys_only();
    let reader = Reader::new(&keys, job.source(&node.table)?, filter, &[], Vec::new())?;
    let heaviest: Mutex<InOrder> = Mutex::default();
    job.read_parts(&keys, &reader, &|part, read| {
        let mut found = Heaviest::default();
        read(&mut |rows| {
            let keys = Keys::new(&rows.slots, rows.len)?;
            (0..keys.len()).filter(|row| !keys.is_null(*row)).for_each(|row| found.add(keys.hash(row), 1));
            Ok(())
        })?;
        lock(&heaviest).take(part, found);
        Ok(())
    })?;
    let tally = std::mem::take(&mut job.found().level(node).tally);
    let heaviest = heaviest.into_inner().map_err(|_| Fault::bug("a thread that counted keys has failed"))?;
    let (largest, largest_error) = heaviest.merged.largest();
    let is_root = node.arity == Arity::Root;
    Ok(LevelSurvey {
        read: Some(tally.rows_read),
        rows: Some(tally.rows),
        largest: if is_root { Vec::new() } else { largest },
        largest_error: if is_root { 0 } else { largest_error },
        ..outline(job, node)?
    })
}

/// What parts found, merged in the parts' order, whatever thread was faster: what is found then does not hang on it.
/// Behind a part that takes long others wait, each with the keys that it counts.
#[derive(Debug, Default)]
struct InOrder {
    next: usize,
    waiting: BTreeMap<usize, Heaviest>,
    merged: Heaviest,
}

impl InOrder {
    fn take(&mut self, part: usize, found: Heaviest) {
        self.waiting.insert(part, found);
        while let Some(found) = self.waiting.remove(&self.next) {
            self.merged.take(found);
            self.next += 1;
        }
    }
}

/// The keys with the most rows, in bounded memory: counts are exact until there are too many keys, and from
/// then on too low by `lost` at most (Misra and Gries: Finding repeated elements, 1982; cut in batches, and
/// merged as in Agarwal et al.: Mergeable summaries, 2012).
#[derive(Debug, Default)]
struct Heaviest {
    counts: HashMap<u64, u64>,
    lost: u64,
}

impl Heaviest {
    fn add(&mut self, key: u64, rows: u64) {
        *self.counts.entry(key).or_default() += rows;
        if self.counts.len() > 2 * KEYS_MAX {
            self.cut();
        }
    }

    fn take(&mut self, other: Heaviest) {
        self.lost += other.lost;
        // What is lost hangs on the order, and one export is to give one answer.
        let mut counts: Vec<(u64, u64)> = other.counts.into_iter().collect();
        counts.sort_unstable();
        counts.into_iter().for_each(|(key, rows)| self.add(key, rows));
    }

    /// Takes the same from every count, so much that half of the keys have nothing left.
    fn cut(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
        let (_, least, _) = counts.select_nth_unstable_by(KEYS_MAX, |a, b| b.cmp(a));
        let least = *least;
        self.lost += least;
        self.counts.retain(|_, rows| {
            *rows = rows.saturating_sub(least);
            *rows > 0
        });
    }

    /// The largest counts, and how much too low they may be.
    fn largest(self) -> (Vec<u64>, u64) {
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for rows in self.counts.into_values() {
            *counts.entry(rows).or_default() += 1;
        }
        let descending = counts.into_iter().rev().flat_map(|(rows, keys)| std::iter::repeat_n(rows, keys));
        (descending.take(LARGEST).collect(), self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut heaviest = Heaviest::default();
        for row in 0..1_000_u64 {
            heaviest.add(row % 7 % 4, 1);
        }
        assert_eq!(heaviest.largest(), (vec![286, 286, 285, 143], 0));
    }

    #[test]
    fn one_export_gives_one_answer() {
        let part = |part: u64| {
            let mut found = Heaviest::default();
            (0..150_000).for_each(|row| found.add((row * 7 + part) % 200_000, 1 + row % 3));
            found
        };
        let merged = |order: [usize; 3]| {
            let mut all = InOrder::default();
            order.into_iter().for_each(|number| all.take(number, part(number as u64)));
            all.merged.largest()
        };
        assert_eq!(merged([0, 1, 2]), merged([2, 0, 1]));
        assert!(merged([0, 1, 2]).1 > 0, "some were lost");
    }

    #[test]
    fn of_many_keys_the_heavy_ones_are_found_and_never_counted_too_high() {
        let (mut one, mut other) = (Heaviest::default(), Heaviest::default());
        for row in 0..1_000_000_u64 {
            let heaviest = if row % 2 == 0 { &mut one } else { &mut other };
            heaviest.add(row, 1);
            if row % 10 == 0 {
                heaviest.add(u64::MAX, 1);
            }
        }
        one.take(other);
        let (largest, lost) = one.largest();
        assert!(lost > 0 && lost < 1_000, "{lost}");
        assert!(largest[0] <= 100_000 && largest[0] + lost >= 100_000, "{largest:?}, {lost}");
    }
}
