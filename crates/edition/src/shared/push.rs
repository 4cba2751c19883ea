//! A whole edition of the cache becomes one of the shared store: at one instant, or not.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use hivecast_contract::LoadDate;
use hivecast_run::{Fault, Result, crash_point};
use hivecast_storage::{Existing, Location, Storage};

use super::pull::CHANGING_FILES;
use super::{Place, Shared, fixed_files, unique};
use crate::Edition;
use crate::description::Description;
use crate::files::write_atomically;
use crate::temporary::TEMPORARY_PREFIX;
use crate::writer::{DESCRIPTION_FILE, QUARANTINE_FILE};

/// How often an edition is pushed while others come before it that are not the same.
const ATTEMPTS: usize = 3;

/// What the name of the directory begins with that has the files of one push.
pub(super) const FILES_PREFIX: &str = "files-";

impl Shared {
    /// Pushes an edition that is whole in the cache, and gives the one that the shared store has then. Where
    /// that has an intact one of the same id already, which the same gates judged, it stays: equal ids are
    /// equal content. Another one is replaced.
    pub(crate) fn publish(&self, feed_dir: &Path, edition: &Edition) -> Result<Edition> {
        let description = &edition.description;
        let place = self.place(&description.feed, description.load_date, &description.id);
        let what = || format!("failed to push edition {} to {}", description.id, place.dir);
        self.push(&place, edition).map_err(|fault| fault.within(what()))?;
        let json = self.description(&place)?.ok_or_else(|| {
            Fault::infrastructure(format!("{} is gone", place.dir)).advise("run the same command again")
        })?;
        self.mirror(feed_dir, &place, &json)
    }

    /// What it has there, held against the edition that is wanted.
    fn found(&self, place: &Place, wanted: &Description) -> Result<Found> {
        let Some(json) = self.description(place)? else { return Ok(Found::Nothing) };
        let Ok(found) = serde_json::from_slice::<Description>(&json) else { return Ok(Found::Other(json)) };
        if found.id != wanted.id || found.gates_fingerprint != wanted.gates_fingerprint {
            return Ok(Found::Other(json));
        }
        let dir = found.files_in.as_ref().map_or_else(|| place.dir.clone(), |name| place.dir.join(name));
        let entries = self.entries(&dir)?;
        let is_there = |(name, expected): &(&str, Option<(u64, &str)>)| {
            let fits = |size| expected.is_none_or(|(bytes, _)| size == bytes);
            entries.iter().any(|entry| entry.name == *name && fits(entry.size))
        };
        Ok(if fixed_files(&found).iter().all(is_there) { Found::Same } else { Found::Other(json) })
    }

    fn push(&self, place: &Place, edition: &Edition) -> Result<()> {
        for _ in 0..ATTEMPTS {
            // Looked at once: what comes after that is somebody else's, and must not be replaced unseen.
            let found = self.found(place, &edition.description)?;
            let outcome = match (found, self.renames_directories()) {
                (Found::Same, _) => return Ok(()),
                (found, true) => self.push_by_rename(place, edition, &found)?,
                (found, false) => self.push_by_description(place, edition, &found)?,
            };
            if outcome == Outcome::Ours {
                return Ok(());
            }
        }
        Err(Fault::infrastructure(format!("other machines put other editions to {} all the time", place.dir))
            .advise("run the same command again"))
    }

    /// Everything under another name; then the name, in one step.
    fn push_by_rename(&self, place: &Place, edition: &Edition, found: &Found) -> Result<Outcome> {
        let half = self.temporary(&edition.description.feed, place.load_date);
        let pushed = self.push_files(edition, &half).and_then(|()| {
            self.put(&edition.path.join(DESCRIPTION_FILE), &half.join(DESCRIPTION_FILE), Existing::Replace)?;
            crash_point("edition.before_push_rename");
            match found {
                Found::Other(json) => match self.make_room(place, edition, json)? {
                    Outcome::Ours => self.give_name(place, &half),
                    Outcome::Theirs => Ok(Outcome::Theirs),
                },
                Found::Nothing | Found::Same => self.give_name(place, &half),
            }
        });
        if !matches!(pushed, Ok(Outcome::Ours)) {
            // What can't be removed now is swept.
            let _ = self.storage.remove(&half);
        }
        pushed
    }

