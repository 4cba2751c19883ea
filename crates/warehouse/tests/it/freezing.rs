//! The frozen list of files, and dates that are a column.

use std::fs;
use std::sync::Arc;

use arrow_array::{Date32Array, Int64Array, StringArray};
use hivecast_run::Class;
use insta::assert_snapshot;

use crate::support::{
    Place, columns, day, feed, ints, ready_by_success, rows, rows_of, set_hour, table, texts,
};

const DIR: &str = "mdm.db/accounts/load_date=2026-11-22";

#[test]
fn files_are_sorted_and_frozen_with_size_time_and_row_groups() {
    let place = Place::new();
    for name in ["b", "c", "a"] {
        place.parquet(&format!("{DIR}/{name}"), vec![("n", ints(&[1, 2]))]);
    }
    let input = place.table(table("accounts")).unwrap();
    let names: Vec<_> = input.files.iter().map(|file| file.path.name().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    for file in &input.files {
        assert_eq!(file.size, fs::metadata(file.path.path()).unwrap().len());
        assert_eq!(file.modified_ns, (day().days_since_epoch() * 86_400 + 4 * 3600) * 1_000_000_000);
        assert_eq!(file.row_groups.iter().map(|group| group.rows).collect::<Vec<_>>(), [2]);
    }
    assert_eq!(input.rows, Some(6));
    assert_eq!(input.column_bytes, [6 * 4, 0]);
    assert_eq!(input.decoded_bytes(), 24);
}

#[test]
fn recheck_names_what_was_changed_removed_and_added() {
    let place = Place::new();
    for name in ["a", "b", "c"] {
        place.parquet(&format!("{DIR}/{name}"), vec![("n", ints(&[1, 2]))]);
    }
    let inputs = place.freeze(&feed([table("accounts")])).unwrap();
    inputs.recheck().unwrap();
    place.write(&format!("{DIR}/_SUCCESS"), "");
    inputs.recheck().unwrap();

    set_hour(&place.path(&format!("{DIR}/a")), 5);
    fs::remove_file(place.path(&format!("{DIR}/b"))).unwrap();
    place.parquet(&format!("{DIR}/d"), vec![("n", ints(&[1]))]);
    let fault = inputs.recheck().unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    load_date 2026-11-22 was changed while it was read: ROOT/mdm.db/accounts/load_date=2026-11-22/a was changed, ROOT/mdm.db/accounts/load_date=2026-11-22/b was removed, ROOT/mdm.db/accounts/load_date=2026-11-22/d was added (Infrastructure)
    advice: run again once the export has ended; `ready: success_file` in the feed, with --wait, waits for it
    ");
}

#[test]
fn recheck_notices_a_mark_or_a_partition_that_is_gone() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a"), vec![("n", ints(&[1]))]);
    place.write(&format!("{DIR}/_SUCCESS"), "");
    let inputs = place.freeze(&feed([ready_by_success("accounts")])).unwrap();
    inputs.recheck().unwrap();
    fs::remove_file(place.path(&format!("{DIR}/_SUCCESS"))).unwrap();
    let fault = inputs.recheck().unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
    assert!(
        fault.chain().contains("table accounts") && fault.chain().contains("no _SUCCESS in"),
        "{}",
        fault.chain()
    );

    place.parquet("mdm.db/accounts/load_date=2026-11-21/a", vec![("n", ints(&[1]))]);
    fs::remove_dir_all(place.path(DIR)).unwrap();
    let fault = inputs.recheck().unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
    assert!(fault.chain().contains("has no partition load_date=2026-11-22"), "{}", fault.chain());
    fs::remove_dir_all(place.path("mdm.db/accounts")).unwrap();
    let fault = inputs.recheck().unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
    assert!(fault.chain().contains("no table `mdm.accounts`"), "{}", fault.chain());
}

#[test]
fn a_file_whose_length_alone_changed_is_found() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a"), vec![("n", ints(&[1]))]);
    let inputs = place.freeze(&feed([table("accounts")])).unwrap();
    let mut bytes = fs::read(place.path(&format!("{DIR}/a"))).unwrap();
    bytes.push(0);
    place.write(&format!("{DIR}/a"), bytes);
    assert_eq!(inputs.recheck().unwrap_err().class(), Class::Infrastructure);
}

