//! Avro's object container files: their schema, and their rows in the table's types.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Field};
use chrono_tz::Tz;
use hivecast_run::{Fault, Result};
use hivecast_storage::{ReadAt, Sequential};

use crate::avro_decode::{Broken, Decoder};
use crate::avro_schema::{AvroType, columns};
use crate::calendar::{Calendar, Calendars};
use crate::compressed::USUAL_RATIO;
use crate::data_file::DataFile;
use crate::leaves::map_leaves;
use crate::reading::{Authority, Conform, tell_twins};
use crate::rows::RowReader;
use crate::schema::WALL_CLOCK;
use crate::text_file::BATCH_BYTES;
use crate::values::Values;
use crate::zone::wall_clock;

const FORMAT: &str = "Avro";
/// What a file begins with.
pub(crate) const MAGIC: [u8; 4] = *b"Obj\x01";
/// Bytes of the marker that stands behind each block.
const SYNC_BYTES: usize = 16;
/// Largest header, and largest block, as it is and decompressed. Writers cut blocks at some 64 KiB.
/// More than this a thread must not hold, whatever a file says.
const MAX_BLOCK_BYTES: u64 = 128 << 20;

/// What stands in front of a file's blocks.
pub(crate) struct Header {
    columns: Vec<(String, AvroType)>,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    times: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
}

/// Rows of a block that take no bytes: more are not believed.
const MAX_EMPTY_ROWS: u64 = 1 << 20;

/// How the file's writer counted days and times.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// The zone whose wall clock Hive turned into instants, and wants to see again.
    hive_zone: Option<Tz>,
    calendars: Calendars,
}

impl Times {
    /// By the header; `unmarked` is the calendar where it does not say.
    fn of(metadata: &BTreeMap<String, Vec<u8>>, unmarked: Calendar) -> std::result::Result<Times, String> {
        let text = |key: &str| metadata.get(key).map(|value| String::from_utf8_lossy(value).into_owned());
        let zone =
            |name: &str| name.parse::<Tz>().map_err(|_| format!("its time zone {name:?} is not known"));
        let hive_zone = text("writer.time.zone").as_deref().map(zone).transpose()?;
        let spark = text("org.apache.spark.version");
        let legacy = metadata.contains_key("org.apache.spark.legacyDateTime");
        let hybrid = match (text("writer.proleptic").as_deref(), hive_zone, spark.as_deref()) {
            (Some("true"), ..) => false,
            (Some(_), ..) | (None, Some(_), _) => true,
            (None, None, Some(version)) => legacy || version < "3.0.0",
            (None, None, None) => legacy || unmarked == Calendar::Hybrid,
        };
        let mut calendars = Calendars::both(if hybrid { Calendar::Hybrid } else { Calendar::Proleptic });
        if let Some(name) = text("org.apache.spark.timeZone").filter(|_| hybrid) {
            calendars.zone = zone(&name)?;
        }
        Ok(Times { hive_zone, calendars })
    }

    fn apply(self, column: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        let column = match self.hive_zone.filter(|zone| *zone != Tz::UTC) {
            Some(zone) => map_leaves(column, &|leaf| {
                if *leaf.data_type() != WALL_CLOCK {
                    return Ok(None);
                }
                let clock = wall_clock(leaf.as_primitive::<TimestampMicrosecondType>(), zone)?;
                Ok(Some(std::sync::Arc::new(clock) as ArrayRef))
            })?,
            None => column.clone(),
        };
        self.calendars.rebase(&column)
    }
}

/// A file from its start to its end.
struct Input {
    stream: BufReader<Sequential>,
    /// Bytes that are still to come.
    left: u64,
}

impl Input {
    fn new(file: &DataFile) -> Input {
        Input { stream: BufReader::new(file.stream()), left: ReadAt::len(&file.disk) }
    }

    fn bytes(&mut self, count: u64) -> io::Result<Vec<u8>> {
        if count > self.left || count > MAX_BLOCK_BYTES {
            return Err(invalid(format!("{count} bytes are announced, and {} are left", self.left)));
        }
        let mut bytes = vec![0; count as usize];
        self.stream.read_exact(&mut bytes)?;
        self.left -= count;
        Ok(bytes)
    }

    fn long(&mut self) -> io::Result<i64> {
        let mut number = Vec::new();
        loop {
            let [byte] = self.bytes(1)?[..] else { return Err(invalid("no byte")) };
            number.push(byte);
            if byte & 0x80 == 0 || number.len() > 10 {
                return Decoder { bytes: &number }.long().map_err(|Broken(why)| invalid(why));
            }
        }
    }

    fn sized(&mut self) -> io::Result<Vec<u8>> {
        let length = self.long()?;
        self.bytes(u64::try_from(length).map_err(|_| invalid(format!("a length of {length} bytes")))?)
    }

