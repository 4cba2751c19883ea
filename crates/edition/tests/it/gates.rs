use std::collections::BTreeMap;

use hivecast_edition::gates::{MAX_EXAMPLES, RecordSizes, judge, percent, record, recorded, table, verdict};
use hivecast_edition::{Batch, Edition, Excluded, Exclusion, GateResult, Outcome, Sent};
use hivecast_feed::{
    Atomicity, BigIntegers, Chunks, Decimals, Envelope, EnvelopeStyle, Feed, Format, Gate, Node, NotANumber,
    Nulls, Rule, Severity, Spanned,
};
use hivecast_run::{Class, Result};

use crate::build::{FEED, TestStore, day, draft, in_order, keys, table as described, write_keys};

fn feed(gates: Vec<(Rule, Severity)>) -> Feed {
    Feed {
        name: FEED.to_owned(),
        topic: "mdm.contracts".to_owned(),
        partitions: 6,
        topic_settings: BTreeMap::new(),
        tables: Vec::new(),
        document: Node {
            table: Spanned { value: "accounts".to_owned(), span: 0..0 },
            key: None,
            on: Vec::new(),
            fields: Vec::new(),
        },
        envelope: Envelope {
            style: EnvelopeStyle::Plain,
            event_type: FEED.to_owned(),
            major_version: 1,
            minor_version: 0,
        },
        format: Format {
            timezone: "UTC".to_owned(),
            timestamp: String::new(),
            date: String::new(),
            nulls: Nulls::Omit,
            decimals: Decimals::Text,
            nan: NotANumber::Null,
            big_integers: BigIntegers::Number,
        },
        gates: gates
            .into_iter()
            .map(|(rule, severity)| Gate { rule, severity, span: 0..0, places: Default::default() })
            .collect(),
        chunks: Chunks { records: 1, bytes: 1, atomic: Atomicity::Chunk },
    }
}

/// An edition whose table `accounts` had so many rows.
fn edition(test: &TestStore, date: &str, keys: &[String], accounts: u64) -> Edition {
    let writer = test.store.begin(FEED, day(date)).unwrap();
    write_keys(&writer, keys, 2).unwrap();
    let mut draft = draft(date);
    draft.tables = vec![described("accounts", accounts)];
    writer.finish(draft).unwrap()
}

fn unlimited(measure: &mut dyn FnMut(&Batch) -> Result<Vec<u64>>) -> RecordSizes<'_> {
    RecordSizes { limit: None, per_record: 0, per_value: 0, measure }
}

fn never(_: &Batch) -> Result<Vec<u64>> {
    panic!("nothing is to be measured")
}

/// A record's size in these tests: its key's length, ten times.
fn by_key(batch: &Batch) -> Result<Vec<u64>> {
    Ok(batch.key.iter().flatten().map(|key| 10 * key.len() as u64).collect())
}

fn judged(feed: &Feed, current: &mut Edition, previous: Option<&Edition>) -> GateResult {
    let results = judge(feed, current, previous, unlimited(&mut never), Sent::Nothing).unwrap();
    assert_eq!(results.len(), 2, "the gate and document_size: {results:?}");
    assert_eq!(results[1].outcome, Outcome::Skip);
    results.into_iter().next().unwrap()
}

#[test]
fn row_count_holds_between_its_bounds() {
    let test = TestStore::new();
    let mut current = edition(&test, "2026-11-22", &keys(0..3), 100);
    let mut outcome = |min, max, severity| {
        let rule = Rule::RowCount { of: "accounts".to_owned(), min, max };
        let result = judged(&feed(vec![(rule, severity)]), &mut current, None);
        assert_eq!((result.gate.as_str(), result.measured.as_str()), ("row_count of accounts", "100 rows"));
        (result.limit, result.outcome)
    };
    assert_eq!(outcome(Some(100), Some(100), Severity::Fail), ("100 to 100 rows".to_owned(), Outcome::Pass));
    assert_eq!(outcome(Some(101), None, Severity::Fail), (">= 101 rows".to_owned(), Outcome::Fail));
    assert_eq!(outcome(None, Some(99), Severity::Warn), ("<= 99 rows".to_owned(), Outcome::Warn));
    assert_eq!(
        outcome(None, Some(99), Severity::Quarantine).1,
        Outcome::Fail,
        "there is nothing to set aside"
    );
}

