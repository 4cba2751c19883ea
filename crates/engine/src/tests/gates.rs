use std::path::Path;

use hivecast_edition::{Edition, GateResult, Outcome};
use tempfile::TempDir;

use super::{DATE, Force, build, documents, plan, with_context};
use crate::query_gates::{self, Limits};

pub(super) const FEED: &str = "
feed: accounts
topic: accounts
partitions: 2
tables:
  accounts: { source: accounts, format: text, header: true, where: active = '1' }
  parties: { source: parties, format: text, header: true }
  branches: { source: branches, format: text, header: true }
document:
  from: accounts
  key: account_id
  fields:
    id: account_id
    branch: { one: branches, on: branch, fields: { city: city } }
    parties: { many: parties, on: account_id, key: party_id, fields: { party: party_id, role: role } }
";

/// Tables of text with a header, for the tests' date.
pub(super) fn tables(tables: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in tables {
        let partition = root.path().join(name).join(format!("load_date={DATE}"));
        std::fs::create_dir_all(&partition).unwrap();
        std::fs::write(partition.join("part-0.csv"), text).unwrap();
    }
    root
}

const ACCOUNTS: &str = "account_id,branch,active\na1,b1,1\na2,b2,1\na3,b1,0\na4,b9,1\n";
const PARTIES: &str =
    "party_id,account_id,role\np1,a1,owner\np2,a1,payer\np3,a3,owner\np4,a7,owner\np5,\\N,owner\n";
const BRANCHES: &str = "branch,city\nb1,Leeds\nb2,York\n";

fn named(edition: &Edition) -> Vec<String> {
    edition.named().unwrap().map(|exclusion| exclusion.unwrap().key).collect()
}

fn edition(yaml: &str, root: &Path, force: Force) -> (Edition, TempDir) {
    let store = tempfile::tempdir().unwrap();
    let plan = plan(yaml, root, DATE.parse().unwrap());
    let edition = build(&plan, store.path(), force).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    (edition, store)
}

/// Builds both ways with these gates added to the feed, and finds the gate's result, the same in both.
fn judged(gates: &str, name: &str, inputs: &[(&str, &str)]) -> (GateResult, Vec<String>, String) {
    let mut all = vec![("accounts", ACCOUNTS), ("parties", PARTIES), ("branches", BRANCHES)];
    for (table, text) in inputs {
        all.iter_mut().filter(|(name, _)| name == table).for_each(|entry| entry.1 = text);
    }
    let root = tables(&all);
    let yaml = format!("{FEED}{gates}");
    let results = [Force::Memory, Force::Passes(3)].map(|force| {
        let (edition, _store) = edition(&yaml, root.path(), force);
        let gates = &edition.description.gates;
        let found = gates.iter().find(|gate| gate.gate == name);
        let mut found = found.unwrap_or_else(|| panic!("no gate {name} among {gates:?}")).clone();
        // Which ten examples are named, and in which order, may differ between the ways.
        found.examples.sort();
        let keys = documents(&plan(&yaml, root.path(), DATE.parse().unwrap()).checked.feed, &edition);
        let aside =
            edition.quarantine_file().map_or(String::new(), |file| std::fs::read_to_string(file).unwrap());
        let mut lines: Vec<&str> = aside.lines().collect();
        lines.sort_unstable();
        (found, keys.into_keys().collect::<Vec<_>>(), lines.join("\n"))
    });
    assert_eq!(results[0], results[1], "both ways judge alike");
    let [first, _] = results;
    first
}

#[test]
fn rows_are_counted_before_and_after_where_and_in_documents() {
    let root = tables(&[("accounts", ACCOUNTS), ("parties", PARTIES), ("branches", BRANCHES)]);
    for force in [Force::Memory, Force::Passes(2)] {
        let (edition, _store) = edition(FEED, root.path(), force);
        let counts: Vec<_> = edition
            .description
            .tables
            .iter()
            .map(|table| (table.table.as_str(), table.rows_read, table.rows, table.rows_used))
            .collect();
        assert_eq!(counts, [("accounts", 4, 3, 3), ("branches", 2, 2, 2), ("parties", 5, 5, 2)], "{force:?}");
    }
}

#[test]
fn rows_below_a_row_that_is_in_no_document_are_in_none() {
    const PLACES: &str = "party_id,city\np1,Leeds\np3,York\np4,Bath\n";
    let feed = FEED
        .replace("role: role }", "place: { one: places, on: party_id, fields: { city: city } } }")
        .replace("document:", "  places: { source: places, format: text, header: true }\ndocument:");
    let root =
        tables(&[("accounts", ACCOUNTS), ("parties", PARTIES), ("branches", BRANCHES), ("places", PLACES)]);
    for force in [Force::Memory, Force::Passes(2)] {
        let (edition, _store) = edition(&feed, root.path(), force);
        let found = edition.description.tables.iter().find(|table| table.table == "places").unwrap();
        assert_eq!((found.rows, found.rows_used), (3, 1), "{force:?}: p3 and p4 are parties of no document");
    }
}

