//! Queries, as Spark is told them.
//!
//! A query is planned and typed by DataFusion, and each step of its plan becomes a `select` over the step
//! below, whose columns have names that are no others': so no name can mean another column in Spark.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use datafusion::common::{Column, DFSchema, JoinType, NullEquality};
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::expr::{AggregateFunction, Sort as SortKey, WindowFunction};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, FetchType, Filter, Join, Limit, LogicalPlan, Projection,
    SkipType, Sort, SubqueryAlias, TableScan, Union, Values, Window, WindowFunctionDefinition,
};
use datafusion::optimizer::analyzer::Analyzer;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use datafusion::prelude::SessionContext;
use hivecast_feed::Binder;

use super::print::Printer;
use super::types::{is_plain, named, quoted, sql_type, value_type};
use super::{MOST_BYTES, casts, casts::OnFailure};
use crate::{SqlBinder, block_on, session, wording};

/// A query in Spark's SQL, whose columns have the names and types of [`Binder::bind_query`]. `names` tells how
/// a table of the feed is called in Spark's `from`. The error says what Spark would compute otherwise.
pub fn query_to_spark(
    sql: &str,
    tables: &BTreeMap<String, SchemaRef>,
    names: &dyn Fn(&str) -> String,
) -> Result<String, String> {
    let wanted = SqlBinder::default().bind_query(sql, tables).map_err(|error| error.message)?;
    let plan = plan(sql, tables)?;
    let mut writer = Writer { names, columns: 0, tables: 0 };
    let step = writer.step(&plan)?;
    let mut columns = Vec::new();
    for ((field, found), name) in wanted.fields().iter().zip(plan.schema().fields()).zip(&step.columns) {
        let kind = crate::normal_type(field.data_type());
        let value = casts::write(name, found.data_type(), &kind, OnFailure::Fail)?;
        let wanted = sql_type(&kind)
            .ok_or_else(|| format!("column {}: Spark has no type for {kind}", field.name()))?;
        columns.push(format!("cast({value} as {wanted}) as {}", quoted(field.name())));
    }
    let written = format!("select {} from {}", columns.join(", "), writer.from(&step.sql));
    match written.len() <= 4 * MOST_BYTES {
        true => Ok(written),
        false => {
            Err("it becomes too long a text in Spark's SQL: make it shorter, or several tables".to_owned())
        }
    }
}

/// The typed plan, whose subqueries in predicates are joins.
fn plan(sql: &str, tables: &BTreeMap<String, SchemaRef>) -> Result<LogicalPlan, String> {
    let context: SessionContext = session(1, Arc::default());
    let told = |error: datafusion::error::DataFusionError| wording::sentence(&error);
    for (name, schema) in tables {
        let table = Arc::new(EmptyTable::new(Arc::clone(schema)));
        context.register_table(name.as_str(), table).map_err(told)?;
    }
    let state = context.state();
    let plan = block_on(state.create_logical_plan(sql)).map_err(told)?;
    let plan = Analyzer::new().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(told)?;
    let rules = Optimizer::with_rules(vec![
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
    ]);
    rules.optimize(plan, &OptimizerContext::new(), |_, _| {}).map_err(told)
}

/// A step of the plan: a `select`, and what its columns are called, in the order of the step's schema.
struct Step {
    sql: String,
    columns: Vec<String>,
}

struct Writer<'a> {
    names: &'a dyn Fn(&str) -> String,
    /// How many names were given.
    columns: usize,
    tables: usize,
}

