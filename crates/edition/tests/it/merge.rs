use std::collections::BTreeSet;

use hivecast_contract::key_hash;
use hivecast_edition::{Edition, KeyCounts, count_keys, missing_keys};
use proptest::prelude::*;

use crate::build::{TestStore, in_order};

fn missing(bases: &[Edition], current: &Edition) -> Vec<String> {
    missing_keys(bases, current)
        .unwrap()
        .map(|missing| {
            let (hash, key) = missing.unwrap();
            assert_eq!(hash, key_hash(key.as_bytes()));
            key
        })
        .collect()
}

#[test]
fn without_a_base_nothing_is_missing() {
    let test = TestStore::new();
    let current = test.edition("2026-11-22", "aa", &["a".to_owned()], 1);
    assert!(missing(&[], &current).is_empty());
}

#[test]
fn keys_of_equal_hash_are_told_apart() {
    // Both have CRC-32 0x4ddb0c25.
    let (one, other) = ("plumless".to_owned(), "buckeroo".to_owned());
    assert_eq!(key_hash(one.as_bytes()), key_hash(other.as_bytes()));
    let test = TestStore::new();
    let both = test.edition("2026-11-21", "aa", &[one.clone(), other.clone()], 1);
    let left = test.edition("2026-11-22", "bb", std::slice::from_ref(&one), 1);
    assert_eq!(missing(std::slice::from_ref(&both), &left), std::slice::from_ref(&other));
    assert_eq!(both.find(&other).unwrap().unwrap().key.value(0), other);
    assert!(left.find(&other).unwrap().is_none());
    let apart = test.edition("2026-11-23", "cc", &[one, other], 2);
    assert!(missing(&[both], &apart).is_empty(), "a hash may span two shards");
    assert_eq!(apart.find("plumless").unwrap().unwrap().key.value(0), "plumless");
    assert_eq!(apart.find("buckeroo").unwrap().unwrap().key.value(0), "buckeroo");
}

#[test]
fn a_damaged_base_is_an_error_and_not_a_tombstone() {
    let test = TestStore::new();
    let base = test.edition("2026-11-21", "aa", &["a".to_owned(), "b".to_owned()], 2);
    let current = test.edition("2026-11-22", "bb", &["a".to_owned()], 1);
    std::fs::remove_file(base.path.join("shard-0001.parquet")).unwrap();
    let mut keys = missing_keys(&[base], &current).unwrap();
    let fault = keys.find_map(Result::err).expect("the missing shard is noticed");
    assert!(fault.chain().contains("shard-0001.parquet"));
    assert!(keys.next().is_none());
}

type Keys = BTreeSet<String>;

fn keys() -> impl Strategy<Value = Keys> {
    // Few short keys, so that sets overlap.
    proptest::collection::btree_set("[a-d]{0,3}|[é🦀]{1,2}", 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_merge_is_the_set_difference(
        bases in proptest::collection::vec((keys(), 1usize..5), 0..4),
        current in keys(),
        shards in 1usize..5,
    ) {
        let test = TestStore::new();
        let write = |id: String, keys: &Keys, shards| {
            test.edition("2026-11-22", &id, &keys.iter().cloned().collect::<Vec<_>>(), shards)
        };
        let editions: Vec<Edition> = bases
            .iter()
            .enumerate()
            .map(|(index, (keys, shards))| write(format!("base-{index}"), keys, *shards))
            .collect();
        let edition = write("current".to_owned(), &current, shards);
        let union: Keys = bases.iter().flat_map(|(keys, _)| keys).cloned().collect();
        let expected: Vec<String> = union.difference(&current).cloned().collect();
        prop_assert_eq!(missing(&editions, &edition), in_order(&expected));
        if let [(keys, _), ..] = bases.as_slice() {
            let counts = count_keys(&editions[0], &edition).unwrap();
            let expected = KeyCounts {
                gone: keys.difference(&current).count() as u64,
                added: current.difference(keys).count() as u64,
                common: keys.intersection(&current).count() as u64,
            };
            prop_assert_eq!(counts, expected);
        }
    }
}
