//! ORC files: what their footers say, and their rows in the table's types.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Field, Schema};
use bytes::Bytes;
use chrono_tz::Tz;
use hivecast_run::{Fault, Result};
use hivecast_storage::{ReadAt, Sequential};
use orc_rust::projection::ProjectionMask;
use orc_rust::proto::column_encoding::Kind as Encoding;
use orc_rust::proto::stream::Kind as StreamKind;
use orc_rust::proto::r#type::Kind;
use orc_rust::proto::{ColumnStatistics, CompressionKind, StripeFooter, StripeInformation};
use orc_rust::reader::ChunkReader;
use orc_rust::{ArrowReader, ArrowReaderBuilder};

use crate::compressed::USUAL_RATIO;
use crate::convert::convert;
use crate::data_file::DataFile;
use crate::input::{RowGroup, SizesBy};
use crate::leaves::map_leaves;
use crate::orc_integers::{self, RunLength};
use crate::orc_tail::{Column, Tail, Unread, decompress, stream};
use crate::reading::{Conform, tell_twins};
use crate::rows::RowReader;
use crate::schema::WALL_CLOCK;
use crate::zone::as_old_java_meant;

const FORMAT: &str = "ORC";
/// Bytes between two streams that are read along with them rather than apart.
const MERGED_GAP: u64 = 1 << 20;
/// Bytes of one text or binary value's view; its bytes come on top.
const VIEW_BYTES: u64 = 16;

/// What a file's footer says.
pub(crate) struct Footer {
    /// By the file's own names, types as the table has them, with the estimated bytes of each.
    pub(crate) columns: Vec<(Field, u64)>,
    pub(crate) row_groups: Vec<RowGroup>,
    /// What the bytes are estimated by.
    pub(crate) sizes: SizesBy,
}

/// Reads a file's footer. `Class::Data` where it is cut off or corrupt, or of a kind that is not read.
pub(crate) fn read_footer(file: &DataFile) -> Result<Footer> {
    let tail = read_tail(file)?;
    let rows: u64 = tail.footer.stripes.iter().map(StripeInformation::number_of_rows).sum();
    let columns: Vec<(Field, u64)> = tail
        .columns
        .iter()
        .map(|column| {
            let bytes = tail.family(column.id).iter().map(|id| type_bytes(&tail, *id, rows)).sum();
            (Field::new(&column.name, column.data_type.clone(), true), bytes)
        })
        .collect();
    let bytes: u64 = columns.iter().map(|(_, bytes)| bytes).sum();
    let row_groups = tail.footer.stripes.iter().map(|stripe| RowGroup {
        rows: stripe.number_of_rows(),
        decoded_bytes: share(bytes, stripe.number_of_rows(), rows),
    });
    let sizes = match tail.footer.statistics.iter().any(is_counted) || rows == 0 {
        true => SizesBy::Footers,
        false => SizesBy::FileSizes,
    };
    Ok(Footer { row_groups: row_groups.collect(), columns, sizes })
}

