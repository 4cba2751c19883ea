//! `document_size`: no record may be larger than the target takes.

use hivecast_feed::{Feed, Rule, Severity};
use hivecast_run::{Fault, Result};

use super::{MAX_EXAMPLES, RecordSizes, result, skipped};
use crate::Edition;
use crate::description::{GateResult, Outcome, ShardDescription};
use crate::exclusion::Exclusion;
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
    /// Keys and sizes, in the edition's order.
    too_large: Vec<(String, u64)>,
}

pub(super) fn document_size(
    feed: &Feed,
    edition: &Edition,
    mut sizes: RecordSizes<'_>,
) -> Result<(GateResult, Vec<Exclusion>)> {
    let name = "document_size".to_owned();
    let Some(limit) = limit_of(feed, sizes.limit) else {
        let reason = "neither the feed nor the target has a limit";
        return Ok((skipped(name, "any size".to_owned(), reason), Vec::new()));
    };
    let allowed = format!("<= {} bytes", limit.bytes);
    let bound = edition.description.shards.iter().map(|shard| bound(shard, &sizes)).max().unwrap_or(0);
    if bound <= limit.bytes {
        return Ok((result(name, allowed, format!("at most {bound} bytes"), Outcome::Pass), Vec::new()));
    }
    let found = measure(edition, limit.bytes, &mut sizes)?;
    let mut judged = result(name, allowed, format!("largest {} bytes", found.largest), limit.outcome(&found));
    judged.examples =
        found.too_large.iter().take(MAX_EXAMPLES).map(|(key, size)| format!("{key}: {size} bytes")).collect();
    if !found.too_large.is_empty() {
        judged.measured = format!("{}, {} too large", judged.measured, found.too_large.len());
    }
    if judged.outcome != Outcome::Quarantine {
        return Ok((judged, Vec::new()));
    }
    judged.quarantined = found.too_large.len() as u64;
    let reason = |size| format!("document_size: {size} bytes, allowed {} bytes", limit.bytes);
    let exclusions =
        found.too_large.into_iter().map(|(key, size)| Exclusion { key, reason: reason(size) }).collect();
    Ok((judged, exclusions))
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
        match (found.too_large.is_empty(), self.severity) {
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
/// that judging again finds the same.
fn measure(edition: &Edition, limit: u64, sizes: &mut RecordSizes<'_>) -> Result<Found> {
    let mut found = Found::default();
    let mut start = 0;
    for shard in &edition.description.shards {
        let end = start + shard.documents;
        if bound(shard, sizes) > limit {
            measure_range(edition, start..end, limit, sizes, &mut found)?;
        }
        start = end;
    }
    Ok(found)
}

fn measure_range(
    edition: &Edition,
    range: std::ops::Range<u64>,
    limit: u64,
    sizes: &mut RecordSizes<'_>,
    found: &mut Found,
) -> Result<()> {
    for batch in edition.reader_of_all(range.start, Columns::Documents)? {
        let batch = batch?;
        if batch.ordinal >= range.end {
            break;
        }
        let measured = (sizes.measure)(&batch)?;
        if measured.len() != batch.len() {
            let lengths = (measured.len(), batch.len());
            return Err(Fault::bug(format!("failed to measure documents: {lengths:?} sizes and documents")));
        }
        for (row, size) in measured.into_iter().enumerate() {
            found.largest = found.largest.max(size);
            if size > limit {
                found.too_large.push((batch.key.value(row).to_owned(), size));
            }
        }
    }
    Ok(())
}
