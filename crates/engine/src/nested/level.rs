//! From rows with lists below them to levels in memory.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use hivecast_run::{Fault, Result};
use hivecast_warehouse::sort_maps;

use crate::arrays::{compact, joined};
use crate::gather::{Child, Content, Level};
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
fn columns_of(job: &Job<'_>, batch: &RecordBatch, fields: &arrow_schema::Fields) -> Result<Vec<ArrayRef>> {
    let column = |field: &arrow_schema::FieldRef| {
        let name = field.name();
        let column = batch.column_by_name(name).ok_or_else(|| {
            Fault::infrastructure(format!("failed to read a cluster's rows: they lack column {name}"))
        })?;
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let column_read = cast_with_options(column, field.data_type(), &strict);
        column_read.and_then(|column| sort_maps(&column)).map_err(|error| {
            let types = format!("{} as {}", column.data_type(), field.data_type());
            let what = format!("failed to read column {name} of a cluster's rows, {types}");
            job.masked.veil_cause(Fault::infrastructure(what).because(error))
        })
    };
    fields.iter().map(column).collect()
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
    let list = without_null_lists(list.as_list::<i32>());
    let offsets = list.offsets();
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    let elements = list.values().slice(first, last - first);
    if elements.null_count() > 0 {
        return Err(Fault::infrastructure("failed to read a cluster's rows: a list of rows holds a null"));
    }
    Ok((OffsetBuffer::from_lengths(offsets.lengths()), elements))
}

/// Behind a null there may be elements that nobody means.
fn without_null_lists(list: &ListArray) -> ListArray {
    let Some(nulls) = list.nulls().filter(|nulls| nulls.null_count() > 0) else { return list.clone() };
    let lengths: Vec<usize> = list
        .offsets()
        .lengths()
        .enumerate()
        .map(|(row, length)| if nulls.is_valid(row) { length } else { 0 })
        .collect();
    if lengths.iter().sum::<usize>() == list.values().len() {
        let arrow_schema::DataType::List(field) = list.data_type() else { return list.clone() };
        return ListArray::new(
            Arc::clone(field),
            OffsetBuffer::from_lengths(lengths),
            Arc::clone(list.values()),
            None,
        );
    }
    // Rare enough that a copy by rows does: readers of Parquet leave nothing behind nulls.
    let rows = (0..list.len()).flat_map(|row| {
        let start = list.value_offsets()[row] as u32;
        start..start + lengths[row] as u32
    });
    let rows = arrow_array::UInt32Array::from_iter_values(rows);
    match (crate::gather::taken(list.values(), &rows), list.data_type()) {
        (Ok(values), arrow_schema::DataType::List(field)) => {
            ListArray::new(Arc::clone(field), OffsetBuffer::from_lengths(lengths), values, None)
        }
        _ => list.clone(),
    }
}
