//! Where editions lie, which of them are whole, and how long they are kept.
//!
//! ```text
//! <root>/<feed>/load_date=2026-11-22/edition-<id>/edition.json, shard-0000.parquet, …
//! <root>/<feed>/.tmp-2026-11-22-<pid>-<n>/        being written, or left by a crash
//! <root>/<feed>/.lock                             held for moments, while names change
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hivecast_contract::{EditionId, LoadDate};
use hivecast_run::{Class, Fault, Result};

use crate::Edition;
use crate::description::Description;
use crate::edition::rebuild;
use crate::files::{sync_dir, write_atomically};
use crate::scratch::Scratch;
use crate::shared::Shared;
use crate::temporary::{self, TEMPORARY_PREFIX};
use crate::writer::EditionWriter;

/// Prefix of a load_date's directory.
pub(crate) const LOAD_DATE_PREFIX: &str = "load_date=";
/// Prefix of an edition's directory.
pub(crate) const EDITION_PREFIX: &str = "edition-";
const MS_PER_S: i64 = 1_000;

/// A directory of editions, by feed and load_date.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Whose cache `root` is.
    shared: Option<Shared>,
}

/// What lies in a feed's part of the store.
#[derive(Debug, Default)]
pub struct Survey {
    /// The whole editions, by load_date, then by when they were built.
    pub editions: Vec<Edition>,
    /// One sentence for each directory that was passed over because it is no whole edition.
    pub warnings: Vec<String>,
}

/// What the store has of an edition.
#[derive(Debug)]
pub enum LookUp {
    /// All of it, as far as its description tells.
    Whole(Box<Edition>),
    /// Nothing.
    Absent,
    /// Its directory, and why that can't be read.
    Damaged(Fault),
}

/// Whether [`Store::prune`] removes or only tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneMode {
    /// Only tell what would be removed.
    DryRun,
    /// Remove.
    Remove,
}

