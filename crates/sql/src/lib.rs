//! SQL through DataFusion: expressions bound to a table's columns ([`Expression`]), and queries over
//! several tables ([`Queries`]).
//!
//! The only room that knows DataFusion, so that only this room is compiled with its planner. Must not
//! know: documents, how tables are joined into them, where a table's files lie.

mod dialect;
mod expression;
mod map_access;
mod query;
mod source;
pub mod spark;
mod wording;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use datafusion::common::Column;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};
use hivecast_feed::{BindError, Binder, UNREADABLE, nearest};

use map_access::MapAccess;

pub use dialect::shared_functions;
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
        SqlBinder { context: session(1, Arc::default()) }
    }
}

impl Binder for SqlBinder {
    fn bind(&self, sql: &str, columns: &SchemaRef) -> Result<DataType, BindError> {
        let expression = self.expression(sql, columns)?;
        // What reads no column gives every row one value, or one error: it can be told now.
        if expression.columns().is_empty() {
            expression.evaluate_alone().map_err(|message| BindError {
                message,
                at: None,
                suggestion: None,
            })?;
        }
        Ok(expression.data_type().clone())
    }

    fn tables_of(&self, query: &str) -> Result<Vec<String>, BindError> {
        dialect::tables_of(&self.context, query)
    }

    fn bind_query(&self, query: &str, tables: &BTreeMap<String, SchemaRef>) -> Result<SchemaRef, BindError> {
        let context = session(1, Arc::default());
        for (name, schema) in tables {
            let table = Arc::new(EmptyTable::new(Arc::clone(schema)));
            context.register_table(name.as_str(), table).map_err(|error| bind_error(query, &error))?;
        }
        let plan = block_on(context.state().create_logical_plan(query));
        let plan = plan.map_err(|error| bind_error_over(query, &error, tables.values()))?;
        dialect::allow_plan(&plan)?;
        let plan = context.state().optimize(&plan).map_err(|error| bind_error(query, &error))?;
        Ok(Arc::new(plan.schema().as_arrow().clone()))
    }
}

/// One kind of session for binding and running, so that what binds is what runs.
fn session(threads: usize, environment: Arc<RuntimeEnv>) -> SessionContext {
    let state = SessionStateBuilder::new()
        .with_config(session_config(threads))
        .with_runtime_env(environment)
        .with_expr_planners(vec![Arc::new(MapAccess)])
        .with_default_features()
        .build();
    SessionContext::new_with_state(state)
}

fn session_config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(threads).with_information_schema(false);
    config.options_mut().sql_parser.collect_spans = true;
    config
}

/// Runs a future of DataFusion's planner, which never waits for anything.
fn block_on<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

/// As [`bind_error`], where these tables may have columns that are not read.
fn bind_error_over<'a>(
    sql: &str,
    error: &DataFusionError,
    tables: impl IntoIterator<Item = &'a SchemaRef>,
) -> BindError {
    use datafusion::common::SchemaError;
    let DataFusionError::SchemaError(schema, _) = error.find_root() else { return bind_error(sql, error) };
    let SchemaError::FieldNotFound { field, .. } = schema.as_ref() else { return bind_error(sql, error) };
    let key = format!("{UNREADABLE}{}", field.name().to_lowercase());
    match tables.into_iter().find_map(|table| table.metadata().get(&key)) {
        Some(why) => BindError {
            message: format!("column `{}` {why}", field.name()),
            at: place_of(sql, error).or_else(|| word_at(sql, field.name())),
            suggestion: None,
        },
        None => bind_error(sql, error),
    }
}

/// Turns DataFusion's error into one that a feed's author can act on.
fn bind_error(sql: &str, error: &DataFusionError) -> BindError {
    use datafusion::common::SchemaError;
    let at = place_of(sql, error);
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => no_column(sql, at, field, valid_fields),
            SchemaError::AmbiguousReference { field } => BindError {
                message: format!("column `{}` is in more than one table: write `table.column`", field.name()),
                at: at.or_else(|| word_at(sql, field.name())),
                suggestion: None,
            },
            other => BindError { message: wording::plain(&other.to_string()), at, suggestion: None },
        },
        DataFusionError::SQL(parser, _) => not_sql(sql, at, &parser.to_string()),
        DataFusionError::Plan(text) if text.starts_with(NO_FUNCTION) => {
            let name = text[NO_FUNCTION.len()..].split('\'').next().unwrap_or_default();
            BindError {
                message: format!("no function `{name}`"),
                at: word_at(sql, name).or(at),
                suggestion: dialect::nearest_function(name),
            }
        }
        _ => BindError { message: wording::sentence(error), at, suggestion: None },
    }
}

