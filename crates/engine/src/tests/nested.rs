//! Arrays, maps and structs of the warehouse: in expressions, and as values of documents.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{DATE, Force, build, documents, plan};

const FEED: &str = r#"
feed: nested
topic: nested
partitions: 1
tables:
  people:
    source: people
    format: json
    where: cardinality(tags) > 0 or id > 1
    columns:
      id: bigint
      tags: array<string>
      scores: map<string,decimal(5,2)>
      address: struct<city:string,lines:array<string>,since:date>
      visits: array<struct<place:string,at:timestamp>>
  pets:
    source: pets
    format: json
    columns: { owner: bigint, name: string, toys: "map<string,array<int>>" }
document:
  from: people
  key: id
  fields:
    tags: tags
    first: tags[1]
    isVip: array_contains(tags, 'vip')
    scores: scores
    gold: scores['gold']
    address: address
    city: address.city
    line: address.lines[2]
    where: visits[1]['place']
    visits: visits
    hidden: { value: address, mask: sha256 }
    pets:
      many: pets
      on: { owner: id }
      key: name
      fields: { name: name, toys: toys }
"#;

const PEOPLE: &str = r#"
{"id": 1, "tags": ["vip", null, "a text that is longer than any view keeps inline"], "scores": {"gold": 1.5, "tin": null}, "address": {"city": "Leeds", "lines": ["1 High St", "Flat 2"], "since": "2020-02-29"}, "visits": [{"place": "Rome", "at": "2026-01-01 10:00:00"}, {"place": null}]}
{"id": 2, "tags": [], "scores": {}, "address": {"city": null, "lines": null}, "visits": null}
{"ID": 3, "Tags": null, "scores": null, "address": null}
{"id": 0, "tags": []}
"#;

const PETS: &str = r#"
{"owner": 1, "name": "Rex", "toys": {"ball": [1, 2], "bone": []}}
{"owner": 1, "name": "Ada", "toys": {}}
{"owner": 3, "name": "Tom"}
"#;

fn write(root: &Path, table: &str, text: &str) {
    let dir = root.join(table).join(format!("load_date={DATE}"));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("part-0.json"), text).unwrap();
}

#[test]
fn nested_values_are_used_in_expressions_and_become_json() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "people", PEOPLE);
    write(root.path(), "pets", PETS);
    let plan = plan(FEED, root.path(), DATE.parse().unwrap());
    let mut sums = Vec::new();
    for (name, force) in [("memory", Force::Memory), ("passes", Force::Passes(3))] {
        let store = root.path().join(name);
        let edition = build(&plan, &store, force).unwrap_or_else(|fault| panic!("{}", fault.chain()));
        let mut found = documents(&plan.checked.feed, &edition);
        let hidden = |document: &mut Value| document.as_object_mut().unwrap().remove("hidden");
        let mut one = found.remove("1").unwrap();
        assert_eq!(hidden(&mut one).and_then(|mask| Some(mask.as_str()?.len())), Some(64));
        let long = "a text that is longer than any view keeps inline";
        assert_eq!(
            one,
            json!({
                "tags": ["vip", null, long], "first": "vip", "isVip": true,
                "scores": {"gold": "1.50"}, "gold": "1.50",
                "address": {"city": "Leeds", "lines": ["1 High St", "Flat 2"], "since": "2020-02-29"},
                "city": "Leeds", "line": "Flat 2", "where": "Rome",
                "visits": [{"place": "Rome", "at": "2026-01-01T10:00:00.000+00:00"}, {}],
                "pets": [{"name": "Ada"}, {"name": "Rex", "toys": {"ball": [1, 2]}}],
            })
        );
        assert_eq!(found.remove("2").unwrap(), json!({"isVip": false}));
        assert_eq!(found.remove("3").unwrap(), json!({"pets": [{"name": "Tom"}]}));
        assert!(found.is_empty(), "{found:?}");
        sums.push(edition.description.checksum.clone());
    }
    assert_eq!(sums[0], sums[1], "both ways give one edition");
}
