//! Documents of an edition that are not sent: named by the engine while it was built, or set aside by
//! a gate after the shards were written.
//!
//! There may be as many of them as documents. So both lists are files in the edition's order that are
//! written and read line by line; in memory is one bit a document.

mod lines;
mod marks;
mod named;
mod sorter;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hivecast_run::{Fault, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::description::Description;
use crate::files::{AdviseSpace as _, Unnamed, read_if_there, sync_dir};
use crate::reader::{Batch, Columns};
use crate::writer::held;
use crate::{Edition, EditionReader};
use lines::{LineReader, LineWriter, Sum, damaged, write_fault};

pub(crate) use marks::Marks;
pub use named::Named;
pub(crate) use sorter::{By, Sorter};

/// The list's file: a header, then one JSON object a line.
pub(crate) const EXCLUSIONS_FILE: &str = "excluded.ndjson";
/// The list as one JSON array, as an older program wrote it.
pub(crate) const OLD_EXCLUSIONS_FILE: &str = "excluded.json";
/// Bytes of the header's line. It says what the lines below add up to, so it is written last, in the
/// room that was left for it.
pub(crate) const HEADER_BYTES: usize = 128;

/// Has an edition that takes an equal one's place set aside the same documents: part of it may be sent,
/// with the list that there was. Judging the new one writes the list anew, where it may.
pub(crate) fn keep(old: &Path, new: &Path, description: &Description) -> Result<()> {
    let is_equal = |old: Edition| {
        (old.description.documents, &old.description.checksum)
            == (description.documents, &description.checksum)
    };
    if !Edition::open(old).is_ok_and(is_equal) {
        return Ok(());
    }
    for name in [EXCLUSIONS_FILE, OLD_EXCLUSIONS_FILE] {
        let (from, to) = (old.join(name), new.join(name));
        if from.exists() {
            let copied = fs::copy(&from, &to).and_then(|_| File::open(&to)?.sync_all());
            copied.map_err(|error| {
                Fault::io(format!("failed to copy {} to {}", from.display(), to.display()), error)
                    .advise_space()
            })?;
        }
    }
    sync_dir(new)
}

/// A document to set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Its key.
    pub key: String,
    /// Why, as people read it.
    pub reason: String,
}

/// A document that is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// CRC-32 of its key.
    pub hash: u32,
    /// Its key.
    pub key: String,
    /// How many documents of the edition come before it, excluded ones counted.
    pub ordinal: u64,
    /// Why, as people read it.
    pub reason: String,
}

/// What was sent of an edition before documents are set aside: ordinals count without those, so the
/// list must not change under a run that stopped halfway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent<'a> {
    /// No target was asked: a list that is there stays.
    Unknown,
    /// Nothing, or what was sent is going to be sent again from the start: the list is written anew.
    Nothing,
    /// Part of it, with this [`Edition::fingerprint`]: another list is a conflict. Where it is empty,
    /// since an older program sent the part, the list that is there counts.
    Entries(&'a str),
}

/// The first line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    count: u64,
    /// See [`Edition::fingerprint`].
    fingerprint: String,
    /// XXH3-64 of the lines below, 16 hexadecimal digits.
    checksum: String,
}

/// The list of documents that are set aside, beside an edition. Its lines are read when they are
/// asked for.
#[derive(Debug)]
pub(crate) struct Exclusions {
    path: PathBuf,
    list: List,
    marks: Mutex<Option<Arc<Marks>>>,
}

#[derive(Debug)]
enum List {
    /// The edition was not judged yet.
    Missing,
    File(Header),
    Old(Vec<Excluded>),
}

