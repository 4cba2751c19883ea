//! An index over keys: which row is the first that has a key. It is cut by the keys' hashes, so that several
//! threads make it without sharing anything.

use hashbrown::HashTable;
use hivecast_run::Result;

use crate::keys::Keys;
use crate::parallel::Workers;

/// The first row of every key.
pub(crate) struct KeyIndex<'a> {
    keys: &'a Keys,
    /// A key is in the table that its hash says: the hash and the first row.
    tables: Vec<HashTable<(u64, u32)>>,
    /// Rows whose key an earlier row has, with that row.
    repeated: Vec<(u32, u32)>,
}

impl<'a> KeyIndex<'a> {
    /// An index over all rows whose key holds no null.
    pub(crate) fn build(keys: &'a Keys, workers: Workers<'_>) -> Result<Self> {
        let hashes = workers.run_pieces(keys.len(), |rows| {
            let hash = |row| if keys.is_null(row) { 0 } else { keys.hash(row) };
            Ok(rows.map(hash).collect::<Vec<u64>>())
        })?;
        let shares = workers.shares(keys.len());
        let cut = workers.run(shares, |share| {
            let mut table = HashTable::with_capacity(keys.len() / shares);
            let mut repeated = Vec::new();
            for (row, hash) in hashes.iter().flatten().copied().enumerate() {
                workers.check(row)?;
                if share_of(hash, shares) != share || keys.is_null(row) {
                    continue;
                }
                let same = |entry: &(u64, u32)| entry.0 == hash && keys.equal(row, keys, entry.1 as usize);
                match table.find(hash, same) {
                    Some((_, first)) => repeated.push((row as u32, *first)),
                    None => {
                        table.insert_unique(hash, (hash, row as u32), |entry| entry.0);
                    }
                }
            }
            Ok((table, repeated))
        })?;
        let (tables, repeated): (Vec<_>, Vec<_>) = cut.into_iter().unzip();
        Ok(KeyIndex { keys, tables, repeated: repeated.concat() })
    }

    /// The first row that has the key of this row of another table, or of the same.
    pub(crate) fn find(&self, others: &Keys, row: usize) -> Option<u32> {
        if others.is_null(row) {
            return None;
        }
        let hash = others.hash(row);
        let same = |entry: &(u64, u32)| entry.0 == hash && others.equal(row, self.keys, entry.1 as usize);
        self.tables[share_of(hash, self.tables.len())].find(hash, same).map(|entry| entry.1)
    }

    /// For each row the first that has its key; none where every row is the first itself.
    pub(crate) fn firsts(&self) -> Option<Vec<u32>> {
        if self.repeated.is_empty() {
            return None;
        }
        let mut firsts: Vec<u32> = (0..self.keys.len() as u32).collect();
        for (row, first) in &self.repeated {
            firsts[*row as usize] = *first;
        }
        Some(firsts)
    }
}

/// By the upper of the hash's lower 32 bits: tables tell their entries apart by the others.
fn share_of(hash: u64, shares: usize) -> usize {
    ((u64::from(hash as u32) * shares as u64) >> u32::BITS) as usize
}
