//! What people read about a mistaken feed file.

use insta::assert_snapshot;

use crate::support::{GOOD, good_but, parse_mistakes};

#[test]
fn every_mistake_is_told_at_once() {
    let text = good_but("partitions: 6", "partitons: 6").replace("max: 20%", "max: 20");
    assert_snapshot!(parse_mistakes(&text), @r"
    error: unknown setting `partitons` in the feed
     --> feeds/contracts.yaml:3:1
      |
    3 | partitons: 6
      | ^^^^^^^^^
      |
      = help: did you mean `partitions`?

    error: `max` must be a percentage such as 20% or 0.1%, and is `20`
      --> feeds/contracts.yaml:14:36
       |
    14 |   row_change: { of: accounts, max: 20 }
       |                                    ^^

    2 mistakes in feeds/contracts.yaml
    ");
}

#[test]
fn a_setting_twice_and_a_field_twice() {
    assert_snapshot!(parse_mistakes(&good_but("topic: mdm.contracts", "topic: a\ntopic: b")), @r"
    error: `topic` is written twice in the feed
     --> feeds/contracts.yaml:3:1
      |
    3 | topic: b
      | ^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: account_id\n    id: country")), @r"
    error: `id` is written twice in `fields`
      --> feeds/contracts.yaml:12:5
       |
    12 |     id: country
       |     ^^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn missing_settings() {
    assert_snapshot!(parse_mistakes("feed: contracts\n"), @r"
    error: the feed needs `document`
     --> feeds/contracts.yaml:1:1
      |
    1 | feed: contracts
      | ^^^^^^^^^^^^^^^

    error: the feed needs `partitions`
     --> feeds/contracts.yaml:1:1
      |
    1 | feed: contracts
      | ^^^^^^^^^^^^^^^

    error: the feed needs `tables`
     --> feeds/contracts.yaml:1:1
      |
    1 | feed: contracts
      | ^^^^^^^^^^^^^^^

    error: the feed needs `topic`
     --> feeds/contracts.yaml:1:1
      |
    1 | feed: contracts
      | ^^^^^^^^^^^^^^^

    4 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but(", on: account_id, key: party_id", "")), @r"
    error: a field with `many` needs `key`
      --> feeds/contracts.yaml:12:5
       |
    12 |     parties: { many: parties, fields: { id: party_id } }
       |     ^^^^^^^

    error: a field with `many` needs `on`
      --> feeds/contracts.yaml:12:5
       |
    12 |     parties: { many: parties, fields: { id: party_id } }
       |     ^^^^^^^

    2 mistakes in feeds/contracts.yaml
    ");
}

#[test]
fn settings_without_a_value_or_of_the_wrong_kind() {
    assert_snapshot!(parse_mistakes(&good_but("mdm.contracts", "")), @r"
    error: `topic` has no value
     --> feeds/contracts.yaml:2:1
      |
    2 | topic: 
      | ^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("mdm.contracts", "[a]")), @r"
    error: `topic` must be text, and this is a list
     --> feeds/contracts.yaml:2:1
      |
    2 | topic: [a]
      | ^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("{ of: accounts, max: 20% }", "20%")), @r"
    error: gate `row_change` must be a mapping, and this is a plain value
      --> feeds/contracts.yaml:14:15
       |
    14 |   row_change: 20%
       |               ^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id:")), @r"
    error: field `id` has no value
      --> feeds/contracts.yaml:11:5
       |
    11 |     id:
       |     ^^
       |
       = help: an expression, or a mapping; for SQL's null write `cast(null as string)`

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: [account_id]")), @r"
    error: field `id` must be text, and this is a list
      --> feeds/contracts.yaml:11:5
       |
    11 |     id: [account_id]
       |     ^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("partitions: 6", "partitions: 0")), @r"
    error: `partitions` must be a whole number from 1 to 100000, and is `0`
     --> feeds/contracts.yaml:3:13
      |
    3 | partitions: 0
      |             ^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn names_that_do_not_fit() {
    assert_snapshot!(parse_mistakes(&good_but("feed: contracts", "feed: a/b")), @r"
    error: `feed` must be letters, digits, `-`, `_` and `.`, at most 128, the first a letter or digit, and is `a/b`
     --> feeds/contracts.yaml:1:7
      |
    1 | feed: a/b
      |       ^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("mdm.contracts", "mdm contracts")), @r"
    error: `topic` must be letters, digits, `-`, `_` and `.`, at most 249, and is `mdm contracts`
     --> feeds/contracts.yaml:2:8
      |
    2 | topic: mdm contracts
      |        ^^^^^^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("source: mdm.parties", "source: a.b.c")), @r"
    error: `source` must be `database.table` or `table`, and is `a.b.c`
     --> feeds/contracts.yaml:6:22
      |
    6 |   parties: { source: a.b.c }
      |                      ^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("  parties: { source", "  my parties: { source")), @r"
    error: a table's name must be a plain SQL name, and is `my parties`
     --> feeds/contracts.yaml:6:3
      |
    6 |   my parties: { source: mdm.parties }
      |   ^^^^^^^^^^
      |
      = help: letters, digits and `_`, not a digit first

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn fields_with_none_or_several_shapes() {
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: { a: country, b: country }")), @r"
    error: field `id` needs one of `value`, `fields`, `list`, `one`, `many`
      --> feeds/contracts.yaml:11:5
       |
    11 |     id: { a: country, b: country }
       |     ^^
       |
       = help: for an object, put its fields under `fields:`

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: { valu: country }")), @r"
    error: field `id` needs one of `value`, `fields`, `list`, `one`, `many`
      --> feeds/contracts.yaml:11:5
       |
    11 |     id: { valu: country }
       |     ^^
       |
       = help: did you mean `value`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: { value: a, fields: { b: c } }")), @r"
    error: field `id` takes only one of `value`, `fields`
      --> feeds/contracts.yaml:11:5
       |
    11 |     id: { value: a, fields: { b: c } }
       |     ^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: { fields: {} }")), @r"
    error: `fields` must not be empty
      --> feeds/contracts.yaml:11:11
       |
    11 |     id: { fields: {} }
       |           ^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: { list: [] }")), @r"
    error: `list` must not be empty
      --> feeds/contracts.yaml:11:11
       |
    11 |     id: { list: [] }
       |           ^^^^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn words_and_masks_that_do_not_exist() {
    assert_snapshot!(parse_mistakes(&good_but("id: account_id", "id: { value: a, mask: sha-256 }")), @r"
    error: `mask` can't be `sha-256`
      --> feeds/contracts.yaml:11:27
       |
    11 |     id: { value: a, mask: sha-256 }
       |                           ^^^^^^^
       |
       = help: did you mean `sha256`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("20% }", "20%, severity: stop }")), @r"
    error: `severity` can't be `stop`
      --> feeds/contracts.yaml:14:51
       |
    14 |   row_change: { of: accounts, max: 20%, severity: stop }
       |                                                   ^^^^
       |
       = help: it is one of: `warn`, `quarantine`, `fail`

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn a_table_with_both_or_neither_source() {
    assert_snapshot!(parse_mistakes(&good_but("{ source: mdm.parties }", "{ where: a = 1 }")), @r"
    error: a table needs one of `source`, `sql`
     --> feeds/contracts.yaml:6:3
      |
    6 |   parties: { where: a = 1 }
      |   ^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(
        parse_mistakes(&good_but("{ source: mdm.parties }", "{ source: p, sql: select 1 }")), @r"
    error: a table takes only one of `source`, `sql`
     --> feeds/contracts.yaml:6:25
      |
    6 |   parties: { source: p, sql: select 1 }
      |                         ^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(
        parse_mistakes(&good_but("{ source: mdm.parties }", "{ sql: select 1, format: text }")), @r"
    error: `format` says how files lie, and a table with `sql` has none
     --> feeds/contracts.yaml:6:29
      |
    6 |   parties: { sql: select 1, format: text }
      |                             ^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn a_comma_that_ends_an_expression() {
    let table = "{ sql: select party_id, account_id from x }";
    assert_snapshot!(parse_mistakes(&good_but("{ source: mdm.parties }", table)), @r"
    error: a name without a value in a table
     --> feeds/contracts.yaml:6:36
      |
    6 |   parties: { sql: select party_id, account_id from x }
      |                                    ^^^^^^^^^^^^^^^^^
      |
      = help: within `{ }` a comma ends a value: put text with a comma in quotes

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn text_settings() {
    let table = |settings: &str| good_but("source: mdm.parties", &format!("source: mdm.parties, {settings}"));
    assert_snapshot!(parse_mistakes(&table("format: parquet, delimiter: ';'")), @r"
    error: only `format: text` has `delimiter`
     --> feeds/contracts.yaml:6:52
      |
    6 |   parties: { source: mdm.parties, format: parquet, delimiter: ';' }
      |                                                    ^^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&table("delimiter: '||', quote: ';;'")), @r"
    error: `delimiter` must be one ASCII character, `tab` or `\001`, and is `||`
     --> feeds/contracts.yaml:6:46
      |
    6 |   parties: { source: mdm.parties, delimiter: '||', quote: ';;' }
      |                                              ^^^^

    error: `quote` must be one ASCII character, `tab` or `\001`, and is `;;`
     --> feeds/contracts.yaml:6:59
      |
    6 |   parties: { source: mdm.parties, delimiter: '||', quote: ';;' }
      |                                                           ^^^^^

    2 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&table("columns: { a: strng, b: 'decimal(50)' }")), @r"
    error: column `a` has no type `strng`; did you mean `string`?
     --> feeds/contracts.yaml:6:49
      |
    6 |   parties: { source: mdm.parties, columns: { a: strng, b: 'decimal(50)' } }
      |                                                 ^^^^^

    error: column `b` has a decimal of 1 to 38 digits, not more of them after the point than in all; it is `decimal(50)`
     --> feeds/contracts.yaml:6:59
      |
    6 |   parties: { source: mdm.parties, columns: { a: strng, b: 'decimal(50)' } }
      |                                                           ^^^^^^^^^^^^^^

    2 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&table("format: xml")), @r"
    error: `format` can't be `xml`
     --> feeds/contracts.yaml:6:43
      |
    6 |   parties: { source: mdm.parties, format: xml }
      |                                           ^^^
      |
      = help: it is one of: `parquet`, `orc`, `avro`, `json`, `text`

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&table("format: orc, collection: '|', skip_header_lines: 1")), @r"
    error: only `format: text` has `collection`
     --> feeds/contracts.yaml:6:48
      |
    6 |   parties: { source: mdm.parties, format: orc, collection: '|', skip_header_lines: 1 }
      |                                                ^^^^^^^^^^

    error: only `format: text` has `skip_header_lines`
     --> feeds/contracts.yaml:6:65
      |
    6 |   parties: { source: mdm.parties, format: orc, collection: '|', skip_header_lines: 1 }
      |                                                                 ^^^^^^^^^^^^^^^^^

    2 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&table("columns: { a: 'array<strng>', b: 'map<int>' }, map_key: '\\002'")), @r"
    error: column `a` has no type `strng`; did you mean `string`?
     --> feeds/contracts.yaml:6:49
      |
    6 |   parties: { source: mdm.parties, columns: { a: 'array<strng>', b: 'map<int>' }, map_key: '\002' }
      |                                                 ^^^^^^^^^^^^^^

    error: column `b` has a type where `,` is missing in `map<int>`: `>` stands there
     --> feeds/contracts.yaml:6:68
      |
    6 |   parties: { source: mdm.parties, columns: { a: 'array<strng>', b: 'map<int>' }, map_key: '\002' }
      |                                                                    ^^^^^^^^^^^

    error: `collection` and `map_key` are the same character
     --> feeds/contracts.yaml:6:82
      |
    6 |   parties: { source: mdm.parties, columns: { a: 'array<strng>', b: 'map<int>' }, map_key: '\002' }
      |                                                                                  ^^^^^^^

    3 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&table("partition: ../x")), @r"
    error: `partition` must be a column's name such as load_date, and is `../x`
     --> feeds/contracts.yaml:6:46
      |
    6 |   parties: { source: mdm.parties, partition: ../x }
      |                                              ^^^^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn envelope_and_format() {
    let with = |more: &str| format!("{GOOD}{more}");
    assert_snapshot!(parse_mistakes(&with("envelope: { style: plain, event: { type: X } }\n")), @r"
    error: only `style: operations` has an `event`
      --> feeds/contracts.yaml:15:27
       |
    15 | envelope: { style: plain, event: { type: X } }
       |                           ^^^^^
       |
       = help: say `style: operations`, or leave `event` out

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&with("format: { timezone: Europe/Berln }\n")), @r"
    error: no time zone `Europe/Berln`
      --> feeds/contracts.yaml:15:21
       |
    15 | format: { timezone: Europe/Berln }
       |                     ^^^^^^^^^^^^
       |
       = help: did you mean `Europe/Berlin`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&with("format: { timestamp: '%Q', date: '%H' }\n")), @r"
    error: `timestamp` is no strftime pattern for timestamps: `%Q`
      --> feeds/contracts.yaml:15:22
       |
    15 | format: { timestamp: '%Q', date: '%H' }
       |                      ^^^^

    error: `date` is no strftime pattern for dates: `%H`
      --> feeds/contracts.yaml:15:34
       |
    15 | format: { timestamp: '%Q', date: '%H' }
       |                                  ^^^^^

    2 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&with("chunks: { records: 0, bytes: 64mb }\n")), @r"
    error: `records` must be a whole number from 1, and is `0`
      --> feeds/contracts.yaml:15:20
       |
    15 | chunks: { records: 0, bytes: 64mb }
       |                    ^

    error: `bytes` must be a number of bytes such as 64MiB, 900KB or 1000, and is `64mb`
      --> feeds/contracts.yaml:15:30
       |
    15 | chunks: { records: 0, bytes: 64mb }
       |                              ^^^^

    2 mistakes in feeds/contracts.yaml
    ");
}

#[test]
fn a_document_without_a_key_of_its_own_can_not_only_be_warned_of() {
    let mistakes = parse_mistakes(&good_but(
        "row_change: { of: accounts, max: 20% }",
        "document_key: { severity: warn }",
    ));
    assert!(mistakes.contains("gate `document_key` can't only warn"), "{mistakes}");
    assert!(mistakes.contains("choose `fail` or `quarantine`"), "{mistakes}");
}

#[test]
fn gates_that_make_no_sense() {
    let gate = |text: &str| good_but("row_change: { of: accounts, max: 20% }", text);
    assert_snapshot!(
        parse_mistakes(&gate("mass_delete: { max: 5%, severity: quarantine }")), @r"
    error: gate `mass_delete` can't quarantine: there is nothing to set aside
      --> feeds/contracts.yaml:14:37
       |
    14 |   mass_delete: { max: 5%, severity: quarantine }
       |                                     ^^^^^^^^^^
       |
       = help: choose `warn` or `fail`

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&gate("row_count: { of: accounts }")), @r"
    error: gate `row_count` needs `min`, `max` or both
      --> feeds/contracts.yaml:14:3
       |
    14 |   row_count: { of: accounts }
       |   ^^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&gate("row_count: { of: accounts, min: 5, max: 4 }")), @r"
    error: `min` 5 is more than `max` 4
      --> feeds/contracts.yaml:14:30
       |
    14 |   row_count: { of: accounts, min: 5, max: 4 }
       |                              ^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&gate("orphans: { of: parties, max: 101% }")), @r"
    error: `max` can't be more than 100%, and is `101%`
      --> feeds/contracts.yaml:14:32
       |
    14 |   orphans: { of: parties, max: 101% }
       |                                ^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&gate("orphan: { of: parties, max: 1% }")), @r"
    error: unknown setting `orphan` in `gates`
      --> feeds/contracts.yaml:14:3
       |
    14 |   orphan: { of: parties, max: 1% }
       |   ^^^^^^
       |
       = help: did you mean `orphans`?

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(
        parse_mistakes(&gate("sql: [{ name: a, query: select 1 }, { name: a, query: select 2 }]")), @r"
    error: a second `sql` gate with the name `a`
      --> feeds/contracts.yaml:14:39
       |
    14 |   sql: [{ name: a, query: select 1 }, { name: a, query: select 2 }]
       |                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&gate("allowed: { of: accounts, column: country, values: [] }")), @r"
    error: `values` must not be empty
      --> feeds/contracts.yaml:14:45
       |
    14 |   allowed: { of: accounts, column: country, values: [] }
       |                                             ^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
}
