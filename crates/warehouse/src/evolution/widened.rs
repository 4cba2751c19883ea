//! Whole numbers whose column became wider, or a decimal, or a double, in every format.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int8Array, Int16Array, Int32Array, Int64Array};
use hivecast_feed::FileFormat;
use hivecast_run::Result;

use super::write::Written;
use super::{Authority, FORMATS, Matching, has_names, read_as, told};

/// The type that a file has, its smallest and its largest value.
fn extremes() -> [(&'static str, ArrayRef); 4] {
    [
        ("tinyint", Arc::new(Int8Array::from(vec![i8::MIN, i8::MAX]))),
        ("smallint", Arc::new(Int16Array::from(vec![i16::MIN, i16::MAX]))),
        ("int", Arc::new(Int32Array::from(vec![i32::MIN, i32::MAX]))),
        ("bigint", Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]))),
    ]
}

/// From, to, and what the extremes are read as.
const WIDENED: [(&str, &str, [&str; 2]); 13] = [
    ("tinyint", "smallint", ["-128", "127"]),
    ("tinyint", "int", ["-128", "127"]),
    ("tinyint", "bigint", ["-128", "127"]),
    ("tinyint", "double", ["-128.0", "127.0"]),
    ("smallint", "int", ["-32768", "32767"]),
    ("smallint", "bigint", ["-32768", "32767"]),
    ("smallint", "double", ["-32768.0", "32767.0"]),
    ("smallint", "decimal(10,0)", ["-32768", "32767"]),
    ("int", "bigint", ["-2147483648", "2147483647"]),
    ("int", "double", ["-2147483648.0", "2147483647.0"]),
    ("int", "decimal(10,0)", ["-2147483648", "2147483647"]),
    ("int", "decimal(12,2)", ["-2147483648.00", "2147483647.00"]),
    ("bigint", "decimal(19,0)", ["-9223372036854775808", "9223372036854775807"]),
];

/// From and to.
const REFUSED: [(&str, &str); 3] = [("bigint", "double"), ("int", "decimal(9,0)"), ("int", "decimal(11,2)")];

fn read(format: FileFormat, from: &str, to: &str) -> Result<Vec<String>> {
    let column = extremes().into_iter().find(|(of, _)| *of == from).unwrap().1;
    let file: Written<'_> = vec![("v", column)];
    let rows = read_as(format, Matching::Names, Some((Authority::Metastore, &[("v", to)])), &[file])?;
    Ok(rows.into_iter().map(|mut row| row.remove(0)).collect())
}

#[test]
fn whole_numbers_of_older_files_are_read_in_the_wider_type() {
    for format in FORMATS {
        for (from, to, expected) in WIDENED {
            assert_eq!(read(format, from, to).unwrap(), expected, "{format:?} {from} to {to}");
        }
    }
}

#[test]
fn a_type_that_does_not_hold_every_whole_number_is_refused() {
    for format in FORMATS {
        for (from, to) in REFUSED {
            let what = format!("{format:?} {from} to {to}");
            if format == FileFormat::Json || !has_names(format) {
                // A double takes the nearest number, as it does of any text.
                assert_eq!(read(format, from, to).is_err(), to != "double", "{what}");
                continue;
            }
            let expected =
                format!("Data 000000_0 has column v as {from}, which the table's type {to} does not hold");
            assert_eq!(told(&read(format, from, to).unwrap_err()), expected, "{what}");
        }
    }
}
