//! The documents that the engine named while it built the edition: a file of the edition.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hivecast_run::{Fault, Result};
use serde::{Deserialize, Serialize};

use super::Exclusion;
use super::lines::{LineReader, LineWriter, Sum, damaged, write_fault};
use super::sorter::Sorter;

/// The documents that the engine named, one JSON object a line, in the edition's order.
pub(crate) const NAMED_FILE: &str = "exclusions.ndjson";

/// Where the documents are listed that the engine named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Named {
    /// In `exclusions.ndjson`; there is no such file where it names none.
    File {
        /// How many.
        count: u64,
        /// The file's bytes.
        bytes: u64,
        /// XXH3-64 of the file's bytes, 16 hexadecimal digits.
        checksum: String,
    },
    /// In the description itself, as format 1 had them.
    Inline(Vec<Exclusion>),
}

impl Default for Named {
    fn default() -> Self {
        Named::Inline(Vec::new())
    }
}

impl Named {
    /// Writes the file into `dir`, unless there is nothing to list.
    pub(crate) fn write(dir: &Path, named: Sorter) -> Result<Named> {
        let path = dir.join(NAMED_FILE);
        let mut writer: Option<LineWriter> = None;
        let mut named = named.finish()?;
        while let Some((_, key, reason)) = named.next()? {
            if writer.is_none() {
                let file = File::create_new(&path).map_err(|error| write_fault(&path, error))?;
                writer = Some(LineWriter::new(file, &path));
            }
            if let Some(writer) = &mut writer {
                writer.put(&Exclusion { key, reason })?;
            }
        }
        let Some(writer) = writer else {
            return Ok(Named::File { count: 0, bytes: 0, checksum: String::new() });
        };
        let (file, Sum { count, bytes, checksum }) = writer.finish()?;
        file.sync_all().map_err(|error| write_fault(&path, error))?;
        Ok(Named::File { count, bytes, checksum })
    }

    /// The file's name, size and checksum, if there is one.
    pub(crate) fn file(&self) -> Option<(&'static str, u64, &str)> {
        match self {
            Named::File { count: 1.., bytes, checksum } => Some((NAMED_FILE, *bytes, checksum)),
            Named::File { .. } | Named::Inline(_) => None,
        }
    }

    /// How many documents are named.
    pub fn count(&self) -> u64 {
        match self {
            Named::File { count, .. } => *count,
            Named::Inline(list) => list.len() as u64,
        }
    }

    /// The documents, one after the other.
    pub(crate) fn read<'n>(&'n self, dir: &Path) -> Result<Box<dyn Iterator<Item = Result<Exclusion>> + 'n>> {
        let (count, bytes, checksum) = match self {
            Named::Inline(list) => return Ok(Box::new(list.iter().cloned().map(Ok))),
            Named::File { count: 0, .. } => return Ok(Box::new(std::iter::empty())),
            Named::File { count, bytes, checksum } => (*count, *bytes, checksum.clone()),
        };
        let path = dir.join(NAMED_FILE);
        let file = File::open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => damaged(&path, error),
            _ => Fault::io(format!("failed to open {}", path.display()), error),
        })?;
        Ok(Box::new(LineReader::new(BufReader::new(file), &path, Sum { count, bytes, checksum })))
    }
}
