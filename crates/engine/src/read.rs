//! Reading one level's rows: project, filter, judge row by row, evaluate the slots.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use hivecast_run::{Fault, Result};

use crate::arrays::{self, batch_bytes, bytes_of, compact, fixed_bytes};
use crate::nodes::{Arity, NodePlan, Origin, Privacy};
use crate::row_gates::{HIDDEN, RowGate, Separation, SetAside, Tally};
use hivecast_edition::Exclusion;
use hivecast_sql::RowSource;
use hivecast_sql::{Expression, SqlBinder, to_text};

/// Bytes of slots that are made at once, if rows are like those before them: twice a batch that is read,
/// so that what only hands columns on is not cut again.
const SLOT_BYTES: usize = 16 << 20;
/// Rows of a part that are evaluated before anything is known of them.
const FIRST_ROWS: usize = 1;
/// Where a smaller part of a batch than this is kept, be it a piece or what `where` leaves, its rows get buffers of
/// their own: else they would keep, and not be counted for, those that they were read into.
const COMPACT_BELOW: (usize, usize) = (3, 4);
/// What is computed gets buffers of its own where it holds more than so many times what it shows.
const HELD_MOST: usize = 2;
/// How much larger than the last a piece may be.
const PACE_GROWTH: usize = 8;

/// Reads a level's table and turns its rows into slots.
#[derive(Debug)]
pub(crate) struct Reader {
    source: Arc<dyn RowSource>,
    /// Indices of the columns that are read.
    columns: Vec<usize>,
    filter: Option<Expression>,
    /// How messages name the table's `where`.
    filter_origin: Origin,
    slots: Vec<Expression>,
    /// What each slot is for, for messages.
    origins: Vec<Origin>,
    /// The slots that tell one row from another: the key, else the join columns.
    identity: Vec<usize>,
    gates: Vec<RowGate>,
    /// Of the root: the slot of the document's key.
    document_key: Option<usize>,
    /// Slot lists whose values are wanted of filtered rows too: what orphans are told apart by.
    dead_keys: Vec<Vec<usize>>,
}

/// The rows of one batch that are left after `where` and quarantine.
#[derive(Debug)]
pub(crate) struct Rows {
    /// One array a slot.
    pub(crate) slots: Vec<ArrayRef>,
    pub(crate) len: usize,
    /// For each list of dead keys, those slots of the rows that `where` left out.
    pub(crate) dead: Vec<Vec<ArrayRef>>,
    /// Rows that gates set aside.
    pub(crate) aside: Vec<SetAside>,
    /// Documents that may not be sent, made of rows that gates marked.
    pub(crate) excluded: Vec<Exclusion>,
}

impl Rows {
    /// Whether there is nothing in it for anyone.
    fn is_empty(&self) -> bool {
        let no_dead = self.dead.iter().all(|slots| slots.iter().all(|slot| slot.is_empty()));
        self.len == 0 && self.aside.is_empty() && self.excluded.is_empty() && no_dead
    }
}

/// How many rows are evaluated at once. Batches are cut by what is read; what expressions make of a row
/// may be far more, and is known only afterwards. So a part is begun with one row, and each piece is
/// as large as the one before it says.
#[derive(Debug)]
struct Pace {
    rows: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { rows: FIRST_ROWS }
    }
}

impl Pace {
    /// After `rows` rows became `bytes` bytes of slots.
    fn follow(&mut self, rows: usize, bytes: usize) {
        let fitting = rows.saturating_mul(SLOT_BYTES) / bytes.max(1);
        self.rows = fitting.clamp(1, self.rows.saturating_mul(PACE_GROWTH));
    }
}

