//! What properties of tables and partitions mean. Where they come from is Hive's documentation and code:
//! `LazySerDeParameters`, `OpenCSVSerde`, `serdeConstants`.

use chrono_tz::Tz;
use hivecast_feed::{Layout, TextLayout};
use hivecast_metastore::TableKind;
use hivecast_run::Class;

use super::*;

type Properties<'a> = &'a [(&'a str, &'a str)];

const PARQUET_SERDE: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
const PARQUET_INPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat";
const JSON_SERDE: &str = "org.apache.hive.hcatalog.data.JsonSerDe";

/// What a metastore has of a table and one of its partitions.
#[derive(Clone, Copy)]
struct Case<'a> {
    serde: &'a str,
    input: &'a str,
    columns: Properties<'a>,
    serde_parameters: Properties<'a>,
    table_parameters: Properties<'a>,
    partition: Option<OfPartition<'a>>,
}

#[derive(Clone, Copy, Default)]
struct OfPartition<'a> {
    columns: Properties<'a>,
    serde_parameters: Properties<'a>,
    parameters: Properties<'a>,
}

const SIMPLE: Case<'_> = Case {
    serde: SIMPLE_SERDE,
    input: TEXT_INPUT,
    columns: &[("a", "string"), ("b", "int")],
    serde_parameters: &[],
    table_parameters: &[],
    partition: None,
};
const CSV: Case<'_> = Case { serde: CSV_SERDE, ..SIMPLE };
const JSON: Case<'_> = Case { serde: JSON_SERDE, ..SIMPLE };

