//! Rows on disk, divided into parts by a cut: what does not fit into memory waits here.
//!
//! A spill is one unnamed temporary file, so that nothing is left behind whatever happens to the
//! process. Each worker collects rows up to a bound, divides them by part with one counting sort,
//! and appends each part's rows as one segment (an Arrow IPC stream).

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use hivecast_run::{Fault, Result};

use crate::arrays::{batch, batch_bytes, compact, joined};
use crate::gather::taken;
use hivecast_sql::{Batches, RowSource};

/// A contiguous piece of the spill file: some rows of one part.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Which task wrote it and as its how-manieth: the order of rows must not hang on the threads.
    order: (u64, u64),
    offset: u64,
    len: usize,
    bytes: usize,
}

/// A spill that is being written, by several workers at once.
pub(crate) struct SpillWriter {
    schema: SchemaRef,
    state: Mutex<State>,
}

struct State {
    file: File,
    end: u64,
    parts: Vec<Vec<Segment>>,
}

/// A spill that is complete.
pub(crate) struct Spill {
    schema: SchemaRef,
    file: File,
    parts: Vec<Vec<Segment>>,
}

impl SpillWriter {
    pub(crate) fn new(directory: &Path, schema: SchemaRef, parts: usize) -> Result<Self> {
        let file = tempfile::tempfile_in(directory).map_err(|error| {
            Fault::io(format!("failed to make a spill file in {}", directory.display()), error)
        })?;
        let state = State { file, end: 0, parts: vec![Vec::new(); parts] };
        Ok(SpillWriter { schema, state: Mutex::new(state) })
    }

    /// One task's hand on the spill. Tasks are numbered in the order that their rows shall have.
    pub(crate) fn scatter(&self, task: usize, buffer_bytes: usize) -> Scatter<'_> {
        Scatter {
            spill: self,
            task: task as u64,
            segments: 0,
            buffer_bytes,
            batches: Vec::new(),
            parts: Vec::new(),
            bytes: 0,
        }
    }

    pub(crate) fn finish(self) -> Spill {
        let State { file, mut parts, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        for segments in &mut parts {
            segments.sort_by_key(|segment| segment.order);
        }
        Spill { schema: self.schema, file, parts }
    }

    fn append(&self, part: usize, order: (u64, u64), ipc: &[u8], bytes: usize) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = state.end;
        state.file.write_all(ipc).map_err(|error| {
            Fault::io("failed to write a spill file", error)
                .advise("free space where it spills, or raise --memory")
        })?;
        state.end += ipc.len() as u64;
        state.parts[part].push(Segment { order, offset, len: ipc.len(), bytes });
        Ok(())
    }
}

/// Divides one task's rows by part, holding back at most so many bytes.
pub(crate) struct Scatter<'a> {
    spill: &'a SpillWriter,
    task: u64,
    segments: u64,
    buffer_bytes: usize,
    batches: Vec<Vec<ArrayRef>>,
    parts: Vec<u32>,
    bytes: usize,
}

