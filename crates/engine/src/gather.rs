//! Documents from indices: the wide columns are gathered last, a few thousand documents at a time.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StructArray, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Fields};
use arrow_select::take::take;
use hivecast_run::{Fault, Result};

use crate::group::Groups;
use crate::nodes::{Arity, NodePlan, Part};
use crate::sizes;

/// One level's rows in memory, joined with the levels below.
#[derive(Debug)]
pub(crate) struct Level<'a> {
    pub(crate) plan: &'a NodePlan,
    pub(crate) len: usize,
    pub(crate) content: Content<'a>,
    /// Whether some of its own values are so large that its rows do not weigh alike.
    has_large_values: bool,
}

/// What a level's structs are made of.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Slots, and the children either by index or, where an earlier pass has put them together
    /// already, as columns.
    Parts { slots: Vec<ArrayRef>, children: Vec<Child<'a>> },
    /// The structs themselves, put together in an earlier pass.
    Whole(ArrayRef),
}

/// The rows below a level.
#[derive(Debug)]
pub(crate) enum Child<'a> {
    /// By index.
    Linked { groups: Groups, level: Box<Level<'a>> },
    /// A column of finished structs or lists, one for each row of the level.
    Column(ArrayRef),
    /// Joined in a later pass.
    Later,
}

impl<'a> Level<'a> {
    pub(crate) fn new(plan: &'a NodePlan, len: usize, content: Content<'a>) -> Self {
        let has_large_values = match &content {
            Content::Parts { slots, children } => {
                let columns = children.iter().filter_map(|child| match child {
                    Child::Column(column) => Some(column),
                    Child::Linked { .. } | Child::Later => None,
                });
                slots.iter().chain(columns).any(sizes::has_large_values)
            }
            Content::Whole(structs) => sizes::has_large_values(structs),
        };
        Level { plan, len, content, has_large_values }
    }

    /// The structs of these rows; a null index gives a null struct.
    pub(crate) fn gather(&self, rows: &UInt32Array) -> Result<StructArray> {
        match &self.content {
            Content::Whole(structs) => Ok(taken(structs, rows)?.as_struct().clone()),
            Content::Parts { slots, children } => {
                let gathering = Gathering { slots, children, rows };
                let columns = gathering.columns(&self.plan.layout)?;
                structure(&self.plan.fields, columns, rows.len(), rows.nulls().cloned())
            }
        }
    }

    /// One part of these rows' structs.
    pub(crate) fn part(&self, part: &Part, rows: &UInt32Array) -> Result<ArrayRef> {
        let (slots, children) = self.parts()?;
        Gathering { slots, children, rows }.column(part)
    }

    /// Some slots of these rows.
    pub(crate) fn slots(&self, wanted: &[usize], rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
        let (slots, _) = self.parts()?;
        wanted.iter().map(|slot| taken(&slots[*slot], rows)).collect()
    }

    fn parts(&self) -> Result<(&[ArrayRef], &[Child<'_>])> {
        match &self.content {
            Content::Parts { slots, children } => Ok((slots, children)),
            Content::Whole(_) => Err(Fault::bug("a finished level has no slots")),
        }
    }

    /// How many rows of usual size, over all levels, one row is: what a batch is cut by.
    pub(crate) fn weight(&self, row: u32) -> usize {
        let own = |columns: &[ArrayRef]| match self.has_large_values {
            true => 1 + sizes::weight(columns, row as usize),
            false => 1,
        };
        let (slots, children) = match &self.content {
            Content::Parts { slots, children } => (slots, children),
            Content::Whole(structs) => return own(std::slice::from_ref(structs)),
        };
        let below = children.iter().map(|child| match child {
            Child::Linked { groups, level } => groups.of(row).iter().map(|row| level.weight(*row)).sum(),
            Child::Column(column) => {
                let elements = column.as_list_opt::<i32>().map(|list| list.value_length(row as usize));
                elements.map_or(1, |elements| elements as usize) + own(std::slice::from_ref(column)) - 1
            }
            Child::Later => 0,
        });
        own(slots) + below.sum::<usize>()
    }
}

struct Gathering<'a> {
    slots: &'a [ArrayRef],
    children: &'a [Child<'a>],
    rows: &'a UInt32Array,
}

