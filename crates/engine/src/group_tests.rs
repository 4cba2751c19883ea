//! Joins that are large enough for several threads to share them, held against a join row by row.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use hivecast_run::{Cancel, Context, FixedClock, Silent};

use super::*;

/// More than one thread's worth.
const ROWS: u64 = 100_000;
const EXAMPLES: usize = 5;

/// Keys in an order of no meaning, about one in eight rows a repetition and some null.
fn keys(salt: u64, distinct: u64) -> Int64Array {
    let key = |row: u64| {
        let bits = crate::keys::mix(row ^ salt << 32);
        (!bits.is_multiple_of(97)).then_some((bits % distinct) as i64)
    };
    (0..ROWS).map(key).collect()
}

fn as_keys(column: &Int64Array) -> Keys {
    Keys::new(&[Arc::new(column.clone()) as ArrayRef], column.len()).unwrap()
}

/// Everything that a join says, with so many threads.
fn joined(arity: Arity, found: Found, threads: usize) -> (Vec<Vec<u32>>, Findings) {
    let (parents, dead, children) = (keys(1, 4 * ROWS), keys(2, 8 * ROWS), keys(3, 4 * ROWS));
    let element: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| (row % 3) as i64)));
    let order = KeyOrder::new(&element).unwrap();
    let grouping = Grouping {
        parents: &as_keys(&parents),
        dead_parents: Some(&as_keys(&dead)),
        children: &as_keys(&children),
        order: (arity == Arity::Many).then_some(&order),
        numbers: None,
        arity,
        orphans: found,
        ambiguous: found,
        examples: EXAMPLES,
    };
    let cancel = Cancel::default();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
    let (groups, findings) = Groups::build(&grouping, Workers { threads, context: &context }).unwrap();
    ((0..ROWS as u32).map(|parent| groups.of(parent).to_vec()).collect(), findings)
}

#[test]
fn a_join_is_the_same_on_any_number_of_threads() {
    for (arity, found) in [
        (Arity::Many, Found::Counted),
        (Arity::Many, Found::SetAside),
        (Arity::One, Found::Counted),
        (Arity::One, Found::SetAside),
    ] {
        let (groups, findings) = joined(arity, found, 1);
        assert!(findings.orphans > 0 && findings.ambiguous > 0, "{findings:?}");
        assert_eq!(findings.orphan_rows.is_empty(), found == Found::Counted);
        for threads in [2, 3, 7] {
            let (others, again) = joined(arity, found, threads);
            assert!(groups == others, "{arity:?} {found:?} {threads}");
            assert_eq!(format!("{findings:?}"), format!("{again:?}"), "{arity:?} {found:?} {threads}");
        }
    }
}

#[test]
fn a_join_gives_each_parent_the_rows_of_its_key() {
    let (parents, dead, children) = (keys(1, 4 * ROWS), keys(2, 8 * ROWS), keys(3, 4 * ROWS));
    let mut by_key = std::collections::HashMap::<i64, Vec<u32>>::new();
    for (row, key) in children.iter().enumerate() {
        key.into_iter().for_each(|key| by_key.entry(key).or_default().push(row as u32));
    }
    let (groups, findings) = joined(Arity::Many, Found::Counted, 3);
    for (parent, key) in parents.iter().enumerate() {
        let mut expected = key.and_then(|key| by_key.get(&key).cloned()).unwrap_or_default();
        expected.sort_by_key(|row| (row % 3, *row));
        assert_eq!(groups[parent], expected, "{parent}");
    }
    let known: std::collections::HashSet<i64> = parents.iter().chain(dead.iter()).flatten().collect();
    let orphans = children.iter().filter(|key| key.is_none_or(|key| !known.contains(&key))).count();
    assert_eq!(findings.orphans, orphans as u64);
    assert_eq!(findings.orphan_examples.len(), EXAMPLES);
}
