//! Gates that look at one row at a time, judged while a table is read: `null_rate` and `allowed`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use hivecast_edition::{GateResult, Outcome};
use hivecast_feed::{Feed, Rule, Severity};
use hivecast_run::{Fault, Result};
use xxhash_rust::xxh3::xxh3_128;

use crate::masked::Masked;
use crate::nested::LevelCounts;
use crate::read::select;

/// How many offending values a gate names.
pub(crate) const MAX_EXAMPLES: usize = 10;

/// What stands for a value that may not be shown.
pub(crate) const HIDDEN: &str = "***";

/// A gate over the rows of one table.
#[derive(Clone, Debug)]
pub(crate) struct RowGate {
    table: String,
    columns: Vec<String>,
    /// Which of the columns' values may not be shown.
    hidden: Vec<bool>,
    check: Check,
    severity: Severity,
}

#[derive(Clone, Debug)]
enum Check {
    NullRate {
        max: f64,
    },
    Allowed {
        values: Arc<HashSet<String>>,
    },
    /// The keys that more than one row has, found by a query before.
    Unique {
        repeated: Arc<RepeatedKeys>,
    },
}

/// The keys that more than one row of a table has, by table and columns.
pub(crate) type Repeated = BTreeMap<(String, Vec<String>), Arc<RepeatedKeys>>;

/// Keys that more than one row has, as 128-bit hashes: 16 bytes each, however long they are. That two
/// of a thousand million keys share one has a chance of 10⁻²¹.
#[derive(Debug, Default)]
pub(crate) struct RepeatedKeys(Vec<u128>);

impl RepeatedKeys {
    /// Bytes of one key.
    pub(crate) const KEY_BYTES: usize = size_of::<u128>();

    /// Of hashes in any order.
    pub(crate) fn new(mut hashes: Vec<u128>) -> Self {
        hashes.sort_unstable();
        RepeatedKeys(hashes)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * Self::KEY_BYTES
    }

    fn contain(&self, hash: u128) -> bool {
        self.0.binary_search(&hash).is_ok()
    }
}

/// The hash of a row's values; none where one is null. `scratch` is kept between calls.
pub(crate) fn hash_of(texts: &[ArrayRef], row: usize, scratch: &mut Vec<u8>) -> Option<u128> {
    scratch.clear();
    for text in texts {
        let text = text.as_string_view();
        if text.is_null(row) {
            return None;
        }
        let value = text.value(row).as_bytes();
        scratch.extend_from_slice(&(value.len() as u64).to_le_bytes());
        scratch.extend_from_slice(value);
    }
    Some(xxh3_128(scratch))
}

/// What the gates of one table saw; workers each keep one and add them up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rows_read: u64,
    pub(crate) rows: u64,
    judged: u64,
    gates: Vec<GateTally>,
    /// Rows of the last batch that were set aside: gate, reason and the row's columns as text.
    pub(crate) quarantined: Vec<SetAside>,
    /// Rows of the last batch that are marked: the row and why.
    pub(crate) marked: Vec<(usize, String)>,
}

#[derive(Clone, Debug, Default)]
struct GateTally {
    breaches: u64,
    examples: Vec<String>,
}

/// What becomes of rows that a gate quarantines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separation {
    /// They are left out, as if they were not there.
    Remove,
    /// They stay and are marked: of the root they become documents that may not be sent, since a key
    /// that is only set aside must not look as if it were gone.
    Mark,
}

/// A row that a gate set aside.
#[derive(Clone, Debug)]
pub(crate) struct SetAside {
    pub(crate) gate: String,
    pub(crate) reason: String,
    pub(crate) row: serde_json::Value,
}

impl RowGate {
    /// The gates over rows of `table`.
    pub(crate) fn of(feed: &Feed, table: &str, repeated: &Repeated) -> Vec<RowGate> {
        let gate = |gate: &hivecast_feed::Gate| {
            let (of, columns, check) = match &gate.rule {
                Rule::NullRate { of, column, max } => (of, lower([column]), Check::NullRate { max: *max }),
                Rule::Allowed { of, column, values } => (
                    of,
                    lower([column]),
                    Check::Allowed { values: Arc::new(values.iter().cloned().collect()) },
                ),
                Rule::Unique { of, columns } => {
                    let columns = lower(columns);
                    let repeated = repeated.get(&(of.clone(), columns.clone())).cloned().unwrap_or_default();
                    (of, columns, Check::Unique { repeated })
                }
                _ => return None,
            };
            (of == table).then(|| {
                let hidden = vec![false; columns.len()];
                RowGate { table: of.clone(), columns, hidden, check, severity: gate.severity }
            })
        };
        feed.gates.iter().filter_map(gate).collect()
    }

