use std::sync::atomic::{AtomicU64, Ordering};

use hivecast_publish::Target;
use hivecast_publish::dir::{DirTarget, random_topic_id};
use hivecast_testkit::conformance::Fixture;
use tempfile::TempDir;

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
        Box::new(DirTarget::new(self.root.path(), Box::new(random_topic_id)))
    }

    fn unique_name(&self, case: &str) -> String {
        format!("{case}-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    fn delete_topic(&self, topic: &str) {
        std::fs::remove_dir_all(self.root.path().join(topic)).expect("the topic was there");
    }

    fn schedule_seeds(&self) -> u64 {
        200
    }
}

mod conformance {
    hivecast_testkit::target_conformance!(super::Scratch::new());
}
