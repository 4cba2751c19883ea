use hivecast_feed::{
    Atomicity, Color, ColumnType, EnvelopeStyle, FileFormat, Header, Mask, Nulls, Ready, Rule, Severity,
    Shape, Source, parse,
};
use insta::assert_snapshot;

use crate::support::{GOOD, good_but, parse_mistakes};

/// Every setting there is, none at its default.
pub const EVERYTHING: &str = r#"
feed: all-of_it.1
topic: t
partitions: 3
topic_settings: { cleanup.policy: [compact, delete], min.insync.replicas: 2 }
atomic: edition
chunks: { records: 10, bytes: 2MiB }
tables:
  a:
    source: db.a
    where: x > 1
    format: text
    delimiter: "\t"
    header: true
    quote: none
    escape: '\'
    "null": ""
    columns: { x: int, y: "decimal(10,2)", z: varchar(20) }
    partition: day
    ready: success_file
  b: { source: b, format: parquet }
  c: { sql: select * from a }
document:
  from: a
  key: x
  fields:
    plain: x
    number: 1
    truth: true
    masked: { value: y, mask: last4 }
    object: { fields: { inner: x } }
    array: { list: [ { when: x = 1, fields: { inner: x } }, { fields: { other: y } } ] }
    single: { one: b, on: x, fields: { inner: x } }
    several: { many: c, on: { p: x, q: y }, key: p, fields: { inner: p } }
envelope: { style: operations, event: { type: E, majorSchemaVersion: 2, minorSchemaVersion: 3 } }
format:
  timezone: Europe/Berlin
  timestamp: "%s"
  date: "%d.%m.%Y"
  nulls: keep
  decimals: number
  nan: text
  big_integers: text
gates:
  row_count: { of: a, min: 1, max: 9, severity: warn }
  row_change: { of: a, max: 120% }
  null_rate:
    - { of: a, column: x, max: 1%, severity: warn }
    - { of: a, column: y, max: 0.5% }
  allowed: { of: a, column: x, values: [1, two, true], severity: quarantine }
  unique: { of: a, columns: [x, y] }
  orphans: { of: b, max: 0% }
  document_size: { max: 900KiB }
  document_key: { severity: quarantine }
  element_key: { severity: warn }
  mass_delete: { max: 5% }
  sql: { name: no empty, query: select x from a }
"#;

#[test]
fn every_setting_is_read() {
    let (feed, _) = parse("f", EVERYTHING).unwrap();
    assert_eq!((feed.name.as_str(), feed.topic.as_str(), feed.partitions), ("all-of_it.1", "t", 3));
    assert_eq!(feed.topic_settings["cleanup.policy"], "compact,delete");
    assert_eq!(feed.topic_settings["min.insync.replicas"], "2");
    assert_eq!((feed.chunks.records, feed.chunks.bytes), (10, 2 << 20));
    assert_eq!(feed.chunks.atomic, Atomicity::Edition);
    let names: Vec<&str> = feed.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let envelope = &feed.envelope;
    assert_eq!((envelope.style, envelope.event_type.as_str()), (EnvelopeStyle::Operations, "E"));
    assert_eq!((envelope.major_version, envelope.minor_version), (2, 3));
    assert_eq!(feed.format.timezone, "Europe/Berlin");
    assert_eq!(feed.format.nulls, Nulls::Keep);
}

#[test]
fn a_tables_layout_is_read() {
    let (feed, _) = parse("f", EVERYTHING).unwrap();
    let table = &feed.tables[0];
    let source = Source::Warehouse { database: Some("db".to_owned()), table: "a".to_owned() };
    assert_eq!(table.source, source);
    assert_eq!(table.filter.as_ref().unwrap().value, "x > 1");
    let layout = &table.layout;
    assert_eq!((layout.format, layout.ready), (Some(FileFormat::Text), Ready::SuccessFile));
    assert_eq!(layout.partition, "day");
    let columns = [
        ("x".to_owned(), ColumnType::Int),
        ("y".to_owned(), ColumnType::Decimal(10, 2)),
        ("z".to_owned(), ColumnType::String),
    ];
    assert_eq!(layout.columns.as_deref(), Some(columns.as_slice()));
    assert_eq!((layout.text.delimiter, layout.text.header), (b'\t', Header::Present));
    assert_eq!((layout.text.quote, layout.text.escape), (None, Some(b'\\')));
    assert_eq!(layout.text.null, "");
    assert!(matches!(feed.tables[2].source, Source::Query(_)));
}

