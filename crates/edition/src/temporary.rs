//! Temporary directories that die with their process.
//!
//! Each holds a locked file. The lock goes when the process does, however it ends, and the next
//! process that begins or prunes removes the directory. Names are made, taken away and swept under
//! the feed's own lock, so that a directory is never seen between its making and its locking.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hivecast_contract::LoadDate;
use hivecast_run::{Fault, Result};

use crate::files::{AdviseSpace, sweep_unnamed};
use crate::store::{edition_dirs, entries, is_temporary};

/// Prefix of the names of temporary directories.
pub(crate) const TEMPORARY_PREFIX: &str = ".tmp-";
/// The locked file in a temporary directory, and the feed's own.
const LOCK: &str = ".lock";

/// A directory that is removed when this is dropped, unless it was renamed away.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub(crate) path: PathBuf,
    // Held for its lock.
    _lock: File,
}

/// Waits for the right to make, rename and sweep names in a feed's directory. Held until dropped.
pub(crate) fn lock_names(feed_dir: &Path) -> Result<File> {
    let path = feed_dir.join(LOCK);
    let failed = |error| Fault::io(format!("failed to lock {}", path.display()), error).advise_space();
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// A name that no directory has. `_names` is [`lock_names`]'s.
pub(crate) fn free_name(feed_dir: &Path, load_date: LoadDate, _names: &File) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = feed_dir.join(format!("{TEMPORARY_PREFIX}{load_date}-{}-{n}", std::process::id()));
        if !path.exists() {
            return path;
        }
    }
}

/// Removes the temporary directories whose process is dead, and what it was writing beside editions.
/// `_names` is [`lock_names`]'s.
pub(crate) fn sweep(feed_dir: &Path, _names: &File) -> Result<()> {
    for path in entries(feed_dir)?.into_iter().filter(|path| is_temporary(path)) {
        if is_abandoned(&path)? {
            remove(&path)?;
        }
    }
    for edition in edition_dirs(feed_dir)? {
        sweep_unnamed(&edition)?;
    }
    Ok(())
}

fn is_abandoned(path: &Path) -> Result<bool> {
    let lock = path.join(LOCK);
    let failed = |error| Fault::io(format!("failed to look at {}", lock.display()), error);
    let file = match File::open(&lock) {
        Ok(file) => file,
        // Taken out of sight by `hide`, or left by a crash before it was locked.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(true);
        }
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Fault::io(format!("failed to remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

impl Temporary {
    /// A new directory, locked. `names` is [`lock_names`]'s.
    pub(crate) fn create(feed_dir: &Path, load_date: LoadDate, names: &File) -> Result<Temporary> {
        let path = free_name(feed_dir, load_date, names);
        let made = fs::create_dir(&path).and_then(|()| {
            let file = File::create(path.join(LOCK))?;
            file.lock()?;
            Ok(file)
        });
        match made {
            Ok(lock) => Ok(Temporary { path, _lock: lock }),
            Err(error) => {
                let _ = fs::remove_dir_all(&path);
                Err(Fault::io(format!("failed to make directory {}", path.display()), error).advise_space())
            }
        }
    }

    /// Gives the directory its final name. The lock's file is left behind only by a crash, and is
    /// no part of an edition. `_names` is [`lock_names`]'s.
    pub(crate) fn rename(&self, to: &Path, _names: &File) -> Result<()> {
        let failed = |error| {
            Fault::io(format!("failed to rename {} to {}", self.path.display(), to.display()), error)
                .advise_space()
        };
        fs::remove_file(self.path.join(LOCK)).map_err(failed)?;
        fs::rename(&self.path, to).map_err(failed)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What can't be removed now is swept by the next process.
        let _ = fs::remove_dir_all(&self.path);
    }
}
