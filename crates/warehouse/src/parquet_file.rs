//! Parquet files: what their footers say, and their rows in the table's types.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use hivecast_run::{Fault, Result, catch_panic};
use hivecast_storage::{Location, Storage};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetStatisticsPolicy};

use crate::disk::Disk;
use crate::input::RowGroup;
use crate::rows::RowReader;
use crate::schema::{canonical, type_name};

/// Bytes of one text or binary value's view; its bytes come on top.
const VIEW_BYTES: u64 = 16;

/// What a file's footer says.
pub(crate) struct Footer {
    /// Names in lower case, types as [`canonical`] gives them, with the estimated bytes of each as
    /// Arrow arrays.
    pub(crate) columns: Vec<(Field, u64)>,
    pub(crate) row_groups: Vec<RowGroup>,
}

/// Reads a file's footer. `Class::Data` where it is cut off or corrupt, or where two columns differ
/// in case only.
pub(crate) fn read_footer(table: &str, storage: &dyn Storage, path: &Location) -> Result<Footer> {
    let disk = Disk::open(storage, path)?;
    let metadata = guarded(table, path, &disk, || load(&disk))?;
    let names = column_names(table, path, metadata.schema())?;
    let groups = metadata.metadata().row_groups();
    let columns = names
        .into_iter()
        .zip(metadata.schema().fields())
        .enumerate()
        .map(|(root, (name, field))| {
            let bytes = groups.iter().map(|group| root_bytes(&metadata, group.columns(), root)).sum();
            (Field::new(name, canonical(field.data_type()), true), bytes)
        })
        .collect();
    let row_groups = groups
        .iter()
        .map(|group| RowGroup {
            rows: u64::try_from(group.num_rows()).unwrap_or(0),
            decoded_bytes: group.columns().iter().map(chunk_bytes).sum(),
        })
        .collect();
    Ok(Footer { columns, row_groups })
}

/// The footer alone, without the statistics that only pruning needs.
fn load(disk: &Disk) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ArrowReaderMetadata::load(disk, options)
}

/// The columns' names in lower case, as Hive has them.
fn column_names(table: &str, path: &Location, schema: &SchemaRef) -> Result<Vec<String>> {
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().to_lowercase()).collect();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(Fault::data(format!(
                "table {table}: {} has two columns {name}, which Hive does not tell apart",
                path
            )));
        }
    }
    Ok(names)
}

fn root_bytes(metadata: &ArrowReaderMetadata, chunks: &[ColumnChunkMetaData], root: usize) -> u64 {
    let schema = metadata.parquet_schema();
    let of_root = |leaf: &usize| schema.get_column_root_idx(*leaf) == root;
    (0..chunks.len()).filter(of_root).map(|leaf| chunk_bytes(&chunks[leaf])).sum()
}

/// Estimated bytes of a column chunk as an Arrow array: values of a known width exactly; text by
/// the bytes that the writer counted, or, where it did not, by the encoded size, which is too low
/// for dictionaries.
fn chunk_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let values = u64::try_from(chunk.num_values()).unwrap_or(0);
    match chunk.column_type() {
        PhysicalType::BOOLEAN => values / 8,
        PhysicalType::INT32 | PhysicalType::FLOAT => values * 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE | PhysicalType::INT96 => values * 8,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => values * 16,
        PhysicalType::BYTE_ARRAY => {
            let text = chunk.unencoded_byte_array_data_bytes().unwrap_or(chunk.uncompressed_size());
            values * VIEW_BYTES + u64::try_from(text).unwrap_or(0)
        }
    }
}

/// Where each wanted column comes from.
enum Slot {
    /// A column of the reader's batches, which may need a cast.
    From(usize),
    /// The file lacks it.
    Missing,
}

/// The rows of a file, or of some of its row groups, as batches of the wanted columns.
pub(crate) struct ParquetRows {
    table: String,
    path: Location,
    disk: Disk,
    reader: ParquetRecordBatchReader,
    slots: Vec<Slot>,
    wanted: SchemaRef,
}

