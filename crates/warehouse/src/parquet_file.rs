//! Parquet files: what their footers say, and their rows in the table's types.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampSecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono_tz::Tz;
use hivecast_run::Result;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit as ParquetTimeUnit, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetStatisticsPolicy};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;

use crate::calendar::{FIRST_GREGORIAN_DAY, MICROS_PER_DAY};
use crate::convert::convert;
use crate::data_file::DataFile;
use crate::disk::Disk;
use crate::input::RowGroup;
use crate::leaves::leaves;
use crate::parquet_time::{HasInt96, Times};
use crate::reading::{Conform, tell_twins};
use crate::rows::RowReader;
use crate::schema::canonical;

const FORMAT: &str = "Parquet";
/// Bytes of one text or binary value's view; its bytes come on top.
const VIEW_BYTES: u64 = 16;
const MICROS_PER_SECOND: i64 = 1_000_000;
/// 1900-01-02, in days since 1970-01-01. Until 1900 in UTC, Java's old classes and its new ones have different
/// offsets for a zone.
const FIRST_DAY_OF_SAME_CLOCKS: i64 = -25_566;

/// What a file's footer says.
pub(crate) struct Footer {
    /// By the file's own names, types as [`canonical`] gives them, with the estimated bytes of each as
    /// Arrow arrays.
    pub(crate) columns: Vec<(Field, u64)>,
    pub(crate) row_groups: Vec<RowGroup>,
    /// As [`crate::InputFile::peculiar`] has it.
    pub(crate) peculiar: Option<String>,
}

/// Reads a file's footer. `Class::Data` where it is cut off or corrupt. `zone` is where wall clocks
/// stand.
pub(crate) fn read_footer(file: &DataFile, zone: Tz) -> Result<Footer> {
    let metadata = file.guarded(FORMAT, || load(&file.disk))?;
    let mut times = times(file, &metadata, zone)?;
    if times.count_as_old_java() && file.guarded(FORMAT, || all_agree_on(&file.disk, &metadata))? {
        times = times.without_old_days();
    }
    let groups = metadata.metadata().row_groups();
    let hinted = hinted(&metadata, &times.int96_type());
    let columns = metadata.schema().fields().iter().zip(&hinted).enumerate().map(|(root, (field, hint))| {
        let bytes = groups.iter().map(|group| root_bytes(&metadata, group.columns(), root)).sum();
        (Field::new(field.name(), canonical(hint.field.data_type()), true), bytes)
    });
    let row_groups = groups.iter().map(|group| RowGroup {
        rows: u64::try_from(group.num_rows()).unwrap_or(0),
        decoded_bytes: group.columns().iter().map(chunk_bytes).sum(),
    });
    let has_int96 = hinted.iter().any(|hint| hint.has_int96 == HasInt96::Yes);
    let columns: Vec<(Field, u64)> = columns.collect();
    let types: Vec<&DataType> = columns.iter().map(|(field, _)| field.data_type()).collect();
    let peculiar = times.peculiar(&types, if has_int96 { HasInt96::Yes } else { HasInt96::No });
    Ok(Footer { row_groups: row_groups.collect(), peculiar, columns })
}

fn times(file: &DataFile, metadata: &ArrowReaderMetadata, zone: Tz) -> Result<Times> {
    Times::of(metadata.metadata().file_metadata(), zone)
        .map_err(|why| file.fault(format!("can't be read: {why}")))
}

/// The footer alone, without the statistics that only pruning needs.
fn load(disk: &Disk) -> Result<ArrowReaderMetadata, ParquetError> {
    load_with(disk, ParquetStatisticsPolicy::SkipAll)
}

fn load_with(disk: &Disk, statistics: ParquetStatisticsPolicy) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_column_stats_policy(statistics)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ArrowReaderMetadata::load(disk, options)
}