impl Writer<'_> {
    fn column(&mut self) -> String {
        self.columns += 1;
        format!("c{}", self.columns)
    }

    /// A select as a table of another.
    fn from(&mut self, sql: &str) -> String {
        self.tables += 1;
        format!("(\n{sql}\n) t{}", self.tables)
    }

    fn step(&mut self, plan: &LogicalPlan) -> Result<Step, String> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::Limit(limit) => self.limit(limit),
            // Rows have no order but where a limit cuts them.
            LogicalPlan::Sort(Sort { input, fetch: None, .. }) => self.step(input),
            LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => self.step(input),
            LogicalPlan::Subquery(subquery) => self.step(&subquery.subquery),
            LogicalPlan::EmptyRelation(empty) if empty.schema.fields().is_empty() => {
                let condition = if empty.produce_one_row { "" } else { " where false" };
                Ok(Step { sql: format!("select 1 as one{condition}"), columns: Vec::new() })
            }
            other => {
                let line = other.display().to_string();
                let what = line.split(':').next().unwrap_or_default().to_lowercase();
                Err(format!("a query with {what} is not written for Spark"))
            }
        }
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Step, String> {
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(format!("table {}: a filter in a scan is not written for Spark", scan.table_name));
        }
        let fields = scan.projected_schema.fields();
        let columns: Vec<String> = fields.iter().map(|_| self.column()).collect();
        let pairs = fields.iter().zip(&columns);
        let pairs: Vec<String> =
            pairs.map(|(field, name)| format!("{} as {name}", quoted(field.name()))).collect();
        let list = if pairs.is_empty() { "1 as one".to_owned() } else { pairs.join(", ") };
        let table = (self.names)(scan.table_name.table());
        Ok(Step { sql: format!("select {list} from {table}"), columns })
    }

    fn projection(&mut self, projection: &Projection) -> Result<Step, String> {
        let input = self.step(&projection.input)?;
        self.select(&input, projection.input.schema(), &projection.expr)
    }

    /// A select of expressions over a step.
    fn select(&mut self, input: &Step, schema: &DFSchema, expressions: &[Expr]) -> Result<Step, String> {
        let mut columns = Vec::new();
        let mut list = Vec::new();
        for expression in expressions {
            let written = print(expression, schema, &input.columns)?;
            let name = self.column();
            list.push(format!("{written} as {name}"));
            columns.push(name);
        }
        let from = self.from(&input.sql);
        let list = if list.is_empty() { "1 as one".to_owned() } else { list.join(", ") };
        Ok(Step { sql: format!("select {list} from {from}"), columns })
    }

    fn filter(&mut self, filter: &Filter) -> Result<Step, String> {
        let input = self.step(&filter.input)?;
        let condition = print(&filter.predicate, filter.input.schema(), &input.columns)?;
        let from = self.from(&input.sql);
        Ok(Step { sql: format!("select * from {from} where {condition}"), columns: input.columns })
    }

    /// A step with further columns, which expressions give; and their names. What is grouped or ordered by is
    /// a column: a literal there would be a place in the list.
    fn with_columns(
        &mut self,
        input: &Step,
        schema: &DFSchema,
        expressions: &[&Expr],
    ) -> Result<(String, Vec<String>), String> {
        let mut list = vec!["*".to_owned()];
        let mut names = Vec::new();
        for expression in expressions {
            let name = self.column();
            list.push(format!("{} as {name}", print(expression, schema, &input.columns)?));
            names.push(name);
        }
        let from = self.from(&input.sql);
        Ok((format!("select {} from {from}", list.join(", ")), names))
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Step, String> {
        let input = self.step(&aggregate.input)?;
        let schema = aggregate.input.schema();
        if aggregate.group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_))) {
            return Err("grouping sets, rollup and cube are not written for Spark".to_owned());
        }
        for group in &aggregate.group_expr {
            tells_apart(group, schema, "group by")?;
        }
        let groups: Vec<&Expr> = aggregate.group_expr.iter().collect();
        let (keyed, keys) = self.with_columns(&input, schema, &groups)?;
        let keyed = self.from(&keyed);
        let mut columns: Vec<String> = keys.iter().map(|_| self.column()).collect();
        let mut list: Vec<String> =
            keys.iter().zip(&columns).map(|(key, name)| format!("{key} as {name}")).collect();
        for expression in &aggregate.aggr_expr {
            let name = self.column();
            list.push(format!("{} as {name}", self.aggregated(expression, schema, &input.columns)?));
            columns.push(name);
        }
        let list = if list.is_empty() { "1 as one".to_owned() } else { list.join(", ") };
        let by = if keys.is_empty() { String::new() } else { format!(" group by {}", keys.join(", ")) };
        Ok(Step { sql: format!("select {list} from {keyed}{by}"), columns })
    }

    fn aggregated(
        &mut self,
        expression: &Expr,
        schema: &DFSchema,
        columns: &[String],
    ) -> Result<String, String> {
        let call = match expression {
            Expr::Alias(alias) => return self.aggregated(&alias.expr, schema, columns),
            Expr::AggregateFunction(call) => call,
            other => return Err(format!("`{other}` is not written for Spark")),
        };
        let AggregateFunction { func, params } = call;
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(format!("{} of rows in an order is not written for Spark", func.name()));
        }
        let result = expression.get_type(schema).map_err(|error| error.to_string())?;
        let condition = params.filter.as_ref().map(|filter| print(filter, schema, columns)).transpose()?;
        let argument = |index: usize| -> Result<String, String> {
            let only = params.args.get(index).ok_or_else(|| format!("{} has no argument", func.name()))?;
            let written = print(only, schema, columns)?;
            Ok(match &condition {
                Some(condition) => format!("case when {condition} then {written} end"),
                None => written,
            })
        };
        let kind = params.args.first().map(|only| only.get_type(schema)).transpose();
        let kind = kind.map_err(|error| error.to_string())?.unwrap_or(DataType::Null);
        aggregate_rule(func.name(), &params.args, &kind, schema)?;
        if params.args.len() > 1 {
            return Err(format!("{} of several values is not written for Spark", func.name()));
        }
        let distinct = if params.distinct { "distinct " } else { "" };
        if params.distinct && (kind.is_floating() || !is_plain(&kind)) {
            return Err(format!("distinct values of {} are told apart otherwise in Spark", named(&kind)));
        }
        let written = match (func.name(), params.args.is_empty()) {
            ("count", true) => match &condition {
                Some(condition) => format!("count(case when {condition} then 1 end)"),
                None => "count(*)".to_owned(),
            },
            (name, _) => format!("{name}({distinct}{})", argument(0)?),
        };
        Ok(format!("cast({written} as {})", value_type(&result)?))
    }

    fn window(&mut self, window: &Window) -> Result<Step, String> {
        let input = self.step(&window.input)?;
        let schema = window.input.schema();
        let mut columns = input.columns.clone();
        let mut list = vec!["*".to_owned()];
        let mut base = Step { sql: input.sql, columns: input.columns };
        let mut windows = Vec::new();
        for expression in &window.window_expr {
            let call = window_call(expression)?;
            let params = &call.params;
            let partition: Vec<&Expr> = params.partition_by.iter().collect();
            for key in &partition {
                tells_apart(key, schema, "partition by")?;
            }
            let order: Vec<&Expr> = params.order_by.iter().map(|key| &key.expr).collect();
            let (sql, partition_names) = self.with_columns(&base, schema, &partition)?;
            base.sql = sql;
            let (sql, order_names) = self.with_columns(&base, schema, &order)?;
            base.sql = sql;
            let mut over = Vec::new();
            if !partition_names.is_empty() {
                over.push(format!("partition by {}", partition_names.join(", ")));
            }
            over.push(format!("order by {}", order_by(&params.order_by, &order_names, schema)?));
            windows.push((
                ranking(call)?,
                over.join(" "),
                expression.get_type(schema).map_err(|error| error.to_string())?,
            ));
        }
        for (function, over, result) in windows {
            let name = self.column();
            list.push(format!("cast({function}() over ({over}) as {}) as {name}", value_type(&result)?));
            columns.push(name);
        }
        let from = self.from(&base.sql);
        Ok(Step { sql: format!("select {} from {from}", list.join(", ")), columns })
    }

    fn join(&mut self, join: &Join) -> Result<Step, String> {
        let (left, right) = (self.step(&join.left)?, self.step(&join.right)?);
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let word = match join.join_type {
            JoinType::Inner => "inner join",
            JoinType::Left => "left join",
            JoinType::Right => "right join",
            JoinType::Full => "full join",
            JoinType::LeftSemi => "left semi join",
            JoinType::LeftAnti => "left anti join",
            _ => return Err("`exists` or `in (select …)` in an expression is not written for Spark: use it alone, with `and`, or a join".to_owned()),
        };
        if join.null_aware {
            return Err(
                "`not in (select …)` is not written for Spark: use `not exists (select …)`".to_owned()
            );
        }
        let equal = if join.null_equality == NullEquality::NullEqualsNull { "<=>" } else { "=" };
        let mut conditions = Vec::new();
        for (a, b) in &join.on {
            tells_apart(a, left_schema, "join on")?;
            tells_apart(b, right_schema, "join on")?;
            let (a, b) = (print(a, left_schema, &left.columns)?, print(b, right_schema, &right.columns)?);
            conditions.push(format!("({a} {equal} {b})"));
        }
        let both: Vec<String> = left.columns.iter().chain(&right.columns).cloned().collect();
        if let Some(filter) = &join.filter {
            let schema = left_schema.join(right_schema).map_err(|error| error.to_string())?;
            conditions.push(print(filter, &schema, &both)?);
        }
        let columns = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => left.columns,
            _ => both,
        };
        let (left, right) = (self.from(&left.sql), self.from(&right.sql));
        let list = if columns.is_empty() { "1 as one".to_owned() } else { columns.join(", ") };
        let on = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") };
        Ok(Step { sql: format!("select {list} from {left} {word} {right} on {on}"), columns })
    }

    fn union(&mut self, union: &Union) -> Result<Step, String> {
        let columns: Vec<String> = union.schema.fields().iter().map(|_| self.column()).collect();
        let mut parts = Vec::new();
        for input in &union.inputs {
            let step = self.step(input)?;
            let pairs =
                step.columns.iter().zip(&columns).zip(input.schema().fields()).zip(union.schema.fields());
            let mut list = Vec::new();
            for (((from, to), found), wanted) in pairs {
                let value = casts::write(from, found.data_type(), wanted.data_type(), OnFailure::Fail)?;
                list.push(format!("{value} as {to}"));
            }
            let list = if list.is_empty() { "1 as one".to_owned() } else { list.join(", ") };
            let from = self.from(&step.sql);
            parts.push(format!("select {list} from {from}"));
        }
        Ok(Step { sql: parts.join("\nunion all\n"), columns })
    }

    fn distinct(&mut self, input: &LogicalPlan) -> Result<Step, String> {
        for field in input.schema().fields() {
            if field.data_type().is_floating() || !is_plain(field.data_type()) {
                return Err(format!(
                    "distinct values of {} are told apart otherwise in Spark",
                    named(field.data_type())
                ));
            }
        }
        let step = self.step(input)?;
        let from = self.from(&step.sql);
        Ok(Step {
            sql: format!("select distinct {} from {from}", step.columns.join(", ")),
            columns: step.columns,
        })
    }

    fn values(&mut self, values: &Values) -> Result<Step, String> {
        let columns: Vec<String> = values.schema.fields().iter().map(|_| self.column()).collect();
        let empty = DFSchema::empty();
        let mut rows = Vec::new();
        for row in &values.values {
            let mut list = Vec::new();
            for ((value, name), field) in row.iter().zip(&columns).zip(values.schema.fields()) {
                let found = value.get_type(&empty).map_err(|error| error.to_string())?;
                let written = print(value, &empty, &[])?;
                list.push(format!(
                    "{} as {name}",
                    casts::write(&written, &found, field.data_type(), OnFailure::Fail)?
                ));
            }
            rows.push(format!("select {}", list.join(", ")));
        }
        Ok(Step { sql: rows.join("\nunion all\n"), columns })
    }

    /// A limit with the order that it cuts.
    fn limit(&mut self, limit: &Limit) -> Result<Step, String> {
        let told = |error: datafusion::error::DataFusionError| error.to_string();
        let (FetchType::Literal(fetch), SkipType::Literal(skip)) =
            (limit.get_fetch_type().map_err(told)?, limit.get_skip_type().map_err(told)?)
        else {
            return Err("a limit that is no literal is not written for Spark".to_owned());
        };
        if skip > 0 {
            return Err("offset is not written for Spark".to_owned());
        }
        let Some(fetch) = fetch else { return self.step(&limit.input) };
        match limit.input.as_ref() {
            LogicalPlan::Sort(sort) => self.first(sort, fetch),
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::Sort(sort) => {
                    let cut = self.first(sort, fetch)?;
                    self.select(&cut, sort.input.schema(), &projection.expr)
                }
                _ => Err(UNORDERED.to_owned()),
            },
            _ => Err(UNORDERED.to_owned()),
        }
    }

    /// The first rows of an order.
    fn first(&mut self, sort: &Sort, fetch: usize) -> Result<Step, String> {
        let input = self.step(&sort.input)?;
        let schema = sort.input.schema();
        let keys: Vec<&Expr> = sort.expr.iter().map(|key| &key.expr).collect();
        let (keyed, names) = self.with_columns(&input, schema, &keys)?;
        let order = order_by(&sort.expr, &names, schema)?;
        let from = self.from(&keyed);
        let sql = format!("select {} from {from} order by {order} limit {fetch}", input.columns.join(", "));
        Ok(Step { sql, columns: input.columns })
    }
}

