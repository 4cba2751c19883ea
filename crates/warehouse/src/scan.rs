use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow_schema::{DataType, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use hivecast_contract::LoadDate;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Scheme};

use crate::input::TableInput;
use crate::rows::{RowReader, Rows, Wanted, has_row_groups};

/// Decoded bytes that a part aims at: enough to be worth a thread's while, few enough that the
/// parts of one file are spread evenly.
const PART_DECODED_BYTES: u64 = 32 << 20;

/// Bytes of a file of another machine up to which it is read together with others: that it is opened takes
/// longer than reading it.
const SMALL_FILE_BYTES: u64 = 64 << 10;
/// Small files that are read together at most.
const SMALL_FILES: usize = 64;
/// Files of another machine that are opened while another is read.
const OPENED_AHEAD: usize = 8;

/// Opens a piece.
type Work = Box<dyn FnOnce() -> Result<Rows> + Send>;

/// A piece of a table's partition that can be read apart from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file, as an index into [`TableInput::files`]; or several small ones, which are read whole.
    pub files: Range<usize>,
    /// The row groups of the one Parquet file, the stripes of the one ORC file; empty for others, which are
    /// read whole.
    pub row_groups: Range<usize>,
    /// Rows, where the files' footers say; before rows of other load_dates are filtered out.
    pub rows: Option<u64>,
    /// Estimated bytes of the rows as arrays, where the files' footers say.
    pub decoded_bytes: u64,
}

/// A table's rows, batch by batch, in the projected schema. Ends after the first error.
pub struct Scan {
    plan: Arc<Plan>,
    pieces: VecDeque<Piece>,
    /// The pieces before those, in their order, that are opened already or by threads of their own.
    opening: VecDeque<Opening>,
    /// Starts a thread, or fails where no more are allowed.
    spawn: fn(Work) -> io::Result<JoinHandle<Result<Rows>>>,
    rows: Option<Rows>,
    partition: Option<StringViewArray>,
    failed: bool,
}

#[derive(Clone)]
struct Piece {
    path: Location,
    row_groups: Option<Range<usize>>,
}

/// A piece that is opened ahead.
enum Opening {
    /// By this thread.
    Ahead(JoinHandle<Result<Rows>>),
    /// Not yet: this machine allows no more threads.
    Later(Piece),
}

/// What a scan reads and how it puts its batches together.
struct Plan {
    reader: RowReader,
    schema: SchemaRef,
    /// For each column of `schema` where it comes from.
    outputs: Vec<Output>,
    /// The position among the wanted columns of the one that must hold the load_date.
    date_column: Option<usize>,
    load_date: LoadDate,
}

#[derive(Clone, Copy)]
enum Output {
    /// A position among the wanted columns.
    Read(usize),
    /// The load_date of the path.
    Partition,
}

impl TableInput {
    /// Reads the partition's rows: of each the columns at these indices of [`TableInput::schema`], in
    /// this order, in batches of at most `batch_rows` rows. The same rows in the same order each time.
    pub fn scan(&self, columns: &[usize], batch_rows: usize) -> Result<Scan> {
        let pieces = self.files.iter().map(|file| Piece { path: file.path.clone(), row_groups: None });
        Ok(Scan::new(self.plan(columns, batch_rows)?, pieces.collect()))
    }

