//! Lists on disk, one JSON object a line, with a checksum over the lines.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use hivecast_run::{Fault, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

use crate::edition::rebuild;
use crate::files::AdviseSpace;

/// What a list's lines add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) count: u64,
    pub(super) bytes: u64,
    /// XXH3-64, 16 hexadecimal digits.
    pub(super) checksum: String,
}

/// Writes a list.
pub(super) struct LineWriter {
    path: PathBuf,
    file: BufWriter<File>,
    line: Vec<u8>,
    count: u64,
    bytes: u64,
    hash: Xxh3,
}

impl LineWriter {
    /// Writes to `file`, from where it stands; `path` names it in errors.
    pub(super) fn new(file: File, path: &Path) -> Self {
        let (file, path) = (BufWriter::new(file), path.to_owned());
        LineWriter { path, file, line: Vec::new(), count: 0, bytes: 0, hash: Xxh3::new() }
    }

    pub(super) fn put<T: Serialize>(&mut self, entry: &T) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry).map_err(|error| {
            Fault::bug(format!("failed to encode {}", self.path.display())).because(error)
        })?;
        self.line.push(b'\n');
        self.hash.update(&self.line);
        self.count += 1;
        self.bytes += self.line.len() as u64;
        self.file.write_all(&self.line).map_err(|error| write_fault(&self.path, error))
    }

    /// The file, all lines handed to the operating system, and what they add up to.
    pub(super) fn finish(self) -> Result<(File, Sum)> {
        let file = self.file.into_inner().map_err(|error| write_fault(&self.path, error.into_error()))?;
        let checksum = format!("{:016x}", self.hash.digest());
        Ok((file, Sum { count: self.count, bytes: self.bytes, checksum }))
    }
}

pub(super) fn write_fault(path: &Path, error: std::io::Error) -> Fault {
    Fault::io(format!("failed to write {}", path.display()), error).advise_space()
}

/// Reads a list. After its last line it is held against its sum; after an error it ends.
pub(super) struct LineReader<T> {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    count: u64,
    hash: Xxh3,
    expected: Sum,
    ended: bool,
    entries: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> LineReader<T> {
    /// Reads on from where `file` stands.
    pub(super) fn new(file: BufReader<File>, path: &Path, expected: Sum) -> Self {
        LineReader {
            path: path.to_owned(),
            file,
            line: Vec::new(),
            count: 0,
            hash: Xxh3::new(),
            expected,
            ended: false,
            entries: PhantomData,
        }
    }

    fn read(&mut self) -> Result<Option<T>> {
        self.line.clear();
        let read = self
            .file
            .read_until(b'\n', &mut self.line)
            .map_err(|error| Fault::io(format!("failed to read {}", self.path.display()), error))?;
        if read == 0 {
            let checksum = format!("{:016x}", self.hash.digest());
            if self.count != self.expected.count || checksum != self.expected.checksum {
                return Err(damaged(&self.path, "its lines are not those that were written"));
            }
            return Ok(None);
        }
        self.hash.update(&self.line);
        self.count += 1;
        serde_json::from_slice(&self.line).map(Some).map_err(|error| damaged(&self.path, error))
    }
}

impl<T: DeserializeOwned> Iterator for LineReader<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.read();
        self.ended = !matches!(entry, Ok(Some(_)));
        entry.transpose()
    }
}

pub(super) fn damaged(path: &Path, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let edition = path.parent().unwrap_or(path);
    Fault::data(format!("failed to read {}", path.display())).because(cause).advise(rebuild(edition))
}
