//! Directories of this machine.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::error::{failed, named};
use crate::read::{ReadAt, check_range};
use crate::unique::half_written;
use crate::{Atomic, Entry, Existing, Kind, Location, Storage};

/// The file system of this machine.
#[derive(Debug)]
pub(crate) struct Local;

impl Storage for Local {
    fn list(&self, dir: &Location) -> io::Result<Vec<Entry>> {
        let list = || {
            let mut entries = Vec::new();
            for entry in fs::read_dir(path_of(dir)?)? {
                entries.push(listed(&entry?)?);
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        };
        list().map_err(|error: io::Error| match error.kind() {
            ErrorKind::NotADirectory => failed(ErrorKind::NotFound, dir, "it is a file, not a directory"),
            _ => named(dir, &error),
        })
    }

    fn stat(&self, at: &Location) -> io::Result<Entry> {
        let stat = || entry_of(at.name().to_owned(), &fs::metadata(path_of(at)?)?);
        stat().map_err(|error| named(at, &error))
    }

    fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>> {
        let open = || {
            let file = File::open(path_of(at)?)?;
            let found = file.metadata()?;
            if found.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            }
            Ok(Arc::new(LocalFile { file, size: found.len(), at: at.clone() }) as Arc<dyn ReadAt>)
        };
        open().map_err(|error| named(at, &error))
    }

    fn create_dir(&self, dir: &Location) -> io::Result<()> {
        let create = || fs::create_dir_all(path_of(dir)?);
        create().map_err(|error| named(dir, &error))
    }

    fn put(&self, from: &Path, to: &Location, existing: Existing) -> io::Result<()> {
        let put = || {
            let path = path_of(to)?;
            let dir = path.parent().ok_or(ErrorKind::InvalidInput)?;
            fs::create_dir_all(dir)?;
            let half = dir.join(half_written(to.name()));
            let written = copy_and_sync(from, &half).and_then(|()| match existing {
                Existing::Replace => fs::rename(&half, &path),
                // A link to a name that is taken fails, and so names the file at one instant or not.
                Existing::Refuse => fs::hard_link(&half, &path).and_then(|()| fs::remove_file(&half)),
            });
            if written.is_err() {
                let _ = fs::remove_file(&half);
            }
            written?;
            File::open(dir)?.sync_all()
        };
        put().map_err(|error| named(to, &error))
    }

    fn rename_dir(&self, from: &Location, to: &Location) -> io::Result<()> {
        let rename = || {
            let (from, to) = (path_of(from)?, path_of(to)?);
            match renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
                // NFS has no such rename. A directory never takes the place of one that has something in it.
                Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&from, &to).map_err(taken)?,
                renamed => renamed?,
            }
            match to.parent() {
                Some(dir) => File::open(dir)?.sync_all(),
                None => Ok(()),
            }
        };
        rename().map_err(|error| named(to, &error))
    }

    fn remove(&self, at: &Location) -> io::Result<()> {
        let path = path_of(at)?;
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(named(at, &error)),
            _ => Ok(()),
        }
    }

    fn atomic(&self) -> Atomic {
        Atomic::RenameOfDirectories
    }
}

fn path_of(location: &Location) -> io::Result<PathBuf> {
    location
        .local_path()
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, format!("{location} is on no disk")))
}

fn taken(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::DirectoryNotEmpty => ErrorKind::AlreadyExists.into(),
        _ => error,
    }
}

fn listed(entry: &fs::DirEntry) -> io::Result<Entry> {
    let name = entry.file_name().into_string().map_err(|name| {
        io::Error::new(ErrorKind::InvalidData, format!("the name {name:?} is no Unicode text"))
    })?;
    // Follows links, as an export may consist of them.
    entry_of(name, &fs::metadata(entry.path())?)
}

fn entry_of(name: String, found: &fs::Metadata) -> io::Result<Entry> {
    let modified_ns = match found.modified()?.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    };
    Ok(match found.is_dir() {
        true => Entry { name, kind: Kind::Directory, size: 0, modified_ns, version: None },
        false => Entry { name, kind: Kind::File, size: found.len(), modified_ns, version: None },
    })
}

fn copy_and_sync(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

#[derive(Debug)]
struct LocalFile {
    file: File,
    size: u64,
    at: Location,
}

impl ReadAt for LocalFile {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let read = || {
            check_range(&range, self.size)?;
            let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            let mut buffer = vec![0; length];
            self.file.read_exact_at(&mut buffer, range.start)?;
            Ok(buffer.into())
        };
        read().map_err(|error: io::Error| named(&self.at, &error))
    }
}
