//! Random shapes with random documents in them, against a model that is JSON from the start.

use std::sync::Arc;

use arrow_schema::{DataType, Field as Column, Fields};
use hivecast_feed::{Element, EnvelopeStyle, Field, JoinColumn, Node, Nulls, Shape, Spanned};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::arrays::structs;
use super::{feed, field, stamp, value};
use crate::encode::Encoder;

/// Decisions read from a list of numbers, so that failing cases shrink.
struct Dice(std::vec::IntoIter<u16>);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.0.next().unwrap_or(0)) % limit
    }
}

const DEPTH: usize = 4;

/// The fields of a level, and the columns that the document's layout gives them.
fn fields(dice: &mut Dice, depth: usize) -> (Vec<Field>, Fields) {
    let count = 1 + dice.below(4);
    let parts = (0..count).map(|index| {
        // Names sort as they stand, so that the model's maps keep their order.
        let name = format!("f{index}{}", ["", " x", "\"", "é\\"][dice.below(4)]);
        let (shape, data_type, nullable) = shape(dice, &name, depth);
        (field(&name, shape), Column::new(name, data_type, nullable))
    });
    let (fields, columns): (Vec<_>, Vec<_>) = parts.collect::<Vec<_>>().into_iter().unzip();
    (fields, columns.into())
}

fn node(fields: Vec<Field>) -> Node {
    let text = |text: &str| Spanned { value: text.to_owned(), span: 0..0 };
    let on = vec![JoinColumn { child: "id".to_owned(), parent: "id".to_owned(), span: 0..0 }];
    Node { table: text("child"), key: Some(text("id")), on, fields }
}

fn shape(dice: &mut Dice, name: &str, depth: usize) -> (Shape, DataType, bool) {
    match dice.below(if depth >= DEPTH { 4 } else { 9 }) {
        0..=3 => (value(name, None).shape, value_type(dice, 0), true),
        4 => {
            let (inner, columns) = fields(dice, depth + 1);
            (Shape::Fields(inner), DataType::Struct(columns), false)
        }
        5 | 6 => {
            let elements = (0..1 + dice.below(3)).map(|index| {
                let (inner, columns) = fields(dice, depth + 1);
                let column = Column::new(index.to_string(), DataType::Struct(columns), true);
                (Element { when: None, fields: inner }, column)
            });
            let (elements, columns): (Vec<_>, Vec<_>) = elements.collect::<Vec<_>>().into_iter().unzip();
            (Shape::List(elements), DataType::Struct(columns.into()), false)
        }
        7 => {
            let (inner, columns) = fields(dice, depth + 1);
            (Shape::One(node(inner)), DataType::Struct(columns), true)
        }
        _ => {
            let (inner, columns) = fields(dice, depth + 1);
            let element = Column::new("element", DataType::Struct(columns), false);
            (Shape::Many(node(inner)), DataType::List(Arc::new(element)), false)
        }
    }
}

fn value_type(dice: &mut Dice, depth: usize) -> DataType {
    let item = |dice: &mut Dice| Arc::new(Column::new("item", value_type(dice, depth + 1), true));
    match dice.below(if depth < 2 { 12 } else { 8 }) {
        0 | 1 => DataType::Utf8View,
        2 => DataType::Utf8,
        3 => DataType::LargeUtf8,
        4 => DataType::Int64,
        5 => DataType::Float64,
        6 => DataType::Boolean,
        7 if depth == 0 => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        7 => DataType::Decimal128(38, 2),
        8 => DataType::List(item(dice)),
        9 => DataType::LargeList(item(dice)),
        10 => {
            let columns =
                (0..2).map(|index| Column::new(format!("c{index}"), value_type(dice, depth + 1), true));
            DataType::Struct(columns.collect())
        }
        _ => {
            let columns = vec![
                Column::new("keys", DataType::Utf8, false),
                Column::new("values", value_type(dice, depth + 1), true),
            ];
            DataType::Map(Arc::new(Column::new("entries", DataType::Struct(columns.into()), false)), false)
        }
    }
}

const TEXTS: [&str; 8] = [
    "",
    "short",
    "twelve bytes",
    "longer than twelve bytes, so not inline",
    "say \"hi\" and back\\slash",
    "\u{1}\u{1f}\u{7f}\t\n\r\u{8}\u{c}",
    "é 😀 \u{2028} 汉字",
    "\"\"\"\"\"\"\"\"\"\"\"\"\u{0}",
];

