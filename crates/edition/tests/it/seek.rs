//! An edition of several row groups a shard: seeking and finding go through them.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use hivecast_contract::{HashRange, WriterId, key_hash};
use hivecast_edition::{Columns, Edition, Exclusion, Sent, missing_keys, missing_keys_in};

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

fn keys_of_part(edition: &Edition, range: HashRange, start: u64) -> Vec<String> {
    let reader = edition.reader_of_part(range, start, Columns::Keys).unwrap();
    let batches = reader.map(|batch| batch.unwrap());
    batches.flat_map(|batch| batch.key.iter().flatten().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The ranges of so many writers, and ranges that begin and end at a key's hash, beside it, and nowhere.
fn ranges(order: &[String]) -> Vec<HashRange> {
    let shares = |of| (1..=of).map(move |index| WriterId { index, of }.range());
    let at = |index: usize| u64::from(key_hash(order[index].as_bytes()));
    // Around the ends of the first row group and of the first shard.
    let bounds = [at(0), at(65_535), at(65_536), at(99_999), at(100_000), at(199_999)];
    let beside = bounds.into_iter().flat_map(|bound| {
        [(0, bound), (0, bound + 1), (bound, bound + 1), (bound + 1, 1 << 32), (bound, bound)]
            .map(|(start, end)| HashRange { start, end })
    });
    [1, 2, 4, 7].into_iter().flat_map(shares).chain(beside).collect()
}

#[test]
fn a_range_has_the_keys_whose_hashes_lie_in_it() {
    let test = TestStore::new();
    let all = keys(0..DOCUMENTS);
    let mut edition = test.edition("2026-11-22", "aa", &all, 2);
    let mut order = in_order(&all);
    for excluded in [false, true] {
        if excluded {
            let out: Vec<String> = order.iter().step_by(9_999).cloned().collect();
            let exclusion = |key: &String| Exclusion { key: key.clone(), reason: "too large".to_owned() };
            edition.exclude(out.iter().map(exclusion), Sent::Nothing).unwrap();
            order.retain(|key| !out.contains(key));
        }
        for range in ranges(&in_order(&all)) {
            let expected: Vec<&String> =
                order.iter().filter(|key| range.contains(key_hash(key.as_bytes()))).collect();
            assert_eq!(edition.documents_in(range).unwrap(), expected.len() as u64, "{range:?}");
            for start in [0, 1, expected.len() / 2, expected.len()] {
                let read = keys_of_part(&edition, range, start as u64);
                let rest = &expected[start.min(expected.len())..];
                assert!(read.iter().eq(rest.iter().copied()), "{range:?} from {start}: {}", read.len());
            }
        }
    }
}

#[test]
fn the_keys_that_are_gone_are_divided_as_the_documents_are() {
    let test = TestStore::new();
    let base = test.edition("2026-11-21", "aa", &keys(0..3_000), 3);
    let current = test.edition("2026-11-22", "bb", &keys(500..3_200), 2);
    let bases = [base];
    let all: Vec<(u32, String)> = missing_keys(&bases, &current).unwrap().map(Result::unwrap).collect();
    assert_eq!(all.len(), 500);
    for of in [1, 2, 5] {
        let parts = (1..=of).flat_map(|index| {
            let range = WriterId { index, of }.range();
            let part: Vec<_> =
                missing_keys_in(&bases, &current, range).unwrap().map(Result::unwrap).collect();
            assert!(part.iter().all(|(hash, _)| range.contains(*hash)), "{range:?}");
            part
        });
        assert!(parts.eq(all.iter().cloned()), "{of}");
    }
}
