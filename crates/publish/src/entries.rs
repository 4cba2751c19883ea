//! What is sent, in the order in which it is sent, as encoded bytes.

use hivecast_contract::{EditionId, HashRange, LoadDate};
use hivecast_run::Result;

/// About how many bytes of keys and values one [`Block`] holds. Large enough that handing blocks
/// between threads costs nothing, small enough that a few of them are no memory to speak of.
pub const BLOCK_BYTES: usize = 1 << 20;

/// An edition as a sequence of records to send: the publish order is its documents in the edition's
/// order, then a tombstone for each key that some base has and the edition lacks, in the same order.
/// The sequence is a function of the edition and the bases alone, so that a position in it means the
/// same after a crash. Several writers have a range of the order each: the documents in it, then the
/// tombstones in it.
pub trait Entries: Sync {
    /// Which edition.
    fn edition(&self) -> &EditionId;

    /// Its day.
    fn load_date(&self) -> LoadDate;

    /// How many documents it has; tombstones are not known before they are merged.
    fn documents(&self) -> u64;

    /// A digest of the documents in their order: where it is another one, a position means other
    /// entries. It is kept in the ledger. Without a better one the number of documents has to do.
    fn fingerprint(&self) -> String {
        format!("{} documents", self.documents())
    }

    /// How many of the documents are in the range.
    fn documents_in(&self, range: HashRange) -> Result<u64>;

    /// Holds what [`Entries::open`] reads of the edition against what was written. Called once a run,
    /// before the first record is sent.
    fn check(&self, _range: HashRange) -> Result<()> {
        Ok(())
    }

    /// The sequence of a range, from `position` (entries of the range passed over, tombstones counted
    /// too) to its end. What is not in the range is not read.
    fn open(&self, range: HashRange, bases: &[EditionId], position: u64) -> Result<Box<dyn Blocks + '_>>;
}

/// The rest of a sequence of records.
pub trait Blocks {
    /// Adds the next records to an empty `block`, at least one and about [`BLOCK_BYTES`] in all; a
    /// block that stays empty is the end.
    fn fill(&mut self, block: &mut Block) -> Result<()>;
}

/// Records encoded one behind the other in one allocation that is used again.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    ends: Vec<Ends>,
}

/// Where a record's key and value end in the block; the key begins where the record before ended.
#[derive(Clone, Copy, Debug)]
struct Ends {
    key: usize,
    value: Option<usize>,
}

/// One record of a [`Block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key's UTF-8 text.
    pub key: &'a [u8],
    /// The JSON, or `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

impl Entry<'_> {
    /// Bytes of key and value.
    pub fn bytes(&self) -> u64 {
        (self.key.len() + self.value.map_or(0, <[u8]>::len)) as u64
    }
}

impl Block {
    /// Adds a record whose value is already encoded.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.bytes.extend_from_slice(key);
        let key = self.bytes.len();
        let value = value.map(|value| {
            self.bytes.extend_from_slice(value);
            self.bytes.len()
        });
        self.ends.push(Ends { key, value });
    }

    /// Adds a record whose value `encode` appends to the block's own bytes. When it fails the block
    /// is as it was.
    pub fn push_with<E>(
        &mut self,
        key: &[u8],
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let key = self.bytes.len();
        if let Err(error) = encode(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        self.ends.push(Ends { key, value: Some(self.bytes.len()) });
        Ok(())
    }

    /// Whether the block holds about [`BLOCK_BYTES`].
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES
    }

    /// Whether the block holds no record.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many records the block holds.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The record at `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        let ends = *self.ends.get(index)?;
        let start = match index.checked_sub(1).map(|before| self.ends[before]) {
            Some(before) => before.value.unwrap_or(before.key),
            None => 0,
        };
        Some(Entry {
            key: &self.bytes[start..ends.key],
            value: ends.value.map(|end| &self.bytes[ends.key..end]),
        })
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Empties the block for use again. What one giant record had it allocate is given back.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
        self.bytes.shrink_to(2 * BLOCK_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_pushed() {
        let mut block = Block::default();
        block.push(b"a", Some(b"{}"));
        block.push(b"b", None);
        block.push(b"", Some(b""));
        block
            .push_with(b"lost", |bytes| {
                bytes.extend_from_slice(b"half");
                Err(())
            })
            .unwrap_err();
        block
            .push_with(b"c", |bytes| {
                bytes.extend_from_slice(b"[1]");
                Ok::<(), ()>(())
            })
            .unwrap();
        let read: Vec<_> = block.iter().map(|entry| (entry.key, entry.value)).collect();
        let expected: Vec<(&[u8], Option<&[u8]>)> =
            vec![(b"a", Some(b"{}")), (b"b", None), (b"", Some(b"")), (b"c", Some(b"[1]"))];
        assert_eq!(read, expected);
        assert_eq!(block.iter().map(|entry| entry.bytes()).sum::<u64>(), 3 + 1 + 4);
    }

    #[test]
    fn a_giant_records_memory_is_given_back() {
        let mut block = Block::default();
        block.push(b"giant", Some(&vec![b'x'; 8 * BLOCK_BYTES]));
        assert!(block.is_full());
        block.clear();
        assert!(block.is_empty() && block.bytes.capacity() <= 2 * BLOCK_BYTES);
    }
}