#[test]
fn row_change_compares_with_the_previous_edition() {
    let test = TestStore::new();
    let mut current = edition(&test, "2026-11-22", &keys(0..3), 80);
    let previous = |rows| edition(&test, "2026-11-21", &keys(0..3), rows);
    let rule = |max| feed(vec![(Rule::RowChange { of: "accounts".to_owned(), max }, Severity::Fail)]);
    let before = previous(100);
    let result = judged(&rule(0.2), &mut current, Some(&before));
    assert_eq!((result.outcome, result.limit.as_str()), (Outcome::Pass, "<= 20 %"));
    assert_eq!(result.measured, "20 % (100 to 80 rows)");
    assert_eq!(judged(&rule(0.19), &mut current, Some(&before)).outcome, Outcome::Fail);
    let result = judged(&rule(0.2), &mut current, None);
    assert_eq!(
        (result.outcome, result.measured.as_str()),
        (Outcome::Skip, "no previous edition to compare with")
    );

    let test = TestStore::new();
    let none = edition(&test, "2026-11-20", &keys(0..3), 0);
    let result = judged(&rule(1000.0), &mut current, Some(&none));
    assert_eq!((result.outcome, result.measured.as_str()), (Outcome::Fail, "0 to 80 rows"));
    let other_feed = test.edition("2026-11-19", "aa", &keys(0..3), 1);
    let result = judged(&rule(0.2), &mut current, Some(&other_feed));
    assert_eq!(result.outcome, Outcome::Skip);
    assert_eq!(result.measured, "the edition of 2026-11-19 had no table accounts");
}

#[test]
fn mass_delete_is_the_share_of_keys_gone() {
    let test = TestStore::new();
    let before = edition(&test, "2026-11-21", &keys(0..100), 1);
    let mut current = edition(&test, "2026-11-22", &keys(5..200), 1);
    let rule = |max| feed(vec![(Rule::MassDelete { max }, Severity::Fail)]);
    let result = judged(&rule(0.05), &mut current, Some(&before));
    assert_eq!((result.outcome, result.measured.as_str()), (Outcome::Pass, "5 % (5 of 100 keys)"));
    assert_eq!(judged(&rule(0.049), &mut current, Some(&before)).outcome, Outcome::Fail);
    assert_eq!(judged(&rule(0.05), &mut current, None).outcome, Outcome::Skip);
    let empty = edition(&test, "2026-11-20", &[], 1);
    assert_eq!(
        judged(&rule(0.0), &mut current, Some(&empty)).outcome,
        Outcome::Pass,
        "nothing was there to go"
    );
}

/// Judges `document_size` alone, of 20 keys of 5 bytes and 20 of 6.
fn size(
    rule: Option<(Option<u64>, Severity)>,
    target: Option<u64>,
    measure: &mut dyn FnMut(&Batch) -> Result<Vec<u64>>,
) -> (Edition, GateResult, TestStore) {
    let test = TestStore::new();
    let mut keys: Vec<String> = (10..30).map(|n| format!("key{n}")).collect();
    keys.extend((110..130).map(|n| format!("key{n}")));
    let mut current = edition(&test, "2026-11-22", &keys, 1);
    let feed = feed(rule.into_iter().map(|(max, severity)| (Rule::DocumentSize { max }, severity)).collect());
    let mut sizes = |limit| {
        let sizes = RecordSizes { limit, per_record: 1, per_value: 1, measure: &mut *measure };
        let results = judge(&feed, &mut current, None, sizes, Sent::Nothing).unwrap();
        assert_eq!(results.len(), 1);
        results.into_iter().next().unwrap()
    };
    let first = sizes(target);
    assert_eq!(sizes(target), first, "judging again gives the same");
    (current, first, test)
}

#[test]
fn document_size_reads_only_what_its_bound_leaves_in_doubt() {
    // 6 bytes of key, twice, six-fold; one number; one record.
    let bound = 6 * 2 * 6 + 1 + 1;
    let (_, result, _test) = size(None, Some(bound), &mut never);
    assert_eq!((result.outcome, result.measured.as_str()), (Outcome::Pass, "at most 74 bytes"));
    let (_, result, _test) = size(None, Some(bound - 1), &mut by_key);
    assert_eq!((result.outcome, result.measured.as_str()), (Outcome::Pass, "largest 60 bytes"));
    let (_, result, _test) = size(None, None, &mut never);
    assert_eq!(
        (result.outcome, result.measured.as_str()),
        (Outcome::Skip, "neither the feed nor the target has a limit")
    );
}

