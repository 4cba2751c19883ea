//! A batch's columns, downcast once and laid beside their plan; and how a row of them is written.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use hivecast_feed::Nulls;
use hivecast_run::{Fault, Result};

use super::mask::Masking;
use super::plan::{FieldPlan, Plan};
use super::scalar::{Formats, NoText, Presence, Scalars};
use super::text::{escape_tail, push_bytes, push_escaped};

/// A value that could not be written, with the names of the fields it lies in, innermost first.
#[derive(Debug)]
pub(super) struct Unwritable {
    pub(super) path: Vec<String>,
    pub(super) why: NoText,
}

type Written = std::result::Result<Presence, Box<Unwritable>>;

impl From<NoText> for Box<Unwritable> {
    fn from(why: NoText) -> Self {
        Box::new(Unwritable { path: Vec::new(), why })
    }
}

/// The columns of one object.
pub(super) struct Object<'a> {
    /// Absent where no row is null.
    nulls: Option<&'a NullBuffer>,
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    plan: &'a FieldPlan,
    node: Node<'a>,
}

enum Node<'a> {
    Scalars(Scalars<'a>),
    Masked(Scalars<'a>, &'a Masking),
    Object(Object<'a>),
    Elements(Vec<Object<'a>>),
    Array { nulls: Option<&'a NullBuffer>, offsets: Offsets<'a>, items: Box<Node<'a>> },
    Map { nulls: Option<&'a NullBuffer>, offsets: &'a [i32], keys: Scalars<'a>, values: Box<Node<'a>> },
    MaskedJson(Box<Node<'a>>, &'a Masking),
}

/// Where each row's items lie.
enum Offsets<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
    Fixed(usize),
}

impl Offsets<'_> {
    fn of(&self, row: usize) -> std::ops::Range<usize> {
        // Arrow's offsets are never negative.
        match self {
            Offsets::Small(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Offsets::Large(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Offsets::Fixed(size) => row * size..(row + 1) * size,
        }
    }
}

fn some_nulls(array: &dyn Array) -> Option<&NullBuffer> {
    array.nulls().filter(|nulls| nulls.null_count() > 0)
}

fn unexpected(name: &str, found: &DataType) -> Fault {
    Fault::bug(format!("failed to encode field {name}: its column is {found}, not what was compiled"))
}

/// Lays a struct's columns beside the fields' plans.
pub(super) fn object<'a>(plans: &'a [FieldPlan], array: &'a StructArray) -> Result<Object<'a>> {
    let names = array.fields().iter().map(|column| column.name());
    if !plans.iter().map(|plan| &plan.name).eq(names) {
        return Err(Fault::bug(format!("failed to encode a document: its columns are {:?}", array.fields())));
    }
    let fields = plans.iter().zip(array.columns()).map(|(plan, column)| {
        let node = node(&plan.name, &plan.plan, column)?;
        Ok(Field { plan, node })
    });
    Ok(Object { nulls: some_nulls(array), fields: fields.collect::<Result<_>>()? })
}

fn node<'a>(name: &str, plan: &'a Plan, array: &'a ArrayRef) -> Result<Node<'a>> {
    let found = || unexpected(name, array.data_type());
    Ok(match plan {
        Plan::Scalar(mask) => {
            let scalars = Scalars::new(array.as_ref()).ok_or_else(found)?;
            match mask {
                Some(mask) => Node::Masked(scalars, mask),
                None => Node::Scalars(scalars),
            }
        }
        Plan::Object(fields) => Node::Object(object(fields, array.as_struct_opt().ok_or_else(found)?)?),
        Plan::Elements(elements) => {
            let columns = array.as_struct_opt().ok_or_else(found)?.columns();
            if columns.len() != elements.len() {
                return Err(found());
            }
            let objects = elements.iter().zip(columns).map(|(fields, column)| {
                let column = column.as_struct_opt().ok_or_else(|| unexpected(name, column.data_type()))?;
                object(fields, column)
            });
            Node::Elements(objects.collect::<Result<_>>()?)
        }
        Plan::Array(item) => {
            let (offsets, values) = match array.data_type() {
                DataType::List(_) => {
                    let list = array.as_list::<i32>();
                    (Offsets::Small(list.value_offsets()), list.values())
                }
                DataType::LargeList(_) => {
                    let list = array.as_list::<i64>();
                    (Offsets::Large(list.value_offsets()), list.values())
                }
                DataType::FixedSizeList(_, size) => {
                    let size = usize::try_from(*size).map_err(|_| found())?;
                    (Offsets::Fixed(size), array.as_fixed_size_list().values())
                }
                _ => return Err(found()),
            };
            let items = Box::new(node(name, item, values)?);
            Node::Array { nulls: some_nulls(array.as_ref()), offsets, items }
        }
        Plan::Map(value) => {
            let map = array.as_map_opt().ok_or_else(found)?;
            let keys = Scalars::new(map.keys().as_ref()).ok_or_else(found)?;
            let values = Box::new(node(name, value, map.values())?);
            Node::Map { nulls: some_nulls(map), offsets: map.value_offsets(), keys, values }
        }
        Plan::Masked(plan, mask) => Node::MaskedJson(Box::new(node(name, plan, array)?), mask),
    })
}

impl Object<'_> {
    /// Appends the object at `row`, or nothing where it is null.
    pub(super) fn push(&self, row: usize, formats: &Formats, out: &mut Vec<u8>) -> Written {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(Presence::Null);
        }
        out.push(b'{');
        let start = out.len();
        for field in &self.fields {
            field.push(row, formats, out)?;
        }
        Ok(close(out, start, b'}'))
    }
}

/// Ends an object or array that was opened before `start`: each part in it ends with a comma, of
/// which the last becomes the bracket.
#[inline]
fn close(out: &mut Vec<u8>, start: usize, bracket: u8) -> Presence {
    if out.len() == start {
        out.push(bracket);
        return Presence::Empty;
    }
    if let Some(comma) = out.last_mut() {
        *comma = bracket;
    }
    Presence::Value
}

impl Field<'_> {
    /// Appends `"name":value,` with its wrapper, or nothing where the feed leaves it out.
    #[inline]
    fn push(
        &self,
        row: usize,
        formats: &Formats,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), Box<Unwritable>> {
        let plan = self.plan;
        if let Node::Scalars(scalars) = &self.node
            && let Some(text) = scalars.plain_text(row)
        {
            out.extend_from_slice(&plan.open);
            push_escaped(out, text.as_bytes());
            push_bytes(out, &plan.close);
            return Ok(());
        }
        let start = out.len();
        // All but text goes without the quotes that the plan's bytes have at their inner ends.
        out.extend_from_slice(&plan.open[..plan.open.len() - 1]);
        let presence = self.node.push(row, formats, out).map_err(|mut error| {
            error.path.push(plan.name.clone());
            error
        })?;
        match (presence, formats.nulls) {
            (Presence::Null | Presence::Empty, Nulls::Omit) => {
                out.truncate(start);
                return Ok(());
            }
            (Presence::Null, Nulls::Keep) => out.extend_from_slice(b"null"),
            (Presence::Empty, Nulls::Keep) | (Presence::Value, _) => {}
        }
        push_bytes(out, &plan.close[1..]);
        Ok(())
    }
}

