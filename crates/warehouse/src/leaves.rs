use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field};

/// Maps a column of single values; none where it stays as it is. It keeps lengths.
pub(crate) type Mapping<'a> = dyn Fn(&ArrayRef) -> Result<Option<ArrayRef>, ArrowError> + 'a;

/// A column with its single values mapped, at whatever depth of lists, maps and structs they lie. The
/// mapping may change their type.
pub(crate) fn map_leaves(column: &ArrayRef, map: &Mapping<'_>) -> Result<ArrayRef, ArrowError> {
    Ok(match column.data_type() {
        DataType::List(item) => {
            let list = column.as_list::<i32>();
            let values = map_leaves(list.values(), map)?;
            let item = retyped(item, &values);
            Arc::new(ListArray::try_new(item, list.offsets().clone(), values, list.nulls().cloned())?)
        }
        DataType::Struct(_) => Arc::new(map_struct(column.as_struct(), map)?),
        DataType::Map(entries, sorted) => {
            let (entries, sorted) = (Arc::clone(entries), *sorted);
            let old = column.as_map();
            let mapped = map_struct(old.entries(), map)?;
            let field = entries.as_ref().clone().with_data_type(mapped.data_type().clone());
            let (offsets, nulls) = (old.offsets().clone(), old.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::new(field), offsets, mapped, nulls, sorted)?)
        }
        _ => map(column)?.unwrap_or_else(|| Arc::clone(column)),
    })
}

fn map_struct(array: &StructArray, map: &Mapping<'_>) -> Result<StructArray, ArrowError> {
    if array.num_columns() == 0 {
        return Ok(array.clone());
    }
    let columns = array.columns().iter().map(|column| map_leaves(column, map));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let fields = array.fields().iter().zip(&columns).map(|(field, column)| retyped(field, column));
    StructArray::try_new(fields.collect(), columns, array.nulls().cloned())
}

fn retyped(field: &Arc<Field>, values: &ArrayRef) -> Arc<Field> {
    if field.data_type() == values.data_type() {
        return Arc::clone(field);
    }
    Arc::new(field.as_ref().clone().with_data_type(values.data_type().clone()))
}

/// The columns of single values that a column consists of, in their order.
pub(crate) fn leaves(column: &ArrayRef) -> Vec<ArrayRef> {
    match column.data_type() {
        DataType::List(_) => leaves(column.as_list::<i32>().values()),
        DataType::Struct(_) => column.as_struct().columns().iter().flat_map(leaves).collect(),
        DataType::Map(..) => column.as_map().entries().columns().iter().flat_map(leaves).collect(),
        _ => vec![Arc::clone(column)],
    }
}
