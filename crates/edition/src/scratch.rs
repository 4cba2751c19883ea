use std::sync::Arc;

use hivecast_run::Result;
use hivecast_storage::{Location, Settings, Storage, Stores};

use crate::temporary::Temporary;

/// A directory of a store for what comes before an edition. It is removed when this is dropped; what can't
/// be removed then is swept later.
#[derive(Debug)]
pub struct Scratch {
    storage: Arc<dyn Storage>,
    location: Location,
    /// In a store of this machine: what tells others that somebody uses it.
    _held: Option<Temporary>,
}

impl Scratch {
    pub(crate) fn of_shared((storage, location): (Arc<dyn Storage>, Location)) -> Scratch {
        Scratch { storage, location, _held: None }
    }

    pub(crate) fn of_cache(held: Temporary) -> Result<Scratch> {
        let location = Location::local(&held.path)?;
        let storage = Stores::new(Settings::default()).of(&location)?;
        Ok(Scratch { storage, location, _held: Some(held) })
    }

    /// Where it is. In a store that machines share the directory is made by who first writes in it.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What it lies in.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = self.storage.remove(&self.location);
    }
}
