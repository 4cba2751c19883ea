//! The cases. Each takes a fixture, makes a topic of its own, and panics where the target breaks a
//! promise.

mod conflicts;
mod crashes;
mod editions;
mod sessions;
mod writers;

pub use super::schedule::random_schedule;
pub use conflicts::*;
pub use crashes::*;
pub use editions::*;
pub use sessions::*;
pub use writers::*;

use hivecast_contract::Manifest;
use hivecast_feed::{Atomicity, Chunks};
use hivecast_publish::{Entries, Job, Mode, Outcome, Slot, Summary, Target, TopicSpec, View, publish};
use hivecast_run::{Class, Result};

use super::editions::Editions;
use super::faulty::{Faulty, Trip, is_crash};
use super::oracle::{Log, Stretch};
use super::{Bench, Fixture};

/// How many partitions the topics of most cases have.
const PARTITIONS: u32 = 3;
/// How many records a chunk of most cases has.
const CHUNK_RECORDS: u64 = 4;

/// A topic, a client, and editions.
pub(super) struct Case<'f> {
    pub(super) fixture: &'f dyn Fixture,
    pub(super) target: Box<dyn Target>,
    pub(super) topic: TopicSpec,
    pub(super) editions: Editions,
    pub(super) chunks: Chunks,
    /// The digest of the key that values are masked with.
    pub(super) mask_key: &'static str,
    pub(super) bench: Bench,
}

impl<'f> Case<'f> {
    pub(super) fn new(fixture: &'f dyn Fixture, name: &str, editions: Editions) -> Self {
        Case {
            fixture,
            target: fixture.client(),
            topic: fixture.topic(name, PARTITIONS),
            editions,
            chunks: Chunks { records: CHUNK_RECORDS, bytes: 1 << 30, atomic: Atomicity::Chunk },
            mask_key: "",
            bench: Bench::default(),
        }
    }

    /// Opens a session and drops it, which leaves an empty topic.
    pub(super) fn create_topic(&self) {
        self.target
            .open(&self.topic, Slot::FIRST, &self.bench.context())
            .unwrap_or_else(|fault| panic!("creating topic {}: {}", self.topic.topic, fault.chain()));
    }

    pub(super) fn entries(&self, edition: &str) -> impl Entries + '_ {
        self.editions.entries(edition)
    }

    /// A run over any target, this case's or a wrapper of it.
    pub(super) fn run(&self, target: &dyn Target, edition: &str, mode: Mode) -> Result<Summary> {
        let job = Job { topic: &self.topic, chunks: self.chunks, mode, mask_key: self.mask_key };
        publish(target, &job, &self.entries(edition), &self.bench.context())
    }

    pub(super) fn publish(&self, edition: &str) -> Summary {
        self.succeed(edition, Mode::Normal)
    }

    pub(super) fn replace(&self, edition: &str) -> Summary {
        self.succeed(edition, Mode::Replace)
    }

    fn succeed(&self, edition: &str, mode: Mode) -> Summary {
        self.run(self.target.as_ref(), edition, mode)
            .unwrap_or_else(|fault| panic!("publishing edition {edition}: {}", fault.chain()))
    }

    /// A run that must be refused, and the topic as it was.
    pub(super) fn assert_refused(&self, edition: &str, class: Class) {
        let before = self.log();
        let fault = self.run(self.target.as_ref(), edition, Mode::Normal).expect_err("a refusal");
        assert_eq!(fault.class(), class, "{}", fault.chain());
        assert!(fault.advice().is_some(), "no advice: {}", fault.chain());
        assert_eq!(self.log(), before, "a refused run changed the topic");
    }

    /// A run that crashes where the trip says.
    pub(super) fn crash(&self, edition: &str, mode: Mode, trip: Trip) {
        let target = self.fixture.client();
        let faulty = Faulty::once(target.as_ref(), trip);
        let fault = self.run(&faulty, edition, mode).expect_err("a crash");
        assert!(is_crash(&fault), "{trip:?}: {}", fault.chain());
    }

    pub(super) fn log(&self) -> Log {
        Log::read(self.target.as_ref(), &self.topic)
    }

    /// All of an edition, over the bases that it replaced.
    pub(super) fn whole(&self, edition: &str, bases: &[&str]) -> Stretch {
        Stretch {
            edition: edition.to_owned(),
            load_date: self.editions.get(edition).load_date.to_string(),
            sent: self.editions.sequence(edition, bases),
        }
    }

    /// The first entries of an edition.
    pub(super) fn part(&self, edition: &str, bases: &[&str], entries: usize) -> Stretch {
        let mut stretch = self.whole(edition, bases);
        stretch.sent.truncate(entries);
        stretch
    }

    /// Whether exactly these stretches are on the topic.
    pub(super) fn assert_log(&self, stretches: &[Stretch]) {
        self.log().assert_is(&self.topic, stretches);
    }

    /// Whether the ledger holds this manifest, and the manifest says what is on the topic.
    pub(super) fn assert_manifest(&self, manifest: &Manifest) {
        let ledger = self.target.ledger(&self.topic.feed, View::Settled, &self.bench.context());
        let ledger = ledger.expect("the ledger can be read");
        assert_eq!(ledger.manifests.get(&manifest.load_date), Some(manifest));
        assert_eq!(manifest.partitions, self.log().totals(&manifest.edition.0));
        let (documents, tombstones) = manifest
            .partitions
            .iter()
            .fold((0, 0), |sum, totals| (sum.0 + totals.documents, sum.1 + totals.tombstones));
        assert_eq!((manifest.documents, manifest.tombstones), (documents, tombstones));
        let progress = ledger.progress.values().next().expect("progress beside the manifest");
        assert_eq!(progress.partitions, manifest.partitions);
        assert_eq!(progress.position, documents + tombstones);
    }
}

/// Day 22 and day 23: keys 0..10 and 3..14, so that three are gone and four are new.
pub(super) fn two_days() -> Editions {
    use super::editions::Edition;
    Editions::of([Edition::numbered("e22", 22, 0..10), Edition::numbered("e23", 23, 3..14)])
}

pub(super) fn assert_outcome(summary: &Summary, outcome: Outcome) {
    assert_eq!(summary.outcome, outcome);
}
