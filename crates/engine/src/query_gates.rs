//! Gates that a query judges: `unique` and `sql`.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter;
use hivecast_edition::{Exclusion, GateResult};
use hivecast_feed::{Checked, Rule, Severity, Sql};
use hivecast_run::{Context, Fault, Result};

use crate::arrays::batch;
use crate::job::Aside;
use crate::masked::Masked;
use crate::row_gates::{
    HIDDEN, MAX_EXAMPLES, Repeated, RepeatedKeys, as_text, hash_of, key_of, lower, outcome, plural,
};
use crate::spill::{Spill, keep_in_order};
use hivecast_sql::{Queries, RowSource, quoted};

/// The share of the memory limit that the repeated keys of all `unique` gates may take, since each row
/// is looked up in them while it is read; a table with more has another problem than a gate can sort out.
const REPEATED_DIVISOR: usize = 16;
/// Bytes of keys of documents to set aside that wait before they go to disk.
const EXCLUDED_BUFFER_BYTES: usize = 1 << 20;

/// What the queries of gates may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    pub(crate) memory_bytes: usize,
    pub(crate) spill: &'a Path,
}

/// What the queries of gates found.
#[derive(Debug, Default)]
pub(crate) struct QueryFindings {
    pub(crate) repeated: Repeated,
    pub(crate) results: Vec<GateResult>,
    /// Documents that `sql` gates set aside: why, and their keys, on disk since they may be as many as
    /// there are documents.
    excluded: Vec<(String, Arc<Spill>)>,
}

