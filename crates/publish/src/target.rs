//! What a target is: somewhere that records are committed to in transactions, with a ledger that
//! commits with them, and from which they can be read back.
//!
//! The contract that every implementation keeps, and that one conformance suite proves:
//! - [`Target::open`] ends every earlier session of the same feed and [`Slot`], finishes or rolls back
//!   what they left, and only then reads the ledger. Of two live sessions one wins: either the
//!   earlier is fenced, or `open` itself fails with `Class::Held` while the earlier lives.
//!   [`Target::fence`] does the same without going on.
//! - Sessions of different slots do not disturb each other: their transactions may be open at the same
//!   time and commit in any order, and what one that died had not committed is never seen, whoever
//!   commits after it.
//! - Between [`Session::begin`] and [`Session::commit`] nothing is visible to committed readers;
//!   after `commit` returns `Ok`, all of it is, and survives a crash of the process (and, as far as
//!   the target promises, of the machine).
//! - When `commit` returns an error its outcome may be unknown: the session is dead, and the caller
//!   opens a new one and reads the ledger.
//! - A session that was fenced fails with `Class::Held` at its next `begin`, `send` or `commit`, and
//!   nothing of its open transaction ever becomes visible.
//! - A session that is dropped without `abort` leaves what a killed process would leave.
//! - A topic with another number of partitions than the feed's is refused with `Class::Conflict`,
//!   by `preflight` and by `open`.

use std::collections::BTreeMap;
use std::fmt;

use hivecast_contract::{LedgerKey, LedgerRecord, LoadDate, Manifest, PartitionTotals, Progress};
use hivecast_run::{Context, Result};

/// The topic as the feed wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// The feed's name: with the slot it names the `transactional.id`.
    pub feed: String,
    /// The topic's name.
    pub topic: String,
    /// How many partitions it is created with, and must have.
    pub partitions: u32,
    /// Settings that it is created with; where an existing topic differs, a warning.
    pub settings: BTreeMap<String, String>,
}

/// What the target can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetLimits {
    /// Most bytes in one record, as the broker and topic limit them, if they do.
    pub record_bytes: Option<u64>,
}

/// The headers that every record of a run carries besides `hivecast.op`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// `hivecast.feed`
    pub feed: String,
    /// `hivecast.load_date`
    pub load_date: LoadDate,
    /// `hivecast.edition`
    pub edition: String,
}

/// One record read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Topic partition.
    pub partition: u32,
    /// Offset in it.
    pub offset: i64,
    /// The key.
    pub key: &'a [u8],
    /// The JSON, or `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// `hivecast.feed`, where the record has it.
    pub feed: Option<&'a str>,
    /// `hivecast.load_date`, where the record has it.
    pub load_date: Option<&'a str>,
    /// `hivecast.edition`, where the record has it.
    pub edition: Option<&'a str>,
    /// `hivecast.op`, where the record has it.
    pub op: Option<&'a str>,
}

/// What one session at a time holds of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// A writer's place, counted from 1. How many writers there are is no part of it: whoever comes as
    /// writer 1 ends whoever was writer 1, of however many.
    Writer(u32),
    /// The place of the one who writes the manifest of several writers' edition.
    Finish,
}

impl Slot {
    /// The place of writer 1, who alone decides what is published.
    pub const FIRST: Slot = Slot::Writer(1);
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slot::Writer(index) => write!(f, "writer-{index}"),
            Slot::Finish => f.write_str("finish"),
        }
    }
}

/// The ledger's last word for each key of one feed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// By [`Slot::Writer`]: what was written last in it, of however many writers it was one.
    pub progress: BTreeMap<u32, Progress>,
    /// By load_date.
    pub manifests: BTreeMap<LoadDate, Manifest>,
}

impl Ledger {
    /// Takes one record, in ledger order; a later record of the same key replaces the earlier.
    pub fn apply(&mut self, record: LedgerRecord) {
        match record {
            LedgerRecord::Progress(progress) => {
                self.progress.insert(progress.writer.index, progress);
            }
            LedgerRecord::Manifest(manifest) => {
                self.manifests.insert(manifest.load_date, manifest);
            }
        }
    }

    /// Takes the removal of a key.
    pub fn remove(&mut self, key: &LedgerKey) {
        match key {
            LedgerKey::Progress { writer, .. } => {
                if self.progress.get(&writer.index).is_some_and(|progress| progress.writer == *writer) {
                    self.progress.remove(&writer.index);
                }
            }
            LedgerKey::Manifest { load_date, .. } => {
                self.manifests.remove(load_date);
            }
        }
    }

    /// What was begun last: writer 1's progress, which speaks for all who share the edition. What other
    /// writers' progress says counts only where it is of the same set.
    pub fn begun(&self) -> Option<&Progress> {
        self.progress.get(&1)
    }

