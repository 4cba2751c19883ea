use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{BooleanArray, RecordBatch, StringViewArray, StructArray, UInt32Array};
use arrow_schema::{ArrowError, Fields};
use arrow_select::filter::filter_record_batch;
use hivecast_run::{Fault, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::description::ShardDescription;
use crate::edition::rebuild;
use crate::exclusion::Marks;
use crate::schema::{DOCUMENT, HASH, KEY, shard_schema};
use crate::shared::Remote;

/// Documents in a batch. Their columns are decoded together, so this bounds a reader's memory.
const BATCH_ROWS: usize = 4_096;
/// Bytes of documents, as a row group has them on average, that a batch aims at.
const BATCH_BYTES: i64 = 8 << 20;
/// Keys in a batch that holds nothing else.
const KEY_BATCH_ROWS: usize = 32_768;

/// What a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Hash and key alone.
    Keys,
    /// Hash, key and document.
    Documents,
}

/// Documents that follow each other in the edition's order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// How many documents of the edition come before the first of these.
    pub ordinal: u64,
    /// CRC-32 of each key.
    pub hash: UInt32Array,
    /// The keys.
    pub key: StringViewArray,
    /// The documents, unless only keys are read.
    pub document: Option<StructArray>,
}

impl Batch {
    /// Documents in the batch; at least 1.
    pub fn len(&self) -> usize {
        self.hash.len()
    }

    /// Whether there is no document in it.
    pub fn is_empty(&self) -> bool {
        self.hash.is_empty()
    }
}

/// Where an edition's documents lie, shared by its readers.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    shards: Vec<ShardDescription>,
    pub(crate) fields: Fields,
    /// Where shards come from that are not there yet.
    remote: Option<Arc<Remote>>,
}

impl Source {
    pub(crate) fn new(
        path: PathBuf,
        shards: Vec<ShardDescription>,
        fields: Fields,
        remote: Option<Arc<Remote>>,
    ) -> Self {
        Source { path, shards, fields, remote }
    }

    fn shard_path(&self, shard: &ShardDescription) -> PathBuf {
        self.path.join(&shard.file)
    }

    fn open(&self, shard: &ShardDescription) -> Result<(File, ArrowReaderMetadata)> {
        if let Some(remote) = &self.remote {
            remote.ensure(&shard.file, shard.bytes, &shard.file_checksum)?;
        }
        let path = self.shard_path(shard);
        let failed = |error| self.fault(&path, error);
        let file = File::open(&path).map_err(|error| failed(error.into()))?;
        let options = ArrowReaderOptions::new().with_schema(shard_schema(&self.fields));
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(failed)?;
        let rows = metadata.metadata().file_metadata().num_rows();
        if u64::try_from(rows).ok() != Some(shard.documents) {
            let what = format!("{} has {rows} documents, not {}", path.display(), shard.documents);
            return Err(Fault::data(what).advise(rebuild(&self.path)));
        }
        Ok((file, metadata))
    }

    /// What can't be read was damaged, unless the operating system says otherwise.
    fn fault(&self, path: &Path, error: ParquetError) -> Fault {
        let what = format!("failed to read {}", path.display());
        let error = match error {
            ParquetError::External(cause) => match cause.downcast::<io::Error>() {
                Ok(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
                    return Fault::io(what, *error);
                }
                Ok(error) => ParquetError::External(error),
                Err(cause) => ParquetError::External(cause),
            },
            other => other,
        };
        Fault::data(what).because(error).advise(rebuild(&self.path))
    }
}

/// Reads an edition's documents in its order. After an error it ends.
pub struct EditionReader {
    source: Arc<Source>,
    marks: Arc<Marks>,
    columns: Columns,
    batch_rows: usize,
    next_shard: usize,
    /// Documents of the next shard to pass over.
    skip: u64,
    /// The ordinal of the next document, excluded ones counted.
    position: u64,
    /// The ordinal behind the last document, excluded ones counted.
    end: u64,
    rows: Option<ParquetRecordBatchReader>,
}

impl EditionReader {
    pub(crate) fn new(source: Arc<Source>, marks: Arc<Marks>, start: u64, columns: Columns) -> Result<Self> {
        let position = marks.gross(start);
        let mut skip = position;
        let mut next_shard = 0;
        while let Some(shard) = source.shards.get(next_shard)
            && skip >= shard.documents
        {
            skip -= shard.documents;
            next_shard += 1;
        }
        let batch_rows = match columns {
            Columns::Keys => KEY_BATCH_ROWS,
            Columns::Documents => BATCH_ROWS,
        };
        Ok(EditionReader {
            source,
            marks,
            columns,
            batch_rows,
            next_shard,
            skip,
            position,
            end: u64::MAX,
            rows: None,
        })
    }

