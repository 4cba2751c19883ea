//! Tests: files that were written before or after a table's columns changed, in every format.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Schema};
use chrono_tz::Tz;
use hivecast_feed::{ColumnType, FileFormat, Layout, Ready, TextLayout};
use hivecast_run::{Class, Fault, Result};
use hivecast_storage::{Location, Stores};
use orc_rust::ArrowWriterBuilder;

use crate::catalog::Partition;
use crate::describe::{DateSource, describe};
use crate::layout::list_files;
use crate::place::Place;
use crate::reading::{Authority, Columns, Declared, Matching};
use crate::rows::{RowReader, Wanted};
use crate::warehouse::Wish;

const FORMATS: [FileFormat; 5] =
    [FileFormat::Parquet, FileFormat::Orc, FileFormat::Avro, FileFormat::Json, FileFormat::Text];

/// What the table has: names and Hive's types.
const TABLE: [(&str, &str); 4] =
    [("id", "bigint"), ("name", "string"), ("code", "char(4)"), ("since", "date")];

type Written<'a> = Vec<(&'a str, ArrayRef)>;

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

fn write(path: &Path, format: FileFormat, columns: &Written<'_>) {
    let named = columns.iter().map(|(name, column)| (*name, Arc::clone(column), true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
    let mut file = File::create(path).unwrap();
    match format {
        FileFormat::Parquet => {
            let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        FileFormat::Orc => {
            let mut writer = ArrowWriterBuilder::new(file, batch.schema()).try_build().unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        FileFormat::Avro => file.write_all(&avro(&batch)).unwrap(),
        FileFormat::Json => {
            let schema = batch.schema();
            for row in 0..batch.num_rows() {
                let members = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
                    let value =
                        plain(column, row).map_or("null".to_owned(), |text| match field.data_type() {
                            DataType::Int32 | DataType::Int64 => text,
                            _ => format!("{text:?}"),
                        });
                    format!("{:?}: {value}", field.name())
                });
                writeln!(file, "{{{}}}", members.collect::<Vec<_>>().join(", ")).unwrap();
            }
        }
        FileFormat::Text => {
            for row in 0..batch.num_rows() {
                let fields =
                    batch.columns().iter().map(|column| plain(column, row).unwrap_or("\\N".to_owned()));
                writeln!(file, "{}", fields.collect::<Vec<_>>().join("\x01")).unwrap();
            }
        }
    }
}

fn plain(column: &ArrayRef, row: usize) -> Option<String> {
    let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::new()).unwrap();
    column.is_valid(row).then(|| formatter.value(row).to_string())
}

/// A container of one block, every column a union with null.
fn avro(batch: &RecordBatch) -> Vec<u8> {
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| {
        let of = match field.data_type() {
            DataType::Int32 => "\"int\"",
            DataType::Int64 => "\"long\"",
            DataType::Date32 => r#"{"type":"int","logicalType":"date"}"#,
            _ => "\"string\"",
        };
        format!(r#"{{"name":"{}","type":["null",{of}]}}"#, field.name())
    });
    let fields = fields.collect::<Vec<_>>().join(",");
    let schema = format!(r#"{{"type":"record","name":"row","fields":[{fields}]}}"#);
    let mut block = Vec::new();
    for row in 0..batch.num_rows() {
        for column in batch.columns() {
            long(i64::from(column.is_valid(row)), &mut block);
            if column.is_null(row) {
                continue;
            }
            match column.data_type() {
                DataType::Int32 => long(column.as_primitive::<Int32Type>().value(row).into(), &mut block),
                DataType::Int64 => long(column.as_primitive::<Int64Type>().value(row), &mut block),
                DataType::Date32 => long(column.as_primitive::<Date32Type>().value(row).into(), &mut block),
                _ => bytes(column.as_string::<i32>().value(row).as_bytes(), &mut block),
            }
        }
    }
    let mut out = b"Obj\x01".to_vec();
    long(1, &mut out);
    bytes(b"avro.schema", &mut out);
    bytes(schema.as_bytes(), &mut out);
    long(0, &mut out);
    out.extend([7; 16]);
    long(batch.num_rows() as i64, &mut out);
    bytes(&block, &mut out);
    out.extend([7; 16]);
    out
}

fn long(value: i64, out: &mut Vec<u8>) {
    let mut left = (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned();
    while left > 0x7f {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len() as i64, out);
    out.extend(bytes);
}

/// What a table of a metastore reads of these files, row by row.
fn read(format: FileFormat, matching: Matching, files: &[Written<'_>]) -> Result<Vec<Vec<String>>> {
    let dir = tempfile::tempdir().unwrap();
    for (at, columns) in files.iter().enumerate() {
        write(&dir.path().join(format!("{at:06}_0")), format, columns);
    }
    let at = Location::local(dir.path()).unwrap();
    let place = Place { storage: Stores::default().of(&at).unwrap(), at };
    let columns = TABLE.map(|(name, of)| (name.to_owned(), ColumnType::parse(of).unwrap()));
    let written = Declared {
        format: Some(format),
        text: TextLayout::hive(),
        columns: Some(Columns { by: Authority::Metastore, columns: columns.to_vec() }),
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
    let at = text.find("/000000_0").expect("the file is named");
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
        let fault = match read(format, Matching::Names, &[upper]) {
            // Hive's JSON takes the last of equal names, and text has none.
            Ok(_) => continue,
            Err(fault) => fault,
        };
        assert_eq!(fault.class(), Class::Data, "{format:?}");
        assert!(fault.chain().contains("two columns name"), "{}", fault.chain());
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
