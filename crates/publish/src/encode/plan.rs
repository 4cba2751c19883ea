//! The document's shape, compiled once: what stands around each value as ready bytes, and how large
//! it can get.

use arrow_schema::{DataType, Field as Column, FieldRef};
use hivecast_feed::{EnvelopeStyle, Field, Nulls, Shape};
use hivecast_run::{Fault, Result};

use super::bound::Cost;
use super::mask::Masking;
use super::scalar::{self, Formats};
use super::text::json_string;

/// What stands before each value in the `operations` envelope of a whole document.
const INSERT: &[u8] = br#"{"operation":"INSERT","newValue":"#;

/// How a part of the document is written, whatever arrays hold its values.
pub(super) enum Plan {
    /// A single value.
    Scalar(Option<Masking>),
    /// `fields`, `one`, and values of struct type.
    Object(Vec<FieldPlan>),
    /// `list`: one object for each element.
    Elements(Vec<Vec<FieldPlan>>),
    /// `many`, and values of list type.
    Array(Box<Plan>),
    /// Values of map type, by what their values are; their keys are single values.
    Map(Box<Plan>),
    /// A value of list, struct or map type under a mask, which hides its JSON text.
    Masked(Box<Plan>, Masking),
}

/// A field of an object.
pub(super) struct FieldPlan {
    pub(super) name: String,
    /// What stands before the value: name, colon, wrapper, and the opening quote of a text, which
    /// other values leave out.
    pub(super) open: Vec<u8>,
    /// What stands after it: the closing quote of a text, the wrapper's end, a comma, which the
    /// object's end replaces.
    pub(super) close: Vec<u8>,
    pub(super) plan: Plan,
}

/// Whether fields carry their operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrap {
    Bare,
    Operation,
}

/// What compiling needs besides the shape.
pub(super) struct Compiler<'a> {
    pub(super) feed: &'a str,
    pub(super) formats: &'a Formats,
    pub(super) mask_key: Option<&'a [u8]>,
}

impl Wrap {
    pub(super) fn of(style: EnvelopeStyle) -> Self {
        match style {
            EnvelopeStyle::Operations => Wrap::Operation,
            EnvelopeStyle::Plain | EnvelopeStyle::BeforeAfter => Wrap::Bare,
        }
    }
}

