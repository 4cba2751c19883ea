use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringViewArray, StructArray, UInt32Array};
use arrow_cast::cast;
use arrow_schema::{DataType, Fields, SchemaRef};
use hivecast_contract::key_hash;
use hivecast_run::{Fault, Result, crash_point};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::Xxh3;

use crate::content::{Content, content};
use crate::description::ShardDescription;
use crate::files::AdviseSpace;
use crate::schema::{HASH, KEY, shard_schema, written_fields};
use crate::writer::{Shards, held};

/// Most documents in a row group.
pub(crate) const ROW_GROUP_ROWS: usize = 65_536;
/// Encoded bytes after which a row group ends. A writer holds about this much.
pub(crate) const ROW_GROUP_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of values after which a page ends, before compression. A reader holds one page a column.
const PAGE_BYTES: usize = 64 * 1024;
/// Documents that are encoded at a time: what a column's levels and scratch are bounded by.
const SLICE_ROWS: usize = 2_048;

/// Writes one shard. May be sent to a thread of its own.
#[derive(Debug)]
pub struct ShardWriter {
    index: u32,
    file: String,
    encoder: Encoder<File>,
    shards: Shards,
}

impl ShardWriter {
    pub(crate) fn create(dir: &Path, index: u32, document: &Fields, shards: Shards) -> Result<ShardWriter> {
        let file = format!("shard-{index:04}.parquet");
        let path = dir.join(&file);
        let sink = File::create_new(&path)
            .map_err(|error| Fault::io(format!("failed to make {}", path.display()), error).advise_space())?;
        Ok(ShardWriter { index, file, encoder: Encoder::new(sink, path, document)?, shards })
    }

    /// Adds documents, in the edition's order: (`hash`, `key`) strictly ascending, over all calls.
    /// `hash` is [`key_hash`] of the key, which is `Utf8` or `Utf8View`; nothing is null at the top.
    ///
    /// Fails with `Class::Bug` where that does not hold, and with `Class::Infrastructure` when the
    /// disk is full or fails.
    pub fn write(&mut self, hash: &UInt32Array, key: &ArrayRef, document: &StructArray) -> Result<()> {
        self.encoder.write(hash, key, document)
    }

    /// Bytes that this writer holds in memory: the row group that it is encoding.
    pub fn memory_bytes(&self) -> usize {
        self.encoder.memory_bytes()
    }

    /// Writes the footer, syncs the file, and says what is in it.
    pub fn finish(mut self) -> Result<ShardDescription> {
        let mut shard = self.encoder.finish()?;
        self.encoder
            .sink()
            .sync_all()
            .map_err(|error| Fault::io(format!("failed to sync {}", self.file), error).advise_space())?;
        shard.file = self.file;
        held(&self.shards).insert(self.index, Some(shard.clone()));
        crash_point("edition.shard_written");
        Ok(shard)
    }
}

/// Encodes documents into a sink, with their sums.
#[derive(Debug)]
struct Encoder<W: Write + Send> {
    path: PathBuf,
    schema: SchemaRef,
    /// The type of the documents as they are given.
    given: DataType,
    parquet: ArrowWriter<Hashing<W>>,
    documents: u64,
    content: Content,
    scratch: Vec<u8>,
    first: Option<(u32, String)>,
    last: Option<(u32, String)>,
}

impl<W: Write + Send> Encoder<W> {
    fn new(sink: W, path: PathBuf, document: &Fields) -> Result<Self> {
        let schema = shard_schema(&written_fields(document)?);
        let sink = Hashing { inner: sink, hash: Xxh3::new(), bytes: 0 };
        let options = ArrowWriterOptions::new().with_properties(properties()).with_skip_arrow_metadata(true);
        let parquet = ArrowWriter::try_new_with_options(sink, Arc::clone(&schema), options)
            .map_err(|error| write_fault(&path, error))?;
        Ok(Encoder {
            path,
            schema,
            given: DataType::Struct(document.clone()),
            parquet,
            documents: 0,
            content: Content::default(),
            scratch: Vec::new(),
            first: None,
            last: None,
        })
    }