#[test]
fn rows_are_filtered_on_a_column_of_text_or_date() {
    let days = day().days_since_epoch() as i32;
    let text = StringArray::from(vec![Some("2026-11-22"), Some("2026-11-21"), None, Some("2026-11-22")]);
    let dates = Date32Array::from(vec![Some(days), Some(days - 1), None, Some(days)]);
    for column in [Arc::new(text) as arrow_array::ArrayRef, Arc::new(dates)] {
        let place = Place::new();
        place.parquet("mdm.db/accounts/a.parquet", vec![("n", ints(&[1, 2, 3, 4])), ("LOAD_DATE", column)]);
        let input = place.table(table("accounts")).unwrap();
        assert_eq!(input.date_column.as_deref(), Some("load_date"));
        assert_eq!((input.rows, input.partition_column), (Some(2), None));
        assert_eq!(rows(&input), [["1", "2026-11-22"], ["4", "2026-11-22"]]);
        // The column need not be asked for to be filtered on.
        assert_eq!(rows_of(&input, &[0], 1).unwrap(), [["1"], ["4"]]);
    }
}

#[test]
fn a_date_that_no_row_has_lists_those_that_rows_have() {
    let place = Place::new();
    place.parquet("mdm.db/accounts/a.parquet", vec![("load_date", texts(&["2026-11-20", "2026-11-21"]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: no row in ROOT/mdm.db/accounts has load_date 2026-11-22: these exist: 2026-11-21, 2026-11-20 (Data)
    advice: choose a load_date that exists, or wait for the export with --wait
    ");
}

#[test]
fn a_table_without_directories_or_column_for_the_date_is_told() {
    let place = Place::new();
    place.parquet("mdm.db/accounts/a.parquet", vec![("n", ints(&[1]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: ROOT/mdm.db/accounts has neither directories load_date=YYYY-MM-DD nor a column load_date in its files (Data)
    advice: name the directory or column that holds the load_date in the table's `partition` in the feed
    ");
    place.parquet("mdm.db/accounts/a.parquet", vec![("load_date", ints(&[20_261_122]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: column load_date in ROOT/mdm.db/accounts is int, where the load_date must be string or date (Data)
    advice: none
    ");
}

#[test]
fn the_path_speaks_where_a_file_has_a_column_of_the_partitions_name() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a"), vec![("load_date", texts(&["1999-01-01"])), ("n", ints(&[1]))]);
    let input = place.table(table("accounts")).unwrap();
    assert_eq!(columns(&input), ["n: Int32", "load_date: Utf8View"]);
    assert_eq!(rows(&input), [["1", "2026-11-22"]]);
}

#[test]
fn a_partition_of_files_without_rows_is_whole_but_worth_a_warning() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a"), vec![("n", ints(&[]))]);
    let input = place.table(table("accounts")).unwrap();
    assert_eq!(rows(&input), Vec::<Vec<String>>::new());
    assert_eq!(
        *place.told.0.lock().unwrap(),
        ["table accounts: the files of load_date 2026-11-22 hold no rows"]
    );
}

#[test]
fn any_columns_in_any_order_even_none() {
    let place = Place::new();
    place.parquet(
        &format!("{DIR}/a"),
        vec![("a", ints(&[1, 2])), ("b", texts(&["x", "y"])), ("c", Arc::new(Int64Array::from(vec![5, 6])))],
    );
    let input = place.table(table("accounts")).unwrap();
    assert_eq!(
        rows_of(&input, &[3, 2, 0], 10).unwrap(),
        [["2026-11-22", "5", "1"], ["2026-11-22", "6", "2"]]
    );
    assert_eq!(rows_of(&input, &[1, 1], 10).unwrap(), [["x", "x"], ["y", "y"]]);
    assert_eq!(rows_of(&input, &[], 10).unwrap(), [Vec::<String>::new(), Vec::new()]);
    assert_eq!(rows_of(&input, &[9], 10).unwrap_err().class(), Class::Bug);
}
