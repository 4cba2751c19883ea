//! Tables of real metastores. Needs the servers that `dev/with-services` starts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Int64Array, RecordBatch};
use hivecast_feed::{Feed, Ready, Source, Table as FeedTable};
use hivecast_metastore::{Metastore, Partition, Storage, Table, TableKind};
use hivecast_run::{Cancel, Class, Context, FixedClock};
use hivecast_storage::Stores;
use hivecast_warehouse::{Inputs, StoreProbe, Warehouse};
use parquet::file::properties::WriterProperties;

use crate::metastores::{Proxy, Server, at, columns, database, table, unique, uri};
use crate::support::{NOON, Told, date, day, feed, rows, table as feed_table, write_parquet};

/// Days that a table keeps: more than are worth asking for.
const MANY: usize = 1_200;

/// A table of a metastore behind a proxy, and a feed that reads it.
struct OnHive {
    directory: tempfile::TempDir,
    proxy: Proxy,
    metastore: Metastore,
    table: Table,
    told: Told,
    cancel: Cancel,
}

impl OnHive {
    fn new(server: Server, kind: &str) -> OnHive {
        let directory = tempfile::tempdir().unwrap();
        let proxy = Proxy::before(&server.address());
        let metastore = at(std::slice::from_ref(&server.address()));
        let database = database(&metastore, "warehouse", directory.path());
        let table = table(&metastore, &database, directory.path(), &[("load_date", kind)]);
        OnHive { directory, proxy, metastore, table, told: Told::default(), cancel: Cancel::default() }
    }

    fn context<'a>(&'a self, clock: &'a FixedClock) -> Context<'a> {
        Context { sink: &self.told, cancel: &self.cancel, clock }
    }

    fn warehouse(&self) -> Warehouse {
        Warehouse::of_metastore(at(std::slice::from_ref(&self.proxy.address)), Stores::default())
    }

    fn feed(&self, ready: Ready) -> Feed {
        let mut table: FeedTable = feed_table("accounts");
        table.source =
            Source::Warehouse { database: Some(self.table.database.clone()), table: self.table.name.clone() };
        table.layout.ready = ready;
        feed([table])
    }

    fn freeze(&self, ready: Ready) -> Result<Inputs, hivecast_run::Fault> {
        self.warehouse().freeze(&self.feed(ready), day(), self.context(&NOON))
    }

    /// A partition of this value, with so many rows in one file.
    fn day(&self, value: &str, rows: usize) -> Partition {
        let dir = self.directory.path().join(format!("days/{value}"));
        let ids: Vec<i64> = (0..rows as i64).collect();
        let batch = RecordBatch::try_from_iter([(
            "account_id",
            Arc::new(Int64Array::from(ids)) as arrow_array::ArrayRef,
        )]);
        write_parquet(&dir.join("a.parquet"), &[batch.unwrap()], WriterProperties::default());
        partition(value, &dir)
    }

    fn add(&self, partitions: &[Partition]) {
        assert_eq!(self.metastore.add_partitions(&self.table, partitions).unwrap(), partitions.len());
    }

    /// The calls and the bytes of their answers since the last time.
    fn asked(&self) -> (Vec<String>, u64) {
        (self.proxy.calls(), self.proxy.received())
    }
}

fn partition(value: &str, dir: &Path) -> Partition {
    Partition::new(vec![value.to_owned()], format!("file:{}", dir.display()))
}

fn value_of(kind: &str, date: &str) -> String {
    if kind == "int" { date.replace('-', "") } else { date.to_owned() }
}

