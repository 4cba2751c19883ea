use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::column_type::ColumnType;
use crate::model::{Element, Feed, Field, Gate, Node, Rule, Severity, Shape, Source, Table, TextLayout};
use crate::settings::Word;

/// Changes when the canonical form does, so that no two forms are taken for each other.
const FORM: &str = "hivecast feed 1";

/// SHA-256, 64 hexadecimal digits, of everything in the feed that shapes the bytes that are sent: its
/// name, topic, tables, document, envelope, format, and the gates that quarantine, since they leave
/// documents out. Other gates, chunks, topic settings and readiness do not, and neither do comments,
/// places, white space, or the order of tables; the order of fields does.
pub fn fingerprint(feed: &Feed) -> String {
    digest(&canonical(feed))
}

/// SHA-256, 64 hexadecimal digits, of all gates: an edition that was judged by others must be judged
/// again.
pub fn gates_fingerprint(feed: &Feed) -> String {
    digest(&feed.gates.iter().map(gate).collect())
}

fn digest(form: &Value) -> String {
    Sha256::digest(form.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gate(gate: &Gate) -> Value {
    let rule = match &gate.rule {
        // A query's place in the file is no part of what it says.
        Rule::Query { name, sql } => json!(["sql", name, squeezed(&sql.value)]),
        other => json!(format!("{other:?}")),
    };
    json!([rule, gate.severity.word()])
}

/// Only lists, texts, numbers and nulls: an object's order would depend on how serde_json is built.
fn canonical(feed: &Feed) -> Value {
    let mut tables: Vec<&Table> = feed.tables.iter().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let envelope = &feed.envelope;
    let format = &feed.format;
    let mut form = vec![
        json!(FORM),
        json!(feed.name),
        json!(feed.topic),
        tables.into_iter().map(table).collect(),
        node(&feed.document),
        json!([
            json!(envelope.style.word()),
            json!(envelope.event_type),
            json!(envelope.major_version),
            json!(envelope.minor_version)
        ]),
        json!([
            format.timezone.as_str(),
            &format.timestamp,
            &format.date,
            format.nulls.word(),
            format.decimals.word(),
            format.nan.word(),
            format.big_integers.word()
        ]),
    ];
    let quarantines = feed.gates.iter().filter(|gate| gate.severity == Severity::Quarantine);
    let quarantines: Vec<Value> = quarantines.map(gate).collect();
    if !quarantines.is_empty() {
        form.push(Value::Array(quarantines));
    }
    Value::Array(form)
}

fn table(table: &Table) -> Value {
    let source = match &table.source {
        Source::Warehouse { database, table } => json!(["source", database, table]),
        Source::Query(sql) => json!(["sql", squeezed(&sql.value)]),
    };
    let layout = &table.layout;
    let text = &layout.text;
    let mut text_form = vec![
        json!(text.delimiter),
        json!(text.header.word()),
        json!(text.quote),
        json!(text.escape),
        json!(text.null),
    ];
    // What came later is in the form only where it is used: feeds without it keep their fingerprint.
    let or = TextLayout::default();
    if (text.collection, text.map_key) != (or.collection, or.map_key) {
        text_form.push(json!(["nested", text.collection, text.map_key]));
    }
    if (text.skip_header_lines, text.skip_footer_lines) != (0, 0) {
        text_form.push(json!(["skip", text.skip_header_lines, text.skip_footer_lines]));
    }
    let columns = layout.columns.as_ref().map(|columns| {
        columns.iter().map(|(name, kind)| json!([name, format!("{:?}", unbounded(kind))])).collect::<Vec<_>>()
    });
    json!([
        table.name,
        source,
        table.filter.as_ref().map(|sql| squeezed(&sql.value)),
        layout.format.map(Word::word),
        text_form,
        columns,
        layout.partition,
    ])
}

/// The type without the lengths of its text: they say which values are refused, and change no document.
fn unbounded(of: &ColumnType) -> ColumnType {
    match of {
        ColumnType::Varchar(_) => ColumnType::String,
        ColumnType::Char(_) => ColumnType::Char(0),
        ColumnType::Array(item) => ColumnType::Array(Box::new(unbounded(item))),
        ColumnType::Map(key, value) => ColumnType::Map(Box::new(unbounded(key)), Box::new(unbounded(value))),
        ColumnType::Struct(fields) => {
            ColumnType::Struct(fields.iter().map(|(name, of)| (name.clone(), unbounded(of))).collect())
        }
        other => other.clone(),
    }
}

fn node(node: &Node) -> Value {
    let on: Vec<Value> = node.on.iter().map(|pair| json!([pair.child, pair.parent])).collect();
    json!([node.table.value, node.key.as_ref().map(|sql| squeezed(&sql.value)), on, fields(&node.fields)])
}

fn fields(fields: &[Field]) -> Value {
    fields.iter().map(|field| json!([field.name, shape(&field.shape)])).collect()
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Value { sql, mask } => json!(["value", squeezed(&sql.value), mask.map(Word::word)]),
        Shape::Fields(inner) => json!(["fields", fields(inner)]),
        Shape::List(elements) => json!(["list", elements.iter().map(element).collect::<Vec<_>>()]),
        Shape::One(child) => json!(["one", node(child)]),
        Shape::Many(child) => json!(["many", node(child)]),
    }
}

fn element(element: &Element) -> Value {
    json!([element.when.as_ref().map(|sql| squeezed(&sql.value)), fields(&element.fields)])
}

/// SQL with white space outside quotes as single blanks, so that folding a long line changes nothing.
/// SQL with comments stays as it is, since a line's end may end one.
fn squeezed(sql: &str) -> String {
    if sql.contains("--") || sql.contains("/*") {
        return sql.to_owned();
    }
    let mut squeezed = String::with_capacity(sql.len());
    let mut quote = None;
    for letter in sql.trim().chars() {
        match quote {
            Some(open) => {
                quote = (letter != open).then_some(open);
                squeezed.push(letter);
            }
            None if letter.is_whitespace() => {
                if !squeezed.ends_with(' ') {
                    squeezed.push(' ');
                }
            }
            None => {
                quote = matches!(letter, '\'' | '"' | '`').then_some(letter);
                squeezed.push(letter);
            }
        }
    }
    squeezed
}

#[cfg(test)]
mod tests {
    use super::squeezed;

    #[test]
    fn only_white_space_outside_quotes_is_squeezed() {
        assert_eq!(squeezed(" a =\n  'x  y' "), "a = 'x  y'");
        assert_eq!(squeezed("a --  b\n c"), "a --  b\n c");
        assert_ne!(squeezed("'it''s  b'"), squeezed("'it''s b'"));
    }
}