fn map(properties: Properties<'_>) -> BTreeMap<String, String> {
    properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn columns(columns: Properties<'_>) -> Vec<Column> {
    columns.iter().map(|(name, of)| Column::new(*name, *of)).collect()
}

fn declared(case: &Case<'_>) -> Result<Declared> {
    let storage = |parameters| Storage {
        serde_library: case.serde.to_owned(),
        input_format: case.input.to_owned(),
        serde_parameters: map(parameters),
        ..Storage::default()
    };
    let mut table = Table::new("mdm", "accounts", TableKind::External);
    table.columns = columns(case.columns).into();
    table.storage = storage(case.serde_parameters);
    table.parameters = map(case.table_parameters);
    let partition = case.partition.map(|of| Partition {
        values: vec!["2026-11-22".to_owned()],
        columns: columns(of.columns).into(),
        storage: storage(of.serde_parameters),
        parameters: map(of.parameters),
    });
    let layout = Layout::default();
    let wish =
        Wish { name: "accounts", database: Some("mdm"), table: "accounts", layout: &layout, zone: Tz::UTC };
    written(&wish, &table, partition.as_ref())
}

fn check(case: &Case<'_>, expected: impl FnOnce(&mut TextLayout)) {
    let mut layout = TextLayout::hive();
    expected(&mut layout);
    let found = declared(case).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    assert_eq!(found.text, layout, "{:?} {:?}", case.serde_parameters, case.table_parameters);
}

fn refused(case: &Case<'_>, expected: &str) {
    let fault = declared(case).expect_err(expected);
    let told = fault.chain();
    assert_eq!(fault.class(), Class::Usage, "{told}");
    assert!(told.starts_with("table accounts: mdm.accounts ") && told.contains(expected), "{told}");
}

#[test]
fn what_the_csv_serde_is_told() {
    let csv = |separator: u8, quote: u8, escape: u8| {
        move |layout: &mut TextLayout| {
            layout.dialect = TextDialect::OpenCsv;
            layout.delimiter = separator;
            (layout.quote, layout.escape) = (Some(quote), Some(escape));
        }
    };
    check(&CSV, csv(b',', b'"', b'\\'));
    let serde_parameters: Properties<'_> =
        &[("separatorChar", "\t"), ("quoteChar", "'"), ("escapeChar", "|")];
    check(&Case { serde_parameters, ..CSV }, csv(b'\t', b'\'', b'|'));
    // A number is a character here, and no byte of that number.
    check(&Case { serde_parameters: &[("separatorChar", "9")], ..CSV }, csv(b'9', b'"', b'\\'));
    check(&Case { serde_parameters: &[("separatorChar", ";;")], ..CSV }, csv(b';', b'"', b'\\'));
    check(&Case { serde_parameters: &[("quoteChar", "")], ..CSV }, csv(b',', b'"', b'\\'));
    // What the simple serde is told is nothing to it.
    check(
        &Case { serde_parameters: &[("field.delim", "|"), ("line.delim", "x")], ..CSV },
        csv(b',', b'"', b'\\'),
    );
    refused(&Case { serde_parameters: &[("quoteChar", "«")], ..CSV }, "which is not one ASCII character");
}

#[test]
fn what_the_simple_serde_is_told() {
    check(&SIMPLE, |layout| {
        assert_eq!((layout.delimiter, layout.collection, layout.map_key), (1, 2, 3));
        assert_eq!((layout.null.as_str(), layout.escape, layout.quote), ("\\N", None, None));
    });
    let told = |serde_parameters, expected: fn(&mut TextLayout)| {
        check(&Case { serde_parameters, ..SIMPLE }, expected)
    };
    told(&[("field.delim", "|")], |layout| layout.delimiter = b'|');
    told(&[("serialization.format", "9")], |layout| layout.delimiter = 9);
    told(&[("field.delim", ","), ("serialization.format", "9")], |layout| layout.delimiter = b',');
    // `Byte.parseByte` takes what Java's bytes are: -2 is 0xFE.
    told(&[("field.delim", "-2")], |layout| layout.delimiter = 0xFE);
    told(&[("field.delim", "200")], |layout| layout.delimiter = b'2');
    told(&[("field.delim", "||")], |layout| layout.delimiter = b'|');
    told(&[("colelction.delim", ";"), ("mapkey.delim", ":")], |layout| {
        (layout.collection, layout.map_key) = (b';', b':');
    });
    told(&[("collection.delim", ";")], |layout| layout.collection = b';');
    told(&[("escape.delim", "\\")], |layout| layout.escape = Some(b'\\'));
    told(&[("serialization.null.format", "")], |layout| layout.null = String::new());
    told(&[("serialization.null.format", "NULL")], |layout| layout.null = "NULL".to_owned());
    told(&[("line.delim", "\n")], |_| {});
    told(&[("serialization.encoding", "utf-8")], |_| {});
    for (serde_parameters, reason) in [
        (&[("line.delim", "\r")] as Properties<'_>, "has a `line.delim` that is no line feed"),
        (&[("serialization.encoding", "ISO-8859-1")], "is text in ISO-8859-1, and only UTF-8 is read"),
        (&[("serialization.last.column.takes.rest", "true")], "serialization.last.column.takes.rest"),
        (&[("field.delim", "é")], "has `field.delim` = \"é\", which is not one ASCII character"),
    ] {
        refused(&Case { serde_parameters, ..SIMPLE }, reason);
    }
}

#[test]
fn lines_are_skipped_at_both_ends() {
    for case in [SIMPLE, JSON] {
        let table_parameters: Properties<'_> =
            &[("skip.header.line.count", "2"), ("skip.footer.line.count", " 1 ")];
        check(&Case { table_parameters, ..case }, |layout| {
            (layout.skip_header_lines, layout.skip_footer_lines) = (2, 1);
        });
        for lines in ["x", "-1", "101", ""] {
            let table_parameters: Properties<'_> = &[("skip.header.line.count", lines)];
            refused(&Case { table_parameters, ..case }, "which is no number up to 100");
        }
    }
}

#[test]
fn json_properties_that_change_values_are_refused() {
    check(&Case { serde_parameters: &[("mapped", "x"), ("dots.in.keys", "false")], ..JSON }, |_| {});
    for name in ["dots.in.keys", "ignore.malformed.json", "mapping.a"] {
        refused(
            &Case { serde_parameters: &[(name, "true")], ..JSON },
            &format!("the serde property `{name}`"),
        );
    }
}

/// The partition's serde before the partition before the table's serde before the table.
#[test]
fn the_nearest_property_counts() {
    const NULL: &str = "serialization.null.format";
    let case = |serde: bool, partition: bool, table_serde: bool, table: bool| {
        fn of(given: bool, property: &'static [(&'static str, &'static str)]) -> Properties<'static> {
            if given { property } else { &[] }
        }
        Case {
            serde_parameters: of(table_serde, &[(NULL, "table's serde")]),
            table_parameters: of(table, &[(NULL, "table")]),
            partition: Some(OfPartition {
                columns: SIMPLE.columns,
                serde_parameters: of(serde, &[(NULL, "serde")]),
                parameters: of(partition, &[(NULL, "partition")]),
            }),
            ..SIMPLE
        }
    };
    check(&case(true, true, true, true), |layout| layout.null = "serde".to_owned());
    check(&case(false, true, true, true), |layout| layout.null = "partition".to_owned());
    check(&case(false, false, true, true), |layout| layout.null = "table's serde".to_owned());
    check(&case(false, false, false, true), |layout| layout.null = "table".to_owned());
    check(&case(false, false, false, false), |_| {});
}

#[test]
fn what_is_not_plain_files_is_refused() {
    for system in ["iceberg", "DELTA", "Hudi"] {
        for name in ["table_type", "spark.sql.sources.provider"] {
            let table_parameters: Properties<'_> = &[(name, system)];
            let reason = format!("is a table of {}", system.to_lowercase());
            refused(
                &Case { table_parameters, serde: PARQUET_SERDE, input: PARQUET_INPUT, ..SIMPLE },
                &reason,
            );
        }
    }
    let handler = "org.apache.hadoop.hive.hbase.HBaseStorageHandler";
    refused(
        &Case { table_parameters: &[("storage_handler", handler)], ..SIMPLE },
        "lies in another system, behind",
    );
    refused(
        &Case { serde: "com.example.Serde", ..SIMPLE },
        "in a format that is not read: com.example.Serde",
    );
    // The serde alone does not make a format.
    refused(&Case { input: PARQUET_INPUT, ..SIMPLE }, "in a format that is not read");
    let spark = Case {
        columns: &[("col", "array<string>")],
        table_parameters: &[("spark.sql.sources.provider", "csv")],
        ..SIMPLE
    };
    refused(&spark, "is a table that Spark keeps in its own way (csv)");
}

#[test]
fn a_column_that_is_not_read_keeps_its_place() {
    let case = Case { columns: &[("a", "uniontype<int,string>"), ("b", "void"), ("c", "int")], ..SIMPLE };
    let columns = declared(&case).unwrap().columns.unwrap().columns;
    assert!(
        matches!(&columns[0].1, ColumnType::Unreadable(why) if why.contains("is a uniontype")),
        "{columns:?}"
    );
    assert!(matches!(&columns[1].1, ColumnType::Unreadable(why) if why.contains("void")), "{columns:?}");
    assert_eq!(columns[2], ("c".to_owned(), ColumnType::Int));
}

#[test]
fn a_partitions_own_columns_count_where_files_do_not_say_theirs() {
    let own: Properties<'_> = &[("a", "string"), ("b", "smallint")];
    let of = |case: Case<'_>, columns| {
        let partition = Some(OfPartition { columns, ..OfPartition::default() });
        declared(&Case { partition, ..case }).unwrap().own
    };
    let expected = vec![("a".to_owned(), ColumnType::String), ("b".to_owned(), ColumnType::SmallInt)];
    for case in [SIMPLE, CSV, JSON] {
        assert_eq!(of(case, own).as_ref(), Some(&expected), "{}", case.serde);
        assert_eq!(of(case, case.columns), None, "{}: as the table's", case.serde);
        assert_eq!(of(case, &[]), None, "{}", case.serde);
    }
    assert_eq!(of(Case { serde: PARQUET_SERDE, input: PARQUET_INPUT, ..SIMPLE }, own), None);
}
