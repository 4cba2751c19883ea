//! Joining a level with the level below it, by index: which child rows belong to which parent row.

use std::ops::Range;

use arrow_array::UInt64Array;
use hashbrown::HashTable;
use hivecast_run::{Fault, Result};

use crate::findings::extend;
use crate::index::KeyIndex;
use crate::keys::{KeyOrder, Keys};
use crate::nodes::Arity;
use crate::parallel::Workers;
use crate::row_gates::plural;

/// No parent: the key holds a null, or nothing matches it.
const NONE: u32 = u32::MAX;

/// The child rows of each parent row. Parents with equal keys share one group, which is the first one's.
#[derive(Debug)]
pub(crate) struct Groups {
    /// For each parent row the first that has its key; none where that is each row itself.
    firsts: Option<Vec<u32>>,
    /// Where each parent row's group starts in `members`, and one more for the end. Rows that are not the first
    /// of their key have none.
    starts: Vec<u32>,
    /// Child rows, group by group, each group in the order of its key.
    members: Vec<u32>,
}

/// What grouping found besides the groups.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Child rows that no parent row, left out by `where` or not, has the key of.
    pub(crate) orphans: u64,
    /// Some of their keys.
    pub(crate) orphan_examples: Vec<String>,
    /// Groups with elements that have the same key (`many`) or with more than one row (`one`).
    pub(crate) ambiguous: u64,
    /// Some of their keys, with the number of rows.
    pub(crate) ambiguous_examples: Vec<String>,
    /// Rows beyond the first in ambiguous groups.
    pub(crate) surplus: u64,
    /// The orphans' rows, where they are wanted.
    pub(crate) orphan_rows: Vec<u32>,
    /// Rows that share their key with another of their group, where they are wanted; they are then in
    /// no group.
    pub(crate) ambiguous_rows: Vec<u32>,
}

/// What is done with rows that a gate finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// They are counted.
    Counted,
    /// They are counted, listed, and left out of the documents.
    SetAside,
}

/// What is grouped.
pub(crate) struct Grouping<'a> {
    pub(crate) parents: &'a Keys,
    /// Keys of parent rows that `where` left out; wanted only to tell orphans apart.
    pub(crate) dead_parents: Option<&'a Keys>,
    pub(crate) children: &'a Keys,
    /// The order of a `many`'s elements.
    pub(crate) order: Option<&'a KeyOrder>,
    /// The child rows' numbers in the input, which rows of equal keys are ordered by; without them their
    /// places are.
    pub(crate) numbers: Option<&'a UInt64Array>,
    pub(crate) arity: Arity,
    pub(crate) orphans: Found,
    pub(crate) ambiguous: Found,
    /// How many examples to keep.
    pub(crate) examples: usize,
}

impl Groups {
    /// The child rows of a parent row.
    pub(crate) fn of(&self, parent: u32) -> &[u32] {
        let first = self.firsts.as_ref().map_or(parent, |firsts| firsts[parent as usize]) as usize;
        &self.members[self.starts[first] as usize..self.starts[first + 1] as usize]
    }

    /// Groups child rows by parent key: an index over the parents' keys, one look for each child row, a
    /// counting sort by parent, then each group put into the order of its key. Every step is cut into pieces
    /// that threads work on, and what they make does not hang on how many there are.
    pub(crate) fn build(grouping: &Grouping<'_>, workers: Workers<'_>) -> Result<(Self, Findings)> {
        let parents = grouping.parents;
        row_number(parents.len())?;
        row_number(grouping.children.len())?;
        let index = KeyIndex::build(parents, workers)?;
        let dead = grouping.dead_parents.map(|dead| KeyIndex::build(dead, workers)).transpose()?;
        let looked = workers
            .run_pieces(grouping.children.len(), |rows| Ok(look_up(grouping, &index, dead.as_ref(), rows)))?;

        let mut findings = Findings::default();
        let mut parent_of_child = Vec::with_capacity(looked.len());
        let mut strays = Strays::default();
        for piece in looked {
            findings.take(piece.findings, grouping.examples);
            piece.strays.iter().for_each(|row| strays.note(grouping, *row as usize, &mut findings));
            parent_of_child.push(piece.parents);
        }
        let shares = workers.shares(parents.len());
        let sorted = workers.run(shares, |share| {
            let range = parents.len() * share / shares..parents.len() * (share + 1) / shares;
            sort_share(grouping, range, &parent_of_child, workers)
        })?;
        let mut starts = Vec::with_capacity(parents.len() + 1);
        let mut members = Vec::with_capacity(grouping.children.len());
        for share in sorted {
            let before = members.len() as u32;
            starts.extend(share.starts.iter().take(share.starts.len() - 1).map(|start| before + start));
            members.extend(share.members);
            findings.take(share.findings, grouping.examples);
        }
        starts.push(members.len() as u32);
        Ok((Groups { firsts: index.firsts(), starts, members }, findings))
    }