fn value_cell(dice: &mut Dice, data_type: &DataType) -> Json {
    if dice.below(4) == 3 {
        return Json::Null;
    }
    match data_type {
        DataType::Int64 => json!([0, -1, i64::MAX, i64::MIN, 42][dice.below(5)]),
        DataType::Float64 => json!([0.5, -2.25, 1e300, 3.0, 1.0e-7][dice.below(5)]),
        DataType::Boolean => json!(dice.below(2) == 1),
        DataType::Decimal128(..) => {
            json!(["0.00", "-0.05", "12.50", "99999999999999999999.99"][dice.below(4)])
        }
        DataType::List(item) | DataType::LargeList(item) => {
            (0..dice.below(4)).map(|_| value_cell(dice, item.data_type())).collect()
        }
        DataType::Struct(columns) => columns
            .iter()
            .map(|column| (column.name().clone(), value_cell(dice, column.data_type())))
            .collect(),
        DataType::Map(entries, _) => {
            let DataType::Struct(columns) = entries.data_type() else { panic!("a map has entries") };
            (0..dice.below(4))
                .map(|index| (format!("k\"{index}"), value_cell(dice, columns[1].data_type())))
                .collect()
        }
        _ => json!(TEXTS[dice.below(TEXTS.len())]),
    }
}

/// What a field's cell holds, every null kept; of a `list`, null for the elements that are not there.
fn cell(dice: &mut Dice, shape: &Shape, data_type: &DataType) -> Json {
    match (shape, data_type) {
        (Shape::Value { .. }, data_type) => value_cell(dice, data_type),
        (Shape::One(_), _) if dice.below(3) == 2 => Json::Null,
        (Shape::Fields(inner), DataType::Struct(columns)) => object_cell(dice, inner, columns),
        (Shape::One(node), DataType::Struct(columns)) => object_cell(dice, &node.fields, columns),
        (Shape::List(elements), DataType::Struct(columns)) => {
            let elements = elements.iter().zip(columns).map(|(element, column)| match column.data_type() {
                DataType::Struct(columns) if dice.below(3) < 2 => object_cell(dice, &element.fields, columns),
                _ => Json::Null,
            });
            elements.collect()
        }
        (Shape::Many(node), DataType::List(item)) => {
            let DataType::Struct(columns) = item.data_type() else { panic!("elements are structs") };
            (0..dice.below(4)).map(|_| object_cell(dice, &node.fields, columns)).collect()
        }
        (shape, data_type) => panic!("{shape:?} as {data_type}"),
    }
}

fn object_cell(dice: &mut Dice, fields: &[Field], columns: &Fields) -> Json {
    let cells = fields.iter().zip(columns);
    cells.map(|(field, column)| (field.name.clone(), cell(dice, &field.shape, column.data_type()))).collect()
}

fn says_nothing(value: &Json) -> bool {
    *value == Json::Null || *value == json!([]) || *value == json!({})
}

/// A value of struct or map type loses its fields that say nothing; a list keeps its items.
fn prune(value: &Json) -> Json {
    match value {
        Json::Array(items) => items.iter().map(prune).collect(),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), prune(value)));
            fields.filter(|(_, value)| !says_nothing(value)).collect()
        }
        other => other.clone(),
    }
}

fn expected(shape: &Shape, cell: &Json, nulls: Nulls, style: EnvelopeStyle) -> Json {
    let plain = EnvelopeStyle::Plain;
    let items = |cell: &Json| cell.as_array().cloned().unwrap_or_default();
    match shape {
        Shape::Value { .. } if nulls == Nulls::Omit => prune(cell),
        Shape::Value { .. } => cell.clone(),
        Shape::Fields(fields) => object(fields, cell, nulls, plain),
        Shape::One(_) if cell.is_null() => Json::Null,
        Shape::One(node) => object(&node.fields, cell, nulls, plain),
        Shape::List(elements) => {
            let there = elements.iter().zip(items(cell)).filter(|(_, cell)| !cell.is_null());
            let objects = there.map(|(element, cell)| object(&element.fields, &cell, nulls, plain));
            objects.filter(|object| nulls == Nulls::Keep || !says_nothing(object)).collect()
        }
        Shape::Many(node) => {
            items(cell).iter().map(|cell| object(&node.fields, cell, nulls, style)).collect()
        }
    }
}

