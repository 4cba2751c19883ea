//! HDFS, through hdfs-native's client: no Java, and nothing but the name nodes' and data nodes' own protocols.

mod connect;
mod errors;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use hdfs_native::client::FileStatus;
use hdfs_native::file::FileReader;
use hdfs_native::{Client, HdfsError, WriteOptions};
use hivecast_run::Result;
use tokio::time::timeout;

use crate::error::{advised, failed, named};
use crate::fetch::fetch;
use crate::hadoop::Hadoop;
use crate::read::{ReadAt, check_range};
use crate::unique::half_written;
use crate::{Atomic, Entry, Existing, Kind, Location, Settings, Storage, runtime};
use connect::Connection;

/// What is sent to a data node with one call.
const WRITE_BYTES: usize = 4 << 20;

/// How often a file is written before it is given up, where the name node asks for patience, and the first
/// pause between. Each further one is twice as long.
const WRITES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// What new files and directories allow, without the bits of `fs.permissions.umask-mode`.
const FILE_MODE: u32 = 0o666;
const DIRECTORY_MODE: u32 = 0o777;
/// Hadoop's own default of `fs.permissions.umask-mode`.
const DEFAULT_UMASK: u32 = 0o022;

/// One file system.
#[derive(Clone)]
pub(crate) struct Hdfs(Arc<Inner>);

struct Inner {
    connection: Connection,
    /// The longest that one call may take, or that a data node may be silent.
    patience: Duration,
    umask: u32,
}

impl fmt::Debug for Hdfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hdfs({})", self.0.connection.shown())
    }
}

impl Hdfs {
    /// The file system that the location is in. Nothing is connected yet.
    pub(crate) fn open(location: &Location, hadoop: &Hadoop, settings: &Settings) -> Result<Hdfs> {
        let umask = hadoop.get("fs.permissions.umask-mode");
        let umask = umask.and_then(|text| u32::from_str_radix(&text, 8).ok()).unwrap_or(DEFAULT_UMASK);
        let connection = Connection::new(location, hadoop, settings)?;
        Ok(Hdfs(Arc::new(Inner { connection, patience: settings.hdfs_timeouts.call, umask })))
    }

    /// One call, bounded in time.
    fn call<T, F>(&self, at: &Location, call: impl FnOnce(Client) -> F) -> io::Result<T>
    where
        T: Send,
        F: Future<Output = hdfs_native::Result<T>> + Send,
    {
        let client = self.0.connection.client(at)?;
        match runtime::wait(self.0.patience, call(client))? {
            Some(done) => done.map_err(|error| self.fault(at, &error)),
            None => Err(self.silence(at)),
        }
    }

    fn fault(&self, at: &Location, error: &HdfsError) -> io::Error {
        errors::io_error(at, &self.0.connection, error)
    }

    /// Nobody answered in time. The next call looks anew for a name node that does.
    fn silence(&self, at: &Location) -> io::Error {
        self.0.connection.forget();
        let text = format!("no answer within {:?} from {}", self.0.patience, self.0.connection.shown());
        advised(ErrorKind::TimedOut, at, text, (None, errors::advice(ErrorKind::TimedOut).map(str::to_owned)))
    }

    fn status(&self, at: &Location) -> io::Result<FileStatus> {
        let path = at.path().to_owned();
        self.call(at, |client| async move { client.get_file_info(&path).await })
    }

    fn put_once(
        &self,
        source: &mut File,
        to: &Location,
        dir: &Location,
        existing: Existing,
    ) -> io::Result<()> {
        let half = dir.join(&half_written(to.name()));
        let put = self.write(source, &half, to).and_then(|()| self.rename(&half, to, existing));
        if put.is_err() {
            // What can't be removed now has a name that nobody reads.
            let _ = self.remove(&half);
        }
        put
    }

    /// Writes what is going to be `to`, which is what errors name.
    fn write(&self, source: &mut File, half: &Location, to: &Location) -> io::Result<()> {
        let (path, options) = (half.path().to_owned(), self.write_options());
        let mut writer = self.call(to, |client| async move { client.create(&path, options).await })?;
        loop {
            let block = read_block(source)?;
            if block.is_empty() {
                break;
            }
            self.advance(to, writer.write_bytes(block))?;
        }
        self.advance(to, writer.close())
    }

    fn write_options(&self) -> WriteOptions {
        WriteOptions::default().permission(FILE_MODE & !self.0.umask).overwrite(false)
    }

    /// One step of writing a file, bounded in time.
    fn advance<T: Send>(
        &self,
        at: &Location,
        step: impl Future<Output = hdfs_native::Result<T>> + Send,
    ) -> io::Result<()> {
        match runtime::wait(self.0.patience, step)? {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(self.fault(at, &error)),
            None => Err(self.silence(at)),
        }
    }

    fn rename(&self, from: &Location, to: &Location, existing: Existing) -> io::Result<()> {
        let (source, target) = (from.path().to_owned(), to.path().to_owned());
        let overwrite = existing == Existing::Replace;
        self.call(to, |client| async move { client.rename(&source, &target, overwrite).await })
    }
}

impl Storage for Hdfs {
    fn list(&self, dir: &Location) -> io::Result<Vec<Entry>> {
        let path = dir.path().to_owned();
        let found = self.call(dir, |client| async move { client.list_status(&path, false).await })?;
        // The list of a file is the file itself.
        if found.iter().any(|status| !status.isdir && status.path.trim_end_matches('/') == dir.path()) {
            return Err(failed(ErrorKind::NotFound, dir, "it is a file, not a directory"));
        }
        let mut entries: Vec<Entry> = found.iter().map(entry_of).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, at: &Location) -> io::Result<Entry> {
        Ok(Entry { name: at.name().to_owned(), ..entry_of(&self.status(at)?) })
    }

    fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>> {
        let entry = self.stat(at)?;
        if entry.kind == Kind::Directory {
            return Err(failed(ErrorKind::IsADirectory, at, "it is a directory"));
        }
        let path = at.path().to_owned();
        let reader = self.call(at, |client| async move { client.read(&path).await })?;
        let size = reader.file_length() as u64;
        Ok(Arc::new(HdfsFile { hdfs: self.clone(), at: at.clone(), opened: Entry { size, ..entry }, reader }))
    }

    fn create_dir(&self, dir: &Location) -> io::Result<()> {
        let (path, mode) = (dir.path().to_owned(), DIRECTORY_MODE & !self.0.umask);
        self.call(dir, |client| async move { client.mkdirs(&path, mode, true).await })
    }

    fn put(&self, from: &Path, to: &Location, existing: Existing) -> io::Result<()> {
        let unreadable = |error: io::Error| {
            io::Error::new(error.kind(), format!("failed to read {}: {error}", from.display()))
        };
        let mut source = File::open(from).map_err(unreadable)?;
        let dir =
            to.parent().ok_or_else(|| failed(ErrorKind::InvalidInput, to, "it is no name of a file"))?;
        // Whether it is still free is decided by the rename; this only saves sending what can't be kept.
        if existing == Existing::Refuse && self.stat(to).is_ok() {
            return Err(failed(ErrorKind::AlreadyExists, to, "it is there already"));
        }
        self.create_dir(&dir)?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..WRITES {
            match self.put_once(&mut source, to, &dir, existing) {
                // A name node that is behind refuses the next block until it has heard of the one before.
                // Hadoop's own client waits and asks again; this one can only begin again.
                Err(error) if error.kind() == ErrorKind::WouldBlock && source.rewind().is_ok() => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                put => return put,
            }
        }
        self.put_once(&mut source, to, &dir, existing)
    }

    fn rename_dir(&self, from: &Location, to: &Location) -> io::Result<()> {
        self.rename(from, to, Existing::Refuse)
    }

    fn remove(&self, at: &Location) -> io::Result<()> {
        let path = at.path().to_owned();
        let removed = self.call(at, |client| async move { client.delete(&path, true).await });
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn atomic(&self) -> Atomic {
        Atomic::RenameOfDirectories
    }
}

fn entry_of(status: &FileStatus) -> Entry {
    let name = status.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let modified_ns = i64::try_from(status.modification_time).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    match status.isdir {
        true => Entry { name, kind: Kind::Directory, size: 0, modified_ns, version: None },
        false => Entry { name, kind: Kind::File, size: status.length as u64, modified_ns, version: None },
    }
}

/// The next bytes of a local file; empty at its end.
fn read_block(source: &mut File) -> io::Result<Bytes> {
    let mut block = Vec::with_capacity(WRITE_BYTES);
    source.take(WRITE_BYTES as u64).read_to_end(&mut block)?;
    Ok(block.into())
}

/// A file, with the places of its blocks as they were when it was opened.
struct HdfsFile {
    hdfs: Hdfs,
    at: Location,
    opened: Entry,
    reader: FileReader,
}

impl fmt::Debug for HdfsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HdfsFile({})", self.at)
    }
}

impl HdfsFile {
    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let place = |offset: u64| usize::try_from(offset).map_err(io::Error::other);
        let length = place(range.end - range.start)?;
        let mut packets = pin!(self.reader.read_range_stream(place(range.start)?, length));
        let mut bytes = BytesMut::with_capacity(length);
        loop {
            match timeout(self.hdfs.0.connection.patience_with_data_nodes(), packets.next()).await {
                Ok(Some(packet)) => {
                    bytes.extend_from_slice(&packet.map_err(|error| self.hdfs.fault(&self.at, &error))?);
                }
                Ok(None) if bytes.len() == length => return Ok(bytes.freeze()),
                Ok(None) => {
                    let text = format!("{} of {length} bytes came", bytes.len());
                    return Err(failed(ErrorKind::UnexpectedEof, &self.at, text));
                }
                Err(_) => return Err(failed(ErrorKind::TimedOut, &self.at, "no data node sends its bytes")),
            }
        }
    }

    /// Blocks of a file that was replaced go away, sooner or later: says so where it is the reason.
    fn explained(&self, error: io::Error) -> io::Error {
        let stale = |text| failed(ErrorKind::StaleNetworkFileHandle, &self.at, text);
        match self.hdfs.stat(&self.at) {
            Err(now) if now.kind() == ErrorKind::NotFound => stale("it was removed since it was opened"),
            Ok(now) if now != self.opened => stale("it was replaced since it was opened"),
            _ => error,
        }
    }
}

impl ReadAt for HdfsFile {
    fn len(&self) -> u64 {
        self.opened.size
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let mut read = self.read_ranges(std::slice::from_ref(&range))?;
        Ok(read.pop().unwrap_or_default())
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        for range in ranges {
            check_range(range, self.opened.size).map_err(|error| named(&self.at, &error))?;
        }
        // Each packet has its own limit.
        let read = runtime::wait(Duration::MAX, fetch(ranges, |range| self.read(range)))?;
        read.ok_or(ErrorKind::TimedOut)?.map_err(|error| self.explained(error))
    }
}
