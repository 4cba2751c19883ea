//! Files that are cut off, corrupt, or not what they seem.

use std::fs;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use hivecast_feed::FileFormat;
use hivecast_run::Class;
use insta::assert_snapshot;
use parquet::file::properties::WriterProperties;

use crate::support::{Place, day, feed, ints, rows_of, table, write_parquet};

const DIR: &str = "mdm.db/accounts/load_date=2026-11-22";

#[test]
fn a_parquet_file_of_no_bytes_is_named() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a.parquet"), vec![("n", ints(&[1]))]);
    place.write(&format!("{DIR}/b.parquet"), "");
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/b.parquet is empty (0 bytes), which no Parquet file is (Data)
    advice: the export broke off, or is still being written: export the partition again
    ");
}

#[test]
fn a_cut_off_parquet_file_is_named_wherever_it_was_cut() {
    let place = Place::new();
    let path = format!("{DIR}/a.parquet");
    place.parquet(&path, vec![("n", ints(&(0..1000).collect::<Vec<_>>()))]);
    let whole = fs::read(place.path(&path)).unwrap();
    for length in (4..whole.len()).step_by(97).chain([whole.len() - 1]) {
        place.write(&path, &whole[..length]);
        let fault = place.table(table("accounts")).unwrap_err();
        assert_eq!(fault.class(), Class::Data, "cut at {length}: {}", fault.chain());
        assert!(fault.chain().contains("a.parquet"), "{}", fault.chain());
    }
}

#[test]
fn bytes_that_rotted_are_found_by_footer_codec_or_values_and_never_panic() {
    let place = Place::new();
    let path = place.path(&format!("{DIR}/a.parquet"));
    let text: Vec<String> = (0..500).map(|n| format!("value {}", n % 7)).collect();
    let columns: Vec<(&str, arrow_array::ArrayRef)> =
        vec![("n", Arc::new(Int64Array::from_iter_values(0..500))), ("t", Arc::new(StringArray::from(text)))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    write_parquet(&path, &[batch], properties);
    let whole = fs::read(&path).unwrap();
    let mut found = 0;
    for at in 0..whole.len() {
        let mut rotten = whole.clone();
        rotten[at] ^= 0x55;
        fs::write(&path, &rotten).unwrap();
        let read = place.table(table("accounts")).and_then(|input| rows_of(&input, &[0, 1], 100));
        if let Err(fault) = read {
            assert_eq!(fault.class(), Class::Data, "byte {at}: {}", fault.chain());
            found += 1;
        }
    }
    assert!(found > whole.len() / 10, "{found} of {} rotten bytes were found", whole.len());
}

#[test]
fn a_file_that_shrinks_after_it_was_frozen_fails_the_scan() {
    let place = Place::new();
    let path = format!("{DIR}/a.parquet");
    place.parquet(&path, vec![("n", ints(&[1, 2, 3]))]);
    let input = place.table(table("accounts")).unwrap();
    let whole = fs::read(place.path(&path)).unwrap();
    place.write(&path, &whole[..whole.len() / 2]);
    let mut scan = input.scan(&[0], 10).unwrap();
    assert_eq!(scan.next().unwrap().unwrap_err().class(), Class::Data);
    assert!(scan.next().is_none(), "a scan ends after its first error");
}

#[test]
fn a_file_that_vanishes_after_it_was_frozen_is_no_fault_of_the_data() {
    let place = Place::new();
    let path = format!("{DIR}/a.parquet");
    place.parquet(&path, vec![("n", ints(&[1, 2, 3]))]);
    let input = place.table(table("accounts")).unwrap();
    fs::remove_file(place.path(&path)).unwrap();
    let fault = rows_of(&input, &[0], 10).unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
}

#[test]
fn formats_are_told_by_first_bytes_then_by_name_else_asked_for() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/000000_0"), vec![("n", ints(&[1]))]);
    assert_eq!(place.table(table("accounts")).unwrap().format, FileFormat::Parquet);

    place.write("mdm.db/parties/load_date=2026-11-22/000000_0", "1,2\n");
    let fault = place.table(table("parties")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table parties: neither the first bytes nor the name of ROOT/mdm.db/parties/load_date=2026-11-22/000000_0 tell its format (Data)
    advice: say how the table lies in the feed: `format: text` or `format: json`
    ");

    place.write("mdm.db/broken/load_date=2026-11-22/a.parquet", "garbage");
    let fault = place.table(table("broken")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table broken: ROOT/mdm.db/broken/load_date=2026-11-22/a.parquet is corrupt: by its name it is Parquet, and it does not begin with PAR1 (Data)
    advice: export the partition again
    ");

    place.write("mdm.db/zipped/load_date=2026-11-22/a.csv.lzo", b"\x89LZO");
    let fault = place.table(table("zipped")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table zipped: ROOT/mdm.db/zipped/load_date=2026-11-22/a.csv.lzo is compressed as .lzo, which is not read (Data)
    advice: export the table uncompressed, with gzip, bzip2, zstd or snappy, or as Parquet or ORC
    ");
}

#[test]
fn files_of_two_formats_and_files_that_are_not_what_the_feed_says_are_refused() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a.parquet"), vec![("n", ints(&[1]))]);
    place.write(&format!("{DIR}/b.csv"), "1\n");
    let fault = place.table(table("accounts")).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/b.csv is text, but the files before it are Parquet (Data)
    advice: correct the table's `format` in the feed, or export the partition again
    ");
    let mut declared = table("accounts");
    declared.layout.format = Some(FileFormat::Parquet);
    let fault = place.table(declared.clone()).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/b.csv is no Parquet file: it does not begin with PAR1 (Data)
    advice: correct the table's `format` in the feed, or export the partition again
    ");
    declared.layout.format = Some(FileFormat::Text);
    let fault = place.table(declared).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: ROOT/mdm.db/accounts/load_date=2026-11-22/a.parquet is Parquet, but the feed says text (Data)
    advice: correct the table's `format` in the feed, or export the partition again
    ");
}

#[test]
fn a_cancelled_run_stops() {
    let place = Place::new();
    place.parquet(&format!("{DIR}/a.parquet"), vec![("n", ints(&[1]))]);
    place.cancel.cancel();
    let fault = place.warehouse().freeze(&feed([table("accounts")]), day(), place.context()).unwrap_err();
    assert_eq!(fault.class(), Class::Interrupted);
}