fn object(fields: &[Field], cell: &Json, nulls: Nulls, style: EnvelopeStyle) -> Json {
    let mut object = Map::new();
    for field in fields {
        let value = expected(&field.shape, &cell[&field.name], nulls, style);
        if nulls == Nulls::Omit && says_nothing(&value) {
            continue;
        }
        let wrapped = style == EnvelopeStyle::Operations && !matches!(field.shape, Shape::Many(_));
        let value = if wrapped { json!({ "operation": "INSERT", "newValue": value }) } else { value };
        object.insert(field.name.clone(), value);
    }
    Json::Object(object)
}

/// Bytes of text, and as few values as a count for the bound may have.
fn weigh(data_type: &DataType, cell: &Json) -> (u64, u64) {
    let sum =
        |parts: Vec<(u64, u64)>| parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    match (data_type, cell) {
        (_, Json::Null) => (0, 0),
        (DataType::Struct(columns), Json::Array(elements)) => {
            sum(columns.iter().zip(elements).map(|(column, cell)| weigh(column.data_type(), cell)).collect())
        }
        (DataType::Struct(columns), cell) => {
            sum(columns.iter().map(|column| weigh(column.data_type(), &cell[column.name()])).collect())
        }
        (DataType::List(item) | DataType::LargeList(item), Json::Array(items)) => {
            // An item that is a single value counts once, as that or as an item.
            let holds_others = item.data_type().is_nested();
            let weigh = |cell| {
                let (text, values) = weigh(item.data_type(), cell);
                (text, if holds_others { values + 1 } else { 1 })
            };
            sum(items.iter().map(weigh).collect())
        }
        (DataType::Map(entries, _), Json::Object(pairs)) => {
            let DataType::Struct(columns) = entries.data_type() else { panic!("a map has entries") };
            let holds_others = columns[1].data_type().is_nested();
            let weigh = |(key, cell): (&String, &Json)| {
                let (text, values) = weigh(columns[1].data_type(), cell);
                (text + key.len() as u64, if holds_others { values + 1 } else { 1 })
            };
            sum(pairs.iter().map(weigh).collect())
        }
        (
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..),
            Json::String(text),
        ) => (text.len() as u64, 1),
        _ => (0, 1),
    }
}

const KEYS: [&str; 4] = ["71", "", "key \"é\"\u{1}", "a key that is longer than the others"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn documents_read_back_as_the_model(numbers in prop::collection::vec(any::<u16>(), 0..600)) {
        let mut dice = Dice(numbers.into_iter());
        let (shapes, columns) = fields(&mut dice, 0);
        let cells: Vec<Json> = (0..3).map(|_| object_cell(&mut dice, &shapes, &columns)).collect();
        let document = structs(&columns, &cells.iter().collect::<Vec<_>>());
        for style in [EnvelopeStyle::Plain, EnvelopeStyle::Operations, EnvelopeStyle::BeforeAfter] {
            for nulls in [Nulls::Omit, Nulls::Keep] {
                let feed = feed(style, nulls, shapes.clone());
                let encoder = Encoder::new(&feed, &columns, stamp(), None).unwrap();
                let keys = || cells.iter().enumerate().map(|(row, _)| KEYS[row]);
                let sizes = encoder.sizes(&document, keys()).unwrap();
                let tail = document.slice(1, 2);
                let (whole, sliced) = (encoder.prepare(&document).unwrap(), encoder.prepare(&tail).unwrap());
                for (row, key) in keys().enumerate() {
                    let mut out = Vec::new();
                    whole.write(row, key, &mut out).unwrap();
                    let model = object(&shapes, &cells[row], nulls, style);
                    let read: Json = serde_json::from_slice(&out).unwrap();
                    match style {
                        EnvelopeStyle::Plain => prop_assert_eq!(
                            String::from_utf8_lossy(&out), serde_json::to_string(&model).unwrap()
                        ),
                        EnvelopeStyle::Operations => {
                            prop_assert_eq!(&read["payload"], &model);
                            prop_assert_eq!(&read["keys"][0]["keyValue"], &json!(key));
                        }
                        EnvelopeStyle::BeforeAfter => prop_assert_eq!(&read["after"], &model),
                    }
                    prop_assert_eq!(sizes[row], out.len() as u64);
                    let (text, values) = weigh(&DataType::Struct(columns.clone()), &cells[row]);
                    let bound = encoder.overhead_bound().bytes(text + key.len() as u64, values);
                    prop_assert!(bound >= sizes[row], "{} bytes, bound {}", sizes[row], bound);
                    if row > 0 {
                        let mut again = Vec::new();
                        sliced.write(row - 1, key, &mut again).unwrap();
                        prop_assert_eq!(out, again);
                    }
                }
            }
        }
    }
}
