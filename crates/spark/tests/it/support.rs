//! Plans over exports on disk, built by both engines.

use std::collections::BTreeMap;
use std::path::Path;

use hivecast_contract::LoadDate;
use hivecast_edition::{Columns, Edition, Outcome, Store};
use hivecast_engine::{Embedded, Engine, Plan, SqlBinder, edition_id};
use hivecast_feed::{EnvelopeStyle, Feed};
use hivecast_publish::encode::{EditionStamp, Encoder};
use hivecast_run::{Cancel, Context, FixedClock, Result, Silent};
use hivecast_spark::{Endpoint, SparkEngine};
use hivecast_warehouse::Warehouse;

/// The day of the tests.
pub(crate) const DATE: &str = "2026-11-22";

/// A server that tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Spark,
    Sail,
}

impl Server {
    pub(crate) const ALL: [Server; 2] = [Server::Sail, Server::Spark];

    pub(crate) fn address(self) -> String {
        let name = match self {
            Server::Spark => "HIVECAST_TEST_SPARK",
            Server::Sail => "HIVECAST_TEST_SAIL",
        };
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run with dev/with-services"))
    }

    pub(crate) fn engine(self) -> SparkEngine {
        engine(&self.address())
    }
}

pub(crate) fn engine(address: &str) -> SparkEngine {
    SparkEngine::new(Endpoint::parse(address).unwrap_or_else(|fault| panic!("{}", fault.chain())))
}

/// Runs with a context that tells nobody anything.
pub(crate) fn with_context<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    run(&Context { sink: &Silent, cancel: &Cancel::default(), clock: &FixedClock(0) })
}

/// A plan for a feed file over the tables under `root`.
pub(crate) fn plan(yaml: &str, root: &Path, date: LoadDate) -> Plan {
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

/// Builds in a store of its own below `root`.
pub(crate) fn build(engine: &dyn Engine, plan: &Plan, root: &Path) -> Result<Edition> {
    let store = tempfile::Builder::new().prefix("store-").tempdir_in(root).unwrap().keep();
    with_context(|context| engine.build(plan, &Store::open(&store)?, context))
}

/// What Sail 0.7 says where its own optimizer fails over conditions that contradict each other.
const SAIL_FAILS: &str = "Interval's lower bound";

/// Builds with the embedded engine and with a server, and fails unless both give one edition.
pub(crate) fn assert_same(plan: &Plan, server: Server, root: &Path) {
    assert!(is_same(plan, server, root), "{server:?} can't run it");
}

/// As [`assert_same`]; false where Sail fails of itself.
pub(crate) fn is_same(plan: &Plan, server: Server, root: &Path) -> bool {
    let embedded = build(&Embedded, plan, root).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    let spark = match build(&server.engine(), plan, root) {
        Ok(edition) => edition,
        Err(fault) if server == Server::Sail && fault.chain().contains(SAIL_FAILS) => return false,
        Err(fault) => panic!("{server:?}: {} ({:?})", fault.chain(), fault.advice()),
    };
    if let Some(difference) = difference(&plan.checked.feed, &embedded, &spark) {
        let asked = hivecast_spark::explain(plan).unwrap().statement;
        panic!("{server:?}: {difference}\n{asked}");
    }
    true
}

/// How two editions differ; none where they don't.
pub(crate) fn difference(feed: &Feed, embedded: &Edition, spark: &Edition) -> Option<String> {
    let verdicts = |edition: &Edition| -> Vec<(String, String, Outcome, u64)> {
        let gates = edition.description.gates.iter();
        gates.map(|gate| (gate.gate.clone(), gate.measured.clone(), gate.outcome, gate.quarantined)).collect()
    };
    let (expected_gates, actual_gates) = (verdicts(embedded), verdicts(spark));
    let fails = |gates: &[(String, String, Outcome, u64)]| gates.iter().any(|gate| gate.2 == Outcome::Fail);
    if fails(&expected_gates) || fails(&actual_gates) {
        // Nothing is sent of either; which of several rows is in it hangs on their order.
        let failed = |gates: Vec<(String, String, Outcome, u64)>| -> Vec<String> {
            gates.into_iter().filter(|gate| gate.2 == Outcome::Fail).map(|gate| gate.0).collect()
        };
        let (expected, actual) = (failed(expected_gates), failed(actual_gates));
        return (expected != actual).then(|| format!("{expected:?} fail, and {actual:?}"));
    }
    if expected_gates != actual_gates {
        return Some(format!("gates are {actual_gates:?}, not {expected_gates:?}"));
    }
    let named = |edition: &Edition| -> Vec<String> {
        edition.named().unwrap().map(|named| named.map(|named| named.key).unwrap_or_default()).collect()
    };
    if named(embedded) != named(spark) {
        return Some(format!("named documents are {:?}, not {:?}", named(spark), named(embedded)));
    }
    let (mut expected_documents, mut actual_documents) = (documents(feed, embedded), documents(feed, spark));
    // Of several rows of one key one stays, as the document that is set aside: which, hangs on their order.
    let mut is_ambiguous = false;
    for named in embedded.named().unwrap().map(|named| named.unwrap()) {
        if named.reason.contains("rows have this document key") {
            expected_documents.remove(&named.key);
            actual_documents.remove(&named.key);
            is_ambiguous = true;
        }
    }
    let tables = |edition: &Edition| {
        let mut tables = edition.description.tables.clone();
        // The rows of a document hang on which row of its key it was made of.
        tables.iter_mut().filter(|_| is_ambiguous).for_each(|table| table.rows_used = 0);
        tables
    };
    if tables(embedded) != tables(spark) {
        return Some(format!("tables are {:?}, not {:?}", tables(spark), tables(embedded)));
    }
    for (key, document) in &expected_documents {
        match actual_documents.get(key) {
            Some(other) if other == document => {}
            other => return Some(format!("document {key} is {other:?}, not {document}")),
        }
    }
    if expected_documents.len() != actual_documents.len() {
        return Some(format!("{} documents, not {}", actual_documents.len(), expected_documents.len()));
    }
    let facts = |edition: &Edition| {
        let description = &edition.description;
        let checksum = if is_ambiguous { String::new() } else { description.checksum.clone() };
        (checksum, description.schema.clone(), description.id.clone(), description.time_ms)
    };
    (facts(embedded) != facts(spark)).then(|| format!("{:?}, not {:?}", facts(spark), facts(embedded)))
}

/// An edition's documents as JSON in plain form, by key.
pub(crate) fn documents(feed: &Feed, edition: &Edition) -> BTreeMap<String, String> {
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
            let mut json = Vec::new();
            prepared.write(row, key.unwrap(), &mut json).unwrap();
            documents.insert(key.unwrap().to_owned(), String::from_utf8(json).unwrap());
        }
    }
    documents
}