/// How DataFusion begins to say that there is no such function.
const NO_FUNCTION: &str = "Invalid function '";

/// A column that is not there. Over one table columns stand without its name, and the one that was meant
/// may be there under its bare name.
fn no_column(
    sql: &str,
    at: Option<std::ops::Range<usize>>,
    field: &Column,
    valid_fields: &[Column],
) -> BindError {
    let relation = field.relation.as_ref().map(|relation| relation.table().to_owned());
    let written = match &relation {
        Some(relation) => format!("{relation}.{}", field.name()),
        None => field.name().to_owned(),
    };
    let names = || valid_fields.iter().map(Column::name);
    let of_relation = |column: &&Column| {
        relation.is_none() || column.relation.as_ref().map(|relation| relation.table()) == relation.as_deref()
    };
    let near = nearest(field.name(), valid_fields.iter().filter(of_relation).map(Column::name));
    let suggestion = match near {
        Some(near) if relation.is_some() && valid_fields.iter().any(|column| column.relation.is_some()) => {
            Some(format!("{}.{near}", relation.unwrap_or_default()))
        }
        Some(near) => Some(near.to_owned()),
        None => names()
            .find(|name| name.eq_ignore_ascii_case(field.name()))
            .or_else(|| nearest(field.name(), names()))
            .map(str::to_owned),
    };
    let place = at.or_else(|| word_at(sql, &written)).or_else(|| word_at(sql, field.name()));
    // In SQL double quotes are for names; who writes them often means text.
    let quoted = place.clone().and_then(|at| sql.get(at)).is_some_and(|word| word.starts_with('"'));
    let message = match quoted && suggestion.is_none() {
        true => format!("no column `{written}`; text stands in single quotes: '{written}'"),
        false => format!("no column `{written}`"),
    };
    BindError { message, at: place, suggestion }
}

/// What the parser says, without its own name and place, which the caret shows.
fn not_sql(sql: &str, at: Option<std::ops::Range<usize>>, text: &str) -> BindError {
    let text = text.strip_prefix("sql parser error: ").unwrap_or(text);
    let (what, place) = match text.rsplit_once(" at Line: ") {
        Some((what, place)) => (what, position(sql, place)),
        None => (text, None),
    };
    let message = match what.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: ")) {
        Some((expected, "EOF")) => format!("this is not SQL: it ends where {expected} is expected"),
        Some((expected, found)) => format!("this is not SQL: expected {expected}, found `{found}`"),
        None => format!("this is not SQL: {what}"),
    };
    BindError { message, at: at.or(place), suggestion: None }
}

/// The rest of the word at `1, Column: 6`.
fn position(sql: &str, place: &str) -> Option<std::ops::Range<usize>> {
    let (line, column) = place.split_once(", Column: ")?;
    let start = offset(sql, line.trim().parse().ok()?, column.trim().parse().ok()?)?;
    let rest = sql.get(start..)?;
    let length = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    (start < sql.len()).then_some(start..start + length.max(1)).filter(|at| sql.get(at.clone()).is_some())
}

fn place_of(sql: &str, error: &DataFusionError) -> Option<std::ops::Range<usize>> {
    let span = error.diagnostic()?.span?;
    let start = offset(sql, span.start.line, span.start.column)?;
    Some(start..offset(sql, span.end.line, span.end.column)?)
}

/// The byte at a line and column, both from 1.
fn offset(sql: &str, line: u64, column: u64) -> Option<usize> {
    let skipped: usize =
        sql.split_inclusive('\n').take(usize::try_from(line).ok()?.checked_sub(1)?).map(str::len).sum();
    let rest = sql.get(skipped..)?;
    let within = rest
        .char_indices()
        .nth(usize::try_from(column).ok()?.checked_sub(1)?)
        .map_or(rest.len(), |(at, _)| at);
    Some(skipped + within)
}

fn word_at(sql: &str, word: &str) -> Option<std::ops::Range<usize>> {
    let start = sql.to_lowercase().find(&word.to_lowercase())?;
    let end = start + word.len();
    sql.get(start..end).map(|_| start..end)
}
