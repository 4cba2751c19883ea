//! Tests: files that were written before or after a table's columns changed, in every format.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray};
use arrow_schema::Schema;
use chrono_tz::Tz;
use hivecast_feed::{ColumnType, FileFormat, Layout, Ready, TextLayout};
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Stores};

use self::write::{Written, plain, write};
use crate::catalog::Partition;
use crate::describe::{DateSource, describe};
use crate::layout::list_files;
use crate::place::Place;
use crate::reading::{Authority, Columns, Declared, Matching};
use crate::rows::{RowReader, Wanted};
use crate::warehouse::Wish;

mod narrowed;
mod write;

const FORMATS: [FileFormat; 5] =
    [FileFormat::Parquet, FileFormat::Orc, FileFormat::Avro, FileFormat::Json, FileFormat::Text];

/// What the table has: names and Hive's types.
const TABLE: [(&str, &str); 4] =
    [("id", "bigint"), ("name", "string"), ("code", "char(4)"), ("since", "date")];

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn dates(values: &[i32]) -> ArrayRef {
    Arc::new(Date32Array::from(values.to_vec()))
}

/// What a table of a metastore reads of these files, row by row.
fn read(format: FileFormat, matching: Matching, files: &[Written<'_>]) -> Result<Vec<Vec<String>>> {
    read_as(format, matching, Some((Authority::Metastore, &TABLE)), files)
}

/// What is read where somebody, or nobody, says which columns there are.
fn read_as(
    format: FileFormat,
    matching: Matching,
    declared: Option<(Authority, &[(&str, &str)])>,
    files: &[Written<'_>],
) -> Result<Vec<Vec<String>>> {
    let dir = tempfile::tempdir().unwrap();
    for (at, columns) in files.iter().enumerate() {
        write(&dir.path().join(format!("{at:06}_0")), format, columns);
    }
    let at = Location::local(dir.path()).unwrap();
    let place = Place { storage: Stores::default().of(&at).unwrap(), at };
    let columns = declared.map(|(by, columns)| Columns {
        by,
        columns: columns
            .iter()
            .map(|(name, of)| ((*name).to_owned(), ColumnType::parse(of).unwrap()))
            .collect(),
    });
    let written = Declared {
        format: Some(format),
        text: TextLayout::hive(),
        columns,
        own: None,
        matching,
        zone: Tz::UTC,
    };
    let layout = Layout {
        format: None,
        text: TextLayout::default(),
        columns: None,
        partition: "load_date".to_owned(),
        ready: Ready::Exists,
    };
    let wish = Wish { name: "t", database: None, table: "t", layout: &layout, zone: Tz::UTC };
    let listed = list_files(&place)?;
    let partition = Partition { written: Some(written), place: place.clone(), parameters: None, rows: None };
    let found = describe(&wish, &partition, listed, DateSource::Column)?;
    let schema: &Schema = &found.schema;
    let reader = RowReader {
        table: "t".to_owned(),
        storage: place.storage,
        format,
        declared: Arc::clone(&found.declared),
        file_columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
        wanted: schema
            .fields()
            .iter()
            .map(|field| Wanted { name: field.name().clone(), data_type: field.data_type().clone() })
            .collect(),
        batch_rows: 2,
    };
    let mut rows = Vec::new();
    for file in &found.files {
        for batch in reader.open(&file.path, None)? {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                let value = |column| plain(column, row).unwrap_or("∅".to_owned());
                rows.push(batch.columns().iter().map(value).collect());
            }
        }
    }
    Ok(rows)
}

fn all() -> Written<'static> {
    vec![
        ("id", longs(&[1, 2, 3])),
        ("name", texts(&[Some("a"), Some(""), None])),
        ("code", texts(&[Some("x   "), Some("y"), None])),
        ("since", dates(&[0, 1, 2])),
    ]
}

fn rows(rows: &[[&str; 4]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|value| (*value).to_owned()).collect()).collect()
}

/// Whether columns are found by their names.
fn has_names(format: FileFormat) -> bool {
    format != FileFormat::Text
}

/// A fault without what differs from run to run.
fn told(fault: &Fault) -> String {
    let text = fault.chain();
    let at = text.find("/00000").expect("the file is named");
    format!("{:?} {}", fault.class(), &text[at + 1..])
}