fn share(bytes: u64, rows: u64, of: u64) -> u64 {
    let part = u128::from(bytes) * u128::from(rows) / u128::from(of.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Estimated bytes of a type's values as an Arrow array, by what the footer counts of them. Writers other than
/// Hive's and Spark's may leave that out: then by the rows, and what the stripes have for texts.
fn type_bytes(tail: &Tail, id: u32, rows: u64) -> u64 {
    let statistics = tail.footer.statistics.get(id as usize).filter(|found| is_counted(found));
    let values = statistics.map_or(rows, ColumnStatistics::number_of_values);
    let text = || match statistics {
        None => guessed_text_bytes(tail),
        Some(found) => {
            let strings = found.string_statistics.as_ref().and_then(|text| text.sum);
            let sum = strings.or(found.binary_statistics.as_ref().and_then(|binary| binary.sum));
            sum.and_then(|sum| u64::try_from(sum).ok()).unwrap_or(0)
        }
    };
    match tail.type_kind(id) {
        None | Some(Kind::Struct | Kind::Union) => 0,
        Some(Kind::Boolean) => values / 8,
        Some(Kind::Byte) => values,
        Some(Kind::Short) => values * 2,
        Some(Kind::Int | Kind::Float | Kind::Date | Kind::List | Kind::Map) => values * 4,
        Some(Kind::Long | Kind::Double | Kind::Timestamp | Kind::TimestampInstant) => values * 8,
        Some(Kind::Decimal) => values * 16,
        Some(Kind::String | Kind::Varchar | Kind::Char | Kind::Binary) => {
            values.saturating_mul(VIEW_BYTES).saturating_add(text())
        }
    }
}

/// Whether a column's statistics say anything.
fn is_counted(statistics: &ColumnStatistics) -> bool {
    statistics.number_of_values.is_some()
}

/// One of the text columns' share of the stripes, as if these held nothing else.
fn guessed_text_bytes(tail: &Tail) -> u64 {
    let ratio = if tail.compression == CompressionKind::None { 1 } else { USUAL_RATIO };
    let stored: u64 = tail.footer.stripes.iter().map(StripeInformation::data_length).sum();
    let is_text = |id: &u32| {
        matches!(tail.type_kind(*id), Some(Kind::String | Kind::Varchar | Kind::Char | Kind::Binary))
    };
    let texts = (0..tail.footer.types.len() as u32).filter(is_text).count() as u64;
    stored.saturating_mul(ratio) / texts.max(1)
}

fn read_tail(file: &DataFile) -> Result<Tail> {
    Tail::read(&file.disk).map_err(|unread| match unread {
        Unread::Corrupt(why) => file.failure(FORMAT).unwrap_or_else(|| file.corrupt(FORMAT, why)),
        Unread::Refused(why) => {
            file.fault(why).advise("export the table as a plain one, without this column or its transactions")
        }
    })
}

/// What the decoder reads from: the file, and what of the stripe was read together.
#[derive(Clone)]
struct Input {
    file: DataFile,
    stripe: Arc<Mutex<Vec<(u64, Bytes)>>>,
}

impl Input {
    fn hold(&self, spans: Vec<(u64, Bytes)>) {
        *self.stripe.lock().unwrap_or_else(PoisonError::into_inner) = spans;
    }
}

impl ChunkReader for Input {
    type T = Sequential;

    fn len(&self) -> u64 {
        self.file.disk.len()
    }

    fn get_read(&self, offset: u64) -> io::Result<Sequential> {
        let disk: Arc<dyn ReadAt> = Arc::new(self.file.disk.clone());
        Ok(Sequential::new(disk, offset, MERGED_GAP))
    }

    fn get_bytes(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let held = self.stripe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = stream(&held, offset, length) {
            return Ok(bytes);
        }
        drop(held);
        match offset.checked_add(length).filter(|end| *end <= self.file.disk.len()) {
            Some(end) => self.file.disk.read_at(offset..end),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it goes on beyond the file's end")),
        }
    }
}

/// The rows of a file, or of some of its stripes, as batches of the wanted columns.
pub(crate) struct OrcRows {
    file: DataFile,
    tail: Tail,
    input: Input,
    reader: ArrowReader<Input>,
    /// The columns that are read.
    columns: Vec<Column>,
    /// The numbers of their types, and of those within them.
    types: BTreeSet<u32>,
    /// The stripes that are still to come.
    stripes: Range<usize>,
    /// Rows of the current stripe that are still to come.
    rows_left: u64,
    /// The zone in which the current stripe was written by Java's old classes.
    old_java_zone: Option<Tz>,
    conform: Conform,
    batch_rows: usize,
}

/// Opens a file to read the wanted columns from `stripes`, or from all.
pub(crate) fn open(reader: &RowReader, file: DataFile, stripes: Option<Range<usize>>) -> Result<OrcRows> {
    let tail = read_tail(&file)?;
    let names = tail.columns.iter().map(|column| column.name.clone()).collect();
    let names = reader.declared.names_of(names);
    tell_twins(&file, &names)?;
    let (conform, read) = Conform::new(reader, &file, &names);
    let columns: Vec<Column> = read.iter().map(|at| tail.columns[*at].clone()).collect();
    let types = columns.iter().flat_map(|column| tail.family(column.id)).collect();
    let stripes = stripes.unwrap_or(0..tail.footer.stripes.len());
    let stripes = stripes.start..stripes.end.min(tail.footer.stripes.len());
    let input = Input { file: file.clone(), stripe: Arc::default() };
    let batch_rows = reader.batch_rows.max(1);
    let builder = file.guarded(FORMAT, || ArrowReaderBuilder::try_new(input.clone()))?;
    let reader = file.guarded(FORMAT, || {
        let root = builder.file_metadata().root_data_type();
        let mask = ProjectionMask::roots(root, columns.iter().map(|column| column.id as usize));
        let fields: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, column.decoded.clone(), true)).collect();
        let span = byte_range(&tail, &stripes);
        Ok::<_, Fault>(
            builder
                .with_projection(mask)
                .with_schema(Arc::new(Schema::new(fields)))
                .with_batch_size(batch_rows)
                .with_file_byte_range(span)
                .build(),
        )
    })?;
    Ok(OrcRows {
        file,
        tail,
        input,
        reader,
        columns,
        types,
        stripes,
        rows_left: 0,
        old_java_zone: None,
        conform,
        batch_rows,
    })
}

