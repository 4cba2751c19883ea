//! Where tables and their partitions are found.

use hivecast_feed::Source;
use hivecast_run::Class;
use insta::assert_snapshot;

use crate::support::{NOON, Place, columns, date, day, feed, ints, ready_by_success, rows, table, texts};

const DAY: &str = "load_date=2026-11-22";

fn unqualified(name: &str) -> hivecast_feed::Table {
    let mut table = table(name);
    table.source = Source::Warehouse { database: None, table: name.to_owned() };
    table
}

#[test]
fn a_table_is_looked_for_as_hive_names_databases_then_as_people_do_then_at_the_root() {
    for (at, wins_over) in
        [("accounts", None), ("mdm/accounts", Some("accounts")), ("mdm.db/accounts", Some("mdm/accounts"))]
    {
        let place = Place::new();
        place.parquet(&format!("{at}/{DAY}/a.parquet"), vec![("n", ints(&[1]))]);
        if let Some(other) = wins_over {
            place.parquet(&format!("{other}/{DAY}/a.parquet"), vec![("n", ints(&[2]))]);
        }
        let input = place.table(table("accounts")).unwrap();
        assert_eq!(rows(&input), [["1", "2026-11-22"]], "{at}");
        assert_eq!(input.location.local_path(), Some(place.path(&format!("{at}/{DAY}"))));
    }
    let place = Place::new();
    place.parquet(&format!("accounts/{DAY}/a.parquet"), vec![("n", ints(&[3]))]);
    assert_eq!(rows(&place.table(unqualified("accounts")).unwrap()), [["3", "2026-11-22"]]);
}

