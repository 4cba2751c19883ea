//! Verifying finds every kind of difference, and says which.

use hivecast_contract::EditionId;
use hivecast_publish::{Entries, Original, Record, Target, Verified, View, verify, verify_by_key};
use hivecast_run::{Class, Context, Fault, Result};
use hivecast_testkit::forward_to_inner;

use crate::fixture::Topic;

/// What a tampered topic gives for a record.
enum Read {
    AsItIs,
    Nothing,
    Twice,
    Value(&'static [u8]),
}

/// A target whose records were tampered with.
struct Tampered<'a> {
    inner: &'a dyn Target,
    with: &'a (dyn Fn(&Record<'_>) -> Read + Sync),
}

impl Target for Tampered<'_> {
    forward_to_inner!(name, preflight, check_free, probe, open, fence, ledger);

    /// Records may be gone as from a topic of Kafka's, whatever the target behind does.
    fn compacts(&self) -> bool {
        true
    }

    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: i64,
        to: i64,
        context: &Context<'_>,
        each: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        self.inner.read(topic, partition, from, to, context, &mut |record| match (self.with)(&record) {
            Read::AsItIs => each(record),
            Read::Nothing => Ok(()),
            Read::Twice => {
                each(record)?;
                each(record)
            }
            Read::Value(value) => each(Record { value: Some(value), ..record }),
        })
    }
}

/// e22, then e23 over it: 11 documents and 3 tombstones.
fn published() -> Topic {
    let topic = Topic::new();
    topic.publish("e22");
    topic.publish("e23");
    topic
}

