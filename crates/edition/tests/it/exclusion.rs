use hivecast_contract::EditionId;
use hivecast_edition::{Columns, Edition, Exclusion, Sent, count_keys, missing_keys};
use hivecast_run::Class;
use proptest::prelude::*;

use crate::build::{FEED, TestStore, in_order, keys, read_keys};

fn exclude(edition: &mut Edition, keys: &[&String], sent: Sent<'_>) -> hivecast_run::Result<()> {
    let reason = || "too large".to_owned();
    let named = keys.iter().map(|key| Exclusion { key: (*key).clone(), reason: reason() });
    edition.exclude(named.collect(), sent)
}

#[test]
fn excluded_documents_are_left_out_everywhere_and_for_good() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 3);
    exclude(&mut edition, &[&all[7], &all[3], &all[49]], Sent::Nothing).unwrap();
    let again = test.store.find(FEED, &EditionId("aa".to_owned())).unwrap().unwrap();
    for edition in [&edition, &again] {
        assert_eq!(edition.documents(), 47);
        assert_eq!(edition.description.documents, 50);
        let listed: Vec<(u64, &str)> =
            edition.excluded().iter().map(|excluded| (excluded.ordinal, excluded.reason.as_str())).collect();
        assert_eq!(listed, [(3, "too large"), (7, "too large"), (49, "too large")]);
        assert!(edition.find(&all[7]).unwrap().is_none());
        assert_eq!(edition.find(&all[8]).unwrap().unwrap().ordinal, 6, "ordinals count without them");
        assert_eq!(
            edition.reader_of_all(0, Columns::Keys).unwrap().map(|b| b.unwrap().len()).sum::<usize>(),
            50
        );
        edition.verify_files().unwrap();
    }
}

fn ordinals(edition: &Edition) -> Vec<u64> {
    let listed: Vec<u64> = edition.excluded().iter().map(|excluded| excluded.ordinal).collect();
    let read = Edition::open(&edition.path).unwrap();
    let written: Vec<u64> = read.excluded().iter().map(|excluded| excluded.ordinal).collect();
    assert_eq!(listed, written, "what counts is what is written");
    assert_eq!(edition.fingerprint(), read.fingerprint());
    listed
}

#[test]
fn nothing_being_sent_the_list_is_written_anew() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 1);
    for wanted in [&[7][..], &[7, 8], &[], &[9]] {
        let named: Vec<&String> = wanted.iter().map(|at| &all[*at as usize]).collect();
        exclude(&mut edition, &named, Sent::Nothing).unwrap();
        assert_eq!(ordinals(&edition), wanted);
    }
}

#[test]
fn without_a_target_a_list_that_is_there_stays() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 1);
    exclude(&mut edition, &[&all[7]], Sent::Unknown).unwrap();
    assert_eq!(ordinals(&edition), [7], "there was none");
    exclude(&mut edition, &[], Sent::Unknown).unwrap();
    assert_eq!(ordinals(&edition), [7]);
}

#[test]
fn once_part_is_sent_only_the_same_documents_can_be_set_aside() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    // A first judgement that excludes nothing binds as much as any other.
    for first in [&[][..], &[&all[7]]] {
        let mut edition = test.edition("2026-11-22", "aa", &all, 1);
        exclude(&mut edition, first, Sent::Nothing).unwrap();
        let (sent, before) = (edition.fingerprint(), ordinals(&edition));
        for known in [Sent::Entries(&sent), Sent::Entries("")] {
            exclude(&mut edition, first, known).unwrap();
            let fault = exclude(&mut edition, &[&all[7], &all[8]], known).unwrap_err();
            assert_eq!(fault.class(), Class::Conflict);
            assert!(fault.advice().unwrap().contains("--replace"), "{:?}", fault.advice());
            assert_eq!(ordinals(&edition), before, "the list of what was sent stays");
        }
        // What the target has counts, not what another run wrote here meanwhile.
        exclude(&mut edition, &[&all[3]], Sent::Nothing).unwrap();
        exclude(&mut edition, first, Sent::Entries(&sent)).unwrap();
        assert_eq!((ordinals(&edition), edition.fingerprint()), (before, sent));
    }
}

#[test]
fn a_fingerprint_tells_documents_and_not_reasons() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 1);
    let mut because = |key: &String, reason: &str| {
        let named = Exclusion { key: key.clone(), reason: reason.to_owned() };
        edition.exclude(vec![named], Sent::Nothing).unwrap();
        edition.fingerprint()
    };
    let first = because(&all[7], "allowed 10 bytes");
    assert_eq!(first, because(&all[7], "allowed 11 bytes"));
    assert_ne!(first, because(&all[8], "allowed 10 bytes"));
    let fewer = test.edition("2026-11-23", "bb", &all[1..], 1);
    assert_ne!(test.edition("2026-11-24", "cc", &all, 1).fingerprint(), fewer.fingerprint());
}

#[test]
fn keys_that_the_edition_lacks_are_passed_over() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 1);
    exclude(&mut edition, &[&"nobody".to_owned()], Sent::Nothing).unwrap();
    assert_eq!(edition.documents(), 50);
    assert_eq!(std::fs::read_to_string(edition.path.join("excluded.json")).unwrap(), "[]");
    let strangers: Vec<String> = (0..100).map(|n| format!("stranger-{n}")).collect();
    let named: Vec<&String> = strangers.iter().chain([&all[0], &all[0], &all[49]]).collect();
    exclude(&mut edition, &named, Sent::Nothing).unwrap();
    assert_eq!(edition.excluded().iter().map(|excluded| excluded.ordinal).collect::<Vec<_>>(), [0, 49]);
}

#[test]
fn an_excluded_document_is_neither_deleted_nor_forgotten() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let before = test.edition("2026-11-21", "aa", &all, 1);
    let mut edition = test.edition("2026-11-22", "bb", &all, 2);
    exclude(&mut edition, &[&all[7]], Sent::Nothing).unwrap();
    assert_eq!(
        missing_keys(std::slice::from_ref(&before), &edition).unwrap().count(),
        0,
        "it still exists in the warehouse"
    );
    assert_eq!(count_keys(&before, &edition).unwrap().gone, 0);
    let after = test.edition("2026-11-23", "cc", &in_order(&[&all[..7], &all[8..]].concat()), 2);
    let gone: Vec<String> = missing_keys(&[edition], &after).unwrap().map(|key| key.unwrap().1).collect();
    assert_eq!(gone, [all[7].clone()], "when it goes, what is on the topic goes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_exclusions_leave_exactly_the_rest(out in proptest::collection::btree_set(0usize..40, 0..40), shards in 1usize..5) {
        let test = TestStore::new();
        let all = in_order(&keys(0..40));
        let mut edition = test.edition("2026-11-22", "aa", &all, shards);
        exclude(&mut edition, &out.iter().map(|at| &all[*at]).collect::<Vec<_>>(), Sent::Nothing).unwrap();
        let rest: Vec<String> = (0..40).filter(|at| !out.contains(at)).map(|at| all[at].clone()).collect();
        for start in 0..=rest.len() {
            let expected: Vec<(u64, String)> = (start as u64..).zip(rest[start..].iter().cloned()).collect();
            prop_assert_eq!(read_keys(&edition, start as u64), expected);
        }
    }
}
