//! The way of an export that is evaluated, joined and nested elsewhere, on a cluster: what it is asked for
//! ([`Nesting`]), what it gives back ([`Joined`]), and how that becomes an edition ([`assemble()`]).
//!
//! A cluster gives the root's rows, divided by ranges of their key's CRC-32, each with its slots and with
//! the rows below it in lists. Everything that decides the bytes of an edition happens here, in the code
//! that the embedded engine has: the order of documents and of elements, which row of several is taken,
//! how slots become objects. So no order that a cluster gives is relied upon.

mod assemble;
mod level;
mod quarantine;
mod row_check;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use hivecast_feed::Checked;
use hivecast_run::{Fault, Result};
use hivecast_sql::{Expression, normal_type};

use crate::masked::Masked;
use crate::nodes::{Arity, ChildPlan, NodePlan};
use crate::plan::Plan;
use crate::query_gates::{self, QueryFindings};

pub use crate::embedded::check_memory;
pub use crate::query_gates::AskSql;
pub use assemble::{assemble, lacks_memory, part_budget};
pub use quarantine::Quarantine;
pub use row_check::{RowCheck, RowRule};

/// What a cluster evaluates, joins and nests: the document's tree, bound to the tables.
#[derive(Debug)]
pub struct Nesting<'a> {
    pub(crate) checked: &'a Checked,
    pub(crate) masked: Masked,
    pub(crate) root: NodePlan,
}

/// How a column of slots or of lists is named in a cluster's rows.
#[derive(Clone, Copy, Debug)]
pub struct Names;

impl Names {
    /// The column of a slot.
    pub fn slot(index: usize) -> String {
        format!("s{index}")
    }

    /// The column of a child level's rows.
    pub fn child(index: usize) -> String {
        format!("c{index}")
    }
}

impl<'a> Nesting<'a> {
    /// Binds a feed's document. The feed was checked, so that nothing can be wrong with it.
    pub fn of(checked: &'a Checked) -> Result<Self> {
        let masked = Masked::of(checked);
        let root = NodePlan::bind(checked, &masked)?;
        Ok(Nesting { checked, masked, root })
    }

    /// The document itself.
    pub fn root(&self) -> LevelPlan<'_> {
        LevelPlan(&self.root)
    }

    /// The gates that look at rows of this table one by one, in the feed's order.
    pub fn row_checks(&self, table: &str) -> Vec<RowCheck> {
        row_check::of(&self.checked.feed, table)
    }

    /// Whether the feed hides anything from consumers, which a cluster's messages would quote.
    pub fn hides_anything(&self) -> bool {
        self.masked.hides_anything()
    }
}

/// What the queries of `sql` gates found.
#[derive(Debug)]
pub struct SqlGates(pub(crate) QueryFindings);

impl SqlGates {
    /// Asks them all. `ask` runs a query of the feed, in the feed's own words, and names it in errors by its
    /// first argument. Keys of documents that a gate sets aside wait in the plan's spill directory.
    pub fn judge(plan: &Plan, nesting: &Nesting<'_>, ask: &AskSql<'_>) -> Result<SqlGates> {
        std::fs::create_dir_all(&plan.spill).map_err(|error| {
            Fault::io(format!("failed to make the directory {} for spill files", plan.spill.display()), error)
        })?;
        query_gates::judge_elsewhere(&plan.checked, &nesting.masked, &plan.spill, ask).map(SqlGates)
    }
}

/// One level of the document, as a cluster has to evaluate it.
#[derive(Clone, Copy, Debug)]
pub struct LevelPlan<'a>(pub(crate) &'a NodePlan);

/// How many rows of a level one row above it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// At most one: more are a gate's matter, and any of them may come.
    One,
    /// Any number.
    Many,
}

