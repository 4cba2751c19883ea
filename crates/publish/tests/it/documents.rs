//! From an edition in the store to records, through the encoder.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, StructArray, UInt32Array};
use arrow_schema::{DataType, Field, Fields};
use hivecast_contract::{EditionId, HashRange, key_hash};
use hivecast_edition::{Draft, Edition, Exclusion, Sent, Store};
use hivecast_feed::Feed;
use hivecast_publish::encode::{EditionStamp, Encoder};
use hivecast_publish::{Block, EditionEntries, Entries, Mode, Outcome, Target, View};
use hivecast_run::{Class, Fault, Result};
use hivecast_testkit::conformance::faulty::{Effect, Faulty, Point, Trip};

use crate::fixture::Topic;

const FEED: &str = "
feed: contracts
topic: mdm.contracts
partitions: 2
tables:
  accounts: { source: accounts }
document:
  from: accounts
  key: account_id
  fields:
    number: number
envelope: { style: plain }
";

fn feed() -> Feed {
    hivecast_feed::parse("feed.yaml", FEED).unwrap_or_else(|_| panic!("the feed parses")).0
}

fn fields() -> Fields {
    Fields::from(vec![Field::new("number", DataType::Int64, true)])
}

/// An edition of keys `k…` in two shards; each document holds its number.
fn edition(store: &Store, date: &str, numbers: std::ops::Range<i64>) -> Edition {
    let mut rows: Vec<(u32, String, i64)> = numbers
        .map(|number| {
            let key = format!("k{number}");
            (key_hash(key.as_bytes()), key, number)
        })
        .collect();
    rows.sort();
    let writer = store.begin("contracts", date.parse().expect("a date")).expect("a writer");
    for (index, rows) in rows.chunks(rows.len().div_ceil(2).max(1)).enumerate() {
        let mut shard = writer.shard(index as u32, &fields()).expect("a shard");
        let hash = UInt32Array::from_iter_values(rows.iter().map(|row| row.0));
        let key: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.1)));
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)));
        let document = StructArray::new(fields(), vec![number], None);
        shard.write(&hash, &key, &document).expect("written");
        shard.finish().expect("finished");
    }
    let draft = Draft {
        id: EditionId(format!("e{date}")),
        feed_fingerprint: "f".repeat(64),
        gates_fingerprint: String::new(),
        time_ms: 1_795_000_000_000,
        built_ms: 1_795_000_100_000,
        engine: "embedded".to_owned(),
        inputs: Vec::new(),
        tables: Vec::new(),
        document: fields(),
        gates: Vec::new(),
    };
    writer.finish(draft).expect("an edition")
}

fn encoder(edition: &Edition) -> Encoder {
    let description = &edition.description;
    let stamp = EditionStamp { load_date: description.load_date, time_ms: description.time_ms };
    Encoder::new(&feed(), edition.fields(), stamp, None).expect("an encoder")
}

fn records(
    entries: &dyn Entries,
    bases: &[EditionId],
    position: u64,
) -> Result<Vec<(String, Option<String>)>> {
    let mut blocks = entries.open(HashRange::WHOLE, bases, position)?;
    let mut block = Block::default();
    let mut records = vec![];
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    loop {
        block.clear();
        blocks.fill(&mut block)?;
        if block.is_empty() {
            return Ok(records);
        }
        records.extend(block.iter().map(|entry| (text(entry.key), entry.value.map(text))));
    }
}

#[test]
fn documents_then_tombstones_from_any_position() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let first = edition(&store, "2026-11-22", 0..60);
    let second = edition(&store, "2026-11-23", 20..100);
    let encoder = encoder(&second);
    let find = |id: &EditionId| store.find("contracts", id);
    let entries = EditionEntries::new(&second, &encoder, &find);
    let bases = [first.description.id.clone()];
    assert_eq!((entries.documents(), entries.edition()), (80, &second.description.id));

    let whole = records(&entries, &bases, 0).expect("readable");
    let mut documents: Vec<i64> = (20..100).collect();
    let mut gone: Vec<i64> = (0..20).collect();
    let order = |number: &i64| (key_hash(format!("k{number}").as_bytes()), format!("k{number}"));
    documents.sort_by_key(order);
    gone.sort_by_key(order);
    let expected: Vec<(String, Option<String>)> = documents
        .into_iter()
        .map(|number| (format!("k{number}"), Some(format!("{{\"number\":{number}}}"))))
        .chain(gone.into_iter().map(|number| (format!("k{number}"), None)))
        .collect();
    assert_eq!(whole, expected);
    for position in [1, 39, 40, 41, 79, 80, 81, 99, 100] {
        assert_eq!(
            records(&entries, &bases, position).expect("readable"),
            expected[position as usize..],
            "from {position}"
        );
    }
    assert_eq!(records(&entries, &[], 0).expect("readable").len(), 80, "no base, no tombstones");
}

