//! An edition of several row groups a shard: seeking and finding go through them.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use hivecast_edition::{Columns, Exclusion, Sent};

use crate::build::{TestStore, in_order, keys, read_keys};

const DOCUMENTS: u32 = 200_000;

#[test]
fn readers_start_anywhere_and_keys_are_found_across_row_groups() {
    let test = TestStore::new();
    let all = keys(0..DOCUMENTS);
    let mut edition = test.edition("2026-11-22", "aa", &all, 2);
    let order = in_order(&all);
    // Shards hold 100,000 documents, row groups 65,536, batches 4,096.
    let starts =
        [0, 1, 4_095, 4_096, 65_535, 65_536, 65_537, 99_999, 100_000, 100_001, 165_536, 199_999, 200_000];
    for start in starts {
        let read = read_keys(&edition, start);
        assert_eq!(read.len() as u64, u64::from(DOCUMENTS) - start);
        let expected = (start..).zip(&order[start as usize..]);
        assert!(read.iter().map(|(ordinal, key)| (*ordinal, key)).eq(expected), "from {start}");
    }
    assert!(edition.reader(u64::MAX, Columns::Keys).unwrap().next().is_none());
    for at in starts.into_iter().filter(|start| *start < u64::from(DOCUMENTS)) {
        let key = &order[at as usize];
        let found = edition.find(key).unwrap().unwrap();
        assert_eq!((found.len(), found.ordinal, found.key.value(0)), (1, at, key.as_str()));
        let number = found.document.unwrap().column(0).as_primitive::<Int64Type>().value(0);
        assert_eq!(number, key.len() as i64);
    }
    for absent in ["", "key-200000", "Key-1"] {
        assert!(edition.find(absent).unwrap().is_none(), "{absent:?}");
    }

    let out: BTreeSet<usize> = [0, 1, 4_095, 4_096, 65_535, 65_536, 99_999, 100_000, 199_999].into();
    let exclusion = |at: &usize| Exclusion { key: order[*at].clone(), reason: "too large".to_owned() };
    edition.exclude(out.iter().map(exclusion), Sent::Nothing).unwrap();
    let rest: Vec<String> =
        order.iter().enumerate().filter(|(at, _)| !out.contains(at)).map(|(_, key)| key.clone()).collect();
    assert_eq!(edition.documents(), rest.len() as u64);
    for start in starts {
        let expected: Vec<(u64, String)> = (start..).zip(rest.iter().skip(start as usize).cloned()).collect();
        assert!(read_keys(&edition, start) == expected, "from {start}, net of exclusions");
    }
}