impl Reader {
    pub(crate) fn new(
        node: &NodePlan,
        source: Arc<dyn RowSource>,
        filter: Option<&str>,
        gates: &[RowGate],
        dead_keys: Vec<Vec<usize>>,
    ) -> Result<Self> {
        let binder = SqlBinder::default();
        let bind =
            |sql: &str| binder.expression(sql, source.schema()).map_err(|error| Fault::bug(error.message));
        let filter = filter.map(bind).transpose()?;
        let schema = Arc::clone(source.schema());
        let mut columns: Vec<usize> = node.slots.iter().flat_map(Expression::columns).collect();
        columns.extend(filter.iter().flat_map(Expression::columns));
        columns.extend(
            gates.iter().flat_map(RowGate::columns).filter_map(|column| schema.index_of(column).ok()),
        );
        columns.sort_unstable();
        columns.dedup();
        let projected: SchemaRef = Arc::new(
            schema
                .project(&columns)
                .map_err(|error| Fault::bug("failed to project a table").because(error))?,
        );
        let filter = filter.map(|filter| filter.rebind(&projected)).transpose()?;
        let slots = node.slots.iter().map(|slot| slot.rebind(&projected)).collect::<Result<_>>()?;
        let document_key = node.key.filter(|_| node.arity == Arity::Root);
        let identity = node.key.map_or_else(|| node.on.clone(), |key| vec![key]);
        Ok(Reader {
            source,
            columns,
            filter,
            filter_origin: node.filter.clone(),
            slots,
            origins: node.origins.clone(),
            identity,
            gates: gates.to_vec(),
            document_key,
            dead_keys,
        })
    }

    pub(crate) fn parts(&self) -> usize {
        self.source.parts()
    }

    /// The table's rows, before `where`, if that is known without reading it.
    pub(crate) fn known_rows(&self) -> Option<u64> {
        self.source.rows()
    }

    /// Bytes of a row of what it reads, without those of its texts.
    pub(crate) fn fixed_row_bytes(&self) -> u64 {
        let schema = self.source.schema();
        self.columns.iter().map(|column| fixed_bytes(schema.field(*column).data_type())).sum()
    }

    /// Estimated bytes of all rows that it reads, before `where`.
    pub(crate) fn estimated_bytes(&self) -> u64 {
        self.columns.iter().map(|column| self.source.column_bytes(*column)).sum()
    }

    /// Reads one part, handing over each batch that has rows; counts into `tally`, and tells `count` how
    /// many rows were read.
    pub(crate) fn read(
        &self,
        part: usize,
        tally: &mut Tally,
        count: &dyn Fn(u64),
        each: &mut dyn FnMut(Rows) -> Result<()>,
    ) -> Result<()> {
        let mut pace = Pace::default();
        for batch in self.source.open(part, &self.columns)? {
            let batch = tight(batch?)?;
            let mut start = 0;
            while start < batch.num_rows() {
                let piece = batch.slice(start, pace.rows.min(batch.num_rows() - start));
                let read = piece.num_rows();
                start += read;
                let rows = self.rows(piece, batch.num_rows(), tally)?;
                pace.follow(read, batch_bytes(&rows.slots));
                count(read as u64);
                if !rows.is_empty() {
                    each(rows)?;
                }
            }
        }
        Ok(())
    }

    /// The rows of a piece of a batch that has so many rows.
    fn rows(&self, batch: RecordBatch, of: usize, tally: &mut Tally) -> Result<Rows> {
        tally.rows_read += batch.num_rows() as u64;
        let (kept, left_out) = match &self.filter {
            None => (batch, None),
            Some(filter) => self.split(batch, filter)?,
        };
        let separation = if self.document_key.is_some() { Separation::Mark } else { Separation::Remove };
        let kept = tally.judge(&self.gates, kept, separation)?;
        tally.rows += kept.num_rows() as u64;
        let mut slots: Vec<ArrayRef> =
            (0..self.slots.len()).map(|slot| self.slot(slot, &kept)).collect::<Result<_>>()?;
        let are_few = kept.num_rows() * COMPACT_BELOW.1 < of * COMPACT_BELOW.0;
        for slot in &mut slots {
            // What is computed may be a part of each value, and look into the whole ones.
            let is_computed = !kept.columns().iter().any(|column| Arc::ptr_eq(column, slot));
            if are_few || (is_computed && slot.get_buffer_memory_size() > HELD_MOST * bytes_of(slot)) {
                *slot = compact(slot)?;
            }
        }
        slots.iter_mut().for_each(Array::shrink_to_fit);
        let mut excluded = Vec::new();
        if let Some(key) = self.document_key.filter(|_| !tally.marked.is_empty()) {
            let keys = to_text(&slots[key])?;
            let keys = keys.as_string_view();
            // A row without a key becomes no document, which is another gate's matter.
            let marked = std::mem::take(&mut tally.marked).into_iter().filter(|(row, _)| keys.is_valid(*row));
            let exclusion =
                |(row, reason): (usize, String)| Exclusion { key: keys.value(row).to_owned(), reason };
            excluded.extend(marked.map(exclusion));
        }
        let dead = self.dead_keys.iter().map(|keys| match &left_out {
            None => Ok(Vec::new()),
            Some(batch) => keys.iter().map(|slot| compact(&self.slot(*slot, batch)?)).collect(),
        });
        Ok(Rows {
            slots,
            len: kept.num_rows(),
            dead: dead.collect::<Result<_>>()?,
            aside: std::mem::take(&mut tally.quarantined),
            excluded,
        })
    }

