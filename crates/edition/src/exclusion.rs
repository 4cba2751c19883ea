//! Documents of an edition that are not sent: set aside by a gate after the shards were written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use hivecast_contract::key_hash;
use hivecast_run::{Fault, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::Edition;
use crate::description::Description;
use crate::edition::rebuild;
use crate::files::{read_if_there, write_atomically};
use crate::reader::Columns;

/// The list's file.
const EXCLUSIONS_FILE: &str = "excluded.json";

/// Has an edition that takes an equal one's place set aside the same documents: part of it may be sent,
/// with the list that there was. Judging the new one writes the list anew, where it may.
pub(crate) fn keep(old: &Path, new: &Path, description: &Description) -> Result<()> {
    let is_equal = |old: Edition| {
        (old.description.documents, &old.description.checksum)
            == (description.documents, &description.checksum)
    };
    if !Edition::open(old).is_ok_and(is_equal) {
        return Ok(());
    }
    match read_if_there(&old.join(EXCLUSIONS_FILE))? {
        Some(list) => write_atomically(&new.join(EXCLUSIONS_FILE), &list),
        None => Ok(()),
    }
}

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

/// What was sent of an edition before documents are set aside: ordinals count without those, so the
/// list must not change under a run that stopped halfway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent<'a> {
    /// No target was asked: a list that is there stays.
    Unknown,
    /// Nothing, or what was sent is going to be sent again from the start: the list is written anew.
    Nothing,
    /// Part of it, with this [`Edition::fingerprint`]: another list is a conflict. Where it is empty,
    /// since an older program sent the part, the list that is there counts.
    Entries(&'a str),
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

    /// Writes the list beside the edition, an empty one too, and returns the one that counts. See
    /// [`Edition::exclude`].
    pub(crate) fn write(self, edition: &Edition, sent: Sent<'_>) -> Result<Exclusions> {
        let path = edition.path.join(EXCLUSIONS_FILE);
        let is_same = match sent {
            Sent::Nothing => true,
            Sent::Unknown if path.exists() => return Exclusions::read(&edition.path),
            Sent::Entries("") if path.exists() => Exclusions::read(&edition.path)?.names_the_same(&self),
            Sent::Unknown | Sent::Entries("") => true,
            Sent::Entries(fingerprint) => self.fingerprint(edition) == fingerprint,
        };
        if !is_same {
            return Err(Fault::conflict(format!(
                "edition {} is sent, or part of it, and the gates now exclude other documents of it than then",
                edition.description.id
            ))
            .advise(
                "the feed's or the target's limit changed in between: restore it and publish the edition to its \
                 end, or publish with --replace, which sends it from the start",
            ));
        }
        let json = serde_json::to_vec_pretty(&self.0)
            .map_err(|error| Fault::bug("failed to encode excluded.json").because(error))?;
        write_atomically(&path, &json)?;
        Ok(self)
    }

    /// Whether the same documents are set aside, for whatever reason.
    fn names_the_same(&self, other: &Exclusions) -> bool {
        let ordinals = |list: &Exclusions| list.0.iter().map(|excluded| excluded.ordinal).collect::<Vec<_>>();
        ordinals(self) == ordinals(other)
    }

    /// See [`Edition::fingerprint`]. Reasons are left out: they name limits, which may change while
    /// the documents stay the same.
    pub(crate) fn fingerprint(&self, edition: &Edition) -> String {
        let mut hash = Xxh3::new();
        hash.update(&edition.description.documents.to_le_bytes());
        hash.update(edition.description.checksum.as_bytes());
        for excluded in &self.0 {
            hash.update(&excluded.ordinal.to_le_bytes());
        }
        format!("{:016x}", hash.digest())
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
