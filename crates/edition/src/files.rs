//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hivecast_run::{Fault, Result};

use crate::store::entries;

/// Makes the entries of a directory (files made, renamed, removed) survive a crash of the machine.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| Fault::io(format!("failed to sync directory {}", path.display()), error))
}

/// What the names of files that are being written end with.
const UNNAMED_SUFFIX: &str = ".tmp";

/// A file that is being written beside where it belongs, under a name that no other process and no other
/// thread writes to: several runs may judge one edition at once. It is removed when this is dropped,
/// unless it was given its name; what a crash leaves is swept.
#[derive(Debug)]
pub(crate) struct Unnamed {
    path: PathBuf,
    /// Locked, so that a sweep tells it from one that was left.
    file: File,
    is_named: bool,
}

impl Unnamed {
    /// A new, empty file that is going to be `path`.
    pub(crate) fn create(path: &Path) -> std::io::Result<Unnamed> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}-{n}{UNNAMED_SUFFIX}", std::process::id()));
            let file = match File::create_new(&name) {
                // Of a dead process that had the same id, or of one in another container.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                created => created?,
            };
            let unnamed = Unnamed { path: name.into(), file, is_named: false };
            unnamed.file.lock()?;
            // A sweep may have come before the lock, and removed it.
            if unnamed.path.try_exists()? {
                return Ok(unnamed);
            }
        }
    }

    /// Where it lies until it has its name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// To write to. It shares the place in the file with all others.
    pub(crate) fn file(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Syncs the content and gives the file its name, in place of one that is there.
    pub(crate) fn rename(mut self, path: &Path) -> std::io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if !self.is_named {
            // What can't be removed now is swept.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the files of a directory that were being written when their process died. One that can't be
/// removed is in nobody's way.
pub(crate) fn sweep_unnamed(dir: &Path) -> Result<()> {
    let is_unnamed =
        |path: &PathBuf| path.as_os_str().as_encoded_bytes().ends_with(UNNAMED_SUFFIX.as_bytes());
    for path in entries(dir)?.into_iter().filter(is_unnamed) {
        // The lock is held while it is removed: who made it and waits for the lock finds it gone.
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Writes a file so that a crash leaves the old content, the new, or none, but no part of either.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let written = Unnamed::create(path).and_then(|unnamed| {
        unnamed.file()?.write_all(content)?;
        unnamed.rename(path)
    });
    written
        .map_err(|error| Fault::io(format!("failed to write {}", path.display()), error).advise_space())?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// The file's content, or `None` where there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::io(format!("failed to read {}", path.display()), error)),
    }
}

/// Advice that every failed write to the store shares.
pub(crate) trait AdviseSpace {
    /// Says what to do when the store's disk is full.
    fn advise_space(self) -> Self;
}

impl AdviseSpace for Fault {
    fn advise_space(self) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&self);
        while let Some(error) = cause {
            let full = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            if matches!(full, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
                return self.advise(
                    "nothing half written is left; make room on the store's disk, for example with \
                     `hivecast prune`, and run the same command again",
                );
            }
            cause = error.source();
        }
        self
    }
}
