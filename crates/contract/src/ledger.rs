use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Checksum, LoadDate};

/// The newest version of the ledger's record format. A reader refuses a newer one.
///
/// What is written is the oldest that says everything: progress is 2 where it belongs to a set of writers
/// ([`Progress::set`]), since a reader that knows nothing of sets would take one writer's part for all;
/// everything else is [`LEDGER_FORMAT_ONE_WRITER`], and older programs read it.
pub const LEDGER_FORMAT: u32 = 2;

/// The version of records of a feed that has never had several writers, and of every manifest.
pub const LEDGER_FORMAT_ONE_WRITER: u32 = 1;

/// Most writers that may share an edition: each is fenced by name when a set of writers is opened.
pub const WRITERS_MAX: u32 = 256;

/// Names an edition: the first 16 hexadecimal digits of a SHA-256 over the feed's fingerprint, the
/// load_date and the frozen inputs. Equal inputs give equal ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EditionId(pub String);

impl fmt::Display for EditionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who sends which part of the edition's order: writer `index` of `of`, counted from 1. Written
/// `1/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterId {
    /// 1 to `of`.
    pub index: u32,
    /// How many writers share the edition.
    pub of: u32,
}

impl WriterId {
    /// The only writer.
    pub const SINGLE: WriterId = WriterId { index: 1, of: 1 };

    /// Which keys are this writer's: an equal share of the hashes, which keys are spread over evenly.
    pub fn range(self) -> HashRange {
        let bound = |writers: u32| u64::from(writers) * HASHES / u64::from(self.of.max(1));
        HashRange { start: bound(self.index.saturating_sub(1)), end: bound(self.index) }
    }
}

/// How many hashes there are.
const HASHES: u64 = 1 << 32;

/// A range of the edition's order: the keys whose CRC-32 ([`crate::key_hash`]) lies in it. Keys of equal
/// hashes are never divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashRange {
    /// The first hash.
    pub start: u64,
    /// One more than the last, at most 2^32.
    pub end: u64,
}

impl HashRange {
    /// Every key.
    pub const WHOLE: HashRange = HashRange { start: 0, end: HASHES };

    /// Whether keys of this hash are in it.
    pub fn contains(self, hash: u32) -> bool {
        (self.start..self.end).contains(&u64::from(hash))
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for WriterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(index, of)| {
            let writer = WriterId { index: index.parse().ok()?, of: of.parse().ok()? };
            (1..=writer.of).contains(&writer.index).then_some(writer)
        });
        parsed.ok_or_else(|| format!("{text:?} is no writer; write it as 2/4, the second of four"))
    }
}

impl Serialize for WriterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WriterId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What was committed to one topic partition, summed over the chunks of an edition so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTotals {
    /// Documents committed.
    pub documents: u64,
    /// Tombstones committed.
    pub tombstones: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// The order-free checksum of documents and tombstones.
    pub checksum: Checksum,
    /// The offset of the first record, if there is one.
    pub first_offset: Option<i64>,
    /// The offset of the last record, if there is one. Offsets between may hold transaction markers.
    pub last_offset: Option<i64>,
}

impl PartitionTotals {
    /// Adds what a later chunk committed to the same partition.
    pub fn add(&mut self, later: &PartitionTotals) {
        self.documents += later.documents;
        self.tombstones += later.tombstones;
        self.bytes += later.bytes;
        self.checksum += later.checksum;
        self.first_offset = self.first_offset.or(later.first_offset);
        self.last_offset = later.last_offset.or(self.last_offset);
    }

    /// Adds what another writer committed to the same partition, before, after or between.
    pub fn merge(&mut self, other: &PartitionTotals) {
        let first = [self.first_offset, other.first_offset].into_iter().flatten().min();
        let last = self.last_offset.max(other.last_offset);
        self.add(other);
        (self.first_offset, self.last_offset) = (first, last);
    }

    /// Documents and tombstones.
    pub fn records(&self) -> u64 {
        self.documents + self.tombstones
    }
}