    fn write(&mut self, hash: &UInt32Array, key: &ArrayRef, document: &StructArray) -> Result<()> {
        let rows = hash.len();
        if key.len() != rows || document.len() != rows {
            let lengths = (rows, key.len(), document.len());
            return Err(self.bug(format!("hash, key and document have {lengths:?} rows")));
        }
        if hash.null_count() + key.null_count() + document.null_count() > 0 {
            return Err(self.bug("a hash, key or document is null"));
        }
        if !document.data_type().equals_datatype(&self.given) {
            return Err(self.bug(format!("documents are {}, not {}", document.data_type(), self.given)));
        }
        let key =
            text_views(key).ok_or_else(|| self.bug(format!("keys are {}, not text", key.data_type())))?;
        self.check_order(hash, &key)?;
        for start in (0..rows).step_by(SLICE_ROWS) {
            let length = SLICE_ROWS.min(rows - start);
            self.write_slice(
                hash.slice(start, length),
                key.slice(start, length),
                document.slice(start, length),
            )?;
        }
        self.documents += rows as u64;
        Ok(())
    }

    fn write_slice(&mut self, hash: UInt32Array, key: StringViewArray, document: StructArray) -> Result<()> {
        let written = self.schema.field(2).data_type();
        let document: ArrayRef = Arc::new(document);
        let document = if document.data_type() == written {
            document
        } else {
            cast(&document, written)
                .map_err(|error| self.bug(format!("documents can't be {written}")).because(error))?
        };
        self.content.add(content(&key, document.as_struct(), &mut self.scratch)?);
        let batch =
            RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(hash), Arc::new(key), document])
                .map_err(|error| self.bug("documents do not fit their schema").because(error))?;
        self.parquet.write(&batch).map_err(|error| write_fault(&self.path, error))?;
        if self.parquet.in_progress_size() >= ROW_GROUP_BYTES {
            self.parquet.flush().map_err(|error| write_fault(&self.path, error))?;
        }
        Ok(())
    }

    fn check_order(&mut self, hash: &UInt32Array, key: &StringViewArray) -> Result<()> {
        let Some(end) = hash.len().checked_sub(1) else { return Ok(()) };
        let at = |row: usize| (hash.value(row), key.value(row));
        let mut last = self.last.as_ref().map(|(hash, key)| (*hash, key.as_str()));
        for row in 0..=end {
            let (hash, key) = at(row);
            if hash != key_hash(key.as_bytes()) {
                return Err(self.bug(format!("{hash} is not the hash of key {key:?}")));
            }
            if last.is_some_and(|last| last >= (hash, key)) {
                return Err(self.bug(format!("({hash}, {key:?}) comes after {last:?}")));
            }
            last = Some((hash, key));
        }
        let owned = |(hash, key): (u32, &str)| (hash, key.to_owned());
        self.first.get_or_insert_with(|| owned(at(0)));
        self.last = Some(owned(at(end)));
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.parquet.memory_size() + self.scratch.capacity()
    }

    /// Writes the footer. The description lacks the file's name.
    fn finish(&mut self) -> Result<ShardDescription> {
        // Not `into_inner`, which reports a full disk without the operating system's error.
        self.parquet.finish().map_err(|error| write_fault(&self.path, error))?;
        let written = self.parquet.inner();
        Ok(ShardDescription {
            file: String::new(),
            documents: self.documents,
            bytes: written.bytes,
            file_checksum: format!("{:016x}", written.hash.digest()),
            checksum: self.content.checksum.to_string(),
            first: self.first.take(),
            last: self.last.take(),
            max_text_bytes: self.content.max_text_bytes,
            max_values: self.content.max_values,
        })
    }

    fn sink(&self) -> &W {
        &self.parquet.inner().inner
    }

    fn bug(&self, what: impl std::fmt::Display) -> Fault {
        Fault::bug(format!("failed to write {}: {what}", self.path.display()))
    }
}

fn text_views(key: &ArrayRef) -> Option<StringViewArray> {
    match key.data_type() {
        DataType::Utf8View => Some(key.as_string_view().clone()),
        DataType::Utf8 => Some(StringViewArray::from(key.as_string::<i32>())),
        _ => None,
    }
}

/// What makes writing and reading back cheap, as the bench example measures it: dictionaries would
/// cost writing 1.6 times the CPU for a sixth less bytes, LZ4 costs a fifth for a third of the bytes,
/// and statistics are kept only for what readers look for.
fn properties() -> WriterProperties {
    let (hash, key) = (ColumnPath::from(HASH), ColumnPath::from(KEY));
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("hivecast ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::LZ4_RAW)
        .set_encoding(Encoding::PLAIN)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_column_statistics_enabled(hash, EnabledStatistics::Chunk)
        .set_column_statistics_enabled(key, EnabledStatistics::Chunk)
        .build()
}

fn write_fault(path: &Path, error: ParquetError) -> Fault {
    let what = format!("failed to write {}", path.display());
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => Fault::io(what, *error).advise_space(),
            Err(cause) => Fault::bug(what).because(cause),
        },
        other => Fault::bug(what).because(other),
    }
}

