//! A binder that knows just enough SQL for these tests, and short ways to mistakes as text.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use hivecast_feed::{BindError, Binder, Checked, Color, Diagnostics, Secrets, draft, nearest, parse};

/// Words of SQL that are no columns.
const SQL_WORDS: [&str; 13] =
    ["and", "or", "not", "is", "null", "select", "from", "where", "join", "on", "as", "cast", "string"];

/// Names are columns, comparisons are boolean, all else is text.
pub(crate) struct TinySql;

impl Binder for TinySql {
    fn bind(&self, sql: &str, columns: &SchemaRef) -> Result<DataType, BindError> {
        for (at, word) in names(sql) {
            if columns.field_with_name(word).is_err() {
                let known = columns.fields().iter().map(|field| field.name().as_str());
                return Err(BindError {
                    message: format!("no column `{word}`"),
                    at: Some(at..at + word.len()),
                    suggestion: nearest(word, known).map(str::to_owned),
                });
            }
        }
        if sql.contains("((") {
            return Err(BindError { message: "`(` is not closed".to_owned(), at: None, suggestion: None });
        }
        Ok(match sql {
            "null" => DataType::Null,
            _ if sql.contains([';', '<', '=']) || sql.contains(" is ") => DataType::Boolean,
            column => match columns.field_with_name(column) {
                Ok(field) => field.data_type().clone(),
                Err(_) => DataType::Utf8,
            },
        })
    }

    fn tables_of(&self, query: &str) -> Result<Vec<String>, BindError> {
        if !query.starts_with("select ") {
            let message = "a query begins with select".to_owned();
            return Err(BindError { message, at: Some(0..1), suggestion: None });
        }
        let words: Vec<&str> = query.split_whitespace().collect();
        let after = words.windows(2).filter(|pair| matches!(pair[0], "from" | "join"));
        Ok(after.map(|pair| pair[1].to_owned()).collect())
    }

    fn bind_query(&self, query: &str, tables: &BTreeMap<String, SchemaRef>) -> Result<SchemaRef, BindError> {
        let (list, _) = query["select ".len()..].split_once(" from ").unwrap_or_default();
        let all = || tables.values().flat_map(|columns| columns.fields().iter().cloned());
        if list == "*" {
            return Ok(Arc::new(Schema::new(all().collect::<Vec<_>>())));
        }
        let column = |name: &str| {
            all().find(|field| field.name() == name).ok_or_else(|| {
                let at = query.find(name).map(|at| at..at + name.len());
                BindError { message: format!("no column `{name}` in the query"), at, suggestion: None }
            })
        };
        let columns = list.split(',').map(|name| column(name.trim())).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Schema::new(columns)))
    }
}

/// Names in SQL, with their places; text in quotes aside.
fn names(sql: &str) -> Vec<(usize, &str)> {
    let (mut names, mut quoted, mut start) = (Vec::new(), false, None);
    for (at, letter) in sql.char_indices().chain([(sql.len(), ' ')]) {
        let part = !quoted && (letter.is_alphanumeric() || letter == '_');
        match (part, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                names.push((from, &sql[from..at]));
                start = None;
            }
            _ => {}
        }
        quoted ^= letter == '\'';
    }
    let is_name = |word: &str| !SQL_WORDS.contains(&word) && !word.starts_with(|c: char| c.is_ascii_digit());
    names.retain(|(_, word)| is_name(word));
    names
}

fn columns(list: &[(&str, DataType)]) -> SchemaRef {
    let fields = list.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The tables that tests are written over.
pub(crate) fn schemas() -> BTreeMap<String, SchemaRef> {
    let text = || DataType::Utf8;
    BTreeMap::from([
        (
            "accounts".to_owned(),
            columns(&[
                ("account_id", text()),
                ("country", text()),
                ("active_ind", DataType::Int32),
                ("balance", DataType::Float64),
                ("opened", DataType::Timestamp(TimeUnit::Microsecond, None)),
                ("tags", DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)))),
                ("load_date", text()),
            ]),
        ),
        (
            "parties".to_owned(),
            columns(&[("party_id", text()), ("account_id", text()), ("account_no", DataType::Int64)]),
        ),
    ])
}

/// A feed over those tables without a mistake; tests replace a line of it.
pub(crate) const GOOD: &str = "\
feed: contracts
topic: mdm.contracts
partitions: 6
tables:
  accounts: { source: mdm.accounts, where: active_ind = 1 }
  parties: { source: mdm.parties }
document:
  from: accounts
  key: account_id
  fields:
    id: account_id
    parties: { many: parties, on: account_id, key: party_id, fields: { id: party_id } }
gates:
  row_change: { of: accounts, max: 20% }
";

/// [`GOOD`] with a part of it replaced, which must be there.
pub(crate) fn good_but(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from:?} is not in the feed");
    GOOD.replacen(from, to, 1)
}

/// The mistakes of a feed's text alone, as people read them.
pub(crate) fn parse_mistakes(text: &str) -> String {
    parse("feeds/contracts.yaml", text).expect_err("the feed must be mistaken").render(Color::Plain)
}

/// Text and schemas together.
pub(crate) fn check_feed(text: &str) -> Result<Checked, Diagnostics> {
    draft("feeds/contracts.yaml", text).check(&schemas(), &TinySql)
}

/// The mistakes of a feed's text and of what it says about the tables.
pub(crate) fn check_mistakes(text: &str) -> String {
    check_feed(text).expect_err("the feed must be mistaken").render(Color::Plain)
}

/// Variables and files that are there.
#[derive(Default)]
pub(crate) struct FixedSecrets {
    pub(crate) variables: BTreeMap<&'static str, &'static str>,
    pub(crate) files: BTreeMap<&'static str, &'static str>,
}

impl Secrets for FixedSecrets {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|text| (*text).to_owned())
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        self.files.get(path).map(|text| (*text).to_owned()).ok_or(std::io::ErrorKind::NotFound.into())
    }
}