/// Where the stripes begin, as the decoder wants to be told which they are.
fn byte_range(tail: &Tail, stripes: &Range<usize>) -> Range<usize> {
    let start = |at: usize| tail.footer.stripes.get(at).map(|stripe| stripe.offset() as usize);
    start(stripes.start).unwrap_or(usize::MAX)..start(stripes.end).unwrap_or(usize::MAX)
}

impl OrcRows {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.rows_left == 0 {
            let Some(at) = self.stripes.next() else { return Ok(None) };
            let stripe = self.tail.footer.stripes[at].clone();
            self.rows_left = stripe.number_of_rows();
            if self.rows_left > 0 {
                self.enter(at, &stripe)?;
            }
        }
        let rows = usize::try_from(self.rows_left).unwrap_or(usize::MAX).min(self.batch_rows);
        if self.columns.is_empty() {
            self.rows_left -= rows as u64;
            return self.conform.batch(&[], rows).map(Some);
        }
        let reader = &mut self.reader;
        let batch = self.file.guarded(FORMAT, || reader.next().transpose())?;
        let Some(batch) = batch.filter(|batch| batch.num_columns() == self.columns.len()) else {
            return Err(self
                .file
                .corrupt(FORMAT, format!("{} rows of a stripe are missing", self.rows_left)));
        };
        self.rows_left = self.rows_left.saturating_sub(batch.num_rows() as u64);
        let calendars = self.tail.calendars();
        let columns = self.columns.iter().zip(batch.columns()).map(|(column, decoded)| {
            // What an instant is shows in the column's type alone, so that no zone matters here.
            let found = convert(decoded, &column.data_type, Tz::UTC);
            let found = found.and_then(|found| self.as_meant(found));
            let found = found.and_then(|found| calendars.rebase(&found));
            let found = found.and_then(|found| match &column.rule {
                Some(rule) => rule.apply(&found),
                None => Ok(found),
            });
            found.map_err(|error| self.file.corrupt(FORMAT, format!("column {}: {error}", column.name)))
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        self.conform.batch(&columns, batch.num_rows()).map(Some)
    }

    /// The column with its wall clocks as the stripe's writer meant them: the decoder takes a zone's history for
    /// what it is.
    fn as_meant(&self, column: ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        let Some(zone) = self.old_java_zone else { return Ok(column) };
        map_leaves(&column, &|leaf| {
            if *leaf.data_type() != WALL_CLOCK {
                return Ok(None);
            }
            let clocks = as_old_java_meant(leaf.as_primitive::<TimestampMicrosecondType>(), zone)?;
            Ok(clocks.map(|clocks| Arc::new(clocks) as ArrayRef))
        })
    }

    /// Reads what is needed of a stripe, and checks what the decoder would believe.
    fn enter(&mut self, at: usize, stripe: &StripeInformation) -> Result<()> {
        let file = &self.file;
        let failed = |why: String| {
            let why = format!("stripe {at}: {why}");
            file.failure(FORMAT).unwrap_or_else(|| file.corrupt(FORMAT, why))
        };
        let begin = stripe.offset() + stripe.index_length() + stripe.data_length();
        let end = begin + stripe.footer_length();
        let footer_bytes = file.disk.read_at(begin..end).map_err(|error| failed(error.to_string()))?;
        let footer = self.tail.stripe_footer(&footer_bytes).map_err(&failed)?;
        let zone = check_footer(&footer, stripe).map_err(&failed)?;
        self.old_java_zone = zone.filter(|_| self.tail.is_by_java());
        let streams = self.streams(&footer, stripe);
        let ranges = merged(&streams);
        let bytes = file.disk.read_ranges(&ranges).map_err(|error| failed(error.to_string()))?;
        let mut spans: Vec<(u64, Bytes)> = ranges.iter().map(|range| range.start).zip(bytes).collect();
        spans.push((begin, footer_bytes));
        for found in &streams {
            self.check_numbers(&footer, found, &spans).map_err(&failed)?;
        }
        self.input.hold(spans);
        Ok(())
    }

    /// The streams that are needed, in the order in which they lie.
    fn streams(&self, footer: &StripeFooter, stripe: &StripeInformation) -> Vec<Stream> {
        let mut offset = stripe.offset();
        let mut streams = Vec::new();
        for stream in &footer.streams {
            let start = offset;
            offset += stream.length();
            if self.types.contains(&stream.column()) {
                let (column, kind) = (stream.column(), stream.kind());
                streams.push(Stream { column, kind, range: start..offset });
            }
        }
        streams
    }

    /// Looks at the numbers that the decoder would believe.
    fn check_numbers(
        &self,
        footer: &StripeFooter,
        found: &Stream,
        spans: &[(u64, Bytes)],
    ) -> std::result::Result<(), String> {
        let check = match (self.tail.type_kind(found.column), found.kind) {
            (Some(Kind::List | Kind::Map), StreamKind::Length) => orc_integers::check_lengths,
            (Some(Kind::Timestamp | Kind::TimestampInstant), StreamKind::Secondary) => {
                orc_integers::check_nanoseconds
            }
            _ => return Ok(()),
        };
        let length = found.range.end - found.range.start;
        let bytes = stream(spans, found.range.start, length).ok_or("a stream was not read")?;
        let encoding = match footer.columns.get(found.column as usize).map(|column| column.kind()) {
            Some(Encoding::Direct | Encoding::Dictionary) => RunLength::V1,
            _ => RunLength::V2,
        };
        check(&decompress(&bytes, self.tail.compression)?, encoding)
    }
}

impl Iterator for OrcRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

struct Stream {
    column: u32,
    kind: StreamKind,
    range: Range<u64>,
}

/// Looks at what the decoder would believe of a stripe's footer. The zone in which it was written, if it
/// says.
fn check_footer(
    footer: &StripeFooter,
    stripe: &StripeInformation,
) -> std::result::Result<Option<Tz>, String> {
    let room = stripe.index_length() + stripe.data_length();
    let streams = footer.streams.iter().try_fold(0_u64, |sum, stream| sum.checked_add(stream.length()));
    if streams.is_none_or(|streams| streams > room) {
        return Err("its streams are longer than it is".to_owned());
    }
    let largest = footer.columns.iter().map(|column| u64::from(column.dictionary_size())).max();
    // Values within arrays are more than there are rows.
    let words = stripe.number_of_rows().max(orc_integers::MAX_ITEMS);
    if largest.is_some_and(|largest| largest > words) {
        return Err("a dictionary has more words than there are values".to_owned());
    }
    let zone = footer.writer_timezone.as_ref().map(|zone| {
        zone.parse::<Tz>()
            .map_err(|_| format!("its time zone {zone:?} is not known, by which its timestamps are written"))
    });
    zone.transpose()
}

/// The ranges with those together that lie close to each other.
fn merged(streams: &[Stream]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for stream in streams {
        match ranges.last_mut() {
            Some(last) if stream.range.start - last.end <= MERGED_GAP => last.end = stream.range.end,
            _ => ranges.push(stream.range.clone()),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_lie_close_are_read_together() {
        let stream = |start: u64, end: u64| Stream { column: 1, kind: StreamKind::Data, range: start..end };
        let far = 3 * MERGED_GAP;
        let ranges = merged(&[stream(10, 20), stream(20, 30), stream(100, 110), stream(far, far + 1)]);
        assert_eq!(ranges, [10..110, far..far + 1]);
        assert!(merged(&[]).is_empty());
    }
}
