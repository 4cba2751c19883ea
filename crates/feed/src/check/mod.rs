//! Holds a feed against its tables' real schemas: every name and every expression, all mistakes at
//! once.

mod document;
mod gates;
mod tables;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{DataType, Fields, SchemaRef};

use crate::binder::{BindError, Binder};
use crate::column_type::UNREADABLE;
use crate::diagnostic::{Diagnostic, Diagnostics, Mistakes};
use crate::document::node_fields;
use crate::model::{Feed, Span, Sql};
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::parse::Draft;
use crate::source::SourceText;

pub use types::type_name;

/// A feed that fits its tables.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The feed.
    pub feed: Feed,
    /// The columns of each table by the feed's name for it, those with `sql` included.
    pub schemas: BTreeMap<String, SchemaRef>,
    /// The tables with `sql`, each after those that it reads.
    pub queries: Vec<String>,
    /// The fields of the edition's `document` column.
    pub document: Fields,
    /// The type of the document's key before it becomes text.
    pub key_type: DataType,
    /// The feed's file, for messages about rows that point into it.
    pub source: SourceText,
}

impl Checked {
    /// Fails with what an engine can't do of the feed, where that is anything: mistakes like those of the
    /// feed itself, in the order of the file.
    pub fn refuse(&self, mistakes: Vec<Diagnostic>) -> Result<(), Diagnostics> {
        Mistakes(mistakes).into_result(&self.source, ())
    }
}

/// Whether parts of the feed were left out because they were mistaken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    All,
    Some,
}

/// What checking hands from hand to hand.
struct Check<'a> {
    feed: &'a Feed,
    source: &'a SourceText,
    binder: &'a dyn Binder,
    /// Columns of the tables that are known so far.
    schemas: BTreeMap<String, SchemaRef>,
    /// Tables whose columns can't be known, which was told.
    unknown: BTreeSet<String>,
    /// Tables that something reads.
    used: BTreeSet<String>,
    mistakes: Mistakes,
}

/// Holds a feed against its tables. `schemas` has the columns of each `source` table, by the feed's
/// name for it.
pub fn check(
    feed: Feed,
    source: &SourceText,
    schemas: &BTreeMap<String, SchemaRef>,
    binder: &dyn Binder,
) -> Result<Checked, Diagnostics> {
    let draft = Draft {
        feed: None,
        source: source.clone(),
        mistakes: Mistakes::default(),
        unknown: BTreeSet::new(),
        added: 0,
    };
    check_parts(feed, draft, schemas, binder, Parts::All)
}

impl Draft {
    /// Holds what could be read against the tables, and tells the mistakes of both.
    pub fn check(
        mut self,
        schemas: &BTreeMap<String, SchemaRef>,
        binder: &dyn Binder,
    ) -> Result<Checked, Diagnostics> {
        let parts = if self.is_whole() { Parts::All } else { Parts::Some };
        match self.feed.take() {
            Some(feed) => check_parts(feed, self, schemas, binder, parts),
            None => Err(Diagnostics::new(&self.source, self.mistakes.0)),
        }
    }
}

fn check_parts(
    feed: Feed,
    draft: Draft,
    schemas: &BTreeMap<String, SchemaRef>,
    binder: &dyn Binder,
    parts: Parts,
) -> Result<Checked, Diagnostics> {
    let Draft { source, mistakes, unknown, .. } = draft;
    let mut check = Check {
        feed: &feed,
        source: &source,
        binder,
        schemas: BTreeMap::new(),
        unknown,
        used: BTreeSet::new(),
        mistakes,
    };
    let queries = tables::check(&mut check, schemas);
    let key_type = document::check(&mut check);
    gates::check(&mut check);
    if parts == Parts::All {
        tables::tell_unused(&mut check);
    }
    let Check { schemas, mut mistakes, .. } = check;
    let whole = mistakes.0.is_empty();
    let document = if whole { shape(&feed, &schemas, binder, &mut mistakes) } else { Fields::empty() };
    let key_type = key_type.unwrap_or(DataType::Null);
    match mistakes.0.is_empty() {
        true => Ok(Checked { feed, schemas, queries, document, key_type, source }),
        false => Err(Diagnostics::new(&source, mistakes.0)),
    }
}

/// The document's columns, once every expression is known to bind.
fn shape(
    feed: &Feed,
    schemas: &BTreeMap<String, SchemaRef>,
    binder: &dyn Binder,
    mistakes: &mut Mistakes,
) -> Fields {
    let mut type_of = |table: &str, sql: &str| match schemas.get(table) {
        Some(columns) => binder.bind(sql, columns).map_err(|error| error.message),
        None => Err(format!("no table `{table}`")),
    };
    node_fields(&feed.document, &mut type_of).unwrap_or_else(|message: String| {
        mistakes.add(&feed.document.table.span, message);
        Fields::empty()
    })
}

impl Check<'_> {
    /// The type of an expression over a table. None after a mistake was told, or where the table's
    /// columns are not known, which was told elsewhere.
    fn bind(&mut self, table: &str, sql: &Sql) -> Option<DataType> {
        let columns = self.schemas.get(table)?;
        match self.binder.bind(&sql.value, columns) {
            Ok(data_type) => Some(data_type),
            Err(error) => {
                self.tell(sql, error);
                None
            }
        }
    }

    /// An expression that must be true or false.
    fn bind_condition(&mut self, table: &str, word: &str, sql: &Sql) {
        if let Some(data_type) = self.bind(table, sql)
            && data_type != DataType::Boolean
        {
            let message = format!("`{word}` must be true or false, and this is {}", type_name(&data_type));
            self.mistakes.add(&sql.span, message);
        }
    }

    /// Tells why SQL does not bind, at the place within it where that is known.
    fn tell(&mut self, sql: &Sql, error: BindError) {
        let place = match &error.at {
            Some(at) => self.source.within(sql, at),
            None => sql.span.clone(),
        };
        let help = error.suggestion.map(|near| format!("did you mean `{near}`?"));
        self.mistakes.add_with_help(&place, error.message, help);
    }

    /// Whether the feed has this table; remembers that something reads it, and tells when not.
    fn table(&mut self, name: &str, place: &Span) -> bool {
        let feed = self.feed;
        let names = || feed.tables.iter().map(|table| table.name.as_str());
        if names().any(|known| known == name) {
            self.used.insert(name.to_owned());
            return true;
        }
        // The table that was meant is not called unused as well.
        self.used.extend(nearest(name, names()).map(str::to_owned));
        let help = did_you_mean(name, names()).unwrap_or_else(|| {
            let all: Vec<&str> = names().collect();
            format!("the feed's tables are {}", quoted_list(&all))
        });
        self.mistakes.add_with_help(place, format!("no table `{name}` in `tables`"), help);
        false
    }

    /// The type of a table's column. None after telling that there is no such column, or where the
    /// table's columns are not known.
    fn column(&mut self, table: &str, column: &str, place: &Span) -> Option<DataType> {
        let columns = self.schemas.get(table)?;
        // As in Hive, case does not matter.
        if let Some(found) = columns.fields().iter().find(|field| field.name().eq_ignore_ascii_case(column)) {
            return Some(found.data_type().clone());
        }
        if let Some(why) = columns.metadata().get(&format!("{UNREADABLE}{}", column.to_lowercase())) {
            self.mistakes.add(place, format!("column `{column}` of table `{table}` {why}"));
            return None;
        }
        let help = did_you_mean(column, columns.fields().iter().map(|field| field.name().as_str()));
        let message = format!("no column `{column}` in table `{table}`");
        self.mistakes.add_with_help(place, message, help);
        None
    }
}
