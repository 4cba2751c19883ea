//! How large rows are, for cutting batches: looked at closely only where any value is large.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// Bytes that count as one row: what most rows have at most.
const UNIT_BYTES: usize = 512;
/// A longer text makes a level's rows be looked at one by one.
const LARGE_VALUE: u32 = 1_024;
/// So does a longer list.
const LARGE_LIST: usize = 64;

/// Whether any value of an array is so large that its rows must be weighed one by one.
pub(crate) fn has_large_values(array: &ArrayRef) -> bool {
    // A view's low half is the value's length.
    let any_large = |views: &[u128]| views.iter().any(|view| *view as u32 > LARGE_VALUE);
    match array.data_type() {
        DataType::Utf8View => any_large(array.as_string_view().views()),
        DataType::BinaryView => any_large(array.as_binary_view().views()),
        DataType::Struct(_) => array.as_struct().columns().iter().any(has_large_values),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            list.offsets().lengths().any(|length| length > LARGE_LIST) || has_large_values(list.values())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            map.offsets().lengths().any(|length| length > LARGE_LIST)
                || map.entries().columns().iter().any(has_large_values)
        }
        _ => false,
    }
}

/// As how many rows a row of these columns counts, beyond one.
pub(crate) fn weight(columns: &[ArrayRef], row: usize) -> usize {
    columns.iter().map(|column| row_bytes(column, row)).sum::<usize>() / UNIT_BYTES
}

fn row_bytes(array: &ArrayRef, row: usize) -> usize {
    const SCALAR: usize = 8;
    if array.is_null(row) {
        return 0;
    }
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().views()[row] as u32 as usize,
        DataType::BinaryView => array.as_binary_view().views()[row] as u32 as usize,
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| row_bytes(column, row)).sum(),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
            (start..end).map(|element| SCALAR + row_bytes(list.values(), element)).sum()
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (start, end) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
            let of_entry = |entry: usize| {
                map.entries().columns().iter().map(|column| row_bytes(column, entry)).sum::<usize>()
            };
            (start..end).map(|entry| SCALAR + of_entry(entry)).sum()
        }
        _ => SCALAR,
    }
}
