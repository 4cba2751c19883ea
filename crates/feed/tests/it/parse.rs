use std::time::Duration;

use hivecast_feed::{
    Atomicity, ColumnType, EnvelopeStyle, FileFormat, Header, Mask, Nulls, Ready, Rule, Severity, Shape,
    Source, parse,
};

use crate::support::{GOOD, good_but};

/// Every setting there is, none at its default.
pub(crate) const EVERYTHING: &str = r#"
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
    collection: "|"
    map_key: \004
    skip_header_lines: 2
    skip_footer_lines: 1
    columns: { x: int, y: "decimal(10,2)", z: varchar(20), n: "array<map<string,char(3)>>" }
    partition: day
    ready: success_file
  b: { source: b, format: parquet }
  c: { sql: select * from a }
  d: { source: d, ready: { parameter: exported=true } }
  e: { source: e, ready: { unchanged_for: 10m } }
  f: { source: f, ready: { rows_within: 20% } }
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
    assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
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
    assert_eq!((layout.format, layout.ready.clone()), (Some(FileFormat::Text), Ready::SuccessFile));
    assert_eq!(layout.partition, "day");
    let columns = [
        ("x".to_owned(), ColumnType::Int),
        ("y".to_owned(), ColumnType::Decimal(10, 2)),
        ("z".to_owned(), ColumnType::Varchar(20)),
        ("n".to_owned(), ColumnType::parse("array<map<string,char(3)>>").unwrap()),
    ];
    assert_eq!(layout.columns.as_deref(), Some(columns.as_slice()));
    assert_eq!((layout.text.delimiter, layout.text.header), (b'\t', Header::Present));
    assert_eq!((layout.text.quote, layout.text.escape), (None, Some(b'\\')));
    assert_eq!(layout.text.null, "");
    assert_eq!((layout.text.collection, layout.text.map_key), (b'|', 4));
    assert_eq!((layout.text.skip_header_lines, layout.text.skip_footer_lines), (2, 1));
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
    assert_eq!(
        (layout.format, layout.ready.clone(), layout.partition.as_str()),
        (None, Ready::Exists, "load_date")
    );
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
fn readiness_that_needs_more_than_a_word() {
    let ready = |text: &str| {
        let feed = good_but("{ source: mdm.parties }", &format!("{{ source: mdm.parties, ready: {text} }}"));
        parse("feed.yaml", &feed).map(|(feed, _)| feed.tables[1].layout.ready.clone())
    };
    let parameter = |value: Option<&str>| Ready::Parameter {
        name: "exported".to_owned(),
        value: value.map(str::to_owned),
    };
    assert_eq!(ready("{ parameter: exported=true }").unwrap(), parameter(Some("true")));
    assert_eq!(ready("{ parameter: exported }").unwrap(), parameter(None));
    assert_eq!(ready("{ unchanged_for: 10m }").unwrap(), Ready::UnchangedFor(Duration::from_secs(600)));
    assert_eq!(ready("{ rows_within: 20% }").unwrap(), Ready::RowsWithin(0.2));
    for wrong in
        ["{ unchanged_for: 10m, rows_within: 20% }", "{ parameter: =x }", "{ unchanged: 10m }", "sometime"]
    {
        assert!(ready(wrong).is_err(), "{wrong}");
    }
}