impl Compiler<'_> {
    /// The fields of one level, which must be the columns of its struct.
    pub(super) fn object(
        &self,
        shapes: &[Field],
        columns: &[FieldRef],
        wrap: Wrap,
    ) -> Result<(Vec<FieldPlan>, Cost)> {
        if shapes.len() != columns.len() {
            return Err(self.mismatch(&format!("{} fields as {} columns", shapes.len(), columns.len())));
        }
        let fields = shapes.iter().zip(columns).map(|(shape, column)| self.field(shape, column, wrap));
        object(fields)
    }

    fn field(&self, field: &Field, column: &Column, wrap: Wrap) -> Result<(FieldPlan, Cost)> {
        if field.name != *column.name() {
            return Err(self.mismatch(&format!("field {} as column {}", field.name, column.name())));
        }
        let (plan, cost, wrap) = match (&field.shape, column.data_type()) {
            (Shape::Value { mask, .. }, data_type) => {
                let mask = mask.map(|mask| Masking::new(mask, self.mask_key, self.feed, &field.name));
                let (plan, cost) = self.value(&field.name, data_type, mask.transpose()?)?;
                (plan, cost, wrap)
            }
            (Shape::Fields(inner), DataType::Struct(columns)) => {
                let (inner, cost) = self.object(inner, columns, Wrap::Bare)?;
                (Plan::Object(inner), cost, wrap)
            }
            (Shape::One(node), DataType::Struct(columns)) => {
                let (inner, cost) = self.object(&node.fields, columns, Wrap::Bare)?;
                (Plan::Object(inner), cost, wrap)
            }
            (Shape::List(elements), DataType::Struct(columns)) if elements.len() == columns.len() => {
                let objects =
                    elements.iter().zip(columns).map(|(element, column)| match column.data_type() {
                        DataType::Struct(columns) => self.object(&element.fields, columns, Wrap::Bare),
                        other => Err(self.mismatch(&format!("an element of {} as {other}", field.name))),
                    });
                let objects = objects.collect::<Result<Vec<_>>>()?;
                let (objects, costs): (Vec<_>, Vec<_>) = objects.into_iter().unzip();
                (Plan::Elements(objects), Cost::side_by_side(costs), wrap)
            }
            // Only `many` is walked into: it is bare itself, and its elements' fields are wrapped.
            (Shape::Many(node), DataType::List(element)) => match element.data_type() {
                DataType::Struct(columns) => {
                    let (inner, cost) = self.object(&node.fields, columns, wrap)?;
                    (Plan::Array(Box::new(Plan::Object(inner))), cost.repeated(), Wrap::Bare)
                }
                other => return Err(self.mismatch(&format!("elements of {} as {other}", field.name))),
            },
            (_, other) => return Err(self.mismatch(&format!("field {} as {other}", field.name))),
        };
        Ok(named(&field.name, plan, cost, wrap, self.formats.nulls))
    }

    fn value(&self, name: &str, data_type: &DataType, mask: Option<Masking>) -> Result<(Plan, Cost)> {
        let (plan, cost) = self.unmasked(name, data_type)?;
        Ok(match (plan, mask) {
            (plan, None) => (plan, cost),
            (Plan::Scalar(_), Some(mask)) => (Plan::Scalar(Some(mask)), cost.masked_scalar()),
            (plan, Some(mask)) => (Plan::Masked(Box::new(plan), mask), cost.masked_json()),
        })
    }

    fn unmasked(&self, name: &str, data_type: &DataType) -> Result<(Plan, Cost)> {
        let nulls = self.formats.nulls;
        match data_type {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                let (item, cost) = self.unmasked(name, item.data_type())?;
                Ok((Plan::Array(Box::new(item)), cost.repeated()))
            }
            DataType::Struct(columns) => {
                let fields = columns.iter().map(|column| {
                    let (plan, cost) = self.unmasked(column.name(), column.data_type())?;
                    Ok(named(column.name(), plan, cost, Wrap::Bare, nulls))
                });
                let (fields, cost) = object(fields)?;
                Ok((Plan::Object(fields), cost))
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(columns) = entries.data_type() else {
                    return Err(self.mismatch(&format!("map {name} without entries")));
                };
                let [key, value] = columns.as_ref() else {
                    return Err(self.mismatch(&format!("map {name} without keys and values")));
                };
                let (key, key_cost) = self.unmasked(name, key.data_type())?;
                if !matches!(key, Plan::Scalar(_)) {
                    return Err(self.unsupported(name, data_type));
                }
                let (value, value_cost) = self.unmasked(name, value.data_type())?;
                Ok((Plan::Map(Box::new(value)), key_cost.entries(value_cost)))
            }
            scalar => {
                let longest =
                    scalar::longest(scalar, self.formats).ok_or_else(|| self.unsupported(name, scalar))?;
                Ok((Plan::Scalar(None), Cost::scalar(longest)))
            }
        }
    }

    fn mismatch(&self, what: &str) -> Fault {
        Fault::bug(format!("failed to encode feed {}: the document column has {what}", self.feed))
    }

    fn unsupported(&self, name: &str, data_type: &DataType) -> Fault {
        Fault::usage(format!(
            "failed to encode field {name} of feed {}: {data_type} has no form in JSON",
            self.feed
        ))
        .advise("cast it in the expression, for example to string")
    }
}

fn object(fields: impl Iterator<Item = Result<(FieldPlan, Cost)>>) -> Result<(Vec<FieldPlan>, Cost)> {
    let (fields, costs): (Vec<_>, Vec<_>) = fields.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    Ok((fields, Cost::side_by_side(costs)))
}

fn named(name: &str, plan: Plan, cost: Cost, wrap: Wrap, nulls: Nulls) -> (FieldPlan, Cost) {
    let mut open = json_string(name);
    open.push(b':');
    let mut close = b"\"".to_vec();
    if wrap == Wrap::Operation {
        open.extend_from_slice(INSERT);
        close.push(b'}');
    }
    open.push(b'"');
    close.push(b',');
    let around = (open.len() + close.len()) as u64;
    let cost = match plan {
        Plan::Scalar(_) => cost.named_scalar(around, nulls),
        _ => cost.named_part(around),
    };
    (FieldPlan { name: name.to_owned(), open, close, plan }, cost)
}
