//! Documents as plain values, the arrays they are written as, and the values that arrays hold: a
//! second way to say what content is, which shares nothing with the room's own.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, Int32Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use proptest::prelude::*;

/// A document with every shape that a feed makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doc {
    pub(crate) text: Option<String>,
    pub(crate) number: Option<i32>,
    /// Whole seconds since the epoch.
    pub(crate) time: Option<i64>,
    /// Hundredths.
    pub(crate) price: Option<i128>,
    pub(crate) one: Option<One>,
    pub(crate) many: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct One {
    pub(crate) name: Option<String>,
    pub(crate) flag: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) id: Option<String>,
    pub(crate) one: Option<One>,
    pub(crate) tags: Vec<Option<String>>,
}

fn text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[ -~]{0,14}|\\PC{0,6}|[\u{0}-\u{1f}]{1,3}")
}

fn one() -> impl Strategy<Value = Option<One>> {
    proptest::option::of((text(), any::<Option<bool>>()).prop_map(|(name, flag)| One { name, flag }))
}

fn element() -> impl Strategy<Value = Element> {
    let tags = proptest::collection::vec(text(), 0..3);
    (text(), one(), tags).prop_map(|(id, one, tags)| Element { id, one, tags })
}

pub(crate) fn doc() -> impl Strategy<Value = Doc> {
    let time = proptest::option::of(-62_135_596_800i64..253_402_300_800);
    let price = proptest::option::of(-1_000_000i128..1_000_000);
    (text(), any::<Option<i32>>(), time, price, one(), proptest::collection::vec(element(), 0..4))
        .prop_map(|(text, number, time, price, one, many)| Doc { text, number, time, price, one, many })
}

/// How arrays hold the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Views,
    Dictionaries,
    Large,
}

impl Encoding {
    fn of(self, data_type: &DataType) -> DataType {
        let field = |field: &Arc<Field>| {
            Arc::new(Field::new(field.name(), self.of(field.data_type()), field.is_nullable()))
        };
        match (data_type, self) {
            (DataType::Struct(fields), _) => DataType::Struct(fields.iter().map(field).collect()),
            (DataType::List(element), Encoding::Large) => DataType::LargeList(field(element)),
            (DataType::List(element), _) => DataType::List(field(element)),
            (DataType::Utf8, Encoding::Views) => DataType::Utf8View,
            (DataType::Utf8, Encoding::Dictionaries) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            (DataType::Utf8, Encoding::Large) => DataType::LargeUtf8,
            (DataType::Int32, Encoding::Views) => DataType::Int64,
            (DataType::Timestamp(_, zone), Encoding::Views) => {
                DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
            }
            (DataType::Timestamp(_, zone), Encoding::Large) => {
                DataType::Timestamp(TimeUnit::Second, zone.clone())
            }
            (other, _) => other.clone(),
        }
    }

    /// The fields of documents in this encoding.
    pub(crate) fn fields(self) -> Fields {
        match self.of(&DataType::Struct(plain_fields())) {
            DataType::Struct(fields) => fields,
            other => unreachable!("{other}"),
        }
    }
}

pub(crate) fn encoding() -> impl Strategy<Value = Encoding> {
    proptest::sample::select(vec![Encoding::Plain, Encoding::Views, Encoding::Dictionaries, Encoding::Large])
}

fn one_fields() -> Fields {
    Fields::from(vec![Field::new("name", DataType::Utf8, true), Field::new("flag", DataType::Boolean, true)])
}

fn element_fields() -> Fields {
    Fields::from(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("one", DataType::Struct(one_fields()), true),
        Field::new("tags", DataType::new_list(DataType::Utf8, true), false),
    ])
}

fn plain_fields() -> Fields {
    let element = Field::new("element", DataType::Struct(element_fields()), false);
    Fields::from(vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("number", DataType::Int32, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("price", DataType::Decimal128(18, 2), true),
        Field::new("one", DataType::Struct(one_fields()), true),
        Field::new("many", DataType::List(Arc::new(element)), false),
    ])
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a String>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn ones<'a>(values: impl Iterator<Item = Option<&'a One>> + Clone) -> ArrayRef {
    let names = texts(values.clone().map(|one| one.and_then(|one| one.name.as_ref())));
    let mut flags = BooleanBuilder::new();
    values.clone().for_each(|one| flags.append_option(one.and_then(|one| one.flag)));
    let nulls: NullBuffer = values.map(|one| one.is_some()).collect();
    Arc::new(StructArray::new(one_fields(), vec![names, Arc::new(flags.finish())], Some(nulls)))
}

