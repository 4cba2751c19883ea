//! The feed's tables as views of a session: frozen files with the schema that they were frozen with, and
//! the queries of `sql:` tables over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use hivecast_engine::nested::{LevelPlan, Nesting, RowCheck, RowRule};
use hivecast_feed::Source::Query;
use hivecast_feed::{Checked, FileFormat, Gate, Rule, Severity, Span, Table};
use hivecast_run::{Context, Result};
use hivecast_sql::SqlBinder;
use hivecast_sql::spark::{query_to_spark, quoted, text};
use hivecast_storage::{Location, Scheme};
use hivecast_warehouse::{Inputs, TableInput};

use crate::protocol::{DataSource, Read, Relation, RelationKind, Sql};
use crate::session::Session;
use crate::statement::{Refused, ddl};

/// Something of the feed that Spark can't be asked, and where the feed says it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) span: Span,
    /// What of the feed it is.
    pub(crate) what: String,
    pub(crate) why: Refused,
}

impl Refusal {
    /// In one line, with its place.
    fn told(&self, checked: &Checked) -> Refused {
        format!("{} ({}): {}", self.what, checked.source.spot(&self.span), self.why)
    }
}

/// What is to be known of a table's files before they are made a view.
#[derive(Clone, Debug)]
pub(crate) struct TableFiles {
    /// The feed's name for the table.
    pub(crate) table: String,
    pub(crate) format: FileFormat,
    /// The columns that the files have.
    pub(crate) schema: Schema,
    /// Why a server would read other values than Hivecast does; none where it would not.
    pub(crate) peculiar: Option<String>,
    /// The query of the rows of the load_date.
    rows: String,
}

impl TableFiles {
    /// Of frozen files.
    pub(crate) fn of_inputs(inputs: &Inputs) -> Vec<TableFiles> {
        let files = |(number, input): (usize, &TableInput)| TableFiles {
            table: input.table.clone(),
            format: input.format,
            schema: file_schema(input),
            peculiar: input.is_peculiar(),
            rows: raw(input, number),
        };
        inputs.tables.iter().enumerate().map(files).collect()
    }

    /// Of files that are not frozen yet, by the feed's names of their tables. A partition's own column is a
    /// text, of which nothing is refused.
    pub(crate) fn of_formats(checked: &Checked, formats: &BTreeMap<String, FileFormat>) -> Vec<TableFiles> {
        let known = formats.iter().filter_map(|(table, format)| {
            let schema = checked.schemas.get(table)?;
            Some((table, *format, schema))
        });
        let files =
            |(number, (table, format, schema)): (usize, (&String, FileFormat, &Arc<Schema>))| TableFiles {
                table: table.clone(),
                format,
                schema: schema.as_ref().clone(),
                peculiar: None,
                rows: format!("select * from {}", view(number)),
            };
        known.enumerate().map(files).collect()
    }
}

/// How the statements name each table's rows.
#[derive(Debug)]
pub(crate) struct Sources {
    tables: BTreeMap<String, Source>,
    /// Whether elements without a key of their own are set aside.
    pub(crate) sets_elements_aside: bool,
    /// The tables' names in the feed, one for each view.
    names: Vec<String>,
    /// The tables' rows after `where`, as the feed's queries see them, each after those that it reads.
    views: Vec<View>,
}

/// A view of a query.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) sql: String,
}

/// One table's rows.
#[derive(Debug)]
pub(crate) struct Source {
    /// All rows of the load_date, as what follows `from`.
    raw: String,
    /// `where`, as Spark reads it.
    filter: Option<String>,
    /// The gates on single rows.
    pub(crate) checks: Vec<RowCheck>,
}

impl Sources {
    /// Of a feed whose files lie in views.
    pub(crate) fn of_feed(
        nesting: &Nesting<'_>,
        checked: &Checked,
        files: &[TableFiles],
    ) -> std::result::Result<Sources, Refused> {
        let (sources, refused) = Sources::collect(nesting, checked, files);
        refused.first().map_or(Ok(sources), |first| Err(first.told(checked)))
    }