/// Whether by the footer's statistics every date and every timestamp that has them (an INT96 has none) is one
/// that all calendars and clocks of Java count alike.
fn all_agree_on(disk: &Disk, metadata: &ArrowReaderMetadata) -> Result<bool, ParquetError> {
    let leaves = metadata.parquet_schema().columns().iter().enumerate();
    let firsts: Vec<(usize, i64)> =
        leaves.filter_map(|(leaf, column)| Some((leaf, first_agreed(column)?))).collect();
    let columns: Vec<usize> = firsts.iter().map(|(leaf, _)| *leaf).collect();
    let metadata = load_with(disk, ParquetStatisticsPolicy::skip_except(&columns))?;
    Ok(metadata.metadata().row_groups().iter().all(|group| {
        firsts.iter().all(|(leaf, first)| {
            let chunk = group.column(*leaf);
            let statistics = chunk.statistics();
            let least = statistics.and_then(|statistics| match statistics {
                Statistics::Int32(found) => found.min_opt().map(|min| i64::from(*min)),
                Statistics::Int64(found) => found.min_opt().copied(),
                _ => None,
            });
            let nulls = statistics.and_then(Statistics::null_count_opt);
            let no_value = nulls.and_then(|nulls| i64::try_from(nulls).ok()) == Some(chunk.num_values());
            no_value || least.is_some_and(|least| least >= *first)
        })
    }))
}

/// The least value of a column of dates, or of INT64 timestamps, from which on all count alike.
fn first_agreed(column: &ColumnDescriptor) -> Option<i64> {
    let per_day = match column.converted_type() {
        ConvertedType::DATE => return Some(FIRST_GREGORIAN_DAY),
        ConvertedType::TIMESTAMP_MILLIS => MICROS_PER_DAY / 1_000,
        ConvertedType::TIMESTAMP_MICROS => MICROS_PER_DAY,
        _ => match column.logical_type_ref()? {
            LogicalType::Date => return Some(FIRST_GREGORIAN_DAY),
            LogicalType::Timestamp(found) if found.unit == ParquetTimeUnit::MILLIS => MICROS_PER_DAY / 1_000,
            LogicalType::Timestamp(found) if found.unit == ParquetTimeUnit::MICROS => MICROS_PER_DAY,
            // In 64 bits, nanoseconds do not go back that far.
            _ => return None,
        },
    };
    Some(FIRST_DAY_OF_SAME_CLOCKS * per_day)
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

/// The rows of a file, or of some of its row groups, as batches of the wanted columns.
pub(crate) struct ParquetRows {
    file: DataFile,
    reader: ParquetRecordBatchReader,
    /// For each column that is read whether it holds INT96s.
    int96: Vec<HasInt96>,
    /// Those that do, once more in whole seconds.
    seconds: Option<ParquetRecordBatchReader>,
    times: Times,
    conform: Conform,
}

/// Opens a file to read the wanted columns from `row_groups`, or from all.
pub(crate) fn open(
    reader: &RowReader,
    file: DataFile,
    row_groups: Option<Range<usize>>,
) -> Result<ParquetRows> {
    let metadata = file.guarded(FORMAT, || load(&file.disk))?;
    let names = metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
    let names = reader.declared.names_of(names);
    tell_twins(&file, &names)?;
    let (conform, roots) = Conform::new(reader, &file, &names);
    let times = times(&file, &metadata, reader.declared.zone)?;
    let groups = row_groups.unwrap_or(0..metadata.metadata().num_row_groups());
    let open = |int96: &DataType, roots: &[usize]| {
        let hints = hinted(&metadata, int96);
        file.guarded(FORMAT, || {
            build_reader(file.disk.clone(), &metadata, hints, roots, groups.clone(), reader.batch_rows)
        })
    };
    let micros = times.int96_type();
    let hints = hinted(&metadata, &micros);
    let int96: Vec<HasInt96> = roots.iter().map(|root| hints[*root].has_int96).collect();
    let marked: Vec<usize> =
        roots.iter().copied().filter(|root| hints[*root].has_int96 == HasInt96::Yes).collect();
    // Far away, an INT96 does not fit into microseconds, and the reader does not say so: but whole
    // seconds always fit, by which it shows.
    let seconds = (!marked.is_empty()).then(|| open(&DataType::Timestamp(TimeUnit::Second, None), &marked));
    Ok(ParquetRows {
        reader: open(&micros, &roots)?,
        int96,
        seconds: seconds.transpose()?,
        times,
        conform,
        file: file.clone(),
    })
}

fn build_reader(
    disk: Disk,
    metadata: &ArrowReaderMetadata,
    hints: Vec<Hint>,
    roots: &[usize],
    row_groups: Range<usize>,
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let fields: Vec<Field> = hints.into_iter().map(|hint| hint.field).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let options = ArrowReaderOptions::new().with_schema(schema);
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots.iter().copied());
    ParquetRecordBatchReaderBuilder::new_with_metadata(disk, metadata)
        .with_projection(mask)
        .with_row_groups(row_groups.collect())
        .with_batch_size(batch_rows.max(1))
        .build()
}