    /// Ends before the document with this ordinal, excluded ones counted.
    #[must_use]
    pub(crate) fn until(mut self, end: u64) -> Self {
        self.end = end;
        self
    }

    /// Sets how many documents a batch holds at most, at least 1. Only before the first is read.
    #[must_use]
    pub fn with_batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    fn open_next(&mut self) -> Result<Option<ParquetRecordBatchReader>> {
        let Some(shard) = self.source.shards.get(self.next_shard) else { return Ok(None) };
        let (file, metadata) = self.source.open(shard)?;
        let mut skip = std::mem::take(&mut self.skip);
        let groups = metadata.metadata().row_groups();
        let mut first = 0;
        while let Some(group) = groups.get(first)
            && skip >= group.num_rows() as u64
        {
            skip -= group.num_rows() as u64;
            first += 1;
        }
        let batch_rows = match self.columns {
            Columns::Keys => self.batch_rows,
            Columns::Documents => groups[first..].iter().map(rows_of_batch).fold(self.batch_rows, usize::min),
        };
        let wanted = (first..groups.len()).collect();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let mask = match self.columns {
            Columns::Keys => ProjectionMask::columns(builder.parquet_schema(), [HASH, KEY]),
            Columns::Documents => ProjectionMask::all(),
        };
        let mut builder = builder.with_projection(mask).with_row_groups(wanted).with_batch_size(batch_rows);
        if skip > 0 {
            builder = builder.with_offset(skip as usize);
        }
        let rows =
            builder.build().map_err(|error| self.source.fault(&self.source.shard_path(shard), error))?;
        self.next_shard += 1;
        Ok(Some(rows))
    }

    fn read(&mut self) -> Result<Option<Batch>> {
        loop {
            if self.position >= self.end {
                return Ok(None);
            }
            if self.rows.is_none() {
                self.rows = self.open_next()?;
            }
            let Some(rows) = &mut self.rows else { return Ok(None) };
            match rows.next() {
                None => self.rows = None,
                Some(Err(error)) => return Err(self.read_fault(error)),
                Some(Ok(batch)) => {
                    if let Some(batch) = self.net(batch)? {
                        return Ok(Some(batch));
                    }
                }
            }
        }
    }

    fn read_fault(&self, error: ArrowError) -> Fault {
        let shard = &self.source.shards[self.next_shard - 1];
        let error = match error {
            ArrowError::ExternalError(cause) => ParquetError::External(cause),
            ArrowError::IoError(_, error) => error.into(),
            other => ParquetError::ArrowError(other.to_string()),
        };
        self.source.fault(&self.source.shard_path(shard), error)
    }

    /// The batch without excluded documents, if any is left.
    fn net(&mut self, batch: RecordBatch) -> Result<Option<Batch>> {
        let first = self.position;
        let wanted = usize::try_from(self.end - first).unwrap_or(usize::MAX);
        let batch = batch.slice(0, batch.num_rows().min(wanted));
        self.position += batch.num_rows() as u64;
        let batch = if self.marks.within(first..self.position) == 0 {
            batch
        } else {
            let kept: Vec<bool> = (first..self.position).map(|at| !self.marks.contains(at)).collect();
            filter_record_batch(&batch, &BooleanArray::from(kept))
                .map_err(|error| Fault::bug("failed to leave out excluded documents").because(error))?
        };
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        let ordinal = first - self.marks.before(first);
        let column = |name| batch.column_by_name(name);
        let (Some(hash), Some(key)) = (column(HASH), column(KEY)) else {
            return Err(Fault::bug("a shard was read without its hash and key"));
        };
        Ok(Some(Batch {
            ordinal,
            hash: hash.as_primitive::<UInt32Type>().clone(),
            key: key.as_string_view().clone(),
            document: column(DOCUMENT).map(|documents| documents.as_struct().clone()),
        }))
    }
}

/// How many documents of a row group make a batch, by their size on average.
fn rows_of_batch(group: &RowGroupMetaData) -> usize {
    let bytes = (group.total_byte_size() / group.num_rows().max(1)).max(1);
    (BATCH_BYTES / bytes).max(1) as usize
}

impl Iterator for EditionReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.read();
        if batch.is_err() {
            self.rows = None;
            self.next_shard = self.source.shards.len();
        }
        batch.transpose()
    }
}

