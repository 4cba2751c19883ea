//! The footers of ORC files, read and checked before the decoder sees them: it believes what they say,
//! and what is wrong there can end the process.

use std::io::Read;

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field};
use bytes::Bytes;
use hivecast_storage::ReadAt;
use orc_rust::proto::r#type::Kind;
use orc_rust::proto::{CalendarKind, CompressionKind, Footer, PostScript, StripeFooter, Type};
use prost::Message;

use crate::calendar::{Calendar, Calendars};
use crate::convert::{TextRule, any_rule};
use crate::disk::Disk;
use crate::schema::{WALL_CLOCK, instant, list_of, map_of};

/// What a file begins with.
pub(crate) const MAGIC: [u8; 3] = *b"ORC";
/// Bytes of the end of a file that are read at once: as a rule all its footers.
const TAIL_BYTES: u64 = 16 << 10;
/// Largest footer, decompressed.
const MAX_FOOTER_BYTES: u64 = 256 << 20;
/// Largest chunk that a codec is given to fill. A chunk's length has 23 bits.
const MAX_CHUNK_BYTES: usize = 1 << 23;
/// How deep types may lie in each other: what reads them recurses.
const MAX_DEPTH: usize = 64;
/// Bytes of the header of a compressed chunk.
const CHUNK_HEADER: usize = 3;
/// The writer that is ORC's own, in Java.
const JAVA_WRITER: u32 = 0;
/// The columns around the rows of a table with transactions.
const ACID_COLUMNS: [&str; 6] =
    ["operation", "originaltransaction", "bucket", "rowid", "currenttransaction", "row"];

/// What a file says of itself.
pub(crate) struct Tail {
    pub(crate) footer: Footer,
    pub(crate) compression: CompressionKind,
    pub(crate) columns: Vec<Column>,
}

/// A column of a file.
#[derive(Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its number among all types of the file; those within it follow.
    pub(crate) id: u32,
    /// The table's type for it.
    pub(crate) data_type: DataType,
    /// What the decoder is asked for: text and binary as it has them, timestamps as nanoseconds in a
    /// decimal, which alone holds them all.
    pub(crate) decoded: DataType,
    /// The blanks with which its text is filled up are no part of it.
    pub(crate) rule: Option<TextRule>,
}

/// Why a file is not read.
pub(crate) enum Unread {
    /// The store failed, or the file is corrupt.
    Corrupt(String),
    /// It is sound, but of a kind that is not read.
    Refused(String),
}

fn corrupt<T>(why: impl Into<String>) -> Result<T, Unread> {
    Err(Unread::Corrupt(why.into()))
}

impl Tail {
    pub(crate) fn read(disk: &Disk) -> Result<Tail, Unread> {
        let size = disk.len();
        let read = |from: u64, to: u64| {
            disk.read_at(from..to)
                .map_err(|error| Unread::Corrupt(format!("failed to read its end: {error}")))
        };
        let end = read(size.saturating_sub(TAIL_BYTES), size)?;
        let Some((length, before)) = end.split_last() else { return corrupt("it has no bytes") };
        let Some(script) = before.len().checked_sub(usize::from(*length)).map(|at| &before[at..]) else {
            return corrupt("its postscript is longer than the file");
        };
        let script_bytes = script.len() as u64 + 1;
        let script = PostScript::decode(script).map_err(|error| Unread::Corrupt(error.to_string()))?;
        if script.magic() != "ORC" {
            return corrupt("its postscript does not say that it is ORC");
        }
        let around = script.footer_length().checked_add(script.metadata_length());
        let around = around.and_then(|length| length.checked_add(script_bytes));
        if around.is_none_or(|length| length > size) || script.metadata_length.is_none() {
            return corrupt("its footers are longer than the file");
        }
        let footer_end = size - script_bytes;
        let footer = read(footer_end - script.footer_length(), footer_end)?;
        let compression = script.compression();
        let footer = decompress(&footer, compression)
            .and_then(|bytes| Footer::decode(bytes.as_slice()).map_err(|error| error.to_string()));
        let footer = footer.map_err(|why| Unread::Corrupt(format!("its footer can't be read: {why}")))?;
        let columns = columns(&footer)?;
        check_stripes(&footer, size)?;
        Ok(Tail { footer, compression, columns })
    }

    /// Whether the writer is ORC's own in Java, as it is where it does not say.
    pub(crate) fn is_by_java(&self) -> bool {
        self.footer.writer.is_none_or(|writer| writer == JAVA_WRITER)
    }

    /// How the file counts days.
    pub(crate) fn calendars(&self) -> Calendars {
        let java = self.is_by_java();
        Calendars::both(match self.footer.calendar() {
            CalendarKind::JulianGregorian => Calendar::Hybrid,
            CalendarKind::ProlepticGregorian => Calendar::Proleptic,
            CalendarKind::UnknownCalendar if java => Calendar::Hybrid,
            CalendarKind::UnknownCalendar => Calendar::Proleptic,
        })
    }

