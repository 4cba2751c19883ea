//! The same edition, whichever engine builds it: the example feed, and what its shapes don't have.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::{
    Array, ArrayRef, Date32Array, Int64Array, MapArray, RecordBatch, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::Field;
use hivecast_engine::Embedded;
use hivecast_run::{Cancel, Class, Context, FixedClock, Silent};
use hivecast_sample::{Destination, Existing, FileFormat, Options};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::support::{DATE, Server, assert_same, build, plan};

pub(crate) const CONTRACTS: &str = include_str!("../../../../examples/mdm/feeds/contracts.yaml");

/// The sample export of one day.
pub(crate) fn export(root: &Path, accounts: u64, format: FileFormat) {
    let options = Options {
        to: Destination::Directory(root.to_owned()),
        database: hivecast_sample::DATABASE.to_owned(),
        accounts,
        days: 1,
        seed: 7,
        last_date: DATE.parse().unwrap(),
        format,
        skew: Some(50),
        existing: Existing::Refuse,
    };
    let context = Context { sink: &Silent, cancel: &Cancel::default(), clock: &FixedClock(0) };
    hivecast_sample::write(&options, context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
}

#[test]
fn the_example_feed_is_built_alike() {
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 3_000, FileFormat::Parquet);
    let plan = plan(CONTRACTS, root.path(), DATE.parse().unwrap());
    for server in Server::ALL {
        assert_same(&plan, server, root.path());
    }
}

const GATES: &str = "
gates:
  null_rate: { of: parties, column: relation_type, max: 100%, severity: warn }
  allowed:
    - { of: accounts, column: branch_code, values: ['1', '2', '3'], severity: quarantine }
    - { of: parties, column: relation_type, values: [OWNER], severity: quarantine }
  unique: { of: addresses, columns: [city, postal_code], severity: warn }
  orphans:
    - { of: parties, max: 0.1%, severity: quarantine }
    - { of: addresses, max: 100%, severity: warn }
  sql:
    - { name: branches, query: \"select branch_code, count(*) from accounts group by branch_code having count(*) > 10\", severity: warn }
    - { name: foreign, query: \"select account_id from accounts where country <> 'Canada'\", severity: quarantine }
";

#[test]
fn gates_find_and_set_aside_the_same() {
    let (feed, _) = CONTRACTS.split_once("\ngates:\n").unwrap();
    let feed = format!("{feed}\n{GATES}");
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 1_000, FileFormat::Parquet);
    let plan = plan(&feed, root.path(), DATE.parse().unwrap());
    for server in Server::ALL {
        assert_same(&plan, server, root.path());
    }
}

#[test]
fn a_gate_on_nulls_has_no_examples() {
    let feed = "
feed: people
topic: people
partitions: 1
tables:
  people: { source: people }
document: { from: people, key: id, fields: { name: name } }
gates:
  null_rate: { of: people, column: name, max: 10%, severity: warn }
";
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join(format!("people/load_date={DATE}"));
    std::fs::create_dir_all(&dir).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("name", Arc::new(arrow_array::StringArray::from(vec![None, Some("Ada")]))),
    ]);
    write_file(&dir, &batch.unwrap());
    let plan = plan(feed, root.path(), DATE.parse().unwrap());
    for server in Server::ALL {
        let edition = build(&server.engine(), &plan, root.path());
        let edition = edition.unwrap_or_else(|fault| panic!("{}", fault.chain()));
        let gates = edition.description.gates.iter();
        let found = gates.into_iter().find(|gate| gate.gate.starts_with("null_rate")).unwrap();
        assert!(found.measured.contains("1 of 2"), "{server:?}: {found:?}");
        assert!(found.examples.is_empty(), "{server:?}: {found:?}");
    }
}

