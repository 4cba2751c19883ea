use arrow_schema::DataType;

use super::Check;
use super::types::{comparable, is_key, is_leaf, type_name};
use crate::model::{Element, Field, JoinColumn, Node, Shape, Sql};

/// Checks the document. The type of its key, where it binds.
pub(super) fn check(check: &mut Check<'_>) -> Option<DataType> {
    let root = &check.feed.document;
    check.table(&root.table.value, &root.table.span);
    let key_type = root.key.as_ref().and_then(|key| bind_key(check, root, key, "the document's key"));
    fields(check, &root.table.value, &root.fields);
    key_type
}

fn bind_key(check: &mut Check<'_>, node: &Node, key: &Sql, what: &str) -> Option<DataType> {
    let data_type = check.bind(&node.table.value, key)?;
    if !is_key(&data_type) {
        let message = format!("{what} can't be {}", type_name(&data_type));
        let help = "keys are text, integers, decimals, dates or booleans; cast it to one of these".to_owned();
        check.mistakes.add_with_help(&key.span, message, help);
    }
    Some(data_type)
}

fn fields(check: &mut Check<'_>, table: &str, all: &[Field]) {
    for field in all {
        match &field.shape {
            Shape::Value { sql, .. } => leaf(check, table, field, sql),
            Shape::Fields(inner) => fields(check, table, inner),
            Shape::List(elements) => elements.iter().for_each(|each| element(check, table, each)),
            Shape::One(node) => child(check, table, node),
            Shape::Many(node) => {
                child(check, table, node);
                if let Some(key) = &node.key {
                    bind_key(check, node, key, "the key of `many`");
                }
            }
        }
    }
}

fn leaf(check: &mut Check<'_>, table: &str, field: &Field, sql: &Sql) {
    let Some(data_type) = check.bind(table, sql) else { return };
    if is_leaf(&data_type) {
        return;
    }
    let message = format!("field `{}` is {}, which has no JSON form here", field.name, type_name(&data_type));
    let help = match data_type {
        DataType::Null => "give it a type: `cast(null as string)`",
        DataType::Map(..) => "the keys of a map become names: they must be text, numbers, dates or booleans",
        _ => "cast it, or take it apart with SQL functions",
    };
    check.mistakes.add_with_help(&sql.span, message, help.to_owned());
}

fn element(check: &mut Check<'_>, table: &str, element: &Element) {
    if let Some(when) = &element.when {
        check.bind_condition(table, "when", when);
    }
    fields(check, table, &element.fields);
}

fn child(check: &mut Check<'_>, parent: &str, node: &Node) {
    check.table(&node.table.value, &node.table.span);
    for pair in &node.on {
        join(check, parent, node, pair);
    }
    fields(check, &node.table.value, &node.fields);
}

fn join(check: &mut Check<'_>, parent: &str, node: &Node, pair: &JoinColumn) {
    let child_type = check.column(&node.table.value, &pair.child, &pair.span);
    let parent_type = check.column(parent, &pair.parent, &pair.span);
    let (Some(child_type), Some(parent_type)) = (child_type, parent_type) else { return };
    let named = |table: &str, column: &str, data_type: &DataType| {
        format!("`{table}.{column}` is {}", type_name(data_type))
    };
    let child_named = named(&node.table.value, &pair.child, &child_type);
    let parent_named = named(parent, &pair.parent, &parent_type);
    match (comparable(&child_type), comparable(&parent_type)) {
        (Some(child), Some(parent)) if child == parent => {}
        (Some(_), Some(_)) => {
            let message = format!("`on` needs equal types: {child_named}, {parent_named}");
            let help = "make a table with `sql` that casts one of them".to_owned();
            check.mistakes.add_with_help(&pair.span, message, help);
        }
        (child, _) => {
            let culprit = if child.is_none() { child_named } else { parent_named };
            check.mistakes.add(&pair.span, format!("`on` can't compare this type: {culprit}"));
        }
    }
}
