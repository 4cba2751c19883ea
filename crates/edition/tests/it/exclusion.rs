use hivecast_contract::EditionId;
use hivecast_edition::{Columns, Edition, Exclusion, count_keys, missing_keys};
use hivecast_run::Class;
use proptest::prelude::*;

use crate::build::{FEED, TestStore, in_order, keys, read_keys};

fn exclude(edition: &mut Edition, keys: &[&String]) -> hivecast_run::Result<()> {
    let reason = || "too large".to_owned();
    edition.exclude(keys.iter().map(|key| Exclusion { key: (*key).clone(), reason: reason() }).collect())
}

#[test]
fn excluded_documents_are_left_out_everywhere_and_for_good() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 3);
    exclude(&mut edition, &[&all[7], &all[3], &all[49]]).unwrap();
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

#[test]
fn the_list_is_written_once() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 1);
    exclude(&mut edition, &[&all[7]]).unwrap();
    exclude(&mut edition, &[&all[7]]).unwrap();
    let fault = exclude(&mut edition, &[&all[7], &all[8]]).unwrap_err();
    assert_eq!(fault.class(), Class::Conflict);
    assert_eq!(edition.documents(), 49, "the first list stays");
    let fault = exclude(&mut edition, &[]).unwrap_err();
    assert_eq!(fault.class(), Class::Conflict, "none at all is another list too");
}

#[test]
fn keys_that_the_edition_lacks_are_passed_over() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 1);
    exclude(&mut edition, &[&"nobody".to_owned()]).unwrap();
    assert_eq!(edition.documents(), 50);
    assert!(!edition.path.join("excluded.json").exists());
    let strangers: Vec<String> = (0..100).map(|n| format!("stranger-{n}")).collect();
    let named: Vec<&String> = strangers.iter().chain([&all[0], &all[0], &all[49]]).collect();
    exclude(&mut edition, &named).unwrap();
    assert_eq!(edition.excluded().iter().map(|excluded| excluded.ordinal).collect::<Vec<_>>(), [0, 49]);
}

#[test]
fn an_excluded_document_is_neither_deleted_nor_forgotten() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let before = test.edition("2026-11-21", "aa", &all, 1);
    let mut edition = test.edition("2026-11-22", "bb", &all, 2);
    exclude(&mut edition, &[&all[7]]).unwrap();
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
        exclude(&mut edition, &out.iter().map(|at| &all[*at]).collect::<Vec<_>>()).unwrap();
        let rest: Vec<String> = (0..40).filter(|at| !out.contains(at)).map(|at| all[at].clone()).collect();
        for start in 0..=rest.len() {
            let expected: Vec<(u64, String)> = (start as u64..).zip(rest[start..].iter().cloned()).collect();
            prop_assert_eq!(read_keys(&edition, start as u64), expected);
        }
    }
}