#[test]
fn orphans_are_rows_whose_parent_is_not_even_left_out() {
    let gate = "gates: { orphans: { of: parties, max: 50%, severity: fail } }\n";
    let (found, _, _) = judged(gate, "orphans of parties in parties", &[]);
    assert_eq!(found.outcome, Outcome::Pass);
    assert_eq!(found.measured, "40 % (2 of 5)", "a7 does not exist and null joins nothing; a3 is left out");
    assert_eq!(found.examples, ["a7", "null"]);

    let gate = "gates: { orphans: { of: parties, max: 10%, severity: fail } }\n";
    assert_eq!(judged(gate, "orphans of parties in parties", &[]).0.outcome, Outcome::Fail);
    let gate = "gates: { orphans: { of: parties, max: 10%, severity: warn } }\n";
    assert_eq!(judged(gate, "orphans of parties in parties", &[]).0.outcome, Outcome::Warn);
    let gate = "gates: { orphans: { of: parties, max: 10%, severity: quarantine } }\n";
    let (found, _, aside) = judged(gate, "orphans of parties in parties", &[]);
    assert_eq!((found.outcome, found.quarantined), (Outcome::Quarantine, 2));
    assert!(aside.contains("p4") && aside.contains("p5") && aside.lines().count() == 2, "{aside}");
}

#[test]
fn null_rate_counts_nulls_after_where() {
    let accounts = "account_id,branch,active\na1,\\N,1\na2,b2,1\na3,\\N,0\na4,b9,1\n";
    let gate = "gates: { null_rate: { of: accounts, column: branch, max: 20%, severity: fail } }\n";
    let (found, _, _) = judged(gate, "null_rate of accounts.branch", &[("accounts", accounts)]);
    assert_eq!((found.outcome, found.measured.as_str()), (Outcome::Fail, "33.3333 % (1 of 3)"));
    let gate = "gates: { null_rate: { of: accounts, column: branch, max: 40%, severity: fail } }\n";
    assert_eq!(
        judged(gate, "null_rate of accounts.branch", &[("accounts", accounts)]).0.outcome,
        Outcome::Pass
    );
    let gate = "gates: { null_rate: { of: accounts, column: branch, max: 0%, severity: quarantine } }\n";
    let (found, keys, aside) = judged(gate, "null_rate of accounts.branch", &[("accounts", accounts)]);
    assert_eq!((found.outcome, found.quarantined), (Outcome::Quarantine, 1));
    assert_eq!(keys, ["a1", "a2", "a4"], "built, and excluded when the edition is judged");
    assert!(aside.contains("branch is null") && aside.contains("a1"), "{aside}");
}

#[test]
fn a_quarantined_row_of_the_root_is_excluded_and_neither_gone_nor_without_children() {
    let accounts = "account_id,branch,active\na1,\\N,1\na2,b2,1\n";
    let parties = "party_id,account_id,role\np1,a1,owner\n";
    let root = tables(&[("accounts", accounts), ("parties", parties), ("branches", BRANCHES)]);
    let gates = "gates:
  null_rate: { of: accounts, column: branch, max: 0%, severity: quarantine }
  orphans: { of: parties, max: 0%, severity: fail }
";
    for force in [Force::Memory, Force::Passes(2)] {
        let (edition, _store) = edition(&format!("{FEED}{gates}"), root.path(), force);
        assert_eq!(named(&edition), ["a1"], "{force:?}");
        let orphans = edition.description.gates.iter().find(|gate| gate.gate.starts_with("orphans"));
        assert_eq!(orphans.map(|gate| gate.outcome), Some(Outcome::Pass), "{force:?}");
    }
}

#[test]
fn allowed_names_the_values_that_are_not() {
    let gate = "gates: { allowed: { of: parties, column: role, values: [owner], severity: warn } }\n";
    let (found, _, _) = judged(gate, "allowed in parties.role", &[]);
    assert_eq!((found.outcome, found.examples), (Outcome::Warn, vec!["payer".to_owned()]));
    let gate = "gates: { allowed: { of: parties, column: role, values: [owner], severity: quarantine } }\n";
    let (found, keys, aside) = judged(gate, "allowed in parties.role", &[]);
    assert_eq!((found.quarantined, keys.len()), (1, 3));
    assert!(aside.contains("p2"), "{aside}");
}