const UNORDERED: &str = "limit without order by takes any rows: put them into an order";

/// An expression over a step's columns.
fn print(expression: &Expr, schema: &DFSchema, columns: &[String]) -> Result<String, String> {
    let name = |column: &Column| {
        let index = schema.index_of_column(column).map_err(|error| error.to_string())?;
        columns.get(index).cloned().ok_or_else(|| format!("there is no column {column}"))
    };
    Printer { schema, name: &name }.print(expression)
}

/// Fails where values are grouped, joined or ordered otherwise in Spark.
fn tells_apart(expression: &Expr, schema: &DFSchema, what: &str) -> Result<(), String> {
    let kind = expression.get_type(schema).map_err(|error| error.to_string())?;
    match is_plain(&kind) && !kind.is_floating() {
        true => Ok(()),
        false => Err(format!("{what} {}: its values are told apart otherwise in Spark", named(&kind))),
    }
}

fn order_by(keys: &[SortKey], names: &[String], schema: &DFSchema) -> Result<String, String> {
    let mut written = Vec::new();
    for (key, name) in keys.iter().zip(names) {
        tells_apart(&key.expr, schema, "order by")?;
        let direction = if key.asc { "asc" } else { "desc" };
        let nulls = if key.nulls_first { "first" } else { "last" };
        written.push(format!("{name} {direction} nulls {nulls}"));
    }
    Ok(written.join(", "))
}