impl Scatter<'_> {
    /// Takes rows, and for each the part that it belongs to.
    pub(crate) fn push(&mut self, columns: Vec<ArrayRef>, parts: impl Iterator<Item = u32>) -> Result<()> {
        self.bytes += batch_bytes(&columns);
        self.batches.push(columns);
        self.parts.extend(parts);
        if self.bytes >= self.buffer_bytes {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is held back.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let types = self.spill.schema.fields().iter().map(|field| field.data_type());
        let columns = joined(std::mem::take(&mut self.batches), types)?;
        let (rows, starts) = self.sorted_by_part();
        let rows = UInt32Array::from(rows);
        // Text views of many batches look into as many buffers, and every array made of them carries the
        // whole list: copied into one buffer here, once, it is not carried by each part's rows.
        let sorted = |column: &ArrayRef| compact(&taken(column, &rows)?);
        let columns: Vec<ArrayRef> = columns.iter().map(sorted).collect::<Result<_>>()?;
        for part in 0..starts.len() - 1 {
            let (start, end) = (starts[part], starts[part + 1]);
            if start < end {
                self.write_segment(part, &columns, start..end)?;
            }
        }
        self.parts.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Row numbers by part, and where each part starts, by a counting sort that keeps the order.
    fn sorted_by_part(&self) -> (Vec<u32>, Vec<usize>) {
        let count = self.parts.iter().max().map_or(0, |part| *part as usize + 1);
        let mut starts = vec![0usize; count + 1];
        for part in &self.parts {
            starts[*part as usize + 1] += 1;
        }
        for part in 0..count {
            starts[part + 1] += starts[part];
        }
        let mut next = starts.clone();
        let mut rows = vec![0u32; self.parts.len()];
        for (row, part) in self.parts.iter().enumerate() {
            rows[next[*part as usize]] = row as u32;
            next[*part as usize] += 1;
        }
        (rows, starts)
    }

    fn write_segment(&mut self, part: usize, columns: &[ArrayRef], rows: Range<usize>) -> Result<()> {
        let own = |column: &ArrayRef| compact(&column.slice(rows.start, rows.len()));
        let columns: Vec<ArrayRef> = columns.iter().map(own).collect::<Result<_>>()?;
        let bytes = batch_bytes(&columns);
        let batch = batch(&self.spill.schema, columns, rows.len())?;
        let failed = |error| Fault::bug("failed to encode a spill segment").because(error);
        let mut writer = StreamWriter::try_new(Vec::with_capacity(bytes + bytes / 8), &self.spill.schema)
            .map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        let ipc = writer.into_inner().map_err(failed)?;
        self.segments += 1;
        self.spill.append(part, (self.task, self.segments), &ipc, bytes)
    }
}

impl Spill {
    /// Bytes in memory of one part's rows.
    pub(crate) fn part_bytes(&self, part: usize) -> usize {
        self.parts[part].iter().map(|segment| segment.bytes).sum()
    }

    /// All columns of some adjacent parts, joined, and the number of rows.
    pub(crate) fn load(&self, parts: Range<usize>) -> Result<(Vec<ArrayRef>, usize)> {
        let mut batches = Vec::new();
        let mut rows = 0;
        for segment in self.parts[parts].iter().flatten() {
            for batch in self.read(segment)? {
                let batch = batch?;
                rows += batch.num_rows();
                batches.push(batch.columns().to_vec());
            }
        }
        let columns = joined(batches, self.schema.fields().iter().map(|field| field.data_type()))?;
        // As in a flush: one buffer instead of one for each segment.
        Ok((columns.iter().map(compact).collect::<Result<_>>()?, rows))
    }

    fn read(&self, segment: &Segment) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
        let mut ipc = vec![0; segment.len];
        self.file
            .read_exact_at(&mut ipc, segment.offset)
            .map_err(|error| Fault::io("failed to read a spill file", error))?;
        let failed = |error| Fault::bug("failed to decode a spill segment").because(error);
        let reader = StreamReader::try_new(Cursor::new(ipc), None).map_err(failed)?;
        Ok(reader.map(move |batch| batch.map_err(failed)))
    }
}

impl fmt::Debug for Spill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spill of {} parts", self.parts.len())
    }
}

/// What a query gave, kept on disk, is a table like any other: a spill of one part whose segments
/// are read one after another.
impl RowSource for Spill {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn parts(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }

    fn open(&self, part: usize, columns: &[usize]) -> Result<Batches> {
        let segment = self.parts.iter().flatten().nth(part);
        let segment = segment.ok_or_else(|| Fault::bug(format!("a spill has no segment {part}")))?;
        let columns = columns.to_vec();
        let project = move |batch: Result<RecordBatch>| {
            batch?
                .project(&columns)
                .map_err(|error| Fault::bug("failed to project a spill segment").because(error))
        };
        Ok(Box::new(self.read(segment)?.map(project)))
    }

    /// A spill knows its rows' bytes, not each column's: an even share.
    fn column_bytes(&self, _column: usize) -> u64 {
        let bytes: usize = self.parts.iter().flatten().map(|segment| segment.bytes).sum();
        (bytes / self.schema.fields().len().max(1)) as u64
    }
}

/// Keeps rows in order in a spill of one part.
pub(crate) fn keep_in_order(
    directory: &Path,
    schema: SchemaRef,
    buffer_bytes: usize,
    produce: impl FnOnce(&mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()>,
) -> Result<Arc<Spill>> {
    let writer = SpillWriter::new(directory, schema, 1)?;
    let mut scatter = writer.scatter(0, buffer_bytes);
    produce(&mut |batch| {
        let rows = batch.num_rows();
        scatter.push(batch.columns().to_vec(), std::iter::repeat_n(0, rows))
    })?;
    scatter.flush()?;
    drop(scatter);
    Ok(Arc::new(writer.finish()))
}
