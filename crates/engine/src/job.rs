//! What a build works with, whichever way it goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use hivecast_edition::{EditionWriter, Exclusion};
use hivecast_feed::{Feed, Rule, Severity};
use hivecast_run::{Context, Fault, Result};

use crate::findings::AllFindings;
use crate::gather::{Content, Level};
use crate::group::{Found, Grouping, Groups};
use crate::keys::{KeyOrder, Keys};
use crate::masked::Masked;
use crate::nodes::{Arity, ChildPlan, NodePlan};
use crate::parallel::{Workers, lock};
use crate::progress::Progress;
use crate::read::{Reader, Rows};
use crate::row_gates::{MAX_EXAMPLES, Repeated, RowGate, SetAside, Tally, row_json};
use hivecast_sql::RowSource;

/// Reads a part of a table, handing over each batch of rows.
pub(crate) type ReadPart<'r> = dyn FnMut(&mut dyn FnMut(Rows) -> Result<()>) -> Result<()> + 'r;

/// Where rows go that gates set aside.
pub(crate) trait Aside: Sync {
    /// Takes one row.
    fn put(
        &self,
        table: &str,
        gate: &str,
        reason: &str,
        key: Option<&str>,
        row: serde_json::Value,
    ) -> Result<()>;

    /// Names a document that may not be sent.
    fn exclude(&self, exclusion: Exclusion) -> Result<()>;
}

impl Aside for EditionWriter {
    fn put(
        &self,
        table: &str,
        gate: &str,
        reason: &str,
        key: Option<&str>,
        row: serde_json::Value,
    ) -> Result<()> {
        self.quarantine(table, gate, reason, key, row)
    }

    fn exclude(&self, exclusion: Exclusion) -> Result<()> {
        EditionWriter::exclude(self, exclusion)
    }
}

/// For a preview, which keeps nothing.
pub(crate) struct Nowhere;

impl Aside for Nowhere {
    fn put(&self, _: &str, _: &str, _: &str, _: Option<&str>, _: serde_json::Value) -> Result<()> {
        Ok(())
    }

    fn exclude(&self, _: Exclusion) -> Result<()> {
        Ok(())
    }
}

/// A build: the bound document, its tables, and where it goes.
pub(crate) struct Job<'a> {
    pub(crate) feed: &'a Feed,
    pub(crate) root: &'a NodePlan,
    pub(crate) sources: &'a BTreeMap<String, Arc<dyn RowSource>>,
    /// The keys that `unique` gates found more than once.
    pub(crate) repeated: &'a Repeated,
    /// Takes what gates set aside.
    pub(crate) aside: &'a dyn Aside,
    pub(crate) threads: usize,
    pub(crate) context: &'a Context<'a>,
    pub(crate) findings: Mutex<AllFindings>,
    pub(crate) progress: Progress,
    /// What may not be shown.
    pub(crate) masked: &'a Masked,
}

impl<'a> Job<'a> {
    pub(crate) fn source(&self, table: &str) -> Result<Arc<dyn RowSource>> {
        let source = self.sources.get(table);
        source.cloned().ok_or_else(|| Fault::bug(format!("table {table} has no rows to read from")))
    }

    /// The reader of a level, and which of its children want the keys of rows that `where` left out.
    pub(crate) fn reader(&self, node: &NodePlan) -> Result<(Reader, Vec<usize>)> {
        let table = self.feed.tables.iter().find(|table| table.name == node.table);
        let filter = table.and_then(|table| table.filter.as_ref()).map(|filter| filter.value.as_str());
        let mut wanted = Vec::new();
        let mut keys = Vec::new();
        for (index, child) in node.children.iter().enumerate() {
            if self.judges_orphans(&child.node) {
                wanted.push(index);
                keys.push(child.parent_slots.clone());
            }
        }
        let mut gates = RowGate::of(self.feed, &node.table, self.repeated);
        gates.iter_mut().for_each(|gate| gate.hide(self.masked));
        Ok((Reader::new(node, self.source(&node.table)?, filter, &gates, keys)?, wanted))
    }

    /// Whether a gate asks which of a level's rows have no parent.
    pub(crate) fn judges_orphans(&self, node: &NodePlan) -> bool {
        self.feed.gates.iter().any(|gate| matches!(&gate.rule, Rule::Orphans { of, .. } if *of == node.table))
    }