/// How many documents have a lower hash than `bound`, excluded ones counted: through the shards' ranges,
/// then the row groups' statistics, then the hashes of the row group where it lies.
pub(crate) fn lower(source: &Source, bound: u64) -> Result<u64> {
    let all = || source.shards.iter().map(|shard| shard.documents).sum();
    let Ok(bound) = u32::try_from(bound) else { return Ok(all()) };
    let mut before = 0;
    for shard in &source.shards {
        let Some((first, last)) = shard.first.as_ref().zip(shard.last.as_ref()) else { continue };
        if first.0 >= bound {
            break;
        }
        if last.0 >= bound {
            return Ok(before + lower_in_shard(source, shard, bound)?);
        }
        before += shard.documents;
    }
    Ok(before)
}

fn lower_in_shard(source: &Source, shard: &ShardDescription, bound: u32) -> Result<u64> {
    let (file, metadata) = source.open(shard)?;
    let groups = metadata.metadata().row_groups();
    // Without statistics a group is looked into.
    let is_lower = |group: &RowGroupMetaData| hashes_of(group).is_some_and(|(_, last)| last < bound);
    let passed = groups.iter().take_while(|group| is_lower(group)).count();
    let mut lower: u64 = groups[..passed].iter().map(|group| group.num_rows() as u64).sum();
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
    let mask = ProjectionMask::columns(builder.parquet_schema(), [HASH]);
    let failed = |error| source.fault(&source.shard_path(shard), error);
    let wanted = (passed..groups.len()).collect();
    let builder = builder.with_projection(mask).with_row_groups(wanted).with_batch_size(KEY_BATCH_ROWS);
    for batch in builder.build().map_err(failed)? {
        let batch = batch.map_err(|error| failed(error.into()))?;
        let hashes = batch.column(0).as_primitive::<UInt32Type>();
        let here = hashes.values().partition_point(|hash| *hash < bound);
        lower += here as u64;
        if here < hashes.len() {
            break;
        }
    }
    Ok(lower)
}

/// The lowest and the highest hash of a row group, where its statistics say so.
fn hashes_of(group: &RowGroupMetaData) -> Option<(u32, u32)> {
    match group.column(0).statistics() {
        // Parquet has no unsigned physical type: the bits are those of the unsigned value.
        Some(Statistics::Int32(range)) => Some((*range.min_opt()? as u32, *range.max_opt()? as u32)),
        _ => None,
    }
}

/// The ordinal of a key, excluded documents counted: through the shards' ranges, then the row
/// groups' statistics, then the keys of the row groups that may hold it.
pub(crate) fn locate(source: &Source, hash: u32, key: &str) -> Result<Option<u64>> {
    let mut before = 0;
    for shard in &source.shards {
        let within = |(first, last): (&(u32, String), &(u32, String))| {
            (first.0, first.1.as_str()) <= (hash, key) && (hash, key) <= (last.0, last.1.as_str())
        };
        if shard.first.as_ref().zip(shard.last.as_ref()).is_some_and(within) {
            let found = locate_in_shard(source, shard, hash, key)?;
            return Ok(found.map(|row| before + row));
        }
        before += shard.documents;
    }
    Ok(None)
}

fn locate_in_shard(source: &Source, shard: &ShardDescription, hash: u32, key: &str) -> Result<Option<u64>> {
    let (file, metadata) = source.open(shard)?;
    let groups = metadata.metadata().row_groups();
    let may_hold =
        |index: &usize| hashes_of(&groups[*index]).is_none_or(|(first, last)| (first..=last).contains(&hash));
    let wanted: Vec<usize> = (0..groups.len()).filter(may_hold).collect();
    let Some(first) = wanted.first() else { return Ok(None) };
    // Row groups are in order, so those that may hold it follow each other.
    let mut row: u64 = groups[..*first].iter().map(|group| group.num_rows() as u64).sum();
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
    let mask = ProjectionMask::columns(builder.parquet_schema(), [HASH, KEY]);
    let failed = |error| source.fault(&source.shard_path(shard), error);
    let builder = builder.with_projection(mask).with_row_groups(wanted).with_batch_size(KEY_BATCH_ROWS);
    for batch in builder.build().map_err(failed)? {
        let batch = batch.map_err(|error| failed(error.into()))?;
        let (hashes, keys) = (batch.column(0).as_primitive::<UInt32Type>(), batch.column(1).as_string_view());
        let start = hashes.values().partition_point(|other| *other < hash);
        let same = hashes.values()[start..].iter().take_while(|other| **other == hash).count();
        if let Some(at) = (start..start + same).find(|at| keys.value(*at) == key) {
            return Ok(Some(row + at as u64));
        }
        row += batch.num_rows() as u64;
    }
    Ok(None)
}
