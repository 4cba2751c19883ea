use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hivecast_run::{Fault, Result};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// A file for the Parquet reader that reads at offsets, so that nothing depends on a shared cursor,
/// and that remembers a failed read of the disk: the Parquet reader turns every error into text, by
/// which a broken disk could not be told from a broken file.
#[derive(Clone)]
pub(crate) struct Disk {
    file: Arc<File>,
    size: u64,
    failure: Arc<OnceLock<(io::ErrorKind, String)>>,
}

impl Disk {
    pub(crate) fn open(path: &Path) -> Result<Disk> {
        let failed = |error| Fault::io(format!("failed to open {}", path.display()), error);
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        Ok(Disk { file: Arc::new(file), size, failure: Arc::default() })
    }

    /// The failed read of the disk, if there was one.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.get().map(|(kind, text)| io::Error::new(*kind, text.clone()))
    }

    fn note(&self, error: io::Error) -> io::Error {
        let _ = self.failure.set((error.kind(), error.to_string()));
        error
    }
}

impl Length for Disk {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Disk {
    type T = BufReader<DiskReader>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(DiskReader { disk: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        // Lengths come from the file: believed only as far as the file goes.
        let fits = start.checked_add(length as u64).is_some_and(|end| end <= self.size);
        if !fits {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} lie beyond the file's end at {}",
                self.size
            )));
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start).map_err(|error| self.note(error))?;
        Ok(buffer.into())
    }
}

/// Reads on from an offset.
pub(crate) struct DiskReader {
    disk: Disk,
    at: u64,
}

impl Read for DiskReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.disk.file.read_at(buffer, self.at).map_err(|error| self.disk.note(error))?;
        self.at += count as u64;
        Ok(count)
    }
}
