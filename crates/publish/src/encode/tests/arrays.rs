//! Arrays from JSON: each cell is what a reader would see with every null kept. An object's cell may
//! lack fields, which are null; a `list` (a struct with columns `0`, `1`, …) may be an array.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
    LargeListArray, LargeStringArray, ListArray, MapArray, StringArray, StringViewArray, StructArray,
    TimestampMillisecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Fields};
use serde_json::Value as Json;

const NULL: Json = Json::Null;

pub(super) fn array(data_type: &DataType, cells: &[&Json]) -> ArrayRef {
    let texts = || cells.iter().map(|cell| cell.as_str());
    let ints = || cells.iter().map(|cell| cell.as_i64());
    match data_type {
        DataType::Utf8 => Arc::new(StringArray::from_iter(texts())),
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from_iter(texts())),
        DataType::Utf8View => Arc::new(StringViewArray::from_iter(texts())),
        DataType::Dictionary(..) => Arc::new(DictionaryArray::<Int32Type>::from_iter(texts())),
        DataType::Int64 => Arc::new(Int64Array::from_iter(ints())),
        DataType::Float64 => Arc::new(Float64Array::from_iter(cells.iter().map(|cell| cell.as_f64()))),
        DataType::Boolean => Arc::new(BooleanArray::from_iter(cells.iter().map(|cell| cell.as_bool()))),
        DataType::Date32 => Arc::new(Date32Array::from_iter(ints().map(|day| day.map(|day| day as i32)))),
        DataType::Timestamp(..) => Arc::new(TimestampMillisecondArray::from_iter(ints())),
        DataType::Decimal128(precision, scale) => {
            let unscaled =
                texts().map(|text| text.map(|text| text.replace('.', "").parse::<i128>().unwrap()));
            let array = Decimal128Array::from_iter(unscaled);
            Arc::new(array.with_precision_and_scale(*precision, *scale).unwrap())
        }
        DataType::Struct(fields) => Arc::new(structs(fields, cells)),
        DataType::List(item) => {
            let items = array(item.data_type(), &items(cells));
            Arc::new(ListArray::try_new(Arc::clone(item), offsets(cells), items, nulls(cells)).unwrap())
        }
        DataType::LargeList(item) => {
            let items = array(item.data_type(), &items(cells));
            let offsets = OffsetBuffer::from_lengths(cells.iter().map(|cell| length(cell)));
            Arc::new(LargeListArray::try_new(Arc::clone(item), offsets, items, nulls(cells)).unwrap())
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(columns) = entries.data_type() else { panic!("a map has entries") };
            let pairs: Vec<_> = cells.iter().filter_map(|cell| cell.as_object()).flatten().collect();
            let keys: Vec<Json> = pairs.iter().map(|(key, _)| Json::from(key.as_str())).collect();
            let keys = array(columns[0].data_type(), &keys.iter().collect::<Vec<_>>());
            let values: Vec<&Json> = pairs.iter().map(|(_, value)| *value).collect();
            let values = array(columns[1].data_type(), &values);
            let pairs = StructArray::try_new(columns.clone(), vec![keys, values], None).unwrap();
            Arc::new(
                MapArray::try_new(Arc::clone(entries), offsets(cells), pairs, nulls(cells), false).unwrap(),
            )
        }
        other => panic!("no cells of {other}"),
    }
}

pub(super) fn structs(fields: &Fields, cells: &[&Json]) -> StructArray {
    let columns = fields.iter().map(|field| {
        let cells: Vec<Json> = cells.iter().map(|cell| part(cell, field.name()).clone()).collect();
        array(field.data_type(), &cells.iter().collect::<Vec<_>>())
    });
    StructArray::try_new_with_length(fields.clone(), columns.collect(), nulls(cells), cells.len()).unwrap()
}

fn part<'a>(cell: &'a Json, name: &str) -> &'a Json {
    let found = match cell {
        Json::Array(items) => name.parse::<usize>().ok().and_then(|at| items.get(at)),
        other => other.get(name),
    };
    found.unwrap_or(&NULL)
}

fn nulls(cells: &[&Json]) -> Option<NullBuffer> {
    let valid = cells.iter().map(|cell| !cell.is_null());
    cells.iter().any(|cell| cell.is_null()).then(|| NullBuffer::from_iter(valid))
}

fn length(cell: &Json) -> usize {
    match cell {
        Json::Array(items) => items.len(),
        Json::Object(entries) => entries.len(),
        _ => 0,
    }
}

fn offsets(cells: &[&Json]) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(cells.iter().map(|cell| length(cell)))
}

fn items<'a>(cells: &[&'a Json]) -> Vec<&'a Json> {
    cells.iter().filter_map(|cell| cell.as_array()).flatten().collect()
}
