//! How a table's files are written, where the feed does not say.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hivecast_feed::FileFormat;
use hivecast_run::{Fault, Result};

use crate::layout::Listed;

/// What a Parquet file begins and ends with.
const PARQUET_MAGIC: [u8; 4] = *b"PAR1";
/// What a gzip file begins with (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Names that delimited text goes by.
const TEXT_EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];

/// The format of all of a partition's files: as the feed declares it, else by their first bytes and
/// names. `Class::Data` where a file is not what the others, or the feed, say.
pub(crate) fn format_of(table: &str, declared: Option<FileFormat>, files: &[Listed]) -> Result<FileFormat> {
    let mut decided = declared;
    for file in files {
        let found = look_at(table, file, declared)?;
        match (decided, found) {
            (None, found) => decided = Some(found),
            (Some(decided), found) if decided == found => {}
            (Some(decided), found) => {
                let why = if declared.is_some() { "the feed says" } else { "the files before it are" };
                return Err(Fault::data(format!(
                    "table {table}: {} is {}, but {why} {}",
                    file.path.display(),
                    format_name(found),
                    format_name(decided)
                ))
                .advise("correct the table's `format` in the feed, or export the partition again"));
            }
        }
    }
    decided.ok_or_else(|| Fault::bug(format!("table {table} was given no files to look at")))
}

fn look_at(table: &str, file: &Listed, declared: Option<FileFormat>) -> Result<FileFormat> {
    let extension = file.path.extension().and_then(|text| text.to_str()).unwrap_or_default().to_lowercase();
    if file.size == 0 {
        return match declared {
            Some(FileFormat::Text) => Ok(FileFormat::Text),
            None if is_text(&extension) => Ok(FileFormat::Text),
            _ => Err(empty_file(table, &file.path)),
        };
    }
    let first = first_bytes(&file.path)?;
    if first == PARQUET_MAGIC {
        return Ok(FileFormat::Parquet);
    }
    if first.starts_with(&GZIP_MAGIC) {
        return Err(Fault::data(format!(
            "table {table}: {} is compressed with gzip, which is not read",
            file.path.display()
        ))
        .advise("export the table uncompressed, or as Parquet"));
    }
    match declared {
        Some(FileFormat::Text) => Ok(FileFormat::Text),
        None if is_text(&extension) => Ok(FileFormat::Text),
        Some(FileFormat::Parquet) => Err(Fault::data(format!(
            "table {table}: {} is no Parquet file: it does not begin with PAR1",
            file.path.display()
        ))
        .advise("correct the table's `format` in the feed, or export the partition again")),
        None => Err(Fault::data(format!(
            "table {table}: neither the first bytes nor the name of {} tell its format",
            file.path.display()
        ))
        .advise("say how the table lies in the feed: `format: parquet` or `format: text`")),
    }
}

fn is_text(extension: &str) -> bool {
    TEXT_EXTENSIONS.contains(&extension)
}

fn empty_file(table: &str, path: &Path) -> Fault {
    Fault::data(format!("table {table}: {} is empty (0 bytes), which no Parquet file is", path.display()))
        .advise("the export broke off, or is still being written: export the partition again")
}

fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Fault::io(format!("failed to read {}", path.display()), error);
    let mut first = Vec::with_capacity(PARQUET_MAGIC.len());
    File::open(path)
        .map_err(failed)?
        .take(PARQUET_MAGIC.len() as u64)
        .read_to_end(&mut first)
        .map_err(failed)?;
    Ok(first)
}

pub(crate) fn format_name(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Parquet => "Parquet",
        FileFormat::Text => "text",
    }
}
