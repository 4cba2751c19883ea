//! Text files: their header, and their rows in the table's types.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, SchemaRef};
use hivecast_feed::{Header, TextDialect, TextLayout, type_name};
use hivecast_run::{Fault, Result};

use crate::compressed::open_lines;
use crate::convert::{TextRule, convert};
use crate::data_file::DataFile;
use crate::hive_text::{HiveRecords, TextValues};
use crate::reading::{Declared, finish, not_held, put_together, wanted};
use crate::records::{Broken, Record, RecordSource, Records};
use crate::rows::{RowReader, Wanted};
use crate::schema::data_type_of;
use crate::values::{Misfit, Values};

/// Bytes of values after which a batch ends, however few rows it has.
pub(crate) const BATCH_BYTES: usize = 8 << 20;
/// Characters of a value that a message quotes at most.
const QUOTED_CHARS: usize = 40;

/// The rows of a file as batches of the wanted columns.
pub(crate) struct TextRows {
    file: DataFile,
    records: Held,
    values: TextValues,
    /// Names by position, for messages and to know how many there must be; none for a file of no
    /// bytes at all, which has not even a header.
    columns: Vec<String>,
    slots: Vec<Slot>,
    wanted: SchemaRef,
    batch_rows: usize,
}

/// A wanted column.
struct Slot {
    /// Its place in the file and its values; none where the file lacks it.
    values: Option<(usize, Values)>,
    rule: Option<TextRule>,
}

/// Records, of which the last are held back.
struct Held {
    source: Box<dyn RecordSource>,
    queue: VecDeque<Record>,
    keep: usize,
    spare: Vec<Record>,
}

impl Held {
    fn next(&mut self) -> Result<Option<Record>, Broken> {
        while self.queue.len() <= self.keep {
            let mut record = self.spare.pop().unwrap_or_default();
            if !self.source.read(&mut record)? {
                return Ok(None);
            }
            self.queue.push_back(record);
        }
        Ok(self.queue.pop_front())
    }
}

/// The names of a file's header in lower case; empty for a file of no bytes.
pub(crate) fn read_header(file: &DataFile, layout: &TextLayout) -> Result<Vec<String>> {
    next_header(file, &mut *open_records(file, layout)?)
}

fn open_records(file: &DataFile, layout: &TextLayout) -> Result<Box<dyn RecordSource>> {
    let input = open_lines(file)?;
    let broken = |broken| malformed(file, broken);
    Ok(match layout.dialect {
        TextDialect::Strict => {
            let mut records = Records::new(input, layout.clone());
            records.skip_lines().map_err(broken)?;
            Box::new(records)
        }
        TextDialect::Hive | TextDialect::OpenCsv => {
            Box::new(HiveRecords::new(input, layout.clone()).map_err(broken)?)
        }
    })
}

