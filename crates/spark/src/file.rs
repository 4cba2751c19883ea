//! A Parquet file in a store, read where its reader asks: the footer, then a row group's columns.

use std::sync::Arc;

use bytes::Bytes;
use hivecast_storage::{Location, ReadAt, Scheme, Sequential, Storage, Windows};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes that are read ahead where a reader asks for a stream: it is after a page's header.
const STREAM_BYTES: u64 = 8 << 10;
/// Columns of a file that is far away that are read by turns without one being fetched twice.
const PLACES: usize = 64;

#[derive(Debug)]
pub(crate) struct ParquetFile(Arc<dyn ReadAt>);

impl ParquetFile {
    pub(crate) fn open(storage: &dyn Storage, location: &Location) -> std::io::Result<ParquetFile> {
        let file = storage.open(location)?;
        Ok(ParquetFile(match location.scheme() {
            Scheme::File => file,
            Scheme::Hdfs | Scheme::S3 => Arc::new(Windows::new(file, PLACES)),
        }))
    }
}

impl Length for ParquetFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for ParquetFile {
    type T = Sequential;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(Sequential::new(Arc::clone(&self.0), start, STREAM_BYTES))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.checked_add(length as u64).ok_or_else(|| {
            ParquetError::EOF(format!("{length} bytes at {start} lie beyond any file's end"))
        })?;
        // A read beyond the file's end fails.
        Ok(self.0.read_at(start..end)?)
    }
}