impl Gathering<'_> {
    fn columns(&self, parts: &[Part]) -> Result<Vec<ArrayRef>> {
        parts.iter().map(|part| self.column(part)).collect()
    }

    fn column(&self, part: &Part) -> Result<ArrayRef> {
        Ok(match part {
            Part::Slot(slot) => taken(&self.slots[*slot], self.rows)?,
            Part::Struct(parts, fields) => {
                Arc::new(structure(fields, self.columns(parts)?, self.rows.len(), None)?)
            }
            Part::List(elements, fields) => {
                let mut columns: Vec<ArrayRef> = Vec::with_capacity(elements.len());
                for element in elements {
                    let nulls = element.when.map(|slot| self.true_rows(slot)).transpose()?;
                    let inner = self.columns(&element.parts)?;
                    columns.push(Arc::new(structure(&element.fields, inner, self.rows.len(), nulls)?));
                }
                Arc::new(structure(fields, columns, self.rows.len(), None)?)
            }
            Part::Child(child) => match &self.children[*child] {
                Child::Column(column) => child_column(column, self.rows)?,
                Child::Linked { groups, level } => match level.plan.arity {
                    Arity::Many => Arc::new(self.many(groups, level)?),
                    Arity::One | Arity::Root => Arc::new(self.one(groups, level)?),
                },
                Child::Later => return Err(Fault::bug("a level was put together before its last join")),
            },
        })
    }

    /// Valid where the boolean slot is true: null is not true.
    fn true_rows(&self, slot: usize) -> Result<NullBuffer> {
        let when = taken(&self.slots[slot], self.rows)?;
        let when = when.as_boolean();
        Ok(NullBuffer::new(match when.nulls() {
            None => when.values().clone(),
            Some(nulls) => when.values() & nulls.inner(),
        }))
    }

    fn one(&self, groups: &Groups, level: &Level<'_>) -> Result<StructArray> {
        let rows: UInt32Array =
            self.rows.iter().map(|row| row.and_then(|row| groups.of(row).first().copied())).collect();
        level.gather(&rows)
    }

    fn many(&self, groups: &Groups, level: &Level<'_>) -> Result<ListArray> {
        let mut rows: Vec<u32> = Vec::with_capacity(self.rows.len());
        let mut lengths = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            let members = row.map_or(&[][..], |row| groups.of(row));
            rows.extend_from_slice(members);
            lengths.push(members.len());
        }
        let elements = level.gather(&UInt32Array::from(rows))?;
        list_of(level.plan, elements, lengths)
    }
}

fn list_of(plan: &NodePlan, elements: StructArray, lengths: Vec<usize>) -> Result<ListArray> {
    let DataType::List(field) = NodePlan::child_type(plan) else {
        return Err(Fault::bug(format!("{} is not a list", plan.title())));
    };
    ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), Arc::new(elements), None)
        .map_err(|error| Fault::bug(format!("failed to put together {}", plan.title())).because(error))
}

/// A child's finished column, row by row. A missing row of this level has no children: a list is
/// then empty rather than null, as everywhere in a document.
fn child_column(column: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef> {
    let column = taken(column, rows)?;
    let Some(list) = column.as_list_opt::<i32>().filter(|list| list.null_count() > 0) else {
        return Ok(column);
    };
    let DataType::List(field) = list.data_type() else { return Ok(column) };
    let list = ListArray::try_new(Arc::clone(field), list.offsets().clone(), Arc::clone(list.values()), None)
        .map_err(|error| Fault::bug("failed to put together a list").because(error))?;
    Ok(Arc::new(list))
}

/// A struct array, also where it has no fields.
pub(crate) fn structure(
    fields: &Fields,
    columns: Vec<ArrayRef>,
    len: usize,
    nulls: Option<NullBuffer>,
) -> Result<StructArray> {
    if fields.is_empty() {
        return Ok(StructArray::new_empty_fields(len, nulls));
    }
    StructArray::try_new_with_length(fields.clone(), columns, nulls, len)
        .map_err(|error| Fault::bug("failed to put together an object").because(error))
}

/// `take`, with this room's error.
pub(crate) fn taken(column: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef> {
    if column.is_empty() && rows.null_count() == rows.len() {
        return Ok(arrow_array::new_null_array(column.data_type(), rows.len()));
    }
    take(column, rows, None).map_err(|error| Fault::bug("failed to gather rows").because(error))
}
