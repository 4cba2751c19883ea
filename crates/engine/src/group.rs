//! Joining a level with the level below it, by index: which child rows belong to which parent row.

use arrow_array::UInt64Array;
use hashbrown::HashTable;
use hivecast_run::{Context, Fault, Result};

use crate::keys::{KeyOrder, Keys};
use crate::nodes::Arity;
use crate::row_gates::plural;

/// No group: the key holds a null, or nothing matches it.
const NONE: u32 = u32::MAX;

/// How many child rows are grouped between two looks at whether the run should stop.
const ROWS_PER_CHECK: usize = 1 << 20;

/// The child rows of each parent row. Parents with equal keys share one group.
#[derive(Debug)]
pub(crate) struct Groups {
    /// For each parent row its group, or [`NONE`].
    group_of_parent: Vec<u32>,
    /// Where each group's rows start in `members`, and one more for the end.
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
        match self.group_of_parent[parent as usize] {
            NONE => &[],
            group => {
                let group = group as usize;
                &self.members[self.starts[group] as usize..self.starts[group + 1] as usize]
            }
        }
    }

    /// Bytes of the index itself.
    pub(crate) fn bytes(&self) -> usize {
        (self.group_of_parent.len() + self.starts.len() + self.members.len()) * size_of::<u32>()
    }

    /// Groups child rows by parent key: a hash table over the parents' keys, one probe for each child
    /// row, a counting sort by group, then each group put into the order of its key.
    pub(crate) fn build(grouping: &Grouping<'_>, context: &Context<'_>) -> Result<(Self, Findings)> {
        let parents = grouping.parents;
        row_number(parents.len())?;
        row_number(grouping.children.len())?;
        let (table, group_of_parent, firsts) = group_parents(parents);
        let live = firsts.len();
        let dead = grouping.dead_parents.map(|dead| dead_table(dead));

        let mut findings = Findings::default();
        let mut strays = Strays::default();
        let mut group_of_child = vec![NONE; grouping.children.len()];
        let mut starts = vec![0u32; live + 1];
        for (row, group_of_row) in group_of_child.iter_mut().enumerate() {
            if row % ROWS_PER_CHECK == 0 {
                context.check_cancelled()?;
            }
            let found = find(&table, &firsts, parents, grouping.children, row);
            match found {
                Some(group) => {
                    *group_of_row = group;
                    starts[group as usize + 1] += 1;
                }
                None => {
                    note_orphan(grouping, dead.as_ref(), row, &mut findings);
                    strays.note(grouping, row, &mut findings);
                }
            }
        }
        for group in 0..live {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut members = vec![0u32; starts[live] as usize];
        for (row, group) in group_of_child.iter().enumerate() {
            if *group != NONE {
                let place = &mut next[*group as usize];
                members[*place as usize] = row as u32;
                *place += 1;
            }
        }
        order_groups(grouping, &firsts, &starts, &mut members, &mut findings);
        if !findings.ambiguous_rows.is_empty() {
            leave_out(&findings.ambiguous_rows, &mut starts, &mut members);
        }
        Ok((Groups { group_of_parent, starts, members }, findings))
    }
}

impl Groups {
    /// Groups that somebody else has joined: parent row `n` has the child rows between `offsets[n]` and
    /// `offsets[n + 1]`. Each group is put into the order of its key. `grouping` counts the child rows from
    /// the first that the offsets reach.
    pub(crate) fn of_lists(offsets: &[i32], grouping: &Grouping<'_>) -> Result<Self> {
        row_number(grouping.parents.len())?;
        let first = offsets[0];
        let starts: Vec<u32> = offsets.iter().map(|offset| (offset - first) as u32).collect();
        let mut members: Vec<u32> = (0..row_number(grouping.children.len())?).collect();
        let group_of_parent: Vec<u32> = (0..grouping.parents.len() as u32).collect();
        order_groups(grouping, &group_of_parent, &starts, &mut members, &mut Findings::default());
        Ok(Groups { group_of_parent, starts, members })
    }
}

/// A row number as the index holds it.
fn row_number(rows: usize) -> Result<u32> {
    u32::try_from(rows).ok().filter(|rows| *rows < NONE).ok_or_else(|| {
        Fault::usage(format!("{rows} rows are too many for one piece; lower --memory so that they are cut"))
    })
}

type Table = HashTable<(u64, u32)>;

/// The distinct keys of the parents, each parent's group, and each group's first parent row.
fn group_parents(parents: &Keys) -> (Table, Vec<u32>, Vec<u32>) {
    let mut table = Table::with_capacity(parents.len());
    let mut groups = vec![NONE; parents.len()];
    let mut firsts: Vec<u32> = Vec::new();
    for (row, group) in groups.iter_mut().enumerate() {
        if parents.is_null(row) {
            continue;
        }
        let hash = parents.hash(row);
        let same = |entry: &(u64, u32)| {
            entry.0 == hash && parents.equal(row, parents, firsts[entry.1 as usize] as usize)
        };
        *group = match table.find(hash, same) {
            Some(entry) => entry.1,
            None => {
                let new = firsts.len() as u32;
                table.insert_unique(hash, (hash, new), |entry| entry.0);
                firsts.push(row as u32);
                new
            }
        };
    }
    (table, groups, firsts)
}

fn find(table: &Table, firsts: &[u32], parents: &Keys, children: &Keys, row: usize) -> Option<u32> {
    if children.is_null(row) {
        return None;
    }
    let hash = children.hash(row);
    let same = |entry: &(u64, u32)| {
        entry.0 == hash && children.equal(row, parents, firsts[entry.1 as usize] as usize)
    };
    table.find(hash, same).map(|entry| entry.1)
}

/// Keys of rows that `where` left out.
struct Dead<'a> {
    keys: &'a Keys,
    table: Table,
}

fn dead_table(keys: &Keys) -> Dead<'_> {
    let mut table = Table::with_capacity(keys.len());
    for row in 0..keys.len() {
        if !keys.is_null(row) {
            let hash = keys.hash(row);
            table.insert_unique(hash, (hash, row as u32), |entry| entry.0);
        }
    }
    Dead { keys, table }
}

/// Rows of a `one` that no parent asks for. Its key must be unique all the same: which of them would
/// be taken must not hang on tomorrow's parents.
#[derive(Default)]
struct Strays {
    table: Table,
}

impl Strays {
    fn note(&mut self, grouping: &Grouping<'_>, row: usize, findings: &mut Findings) {
        let children = grouping.children;
        if grouping.arity != Arity::One || children.is_null(row) {
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

fn note_orphan(grouping: &Grouping<'_>, dead: Option<&Dead<'_>>, row: usize, findings: &mut Findings) {
    let Some(dead) = dead else { return };
    let children = grouping.children;
    if !children.is_null(row) {
        let hash = children.hash(row);
        let same = |entry: &(u64, u32)| entry.0 == hash && children.equal(row, dead.keys, entry.1 as usize);
        if dead.table.find(hash, same).is_some() {
            return;
        }
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

/// Orders each group by its key and notes groups that the feed does not allow.
fn order_groups(
    grouping: &Grouping<'_>,
    firsts: &[u32],
    starts: &[u32],
    members: &mut [u32],
    findings: &mut Findings,
) {
    for (group, first) in firsts.iter().enumerate() {
        let rows = &mut members[starts[group] as usize..starts[group + 1] as usize];
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
                let key = grouping.parents.display(*first as usize);
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
