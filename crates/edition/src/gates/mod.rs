//! Gates that look at a whole edition, after it is built and before the first byte is sent:
//! `row_count`, `row_change`, `mass_delete`, `document_size`. The others are judged by the engine
//! while it reads the rows; what they said is in the description, and joins the result here.
//!
//! A gate about counts has nothing to set aside, so for those `quarantine` means `fail`.

mod size;
mod table;

use std::path::Path;

use hivecast_feed::{Feed, Gate, Rule, Severity};
use hivecast_run::{Fault, Result};

use crate::description::{GateResult, Outcome};
use crate::exclusion::{By, Sorter};
use crate::files::{read_if_there, write_atomically};
use crate::merge::count_keys;
use crate::{Batch, Edition, Sent};

pub use size::MAX_ESCAPE;
pub use table::table;

/// The results' file.
pub(crate) const GATES_FILE: &str = "gates.json";
/// Most offending keys that a result names.
pub const MAX_EXAMPLES: usize = 10;

/// How large records become, which only the room that encodes them knows.
pub struct RecordSizes<'a> {
    /// Most bytes in one record, where the target has a limit.
    pub limit: Option<u64>,
    /// Bytes that every record has besides its values: envelope, headers, framing.
    pub per_record: u64,
    /// The most bytes that one value adds besides its text: the longest field name, wrapper,
    /// separators, and the longest number, date or mask.
    pub per_value: u64,
    /// The exact sizes of a batch's records, one for each document.
    pub measure: &'a mut dyn FnMut(&Batch) -> Result<Vec<u64>>,
}

/// Judges an edition: what the engine found while building it, then the feed's gates on the whole
/// edition in the feed's order, then `document_size`, which is on even where the feed is silent.
/// `previous` is the edition that was published last. The documents that the engine named, and those
/// that are too large where the feed says `quarantine`, are excluded from the edition, as far as what
/// was `sent` of it allows ([`Edition::exclude`]); judging again gives the same results.
pub fn judge(
    feed: &Feed,
    edition: &mut Edition,
    previous: Option<&Edition>,
    sizes: RecordSizes<'_>,
    sent: Sent<'_>,
) -> Result<Vec<GateResult>> {
    let mut results = edition.description.gates.clone();
    for gate in &feed.gates {
        match &gate.rule {
            Rule::RowCount { of, min, max } => results.push(row_count(edition, gate, of, *min, *max)?),
            Rule::RowChange { of, max } => results.push(row_change(edition, previous, gate, of, *max)?),
            Rule::MassDelete { max } => results.push(mass_delete(edition, previous, gate, *max)?),
            _ => {}
        }
    }
    let mut aside = Sorter::new(&edition.path);
    results.push(size::document_size(feed, edition, sizes, &mut aside)?);
    edition.named()?.try_for_each(|named| aside.push(By::Engine, named?))?;
    edition.set_aside(aside, sent)?;
    Ok(results)
}

/// Fails with `Class::Data`, naming the gates that stop the edition.
pub fn verdict(results: &[GateResult]) -> Result<()> {
    let failed: Vec<String> = results
        .iter()
        .filter(|result| result.outcome == Outcome::Fail)
        .map(|result| format!("{} ({}, allowed {})", result.gate, result.measured, result.limit))
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let noun = if failed.len() == 1 { "gate" } else { "gates" };
    Err(Fault::data(format!("the edition is not fit to send: failed {noun} {}", failed.join("; ")))
        .advise("nothing was sent; correct the export, or change the gate's limit or severity in the feed"))
}

/// Writes the results beside the edition as `gates.json`, in place of earlier ones.
pub fn record(edition: &Edition, results: &[GateResult]) -> Result<()> {
    let json = serde_json::to_vec_pretty(results)
        .map_err(|error| Fault::bug("failed to encode gates.json").because(error))?;
    write_atomically(&edition.path.join(GATES_FILE), &json)?;
    edition.push_changed(GATES_FILE)
}

/// What [`record`] wrote, if it did.
pub fn recorded(edition: &Edition) -> Result<Option<Vec<GateResult>>> {
    let path: &Path = &edition.path.join(GATES_FILE);
    let Some(json) = read_if_there(path)? else { return Ok(None) };
    serde_json::from_slice(&json).map(Some).map_err(|error| {
        Fault::data(format!("failed to read {}", path.display()))
            .because(error)
            .advise("judge the edition again")
    })
}

