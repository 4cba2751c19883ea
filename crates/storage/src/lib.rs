//! Where bytes lie: directories of this machine, HDFS, S3-compatible stores.
//!
//! A [`Location`] names a file or directory, [`Stores::of`] gives the [`Storage`] that it lies in,
//! and everything from there on is the same for all of them. Calls block; each is bounded in time,
//! and an error says which host it is of.
//!
//! Must not know: tables, formats, editions. The only room that knows object_store and hdfs-native.

mod error;
mod fetch;
mod hadoop;
mod hdfs;
mod local;
mod location;
mod read;
mod runtime;
mod s3;
mod stores;
mod unique;
mod windows;

pub use location::{Location, Scheme};
pub use read::{ReadAt, Sequential};
pub use stores::{HdfsLogin, S3Settings, Settings, Stores, Timeouts};
pub use windows::Windows;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What lies in a directory, or at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last part of its name.
    pub name: String,
    /// A file or a directory.
    pub kind: Kind,
    /// Bytes; 0 for a directory.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch; what the store keeps of it.
    pub modified_ns: i64,
    /// What the store calls these bytes, where it has a name for them that others don't get: the `ETag`
    /// of S3, whose times are whole seconds. HDFS and disks have none that holds, and finer times.
    pub version: Option<String>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    File,
    /// Other entries.
    Directory,
}

/// Whether what is there already may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// `io::ErrorKind::AlreadyExists`, however close two writers come to each other.
    Refuse,
    /// It is, at one instant.
    Replace,
}

/// What a store does at one instant, and so how something of many files becomes visible there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomic {
    /// A directory is renamed at one instant to a name that is free.
    RenameOfDirectories,
    /// A file appears at one instant with all its bytes, and can be refused where there is one.
    FilesAlone,
}

/// A file system. Shared between threads. All paths are of the scheme and host that it was made for.
///
/// Errors are of these kinds, and their text names the host and the path: `NotFound`,
/// `PermissionDenied` (also for a login that failed), `AlreadyExists`, `TimedOut`; anything else is
/// trouble that may pass. After trouble a call that changes something may have done so all the same.
pub trait Storage: fmt::Debug + Send + Sync {
    /// What lies right in a directory, sorted by name, hidden and half-written files with it. `NotFound`
    /// where there is no such directory; in a store without directories, where nothing lies below that
    /// name.
    fn list(&self, dir: &Location) -> io::Result<Vec<Entry>>;

    /// The file or directory at this place.
    fn stat(&self, at: &Location) -> io::Result<Entry>;

    /// A file, to be read at any offset.
    fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>>;

    /// Makes a directory and those above it. Where there is one already, and in a store without
    /// directories, does nothing.
    fn create_dir(&self, dir: &Location) -> io::Result<()>;

    /// Copies a file of this machine there: whole or not at all, and safe from a crash of this machine
    /// once this returns. Makes the directories above it. A crash on the way may leave a hidden file
    /// `.NAME.….tmp`. `Unsupported` for a large file in a store of [`Atomic::FilesAlone`] that must refuse
    /// what is there.
    fn put(&self, from: &Path, to: &Location, existing: Existing) -> io::Result<()>;

    /// Renames a directory to a name that is free, in a directory that exists, at one instant.
    /// `AlreadyExists` where it is not free, `Unsupported` in a store of [`Atomic::FilesAlone`].
    fn rename_dir(&self, from: &Location, to: &Location) -> io::Result<()>;

    /// Removes a file, or a directory with all that is in it. What is not there is no error.
    fn remove(&self, at: &Location) -> io::Result<()>;

    /// What happens at one instant here.
    fn atomic(&self) -> Atomic;
}