    /// Cuts the partition into parts, for several threads. Their rows, one part after the other, are
    /// those of [`TableInput::scan`].
    pub fn scan_parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for (at, file) in self.files.iter().enumerate() {
            if !has_row_groups(self.format) {
                parts.push(Part { files: at..at + 1, row_groups: 0..0, rows: None, decoded_bytes: 0 });
                continue;
            }
            let (mut start, mut bytes, mut rows) = (0, 0, 0);
            for (group, facts) in file.row_groups.iter().enumerate() {
                bytes += facts.decoded_bytes;
                rows += facts.rows;
                if bytes >= PART_DECODED_BYTES || group + 1 == file.row_groups.len() {
                    parts.push(Part {
                        files: at..at + 1,
                        row_groups: start..group + 1,
                        rows: Some(rows),
                        decoded_bytes: bytes,
                    });
                    (start, bytes, rows) = (group + 1, 0, 0);
                }
            }
        }
        let is_small = |file: usize| {
            self.files.get(file).is_some_and(|file| {
                let decoded = file.row_groups.iter().map(|group| group.decoded_bytes).sum::<u64>();
                is_far(&file.path) && file.size <= SMALL_FILE_BYTES && decoded < PART_DECODED_BYTES
            })
        };
        join_small(parts, is_small)
    }

    /// Reads one part as [`TableInput::scan`] reads all.
    pub fn scan_part(&self, part: &Part, columns: &[usize], batch_rows: usize) -> Result<Scan> {
        let files = self.files.get(part.files.clone()).ok_or_else(|| {
            Fault::bug(format!("table {} has no files {:?} to read a part of", self.table, part.files))
        })?;
        let whole = files.len() > 1 || !has_row_groups(self.format);
        let row_groups = (!whole).then(|| part.row_groups.clone());
        let pieces =
            files.iter().map(|file| Piece { path: file.path.clone(), row_groups: row_groups.clone() });
        Ok(Scan::new(self.plan(columns, batch_rows)?, pieces.collect()))
    }

    fn plan(&self, columns: &[usize], batch_rows: usize) -> Result<Arc<Plan>> {
        let schema = self.schema.project(columns).map_err(|error| {
            Fault::bug(format!("failed to pick columns of table {}", self.table)).because(error)
        })?;
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut outputs = Vec::with_capacity(columns.len());
        for (&column, field) in columns.iter().zip(schema.fields()) {
            if self.partition_column == Some(column) {
                outputs.push(Output::Partition);
            } else {
                outputs.push(Output::Read(want(&mut wanted, field.name(), field.data_type())));
            }
        }
        let mut date_column = None;
        if let Some(name) = &self.date_column {
            let field = self.schema.field_with_name(name).map_err(|error| {
                Fault::bug(format!("table {} has no column {name} to filter on", self.table)).because(error)
            })?;
            date_column = Some(want(&mut wanted, name, field.data_type()));
        }
        Ok(Arc::new(Plan {
            reader: RowReader {
                table: self.table.clone(),
                storage: Arc::clone(&self.storage),
                format: self.format,
                declared: Arc::clone(&self.declared),
                file_columns: self.file_columns(),
                wanted,
                batch_rows,
            },
            schema: Arc::new(Schema::new(schema.fields().clone())),
            outputs,
            date_column,
            load_date: self.load_date,
        }))
    }

    fn file_columns(&self) -> Vec<String> {
        let fields = self.schema.fields().iter().enumerate();
        fields
            .filter(|(at, _)| self.partition_column != Some(*at))
            .map(|(_, field)| field.name().clone())
            .collect()
    }
}

/// The position of a column among those that are read, where it is put if it is not there.
fn want(wanted: &mut Vec<Wanted>, name: &str, data_type: &DataType) -> usize {
    let known = wanted.iter().position(|column| column.name == name);
    known.unwrap_or_else(|| {
        wanted.push(Wanted { name: name.to_owned(), data_type: data_type.clone() });
        wanted.len() - 1
    })
}

