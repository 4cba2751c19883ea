//! Documents of an edition that are not sent: set aside by a gate after the shards were written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use hivecast_contract::key_hash;
use hivecast_run::{Fault, Result};
use serde::{Deserialize, Serialize};

use crate::Edition;
use crate::edition::rebuild;
use crate::files::{read_if_there, write_atomically};
use crate::reader::Columns;

/// The list's file.
const EXCLUSIONS_FILE: &str = "excluded.json";

/// A document to set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Its key.
    pub key: String,
    /// Why, as people read it.
    pub reason: String,
}

/// A document that is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// CRC-32 of its key.
    pub hash: u32,
    /// Its key.
    pub key: String,
    /// How many documents of the edition come before it, excluded ones counted.
    pub ordinal: u64,
    /// Why, as people read it.
    pub reason: String,
}

/// An edition's excluded documents, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exclusions(Vec<Excluded>);

impl Exclusions {
    /// The list beside an edition; empty where there is none.
    pub(crate) fn read(edition: &Path) -> Result<Exclusions> {
        let path = edition.join(EXCLUSIONS_FILE);
        let Some(json) = read_if_there(&path)? else { return Ok(Exclusions::default()) };
        let damaged = || Fault::data(format!("failed to read {}", path.display())).advise(rebuild(edition));
        let list: Vec<Excluded> = serde_json::from_slice(&json).map_err(|error| damaged().because(error))?;
        if !list.is_sorted_by(|a, b| a.ordinal < b.ordinal) {
            return Err(damaged().because("it is not in the edition's order"));
        }
        Ok(Exclusions(list))
    }

    /// Finds each document's place, in one pass over the keys. A key that is named twice keeps its
    /// first reason; one that the edition lacks is passed over.
    pub(crate) fn resolve(edition: &Edition, exclusions: Vec<Exclusion>) -> Result<Exclusions> {
        let mut wanted: BTreeMap<(u32, String), String> = BTreeMap::new();
        for Exclusion { key, reason } in exclusions {
            wanted.entry((key_hash(key.as_bytes()), key)).or_insert(reason);
        }
        let mut resolved = Vec::with_capacity(wanted.len());
        let mut reader = edition.reader_of_all(0, Columns::Keys)?;
        while !wanted.is_empty() {
            let Some(batch) = reader.next().transpose()? else { break };
            for (row, &hash) in batch.hash.values().iter().enumerate() {
                let at = (hash, batch.key.value(row));
                while let Some(first) = wanted.first_entry()
                    && (first.key().0, first.key().1.as_str()) <= at
                {
                    let ((hash, key), reason) = first.remove_entry();
                    if key == at.1 {
                        resolved.push(Excluded { hash, key, ordinal: batch.ordinal + row as u64, reason });
                    }
                }
            }
        }
        Ok(Exclusions(resolved))
    }

    /// Writes the list beside the edition, once. See [`Edition::exclude`].
    pub(crate) fn write(self, edition: &Path) -> Result<Exclusions> {
        let path = edition.join(EXCLUSIONS_FILE);
        if path.exists() {
            if Exclusions::read(edition)? == self {
                return Ok(self);
            }
            return Err(Fault::conflict(format!(
                "{} already excludes other documents than those that the gates find now",
                edition.display()
            ))
            .advise(
                "the feed's or the target's limit changed since the edition was judged, and part of it may have \
                 been sent; restore the limit, or publish a new edition with --replace",
            ));
        }
        if self.0.is_empty() {
            return Ok(self);
        }
        let json = serde_json::to_vec_pretty(&self.0)
            .map_err(|error| Fault::bug("failed to encode excluded.json").because(error))?;
        write_atomically(&path, &json)?;
        Ok(self)
    }

    pub(crate) fn as_slice(&self) -> &[Excluded] {
        &self.0
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// How many lie before a gross ordinal: one that counts excluded documents.
    pub(crate) fn before(&self, gross: u64) -> u64 {
        self.0.partition_point(|excluded| excluded.ordinal < gross) as u64
    }

    /// Those in a range of gross ordinals.
    pub(crate) fn within(&self, gross: Range<u64>) -> &[Excluded] {
        &self.0[self.before(gross.start) as usize..self.before(gross.end) as usize]
    }

    /// The net ordinal of a gross one, unless that document is excluded.
    pub(crate) fn net(&self, gross: u64) -> Option<u64> {
        self.within(gross..gross + 1).is_empty().then(|| gross - self.before(gross))
    }

    /// The gross ordinal of a net one.
    pub(crate) fn gross(&self, net: u64) -> u64 {
        let (mut low, mut high) = (0, self.0.len());
        while low < high {
            let middle = low + (high - low) / 2;
            // The documents before this one that are sent.
            if self.0[middle].ordinal - middle as u64 <= net {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        net + low as u64
    }
}