#[test]
fn queries_are_tables_of_the_same_rows() {
    let tables = "
  owners: { sql: \"select account_id, count(*) as owners, min(relation_start_date) as since from parties where relation_type is not null group by account_id\", where: owners > 1 }
";
    let fields = "
    owners:
      one: owners
      on: account_id
      fields: { count: owners, since: since }
";
    let feed = CONTRACTS.replacen("\ndocument:", &format!("{tables}\ndocument:"), 1).replacen(
        "\nenvelope:",
        &format!("{fields}\nenvelope:"),
        1,
    );
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 1_000, FileFormat::Parquet);
    let plan = plan(&feed, root.path(), DATE.parse().unwrap());
    for server in Server::ALL {
        assert_same(&plan, server, root.path());
    }
}

#[test]
fn what_spark_would_build_otherwise_is_refused_with_the_reason() {
    for (from, to, expected) in [
        (
            "contractBranchCode: branch_code",
            "contractBranchCode: cast(account_start_date as string)",
            "another way in Spark",
        ),
        ("key: account_id", "key: initcap(account_id)", "initcap"),
        ("active_ind = 1", "initcap(account_id) = 'A'", "`where` of table accounts"),
    ] {
        let feed = CONTRACTS.replacen(from, to, 1);
        assert_ne!(feed, CONTRACTS);
        let root = tempfile::tempdir().unwrap();
        export(root.path(), 10, FileFormat::Parquet);
        let plan = plan(&feed, root.path(), DATE.parse().unwrap());
        let fault = hivecast_spark::check(&plan.checked, &plan.inputs).unwrap_err();
        assert_eq!(fault.class(), Class::Usage);
        assert!(fault.chain().contains(expected), "{}", fault.chain());
        assert!(fault.chain().contains("feed.yaml:"), "{}", fault.chain());
    }
}

#[test]
fn other_formats_are_refused_by_their_tables_name() {
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 10, FileFormat::Avro);
    let feed = CONTRACTS.to_owned();
    let plan = plan(&feed, root.path(), DATE.parse().unwrap());
    let fault = hivecast_spark::check(&plan.checked, &plan.inputs).unwrap_err();
    assert!(
        fault.chain().contains("table accounts can't be built with Spark: it has files that Spark reads"),
        "{}",
        fault.chain()
    );
}

const MAPS: &str = "
feed: maps
topic: maps
partitions: 1
tables:
  people: { source: people }
  pets: { source: pets }
document:
  from: people
  key: id
  fields:
    plain: plain
    within: within
    listed: listed
    pets: { many: pets, on: id, key: id, fields: { plain: plain } }
gates:
  allowed: { of: people, column: id, values: ['1'], severity: quarantine }
";

fn map_builder() -> MapBuilder<StringBuilder, Int64Builder> {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    MapBuilder::new(Some(names), StringBuilder::new(), Int64Builder::new())
}

fn append(maps: &mut MapBuilder<StringBuilder, Int64Builder>, keys: [&str; 3]) {
    for (number, key) in keys.into_iter().enumerate() {
        maps.keys().append_value(key);
        maps.values().append_value(number as i64);
    }
    maps.append(true).unwrap();
}

/// One map for each row, its entries in no order.
fn maps() -> MapArray {
    let mut maps = map_builder();
    append(&mut maps, ["b", "c", "a"]);
    append(&mut maps, ["z", "x", "y"]);
    maps.finish()
}

/// A table with maps as a column, in a struct and in a list.
fn export_maps(root: &Path, table: &str) {
    let dir = root.join(format!("{table}/load_date={DATE}"));
    std::fs::create_dir_all(&dir).unwrap();
    let plain: ArrayRef = Arc::new(maps());
    let field = Arc::new(Field::new("inner", plain.data_type().clone(), true));
    let within: ArrayRef = Arc::new(StructArray::from(vec![(field, Arc::clone(&plain))]));
    let mut listed = ListBuilder::new(map_builder());
    for keys in [["n", "m", "l"], ["3", "1", "2"]] {
        append(listed.values(), keys);
        listed.append(true);
    }
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("plain", plain),
        ("within", within),
        ("listed", Arc::new(listed.finish())),
    ]);
    write_file(&dir, &batch.unwrap());
}

