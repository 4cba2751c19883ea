use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::read::ReadAt;

/// Bytes that are fetched at once where few are asked for.
const WINDOW_BYTES: u64 = 512 << 10;
/// Bytes of a file's end that are fetched at once, and so the size of a file that is fetched whole: footers say
/// at their end how long they are, and each piece that is asked for after another is a way there and back.
const TAIL_BYTES: u64 = 64 << 10;

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
            let to = from.checked_add(usize::try_from(range.end.checked_sub(range.start)?).ok()?)?;
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }

    /// What is fetched where this is asked for.
    fn around(&self, range: &Range<u64>) -> Range<u64> {
        let tail = self.len().saturating_sub(TAIL_BYTES)..self.len();
        if tail.start == 0 || (range.end == tail.end && range.start >= tail.start) {
            return tail;
        }
        range.start..self.len().min(range.start.saturating_add(WINDOW_BYTES))
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
        let window = self.around(&range);
        if length >= WINDOW_BYTES || range.start < window.start || range.end > window.end {
            return self.file.read_at(range);
        }
        if let Some(found) = self.find(&range) {
            return Ok(found);
        }
        let bytes = self.file.read_at(window.clone())?;
        self.keep(window.start, bytes.clone());
        let from = usize::try_from(range.start - window.start).map_err(io::Error::other)?;
        Ok(bytes.slice(from..from + usize::try_from(length).map_err(io::Error::other)?))
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        let kept: Option<Vec<Bytes>> = ranges.iter().map(|range| self.find(range)).collect();
        kept.map_or_else(|| self.file.read_ranges(ranges), Ok)
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

    fn content(size: usize) -> Bytes {
        (0..size).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn small_files_and_the_ends_of_large_ones_are_fetched_once() {
        let small = TAIL_BYTES as usize;
        for (size, first) in [(small, small - 8), (small, 0), (9 * small, 9 * small - 8)] {
            let all = content(size);
            let counted = Arc::new(Counted(all.clone(), AtomicUsize::new(0)));
            let file = Windows::new(Arc::clone(&counted) as Arc<dyn ReadAt>, 2);
            let slice = |from: usize, to: usize| {
                assert_eq!(
                    file.read_at(from as u64..to as u64).unwrap(),
                    all.slice(from..to),
                    "{from} to {to}"
                );
            };
            slice(first, first + 8);
            slice(size - 5000, size - 8);
            slice(size - small, size - small + 1);
            let (a, b) = (size - 300..size - 200, size - 100..size);
            let ranges = [a.start as u64..a.end as u64, b.start as u64..b.end as u64];
            assert_eq!(file.read_ranges(&ranges).unwrap(), [all.slice(a), all.slice(b)]);
            assert_eq!(counted.1.load(Ordering::Relaxed), 1, "{size} from {first}");
        }
    }

    #[test]
    fn what_lies_beyond_the_end_is_an_error() {
        let file = Windows::new(Arc::new(Counted(content(10), AtomicUsize::new(0))), 2);
        assert!(file.read_at(5..11).is_err());
        assert!(file.read_at(11..12).is_err());
        assert_eq!(file.read_at(10..10).unwrap(), Bytes::new());
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
