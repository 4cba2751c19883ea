//! Reading and encoding on a thread of its own, a few blocks ahead of the sender.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use hivecast_contract::{EditionId, HashRange};
use hivecast_run::{Fault, Result};

use crate::entries::{BLOCK_BYTES, Block, Entries, Entry};

/// About how many encoded bytes wait for the sender at most. Besides these, one block is being
/// filled and one is being sent; a record larger than a block makes its block as large as itself.
const READ_AHEAD_BYTES: usize = 8 << 20;

/// The same in blocks.
const READ_AHEAD_BLOCKS: usize = READ_AHEAD_BYTES / BLOCK_BYTES;

/// The sender's end: the entries one by one, over blocks that are used again.
pub(crate) struct Ahead<'scope> {
    full: Option<Receiver<Result<Block>>>,
    empty: Sender<Block>,
    block: Block,
    next: usize,
    reader: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Ahead<'scope> {
    /// Starts reading at `position`. The thread ends with the entries, at its first error, or when
    /// this end is dropped.
    pub(crate) fn start<'env: 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        entries: &'env dyn Entries,
        range: HashRange,
        bases: Vec<EditionId>,
        position: u64,
    ) -> Self {
        let (send_full, full) = sync_channel(READ_AHEAD_BLOCKS);
        let (empty, take_empty) = channel();
        let reader = scope.spawn(move || {
            if let Err(fault) = read(entries, range, &bases, position, &send_full, &take_empty) {
                // The sender may be gone already, and then nobody asks.
                let _ = send_full.send(Err(fault));
            }
        });
        Ahead { full: Some(full), empty, block: Block::default(), next: 0, reader: Some(reader) }
    }

    /// The entry that is next, if there is any; waits while the reader is behind.
    pub(crate) fn peek(&mut self) -> Result<Option<Entry<'_>>> {
        if self.next == self.block.len() {
            self.take_block()?;
        }
        Ok(self.block.get(self.next))
    }

    /// Goes on behind the entry that was peeked at.
    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    fn take_block(&mut self) -> Result<()> {
        // After the end there is nothing to wait for.
        let Some(full) = &self.full else { return Ok(()) };
        let block = match full.recv() {
            Ok(block) => block?,
            Err(_) => return Err(self.reader_died()),
        };
        if block.is_empty() {
            self.full = None;
        }
        // The reader takes blocks back for as long as it lives.
        let _ = self.empty.send(std::mem::replace(&mut self.block, block));
        self.next = 0;
        Ok(())
    }

    fn reader_died(&mut self) -> Fault {
        self.full = None;
        // A panic was printed where it happened; joining keeps it from ending the whole scope.
        let _ = self.reader.take().map(ScopedJoinHandle::join);
        Fault::bug("failed to read the edition: the reading thread ended without a word")
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        // Hanging up first lets a reader that waits for room go.
        self.full = None;
        let _ = self.reader.take().map(ScopedJoinHandle::join);
    }
}

fn read(
    entries: &dyn Entries,
    range: HashRange,
    bases: &[EditionId],
    position: u64,
    full: &SyncSender<Result<Block>>,
    empty: &Receiver<Block>,
) -> Result<()> {
    let mut blocks = entries.open(range, bases, position)?;
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.clear();
        blocks.fill(&mut block)?;
        let is_end = block.is_empty();
        if full.send(Ok(block)).is_err() || is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use hivecast_contract::LoadDate;

    use super::*;
    use crate::entries::Blocks;

    /// A hundred blocks of one record; then what `end` says.
    struct Many {
        id: EditionId,
        filled: AtomicUsize,
        end: fn() -> Result<()>,
    }

    const BLOCKS: usize = 100;

    impl Many {
        fn new(end: fn() -> Result<()>) -> Self {
            Many { id: EditionId("many".into()), filled: AtomicUsize::new(0), end }
        }
    }

    impl Entries for Many {
        fn edition(&self) -> &EditionId {
            &self.id
        }

        fn load_date(&self) -> LoadDate {
            LoadDate::new(2026, 11, 22).unwrap()
        }

        fn documents(&self) -> u64 {
            BLOCKS as u64
        }

        fn documents_in(&self, _range: HashRange) -> Result<u64> {
            Ok(self.documents())
        }

        fn open(
            &self,
            _range: HashRange,
            _bases: &[EditionId],
            position: u64,
        ) -> Result<Box<dyn Blocks + '_>> {
            Ok(Box::new(Rest { of: self, next: position as usize }))
        }
    }

    struct Rest<'a> {
        of: &'a Many,
        next: usize,
    }

    impl Blocks for Rest<'_> {
        fn fill(&mut self, block: &mut Block) -> Result<()> {
            if self.next == BLOCKS {
                return (self.of.end)();
            }
            block.push(self.next.to_string().as_bytes(), None);
            self.next += 1;
            self.of.filled.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    fn take(ahead: &mut Ahead<'_>) -> Result<Option<String>> {
        let key = ahead.peek()?.map(|entry| String::from_utf8(entry.key.to_vec()).unwrap());
        ahead.advance();
        Ok(key)
    }

    #[test]
    fn entries_come_in_order_from_the_position_and_then_end() {
        let many = Many::new(|| Ok(()));
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, &many, HashRange::WHOLE, vec![], 97);
            for expected in ["97", "98", "99"] {
                assert_eq!(take(&mut ahead).unwrap().as_deref(), Some(expected));
            }
            for _ in 0..3 {
                assert!(ahead.peek().unwrap().is_none(), "the end stays the end");
            }
        });
    }

    #[test]
    fn the_reader_is_never_further_ahead_than_the_bound() {
        let many = Many::new(|| Ok(()));
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, &many, HashRange::WHOLE, vec![], 0);
            for taken in 1..=20 {
                take(&mut ahead).unwrap();
                // Those that wait, and the one that waits for room.
                let most = taken + READ_AHEAD_BLOCKS + 1;
                let deadline = Instant::now() + Duration::from_secs(10);
                while many.filled.load(Ordering::SeqCst) < most && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::thread::sleep(Duration::from_millis(2));
                assert_eq!(many.filled.load(Ordering::SeqCst), most);
            }
        });
    }

    #[test]
    fn dropping_the_sender_ends_a_reader_that_waits() {
        let many = Many::new(|| Ok(()));
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, &many, HashRange::WHOLE, vec![], 0);
            take(&mut ahead).unwrap();
        });
        assert!(many.filled.load(Ordering::SeqCst) < BLOCKS);
    }

    #[test]
    fn an_error_comes_behind_the_entries_before_it() {
        let many = Many::new(|| Err(Fault::data("no more")));
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, &many, HashRange::WHOLE, vec![], 98);
            assert!(take(&mut ahead).unwrap().is_some() && take(&mut ahead).unwrap().is_some());
            assert_eq!(ahead.peek().unwrap_err().to_string(), "no more");
        });
    }

    #[test]
    fn a_reader_that_panics_is_our_bug() {
        let many = Many::new(|| panic!("as the test asks"));
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, &many, HashRange::WHOLE, vec![], 99);
            assert!(take(&mut ahead).unwrap().is_some());
            assert_eq!(ahead.peek().unwrap_err().class(), hivecast_run::Class::Bug);
        });
    }
}