impl Exclusions {
    /// The list beside an edition; empty where there is none.
    pub(crate) fn open(edition: &Path) -> Result<Exclusions> {
        let path = edition.join(EXCLUSIONS_FILE);
        let list = match File::open(&path) {
            Ok(file) => List::File(read_header(&mut BufReader::new(file), &path)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => read_old(edition)?,
            Err(error) => return Err(Fault::io(format!("failed to read {}", path.display()), error)),
        };
        Ok(Exclusions { path, list, marks: Mutex::default() })
    }

    pub(crate) fn len(&self) -> u64 {
        match &self.list {
            List::Missing => 0,
            List::File(header) => header.count,
            List::Old(list) => list.len() as u64,
        }
    }

    /// The documents, in the edition's order.
    pub(crate) fn read(&self) -> Result<Box<dyn Iterator<Item = Result<Excluded>> + '_>> {
        let header = match &self.list {
            List::Missing => return Ok(Box::new(std::iter::empty())),
            List::Old(list) => return Ok(Box::new(list.iter().cloned().map(Ok))),
            List::File(header) => header,
        };
        let failed = |error| Fault::io(format!("failed to read {}", self.path.display()), error);
        let mut file = BufReader::new(File::open(&self.path).map_err(failed)?);
        if read_header(&mut file, &self.path)? != *header {
            return Err(Fault::infrastructure(format!("{} changed while it was read", self.path.display()))
                .advise("another run judges the same edition: run the same command again"));
        }
        let sum = Sum { count: header.count, bytes: 0, checksum: header.checksum.clone() };
        Ok(Box::new(LineReader::new(file, &self.path, sum)))
    }

    /// Which documents are listed.
    pub(crate) fn marks(&self) -> Result<Arc<Marks>> {
        let mut marks = held(&self.marks);
        if let Some(marks) = marks.as_ref() {
            return Ok(Arc::clone(marks));
        }
        let mut read = Marks::default();
        let mut last = None;
        for excluded in self.read()? {
            let ordinal = excluded?.ordinal;
            if last.is_some_and(|last| last >= ordinal) {
                return Err(damaged(&self.path, "it is not in the edition's order"));
            }
            last = Some(ordinal);
            read.push(ordinal);
        }
        Ok(Arc::clone(marks.insert(Arc::new(read))))
    }

    /// See [`Edition::fingerprint`].
    pub(crate) fn fingerprint(&self, description: &Description) -> String {
        let ordinals = match &self.list {
            List::File(header) => return header.fingerprint.clone(),
            List::Missing => &[][..],
            List::Old(list) => list,
        };
        let mut fingerprint = Fingerprint::new(description);
        ordinals.iter().for_each(|excluded| fingerprint.add(excluded.ordinal));
        fingerprint.text()
    }

    /// Writes the list beside the edition, an empty one too, and returns the one that counts. See
    /// [`Edition::exclude`].
    pub(crate) fn write(edition: &Edition, wanted: Sorter, sent: Sent<'_>) -> Result<Exclusions> {
        let there = Exclusions::open(&edition.path)?;
        let is_there = !matches!(there.list, List::Missing);
        if sent == Sent::Unknown && is_there {
            return Ok(there);
        }
        let path = edition.path.join(EXCLUSIONS_FILE);
        let unnamed = Unnamed::create(&path).map_err(|error| write_fault(&path, error))?;
        let header = write_list(edition, wanted, &unnamed)?;
        let expected = match sent {
            Sent::Entries("") if is_there => Some(there.fingerprint(&edition.description)),
            Sent::Entries("") | Sent::Unknown | Sent::Nothing => None,
            Sent::Entries(fingerprint) => Some(fingerprint.to_owned()),
        };
        if expected.is_some_and(|expected| expected != header.fingerprint) {
            return Err(conflict(edition));
        }
        unnamed.rename(&path).map_err(|error| write_fault(&path, error))?;
        // The new list counts from here on, whether the old one goes or not.
        let _ = fs::remove_file(edition.path.join(OLD_EXCLUSIONS_FILE));
        sync_dir(&edition.path)?;
        edition.push_changed(EXCLUSIONS_FILE)?;
        edition.push_changed(OLD_EXCLUSIONS_FILE)?;
        Ok(Exclusions { path, list: List::File(header), marks: Mutex::default() })
    }
}