impl Scan {
    fn new(plan: Arc<Plan>, pieces: VecDeque<Piece>) -> Scan {
        let opening = VecDeque::new();
        Scan { plan, pieces, opening, spawn: in_a_thread, rows: None, partition: None, failed: false }
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.plan.schema)
    }

    fn read(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let batch = match &mut self.rows {
                Some(rows) => rows.next().transpose()?,
                None => match self.open_next()? {
                    Some(rows) => {
                        self.rows = Some(rows);
                        continue;
                    }
                    None => return Ok(None),
                },
            };
            let Some(batch) = batch else {
                self.rows = None;
                continue;
            };
            let batch = self.plan.filter(batch)?;
            if batch.num_rows() > 0 {
                return self.put_together(&batch).map(Some);
            }
        }
    }

    /// Opens the next piece, and has the ones behind it opened meanwhile where that is a way to another
    /// machine and back.
    fn open_next(&mut self) -> Result<Option<Rows>> {
        let next = match self.opening.pop_front() {
            Some(Opening::Ahead(thread)) => Some(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?),
            Some(Opening::Later(piece)) => Some(self.plan.open(piece)?),
            None => self.pieces.pop_front().map(|piece| self.plan.open(piece)).transpose()?,
        };
        while self.opening.len() < OPENED_AHEAD
            && let Some(piece) = self.pieces.pop_front_if(|piece| is_far(&piece.path))
        {
            self.opening.push_back(self.open_ahead(piece));
        }
        Ok(next)
    }

    fn open_ahead(&self, piece: Piece) -> Opening {
        let (plan, ahead) = (Arc::clone(&self.plan), piece.clone());
        match (self.spawn)(Box::new(move || plan.open(ahead))) {
            Ok(thread) => Opening::Ahead(thread),
            Err(_) => Opening::Later(piece),
        }
    }

    fn put_together(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let plan = Arc::clone(&self.plan);
        let columns = plan
            .outputs
            .iter()
            .map(|output| match output {
                Output::Read(at) => Arc::clone(batch.column(*at)),
                Output::Partition => self.partition_values(rows),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema(), columns, &options).map_err(|error| {
            Fault::bug(format!("failed to put together rows of table {}", plan.reader.table)).because(error)
        })
    }

    /// The load_date once for each row, from an array that is made once.
    fn partition_values(&mut self, rows: usize) -> ArrayRef {
        let date = self.plan.load_date;
        let known = self.partition.take().filter(|values| values.len() >= rows);
        let values = known.unwrap_or_else(|| {
            StringViewArray::from_iter_values(std::iter::repeat_n(date.to_string(), rows))
        });
        let slice = values.slice(0, rows);
        self.partition = Some(values);
        Arc::new(slice)
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.read();
        self.failed = next.is_err();
        next.transpose()
    }
}

impl Drop for Scan {
    /// Waits for the threads: who has no scan any more has nothing of it going on.
    fn drop(&mut self) {
        self.pieces.clear();
        for opening in self.opening.drain(..) {
            if let Opening::Ahead(thread) = opening {
                // What it found, if only that it failed, nobody asked for.
                drop(thread.join());
            }
        }
    }
}

fn in_a_thread(work: Work) -> io::Result<JoinHandle<Result<Rows>>> {
    thread::Builder::new().name("open-ahead".to_owned()).spawn(work)
}

/// Whether it lies on another machine.
fn is_far(path: &Location) -> bool {
    path.scheme() != Scheme::File
}

/// The parts with small files that follow each other as one.
fn join_small(parts: Vec<Part>, is_small: impl Fn(usize) -> bool) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        let small = part.files.clone().all(&is_small);
        match joined.last_mut() {
            Some(last)
                if small
                    && last.files.end == part.files.start
                    && last.files.len() < SMALL_FILES
                    && last.decoded_bytes + part.decoded_bytes <= PART_DECODED_BYTES
                    && last.files.clone().all(&is_small) =>
            {
                last.files.end = part.files.end;
                last.row_groups = 0..0;
                last.rows = last.rows.zip(part.rows).map(|(rows, more)| rows + more);
                last.decoded_bytes += part.decoded_bytes;
            }
            _ => joined.push(part),
        }
    }
    joined
}

impl Plan {
    fn open(&self, piece: Piece) -> Result<Rows> {
        self.reader.open(&piece.path, piece.row_groups)
    }

    /// Leaves out rows of other load_dates.
    fn filter(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let Some(at) = self.date_column else { return Ok(batch) };
        let mask = self.is_load_date(batch.column(at))?;
        filter_record_batch(&batch, &mask).map_err(|error| {
            Fault::bug(format!("failed to filter rows of table {}", self.reader.table)).because(error)
        })
    }

    fn is_load_date(&self, column: &ArrayRef) -> Result<BooleanArray> {
        let values: Vec<bool> = match column.data_type() {
            DataType::Utf8View => {
                let text = self.load_date.to_string();
                column.as_string_view().iter().map(|value| value == Some(&text)).collect()
            }
            DataType::Date32 => {
                let days = self.load_date.days_since_epoch();
                let dates = column.as_primitive::<Date32Type>().iter();
                dates.map(|value| value.map(i64::from) == Some(days)).collect()
            }
            other => {
                return Err(Fault::bug(format!(
                    "table {}: rows are filtered on a column of type {other}",
                    self.reader.table
                )));
            }
        };
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests;