#[test]
fn blocks_are_bounded_whatever_the_editions_size() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let edition = edition(&store, "2026-11-22", 0..150_000);
    let encoder = encoder(&edition);
    let none = |_: &EditionId| Ok(None);
    let entries = EditionEntries::new(&edition, &encoder, &none);
    let mut blocks = entries.open(HashRange::WHOLE, &[], 0).expect("readable");
    let mut block = Block::default();
    let mut sizes = vec![];
    loop {
        block.clear();
        blocks.fill(&mut block).expect("filled");
        if block.is_empty() {
            break;
        }
        sizes.push(block.iter().map(|entry| entry.bytes()).sum::<u64>());
    }
    assert!(sizes.len() >= 3, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size < (1 << 20) + 100), "{sizes:?}");
    assert!(sizes[..sizes.len() - 1].iter().all(|size| *size >= 1 << 20), "{sizes:?}");
}

#[test]
fn an_edition_goes_from_the_store_to_the_topic_and_resumes() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let topic = Topic::new();
    let find = |id: &EditionId| store.find("contracts", id);
    for (date, numbers) in [("2026-11-22", 0..10), ("2026-11-23", 4..16)] {
        let edition = edition(&store, date, numbers.clone());
        let encoder = encoder(&edition);
        let entries = EditionEntries::new(&edition, &encoder, &find);
        // Three chunks are committed, and the fourth is under way.
        let trip = Trip { point: Point::Sent, nth: 10, effect: Effect::Crash };
        topic
            .publish_entries(&Faulty::once(&topic.target, trip), &entries, Mode::Normal)
            .expect_err("a crash");
        let summary = topic.publish_entries(&topic.target, &entries, Mode::Normal).expect("resumed");
        assert_eq!(summary.outcome, Outcome::Resumed { position: 9 });
        let expected: BTreeMap<String, Vec<u8>> = numbers
            .map(|number| (format!("k{number}"), format!("{{\"number\":{number}}}").into_bytes()))
            .collect();
        assert_eq!(topic.log().live(), expected);
    }
    assert_eq!(topic.log().len(), 10 + 12 + 4, "nothing twice");
}

#[test]
fn a_base_that_is_gone_stops_the_run_before_it_sends() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let topic = Topic::new();
    let first = edition(&store, "2026-11-22", 0..10);
    let second = edition(&store, "2026-11-23", 4..16);
    let gone = |_: &EditionId| -> Result<Option<Edition>> { Err(Fault::data("failed to find the base")) };
    let first_encoder = encoder(&first);
    topic
        .publish_entries(&topic.target, &EditionEntries::new(&first, &first_encoder, &gone), Mode::Normal)
        .expect("the first has no base");
    let before = topic.log();
    let second_encoder = encoder(&second);
    let entries = EditionEntries::new(&second, &second_encoder, &gone);
    let fault = topic.publish_entries(&topic.target, &entries, Mode::Normal).expect_err("no base");
    assert_eq!((fault.class(), fault.to_string()), (Class::Data, "failed to find the base".to_owned()));
    assert_eq!(topic.log(), before);
}

#[test]
fn a_shard_that_cannot_be_read_stops_the_run_and_not_by_a_new_session() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let topic = Topic::new();
    let edition = edition(&store, "2026-11-22", 0..10);
    let encoder = encoder(&edition);
    let none = |_: &EditionId| Ok(None);
    let last = edition.description.shards.last().expect("a shard");
    std::fs::remove_file(edition.path.join(&last.file)).expect("removed");
    let entries = EditionEntries::new(&edition, &encoder, &none);
    topic.publish_entries(&topic.target, &entries, Mode::Normal).expect_err("no shard");
    assert!(topic.bench.notes().iter().all(|note| !note.contains("session")), "{:?}", topic.bench.notes());
}

/// One byte of the last shard's middle is another one.
fn damage(edition: &Edition) {
    let path = edition.path.join(&edition.description.shards.last().expect("a shard").file);
    let mut bytes = std::fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
}

#[test]
fn an_altered_shard_stops_the_run_before_it_sends() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let topic = Topic::new();
    let edition = edition(&store, "2026-11-22", 0..10);
    damage(&edition);
    let encoder = encoder(&edition);
    let none = |_: &EditionId| Ok(None);
    let entries = EditionEntries::new(&edition, &encoder, &none);
    let fault = topic.publish_entries(&topic.target, &entries, Mode::Normal).expect_err("damaged");
    let shard = &edition.description.shards.last().expect("a shard").file;
    assert_eq!(fault.class(), Class::Data);
    assert!(fault.to_string().contains(shard.as_str()), "{fault}");
    assert!(fault.advice().is_some_and(|advice| advice.contains("built anew")), "{:?}", fault.advice());
    assert!(topic.log().is_empty(), "nothing was sent");
}

