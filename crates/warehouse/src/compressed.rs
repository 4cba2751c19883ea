//! Compressed files of lines: what their codec is, and their bytes without it.

use std::io::{self, BufReader, Read};

use bytes::Buf;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, ReadAt};

use crate::data_file::DataFile;

/// Longest start of a file that a codec is told by.
pub(crate) const MAGIC_BYTES: u64 = 4;
/// Largest block of Hadoop's framing, as it is and decompressed. Hadoop's own writers cut at 256 KiB.
const MAX_BLOCK_BYTES: usize = 64 << 20;
/// How much larger rows are than the file that holds them compressed, as far as can be told without
/// reading it: what exports of text come to, give or take a half.
pub(crate) const USUAL_RATIO: u64 = 5;
/// Bytes of a frame's lengths in Hadoop's framing.
const LENGTH_BYTES: usize = 4;

/// How a file of lines is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// `.gz`, members one after the other.
    Gzip,
    /// `.bz2`, streams one after the other.
    Bzip2,
    /// `.zst`, frames one after the other.
    Zstd,
    /// `.deflate`, which is zlib's format.
    Zlib,
    /// `.snappy` in Hadoop's framing.
    Snappy,
}

/// Endings of names by which Hadoop knows codecs that are read.
const EXTENSIONS: [(&str, Codec); 5] = [
    ("gz", Codec::Gzip),
    ("bz2", Codec::Bzip2),
    ("zst", Codec::Zstd),
    ("deflate", Codec::Zlib),
    ("snappy", Codec::Snappy),
];
/// Endings of names by which Hadoop knows codecs that are not read.
const REFUSED_EXTENSIONS: [&str; 4] = ["lz4", "lzo", "lzo_deflate", "br"];
/// First bytes of the codecs that have some.
const MAGICS: [(&[u8], Codec); 3] =
    [(&[0x1f, 0x8b], Codec::Gzip), (b"BZh", Codec::Bzip2), (&[0x28, 0xb5, 0x2f, 0xfd], Codec::Zstd)];

/// The codec of a file, by its name as Hadoop tells it, else by its first bytes. `Class::Data` where it
/// is one that is not read.
pub(crate) fn codec_of(table: &str, path: &Location, first: &[u8]) -> Result<Option<Codec>> {
    let extension = path.extension();
    if REFUSED_EXTENSIONS.contains(&extension.as_str()) {
        return Err(Fault::data(format!(
            "table {table}: {path} is compressed as .{extension}, which is not read"
        ))
        .advise("export the table uncompressed, with gzip, bzip2, zstd or snappy, or as Parquet or ORC"));
    }
    let named = EXTENSIONS.iter().find(|(name, _)| *name == extension).map(|(_, codec)| *codec);
    let seen = MAGICS.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, codec)| *codec);
    Ok(named.or(seen))
}

/// Whether a file's name says that it is compressed.
pub(crate) fn is_named_compressed(path: &Location) -> bool {
    let extension = path.extension();
    EXTENSIONS.iter().any(|(name, _)| *name == extension)
}

/// The ending of a name in front of a codec's: `csv` of `a.csv.gz`.
pub(crate) fn inner_extension(path: &Location) -> String {
    let extension = path.extension();
    if !is_named_compressed(path) {
        return extension;
    }
    let name = path.name();
    let stem = &name[..name.len() - extension.len() - 1];
    stem.rsplit_once('.').map(|(_, inner)| inner.to_lowercase()).unwrap_or_default()
}

/// The file's bytes, decompressed if it is compressed.
pub(crate) fn open_lines(file: &DataFile) -> Result<Box<dyn Read + Send>> {
    let length = file.disk.len().min(MAGIC_BYTES);
    let first = file
        .disk
        .read_at(0..length)
        .map_err(|error| Fault::io(format!("table {}: failed to read {}", file.table, file.path), error))?;
    let codec = codec_of(&file.table, &file.path, &first)?;
    let stream = file.stream();
    if file.disk.len() == 0 {
        // An empty file is empty text, whatever its name: no codec has no bytes.
        return Ok(Box::new(stream));
    }
    Ok(match codec {
        None => Box::new(stream),
        Some(Codec::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(stream)),
        Some(Codec::Bzip2) => Box::new(bzip2::read::MultiBzDecoder::new(stream)),
        Some(Codec::Zlib) => Box::new(flate2::read::ZlibDecoder::new(stream)),
        Some(Codec::Snappy) => Box::new(Framed::new(Box::new(stream))),
        Some(Codec::Zstd) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(BufReader::new(stream));
            Box::new(decoder.map_err(|error| Fault::bug("failed to set up zstd").because(error))?)
        }
    })
}

