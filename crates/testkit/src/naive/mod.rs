//! What a feed means, said a second time as plainly as possible: loops over rows in memory, no
//! index, no Arrow, and not one line shared with the engine or the encoder that it is held against.
//!
//! It gives documents in the `plain` envelope, and the keys of those that gates set aside. Of gates it
//! knows `document_key`, `element_key` and `null_rate`. It knows the part of SQL that [`sql`] says, `source`
//! tables, and the formats `nulls` (both) and the defaults for all else.

pub mod sql;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use hivecast_feed::{Element, Feed, Field, JoinColumn, Node, Nulls, Rule, Severity, Shape, Source};
use serde_json::{Map, Value as Json};

use crate::random::Case;
use crate::table::{Row, TableData, Value};
use sql::Expression;

/// Why there are no documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NaiveError {
    /// Something that this interpreter does not know, or a mistake in the feed.
    Unsupported(String),
    /// Rows of the root whose key is null.
    NullDocumentKey {
        /// How many.
        rows: usize,
    },
    /// Keys that more than one row of the root has, each once, sorted.
    DuplicateDocumentKey {
        /// The keys.
        keys: Vec<String>,
    },
    /// Two rows of the table of a `one`, its `where` applied, agree in all columns of `on`, none of
    /// them null. Whether any parent row has that key does not matter.
    DuplicateOne {
        /// The feed's name for the table.
        table: String,
    },
    /// An element of an array has no key.
    NullElementKey {
        /// The feed's name for the table.
        table: String,
    },
    /// Two elements of one array have the same key.
    DuplicateElementKey {
        /// The feed's name for the table.
        table: String,
    },
}

/// The documents of a case, by key.
pub fn documents(case: &Case) -> Result<BTreeMap<String, Json>, NaiveError> {
    interpret(&case.feed, &case.tables)
}

/// The documents of a feed over these tables of the warehouse, by key.
pub fn interpret(feed: &Feed, tables: &[TableData]) -> Result<BTreeMap<String, Json>, NaiveError> {
    let world = World::new(feed, tables)?;
    world.check_below(&feed.document, &feed.document.fields)?;
    world.documents(&feed.document)
}

/// The keys of documents that gates set aside, in any order: those that several rows of the root have,
/// and those of rows of the root that a gate on rows quarantines.
pub fn excluded(case: &Case) -> Result<BTreeSet<String>, NaiveError> {
    let root = &case.feed.document;
    let world = World::new(&case.feed, &case.tables)?;
    let key = root.key.as_ref().ok_or_else(|| NaiveError::Unsupported("no key".to_owned()))?;
    let (mut seen, mut excluded) = (BTreeSet::new(), BTreeSet::new());
    for row in world.table(root)? {
        let Some(text) = evaluate(&key.value, row)?.text() else { continue };
        let repeated = !seen.insert(text.clone());
        if is_quarantined(&case.feed, &root.table.value, row) || (repeated && world.repeated_documents) {
            excluded.insert(text);
        }
    }
    Ok(excluded)
}

/// Whether a gate on rows sets a row of this table aside.
fn is_quarantined(feed: &Feed, table: &str, row: &Row) -> bool {
    feed.gates.iter().any(|gate| match &gate.rule {
        Rule::NullRate { of, column, .. } => {
            gate.severity == Severity::Quarantine && of == table && row.get(column) == Some(&Value::Null)
        }
        _ => false,
    })
}

/// The rows of each table of a feed that documents are made of.
fn rows<'a>(feed: &Feed, tables: &'a [TableData]) -> Result<BTreeMap<String, Vec<&'a Row>>, NaiveError> {
    let mut all = BTreeMap::new();
    for table in &feed.tables {
        let Source::Warehouse { table: source, .. } = &table.source else {
            return Err(NaiveError::Unsupported(format!("table {} is a query", table.name)));
        };
        let data = tables
            .iter()
            .find(|data| data.name == *source)
            .ok_or_else(|| NaiveError::Unsupported(format!("no table {source} in the warehouse")))?;
        let mut kept = Vec::new();
        for row in &data.rows {
            let keep = match &table.filter {
                Some(filter) => is_true(&filter.value, row)?,
                None => true,
            };
            // A row of the root that is set aside still is a document, and is not sent.
            let aside = is_quarantined(feed, &table.name, row) && feed.document.table.value != table.name;
            if keep && !aside {
                kept.push(row);
            }
        }
        all.insert(table.name.clone(), kept);
    }
    Ok(all)
}