/// Opens a file to read the wanted columns from `row_groups`, or from all.
pub(crate) fn open(
    reader: &RowReader,
    path: &Location,
    row_groups: Option<Range<usize>>,
) -> Result<ParquetRows> {
    let RowReader { table, wanted, batch_rows, storage, .. } = reader;
    let disk = Disk::open(&**storage, path)?;
    let metadata = guarded(table, path, &disk, || load(&disk))?;
    let names = column_names(table, path, metadata.schema())?;
    let mut roots: Vec<usize> = Vec::new();
    for column in wanted {
        roots.extend(names.iter().position(|name| *name == column.name));
    }
    roots.sort_unstable();
    let slots = wanted
        .iter()
        .map(|column| {
            let root = names.iter().position(|name| *name == column.name);
            root.and_then(|root| roots.binary_search(&root).ok()).map_or(Slot::Missing, Slot::From)
        })
        .collect();
    let reader = guarded(table, path, &disk, || {
        build_reader(disk.clone(), &metadata, &roots, row_groups, *batch_rows)
    })?;
    let fields: Vec<Field> =
        wanted.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true)).collect();
    Ok(ParquetRows {
        table: table.clone(),
        path: path.clone(),
        disk,
        reader,
        slots,
        wanted: Arc::new(Schema::new(fields)),
    })
}

fn build_reader(
    disk: Disk,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
    row_groups: Option<Range<usize>>,
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let options = ArrowReaderOptions::new().with_schema(hinted(metadata));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots.iter().copied());
    let groups = row_groups.unwrap_or(0..metadata.metadata().num_row_groups());
    ParquetRecordBatchReaderBuilder::new_with_metadata(disk, metadata)
        .with_projection(mask)
        .with_row_groups(groups.collect())
        .with_batch_size(batch_rows.max(1))
        .build()
}

/// The schema to read with, so that text and binary become views and INT96 becomes microseconds
/// without a second pass over the values.
fn hinted(metadata: &ArrowReaderMetadata) -> SchemaRef {
    let fields: Vec<Field> = metadata
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(root, field)| {
            let hint = match field.data_type() {
                DataType::Utf8 => DataType::Utf8View,
                DataType::Binary => DataType::BinaryView,
                DataType::Timestamp(TimeUnit::Nanosecond, None) if is_int96(metadata.metadata(), root) => {
                    DataType::Timestamp(TimeUnit::Microsecond, None)
                }
                other => other.clone(),
            };
            field.as_ref().clone().with_data_type(hint)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

fn is_int96(metadata: &ParquetMetaData, root: usize) -> bool {
    let schema = metadata.file_metadata().schema();
    let Some(column) = schema.get_fields().get(root) else { return false };
    column.is_primitive() && column.get_physical_type() == PhysicalType::INT96
}

impl ParquetRows {
    fn adapt(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self
            .slots
            .iter()
            .zip(self.wanted.fields())
            .map(|(slot, field)| match slot {
                Slot::Missing => Ok(new_null_array(field.data_type(), batch.num_rows())),
                Slot::From(at) => self.cast(batch.column(*at), field),
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.wanted), columns, &options).map_err(|error| {
            Fault::bug(format!("failed to put together rows of {}", self.path)).because(error)
        })
    }

    fn cast(&self, column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(column, field.data_type(), &options).map_err(|error| {
            Fault::data(format!(
                "table {}: a value of column {} in {} does not fit the type {}",
                self.table,
                field.name(),
                self.path,
                type_name(field.data_type())
            ))
            .because(error)
        })
    }
}

impl Iterator for ParquetRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = &mut self.reader;
        let batch = guarded(&self.table, &self.path, &self.disk, || reader.next().transpose()).transpose()?;
        Some(batch.and_then(|batch| self.adapt(&batch)))
    }
}

/// Reads, and tells why it failed: a failed read of the disk is the disk's fault, everything else is
/// the file's. That includes a panic, by which the Parquet reader answers some corrupt bytes. What
/// panicked is not used again: a fault ends the scan.
fn guarded<T, E: Error>(
    table: &str,
    path: &Location,
    disk: &Disk,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T> {
    let cause = match catch_panic(read) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => format!("the reader gave up: {panic}"),
    };
    let what = format!("table {table}: failed to read the Parquet file {}", path);
    Err(match disk.failure() {
        Some(failure) => Fault::io(what, failure),
        None => Fault::data(what)
            .because(cause)
            .advise("the file is cut off or corrupt: export the partition again"),
    })
}