/// How far a set of writers, or one of them, has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Writer 1 has said what is to be published, and by how many. Writers of earlier sets may still
    /// send: nobody of this one does.
    Announced,
    /// No writer of an earlier set can send any more.
    Open,
    /// This writer's part is committed whole.
    Done,
}

/// Which set of writers a progress belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterSet {
    /// One more than the feed's set before: the same edition may be published twice by as many writers,
    /// and progress of the first time is none of the second.
    pub number: u64,
    /// The most writers that any set of the feed has had. An earlier set's may still live, and are fenced
    /// when a set is opened.
    pub widest: u32,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a writer has come with an edition: written in the same transaction as each chunk, and
/// holding the sums over all chunks, so that the last one alone says everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// [`LEDGER_FORMAT`].
    pub format: u32,
    /// The feed's name.
    pub feed: String,
    /// The day.
    pub load_date: LoadDate,
    /// Which edition of that day.
    pub edition: EditionId,
    /// Which writer.
    pub writer: WriterId,
    /// How many chunks are committed.
    pub chunks: u64,
    /// How many entries of this writer's part of the publish order are committed. The publish order
    /// is the documents in the edition's order, then the tombstones in the edition's order.
    pub position: u64,
    /// A digest of the entries that `position` counts, tombstones left out: positions of another
    /// digest mean other entries. Empty in records of programs that did not write it.
    #[serde(default)]
    pub entries: String,
    /// A digest of the key that values are masked with, made under that key, so that it does not tell
    /// the key: another one means that the rest would be masked otherwise. Empty where no value is
    /// masked with a key, and in records of programs that did not write it.
    #[serde(default)]
    pub mask_key: String,
    /// Editions whose keys may be on the topic: the last one published whole, and any that were
    /// begun since and left. Keys that these have and this edition lacks get tombstones.
    pub bases: Vec<EditionId>,
    /// The target's own identity of the topic (Kafka's topic id): another one means that the topic
    /// was deleted and made again.
    pub topic_id: String,
    /// The set of writers; none where the feed has never had several. Writer 1's progress speaks for the
    /// set: the others follow the edition, the bases and the number that it states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<WriterSet>,
    /// One for each topic partition, in order.
    pub partitions: Vec<PartitionTotals>,
}

impl Progress {
    /// Whether this is a part that is committed whole.
    pub fn is_done(&self) -> bool {
        self.set.is_some_and(|set| set.stage == Stage::Done)
    }
}

/// The last word on an edition: everything is committed. Written in the edition's last transaction, or
/// where several writers share it, by the one that finishes last in a transaction of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`LEDGER_FORMAT`].
    pub format: u32,
    /// 1 for a feed's first manifest, and one more for each later one: the order of publishing.
    pub sequence: u64,
    /// The feed's name.
    pub feed: String,
    /// The day.
    pub load_date: LoadDate,
    /// Which edition of that day.
    pub edition: EditionId,
    /// As [`Progress::entries`].
    #[serde(default)]
    pub entries: String,
    /// As [`Progress::mask_key`].
    #[serde(default)]
    pub mask_key: String,
    /// The topic's name.
    pub topic: String,
    /// The target's own identity of the topic.
    pub topic_id: String,
    /// Documents committed, over all partitions.
    pub documents: u64,
    /// Tombstones committed, over all partitions.
    pub tombstones: u64,
    /// In how many chunks.
    pub chunks: u64,
    /// [`WriterSet::number`] of the set that published it; none where the feed has never had several
    /// writers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<u64>,
    /// When it was complete, in milliseconds since the epoch.
    pub completed_ms: i64,
    /// One for each topic partition, in order.
    pub partitions: Vec<PartitionTotals>,
}

/// A ledger record's key; its text is what compaction goes by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerKey {
    /// The progress of a feed's writer.
    Progress {
        /// The feed's name.
        feed: String,
        /// Which writer.
        writer: WriterId,
    },
    /// The manifest of a feed's load_date.
    Manifest {
        /// The feed's name.
        feed: String,
        /// The day.
        load_date: LoadDate,
    },
}