fn aggregate_rule(name: &str, args: &[Expr], kind: &DataType, schema: &DFSchema) -> Result<(), String> {
    match name {
        "count" => Ok(()),
        "min" | "max" if is_plain(kind) && !kind.is_floating() => Ok(()),
        "min" | "max" => Err(format!("{name} of {} is not known to give the same in Spark", named(kind))),
        "sum" if kind.is_floating() => {
            Err("a sum of doubles depends on the order in which rows come: cast them to a decimal".to_owned())
        }
        "sum" => Ok(()),
        "avg" if kind.is_floating() && args.first().is_some_and(|only| is_small_integer(only, schema)) => Ok(()),
        "avg" if kind.is_floating() => {
            Err("an average of doubles or bigints depends on the order in which rows come: write cast(sum(x) as double) / count(x)".to_owned())
        }
        "avg" => Err("an average of decimals is cut in DataFusion and rounded in Spark: write cast(sum(x) as double) / count(x)".to_owned()),
        "bool_and" | "bool_or" => Ok(()),
        other => Err(format!("the aggregate {other} is not known to give the same in Spark")),
    }
}

/// Whether it is an integer of so few digits that a sum of doubles is exact.
fn is_small_integer(expression: &Expr, schema: &DFSchema) -> bool {
    let Expr::Cast(cast) = expression else { return false };
    matches!(cast.expr.get_type(schema), Ok(DataType::Int8 | DataType::Int16 | DataType::Int32))
}