impl Node<'_> {
    /// Appends the value at `row`, or nothing where it is null.
    fn push(&self, row: usize, formats: &Formats, out: &mut Vec<u8>) -> Written {
        match self {
            Node::Scalars(scalars) => Ok(scalars.push_json(row, formats, out)?),
            Node::Masked(scalars, mask) => push_masked(scalars, mask, row, formats, out),
            Node::Object(object) => object.push(row, formats, out),
            Node::Elements(elements) => push_elements(elements, row, formats, out),
            Node::Array { nulls, offsets, items } => {
                if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                    return Ok(Presence::Null);
                }
                push_items(items, offsets.of(row), formats, out)
            }
            Node::Map { nulls, offsets, keys, values } => {
                if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                    return Ok(Presence::Null);
                }
                push_entries(keys, values, offsets[row] as usize..offsets[row + 1] as usize, formats, out)
            }
            Node::MaskedJson(node, mask) => push_masked_json(node, mask, row, formats, out),
        }
    }
}

/// The mask of the value's text form; null stays null.
fn push_masked(
    scalars: &Scalars<'_>,
    mask: &Masking,
    row: usize,
    formats: &Formats,
    out: &mut Vec<u8>,
) -> Written {
    let quote = out.len();
    out.push(b'"');
    let start = out.len();
    if scalars.push_raw(row, formats, out)? == Presence::Null {
        out.truncate(quote);
        return Ok(Presence::Null);
    }
    mask.replace_tail(out, start);
    escape_tail(out, start);
    out.push(b'"');
    Ok(Presence::Value)
}