    /// Takes away the edition that is to be replaced, and no other: the upload took its time, and what
    /// another machine put there meanwhile may be just what is wanted.
    fn make_room(&self, place: &Place, edition: &Edition, seen: &[u8]) -> Result<Outcome> {
        let description = &edition.description;
        if self.found(place, description)? != Found::Other(seen.to_vec()) {
            return Ok(Outcome::Theirs);
        }
        let hidden = self.temporary(&description.feed, place.load_date);
        if !self.take_away(place, &hidden)? {
            return Ok(Outcome::Theirs);
        }
        // Another machine may have come between that look and the rename. Nobody else knows the name that
        // it has now.
        let taken = self.read_if_there(&hidden.join(DESCRIPTION_FILE))?;
        if taken.as_deref() == Some(seen) {
            return self.remove_hidden(&hidden).map(|()| Outcome::Ours);
        }
        self.give_name(place, &hidden).map(|_| Outcome::Theirs)
    }

    fn give_name(&self, place: &Place, half: &Location) -> Result<Outcome> {
        let failed = |error| Fault::io("failed to rename in the shared store", error);
        if let Some(dir) = place.dir.parent() {
            self.storage.create_dir(&dir).map_err(failed)?;
        }
        match self.storage.rename_dir(half, &place.dir) {
            Ok(()) => {
                crash_point("edition.after_push_rename");
                Ok(Outcome::Ours)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Outcome::Theirs),
            Err(error) => Err(failed(error)),
        }
    }

    /// Everything under a name of its own; then the description, which says that name.
    fn push_by_description(&self, place: &Place, edition: &Edition, found: &Found) -> Result<Outcome> {
        let files_in = format!("{FILES_PREFIX}{}", unique());
        let files = place.dir.join(&files_in);
        let description = Description { files_in: Some(files_in), ..edition.description.clone() };
        let pushed = self
            .push_files(edition, &files)
            .and_then(|()| self.push_description(place, edition, &description, found));
        match pushed {
            Ok(Outcome::Ours) => Ok(Outcome::Ours),
            Ok(Outcome::Theirs) => self.remove(&files).map(|()| Outcome::Theirs),
            Err(fault) => {
                // The description may be there although the store did not say so.
                let is_used =
                    self.description(place).ok().flatten().is_none_or(|json| names(&json, &description));
                if !is_used {
                    let _ = self.storage.remove(&files);
                }
                Err(fault)
            }
        }
    }

    fn push_description(
        &self,
        place: &Place,
        edition: &Edition,
        description: &Description,
        found: &Found,
    ) -> Result<Outcome> {
        let json = serde_json::to_vec_pretty(description)
            .map_err(|error| Fault::bug("failed to encode edition.json").because(error))?;
        let from = edition.path.join(DESCRIPTION_FILE);
        write_atomically(&from, &json)?;
        crash_point("edition.before_push_json");
        let existing = match found {
            // The upload took its time. What another machine put there meanwhile must not be replaced unseen.
            Found::Other(_) if self.found(place, &edition.description)? != *found => {
                return Ok(Outcome::Theirs);
            }
            Found::Other(_) => Existing::Replace,
            Found::Nothing | Found::Same => Existing::Refuse,
        };
        match self.storage.put(&from, &place.dir.join(DESCRIPTION_FILE), existing) {
            Ok(()) => Ok(Outcome::Ours),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Outcome::Theirs),
            Err(error) => Err(Fault::io("failed to write to the shared store", error)),
        }
    }

    /// All but the description.
    fn push_files(&self, edition: &Edition, to: &Location) -> Result<()> {
        let others = CHANGING_FILES.iter().chain(&[QUARANTINE_FILE]).copied();
        let others = others.filter(|name| edition.path.join(name).exists());
        for name in fixed_files(&edition.description).into_iter().map(|(name, _)| name).chain(others) {
            self.put(&edition.path.join(name), &to.join(name), Existing::Replace)?;
            crash_point("edition.pushed_file");
        }
        Ok(())
    }

    /// A directory that is no edition's, for what comes before one.
    pub(crate) fn scratch(&self, feed: &str, load_date: LoadDate) -> (Arc<dyn Storage>, Location) {
        (Arc::clone(&self.storage), self.temporary(feed, load_date))
    }

    /// A name that is no edition's, for one that is coming or going.
    pub(super) fn temporary(&self, feed: &str, load_date: LoadDate) -> Location {
        self.root.join(feed).join(&format!("{TEMPORARY_PREFIX}{load_date}-{}", unique()))
    }
}

/// What the shared store has where an edition is going to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// One that need not be replaced.
    Same,
    /// Another one, or the same with files missing: its description.
    Other(Vec<u8>),
}

/// Whose edition is there after a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ours,
    /// Somebody was faster.
    Theirs,
}

fn names(json: &[u8], description: &Description) -> bool {
    serde_json::from_slice::<Description>(json).is_ok_and(|found| found.files_in == description.files_in)
}