fn conflict(edition: &Edition) -> Fault {
    Fault::conflict(format!(
        "edition {} is sent, or part of it, and the gates now exclude other documents of it than then",
        edition.description.id
    ))
    .advise(
        "the feed's or the target's limit changed in between: restore it and publish the edition to its \
         end, or publish with --replace, which sends it from the start",
    )
}

fn read_header(file: &mut BufReader<File>, path: &Path) -> Result<Header> {
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)
        .map_err(|error| Fault::io(format!("failed to read {}", path.display()), error))?;
    serde_json::from_slice(&line).map_err(|error| damaged(path, error))
}

fn read_old(edition: &Path) -> Result<List> {
    let path = edition.join(OLD_EXCLUSIONS_FILE);
    let Some(json) = read_if_there(&path)? else { return Ok(List::Missing) };
    serde_json::from_slice(&json).map(List::Old).map_err(|error| damaged(&path, error))
}

/// Finds each document's place, in one pass over the keys, and writes the list; one that the edition
/// lacks is passed over.
fn write_list(edition: &Edition, wanted: Sorter, unnamed: &Unnamed) -> Result<Header> {
    let path = unnamed.path();
    let failed = |error| write_fault(path, error);
    let mut file = unnamed.file().map_err(failed)?;
    file.write_all(&[b' '; HEADER_BYTES]).map_err(failed)?;
    let mut lines = LineWriter::new(file, path);
    let mut fingerprint = Fingerprint::new(&edition.description);
    let mut wanted = wanted.finish()?;
    let mut keys = Places { reader: edition.reader_of_all(0, Columns::Keys)?, batch: None, row: 0 };
    while let Some((hash, key, reason)) = wanted.next()? {
        if let Some(ordinal) = keys.find(hash, &key)? {
            fingerprint.add(ordinal);
            lines.put(&Excluded { hash, key, ordinal, reason })?;
        }
    }
    let (mut file, sum) = lines.finish()?;
    let header = Header { count: sum.count, fingerprint: fingerprint.text(), checksum: sum.checksum };
    let line = serde_json::to_string(&header)
        .map_err(|error| Fault::bug(format!("failed to encode {EXCLUSIONS_FILE}")).because(error))?;
    let line = format!("{line:<width$}\n", width = HEADER_BYTES - 1);
    if line.len() != HEADER_BYTES {
        return Err(Fault::bug(format!("the header of {EXCLUSIONS_FILE} is too long")));
    }
    file.rewind().and_then(|()| file.write_all(line.as_bytes())).map_err(failed)?;
    Ok(header)
}

/// Where keys lie in the edition, asked for in its order.
struct Places {
    reader: EditionReader,
    batch: Option<Batch>,
    row: usize,
}

impl Places {
    fn find(&mut self, hash: u32, key: &str) -> Result<Option<u64>> {
        loop {
            while let Some(batch) = self.batch.as_ref().filter(|batch| self.row < batch.len()) {
                let at = (batch.hash.value(self.row), batch.key.value(self.row));
                if at > (hash, key) {
                    return Ok(None);
                }
                self.row += 1;
                if at == (hash, key) {
                    return Ok(Some(batch.ordinal + self.row as u64 - 1));
                }
            }
            (self.batch, self.row) = (self.reader.next().transpose()?, 0);
            if self.batch.is_none() {
                return Ok(None);
            }
        }
    }
}

/// See [`Edition::fingerprint`]. Reasons are left out: they name limits, which may change while the
/// documents stay the same.
struct Fingerprint(Xxh3);

impl Fingerprint {
    fn new(description: &Description) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&description.documents.to_le_bytes());
        hash.update(description.checksum.as_bytes());
        Fingerprint(hash)
    }

    fn add(&mut self, ordinal: u64) {
        self.0.update(&ordinal.to_le_bytes());
    }

    fn text(&self) -> String {
        format!("{:016x}", self.0.digest())
    }
}