impl Store {
    /// The store under `root`, which need not exist yet. Fails with `Class::Usage` where `root` is
    /// something other than a directory.
    pub fn open(root: &Path) -> Result<Store> {
        match fs::metadata(root) {
            Ok(metadata) if !metadata.is_dir() => {
                Err(Fault::usage(format!("the store {} is no directory", root.display()))
                    .advise("name a directory as `store` in the project file"))
            }
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Fault::io(format!("failed to open the store {}", root.display()), error))
            }
            _ => Ok(Store { root: root.to_owned(), shared: None }),
        }
    }

    /// A store that machines share, with a directory of this machine as its cache. That need not exist yet,
    /// and may be removed while no run uses it.
    pub fn open_shared(cache: &Path, shared: Shared) -> Result<Store> {
        Ok(Store { shared: Some(shared), ..Store::open(cache)? })
    }

    /// Makes the store's directory and a file in it, and removes the file: what a build will need,
    /// tried. The same faults as a build that finds the disk full or the directory closed.
    pub fn try_writing(&self) -> Result<()> {
        fs::create_dir_all(&self.root)
            .map_err(|error| Fault::io(format!("failed to make directory {}", self.root.display()), error))?;
        let file = self.root.join(format!(".doctor-{}", std::process::id()));
        let written = write_atomically(&file, b"written by hivecast doctor\n")
            .and_then(|()| self.shared.as_ref().map_or(Ok(()), |shared| shared.try_writing(&file)));
        let removed = fs::remove_file(&file);
        written?;
        removed.map_err(|error| Fault::io(format!("failed to remove {}", file.display()), error))
    }

    /// Starts an edition under a temporary name, after removing what dead processes left. It becomes
    /// visible only through [`EditionWriter::finish`].
    pub fn begin(&self, feed: &str, load_date: LoadDate) -> Result<EditionWriter> {
        let feed_dir = self.feed_dir(feed)?;
        let fresh = !feed_dir.exists();
        fs::create_dir_all(&feed_dir)
            .map_err(|error| Fault::io(format!("failed to make directory {}", feed_dir.display()), error))?;
        if fresh {
            sync_dir(&self.root)?;
        }
        let lock = temporary::lock_names(&feed_dir)?;
        temporary::sweep(&feed_dir, &lock)?;
        let temporary = temporary::Temporary::create(&feed_dir, load_date, &lock)?;
        let shared = self.shared.clone();
        Ok(EditionWriter::new(feed.to_owned(), load_date, feed_dir.clone(), shared, temporary))
    }

    /// A directory of the store for what others write on the way to an edition, such as a cluster's rows: in
    /// the store that machines share, where there is one. Gone when it is dropped; what a dead process left
    /// is removed as what it left of an edition is.
    pub fn scratch(&self, feed: &str, load_date: LoadDate) -> Result<Scratch> {
        match &self.shared {
            Some(shared) => Ok(Scratch::of_shared(shared.scratch(feed, load_date))),
            None => {
                let feed_dir = self.feed_dir(feed)?;
                fs::create_dir_all(&feed_dir).map_err(|error| {
                    Fault::io(format!("failed to make directory {}", feed_dir.display()), error)
                })?;
                let lock = temporary::lock_names(&feed_dir)?;
                temporary::sweep(&feed_dir, &lock)?;
                Scratch::of_cache(temporary::Temporary::create(&feed_dir, load_date, &lock)?)
            }
        }
    }

    /// The feed's whole editions, by load_date, then by when they were built.
    pub fn list(&self, feed: &str) -> Result<Vec<Edition>> {
        Ok(self.survey(feed)?.editions)
    }

    /// The feed's whole editions, and what lies beside them that is none.
    pub fn survey(&self, feed: &str) -> Result<Survey> {
        let mut survey = match &self.shared {
            Some(shared) => self.survey_shared(feed, shared)?,
            None => self.survey_cache(feed)?,
        };
        let age = |edition: &Edition| {
            (edition.description.load_date, edition.description.built_ms, edition.description.id.clone())
        };
        survey.editions.sort_by_key(age);
        Ok(survey)
    }

    fn survey_shared(&self, feed: &str, shared: &Shared) -> Result<Survey> {
        let feed_dir = self.feed_dir(feed)?;
        let mut survey = Survey::default();
        for place in shared.places(feed)? {
            // Without a description it is being pushed, or was left.
            let Some(json) = shared.description(&place)? else { continue };
            match shared.mirror(&feed_dir, &place, &json) {
                Ok(edition) if edition.is(feed, place.load_date, &place.id.0) => {
                    survey.editions.push(edition)
                }
                Ok(_) => survey
                    .warnings
                    .push(format!("passed over {}: its edition.json speaks of another edition", place.dir)),
                Err(fault) if fault.class() == Class::Data => survey.warnings.push(format!(
                    "passed over {}, which is no whole edition: {}",
                    place.dir,
                    fault.chain()
                )),
                Err(fault) => return Err(fault),
            }
        }
        Ok(survey)
    }

    /// What lies in the directory itself.
    fn survey_cache(&self, feed: &str) -> Result<Survey> {
        let mut survey = Survey::default();
        for (load_date, date_dir) in self.load_dates(feed)? {
            for path in entries(&date_dir)? {
                let Some(id) = name_of(&path).strip_prefix(EDITION_PREFIX) else { continue };
                match Edition::open(&path) {
                    Ok(edition) if edition.is(feed, load_date, id) => survey.editions.push(edition),
                    Ok(_) => survey.warnings.push(format!(
                        "passed over {}: its edition.json speaks of another edition",
                        path.display()
                    )),
                    Err(fault) => survey.warnings.push(format!(
                        "passed over {}, which is no whole edition: {}",
                        path.display(),
                        fault.chain()
                    )),
                }
            }
        }
        Ok(survey)
    }

    /// The edition with this id, if the store has it whole.
    pub fn find(&self, feed: &str, id: &EditionId) -> Result<Option<Edition>> {
        if self.shared.is_none() {
            return Ok(self.list(feed)?.into_iter().find(|edition| edition.description.id == *id));
        }
        match self.look_up(feed, id)? {
            LookUp::Whole(edition) => Ok(Some(*edition)),
            LookUp::Absent | LookUp::Damaged(_) => Ok(None),
        }
    }

    /// As [`Store::find`], telling an edition that is damaged from one that is not there.
    pub fn look_up(&self, feed: &str, id: &EditionId) -> Result<LookUp> {
        match &self.shared {
            Some(shared) => self.look_up_shared(feed, id, shared),
            None => self.look_up_cache(feed, id),
        }
    }

    fn look_up_shared(&self, feed: &str, id: &EditionId, shared: &Shared) -> Result<LookUp> {
        let feed_dir = self.feed_dir(feed)?;
        for place in shared.places(feed)?.into_iter().filter(|place| place.id == *id) {
            let Some(json) = shared.description(&place)? else { continue };
            return match shared.mirror(&feed_dir, &place, &json) {
                Ok(edition) if edition.is(feed, place.load_date, &id.0) => {
                    Ok(LookUp::Whole(Box::new(edition)))
                }
                Ok(_) => Ok(LookUp::Damaged(Fault::data(format!("{} speaks of another edition", place.dir)))),
                Err(fault) if fault.class() == Class::Data => Ok(LookUp::Damaged(fault)),
                Err(fault) => Err(fault),
            };
        }
        // It was built here, and the push failed, or it was removed there and is asked for again.
        match self.look_up_cache(feed, id)? {
            LookUp::Whole(edition) if edition.verify_files().is_ok() => {
                Ok(LookUp::Whole(Box::new(shared.publish(&feed_dir, &edition)?)))
            }
            _ => Ok(LookUp::Absent),
        }
    }

    fn look_up_cache(&self, feed: &str, id: &EditionId) -> Result<LookUp> {
        let name = format!("{EDITION_PREFIX}{id}");
        for (load_date, date_dir) in self.load_dates(feed)? {
            let path = date_dir.join(&name);
            if !path.exists() {
                continue;
            }
            return Ok(match Edition::open(&path) {
                Ok(edition) if edition.is(feed, load_date, &id.0) => LookUp::Whole(Box::new(edition)),
                Ok(_) => LookUp::Damaged(
                    Fault::data(format!("{} speaks of another edition", path.display()))
                        .advise(rebuild(&path)),
                ),
                Err(fault) if fault.class() == Class::Data => LookUp::Damaged(fault),
                Err(fault) => return Err(fault),
            });
        }
        Ok(LookUp::Absent)
    }

    /// The whole editions of one load_date, by when they were built.
    pub fn of_date(&self, feed: &str, load_date: LoadDate) -> Result<Vec<Edition>> {
        let mut editions = self.list(feed)?;
        editions.retain(|edition| edition.description.load_date == load_date);
        Ok(editions)
    }

    /// Removes the editions of all but the newest `keep` load_dates, sparing `protect`, and what dead
    /// processes left. Returns the ids of the editions that are gone, or that [`PruneMode::Remove`]
    /// would remove, oldest first. A crash leaves each edition whole or hidden.
    pub fn prune(
        &self,
        feed: &str,
        keep: usize,
        protect: &[EditionId],
        mode: PruneMode,
    ) -> Result<Vec<EditionId>> {
        let feed_dir = self.feed_dir(feed)?;
        if self.shared.is_none() && !feed_dir.exists() {
            return Ok(Vec::new());
        }
        let editions = self.list(feed)?;
        let dates: BTreeSet<LoadDate> =
            editions.iter().map(|edition| edition.description.load_date).collect();
        let kept: BTreeSet<LoadDate> = dates.into_iter().rev().take(keep).collect();
        let gone: Vec<Edition> = editions
            .into_iter()
            .filter(|edition| !kept.contains(&edition.description.load_date))
            .filter(|edition| !protect.contains(&edition.description.id))
            .collect();
        if mode == PruneMode::Remove {
            self.remove(feed, &gone)?;
        }
        Ok(gone.into_iter().map(|edition| edition.description.id).collect())
    }

    /// Removes these editions, and what dead processes left.
    fn remove(&self, feed: &str, gone: &[Edition]) -> Result<()> {
        let feed_dir = self.feed_dir(feed)?;
        if let Some(shared) = &self.shared {
            for Description { load_date, id, .. } in gone.iter().map(|edition| &edition.description) {
                shared.discard(feed, &shared.place(feed, *load_date, id))?;
            }
            shared.sweep(feed)?;
            if !feed_dir.exists() {
                return Ok(());
            }
        }
        let lock = temporary::lock_names(&feed_dir)?;
        // Another run may have been faster.
        for edition in gone.iter().filter(|edition| edition.path.exists()) {
            hide(&feed_dir, edition.description.load_date, &edition.path, &lock)?;
        }
        if let Some(shared) = &self.shared {
            self.drop_unshared(feed, shared, &lock)?;
        }
        temporary::sweep(&feed_dir, &lock)
    }

    /// Removes from the cache what other machines removed from the shared store, unless it is so new that it
    /// may be on its way there.
    fn drop_unshared(&self, feed: &str, shared: &Shared, lock: &File) -> Result<()> {
        let feed_dir = self.feed_dir(feed)?;
        let places: BTreeSet<PathBuf> = shared
            .places(feed)?
            .iter()
            .map(|place| edition_dir(&feed_dir, place.load_date, &place.id))
            .collect();
        for (load_date, date_dir) in self.load_dates(feed)? {
            let is_old = |path: &PathBuf| {
                let written = fs::metadata(path).ok();
                written.is_some_and(|found| shared.is_old(found.mtime().saturating_mul(MS_PER_S)))
            };
            for path in entries(&date_dir)?.into_iter().filter(|path| !places.contains(path) && is_old(path))
            {
                hide(&feed_dir, load_date, &path, lock)?;
            }
        }
        Ok(())
    }

    fn feed_dir(&self, feed: &str) -> Result<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if feed.is_empty() || feed.starts_with('.') || !feed.chars().all(plain) {
            return Err(Fault::usage(format!("{feed:?} can't name a feed"))
                .advise("use letters, digits, `-`, `_` and `.`, and no `.` in front"));
        }
        Ok(self.root.join(feed))
    }

    fn load_dates(&self, feed: &str) -> Result<Vec<(LoadDate, PathBuf)>> {
        let dated = |path: PathBuf| {
            let date = name_of(&path).strip_prefix(LOAD_DATE_PREFIX)?.parse().ok()?;
            Some((date, path))
        };
        Ok(entries(&self.feed_dir(feed)?)?.into_iter().filter_map(dated).collect())
    }
}