struct World<'a> {
    /// Each table's rows after `where`, by the feed's name.
    rows: BTreeMap<String, Vec<&'a Row>>,
    nulls: Nulls,
    /// What becomes of elements without a key of their own.
    element_key: Severity,
    /// Whether rows whose document key is null or an earlier row's are set aside.
    repeated_documents: bool,
}

fn evaluate(text: &str, row: &Row) -> Result<Value, NaiveError> {
    Expression::parse(text)
        .and_then(|expression| expression.evaluate(row))
        .map_err(|why| NaiveError::Unsupported(format!("{why} in {text}")))
}

fn is_true(text: &str, row: &Row) -> Result<bool, NaiveError> {
    Ok(evaluate(text, row)? == Value::Bool(true))
}

fn joins(on: &[JoinColumn], child: &Row, parent: &Row) -> bool {
    on.iter().all(|pair| {
        let (child, parent) = (child.get(&pair.child), parent.get(&pair.parent));
        child == parent && child.is_some_and(|value| *value != Value::Null)
    })
}

impl<'a> World<'a> {
    fn new(feed: &Feed, tables: &'a [TableData]) -> Result<Self, NaiveError> {
        let severity_of = |rule: Rule| {
            let gate = feed.gates.iter().find(|gate| gate.rule == rule);
            gate.map_or(Severity::Fail, |gate| gate.severity)
        };
        Ok(World {
            rows: rows(feed, tables)?,
            nulls: feed.format.nulls,
            element_key: severity_of(Rule::ElementKey),
            repeated_documents: severity_of(Rule::DocumentKey) == Severity::Quarantine,
        })
    }

    fn table(&self, node: &Node) -> Result<&[&'a Row], NaiveError> {
        let name = node.table.value.as_str();
        let rows = self.rows.get(name);
        rows.map(Vec::as_slice).ok_or_else(|| NaiveError::Unsupported(format!("no table {name} in the feed")))
    }

    fn documents(&self, root: &Node) -> Result<BTreeMap<String, Json>, NaiveError> {
        let key = root.key.as_ref().ok_or_else(|| NaiveError::Unsupported("no key".to_owned()))?;
        let (mut documents, mut nulls, mut twice) = (BTreeMap::new(), 0, BTreeSet::new());
        for row in self.table(root)? {
            match evaluate(&key.value, row)?.text() {
                None => nulls += 1,
                Some(text) => {
                    let document = Json::Object(self.object(&root.fields, row)?);
                    match documents.entry(text) {
                        Entry::Vacant(first) => {
                            first.insert(document);
                        }
                        Entry::Occupied(earlier) => {
                            twice.insert(earlier.key().clone());
                        }
                    }
                }
            }
        }
        if self.repeated_documents {
            return Ok(documents);
        }
        if nulls > 0 {
            return Err(NaiveError::NullDocumentKey { rows: nulls });
        }
        if !twice.is_empty() {
            return Err(NaiveError::DuplicateDocumentKey { keys: twice.into_iter().collect() });
        }
        Ok(documents)
    }

    fn object(&self, fields: &[Field], row: &Row) -> Result<Map<String, Json>, NaiveError> {
        let mut object = Map::new();
        for field in fields {
            let value = self.field(&field.shape, row)?;
            if !(self.nulls == Nulls::Omit && says_nothing(&value)) {
                object.insert(field.name.clone(), value);
            }
        }
        Ok(object)
    }