fn next_header(file: &DataFile, records: &mut dyn RecordSource) -> Result<Vec<String>> {
    let mut record = Record::default();
    if !records.read(&mut record).map_err(|broken| malformed(file, broken))? {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for at in 0..record.len() {
        let bytes = record.field(at).map_or(&b""[..], |(bytes, _)| bytes);
        let name = std::str::from_utf8(bytes)
            .map_err(|_| file.line_fault(record.line, "the header is no UTF-8 text"))?
            .trim()
            .to_lowercase();
        if names.contains(&name) {
            return Err(file.line_fault(record.line, format!("the header names column {name} twice")));
        }
        names.push(name);
    }
    Ok(names)
}

/// Opens a file to read the wanted columns.
pub(crate) fn open(reader: &RowReader, file: DataFile) -> Result<TextRows> {
    let declared = &reader.declared;
    let mut source = open_records(&file, &declared.text)?;
    let columns = match declared.text.header {
        Header::Present => next_header(&file, &mut *source)?,
        Header::Absent => declared.names_by_position().unwrap_or_else(|| reader.file_columns.clone()),
    };
    let slots = reader.wanted.iter().map(|column| {
        let values = match columns.iter().position(|name| *name == column.name) {
            Some(place) => {
                let values = Values::new(&read_as(declared, column));
                Some((place, values.ok_or_else(|| unreadable(&reader.table, &column.data_type))?))
            }
            None => None,
        };
        Ok(Slot { values, rule: declared.text_rule_of(&column.name) })
    });
    let slots = slots.collect::<Result<_>>()?;
    Ok(TextRows {
        records: Held {
            source,
            queue: VecDeque::new(),
            keep: declared.text.skip_footer_lines as usize,
            spare: Vec::new(),
        },
        values: TextValues { layout: declared.text.clone(), zone: declared.zone },
        columns,
        slots,
        wanted: wanted(reader),
        batch_rows: reader.batch_rows.max(1),
        file,
    })
}

/// The type that a column's text is read as, before it becomes the table's: that of the partition's own
/// column. What is text there becomes anything else straight away.
fn read_as(declared: &Declared, column: &Wanted) -> DataType {
    let own = declared.own.as_ref().and_then(|_| declared.own_of(&column.name));
    match own.map(|(_, own)| data_type_of(own)) {
        Some(own) if own != DataType::Utf8View && declared.text.dialect == TextDialect::Hive => own,
        _ => column.data_type.clone(),
    }
}

/// A type that no table of text can have: describing one refuses it.
pub(crate) fn unreadable(table: &str, data_type: &DataType) -> Fault {
    Fault::bug(format!("table {table}: text can't be read as {data_type}"))
}

impl TextRows {
    /// Reads a batch; none at the end.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.batch_rows && bytes < BATCH_BYTES {
            let next = self.records.next().map_err(|broken| malformed(&self.file, broken))?;
            let Some(record) = next else { break };
            bytes += self.row(&record)?;
            rows += 1;
            self.records.spare.push(record);
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = self.slots.iter_mut().zip(self.wanted.fields()).map(|(slot, field)| {
            let Some((_, values)) = &mut slot.values else {
                return Ok(new_null_array(field.data_type(), rows));
            };
            // What arrays refuse of values that fit their types is a map's key that is null.
            let column = values.finish().map_err(|error| {
                self.file.fault(format!("has a map in column {} that is none", field.name())).because(error)
            })?;
            let column = convert(&column, field.data_type(), self.values.zone)
                .map_err(|error| not_held(&self.file, field.name(), error))?;
            finish(&self.file, field.name(), &column, slot.rule.as_ref())
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        put_together(&self.file, &Arc::clone(&self.wanted), columns, rows).map(Some)
    }

    /// Takes the record's fields over into the columns; how many bytes they have.
    fn row(&mut self, record: &Record) -> Result<usize> {
        let mut bytes = 0;
        let (found, expected) = (record.len(), self.columns.len());
        if found != expected && self.values.layout.dialect == TextDialect::Strict {
            let fields = if found == 1 { "field" } else { "fields" };
            let text = format!("{found} {fields} where {expected} are expected");
            return Err(self.file.line_fault(record.line, text)
                .advise("correct the table's `delimiter`, `quote` or `columns` in the feed, or export the partition again"));
        }
        for (slot, field) in self.slots.iter_mut().zip(self.wanted.fields()) {
            let Some((place, values)) = &mut slot.values else { continue };
            let value = record.field(*place);
            let raw = value.map_or(&b""[..], |(raw, _)| raw);
            bytes += raw.len();
            if let Err(misfit) = self.values.push(values, value) {
                let text = misfit_text(misfit, field.name(), raw, field.data_type());
                return Err(self.file.line_fault(record.line, text)
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

/// Why a text is no value of a column.
pub(crate) fn misfit_text(misfit: Misfit, column: &str, value: &[u8], data_type: &DataType) -> String {
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

/// Why a file can't be cut into records: its store's fault, or its own.
pub(crate) fn malformed(file: &DataFile, broken: Broken) -> Fault {
    match broken {
        Broken::Input(error) => {
            file.failure("text").unwrap_or_else(|| file.corrupt("text", error.to_string()))
        }
        Broken::Text { line, why } => file.line_fault(line, why).advise(
            "correct the table's `quote`, `escape` or `delimiter` in the feed, or export the partition again",
        ),
    }
}
