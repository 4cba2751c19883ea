//! The ledger: a file that is only appended to, one committed transaction a line.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hivecast_contract::{Checksum, LedgerRecord};
use hivecast_run::{Fault, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::files;
use crate::Ledger;

/// What one transaction made of the topic.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Commit {
    /// The topic's name, for people.
    pub(super) topic: String,
    /// The topic's identity.
    pub(super) topic_id: String,
    /// How many bytes of each partition file are committed.
    pub(super) lengths: Vec<u64>,
    /// The next offset of each partition.
    pub(super) offsets: Vec<i64>,
    /// The ledger records that committed with it, as their own JSON.
    pub(super) records: Vec<Box<RawValue>>,
}

impl Commit {
    /// Where in a partition's file which offset begins.
    pub(super) fn place(&self, partition: usize) -> Option<(u64, i64)> {
        Some((*self.lengths.get(partition)?, *self.offsets.get(partition)?))
    }
}

/// A line: the checksum tells a whole one from what a crash left.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    checksum: Checksum,
    #[serde(borrow)]
    commit: &'a RawValue,
}

fn checksum(commit: &RawValue) -> Checksum {
    Checksum::of_record(b"", Some(commit.get().as_bytes()))
}

fn encode(commit: &Commit) -> serde_json::Result<Vec<u8>> {
    let commit = serde_json::value::to_raw_value(commit)?;
    let mut line = serde_json::to_vec(&Line { checksum: checksum(&commit), commit: &commit })?;
    line.push(b'\n');
    Ok(line)
}

fn decode(line: &[u8]) -> Result<Commit, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if line.checksum != checksum(line.commit) {
        return Err("its checksum differs".to_owned());
    }
    serde_json::from_str(line.commit.get()).map_err(|error| error.to_string())
}

/// The ledger as it lies.
pub(super) struct Contents {
    /// In the order of commitment.
    pub(super) commits: Vec<Commit>,
    /// Bytes of the whole lines; what follows is the torn end of an append that did not succeed.
    whole_bytes: u64,
}

/// Reads a ledger; none is an empty one. A last line that is not whole was never committed and is
/// passed over; any other is damage.
pub(super) fn read(path: &Path) -> Result<Contents> {
    match std::fs::read(path) {
        Ok(bytes) => parse(path, &bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => parse(path, b""),
        Err(error) => Err(Fault::io(format!("failed to read {}", path.display()), error)),
    }
}

/// Lines of the ledger, from the start of one to the end of the file.
fn parse(path: &Path, bytes: &[u8]) -> Result<Contents> {
    let mut contents = Contents { commits: Vec::new(), whole_bytes: 0 };
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        let decoded = match line.last() {
            Some(b'\n') => decode(line),
            _ => Err("it has no end".to_owned()),
        };
        match decoded {
            Ok(commit) => {
                contents.commits.push(commit);
                contents.whole_bytes += line.len() as u64;
            }
            Err(_) if lines.peek().is_none() => break,
            Err(error) => return Err(damaged(path, number, error)),
        }
    }
    Ok(contents)
}

fn damaged(path: &Path, line: usize, error: String) -> Fault {
    Fault::data(format!("failed to read line {line} of the ledger {}", path.display()))
        .because(error)
        .advise("the file was changed or damaged: restore it, or move it and the topic away to start anew")
}

/// What the commits say of the feed.
pub(super) fn fold(commits: &[Commit]) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    for record in commits.iter().flat_map(|commit| &commit.records) {
        let record = LedgerRecord::from_json(record.get().as_bytes())
            .map_err(|error| Fault::data("failed to read a record of the ledger").because(error))?;
        ledger.apply(record);
    }
    Ok(ledger)
}

/// The ledger, open to be appended to by the one session at a time that has the turn.
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    pub(super) commits: Vec<Commit>,
}

impl LedgerFile {
    /// Opens or makes the file, and cuts off a torn end. What is read is synced before anything is
    /// decided by it: a line that a killed process had written, but not synced, must not vanish
    /// later.
    pub(super) fn open(path: &Path) -> Result<LedgerFile> {
        let fault = |error| Fault::io(format!("failed to open the ledger {}", path.display()), error);
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fault)?;
        let Contents { commits, whole_bytes } = read(path)?;
        file.set_len(whole_bytes).and_then(|()| file.sync_all()).map_err(fault)?;
        if is_new {
            files::sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(LedgerFile { path: path.to_path_buf(), file, bytes: whole_bytes, commits })
    }