fn window_call(expression: &Expr) -> Result<&WindowFunction, String> {
    match expression {
        Expr::Alias(alias) => window_call(&alias.expr),
        Expr::WindowFunction(call) => Ok(call),
        other => Err(format!("`{other}` is not written for Spark")),
    }
}

/// Functions that number rows, of which the frame does not matter.
fn ranking(call: &WindowFunction) -> Result<&'static str, String> {
    let name = match &call.fun {
        WindowFunctionDefinition::WindowUDF(function) => function.name().to_owned(),
        WindowFunctionDefinition::AggregateUDF(function) => function.name().to_owned(),
    };
    let params = &call.params;
    let is_bare = params.args.is_empty()
        && params.filter.is_none()
        && !params.distinct
        && params.null_treatment.is_none();
    let found = match name.as_str() {
        "row_number" => "row_number",
        "rank" => "rank",
        "dense_rank" => "dense_rank",
        _ => {
            return Err(format!(
                "{name} over a window is not written for Spark: row_number, rank and dense_rank are"
            ));
        }
    };
    match (is_bare, params.order_by.is_empty()) {
        (true, false) => Ok(found),
        (true, true) => Err(format!("{name} over rows in no order numbers them otherwise each time")),
        (false, _) => Err(format!("{name} of arguments is not written for Spark")),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, Schema};

    use super::*;

    #[test]
    fn each_step_is_a_select_whose_columns_have_names_of_their_own() {
        let columns =
            vec![Field::new("id", DataType::Int32, true), Field::new("name", DataType::Utf8View, true)];
        let tables = BTreeMap::from([("people".to_owned(), Arc::new(Schema::new(columns)))]);
        let sql = "select name, count(*) as n from people where id > 1 group by name";
        let written = query_to_spark(sql, &tables, &|name| format!("`x`.`{name}`")).unwrap();
        assert_eq!(
            written,
            "select cast(c6 as string) as `name`, cast(c7 as bigint) as `n` from (
select c4 as c6, c5 as c7 from (
select c3 as c4, cast(count(1L) as bigint) as c5 from (
select *, c2 as c3 from (
select * from (
select `id` as c1, `name` as c2 from `x`.`people`
) t1 where (cast(c1 as bigint) > 1L)
) t2
) t3 group by c3
) t4
) t5"
        );
    }
}
