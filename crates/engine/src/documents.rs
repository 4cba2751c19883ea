//! From the root level in memory to documents in the edition's order, and on into shards.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringViewArray, StructArray, UInt32Array, UInt64Array};
use hivecast_contract::key_hash;
use hivecast_edition::{Exclusion, ShardWriter};
use hivecast_run::{Context, Fault, Result};

use crate::gather::{Content, Level, taken};
use crate::group::Found;
use crate::job::Aside;
use crate::progress::Progress;
use crate::row_gates::{MAX_EXAMPLES, row_json};
use hivecast_sql::to_text;

/// Most documents that are gathered at a time.
const BATCH_DOCUMENTS: usize = 8_192;
/// Most rows, of all levels, that are gathered at a time; a single larger document goes alone.
const BATCH_ROWS: usize = 32_768;

/// The root's rows in the edition's order, without those that have no key or one that an earlier
/// row has.
pub(crate) struct Order {
    rows: Vec<u32>,
    hashes: Vec<u32>,
    keys: ArrayRef,
    pub(crate) findings: KeyFindings,
}

/// What is wrong with document keys.
#[derive(Debug, Default)]
pub(crate) struct KeyFindings {
    /// Rows without a key.
    pub(crate) null_rows: Vec<u32>,
    /// Rows whose key an earlier row has.
    pub(crate) surplus_rows: Vec<u32>,
    /// The first rows of keys that more than one row has, with the number of rows.
    pub(crate) duplicates: Vec<(u32, u32)>,
}

/// The key findings of a whole edition.
#[derive(Debug, Default)]
pub(crate) struct KeySummary {
    pub(crate) nulls: u64,
    pub(crate) surplus: u64,
    pub(crate) examples: Vec<String>,
    /// How many documents were excluded because their key is not theirs alone.
    pub(crate) excluded: u64,
}

impl Order {
    /// Orders the level's rows by (CRC-32 of the key's text, the text's bytes). Rows of one key are told
    /// apart by their numbers in the input, or where there are none, by their places.
    pub(crate) fn new(level: &Level<'_>, numbers: Option<&ArrayRef>) -> Result<Self> {
        let key = key_slot(level)?;
        let keys = to_text(&key)?;
        let text = keys.as_string_view();
        let mut findings = KeyFindings::default();
        let mut order: Vec<(u32, u32)> = Vec::with_capacity(level.len);
        for row in 0..level.len {
            if text.is_null(row) {
                findings.null_rows.push(row as u32);
            } else {
                order.push((key_hash(text.value(row).as_bytes()), row as u32));
            }
        }
        order.sort_unstable();
        order_ties(&mut order, text, numbers.map(|numbers| numbers.as_primitive()));
        drop_repeated(&mut order, text, &mut findings);
        let (hashes, rows) = order.into_iter().unzip();
        Ok(Order { rows, hashes, keys, findings })
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The least and the greatest CRC-32.
    pub(crate) fn ends(&self) -> [Option<u32>; 2] {
        [self.hashes.first().copied(), self.hashes.last().copied()]
    }

    /// Writes the documents at `range` of the order.
    pub(crate) fn write(
        &self,
        level: &Level<'_>,
        range: std::ops::Range<usize>,
        shard: &mut ShardWriter,
        progress: &Progress,
        context: &Context<'_>,
    ) -> Result<()> {
        let mut start = range.start;
        while start < range.end {
            context.check_cancelled()?;
            let end = self.batch_end(level, start, range.end);
            let (hashes, keys, documents) = self.batch(level, start..end)?;
            shard.write(&hashes, &keys, &documents)?;
            progress.written(level.plan, &documents, context)?;
            start = end;
        }
        Ok(())
    }

    /// Hashes, keys and documents at `range` of the order.
    pub(crate) fn batch(
        &self,
        level: &Level<'_>,
        range: std::ops::Range<usize>,
    ) -> Result<(UInt32Array, ArrayRef, StructArray)> {
        let rows = UInt32Array::from(self.rows[range.clone()].to_vec());
        let hashes = UInt32Array::from(self.hashes[range].to_vec());
        Ok((hashes, taken(&self.keys, &rows)?, level.gather(&rows)?))
    }

    fn batch_end(&self, level: &Level<'_>, start: usize, limit: usize) -> usize {
        let mut rows = 0;
        let mut end = start;
        while end < limit && end - start < BATCH_DOCUMENTS {
            rows += level.weight(self.rows[end]);
            if rows > BATCH_ROWS && end > start {
                break;
            }
            end += 1;
        }
        end
    }
}

impl KeySummary {
    /// Writes the rows that can't be documents to the quarantine, and adds them up.
    pub(crate) fn add(
        &mut self,
        level: &Level<'_>,
        order: &Order,
        found: Found,
        aside: &dyn Aside,
    ) -> Result<()> {
        let findings = &order.findings;
        self.nulls += findings.null_rows.len() as u64;
        self.surplus += findings.surplus_rows.len() as u64;
        let keys = order.keys.as_string_view();
        for (row, rows) in findings.duplicates.iter().take(MAX_EXAMPLES.saturating_sub(self.examples.len())) {
            self.examples.push(format!("{} ({rows} rows)", keys.value(*row as usize)));
        }
        if found == Found::Counted {
            return Ok(());
        }
        let table = level.plan.table.as_str();
        for (rows, reason) in [
            (&findings.null_rows, "the document key is null"),
            (&findings.surplus_rows, "an earlier row has the same document key"),
        ] {
            for row in rows {
                let document = level.gather(&UInt32Array::from(vec![*row]))?;
                let key = keys.is_valid(*row as usize).then(|| keys.value(*row as usize));
                aside.put(table, "document_key", reason, key, row_json(&RecordBatch::from(document), 0)?)?;
            }
        }
        for (row, rows) in &findings.duplicates {
            let reason = format!("{rows} rows have this document key");
            aside.exclude(Exclusion { key: keys.value(*row as usize).to_owned(), reason })?;
        }
        self.excluded += findings.duplicates.len() as u64;
        Ok(())
    }
}

fn key_slot(level: &Level<'_>) -> Result<ArrayRef> {
    match (&level.content, level.plan.key) {
        (Content::Parts { slots, .. }, Some(key)) => Ok(Arc::clone(&slots[key])),
        _ => Err(Fault::bug("the document has no key")),
    }
}

/// Rows with the same hash are ordered by key, and equal keys stay in the input's order.
fn order_ties(order: &mut [(u32, u32)], text: &StringViewArray, numbers: Option<&UInt64Array>) {
    let text = |row: u32| text.value(row as usize).as_bytes();
    let number = |row: u32| numbers.map(|numbers| numbers.value(row as usize));
    for ties in order.chunk_by_mut(|a, b| a.0 == b.0) {
        if ties.len() > 1 {
            ties.sort_by(|a, b| text(a.1).cmp(text(b.1)).then_with(|| number(a.1).cmp(&number(b.1))));
        }
    }
}

fn drop_repeated(order: &mut Vec<(u32, u32)>, text: &StringViewArray, findings: &mut KeyFindings) {
    let same =
        |a: &(u32, u32), b: &(u32, u32)| a.0 == b.0 && text.value(a.1 as usize) == text.value(b.1 as usize);
    if !order.windows(2).any(|pair| same(&pair[0], &pair[1])) {
        return;
    }
    for equal in order.chunk_by(same).filter(|equal| equal.len() > 1) {
        findings.duplicates.push((equal[0].1, equal.len() as u32));
        findings.surplus_rows.extend(equal[1..].iter().map(|(_, row)| *row));
    }
    order.dedup_by(|later, earlier| same(later, earlier));
}