    /// Reads all parts of a level's table on all threads. `each` gets the part's number, which says
    /// where its rows belong; it is called from several threads, for one part from one.
    pub(crate) fn read_parts<T: Send>(
        &self,
        node: &NodePlan,
        reader: &Reader,
        each: &(dyn Fn(usize, &mut ReadPart<'_>) -> Result<T> + Sync),
    ) -> Result<Vec<T>> {
        self.workers().run(reader.parts(), |part| self.read_part(node, reader, part, |read| each(part, read)))
    }

    /// Reads one part of a level's table.
    pub(crate) fn read_part<T>(
        &self,
        node: &NodePlan,
        reader: &Reader,
        part: usize,
        each: impl FnOnce(&mut ReadPart<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut tally = Tally::default();
        let result = each(&mut |rows| {
            reader.read(part, &mut tally, &|rows| self.progress.read(rows, self.context), &mut |mut batch| {
                self.context.check_cancelled()?;
                self.set_aside(node, std::mem::take(&mut batch.aside))?;
                std::mem::take(&mut batch.excluded)
                    .into_iter()
                    .try_for_each(|exclusion| self.aside.exclude(exclusion))?;
                rows(batch)
            })
        })?;
        self.found().level(node).tally.add(tally);
        Ok(result)
    }

    /// All of the job's threads.
    pub(crate) fn workers(&self) -> Workers<'_> {
        Workers { threads: self.threads, context: self.context }
    }

    pub(crate) fn found(&self) -> std::sync::MutexGuard<'_, AllFindings> {
        lock(&self.findings)
    }

    /// Groups a child level's rows by its parent level's keys; writes down and sets aside what the
    /// gates find.
    pub(crate) fn group(&self, joining: Joining<'_>) -> Result<Groups> {
        let Joining {
            parent,
            child,
            parent_slots,
            parent_len,
            dead,
            child_slots,
            child_numbers,
            level,
            threads,
        } = joining;
        let pick = |slots: &[ArrayRef], wanted: &[usize]| -> Vec<ArrayRef> {
            wanted.iter().map(|slot| Arc::clone(&slots[*slot])).collect()
        };
        let parents = Keys::new(&pick(parent_slots, &child.parent_slots), parent_len)?;
        let children = Keys::new(child_slots.on, level.len)?;
        let dead = dead
            .map(|columns| Keys::new(columns, columns.first().map_or(0, |column| column.len())))
            .transpose()?;
        let order = match child.node.arity {
            Arity::Many => child_slots.key.map(KeyOrder::new).transpose()?,
            Arity::Root | Arity::One => None,
        };
        let grouping = Grouping {
            parents: &parents,
            dead_parents: dead.as_ref(),
            children: &children,
            order: order.as_ref(),
            numbers: child_numbers.map(|numbers| numbers.as_primitive()),
            arity: child.node.arity,
            orphans: self
                .found_rows(|rule| matches!(rule, Rule::Orphans { of, .. } if *of == child.node.table)),
            ambiguous: match child.node.arity {
                Arity::Many => self.found_rows(|rule| *rule == Rule::ElementKey),
                Arity::Root | Arity::One => Found::Counted,
            },
            examples: MAX_EXAMPLES,
        };
        let (groups, mut findings) = Groups::build(&grouping, Workers { threads, context: self.context })?;
        child.hide_keys(parent, &mut findings.orphan_examples, &mut findings.ambiguous_examples);
        self.set_rows_aside(level, &findings.orphan_rows, "orphans", "no row above has its key")?;
        self.set_rows_aside(
            level,
            &findings.ambiguous_rows,
            "element_key",
            "another element has the same key",
        )?;
        self.found().add_joined(&child.node, findings);
        Ok(groups)
    }

    /// Takes a child level's rows as they come in lists, one for each row of the level above, and puts each
    /// list into its order. What gates say of them is counted where they were joined.
    pub(crate) fn group_listed(&self, listed: Listed<'_>) -> Result<Groups> {
        let Listed { child, parent_slots, parent_len, offsets, level } = listed;
        let pick = |slots: &[ArrayRef], wanted: &[usize]| -> Vec<ArrayRef> {
            wanted.iter().map(|slot| Arc::clone(&slots[*slot])).collect()
        };
        let slots = slots_of(level)?;
        let parents = Keys::new(&pick(parent_slots, &child.parent_slots), parent_len)?;
        let children = Keys::new(&pick(slots, &child.node.on), level.len)?;
        check_lists(child, offsets, &parents, &children)?;
        let order = match child.node.arity {
            Arity::Many => child.node.key.map(|key| KeyOrder::new(&slots[key])).transpose()?,
            Arity::Root | Arity::One => None,
        };
        let grouping = Grouping {
            parents: &parents,
            dead_parents: None,
            children: &children,
            order: order.as_ref(),
            numbers: None,
            arity: child.node.arity,
            orphans: Found::Counted,
            ambiguous: Found::Counted,
            examples: 0,
        };
        Groups::of_lists(offsets, &grouping)
    }

    /// What is done with rows that have no document key of their own.
    pub(crate) fn document_keys(&self) -> Found {
        self.found_rows(|rule| *rule == Rule::DocumentKey)
    }

    /// What is done with rows that a gate finds: kept track of one by one only where they are set aside,
    /// so that a failing gate costs no memory.
    pub(crate) fn found_rows(&self, rule: impl Fn(&Rule) -> bool) -> Found {
        let set_aside =
            |gate: &hivecast_feed::Gate| gate.severity == Severity::Quarantine && rule(&gate.rule);
        if self.feed.gates.iter().any(set_aside) { Found::SetAside } else { Found::Counted }
    }

    pub(crate) fn set_rows_aside(
        &self,
        level: &Level<'_>,
        rows: &[u32],
        gate: &str,
        reason: &str,
    ) -> Result<()> {
        for row in rows {
            let row = level.gather(&UInt32Array::from(vec![*row]))?;
            let row = row_json(&RecordBatch::from(row), 0)?;
            self.aside.put(&level.plan.table, gate, reason, None, row)?;
        }
        Ok(())
    }

    /// Writes down rows that a gate set aside while reading. A table that several levels read is
    /// written down by the first.
    fn set_aside(&self, node: &NodePlan, rows: Vec<SetAside>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let first = self.root.walk().into_iter().find(|other| other.table == node.table);
        if first.is_some_and(|first| first.path == node.path) {
            for row in rows {
                self.aside.put(&node.table, &row.gate, &row.reason, None, row.row)?;
            }
        }
        Ok(())
    }
}

/// What [`Job::group`] joins.
pub(crate) struct Joining<'a> {
    /// The level above.
    pub(crate) parent: &'a NodePlan,
    pub(crate) child: &'a ChildPlan,
    /// All slots of the level above.
    pub(crate) parent_slots: &'a [ArrayRef],
    pub(crate) parent_len: usize,
    /// The join columns of rows above that `where` left out, where a gate wants them.
    pub(crate) dead: Option<&'a [ArrayRef]>,
    pub(crate) child_slots: ChildSlots<'a>,
    /// The child rows' numbers in the input, where they come in another order.
    pub(crate) child_numbers: Option<&'a ArrayRef>,
    /// The child's level, for rows that are set aside.
    pub(crate) level: &'a Level<'a>,
    /// Threads that join: one where others join other rows at the same time.
    pub(crate) threads: usize,
}

