//! Types that became narrower, and as the other side of it those that became wider, in every format.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use hivecast_feed::FileFormat;
use hivecast_run::Result;

use super::write::Written;
use super::{Authority, FORMATS, Matching, read_as, told};

/// A column of two types.
struct Pair {
    narrow: &'static str,
    wide: &'static str,
    /// A file's value of the narrow type, as which nobody has to convert it.
    narrow_file: fn() -> ArrayRef,
    /// A file's value of the wide type that the narrow one would hold.
    fitting_file: fn() -> ArrayRef,
    /// One that it does not hold.
    wide_file: fn() -> ArrayRef,
    /// What these are read as in the wide type: the narrow one's, the fitting one's, the wide one's.
    as_wide: [&'static str; 3],
    /// What the narrow and the fitting one are read as in the narrow type.
    as_narrow: [&'static str; 2],
    /// What the wide one is called in the messages of text and JSON.
    misfit: [&'static str; 2],
}

fn decimals(value: i128, precision: u8, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale);
    Arc::new(array.unwrap())
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

/// 2026-11-22 12:00:00.
const NOON: i64 = 1_795_348_800_000_000;
const DAY: i32 = 20_779;

fn pairs() -> Vec<Pair> {
    vec![
        Pair {
            narrow: "int",
            wide: "bigint",
            narrow_file: || Arc::new(Int32Array::from(vec![5])),
            fitting_file: || Arc::new(Int64Array::from(vec![7])),
            wide_file: || Arc::new(Int64Array::from(vec![3_000_000_000])),
            as_wide: ["5", "7", "3000000000"],
            as_narrow: ["5", "7"],
            misfit: ["3000000000", "\"3000000000\""],
        },
        Pair {
            narrow: "float",
            wide: "double",
            narrow_file: || Arc::new(Float32Array::from(vec![0.5])),
            fitting_file: || Arc::new(Float64Array::from(vec![0.25])),
            wide_file: || Arc::new(Float64Array::from(vec![1e300])),
            as_wide: ["0.5", "0.25", "1e300"],
            as_narrow: ["0.5", "0.25"],
            misfit: ["1e300", "\"1e300\""],
        },
        Pair {
            narrow: "decimal(8,2)",
            wide: "decimal(10,2)",
            narrow_file: || decimals(1234, 8, 2),
            fitting_file: || decimals(5678, 10, 2),
            wide_file: || decimals(1_234_567_890, 10, 2),
            as_wide: ["12.34", "56.78", "12345678.90"],
            as_narrow: ["12.34", "56.78"],
            misfit: ["12345678.90", "\"12345678.90\""],
        },
        Pair {
            narrow: "decimal(10,1)",
            wide: "decimal(11,2)",
            narrow_file: || decimals(123, 10, 1),
            fitting_file: || decimals(5670, 11, 2),
            wide_file: || decimals(5678, 11, 2),
            as_wide: ["12.30", "56.70", "56.78"],
            as_narrow: ["12.3", "56.7"],
            misfit: ["56.78", "\"56.78\""],
        },
    ]
}

/// Each pair in each format.
fn cases() -> impl Iterator<Item = (FileFormat, Pair)> {
    FORMATS.into_iter().flat_map(|format| pairs().into_iter().map(move |pair| (format, pair)))
}

/// What files of these values are read as, by somebody's word or their own.
fn read(format: FileFormat, declared: Option<(Authority, &str)>, files: &[ArrayRef]) -> Result<Vec<String>> {
    let files: Vec<Written<'_>> = files
        .iter()
        .map(|value| vec![("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef), ("v", Arc::clone(value))])
        .collect();
    let columns = declared.map(|(by, of)| (by, [("id", "bigint"), ("v", of)]));
    let columns = columns.as_ref().map(|(by, columns)| (*by, &columns[..]));
    let rows = read_as(format, Matching::Names, columns, &files)?;
    Ok(rows.into_iter().map(|mut row| row.remove(1)).collect())
}

/// What a message says where lines hold a value that is none of the column's type.
fn misfit_in_line(format: FileFormat, [json, text]: [&str; 2], of: &str) -> String {
    match format {
        FileFormat::Json => {
            format!("Data 000001_0 line 1: column 16: {json} is no value for column v of type {of}")
        }
        _ => format!("Data 000001_0 line 1: column v: {text} is no {of}"),
    }
}

const METASTORE: Authority = Authority::Metastore;

fn describes_itself(format: FileFormat) -> bool {
    matches!(format, FileFormat::Parquet | FileFormat::Orc | FileFormat::Avro)
}

#[test]
fn a_table_whose_type_became_wider_reads_older_files() {
    for (format, pair) in cases() {
        let files = [(pair.narrow_file)(), (pair.fitting_file)(), (pair.wide_file)()];
        let found = read(format, Some((METASTORE, pair.wide)), &files).unwrap();
        assert_eq!(found, pair.as_wide, "{format:?} {}", pair.wide);
    }
}

#[test]
fn a_table_whose_type_became_narrower_reads_of_older_files_what_it_holds_and_no_more() {
    for (format, pair) in cases() {
        let narrow = Some((METASTORE, pair.narrow));
        let what = format!("{format:?} {} to {}", pair.wide, pair.narrow);
        let (first, fitting, wide) = ((pair.narrow_file)(), (pair.fitting_file)(), (pair.wide_file)());
        let fitting = read(format, narrow, &[Arc::clone(&first), fitting]);
        let fault = read(format, narrow, &[first, wide]).unwrap_err();
        if describes_itself(format) {
            // Whether its values fit or not: the next day's might not.
            let expected = format!(
                "Data 000001_0 has column v as {}, which the table's type {} does not hold",
                pair.wide, pair.narrow
            );
            assert_eq!(told(&fitting.unwrap_err()), expected, "{what}");
            assert_eq!(told(&fault), expected, "{what}");
        } else {
            assert_eq!(fitting.unwrap(), pair.as_narrow, "{what}");
            assert_eq!(told(&fault), misfit_in_line(format, pair.misfit, pair.narrow), "{what}");
        }
    }
}

#[test]
fn files_of_a_partition_that_differ_are_read_in_the_wider_type_whichever_is_older() {
    for (format, pair) in cases() {
        let (narrow, wide) = ((pair.narrow_file)(), (pair.wide_file)());
        let [as_narrow, _, as_wide] = pair.as_wide;
        let what = format!("{format:?} {} and {}", pair.wide, pair.narrow);
        // Lines have no types of their own: the feed's are those of all files.
        let declared = (!describes_itself(format)).then_some((Authority::Feed, pair.wide));
        let older_is_narrow = read(format, declared, &[Arc::clone(&narrow), Arc::clone(&wide)]).unwrap();
        assert_eq!(older_is_narrow, [as_narrow, as_wide], "{what}");
        let older_is_wide = read(format, declared, &[Arc::clone(&wide), Arc::clone(&narrow)]).unwrap();
        assert_eq!(older_is_wide, [as_wide, as_narrow], "{what}");
        if !describes_itself(format) {
            let fault = read(format, Some((Authority::Feed, pair.narrow)), &[narrow, wide]).unwrap_err();
            assert_eq!(told(&fault), misfit_in_line(format, pair.misfit, pair.narrow), "{what}");
        }
    }
}

#[test]
fn text_that_became_shorter_is_read_as_far_as_it_is_not_longer() {
    for format in FORMATS {
        for by in [METASTORE, Authority::Feed] {
            if by == Authority::Feed && describes_itself(format) {
                continue; // Such files take no columns of a feed.
            }
            for (of, found) in [("varchar(3)", ["abc", "d  "]), ("char(3)", ["abc", "d"])] {
                let fitting = read(format, Some((by, of)), &[text("abc"), text("d  ")]).unwrap();
                assert_eq!(fitting, found, "{format:?} {of}");
                let fault = read(format, Some((by, of)), &[text("abc"), text("äbcd")]).unwrap_err();
                let expected = format!(
                    "Data 000001_0 has a value in column v that the table's type does not hold: \
                     a text of 4 characters, where {of} holds no more than 3"
                );
                assert_eq!(told(&fault), expected, "{format:?}");
            }
        }
        // Without anybody's word text is text, however long.
        if describes_itself(format) {
            assert_eq!(read(format, None, &[text("abc"), text("abcd")]).unwrap(), ["abc", "abcd"]);
        }
    }
}

#[test]
fn a_date_takes_no_timestamp_whose_time_would_be_lost() {
    let date = || Arc::new(Date32Array::from(vec![DAY])) as ArrayRef;
    let timestamp = || Arc::new(TimestampMicrosecondArray::from(vec![NOON])) as ArrayRef;
    for format in FORMATS {
        let misfit = misfit_in_line(format, ["\"2026-11-22T12:00:00\""; 2], "date");
        let fault = read(format, Some((METASTORE, "date")), &[date(), timestamp()]).unwrap_err();
        if !describes_itself(format) {
            assert_eq!(told(&fault), misfit, "{format:?}");
            let fault = read(format, Some((Authority::Feed, "date")), &[date(), timestamp()]).unwrap_err();
            assert_eq!(told(&fault), misfit, "{format:?}");
            continue;
        }
        let expected = "Data 000001_0 has column v as timestamp, which the table's type date does not hold";
        assert_eq!(told(&fault), expected, "{format:?}");
        for files in [[date(), timestamp()], [timestamp(), date()]] {
            let fault = read(format, None, &files).unwrap_err().chain();
            let names = [
                "column v is ",
                "date in ",
                "timestamp in ",
                "000000_0",
                "000001_0",
                "neither widens to the other",
            ];
            assert!(names.iter().all(|part| fault.contains(part)), "{format:?}: {fault}");
        }
    }
}
