use std::fmt::Write;

use super::gates::{FEED, tables};
use super::{DATE, Force, build, documents, plan};

/// One account with far more parties than all others together, and far more than a batch holds.
#[test]
fn one_key_with_most_of_the_rows_gives_the_same_either_way() {
    const PARTIES: usize = 40_000;
    let mut parties = String::from("party_id,account_id,role\n");
    for party in 0..PARTIES {
        writeln!(parties, "p{party:05},a1,owner").unwrap();
    }
    parties.push_str("q1,a2,owner\nq2,a3,guarantor\n");
    let accounts = "account_id,branch,active\na1,b1,1\na2,b2,1\na3,,1\n";
    let root =
        tables(&[("accounts", accounts), ("parties", &parties), ("branches", "branch,city\nb1,Leeds\n")]);
    let plan = plan(FEED, root.path(), DATE.parse().unwrap());
    let mut checksums = Vec::new();
    for force in [Force::Memory, Force::Passes(8)] {
        let store = tempfile::tempdir().unwrap();
        let edition = build(&plan, store.path(), force).unwrap();
        let documents = documents(&plan.checked.feed, &edition);
        let large = documents["a1"]["parties"].as_array().unwrap();
        assert_eq!(large.len(), PARTIES);
        assert!(large.windows(2).all(|pair| pair[0]["party"].as_str() < pair[1]["party"].as_str()), "by key");
        assert_eq!(documents["a3"].get("branch"), None);
        checksums.push(edition.description.checksum.clone());
    }
    assert_eq!(checksums[0], checksums[1]);
}
