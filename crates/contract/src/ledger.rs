use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Checksum, LoadDate};

/// The version of the ledger's record format. A reader refuses a newer one.
pub const LEDGER_FORMAT: u32 = 1;

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

    /// Documents and tombstones.
    pub fn records(&self) -> u64 {
        self.documents + self.tombstones
    }
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
    /// One for each topic partition, in order.
    pub partitions: Vec<PartitionTotals>,
}

/// The last word on an edition: everything is committed. Written in the edition's last transaction.
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