#[test]
fn fields_of_every_shape_are_read_in_order() {
    let (feed, _) = parse("f", EVERYTHING).unwrap();
    let shapes: Vec<(&str, &Shape)> =
        feed.document.fields.iter().map(|field| (field.name.as_str(), &field.shape)).collect();
    let sql = |shape: &Shape| match shape {
        Shape::Value { sql, mask } => (sql.value.clone(), *mask),
        _ => panic!("no value: {shape:?}"),
    };
    assert_eq!(sql(shapes[0].1), ("x".to_owned(), None));
    assert_eq!(sql(shapes[1].1), ("1".to_owned(), None));
    assert_eq!(sql(shapes[2].1), ("true".to_owned(), None));
    assert_eq!(sql(shapes[3].1), ("y".to_owned(), Some(Mask::Last4)));
    assert!(matches!(shapes[4], ("object", Shape::Fields(inner)) if inner.len() == 1));
    assert!(matches!(shapes[5], ("array", Shape::List(elements)) if elements.len() == 2));
    assert!(matches!(shapes[6], ("single", Shape::One(node)) if node.key.is_none()));
    let ("several", Shape::Many(node)) = shapes[7] else { panic!("{:?}", shapes[7]) };
    let pairs: Vec<(&str, &str)> =
        node.on.iter().map(|pair| (pair.child.as_str(), pair.parent.as_str())).collect();
    assert_eq!(pairs, [("p", "x"), ("q", "y")]);
    assert_eq!(node.key.as_ref().unwrap().value, "p");
}

#[test]
fn every_gate_is_read_in_order() {
    let (feed, _) = parse("f", EVERYTHING).unwrap();
    let of = |name: &str| name.to_owned();
    let expected = [
        (Rule::RowCount { of: of("a"), min: Some(1), max: Some(9) }, Severity::Warn),
        (Rule::RowChange { of: of("a"), max: 1.2 }, Severity::Fail),
        (Rule::NullRate { of: of("a"), column: of("x"), max: 0.01 }, Severity::Warn),
        (Rule::NullRate { of: of("a"), column: of("y"), max: 0.005 }, Severity::Fail),
        (
            Rule::Allowed { of: of("a"), column: of("x"), values: vec![of("1"), of("two"), of("true")] },
            Severity::Quarantine,
        ),
        (Rule::Unique { of: of("a"), columns: vec![of("x"), of("y")] }, Severity::Fail),
        (Rule::Orphans { of: of("b"), max: 0.0 }, Severity::Fail),
        (Rule::DocumentSize { max: Some(900 << 10) }, Severity::Fail),
        (Rule::DocumentKey, Severity::Quarantine),
        (Rule::ElementKey, Severity::Warn),
        (Rule::MassDelete { max: 0.05 }, Severity::Fail),
    ];
    for (gate, (rule, severity)) in feed.gates.iter().zip(&expected) {
        assert_eq!((&gate.rule, gate.severity), (rule, *severity));
    }
    assert!(matches!(&feed.gates[11].rule, Rule::Query { name, .. } if name == "no empty"));
    assert_eq!(feed.gates.len(), 12);
}

#[test]
fn defaults() {
    let (feed, _) = parse("f", GOOD).unwrap();
    assert_eq!((feed.chunks.records, feed.chunks.bytes), (50_000, 64 << 20));
    assert_eq!(feed.chunks.atomic, Atomicity::Chunk);
    assert_eq!((feed.envelope.style, feed.envelope.event_type.as_str()), (EnvelopeStyle::Plain, "contracts"));
    assert_eq!((feed.envelope.major_version, feed.envelope.minor_version), (1, 0));
    assert_eq!((feed.format.timezone.as_str(), feed.format.nulls), ("UTC", Nulls::Omit));
    let layout = &feed.tables[0].layout;
    assert_eq!((layout.format, layout.ready, layout.partition.as_str()), (None, Ready::Exists, "load_date"));
    assert_eq!((layout.text.delimiter, layout.text.quote), (b',', Some(b'"')));
    assert_eq!((layout.text.header, layout.text.null.as_str()), (Header::Absent, r"\N"));
    assert_eq!(feed.gates[0].severity, Severity::Fail);
}

