//! Files that others wrote: Spark, Hive, pyarrow, DuckDB, fastavro (`dev/foreign-files`). Every value
//! must be read as the one that they were given.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hivecast_feed::{ColumnType, FileFormat, Header, Table, TextDialect, TextLayout};
use hivecast_run::{Class, Fault};
use hivecast_warehouse::Warehouse;
use serde_json::Value;

use crate::shown;
use crate::support::{Place, day, feed, table};

/// Rows at a time: few, so that batches end within row groups and stripes.
const BATCH_ROWS: usize = 3;
/// Rows that are compared one by one; of larger tables a batch is larger.
const FEW_ROWS: usize = 100;

/// Where the files are, which are made if they are not there.
fn files() -> PathBuf {
    if let Some(given) = std::env::var_os("HIVECAST_TEST_FOREIGN") {
        return PathBuf::from(given);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/foreign-files");
    let made = Command::new(script).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
}

fn tables(root: &Path) -> Vec<(String, Value)> {
    let mut tables: Vec<(String, Value)> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|home| {
            let expected = fs::read(home.join("expected.json")).unwrap();
            let name = home.file_name().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&expected).unwrap())
        })
        .collect();
    tables.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(tables.len() > 60, "{} tables", tables.len());
    tables
}

fn layout(name: &str, expected: &Value) -> Table {
    let mut table = table(name);
    let text = |setting: &str| expected.get(setting).and_then(Value::as_str);
    let byte = |setting: &str, or: u8| text(setting).map_or(or, |text| text.as_bytes()[0]);
    table.layout.format = match text("format") {
        Some("text") => Some(FileFormat::Text),
        Some("json") => Some(FileFormat::Json),
        _ => return table,
    };
    let is = |setting: &str| expected.get(setting) == Some(&Value::Bool(true));
    let or = if is("hive") { TextLayout::hive() } else { TextLayout::default() };
    table.layout.text = TextLayout {
        dialect: if is("csv") { TextDialect::OpenCsv } else { or.dialect },
        header: if is("header") { Header::Present } else { Header::Absent },
        delimiter: byte("delimiter", or.delimiter),
        escape: text("escape").map(|text| text.as_bytes()[0]),
        collection: byte("collection", or.collection),
        map_key: byte("map_key", or.map_key),
        ..or
    };
    let columns = expected["columns"].as_array().unwrap().iter().map(|column| {
        let part = |at: usize| column[at].as_str().unwrap();
        (part(0).to_owned(), ColumnType::parse(part(1)).unwrap())
    });
    table.layout.columns = Some(columns.collect());
    table
}

/// What is wrong with a table; none where all is well.
fn compare(warehouse: &Warehouse, place: &Place, name: &str, expected: &Value) -> Result<(), String> {
    let chain = |fault: Fault| fault.chain();
    let mut feed = feed([layout(name, expected)]);
    if let Some(zone) = expected.get("zone").and_then(Value::as_str) {
        feed.format.timezone = zone.to_owned();
    }
    let input = warehouse.freeze(&feed, day(), place.context()).map_err(chain)?.tables.remove(0);
    let columns = input.schema.fields().len() - 1;
    let wanted: Vec<usize> = (0..columns).collect();
    if let Some(count) = expected.get("count") {
        let rows = input.scan(&wanted, 1000).map_err(chain)?.map(|batch| batch.map(|batch| batch.num_rows()));
        let rows = rows.sum::<Result<usize, _>>().map_err(chain)?;
        return (count.as_u64() == Some(rows as u64)).then_some(()).ok_or(format!("{rows} rows"));
    }
    if let Some(failure) = expected.get("failure").and_then(Value::as_str) {
        let failed = input.scan(&wanted, BATCH_ROWS).map_err(chain)?.find_map(Result::err).map(chain);
        return match failed {
            Some(text) if text.contains(failure) => Ok(()),
            other => Err(format!("{other:?} rather than {failure}")),
        };
    }
    let names: Vec<&str> =
        expected["columns"].as_array().unwrap().iter().map(|of| of[0].as_str().unwrap()).collect();
    let found: Vec<&str> =
        input.schema.fields()[..columns].iter().map(|field| field.name().as_str()).collect();
    if names != found {
        return Err(format!("columns {found:?} rather than {names:?}"));
    }
    let expected = expected["rows"].as_array().unwrap();
    let batch_rows = if expected.len() > FEW_ROWS { 1000 } else { BATCH_ROWS };
    let mut found = Vec::new();
    for batch in input.scan(&wanted, batch_rows).map_err(chain)? {
        found.extend(shown::rows(&batch.map_err(chain)?));
    }
    let known = input.rows.is_none_or(|rows| rows == found.len() as u64);
    if found.len() != expected.len() || !known {
        return Err(format!(
            "{} rows, by the footers {:?}, rather than {}",
            found.len(),
            input.rows,
            expected.len()
        ));
    }
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (column, (found, expected)) in found.iter().zip(expected.as_array().unwrap()).enumerate() {
            if !shown::same(found, expected) {
                return Err(format!("row {row} column {}: {found} rather than {expected}", names[column]));
            }
        }
    }
    Ok(())
}