impl<'a> LevelPlan<'a> {
    /// Where it is in the document, empty at the root. No two levels have the same.
    pub fn path(self) -> &'a str {
        &self.0.path
    }

    /// How messages name it.
    pub fn title(self) -> String {
        self.0.title()
    }

    /// The table's name in the feed.
    pub fn table(self) -> &'a str {
        &self.0.table
    }

    /// What is to be evaluated for each row.
    pub fn slots(self) -> &'a [Expression] {
        &self.0.slots
    }

    /// What a slot is for, and where the feed says so, for messages.
    pub fn origin(self, slot: usize) -> &'a str {
        &self.0.origins[slot].title
    }

    /// The slots that join with the level above; none at the root.
    pub fn on(self) -> &'a [usize] {
        &self.0.on
    }

    /// The slot of the document's or the element's key.
    pub fn key(self) -> Option<usize> {
        self.0.key
    }

    /// How many rows of it one row above may have.
    pub fn rows(self) -> Rows {
        match self.0.arity {
            Arity::Many => Rows::Many,
            Arity::One | Arity::Root => Rows::One,
        }
    }

    /// The levels below, each with the slots of this one that it joins with, in the order of its
    /// [`LevelPlan::on`].
    pub fn children(self) -> impl Iterator<Item = (LevelPlan<'a>, &'a [usize])> {
        self.0
            .children
            .iter()
            .map(|ChildPlan { node, parent_slots }| (LevelPlan(node), parent_slots.as_slice()))
    }

    /// This level and all below it.
    pub fn walk(self) -> Vec<LevelPlan<'a>> {
        self.0.walk().into_iter().map(LevelPlan).collect()
    }

    /// The columns of its rows: one for each slot ([`Names::slot`]), of the slot's type, then one for each
    /// level below ([`Names::child`]), a list of such rows that may be null for none.
    pub fn row_schema(self) -> SchemaRef {
        Arc::new(Schema::new(row_fields(self.0)))
    }
}

pub(crate) fn row_fields(node: &NodePlan) -> Fields {
    let slots = node.slots.iter().enumerate();
    let slots =
        slots.map(|(index, slot)| Field::new(Names::slot(index), normal_type(slot.data_type()), true));
    let list =
        |node| DataType::List(Arc::new(Field::new("element", DataType::Struct(row_fields(node)), true)));
    let children = node.children.iter().enumerate();
    let children = children.map(|(index, child)| Field::new(Names::child(index), list(&child.node), true));
    slots.chain(children).collect()
}

/// The root's rows as a cluster has written them.
pub trait Parts: Sync {
    /// How many parts there are. Part `p` of `n` holds the rows for whose key's CRC-32 `h`
    /// `h * n / 2^32`, rounded down, is `p`; rows without a key may be in any.
    fn count(&self) -> u32;

    /// Rows of a part, as its files tell.
    fn rows(&self, part: u32) -> u64;

    /// Gives all rows of a part to `take`, in any order, with the columns of [`LevelPlan::row_schema`], and ends
    /// with its error where it has one. What can't be read is `Class::Infrastructure`: a cluster's files are no
    /// export, and are written again.
    fn load(&self, part: u32, take: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()>;
}

/// What a cluster counted besides, since it is seen of all rows and not of those in documents.
#[derive(Clone, Debug, Default)]
pub struct LevelCounts {
    /// The level's path.
    pub path: String,
    /// Rows of its table.
    pub rows_read: u64,
    /// Rows after `where`.
    pub rows_judged: u64,
    /// Rows after `where` and without those that gates took out.
    pub rows: u64,
    /// For each of [`Nesting::row_checks`], how many rows breach it, and some of the offending keys, each
    /// with one value a column.
    pub breaches: Vec<(u64, Vec<Vec<String>>)>,
    /// Where a gate asks for it: rows without a row above, `where` aside, and some of their join keys.
    pub orphans: Option<(u64, Vec<String>)>,
    /// Of a level below another: rows that can't be told apart.
    pub ambiguous: Option<Ambiguous>,
    /// How often its rows lie below the root's, each once for every row above that it joins with; of the
    /// root, its rows. So many have to be in the parts.
    pub nested: u64,
}

/// Rows of a level that can't be told apart by its join columns ([`Rows::One`]), or by those and the element's
/// key ([`Rows::Many`], of rows that have one above).
#[derive(Clone, Debug, Default)]
pub struct Ambiguous {
    /// Join keys with such rows.
    pub keys: u64,
    /// Rows beyond the first of each, and all without an element's key.
    pub surplus: u64,
    /// All such rows, where the feed sets them aside.
    pub set_aside: u64,
    /// Some of the keys, with their surplus.
    pub examples: Vec<String>,
}

/// All that a cluster gives.
pub struct Joined<'a> {
    /// Which engine it is, for the edition's description: `spark 4.2.0`.
    pub engine: String,
    /// The documents' rows.
    pub parts: &'a dyn Parts,
    /// One for each level.
    pub levels: Vec<LevelCounts>,
    /// What the queries of `sql` gates found.
    pub queried: SqlGates,
    /// Hands over the rows that gates took out and the documents that they name.
    pub set_aside: &'a dyn Fn(&Quarantine<'_>) -> Result<()>,
}
