//! What the parquet crate wrote, in whatever pieces, reads back equal, whole or in parts.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use crate::support::{Place, batch_rows_as_text, rows_of, table, write_parquet};

const DIR: &str = "mdm.db/accounts/load_date=2026-11-22";

#[derive(Clone, Debug)]
struct Row(Option<String>, Option<i64>, Option<bool>, Option<i32>, Option<f64>);

fn row() -> impl Strategy<Value = Row> {
    (
        prop::option::weighted(0.8, "[a-zéł, ]{0,20}"),
        prop::option::weighted(0.8, any::<i64>()),
        prop::option::of(any::<bool>()),
        prop::option::of(-100_000..100_000_i32),
        prop::option::of(-1e9..1e9_f64),
    )
        .prop_map(|(a, b, c, d, e)| Row(a, b, c, d, e))
}

const NAMES: [&str; 5] = ["text", "number", "flag", "day", "real"];

fn column(rows: &[Row], at: usize) -> ArrayRef {
    match at {
        0 => Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>()),
        1 => Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
        2 => Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
        3 => Arc::new(rows.iter().map(|row| row.3).collect::<Date32Array>()),
        _ => Arc::new(rows.iter().map(|row| row.4).collect::<Float64Array>()),
    }
}

fn batch(rows: &[Row], order: &[usize]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(order.iter().map(|&at| (NAMES[at], column(rows, at), true)))
        .unwrap()
}

/// A file: its rows, the order of its columns, and how many rows a row group has.
fn file() -> impl Strategy<Value = (Vec<Row>, Vec<usize>, usize)> {
    let order = Just(vec![0, 1, 2, 3, 4]).prop_shuffle();
    (prop::collection::vec(row(), 0..60), order, 1..30_usize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_files_read_back_equal(
        files in prop::collection::vec(file(), 1..5),
        picked in prop::collection::vec(0..5_usize, 1..6),
        batch_rows in 1..40_usize,
        codec in prop::sample::select(vec![Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW]),
    ) {
        let place = Place::new();
        let mut expected = Vec::new();
        for (at, (rows, order, group_rows)) in files.iter().enumerate() {
            let properties = WriterProperties::builder()
                .set_max_row_group_row_count(Some(*group_rows))
                .set_compression(codec)
                .build();
            write_parquet(&place.path(&format!("{DIR}/{at}")), &[batch(rows, order)], properties);
            expected.extend(batch_rows_as_text(&batch(rows, &picked)));
        }
        let input = place.table(table("accounts")).unwrap();
        prop_assert_eq!(input.rows, Some(expected.len() as u64));
        let columns: Vec<usize> = picked.iter().map(|at| input.schema.index_of(NAMES[*at]).unwrap()).collect();
        prop_assert_eq!(&rows_of(&input, &columns, batch_rows).unwrap(), &expected);

        let mut in_parts = Vec::new();
        for part in input.scan_parts() {
            let mut rows = 0;
            for batch in input.scan_part(&part, &columns, batch_rows).unwrap() {
                let batch = batch.unwrap();
                rows += batch.num_rows() as u64;
                in_parts.extend(batch_rows_as_text(&batch));
            }
            prop_assert_eq!(part.rows, Some(rows));
        }
        prop_assert_eq!(in_parts, expected);
    }
}

#[test]
fn large_files_are_cut_into_parts_of_whole_row_groups() {
    let place = Place::new();
    let long = "x".repeat(1 << 20);
    let rows: Vec<Row> =
        (0..80).map(|n| Row(Some(format!("{n}{long}")), Some(n), None, None, None)).collect();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(8))
        .set_dictionary_enabled(false)
        .set_compression(Compression::SNAPPY)
        .build();
    write_parquet(&place.path(&format!("{DIR}/a")), &[batch(&rows, &[0, 1])], properties);
    let input = place.table(table("accounts")).unwrap();
    let parts: Vec<_> = input.scan_parts().into_iter().map(|part| (part.row_groups, part.rows)).collect();
    // 8 MiB a row group, 32 MiB a part.
    assert_eq!(parts, [(0..4, Some(32)), (4..8, Some(32)), (8..10, Some(16))]);
}