/// Hashes and counts what passes through.
struct Hashing<W> {
    inner: W,
    hash: Xxh3,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W> std::fmt::Debug for Hashing<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashing").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Date64Array, StringArray};
    use arrow_schema::Field;
    use hivecast_run::Class;

    use super::*;

    /// A disk with room for so many bytes.
    struct FullAfter(usize);

    impl Write for FullAfter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Documents of one text of `width` bytes, for keys in the edition's order.
    fn columns(keys: &[String], width: usize) -> (UInt32Array, ArrayRef, StructArray) {
        let hash: UInt32Array = keys.iter().map(|key| Some(key_hash(key.as_bytes()))).collect();
        // Text that no compression makes much smaller.
        let noise = |key: &String| {
            let mut state = u64::from(key_hash(key.as_bytes())) | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'!' + (state >> 58) as u8)
            };
            (0..width).map(|_| next()).collect::<String>()
        };
        let text: StringArray = keys.iter().map(|key| Some(noise(key))).collect();
        let field = Field::new("text", DataType::Utf8, true);
        let document = StructArray::new(vec![field].into(), vec![Arc::new(text)], None);
        (hash, Arc::new(StringArray::from_iter_values(keys)), document)
    }

    fn keys(count: usize) -> Vec<String> {
        let mut keys: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        keys.sort_by_key(|key| (key_hash(key.as_bytes()), key.clone()));
        keys
    }

    fn encode<W: Write + Send>(sink: W, keys: &[String]) -> Result<ShardDescription> {
        let (hash, key, document) = columns(keys, 100);
        let mut encoder = Encoder::new(sink, PathBuf::from("shard-0000.parquet"), document.fields())?;
        encoder.write(&hash, &key, &document)?;
        encoder.finish()
    }

    #[test]
    fn a_disk_that_fills_at_any_byte_is_infrastructure() {
        let keys = keys(300);
        let mut bytes = Vec::new();
        let shard = encode(&mut bytes, &keys).unwrap();
        assert_eq!(shard.bytes, bytes.len() as u64);
        for room in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
            let fault = encode(FullAfter(room), &keys).unwrap_err();
            assert_eq!(fault.class(), Class::Infrastructure, "{room}: {}", fault.chain());
            assert!(fault.chain().starts_with("failed to write shard-0000.parquet: "), "{}", fault.chain());
            assert!(fault.advice().is_some_and(|advice| advice.contains("make room")));
        }
        assert!(encode(FullAfter(bytes.len()), &keys).is_ok());
    }

    #[test]
    fn the_description_is_that_of_the_bytes() {
        let mut bytes = Vec::new();
        let shard = encode(&mut bytes, &keys(300)).unwrap();
        assert_eq!(shard.file_checksum, format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes)));
        assert_eq!(shard.documents, 300);
        assert_eq!(shard.first.unwrap().1, keys(300)[0]);
        assert_eq!(shard.last.unwrap().1, keys(300)[299]);
    }

    #[test]
    fn memory_is_bounded_by_the_row_group_however_much_is_written() {
        let keys = keys(200_000);
        let mut encoder: Option<Encoder<io::Sink>> = None;
        let mut peak = 0;
        for part in keys.chunks(10_000) {
            let (hash, key, document) = columns(part, 1_000);
            let encoder = encoder
                .get_or_insert_with(|| Encoder::new(io::sink(), PathBuf::new(), document.fields()).unwrap());
            encoder.write(&hash, &key, &document).unwrap();
            peak = peak.max(encoder.memory_bytes());
        }
        let shard = encoder.unwrap().finish().unwrap();
        assert!(shard.bytes > 8 * ROW_GROUP_BYTES as u64, "{} bytes are too few to tell", shard.bytes);
        assert!(peak > ROW_GROUP_BYTES / 4, "{peak} bytes can't be all that is held");
        assert!(peak < 2 * ROW_GROUP_BYTES, "{peak} bytes are held");
    }

    #[test]
    fn a_batch_of_another_type_is_a_bug() {
        let (hash, key, document) = columns(&keys(1), 5);
        let mut encoder = Encoder::new(io::sink(), PathBuf::new(), document.fields()).unwrap();
        let field = Field::new("text", DataType::Date64, true);
        let days: ArrayRef = Arc::new(Date64Array::from(vec![0]));
        let other = StructArray::new(vec![field].into(), vec![days], None);
        assert_eq!(encoder.write(&hash, &key, &other).unwrap_err().class(), Class::Bug);
        let null = StructArray::new_null(document.fields().clone(), 1);
        assert_eq!(encoder.write(&hash, &key, &null).unwrap_err().class(), Class::Bug);
    }
}
