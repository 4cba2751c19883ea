//! The document's schema: how the shapes of a feed lie in an edition's `document` column.
//!
//! | shape | Arrow type |
//! | --- | --- |
//! | value | the expression's type |
//! | `fields` | struct, never null |
//! | `list` | struct with one nullable struct for each element, named `0`, `1`, …: null where `when` was not true |
//! | `one` | nullable struct: null where there is no row |
//! | `many` | list of structs, never null: empty where there is no row |
//!
//! A `list` is no Arrow list on purpose: its elements may have different fields, and each is a
//! column of its own.

use std::sync::Arc;

use arrow_schema::{DataType, Field as Column, Fields};

use crate::model::{Element, Field, Node, Shape};

/// Gives the type of an expression over a table: `(table, sql) -> type`.
pub type TypeOf<'a, E> = dyn FnMut(&str, &str) -> Result<DataType, E> + 'a;

/// The columns of a node's struct: of the root, the `document` column's fields.
pub fn node_fields<E>(node: &Node, type_of: &mut TypeOf<'_, E>) -> Result<Fields, E> {
    fields(&node.table.value, &node.fields, type_of)
}

fn fields<E>(table: &str, shapes: &[Field], type_of: &mut TypeOf<'_, E>) -> Result<Fields, E> {
    shapes.iter().map(|field| column(table, field, type_of)).collect()
}

fn column<E>(table: &str, field: &Field, type_of: &mut TypeOf<'_, E>) -> Result<Column, E> {
    let name = field.name.as_str();
    Ok(match &field.shape {
        Shape::Value { sql, .. } => Column::new(name, type_of(table, &sql.value)?, true),
        Shape::Fields(inner) => Column::new(name, DataType::Struct(fields(table, inner, type_of)?), false),
        Shape::List(elements) => {
            Column::new(name, DataType::Struct(list_fields(table, elements, type_of)?), false)
        }
        Shape::One(node) => Column::new(name, DataType::Struct(node_fields(node, type_of)?), true),
        Shape::Many(node) => {
            let element = Column::new("element", DataType::Struct(node_fields(node, type_of)?), false);
            Column::new(name, DataType::List(Arc::new(element)), false)
        }
    })
}

fn list_fields<E>(table: &str, elements: &[Element], type_of: &mut TypeOf<'_, E>) -> Result<Fields, E> {
    let column = |(index, element): (usize, &Element)| {
        let inner = fields(table, &element.fields, type_of)?;
        Ok(Column::new(index.to_string(), DataType::Struct(inner), true))
    };
    elements.iter().enumerate().map(column).collect()
}