    /// The type and those within it.
    pub(crate) fn family(&self, id: u32) -> Vec<u32> {
        let mut family = vec![id];
        let mut at = 0;
        while let Some(id) = family.get(at) {
            let inner = self.footer.types.get(*id as usize).map(|of| of.subtypes.clone());
            family.extend(inner.unwrap_or_default());
            at += 1;
        }
        family
    }

    pub(crate) fn type_kind(&self, id: u32) -> Option<Kind> {
        self.footer.types.get(id as usize).map(Type::kind)
    }

    pub(crate) fn stripe_footer(&self, bytes: &[u8]) -> Result<StripeFooter, String> {
        let bytes = decompress(bytes, self.compression)?;
        StripeFooter::decode(bytes.as_slice()).map_err(|error| error.to_string())
    }
}

/// A footer or stream without its compression.
pub(crate) fn decompress(bytes: &[u8], with: CompressionKind) -> Result<Vec<u8>, String> {
    if with == CompressionKind::None {
        return Ok(bytes.to_vec());
    }
    let (mut rest, mut out) = (bytes, Vec::new());
    while !rest.is_empty() {
        let Some((header, after)) = rest.split_first_chunk::<CHUNK_HEADER>() else {
            return Err("a chunk's header is cut off".to_owned());
        };
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let Some((chunk, after)) = after.split_at_checked((header >> 1) as usize) else {
            return Err("a chunk is longer than what holds it".to_owned());
        };
        if header & 1 == 1 {
            out.extend_from_slice(chunk);
        } else {
            decompress_chunk(chunk, with, &mut out)?;
        }
        if out.len() as u64 > MAX_FOOTER_BYTES {
            return Err(format!("it is larger than {} MiB", MAX_FOOTER_BYTES >> 20));
        }
        rest = after;
    }
    Ok(out)
}

fn decompress_chunk(chunk: &[u8], with: CompressionKind, out: &mut Vec<u8>) -> Result<(), String> {
    let limit = MAX_CHUNK_BYTES as u64;
    let text = |error: std::io::Error| error.to_string();
    match with {
        CompressionKind::Zlib => {
            flate2::read::DeflateDecoder::new(chunk).take(limit).read_to_end(out).map_err(text)?;
        }
        CompressionKind::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(chunk).map_err(text)?;
            decoder.take(limit).read_to_end(out).map_err(text)?;
        }
        CompressionKind::Snappy => {
            let size = snap::raw::decompress_len(chunk).map_err(|error| error.to_string())?;
            if size > MAX_CHUNK_BYTES {
                return Err(format!("a chunk of {size} bytes"));
            }
            let plain = snap::raw::Decoder::new().decompress_vec(chunk).map_err(|error| error.to_string())?;
            out.extend_from_slice(&plain);
        }
        CompressionKind::Lz4 => {
            let plain = lz4_flex::block::decompress(chunk, MAX_CHUNK_BYTES);
            out.extend_from_slice(&plain.map_err(|error| error.to_string())?);
        }
        CompressionKind::Lzo | CompressionKind::None => return Err("its codec lzo is not read".to_owned()),
    }
    Ok(())
}

/// Every stripe lies in the file, behind its first bytes.
fn check_stripes(footer: &Footer, size: u64) -> Result<(), Unread> {
    for (at, stripe) in footer.stripes.iter().enumerate() {
        let parts = [stripe.index_length(), stripe.data_length(), stripe.footer_length()];
        let end = parts.iter().try_fold(stripe.offset(), |end, part| end.checked_add(*part));
        if end.is_none_or(|end| end > size) {
            return corrupt(format!("its stripe {at} goes on beyond the file's end"));
        }
    }
    Ok(())
}

/// The columns, which are the fields of the first type.
fn columns(footer: &Footer) -> Result<Vec<Column>, Unread> {
    let types = Types { all: &footer.types };
    let Some(root) = footer.types.first().filter(|root| root.kind() == Kind::Struct) else {
        return Err(Unread::Refused("holds no rows of columns".to_owned()));
    };
    types.check_root(root)?;
    let names = root.field_names.iter().map(|name| name.to_lowercase());
    if names.eq(ACID_COLUMNS.iter().map(|name| (*name).to_owned())) {
        return Err(Unread::Refused(
            "belongs to a table with transactions (ACID), whose rows lie in several files".to_owned(),
        ));
    }
    let columns = root.subtypes.iter().zip(&root.field_names).map(|(id, name)| {
        let found = types.of(*id, 0, 1).map_err(|unread| match unread {
            Unread::Refused(why) => Unread::Refused(format!("has column {name}, which {why}")),
            corrupt @ Unread::Corrupt(_) => corrupt,
        })?;
        Ok(Column {
            name: name.clone(),
            id: *id,
            data_type: found.data_type,
            decoded: found.decoded,
            rule: found.rule,
        })
    });
    columns.collect()
}

