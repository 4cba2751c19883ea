//! Values as text, whatever layout they have: equal texts are equal values, and each bit of a number counts.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

/// A value and its kind.
pub(crate) fn shown(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    let one = &array.slice(row, 1);
    match one.data_type() {
        // All NaN are one.
        DataType::Float64 => format!("{:?}", one.as_primitive::<Float64Type>().value(0)),
        DataType::Float32 => format!("{:?}f", one.as_primitive::<Float32Type>().value(0)),
        DataType::Decimal128(_, scale) => {
            format!("{}e-{scale}", one.as_primitive::<Decimal128Type>().value(0))
        }
        DataType::Timestamp(_, zone) => {
            let micros = cast(one, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).unwrap();
            let micros = cast(&micros, &DataType::Int64).unwrap();
            format!(
                "{}µs{}",
                micros.as_primitive::<Int64Type>().value(0),
                if zone.is_some() { "Z" } else { "" }
            )
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(one, &DataType::Binary).unwrap();
            format!("{:02x?}", bytes.as_binary::<i32>().value(0))
        }
        DataType::List(_) => list(&one.as_list::<i32>().value(0)),
        DataType::LargeList(_) => list(&one.as_list::<i64>().value(0)),
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(one.as_struct().columns());
            let parts: Vec<String> =
                parts.map(|(field, column)| format!("{}: {}", field.name(), shown(column, 0))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        DataType::Map(..) => {
            let entries = one.as_map().value(0);
            let (keys, values) = (entries.column(0), entries.column(1));
            let entries: Vec<String> = (0..keys.len())
                .map(|entry| format!("{}: {}", shown(keys, entry), shown(values, entry)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        // Spark has a decimal for it.
        DataType::UInt64 => format!("{}e-0", one.as_primitive::<UInt64Type>().value(0)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let text = cast(one, &DataType::Utf8).unwrap();
            format!("{:?}", text.as_string::<i32>().value(0))
        }
        _ => {
            let text = cast(one, &DataType::Utf8).unwrap();
            text.as_string::<i32>().value(0).to_owned()
        }
    }
}

fn list(items: &ArrayRef) -> String {
    let items: Vec<String> = (0..items.len()).map(|row| shown(items, row)).collect();
    format!("[{}]", items.join(", "))
}

/// A type without the names and nullability that engines give what lies within.
pub(crate) fn kind(found: &DataType) -> String {
    hivecast_sql::spark::sql_type(&hivecast_sql::normal_type(found)).unwrap_or_else(|| found.to_string())
}