#[test]
fn unique_sets_all_rows_of_a_repeated_key_aside() {
    let parties = "party_id,account_id,role\np1,a1,owner\np1,a2,owner\np2,a1,owner\n";
    let gate = "gates: { unique: { of: parties, columns: [party_id], severity: fail } }\n";
    let (found, _, _) = judged(gate, "unique parties (party_id)", &[("parties", parties)]);
    assert_eq!((found.outcome, found.examples[0].as_str()), (Outcome::Fail, "p1"));
    let gate = "gates: { unique: { of: parties, columns: [party_id], severity: quarantine } }\n";
    let (found, _, aside) = judged(gate, "unique parties (party_id)", &[("parties", parties)]);
    assert_eq!((found.quarantined, aside.lines().count()), (2, 2));
    let gate = "gates: { unique: { of: parties, columns: [party_id, account_id], severity: fail } }\n";
    let (found, _, _) = judged(gate, "unique parties (party_id, account_id)", &[("parties", parties)]);
    assert_eq!(found.outcome, Outcome::Pass);
}

#[test]
fn more_repeated_keys_than_the_limit_has_room_for_are_refused() {
    let parties: String = (0..20).map(|n| format!("p{},a1,owner\n", n / 2)).collect();
    let parties = format!("party_id,account_id,role\n{parties}");
    let root = tables(&[("accounts", ACCOUNTS), ("parties", &parties), ("branches", BRANCHES)]);
    let gate = "gates: { unique: { of: parties, columns: [party_id], severity: quarantine } }\n";
    let plan = plan(&format!("{FEED}{gate}"), root.path(), DATE.parse().unwrap());
    // A sixteenth of the limit, sixteen bytes a key.
    let judge = |memory_bytes| {
        with_context(|context| {
            let queries = crate::tables::open(&plan, context)?.queries.unwrap();
            let limits = Limits { memory_bytes, spill: &plan.spill };
            let masked = crate::masked::Masked::of(&plan.checked);
            query_gates::judge(&plan.checked, &masked, &queries, limits, context)
        })
    };
    judge(10 * 16 * 16).unwrap();
    let fault = judge(9 * 16 * 16).unwrap_err();
    assert_eq!(fault.class(), hivecast_run::Class::Data);
    assert!(fault.chain().contains("more than 9 keys (party_id) of table parties"), "{}", fault.chain());
    assert!(fault.advice().is_some_and(|advice| advice.contains("--memory")), "{:?}", fault.advice());
}

#[test]
fn a_query_that_quarantines_names_documents() {
    let query = "select account_id from accounts union all select cast(null as string)";
    let gate = format!("gates: {{ sql: {{ name: closed, query: \"{query}\", severity: quarantine }} }}\n");
    let (found, _, _) = judged(&gate, "sql closed", &[]);
    assert_eq!((found.outcome, found.quarantined), (Outcome::Quarantine, 3), "a null names nothing");
    let root = tables(&[("accounts", ACCOUNTS), ("parties", PARTIES), ("branches", BRANCHES)]);
    for force in [Force::Memory, Force::Passes(2)] {
        let (edition, _store) = edition(&format!("{FEED}{gate}"), root.path(), force);
        let mut named = named(&edition);
        named.sort();
        assert_eq!(named, ["a1", "a2", "a4"], "{force:?}");
    }
}

#[test]
fn null_and_duplicate_document_keys_always_fail() {
    let accounts = "account_id,branch,active\na1,b1,1\na1,b2,1\n\\N,b1,1\na4,b9,1\n";
    let (found, keys, aside) = judged("", "document_key", &[("accounts", accounts)]);
    assert_eq!((found.outcome, found.measured.as_str()), (Outcome::Fail, "1 null, 1 duplicate"));
    assert_eq!(found.examples, ["a1 (2 rows)"]);
    assert_eq!(keys, ["a1", "a4"], "the first row stands for the key until the gate's verdict");
    assert_eq!(aside, "", "what fails is counted, and kept nowhere");
    let gate = "gates: { document_key: { severity: quarantine } }\n";
    let (found, _, aside) = judged(gate, "document_key", &[("accounts", accounts)]);
    assert_eq!((found.outcome, found.quarantined), (Outcome::Quarantine, 3));
    assert_eq!(aside.lines().count(), 2, "{aside}");
}