impl fmt::Display for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerKey::Progress { feed, writer } => write!(f, "progress:{feed}:{writer}"),
            LedgerKey::Manifest { feed, load_date } => write!(f, "manifest:{feed}:{load_date}"),
        }
    }
}

/// A record of the ledger, as JSON in the record's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "lowercase")]
pub enum LedgerRecord {
    /// How far a writer has come.
    Progress(Progress),
    /// An edition is complete.
    Manifest(Manifest),
}

impl LedgerRecord {
    /// The key that this record is written under.
    pub fn key(&self) -> LedgerKey {
        match self {
            LedgerRecord::Progress(progress) => {
                LedgerKey::Progress { feed: progress.feed.clone(), writer: progress.writer }
            }
            LedgerRecord::Manifest(manifest) => {
                LedgerKey::Manifest { feed: manifest.feed.clone(), load_date: manifest.load_date }
            }
        }
    }

    /// The feed that this record speaks of.
    pub fn feed(&self) -> &str {
        match self {
            LedgerRecord::Progress(progress) => &progress.feed,
            LedgerRecord::Manifest(manifest) => &manifest.feed,
        }
    }

    /// The record's JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("ledger records hold only strings, numbers and lists")
    }

    /// Reads a record; an error says what is wrong with it, including a newer format.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let record: LedgerRecord =
            serde_json::from_slice(json).map_err(|error| format!("not a ledger record: {error}"))?;
        let format = match &record {
            LedgerRecord::Progress(progress) => progress.format,
            LedgerRecord::Manifest(manifest) => manifest.format,
        };
        if format > LEDGER_FORMAT {
            return Err(format!(
                "ledger format {format} is newer than this program's {LEDGER_FORMAT}; use a newer hivecast"
            ));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 0.1.0 wrote it, but for its names.
    const BEFORE_SETS: &str = r#"{"record":"progress","format":1,"feed":"f","load_date":"2026-11-22","edition":"e","writer":"1/1","chunks":3,"position":9,"entries":"x","mask_key":"","bases":[],"topic_id":"t","partitions":[]}"#;

    #[test]
    fn records_of_one_writer_are_as_they_were_and_newer_ones_are_refused() {
        let record = LedgerRecord::from_json(BEFORE_SETS.as_bytes()).unwrap();
        assert_eq!(record.to_json(), BEFORE_SETS);
        let LedgerRecord::Progress(progress) = record else { panic!("no progress") };
        let set = Some(WriterSet { number: 2, widest: 4, stage: Stage::Announced });
        let of_set = LedgerRecord::Progress(Progress { format: LEDGER_FORMAT, set, ..progress });
        let json = of_set.to_json();
        assert!(
            json.contains(r#""format":2"#)
                && json.contains(r#""set":{"number":2,"widest":4,"stage":"announced"}"#)
        );
        assert_eq!(LedgerRecord::from_json(json.as_bytes()), Ok(of_set));
        let newer = json.replace(r#""format":2"#, r#""format":3"#);
        assert!(LedgerRecord::from_json(newer.as_bytes()).is_err_and(|error| error.contains("newer")));
    }

    #[test]
    fn writers_share_all_hashes_evenly() {
        for of in [1, 2, 3, 4, 7, 255, WRITERS_MAX] {
            let mut end = 0;
            for index in 1..=of {
                let range = WriterId { index, of }.range();
                assert_eq!(range.start, end, "{index}/{of} begins where the one before ends");
                let share = HASHES / u64::from(of);
                assert!((share..=share + 1).contains(&(range.end - range.start)), "{index}/{of}");
                end = range.end;
            }
            assert_eq!(end, HASHES, "{of}");
        }
        assert_eq!(WriterId::SINGLE.range(), HashRange::WHOLE);
        assert!(HashRange::WHOLE.contains(u32::MAX));
    }
}