/// How a column is to be decoded.
struct Hint {
    field: Field,
    has_int96: HasInt96,
}

/// The columns to read, so that text and binary become views and INT96 becomes `int96` without a
/// second pass over the values.
fn hinted(metadata: &ArrowReaderMetadata, int96: &DataType) -> Vec<Hint> {
    let leaves = metadata.parquet_schema().columns();
    let mut at = 0;
    let mut hints = Vec::with_capacity(metadata.schema().fields().len());
    for field in metadata.schema().fields() {
        let mut hinting = Hinting { leaves, at, int96, has_int96: HasInt96::No };
        let field = hinting.field(field);
        at = hinting.at;
        hints.push(Hint { field, has_int96: hinting.has_int96 });
    }
    hints
}

/// Walks through a type and the file's leaves along with it.
struct Hinting<'a> {
    leaves: &'a [parquet::schema::types::ColumnDescPtr],
    at: usize,
    int96: &'a DataType,
    has_int96: HasInt96,
}

impl Hinting<'_> {
    fn field(&mut self, field: &Field) -> Field {
        let hint = self.data_type(field.data_type());
        field.clone().with_data_type(hint)
    }

    fn data_type(&mut self, found: &DataType) -> DataType {
        match found {
            DataType::List(item) => DataType::List(Arc::new(self.field(item))),
            DataType::Map(entries, sorted) => DataType::Map(Arc::new(self.field(entries)), *sorted),
            DataType::Struct(fields) => {
                DataType::Struct(fields.iter().map(|field| self.field(field)).collect())
            }
            single => {
                let leaf = self.leaves.get(self.at).map(|leaf| leaf.physical_type());
                self.at += 1;
                match single {
                    DataType::Utf8 => DataType::Utf8View,
                    DataType::Binary => DataType::BinaryView,
                    _ if leaf == Some(PhysicalType::INT96) => {
                        self.has_int96 = HasInt96::Yes;
                        self.int96.clone()
                    }
                    other => other.clone(),
                }
            }
        }
    }
}

impl ParquetRows {
    fn adapt(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        if let Some(seconds) = &mut self.seconds {
            let seconds = self.file.guarded(FORMAT, || seconds.next().transpose())?;
            self.check_int96(batch, seconds.as_ref())?;
        }
        let columns = batch.columns().iter().zip(&self.int96).map(|(column, has_int96)| {
            let meant = convert(column, &canonical(column.data_type()), Tz::UTC)
                .and_then(|column| self.times.apply(&column, *has_int96));
            meant.map_err(|error| self.file.corrupt(FORMAT, error.to_string()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        self.conform.batch(&columns, batch.num_rows())
    }

    /// Fails where an INT96 did not fit into microseconds.
    fn check_int96(&self, batch: &RecordBatch, seconds: Option<&RecordBatch>) -> Result<()> {
        let marked = batch.columns().iter().zip(&self.int96);
        let marked = marked.filter(|(_, has_int96)| **has_int96 == HasInt96::Yes).map(|(column, _)| column);
        let micros = marked.flat_map(leaves);
        let seconds = seconds.iter().flat_map(|batch| batch.columns()).flat_map(leaves);
        for (micros, seconds) in micros.zip(seconds) {
            let DataType::Timestamp(TimeUnit::Second, _) = seconds.data_type() else { continue };
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            let seconds = seconds.as_primitive::<TimestampSecondType>();
            let mut pairs = micros.iter().zip(seconds).filter_map(|(micros, seconds)| micros.zip(seconds));
            if let Some((_, far)) = pairs.find(|(micros, far)| micros.div_euclid(MICROS_PER_SECOND) != *far) {
                let text = format!("holds the timestamp {far} s since 1970, too far away for microseconds");
                return Err(self.file.fault(text));
            }
        }
        Ok(())
    }
}

impl Iterator for ParquetRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = &mut self.reader;
        let batch = self.file.guarded(FORMAT, || reader.next().transpose()).transpose()?;
        Some(batch.and_then(|batch| self.adapt(&batch)))
    }
}
