//! What is known of a load_date, for estimates: from footers and statistics, from a scan of the keys, from the
//! feed's history.

use hivecast_engine::{LevelSurvey, Look, Plan, survey};
use hivecast_estimate::{Counted, FACTS_VERSION, Facts, LevelFacts, Range, Source, TableFacts, Work};
use hivecast_report::PastRun;
use hivecast_run::format::plural;
use hivecast_run::{Context, Result};
use hivecast_warehouse::{SizesBy, TableInput};

use super::learn::CALIBRATE;

/// Bytes of a row, stored or in memory, where nothing says how many rows there are or how large: a guess for text.
const ROW_BYTES_GUESS: f64 = 120.0;
/// Such a guess may be off by so much, below and above.
const GUESS_DOUBT: (f64, f64) = (0.6, 2.0);
/// The share of the rows that `where` leaves, where it was not asked: a guess.
const FILTER_GUESS: Range = Range { low: 0.1, expected: 0.75, high: 1.0 };
/// How far the last edition's shares may be off.
const HISTORY_DOUBT: f64 = 0.05;
/// Bytes of a document's JSON for each byte of its rows in memory, with its names: a guess.
const DOCUMENT_FACTOR: f64 = 3.0;

/// Gathers the facts of a plan.
pub(crate) fn facts(plan: &Plan, look: Look, history: &[PastRun], context: &Context<'_>) -> Result<Facts> {
    let levels = survey(plan, look, context)?;
    let last = history.iter().rev().find_map(whole_work);
    // Of the rows that were read, so many became documents.
    let share = last.filter(|work| work.rows > 0.0).map(|work| work.documents / work.rows);
    let read: u64 = levels.iter().filter_map(|level| level.read).sum();
    let documents = share.map(|share| share * read as f64);
    let levels: Vec<LevelFacts> = levels
        .into_iter()
        .enumerate()
        .map(|(index, level)| level_facts(plan, level, documents.filter(|_| index == 0)))
        .collect();
    Ok(Facts {
        version: FACTS_VERSION,
        feed: plan.checked.feed.name.clone(),
        load_date: plan.inputs.load_date.to_string(),
        tables: plan.inputs.tables.iter().map(|input| table_facts(input, &levels)).collect(),
        document_bytes: document_bytes(&levels, history),
        levels,
        unfit_for_spark: unfit_for_spark(plan),
    })
}

/// Why Spark can't build the feed, if it can't: the first of the reasons, and how many more there are.
fn unfit_for_spark(plan: &Plan) -> Option<String> {
    // What can't be asked is no reason: a build would tell.
    let reasons = hivecast_spark::refusals(&plan.checked, &plan.inputs).unwrap_or_default();
    let (first, more) = reasons.split_first()?;
    Some(match more.len() {
        0 => first.clone(),
        more => format!("{first} (and {})", plural(more as u64, "more reason")),
    })
}

/// What a run had to do that built a whole edition.
fn whole_work(run: &PastRun) -> Option<Work> {
    let work = run.record.as_ref()?.load.work;
    let is_whole = run.command != CALIBRATE && run.documents == Some(work.documents as u64);
    is_whole.then_some(work)
}

fn stored(input: &TableInput) -> u64 {
    input.files.iter().map(|file| file.size).sum()
}

fn table_facts(input: &TableInput, levels: &[LevelFacts]) -> TableFacts {
    // Who scanned the keys has counted the rows, too.
    let scanned = levels.iter().find(|level| level.table == input.table && level.read.source == Source::Scan);
    TableFacts {
        table: input.table.clone(),
        files: input.files.len() as u64,
        stored_bytes: stored(input),
        rows: scanned.map_or_else(|| rows_of(input), |level| level.read),
    }
}

/// A table's rows: as footers say, else as the metastore's statistics, else a guess.
fn rows_of(input: &TableInput) -> Counted {
    if let Some(rows) = input.rows {
        return Counted::exact(rows, Source::Footers);
    }
    if let Some(rows) = input.statistics_rows {
        return Counted::exact(rows, Source::Metastore);
    }
    let value = Range::around(stored(input) as f64 / ROW_BYTES_GUESS, GUESS_DOUBT.0, GUESS_DOUBT.1);
    Counted { value, source: Source::Sizes }
}

