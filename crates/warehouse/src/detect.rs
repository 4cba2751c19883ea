//! How a table's files are written, where nobody says so.

use bytes::Bytes;
use hivecast_feed::FileFormat;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Storage};

use crate::compressed::{MAGIC_BYTES, codec_of, inner_extension};
use crate::disk::open_file;
use crate::layout::Listed;
use crate::{avro_file, orc_tail};

/// What a Parquet file begins and ends with.
const PARQUET_MAGIC: [u8; 4] = *b"PAR1";
/// Names that delimited text goes by.
const TEXT_EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];
/// Names that lines of JSON go by.
const JSON_EXTENSIONS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// The format of all of a partition's files: as it is declared, else by their first bytes and names.
/// `Class::Data` where a file is not what the others, or the declaration, say.
pub(crate) fn format_of(
    table: &str,
    storage: &dyn Storage,
    declared: Option<FileFormat>,
    files: &[Listed],
) -> Result<FileFormat> {
    let mut decided = declared;
    for file in files {
        let found = look_at(table, storage, file, declared)?;
        match (decided, found) {
            (None, found) => decided = Some(found),
            (Some(decided), found) if decided == found => {}
            (Some(decided), found) => {
                let why = if declared.is_some() { "the feed says" } else { "the files before it are" };
                return Err(Fault::data(format!(
                    "table {table}: {} is {}, but {why} {}",
                    file.path,
                    format_name(found),
                    format_name(decided)
                ))
                .advise("correct the table's `format` in the feed, or export the partition again"));
            }
        }
    }
    decided.ok_or_else(|| Fault::bug(format!("table {table} was given no files to look at")))
}

fn look_at(
    table: &str,
    storage: &dyn Storage,
    file: &Listed,
    declared: Option<FileFormat>,
) -> Result<FileFormat> {
    let named = by_name(&file.path);
    if file.size == 0 {
        // Only files of lines can be empty.
        return match declared.or(named) {
            Some(format) if !format.describes_itself() => Ok(format),
            declared => Err(empty_file(table, &file.path, declared)),
        };
    }
    let first = first_bytes(storage, file)?;
    if let Some(found) = by_magic(&first) {
        return Ok(found);
    }
    match declared {
        Some(format) if format.describes_itself() => Err(Fault::data(format!(
            "table {table}: {} is no {} file: it does not begin with {}",
            file.path,
            format_name(format),
            magic_name(format)
        ))
        .advise("correct the table's `format` in the feed, or export the partition again")),
        declared => {
            // Fails for a codec that is not read.
            codec_of(table, &file.path, &first)?;
            declared.or(named).ok_or_else(|| unknown(table, &file.path))
        }
    }
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

fn unknown(table: &str, path: &Location) -> Fault {
    Fault::data(format!("table {table}: neither the first bytes nor the name of {path} tell its format"))
        .advise("say how the table lies in the feed: `format: text` or `format: json`")
}

fn empty_file(table: &str, path: &Location, declared: Option<FileFormat>) -> Fault {
    let kind = match (declared, path.extension().as_str()) {
        (Some(format), _) => format!("no {} file is", format_name(format)),
        (None, "parquet") => "no Parquet file is".to_owned(),
        (None, "orc") => "no ORC file is".to_owned(),
        (None, "avro") => "no Avro file is".to_owned(),
        (None, _) => "no Parquet, ORC or Avro file is".to_owned(),
    };
    Fault::data(format!("table {table}: {path} is empty (0 bytes), which {kind}"))
        .advise("the export broke off, or is still being written: export the partition again")
}

fn first_bytes(storage: &dyn Storage, file: &Listed) -> Result<Bytes> {
    let opened = open_file(storage, &file.path)?;
    let length = opened.len().min(MAGIC_BYTES);
    opened.read_at(0..length).map_err(|error| Fault::io(format!("failed to read {}", file.path), error))
}

fn magic_name(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Orc => "ORC",
        FileFormat::Avro => "Obj and the byte 1",
        _ => "PAR1",
    }
}

pub(crate) fn format_name(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Parquet => "Parquet",
        FileFormat::Orc => "ORC",
        FileFormat::Avro => "Avro",
        FileFormat::Json => "JSON",
        FileFormat::Text => "text",
    }
}
