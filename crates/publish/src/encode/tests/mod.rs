//! What the encoder promises, as bytes.

mod arrays;
mod documents;
mod faults;
mod golden;
mod zones;

use std::sync::Arc;

use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{Field, Fields};
use hivecast_contract::LoadDate;
use hivecast_feed::{
    Atomicity, BigIntegers, Chunks, Decimals, Envelope, EnvelopeStyle, Feed, Format, Mask, Node, NotANumber,
    Nulls, Shape, Spanned,
};
use hivecast_run::Result;

use super::{EditionStamp, Encoder};

/// The edition of all tests: 2026-11-22T04:00:00Z.
fn stamp() -> EditionStamp {
    EditionStamp { load_date: LoadDate::new(2026, 11, 22).unwrap(), time_ms: 1_795_320_000_000 }
}

/// A feed of these fields.
fn feed(style: EnvelopeStyle, nulls: Nulls, fields: Vec<hivecast_feed::Field>) -> Feed {
    Feed {
        name: "contracts".to_owned(),
        topic: "mdm.contracts".to_owned(),
        partitions: 6,
        topic_settings: Default::default(),
        tables: Vec::new(),
        document: Node {
            table: Spanned { value: "accounts".to_owned(), span: 0..0 },
            key: Some(Spanned { value: "account_id".to_owned(), span: 0..0 }),
            on: Vec::new(),
            fields,
        },
        envelope: Envelope {
            style,
            event_type: "MDM-Contract".to_owned(),
            major_version: 1,
            minor_version: 0,
        },
        format: Format {
            timezone: "UTC".to_owned(),
            timestamp: "%Y-%m-%dT%H:%M:%S%.3f%:z".to_owned(),
            date: "%Y-%m-%d".to_owned(),
            nulls,
            decimals: Decimals::Text,
            nan: NotANumber::Null,
            big_integers: BigIntegers::Number,
        },
        gates: Vec::new(),
        chunks: Chunks { records: 1, bytes: 1, atomic: Atomicity::Chunk },
    }
}

fn field(name: &str, shape: Shape) -> hivecast_feed::Field {
    hivecast_feed::Field { name: name.to_owned(), span: 0..0, shape }
}

fn value(name: &str, mask: Option<Mask>) -> hivecast_feed::Field {
    field(name, Shape::Value { sql: Spanned { value: name.to_owned(), span: 0..0 }, mask })
}

fn structs(columns: Vec<(&str, ArrayRef)>) -> StructArray {
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let fields: Fields = fields.collect();
    let arrays = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    StructArray::try_new(fields, arrays, None).unwrap()
}

/// The first row's value in the plain envelope.
fn encode(feed: &Feed, document: &StructArray) -> Result<String> {
    let encoder = Encoder::new(feed, document.fields(), stamp(), Some(b"key"))?;
    let mut out = Vec::new();
    encoder.prepare(document)?.write(0, "71", &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// The JSON of a column's first value, under these formats.
fn json(array: ArrayRef, mask: Option<Mask>, change: impl FnOnce(&mut Format)) -> Result<String> {
    let mut feed = feed(EnvelopeStyle::Plain, Nulls::Keep, vec![value("v", mask)]);
    change(&mut feed.format);
    let text = encode(&feed, &structs(vec![("v", array)]))?;
    Ok(text["{\"v\":".len()..text.len() - 1].to_owned())
}
