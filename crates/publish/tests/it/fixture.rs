//! Directory targets for tests, and the suite run on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hivecast_feed::{Atomicity, Chunks};
use hivecast_publish::dir::{DirTarget, random_topic_id};
use hivecast_publish::{Entries, Job, Mode, Summary, Target, TopicSpec, publish};
use hivecast_run::Result;
use hivecast_testkit::conformance::editions::{Edition, Editions};
use hivecast_testkit::conformance::oracle::Log;
use hivecast_testkit::conformance::{Bench, Fixture};
use tempfile::TempDir;

/// How many seeds the random schedule runs here: each takes some 100 ms, most of it in `fsync`.
const SCHEDULE_SEEDS: u64 = 40;

/// A directory of its own for each test.
pub(crate) struct Scratch {
    pub(crate) root: TempDir,
    names: AtomicU64,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Scratch { root: tempfile::tempdir().expect("a directory for the test"), names: AtomicU64::new(0) }
    }
}

impl Fixture for Scratch {
    fn client(&self) -> Box<dyn Target> {
        Box::new(dir_target(self.root.path()))
    }

    fn unique_name(&self, case: &str) -> String {
        format!("{case}-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    fn delete_topic(&self, topic: &str) {
        std::fs::remove_dir_all(self.root.path().join(topic)).expect("the topic was there");
    }

    fn schedule_seeds(&self) -> u64 {
        SCHEDULE_SEEDS
    }
}

mod conformance {
    hivecast_testkit::target_conformance!(super::Scratch::new());
}

pub(crate) fn dir_target(root: &Path) -> DirTarget {
    DirTarget::new(root, Box::new(random_topic_id))
}

/// The feed `contracts` with topic `mdm.contracts` of two partitions in a directory of its own.
pub(crate) struct Topic {
    pub(crate) root: TempDir,
    pub(crate) target: DirTarget,
    pub(crate) spec: TopicSpec,
    pub(crate) editions: Editions,
    pub(crate) bench: Bench,
}

impl Topic {
    /// Day 22 has keys k0 to k9, day 23 has k3 to k13, day 24 has k0 to k4.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory for the test");
        let days = [
            Edition::numbered("e22", 22, 0..10),
            Edition::numbered("e23", 23, 3..14),
            Edition::numbered("e24", 24, 0..5),
        ];
        Topic {
            target: dir_target(root.path()),
            root,
            spec: TopicSpec {
                feed: "contracts".to_owned(),
                topic: "mdm.contracts".to_owned(),
                partitions: 2,
                settings: BTreeMap::new(),
            },
            editions: Editions::of(days),
            bench: Bench::default(),
        }
    }

    /// In chunks of three records.
    pub(crate) fn publish_entries(
        &self,
        target: &dyn Target,
        entries: &dyn Entries,
        mode: Mode,
    ) -> Result<Summary> {
        let chunks = Chunks { records: 3, bytes: 1 << 30, atomic: Atomicity::Chunk };
        publish(
            target,
            &Job { topic: &self.spec, chunks, mode, mask_key: "" },
            entries,
            &self.bench.context(),
        )
    }

    pub(crate) fn try_publish(&self, edition: &str, mode: Mode) -> Result<Summary> {
        self.publish_entries(&self.target, &self.editions.entries(edition), mode)
    }

    pub(crate) fn publish(&self, edition: &str) -> Summary {
        self.try_publish(edition, Mode::Normal).unwrap_or_else(|fault| panic!("{edition}: {}", fault.chain()))
    }

    pub(crate) fn log(&self) -> Log {
        Log::read(&self.target, &self.spec)
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("mdm.contracts")
    }

    pub(crate) fn partition(&self, partition: u32) -> PathBuf {
        self.dir().join(format!("partition-{partition}.ndjson"))
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.root.path().join(".ledger/contracts.ndjson")
    }
}