fn row_count(
    edition: &Edition,
    gate: &Gate,
    of: &str,
    min: Option<u64>,
    max: Option<u64>,
) -> Result<GateResult> {
    let rows = rows_of(edition, of).ok_or_else(|| {
        Fault::bug(format!("edition {} does not say how many rows {of} had", edition.description.id))
    })?;
    let limit = match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max} rows"),
        (Some(min), None) => format!(">= {min} rows"),
        (None, Some(max)) => format!("<= {max} rows"),
        (None, None) => "any number of rows".to_owned(),
    };
    let holds = min.is_none_or(|min| rows >= min) && max.is_none_or(|max| rows <= max);
    Ok(result(format!("row_count of {of}"), limit, format!("{rows} rows"), counted(holds, gate.severity)))
}

fn row_change(
    edition: &Edition,
    previous: Option<&Edition>,
    gate: &Gate,
    of: &str,
    max: f64,
) -> Result<GateResult> {
    let (name, limit) = (format!("row_change of {of}"), format!("<= {}", percent(max)));
    let rows = rows_of(edition, of).ok_or_else(|| {
        Fault::bug(format!("edition {} does not say how many rows {of} had", edition.description.id))
    })?;
    let Some(previous) = previous else { return Ok(skipped(name, limit, NO_PREVIOUS)) };
    let Some(before) = rows_of(previous, of) else {
        let date = previous.description.load_date;
        return Ok(skipped(name, limit, &format!("the edition of {date} had no table {of}")));
    };
    // From no row to any is more change than any share allows.
    let change = match (rows.abs_diff(before), before) {
        (0, _) => 0.0,
        (_, 0) => f64::INFINITY,
        (difference, before) => difference as f64 / before as f64,
    };
    let measured = if change.is_infinite() {
        format!("0 to {rows} rows")
    } else {
        format!("{} ({before} to {rows} rows)", percent(change))
    };
    Ok(result(name, limit, measured, counted(change <= max, gate.severity)))
}

fn mass_delete(edition: &Edition, previous: Option<&Edition>, gate: &Gate, max: f64) -> Result<GateResult> {
    let (name, limit) = ("mass_delete".to_owned(), format!("<= {}", percent(max)));
    let Some(previous) = previous else { return Ok(skipped(name, limit, NO_PREVIOUS)) };
    let counts = count_keys(previous, edition)?;
    let before = counts.gone + counts.common;
    let share = if before == 0 { 0.0 } else { counts.gone as f64 / before as f64 };
    let measured = format!("{} ({} of {before} keys)", percent(share), counts.gone);
    Ok(result(name, limit, measured, counted(share <= max, gate.severity)))
}

/// Why a comparison can't be made.
const NO_PREVIOUS: &str = "no previous edition to compare with";

fn rows_of(edition: &Edition, table: &str) -> Option<u64> {
    edition
        .description
        .tables
        .iter()
        .find(|described| described.table == table)
        .map(|described| described.rows)
}

/// The outcome of a gate that has nothing to set aside.
fn counted(holds: bool, severity: Severity) -> Outcome {
    match (holds, severity) {
        (true, _) => Outcome::Pass,
        (false, Severity::Warn) => Outcome::Warn,
        (false, Severity::Quarantine | Severity::Fail) => Outcome::Fail,
    }
}

fn result(gate: String, limit: String, measured: String, outcome: Outcome) -> GateResult {
    GateResult { gate, limit, measured, outcome, examples: Vec::new(), quarantined: 0 }
}

fn skipped(gate: String, limit: String, why: &str) -> GateResult {
    result(gate, limit, why.to_owned(), Outcome::Skip)
}

/// A share as people write it, with as many digits as tell it from its neighbours: `20 %`, `0.1 %`,
/// `0.0043 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    // Two significant digits, and never fewer than two decimals.
    let decimals = match percent.abs() {
        small if small > 0.0 && small < 0.1 => (1.0 - small.log10().floor()).clamp(2.0, 6.0) as usize,
        _ => 2,
    };
    let text = format!("{percent:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}
