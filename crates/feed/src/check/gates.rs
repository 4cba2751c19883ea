use super::Check;
use super::tables::{bind_query, tables_of};
use crate::model::{Field, Gate, Rule, Shape, Span};

/// Checks that gates name what there is.
pub(super) fn check(check: &mut Check<'_>) {
    let feed = check.feed;
    for gate in &feed.gates {
        match &gate.rule {
            Rule::RowCount { of, .. } | Rule::RowChange { of, .. } => columns(check, gate, of, &[]),
            Rule::NullRate { of, column, .. } | Rule::Allowed { of, column, .. } => {
                columns(check, gate, of, std::slice::from_ref(column));
            }
            Rule::Unique { of, columns: names } => columns(check, gate, of, names),
            Rule::Orphans { of, .. } => orphans(check, gate, of),
            Rule::Query { sql, .. } => {
                if let Some(reads) = tables_of(check, sql) {
                    bind_query(check, sql, &reads);
                }
            }
            Rule::DocumentSize { .. } | Rule::DocumentKey | Rule::ElementKey | Rule::MassDelete { .. } => {}
        }
    }
}

fn columns(check: &mut Check<'_>, gate: &Gate, table: &str, columns: &[String]) {
    if !check.table(table, place_of_table(gate)) {
        return;
    }
    let root = &check.feed.document;
    if root.table.value != table && !is_child(&root.fields, table) {
        let message = format!("a gate can't look at table `{table}`: the document does not read it");
        let help = "check it with a `sql` gate, whose query may read every table of the feed".to_owned();
        check.mistakes.add_with_help(place_of_table(gate), message, help);
    }
    for (index, column) in columns.iter().enumerate() {
        check.column(table, column, gate.places.columns.get(index).unwrap_or(&gate.span));
    }
}

fn place_of_table(gate: &Gate) -> &Span {
    gate.places.of.as_ref().unwrap_or(&gate.span)
}

fn orphans(check: &mut Check<'_>, gate: &Gate, table: &str) {
    let place = place_of_table(gate);
    if check.table(table, place) && !is_child(&check.feed.document.fields, table) {
        let message = format!("gate `orphans`: table `{table}` is no child, so its rows have no parent");
        let help = "it is for tables under `one` or `many`".to_owned();
        check.mistakes.add_with_help(place, message, help);
    }
}

/// Whether the table is joined under another one.
fn is_child(fields: &[Field], table: &str) -> bool {
    fields.iter().any(|field| match &field.shape {
        Shape::Value { .. } => false,
        Shape::Fields(inner) => is_child(inner, table),
        Shape::List(elements) => elements.iter().any(|element| is_child(&element.fields, table)),
        Shape::One(node) | Shape::Many(node) => node.table.value == table || is_child(&node.fields, table),
    })
}
