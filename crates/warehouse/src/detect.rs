//! How a table's files are written, where nobody says so, and whether that is true where somebody does.

use bytes::Bytes;
use hivecast_feed::FileFormat;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, ReadAt};

use crate::compressed::{MAGIC_BYTES, codec_of, inner_extension};
use crate::data_file::DataFile;
use crate::{avro_file, orc_tail};

/// What a Parquet file begins and ends with.
const PARQUET_MAGIC: [u8; 4] = *b"PAR1";
/// Names that delimited text goes by.
const TEXT_EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];
/// Names that lines of JSON go by.
const JSON_EXTENSIONS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// The format of a file, by its first bytes and its name. `Class::Data` where they tell none, or another
/// than is declared.
pub(crate) fn format_of(file: &DataFile, declared: Option<FileFormat>) -> Result<FileFormat> {
    let (table, path) = (&file.table, &file.path);
    let first = first_bytes(file)?;
    match (by_magic(&first), declared) {
        (Some(found), Some(declared)) if found != declared => {
            Err(other_format(table, path, found, &format!("the feed says {declared}")))
        }
        (Some(found), _) => Ok(found),
        (None, Some(format)) if format.describes_itself() => Err(Fault::data(format!(
            "table {table}: {path} is no {format} file: it does not begin with {}",
            magic_name(format)
        ))
        .advise("correct the table's `format` in the feed, or export the partition again")),
        (None, declared) => {
            // Fails for a codec that is not read.
            codec_of(table, path, &first)?;
            if declared.is_none()
                && let Some(format) = named_as(path)
            {
                return Err(corrupt(table, path, format));
            }
            declared.or(by_name(path)).ok_or_else(|| unknown(table, path))
        }
    }
}

/// As [`format_of`], of a file of no bytes, which only files of lines can be.
pub(crate) fn format_of_nothing(
    table: &str,
    path: &Location,
    declared: Option<FileFormat>,
) -> Result<FileFormat> {
    match declared.or(by_name(path)) {
        Some(format) if !format.describes_itself() => Ok(format),
        declared => Err(empty_file(table, path, declared)),
    }
}

/// Fails where a partition's files are not all of one format: these are, in the order of their paths.
pub(crate) fn one_format<'a>(
    table: &str,
    mut found: impl Iterator<Item = (&'a Location, FileFormat)>,
) -> Result<FileFormat> {
    let Some((_, first)) = found.next() else {
        return Err(Fault::bug(format!("table {table} was given no files to look at")));
    };
    match found.find(|(_, format)| *format != first) {
        None => Ok(first),
        Some((path, format)) => {
            Err(other_format(table, path, format, &format!("the files before it are {first}")))
        }
    }
}

fn other_format(table: &str, path: &Location, found: FileFormat, expected: &str) -> Fault {
    Fault::data(format!("table {table}: {path} is {found}, but {expected}"))
        .advise("correct the table's `format` in the feed, or export the partition again")
}

fn by_magic(first: &[u8]) -> Option<FileFormat> {
    if first == PARQUET_MAGIC {
        Some(FileFormat::Parquet)
    } else if first.starts_with(&orc_tail::MAGIC) {
        Some(FileFormat::Orc)
    } else if first == avro_file::MAGIC {
        Some(FileFormat::Avro)
    } else {
        None
    }
}

fn by_name(path: &Location) -> Option<FileFormat> {
    let extension = inner_extension(path);
    if TEXT_EXTENSIONS.contains(&extension.as_str()) {
        Some(FileFormat::Text)
    } else if JSON_EXTENSIONS.contains(&extension.as_str()) {
        Some(FileFormat::Json)
    } else {
        None
    }
}

/// The format that a file's name promises, of those that say themselves what they are.
fn named_as(path: &Location) -> Option<FileFormat> {
    match path.extension().as_str() {
        "parquet" => Some(FileFormat::Parquet),
        "orc" => Some(FileFormat::Orc),
        "avro" => Some(FileFormat::Avro),
        _ => None,
    }
}

fn corrupt(table: &str, path: &Location, format: FileFormat) -> Fault {
    Fault::data(format!(
        "table {table}: {path} is corrupt: by its name it is {format}, and it does not begin with {}",
        magic_name(format)
    ))
    .advise("export the partition again")
}

fn unknown(table: &str, path: &Location) -> Fault {
    Fault::data(format!("table {table}: neither the first bytes nor the name of {path} tell its format"))
        .advise("say how the table lies in the feed: `format: text` or `format: json`")
}

fn empty_file(table: &str, path: &Location, declared: Option<FileFormat>) -> Fault {
    let kind = match declared.or(named_as(path)) {
        Some(format) => format!("no {format} file is"),
        None => "no Parquet, ORC or Avro file is".to_owned(),
    };
    Fault::data(format!("table {table}: {path} is empty (0 bytes), which {kind}"))
        .advise("the export broke off, or is still being written: export the partition again")
}

fn first_bytes(file: &DataFile) -> Result<Bytes> {
    let length = ReadAt::len(&file.disk).min(MAGIC_BYTES);
    file.disk.read_at(0..length).map_err(|error| Fault::io(format!("failed to read {}", file.path), error))
}

fn magic_name(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Orc => "ORC",
        FileFormat::Avro => "Obj and the byte 1",
        _ => "PAR1",
    }
}