/// Hadoop's framing of codecs without one: blocks with their length before, of chunks with theirs.
struct Framed {
    input: Box<dyn Read + Send>,
    /// Bytes of the block that are still to come, decompressed.
    left: usize,
    chunk: io::Cursor<Vec<u8>>,
}

impl Framed {
    fn new(input: Box<dyn Read + Send>) -> Framed {
        Framed { input, left: 0, chunk: io::Cursor::default() }
    }

    /// A length; none where the input ends in front of it.
    fn length(&mut self) -> io::Result<Option<usize>> {
        let mut bytes = [0; LENGTH_BYTES];
        match crate::records::read_full(&mut self.input, &mut bytes)? {
            0 => Ok(None),
            LENGTH_BYTES => {
                let length = u32::from_be_bytes(bytes) as usize;
                (length <= MAX_BLOCK_BYTES).then_some(Some(length)).ok_or_else(|| {
                    malformed(format!("a block of {length} bytes, more than {} MiB", MAX_BLOCK_BYTES >> 20))
                })
            }
            _ => Err(malformed("it ends within a length")),
        }
    }

    /// Decompresses the next chunk; whether there was one.
    fn next_chunk(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            match self.length()? {
                Some(left) => self.left = left,
                None => return Ok(false),
            }
        }
        let length = self.length()?.ok_or_else(|| malformed("it ends within a block"))?;
        let mut compressed = vec![0; length];
        self.input.read_exact(&mut compressed)?;
        let size = snap::raw::decompress_len(&compressed).map_err(malformed)?;
        if size > self.left {
            return Err(malformed("a chunk is larger than its block"));
        }
        let chunk = snap::raw::Decoder::new().decompress_vec(&compressed).map_err(malformed)?;
        self.left -= chunk.len();
        self.chunk = io::Cursor::new(chunk);
        Ok(true)
    }
}

fn malformed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Read for Framed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.chunk.has_remaining() {
            if !self.next_chunk()? {
                return Ok(0);
            }
        }
        self.chunk.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_told_by_name_then_by_first_bytes() {
        let at = |name: &str| Location::parse(&format!("/w/{name}")).unwrap();
        for (name, first, codec) in [
            ("a.csv.gz", &b"\x1f\x8b"[..], Some(Codec::Gzip)),
            ("000000_0", b"\x1f\x8b", Some(Codec::Gzip)),
            ("000000_0.deflate", b"\x78\x9c", Some(Codec::Zlib)),
            ("a.txt.bz2", b"BZh9", Some(Codec::Bzip2)),
            ("a.ZST", b"\x28\xb5\x2f\xfd", Some(Codec::Zstd)),
            ("a.csv", b"a,b", None),
        ] {
            assert_eq!(codec_of("t", &at(name), first).unwrap(), codec, "{name}");
        }
        assert!(codec_of("t", &at("a.lzo"), b"").is_err());
        for (name, inner) in [("a.csv.gz", "csv"), ("a.json", "json"), ("a.gz", ""), ("a", "")] {
            assert_eq!(inner_extension(&at(name)), inner, "{name}");
        }
    }

    #[test]
    fn hadoops_framing() {
        let chunk = |text: &[u8]| {
            let compressed = snap::raw::Encoder::new().compress_vec(text).unwrap();
            [&(compressed.len() as u32).to_be_bytes()[..], &compressed].concat()
        };
        let length = |length: u32| length.to_be_bytes().to_vec();
        let whole = [length(5), chunk(b"abc"), chunk(b"de"), length(0), length(1), chunk(b"f")].concat();
        let read = |bytes: &[u8]| {
            let mut text = String::new();
            Framed::new(Box::new(io::Cursor::new(bytes.to_vec()))).read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(read(&whole).unwrap(), "abcdef");
        assert!(read(&whole[..whole.len() - 1]).is_err());
        assert!(read(&[length(2), chunk(b"abc")].concat()).is_err());
        assert!(read(&length(u32::MAX)).is_err());
    }
}