/// What [`Job::group_listed`] takes.
pub(crate) struct Listed<'a> {
    pub(crate) child: &'a ChildPlan,
    /// All slots of the level above.
    pub(crate) parent_slots: &'a [ArrayRef],
    pub(crate) parent_len: usize,
    /// Where each parent row's child rows begin, and one more for the end.
    pub(crate) offsets: &'a [i32],
    pub(crate) level: &'a Level<'a>,
}

/// Sees that every row in a list has the key of the row that the list belongs to: one in another's list would
/// be in another's document.
fn check_lists(child: &ChildPlan, offsets: &[i32], parents: &Keys, children: &Keys) -> Result<()> {
    let is_own = |parent: usize, row: usize| {
        !parents.is_null(parent) && !children.is_null(row) && children.equal(row, parents, parent)
    };
    let lists = offsets.windows(2).enumerate();
    let mut rows = lists.flat_map(|(parent, pair)| (pair[0]..pair[1]).map(move |row| (parent, row as usize)));
    match rows.all(|(parent, row)| is_own(parent, row)) {
        true => Ok(()),
        false => Err(Fault::infrastructure(format!(
            "the cluster put a row of {} below a row that has another key",
            child.node.title()
        ))
        .advise("it compares keys another way: build with the embedded engine, and report this")),
    }
}

/// The columns of a child level that joining looks at.
pub(crate) struct ChildSlots<'a> {
    /// The join columns.
    pub(crate) on: &'a [ArrayRef],
    /// The elements' key.
    pub(crate) key: Option<&'a ArrayRef>,
}

/// A level's own slots, while it is not yet put together.
pub(crate) fn slots_of<'l>(level: &'l Level<'_>) -> Result<&'l [ArrayRef]> {
    match &level.content {
        Content::Parts { slots, .. } => Ok(slots),
        Content::Whole(_) => Err(Fault::bug("a finished level has no slots")),
    }
}
