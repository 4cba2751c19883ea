use std::collections::BTreeMap;

use arrow_schema::DataType;
use hivecast_feed::{check, draft, parse};
use insta::assert_snapshot;

use crate::support::{GOOD, TinySql, check_feed, check_mistakes, good_but, schemas};

#[test]
fn a_good_feed_passes_with_its_documents_shape() {
    let checked = check_feed(GOOD).unwrap();
    assert_eq!(checked.key_type, DataType::Utf8);
    assert_eq!(checked.feed.name, "contracts");
    let names: Vec<&str> = checked.document.iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "parties"]);
    assert!(matches!(checked.document[1].data_type(), DataType::List(_)));
    assert!(checked.queries.is_empty());
}

#[test]
fn load_date_is_a_column_like_any_other() {
    let checked = check_feed(&good_but("id: account_id", "day: load_date")).unwrap();
    assert_eq!(checked.document[0].data_type(), &DataType::Utf8);
}

#[test]
fn queries_are_bound_after_what_they_read() {
    let text = good_but(
        "  parties: { source: mdm.parties }\n",
        "  parties: { sql: 'select party_id, account_id from good_ones' }\n  good_ones: { sql: select * from raw }\n  raw: { source: mdm.parties }\n",
    );
    let mut tables = schemas();
    let parties = tables.remove("parties").unwrap();
    tables.insert("raw".to_owned(), parties);
    let checked = draft("f", &text).check(&tables, &TinySql).unwrap();
    assert_eq!(checked.queries, ["good_ones", "parties"]);
    assert_eq!(checked.schemas["parties"].fields().len(), 2);
    assert_eq!(checked.schemas["good_ones"].fields().len(), 3);
}

