//! SQL through DataFusion: expressions bound to a table's columns ([`Expression`]), and queries over
//! several tables ([`Queries`]).
//!
//! The only room that knows DataFusion, so that only this room is compiled with its planner. Must not
//! know: documents, how tables are joined into them, where a table's files lie.

mod dialect;
mod expression;
mod query;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};
use hivecast_feed::{BindError, Binder, nearest};

pub use expression::{Expression, normal_type, to_text};
pub use query::{Queries, QueryLimits, quoted};
pub use source::{Batches, RowSource};

/// Binds expressions and queries as the embedded engine will run them, without reading data.
pub struct SqlBinder {
    context: SessionContext,
}

impl SqlBinder {
    /// Binds an expression to a table's columns, ready to run. Refuses what DataFusion and Spark do not
    /// share.
    pub fn expression(&self, sql: &str, columns: &SchemaRef) -> Result<Expression, BindError> {
        Expression::bind(&self.context, sql, columns)
    }
}

impl Default for SqlBinder {
    fn default() -> Self {
        SqlBinder { context: SessionContext::new_with_config(session_config(1)) }
    }
}

impl Binder for SqlBinder {
    fn bind(&self, sql: &str, columns: &SchemaRef) -> Result<DataType, BindError> {
        self.expression(sql, columns).map(|expression| expression.data_type().clone())
    }

    fn tables_of(&self, query: &str) -> Result<Vec<String>, BindError> {
        dialect::tables_of(&self.context, query)
    }

    fn bind_query(&self, query: &str, tables: &BTreeMap<String, SchemaRef>) -> Result<SchemaRef, BindError> {
        let context = SessionContext::new_with_config(session_config(1));
        for (name, schema) in tables {
            let table = Arc::new(EmptyTable::new(Arc::clone(schema)));
            context.register_table(name.as_str(), table).map_err(|error| bind_error(query, &error))?;
        }
        let plan = block_on(context.state().create_logical_plan(query));
        let plan = plan.map_err(|error| bind_error(query, &error))?;
        dialect::allow_plan(&plan)?;
        let plan = context.state().optimize(&plan).map_err(|error| bind_error(query, &error))?;
        Ok(Arc::new(plan.schema().as_arrow().clone()))
    }
}

/// One configuration for binding and running, so that what binds is what runs.
fn session_config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(threads).with_information_schema(false);
    config.options_mut().sql_parser.collect_spans = true;
    config
}

/// Runs a future of DataFusion's planner, which never waits for anything.
fn block_on<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

/// Turns DataFusion's error into one that a feed's author can act on.
fn bind_error(sql: &str, error: &DataFusionError) -> BindError {
    use datafusion::common::SchemaError;
    let place = place_of(sql, error);
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => BindError {
                message: format!("no column {:?}", field.name()),
                at: place.or_else(|| word_at(sql, field.name())),
                suggestion: nearest(field.name(), valid_fields.iter().map(|column| column.name()))
                    .map(str::to_owned),
            },
            other => BindError { message: other.to_string(), at: place, suggestion: None },
        },
        DataFusionError::SQL(parser, _) => {
            BindError { message: format!("not an SQL expression: {parser}"), at: place, suggestion: None }
        }
        other => BindError { message: first_sentence(&other.strip_backtrace()), at: place, suggestion: None },
    }
}

/// DataFusion's own prefix ("Error during planning: ") helps nobody, nor do its long candidate lists.
fn first_sentence(text: &str) -> String {
    let text = text
        .split_once(": ")
        .filter(|(head, _)| head.starts_with("Error during"))
        .map_or(text, |(_, rest)| rest);
    text.lines().next().unwrap_or(text).trim().to_owned()
}

fn place_of(sql: &str, error: &DataFusionError) -> Option<std::ops::Range<usize>> {
    let span = error.diagnostic()?.span?;
    let offset = |line: u64, column: u64| {
        let skipped: usize =
            sql.split_inclusive('\n').take(usize::try_from(line).ok()?.checked_sub(1)?).map(str::len).sum();
        let rest = sql.get(skipped..)?;
        let within = rest
            .char_indices()
            .nth(usize::try_from(column).ok()?.checked_sub(1)?)
            .map_or(rest.len(), |(at, _)| at);
        Some(skipped + within)
    };
    Some(offset(span.start.line, span.start.column)?..offset(span.end.line, span.end.column)?)
}

fn word_at(sql: &str, word: &str) -> Option<std::ops::Range<usize>> {
    let start = sql.to_lowercase().find(&word.to_lowercase())?;
    let end = start + word.len();
    sql.get(start..end).map(|_| start..end)
}
