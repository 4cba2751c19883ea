//! Values as the scripts in `dev` show them.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Value, json};

/// The values of each row.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<Vec<Value>> {
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| value(column, row)).collect())
        .collect()
}

pub(crate) fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let number = |text: String| json!(text);
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row).to_string()),
        DataType::Int8 => number(column.as_primitive::<Int8Type>().value(row).to_string()),
        DataType::Int16 => number(column.as_primitive::<Int16Type>().value(row).to_string()),
        DataType::Int32 => number(column.as_primitive::<Int32Type>().value(row).to_string()),
        DataType::Int64 => number(column.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Float32 => float(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => json!(column.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Utf8View => json!(column.as_string_view().value(row)),
        DataType::BinaryView => {
            let bytes = column.as_binary_view().value(row);
            json!(format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            json!(Date32Type::to_naive_date_opt(days).unwrap().to_string())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            let text = times.value_as_datetime(row).unwrap().format("%Y-%m-%d %H:%M:%S%.6f").to_string();
            json!(if zone.is_some() { format!("{text} UTC") } else { text })
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|item| value(&items, item)).collect())
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let entry = |at: usize| json!([value(keys, at), value(values, at)]);
            json!({ "map": (0..entries.len()).map(entry).collect::<Vec<_>>() })
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let field = |(field, column): (&std::sync::Arc<arrow_schema::Field>, &ArrayRef)| {
                json!([field.name(), value(column, row)])
            };
            json!({ "struct": fields.iter().zip(columns).map(field).collect::<Vec<_>>() })
        }
        other => panic!("no value of a warehouse has the type {other}"),
    }
}

fn float(value: f64) -> Value {
    json!(format!("float {value:?}"))
}

/// Whether a value is what it must be; floats are compared as numbers, signs and all.
pub(crate) fn same(found: &Value, expected: &Value) -> bool {
    let float = |value: &Value| value.as_str()?.strip_prefix("float ")?.parse::<f64>().ok();
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| same(a, b))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.keys().eq(expected.keys()) && found.iter().all(|(name, value)| same(value, &expected[name]))
        }
        _ => match (float(found), float(expected)) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            _ => found == expected,
        },
    }
}