#[test]
fn elements_without_a_key_of_their_own_fail() {
    let parties = "party_id,account_id,role\np1,a1,owner\np1,a1,payer\n\\N,a2,owner\n";
    let (found, _, _) = judged("", "element_key of parties", &[("parties", parties)]);
    assert_eq!((found.outcome, found.measured.as_str()), (Outcome::Fail, "2 keys, 2 rows too many"));
    let gate = "gates: { element_key: { severity: quarantine } }\n";
    let (found, keys, aside) = judged(gate, "element_key of parties", &[("parties", parties)]);
    assert_eq!((found.outcome, found.quarantined, keys.len()), (Outcome::Quarantine, 3, 3));
    assert_eq!(aside.lines().count(), 3, "{aside}");
}

#[test]
fn a_one_with_two_rows_fails_and_says_which_keys() {
    let branches = "branch,city\nb1,Leeds\nb1,York\nb7,Hull\nb7,Hull\n";
    let (found, _, _) = judged("", "one row for branch", &[("branches", branches)]);
    assert_eq!((found.outcome, found.measured.as_str()), (Outcome::Fail, "2 keys, 2 rows too many"));
    assert_eq!(found.examples, ["b1 (1 row too many)", "b7"]);
}

#[test]
fn a_query_that_returns_rows_breaches() {
    let gate = "gates: { sql: { name: roles, query: \"select account_id, role from parties where role = 'payer'\", severity: fail } }\n";
    let (found, _, _) = judged(gate, "sql roles", &[]);
    assert_eq!((found.outcome, found.measured.as_str()), (Outcome::Fail, "1 row"));
    assert_eq!(found.examples, ["a1, payer"]);
    let gate = "gates: { sql: { name: inactive, query: \"select * from accounts where active = '0'\", severity: fail } }\n";
    assert_eq!(judged(gate, "sql inactive", &[]).0.outcome, Outcome::Pass, "queries see rows after where");
}

#[test]
fn a_table_may_be_a_query_over_others() {
    let yaml = FEED.replace(
        "  branches: { source: branches, format: text, header: true }\n",
        "  places: { source: branches, format: text, header: true }\n  branches: { sql: \"select branch, upper(city) as city from places where city <> 'York'\" }\n",
    );
    let root = tables(&[("accounts", ACCOUNTS), ("parties", PARTIES), ("branches", BRANCHES)]);
    for force in [Force::Memory, Force::Passes(2)] {
        let (edition, _store) = edition(&yaml, root.path(), force);
        let documents = documents(&plan(&yaml, root.path(), DATE.parse().unwrap()).checked.feed, &edition);
        assert_eq!(documents["a1"]["branch"]["city"], "LEEDS");
        assert_eq!(documents["a2"].get("branch"), None);
    }
}

/// Examples show the key of the row above, under whichever name the join has it below.
#[test]
fn a_masked_value_that_joins_is_in_no_example() {
    const HOLDER: &str = "
feed: accounts
topic: accounts
partitions: 1
tables:
  accounts: { source: accounts, format: text, header: true }
  holders: { source: holders, format: text, header: true }
  seats: { source: seats, format: text, header: true }
document:
  from: accounts
  key: account_id
  fields:
    tax: { value: tax_id, mask: hmac-sha256 }
    holder: { one: holders, on: { holder: tax_id }, fields: { city: city } }
    holders:
      many: holders
      on: { holder: tax_id }
      key: city
      fields: { city: city, seats: { many: seats, on: { owner: holder }, key: seat, fields: { seat: seat } } }
gates:
  orphans:
    - { of: holders, max: 0%, severity: fail }
    - { of: seats, max: 0%, severity: fail }
";
    let inputs = [
        ("accounts", "account_id,tax_id\na1,SECRET111\n"),
        (
            "holders",
            "holder,city\nSECRET111,Leeds\nSECRET111,Leeds\nSECRET222,York\nSECRET333,York\nSECRET333,York\n",
        ),
        ("seats", "seat,owner\ns1,SECRET111\ns1,SECRET111\ns2,SECRET444\n"),
    ];
    let root = tables(&inputs);
    for masked in [true, false] {
        let yaml = if masked { HOLDER.to_owned() } else { HOLDER.replace(", mask: hmac-sha256", "") };
        for force in [Force::Memory, Force::Passes(2)] {
            let (edition, _store) = edition(&yaml, root.path(), force);
            let breached = edition
                .description
                .gates
                .iter()
                .filter(|gate| gate.outcome == Outcome::Fail && gate.gate != "document_key");
            let examples: Vec<(&str, &[String])> =
                breached.map(|gate| (gate.gate.as_str(), gate.examples.as_slice())).collect();
            assert!(examples.len() >= 4, "{examples:?}");
            for (gate, examples) in examples {
                let shown = examples.iter().any(|example| example.contains("SECRET"));
                assert!(!examples.is_empty() && shown != masked, "{gate}: {examples:?} {force:?}");
            }
        }
    }
}