#[test]
fn a_missing_table_is_told_with_the_places_and_near_names() {
    let place = Place::new();
    place.parquet(&format!("mdm.db/accounts/{DAY}/a.parquet"), vec![("n", ints(&[1]))]);
    let fault = place.table(table("acounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table acounts: no table `mdm.acounts` in the warehouse (Usage)
    advice: did you mean `mdm.accounts`?
    ");
}

#[test]
fn a_warehouse_that_is_not_there_is_a_usage_mistake() {
    let place = Place::new();
    let fault = hivecast_warehouse::Warehouse::open(&place.path("none")).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    place.write("file", "");
    let fault = hivecast_warehouse::Warehouse::open(&place.path("file")).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
}

#[test]
fn a_missing_partition_lists_the_newest_ten_dates() {
    let place = Place::new();
    for day in 1..=12 {
        place.parquet(
            &format!("mdm.db/accounts/load_date=2026-11-{day:02}/a.parquet"),
            vec![("n", ints(&[1]))],
        );
    }
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: ROOT/mdm.db/accounts has no partition load_date=2026-11-22: these exist: 2026-11-12, 2026-11-11, 2026-11-10, 2026-11-09, 2026-11-08, 2026-11-07, 2026-11-06, 2026-11-05, 2026-11-04, 2026-11-03 and 2 more (Data)
    advice: choose a load_date that exists, or wait for the export with --wait
    ");
}

#[test]
fn a_partition_that_is_no_date_is_named() {
    let place = Place::new();
    place.parquet("mdm.db/accounts/load_date=20261122/a.parquet", vec![("n", ints(&[1]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r#"
    table accounts: ROOT/mdm.db/accounts has no partition load_date=2026-11-22: no load_date exists; "20261122" is no date (YYYY-MM-DD) (Data)
    advice: choose a load_date that exists, or wait for the export with --wait
    "#);
}

#[test]
fn another_partition_column_is_named() {
    let place = Place::new();
    place.parquet("mdm.db/accounts/dt=2026-11-22/a.parquet", vec![("n", ints(&[1]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: ROOT/mdm.db/accounts is partitioned by dt, not by load_date (Data)
    advice: name the partition that holds the load_date in the table's `partition` in the feed
    ");
    let mut right = table("accounts");
    right.layout.partition = "dt".to_owned();
    assert_eq!(columns(&place.table(right).unwrap()), ["n: Int32", "dt: Utf8View"]);
}

#[test]
fn hives_escapes_in_directory_names_are_undone() {
    let place = Place::new();
    place.parquet("mdm.db/accounts/load_date=2026%2D11%2D22/a.parquet", vec![("n", ints(&[7]))]);
    assert_eq!(rows(&place.table(table("accounts")).unwrap()), [["7", "2026-11-22"]]);
    place.parquet(&format!("mdm.db/accounts/{DAY}/a.parquet"), vec![("n", ints(&[7]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_eq!(fault.class(), Class::Data);
    assert!(fault.chain().contains("both"), "{}", fault.chain());
}

#[test]
fn an_empty_partition_is_told() {
    let place = Place::new();
    place.write(&format!("mdm.db/accounts/{DAY}/_SUCCESS"), "");
    place.write(&format!("mdm.db/accounts/{DAY}/.a.parquet.crc"), "x");
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: no files in ROOT/mdm.db/accounts/load_date=2026-11-22 (Data)
    advice: export the partition again, or wait for the export with --wait
    ");
}

#[test]
fn hidden_files_and_directories_are_passed_over() {
    let place = Place::new();
    for name in ["a.parquet", ".b.parquet", "_c.parquet", "_temporary/d.parquet", ".e/f.parquet"] {
        place.parquet(&format!("mdm.db/accounts/{DAY}/{name}"), vec![("n", ints(&[1]))]);
    }
    place.parquet("mdm.db/accounts/.hive-staging/x.parquet", vec![("n", ints(&[1]))]);
    let input = place.table(table("accounts")).unwrap();
    assert_eq!(input.rows, Some(1));
    assert_eq!(input.files.len(), 1);
}

#[test]
fn directories_inside_a_partition_are_refused_rather_than_left_out() {
    let place = Place::new();
    place.parquet(&format!("mdm.db/accounts/{DAY}/a.parquet"), vec![("n", ints(&[1]))]);
    place.parquet(&format!("mdm.db/accounts/{DAY}/delta_0001/b.parquet"), vec![("n", ints(&[1]))]);
    place.parquet(&format!("mdm.db/parties/{DAY}/country=CA/b.parquet"), vec![("n", ints(&[1]))]);
    let nested = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&nested), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22 holds a directory delta_0001, where only files are read (Data)
    advice: export the table with one directory of files a load_date
    ");
    let further = place.table(table("parties")).unwrap_err();
    assert_snapshot!(place.text(&further), @r"
    table parties: ROOT/mdm.db/parties/load_date=2026-11-22 is partitioned further, by country, which is not read (Data)
    advice: export the table with one directory of files a load_date
    ");
}

#[test]
fn without_success_file_where_asked_it_is_not_whole_yet() {
    let place = Place::new();
    place.parquet(&format!("mdm.db/accounts/{DAY}/a.parquet"), vec![("n", ints(&[1]))]);
    let fault = place.table(ready_by_success("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: load_date 2026-11-22 is not whole yet: no _SUCCESS in ROOT/mdm.db/accounts/load_date=2026-11-22 (Infrastructure)
    advice: wait for the export with --wait 2h
    ");
    place.write(&format!("mdm.db/accounts/{DAY}/_SUCCESS"), "");
    assert_eq!(place.table(ready_by_success("accounts")).unwrap().rows, Some(1));
}

#[test]
fn every_tables_problem_is_told_at_once_under_the_worst_class() {
    let place = Place::new();
    place.parquet(&format!("mdm.db/accounts/{DAY}/a.parquet"), vec![("n", ints(&[1]))]);
    place.write(&format!("mdm.db/parties/{DAY}/a.parquet"), "");
    let fault =
        place.freeze(&feed([ready_by_success("accounts"), table("parties"), table("adresses")])).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    3 tables can't be read for load_date 2026-11-22: table accounts: load_date 2026-11-22 is not whole yet: no _SUCCESS in ROOT/mdm.db/accounts/load_date=2026-11-22; table parties: ROOT/mdm.db/parties/load_date=2026-11-22/a.parquet is empty (0 bytes), which no Parquet file is; table adresses: no table `mdm.adresses` in the warehouse (Usage)
    advice: wait for the export with --wait 2h; the export broke off, or is still being written: export the partition again; looked for ROOT/mdm.db/adresses, ROOT/mdm/adresses, ROOT/adresses; name the table in `source` as `database.table`, or correct the environment's `warehouse`
    ");
}

#[test]
fn load_dates_are_those_of_directories_or_of_the_column() {
    let place = Place::new();
    for name in ["load_date=2026-11-21", DAY, "load_date=__HIVE_DEFAULT_PARTITION__"] {
        place.parquet(&format!("mdm.db/accounts/{name}/a.parquet"), vec![("n", ints(&[1]))]);
    }
    let dates = ["2026-11-22", "2026-11-20", "2026-11-22", "never"];
    place.parquet("mdm.db/parties/a.parquet", vec![("Load_Date", texts(&dates))]);
    let warehouse = place.warehouse();
    assert_eq!(warehouse.load_dates(&table("accounts")).unwrap(), [date("2026-11-21"), day()]);
    assert_eq!(warehouse.load_dates(&table("parties")).unwrap(), [date("2026-11-20"), day()]);
    assert_eq!(warehouse.common_load_dates(&feed([table("accounts"), table("parties")])).unwrap(), [day()]);
}

#[test]
fn schemas_are_those_of_the_day_or_of_the_newest_one_whole_or_not() {
    let place = Place::new();
    place.parquet("mdm.db/accounts/load_date=2026-11-21/a.parquet", vec![("old", ints(&[1]))]);
    place.parquet(&format!("mdm.db/accounts/{DAY}/a.parquet"), vec![("new", ints(&[1]))]);
    let feed = feed([ready_by_success("accounts")]);
    let first_column =
        |date| place.warehouse().schemas(&feed, date, &NOON).unwrap()["accounts"].field(0).name().clone();
    assert_eq!(first_column(None), "new");
    assert_eq!(first_column(Some(date("2026-11-21"))), "old");
    assert!(place.warehouse().schemas(&feed, Some(date("2026-11-20")), &NOON).is_err());
}