/// The directory that a whole edition has.
pub(crate) fn edition_dir(feed_dir: &Path, load_date: LoadDate, id: &EditionId) -> PathBuf {
    feed_dir.join(format!("{LOAD_DATE_PREFIX}{load_date}")).join(format!("{EDITION_PREFIX}{id}"))
}

/// The directories of all editions that a feed has, whole or not.
pub(crate) fn edition_dirs(feed_dir: &Path) -> Result<Vec<PathBuf>> {
    let mut editions = Vec::new();
    let is_dated = |path: &PathBuf| name_of(path).starts_with(LOAD_DATE_PREFIX) && path.is_dir();
    for date_dir in entries(feed_dir)?.into_iter().filter(is_dated) {
        let is_edition = |path: &PathBuf| name_of(path).starts_with(EDITION_PREFIX) && path.is_dir();
        editions.extend(entries(&date_dir)?.into_iter().filter(is_edition));
    }
    Ok(editions)
}

/// Takes an edition's directory out of sight with one rename; the next sweep deletes it.
pub(crate) fn hide(feed_dir: &Path, load_date: LoadDate, path: &Path, lock: &File) -> Result<()> {
    let hidden = temporary::free_name(feed_dir, load_date, lock);
    fs::rename(path, &hidden)
        .map_err(|error| Fault::io(format!("failed to remove edition {}", path.display()), error))?;
    if let Some(date_dir) = path.parent() {
        sync_dir(date_dir)?;
        // Another edition of the same load_date may still be there.
        let _ = fs::remove_dir(date_dir);
    }
    sync_dir(feed_dir)
}

/// Sorted; empty where the directory is not there.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Fault::io(format!("failed to list {}", dir.display()), error);
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths =
        listing.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether the entry is a temporary directory's.
pub(crate) fn is_temporary(path: &Path) -> bool {
    name_of(path).starts_with(TEMPORARY_PREFIX)
}