fn write_file(dir: &Path, batch: &RecordBatch) {
    write_marked(dir, batch, &[]);
}

/// With these entries in the footer, by which writers leave what they mean.
fn write_marked(dir: &Path, batch: &RecordBatch, marks: &[(&str, &str)]) {
    let marks = marks.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned()));
    let properties = WriterProperties::builder().set_key_value_metadata(Some(marks.collect())).build();
    let file = std::fs::File::create(dir.join("part-0.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn maps_have_the_order_of_their_keys_wherever_they_lie() {
    let root = tempfile::tempdir().unwrap();
    export_maps(root.path(), "people");
    export_maps(root.path(), "pets");
    let plan = plan(MAPS, root.path(), DATE.parse().unwrap());
    let set_aside = |engine: &dyn hivecast_engine::Engine| {
        let edition = build(engine, &plan, root.path()).unwrap_or_else(|fault| panic!("{}", fault.chain()));
        std::fs::read_to_string(edition.quarantine_file().unwrap()).unwrap()
    };
    let expected = set_aside(&Embedded);
    assert!(expected.contains("{x: 1, y: 2, z: 0}"), "{expected}");
    for server in Server::ALL {
        assert_same(&plan, server, root.path());
        // A cluster gives whole rows, and the embedded engine the columns that the feed reads.
        let told = set_aside(&server.engine()).replace("\"load_date\":\"2026-11-22\",", "");
        assert_eq!(told, expected, "{server:?}");
    }
}

const DAYS_OF_OLD: &str = "
feed: days
topic: days
partitions: 1
tables:
  people: { source: people }
document:
  from: people
  key: id
  fields: { born: born, seen: seen }
";

/// 1582-10-15, and a day later than the first of 1900: from there on all of Java's classes count alike.
const FIRST_DAY: i32 = -141_427;
const FIRST_TIME: i64 = -25_566 * 86_400_000_000;

/// A plan over people who were born and seen then, in a file of an old writer.
fn old_plan(root: &Path, marks: &[(&str, &str)], born: i32, seen: i64) -> hivecast_engine::Plan {
    let dir = root.join(format!("people/load_date={DATE}"));
    std::fs::create_dir_all(&dir).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("born", Arc::new(Date32Array::from(vec![Some(20_000), None, Some(born)]))),
        ("seen", Arc::new(TimestampMicrosecondArray::from(vec![Some(seen), Some(0), None]))),
    ]);
    write_marked(&dir, &batch.unwrap(), marks);
    plan(DAYS_OF_OLD, root, DATE.parse().unwrap())
}

#[test]
fn days_that_every_calendar_has_are_read_from_files_of_old_writers() {
    let hive = [("writer.date.proleptic", "false")];
    let spark = [("org.apache.spark.version", "2.4.8"), ("org.apache.spark.timeZone", "America/Los_Angeles")];
    for marks in [hive.as_slice(), spark.as_slice()] {
        let root = tempfile::tempdir().unwrap();
        let plan = old_plan(root.path(), marks, FIRST_DAY, FIRST_TIME);
        for server in Server::ALL {
            assert_same(&plan, server, root.path());
        }
    }
    for (marks, born, seen, why) in [
        (hive.as_slice(), FIRST_DAY - 1, FIRST_TIME, "may hold dates before 1582-10-15"),
        (spark.as_slice(), FIRST_DAY - 1, FIRST_TIME, "may hold dates before 1582-10-15"),
        (spark.as_slice(), FIRST_DAY, FIRST_TIME - 1, "may hold dates before 1582-10-15"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let plan = old_plan(root.path(), marks, born, seen);
        let fault = hivecast_spark::check(&plan.checked, &plan.inputs).unwrap_err();
        assert!(fault.chain().contains(why), "{}", fault.chain());
    }
}