    /// As [`Sources::of_feed`], with everything that can't be asked. Where there is any, the rows serve for
    /// nothing but looking for more.
    pub(crate) fn collect(
        nesting: &Nesting<'_>,
        checked: &Checked,
        files: &[TableFiles],
    ) -> (Sources, Vec<Refusal>) {
        let is_such = |gate: &Gate| gate.rule == Rule::ElementKey && gate.severity == Severity::Quarantine;
        let mut sources = Sources {
            tables: BTreeMap::new(),
            sets_elements_aside: checked.feed.gates.iter().any(is_such),
            names: Vec::new(),
            views: Vec::new(),
        };
        let mut refused = Vec::new();
        for files in files {
            let filter = filter(checked, &files.table);
            sources.add(&files.table, files.rows.clone(), nesting, or_told(filter, &mut refused));
        }
        for name in &checked.queries {
            let Some(Table { source: Query(sql), .. }) =
                checked.feed.tables.iter().find(|table| table.name == *name)
            else {
                continue;
            };
            let written = sources.query(&sql.value, checked);
            let what = format!("the query of table {name}");
            let written = written.map_err(|why| Refusal { span: sql.span.clone(), what, why });
            let written = or_told(written, &mut refused);
            sources.add(name, written, nesting, or_told(filter(checked, name), &mut refused));
        }
        (sources, refused)
    }

    fn add(&mut self, table: &str, rows: String, nesting: &Nesting<'_>, filter: Option<String>) {
        let raw = format!("({rows}) table_{}", self.tables.len());
        let source = Source { raw, filter, checks: nesting.row_checks(table) };
        let name = format!("hivecast_rows_{}", self.views.len());
        self.views.push(View { name, sql: format!("select * from {}", source.filtered()) });
        self.tables.insert(table.to_owned(), source);
        self.names.push(table.to_owned());
    }

    /// A query of the feed over its tables.
    pub(crate) fn query(&self, sql: &str, checked: &Checked) -> std::result::Result<String, Refused> {
        let known = checked.schemas.iter().filter(|(table, _)| self.names.contains(table));
        let schemas = known.map(|(table, schema)| (table.clone(), Arc::clone(schema))).collect();
        let view = |table: &str| {
            let at = self.names.iter().position(|name| name == table);
            at.map_or_else(|| quoted(table), |at| self.views[at].name.clone())
        };
        query_to_spark(sql, &schemas, &view)
    }

    /// The views that queries are over.
    pub(crate) fn views(&self) -> &[View] {
        &self.views
    }

    /// The rows of a table by its name in the feed.
    pub(crate) fn of(&self, table: &str) -> std::result::Result<&Source, Refused> {
        self.tables.get(table).ok_or_else(|| format!("table {table} has no rows to read from"))
    }
}

impl Source {
    /// All rows of the load_date.
    pub(crate) fn raw(&self) -> &str {
        &self.raw
    }

    /// Rows after `where`.
    fn filtered(&self) -> String {
        let filter = self.filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default();
        format!("{}{filter}", self.raw)
    }

    /// Rows after `where`, as what follows `from`; for each check a column `b0`, `b1`, …, that says whether
    /// the row breaches it.
    pub(crate) fn judged(&self) -> String {
        let breaches =
            self.checks.iter().enumerate().map(|(at, check)| format!(", {} as b{at}", breach(check)));
        format!("(select *{} from {}) judged", breaches.collect::<String>(), self.filtered())
    }

    /// Rows after `where`, without those that gates take out of this level.
    pub(crate) fn kept(&self, level: LevelPlan<'_>) -> String {
        match self.taken_out(level) {
            Some(taken_out) => format!("{} where not ({taken_out})", self.judged()),
            None => self.filtered(),
        }
    }

    /// Rows, whether `where` leaves them out or not, without those that gates take out of this level.
    pub(crate) fn all_kept(&self, level: LevelPlan<'_>) -> String {
        let Some(filter) = &self.filter else { return self.kept(level) };
        let Some(taken_out) = self.taken_out(level) else { return self.raw.clone() };
        let breaches: Vec<String> = (0..self.checks.len()).map(|at| format!("b{at}")).collect();
        format!(
            "(select * from {} where not coalesce({filter}, false) union all select * except ({}) from {} where not \
             ({taken_out})) all_kept",
            self.raw,
            breaches.join(", "),
            self.judged()
        )
    }

    /// Which rows gates take out.
    fn taken_out(&self, level: LevelPlan<'_>) -> Option<String> {
        let breaches: Vec<String> =
            self.takers(level, self.checks.len()).map(|at| format!("b{at}")).collect();
        (!breaches.is_empty()).then(|| breaches.join(" or "))
    }

    /// Which rows of [`Source::judged`] a check judges: those that no check before it has taken out.
    pub(crate) fn judged_by(&self, check: usize, level: LevelPlan<'_>) -> String {
        let breaches: Vec<String> = self.takers(level, check).map(|at| format!("not b{at}")).collect();
        if breaches.is_empty() { "true".to_owned() } else { breaches.join(" and ") }
    }

    /// The checks before this one that take rows out of a level. Of the root none does: a document whose row
    /// is set aside still exists, and must not look as if it were gone.
    fn takers(&self, level: LevelPlan<'_>, before: usize) -> impl Iterator<Item = usize> {
        let is_root = level.on().is_empty();
        let checks = self.checks[..before].iter().enumerate();
        checks.filter(move |(_, check)| !is_root && check.severity == Severity::Quarantine).map(|(at, _)| at)
    }
}

