//! Delimited text.

use hivecast_feed::{ColumnType, Header, Table};
use hivecast_run::Class;
use insta::assert_snapshot;

use crate::support::{Place, columns, rows, rows_of, strings, table, text_table};

const FILE: &str = "mdm.db/accounts/load_date=2026-11-22/a.csv";

const COLUMNS: [(&str, ColumnType); 3] =
    [("id", ColumnType::String), ("amount", ColumnType::Decimal(10, 2)), ("since", ColumnType::Date)];

fn with_header(mut table: Table) -> Table {
    table.layout.text.header = Header::Present;
    table
}

fn fails_with(text: impl AsRef<[u8]>, table: Table) -> String {
    let place = Place::new();
    place.write(FILE, text);
    let fault = place.table(table).and_then(|input| rows_of(&input, &[0, 1, 2], 100)).unwrap_err();
    place.text(&fault)
}

#[test]
fn columns_by_position_with_every_type() {
    let place = Place::new();
    let types = [
        ("b", ColumnType::Boolean),
        ("i8", ColumnType::TinyInt),
        ("i16", ColumnType::SmallInt),
        ("i32", ColumnType::Int),
        ("i64", ColumnType::BigInt),
        ("f32", ColumnType::Float),
        ("f64", ColumnType::Double),
        ("dec", ColumnType::Decimal(38, 3)),
        ("s", ColumnType::String),
        ("d", ColumnType::Date),
        ("t", ColumnType::Timestamp),
    ];
    place.write(FILE, "TRUE,-128,32767,-2147483648,9223372036854775807,1.5,-0.1,12.5,é,2026-11-22,2026-11-22 01:02:03.5\n\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N");
    let input = place.table(text_table("accounts", &types)).unwrap();
    assert_eq!(
        rows(&input),
        [
            [
                "true",
                "-128",
                "32767",
                "-2147483648",
                "9223372036854775807",
                "1.5",
                "-0.1",
                "12.500",
                "é",
                "2026-11-22",
                "2026-11-22T01:02:03.500",
                "2026-11-22"
            ],
            ["∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "∅", "2026-11-22"]
        ]
    );
    assert_eq!(input.rows, None);
    assert_eq!(input.scan_parts().len(), 1);
    let part = &input.scan_parts()[0];
    assert_eq!(
        input.scan_part(part, &[8], 9).unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        2
    );
}

#[test]
fn columns_by_header_in_any_order_with_mark_and_carriage_returns() {
    let place = Place::new();
    place.write(FILE, "\u{feff}Since,ID,extra,amount\r\n2026-01-02,\"a,\"\"b\"\"\",x,1.5\r\n");
    place.write(&FILE.replace("a.csv", "b.csv"), "id\nz\n");
    place.write(&FILE.replace("a.csv", "c.csv"), "");
    let input = place.table(with_header(text_table("accounts", &COLUMNS))).unwrap();
    assert_eq!(
        columns(&input),
        ["id: Utf8View", "amount: Decimal128(10, 2)", "since: Date32", "load_date: Utf8View"]
    );
    assert_eq!(
        rows(&input),
        [["a,\"b\"", "1.50", "2026-01-02", "2026-11-22"], ["z", "∅", "∅", "2026-11-22"]]
    );
}

#[test]
fn a_header_without_declared_columns_is_all_text() {
    let place = Place::new();
    place.write(FILE, "n,m\n1,\\N\n,\"\\N\"\n");
    let input = place.table(with_header(table("accounts"))).unwrap();
    assert_eq!(columns(&input), ["n: Utf8View", "m: Utf8View", "load_date: Utf8View"]);
    let batch = input.scan(&[0, 1], 10).unwrap().next().unwrap().unwrap();
    assert_eq!(strings(batch.column(0)), [Some("1".to_owned()), Some(String::new())]);
    assert_eq!(strings(batch.column(1)), [None, Some("\\N".to_owned())]);
}

#[test]
fn hives_own_text_is_read() {
    let place = Place::new();
    let mut table = text_table("accounts", &COLUMNS);
    table.layout.text.delimiter = 1;
    table.layout.text.quote = None;
    table.layout.text.escape = Some(b'\\');
    place.write(FILE, "a\"\\\u{1}b\u{1}1\u{1}\\N\n\\N\u{1}\\N\u{1}2026-11-22\n");
    let input = place.table(table).unwrap();
    assert_eq!(
        rows(&input),
        [["a\"\u{1}b", "1.00", "∅", "2026-11-22"], ["∅", "∅", "2026-11-22", "2026-11-22"]]
    );
}

#[test]
fn short_and_long_lines_are_told_with_file_and_line() {
    assert_snapshot!(fails_with("a,1,2026-01-01\nb,2\n", text_table("accounts", &COLUMNS)), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 2: 2 fields where 3 are expected (Data)
    advice: correct the table's `delimiter`, `quote` or `columns` in the feed, or export the partition again
    ");
    assert_snapshot!(fails_with("a,1,2026-01-01\r\n\"b\r\n\",2,2026-01-01\r\nc,1,2,3\r\n", text_table("accounts", &COLUMNS)), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 4: 4 fields where 3 are expected (Data)
    advice: correct the table's `delimiter`, `quote` or `columns` in the feed, or export the partition again
    ");
    assert_snapshot!(fails_with("a,1,2026-01-01\n\n", text_table("accounts", &COLUMNS)), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 2: 1 field where 3 are expected (Data)
    advice: correct the table's `delimiter`, `quote` or `columns` in the feed, or export the partition again
    ");
}

#[test]
fn values_that_are_not_of_their_type_are_told_with_column_and_type() {
    assert_snapshot!(fails_with("a,1,2026-01-01\nb,x1,2026-01-01\n", text_table("accounts", &COLUMNS)), @r#"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 2: column amount: "x1" is no decimal(10,2) (Data)
    advice: correct the column's type or the text that stands for `null` in the feed, or export the partition again
    "#);
    let long = format!("a,1,{}\n", "9".repeat(1000));
    assert_snapshot!(fails_with(long, text_table("accounts", &COLUMNS)), @r#"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 1: column since: "9999999999999999999999999999999999999999"… is no date (Data)
    advice: correct the column's type or the text that stands for `null` in the feed, or export the partition again
    "#);
}

#[test]
fn text_that_is_not_utf8_is_told_with_its_line_and_not_quoted() {
    assert_snapshot!(fails_with(b"a,1,2026-01-01\n\xff\xfe,1,2026-01-01\n", text_table("accounts", &COLUMNS)), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 2: column id is no UTF-8 text (Data)
    advice: correct the column's type or the text that stands for `null` in the feed, or export the partition again
    ");
}

#[test]
fn an_open_quote_is_told_with_the_line_it_was_opened_on() {
    assert_snapshot!(fails_with("a,1,2026-01-01\n\"b,1,2026-01-01\n", text_table("accounts", &COLUMNS)), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 2: a quoted field is not closed (Data)
    advice: correct the table's `quote`, `escape` or `delimiter` in the feed, or export the partition again
    ");
}

#[test]
fn headers_that_repeat_or_lack_a_column_are_told() {
    assert_snapshot!(fails_with("id,Amount,since,AMOUNT\n", with_header(table("accounts"))), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.csv line 1: the header names column amount twice (Data)
    advice: none
    ");
    assert_snapshot!(fails_with("id,amount,sinse\n", with_header(text_table("accounts", &COLUMNS))), @r"
    table accounts: no file's header names column since; they name id, amount, sinse (Data)
    advice: correct the table's `columns` in the feed, or export the partition again
    ");
}

#[test]
fn feeds_that_describe_text_badly_are_usage_mistakes() {
    for (columns, text) in [
        (vec![], "text without a header does not name its columns"),
        (vec![("id", ColumnType::Int), ("ID", ColumnType::Int)], "column id is named twice"),
        (vec![("load_date", ColumnType::Date)], "column load_date comes from the directory's name"),
    ] {
        let place = Place::new();
        place.write(FILE, "1\n");
        let fault = place.table(text_table("accounts", &columns)).unwrap_err();
        assert_eq!(fault.class(), Class::Usage);
        assert!(fault.chain().contains(text), "{}", fault.chain());
    }
}

#[test]
fn text_is_filtered_on_a_date_column_too() {
    let place = Place::new();
    place.write("mdm.db/accounts/a.csv", "1,2026-11-21\n2,2026-11-22\n3,\\N\n");
    let columns = [("n", ColumnType::Int), ("load_date", ColumnType::Date)];
    let input = place.table(text_table("accounts", &columns)).unwrap();
    assert_eq!(rows(&input), [["2", "2026-11-22"]]);
    assert_eq!(input.rows, Some(1));
}