    /// Groups that somebody else has joined: parent row `n` has the child rows between `offsets[n]` and
    /// `offsets[n + 1]`. Each group is put into the order of its key. `grouping` counts the child rows from
    /// the first that the offsets reach.
    pub(crate) fn of_lists(offsets: &[i32], grouping: &Grouping<'_>) -> Result<Self> {
        row_number(grouping.parents.len())?;
        let first = offsets[0];
        let starts: Vec<u32> = offsets.iter().map(|offset| (offset - first) as u32).collect();
        let mut members: Vec<u32> = (0..row_number(grouping.children.len())?).collect();
        order_groups(grouping, 0, &starts, &mut members, &mut Findings::default());
        Ok(Groups { firsts: None, starts, members })
    }
}

impl Findings {
    /// Adds what was found in the piece that follows.
    fn take(&mut self, piece: Findings, examples: usize) {
        self.orphans += piece.orphans;
        self.ambiguous += piece.ambiguous;
        self.surplus += piece.surplus;
        extend(&mut self.orphan_examples, piece.orphan_examples, examples);
        extend(&mut self.ambiguous_examples, piece.ambiguous_examples, examples);
        self.orphan_rows.extend(piece.orphan_rows);
        self.ambiguous_rows.extend(piece.ambiguous_rows);
    }
}

/// A row number as the index holds it.
fn row_number(rows: usize) -> Result<u32> {
    u32::try_from(rows).ok().filter(|rows| *rows < NONE).ok_or_else(|| {
        Fault::usage(format!("{rows} rows are too many for one piece; lower --memory so that they are cut"))
    })
}

/// What looking for the parents of some child rows gave.
struct Looked {
    /// For each row the first parent row that has its key, or [`NONE`].
    parents: Vec<u32>,
    /// The rows of a `one` that have none.
    strays: Vec<u32>,
    findings: Findings,
}

fn look_up(
    grouping: &Grouping<'_>,
    index: &KeyIndex<'_>,
    dead: Option<&KeyIndex<'_>>,
    rows: Range<usize>,
) -> Looked {
    let mut looked =
        Looked { parents: Vec::with_capacity(rows.len()), strays: Vec::new(), findings: Findings::default() };
    for row in rows {
        let found = index.find(grouping.children, row);
        looked.parents.push(found.unwrap_or(NONE));
        if found.is_none() {
            note_orphan(grouping, dead, row, &mut looked.findings);
            if grouping.arity == Arity::One {
                looked.strays.push(row as u32);
            }
        }
    }
    looked
}

/// The groups of some parent rows that lie side by side.
struct Sorted {
    /// From 0.
    starts: Vec<u32>,
    members: Vec<u32>,
    findings: Findings,
}

fn sort_share(
    grouping: &Grouping<'_>,
    range: Range<usize>,
    parent_of_child: &[Vec<u32>],
    workers: Workers<'_>,
) -> Result<Sorted> {
    let own = |parent: u32| (parent as usize).checked_sub(range.start).filter(|place| *place < range.len());
    let mut starts = vec![0u32; range.len() + 1];
    for place in parent_of_child.iter().flatten().filter_map(|parent| own(*parent)) {
        starts[place + 1] += 1;
    }
    for place in 0..range.len() {
        starts[place + 1] += starts[place];
    }
    let mut next = starts.clone();
    let mut members = vec![0u32; starts[range.len()] as usize];
    for (row, parent) in parent_of_child.iter().flatten().enumerate() {
        workers.check(row)?;
        if let Some(place) = own(*parent) {
            members[next[place] as usize] = row as u32;
            next[place] += 1;
        }
    }
    let mut findings = Findings::default();
    order_groups(grouping, range.start, &starts, &mut members, &mut findings);
    if !findings.ambiguous_rows.is_empty() {
        leave_out(&findings.ambiguous_rows, &mut starts, &mut members);
    }
    Ok(Sorted { starts, members, findings })
}

