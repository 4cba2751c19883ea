//! `document_size`: no record may be larger than the target takes.

use hivecast_feed::{Feed, Rule, Severity};
use hivecast_run::{Fault, Result};

use super::{MAX_EXAMPLES, RecordSizes, result, skipped};
use crate::Edition;
use crate::description::{GateResult, Outcome, ShardDescription};
use crate::exclusion::{By, Exclusion, Sorter};
use crate::reader::Columns;

/// The most bytes that one byte of text becomes in JSON: `\u0000`.
pub const MAX_ESCAPE: u64 = 6;

/// What is allowed, and what a breach means.
struct Limit {
    bytes: u64,
    /// Where the target itself refuses, a warning would only move the failure.
    target: Option<u64>,
    severity: Severity,
}

/// What reading the doubtful shards found.
#[derive(Default)]
struct Found {
    largest: u64,
    /// How many are too large.
    too_large: u64,
    /// The first of them, with their sizes.
    examples: Vec<String>,
}

pub(super) fn document_size(
    feed: &Feed,
    edition: &Edition,
    sizes: RecordSizes<'_>,
    aside: &mut Sorter,
) -> Result<GateResult> {
    let name = "document_size".to_owned();
    let Some(limit) = limit_of(feed, sizes.limit) else {
        let reason = "neither the feed nor the target has a limit";
        return Ok(skipped(name, "any size".to_owned(), reason));
    };
    let allowed = format!("<= {} bytes", limit.bytes);
    let bound = edition.description.shards.iter().map(|shard| bound(shard, &sizes)).max().unwrap_or(0);
    if bound <= limit.bytes {
        return Ok(result(name, allowed, format!("at most {bound} bytes"), Outcome::Pass));
    }
    let found = Measuring { edition, limit: &limit, sizes, aside, found: Found::default() }.run()?;
    let mut judged = result(name, allowed, format!("largest {} bytes", found.largest), limit.outcome(&found));
    if found.too_large > 0 {
        judged.measured = format!("{}, {} too large", judged.measured, found.too_large);
    }
    if judged.outcome == Outcome::Quarantine {
        judged.quarantined = found.too_large;
    }
    judged.examples = found.examples;
    Ok(judged)
}

fn limit_of(feed: &Feed, target: Option<u64>) -> Option<Limit> {
    let written = feed.gates.iter().find_map(|gate| match gate.rule {
        Rule::DocumentSize { max } => Some((max, gate.severity)),
        _ => None,
    });
    let (max, severity) = written.unwrap_or((None, Severity::Fail));
    let bytes = max.into_iter().chain(target).min()?;
    Some(Limit { bytes, target, severity })
}

impl Limit {
    fn outcome(&self, found: &Found) -> Outcome {
        let refused = self.target.is_some_and(|target| found.largest > target);
        match (found.too_large == 0, self.severity) {
            (true, _) => Outcome::Pass,
            (false, Severity::Quarantine) => Outcome::Quarantine,
            (false, Severity::Warn) if !refused => Outcome::Warn,
            (false, Severity::Warn | Severity::Fail) => Outcome::Fail,
        }
    }
}

/// No record of the shard can be larger.
fn bound(shard: &ShardDescription, sizes: &RecordSizes<'_>) -> u64 {
    let text = shard.max_text_bytes.saturating_mul(MAX_ESCAPE);
    let values = shard.max_values.saturating_mul(sizes.per_value);
    text.saturating_add(values).saturating_add(sizes.per_record)
}

/// Measures the records of those shards that may hold one that is too large, excluded ones too, so
/// that judging again finds the same. What is too large goes `aside` where the gate quarantines.
struct Measuring<'m, 's> {
    edition: &'m Edition,
    limit: &'m Limit,
    sizes: RecordSizes<'s>,
    aside: &'m mut Sorter,
    found: Found,
}

impl Measuring<'_, '_> {
    fn run(mut self) -> Result<Found> {
        let mut start = 0;
        for shard in &self.edition.description.shards {
            let end = start + shard.documents;
            if bound(shard, &self.sizes) > self.limit.bytes {
                self.range(start..end)?;
            }
            start = end;
        }
        Ok(self.found)
    }

    fn range(&mut self, range: std::ops::Range<u64>) -> Result<()> {
        for batch in self.edition.reader_of_all(range.start, Columns::Documents)? {
            let batch = batch?;
            if batch.ordinal >= range.end {
                break;
            }
            let measured = (self.sizes.measure)(&batch)?;
            if measured.len() != batch.len() {
                let lengths = (measured.len(), batch.len());
                return Err(Fault::bug(format!(
                    "failed to measure documents: {lengths:?} sizes and documents"
                )));
            }
            for (row, size) in measured.into_iter().enumerate() {
                self.found.largest = self.found.largest.max(size);
                if size > self.limit.bytes {
                    self.note(batch.key.value(row), size)?;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, key: &str, size: u64) -> Result<()> {
        self.found.too_large += 1;
        if self.found.examples.len() < MAX_EXAMPLES {
            self.found.examples.push(format!("{key}: {size} bytes"));
        }
        if self.limit.severity != Severity::Quarantine {
            return Ok(());
        }
        let reason = format!("document_size: {size} bytes, allowed {} bytes", self.limit.bytes);
        self.aside.push(By::Gates, Exclusion { key: key.to_owned(), reason })
    }
}
