//! An edition's documents, encoded, and tombstones for what its bases had.

use hivecast_contract::{EditionId, HashRange, LoadDate};
use hivecast_edition::{Batch, Columns, Edition, EditionReader, MissingKeys, missing_keys_in};
use hivecast_run::{Cancel, Class, Fault, Result};

use crate::encode::Encoder;
use crate::entries::{Block, Blocks, Entries};

/// Finds an edition that an earlier run published. `None` leaves it out: keys that it alone has get
/// no tombstone.
pub type Bases<'a> = dyn Fn(&EditionId) -> Result<Option<Edition>> + Sync + 'a;

/// What to send of an edition: its documents through the encoder, then tombstones.
pub struct EditionEntries<'a> {
    edition: &'a Edition,
    encoder: &'a Encoder,
    bases: &'a Bases<'a>,
    cancel: Cancel,
}

impl<'a> EditionEntries<'a> {
    /// The encoder must be of the edition's feed, fields and stamp.
    pub fn new(edition: &'a Edition, encoder: &'a Encoder, bases: &'a Bases<'a>) -> Self {
        EditionEntries { edition, encoder, bases, cancel: Cancel::default() }
    }

    /// Stops reading when the run is asked to stop.
    #[must_use]
    pub fn until(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    fn tombstones(&self, range: HashRange, bases: &[EditionId], position: u64) -> Result<MissingKeys> {
        let mut found = Vec::new();
        for base in bases {
            let Some(base) = (self.bases)(base)? else { continue };
            base.verify_part_unless(range, &self.cancel).map_err(|fault| advise_on_base(fault, &base))?;
            found.push(base);
        }
        let mut missing = missing_keys_in(&found, self.edition, range)?;
        for _ in 0..position {
            self.cancel.check()?;
            missing.next().transpose()?;
        }
        Ok(missing)
    }
}

impl Entries for EditionEntries<'_> {
    fn edition(&self) -> &EditionId {
        &self.edition.description.id
    }

    fn load_date(&self) -> LoadDate {
        self.edition.description.load_date
    }

    fn documents(&self) -> u64 {
        self.edition.documents()
    }

    fn fingerprint(&self) -> String {
        self.edition.fingerprint()
    }

    fn documents_in(&self, range: HashRange) -> Result<u64> {
        self.edition.documents_in(range)
    }

    fn check(&self, range: HashRange) -> Result<()> {
        self.edition.verify_part_unless(range, &self.cancel)
    }

    fn open(&self, range: HashRange, bases: &[EditionId], position: u64) -> Result<Box<dyn Blocks + '_>> {
        let documents = self.documents_in(range)?;
        let reader = self.edition.reader_of_part(range, position.min(documents), Columns::Documents)?;
        // The bases are looked for now: one that is gone should stop the run before it sends.
        let tombstones = self.tombstones(range, bases, position.saturating_sub(documents))?;
        Ok(Box::new(EditionBlocks { encoder: self.encoder, reader, batch: None, tombstones }))
    }
}

/// The run's own edition is built again by the same command; an older one is not.
fn advise_on_base(fault: Fault, base: &Edition) -> Fault {
    if fault.class() == Class::Interrupted {
        return fault;
    }
    fault.advise(format!(
        "its keys that are gone since need tombstones: remove {} and build load_date {} again with \
         `hivecast build`",
        base.path.display(),
        base.description.load_date
    ))
}

struct EditionBlocks<'a> {
    encoder: &'a Encoder,
    reader: EditionReader,
    /// The batch that is being encoded, and its next row.
    batch: Option<(Batch, usize)>,
    tombstones: MissingKeys,
}

impl Blocks for EditionBlocks<'_> {
    fn fill(&mut self, block: &mut Block) -> Result<()> {
        while !block.is_full() {
            let (batch, row) = match self.batch.take() {
                Some(begun) => begun,
                None => match self.reader.next().transpose()? {
                    Some(batch) => (batch, 0),
                    None => return self.fill_tombstones(block),
                },
            };
            let next = self.encode(&batch, row, block)?;
            self.batch = (next < batch.len()).then_some((batch, next));
        }
        Ok(())
    }
}

impl EditionBlocks<'_> {
    /// Encodes rows from `row` on until the batch ends or the block is full; returns the next row.
    fn encode(&self, batch: &Batch, row: usize, block: &mut Block) -> Result<usize> {
        let Some(documents) = &batch.document else {
            return Err(Fault::bug("failed to encode documents: only keys were read"));
        };
        let prepared = self.encoder.prepare(documents)?;
        for row in row..batch.len() {
            if block.is_full() {
                return Ok(row);
            }
            let key = batch.key.value(row);
            block.push_with(key.as_bytes(), |bytes| prepared.write(row, key, bytes))?;
        }
        Ok(batch.len())
    }

    fn fill_tombstones(&mut self, block: &mut Block) -> Result<()> {
        while !block.is_full() {
            let Some((_, key)) = self.tombstones.next().transpose()? else { break };
            block.push(key.as_bytes(), None);
        }
        Ok(())
    }
}
