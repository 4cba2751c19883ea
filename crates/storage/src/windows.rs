use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::read::ReadAt;

/// Bytes that are fetched at once where few are asked for.
const WINDOW_BYTES: u64 = 512 << 10;

/// A file that is far away, for readers that ask for many small pieces: each column of a Parquet file, say,
/// is read on from where it was, a page header and a page at a time. A small piece is fetched with
/// what follows it, and so many of these windows are kept as there are places that are read at once.
#[derive(Debug)]
pub struct Windows {
    file: Arc<dyn ReadAt>,
    /// The newest is the last.
    kept: Mutex<VecDeque<(u64, Bytes)>>,
    most: usize,
}

impl Windows {
    /// A file that is read at `places` places by turns, at least one.
    pub fn new(file: Arc<dyn ReadAt>, places: usize) -> Windows {
        Windows { file, kept: Mutex::default(), most: places.max(1) }
    }

    fn find(&self, range: &Range<u64>) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().find_map(|(start, bytes)| {
            let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
            let to = from.checked_add(usize::try_from(range.end - range.start).ok()?)?;
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }

    fn keep(&self, start: u64, bytes: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The window that was read to its end, where this one goes on, is used up.
        if let Some(at) =
            kept.iter().position(|(other, bytes)| (*other..=other + bytes.len() as u64).contains(&start))
        {
            kept.remove(at);
        } else if kept.len() >= self.most {
            kept.pop_front();
        }
        kept.push_back((start, bytes));
    }
}

impl ReadAt for Windows {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = range.end.saturating_sub(range.start);
        let window = range.start..self.len().min(range.start.saturating_add(WINDOW_BYTES));
        if length >= WINDOW_BYTES || range.end > window.end {
            return self.file.read_at(range);
        }
        if let Some(found) = self.find(&range) {
            return Ok(found);
        }
        let bytes = self.file.read_at(window)?;
        self.keep(range.start, bytes.clone());
        Ok(bytes.slice(..usize::try_from(length).map_err(io::Error::other)?))
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        self.file.read_ranges(ranges)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::read::check_range;

    /// Counts how often it is read.
    #[derive(Debug)]
    struct Counted(Bytes, AtomicUsize);

    impl ReadAt for Counted {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
            check_range(&range, self.len())?;
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(self.0.slice(range.start as usize..range.end as usize))
        }
    }

    #[test]
    fn places_that_are_read_by_turns_are_fetched_a_window_at_a_time() {
        let size = 8 * WINDOW_BYTES as usize + 77;
        let content: Bytes = (0..size).map(|at| (at % 251) as u8).collect();
        let counted = Arc::new(Counted(content.clone(), AtomicUsize::new(0)));
        let file = Windows::new(Arc::clone(&counted) as Arc<dyn ReadAt>, 2);
        let step = 1000;
        for at in (0..4 * WINDOW_BYTES as usize).step_by(step) {
            for start in [at, at + size / 2] {
                let end = (start + step).min(size);
                let bytes = file.read_at(start as u64..end as u64).unwrap();
                assert_eq!(bytes, content.slice(start..end));
            }
        }
        // Two places of four windows each; a piece across a border begins a new one.
        let reads = counted.1.load(Ordering::Relaxed);
        assert!((8..=12).contains(&reads), "{reads} reads");
        assert!(file.read_at(size as u64 - 1..size as u64 + 1).is_err());
        let all = file.read_at(0..size as u64).unwrap();
        assert_eq!(all, content);
    }
}