#[test]
fn documents_too_large_for_the_target_fail_with_their_keys() {
    let (edition, result, _test) = size(None, Some(59), &mut by_key);
    assert_eq!(result.outcome, Outcome::Fail);
    assert_eq!(result.measured, "largest 60 bytes, 20 too large");
    assert_eq!(result.limit, "<= 59 bytes");
    assert_eq!(result.examples.len(), MAX_EXAMPLES);
    assert!(
        result.examples[0].starts_with("key1") && result.examples[0].ends_with(": 60 bytes"),
        "{:?}",
        result.examples
    );
    assert_eq!(edition.documents(), 40, "nothing is set aside");
    let fault = verdict(&[result]).unwrap_err();
    assert_eq!(fault.class(), Class::Data);
    assert!(fault.chain().contains("document_size (largest 60 bytes, 20 too large, allowed <= 59 bytes)"));
}

#[test]
fn the_smaller_limit_counts_and_a_warning_can_not_pass_the_targets() {
    let outcome = |max, target| size(Some((Some(max), Severity::Warn)), target, &mut by_key).1.outcome;
    assert_eq!(outcome(59, Some(1000)), Outcome::Warn);
    assert_eq!(outcome(59, None), Outcome::Warn);
    assert_eq!(outcome(55, Some(59)), Outcome::Fail, "the target refuses some of them");
    assert_eq!(outcome(1000, Some(59)), Outcome::Fail);
}

#[test]
fn quarantine_excludes_exactly_what_is_too_large() {
    let (edition, result, _test) = size(Some((None, Severity::Quarantine)), Some(59), &mut by_key);
    assert_eq!((result.outcome, result.quarantined), (Outcome::Quarantine, 20));
    assert_eq!(edition.documents(), 20);
    let listed: Vec<Excluded> = edition.excluded().unwrap().map(|excluded| excluded.unwrap()).collect();
    let mut excluded: Vec<&str> = listed.iter().map(|excluded| excluded.key.as_str()).collect();
    excluded.sort();
    assert_eq!(excluded, (110..130).map(|n| format!("key{n}")).collect::<Vec<_>>());
    assert_eq!(listed[0].reason, "document_size: 60 bytes, allowed 59 bytes");
    assert!(verdict(&[result]).is_ok());
}

#[test]
fn only_doubtful_shards_are_read() {
    let test = TestStore::new();
    let order = in_order(&keys(0..40));
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &order, 2).unwrap();
    let mut current = writer.finish(draft("aa")).unwrap();
    // The second shard is made to look as if it held more.
    let path = current.path.join("edition.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json["shards"][1]["max_text_bytes"] = 1_000.into();
    std::fs::write(&path, json.to_string()).unwrap();
    current = Edition::open(&current.path).unwrap();
    let mut measured = Vec::new();
    let mut measure = |batch: &Batch| {
        measured.extend(batch.key.iter().flatten().map(str::to_owned));
        by_key(batch)
    };
    let sizes = RecordSizes { limit: Some(100), per_record: 0, per_value: 0, measure: &mut measure };
    judge(&feed(Vec::new()), &mut current, None, sizes, Sent::Nothing).unwrap();
    assert_eq!(measured, order[20..]);
}

#[test]
fn what_the_engine_names_is_excluded_with_what_is_too_large() {
    let test = TestStore::new();
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(8..12), 1).unwrap();
    for key in ["key-9", "key-10", "key-999"] {
        let (key, reason) = (key.to_owned(), "sql closed".to_owned());
        writer.exclude(Exclusion { key, reason }).unwrap();
    }
    let mut current = writer.finish(draft("aa")).unwrap();
    assert_eq!(current.documents(), 4, "nothing is left out before it is judged");
    let feed = feed(vec![(Rule::DocumentSize { max: Some(55) }, Severity::Quarantine)]);
    let sizes = RecordSizes { limit: None, per_record: 0, per_value: 0, measure: &mut by_key };
    judge(&feed, &mut current, None, sizes, Sent::Nothing).unwrap();
    let listed: Vec<Excluded> = current.excluded().unwrap().map(|excluded| excluded.unwrap()).collect();
    let mut excluded: Vec<(&str, &str)> =
        listed.iter().map(|excluded| (excluded.key.as_str(), excluded.reason.as_str())).collect();
    excluded.sort();
    let too_large = "document_size: 60 bytes, allowed 55 bytes";
    assert_eq!(excluded, [("key-10", "sql closed"), ("key-11", too_large), ("key-9", "sql closed")]);
}

