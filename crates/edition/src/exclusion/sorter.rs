//! Puts any number of named documents into the edition's order with bounded memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hivecast_contract::key_hash;
use hivecast_run::{Fault, Result};

use super::Exclusion;
use crate::files::AdviseSpace;

/// Bytes that wait in memory to be sorted; beyond them sorted runs go to an unnamed file.
const BUFFER_BYTES: usize = 4 << 20;
/// Bytes that are read of a run at a time: there are few hundred runs at most.
const RUN_BUFFER_BYTES: usize = 16 << 10;
/// What an entry takes besides its text.
const ENTRY_BYTES: usize = size_of::<Entry>() + 32;

/// Who named a document: of two reasons for one, the engine's stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum By {
    /// While it was built.
    Engine,
    /// While it was judged.
    Gates,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u32,
    key: String,
    by: By,
    /// Equal keys are told apart by this, so that which reason stands does not hang on the threads.
    reason: String,
}

/// Takes documents in any order.
#[derive(Debug)]
pub(crate) struct Sorter {
    dir: PathBuf,
    buffer_bytes: usize,
    entries: Vec<Entry>,
    bytes: usize,
    file: Option<File>,
    runs: Vec<Range<u64>>,
}

impl Sorter {
    /// What does not fit into memory goes to an unnamed file in `dir`.
    pub(crate) fn new(dir: &Path) -> Sorter {
        let (entries, runs) = (Vec::new(), Vec::new());
        Sorter { dir: dir.to_owned(), buffer_bytes: BUFFER_BYTES, entries, bytes: 0, file: None, runs }
    }

    pub(crate) fn push(&mut self, by: By, Exclusion { key, reason }: Exclusion) -> Result<()> {
        self.bytes += ENTRY_BYTES + key.len() + reason.len();
        self.entries.push(Entry { hash: key_hash(key.as_bytes()), key, by, reason });
        if self.bytes >= self.buffer_bytes { self.write_run() } else { Ok(()) }
    }

    fn write_run(&mut self) -> Result<()> {
        let failed = |error| {
            let what = format!("failed to write a temporary file in {}", self.dir.display());
            Fault::io(what, error).advise_space()
        };
        self.entries.sort_unstable();
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile_in(&self.dir).map_err(failed)?);
        }
        if let Some(file) = &self.file {
            let run = append(file, &self.entries).map_err(failed)?;
            self.runs.push(run);
        }
        self.entries.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Each document once, in the edition's order.
    pub(crate) fn finish(mut self) -> Result<Sorted> {
        self.entries.sort_unstable();
        let mut runs: Vec<Run> = vec![Run::Memory(self.entries.into_iter())];
        if let Some(file) = self.file {
            let file = Arc::new(file);
            let on_disk = |range: Range<u64>| {
                let section = Section { file: Arc::clone(&file), range };
                Run::Disk(BufReader::with_capacity(RUN_BUFFER_BYTES, section))
            };
            runs.extend(self.runs.into_iter().map(on_disk));
        }
        let mut sorted = Sorted { runs, heads: BinaryHeap::new(), last: None };
        for run in 0..sorted.runs.len() {
            sorted.refill(run)?;
        }
        Ok(sorted)
    }
}

fn append(mut file: &File, entries: &[Entry]) -> io::Result<Range<u64>> {
    let start = file.stream_position()?;
    let mut out = BufWriter::new(file);
    for Entry { hash, key, by, reason } in entries {
        out.write_all(&hash.to_le_bytes())?;
        out.write_all(&[u8::from(*by == By::Gates)])?;
        for text in [key, reason] {
            out.write_all(&(text.len() as u64).to_le_bytes())?;
            out.write_all(text.as_bytes())?;
        }
    }
    out.flush()?;
    drop(out);
    Ok(start..file.stream_position()?)
}

/// Documents in the edition's order, with why they are set aside.
pub(crate) struct Sorted {
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Entry, usize)>>,
    last: Option<(u32, String)>,
}

enum Run {
    Memory(std::vec::IntoIter<Entry>),
    Disk(BufReader<Section>),
}

/// A part of a file that others read too.
struct Section {
    file: Arc<File>,
    range: Range<u64>,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..room], self.range.start)?;
        self.range.start += read as u64;
        Ok(read)
    }
}

impl Sorted {
    /// The next one: its key's hash, its key, the reason.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, String, String)>> {
        while let Some(Reverse((Entry { hash, key, reason, .. }, run))) = self.heads.pop() {
            self.refill(run)?;
            if self.last.as_ref().is_some_and(|last| (last.0, &last.1) == (hash, &key)) {
                continue;
            }
            self.last = Some((hash, key.clone()));
            return Ok(Some((hash, key, reason)));
        }
        Ok(None)
    }

    fn refill(&mut self, run: usize) -> Result<()> {
        let entry = match &mut self.runs[run] {
            Run::Memory(entries) => entries.next(),
            Run::Disk(section) => read_entry(section)
                .map_err(|error| Fault::io("failed to read a temporary file of the store", error))?,
        };
        self.heads.extend(entry.map(|entry| Reverse((entry, run))));
        Ok(())
    }
}

fn read_entry(from: &mut BufReader<Section>) -> io::Result<Option<Entry>> {
    if io::BufRead::fill_buf(from)?.is_empty() {
        return Ok(None);
    }
    let (mut hash, mut by) = ([0; 4], [0; 1]);
    from.read_exact(&mut hash)?;
    from.read_exact(&mut by)?;
    let mut text = || {
        let mut len = [0; 8];
        from.read_exact(&mut len)?;
        let mut bytes = vec![0; u64::from_le_bytes(len) as usize];
        from.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    };
    let (key, reason) = (text()?, text()?);
    let by = if by == [0] { By::Engine } else { By::Gates };
    Ok(Some(Entry { hash: u32::from_le_bytes(hash), key, by, reason }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_number_in_any_order_come_out_once_and_in_order(
            named in proptest::collection::vec((0u16..300, 0u8..4, any::<bool>()), 0..400),
            buffer_bytes in 1usize..20_000,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut sorter = Sorter { buffer_bytes, ..Sorter::new(dir.path()) };
            let mut expected: BTreeMap<(u32, String), (By, String)> = BTreeMap::new();
            for (key, reason, gates) in named {
                let (key, reason) = (format!("key-{key}"), format!("reason {reason}"));
                let by = if gates { By::Gates } else { By::Engine };
                sorter.push(by, Exclusion { key: key.clone(), reason: reason.clone() }).unwrap();
                let stands = expected.entry((key_hash(key.as_bytes()), key)).or_insert((by, reason.clone()));
                *stands = stands.clone().min((by, reason));
            }
            let mut sorted = sorter.finish().unwrap();
            for ((hash, key), (_, reason)) in expected {
                prop_assert_eq!(sorted.next().unwrap(), Some((hash, key, reason)));
            }
            prop_assert_eq!(sorted.next().unwrap(), None);
        }
    }
}
