//! S3-compatible stores, through object_store's client. There are no directories: what looks like one is the
//! part that names have in common.

mod client;
mod errors;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::Path as LocalPath;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};
use hivecast_run::Result;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions,
};

use crate::error::{advised, failed, named};
use crate::fetch::{PARALLEL_PARTS, fetch};
use crate::read::{ReadAt, check_range};
use crate::{Atomic, Entry, Existing, Kind, Location, Settings, Storage, runtime};

/// Files up to this size are put with one request.
const SINGLE_PUT_BYTES: u64 = 16 << 20;

/// The smallest part of a larger file. S3's own limit is 5 MiB.
const PART_BYTES: u64 = 8 << 20;

/// S3's limit of parts of one object.
const MAX_PARTS: u64 = 10_000;

/// A list or a removal of many objects takes many requests, each with the limit of a call. All of them
/// together have this many times that limit.
const CALLS_OF_MANY: u32 = 20;

/// What Hadoop's older clients put where they mean a directory.
const FOLDER_SUFFIX: &str = "_$folder$";

/// One bucket.
#[derive(Clone)]
pub(crate) struct S3(Arc<Inner>);

struct Inner {
    store: AmazonS3,
    /// The endpoint, as people read it.
    host: String,
    /// The longest that one call may take.
    patience: Duration,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show its keys.
        write!(f, "S3({})", self.0.host)
    }
}

impl S3 {
    /// The bucket that the location is in. Nothing is connected yet.
    pub(crate) fn open(location: &Location, settings: &Settings) -> Result<S3> {
        let (store, host) = client::build(location.authority(), settings)?;
        Ok(S3(Arc::new(Inner { store, host, patience: settings.s3_timeouts.call })))
    }

    fn call<T: Send>(
        &self,
        at: &Location,
        limit: Duration,
        call: impl Future<Output = object_store::Result<T>> + Send,
    ) -> io::Result<T> {
        match runtime::wait(limit, call)? {
            Some(done) => done.map_err(|error| self.fault(at, &error)),
            None => Err(self.silence(at, limit)),
        }
    }

    fn fault(&self, at: &Location, error: &object_store::Error) -> io::Error {
        errors::io_error(at, &self.0.host, error)
    }

    fn silence(&self, at: &Location, limit: Duration) -> io::Error {
        let text = format!("no answer within {limit:?} from {}", self.0.host);
        let help = errors::advice(ErrorKind::TimedOut).map(str::to_owned);
        advised(ErrorKind::TimedOut, at, text, (None, help))
    }

    fn many(&self) -> Duration {
        self.0.patience.saturating_mul(CALLS_OF_MANY)
    }

    fn head(&self, at: &Location) -> io::Result<ObjectMeta> {
        let key = key_of(at)?;
        self.call(at, self.0.patience, self.0.store.head(&key))
    }

    /// Whether anything lies below that name.
    fn is_directory(&self, at: &Location) -> io::Result<bool> {
        let key = key_of(at)?;
        let mut below = self.0.store.list(Some(&key));
        Ok(self.call(at, self.0.patience, async { below.next().await.transpose() })?.is_some())
    }

    fn put_whole(&self, mut source: impl Read, size: u64, to: &Location, mode: PutMode) -> io::Result<()> {
        let key = key_of(to)?;
        let bytes = exactly(&mut source, size)?;
        let put = self.0.store.put_opts(&key, bytes.into(), PutOptions::from(mode));
        self.call(to, self.0.patience, put).map(drop)
    }

    fn put_in_parts(&self, mut source: impl Read, size: u64, to: &Location) -> io::Result<()> {
        let key = key_of(to)?;
        let begun = self.0.store.put_multipart_opts(&key, PutMultipartOptions::default());
        let mut upload = self.call(to, self.0.patience, begun)?;
        let put = self
            .send_parts(&mut source, size, to, upload.as_mut())
            .and_then(|()| self.call(to, self.0.patience, upload.complete()).map(drop));
        if put.is_err() {
            // Parts that stay are no object; most buckets drop them after some days.
            let _ = self.call(to, self.0.patience, upload.abort());
        }
        put
    }

    fn send_parts(
        &self,
        source: &mut impl Read,
        size: u64,
        to: &Location,
        upload: &mut dyn MultipartUpload,
    ) -> io::Result<()> {
        let part_bytes = PART_BYTES.max(size.div_ceil(MAX_PARTS));
        let mut sending = FuturesUnordered::new();
        let mut left = size;
        while left > 0 || !sending.is_empty() {
            if left > 0 && sending.len() < PARALLEL_PARTS {
                let part = exactly(source, left.min(part_bytes))?;
                left -= part.len() as u64;
                sending.push(upload.put_part(part.into()));
                continue;
            }
            self.call(to, self.0.patience, async { sending.next().await.transpose() })?;
        }
        Ok(())
    }
}