/// The mask of an array's, object's or map's JSON text; where there is nothing, nothing is masked.
fn push_masked_json(
    node: &Node<'_>,
    mask: &Masking,
    row: usize,
    formats: &Formats,
    out: &mut Vec<u8>,
) -> Written {
    let quote = out.len();
    out.push(b'"');
    let start = out.len();
    let presence = node.push(row, formats, out)?;
    if presence == Presence::Null || (presence == Presence::Empty && formats.nulls == Nulls::Omit) {
        out.truncate(quote);
        return Ok(Presence::Null);
    }
    mask.replace_tail(out, start);
    escape_tail(out, start);
    out.push(b'"');
    Ok(Presence::Value)
}

/// The elements of a `list` whose `when` was true. One that says nothing is left out with the nulls.
fn push_elements(elements: &[Object<'_>], row: usize, formats: &Formats, out: &mut Vec<u8>) -> Written {
    out.push(b'[');
    let start = out.len();
    for element in elements {
        let before = out.len();
        match element.push(row, formats, out)? {
            Presence::Null => {}
            Presence::Empty if formats.nulls == Nulls::Omit => out.truncate(before),
            Presence::Empty | Presence::Value => out.push(b','),
        }
    }
    Ok(close(out, start, b']'))
}

/// The items of a `many` or of a value of list type. Each keeps its place, whatever it holds: an
/// array has one element a row.
fn push_items(
    items: &Node<'_>,
    rows: std::ops::Range<usize>,
    formats: &Formats,
    out: &mut Vec<u8>,
) -> Written {
    out.push(b'[');
    let start = out.len();
    for row in rows {
        if items.push(row, formats, out)? == Presence::Null {
            out.extend_from_slice(b"null");
        }
        out.push(b',');
    }
    Ok(close(out, start, b']'))
}

/// The entries of a map, as fields of an object.
fn push_entries(
    keys: &Scalars<'_>,
    values: &Node<'_>,
    rows: std::ops::Range<usize>,
    formats: &Formats,
    out: &mut Vec<u8>,
) -> Written {
    out.push(b'{');
    let start = out.len();
    for row in rows {
        let before = out.len();
        out.push(b'"');
        let name = out.len();
        keys.push_raw(row, formats, out)?;
        escape_tail(out, name);
        out.extend_from_slice(b"\":");
        match (values.push(row, formats, out)?, formats.nulls) {
            (Presence::Null | Presence::Empty, Nulls::Omit) => {
                out.truncate(before);
                continue;
            }
            (Presence::Null, Nulls::Keep) => out.extend_from_slice(b"null"),
            (Presence::Empty, Nulls::Keep) | (Presence::Value, _) => {}
        }
        out.push(b',');
    }
    Ok(close(out, start, b'}'))
}
