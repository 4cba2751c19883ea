//! The stores under test, each with a place of its own in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hivecast_storage::{Existing, Location, ReadAt, S3Settings, Settings, Storage, Stores};
use tempfile::TempDir;

use crate::servers::OwnHdfs;

/// A variable of the services under test.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this test through dev/with-services"))
}

/// A name that no other test, run or process uses.
pub(crate) fn unique() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("{}-{started}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn s3_settings() -> S3Settings {
    S3Settings {
        endpoint: Some(variable("HIVECAST_TEST_S3")),
        region: Some(variable("HIVECAST_TEST_S3_REGION")),
        access_key_id: Some(variable("HIVECAST_TEST_S3_ACCESS_KEY_ID")),
        secret_access_key: Some(variable("HIVECAST_TEST_S3_SECRET_ACCESS_KEY")),
    }
}

/// A directory of a store that is this test's own, and one of this machine to put files from.
pub(crate) struct Place {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) root: Location,
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn at(root: &str, settings: Settings) -> Place {
        let root = Location::parse(root).unwrap();
        let storage = Stores::new(settings).of(&root).unwrap();
        Place { storage, root, dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn local() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root").to_str().unwrap().to_owned();
        Place { dir, ..Place::at(&root, Settings::default()) }
    }

    pub(crate) fn hdfs() -> Place {
        let root = format!("{}/it/{}", variable("HIVECAST_TEST_HDFS"), unique());
        Place::at(&root, Settings::default())
    }

    pub(crate) fn s3() -> Place {
        Place::at(&s3_root(), Settings { s3: s3_settings(), ..Settings::default() })
    }

    /// A file of this machine with these bytes.
    pub(crate) fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(format!("file-{}", unique()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Location {
        let at = self.root.join(name);
        self.storage.put(&self.file(bytes), &at, Existing::Refuse).unwrap();
        at
    }

    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        let entries = self.storage.list(&self.root.join(name)).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    pub(crate) fn read(&self, at: &Location) -> Bytes {
        whole(self.storage.open(at).unwrap().as_ref())
    }
}

pub(crate) fn s3_root() -> String {
    format!("s3://{}/it/{}", variable("HIVECAST_TEST_S3_BUCKET"), unique())
}

pub(crate) fn whole(file: &dyn ReadAt) -> Bytes {
    file.read_at(0..file.len()).unwrap()
}

/// Bytes that differ everywhere.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// How long it took, and what it gave.
pub(crate) fn timed<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let done = call();
    (started.elapsed(), done)
}

impl OwnHdfs {
    /// With these settings, at a directory of this test's own.
    pub(crate) fn place(&self, settings: Settings) -> Place {
        Place::at(&format!("{}/it/{}", self.url(), unique()), settings)
    }
}
