//! One session a slot of a feed, and one commit at a time, on this machine and wherever the file system
//! shares its locks.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hivecast_run::{Fault, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How often the lock file may vanish under our hands before that is an error.
const ATTEMPTS: u32 = 10;

/// How often a lock that is taken is looked at: [`check_free`] holds it for microseconds.
const LOOKS: u32 = 10;
/// The pause between.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// How often who wants to commit looks whether another session's commit is over: a minute of
/// [`LOOK_PAUSE`]s, and no commit takes that long unless its process is stopped.
const TURN_LOOKS: u32 = 12_000;

/// An exclusive `flock` on a file. The kernel drops it with the last descriptor, so that it dies
/// with its owner however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    feed: String,
    file: File,
}

/// Fails as held where a process has the lock. Looking takes it for an instant, shared, so that those
/// who look do not see each other; whoever takes it in earnest waits out such an instant.
pub(super) fn check_free(path: &Path, feed: &str) -> Result<()> {
    let fault = |error: std::io::Error| Fault::io(format!("failed to look at {}", path.display()), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(held(file, feed)),
        Err(error) => Err(fault(error.into())),
    }
}

impl Lock {
    /// Takes the lock, or fails as held, naming the process that has it.
    pub(super) fn acquire(path: &Path, feed: &str) -> Result<Lock> {
        let fault = |error: std::io::Error| Fault::io(format!("failed to lock {}", path.display()), error);
        for _ in 0..ATTEMPTS {
            let file = open(path).map_err(fault)?;
            if !lock_exclusively(&file).map_err(fault)? {
                return Err(held(file, feed));
            }
            let mut lock = Lock { path: path.to_path_buf(), feed: feed.to_owned(), file };
            // Somebody may have removed the file between opening and locking it: then the lock is on
            // a file that nobody else will find.
            if lock.is_in_place().map_err(fault)? {
                lock.sign().map_err(fault)?;
                return Ok(lock);
            }
        }
        Err(Fault::infrastructure(format!("failed to lock {}: the file keeps vanishing", path.display())))
    }

    /// Fails as held when the lock file was removed or replaced: another session may live.
    pub(super) fn check(&self) -> Result<()> {
        match self.is_in_place() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault::held(format!(
                "failed to go on with feed {}: its lock {} was taken away",
                self.feed,
                self.path.display()
            ))
            .advise("lock files stay where they are; run again once no other run holds the feed")),
            Err(error) => Err(Fault::io(format!("failed to look at {}", self.path.display()), error)),
        }
    }

    fn is_in_place(&self) -> std::io::Result<bool> {
        is_in_place(&self.path, &self.file)
    }

    /// Leaves the process id for whoever finds the lock held.
    fn sign(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        writeln!(self.file, "{}", std::process::id())
    }
}

/// The right to change what sessions of a feed share: the ledger and the partitions' files. It ends with
/// its holder, however that ends.
#[derive(Debug)]
pub(super) struct Turn {
    _file: File,
}

impl Turn {
    /// Waits until no other session has it; fails as infrastructure where one keeps it.
    pub(super) fn take(path: &Path) -> Result<Turn> {
        let fault = |error: std::io::Error| Fault::io(format!("failed to lock {}", path.display()), error);
        for _ in 0..ATTEMPTS {
            let file = open(path).map_err(fault)?;
            if !lock_within(&file, TURN_LOOKS).map_err(fault)? {
                return Err(Fault::infrastructure(format!(
                    "failed to commit: another writer keeps {} locked",
                    path.display()
                ))
                .advise("a process that was stopped (SIGSTOP) in the middle of a commit holds it: let it go on, or end it"));
            }
            if is_in_place(path, &file).map_err(fault)? {
                return Ok(Turn { _file: file });
            }
        }
        Err(Fault::infrastructure(format!("failed to lock {}: the file keeps vanishing", path.display())))
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn is_in_place(path: &Path, file: &File) -> std::io::Result<bool> {
    let ours = file.metadata()?;
    match path.metadata() {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// False where somebody has the lock, and keeps it longer than one who only looks.
fn lock_exclusively(file: &File) -> std::io::Result<bool> {
    lock_within(file, LOOKS)
}

fn lock_within(file: &File, looks: u32) -> std::io::Result<bool> {
    for look in 0..looks {
        if look > 0 {
            std::thread::sleep(LOOK_PAUSE);
        }
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

fn held(mut file: File, feed: &str) -> Fault {
    let mut pid = String::new();
    // The holder may be between locking and signing.
    let _ = file.read_to_string(&mut pid);
    let holder = match pid.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Fault::held(format!("feed {feed} is held by another run ({holder})"))
        .advise("wait until it ends, or end it; nothing was sent by this run")
}

#[cfg(test)]
mod tests {
    use hivecast_run::Class;

    use super::*;

    #[test]
    fn a_held_lock_names_its_holder_and_dies_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.lock");
        let lock = Lock::acquire(&path, "contracts").unwrap();
        let fault = Lock::acquire(&path, "contracts").unwrap_err();
        assert_eq!(fault.class(), Class::Held);
        let pid = std::process::id();
        assert_eq!(fault.chain(), format!("feed contracts is held by another run (process {pid})"));
        drop(lock);
        Lock::acquire(&path, "contracts").unwrap();
    }

    #[test]
    fn who_looks_sees_a_holder_and_disturbs_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.lock");
        check_free(&path, "contracts").unwrap();
        assert!(!path.exists(), "looking makes nothing");
        let lock = Lock::acquire(&path, "contracts").unwrap();
        let fault = check_free(&path, "contracts").unwrap_err();
        assert_eq!(fault.class(), Class::Held);
        assert!(fault.chain().contains(&std::process::id().to_string()), "{}", fault.chain());
        drop(lock);
        // One who looks just now, for a moment.
        let looking = File::open(&path).unwrap();
        flock(&looking, FlockOperation::NonBlockingLockShared).unwrap();
        check_free(&path, "contracts").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(LOOK_PAUSE);
                drop(looking);
            });
            Lock::acquire(&path, "contracts").unwrap();
        });
    }

    #[test]
    fn a_lock_file_that_is_taken_away_fences_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.lock");
        let first = Lock::acquire(&path, "contracts").unwrap();
        first.check().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(first.check().unwrap_err().class(), Class::Held);
        let second = Lock::acquire(&path, "contracts").unwrap();
        assert_eq!(first.check().unwrap_err().class(), Class::Held);
        second.check().unwrap();
    }

    #[test]
    fn who_wants_to_commit_waits_for_who_commits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed@commit.lock");
        let turn = Turn::take(&path).unwrap();
        let file = open(&path).unwrap();
        assert!(!lock_within(&file, 2).unwrap(), "it is taken");
        std::thread::scope(|scope| {
            let other = scope.spawn(|| Turn::take(&path).unwrap());
            std::thread::sleep(4 * LOOK_PAUSE);
            assert!(!other.is_finished());
            drop(turn);
            other.join().unwrap();
        });
    }
}
