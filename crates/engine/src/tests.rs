//! The engine against the naive interpreter, which shares no code with it: random feeds over random
//! tables, in memory and in passes over spill files cut as small as they go.

mod changed;
mod gates;
mod held;
mod listed;
mod namesakes;
mod nested;
mod random;
mod skew;
mod ties;

use std::collections::BTreeMap;
use std::path::Path;

use hivecast_contract::LoadDate;
use hivecast_edition::{Columns, Edition, Store};
use hivecast_feed::{EnvelopeStyle, Feed};
use hivecast_publish::encode::{EditionStamp, Encoder};
use hivecast_run::{Cancel, Context, FixedClock, Result, Silent};
use hivecast_warehouse::Warehouse;

use crate::embedded::{Way, build_by};
use crate::passes::Budget;
use crate::{Plan, SqlBinder, edition_id};

const DATE: &str = "2026-11-22";

/// Runs with a context that tells nobody anything.
fn with_context<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    run(&Context { sink: &Silent, cancel: &Cancel::default(), clock: &FixedClock(0) })
}

/// A plan for a feed file over the tables under `root`.
fn plan(yaml: &str, root: &Path, date: LoadDate) -> Plan {
    let (feed, text) = hivecast_feed::parse("feed.yaml", yaml)
        .unwrap_or_else(|found| panic!("{}", found.render(hivecast_feed::Color::Plain)));
    with_context(|context| {
        let warehouse = Warehouse::open(root).unwrap();
        let inputs =
            warehouse.freeze(&feed, date, *context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
        let schemas = inputs.tables.iter().map(|table| (table.table.clone(), table.schema.clone())).collect();
        let checked = hivecast_feed::check(feed, &text, &schemas, &SqlBinder::default())
            .unwrap_or_else(|found| panic!("{}", found.render(hivecast_feed::Color::Plain)));
        let edition = edition_id(&checked, &inputs);
        Plan { checked, inputs, edition, memory_bytes: 256 << 20, threads: 2, spill: root.to_owned() }
    })
}

/// How a test builds.
#[derive(Clone, Copy, Debug)]
enum Force {
    Memory,
    /// Passes with this many parts, each loaded alone, and a handful of rows held back at a time.
    Passes(u32),
}

fn build(plan: &Plan, store: &Path, force: Force) -> Result<Edition> {
    let store = Store::open(store)?;
    let budget = |parts| Budget {
        scatter_bytes: 2_000,
        load_bytes: 1,
        part_bytes: 1 << 30,
        parts,
        spill: &plan.spill,
    };
    with_context(|context| {
        build_by(plan, &store, context, &|_| {
            Ok(match force {
                Force::Memory => (Way::Memory(usize::MAX), budget(4)),
                Force::Passes(parts) => (Way::Passes(budget(parts)), budget(parts)),
            })
        })
    })
}

/// An edition's documents as JSON in plain form, by key.
fn documents(feed: &Feed, edition: &Edition) -> BTreeMap<String, serde_json::Value> {
    let mut feed = feed.clone();
    feed.envelope.style = EnvelopeStyle::Plain;
    let stamp = EditionStamp { load_date: edition.description.load_date, time_ms: 0 };
    let encoder = Encoder::new(&feed, edition.fields(), stamp, Some(b"key")).unwrap();
    let mut documents = BTreeMap::new();
    for batch in edition.reader(0, Columns::Documents).unwrap() {
        let batch = batch.unwrap();
        let document = batch.document.unwrap();
        let prepared = encoder.prepare(&document).unwrap();
        for (row, key) in batch.key.iter().enumerate() {
            let key = key.unwrap();
            let mut json = Vec::new();
            prepared.write(row, key, &mut json).unwrap();
            let value = serde_json::from_slice(&json).unwrap();
            assert!(documents.insert(key.to_owned(), value).is_none(), "key {key} twice");
        }
    }
    documents
}
