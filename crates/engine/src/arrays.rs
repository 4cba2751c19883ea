//! Arrays at rest: how many bytes they hold, and copies that hold no more than they show.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, SchemaRef};
use arrow_select::concat::concat;
use hivecast_run::{Fault, Result};

use crate::gather::structure;

/// Bytes of one text or binary value's view; its bytes come on top.
const VIEW_BYTES: usize = 16;

/// Bytes that an array's own rows need, whatever larger buffers it looks into.
pub(crate) fn bytes_of(array: &ArrayRef) -> usize {
    let nulls = array.nulls().map_or(0, |nulls| nulls.len().div_ceil(8));
    nulls
        + match array.data_type() {
            DataType::Utf8View => array.len() * VIEW_BYTES + array.as_string_view().total_buffer_bytes_used(),
            DataType::BinaryView => {
                array.len() * VIEW_BYTES + array.as_binary_view().total_buffer_bytes_used()
            }
            DataType::Struct(_) => array.as_struct().columns().iter().map(bytes_of).sum(),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (list.len() + 1) * size_of::<i32>() + bytes_of(&list_values(list))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let entries = map_entries(map);
                (map.len() + 1) * size_of::<i32>() + entries.columns().iter().map(bytes_of).sum::<usize>()
            }
            _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_buffer_memory_size()),
        }
}

/// Bytes of one value in memory, without those of texts and of lists' elements.
pub(crate) fn fixed_bytes(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => VIEW_BYTES as u64,
        DataType::Struct(fields) => fields.iter().map(|field| fixed_bytes(field.data_type())).sum(),
        DataType::List(_) | DataType::Map(..) => size_of::<i32>() as u64,
        other => other.primitive_width().unwrap_or(0) as u64,
    }
}

/// Bytes that a batch's rows need.
pub(crate) fn batch_bytes(columns: &[ArrayRef]) -> usize {
    columns.iter().map(bytes_of).sum()
}

/// The elements that a list's rows show.
fn list_values(list: &ListArray) -> ArrayRef {
    let offsets = list.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    list.values().slice(first, last - first)
}

/// The entries that a map's rows show.
fn map_entries(map: &MapArray) -> StructArray {
    let offsets = map.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    map.entries().slice(first, last - first)
}

/// The same rows in buffers of their own size: text views otherwise keep, and would write, every
/// byte of the page that they look into.
pub(crate) fn compact(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter().map(compact).collect::<Result<_>>()?;
            Arc::new(structure(fields, columns, array.len(), array.nulls().cloned())?)
        }
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let values = compact(&list_values(list))?;
            let lengths = OffsetBuffer::from_lengths(list.offsets().lengths());
            let list = ListArray::try_new(Arc::clone(field), lengths, values, list.nulls().cloned())
                .map_err(|error| Fault::bug("failed to compact a list").because(error))?;
            Arc::new(list)
        }
        DataType::Map(field, sorted) => {
            let map = array.as_map();
            let entries = map_entries(map);
            let columns = entries.columns().iter().map(compact).collect::<Result<_>>()?;
            let entries = structure(entries.fields(), columns, entries.len(), None)?;
            let lengths = OffsetBuffer::from_lengths(map.offsets().lengths());
            let map = MapArray::try_new(Arc::clone(field), lengths, entries, map.nulls().cloned(), *sorted)
                .map_err(|error| Fault::bug("failed to compact a map").because(error))?;
            Arc::new(map)
        }
        _ => Arc::clone(array),
    })
}

/// One array a column, from batches in order; `types` serve where there is no batch. A column's pieces
/// go when it is joined, so that the next takes their place in memory.
pub(crate) fn joined<'a>(
    batches: impl IntoIterator<Item = Vec<ArrayRef>>,
    types: impl Iterator<Item = &'a DataType>,
) -> Result<Vec<ArrayRef>> {
    let types: Vec<&DataType> = types.collect();
    let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::new(); types.len()];
    for batch in batches {
        columns.iter_mut().zip(batch).for_each(|(pieces, piece)| pieces.push(piece));
    }
    let join = |(pieces, data_type): (Vec<ArrayRef>, &DataType)| match pieces.as_slice() {
        [] => Ok(arrow_array::new_empty_array(data_type)),
        [only] => Ok(Arc::clone(only)),
        _ => {
            let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
            concat(&pieces).map_err(|error| Fault::bug("failed to join batches").because(error))
        }
    };
    columns.into_iter().zip(types).map(join).collect()
}

/// A batch, also one without columns.
pub(crate) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Fault::bug("failed to make a batch").because(error))
}
