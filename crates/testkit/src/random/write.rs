//! Tables as files of a partition.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{Field, Schema};
use hivecast_feed::{ColumnType, Header, TextLayout};
use hivecast_run::{Fault, Result};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::{Files, Written};
use crate::table::{Row, TableData, Value};

/// Rows in a row group: files of several groups are the rule.
const GROUP_ROWS: usize = 5;

/// Writes one table's partition, its `_SUCCESS` last.
pub(super) fn table(partition: &Path, table: &TableData, files: &Files) -> Result<()> {
    let failed = |error| Fault::io(format!("failed to write {}", partition.display()), error);
    fs::create_dir_all(partition).map_err(failed)?;
    for (number, (rows, order)) in files.files.iter().enumerate() {
        let rows: Vec<&Row> = rows.iter().map(|row| &table.rows[*row]).collect();
        let columns: Vec<&(String, ColumnType)> =
            order.iter().map(|column| &table.columns[*column]).collect();
        match &files.format {
            Written::Parquet => {
                parquet(&partition.join(format!("part-{number:05}.parquet")), &columns, &rows)?
            }
            Written::Text(layout) => {
                let path = partition.join(format!("part-{number:05}.csv"));
                fs::write(path, text(layout, &columns, &rows)).map_err(failed)?;
            }
        }
    }
    fs::write(partition.join("_SUCCESS"), "").map_err(failed)
}

fn parquet(path: &Path, columns: &[&(String, ColumnType)], rows: &[&Row]) -> Result<()> {
    let wrong = |what: &str| Fault::bug(format!("failed to write {}: {what}", path.display()));
    let arrays = columns.iter().map(|(name, column_type)| {
        let cells: Vec<&Value> = rows.iter().map(|row| row.get(name).unwrap_or(&Value::Null)).collect();
        array(column_type, &cells).ok_or_else(|| wrong(name))
    });
    let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
    let fields = columns
        .iter()
        .zip(&arrays)
        .map(|((name, _), array)| Field::new(name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch =
        RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| wrong("columns").because(error))?;
    let file = File::create(path)
        .map_err(|error| Fault::io(format!("failed to create {}", path.display()), error))?;
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP_ROWS)).build();
    ArrowWriter::try_new(file, schema, Some(properties))
        .and_then(|mut writer| {
            writer.write(&batch)?;
            writer.close()
        })
        .map_err(|error| wrong("Parquet").because(error))?;
    Ok(())
}

/// The cells as an array; `None` where one has not the column's type.
fn array(column_type: &ColumnType, cells: &[&Value]) -> Option<ArrayRef> {
    fn some<T>(cells: &[&Value], of: impl Fn(&Value) -> Option<T>) -> Option<Vec<Option<T>>> {
        let cell = |cell: &&Value| match cell {
            Value::Null => Some(None),
            other => of(other).map(Some),
        };
        cells.iter().map(cell).collect()
    }
    let int = |cell: &Value| match cell {
        Value::Int(value) => Some(*value),
        _ => None,
    };
    Some(match column_type {
        ColumnType::BigInt => Arc::new(Int64Array::from(some(cells, int)?)),
        ColumnType::Int => Arc::new(Int32Array::from(some(cells, |cell| {
            int(cell).and_then(|value| i32::try_from(value).ok())
        })?)),
        ColumnType::String => {
            let text = |cell: &Value| matches!(cell, Value::Text(_)).then(|| cell.text()).flatten();
            Arc::new(StringArray::from(some(cells, text)?))
        }
        ColumnType::Boolean => {
            let value = |cell: &Value| match cell {
                Value::Bool(value) => Some(*value),
                _ => None,
            };
            Arc::new(BooleanArray::from(some(cells, value)?))
        }
        ColumnType::Date => {
            let value = |cell: &Value| match cell {
                Value::Date(days) => Some(*days),
                _ => None,
            };
            Arc::new(Date32Array::from(some(cells, value)?))
        }
        ColumnType::Decimal(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            let value = |cell: &Value| match cell {
                Value::Decimal { unscaled, scale: found } if i64::from(*found) == i64::from(scale) => {
                    Some(i128::from(*unscaled))
                }
                _ => None,
            };
            let array = Decimal128Array::from(some(cells, value)?).with_precision_and_scale(precision, scale);
            Arc::new(array.ok()?)
        }
        _ => return None,
    })
}

fn text(layout: &TextLayout, columns: &[&(String, ColumnType)], rows: &[&Row]) -> String {
    let delimiter = char::from(layout.delimiter).to_string();
    let mut lines = Vec::new();
    if layout.header == Header::Present {
        lines.push(columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(&delimiter));
    }
    for row in rows {
        let cells = columns.iter().map(|(name, _)| match row.get(name) {
            Some(Value::Text(text)) => format!("\"{}\"", text.replace('"', "\"\"")),
            Some(value) => value.text().unwrap_or_else(|| layout.null.clone()),
            None => layout.null.clone(),
        });
        lines.push(cells.collect::<Vec<_>>().join(&delimiter));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