#[test]
fn an_altered_base_stops_the_run_before_it_sends() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let topic = Topic::new();
    let find = |id: &EditionId| store.find("contracts", id);
    let first = edition(&store, "2026-11-22", 0..10);
    let first_encoder = encoder(&first);
    topic
        .publish_entries(&topic.target, &EditionEntries::new(&first, &first_encoder, &find), Mode::Normal)
        .expect("published");
    let before = topic.log();
    damage(&first);
    let second = edition(&store, "2026-11-23", 4..16);
    let second_encoder = encoder(&second);
    let entries = EditionEntries::new(&second, &second_encoder, &find);
    let fault = topic.publish_entries(&topic.target, &entries, Mode::Normal).expect_err("damaged");
    assert_eq!(fault.class(), Class::Data);
    assert!(fault.advice().is_some_and(|advice| advice.contains("load_date 2026-11-22")), "{fault:?}");
    assert_eq!(topic.log(), before);
}

#[test]
fn documents_set_aside_between_two_runs_are_not_lost_silently() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let topic = Topic::new();
    let mut edition = edition(&store, "2026-11-22", 0..10);
    let encoder = encoder(&edition);
    let none = |_: &EditionId| Ok(None);
    edition.exclude(Vec::new(), Sent::Nothing).expect("written");
    let trip = Trip { point: Point::Sent, nth: 10, effect: Effect::Crash };
    topic
        .publish_entries(
            &Faulty::once(&topic.target, trip),
            &EditionEntries::new(&edition, &encoder, &none),
            Mode::Normal,
        )
        .expect_err("a crash");
    let before = topic.log();
    // As if the list had been written anew by a run that did not know.
    let first =
        records(&EditionEntries::new(&edition, &encoder, &none), &[], 0).expect("readable")[0].clone();
    let named = Exclusion { key: first.0, reason: "too large".to_owned() };
    edition.exclude(vec![named], Sent::Nothing).expect("written");
    let entries = EditionEntries::new(&edition, &encoder, &none);
    let fault = topic.publish_entries(&topic.target, &entries, Mode::Normal).expect_err("another list");
    assert_eq!(fault.class(), Class::Conflict);
    assert_eq!(topic.log(), before, "nothing was sent");
    let summary = topic.publish_entries(&topic.target, &entries, Mode::Replace).expect("starts over");
    assert_eq!((summary.outcome, summary.manifest.documents), (Outcome::Published, 9));
    assert_eq!(topic.log().live().len(), 10, "what is set aside keeps its record");
    let told = topic.bench.notes();
    assert!(told.iter().any(|note| note.contains("set aside now keep their records")), "{told:?}");
    // It is not forgotten: when it is gone from the warehouse, it goes from the topic.
    let find = |id: &EditionId| store.find("contracts", id);
    let next = self::edition(&store, "2026-11-23", 10..12);
    let next_encoder = self::encoder(&next);
    let entries = EditionEntries::new(&next, &next_encoder, &find);
    let summary = topic.publish_entries(&topic.target, &entries, Mode::Normal).expect("published");
    assert_eq!(summary.manifest.tombstones, 10);
    assert_eq!(topic.log().live().len(), 2);
}

/// Says that it has a document more than it gives.
struct Short<'a>(EditionEntries<'a>);

impl Entries for Short<'_> {
    fn edition(&self) -> &EditionId {
        self.0.edition()
    }

    fn load_date(&self) -> hivecast_contract::LoadDate {
        self.0.load_date()
    }

    fn documents(&self) -> u64 {
        self.0.documents() + 1
    }

    fn documents_in(&self, range: HashRange) -> Result<u64> {
        Ok(self.0.documents_in(range)? + 1)
    }

    fn open(
        &self,
        range: HashRange,
        bases: &[EditionId],
        position: u64,
    ) -> Result<Box<dyn hivecast_publish::Blocks + '_>> {
        self.0.open(range, bases, position)
    }
}

#[test]
fn no_manifest_counts_other_documents_than_the_edition_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let topic = Topic::new();
    let edition = edition(&store, "2026-11-22", 0..10);
    let encoder = encoder(&edition);
    let none = |_: &EditionId| Ok(None);
    let short = Short(EditionEntries::new(&edition, &encoder, &none));
    let fault = topic.publish_entries(&topic.target, &short, Mode::Normal).expect_err("one is missing");
    assert_eq!(fault.class(), Class::Bug);
    assert!(fault.to_string().contains("11 documents, and 10 were sent"), "{fault}");
    assert!(
        topic
            .target
            .ledger("contracts", View::Now, &topic.bench.context())
            .expect("a ledger")
            .manifests
            .is_empty()
    );
}
