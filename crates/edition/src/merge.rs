//! Merges of editions by key: both lie in the same order, whatever their shards, so one pass over
//! the keys of each is enough, in constant memory.
//!
//! Excluded documents count as present on both sides: a document that was set aside still exists
//! in the warehouse, so it must not be deleted from the topic, nor forgotten when it goes later.

use hivecast_contract::HashRange;
use hivecast_run::Result;

use crate::Edition;
use crate::reader::{Batch, Columns, EditionReader};

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In a base, and not in the current edition.
    Gone,
    /// In the current edition, and in no base.
    Added,
    /// In both.
    Common,
}

/// How many keys are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// In a base, and not in the current edition.
    pub gone: u64,
    /// In the current edition, and in no base.
    pub added: u64,
    /// In both.
    pub common: u64,
}

/// Steps through the keys of several editions at once, in the edition's order, each key once.
pub struct KeyMerge {
    /// The bases' and, last, the current edition's.
    cursors: Vec<Cursor>,
    /// Which of them have the key that the merge is at.
    here: Vec<bool>,
}

/// One edition's keys, and how far they are read. At its end there is no batch.
struct Cursor {
    reader: EditionReader,
    batch: Option<Batch>,
    row: usize,
}

impl Cursor {
    fn new(edition: &Edition, range: HashRange) -> Result<Cursor> {
        let mut reader = edition.reader_of_all_in(range, Columns::Keys)?;
        let batch = reader.next().transpose()?;
        Ok(Cursor { reader, batch, row: 0 })
    }

    fn head(&self) -> Option<(u32, &str)> {
        self.batch.as_ref().map(|batch| (batch.hash.value(self.row), batch.key.value(self.row)))
    }

    fn advance(&mut self) -> Result<()> {
        self.row += 1;
        if self.batch.as_ref().is_some_and(|batch| self.row >= batch.len()) {
            self.batch = self.reader.next().transpose()?;
            self.row = 0;
        }
        Ok(())
    }
}

impl KeyMerge {
    /// A merge of the keys that any of `bases` has with those of `current`.
    pub fn new(bases: &[Edition], current: &Edition) -> Result<KeyMerge> {
        KeyMerge::within(bases, current, HashRange::WHOLE)
    }

    /// As [`KeyMerge::new`], of a range of the order.
    pub fn within(bases: &[Edition], current: &Edition, range: HashRange) -> Result<KeyMerge> {
        let cursor = |edition| Cursor::new(edition, range);
        let cursors = bases.iter().chain([current]).map(cursor).collect::<Result<_>>()?;
        Ok(KeyMerge { cursors, here: Vec::new() })
    }

    /// Hands the next key to `take`, with where it is; `None` at the end.
    pub fn next_with<T>(&mut self, take: impl FnOnce(Presence, u32, &str) -> T) -> Result<Option<T>> {
        let KeyMerge { cursors, here } = self;
        let Some((hash, key)) = cursors.iter().filter_map(Cursor::head).min() else { return Ok(None) };
        here.clear();
        here.extend(cursors.iter().map(|cursor| cursor.head() == Some((hash, key))));
        let presence = match here.split_last() {
            Some((true, bases)) if bases.contains(&true) => Presence::Common,
            Some((true, _)) => Presence::Added,
            _ => Presence::Gone,
        };
        let taken = take(presence, hash, key);
        for (cursor, _) in cursors.iter_mut().zip(here.iter()).filter(|(_, here)| **here) {
            cursor.advance()?;
        }
        Ok(Some(taken))
    }
}

/// Keys that any of `bases` has and `current` lacks, in the edition's order, each once: what a full
/// publish sends tombstones for.
pub fn missing_keys(bases: &[Edition], current: &Edition) -> Result<MissingKeys> {
    missing_keys_in(bases, current, HashRange::WHOLE)
}

/// As [`missing_keys`], of a range of the order.
pub fn missing_keys_in(bases: &[Edition], current: &Edition, range: HashRange) -> Result<MissingKeys> {
    Ok(MissingKeys { merge: Some(KeyMerge::within(bases, current, range)?) })
}

/// See [`missing_keys`]. After an error it ends.
pub struct MissingKeys {
    merge: Option<KeyMerge>,
}

impl Iterator for MissingKeys {
    type Item = Result<(u32, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let merge = self.merge.as_mut()?;
        loop {
            let gone =
                |presence, hash, key: &str| (presence == Presence::Gone).then(|| (hash, key.to_owned()));
            match merge.next_with(gone) {
                Ok(Some(None)) => {}
                Ok(Some(Some(key))) => return Some(Ok(key)),
                Ok(None) => {
                    self.merge = None;
                    return None;
                }
                Err(fault) => {
                    self.merge = None;
                    return Some(Err(fault));
                }
            }
        }
    }
}

/// Counts how the keys of two editions differ.
pub fn count_keys(previous: &Edition, current: &Edition) -> Result<KeyCounts> {
    let mut merge = KeyMerge::new(std::slice::from_ref(previous), current)?;
    let mut counts = KeyCounts::default();
    while let Some(presence) = merge.next_with(|presence, _, _| presence)? {
        match presence {
            Presence::Gone => counts.gone += 1,
            Presence::Added => counts.added += 1,
            Presence::Common => counts.common += 1,
        }
    }
    Ok(counts)
}
