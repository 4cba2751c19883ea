use hivecast_contract::EditionId;
use hivecast_edition::{Columns, Edition, Excluded, Exclusion, Sent, count_keys, missing_keys};
use hivecast_run::Class;
use proptest::prelude::*;

use crate::build::{FEED, TestStore, in_order, keys, read_keys};

fn exclude(edition: &mut Edition, keys: &[&String], sent: Sent<'_>) -> hivecast_run::Result<()> {
    let reason = || "too large".to_owned();
    let named = keys.iter().map(|key| Exclusion { key: (*key).clone(), reason: reason() });
    edition.exclude(named, sent)
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
        let listed: Vec<(u64, String)> =
            excluded(edition).into_iter().map(|excluded| (excluded.ordinal, excluded.reason)).collect();
        assert_eq!(listed, [3, 7, 49].map(|ordinal| (ordinal, "too large".to_owned())));
        assert!(edition.find(&all[7]).unwrap().is_none());
        assert_eq!(edition.find(&all[8]).unwrap().unwrap().ordinal, 6, "ordinals count without them");
        assert_eq!(
            edition.reader_of_all(0, Columns::Keys).unwrap().map(|b| b.unwrap().len()).sum::<usize>(),
            50
        );
        edition.verify_files().unwrap();
    }
}

fn excluded(edition: &Edition) -> Vec<Excluded> {
    edition.excluded().unwrap().map(|excluded| excluded.unwrap()).collect()
}

fn ordinals(edition: &Edition) -> Vec<u64> {
    let listed: Vec<u64> = excluded(edition).iter().map(|excluded| excluded.ordinal).collect();
    let read = Edition::open(&edition.path).unwrap();
    let written: Vec<u64> = excluded(&read).iter().map(|excluded| excluded.ordinal).collect();
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
    let list = std::fs::read_to_string(edition.path.join("excluded.ndjson")).unwrap();
    assert!(list.starts_with("{\"count\":0,") && list.lines().count() == 1, "{list}");
    let strangers: Vec<String> = (0..100).map(|n| format!("stranger-{n}")).collect();
    let named: Vec<&String> = strangers.iter().chain([&all[0], &all[0], &all[49]]).collect();
    exclude(&mut edition, &named, Sent::Nothing).unwrap();
    assert_eq!(ordinals(&edition), [0, 49]);
}

#[test]
fn lists_of_an_older_program_count() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let mut edition = test.edition("2026-11-22", "aa", &all, 2);
    exclude(&mut edition, &[&all[7], &all[9]], Sent::Nothing).unwrap();
    let (fingerprint, list) = (edition.fingerprint(), excluded(&edition));
    std::fs::remove_file(edition.path.join("excluded.ndjson")).unwrap();
    std::fs::write(edition.path.join("excluded.json"), serde_json::to_string(&list).unwrap()).unwrap();
    let mut old = Edition::open(&edition.path).unwrap();
    assert_eq!((old.documents(), old.fingerprint(), excluded(&old)), (48, fingerprint.clone(), list.clone()));
    assert_eq!(read_keys(&old, 7)[0], (7, all[8].clone()));
    for sent in [Sent::Unknown, Sent::Entries("")] {
        exclude(&mut old, &[&all[9], &all[7]], sent).unwrap();
        assert_eq!((old.fingerprint(), excluded(&old)), (fingerprint.clone(), list.clone()));
    }
    exclude(&mut old, &[&all[1]], Sent::Nothing).unwrap();
    assert_eq!(ordinals(&old), [1], "the new list counts from here on");

    // Format 1 had what the engine named in the description.
    let path = edition.path.join("edition.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json["format"] = 1.into();
    json["exclusions"] = serde_json::json!([{"key": all[3], "reason": "gate sql"}]);
    std::fs::write(&path, json.to_string()).unwrap();
    let old = Edition::open(&edition.path).unwrap();
    let named: Vec<Exclusion> = old.named().unwrap().map(|named| named.unwrap()).collect();
    assert_eq!(named, [Exclusion { key: all[3].clone(), reason: "gate sql".to_owned() }]);
}

#[test]
fn a_damaged_list_is_found_before_it_is_believed() {
    let test = TestStore::new();
    let all = in_order(&keys(0..50));
    let writer = test.store.begin(FEED, "2026-11-22".parse().unwrap()).unwrap();
    crate::build::write_keys(&writer, &all, 1).unwrap();
    for key in [&all[9], &all[3], &all[9]] {
        writer.exclude(Exclusion { key: key.clone(), reason: "gate".to_owned() }).unwrap();
    }
    let mut edition = writer.finish(crate::build::draft("aa")).unwrap();
    let named: Vec<String> = edition.named().unwrap().map(|named| named.unwrap().key).collect();
    assert_eq!(named, [all[3].clone(), all[9].clone()], "in the edition's order, each once");
    exclude(&mut edition, &[&all[7], &all[9]], Sent::Nothing).unwrap();
    edition.verify_files().unwrap();
    for name in ["exclusions.ndjson", "excluded.ndjson"] {
        let path = edition.path.join(name);
        let whole = std::fs::read_to_string(&path).unwrap();
        let cut = &whole[..whole.trim_end().rfind('\n').unwrap() + 1];
        for damaged in [cut, &whole.replace(&all[9], "nobody"), &format!("{whole}{{}}\n")] {
            std::fs::write(&path, damaged).unwrap();
            let edition = Edition::open(&edition.path).unwrap();
            let fault = match name {
                "excluded.ndjson" => edition.reader(0, Columns::Keys).map(drop).unwrap_err(),
                _ => {
                    assert_eq!(edition.verify_files().unwrap_err().class(), Class::Data);
                    edition.named().unwrap().find_map(Result::err).unwrap()
                }
            };
            assert_eq!(fault.class(), Class::Data, "{}", fault.chain());
            assert!(fault.chain().contains(name), "{}", fault.chain());
        }
        std::fs::write(&path, whole).unwrap();
    }
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
