//! Gates that a query judges: `unique` and `sql`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use hivecast_edition::{Exclusion, GateResult};
use hivecast_feed::{Checked, Rule, Severity, Sql};
use hivecast_run::{Context, Fault, Result};

use crate::masked::Masked;
use crate::row_gates::{HIDDEN, MAX_EXAMPLES, Repeated, as_text, key_of, lower, outcome, plural};
use hivecast_sql::{Queries, quoted};

/// Most keys that a `unique` gate keeps in memory; a table with more repeated keys has another
/// problem than a gate can sort out.
const MAX_REPEATED_KEYS: usize = 1_000_000;

/// What the queries of gates found.
#[derive(Debug, Default)]
pub(crate) struct QueryFindings {
    pub(crate) repeated: Repeated,
    pub(crate) results: Vec<GateResult>,
    /// Documents that a `sql` gate set aside.
    pub(crate) exclusions: Vec<Exclusion>,
}

/// Runs the queries of all gates.
pub(crate) fn judge(
    checked: &Checked,
    masked: &Masked,
    queries: &Queries,
    context: &Context<'_>,
) -> Result<QueryFindings> {
    let mut findings = QueryFindings::default();
    for gate in &checked.feed.gates {
        match &gate.rule {
            Rule::Unique { of, columns } => {
                let columns = lower(columns);
                let repeated = repeated_keys(of, &columns, queries, context)?;
                findings.repeated.insert((of.clone(), columns), Arc::new(repeated));
            }
            Rule::Query { name, sql } => {
                let query = SqlGate { name, sql, severity: gate.severity, checked, masked };
                let found = query.run(queries, context)?;
                findings.results.push(found.0);
                findings.exclusions.extend(found.1);
            }
            _ => {}
        }
    }
    Ok(findings)
}

fn repeated_keys(
    table: &str,
    columns: &[String],
    queries: &Queries,
    context: &Context<'_>,
) -> Result<HashSet<Vec<String>>> {
    let list = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let present = columns.iter().map(|column| format!("{} is not null", quoted(column))).collect::<Vec<_>>();
    let query = format!(
        "select {list} from {} where {} group by {list} having count(*) > 1",
        quoted(table),
        present.join(" and ")
    );
    let mut repeated = HashSet::new();
    queries.run(&format!("gate unique of table {table}"), &query, context, &mut |batch| {
        let texts = batch.columns().iter().map(as_text).collect::<Result<Vec<_>>>()?;
        repeated.extend((0..batch.num_rows()).filter_map(|row| key_of(&texts, row)));
        if repeated.len() > MAX_REPEATED_KEYS {
            return Err(Fault::data(format!(
                "more than {MAX_REPEATED_KEYS} keys ({}) of table {table} are not unique",
                columns.join(", ")
            ))
            .advise("correct the export, or the gate's columns"));
        }
        Ok(())
    })?;
    Ok(repeated)
}

/// A query that must return no row.
struct SqlGate<'a> {
    name: &'a str,
    sql: &'a Sql,
    severity: Severity,
    checked: &'a Checked,
    masked: &'a Masked,
}

impl SqlGate<'_> {
    /// Runs it. With `quarantine`, its first column is the key of the document to set aside.
    fn run(&self, queries: &Queries, context: &Context<'_>) -> Result<(GateResult, Vec<Exclusion>)> {
        let name = self.name;
        let (mut rows, mut examples, mut exclusions) = (0u64, Vec::new(), Vec::new());
        let what = format!("gate sql {name:?} ({})", self.checked.source.spot(&self.sql.span));
        let ran = queries.run(&what, &self.sql.value, context, &mut |batch| {
            rows += batch.num_rows() as u64;
            let texts = batch.columns().iter().map(as_text).collect::<Result<Vec<_>>>()?;
            let hidden = self.hidden(&batch);
            let shown = |row: usize| {
                let values = texts.iter().zip(&hidden).map(|(text, hidden)| {
                    match key_of(std::slice::from_ref(text), row) {
                        None => "null".to_owned(),
                        Some(_) if *hidden => HIDDEN.to_owned(),
                        Some(value) => value.concat(),
                    }
                });
                values.collect::<Vec<_>>().join(", ")
            };
            let room = MAX_EXAMPLES.saturating_sub(examples.len());
            examples.extend((0..batch.num_rows()).take(room).map(shown));
            if self.severity == Severity::Quarantine
                && let Some(keys) = texts.first()
            {
                let keys = (0..keys.len()).filter_map(|row| key_of(std::slice::from_ref(keys), row));
                exclusions.extend(
                    keys.map(|key| Exclusion { key: key.concat(), reason: format!("gate sql {name:?}") }),
                );
            }
            Ok(())
        });
        ran.map_err(|fault| self.masked.veil(&self.checked.feed, &self.sql.value, fault))?;
        let result = GateResult {
            gate: format!("sql {name}"),
            limit: "no row".to_owned(),
            measured: plural(rows, "row"),
            outcome: outcome(rows == 0, self.severity),
            examples,
            quarantined: exclusions.len() as u64,
        };
        Ok((result, exclusions))
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
