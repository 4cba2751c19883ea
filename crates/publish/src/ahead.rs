//! Reading and encoding on a thread of its own, a few blocks ahead of the sender.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use hivecast_contract::EditionId;
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
        bases: Vec<EditionId>,
        position: u64,
    ) -> Self {
        let (send_full, full) = sync_channel(READ_AHEAD_BLOCKS);
        let (empty, take_empty) = channel();
        let reader = scope.spawn(move || {
            if let Err(fault) = read(entries, &bases, position, &send_full, &take_empty) {
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
    bases: &[EditionId],
    position: u64,
    full: &SyncSender<Result<Block>>,
    empty: &Receiver<Block>,
) -> Result<()> {
    let mut blocks = entries.open(bases, position)?;
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
