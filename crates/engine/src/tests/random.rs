use std::collections::BTreeSet;

use hivecast_testkit::naive::{self, NaiveError};
use hivecast_testkit::random;
use proptest::prelude::*;

use super::{Force, build, documents, plan};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_give_what_the_naive_interpreter_gives(case in random::case(), parts in 1u32..9) {
        let root = tempfile::tempdir().unwrap();
        case.write(root.path()).unwrap();
        let plan = plan(&case.yaml, root.path(), random::LOAD_DATE.parse().unwrap());
        let expected = naive::documents(&case);
        let mut checksums = Vec::new();
        for force in [Force::Memory, Force::Passes(parts), Force::Passes(1)] {
            let store = tempfile::tempdir().unwrap();
            let edition = build(&plan, store.path(), force).unwrap_or_else(|fault| panic!("{force:?}: {}", fault.chain()));
            match &expected {
                Ok(expected) => {
                    let actual = documents(&case.feed, &edition);
                    prop_assert_eq!(&actual, expected, "{:?}", force);
                    let named: BTreeSet<String> = edition.named().unwrap().map(|named| named.unwrap().key).collect();
                    prop_assert_eq!(&named, &naive::excluded(&case).unwrap(), "{:?}", force);
                }
                // What the interpreter refuses must be what a gate fails for.
                Err(NaiveError::Unsupported(what)) => panic!("the random feed is beyond the interpreter: {what}"),
                Err(refused) => {
                    let failed = edition.description.gates.iter().any(|gate| gate.outcome == hivecast_edition::Outcome::Fail);
                    prop_assert!(failed, "{:?}: {:?} passes: {:?}", force, refused, edition.description.gates);
                }
            }
            if expected.is_ok() {
                let failed: Vec<_> = edition.description.gates.iter().filter(|gate| gate.outcome == hivecast_edition::Outcome::Fail).collect();
                prop_assert!(failed.is_empty(), "{:?}: {:?}", force, failed);
            }
            let mut gates = edition.description.gates.clone();
            gates.iter_mut().for_each(|gate| gate.examples.clear());
            checksums.push((edition.description.checksum.clone(), edition.description.tables.clone(), gates));
        }
        if expected.is_ok() {
            prop_assert_eq!(&checksums[0], &checksums[1]);
            prop_assert_eq!(&checksums[0], &checksums[2]);
        }
    }
}