/// A type, in the three ways in which a column is looked at.
struct Found {
    data_type: DataType,
    decoded: DataType,
    rule: Option<TextRule>,
}

impl Found {
    fn of(data_type: DataType, decoded: DataType) -> Found {
        Found { data_type, decoded, rule: None }
    }

    fn plain(data_type: DataType) -> Found {
        Found::of(data_type.clone(), data_type)
    }
}

struct Types<'a> {
    all: &'a [Type],
}

impl Types<'_> {
    fn check_root(&self, root: &Type) -> Result<(), Unread> {
        if root.subtypes.len() != root.field_names.len() {
            return corrupt("its columns and their names are not as many");
        }
        Ok(())
    }

    /// The type with this number. A type's parts come behind it, or they could contain it.
    fn of(&self, id: u32, parent: u32, depth: usize) -> Result<Found, Unread> {
        let Some(found) = self.all.get(id as usize).filter(|_| id > parent) else {
            return corrupt(format!("its type {parent} has the part {id}"));
        };
        if depth > MAX_DEPTH {
            return Err(Unread::Refused(format!("has more than {MAX_DEPTH} levels")));
        }
        // Nanoseconds in 38 digits.
        let nanos = || DataType::Decimal128(DECIMAL128_MAX_PRECISION, crate::convert::NANOS_SCALE);
        let inner = |at: usize| match found.subtypes.get(at) {
            Some(inner) => self.of(*inner, id, depth + 1),
            None => corrupt(format!("its type {id} lacks a part")),
        };
        Ok(match found.kind() {
            Kind::Boolean => Found::plain(DataType::Boolean),
            Kind::Byte => Found::plain(DataType::Int8),
            Kind::Short => Found::plain(DataType::Int16),
            Kind::Int => Found::plain(DataType::Int32),
            Kind::Long => Found::plain(DataType::Int64),
            Kind::Float => Found::plain(DataType::Float32),
            Kind::Double => Found::plain(DataType::Float64),
            Kind::Date => Found::plain(DataType::Date32),
            Kind::String | Kind::Varchar => Found::of(DataType::Utf8View, DataType::Utf8),
            Kind::Char => Found {
                rule: Some(TextRule::Char(u32::MAX)),
                ..Found::of(DataType::Utf8View, DataType::Utf8)
            },
            Kind::Binary => Found::of(DataType::BinaryView, DataType::Binary),
            Kind::Timestamp => Found::of(WALL_CLOCK, nanos()),
            Kind::TimestampInstant => Found::of(instant(), nanos()),
            Kind::Decimal => Found::plain(decimal(found)?),
            Kind::List => {
                let item = inner(0)?;
                Found {
                    data_type: list_of(item.data_type),
                    decoded: list_of(item.decoded),
                    rule: any_rule(vec![item.rule]),
                }
            }
            Kind::Map => {
                let (key, value) = (inner(0)?, inner(1)?);
                Found {
                    data_type: map_of(key.data_type, value.data_type),
                    decoded: map_of(key.decoded, value.decoded),
                    rule: any_rule(vec![key.rule, value.rule]),
                }
            }
            Kind::Struct => self.structure(id, found, depth)?,
            Kind::Union => {
                return Err(Unread::Refused("is a uniontype, which has no one type in a table".to_owned()));
            }
        })
    }

    fn structure(&self, id: u32, found: &Type, depth: usize) -> Result<Found, Unread> {
        self.check_root(found)?;
        let (mut fields, mut decoded, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        for (inner, name) in found.subtypes.iter().zip(&found.field_names) {
            let part = self.of(*inner, id, depth + 1)?;
            fields.push(Field::new(name.to_lowercase(), part.data_type, true));
            decoded.push(Field::new(name.to_lowercase(), part.decoded, true));
            rules.push(part.rule);
        }
        Ok(Found {
            data_type: DataType::Struct(fields.into()),
            decoded: DataType::Struct(decoded.into()),
            rule: any_rule(rules),
        })
    }
}

fn decimal(found: &Type) -> Result<DataType, Unread> {
    let precision = u8::try_from(found.precision()).ok();
    match (precision, i8::try_from(found.scale())) {
        (Some(precision @ 1..=DECIMAL128_MAX_PRECISION), Ok(scale)) if scale <= precision.cast_signed() => {
            Ok(DataType::Decimal128(precision, scale))
        }
        (Some(0), _) => {
            Err(Unread::Refused("is a decimal without a precision, as Hive 0.11 wrote them".to_owned()))
        }
        _ => corrupt(format!("it has a decimal({},{})", found.precision(), found.scale())),
    }
}

/// Bytes of a stream that lies in the file.
pub(crate) fn stream<'a>(spans: &'a [(u64, Bytes)], offset: u64, length: u64) -> Option<Bytes> {
    spans.iter().find_map(|(start, bytes): &'a (u64, Bytes)| {
        let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
        let to = from.checked_add(usize::try_from(length).ok()?)?;
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    })
}
