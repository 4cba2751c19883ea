use serde_json::json;

use super::gates::{FEED, tables};
use super::{DATE, Force, build, documents, plan};

/// Levels of one name, in two mappings and in two elements of a list: each has rows of its own.
#[test]
fn levels_of_one_name_in_different_places_are_told_apart() {
    let root = tables(&[
        ("accounts", "account_id,branch,active\na1,b1,1\na2,b2,1\na3,,1\n"),
        ("parties", "party_id,account_id,role\np1,a1,owner\np2,a1,payer\np3,a2,owner\n"),
        ("branches", "branch,city\nb1,Leeds\nb2,York\n"),
    ]);
    let people = "{ many: parties, on: account_id, key: party_id, fields: { party: party_id } }";
    let place = "{ one: branches, on: branch, fields: { city: city } }";
    let yaml = FEED.replace(
        "    id: account_id\n",
        &format!(
            "    id: account_id\n    left: {{ fields: {{ rel: {people} }} }}\n    right: {{ fields: {{ rel: {place} }} }}\n    \
             listed:\n      list:\n        - {{ fields: {{ rel: {people} }} }}\n        - {{ fields: {{ rel: {place} }} }}\n"
        ),
    );
    let plan = plan(&yaml, root.path(), DATE.parse().unwrap());
    let mut checksums = Vec::new();
    for force in [Force::Memory, Force::Passes(4)] {
        let store = tempfile::tempdir().unwrap();
        let edition = build(&plan, store.path(), force).unwrap_or_else(|fault| panic!("{}", fault.chain()));
        let documents = documents(&plan.checked.feed, &edition);
        let parties = json!([{ "party": "p1" }, { "party": "p2" }]);
        let branch = json!({ "city": "Leeds" });
        let first = &documents["a1"];
        assert_eq!((&first["left"]["rel"], &first["right"]["rel"]), (&parties, &branch), "{force:?}");
        assert_eq!(
            (&first["listed"][0]["rel"], &first["listed"][1]["rel"]),
            (&parties, &branch),
            "{force:?}"
        );
        let used = |table: &str| {
            let found = edition.description.tables.iter().find(|found| found.table == table).unwrap();
            (found.rows, found.rows_used)
        };
        // Three levels read each table, and its rows are in three places of the documents.
        assert_eq!((used("parties"), used("branches")), ((3, 9), (2, 6)), "{force:?}");
        let gates: Vec<&str> = edition.description.gates.iter().map(|gate| gate.gate.as_str()).collect();
        for gate in ["element_key of left.rel", "element_key of listed[0].rel", "one row for right.rel"] {
            assert!(gates.contains(&gate), "{gate} is not among {gates:?}");
        }
        checksums.push(edition.description.checksum.clone());
    }
    assert_eq!(checksums[0], checksums[1]);
}
