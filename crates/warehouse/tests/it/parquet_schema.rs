//! One schema for Parquet files that differ.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int16Array,
    Int64Array, LargeStringArray, ListArray, StringArray, TimestampMillisecondArray, UInt32Array,
};
use hivecast_run::Class;
use insta::assert_snapshot;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::support::{Place, columns, ints, rows, set_hour, table, texts};

const DIR: &str = "mdm.db/accounts/load_date=2026-11-22";

fn decimals(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
    let values = Decimal128Array::from(values.to_vec());
    Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
}

#[test]
fn columns_are_united_by_name_in_the_order_of_the_newest_file() {
    let place = Place::new();
    place.parquet_at(&format!("{DIR}/a"), 6, vec![("B", texts(&["b1"])), ("a", ints(&[1]))]);
    place.parquet_at(&format!("{DIR}/b"), 5, vec![("A", ints(&[2])), ("gone", texts(&["g2"]))]);
    place.parquet_at(&format!("{DIR}/c"), 4, vec![("b", texts(&["b3"])), ("Older", texts(&["o3"]))]);
    let input = place.table(table("accounts")).unwrap();
    assert_eq!(
        columns(&input),
        ["b: Utf8View", "a: Int32", "gone: Utf8View", "older: Utf8View", "load_date: Utf8View"]
    );
    assert!(input.schema.fields().iter().all(|field| field.is_nullable()));
    assert_eq!(
        rows(&input),
        [
            ["b1", "1", "∅", "∅", "2026-11-22"],
            ["∅", "2", "g2", "∅", "2026-11-22"],
            ["b3", "∅", "∅", "o3", "2026-11-22"]
        ]
    );
}

#[test]
fn types_widen_as_hive_allows() {
    let place = Place::new();
    let small: Vec<(&str, ArrayRef)> = vec![
        ("i", Arc::new(Int16Array::from(vec![-7]))),
        ("f", Arc::new(Float32Array::from(vec![1.5]))),
        ("d", ints(&[12])),
        ("e", decimals(&[1234], 5, 2)),
    ];
    let wide: Vec<(&str, ArrayRef)> = vec![
        ("i", Arc::new(Int64Array::from(vec![1 << 40]))),
        ("f", Arc::new(Float64Array::from(vec![0.1]))),
        ("d", decimals(&[150], 10, 2)),
        ("e", decimals(&[1], 10, 4)),
    ];
    for (first, second) in [(&small, &wide), (&wide, &small)] {
        place.parquet_at(&format!("{DIR}/a"), 4, first.clone());
        place.parquet_at(&format!("{DIR}/b"), 5, second.clone());
        let input = place.table(table("accounts")).unwrap();
        assert_eq!(
            columns(&input)[..4],
            ["i: Int64", "f: Float64", "d: Decimal128(12, 2)", "e: Decimal128(10, 4)"]
        );
        let mut found: Vec<Vec<String>> = rows(&input).into_iter().map(|row| row[..4].to_vec()).collect();
        found.sort();
        assert_eq!(found, [["-7", "1.5", "12.00", "12.3400"], ["1099511627776", "0.1", "1.50", "0.0001"]]);
    }
}

