use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// A file that is read at offsets, from any thread. What it holds was fixed when it was opened, as
/// far as its store can tell: a file that was replaced or removed since is an error of the kind
/// `StaleNetworkFileHandle` where the store notices.
#[expect(clippy::len_without_is_empty, reason = "an empty file is a file like others")]
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Bytes.
    fn len(&self) -> u64;

    /// Just these bytes. `UnexpectedEof` where they go beyond the end.
    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes>;

    /// Several ranges at once, in the order in which they are asked for; a store that is far away
    /// fetches neighbours together.
    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        ranges.iter().map(|range| self.read_at(range.clone())).collect()
    }
}

/// `UnexpectedEof`, unless the range lies in a file of that size.
pub(crate) fn check_range(range: &Range<u64>, size: u64) -> io::Result<()> {
    if range.start <= range.end && range.end <= size {
        return Ok(());
    }
    let text = format!("bytes {} to {} lie beyond the file's end at {size}", range.start, range.end);
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
}

/// Reads a file from an offset to its end, a block at a time.
#[derive(Debug)]
pub struct Sequential {
    file: Arc<dyn ReadAt>,
    /// The offset of the first byte after `block`.
    next: u64,
    block: Bytes,
    block_bytes: u64,
}

impl Sequential {
    /// From the offset on, `block_bytes` (at least 1) at a time.
    pub fn new(file: Arc<dyn ReadAt>, offset: u64, block_bytes: u64) -> Sequential {
        Sequential { file, next: offset, block: Bytes::new(), block_bytes: block_bytes.max(1) }
    }
}

impl Read for Sequential {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() && self.next < self.file.len() {
            let end = self.file.len().min(self.next.saturating_add(self.block_bytes));
            self.block = self.file.read_at(self.next..end)?;
            self.next = end;
        }
        let count = buffer.len().min(self.block.len());
        buffer[..count].copy_from_slice(&self.block.split_to(count));
        Ok(count)
    }
}