#[test]
fn columns_as_the_table_has_them() {
    for format in FORMATS {
        let found = read(format, Matching::Names, &[all()]).unwrap();
        let expected =
            [["1", "a", "x", "1970-01-01"], ["2", "", "y", "1970-01-02"], ["3", "∅", "∅", "1970-01-03"]];
        assert_eq!(found, rows(&expected), "{format:?}");
    }
}

#[test]
fn a_column_that_was_added_later_is_null_and_one_that_was_dropped_is_left_out() {
    for format in FORMATS {
        let mut older = all();
        older.truncate(2);
        let mut newer = all();
        newer.push(("more", ints(&[7, 7, 7])));
        let found = read(format, Matching::Names, &[older, newer]).unwrap();
        assert_eq!(found[0], ["1", "a", "∅", "∅"], "{format:?}");
        assert_eq!(found[3], ["1", "a", "x", "1970-01-01"], "{format:?}");
    }
}

#[test]
fn columns_in_another_order_are_found_by_name_where_they_have_one() {
    for format in FORMATS {
        let mut reordered = all();
        reordered.swap(1, 2);
        let found = read(format, Matching::Names, &[reordered]).unwrap();
        let expected = if has_names(format) { ["1", "a", "x"] } else { ["1", "x   ", "a"] };
        assert_eq!(found[0][..3], expected, "{format:?}");
    }
}

#[test]
fn narrower_types_are_widened() {
    for format in FORMATS {
        let mut narrow = all();
        narrow[0].1 = ints(&[i32::MIN, 0, i32::MAX]);
        let found = read(format, Matching::Names, &[narrow, all()]).unwrap();
        assert_eq!((found[0][0].as_str(), found[2][0].as_str()), ("-2147483648", "2147483647"), "{format:?}");
        assert_eq!(found[3][0], "1", "{format:?}");
    }
}

#[test]
fn wider_and_other_types_are_refused_by_column_and_file() {
    for format in FORMATS {
        let mut other = all();
        other[3].1 = longs(&[0, 1, 2]);
        let fault = read(format, Matching::Names, &[other]).unwrap_err();
        let expected = match format {
            FileFormat::Json => {
                "Data 000000_0 line 1: column 49: 0 is no value for column since of type date"
            }
            FileFormat::Text => "Data 000000_0 line 1: column since: \"0\" is no date",
            _ => "Data 000000_0 has column since as bigint, which the table's type date does not hold",
        };
        assert_eq!(told(&fault), expected, "{format:?}");
    }
}

#[test]
fn a_renamed_column_is_null_where_names_count() {
    for format in FORMATS {
        let mut renamed = all();
        renamed[1].0 = "title";
        let found = read(format, Matching::Names, &[renamed]).unwrap();
        assert_eq!(found[0][1], if has_names(format) { "∅" } else { "a" }, "{format:?}");
    }
}

#[test]
fn names_of_any_case_are_the_tables_and_twins_are_refused() {
    for format in FORMATS {
        let mut upper = all();
        upper[1].0 = "NAME";
        assert_eq!(read(format, Matching::Names, &[upper.clone()]).unwrap()[0][1], "a", "{format:?}");
        upper.push(("Name", texts(&[None, None, None])));
        let found = read(format, Matching::Names, &[upper]);
        match format {
            FileFormat::Json => assert_eq!(found.unwrap()[0][1], "∅", "the last of equal names counts"),
            FileFormat::Text => assert_eq!(found.unwrap()[0][1], "a", "there are no names"),
            _ => assert_eq!(
                told(&found.unwrap_err()),
                "Data 000000_0 has two columns name, which Hive does not tell apart"
            ),
        }
    }
}

#[test]
fn columns_are_found_by_position_where_hive_does_so() {
    let nameless = || -> Written<'static> {
        let names = ["_col0", "_col1", "_col2", "_col3"];
        names.into_iter().zip(all()).map(|(name, (_, column))| (name, column)).collect()
    };
    let found = read(FileFormat::Orc, Matching::Names, &[nameless()]).unwrap();
    assert_eq!(found[0], ["1", "a", "x", "1970-01-01"]);
    let mut older = nameless();
    older.truncate(2);
    assert_eq!(read(FileFormat::Orc, Matching::Names, &[older]).unwrap()[0], ["1", "a", "∅", "∅"]);
    let mut renamed = all();
    renamed[1].0 = "title";
    for format in [FileFormat::Orc, FileFormat::Parquet] {
        let found = read(format, Matching::Positions, &[renamed.clone()]).unwrap();
        assert_eq!(found[0][1], "a", "{format:?}");
    }
}
