//! What arrives when nothing goes wrong.

use std::collections::BTreeMap;

use hivecast_contract::{Checksum, partition_of};
use hivecast_feed::{Atomicity, Chunks};
use hivecast_publish::{Headers, Mode, Original, Outcome, Sent, Slot, View, verify, verify_by_key};
use hivecast_run::Class;

use super::{CHUNK_RECORDS, Case, assert_outcome, two_days};
use crate::conformance::Fixture;
use crate::conformance::editions::{Edition, Editions};
use crate::conformance::faulty::{Effect, Point, Trip};

/// Every document is on the topic once, in the order of publishing, and the manifest says so.
pub fn full_publish(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "full", two_days());
    let summary = case.publish("e22");
    assert_outcome(&summary, Outcome::Published);
    case.assert_log(&[case.whole("e22", &[])]);
    case.assert_manifest(&summary.manifest);
    assert_eq!(summary.manifest.sequence, 1);
    assert_eq!(summary.manifest.chunks, 10u64.div_ceil(CHUNK_RECORDS));
    assert_eq!((summary.sent.documents, summary.sent.tombstones, summary.sent.chunks), (10, 0, 3));
    assert_eq!(case.log().live(), case.editions.get("e22").live());
}

/// Many keys over many partitions: each key in the partition that Java's client would choose, with
/// all four headers.
pub fn every_header_and_partition(fixture: &dyn Fixture) {
    let editions = Editions::of([Edition::numbered("e22", 22, 0..500)]);
    let mut case = Case::new(fixture, "headers", editions);
    case.topic = fixture.topic("headers7", 7);
    case.chunks.records = 170;
    let summary = case.publish("e22");
    case.assert_log(&[case.whole("e22", &[])]);
    case.assert_manifest(&summary.manifest);
    assert!(
        summary.manifest.partitions.iter().all(|totals| totals.documents > 30),
        "all partitions are used"
    );
}

/// A second run of the same edition sends nothing and finds the same manifest.
pub fn running_again_sends_nothing(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "again", two_days());
    let first = case.publish("e22");
    let before = case.log();
    for mode in [Mode::Normal, Mode::Replace] {
        let again = case.run(case.target.as_ref(), "e22", mode).expect("nothing to do");
        assert_outcome(&again, Outcome::AlreadyComplete);
        assert_eq!(again.sent, Sent::default());
        assert_eq!(again.manifest, first.manifest);
    }
    // A day that a later one has followed is still done.
    case.publish("e23");
    let after = case.log();
    assert_outcome(&case.publish("e22"), Outcome::AlreadyComplete);
    assert_eq!(case.log(), after);
    assert_ne!(before, after);
}

/// The next day's edition lacks keys of the day before: tombstones, in the edition's order, behind
/// its documents. A key that comes back is a document again.
pub fn tombstones_for_keys_that_are_gone(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "tombstones", two_days());
    case.editions.add(Edition::numbered("e24", 24, 0..5));
    case.publish("e22");
    let second = case.publish("e23");
    assert_eq!((second.sent.documents, second.sent.tombstones), (11, 3));
    case.assert_manifest(&second.manifest);
    let third = case.publish("e24");
    case.assert_manifest(&third.manifest);
    case.assert_log(&[case.whole("e22", &[]), case.whole("e23", &["e22"]), case.whole("e24", &["e23"])]);
    assert_eq!(third.manifest.sequence, 3);
    assert_eq!(case.log().live(), case.editions.get("e24").live());
}

/// An edition without documents: a manifest alone on the first day, tombstones alone later.
pub fn empty_edition(fixture: &dyn Fixture) {
    let none = || Vec::<(String, String)>::new();
    let case = Case::new(
        fixture,
        "empty",
        Editions::of([
            Edition::new("e21", 21, none()),
            Edition::numbered("e22", 22, 0..6),
            Edition::new("e23", 23, none()),
        ]),
    );
    let first = case.publish("e21");
    assert!(case.log().is_empty());
    assert_eq!((first.manifest.chunks, first.manifest.documents), (1, 0));
    case.assert_manifest(&first.manifest);
    assert_outcome(&case.publish("e21"), Outcome::AlreadyComplete);
    case.publish("e22");
    let third = case.publish("e23");
    assert_eq!((third.sent.documents, third.sent.tombstones), (0, 6));
    case.assert_manifest(&third.manifest);
    case.assert_log(&[case.whole("e22", &[]), case.whole("e23", &["e22"])]);
    assert!(case.log().live().is_empty());
}

/// A document of three blocks' size among small ones.
pub fn record_larger_than_a_block(fixture: &dyn Fixture) {
    let giant = format!(r#"{{"text":"{}"}}"#, "0123456789abcdef".repeat((3 << 20) / 16));
    let documents = [("a", "{}"), ("giant", giant.as_str()), ("z", "[]")];
    let mut case = Case::new(fixture, "giant", Editions::of([Edition::new("e22", 22, documents)]));
    case.topic.settings = BTreeMap::from([("max.message.bytes".to_owned(), "8388608".to_owned())]);
    case.chunks.bytes = 1 << 20;
    let summary = case.publish("e22");
    case.assert_log(&[case.whole("e22", &[])]);
    case.assert_manifest(&summary.manifest);
    assert!(summary.manifest.chunks >= 2, "larger than a chunk's bytes, it is a chunk of its own");
}

/// `atomic: edition`: one transaction whatever the limits, and nothing visible before it commits.
pub fn atomic_edition_in_one_transaction(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "atomic", two_days());
    case.chunks = Chunks { records: 2, bytes: 10, atomic: Atomicity::Edition };
    case.crash("e22", Mode::Normal, Trip { point: Point::Sent, nth: 9, effect: Effect::Crash });
    assert!(case.log().is_empty());
    let summary = case.publish("e22");
    assert_outcome(&summary, Outcome::Published);
    assert_eq!(summary.manifest.chunks, 1);
    case.assert_log(&[case.whole("e22", &[])]);
}

