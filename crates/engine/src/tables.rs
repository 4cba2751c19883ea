//! The feed's tables as sources of rows: frozen files, and what `sql:` tables give.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hivecast_feed::{Feed, Rule, Source, Table};
use hivecast_run::{Context, Fault, Result};
use hivecast_warehouse::{Part, TableInput};

use crate::masked::Masked;
use crate::plan::Plan;
use crate::spill::keep_in_order;
use hivecast_sql::{Batches, RowSource};
use hivecast_sql::{Queries, QueryLimits, normal_type};

/// Most rows in a batch that is read.
const BATCH_ROWS: usize = 8_192;
/// Bytes in memory that such a batch aims at, by what the file says of its rows.
const BATCH_BYTES: u64 = 8 << 20;
/// What a query's rows may hold back before they are written to the spill file, in bytes.
const QUERY_BUFFER_BYTES: usize = 8 << 20;
/// The share of the memory limit that queries may use: nothing else is in memory while they run,
/// but their accounting does not see everything.
const QUERY_MEMORY_DIVISOR: usize = 2;

/// The rows of every table, by its name in the feed, and the queries over them where a gate needs
/// them.
pub(crate) struct Tables {
    pub(crate) sources: BTreeMap<String, Arc<dyn RowSource>>,
    pub(crate) queries: Option<Queries>,
}

/// Opens the frozen files and runs the `sql:` tables, each after those that it reads.
pub(crate) fn open(plan: &Plan, context: &Context<'_>) -> Result<Tables> {
    let feed = &plan.checked.feed;
    let mut sources: BTreeMap<String, Arc<dyn RowSource>> = BTreeMap::new();
    for input in &plan.inputs.tables {
        sources.insert(input.table.clone(), Arc::new(Files::new(input.clone())));
    }
    if !asks_queries(feed) {
        return Ok(Tables { sources, queries: None });
    }
    std::fs::create_dir_all(&plan.spill).map_err(|error| {
        Fault::io(format!("failed to make the directory {} for spill files", plan.spill.display()), error)
    })?;
    let queries = Queries::new(QueryLimits {
        memory_bytes: plan.memory_bytes / QUERY_MEMORY_DIVISOR,
        threads: plan.threads,
        spill: &plan.spill,
    })?;
    for (name, source) in &sources {
        queries.register(name, Arc::clone(source), filter_of(feed, name))?;
    }
    for name in &plan.checked.queries {
        let schema = normal_schema(&plan.checked.schemas[name]);
        let rows = run_table(&queries, table_of(feed, name)?, &schema, plan, context)?;
        queries.register(name, Arc::clone(&rows), filter_of(feed, name))?;
        sources.insert(name.clone(), rows);
    }
    Ok(Tables { sources, queries: Some(queries) })
}

fn asks_queries(feed: &Feed) -> bool {
    feed.tables.iter().any(|table| matches!(table.source, Source::Query(_)))
        || feed.gates.iter().any(|gate| matches!(gate.rule, Rule::Unique { .. } | Rule::Query { .. }))
}

fn table_of<'f>(feed: &'f Feed, name: &str) -> Result<&'f Table> {
    let table = feed.tables.iter().find(|table| table.name == name);
    table.ok_or_else(|| Fault::bug(format!("the feed has no table {name}")))
}

fn filter_of<'f>(feed: &'f Feed, name: &str) -> Option<&'f str> {
    let table = feed.tables.iter().find(|table| table.name == name)?;
    table.filter.as_ref().map(|filter| filter.value.as_str())
}

/// The schema in the engine's normal types.
pub(crate) fn normal_schema(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &arrow_schema::FieldRef| {
        Arc::new(field.as_ref().clone().with_data_type(normal_type(field.data_type())).with_nullable(true))
    };
    Arc::new(arrow_schema::Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn run_table(
    queries: &Queries,
    table: &Table,
    schema: &SchemaRef,
    plan: &Plan,
    context: &Context<'_>,
) -> Result<Arc<dyn RowSource>> {
    let Source::Query(sql) = &table.source else {
        return Err(Fault::bug(format!("table {} is no query", table.name)));
    };
    let what = format!("the query of table {} ({})", table.name, plan.checked.source.spot(&sql.span));
    let rows = keep_in_order(&plan.spill, Arc::clone(schema), QUERY_BUFFER_BYTES, |keep| {
        let ran = queries.run(&what, &sql.value, context, &mut |batch| keep(normal_batch(&batch, schema)?));
        ran.map_err(|fault| Masked::of(&plan.checked).veil(&plan.checked.feed, &sql.value, fault))
    })?;
    Ok(rows)
}

fn normal_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        arrow_cast::cast(column, field.data_type())
            .map_err(|error| Fault::data(format!("failed to convert column {}", field.name())).because(error))
    });
    crate::arrays::batch(schema, columns.collect::<Result<_>>()?, batch.num_rows())
}

/// A table's frozen files.
pub(crate) struct Files {
    input: TableInput,
    parts: Vec<Part>,
}

impl Files {
    pub(crate) fn new(input: TableInput) -> Self {
        let parts = input.scan_parts();
        Files { input, parts }
    }

    /// Few rows at a time where a row is large; text, which says nothing of its rows, is cut by its
    /// bytes where it is read.
    fn batch_rows(&self, part: &Part) -> usize {
        let (rows, bytes) = (part.rows.unwrap_or(0), part.decoded_bytes);
        let fitting = BATCH_BYTES * rows / bytes.max(1);
        if bytes == 0 { BATCH_ROWS } else { (fitting as usize).clamp(1, BATCH_ROWS) }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files of table {}", self.input.table)
    }
}

impl RowSource for Files {
    fn schema(&self) -> &SchemaRef {
        &self.input.schema
    }

    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn rows(&self) -> Option<u64> {
        self.input.rows
    }

    fn open(&self, part: usize, columns: &[usize]) -> Result<Batches> {
        let part = self.parts.get(part).ok_or_else(|| Fault::bug(format!("{self:?} have no part {part}")))?;
        Ok(Box::new(self.input.scan_part(part, columns, self.batch_rows(part))?))
    }

    fn column_bytes(&self, column: usize) -> u64 {
        self.input.column_bytes.get(column).copied().unwrap_or(0)
    }
}