#[test]
fn aliases_repeat_what_they_name() {
    let text = good_but("id: account_id", "id: &id account_id\n    again: *id");
    let (feed, _) = parse("f", &text).unwrap();
    let sql = |index: usize| match &feed.document.fields[index].shape {
        Shape::Value { sql, .. } => sql.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(sql(0), sql(1));
}

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
fn an_empty_feed() {
    assert_snapshot!(parse_mistakes(""), @r"
    error: the feed is empty
     --> feeds/contracts.yaml:1:1
      |
    1 |
      | ^
      |
      = help: `hivecast init DIR` writes an example

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes("# nothing yet\n"), @r"
    error: the feed is empty
     --> feeds/contracts.yaml:1:1
      |
    1 | # nothing yet
      | ^
      |
      = help: `hivecast init DIR` writes an example

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn unreadable_yaml() {
    assert_snapshot!(parse_mistakes("feed: contracts\ntables: { accounts: [ }\n"), @r"
    error: this is not YAML: while parsing a node, did not find expected node content
     --> feeds/contracts.yaml:2:23
      |
    2 | tables: { accounts: [ }
      |                       ^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes("feed: a\n\ttopic: b\n"), @r"
    error: this is not YAML: while scanning a plain scalar, found a tab
     --> feeds/contracts.yaml:1:7
      |
    1 | feed: a
      |       ^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes("feed: 'a\n"), @r"
    error: this is not YAML: while scanning a quoted scalar, found unexpected end of stream
     --> feeds/contracts.yaml:1:7
      |
    1 | feed: 'a
      |       ^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn yaml_that_has_no_meaning_here() {
    assert_snapshot!(parse_mistakes("- feed\n"), @r"
    error: the feed must be a mapping, and this is a list
     --> feeds/contracts.yaml:1:1
      |
    1 | - feed
      | ^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&format!("{GOOD}---\nfeed: b\n")), @r"
    error: a second YAML document: the file must hold one
      --> feeds/contracts.yaml:15:1
       |
    15 | ---
       | ^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("6", "!many 6")), @r"
    error: YAML tags have no meaning here
     --> feeds/contracts.yaml:3:13
      |
    3 | partitions: !many 6
      |             ^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("feed: contracts", "? [a]\n: b")), @r"
    error: a name must be plain text
     --> feeds/contracts.yaml:1:3
      |
    1 | ? [a]
      |   ^^^

    1 mistake in feeds/contracts.yaml
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

    error: column `b` has a decimal of 1 to 38 digits, not more of them after the point than in all; it is `decimal(50,0)`
     --> feeds/contracts.yaml:6:59
      |
    6 |   parties: { source: mdm.parties, columns: { a: strng, b: 'decimal(50)' } }
      |                                                           ^^^^^^^^^^^^^^

    2 mistakes in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&table("format: orc")), @r"
    error: `format` can't be `orc`
     --> feeds/contracts.yaml:6:43
      |
    6 |   parties: { source: mdm.parties, format: orc }
      |                                           ^^^
      |
      = help: it is one of: `parquet`, `text`

    1 mistake in feeds/contracts.yaml
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

#[test]
fn mistakes_as_json_and_as_one_line() {
    let mistakes = parse("f.yaml", "feed: contracts\ntopik: t\n").unwrap_err();
    let json = serde_json::to_value(&mistakes).unwrap();
    let place = |index: usize| (json[index]["line"].as_u64(), json[index]["column"].as_u64());
    assert_eq!(json[0]["file"], "f.yaml");
    assert_eq!(place(0), (Some(1), Some(1)));
    let unknown = json.as_array().unwrap().iter().find(|record| record["line"] == 2).unwrap();
    assert_eq!(unknown["message"], "unknown setting `topik` in the feed");
    assert_eq!(unknown["help"], "did you mean `topic`?");
    assert!(mistakes.to_string().ends_with("f.yaml:2:1: unknown setting `topik` in the feed"));
}

#[test]
fn mistakes_are_a_usage_fault() {
    let fault = hivecast_run::Fault::from(parse("f.yaml", "").unwrap_err());
    assert_eq!(fault.class().exit_code(), 2);
    assert_eq!(fault.chain(), "1 mistake in f.yaml: f.yaml:1:1: the feed is empty");
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let mistakes = parse("f.yaml", "").unwrap_err();
    assert!(!mistakes.render(Color::Plain).contains('\u{1b}'));
    assert!(mistakes.render(Color::Ansi).contains('\u{1b}'));
}

#[test]
fn columns_count_characters_also_after_a_byte_order_mark() {
    for text in ["é: 1\nñandú: { é: 1, topik: 2 }\n", "\u{feff}é: 1\r\nñandú: { é: 1, topik: 2 }\r\n"]
    {
        let mistakes = parse("f", text).unwrap_err();
        let places: Vec<String> = mistakes.to_string().split("; ").map(str::to_owned).collect();
        assert!(
            places.iter().any(|place| place == "f:2:1: unknown setting `ñandú` in the feed"),
            "{places:?}"
        );
    }
}
