//! What an open transaction will append to a partition, kept apart until it commits: only then is it known
//! where the partition ends.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use hivecast_run::{Fault, Result};

/// How many bytes of lines are gathered in memory; what is more goes to a file.
const MEMORY_BYTES: usize = 256 << 10;

/// Lines, in the order in which they were added.
pub(super) struct Spool {
    path: PathBuf,
    memory: Vec<u8>,
    /// Made when memory is full. It has no name any more, so that it vanishes with its process.
    file: Option<File>,
}

impl Spool {
    /// An empty spool, whose file is made at `path` if it needs one.
    pub(super) fn new(path: PathBuf) -> Self {
        Spool { path, memory: Vec::new(), file: None }
    }

    /// Adds what `write` appends: whole lines. When that fails the spool is as it was.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let before = self.memory.len();
        if let Err(fault) = write(&mut self.memory) {
            self.memory.truncate(before);
            return Err(fault);
        }
        if self.memory.len() >= MEMORY_BYTES { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let fault = |error| Fault::io(format!("failed to write {}", self.path.display()), error);
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&self.path)
                    .map_err(fault)?;
                fs::remove_file(&self.path).map_err(fault)?;
                none.insert(file)
            }
        };
        file.write_all(&self.memory).map_err(fault)?;
        self.memory.clear();
        self.memory.shrink_to(2 * MEMORY_BYTES);
        Ok(())
    }

    /// Hands each line to `each`, with its line feed.
    pub(super) fn each(&mut self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let fault = |error| Fault::io(format!("failed to read {}", self.path.display()), error);
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0)).map_err(fault)?;
        }
        let file: &mut dyn Read = match &mut self.file {
            Some(file) => file,
            None => &mut std::io::empty(),
        };
        let mut lines = BufReader::with_capacity(MEMORY_BYTES, file.chain(self.memory.as_slice()));
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(fault)? > 0 {
            if line.last() != Some(&b'\n') {
                return Err(fault(ErrorKind::UnexpectedEof.into()));
            }
            each(&line)?;
            line.clear();
        }
        Ok(())
    }

    /// Empties it; the file's room is given back.
    pub(super) fn clear(&mut self) {
        self.memory.clear();
        self.memory.shrink_to(2 * MEMORY_BYTES);
        self.file = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(spool: &mut Spool) -> Vec<String> {
        let mut lines = Vec::new();
        spool
            .each(&mut |line| {
                lines.push(String::from_utf8(line.to_vec()).unwrap());
                Ok(())
            })
            .unwrap();
        lines
    }

    #[test]
    fn lines_come_back_in_order_from_memory_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path().join("spool"));
        let line = |n: usize| format!("{n} {}\n", "x".repeat(n % 7 * 20_000));
        for count in [1, 3, 40] {
            let expected: Vec<String> = (0..count).map(line).collect();
            for line in &expected {
                spool
                    .add(|out| {
                        out.extend_from_slice(line.as_bytes());
                        Ok(())
                    })
                    .unwrap();
            }
            spool
                .add(|out| {
                    out.extend_from_slice(b"half");
                    Err(Fault::data("refused"))
                })
                .unwrap_err();
            assert_eq!(spool.file.is_some(), count == 40);
            assert_eq!(lines(&mut spool), expected);
            assert_eq!(lines(&mut spool), expected, "again");
            spool.clear();
            assert!(lines(&mut spool).is_empty());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }
}