#[test]
fn mistakes_of_the_text_and_of_the_tables_are_told_together() {
    let text = good_but("id: account_id", "id: acount_id\n    x: { valu: a }")
        .replace("from: accounts", "from: acounts")
        .replace("topic:", "topik:");
    assert_snapshot!(check_mistakes(&text), @r"
    error: unknown setting `topik` in the feed
     --> feeds/contracts.yaml:2:1
      |
    2 | topik: mdm.contracts
      | ^^^^^
      |
      = help: did you mean `topic`?

    error: no table `acounts` in `tables`
     --> feeds/contracts.yaml:8:9
      |
    8 |   from: acounts
      |         ^^^^^^^
      |
      = help: did you mean `accounts`?

    error: field `x` needs one of `value`, `fields`, `list`, `one`, `many`
      --> feeds/contracts.yaml:12:5
       |
    12 |     x: { valu: a }
       |     ^
       |
       = help: did you mean `value`?

    error: a gate can't look at table `accounts`: the document does not read it
      --> feeds/contracts.yaml:15:21
       |
    15 |   row_change: { of: accounts, max: 20% }
       |                     ^^^^^^^^
       |
       = help: check it with a `sql` gate, whose query may read every table of the feed

    4 mistakes in feeds/contracts.yaml
    ");
}

#[test]
fn expressions_that_do_not_bind_are_placed_within_themselves() {
    assert_snapshot!(check_mistakes(&good_but("active_ind = 1", "country = 'x' and activ_ind = 1")), @r"
    error: no column `activ_ind`
     --> feeds/contracts.yaml:5:62
      |
    5 |   accounts: { source: mdm.accounts, where: country = 'x' and activ_ind = 1 }
      |                                                              ^^^^^^^^^
      |
      = help: did you mean `active_ind`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&good_but("id: account_id", "id: \"'a' || acount_id\"")), @r#"
    error: no column `acount_id`
      --> feeds/contracts.yaml:11:17
       |
    11 |     id: "'a' || acount_id"
       |                 ^^^^^^^^^
       |
       = help: did you mean `account_id`?

    1 mistake in feeds/contracts.yaml
    "#);
    assert_snapshot!(
        check_mistakes(&good_but("id: account_id", "id: |\n      country\n      || acount_id")), @r"
    error: no column `acount_id`
      --> feeds/contracts.yaml:13:10
       |
    13 |       || acount_id
       |          ^^^^^^^^^
       |
       = help: did you mean `account_id`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&good_but("id: account_id", "id: (country) || ((country)")), @r"
    error: `(` is not closed
      --> feeds/contracts.yaml:11:9
       |
    11 |     id: (country) || ((country)
       |         ^^^^^^^^^^^^^^^^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn conditions_must_be_boolean() {
    assert_snapshot!(check_mistakes(&good_but("active_ind = 1", "country")), @r"
    error: `where` must be true or false, and this is string
     --> feeds/contracts.yaml:5:44
      |
    5 |   accounts: { source: mdm.accounts, where: country }
      |                                            ^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    let list = "id: { list: [ { when: active_ind, fields: { a: country } } ] }";
    assert_snapshot!(check_mistakes(&good_but("id: account_id", list)), @r"
    error: `when` must be true or false, and this is int
      --> feeds/contracts.yaml:11:27
       |
    11 |     id: { list: [ { when: active_ind, fields: { a: country } } ] }
       |                           ^^^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn keys_of_types_that_have_no_one_text() {
    assert_snapshot!(check_mistakes(&good_but("key: account_id", "key: balance")), @r"
    error: the document's key can't be double
     --> feeds/contracts.yaml:9:8
      |
    9 |   key: balance
      |        ^^^^^^^
      |
      = help: keys are text, integers, decimals, dates or booleans; cast it to one of these

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&good_but("key: account_id", "key: opened")), @r"
    error: the document's key can't be timestamp
     --> feeds/contracts.yaml:9:8
      |
    9 |   key: opened
      |        ^^^^^^
      |
      = help: keys are text, integers, decimals, dates or booleans; cast it to one of these

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&good_but("key: party_id", "key: \"null\"")), @r#"
    error: the key of `many` can't be null
      --> feeds/contracts.yaml:12:52
       |
    12 |     parties: { many: parties, on: account_id, key: "null", fields: { id: party_id } }
       |                                                    ^^^^^^
       |
       = help: keys are text, integers, decimals, dates or booleans; cast it to one of these

    1 mistake in feeds/contracts.yaml
    "#);
}

#[test]
fn columns_joined_on() {
    assert_snapshot!(check_mistakes(&good_but("on: account_id", "on: { account_no: account_id }")), @r"
    error: `on` needs equal types: `parties.account_no` is bigint, `accounts.account_id` is string
      --> feeds/contracts.yaml:12:37
       |
    12 |     parties: { many: parties, on: { account_no: account_id }, key: party_id, fields: { id: party_id } }
       |                                     ^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: make a table with `sql` that casts one of them

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&good_but("on: account_id", "on: { account_idd: acount_id }")), @r"
    error: no column `account_idd` in table `parties`
      --> feeds/contracts.yaml:12:37
       |
    12 |     parties: { many: parties, on: { account_idd: acount_id }, key: party_id, fields: { id: party_id } }
       |                                     ^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: did you mean `account_id`?

    error: no column `acount_id` in table `accounts`
      --> feeds/contracts.yaml:12:37
       |
    12 |     parties: { many: parties, on: { account_idd: acount_id }, key: party_id, fields: { id: party_id } }
       |                                     ^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: did you mean `account_id`?

    2 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&good_but("on: account_id", "on: { account_id: balance }")), @r"
    error: `on` can't compare this type: `accounts.balance` is double
      --> feeds/contracts.yaml:12:37
       |
    12 |     parties: { many: parties, on: { account_id: balance }, key: party_id, fields: { id: party_id } }
       |                                     ^^^^^^^^^^^^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn tables_that_are_not_there_or_not_used() {
    assert_snapshot!(check_mistakes(&good_but("many: parties", "many: partys")), @r"
    error: no table `partys` in `tables`
      --> feeds/contracts.yaml:12:22
       |
    12 |     parties: { many: partys, on: account_id, key: party_id, fields: { id: party_id } }
       |                      ^^^^^^
       |
       = help: did you mean `parties`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(
        check_mistakes(&good_but("    parties: { many: parties, on: account_id, key: party_id, fields: { id: party_id } }\n", "")),
        @r"
    error: nothing uses table `parties`
     --> feeds/contracts.yaml:6:3
      |
    6 |   parties: { source: mdm.parties }
      |   ^^^^^^^
      |
      = help: use it in `document`, a `sql` table or a gate, or take it out

    1 mistake in feeds/contracts.yaml
    ");
    let (feed, source) = parse("f", GOOD).unwrap();
    let unknown = check(feed, &source, &BTreeMap::new(), &TinySql).unwrap_err();
    assert_snapshot!(unknown.to_string(), @"f:5:3: the columns of table `accounts` are not known; f:6:3: the columns of table `parties` are not known");
}

#[test]
fn a_table_that_only_a_gate_or_a_query_reads_is_used() {
    let gate = "sql: { name: a, query: select party_id from parties }";
    let text = good_but("row_change: { of: accounts, max: 20% }", gate).replace(
        "    parties: { many: parties, on: account_id, key: party_id, fields: { id: party_id } }\n",
        "",
    );
    check_feed(&text).unwrap();
}

#[test]
fn queries_that_read_each_other() {
    let tables = "  parties: { sql: select * from b }\n  b: { sql: select * from parties }\n  c: { sql: select * from c }\n";
    assert_snapshot!(check_mistakes(&good_but("  parties: { source: mdm.parties }\n", tables)), @r"
    error: tables `parties`, `b` read each other in a circle
     --> feeds/contracts.yaml:6:3
      |
    6 |   parties: { sql: select * from b }
      |   ^^^^^^^

    error: table `c` reads itself
     --> feeds/contracts.yaml:8:3
      |
    8 |   c: { sql: select * from c }
      |   ^

    2 mistakes in feeds/contracts.yaml
    ");
}

#[test]
fn queries_that_do_not_bind() {
    let with = |sql: &str| good_but("source: mdm.parties", &format!("sql: {sql}"));
    assert_snapshot!(check_mistakes(&with("'select party_id, account_id from partees'")), @r"
    error: no table `partees` in `tables`
     --> feeds/contracts.yaml:6:53
      |
    6 |   parties: { sql: 'select party_id, account_id from partees' }
      |                                                     ^^^^^^^
      |
      = help: did you mean `parties`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&with("select party_id from accounts")), @r"
    error: no column `party_id` in the query
     --> feeds/contracts.yaml:6:26
      |
    6 |   parties: { sql: select party_id from accounts }
      |                          ^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&with("insert into accounts")), @r"
    error: a query begins with select
     --> feeds/contracts.yaml:6:19
      |
    6 |   parties: { sql: insert into accounts }
      |                   ^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn gates_that_name_what_is_not_there() {
    let gate = |text: &str| good_but("row_change: { of: accounts, max: 20% }", text);
    assert_snapshot!(check_mistakes(&gate("row_change: { of: acounts, max: 20% }")), @r"
    error: no table `acounts` in `tables`
      --> feeds/contracts.yaml:14:21
       |
    14 |   row_change: { of: acounts, max: 20% }
       |                     ^^^^^^^
       |
       = help: did you mean `accounts`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&gate("unique: { of: accounts, columns: [account_id, contry] }")), @r"
    error: no column `contry` in table `accounts`
      --> feeds/contracts.yaml:14:49
       |
    14 |   unique: { of: accounts, columns: [account_id, contry] }
       |                                                 ^^^^^^
       |
       = help: did you mean `country`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(check_mistakes(&gate("orphans: { of: accounts, max: 1% }")), @r"
    error: gate `orphans`: table `accounts` is no child, so its rows have no parent
      --> feeds/contracts.yaml:14:18
       |
    14 |   orphans: { of: accounts, max: 1% }
       |                  ^^^^^^^^
       |
       = help: it is for tables under `one` or `many`

    1 mistake in feeds/contracts.yaml
    ");
    let unread = gate("row_count: { of: raw, min: 1 }").replace(
        "  parties: { source: mdm.parties }",
        "  parties: { sql: select * from raw }\n  raw: { source: r }",
    );
    let mut tables = schemas();
    tables.insert("raw".to_owned(), tables["parties"].clone());
    let unread = draft("f", &unread).check(&tables, &TinySql).unwrap_err();
    assert_snapshot!(unread.render(hivecast_feed::Color::Plain), @r"
    error: a gate can't look at table `raw`: the document does not read it
      --> f:15:20
       |
    15 |   row_count: { of: raw, min: 1 }
       |                    ^^^
       |
       = help: check it with a `sql` gate, whose query may read every table of the feed

    1 mistake in f
    ");
    assert_snapshot!(check_mistakes(&gate("sql: { name: a, query: select x from accounts }")), @r"
    error: no column `x` in the query
      --> feeds/contracts.yaml:14:33
       |
    14 |   sql: { name: a, query: select x from accounts }
       |                                 ^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn values_without_a_json_form() {
    assert_snapshot!(check_mistakes(&good_but("id: account_id", "id: tags\n    nothing: \"null\"")), @r#"
    error: field `nothing` is null, which has no JSON form here
      --> feeds/contracts.yaml:12:14
       |
    12 |     nothing: "null"
       |              ^^^^^^
       |
       = help: give it a type: `cast(null as string)`

    1 mistake in feeds/contracts.yaml
    "#);
}
