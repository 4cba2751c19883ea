//! Editions that machines share: in HDFS, in an S3-compatible store, or in a directory that all of them see.
//!
//! A machine builds and reads editions in a directory of its own, its cache, which is laid out as a store
//! that nobody shares. What is whole there is pushed; what another machine pushed is pulled, each file when
//! it is first read, and held against the description's size and checksum. What the shared store says counts:
//! an edition that it has not, or has in another way, is not read from the cache.
//!
//! ```text
//! <root>/<feed>/load_date=2026-11-22/edition-<id>/edition.json, shard-0000.parquet, …
//! <root>/<feed>/.tmp-2026-11-22-<unique>/        being pushed or removed
//! ```
//!
//! A directory gets its name when all is in it. Where directories can't be renamed, files lie one level
//! deeper under a name that no other push has, those with them that are written anew when the edition is
//! judged again, and `edition.json`, which says that name, comes last:
//!
//! ```text
//! <root>/<feed>/load_date=2026-11-22/edition-<id>/files-<unique>/shard-0000.parquet, …
//! <root>/<feed>/load_date=2026-11-22/edition-<id>/edition.json
//! ```

mod pull;
mod push;
mod sweep;

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hivecast_contract::{EditionId, LoadDate};
use hivecast_run::{Clock, Fault, Result};
use hivecast_storage::{Atomic, Entry, Existing, Kind, Location, Storage};

use crate::description::Description;
use crate::store::{EDITION_PREFIX, LOAD_DATE_PREFIX};
use crate::writer::DESCRIPTION_FILE;

pub(crate) use pull::Remote;

/// How long what a push or a removal left is let alone. No push takes longer, and clocks differ less.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Where machines share editions.
#[derive(Clone)]
pub struct Shared {
    storage: Arc<dyn Storage>,
    root: Location,
    clock: Arc<dyn Clock>,
    abandoned_after: Duration,
}

/// An edition's directory in the shared store.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) load_date: LoadDate,
    pub(crate) id: EditionId,
    pub(crate) dir: Location,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { storage, root, clock: _, abandoned_after } = self;
        let mut shown = f.debug_struct("Shared");
        shown.field("storage", storage).field("root", root).field("abandoned_after", abandoned_after);
        shown.finish_non_exhaustive()
    }
}

impl Shared {
    /// The editions below `root`, which need not exist yet. The clock says how old is what others left.
    pub fn new(storage: Arc<dyn Storage>, root: Location, clock: Arc<dyn Clock>) -> Shared {
        Shared { storage, root, clock, abandoned_after: ABANDONED_AFTER }
    }

    /// How old something must be that looks like a push whose machine died, before it is removed.
    #[must_use]
    pub fn abandoned_after(self, age: Duration) -> Shared {
        Shared { abandoned_after: age, ..self }
    }

    /// Whether a push that last wrote something at this time, milliseconds since the epoch, is not under way
    /// any more.
    pub(crate) fn is_old(&self, written_ms: i64) -> bool {
        let age = self.clock.now_ms().saturating_sub(written_ms);
        Duration::from_millis(u64::try_from(age).unwrap_or(0)) >= self.abandoned_after
    }

    /// Where it is.
    pub fn root(&self) -> &Location {
        &self.root
    }

    /// What lies in the feed's part, whole or not, by load_date and id.
    pub(crate) fn places(&self, feed: &str) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        let feed_dir = self.root.join(feed);
        for name in self.directories(&feed_dir)? {
            let Some(load_date) = name.strip_prefix(LOAD_DATE_PREFIX).and_then(|date| date.parse().ok())
            else {
                continue;
            };
            let date_dir = feed_dir.join(&name);
            for name in self.directories(&date_dir)? {
                let Some(id) = name.strip_prefix(EDITION_PREFIX) else { continue };
                places.push(Place { load_date, id: EditionId(id.to_owned()), dir: date_dir.join(&name) });
            }
        }
        Ok(places)
    }

    /// Where the edition is, or would be.
    pub(crate) fn place(&self, feed: &str, load_date: LoadDate, id: &EditionId) -> Place {
        let dir = self.root.join(feed).join(&format!("{LOAD_DATE_PREFIX}{load_date}/{EDITION_PREFIX}{id}"));
        Place { load_date, id: id.clone(), dir }
    }

    /// The bytes of `edition.json`; none where there is no whole edition.
    pub(crate) fn description(&self, place: &Place) -> Result<Option<Vec<u8>>> {
        self.read_if_there(&place.dir.join(DESCRIPTION_FILE))
    }

    /// Puts a small file and removes it: what a push will need, tried.
    pub(crate) fn try_writing(&self, from: &Path) -> Result<()> {
        let at = self.root.join(&format!(".doctor-{}", unique()));
        let put = self.put(from, &at, Existing::Refuse);
        let removed = self.remove(&at);
        put.and(removed)
    }

    fn directories(&self, dir: &Location) -> Result<Vec<String>> {
        let entries = self.entries(dir)?.into_iter().filter(|entry| entry.kind == Kind::Directory);
        Ok(entries.map(|entry| entry.name).collect())
    }

    /// Sorted; empty where there is no such directory.
    fn entries(&self, dir: &Location) -> Result<Vec<Entry>> {
        match self.storage.list(dir) {
            Ok(entries) => Ok(entries),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Fault::io("failed to list the shared store", error)),
        }
    }

    fn read_if_there(&self, at: &Location) -> Result<Option<Vec<u8>>> {
        let read = self.storage.open(at).and_then(|file| file.read_at(0..file.len()));
        match read {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::io("failed to read in the shared store", error)),
        }
    }

    fn put(&self, from: &Path, to: &Location, existing: Existing) -> Result<()> {
        let put = self.storage.put(from, to, existing);
        put.map_err(|error| Fault::io("failed to write to the shared store", error))
    }

    fn remove(&self, at: &Location) -> Result<()> {
        self.storage.remove(at).map_err(|error| Fault::io("failed to remove from the shared store", error))
    }

    fn renames_directories(&self) -> bool {
        self.storage.atomic() == Atomic::RenameOfDirectories
    }
}

/// A part of a name that no other process on any machine makes.
fn unique() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};

    // The only randomness in the standard library; a new one for each call.
    format!("{}-{:016x}", std::process::id(), RandomState::new().build_hasher().finish())
}

/// The files of an edition that never change, with their sizes and checksums, where the description has them.
fn fixed_files(description: &Description) -> Vec<(&str, Option<(u64, &str)>)> {
    let shards = description.shards.iter();
    let mut files: Vec<_> = shards
        .map(|shard| (shard.file.as_str(), Some((shard.bytes, shard.file_checksum.as_str()))))
        .collect();
    files
        .extend(description.exclusions.file().map(|(name, bytes, checksum)| (name, Some((bytes, checksum)))));
    files
}