/// Whether a row breaches a check; never null.
fn breach(check: &RowCheck) -> String {
    let columns: Vec<String> = check.columns.iter().map(|column| quoted(column)).collect();
    match &check.rule {
        RowRule::Null => format!("({} is null)", columns[0]),
        RowRule::NotAmong(values) => {
            let values: Vec<String> = values.iter().map(|value| text(value)).collect();
            let column = format!("cast({} as string)", columns[0]);
            let among = match values.is_empty() {
                true => "false".to_owned(),
                false => format!("{column} in ({})", values.join(", ")),
            };
            format!("({column} is not null and not {among})")
        }
        RowRule::Repeated => {
            let present: Vec<String> = columns.iter().map(|column| format!("{column} is not null")).collect();
            let present = present.join(" and ");
            format!("({present} and count(*) over (partition by {}) > 1)", columns.join(", "))
        }
    }
}

/// Makes the frozen files known, and the tables as the feed's queries see them.
pub(crate) fn make_views(
    session: &Session,
    sources: &Sources,
    inputs: &Inputs,
    context: &Context<'_>,
) -> Result<()> {
    for (number, input) in inputs.tables.iter().enumerate() {
        let what = format!("read the files of table {}", input.table);
        session.make_view(&what, &view(number), files(input), context)?;
    }
    for (view, table) in sources.views.iter().zip(&sources.names) {
        let query = Relation { kind: Some(RelationKind::Sql(Sql { query: view.sql.clone() })) };
        session.make_view(&format!("prepare table {table}"), &view.name, query, context)?;
    }
    Ok(())
}

/// The view of a table's files.
pub(crate) fn view(number: usize) -> String {
    format!("hivecast_files_{number}")
}

/// A table's rows of the load_date: with the column that its path holds, without rows of other days.
fn raw(input: &TableInput, number: usize) -> String {
    let mut query = "select *".to_owned();
    let date = input.load_date.to_string();
    if let Some(column) = input.partition_column {
        query.push_str(&format!(", {} as {}", text(&date), quoted(input.schema.field(column).name())));
    }
    query.push_str(&format!(" from {}", view(number)));
    if let Some(column) = &input.date_column {
        let is_date =
            input.schema.field_with_name(column).is_ok_and(|field| field.data_type() == &DataType::Date32);
        let value = if is_date { format!("cast({} as date)", text(&date)) } else { text(&date) };
        query.push_str(&format!(" where {} = {value}", quoted(column)));
    }
    query
}

/// The files themselves.
fn files(input: &TableInput) -> Relation {
    let source = DataSource {
        format: Some(input.format.word().to_owned()),
        schema: ddl(&file_schema(input)).ok(),
        paths: input.files.iter().map(|file| path(&file.path)).collect(),
        ..Default::default()
    };
    Relation { kind: Some(RelationKind::Read(Read { data_source: Some(source) })) }
}

/// The columns that the files have.
pub(crate) fn file_schema(input: &TableInput) -> Schema {
    let fields = input.schema.fields().iter().enumerate();
    let fields = fields.filter(|(at, _)| Some(*at) != input.partition_column).map(|(_, field)| field.clone());
    Schema::new(fields.collect::<Vec<_>>())
}

/// A place as Spark names it.
pub(crate) fn path(location: &Location) -> String {
    match location.scheme() {
        Scheme::File => format!("file://{}", location.path()),
        Scheme::Hdfs => location.to_string(),
        // Hadoop's client of S3.
        Scheme::S3 => format!("s3a://{}{}", location.authority(), location.path()),
    }
}

/// What was found; nothing where there is a refusal, which joins the others.
fn or_told<T: Default>(found: std::result::Result<T, Refusal>, refused: &mut Vec<Refusal>) -> T {
    found.unwrap_or_else(|refusal| {
        refused.push(refusal);
        T::default()
    })
}

fn filter(checked: &Checked, table: &str) -> std::result::Result<Option<String>, Refusal> {
    let found = checked.feed.tables.iter().find(|found| found.name == table);
    let Some(filter) = found.and_then(|table| table.filter.as_ref()) else { return Ok(None) };
    let what = format!("`where` of table {table}");
    let told = |why: Refused| Refusal { span: filter.span.clone(), what: what.clone(), why };
    let columns = checked.schemas.get(table).ok_or_else(|| told("the table has no columns".to_owned()))?;
    let expression =
        SqlBinder::default().expression(&filter.value, columns).map_err(|error| told(error.message))?;
    expression.to_spark_filter().map(Some).map_err(told)
}