fn all_outcomes() -> Vec<GateResult> {
    let result = |gate: &str, limit: &str, measured: &str, outcome| GateResult {
        gate: gate.to_owned(),
        limit: limit.to_owned(),
        measured: measured.to_owned(),
        outcome,
        examples: Vec::new(),
        quarantined: 0,
    };
    let mut results = vec![
        result("row_change of accounts", "<= 20 %", "0.9 % (900000 to 908100 rows)", Outcome::Pass),
        result("orphans of parties", "<= 0.1 %", "0.02 % (31 of 154000)", Outcome::Quarantine),
        result("allowed accounts.état", "3 values", "2 other values", Outcome::Warn),
        result("document_key", "not null, unique", "2 duplicates", Outcome::Fail),
        result("mass_delete", "<= 5 %", "no previous edition to compare with", Outcome::Skip),
    ];
    results[1].quarantined = 31;
    results[2].examples = vec!["Atlantis".to_owned(), "Mu".to_owned()];
    results[3].examples = vec!["71".to_owned()];
    results
}

#[test]
fn the_table_is_aligned() {
    insta::assert_snapshot!(table(&all_outcomes()), @r"
    result      gate                    allowed           measured
    pass        row_change of accounts  <= 20 %           0.9 % (900000 to 908100 rows)
    QUARANTINE  orphans of parties      <= 0.1 %          0.02 % (31 of 154000)
                set aside: 31
    WARN        allowed accounts.état   3 values          2 other values
                - Atlantis
                - Mu
    FAIL        document_key            not null, unique  2 duplicates
                - 71
    skip        mass_delete             <= 5 %            no previous edition to compare with
    ");
    assert_eq!(table(&[]), "");
}

#[test]
fn a_verdict_names_every_gate_that_failed() {
    let mut results = all_outcomes();
    let fault = verdict(&results).unwrap_err();
    assert_eq!(fault.class(), Class::Data);
    insta::assert_snapshot!(
        fault.chain(),
        @"the edition is not fit to send: failed gate document_key (2 duplicates, allowed not null, unique)"
    );
    results[2].outcome = Outcome::Fail;
    insta::assert_snapshot!(
        verdict(&results).unwrap_err().chain(),
        @"the edition is not fit to send: failed gates allowed accounts.état (2 other values, allowed 3 values); document_key (2 duplicates, allowed not null, unique)"
    );
    results.retain(|result| result.outcome != Outcome::Fail);
    assert!(verdict(&results).is_ok(), "warnings, quarantine and skips stop nothing");
}

#[test]
fn results_join_the_engines_and_are_recorded_beside_the_edition() {
    let test = TestStore::new();
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..3), 1).unwrap();
    let mut draft = draft("aa");
    draft.gates = all_outcomes();
    draft.tables = vec![described("accounts", 3)];
    let mut current = writer.finish(draft).unwrap();
    assert_eq!(recorded(&current).unwrap(), None);
    let rule = Rule::RowCount { of: "accounts".to_owned(), min: Some(1), max: None };
    let results =
        judge(&feed(vec![(rule, Severity::Fail)]), &mut current, None, unlimited(&mut never), Sent::Nothing)
            .unwrap();
    assert_eq!(results[..5], all_outcomes());
    assert_eq!(
        results[5..].iter().map(|r| r.gate.as_str()).collect::<Vec<_>>(),
        ["row_count of accounts", "document_size"]
    );
    record(&current, &results).unwrap();
    record(&current, &results).unwrap();
    assert_eq!(recorded(&current).unwrap(), Some(results));
    current.verify_files().unwrap();
}

#[test]
fn shares_keep_the_digits_that_matter() {
    let written: Vec<String> = [0.0, 0.2, 0.001, 0.05, 0.000_201_3, 0.000_000_5, 1.0, 0.123_456, 2.5]
        .into_iter()
        .map(percent)
        .collect();
    assert_eq!(written, ["0 %", "20 %", "0.1 %", "5 %", "0.02 %", "0.00005 %", "100 %", "12.35 %", "250 %"]);
}
