//! From rows with lists below them to levels in memory.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::OffsetBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, FieldRef, Fields};
use hivecast_run::{Fault, Result};
use hivecast_warehouse::sort_maps;

use crate::arrays::{compact, joined};
use crate::gather::{Child, Content, Level, taken};
use crate::job::{Job, Listed};
use crate::nested::row_fields;
use crate::nodes::NodePlan;

/// A cluster's rows of a level, with all that is below them.
pub(super) fn level_of<'a>(
    job: &Job<'_>,
    node: &'a NodePlan,
    batches: Vec<RecordBatch>,
) -> Result<Level<'a>> {
    let len = batches.iter().map(RecordBatch::num_rows).sum();
    let fields = row_fields(node);
    let batches =
        batches.into_iter().map(|batch| columns_of(job, &batch, &fields)).collect::<Result<Vec<_>>>()?;
    let columns = joined(batches, fields.iter().map(|field| field.data_type()))?;
    let columns = columns.iter().map(compact).collect::<Result<Vec<_>>>()?;
    level(job, node, columns, len)
}

/// A batch's columns in the types that the level has, and with their maps in the order that reading gives
/// them: a cluster leaves them as the files have them. What does not fit would be another value.
fn columns_of(job: &Job<'_>, batch: &RecordBatch, fields: &Fields) -> Result<Vec<ArrayRef>> {
    let column = |field: &FieldRef| {
        let name = field.name();
        let column = batch.column_by_name(name).ok_or_else(|| {
            Fault::infrastructure(format!("failed to read a cluster's rows: they lack column {name}"))
        })?;
        as_read(job, column, field.data_type(), &format!("column {name} of a cluster's rows"))
    };
    fields.iter().map(column).collect()
}

/// A cluster's column as reading the export would give it; `what` names it in errors.
pub(super) fn as_read(job: &Job<'_>, column: &ArrayRef, to: &DataType, what: &str) -> Result<ArrayRef> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let read = cast_with_options(column, to, &strict).and_then(|column| sort_maps(&column));
    read.map_err(|error| {
        let what = format!("failed to read {what}, {} as {to}", column.data_type());
        job.masked.veil_cause(Fault::infrastructure(what).because(error))
    })
}

fn level<'a>(job: &Job<'_>, node: &'a NodePlan, mut columns: Vec<ArrayRef>, len: usize) -> Result<Level<'a>> {
    let lists = columns.split_off(node.slots.len());
    let mut children = Vec::with_capacity(lists.len());
    for (child, list) in node.children.iter().zip(lists) {
        let (offsets, below) = rows_below(&list)?;
        let below_len = below.len();
        let below = level(job, &child.node, below.as_struct().columns().to_vec(), below_len)?;
        let groups = job.group_listed(Listed {
            child,
            parent_slots: &columns,
            parent_len: len,
            offsets: &offsets,
            level: &below,
        })?;
        children.push(Child::Linked { groups, level: Box::new(below) });
    }
    Ok(Level::new(node, len, Content::Parts { slots: columns, children }))
}

/// The elements of a list column, and where each row's begin. A null list has none.
fn rows_below(list: &ArrayRef) -> Result<(OffsetBuffer<i32>, ArrayRef)> {
    let list = list.as_list::<i32>();
    let own = |row: usize| if list.is_null(row) { 0 } else { list.value_length(row) as usize };
    let lengths = OffsetBuffer::from_lengths((0..list.len()).map(own));
    let (first, last) = (list.value_offsets()[0] as usize, list.value_offsets()[list.len()] as usize);
    let elements = match lengths.last() {
        Some(own) if *own as usize == last - first => list.values().slice(first, last - first),
        // Behind a null there may be elements that nobody means. Rare enough that a copy by rows does: readers
        // of Parquet leave nothing there.
        _ => {
            let starts = list.value_offsets().iter().enumerate().take(list.len());
            let rows = starts.flat_map(|(row, start)| *start as u32..*start as u32 + own(row) as u32);
            taken(list.values(), &UInt32Array::from_iter_values(rows))?
        }
    };
    if elements.null_count() > 0 {
        return Err(Fault::infrastructure("failed to read a cluster's rows: a list of rows holds a null"));
    }
    Ok((lengths, elements))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{Int32Array, ListArray};
    use arrow_buffer::NullBuffer;
    use arrow_schema::Field;

    use super::*;

    fn values(list: ListArray) -> (Vec<i32>, Vec<i32>) {
        let (offsets, elements) = rows_below(&(Arc::new(list) as ArrayRef)).unwrap();
        (offsets.to_vec(), elements.as_primitive::<Int32Type>().values().to_vec())
    }

    #[test]
    fn a_null_list_has_no_rows_even_where_elements_lie_behind_it() {
        let field = Arc::new(Field::new("element", DataType::Int32, true));
        let list = |valid: Vec<bool>| {
            let offsets = OffsetBuffer::from_lengths([2, 1, 0, 2]);
            let elements = Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]));
            ListArray::new(Arc::clone(&field), offsets, elements, Some(NullBuffer::from(valid)))
        };
        let whole = list(vec![true, true, false, true]);
        assert_eq!(values(whole.clone()), (vec![0, 2, 3, 3, 5], vec![1, 2, 3, 4, 5]));
        assert_eq!(values(whole.slice(1, 3)), (vec![0, 1, 1, 3], vec![3, 4, 5]), "of a slice its own");
        let behind = list(vec![true, false, true, true]);
        assert_eq!(values(behind.clone()), (vec![0, 2, 2, 2, 4], vec![1, 2, 4, 5]));
        assert_eq!(values(behind.slice(1, 3)), (vec![0, 0, 0, 2], vec![4, 5]));
        assert_eq!(values(behind.slice(0, 0)), (vec![0], vec![]));
    }
}
