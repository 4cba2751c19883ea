//! Directories of this machine.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use crate::read::{ReadAt, check_range};
use crate::{Atomic, Entry, Existing, Kind, Location, Storage};

/// The file system of this machine.
#[derive(Debug)]
pub(crate) struct Local;

impl Storage for Local {
    fn list(&self, dir: &Location) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path_of(dir)?)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|name| {
                io::Error::new(ErrorKind::InvalidData, format!("the name {name:?} is no Unicode text"))
            })?;
            // Follows links, as an export may consist of them.
            entries.push(entry_of(name, &fs::metadata(entry.path())?)?);
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, at: &Location) -> io::Result<Entry> {
        entry_of(at.name().to_owned(), &fs::metadata(path_of(at)?)?)
    }

    fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>> {
        let file = File::open(path_of(at)?)?;
        let size = file.metadata()?.len();
        Ok(Arc::new(LocalFile { file, size }))
    }

    fn create_dir(&self, dir: &Location) -> io::Result<()> {
        fs::create_dir_all(path_of(dir)?)
    }

    fn put(&self, from: &Path, to: &Location, existing: Existing) -> io::Result<()> {
        let to = path_of(to)?;
        let dir = to.parent().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        fs::create_dir_all(dir)?;
        let half = dir.join(format!(
            ".{}.{}.tmp",
            to.file_name().unwrap_or_default().to_string_lossy(),
            std::process::id()
        ));
        let written = copy_and_sync(from, &half).and_then(|()| match existing {
            Existing::Replace => fs::rename(&half, &to),
            // A link to a name that is taken fails, and so names the file at one instant or not.
            Existing::Refuse => fs::hard_link(&half, &to).and_then(|()| fs::remove_file(&half)),
        });
        if let Err(error) = written {
            let _ = fs::remove_file(&half);
            return Err(error);
        }
        File::open(dir)?.sync_all()
    }

    fn rename_dir(&self, from: &Location, to: &Location) -> io::Result<()> {
        let (from, to) = (path_of(from)?, path_of(to)?);
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            &from,
            rustix::fs::CWD,
            &to,
            rustix::fs::RenameFlags::NOREPLACE,
        )?;
        match to.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }

    fn remove(&self, at: &Location) -> io::Result<()> {
        let path = path_of(at)?;
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
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

fn entry_of(name: String, found: &fs::Metadata) -> io::Result<Entry> {
    let modified_ns = match found.modified()?.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    };
    Ok(match found.is_dir() {
        true => Entry { name, kind: Kind::Directory, size: 0, modified_ns },
        false => Entry { name, kind: Kind::File, size: found.len(), modified_ns },
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
}

impl ReadAt for LocalFile {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        check_range(&range, self.size)?;
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, range.start)?;
        Ok(buffer.into())
    }
}