    fn sync(&mut self) -> io::Result<[u8; SYNC_BYTES]> {
        let mut sync = [0; SYNC_BYTES];
        sync.copy_from_slice(&self.bytes(SYNC_BYTES as u64)?);
        Ok(sync)
    }

    fn header(&mut self, unmarked: Calendar) -> io::Result<Header> {
        if self.bytes(MAGIC.len() as u64)? != MAGIC {
            return Err(invalid("it does not begin with Obj1"));
        }
        let mut metadata = BTreeMap::new();
        loop {
            let count = self.long()?;
            if count == 0 {
                break;
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                let name = String::from_utf8_lossy(&self.sized()?).into_owned();
                metadata.insert(name, self.sized()?);
            }
        }
        let sync = self.sync()?;
        let times = Times::of(&metadata, unmarked).map_err(invalid)?;
        let schema = metadata.get("avro.schema").ok_or_else(|| invalid("it has no schema"))?;
        let columns = columns(schema).map_err(invalid)?;
        let columns = match times.hive_zone {
            Some(_) => columns.into_iter().map(|(name, of)| (name, of.with_wall_clocks())).collect(),
            None => columns,
        };
        let codec = match metadata.get("avro.codec").map(Vec::as_slice) {
            None | Some(b"null") => Codec::Null,
            Some(b"deflate") => Codec::Deflate,
            Some(b"snappy") => Codec::Snappy,
            Some(b"zstandard") => Codec::Zstandard,
            Some(b"bzip2") => Codec::Bzip2,
            Some(other) => {
                return Err(invalid(format!("its codec {} is not read", String::from_utf8_lossy(other))));
            }
        };
        Ok(Header { columns, codec, sync, times })
    }

    /// The rows of the next block and their bytes; none at the end of the file.
    fn block(&mut self, header: &Header) -> io::Result<Option<(u64, Vec<u8>)>> {
        if self.left == 0 {
            return Ok(None);
        }
        let rows = self.long()?;
        let rows = u64::try_from(rows).map_err(|_| invalid(format!("a block of {rows} rows")))?;
        let stored = self.sized()?;
        if self.sync()? != header.sync {
            return Err(invalid("a block does not end with the file's marker"));
        }
        Ok(Some((rows, header.codec.decompress(stored)?)))
    }
}