    /// Keeps values out of the examples that consumers do not see either.
    pub(crate) fn hide(&mut self, masked: &Masked) {
        self.hidden = self.columns.iter().map(|column| masked.hides(column)).collect();
    }

    /// A key as an example.
    fn shown(&self, key: Vec<String>) -> String {
        let value = |(value, hidden): (String, &bool)| if *hidden { HIDDEN.to_owned() } else { value };
        key.into_iter().zip(&self.hidden).map(value).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(crate) fn name(&self) -> String {
        let (table, columns) = (&self.table, self.columns.join(", "));
        match self.check {
            Check::NullRate { .. } => format!("null_rate of {table}.{columns}"),
            Check::Allowed { .. } => format!("allowed in {table}.{columns}"),
            Check::Unique { .. } => format!("unique {table} ({columns})"),
        }
    }

    pub(crate) fn reason(&self) -> String {
        let columns = self.columns.join(", ");
        match self.check {
            Check::NullRate { .. } => format!("{columns} is null"),
            Check::Allowed { .. } => format!("{columns} holds a value that is not allowed"),
            Check::Unique { .. } => format!("another row has the same {columns}"),
        }
    }

    /// Row by row, whether it breaches; and what an offending row is told by.
    fn breaches(&self, batch: &RecordBatch) -> Result<(BooleanArray, Vec<ArrayRef>)> {
        let columns = self.columns.iter().map(|name| {
            let column = batch.column_by_name(name);
            column.ok_or_else(|| Fault::bug(format!("{} has no column {name} to look at", self.name())))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let breaches = match &self.check {
            Check::NullRate { .. } => nulls_of(columns[0]),
            Check::Allowed { values } => {
                let text = as_text(columns[0])?;
                let text = text.as_string_view();
                (0..text.len())
                    .map(|row| Some(text.is_valid(row) && !values.contains(text.value(row))))
                    .collect()
            }
            Check::Unique { repeated } if repeated.0.is_empty() => {
                BooleanArray::new(arrow_buffer::BooleanBuffer::new_unset(batch.num_rows()), None)
            }
            Check::Unique { repeated } => {
                let texts = columns.iter().map(|column| as_text(column)).collect::<Result<Vec<_>>>()?;
                let mut scratch = Vec::new();
                (0..batch.num_rows())
                    .map(|row| {
                        let hash = hash_of(&texts, row, &mut scratch);
                        Some(hash.is_some_and(|hash| repeated.contain(hash)))
                    })
                    .collect()
            }
        };
        Ok((breaches, columns.into_iter().cloned().collect()))
    }

    /// The verdict over a whole table.
    fn verdict(&self, tally: &GateTally, rows: u64) -> GateResult {
        let share = if rows == 0 { 0.0 } else { tally.breaches as f64 / rows as f64 };
        let (holds, limit) = match &self.check {
            Check::NullRate { max } => (share <= *max, format!("<= {}", percent(*max))),
            Check::Allowed { values } => (tally.breaches == 0, format!("one of {} values", values.len())),
            Check::Unique { .. } => (tally.breaches == 0, "no duplicate".to_owned()),
        };
        let quarantined = match self.severity {
            Severity::Quarantine => tally.breaches,
            Severity::Warn | Severity::Fail => 0,
        };
        GateResult {
            gate: self.name(),
            limit,
            measured: format!("{} ({} of {rows})", percent(share), tally.breaches),
            outcome: outcome(holds && quarantined == 0, self.severity),
            examples: tally.examples.clone(),
            quarantined,
        }
    }
}

impl Tally {
    /// Counts breaches and takes quarantined rows out.
    pub(crate) fn judge(
        &mut self,
        gates: &[RowGate],
        mut batch: RecordBatch,
        separation: Separation,
    ) -> Result<RecordBatch> {
        self.marked.clear();
        self.gates.resize_with(gates.len(), GateTally::default);
        self.judged += batch.num_rows() as u64;
        for (index, gate) in gates.iter().enumerate() {
            let (breaches, columns) = gate.breaches(&batch)?;
            let count = breaches.true_count();
            if count == 0 {
                continue;
            }
            let tally = &mut self.gates[index];
            tally.breaches += count as u64;
            let examples = MAX_EXAMPLES.saturating_sub(tally.examples.len());
            if !matches!(gate.check, Check::NullRate { .. }) {
                let texts = columns.iter().map(as_text).collect::<Result<Vec<_>>>()?;
                let rows = (0..batch.num_rows()).filter(|row| breaches.value(*row));
                tally.examples.extend(
                    rows.filter_map(|row| key_of(&texts, row)).take(examples).map(|key| gate.shown(key)),
                );
            }
            if gate.severity == Severity::Quarantine {
                for row in (0..batch.num_rows()).filter(|row| breaches.value(*row)) {
                    self.quarantined.push(SetAside {
                        gate: gate.name(),
                        reason: gate.reason(),
                        row: row_json(&batch, row)?,
                    });
                }
                match separation {
                    Separation::Mark => {
                        let rows = (0..batch.num_rows()).filter(|row| breaches.value(*row));
                        self.marked.extend(rows.map(|row| (row, gate.name())));
                    }
                    Separation::Remove => {
                        batch = select(&batch, &BooleanArray::new(!breaches.values(), None))?;
                    }
                }
            }
        }
        Ok(batch)
    }

    /// Adds what another worker saw.
    pub(crate) fn add(&mut self, other: Tally) {
        self.rows_read += other.rows_read;
        self.rows += other.rows;
        self.judged += other.judged;
        self.gates.resize_with(self.gates.len().max(other.gates.len()), GateTally::default);
        for (mine, theirs) in self.gates.iter_mut().zip(other.gates) {
            mine.breaches += theirs.breaches;
            let room = MAX_EXAMPLES.saturating_sub(mine.examples.len());
            mine.examples.extend(theirs.examples.into_iter().take(room));
        }
    }

    /// Takes over what was counted where rows were read elsewhere, for these gates.
    pub(crate) fn take(&mut self, counts: &LevelCounts, gates: &[RowGate]) {
        self.rows_read = counts.rows_read;
        self.rows = counts.rows;
        self.judged = counts.rows_judged;
        let tally = |(gate, (breaches, keys)): (&RowGate, &(u64, Vec<Vec<String>>))| GateTally {
            breaches: *breaches,
            examples: keys.iter().take(MAX_EXAMPLES).map(|key| gate.shown(key.clone())).collect(),
        };
        self.gates = gates.iter().zip(&counts.breaches).map(tally).collect();
    }

    /// The verdicts of the table's gates.
    pub(crate) fn verdicts(&self, gates: &[RowGate]) -> Vec<GateResult> {
        let none = GateTally::default();
        gates
            .iter()
            .enumerate()
            .map(|(index, gate)| gate.verdict(self.gates.get(index).unwrap_or(&none), self.judged))
            .collect()
    }
}

/// A row's values as text; none where one is null.
pub(crate) fn key_of(texts: &[ArrayRef], row: usize) -> Option<Vec<String>> {
    texts.iter().map(|text| text.is_valid(row).then(|| text.as_string_view().value(row).to_owned())).collect()
}

/// The warehouse's names are lower case, as Hive's are.
pub(crate) fn lower<S: AsRef<str>>(columns: impl IntoIterator<Item = S>) -> Vec<String> {
    columns.into_iter().map(|column| column.as_ref().to_lowercase()).collect()
}

/// A breach's outcome by the gate's severity.
pub(crate) fn outcome(holds: bool, severity: Severity) -> Outcome {
    match (holds, severity) {
        (true, _) => Outcome::Pass,
        (false, Severity::Warn) => Outcome::Warn,
        (false, Severity::Quarantine) => Outcome::Quarantine,
        (false, Severity::Fail) => Outcome::Fail,
    }
}

/// A number and what it counts.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// A share as people read it.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A row's columns as text, for the quarantine file.
pub(crate) fn row_json(batch: &RecordBatch, row: usize) -> Result<serde_json::Value> {
    let options = FormatOptions::default();
    let mut columns = BTreeMap::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let value = if column.is_null(row) {
            serde_json::Value::Null
        } else {
            let formatter = ArrayFormatter::try_new(column, &options)
                .map_err(|error| Fault::bug("failed to write a quarantined row").because(error))?;
            serde_json::Value::String(formatter.value(row).to_string())
        };
        columns.insert(field.name().clone(), value);
    }
    Ok(serde_json::json!(columns))
}

pub(crate) fn as_text(column: &ArrayRef) -> Result<ArrayRef> {
    arrow_cast::cast(column, &DataType::Utf8View)
        .map_err(|error| Fault::bug("failed to write values as text").because(error))
}

fn nulls_of(column: &ArrayRef) -> BooleanArray {
    match column.logical_nulls() {
        None => BooleanArray::new(arrow_buffer::BooleanBuffer::new_unset(column.len()), None),
        Some(nulls) => BooleanArray::new(!nulls.inner(), None),
    }
}
