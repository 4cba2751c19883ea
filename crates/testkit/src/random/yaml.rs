//! A feed as its file would state it. Texts that could mean something else to YAML are in double
//! quotes, which read as JSON's strings do.

use std::fmt::Write;

use hivecast_feed::{
    ColumnType, Feed, Field, FileFormat, Gate, Header, JoinColumn, Layout, Node, Nulls, Ready, Rule,
    Severity, Shape, Source,
};

pub(super) fn feed(feed: &Feed) -> String {
    let mut out = String::new();
    line(&mut out, 0, &format!("feed: {}", feed.name));
    line(&mut out, 0, &format!("topic: {}", feed.topic));
    line(&mut out, 0, &format!("partitions: {}", feed.partitions));
    line(&mut out, 0, "tables:");
    for table in &feed.tables {
        line(&mut out, 1, &format!("{}:", table.name));
        if let Source::Warehouse { table, .. } = &table.source {
            line(&mut out, 2, &format!("source: {table}"));
        }
        if let Some(filter) = &table.filter {
            line(&mut out, 2, &format!("where: {}", quoted(&filter.value)));
        }
        layout(&mut out, &table.layout);
    }
    line(&mut out, 0, "document:");
    line(&mut out, 1, &format!("from: {}", feed.document.table.value));
    node(&mut out, 1, &feed.document);
    let nulls = match feed.format.nulls {
        Nulls::Omit => "omit",
        Nulls::Keep => "keep",
    };
    line(&mut out, 0, &format!("format: {{ nulls: {nulls} }}"));
    line(&mut out, 0, "envelope: { style: plain }");
    gates(&mut out, &feed.gates);
    out
}

fn gates(out: &mut String, gates: &[Gate]) {
    if !gates.is_empty() {
        line(out, 0, "gates:");
    }
    for gate in gates {
        let severity = match gate.severity {
            Severity::Warn => "warn",
            Severity::Quarantine => "quarantine",
            Severity::Fail => "fail",
        };
        let rule = match &gate.rule {
            Rule::ElementKey => "element_key: { ".to_owned(),
            Rule::DocumentKey => "document_key: { ".to_owned(),
            Rule::NullRate { of, column, max } => {
                format!("null_rate: {{ of: {of}, column: {column}, max: {}%, ", max * 100.0)
            }
            // Random feeds have no others.
            other => format!("{other:?}: {{ "),
        };
        line(out, 1, &format!("{rule}severity: {severity} }}"));
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(out, "{:indent$}{text}", "", indent = 2 * depth);
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn layout(out: &mut String, layout: &Layout) {
    if layout.ready == Ready::SuccessFile {
        line(out, 2, "ready: success_file");
    }
    if layout.format != Some(FileFormat::Text) {
        return;
    }
    line(out, 2, "format: text");
    let delimiter = match layout.text.delimiter {
        b'\t' => "tab".to_owned(),
        control @ 0..0x20 => format!("\\{control:03o}"),
        other => char::from(other).to_string(),
    };
    line(out, 2, &format!("delimiter: {}", quoted(&delimiter)));
    line(out, 2, &format!("header: {}", layout.text.header == Header::Present));
    line(out, 2, &format!("null: {}", quoted(&layout.text.null)));
    line(out, 2, "columns:");
    for (name, column_type) in layout.columns.iter().flatten() {
        line(out, 3, &format!("{name}: {}", quoted(&type_name(column_type))));
    }
}

fn type_name(column_type: &ColumnType) -> String {
    match column_type {
        ColumnType::Decimal(precision, scale) => format!("decimal({precision}, {scale})"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn node(out: &mut String, depth: usize, node: &Node) {
    if let Some(key) = &node.key {
        line(out, depth, &format!("key: {}", quoted(&key.value)));
    }
    on(out, depth, &node.on);
    fields(out, depth, &node.fields);
}

fn on(out: &mut String, depth: usize, on: &[JoinColumn]) {
    match on {
        [] => {}
        [pair] if pair.child == pair.parent => line(out, depth, &format!("on: {}", pair.child)),
        pairs => {
            let pairs: Vec<String> =
                pairs.iter().map(|pair| format!("{}: {}", pair.child, pair.parent)).collect();
            line(out, depth, &format!("on: {{ {} }}", pairs.join(", ")));
        }
    }
}

fn fields(out: &mut String, depth: usize, fields: &[Field]) {
    line(out, depth, "fields:");
    for each in fields {
        field(out, depth + 1, each);
    }
}

fn field(out: &mut String, depth: usize, field: &Field) {
    let name = quoted(&field.name);
    match &field.shape {
        Shape::Value { sql, .. } => line(out, depth, &format!("{name}: {}", quoted(&sql.value))),
        shape => {
            line(out, depth, &format!("{name}:"));
            nested(out, depth + 1, shape);
        }
    }
}

fn nested(out: &mut String, depth: usize, shape: &Shape) {
    match shape {
        Shape::Value { sql, .. } => line(out, depth, &format!("value: {}", quoted(&sql.value))),
        Shape::Fields(inner) => fields(out, depth, inner),
        Shape::List(elements) => {
            line(out, depth, "list:");
            for element in elements {
                match &element.when {
                    Some(when) => line(out, depth + 1, &format!("- when: {}", quoted(&when.value))),
                    // A sequence's item on its own line: its mapping follows, indented.
                    None => line(out, depth + 1, "-"),
                }
                fields(out, depth + 2, &element.fields);
            }
        }
        Shape::One(child) => {
            line(out, depth, &format!("one: {}", child.table.value));
            node(out, depth, child);
        }
        Shape::Many(child) => {
            line(out, depth, &format!("many: {}", child.table.value));
            node(out, depth, child);
        }
    }
}