impl Storage for S3 {
    fn list(&self, dir: &Location) -> io::Result<Vec<Entry>> {
        let key = key_of(dir)?;
        let found = self.call(dir, self.many(), self.0.store.list_with_delimiter(Some(&key)))?;
        // A store's console and some clients put an empty object where they mean the directory.
        let is_marker = |object: &ObjectMeta| object.size == 0 && object.location == key;
        let files = found.objects.iter().filter(|object| !is_marker(object)).map(entry_of);
        let directories = found.common_prefixes.iter().map(|prefix| directory(last_part(prefix)));
        let mut entries: Vec<Entry> = files.chain(directories).collect();
        entries.retain(|entry| !(entry.size == 0 && entry.name.ends_with(FOLDER_SUFFIX)));
        if found.objects.is_empty() && entries.is_empty() && !key.is_root() {
            return Err(failed(ErrorKind::NotFound, dir, "nothing lies below this name"));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, at: &Location) -> io::Result<Entry> {
        if key_of(at)?.is_root() {
            self.is_directory(at)?;
            return Ok(directory(""));
        }
        match self.head(at) {
            Ok(object) => Ok(entry_of(&object)),
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_directory(at)? => {
                Ok(directory(at.name()))
            }
            Err(error) => Err(error),
        }
    }

    fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>> {
        let object = self.head(at)?;
        let key = key_of(at)?;
        Ok(Arc::new(S3File { s3: self.clone(), at: at.clone(), key, object }))
    }

    fn create_dir(&self, _dir: &Location) -> io::Result<()> {
        Ok(())
    }

    fn put(&self, from: &LocalPath, to: &Location, existing: Existing) -> io::Result<()> {
        let unreadable = |error: io::Error| {
            io::Error::new(error.kind(), format!("failed to read {}: {error}", from.display()))
        };
        let source = File::open(from).map_err(unreadable)?;
        let size = source.metadata().map_err(unreadable)?.len();
        match existing {
            Existing::Refuse if size > SINGLE_PUT_BYTES => {
                let text =
                    format!("a file of more than {SINGLE_PUT_BYTES} bytes can't be put unless it is there");
                Err(failed(ErrorKind::Unsupported, to, text))
            }
            Existing::Refuse => self.put_whole(source, size, to, PutMode::Create),
            Existing::Replace if size > SINGLE_PUT_BYTES => self.put_in_parts(source, size, to),
            Existing::Replace => self.put_whole(source, size, to, PutMode::Overwrite),
        }
    }

    fn rename_dir(&self, from: &Location, _to: &Location) -> io::Result<()> {
        Err(failed(ErrorKind::Unsupported, from, "S3 can't rename"))
    }

    fn remove(&self, at: &Location) -> io::Result<()> {
        let key = key_of(at)?;
        if key.is_root() {
            return Err(failed(ErrorKind::InvalidInput, at, "a whole bucket is not removed"));
        }
        let store = &self.0.store;
        let below = store.list(Some(&key)).map_ok(|object| object.location);
        let removed = self.call(at, self.many(), async {
            let mut keys: Vec<Path> = below.try_collect().await?;
            keys.push(key);
            let keys = stream::iter(keys.into_iter().map(Ok)).boxed();
            store.delete_stream(keys).try_collect::<Vec<_>>().await
        });
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn atomic(&self) -> Atomic {
        Atomic::FilesAlone
    }
}

/// The key, byte for byte: what a store lists is not to be encoded once more.
fn key_of(at: &Location) -> io::Result<Path> {
    Path::parse(at.path()).map_err(|error| failed(ErrorKind::InvalidInput, at, error))
}

fn last_part(key: &Path) -> &str {
    key.as_ref().rsplit('/').next().unwrap_or_default()
}

fn directory(name: &str) -> Entry {
    Entry { name: name.to_owned(), kind: Kind::Directory, size: 0, modified_ns: 0, version: None }
}

fn entry_of(object: &ObjectMeta) -> Entry {
    let name = last_part(&object.location).to_owned();
    let modified_ns = object.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX);
    let version = object.e_tag.clone();
    Entry { name, kind: Kind::File, size: object.size, modified_ns, version }
}

/// Just so many bytes of a local file. One that shrinks while it is read is an error.
fn exactly(source: &mut impl Read, size: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?);
    source.take(size).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < size {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
    }
    Ok(bytes.into())
}

/// An object as it was when it was opened.
struct S3File {
    s3: S3,
    at: Location,
    key: Path,
    object: ObjectMeta,
}

impl fmt::Debug for S3File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3File({})", self.at)
    }
}

impl S3File {
    async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = range.end - range.start;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: self.object.e_tag.clone(),
            // A store that gives no tags has at least a time.
            if_unmodified_since: self.object.e_tag.is_none().then_some(self.object.last_modified),
            ..GetOptions::default()
        };
        let get = async { self.s3.0.store.get_opts(&self.key, options).await?.bytes().await };
        match tokio::time::timeout(self.s3.0.patience, get).await {
            Ok(Ok(bytes)) if bytes.len() as u64 == length => Ok(bytes),
            Ok(Ok(bytes)) => {
                let text = format!("{} of {length} bytes came", bytes.len());
                Err(failed(ErrorKind::UnexpectedEof, &self.at, text))
            }
            Ok(Err(error)) => Err(self.explained(&error)),
            Err(_) => Err(self.s3.silence(&self.at, self.s3.0.patience)),
        }
    }

    fn explained(&self, error: &object_store::Error) -> io::Error {
        let stale = |text| failed(ErrorKind::StaleNetworkFileHandle, &self.at, text);
        match error {
            object_store::Error::Precondition { .. } => stale("it was replaced since it was opened"),
            object_store::Error::NotFound { .. } => stale("it was removed since it was opened"),
            error => self.s3.fault(&self.at, error),
        }
    }
}

impl ReadAt for S3File {
    fn len(&self) -> u64 {
        self.object.size
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let mut read = self.read_ranges(std::slice::from_ref(&range))?;
        Ok(read.pop().unwrap_or_default())
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        for range in ranges {
            check_range(range, self.object.size).map_err(|error| named(&self.at, &error))?;
        }
        // Each part has its own limit.
        let read = runtime::wait(Duration::MAX, fetch(ranges, |range| self.read(range)))?;
        read.ok_or(ErrorKind::TimedOut)?
    }
}