    fn slot(&self, slot: usize, batch: &RecordBatch) -> Result<ArrayRef> {
        let expression = &self.slots[slot];
        let explain = |fault| self.explained(expression, &self.origins[slot], batch, fault);
        expression.evaluate(batch).map_err(explain)
    }

    /// Why an expression has no value, with the place in the feed that asks for it and the first row
    /// where it fails. What consumers do not see is not shown.
    fn explained(
        &self,
        expression: &Expression,
        origin: &Origin,
        batch: &RecordBatch,
        fault: Fault,
    ) -> Fault {
        let rows = (0..batch.num_rows()).map(|row| batch.slice(row, 1));
        let failing = rows.into_iter().find_map(|row| Some((expression.evaluate(&row).err()?, row)));
        let (fault, row) = match failing {
            Some((fault, row)) => (fault, self.row_name(&row)),
            None => (fault, String::new()),
        };
        let what = format!("failed to compute {}{row}", origin.title);
        match origin.privacy {
            Privacy::Open => fault.within(what),
            Privacy::Masked => Fault::new(fault.class(), what).because(format!(
                "failed to evaluate `{}`; its values are masked and not shown",
                expression.sql()
            )),
        }
    }

    /// ` of the row with account_id 17`.
    fn row_name(&self, row: &RecordBatch) -> String {
        let name = |slot: &usize| {
            let expression = &self.slots[*slot];
            let value = match self.origins[*slot].privacy {
                Privacy::Masked => HIDDEN.to_owned(),
                Privacy::Open => {
                    let text = to_text(&expression.evaluate(row).ok()?).ok()?;
                    let text = text.as_string_view();
                    if text.is_null(0) { "null".to_owned() } else { text.value(0).to_owned() }
                }
            };
            Some(format!("{} {value}", expression.sql().trim_matches('"')))
        };
        let names: Vec<String> = self.identity.iter().filter_map(name).collect();
        if names.is_empty() { String::new() } else { format!(" in the row with {}", names.join(", ")) }
    }

    /// The rows for which the filter is true, and the others if anyone asks for them.
    fn split(&self, batch: RecordBatch, filter: &Expression) -> Result<(RecordBatch, Option<RecordBatch>)> {
        let keep = filter
            .evaluate_filter(&batch)
            .map_err(|fault| self.explained(filter, &self.filter_origin, &batch, fault))?;
        if keep.true_count() == batch.num_rows() {
            return Ok((batch, None));
        }
        let left_out = if self.dead_keys.is_empty() {
            None
        } else {
            Some(select(&batch, &BooleanArray::new(!keep.values(), None))?)
        };
        Ok((select(&batch, &keep)?, left_out))
    }
}

/// The batch without what its arrays were given room for and did not use: builders double theirs, and what is
/// counted against the memory limit is what rows use.
fn tight(batch: RecordBatch) -> Result<RecordBatch> {
    let (schema, mut columns, rows) = batch.into_parts();
    columns.iter_mut().for_each(Array::shrink_to_fit);
    arrays::batch(&schema, columns, rows)
}

/// The rows for which `keep` is true.
pub(crate) fn select(batch: &RecordBatch, keep: &BooleanArray) -> Result<RecordBatch> {
    if batch.num_columns() == 0 {
        let options = RecordBatchOptions::new().with_row_count(Some(keep.true_count()));
        return RecordBatch::try_new_with_options(batch.schema(), Vec::new(), &options)
            .map_err(|error| Fault::bug("failed to filter rows").because(error));
    }
    filter_record_batch(batch, keep).map_err(|error| Fault::bug("failed to filter rows").because(error))
}
