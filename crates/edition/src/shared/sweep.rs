//! What goes from the shared store: editions that are not kept, and what dead machines left.

use std::io::ErrorKind;

use hivecast_run::{Fault, Result, crash_point};
use hivecast_storage::{Entry, Kind, Location};

use super::push::FILES_PREFIX;
use super::{Place, Shared};
use crate::description::Description;
use crate::temporary::TEMPORARY_PREFIX;
use crate::writer::DESCRIPTION_FILE;

const NS_PER_MS: i64 = 1_000_000;

impl Shared {
    /// Removes an edition: from one instant on it is not there, whatever remains of its files.
    pub(crate) fn discard(&self, feed: &str, place: &Place) -> Result<()> {
        if self.renames_directories() {
            let hidden = self.temporary(feed, place.load_date);
            return match self.take_away(place, &hidden)? {
                true => self.remove_hidden(&hidden),
                false => Ok(()),
            };
        }
        // Just what is there now: a machine that pushes the same edition meanwhile has other names.
        let entries = self.entries(&place.dir)?;
        self.remove(&place.dir.join(DESCRIPTION_FILE))?;
        crash_point("edition.before_discard");
        let others = entries.iter().filter(|entry| entry.name != DESCRIPTION_FILE);
        others.map(|entry| place.dir.join(&entry.name)).try_for_each(|at| self.remove(&at))
    }

    /// Takes a directory out of sight with one rename; false where another machine was faster. The
    /// load_date's directory stays: to remove it only where it is empty is more than every store can do at
    /// one instant.
    pub(super) fn take_away(&self, place: &Place, hidden: &Location) -> Result<bool> {
        match self.storage.rename_dir(&place.dir, hidden) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Fault::io("failed to rename in the shared store", error)),
        }
    }

    /// Removes what was taken away.
    pub(super) fn remove_hidden(&self, hidden: &Location) -> Result<()> {
        crash_point("edition.before_discard");
        self.remove(hidden)
    }

    /// Removes what pushes and removals left that can't be under way any more.
    pub(crate) fn sweep(&self, feed: &str) -> Result<()> {
        let feed_dir = self.root.join(feed);
        for entry in self.entries(&feed_dir)? {
            let at = feed_dir.join(&entry.name);
            if entry.name.starts_with(TEMPORARY_PREFIX) && self.is_abandoned(&at, &entry)? {
                self.remove(&at)?;
            }
        }
        if self.renames_directories() {
            return Ok(());
        }
        for place in self.places(feed)? {
            self.sweep_files(&place)?;
        }
        Ok(())
    }

    /// Files that no description names.
    fn sweep_files(&self, place: &Place) -> Result<()> {
        let json = self.description(place)?;
        let described = json.as_ref().map(|json| serde_json::from_slice::<Description>(json));
        let named = match described {
            None => None,
            Some(Ok(description)) => description.files_in,
            // Somebody should look at it.
            Some(Err(_)) => return Ok(()),
        };
        for entry in self.entries(&place.dir)? {
            let at = place.dir.join(&entry.name);
            let is_left = match json {
                None => true,
                Some(_) => {
                    entry.name.starts_with(FILES_PREFIX) && named.as_deref() != Some(entry.name.as_str())
                }
            };
            if is_left && self.is_abandoned(&at, &entry)? {
                self.remove(&at)?;
            }
        }
        Ok(())
    }

    fn is_abandoned(&self, at: &Location, entry: &Entry) -> Result<bool> {
        Ok(self.is_old(self.newest(at, entry)? / NS_PER_MS))
    }

    /// When it was changed last, at any depth: where directories are names of objects, they have no time of
    /// their own.
    fn newest(&self, at: &Location, entry: &Entry) -> Result<i64> {
        let mut newest = entry.modified_ns;
        if entry.kind == Kind::Directory {
            for inside in self.entries(at)? {
                newest = newest.max(self.newest(&at.join(&inside.name), &inside)?);
            }
        }
        Ok(newest)
    }
}
