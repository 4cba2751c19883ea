//! Files and directories, made so that they are still there after a power cut.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hivecast_run::{Fault, Result};
use rustix::fs::{Access, access};

/// Kafka's limit for topic names, which keeps file names short enough everywhere.
const NAME_BYTES_MAX: usize = 249;

/// Whether a feed's or topic's name can be a file's: Kafka's rule for topics, and no leading dot.
pub(super) fn check_name(kind: &str, name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(is_plain)
        && !name.starts_with('.')
    {
        return Ok(());
    }
    Err(Fault::usage(format!("{kind} name {name:?} cannot be a file's name in a directory target"))
        .advise(format!("use letters, digits, - _ and . (not first), at most {NAME_BYTES_MAX} bytes")))
}

/// Makes a directory and what is above it, and makes each entry durable.
pub(super) fn create_dir(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent(path);
    create_dir(&parent)?;
    match fs::create_dir(path) {
        Ok(()) => sync_dir(&parent),
        // Another run may be making it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(Fault::io(format!("failed to make directory {}", path.display()), error)),
    }
}

/// Makes the entries of a directory durable.
pub(super) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| Fault::io(format!("failed to sync directory {}", path.display()), error))
}

/// Writes a new file and makes its bytes durable; the entry in its directory is the caller's.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| Fault::io(format!("failed to write {}", path.display()), error))
}

/// The directory itself, or the nearest above it that is there.
fn nearest(root: &Path) -> PathBuf {
    let mut nearest = root.to_path_buf();
    while !nearest.exists() {
        nearest = parent(&nearest);
    }
    nearest
}

/// Makes a file where topics would be made, syncs it and removes it: a full disk or a read-only file
/// system is found by nothing less.
pub(super) fn try_writing(root: &Path) -> Result<()> {
    let nearest = nearest(root);
    let file = nearest.join(format!(".hivecast-doctor-{}", std::process::id()));
    let written = write_synced(&file, b"written by hivecast doctor\n");
    let removed = fs::remove_file(&file)
        .map_err(|error| Fault::io(format!("failed to remove {}", file.display()), error));
    written?;
    removed?;
    sync_dir(&nearest)
}

/// Whether topics could be made below `root`, without making anything.
pub(super) fn check_writable(root: &Path) -> Result<()> {
    let nearest = nearest(root);
    if !nearest.is_dir() {
        return Err(Fault::usage(format!("{} is no directory", nearest.display()))
            .advise("name a directory, or a path where one can be made, as the target"));
    }
    access(&nearest, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        Fault::io(format!("failed to get write access to {}", nearest.display()), error.into())
    })
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from(if path.is_absolute() { "/" } else { "." }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        for good in ["mdm.contracts", "a", "A-1_b.c"] {
            assert!(check_name("topic", good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".ledger", "a/b", "../a", "a\0", "ключ", &"x".repeat(250)] {
            assert!(check_name("topic", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn trying_to_write_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        try_writing(&root.path().join("a/b")).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_a_usage_fault() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "x").unwrap();
        let fault = check_writable(&file.join("below")).unwrap_err();
        assert_eq!(fault.class(), hivecast_run::Class::Usage);
        assert!(check_writable(&root.path().join("a/b/c")).is_ok());
        assert!(!root.path().join("a").exists(), "looking makes nothing");
    }
}