/// Load_dates are texts, dates or numbers: 2026-11-22, and 20261122.
fn days_are_found_by_columns_of_any_type(server: Server) {
    for kind in ["string", "date", "int"] {
        let on = OnHive::new(server, kind);
        let days = ["2026-11-20", "2026-11-21", "2026-11-22"];
        on.add(&days.map(|day| on.day(&value_of(kind, day), 3)));
        let inputs = on.freeze(Ready::RowsWithin(0.1)).unwrap();
        assert_eq!(rows(&inputs.tables[0]), [["0", "2026-11-22"], ["1", "2026-11-22"], ["2", "2026-11-22"]]);
        inputs.recheck().unwrap();
        let warehouse = on.warehouse();
        let feed = on.feed(Ready::Exists);
        assert_eq!(warehouse.common_load_dates(&feed).unwrap(), days.map(date), "{kind}");
        let newest = warehouse.newest_ready(&feed, on.context(&NOON)).unwrap().unwrap();
        assert_eq!(newest.date, day(), "{kind}");
        let fault = warehouse.freeze(&feed, date("2026-11-25"), on.context(&NOON)).unwrap_err();
        assert_eq!(fault.class(), Class::Data);
        let lacking = format!("has no partition load_date={}", value_of(kind, "2026-11-25"));
        assert!(fault.chain().contains(&lacking), "{}", fault.chain());
        assert!(
            fault.chain().contains("these exist: 2026-11-22, 2026-11-21, 2026-11-20"),
            "{}",
            fault.chain()
        );
    }
}

/// What is asked of a table of many days does not grow with their number.
fn many_days_are_not_listed(server: Server) {
    for kind in ["string", "date", "int"] {
        let on = OnHive::new(server, kind);
        let mut partitions = Vec::new();
        let shared = on.directory.path().join("shared");
        // One a day, up to the 14th.
        for number in 0..MANY {
            let (year, month, day) = (2024 + number / 336, number / 28 % 12 + 1, number % 28 + 1);
            let value = value_of(kind, &format!("{year}-{month:02}-{day:02}"));
            if value < value_of(kind, "2026-11-15") {
                partitions.push(partition(&value, &shared));
            }
        }
        for day in 15..=22 {
            partitions.push(on.day(&value_of(kind, &format!("2026-11-{day}")), 10));
        }
        let names: u64 =
            partitions.iter().map(|one| "load_date=".len() as u64 + one.values[0].len() as u64 + 4).sum();
        on.add(&partitions);
        on.asked();
        let feed = on.feed(Ready::Exists);

        patiently(|| {
            on.asked();
            let newest = on.warehouse().newest_ready(&feed, on.context(&NOON)).unwrap().unwrap();
            assert_eq!(newest.date, day());
            let calls = ["get_partition_names", "get_partition_values", "get_partitions_by_filter"];
            is_little("latest", names, on.asked(), &calls)
        });
        patiently(|| {
            on.asked();
            on.warehouse().schemas(&feed, None, &NOON).unwrap();
            let calls = ["get_partition_names", "get_partition_values", "get_partitions_by_filter"];
            is_little("columns", names, on.asked(), &calls)
        });
        patiently(|| {
            on.asked();
            let probes = on.warehouse().try_reading(&feed, &NOON);
            assert!(matches!(probes.as_slice(), [StoreProbe { outcome: Ok(1), .. }]), "{probes:?}");
            let calls = ["get_partition_names", "get_partition_values", "get_partitions_by_filter"];
            is_little("reading", names, on.asked(), &calls)
        });
        patiently(|| {
            on.asked();
            on.freeze(Ready::RowsWithin(0.1)).unwrap();
            let first = ["get_partitions_by_filter", "get_partition_names", "get_partition_values"];
            let calls = [&first[..], &["get_partitions_by_filter"; 7]].concat();
            is_little("rows_within", names, on.asked(), &calls)
        });
        // Looked for once a poll; the last look tells what there is instead.
        patiently(|| {
            on.asked();
            let (late, wait) = (date("2026-11-25"), Duration::from_secs(100));
            let fault =
                on.warehouse().freeze_when_ready(&feed, late, Some(wait), on.context(&NOON)).unwrap_err();
            let mut calls = vec!["get_partitions_by_filter"; 9];
            calls.extend(["get_partition_names", "get_partition_values"]);
            is_little("waiting", names, on.asked(), &calls)?;
            let told = fault.chain();
            assert!(told.contains("the newest that exist: 2026-11-22, 2026-11-21, "), "{told}");
            Ok(())
        });
    }
}