/// Tables whose files are damaged: one for each codec and encoding.
const DAMAGED: [&str; 22] = [
    "arrow-orc-lz4",
    "arrow-orc-snappy",
    "arrow-orc-uncompressed",
    "arrow-orc-zlib",
    "arrow-orc-zstd",
    "arrow-parquet-int96",
    "arrow-parquet-none",
    "arrow-parquet-v2-pages",
    "arrow-parquet-zstd",
    "duckdb-csv-bzip2",
    "duckdb-csv-gzip",
    "duckdb-csv-zstd",
    "duckdb-json-gzip",
    "duckdb-json-none",
    "fastavro-bzip2",
    "fastavro-deflate",
    "fastavro-null",
    "fastavro-snappy",
    "fastavro-zstandard",
    "hive-orc-utc",
    "hive-text-escaped-utc",
    "spark-utc-parquet-lz4",
];
/// Damages of a file, spread over all of it.
const DAMAGES: usize = 150;

/// Reads all of a table; the rows that there are.
fn read_all(warehouse: &Warehouse, place: &Place, table: &Table) -> Result<usize, Fault> {
    let input = warehouse.freeze(&feed([table.clone()]), day(), place.context())?.tables.remove(0);
    let wanted: Vec<usize> = (0..input.schema.fields().len()).collect();
    input.scan(&wanted, BATCH_ROWS)?.map(|batch| batch.map(|batch| batch.num_rows())).sum()
}

/// A copy of the table's one file, and where it is.
fn copied(root: &Path, place: &Place, name: &str) -> (PathBuf, Vec<u8>) {
    let from = root.join(name).join("load_date=2026-11-22");
    let file = fs::read_dir(&from).unwrap().next().unwrap().unwrap();
    let bytes = fs::read(file.path()).unwrap();
    let to = place.path(&format!("{name}/load_date=2026-11-22"));
    fs::create_dir_all(&to).unwrap();
    (to.join(file.file_name()), bytes)
}

#[test]
fn damaged_files_are_told_and_never_more_than_that() {
    let root = files();
    let place = Place::new();
    let warehouse = place.warehouse();
    let tables: std::collections::BTreeMap<String, Value> = tables(&root).into_iter().collect();
    for name in DAMAGED {
        let expected = tables.get(name).unwrap_or_else(|| panic!("dev/foreign-files makes no table {name}"));
        let table = layout(name, expected);
        let (path, whole) = copied(&root, &place, name);
        let check = |bytes: &[u8], what: String| {
            fs::write(&path, bytes).unwrap();
            let read = read_all(&warehouse, &place, &table);
            if let Err(fault) = &read {
                let told = fault.chain();
                assert_eq!(fault.class(), Class::Data, "{name} {what}: {told}");
                // A column that no file's header names is a matter of them all.
                let named = told.contains("load_date=2026-11-22/") || told.contains("no file's header");
                assert!(told.contains(name) && named, "{what}: {told}");
            }
            read.is_err()
        };
        let rows = expected["rows"].as_array().unwrap().len();
        assert!(!check(&whole, "whole".to_owned()), "{name} is read");
        assert_eq!(read_all(&warehouse, &place, &table).unwrap(), rows, "{name}");
        let step = whole.len().div_ceil(DAMAGES).max(1);
        for at in (0..whole.len()).step_by(step) {
            for bits in [0x01, 0x80, 0xff] {
                let mut rotten = whole.clone();
                rotten[at] ^= bits;
                check(&rotten, format!("byte {at} by {bits:#x}"));
            }
        }
        let cut = (1..whole.len())
            .step_by(step)
            .filter(|length| check(&whole[..*length], format!("cut at {length}")));
        // Plain text may end anywhere, and still be text.
        let (cut, cuts) = (cut.count(), (1..whole.len()).step_by(step).count());
        let is_plain = name.starts_with("hive-text") || name == "duckdb-json-none";
        assert!(is_plain || cut == cuts, "{name}: {cut} of {cuts} files that were cut off are told");
    }
}

#[test]
fn every_value_is_read_as_it_was_written() {
    let root = files();
    let (place, warehouse) = (Place::new(), Warehouse::open(&root).unwrap());
    let mut wrong = Vec::new();
    for (name, expected) in tables(&root) {
        if let Err(why) = compare(&warehouse, &place, &name, &expected) {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{} tables:\n{}", wrong.len(), wrong.join("\n"));
}
