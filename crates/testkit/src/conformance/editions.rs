//! Editions in memory, small enough to think about.

use std::collections::BTreeMap;

use hivecast_contract::{EditionId, HashRange, LoadDate, key_hash};
use hivecast_publish::{Block, Blocks, Entries};
use hivecast_run::{Fault, Result};

/// How many records the blocks of these editions hold: few, so that small editions have several.
const BLOCK_RECORDS: usize = 3;

/// An edition: documents in the order of (crc32(key), key).
#[derive(Clone, Debug)]
pub struct Edition {
    /// Its name.
    pub id: EditionId,
    /// Its day.
    pub load_date: LoadDate,
    /// By (hash, key).
    documents: BTreeMap<(u32, String), Vec<u8>>,
}

/// A record as it should be sent: key and value, `None` for a tombstone.
pub type Sent = (String, Option<Vec<u8>>);

impl Edition {
    /// An edition of the `day`th of November 2026.
    pub fn new<K: Into<String>, V: Into<Vec<u8>>>(
        id: &str,
        day: u8,
        documents: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let documents = documents.into_iter().map(|(key, value)| {
            let key = key.into();
            ((key_hash(key.as_bytes()), key), value.into())
        });
        Edition {
            id: EditionId(id.to_owned()),
            load_date: LoadDate::new(2026, 11, day).expect("a day of November"),
            documents: documents.collect(),
        }
    }

    /// An edition whose keys are `k0`, `k1`, … of the range, and whose documents name the edition.
    pub fn numbered(id: &str, day: u8, keys: std::ops::Range<u32>) -> Self {
        Edition::new(id, day, keys.map(|n| (format!("k{n}"), format!(r#"{{"n":{n},"of":"{id}"}}"#))))
    }

    /// The documents by key.
    pub fn live(&self) -> BTreeMap<String, Vec<u8>> {
        self.documents.iter().map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// The publish order over these bases.
    pub fn sequence(&self, bases: &[&Edition]) -> Vec<Sent> {
        let documents = self.documents.iter().map(|((_, key), value)| (key.clone(), Some(value.clone())));
        let mut gone: Vec<_> = bases
            .iter()
            .flat_map(|base| base.documents.keys())
            .filter(|key| !self.documents.contains_key(key))
            .collect();
        gone.sort();
        gone.dedup();
        documents.chain(gone.into_iter().map(|(_, key)| (key.clone(), None))).collect()
    }
}

/// Editions by name, as a store keeps them.
#[derive(Clone, Debug, Default)]
pub struct Editions(BTreeMap<EditionId, Edition>);

impl Editions {
    /// A store of these.
    pub fn of(editions: impl IntoIterator<Item = Edition>) -> Self {
        Editions(editions.into_iter().map(|edition| (edition.id.clone(), edition)).collect())
    }

    /// Adds an edition.
    pub fn add(&mut self, edition: Edition) {
        self.0.insert(edition.id.clone(), edition);
    }

    /// The edition of that name.
    ///
    /// # Panics
    /// When there is none: the case is wrong.
    pub fn get(&self, id: &str) -> &Edition {
        self.0.get(&EditionId(id.to_owned())).unwrap_or_else(|| panic!("the case has no edition {id}"))
    }

    /// What `publish` sends for the edition of that name.
    pub fn entries(&self, id: &str) -> impl Entries + '_ {
        Source { store: self, edition: self.get(id) }
    }

    /// The publish order of an edition over bases, by name.
    pub fn sequence(&self, id: &str, bases: &[&str]) -> Vec<Sent> {
        let bases: Vec<&Edition> = bases.iter().map(|base| self.get(base)).collect();
        self.get(id).sequence(&bases)
    }
}

struct Source<'a> {
    store: &'a Editions,
    edition: &'a Edition,
}

impl Entries for Source<'_> {
    fn edition(&self) -> &EditionId {
        &self.edition.id
    }

    fn load_date(&self) -> LoadDate {
        self.edition.load_date
    }

    fn documents(&self) -> u64 {
        self.edition.documents.len() as u64
    }

    fn documents_in(&self, range: HashRange) -> Result<u64> {
        Ok(self.edition.documents.keys().filter(|(hash, _)| range.contains(*hash)).count() as u64)
    }

    fn open(&self, range: HashRange, bases: &[EditionId], position: u64) -> Result<Box<dyn Blocks + '_>> {
        let bases: Result<Vec<&Edition>> = bases
            .iter()
            .map(|base| {
                self.store.0.get(base).ok_or_else(|| Fault::data(format!("failed to find edition {base}")))
            })
            .collect();
        let sequence = self.edition.sequence(&bases?);
        let part = sequence.into_iter().filter(|(key, _)| range.contains(key_hash(key.as_bytes())));
        let rest = part.skip(usize::try_from(position).unwrap_or(usize::MAX));
        Ok(Box::new(Rest(rest.collect::<Vec<_>>().into_iter())))
    }
}

struct Rest(std::vec::IntoIter<Sent>);

impl Blocks for Rest {
    fn fill(&mut self, block: &mut Block) -> Result<()> {
        for (key, value) in self.0.by_ref().take(BLOCK_RECORDS) {
            block.push(key.as_bytes(), value.as_deref());
        }
        Ok(())
    }
}