/// Rows of a `one` that no parent asks for. Its key must be unique all the same: which of them would
/// be taken must not hang on tomorrow's parents.
#[derive(Default)]
struct Strays {
    table: HashTable<(u64, u32)>,
}

impl Strays {
    fn note(&mut self, grouping: &Grouping<'_>, row: usize, findings: &mut Findings) {
        let children = grouping.children;
        if children.is_null(row) {
            return;
        }
        let hash = children.hash(row);
        let same = |entry: &(u64, u32)| entry.0 == hash && children.equal(row, children, entry.1 as usize);
        if self.table.find(hash, same).is_none() {
            self.table.insert_unique(hash, (hash, row as u32), |entry| entry.0);
            return;
        }
        findings.ambiguous += 1;
        findings.surplus += 1;
        if findings.ambiguous_examples.len() < grouping.examples {
            findings.ambiguous_examples.push(children.display(row));
        }
    }
}

fn note_orphan(grouping: &Grouping<'_>, dead: Option<&KeyIndex<'_>>, row: usize, findings: &mut Findings) {
    let Some(dead) = dead else { return };
    let children = grouping.children;
    if dead.find(children, row).is_some() {
        return;
    }
    findings.orphans += 1;
    if grouping.orphans == Found::SetAside {
        findings.orphan_rows.push(row as u32);
    }
    if findings.orphan_examples.len() < grouping.examples {
        let key = if children.is_null(row) { "null".to_owned() } else { children.display(row) };
        findings.orphan_examples.push(key);
    }
}

/// Orders each group by its key and notes groups that the feed does not allow. The first group is that of
/// parent row `first`.
fn order_groups(
    grouping: &Grouping<'_>,
    first: usize,
    starts: &[u32],
    members: &mut [u32],
    findings: &mut Findings,
) {
    for (group, ends) in starts.windows(2).enumerate() {
        let rows = &mut members[ends[0] as usize..ends[1] as usize];
        let number = |row: u32| grouping.numbers.map(|numbers| numbers.value(row as usize));
        let surplus = match grouping.order {
            None => {
                rows.sort_by_key(|row| number(*row));
                rows.len().saturating_sub(1)
            }
            Some(order) => {
                // Equal keys stay in the input's order, so that the result does not hang on the sort.
                rows.sort_by(|a, b| order.compare(*a, *b).then_with(|| number(*a).cmp(&number(*b))));
                let repeated = rows.windows(2).filter(|pair| order.compare(pair[0], pair[1]).is_eq()).count();
                // An element without a key can't be told from others either. Nulls come first.
                repeated + usize::from(rows.first().is_some_and(|row| order.is_null(*row)))
            }
        };
        if surplus > 0 {
            if grouping.ambiguous == Found::SetAside {
                note_ambiguous(grouping.order, rows, &mut findings.ambiguous_rows);
            }
            findings.ambiguous += 1;
            findings.surplus += surplus as u64;
            if findings.ambiguous_examples.len() < grouping.examples {
                let key = grouping.parents.display(first + group);
                findings
                    .ambiguous_examples
                    .push(format!("{key} ({} too many)", plural(surplus as u64, "row")));
            }
        }
    }
    debug_assert!(grouping.order.is_some() == (grouping.arity == Arity::Many));
}

/// Every row of a group that has no key, or one in common with another.
fn note_ambiguous(order: Option<&KeyOrder>, rows: &[u32], found: &mut Vec<u32>) {
    let same = |a: &u32, b: &u32| order.is_none_or(|order| order.compare(*a, *b).is_eq());
    let null = |row: u32| order.is_some_and(|order| order.is_null(row));
    found.extend(rows.chunk_by(same).filter(|equal| equal.len() > 1 || null(equal[0])).flatten());
}

/// Takes rows out of their groups.
fn leave_out(rows: &[u32], starts: &mut [u32], members: &mut Vec<u32>) {
    let rows: std::collections::HashSet<u32> = rows.iter().copied().collect();
    let mut kept = 0u32;
    let mut start = starts[0] as usize;
    for group in 0..starts.len() - 1 {
        let end = starts[group + 1] as usize;
        for place in start..end {
            let row = members[place];
            if !rows.contains(&row) {
                members[kept as usize] = row;
                kept += 1;
            }
        }
        start = end;
        starts[group + 1] = kept;
    }
    members.truncate(kept as usize);
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