fn check(
    topic: &Topic,
    edition: &str,
    bases: &[&str],
    with: &(dyn Fn(&Record<'_>) -> Read + Sync),
) -> (Result<Verified>, Result<Verified>) {
    let target = Tampered { inner: &topic.target, with };
    let ledger = topic.target.ledger("contracts", View::Now, &topic.bench.context()).expect("a ledger");
    let manifest = &ledger.manifests[&topic.editions.get(edition).load_date];
    let entries = topic.editions.entries(edition);
    let bases: Vec<EditionId> = bases.iter().map(|base| EditionId((*base).to_owned())).collect();
    let original = Original { entries: &entries as &dyn Entries, bases: &bases };
    let context = topic.bench.context();
    (verify(&target, manifest, &context), verify_by_key(&target, manifest, original, &context))
}

fn of_e23(record: &Record<'_>, key: &[u8]) -> bool {
    record.edition == Some("e23") && record.key == key
}

fn data_fault(result: Result<Verified>) -> Fault {
    let fault = result.expect_err("a difference");
    assert_eq!(fault.class(), Class::Data);
    fault
}

#[test]
fn what_was_published_verifies() {
    let topic = published();
    for (edition, bases, records) in [("e22", &[][..], 10), ("e23", &["e22"][..], 14)] {
        let (sums, keys) = check(&topic, edition, bases, &|_| Read::AsItIs);
        let verified = sums.unwrap_or_else(|fault| panic!("{}", fault.chain()));
        assert_eq!((verified.records, verified.foreign), (records, 0));
        assert_eq!(verified.checks, ["counts", "bytes", "checksums", "offsets"]);
        assert_eq!(keys.unwrap_or_else(|fault| panic!("{}", fault.chain())), verified);
    }
}

#[test]
fn a_missing_document() {
    let topic = published();
    let missing = |record: &Record<'_>| if of_e23(record, b"k7") { Read::Nothing } else { Read::AsItIs };
    let (sums, keys) = check(&topic, "e23", &["e22"], &missing);
    let fault = data_fault(sums);
    assert!(
        fault.to_string().starts_with("failed to verify load_date 2026-11-23 of feed contracts"),
        "{fault}"
    );
    let told = fault.chain();
    assert!(told.contains("partition 0 has") && !told.contains("partition 1 has"), "{told}");
    assert!(told.contains("documents instead of") && told.contains("checksum"), "{told}");
    assert!(data_fault(keys).chain().ends_with("; missing: 1 (\"k7\")"));
}

#[test]
fn a_doubled_document() {
    let topic = published();
    let doubled = |record: &Record<'_>| if of_e23(record, b"k7") { Read::Twice } else { Read::AsItIs };
    let (sums, keys) = check(&topic, "e23", &["e22"], &doubled);
    data_fault(sums);
    assert!(data_fault(keys).chain().ends_with("; doubled: 1 (\"k7\")"));
}

#[test]
fn an_altered_document_of_the_same_length() {
    let topic = published();
    let altered = |record: &Record<'_>| match of_e23(record, b"k7") {
        true => Read::Value(br#"{"n":8,"of":"e23"}"#),
        false => Read::AsItIs,
    };
    let (sums, keys) = check(&topic, "e23", &["e22"], &altered);
    let told = data_fault(sums).chain();
    assert!(told.contains("partition 0 has checksum") && !told.contains("documents"), "{told}");
    assert!(data_fault(keys).chain().ends_with("; altered: 1 (\"k7\")"));
}

#[test]
fn two_documents_whose_values_were_swapped() {
    let topic = published();
    // Both keys lie in one partition, so that counts and bytes agree.
    let (a, b) = (topic.editions.get("e23").live(), topic.log());
    let mut same: Vec<String> =
        b.0[0].iter().map(|found| found.key.clone()).filter(|key| a.contains_key(key)).collect();
    same.sort_by_key(String::len);
    same.dedup();
    let [first, second] = [same[0].clone(), same[1].clone()];
    assert_eq!(first.len(), second.len());
    let values: [&'static [u8]; 2] = [&second, &first].map(|key| &*a[key].clone().leak());
    let swapped = |record: &Record<'_>| match () {
        () if of_e23(record, first.as_bytes()) => Read::Value(values[0]),
        () if of_e23(record, second.as_bytes()) => Read::Value(values[1]),
        () => Read::AsItIs,
    };
    let (sums, keys) = check(&topic, "e23", &["e22"], &swapped);
    data_fault(sums);
    assert!(data_fault(keys).chain().contains("; altered: 2 ("));
}

#[test]
fn many_differences_name_ten_keys() {
    let topic = published();
    let none = |record: &Record<'_>| if record.edition == Some("e23") { Read::Nothing } else { Read::AsItIs };
    let told = data_fault(check(&topic, "e23", &["e22"], &none).1).chain();
    assert!(told.contains("missing: 11 ("), "{told}");
    assert_eq!(told.matches("\"k").count(), 10 + 3, "ten documents and all tombstones: {told}");
    assert!(told.contains(", …)") && told.contains("tombstones missing: 3 ("), "{told}");
}

#[test]
fn what_a_later_edition_replaced_is_explained() {
    let topic = published();
    // As compaction leaves it: of each key the last record.
    let live = topic.editions.get("e23").live();
    let compacted = |record: &Record<'_>| {
        let key = String::from_utf8_lossy(record.key);
        let replaced = live.contains_key(key.as_ref()) || ["k0", "k1", "k2"].contains(&key.as_ref());
        if record.edition == Some("e22") && replaced { Read::Nothing } else { Read::AsItIs }
    };
    let (sums, _) = check(&topic, "e22", &[], &compacted);
    let fault = data_fault(sums);
    let advice = fault.advice().expect("an explanation");
    assert!(advice.contains("load_date 2026-11-23 was published later"), "{advice}");
    let (sums, keys) = check(&topic, "e23", &["e22"], &compacted);
    assert!(sums.is_ok() && keys.is_ok());
}

#[test]
fn tombstones_that_compaction_removed_are_no_fault_where_keys_are_compared() {
    let topic = published();
    let expired = |record: &Record<'_>| if record.value.is_none() { Read::Nothing } else { Read::AsItIs };
    let (sums, keys) = check(&topic, "e23", &["e22"], &expired);
    data_fault(sums);
    let verified = keys.unwrap_or_else(|fault| panic!("{}", fault.chain()));
    assert_eq!((verified.records, verified.checks), (11, vec!["each document".to_owned()]));
    assert!(topic.bench.notes().iter().any(|note| note.starts_with("3 tombstones are gone")));
}

#[test]
fn records_of_others_between_are_counted_and_ignored() {
    let topic = Topic::new();
    topic.publish("e22");
    let manifest = topic.publish("e23").manifest;
    // A manifest whose range begins before its own records.
    let mut wide = manifest.clone();
    wide.partitions.iter_mut().for_each(|totals| totals.first_offset = Some(0));
    let fault = data_fault(verify(&topic.target, &wide, &topic.bench.context()));
    assert!(fault.chain().contains("records of other editions between"), "{}", fault.chain());
    assert!(fault.chain().contains("first offset"), "{}", fault.chain());
}

#[test]
fn a_run_that_is_stopped_stops_verifying() {
    let topic = published();
    topic.bench.cancel.cancel();
    let (sums, _) = check(&topic, "e23", &["e22"], &|_| Read::AsItIs);
    assert_eq!(sums.expect_err("stopped").class(), Class::Interrupted);
}