fn elements<'a>(values: impl Iterator<Item = &'a Element> + Clone) -> StructArray {
    let ids = texts(values.clone().map(|element| element.id.as_ref()));
    let one = ones(values.clone().map(|element| element.one.as_ref()));
    let tags = texts(values.clone().flat_map(|element| &element.tags).map(Option::as_ref));
    let offsets = OffsetBuffer::from_lengths(values.map(|element| element.tags.len()));
    let tags = ListArray::new(Arc::new(Field::new_list_field(DataType::Utf8, true)), offsets, tags, None);
    StructArray::new(element_fields(), vec![ids, one, Arc::new(tags)], None)
}

/// The documents as arrays, sliced out of longer ones so that no offset starts at 0.
pub(crate) fn arrays(docs: &[Doc], encoding: Encoding) -> StructArray {
    let padding = Doc {
        text: Some("padding".to_owned()),
        number: Some(7),
        time: None,
        price: Some(1),
        one: Some(One { name: Some("padding".to_owned()), flag: None }),
        many: vec![Element { id: None, one: None, tags: vec![Some("padding".to_owned()), None] }],
    };
    let mut padded = vec![padding.clone()];
    padded.extend_from_slice(docs);
    padded.push(padding);
    let plain: ArrayRef = Arc::new(plain_arrays(&padded));
    let encoded = cast(&plain, &DataType::Struct(encoding.fields())).unwrap();
    encoded.slice(1, docs.len()).as_struct().clone()
}

fn plain_arrays(docs: &[Doc]) -> StructArray {
    let mut numbers = Int32Builder::new();
    let mut times = TimestampMicrosecondBuilder::new();
    let mut prices = Decimal128Builder::new().with_precision_and_scale(18, 2).unwrap();
    for doc in docs {
        numbers.append_option(doc.number);
        times.append_option(doc.time.map(|seconds| seconds * 1_000_000));
        prices.append_option(doc.price);
    }
    let many = elements(docs.iter().flat_map(|doc| &doc.many));
    let offsets = OffsetBuffer::from_lengths(docs.iter().map(|doc| doc.many.len()));
    let element = Arc::new(Field::new("element", many.data_type().clone(), false));
    let columns: Vec<ArrayRef> = vec![
        texts(docs.iter().map(|doc| doc.text.as_ref())),
        Arc::new(numbers.finish()),
        Arc::new(times.finish()),
        Arc::new(prices.finish()),
        ones(docs.iter().map(|doc| doc.one.as_ref())),
        Arc::new(ListArray::new(element, offsets, Arc::new(many), None)),
    ];
    StructArray::new(plain_fields(), columns, None)
}

fn text_at(column: &ArrayRef, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.as_string_view().value(row).to_owned())
}

fn one_at(column: &ArrayRef, row: usize) -> Option<One> {
    column.is_valid(row).then(|| {
        let one = column.as_struct();
        let flag = one.column(1);
        One {
            name: text_at(one.column(0), row),
            flag: flag.is_valid(row).then(|| flag.as_boolean().value(row)),
        }
    })
}

fn element_at(elements: &StructArray, row: usize) -> Element {
    let tags = elements.column(2).as_list::<i32>().value(row);
    Element {
        id: text_at(elements.column(0), row),
        one: one_at(elements.column(1), row),
        tags: (0..tags.len()).map(|tag| text_at(&tags, tag)).collect(),
    }
}

/// The documents that a reader's arrays hold.
pub(crate) fn docs(read: &StructArray) -> Vec<Doc> {
    let wide = |column: &ArrayRef, to: &DataType| cast(column, to).unwrap();
    let numbers = wide(read.column(1), &DataType::Int64);
    let times = wide(read.column(2), &DataType::Timestamp(TimeUnit::Microsecond, None));
    let many = read.column(5).as_list::<i32>();
    (0..read.len())
        .map(|row| {
            let elements = many.value(row);
            Doc {
                text: text_at(read.column(0), row),
                number: numbers.is_valid(row).then(|| numbers.as_primitive::<Int64Type>().value(row) as i32),
                time: times
                    .is_valid(row)
                    .then(|| times.as_primitive::<TimestampMicrosecondType>().value(row) / 1_000_000),
                price: read
                    .column(3)
                    .is_valid(row)
                    .then(|| read.column(3).as_primitive::<Decimal128Type>().value(row)),
                one: one_at(read.column(4), row),
                many: (0..elements.len()).map(|at| element_at(elements.as_struct(), at)).collect(),
            }
        })
        .collect()
}
