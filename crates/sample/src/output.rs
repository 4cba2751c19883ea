//! Files of the export, in every format.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::SystemTime;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hivecast_run::{Fault, Result};
use orc_rust::ArrowWriter as OrcWriter;
use orc_rust::ArrowWriterBuilder;
use orc_rust::compression::CompressionType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::avro::AvroFile;
use crate::lines::LineForm;
use crate::tables::Table;

/// Rows that a Parquet file stores together: few enough to be written in flat memory.
const ROW_GROUP_ROWS: usize = 262_144;
/// Bytes of rows that an ORC file stores together, for the same reason.
const STRIPE_BYTES: usize = 16 << 20;
/// Fixed, so that a new release of this program writes the same bytes.
const CREATED_BY: &str = "hivecast sample";
/// Columns with hardly a value twice, for which a dictionary would be built in vain.
const UNIQUE_COLUMNS: [&str; 4] = ["account_id", "party_id", "tax_id", "last_update_ts"];

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Compressed with snappy.
    Parquet,
    /// Compressed with snappy.
    Orc,
    /// Not compressed, as Hive writes it unless it is told otherwise.
    Avro,
    Lines(LineForm),
}

impl Form {
    /// The name's ending.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Form::Parquet => "snappy.parquet",
            Form::Orc => "orc",
            Form::Avro => "avro",
            Form::Lines(LineForm::Csv) => "csv",
            Form::Lines(LineForm::Hive) => "txt",
            Form::Lines(LineForm::Json) => "json",
        }
    }
}

/// A file being written.
pub(crate) enum Output {
    Parquet(Box<ArrowWriter<File>>),
    /// With a second handle on the file, as the writer keeps the one that it is given.
    Orc(Box<OrcWriter<File>>, File),
    Avro(AvroFile<BufWriter<File>>),
    Lines(BufWriter<File>, LineForm, String),
}

impl Output {
    pub(crate) fn create(path: &Path, form: Form, table: Table) -> Result<Output> {
        let created = |error| Fault::io(format!("failed to create {}", path.display()), error);
        let file = File::create(path).map_err(created)?;
        let schema = table.schema();
        Ok(match form {
            Form::Parquet => {
                let options = ArrowWriterOptions::new()
                    .with_properties(properties(&schema))
                    .with_skip_arrow_metadata(true);
                let writer = ArrowWriter::try_new_with_options(file, schema, options)
                    .map_err(|error| of_parquet(path, error))?;
                Output::Parquet(Box::new(writer))
            }
            Form::Orc => {
                let again = file.try_clone().map_err(created)?;
                // It writes whole streams, and would lose the error of a buffer's last write.
                let builder = ArrowWriterBuilder::new(file, schema)
                    .with_stripe_byte_size(STRIPE_BYTES)
                    .with_compression(CompressionType::Snappy);
                let writer = builder.try_build().map_err(|error| of_orc(path, error))?;
                Output::Orc(Box::new(writer), again)
            }
            Form::Avro => {
                let file = AvroFile::create(BufWriter::new(file), table.name(), &schema);
                Output::Avro(file.map_err(|error| failed(path, error))?)
            }
            Form::Lines(form) => {
                let mut file = BufWriter::new(file);
                file.write_all(form.header(&schema).as_bytes()).map_err(|error| failed(path, error))?;
                Output::Lines(file, form, String::new())
            }
        })
    }

    pub(crate) fn write(&mut self, path: &Path, batch: &RecordBatch) -> Result<()> {
        match self {
            Output::Parquet(writer) => writer.write(batch).map_err(|error| of_parquet(path, error)),
            Output::Orc(writer, _) => writer.write(batch).map_err(|error| of_orc(path, error)),
            Output::Avro(file) => file.write(batch).map_err(|error| failed(path, error)),
            Output::Lines(file, form, lines) => {
                lines.clear();
                form.write(batch, lines);
                file.write_all(lines.as_bytes()).map_err(|error| failed(path, error))
            }
        }
    }

    /// Ends the file, to be found with this modification time, and gives its size in bytes.
    pub(crate) fn close(self, path: &Path, modified: SystemTime) -> Result<u64> {
        let flushed =
            |writer: BufWriter<File>| writer.into_inner().map_err(|error| failed(path, error.into_error()));
        let file = match self {
            Output::Parquet(writer) => writer.into_inner().map_err(|error| of_parquet(path, error))?,
            Output::Orc(writer, file) => {
                writer.close().map_err(|error| of_orc(path, error))?;
                file
            }
            Output::Avro(file) => flushed(file.into_inner())?,
            Output::Lines(file, ..) => flushed(file)?,
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

fn failed(path: &Path, error: io::Error) -> Fault {
    Fault::io(format!("failed to write {}", path.display()), error)
}

fn of_parquet(path: &Path, error: ParquetError) -> Fault {
    let what = format!("failed to write {}", path.display());
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(io) => Fault::io(what, *io),
            Err(other) => Fault::bug(what).because(other.to_string()),
        },
        other => Fault::infrastructure(what).because(other),
    }
}

/// A disk's failure is somewhere in the chain, and can't be taken out of it.
fn of_orc(path: &Path, error: orc_rust::error::OrcError) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut found = None;
    while let Some(error) = cause {
        found = found.or_else(|| error.downcast_ref::<io::Error>().map(io::Error::kind));
        cause = error.source();
    }
    match found {
        Some(kind) => failed(path, io::Error::new(kind, error.to_string())),
        None => Fault::bug(format!("failed to write {}", path.display())).because(error),
    }
}
