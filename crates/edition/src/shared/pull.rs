//! Files of a shared edition, in the cache when they are needed.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hivecast_run::{Fault, Result};
use hivecast_storage::{Existing, Location, ReadAt, Sequential};
use xxhash_rust::xxh3::Xxh3;

use super::{Place, Shared};
use crate::Edition;
use crate::description::Description;
use crate::exclusion::{EXCLUSIONS_FILE, HEADER_BYTES, OLD_EXCLUSIONS_FILE};
use crate::files::{AdviseSpace as _, Unnamed, read_if_there, sync_dir, write_atomically};
use crate::gates::GATES_FILE;
use crate::store::{edition_dir, hide};
use crate::temporary::lock_names;
use crate::writer::{DESCRIPTION_FILE, QUARANTINE_FILE};

/// What is fetched at once. Stores fetch its parts in parallel.
const PULL_BYTES: u64 = 32 << 20;

/// The files beside an edition that are written anew when it is judged again.
pub(super) const CHANGING_FILES: [&str; 3] = [EXCLUSIONS_FILE, OLD_EXCLUSIONS_FILE, GATES_FILE];

/// An edition in the shared store, and the directory of this machine that its files come to.
#[derive(Debug)]
pub(crate) struct Remote {
    shared: Shared,
    dir: Location,
    /// Where its files lie, all but the description.
    files: Location,
    cache: PathBuf,
}

impl Shared {
    /// The edition, with its description and what was set aside in the cache. Its other files come when they
    /// are read. `json` is its `edition.json`.
    pub(crate) fn mirror(&self, feed_dir: &Path, place: &Place, json: &[u8]) -> Result<Edition> {
        let cache = edition_dir(feed_dir, place.load_date, &place.id);
        let description: Description = serde_json::from_slice(json).map_err(|error| {
            Fault::data(format!("failed to read {}", place.dir.join(DESCRIPTION_FILE))).because(error)
        })?;
        let remote = Arc::new(self.remote(place, &description, cache.clone())?);
        let lock = {
            fs::create_dir_all(feed_dir).map_err(|error| {
                Fault::io(format!("failed to make directory {}", feed_dir.display()), error).advise_space()
            })?;
            lock_names(feed_dir)?
        };
        if read_if_there(&cache.join(DESCRIPTION_FILE))?.as_deref() != Some(json) {
            // Another build of the same edition, whose files have the same names.
            if cache.exists() {
                hide(feed_dir, place.load_date, &cache, &lock)?;
            }
            fs::create_dir_all(&cache).map_err(|error| {
                Fault::io(format!("failed to make directory {}", cache.display()), error).advise_space()
            })?;
            write_atomically(&cache.join(DESCRIPTION_FILE), json)?;
        }
        for name in CHANGING_FILES {
            remote.follow(name)?;
        }
        drop(lock);
        Edition::open_of(&cache, Some(remote))
    }

    /// What ties a cached edition to the shared one.
    pub(super) fn remote(&self, place: &Place, description: &Description, cache: PathBuf) -> Result<Remote> {
        let files = match &description.files_in {
            None => place.dir.clone(),
            Some(name) if name.contains('/') || name.starts_with('.') => {
                return Err(Fault::data(format!("{}: files in {name:?}", place.dir.join(DESCRIPTION_FILE))));
            }
            Some(name) => place.dir.join(name),
        };
        Ok(Remote { shared: self.clone(), dir: place.dir.clone(), files, cache })
    }
}

impl Remote {
    /// The edition's directory in the shared store.
    pub(crate) fn dir(&self) -> &Location {
        &self.dir
    }

    /// Pulls a file that never changes, unless it is in the cache.
    pub(crate) fn ensure(&self, name: &str, bytes: u64, checksum: &str) -> Result<()> {
        let to = self.cache.join(name);
        if fs::metadata(&to).is_ok_and(|found| found.len() == bytes) {
            return Ok(());
        }
        let from = self.files.join(name);
        let file = self.open(&from)?.ok_or_else(|| self.unfit(&from, "is missing".to_owned()))?;
        if file.len() != bytes {
            let why = format!("has {} bytes, not the {bytes} that were written", file.len());
            return Err(self.unfit(&from, why));
        }
        let unnamed = self.copy(file, &to, Some((&from, checksum)))?;
        self.name(unnamed, &to)
    }