#[test]
fn types_that_do_not_widen_are_named_with_both_files() {
    let place = Place::new();
    place.parquet_at(&format!("{DIR}/a"), 5, vec![("id", texts(&["1"]))]);
    place.parquet_at(&format!("{DIR}/b"), 4, vec![("ID", ints(&[1]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: column id is string in ROOT/mdm.db/accounts/load_date=2026-11-22/a but int in ROOT/mdm.db/accounts/load_date=2026-11-22/b, and neither widens to the other (Data)
    advice: export the partition again with one type for the column
    ");
}

#[test]
fn two_columns_that_differ_in_case_only_are_refused() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a"), vec![("id", ints(&[1])), ("Id", ints(&[2]))]);
    let fault = place.table(table("accounts")).unwrap_err();
    assert_eq!(fault.class(), Class::Data);
    assert!(
        fault.chain().ends_with("/a has two columns id, which Hive does not tell apart"),
        "{}",
        fault.chain()
    );
}

#[test]
fn declared_columns_are_refused_where_the_files_name_their_own() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a"), vec![("id", ints(&[1]))]);
    let mut declared = table("accounts");
    declared.layout.columns = Some(vec![("id".to_owned(), hivecast_feed::ColumnType::Int)]);
    assert_eq!(place.table(declared).unwrap_err().class(), Class::Usage);
}

#[test]
fn text_and_binary_are_views_timestamps_microseconds_and_nothing_is_unsigned() {
    let place = Place::new();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2)])]);
    place.parquet(
        &format!("{DIR}/a"),
        vec![
            ("dictionary", Arc::new(DictionaryArray::<Int32Type>::from_iter(["x"]))),
            ("large", Arc::new(LargeStringArray::from(vec!["y"]))),
            ("bytes", Arc::new(BinaryArray::from(vec![b"z".as_slice()]))),
            ("millis", Arc::new(TimestampMillisecondArray::from(vec![1]))),
            ("zoned", Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("UTC"))),
            ("unsigned", Arc::new(UInt32Array::from(vec![u32::MAX]))),
            ("list", Arc::new(list)),
        ],
    );
    let input = place.table(table("accounts")).unwrap();
    let types: Vec<String> = columns(&input).into_iter().take(6).collect();
    assert_eq!(
        types,
        [
            "dictionary: Utf8View",
            "large: Utf8View",
            "bytes: BinaryView",
            "millis: Timestamp(µs)",
            "zoned: Timestamp(µs, \"UTC\")",
            "unsigned: Int64"
        ]
    );
    let row = &rows(&input)[0];
    assert_eq!(row[..4], ["x", "y", "7a", "1970-01-01T00:00:00.001"]);
    assert_eq!(row[5..7], ["4294967295", "[1, 2]"]);
}

#[test]
fn text_inside_lists_is_a_view_too() {
    let place = Place::new();
    let mut builder = arrow_array::builder::ListBuilder::new(arrow_array::builder::StringBuilder::new());
    builder.append_value([Some("a"), None]);
    place.parquet(&format!("{DIR}/a"), vec![("names", Arc::new(builder.finish()))]);
    let input = place.table(table("accounts")).unwrap();
    assert!(columns(&input)[0].contains("Utf8View"), "{:?}", columns(&input));
    assert_eq!(rows(&input)[0][0], "[a, ∅]");
}

#[test]
fn timestamps_as_hive_writes_them_in_96_bits_are_microseconds() {
    let place = Place::new();
    let path = place.path(&format!("{DIR}/a"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type("message hive { optional int96 at; }").unwrap());
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    // 2026-11-22 is Julian day 2461367; the first two words are nanoseconds of the day. The second
    // value, in the year 3000, does not fit 64 bits of nanoseconds.
    let value = |day: u32, nanos: u64| Int96::from(vec![nanos as u32, (nanos >> 32) as u32, day]);
    let values = [value(2_461_367, 3_600_000_001_000), value(2_816_788, 0)];
    column.typed::<Int96Type>().write_batch(&values, Some(&[1, 0, 1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    set_hour(&path, 4);
    let input = place.table(table("accounts")).unwrap();
    assert_eq!(columns(&input)[0], "at: Timestamp(µs)");
    let values: Vec<String> = rows(&input).into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(values, ["2026-11-22T01:00:00.000001", "∅", "3000-01-01T00:00:00"]);
}

#[test]
fn estimates_come_from_footers() {
    let place = Place::new();
    let values: Vec<String> = (0..100).map(|n| format!("value number {n:>10}")).collect();
    place.parquet(&format!("{DIR}/a"), vec![("t", Arc::new(StringArray::from(values)))]);
    let input = place.table(table("accounts")).unwrap();
    // A view of 16 bytes and 23 bytes of text each.
    assert_eq!(input.column_bytes, [100 * (16 + 23), 0]);
}