impl Codec {
    fn decompress(self, stored: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        // One byte more, to tell what is too large.
        let read = |input: &mut dyn Read, out: &mut Vec<u8>| {
            input.take(MAX_BLOCK_BYTES + 1).read_to_end(out).map(drop)
        };
        match self {
            Codec::Null => return Ok(stored),
            Codec::Deflate => read(&mut flate2::read::DeflateDecoder::new(&stored[..]), &mut out)?,
            Codec::Bzip2 => read(&mut bzip2::read::BzDecoder::new(&stored[..]), &mut out)?,
            Codec::Zstandard => read(&mut zstd::stream::read::Decoder::new(&stored[..])?, &mut out)?,
            Codec::Snappy => {
                // The CRC-32 of what was compressed stands behind it.
                let (packed, sum) =
                    stored.split_last_chunk::<4>().ok_or_else(|| invalid("a block lacks its checksum"))?;
                let size = snap::raw::decompress_len(packed).map_err(invalid)?;
                if size as u64 > MAX_BLOCK_BYTES {
                    return Err(invalid(format!("a block of {size} bytes")));
                }
                out = snap::raw::Decoder::new().decompress_vec(packed).map_err(invalid)?;
                if crc32fast::hash(&out) != u32::from_be_bytes(*sum) {
                    return Err(invalid("a block's checksum is another one"));
                }
            }
        }
        if out.len() as u64 > MAX_BLOCK_BYTES {
            return Err(invalid(format!("a block of more than {} MiB", MAX_BLOCK_BYTES >> 20)));
        }
        Ok(out)
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The columns of a file, by its own names, and the estimated bytes of all of them as Arrow arrays.
pub(crate) fn read_columns(file: &DataFile) -> Result<(Vec<Field>, u64)> {
    // Types do not depend on the calendar.
    let header = file.guarded(FORMAT, || Input::new(file).header(Calendar::Proleptic))?;
    let fields = header.columns.iter().map(|(name, of)| match of.data_type() {
        Ok(data_type) => Ok(Field::new(name, data_type, true)),
        Err(why) => Err(file
            .fault(format!("has column {name}, which {why}"))
            .advise("leave the column out of the export, or write it as one type")),
    });
    let ratio = if header.codec == Codec::Null { 1 } else { USUAL_RATIO };
    Ok((fields.collect::<Result<_>>()?, ReadAt::len(&file.disk).saturating_mul(ratio)))
}

/// The rows of a file as batches of the wanted columns.
pub(crate) struct AvroRows {
    file: DataFile,
    input: Input,
    header: Header,
    /// For each column of the file its values, where it is wanted.
    values: Vec<Option<Values>>,
    conform: Conform,
    block: Vec<u8>,
    at: usize,
    rows_left: u64,
    batch_rows: usize,
}

/// Opens a file to read the wanted columns.
pub(crate) fn open(reader: &RowReader, file: DataFile) -> Result<AvroRows> {
    let mut input = Input::new(&file);
    // Where Hive's tables do not say, Hive takes their days for those of Java's old classes.
    let by_hive = reader.declared.columns.as_ref().is_some_and(|found| found.by == Authority::Metastore);
    let unmarked = if by_hive { Calendar::Hybrid } else { Calendar::Proleptic };
    let header = file.guarded(FORMAT, || input.header(unmarked))?;
    let names = header.columns.iter().map(|(name, _)| name.clone()).collect();
    let names = reader.declared.names_of(names);
    tell_twins(&file, &names)?;
    let (conform, read) = Conform::new(reader, &file, &names);
    let values = header.columns.iter().enumerate().map(|(at, (name, of))| {
        if read.binary_search(&at).is_err() {
            return Ok(None);
        }
        let wrong = |why: String| file.fault(format!("has column {name}, which {why}"));
        let data_type = of.data_type().map_err(wrong)?;
        // A column without a type has nothing but nulls: as text it can be cast to anything.
        let data_type = match data_type {
            arrow_schema::DataType::Null => arrow_schema::DataType::Utf8View,
            other => other,
        };
        let values = Values::new(&data_type);
        let unreadable = || Fault::bug(format!("table {}: Avro can't be read as {data_type}", reader.table));
        Ok(Some(values.ok_or_else(unreadable)?))
    });
    let values = values.collect::<Result<_>>()?;
    let batch_rows = reader.batch_rows.max(1);
    Ok(AvroRows { input, header, values, conform, block: Vec::new(), at: 0, rows_left: 0, batch_rows, file })
}

impl AvroRows {
    /// Reads a batch; none at the end.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.batch_rows && bytes < BATCH_BYTES {
            if self.rows_left == 0 {
                if !self.next_block()? {
                    break;
                }
                continue;
            }
            bytes += self.row()?;
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let (file, times) = (self.file.clone(), self.header.times);
        let columns = self.values.iter_mut().flatten().map(|values| {
            let column = values.finish().and_then(|column| times.apply(&column));
            column.map_err(|error| file.corrupt(FORMAT, error.to_string()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        self.conform.batch(&columns, rows).map(Some)
    }

    fn next_block(&mut self) -> Result<bool> {
        if self.at < self.block.len() {
            let left = self.block.len() - self.at;
            return Err(self.file.corrupt(FORMAT, format!("{left} bytes stand behind a block's rows")));
        }
        let (input, header) = (&mut self.input, &self.header);
        let Some((rows, block)) = self.file.guarded(FORMAT, || input.block(header))? else {
            return Ok(false);
        };
        if rows > block.len() as u64 && rows > MAX_EMPTY_ROWS {
            let text = format!("a block of {} bytes is said to hold {rows} rows", block.len());
            return Err(self.file.corrupt(FORMAT, text));
        }
        (self.block, self.at, self.rows_left) = (block, 0, rows);
        Ok(true)
    }

    /// Takes a row over into the columns; how many bytes it has.
    fn row(&mut self) -> Result<usize> {
        let mut decoder = Decoder { bytes: &self.block[self.at..] };
        let before = decoder.bytes.len();
        for ((name, of), values) in self.header.columns.iter().zip(&mut self.values) {
            let read = match values {
                Some(values) => decoder.read(of, values),
                None => decoder.skip(of),
            };
            read.map_err(|Broken(why)| self.file.corrupt(FORMAT, format!("column {name}: {why}")))?;
        }
        let size = before - decoder.bytes.len();
        self.at += size;
        self.rows_left -= 1;
        Ok(size)
    }
}

impl Iterator for AvroRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few bytes that become more than a thread may hold.
    #[test]
    fn a_block_that_becomes_too_large_is_refused_by_each_codec() {
        let largest = vec![0; MAX_BLOCK_BYTES as usize];
        let larger = vec![0; MAX_BLOCK_BYTES as usize + 1];
        assert_eq!(MAX_BLOCK_BYTES, 128 << 20);
        let packed = |bytes: &[u8]| zstd::stream::encode_all(bytes, 1).unwrap();
        assert_eq!(Codec::Zstandard.decompress(packed(&largest)).unwrap().len(), largest.len());
        let refused = Codec::Zstandard.decompress(packed(&larger)).unwrap_err().to_string();
        assert_eq!(refused, "a block of more than 128 MiB");
        let mut packed = snap::raw::Encoder::new().compress_vec(&larger).unwrap();
        packed.extend(crc32fast::hash(&larger).to_be_bytes());
        let refused = Codec::Snappy.decompress(packed).unwrap_err().to_string();
        assert_eq!(refused, format!("a block of {} bytes", larger.len()));
    }
}