    /// Pulls the rows that were set aside, if there are any and they are not in the cache.
    pub(crate) fn ensure_quarantine(&self) -> Result<()> {
        let to = self.cache.join(QUARANTINE_FILE);
        match self.open(&self.files.join(QUARANTINE_FILE))? {
            Some(file) if !fs::metadata(&to).is_ok_and(|found| found.len() == file.len()) => {
                let unnamed = self.copy(file, &to, None)?;
                self.name(unnamed, &to)
            }
            _ => Ok(()),
        }
    }

    /// Puts a file of the cache that was written anew; removes it there where it is not in the cache. Fails
    /// where another machine replaced or removed the edition meanwhile: the file says nothing of another
    /// one, and would be in the way of the next push of this one.
    pub(crate) fn put_changed(&self, name: &str) -> Result<()> {
        let ours = read_if_there(&self.cache.join(DESCRIPTION_FILE))?;
        if self.shared.read_if_there(&self.dir.join(DESCRIPTION_FILE))? != ours {
            return Err(Fault::infrastructure(format!("another machine replaced or removed {}", self.dir))
                .advise("run the same command again"));
        }
        let from = self.cache.join(name);
        if from.exists() {
            self.shared.put(&from, &self.files.join(name), Existing::Replace)
        } else {
            self.shared.remove(&self.files.join(name))
        }
    }

    /// Has a file that may have been written anew by another machine as the shared store has it.
    fn follow(&self, name: &str) -> Result<()> {
        let to = self.cache.join(name);
        let Some(file) = self.open(&self.files.join(name))? else {
            return match fs::remove_file(&to) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(Fault::io(format!("failed to remove {}", to.display()), error))
                }
                _ => Ok(()),
            };
        };
        // The list may be long; its first line has the checksum of all others.
        let telling = if name == EXCLUSIONS_FILE { file.len().min(HEADER_BYTES as u64) } else { file.len() };
        let first = file.read_at(0..telling).map_err(pulled)?;
        if fs::metadata(&to).is_ok_and(|found| found.len() == file.len()) && starts_with(&to, &first) {
            return Ok(());
        }
        let unnamed = self.copy(file, &to, None)?;
        self.name(unnamed, &to)
    }

    fn open(&self, at: &Location) -> Result<Option<Arc<dyn ReadAt>>> {
        match self.shared.storage.open(at) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(pulled(error)),
        }
    }

    /// Copies it beside where it belongs.
    fn copy(&self, file: Arc<dyn ReadAt>, to: &Path, expected: Option<(&Location, &str)>) -> Result<Unnamed> {
        let failed = |error| Fault::io(format!("failed to write {}", to.display()), error).advise_space();
        let unnamed = Unnamed::create(to).map_err(failed)?;
        let mut out = unnamed.file().map_err(failed)?;
        let mut source = Sequential::new(file, 0, PULL_BYTES);
        let (mut buffer, mut hash) = (vec![0; 1 << 20], Xxh3::new());
        loop {
            let count = source.read(&mut buffer).map_err(pulled)?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
            out.write_all(&buffer[..count]).map_err(failed)?;
        }
        match expected {
            Some((from, checksum)) if format!("{:016x}", hash.digest()) != *checksum => {
                Err(self.unfit(from, "has the size but not the checksum that it was written with".to_owned()))
            }
            _ => Ok(unnamed),
        }
    }

    fn name(&self, unnamed: Unnamed, to: &Path) -> Result<()> {
        let named = unnamed.rename(to);
        named
            .map_err(|error| Fault::io(format!("failed to write {}", to.display()), error).advise_space())?;
        sync_dir(&self.cache)
    }

    fn unfit(&self, at: &Location, why: String) -> Fault {
        Fault::data(format!("{at} {why}")).advise(format!(
            "remove {} and run the same command again: it is built anew from the same inputs",
            self.dir
        ))
    }
}

fn pulled(error: std::io::Error) -> Fault {
    Fault::io("failed to read in the shared store", error)
}

fn starts_with(path: &Path, bytes: &[u8]) -> bool {
    let mut first = vec![0; bytes.len()];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == bytes
}