    /// Reads what others have committed since, and cuts off what one that died left half written. What is
    /// read is synced, as in [`LedgerFile::open`].
    pub(super) fn catch_up(&mut self) -> Result<Vec<Commit>> {
        let fault = |error| Fault::io(format!("failed to read the ledger {}", self.path.display()), error);
        let length = self.file.metadata().map_err(fault)?.len();
        if length < self.bytes {
            return Err(Fault::conflict(format!("the ledger {} was cut during the run", self.path.display()))
                .advise("find out who changes the files of ledgers; restore it, or move it and the topic away to start anew"));
        }
        if length == self.bytes {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; usize::try_from(length - self.bytes).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, self.bytes).map_err(fault)?;
        let Contents { commits, whole_bytes } = parse(&self.path, &bytes)?;
        self.bytes += whole_bytes;
        self.file.set_len(self.bytes).and_then(|()| self.file.sync_data()).map_err(fault)?;
        Ok(commits)
    }

    /// Appends a commit. When that fails the file is cut back to what it was, and nothing is
    /// committed.
    pub(super) fn write(&mut self, commit: &Commit) -> Result<()> {
        let line = encode(commit).map_err(|error| Fault::bug("failed to write a commit").because(error))?;
        if let Err(error) = self.file.write_all_at(&line, self.bytes) {
            // Whatever cannot be cut off now is a torn end, which the next session cuts off.
            let _ = self.file.set_len(self.bytes);
            return Err(self.fault(error));
        }
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Makes what was written durable. When that fails the outcome is not known.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(|error| self.fault(error))
    }

    fn fault(&self, error: std::io::Error) -> Fault {
        Fault::io(format!("failed to write the ledger {}", self.path.display()), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(length: u64) -> Commit {
        Commit {
            topic: "t".into(),
            topic_id: "id".into(),
            lengths: vec![length],
            offsets: vec![1],
            records: vec![],
        }
    }

    fn lengths(path: &Path) -> Vec<u64> {
        read(path).unwrap().commits.iter().map(|commit| commit.lengths[0]).collect()
    }

    #[test]
    fn every_torn_end_is_passed_over_and_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.ndjson");
        let mut ledger = LedgerFile::open(&path).unwrap();
        ledger.write(&commit(10)).unwrap();
        let first = std::fs::metadata(&path).unwrap().len();
        ledger.write(&commit(20)).unwrap();
        drop(ledger);
        let whole = std::fs::read(&path).unwrap();
        for length in first..whole.len() as u64 {
            std::fs::write(&path, &whole[..length as usize]).unwrap();
            assert_eq!(lengths(&path), [10], "{length} bytes");
            let mut ledger = LedgerFile::open(&path).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().len(), first);
            ledger.write(&commit(30)).unwrap();
            assert_eq!(lengths(&path), [10, 30]);
        }
    }

    #[test]
    fn what_others_append_is_read_and_a_torn_end_of_theirs_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.ndjson");
        let mut ours = LedgerFile::open(&path).unwrap();
        let mut other = LedgerFile::open(&path).unwrap();
        assert!(ours.catch_up().unwrap().is_empty());
        other.write(&commit(10)).unwrap();
        other.write(&commit(20)).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        other.write(&commit(30)).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(whole + 9).unwrap();
        let seen: Vec<u64> = ours.catch_up().unwrap().iter().map(|commit| commit.lengths[0]).collect();
        assert_eq!(seen, [10, 20]);
        ours.write(&commit(40)).unwrap();
        assert_eq!(lengths(&path), [10, 20, 40]);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(3).unwrap();
        assert_eq!(ours.catch_up().unwrap_err().class(), hivecast_run::Class::Conflict);
    }

    #[test]
    fn a_changed_line_is_damage_unless_it_is_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.ndjson");
        let mut ledger = LedgerFile::open(&path).unwrap();
        for length in [10, 20, 30] {
            ledger.write(&commit(length)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("[30]", "[31]")).unwrap();
        assert_eq!(lengths(&path), [10, 20]);
        std::fs::write(&path, text.replace("[20]", "[21]")).unwrap();
        let Err(fault) = read(&path) else { panic!("damage goes unseen") };
        assert_eq!(fault.class(), hivecast_run::Class::Data);
        assert!(fault.to_string().contains("line 2"), "{fault}");
    }
}
