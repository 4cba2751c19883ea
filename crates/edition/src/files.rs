//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use hivecast_run::{Fault, Result};

/// Makes the entries of a directory (files made, renamed, removed) survive a crash of the machine.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| Fault::io(format!("failed to sync directory {}", path.display()), error))
}

/// Writes a file so that a crash leaves the old content, the new, or none, but no part of either.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let written = File::create(temporary)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(temporary, path));
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