/// What was asked is not what should have been.
#[derive(Debug)]
struct Unlike {
    told: String,
    /// The server refused to pick, and then all names are asked for.
    refused: bool,
}

/// A server's embedded database, at which all tests are busy, now and then refuses to pick. Nothing else is
/// measured again.
fn patiently(mut measure: impl FnMut() -> Result<(), Unlike>) {
    const TRIES: usize = 3;
    let mut refusals = Vec::new();
    while let Err(unlike) = measure() {
        assert!(unlike.refused, "{}", unlike.told);
        refusals.push(unlike.told);
        assert!(refusals.len() < TRIES, "{refusals:#?}");
    }
}

/// Whether the calls about partitions are these, and all answers together smaller than the names of all.
fn is_little(
    what: &str,
    names: u64,
    (calls, bytes): (Vec<String>, u64),
    expected: &[&str],
) -> Result<(), Unlike> {
    let calls: Vec<&str> =
        calls.iter().map(String::as_str).filter(|call| call.contains("partition")).collect();
    if calls == expected && bytes < names {
        return Ok(());
    }
    let told = format!("{what}: {bytes} bytes, where the names of all are {names}: {calls:?}");
    Err(Unlike { told, refused: was_refused(&calls) })
}

/// Whether partitions were asked for another way after the server was asked to pick them.
fn was_refused(calls: &[&str]) -> bool {
    let instead = |pair: &[&str]| match pair {
        ["get_partition_values", then] => *then == "get_partition_names",
        ["get_partitions_by_filter", then] => then.starts_with("get_partitions_by_names"),
        _ => false,
    };
    calls.windows(2).any(instead)
}

#[test]
fn only_a_refused_filter_is_measured_again() {
    assert!(was_refused(&["get_partition_names", "get_partition_values", "get_partition_names"]));
    assert!(was_refused(&["get_partitions_by_filter", "get_partitions_by_names_req"]));
    assert!(!was_refused(&["get_partitions_by_filter", "get_partition_names", "get_partition_values"]));
    assert!(!was_refused(&["get_partition_names", "get_partitions_by_filter"]));
}

const SIMPLE_SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
const JSON_SERDE: &str = "org.apache.hive.hcatalog.data.JsonSerDe";

fn written_as(serde: &str, location: String) -> Storage {
    Storage {
        location: Some(location),
        input_format: "org.apache.hadoop.mapred.TextInputFormat".to_owned(),
        output_format: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat".to_owned(),
        serde_library: serde.to_owned(),
        ..Storage::default()
    }
}

impl OnHive {
    /// With a table of other columns, and one day of it that has columns and a file of its own.
    fn with_own_columns(
        server: Server,
        serde: &str,
        table: &[(&str, &str)],
        own: &[(&str, &str)],
        text: &str,
    ) -> OnHive {
        let mut on = OnHive::new(server, "string");
        let mut other = Table::new(&on.table.database, unique("other"), TableKind::External);
        other.columns = columns(table).into();
        other.partition_columns = columns(&[("load_date", "string")]);
        other.storage = written_as(serde, uri(on.directory.path(), "other"));
        on.metastore.create_table(&other).unwrap();
        on.table = on.metastore.table(&other.database, &other.name).unwrap().unwrap();
        let dir = on.directory.path().join("own");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("a"), text).unwrap();
        let mut day = partition("2026-11-22", &dir);
        day.columns = columns(own).into();
        day.storage = written_as(serde, uri(on.directory.path(), "own"));
        on.add(&[day]);
        on
    }
}

