//! Text files: their header, and their rows in the table's types.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hivecast_feed::{Header, TextLayout};
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Sequential, Storage};

use crate::disk::open_file;
use crate::records::{Broken, Record, Records};
use crate::rows::RowReader;
use crate::schema::type_name;
use crate::values::{Misfit, Values};

/// Bytes of values after which a batch ends, however few rows it has.
const BATCH_BYTES: usize = 8 << 20;
/// Bytes that are read from the store at a time.
const BLOCK_BYTES: u64 = 1 << 20;
/// Characters of a value that a message quotes at most.
const QUOTED_CHARS: usize = 40;

/// The rows of a file as batches of the wanted columns.
pub(crate) struct TextRows {
    table: String,
    path: Location,
    records: Records<Sequential>,
    record: Record,
    /// Names by position, for messages and to know how many there must be; none for a file of no
    /// bytes at all, which has not even a header.
    columns: Vec<String>,
    /// For each wanted column its place in the file and its values; none where the file lacks it.
    slots: Vec<Option<(usize, Values)>>,
    wanted: SchemaRef,
    batch_rows: usize,
}

/// The names of a file's header in lower case; empty for a file of no bytes.
pub(crate) fn read_header(
    table: &str,
    storage: &dyn Storage,
    path: &Location,
    layout: &TextLayout,
) -> Result<Vec<String>> {
    let mut records = Records::new(open_text(storage, path)?, layout.clone());
    next_header(table, path, &mut records)
}

fn open_text(storage: &dyn Storage, path: &Location) -> Result<Sequential> {
    Ok(Sequential::new(open_file(storage, path)?, 0, BLOCK_BYTES))
}

fn next_header(table: &str, path: &Location, records: &mut Records<Sequential>) -> Result<Vec<String>> {
    let mut record = Record::default();
    if !records.read(&mut record).map_err(|broken| malformed(table, path, broken))? {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for at in 0..record.len() {
        let name = std::str::from_utf8(record.field(at).unwrap_or_default())
            .map_err(|_| fault(table, path, 1, "the header is no UTF-8 text"))?
            .trim()
            .to_lowercase();
        if names.contains(&name) {
            return Err(fault(table, path, 1, &format!("the header names column {name} twice")));
        }
        names.push(name);
    }
    Ok(names)
}

/// Opens a file to read the wanted columns.
pub(crate) fn open(reader: &RowReader, path: &Location) -> Result<TextRows> {
    let RowReader { table, wanted, .. } = reader;
    let mut records = Records::new(open_text(&*reader.storage, path)?, reader.text.clone());
    let columns = match reader.text.header {
        Header::Present => next_header(table, path, &mut records)?,
        Header::Absent => reader.file_columns.clone(),
    };
    let slots = wanted
        .iter()
        .map(|column| {
            let Some(place) = columns.iter().position(|name| *name == column.name) else { return Ok(None) };
            let values = Values::new(&column.data_type).ok_or_else(|| {
                Fault::bug(format!("table {table}: text can't be read as {}", column.data_type))
            })?;
            Ok(Some((place, values)))
        })
        .collect::<Result<Vec<_>>>()?;
    let fields: Vec<Field> =
        wanted.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true)).collect();
    Ok(TextRows {
        table: table.clone(),
        path: path.clone(),
        records,
        record: Record::default(),
        columns,
        slots,
        wanted: Arc::new(Schema::new(fields)),
        batch_rows: reader.batch_rows.max(1),
    })
}

impl TextRows {
    /// Reads a batch; none at the end.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.batch_rows && bytes < BATCH_BYTES {
            let more = self.records.read(&mut self.record);
            if !more.map_err(|broken| malformed(&self.table, &self.path, broken))? {
                break;
            }
            bytes += self.row()?;
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = self
            .slots
            .iter_mut()
            .zip(self.wanted.fields())
            .map(|(slot, field)| match slot {
                Some((_, values)) => values.finish(),
                None => new_null_array(field.data_type(), rows),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.wanted), columns, &options);
        batch.map(Some).map_err(|error| {
            Fault::bug(format!("failed to put together rows of {}", self.path)).because(error)
        })
    }

    /// Takes the record's fields over into the columns; how many bytes they have.
    fn row(&mut self) -> Result<usize> {
        let mut bytes = 0;
        let (found, expected) = (self.record.len(), self.columns.len());
        if found != expected {
            let fields = if found == 1 { "field" } else { "fields" };
            let text = format!("{found} {fields} where {expected} are expected");
            return Err(fault(&self.table, &self.path, self.record.line, &text)
                .advise("correct the table's `delimiter`, `quote` or `columns` in the feed, or export the partition again"));
        }
        for (slot, field) in self.slots.iter_mut().zip(self.wanted.fields()) {
            let Some((place, values)) = slot else { continue };
            let value = self.record.field(*place);
            bytes += value.map_or(0, <[u8]>::len);
            if let Err(misfit) = values.push(value) {
                let text = misfit_text(misfit, field.name(), value.unwrap_or_default(), field.data_type());
                return Err(fault(&self.table, &self.path, self.record.line, &text)
                    .advise("correct the column's type or the text that stands for `null` in the feed, or export the partition again"));
            }
        }
        Ok(bytes)
    }
}

impl Iterator for TextRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn misfit_text(misfit: Misfit, column: &str, value: &[u8], data_type: &DataType) -> String {
    match misfit {
        Misfit::NotUtf8 => format!("column {column} is no UTF-8 text"),
        Misfit::NotOfType => {
            format!("column {column}: {} is no {}", quote_value(value), type_name(data_type))
        }
    }
}

fn quote_value(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    if text.chars().count() <= QUOTED_CHARS {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(QUOTED_CHARS).collect();
    format!("{head:?}…")
}

fn fault(table: &str, path: &Location, line: u64, text: &str) -> Fault {
    Fault::data(format!("table {table}: {} line {line}: {text}", path))
}

fn malformed(table: &str, path: &Location, broken: Broken) -> Fault {
    match broken {
        Broken::Disk(error) => Fault::io(format!("table {table}: failed to read {}", path), error),
        Broken::Text { line, why } => fault(table, path, line, &why.to_string()).advise(
            "correct the table's `quote`, `escape` or `delimiter` in the feed, or export the partition again",
        ),
    }
}
