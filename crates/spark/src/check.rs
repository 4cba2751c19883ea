//! What a feed may not hold where Spark builds it.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use hivecast_engine::nested::{Nesting, RowRule};
use hivecast_feed::{Checked, Diagnostic, Field, FileFormat, Node, Rule, Severity, Shape, Span, Sql};
use hivecast_run::Result;
use hivecast_sql::spark::sql_type;
use hivecast_sql::{Expression, SqlBinder};
use hivecast_warehouse::Inputs;

use crate::session::ServerKind;
use crate::statement::documents;
use crate::tables::{Refusal, Sources, TableFiles};

const ADVICE: &str = "build with `engine: embedded`, or write it another way";

/// Fails with `Class::Usage` where Spark would build another edition than the embedded engine: all reasons, as
/// mistakes of the feed with their places.
pub fn check(checked: &Checked, inputs: &Inputs) -> Result<()> {
    check_files(checked, &TableFiles::of_inputs(inputs))
}

/// As [`check`], before anything is frozen: by the formats of the tables' files.
pub fn check_formats(checked: &Checked, formats: &BTreeMap<String, FileFormat>) -> Result<()> {
    check_files(checked, &TableFiles::of_formats(checked, formats))
}

/// The reasons for which [`check`] fails, one sentence each; none where Spark can build the feed.
pub fn refusals(checked: &Checked, inputs: &Inputs) -> Result<Vec<String>> {
    let found = reasons(checked, &TableFiles::of_inputs(inputs))?;
    Ok(found.into_iter().map(|reason| reason.message).collect())
}

fn check_files(checked: &Checked, files: &[TableFiles]) -> Result<()> {
    Ok(checked.refuse(reasons(checked, files)?)?)
}

fn reasons(checked: &Checked, files: &[TableFiles]) -> Result<Vec<Diagnostic>> {
    let mut reasons = Reasons { checked, list: Vec::new() };
    reasons.tables(files);
    let nesting = Nesting::of(checked)?;
    reasons.gates(&nesting);
    let (sources, refused) = Sources::collect(&nesting, checked, files);
    for Refusal { span, what, why } in refused {
        reasons.add(&span, &what, &why);
    }
    reasons.queries(&sources);
    reasons.expressions();
    if reasons.list.is_empty()
        && let Err(why) = documents(nesting.root(), &sources, 1, ServerKind::Spark)
    {
        reasons.add(&checked.feed.document.table.span, "the document", &why);
    }
    Ok(reasons.list)
}

/// Collects what Spark can't be asked, or would answer otherwise.
struct Reasons<'a> {
    checked: &'a Checked,
    list: Vec<Diagnostic>,
}

impl Reasons<'_> {
    fn add(&mut self, span: &Span, what: &str, why: &str) {
        let message = format!("{what} can't be built with Spark: {why}");
        self.list.push(Diagnostic { span: span.clone(), message, help: Some(ADVICE.to_owned()) });
    }

    fn add_table(&mut self, name: &str, what: &str, why: &str) {
        let table = self.checked.feed.tables.iter().find(|table| table.name == name);
        self.add(&table.map_or(0..0, |table| table.source_span.clone()), what, why);
    }

    fn tables(&mut self, files: &[TableFiles]) {
        for input in files {
            let table = &input.table;
            let what = format!("table {table}");
            if input.format != FileFormat::Parquet {
                let why = "it has files that Spark reads by rules of its own; it is asked to read Parquet";
                self.add_table(table, &what, why);
                continue;
            }
            if let Some(why) = &input.peculiar {
                self.add_table(table, &what, why);
            }
            for field in input.schema.fields() {
                if sql_type(field.data_type()).is_none() {
                    let what = format!("column {} of table {table}", field.name());
                    let why = format!("it is {}, which Spark does not have", field.data_type());
                    self.add_table(table, &what, &why);
                }
            }
        }
    }

    fn gates(&mut self, nesting: &Nesting<'_>) {
        for gate in &self.checked.feed.gates {
            if let (Rule::ElementKey, Severity::Warn) = (&gate.rule, gate.severity) {
                let why =
                    "with `warn` elements of one key keep the order of the files, which Spark does not tell";
                self.add(&gate.span, "gate element_key", why);
            }
        }
        for table in &self.checked.feed.tables {
            let Some(columns) = self.checked.schemas.get(&table.name) else { continue };
            for check in nesting.row_checks(&table.name) {
                if !matches!(check.rule, RowRule::NotAmong(_)) {
                    continue;
                }
                let kind = columns.field_with_name(&check.columns[0]).map(|field| field.data_type().clone());
                if kind.is_ok_and(|kind| !has_same_text(&kind)) {
                    let what = format!("gate allowed of table {}", table.name);
                    let why =
                        format!("values of column {} are written another way in Spark", check.columns[0]);
                    self.add(&table.source_span, &what, &why);
                }
            }
        }
    }

    /// What Spark can't be asked in `sql` gates.
    fn queries(&mut self, sources: &Sources) {
        for gate in &self.checked.feed.gates {
            if let Rule::Query { name, sql } = &gate.rule
                && let Err(why) = sources.query(&sql.value, self.checked)
            {
                self.add(&sql.span, &format!("gate sql {name}"), &why);
            }
        }
    }

    /// What Spark computes otherwise in the document. The feed is walked and not the plan, in which fields
    /// that say the same are one.
    fn expressions(&mut self) {
        let checked = self.checked;
        let root = &checked.feed.document;
        if let Some(key) = &root.key
            && let Some(expression) = self.bound(&root.table.value, key)
            && !has_same_text(expression.data_type())
        {
            let why = format!("a key of type {} is written another way in Spark", expression.data_type());
            self.add(&key.span, "the document's key", &why);
        }
        self.level(root, "");
    }

    fn level(&mut self, node: &Node, path: &str) {
        if let Some(key) = &node.key {
            let what = if path.is_empty() {
                "the document's key".to_owned()
            } else {
                format!("the key of `{path}`")
            };
            self.expression(&node.table.value, key, &what);
        }
        self.fields(&node.table.value, &node.fields, path);
    }

    fn fields(&mut self, table: &str, fields: &[Field], path: &str) {
        for field in fields {
            let name = &field.name;
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match &field.shape {
                Shape::Value { sql, .. } => self.expression(table, sql, &format!("field `{below}`")),
                Shape::Fields(fields) => self.fields(table, fields, &below),
                Shape::List(elements) => {
                    for element in elements {
                        if let Some(when) = &element.when {
                            self.expression(table, when, &format!("`when` in `{below}`"));
                        }
                        self.fields(table, &element.fields, &below);
                    }
                }
                Shape::One(node) | Shape::Many(node) => self.level(node, &below),
            }
        }
    }

    fn expression(&mut self, table: &str, sql: &Sql, what: &str) {
        if let Some(expression) = self.bound(table, sql)
            && let Err(why) = expression.to_spark()
        {
            self.add(&sql.span, what, &why);
        }
    }

    /// None for what does not bind, of which there is nothing in a feed that was checked.
    fn bound(&self, table: &str, sql: &Sql) -> Option<Expression> {
        SqlBinder::default().expression(&sql.value, self.checked.schemas.get(table)?).ok()
    }
}

/// Whether a value's text is the same in both.
pub(crate) fn has_same_text(kind: &DataType) -> bool {
    kind.is_integer()
        || matches!(kind, DataType::Utf8View | DataType::Utf8 | DataType::Date32 | DataType::Boolean)
        || matches!(kind, DataType::Decimal128(_, scale) if *scale >= 0)
}
