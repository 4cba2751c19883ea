use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use hivecast_run::{Fault, Result};
use hivecast_storage::{Entry, Location, Storage};

/// A directory or a file, and the store that it lies in.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) at: Location,
}

impl Place {
    /// What has this name in the directory.
    pub(crate) fn join(&self, name: &str) -> Place {
        Place { storage: Arc::clone(&self.storage), at: self.at.join(name) }
    }

    /// What lies right in the directory, sorted by name.
    pub(crate) fn list(&self) -> Result<Vec<Entry>> {
        let listed = self.storage.list(&self.at);
        listed.map_err(|error| Fault::io(format!("failed to list {}", self.at), error))
    }

    /// What lies here; none where nothing does.
    pub(crate) fn look(&self) -> Result<Option<Entry>> {
        self.look_to(|| format!("failed to look at {}", self.at))
    }

    /// As [`Place::look`], with the caller's word for a failure.
    pub(crate) fn look_to(&self, what: impl FnOnce() -> String) -> Result<Option<Entry>> {
        match self.storage.stat(&self.at) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Fault::io(what(), error)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}
