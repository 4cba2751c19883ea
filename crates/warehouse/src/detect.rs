//! How a table's files are written, where the feed does not say.

use bytes::Bytes;
use hivecast_feed::FileFormat;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Storage};

use crate::disk::open_file;
use crate::layout::Listed;

/// What a Parquet file begins and ends with.
const PARQUET_MAGIC: [u8; 4] = *b"PAR1";
/// What a gzip file begins with (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Names that delimited text goes by.
const TEXT_EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];

/// The format of all of a partition's files: as the feed declares it, else by their first bytes and
/// names. `Class::Data` where a file is not what the others, or the feed, say.
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
    let extension = file.path.extension();
    if file.size == 0 {
        return match declared {
            Some(FileFormat::Text) => Ok(FileFormat::Text),
            None if is_text(&extension) => Ok(FileFormat::Text),
            _ => Err(empty_file(table, &file.path)),
        };
    }
    let first = first_bytes(storage, file)?;
    if *first == PARQUET_MAGIC {
        return Ok(FileFormat::Parquet);
    }
    if first.starts_with(&GZIP_MAGIC) {
        return Err(Fault::data(format!(
            "table {table}: {} is compressed with gzip, which is not read",
            file.path
        ))
        .advise("export the table uncompressed, or as Parquet"));
    }
    match declared {
        Some(FileFormat::Text) => Ok(FileFormat::Text),
        None if is_text(&extension) => Ok(FileFormat::Text),
        Some(FileFormat::Parquet) => Err(Fault::data(format!(
            "table {table}: {} is no Parquet file: it does not begin with PAR1",
            file.path
        ))
        .advise("correct the table's `format` in the feed, or export the partition again")),
        None => Err(Fault::data(format!(
            "table {table}: neither the first bytes nor the name of {} tell its format",
            file.path
        ))
        .advise("say how the table lies in the feed: `format: parquet` or `format: text`")),
    }
}

fn is_text(extension: &str) -> bool {
    TEXT_EXTENSIONS.contains(&extension)
}

fn empty_file(table: &str, path: &Location) -> Fault {
    Fault::data(format!("table {table}: {} is empty (0 bytes), which no Parquet file is", path))
        .advise("the export broke off, or is still being written: export the partition again")
}

fn first_bytes(storage: &dyn Storage, file: &Listed) -> Result<Bytes> {
    let opened = open_file(storage, &file.path)?;
    let length = opened.len().min(PARQUET_MAGIC.len() as u64);
    opened.read_at(0..length).map_err(|error| Fault::io(format!("failed to read {}", file.path), error))
}

pub(crate) fn format_name(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Parquet => "Parquet",
        FileFormat::Text => "text",
    }
}