    /// The manifest that was written last, whatever its load_date.
    pub fn latest(&self) -> Option<&Manifest> {
        self.manifests.values().max_by_key(|manifest| manifest.sequence)
    }
}

/// What one transaction put where: by topic partition, for this chunk alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// One for each topic partition, in order.
    pub partitions: Vec<PartitionTotals>,
}

/// One thing that publishing needs, and whether it is there.
#[derive(Debug)]
pub struct Probe {
    /// What was tried, for a person.
    pub what: String,
    /// What was found, or what is lacking and what to do about it.
    pub outcome: Result<String>,
}

/// How much of the ledger a reader wants that fences nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What committed readers see at this moment. The feed's last word may be missing, where a
    /// transaction that is open, of this feed or another, comes before it.
    Now,
    /// With the feed's last word: a transaction that hides it is waited for, a bounded time
    /// (`Class::Infrastructure`).
    Settled,
}

/// Somewhere that documents go.
pub trait Target: Send + Sync {
    /// How people know it: `dir ./topics` or `kafka localhost:9092`. Never holds a secret.
    fn name(&self) -> String;

    /// What can be known without writing anything: reachable, allowed, the topic's partitions (None
    /// while it does not exist), limits. Warnings (settings that differ, replication 1) are told to
    /// the context.
    fn preflight(&self, topic: &TopicSpec, context: &Context<'_>) -> Result<TargetLimits>;

    /// Fails with `Class::Held` where it can be seen, without disturbing anybody, that a session of
    /// this feed and slot lives: so that a second run need not build an edition first to be told. A
    /// target that can't see it says nothing, and [`Target::open`] decides.
    fn check_free(&self, _feed: &str, _slot: Slot) -> Result<()> {
        Ok(())
    }

    /// Whether records can vanish by themselves, as compaction removes old tombstones.
    fn compacts(&self) -> bool {
        true
    }

    /// What only trying tells, without publishing, creating or fencing anything: the rights that a
    /// session needs. For `hivecast doctor`, after a `preflight` that succeeded.
    fn probe(&self, topic: &TopicSpec, context: &Context<'_>) -> Vec<Probe>;

    /// Creates the topic and the ledger where missing, fences earlier sessions of this feed and
    /// slot, and reads the ledger.
    fn open<'a>(
        &'a self,
        topic: &TopicSpec,
        slot: Slot,
        context: &Context<'a>,
    ) -> Result<Box<dyn Session + 'a>>;

    /// Ends every earlier session of this feed and slot, whose topic is there, and holds nothing: what
    /// they have not committed by now they never will.
    fn fence(&self, topic: &TopicSpec, slot: Slot, context: &Context<'_>) -> Result<()> {
        self.open(topic, slot, context).map(drop)
    }

    /// The ledger as committed readers see it, without fencing anyone. Empty where there is none.
    fn ledger(&self, feed: &str, view: View, context: &Context<'_>) -> Result<Ledger>;

    /// Reads what is committed to one topic partition from `from` up to and including `to` (offsets),
    /// in order, handing each record to `each`; stops at its first error. Records that are no longer
    /// there (compacted) are passed over. A `to` beyond the last committed record, `i64::MAX` for
    /// one, means up to what is committed when the call begins.
    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: i64,
        to: i64,
        context: &Context<'_>,
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()>;
}

/// One writer's hold on a feed's topic.
pub trait Session {
    /// The ledger as it was when the session opened.
    fn ledger(&self) -> &Ledger;

    /// The target's own identity of the topic.
    fn topic_id(&self) -> &str;

    /// Whether the topic holds records that committed readers can see.
    fn topic_has_records(&self) -> Result<bool>;

    /// The next offset of each partition. What others have written there in transactions that are
    /// still open may be counted: it must not hide what is committed before it.
    fn end_offsets(&self) -> Result<Vec<i64>>;

    /// Starts a transaction.
    fn begin(&mut self, headers: &Headers) -> Result<()>;

    /// Adds a record; `None` is a tombstone. May block while the target takes what came before.
    fn send(&mut self, partition: u32, key: &[u8], value: Option<&[u8]>) -> Result<()>;

    /// Waits until every record is acknowledged (as many as were sent, or it fails), asks
    /// `ledger_records` for what the ledger should say about them, adds that, and commits all of it
    /// at once. When `ledger_records` fails nothing is committed, its error is returned as it is, and
    /// `abort` may follow. The same holds for an error of `Class::Interrupted`: a target that looks
    /// for cancellation does so before it begins to commit. A transaction may hold ledger records
    /// alone.
    fn commit(
        &mut self,
        ledger_records: &mut dyn FnMut(&Committed) -> Result<Vec<LedgerRecord>>,
    ) -> Result<Committed>;

    /// Drops the transaction: none of its records is ever visible to committed readers.
    fn abort(&mut self) -> Result<()>;
}
