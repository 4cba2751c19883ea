use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, ReadAt, Scheme, Sequential, Storage, Windows};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes that are read ahead where a reader asks for a stream: it is after a page's header.
const STREAM_BYTES: u64 = 8 << 10;
/// Columns of a file that is far away that are read by turns without one being fetched twice; each may
/// hold a window of half a MiB.
const PLACES: usize = 64;

/// A file for readers that turn every error into text, by which a broken disk could not be told from a
/// broken file: it remembers a failed read of its store.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    file: Arc<dyn ReadAt>,
    failure: Arc<OnceLock<(io::ErrorKind, String)>>,
}

impl Disk {
    pub(crate) fn open(storage: &dyn Storage, path: &Location) -> Result<Disk> {
        Ok(Disk { file: open_file(storage, path)?, failure: Arc::default() })
    }

    /// The failed read of the store, if there was one.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.get().map(|(kind, text)| io::Error::new(*kind, text.clone()))
    }

    fn note(&self, error: io::Error) -> io::Error {
        let _ = self.failure.set((error.kind(), error.to_string()));
        error
    }
}

/// Opens a file of a partition. One that lies on another machine is fetched in larger pieces than are
/// asked for.
pub(crate) fn open_file(storage: &dyn Storage, path: &Location) -> Result<Arc<dyn ReadAt>> {
    let file = storage.open(path).map_err(|error| Fault::io(format!("failed to open {path}"), error))?;
    Ok(match path.scheme() {
        Scheme::File => file,
        Scheme::Hdfs | Scheme::S3 => Arc::new(Windows::new(file, PLACES)),
    })
}

impl ReadAt for Disk {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read_at(&self, range: std::ops::Range<u64>) -> io::Result<Bytes> {
        self.file.read_at(range).map_err(|error| self.note(error))
    }

    fn read_ranges(&self, ranges: &[std::ops::Range<u64>]) -> io::Result<Vec<Bytes>> {
        self.file.read_ranges(ranges).map_err(|error| self.note(error))
    }
}

impl Length for Disk {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Disk {
    type T = Sequential;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(Sequential::new(Arc::new(self.clone()), start, STREAM_BYTES))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        // Lengths come from the file: believed only as far as the file goes.
        let end = start.checked_add(length as u64).filter(|end| *end <= self.file.len());
        let Some(end) = end else {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} lie beyond the file's end at {}",
                self.file.len()
            )));
        };
        Ok(self.read_at(start..end)?)
    }
}
