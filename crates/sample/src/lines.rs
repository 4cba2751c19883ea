//! Rows as lines of text: comma-separated, as Hive's own text, as JSON.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

/// Hive's text for null.
const NULL: &str = "\\N";
/// Hive's default delimiter of fields, control-A.
const HIVE_DELIMITER: char = '\u{1}';

/// How a row becomes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineForm {
    /// Comma-separated (RFC 4180) below a header.
    Csv,
    /// As a Hive table without serde properties has it.
    Hive,
    /// A JSON object.
    Json,
}

impl LineForm {
    /// What stands above the rows.
    pub(crate) fn header(self, schema: &SchemaRef) -> String {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        match self {
            LineForm::Csv => names.join(",") + "\n",
            LineForm::Hive | LineForm::Json => String::new(),
        }
    }

    /// Appends every row of the batch.
    pub(crate) fn write(self, batch: &RecordBatch, out: &mut String) {
        for row in 0..batch.num_rows() {
            match self {
                LineForm::Csv => delimited(batch, row, ',', &mut quoted, out),
                LineForm::Hive => delimited(batch, row, HIVE_DELIMITER, &mut escaped, out),
                LineForm::Json => object(batch, row, out),
            }
            out.push('\n');
        }
    }
}

type WriteText<'a> = &'a mut dyn FnMut(&str, &mut String);

fn delimited(batch: &RecordBatch, row: usize, delimiter: char, text: WriteText<'_>, out: &mut String) {
    for (at, column) in batch.columns().iter().enumerate() {
        if at > 0 {
            out.push(delimiter);
        }
        match column.is_null(row) {
            true => out.push_str(NULL),
            false => value(column, row, text, out),
        }
    }
}

fn object(batch: &RecordBatch, row: usize, out: &mut String) {
    out.push('{');
    for (at, (field, column)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
        if at > 0 {
            out.push(',');
        }
        json_text(field.name(), out);
        out.push(':');
        if column.is_null(row) {
            out.push_str("null");
        } else if matches!(column.data_type(), DataType::Date32 | DataType::Timestamp(..)) {
            out.push('"');
            value(column, row, &mut json_text, out);
            out.push('"');
        } else {
            value(column, row, &mut json_text, out);
        }
    }
    out.push('}');
}

fn value(column: &dyn Array, row: usize, text: WriteText<'_>, out: &mut String) {
    // Writing to a string can't fail, and the sample has no day that a calendar lacks.
    let _ = match column.data_type() {
        DataType::Int32 => write!(out, "{}", column.as_primitive::<Int32Type>().value(row)),
        DataType::Date32 => match column.as_primitive::<Date32Type>().value_as_date(row) {
            Some(date) => write!(out, "{date}"),
            None => Ok(()),
        },
        DataType::Timestamp(..) => {
            match column.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row) {
                Some(time) => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S")),
                None => Ok(()),
            }
        }
        _ => {
            text(column.as_string::<i32>().value(row), out);
            Ok(())
        }
    };
}

/// Quoted where it would be misread bare (RFC 4180).
fn quoted(text: &str, out: &mut String) {
    if !text.contains([',', '"', '\n', '\r']) && text != NULL {
        return out.push_str(text);
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

/// A table without `escape.delim` can't have such characters in its text at all; a blank stands for them.
fn escaped(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if matches!(c, HIVE_DELIMITER | '\n' | '\r') { ' ' } else { c }));
}

fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