/// What Hive gives for such a partition: text by the partition's columns, one by one in their order, which
/// then become the table's.
fn a_partition_has_columns_of_its_own(server: Server) {
    let table = [("a", "bigint"), ("b", "string"), ("c", "string"), ("d", "int")];
    for (serde, own, text, expected) in [
        // The fourth field is none of the partition's, and 007 is the number 7.
        (
            SIMPLE_SERDE,
            &[("x", "int"), ("y", "int"), ("c", "string")][..],
            "1\u{1}007\u{1}z\u{1}4\n",
            ["1", "7", "z", "∅"],
        ),
        // What is text there may be a number here.
        (
            SIMPLE_SERDE,
            &[("a", "string"), ("b", "date")],
            "1\u{1}2026-01-02\u{1}z\n",
            ["1", "2026-01-02", "∅", "∅"],
        ),
        (
            JSON_SERDE,
            &[("x", "int"), ("b", "string")],
            "{\"x\":1,\"b\":\"u\",\"c\":\"v\",\"a\":9}\n",
            ["1", "u", "∅", "∅"],
        ),
    ] {
        let on = OnHive::with_own_columns(server, serde, &table, own, text);
        let inputs = on.freeze(Ready::Exists).unwrap();
        let expected = [&expected[..], &["2026-11-22"]].concat();
        assert_eq!(rows(&inputs.tables[0]), [expected], "{serde} {own:?}");
    }
    let on = OnHive::with_own_columns(server, SIMPLE_SERDE, &table, &[("a", "double")], "1.5\n");
    let fault = on.freeze(Ready::Exists).unwrap_err();
    assert_eq!(fault.class(), Class::Data);
    assert!(fault.chain().contains("column a of the partition in /"), "{}", fault.chain());
    assert!(fault.chain().contains("is double, says the metastore"), "{}", fault.chain());
}

/// The other columns are read, and stay where they are.
fn a_column_that_is_not_read_is_left_out(server: Server) {
    let table = [("u", "uniontype<int,string>"), ("a", "int"), ("i", "interval_day_time"), ("b", "string")];
    let on = OnHive::with_own_columns(server, SIMPLE_SERDE, &table, &table, "0\u{2}5\u{1}7\u{1}x\u{1}z\n");
    let inputs = on.freeze(Ready::Exists).unwrap();
    assert_eq!(rows(&inputs.tables[0]), [["7", "z", "2026-11-22"]]);
    let told = inputs.tables[0].schema.metadata();
    assert!(told["hivecast.unreadable.u"].contains("is a uniontype"), "{told:?}");
    assert!(told["hivecast.unreadable.i"].contains("interval_day_time"), "{told:?}");
}

#[test]
fn own_columns_of_hive_3() {
    a_partition_has_columns_of_its_own(Server::Hive3);
}

#[test]
fn own_columns_of_hive_4() {
    a_partition_has_columns_of_its_own(Server::Hive4);
}

#[test]
fn unread_columns_of_hive_3() {
    a_column_that_is_not_read_is_left_out(Server::Hive3);
}

#[test]
fn unread_columns_of_hive_4() {
    a_column_that_is_not_read_is_left_out(Server::Hive4);
}

#[test]
fn days_of_hive_3() {
    days_are_found_by_columns_of_any_type(Server::Hive3);
}

#[test]
fn days_of_hive_4() {
    days_are_found_by_columns_of_any_type(Server::Hive4);
}

#[test]
fn many_days_of_hive_3() {
    many_days_are_not_listed(Server::Hive3);
}

#[test]
fn many_days_of_hive_4() {
    many_days_are_not_listed(Server::Hive4);
}

/// However many tables a feed reads, the database's are looked at once.
fn neighbours_are_asked_for_once(server: Server) {
    let on = OnHive::new(server, "string");
    let home = on.directory.path().join(&on.table.name);
    on.add(&["2026-11-20", "2026-11-21", "2026-11-22"].map(|value| partition(value, &home.join(value))));
    let (warehouse, feed) = (on.warehouse(), on.feed(Ready::Exists));
    on.asked();
    for _ in 0..2 {
        let old = warehouse.old_partitions(&feed.tables[0], 1, &|_| true).unwrap();
        assert_eq!(old.len(), 2);
    }
    let (calls, _) = on.asked();
    let asked = calls.iter().filter(|call| *call == "get_all_tables");
    assert_eq!(asked.count(), 1, "{calls:?}");
}

#[test]
fn neighbours_on_hive_3() {
    neighbours_are_asked_for_once(Server::Hive3);
}

#[test]
fn neighbours_on_hive_4() {
    neighbours_are_asked_for_once(Server::Hive4);
}