/// Keys and values of any Unicode text come back as the very bytes that were sent.
pub fn unicode_keys(fixture: &dyn Fixture) {
    let keys =
        ["ключ", "鍵", "🔑", "e\u{301}", "é", "\"quoted\\\"", "tab\there", "\u{1}", "a b", "\u{10ffff}"];
    let documents =
        keys.map(|key| (key, serde_json::json!({ "key": key, "n": [1, null, -0.5] }).to_string()));
    let mut case = Case::new(fixture, "unicode", Editions::of([Edition::new("e22", 22, documents)]));
    case.editions.add(Edition::new("e23", 23, [("é", r#"  {"spaced" : "as it was sent" }"#)]));
    case.publish("e22");
    let second = case.publish("e23");
    assert_eq!(second.sent.tombstones, keys.len() as u64 - 1);
    case.assert_log(&[case.whole("e22", &[]), case.whole("e23", &["e22"])]);
    case.assert_manifest(&second.manifest);
    let sum = second.manifest.partitions.iter().fold(Checksum::default(), |sum, part| sum + part.checksum);
    let sent = case.editions.sequence("e23", &["e22"]);
    let expected = sent.iter().fold(Checksum::default(), |sum, (key, value)| {
        sum + Checksum::of_record(key.as_bytes(), value.as_deref())
    });
    assert_eq!(sum, expected, "the manifest's checksum is of the bytes that were sent");
}

/// What was published verifies, by sums and by key, also where the run was interrupted and where
/// another edition followed.
pub fn verified_after_publishing(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "verify", two_days());
    case.publish("e22");
    case.crash("e23", Mode::Normal, Trip { point: Point::Sent, nth: 6, effect: Effect::Crash });
    let summary = case.publish("e23");
    let context = case.bench.context();
    let ledger =
        case.target.ledger(&case.topic.feed, View::Settled, &case.bench.context()).expect("a ledger");
    assert_eq!(ledger.latest(), Some(&summary.manifest));
    for (manifest, records) in ledger.manifests.values().zip([10, 14]) {
        let verified = verify(case.target.as_ref(), manifest, &context)
            .unwrap_or_else(|fault| panic!("{}", fault.chain()));
        assert_eq!((verified.records, verified.foreign), (records, 0));
    }
    let entries = case.entries("e23");
    let progress = ledger.progress.values().next().expect("progress");
    let original = Original { entries: &entries, bases: &progress.bases };
    // A manifest that says something else does not verify, and no key is to blame.
    let mut wrong = summary.manifest.clone();
    wrong.partitions[0].checksum += Checksum(1);
    for result in [
        verify(case.target.as_ref(), &wrong, &context),
        verify_by_key(case.target.as_ref(), &wrong, original, &context),
    ] {
        let fault = result.expect_err("a difference");
        assert_eq!(fault.class(), Class::Data);
        assert!(fault.chain().contains("partition 0 has checksum"), "{}", fault.chain());
    }
}

/// Records of the edition that lie behind what its manifest states are found, as long as no later
/// edition is published; in a partition of their own, and by key.
pub fn copies_behind_the_manifest_are_found(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "copies", two_days());
    let manifest = case.publish("e22").manifest;
    let context = case.bench.context();
    let edition = case.editions.get("e22");
    let mut session = case.target.open(&case.topic, Slot::FIRST, &context).expect("a session");
    let headers = Headers {
        feed: case.topic.feed.clone(),
        load_date: edition.load_date,
        edition: edition.id.to_string(),
    };
    session.begin(&headers).expect("begun");
    let partition = partition_of(b"k7", case.topic.partitions);
    session.send(partition, b"k7", Some(b"{}")).expect("sent");
    session.commit(&mut |_| Ok(Vec::new())).expect("committed");
    drop(session);
    let entries = case.entries("e22");
    let original = Original { entries: &entries, bases: &[] };
    for (result, names_key) in [
        (verify(case.target.as_ref(), &manifest, &context), false),
        (verify_by_key(case.target.as_ref(), &manifest, original, &context), true),
    ] {
        let fault = result.expect_err("a copy");
        assert_eq!(fault.class(), Class::Data);
        let told = fault.chain();
        let place = format!("partition {partition} has 1 more records of the edition behind its last");
        assert!(told.contains(&place), "{told}");
        assert_eq!(told.contains("; doubled: 1 (\"k7\")"), names_key, "{told}");
    }
    // What is published next takes their place, and is none of the older manifest's business.
    let next = case.publish("e23").manifest;
    for manifest in [&manifest, &next] {
        verify(case.target.as_ref(), manifest, &context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    }
}
