//! Files of the export: Parquet, or text with a header.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use hivecast_run::{Fault, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::write::FileFormat;

/// Rows that a Parquet file stores together: few enough to be written in flat memory.
const ROW_GROUP_ROWS: usize = 262_144;
/// Fixed, so that a new release of this program writes the same bytes.
const CREATED_BY: &str = "hivecast sample";
/// Hive's text for null.
const NULL: &str = "\\N";
/// Columns with hardly a value twice, for which a dictionary would be built in vain.
const UNIQUE_COLUMNS: [&str; 4] = ["account_id", "party_id", "tax_id", "last_update_ts"];

/// A file being written.
pub(crate) enum Output {
    Parquet(Box<ArrowWriter<File>>),
    Text(BufWriter<File>, String),
}

impl Output {
    /// The name's ending for a format.
    pub(crate) fn extension(format: FileFormat) -> &'static str {
        match format {
            FileFormat::Parquet => "snappy.parquet",
            FileFormat::Text => "csv",
        }
    }

    pub(crate) fn create(path: &Path, format: FileFormat, schema: &SchemaRef) -> Result<Output> {
        let file = File::create(path)
            .map_err(|error| Fault::io(format!("failed to create {}", path.display()), error))?;
        match format {
            FileFormat::Parquet => {
                let options = ArrowWriterOptions::new()
                    .with_properties(properties(schema))
                    .with_skip_arrow_metadata(true);
                let writer = ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)
                    .map_err(|error| failed(path, error))?;
                Ok(Output::Parquet(Box::new(writer)))
            }
            FileFormat::Text => {
                let mut output = Output::Text(BufWriter::new(file), String::new());
                output.header(path, schema)?;
                Ok(output)
            }
        }
    }

    fn header(&mut self, path: &Path, schema: &SchemaRef) -> Result<()> {
        let Output::Text(file, _) = self else { return Ok(()) };
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        writeln!(file, "{}", names.join(","))
            .map_err(|error| Fault::io(format!("failed to write {}", path.display()), error))
    }

    pub(crate) fn write(&mut self, path: &Path, batch: &RecordBatch) -> Result<()> {
        match self {
            Output::Parquet(writer) => writer.write(batch).map_err(|error| failed(path, error)),
            Output::Text(file, lines) => {
                lines.clear();
                for row in 0..batch.num_rows() {
                    write_line(batch, row, lines);
                }
                file.write_all(lines.as_bytes())
                    .map_err(|error| Fault::io(format!("failed to write {}", path.display()), error))
            }
        }
    }

    /// Ends the file, to be found with this modification time, and gives its size in bytes.
    pub(crate) fn close(self, path: &Path, modified: SystemTime) -> Result<u64> {
        let file = match self {
            Output::Parquet(writer) => writer.into_inner().map_err(|error| failed(path, error))?,
            Output::Text(writer, _) => writer.into_inner().map_err(|error| {
                Fault::io(format!("failed to write {}", path.display()), error.into_error())
            })?,
        };
        let size = || {
            file.set_modified(modified)?;
            Ok(file.metadata()?.len())
        };
        size().map_err(|error| Fault::io(format!("failed to end {}", path.display()), error))
    }
}

fn properties(schema: &SchemaRef) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(CREATED_BY.to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for name in UNIQUE_COLUMNS.iter().filter(|name| schema.column_with_name(name).is_some()) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*name), false);
    }
    properties.build()
}

fn failed(path: &Path, error: ParquetError) -> Fault {
    let what = format!("failed to write {}", path.display());
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => Fault::io(what, *io),
            Err(other) => Fault::bug(what).because(other.to_string()),
        },
        other => Fault::infrastructure(what).because(other),
    }
}

fn write_line(batch: &RecordBatch, row: usize, out: &mut String) {
    for (at, column) in batch.columns().iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if column.is_null(row) {
            out.push_str(NULL);
            continue;
        }
        write_value(column, row, out);
    }
    out.push('\n');
}

fn write_value(column: &dyn Array, row: usize, out: &mut String) {
    // Writing to a string can't fail.
    let _ = match column.data_type() {
        DataType::Int32 => write!(out, "{}", column.as_primitive::<Int32Type>().value(row)),
        DataType::Date32 => match column.as_primitive::<Date32Type>().value_as_date(row) {
            Some(date) => write!(out, "{date}"),
            None => out.write_str(NULL),
        },
        DataType::Timestamp(..) => {
            match column.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row) {
                Some(time) => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S")),
                None => out.write_str(NULL),
            }
        }
        _ => write_text(column.as_string::<i32>().value(row), out),
    };
}

/// Quoted where it would be misread bare (RFC 4180).
fn write_text(text: &str, out: &mut String) -> std::fmt::Result {
    if text.contains([',', '"', '\n', '\r']) || text == NULL {
        return write!(out, "\"{}\"", text.replace('"', "\"\""));
    }
    out.write_str(text)
}