    fn field(&self, shape: &Shape, row: &Row) -> Result<Json, NaiveError> {
        Ok(match shape {
            Shape::Value { sql, mask: None } => json(&evaluate(&sql.value, row)?),
            Shape::Value { mask: Some(_), .. } => {
                return Err(NaiveError::Unsupported("masks".to_owned()));
            }
            Shape::Fields(fields) => Json::Object(self.object(fields, row)?),
            Shape::List(elements) => Json::Array(self.elements(elements, row)?),
            Shape::One(node) => {
                let child = self.table(node)?.iter().find(|child| joins(&node.on, child, row));
                match child {
                    Some(child) => Json::Object(self.object(&node.fields, child)?),
                    None => Json::Null,
                }
            }
            Shape::Many(node) => Json::Array(self.children(node, row)?),
        })
    }

    fn elements(&self, elements: &[Element], row: &Row) -> Result<Vec<Json>, NaiveError> {
        let mut array = Vec::new();
        for element in elements {
            let there = match &element.when {
                Some(when) => is_true(&when.value, row)?,
                None => true,
            };
            if there {
                let object = Json::Object(self.object(&element.fields, row)?);
                if !(self.nulls == Nulls::Omit && says_nothing(&object)) {
                    array.push(object);
                }
            }
        }
        Ok(array)
    }

    fn children(&self, node: &Node, row: &Row) -> Result<Vec<Json>, NaiveError> {
        let keyed = self.keyed_children(node, row)?;
        keyed.into_iter().map(|child| Ok(Json::Object(self.object(&node.fields, child)?))).collect()
    }

    /// The rows below a row, in the order of their keys, those of equal keys as the files have them. The
    /// keys are there and differ, unless a gate says otherwise.
    fn keyed_children(&self, node: &Node, row: &Row) -> Result<Vec<&'a Row>, NaiveError> {
        let table = || node.table.value.clone();
        let key = node.key.as_ref().ok_or_else(|| NaiveError::Unsupported("no key".to_owned()))?;
        let mut keyed = Vec::new();
        for child in self.table(node)?.iter().filter(|child| joins(&node.on, child, row)) {
            keyed.push((evaluate(&key.value, child)?, *child));
        }
        keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
        match self.element_key {
            Severity::Warn => return Ok(keyed.into_iter().map(|(_, child)| child).collect()),
            Severity::Quarantine => {
                let keys: Vec<Value> = keyed.iter().map(|(key, _)| key.clone()).collect();
                let shared = |key: &Value| keys.iter().filter(|other| *other == key).count() > 1;
                keyed.retain(|(key, _)| *key != Value::Null && !shared(key));
            }
            Severity::Fail => {}
        }
        if keyed.iter().any(|(key, _)| *key == Value::Null) {
            return Err(NaiveError::NullElementKey { table: table() });
        }
        if keyed.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(NaiveError::DuplicateElementKey { table: table() });
        }
        Ok(keyed.into_iter().map(|(_, child)| child).collect())
    }

    /// Fails for the first level, in the order of the feed, that has a key twice: a `one` in its whole
    /// table, a `many` among the children of any row of the table above, whether that row is part of a
    /// document or not.
    fn check_below(&self, parent: &Node, fields: &[Field]) -> Result<(), NaiveError> {
        for field in fields {
            match &field.shape {
                Shape::Value { .. } => {}
                Shape::Fields(inner) => self.check_below(parent, inner)?,
                Shape::List(elements) => {
                    for element in elements {
                        self.check_below(parent, &element.fields)?;
                    }
                }
                Shape::Many(node) => {
                    for row in self.table(parent)? {
                        self.keyed_children(node, row)?;
                    }
                    self.check_below(node, &node.fields)?;
                }
                Shape::One(node) => {
                    self.check_one(node)?;
                    self.check_below(node, &node.fields)?;
                }
            }
        }
        Ok(())
    }

    fn check_one(&self, node: &Node) -> Result<(), NaiveError> {
        let mut seen = BTreeSet::new();
        for row in self.table(node)? {
            let key: Vec<&Value> = node.on.iter().filter_map(|pair| row.get(&pair.child)).collect();
            if !key.contains(&&Value::Null) && !seen.insert(key) {
                return Err(NaiveError::DuplicateOne { table: node.table.value.clone() });
            }
        }
        Ok(())
    }
}

fn says_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Text(_) | Value::Date(_) | Value::Decimal { .. } => {
            value.text().map_or(Json::Null, Json::String)
        }
    }
}
