//! Where one transaction ends and the next begins.

use hivecast_feed::{Atomicity, Chunks};

/// Measures a chunk while it fills. Where it ends depends on the records since its start and on the
/// feed's limits alone, so that a chunk done again after a crash is the same chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    limits: Chunks,
    records: u64,
    bytes: u64,
}

impl Meter {
    pub(crate) fn new(limits: Chunks) -> Self {
        Meter { limits, records: 0, bytes: 0 }
    }

    /// Whether a record of so many bytes belongs to this chunk. The first one always does: a record
    /// larger than the limit is a chunk of its own.
    pub(crate) fn admits(&self, bytes: u64) -> bool {
        match self.limits.atomic {
            Atomicity::Edition => true,
            Atomicity::Chunk => {
                self.records == 0
                    || (self.records < self.limits.records
                        && self.bytes.saturating_add(bytes) <= self.limits.bytes)
            }
        }
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(limits: Chunks, sizes: &[u64]) -> Vec<Vec<u64>> {
        let mut chunks = vec![];
        let mut meter = Meter::new(limits);
        let mut chunk = vec![];
        for size in sizes {
            if !meter.admits(*size) {
                chunks.push(std::mem::take(&mut chunk));
                meter = Meter::new(limits);
            }
            meter.add(*size);
            chunk.push(*size);
        }
        chunks.push(chunk);
        chunks
    }

    #[test]
    fn whichever_limit_comes_first_ends_the_chunk() {
        let limits = Chunks { records: 3, bytes: 10, atomic: Atomicity::Chunk };
        assert_eq!(cut(limits, &[1, 1, 1, 1]), [vec![1, 1, 1], vec![1]], "records");
        assert_eq!(cut(limits, &[5, 5, 1]), [vec![5, 5], vec![1]], "bytes, reached exactly");
        assert_eq!(cut(limits, &[6, 5, 1]), [vec![6], vec![5, 1]], "bytes, not passed");
        assert_eq!(cut(limits, &[1, 99, 1]), [vec![1], vec![99], vec![1]], "a giant is alone");
    }

    #[test]
    fn an_atomic_edition_is_one_chunk() {
        let limits = Chunks { records: 1, bytes: 1, atomic: Atomicity::Edition };
        assert_eq!(cut(limits, &[5, 5, 5]), [vec![5, 5, 5]]);
    }
}