impl QueryFindings {
    /// Names the documents that the gates set aside.
    pub(crate) fn exclude(&self, aside: &dyn Aside) -> Result<()> {
        for (reason, keys) in &self.excluded {
            for part in 0..keys.parts() {
                for batch in keys.open(part, &[0])? {
                    for key in batch?.column(0).as_string_view().iter().flatten() {
                        aside.exclude(Exclusion { key: key.to_owned(), reason: reason.clone() })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks a `sql` gate's query.
    fn add(&mut self, gate: &SqlGate<'_>, ask: &Ask<'_>, spill: &Path) -> Result<()> {
        let (result, keys) = gate.run(ask, spill)?;
        self.results.push(result);
        self.excluded.push((format!("gate sql {:?}", gate.name), keys));
        Ok(())
    }

    /// Bytes that the findings hold in memory.
    pub(crate) fn bytes(repeated: &Repeated) -> usize {
        repeated.values().map(|keys| keys.bytes()).sum()
    }
}

/// Runs a gate's query, handing over its rows; the first argument names it in errors.
pub(crate) type Ask<'a> = dyn Fn(&str, &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> + 'a;

/// Asks the queries of `sql` gates where somebody else runs them, by their text.
pub(crate) fn judge_elsewhere(
    checked: &Checked,
    masked: &Masked,
    spill: &Path,
    ask: &AskSql<'_>,
) -> Result<QueryFindings> {
    let mut findings = QueryFindings::default();
    for gate in &checked.feed.gates {
        if let Rule::Query { name, sql } = &gate.rule {
            let query = SqlGate { name, sql, severity: gate.severity, checked, masked };
            findings.add(&query, &|what, each| ask(what, &sql.value, each), spill)?;
        }
    }
    Ok(findings)
}

/// Runs a query by its text, handing over its rows; the first argument names it in errors.
pub type AskSql<'a> = dyn Fn(&str, &str, &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> + 'a;

/// Runs the queries of all gates.
pub(crate) fn judge(
    checked: &Checked,
    masked: &Masked,
    queries: &Queries,
    limits: Limits<'_>,
    context: &Context<'_>,
) -> Result<QueryFindings> {
    let unique = checked.feed.gates.iter().filter(|gate| matches!(gate.rule, Rule::Unique { .. })).count();
    let most_keys = limits.memory_bytes / REPEATED_DIVISOR / RepeatedKeys::KEY_BYTES / unique.max(1);
    let mut findings = QueryFindings::default();
    for gate in &checked.feed.gates {
        match &gate.rule {
            Rule::Unique { of, columns } => {
                let columns = lower(columns);
                let repeated = repeated_keys(of, &columns, most_keys, queries, context)?;
                findings.repeated.insert((of.clone(), columns), Arc::new(repeated));
            }
            Rule::Query { name, sql } => {
                let query = SqlGate { name, sql, severity: gate.severity, checked, masked };
                findings.add(
                    &query,
                    &|what, each| queries.run(what, &sql.value, context, each),
                    limits.spill,
                )?;
            }
            _ => {}
        }
    }
    Ok(findings)
}

fn repeated_keys(
    table: &str,
    columns: &[String],
    most: usize,
    queries: &Queries,
    context: &Context<'_>,
) -> Result<RepeatedKeys> {
    let list = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let present = columns.iter().map(|column| format!("{} is not null", quoted(column))).collect::<Vec<_>>();
    let query = format!(
        "select {list} from {} where {} group by {list} having count(*) > 1",
        quoted(table),
        present.join(" and ")
    );
    let (mut repeated, mut scratch) = (Vec::new(), Vec::new());
    queries.run(&format!("gate unique of table {table}"), &query, context, &mut |batch| {
        let texts = batch.columns().iter().map(as_text).collect::<Result<Vec<_>>>()?;
        repeated.extend((0..batch.num_rows()).filter_map(|row| hash_of(&texts, row, &mut scratch)));
        if repeated.len() > most {
            return Err(Fault::data(format!(
                "more than {most} keys ({}) of table {table} are not unique, and the memory limit has no room \
                 to tell more of their rows from others",
                columns.join(", ")
            ))
            .advise("correct the export or the gate's columns, or give it more with --memory"));
        }
        Ok(())
    })?;
    Ok(RepeatedKeys::new(repeated))
}

/// A query that must return no row.
struct SqlGate<'a> {
    name: &'a str,
    sql: &'a Sql,
    severity: Severity,
    checked: &'a Checked,
    masked: &'a Masked,
}

/// The values that are not null.
fn present(column: &ArrayRef) -> Result<ArrayRef> {
    let Some(nulls) = column.nulls() else { return Ok(Arc::clone(column)) };
    filter(column, &BooleanArray::new(nulls.inner().clone(), None))
        .map_err(|error| Fault::bug("failed to leave nulls out").because(error))
}

impl SqlGate<'_> {
    /// Runs it. With `quarantine`, its first column is the key of the document to set aside; these keys
    /// wait in a spill.
    fn run(&self, ask: &Ask<'_>, spill: &Path) -> Result<(GateResult, Arc<Spill>)> {
        let (mut rows, mut examples, mut quarantined) = (0u64, Vec::new(), 0);
        let what = format!("gate sql {:?} ({})", self.name, self.checked.source.spot(&self.sql.span));
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("key", DataType::Utf8View, true)]));
        let keys = keep_in_order(spill, Arc::clone(&schema), EXCLUDED_BUFFER_BYTES, |keep| {
            ask(&what, &mut |found| {
                rows += found.num_rows() as u64;
                let texts = found.columns().iter().map(as_text).collect::<Result<Vec<_>>>()?;
                let room = MAX_EXAMPLES.saturating_sub(examples.len());
                let hidden = self.hidden(&found);
                examples.extend((0..found.num_rows()).take(room).map(|row| shown(&texts, &hidden, row)));
                if self.severity == Severity::Quarantine
                    && let Some(keys) = texts.first()
                {
                    let keys = present(keys)?;
                    quarantined += keys.len() as u64;
                    keep(batch(&schema, vec![keys.clone()], keys.len())?)?;
                }
                Ok(())
            })
        });
        let keys = keys.map_err(|fault| self.masked.veil(&self.checked.feed, &self.sql.value, fault))?;
        let result = GateResult {
            gate: format!("sql {}", self.name),
            limit: "no row".to_owned(),
            measured: plural(rows, "row"),
            outcome: outcome(rows == 0, self.severity),
            examples,
            quarantined,
        };
        Ok((result, keys))
    }

    /// Which columns may not be shown. Of a query that speaks of hidden columns only those may that
    /// come out under the name of a column which is not hidden: what else they are made of is not known.
    fn hidden(&self, batch: &RecordBatch) -> Vec<bool> {
        if !self.masked.is_spoken_of(&self.sql.value) {
            return vec![false; batch.num_columns()];
        }
        let is_column = |name: &str| {
            let schemas = self.checked.schemas.values();
            schemas.into_iter().any(|schema| schema.column_with_name(name).is_some())
        };
        let schema = batch.schema();
        schema
            .fields()
            .iter()
            .map(|field| self.masked.hides(field.name()) || !is_column(field.name()))
            .collect()
    }
}

/// A row's values for a person, without those that may not be shown.
fn shown(texts: &[ArrayRef], hidden: &[bool], row: usize) -> String {
    let values =
        texts.iter().zip(hidden).map(|(text, hidden)| match key_of(std::slice::from_ref(text), row) {
            None => "null".to_owned(),
            Some(_) if *hidden => HIDDEN.to_owned(),
            Some(value) => value.concat(),
        });
    values.collect::<Vec<_>>().join(", ")
}