/// `as_before` are the rows that `where` leaves, if it leaves as many of them as in the last run.
fn level_facts(plan: &Plan, level: LevelSurvey, as_before: Option<f64>) -> LevelFacts {
    let input = plan.inputs.tables.iter().find(|input| input.table == level.table);
    let most = plan.inputs.tables.iter().map(|input| rows_of(input).value.high).fold(0.0, f64::max);
    let read = match (level.read, input) {
        (Some(rows), Some(input)) if input.rows == Some(rows) => Counted::exact(rows, Source::Footers),
        (Some(rows), _) => Counted::exact(rows, Source::Scan),
        (None, Some(input)) => rows_of(input),
        // A query's rows, before it has run: none, or as many as the largest table has, or anything between.
        (None, None) => {
            Counted { value: Range { low: 0.0, expected: most / 2.0, high: most }, source: Source::Sizes }
        }
    };
    let read_bytes = read_bytes(&level, read, input);
    let is_filtered = {
        let table = plan.checked.feed.tables.iter().find(|table| table.name == level.table);
        table.is_some_and(|table| table.filter.is_some())
    };
    let rows = match (level.rows, is_filtered, as_before) {
        (Some(rows), ..) => Counted::exact(rows, Source::Scan),
        (None, false, _) => read,
        (None, true, Some(documents)) => {
            let expected = documents.min(read.value.expected);
            Counted { value: Range::around(expected, HISTORY_DOUBT, HISTORY_DOUBT), source: Source::History }
        }
        (None, true, None) => {
            let (rows, left) = (read.value, FILTER_GUESS);
            let value = Range {
                low: rows.low * left.low,
                expected: rows.expected * left.expected,
                high: rows.high * left.high,
            };
            Counted { value, source: Source::Unasked }
        }
    };
    LevelFacts {
        path: level.path,
        table: level.table,
        read,
        read_bytes,
        rows,
        largest: level.largest,
        largest_error: level.largest_error,
    }
}

/// Bytes in memory of a level's rows, in the columns that are read.
fn read_bytes(level: &LevelSurvey, rows: Counted, input: Option<&TableInput>) -> Counted {
    let guess = |bytes: u64| Range::around(bytes as f64, GUESS_DOUBT.0, GUESS_DOUBT.1);
    let value = match input.map(|input| (input.sizes, input.rows)) {
        Some((SizesBy::Footers, _)) => {
            return Counted::exact(level.read_bytes, Source::Footers);
        }
        // The rows are known, and counted in.
        Some((SizesBy::FileSizes, Some(_))) => guess(level.read_bytes),
        // Files without footers say how many bytes there are, but not what rows add to it in memory.
        Some((SizesBy::FileSizes, None)) => {
            guess(level.read_bytes).plus(rows.value.times(level.fixed_row_bytes as f64))
        }
        None if level.read_bytes == 0 => rows.value.times(ROW_BYTES_GUESS),
        None => guess(level.read_bytes),
    };
    Counted { value, source: Source::Sizes }
}

/// As the last whole publish had them, else a guess from the rows.
fn document_bytes(levels: &[LevelFacts], history: &[PastRun]) -> Counted {
    let sent = history.iter().rev().find_map(|run| match (run.outcome.as_str(), run.bytes, run.documents) {
        ("published", Some(bytes), Some(documents)) if documents > 0 => Some(bytes as f64 / documents as f64),
        _ => None,
    });
    if let Some(bytes) = sent {
        return Counted {
            value: Range::around(bytes, HISTORY_DOUBT, HISTORY_DOUBT),
            source: Source::History,
        };
    }
    let documents = levels.first().map_or(1.0, |level| level.rows.value.expected.max(1.0));
    let rows: f64 = levels.iter().map(|level| level.kept_bytes().expected).sum();
    let value = Range::around(rows / documents * DOCUMENT_FACTOR, GUESS_DOUBT.0, GUESS_DOUBT.1);
    Counted { value, source: Source::Sizes }
}
