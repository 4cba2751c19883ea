//! The sample export, read back from its files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use hivecast_contract::LoadDate;
use hivecast_run::{Cancel, Class, Context, Fault, FixedClock, Silent};
use hivecast_sample::{Destination, Existing, FileFormat, Options, Summary, write};
use insta::assert_snapshot;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

const N: u64 = 50_000;
const TABLES: [&str; 3] = ["accounts", "parties", "party_address"];

fn options(root: &Path) -> Options {
    Options {
        to: Destination::Directory(root.to_owned()),
        database: hivecast_sample::DATABASE.to_owned(),
        accounts: N,
        days: 1,
        seed: 7,
        last_date: date(22),
        format: FileFormat::Parquet,
        skew: None,
        existing: Existing::Refuse,
    }
}

fn date(day: u8) -> LoadDate {
    LoadDate::new(2026, 11, day).unwrap()
}

fn run(options: &Options) -> Result<Summary, Fault> {
    let cancel = Cancel::default();
    write(options, Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) })
}

fn export(change: impl FnOnce(&mut Options)) -> (TempDir, Summary) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    change(&mut options);
    let summary = run(&options).unwrap();
    (dir, summary)
}

/// Every file below a directory with its bytes, by path.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn partition(root: &Path, table: &str, day: u8) -> PathBuf {
    root.join(format!("mdm.db/{table}/load_date={}", date(day)))
}

fn read(root: &Path, table: &str, day: u8) -> Vec<RecordBatch> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(partition(root, table, day)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|name| name == "parquet"));
    let open = |path: &PathBuf| {
        let file = File::open(path).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap()
    };
    paths.iter().flat_map(open).map(Result::unwrap).collect()
}

fn text(batches: &[RecordBatch], column: &str) -> Vec<Option<String>> {
    let of = |batch: &RecordBatch| -> Vec<Option<String>> {
        let column = batch.column_by_name(column).unwrap().as_string::<i32>().clone();
        column.iter().map(|value| value.map(str::to_owned)).collect()
    };
    batches.iter().flat_map(of).collect()
}

fn ids(batches: &[RecordBatch], column: &str) -> Vec<String> {
    text(batches, column).into_iter().map(Option::unwrap).collect()
}

fn share(values: &[Option<String>]) -> f64 {
    values.iter().filter(|value| value.is_none()).count() as f64 / values.len() as f64
}

/// Each row as text under its first column.
fn by_id(batches: &[RecordBatch]) -> HashMap<String, String> {
    let options = arrow_cast::display::FormatOptions::new();
    let mut rows = HashMap::new();
    for batch in batches {
        let cells: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow_cast::display::ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let line: Vec<String> = cells.iter().map(|cell| cell.value(row).to_string()).collect();
            assert!(rows.insert(line[0].clone(), line.join("|")).is_none(), "{} comes twice", line[0]);
        }
    }
    rows
}

#[test]
fn tables_lie_in_hive_layout_marked_as_whole_with_the_days_time() {
    let (dir, summary) = export(|options| options.days = 2);
    let mut expected = Vec::new();
    for table in TABLES {
        for day in ["2026-11-21", "2026-11-22"] {
            expected.push(PathBuf::from(format!("mdm.db/{table}/load_date={day}/_SUCCESS")));
            expected.push(PathBuf::from(format!("mdm.db/{table}/load_date={day}/part-00000.snappy.parquet")));
        }
    }
    expected.sort();
    assert_eq!(files(dir.path()).into_keys().collect::<Vec<_>>(), expected);
    for path in &expected {
        let modified = fs::metadata(dir.path().join(path)).unwrap().modified().unwrap();
        let day = if path.to_string_lossy().contains("-21/") { date(21) } else { date(22) };
        let seconds = u64::try_from(day.days_since_epoch()).unwrap() * 86_400 + 4 * 3600;
        assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(seconds), "{}", path.display());
    }
    for (day, written) in [date(21), date(22)].into_iter().zip(&summary.days) {
        assert_eq!(written.date, day);
        for (table, written) in TABLES.into_iter().zip(&written.tables) {
            let batches = read(dir.path(), table, day.day());
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            let path = partition(dir.path(), table, day.day());
            let bytes = fs::metadata(path.join("part-00000.snappy.parquet")).unwrap().len();
            assert_eq!(
                (written.table, written.rows, written.files, written.bytes),
                (table, rows as u64, 1, bytes)
            );
            assert_eq!(written.path.local_path(), Some(path));
        }
    }
}

#[test]
fn rows_and_rates_are_those_of_a_real_export() {
    let (dir, summary) = export(|_| {});
    let rows: Vec<u64> = summary.days[0].tables.iter().map(|table| table.rows).collect();
    assert_eq!(rows[0], N);
    assert!((rows[1] as f64 / N as f64 - 1.4).abs() < 0.02, "{rows:?}");
    assert!((rows[2] as f64 / N as f64 - 1.26).abs() < 0.02, "{rows:?}");

    let accounts = read(dir.path(), "accounts", 22);
    let active: i64 = accounts
        .iter()
        .flat_map(|batch| {
            batch.column_by_name("active_ind").unwrap().as_primitive::<Int32Type>().values().to_vec()
        })
        .map(i64::from)
        .sum();
    assert!((active as f64 / N as f64 - 0.9).abs() < 0.01, "{active} active");
    assert!((share(&text(&accounts, "legal_title_2")) - 0.65).abs() < 0.02);
    for column in ["legal_title_1", "tax_id", "branch_code"] {
        let nulls = share(&text(&accounts, column));
        assert!((0.0001..0.05).contains(&nulls), "{column}: {nulls}");
    }
    let mut relations: HashMap<String, f64> = HashMap::new();
    for relation in ids(&read(dir.path(), "parties", 22), "relation_type") {
        *relations.entry(relation).or_default() += 7.0 / rows[1] as f64;
    }
    assert_eq!(relations.len(), 7);
    assert!(relations.values().all(|share| (share - 1.0).abs() < 0.05), "{relations:?}");
    let starts = accounts[0]
        .column_by_name("account_start_date")
        .unwrap()
        .as_primitive::<TimestampMicrosecondType>()
        .clone();
    let first_day = date(22).days_since_epoch() * 86_400_000_000;
    assert!(starts.iter().all(|start| start.is_some_and(|start| start < first_day)));
}

#[test]
fn a_handful_of_rows_looks_like_this() {
    let (dir, _) = export(|options| options.accounts = 4);
    let mut lines = Vec::new();
    for table in TABLES {
        let mut rows: Vec<String> = by_id(&read(dir.path(), table, 22)).into_values().collect();
        rows.sort();
        lines.extend(rows.into_iter().take(4));
    }
    assert_snapshot!(lines.join("\n"), @r"
    2519189999|CORE|2011-01-31T10:06:11|Sarah Park||PESEL|00996378934|BR00601|Poland|1|ACTIVE|2024-06-21T21:54:37|mdm_online
    5236439667|CARDS|2015-05-27T09:11:56|Liberty Dental Care Holdings LLC|and Nadia Sánchez|EIN|72-9344701|BR01440|United States|1|ACTIVE|2016-04-24T18:11:02|mdm_batch
    6908669268|WEALTH|2013-06-17T10:08:56|Emma Clark|T/A Lakeside Foods|BSN|086248077|BR01997|Netherlands|1|ACTIVE|2018-11-21T21:02:23|mdm_batch
    7155975201|CARDS|2016-12-12T11:24:40|Björn Bakker||NINO|QQ 22 88 98 J|BR02098|United Kingdom|1|ACTIVE|2023-08-22T18:57:16|svc_migration
    116872059104|5236439667|AUTHORIZED_SIGNER|2024-01-22|2026-03-11T18:31:09|mdm_batch
    130145211664|7155975201|AUTHORIZED_SIGNER|2024-05-04|2026-03-28T20:20:26|mdm_online
    432003514431|2519189999|AUTHORIZED_SIGNER|2023-06-24|2026-02-25T20:12:17|mdm_online
    454753346388|5236439667|TRUSTEE|2021-07-27|2024-06-04T19:48:44|mdm_online
    116872059104|128 Station Road||Seattle|25784|United States|2022-12-30|2023-09-16T18:00:15|mdm_batch
    130145211664|86 Highland Avenue|Unit 21|Belfast|XP96 5HJ|United Kingdom|2007-09-09|2017-03-10T18:03:09|mdm_online
    432003514431|ulica Długa 130|Building 16|Kraków|11-730|Poland|2015-02-26|2024-02-02T20:39:03|svc_migration
    454753346388|14 Chestnut Street||New York|22714|United States|2017-07-03|2023-06-15T20:00:39|svc_migration
    ");
}

#[test]
fn parties_name_accounts_of_the_same_day_but_for_a_few() {
    let (dir, _) = export(|options| {
        options.days = 3;
        options.accounts = 100_000;
    });
    for day in [20, 22] {
        let accounts: HashSet<String> =
            ids(&read(dir.path(), "accounts", day), "account_id").into_iter().collect();
        let parties = read(dir.path(), "parties", day);
        let named = ids(&parties, "account_id");
        let orphans = named.iter().filter(|id| !accounts.contains(*id)).count();
        assert!((3..40).contains(&orphans), "{orphans} orphans of {}", named.len());
        let owners: HashSet<&String> = named.iter().collect();
        let without =
            accounts.iter().filter(|id| !owners.contains(id)).count() as f64 / accounts.len() as f64;
        assert!((without - 0.08).abs() < 0.01, "{without} without party");

        let party_ids: Vec<String> = ids(&parties, "party_id");
        let party_set: HashSet<&String> = party_ids.iter().collect();
        assert_eq!(party_set.len(), party_ids.len(), "party_id is unique");
        let addressed = ids(&read(dir.path(), "party_address", day), "party_id");
        assert!(addressed.iter().all(|id| party_set.contains(id)));
        assert_eq!(addressed.iter().collect::<HashSet<_>>().len(), addressed.len());
    }
}

#[test]
fn a_day_differs_from_the_one_before_as_real_days_do() {
    let (dir, _) = export(|options| {
        options.days = 2;
        options.accounts = 200_000;
    });
    let of = |table, day| by_id(&read(dir.path(), table, day));
    let (before, after) = (of("accounts", 21), of("accounts", 22));
    let closed = before.keys().filter(|id| !after.contains_key(*id)).count();
    let new = after.keys().filter(|id| !before.contains_key(*id)).count();
    let changed = before.iter().filter(|(id, row)| after.get(*id).is_some_and(|now| now != *row)).count();
    assert_eq!(new, 400);
    assert!((150..250).contains(&closed), "{closed} of 200,000 closed");
    assert!((1_850..2_150).contains(&changed), "{changed} of 200,000 changed");
    for (table, least, most) in [("parties", 150, 450), ("party_address", 600, 1_000)] {
        let (before, after) = (of(table, 21), of(table, 22));
        let changed = before.iter().filter(|(id, row)| after.get(*id).is_some_and(|now| now != *row)).count();
        assert!((least..most).contains(&changed), "{changed} rows of {table} changed");
    }
}

#[test]
fn the_same_seed_is_the_same_bytes_and_another_is_not() {
    let small = |options: &mut Options| {
        options.accounts = 3_000;
        options.days = 2;
    };
    let (one, _) = export(small);
    let (same, _) = export(small);
    let (other, _) = export(|options| {
        small(options);
        options.seed = 8;
    });
    assert_eq!(files(one.path()), files(same.path()));
    let (one, other) = (files(one.path()), files(other.path()));
    assert!(one.keys().eq(other.keys()));
    assert!(one.iter().all(|(path, bytes)| path.ends_with("_SUCCESS") || other[path] != *bytes));
}

#[test]
fn a_longer_export_has_the_same_first_days_and_keep_adds_what_is_missing() {
    let (long, _) = export(|options| {
        options.accounts = 3_000;
        options.days = 3;
    });
    let (short, _) = export(|options| {
        options.accounts = 3_000;
        options.days = 2;
        options.last_date = date(21);
    });
    let mut more = options(short.path());
    more.accounts = 3_000;
    more.days = 3;
    more.existing = Existing::Keep;
    let added = run(&more).unwrap();
    assert_eq!(added.days.iter().map(|day| day.date).collect::<Vec<_>>(), [date(22)]);
    assert_eq!(files(long.path()), files(short.path()));
}

#[test]
fn a_day_that_is_there_is_replaced_only_when_asked() {
    let (dir, _) = export(|options| options.accounts = 100);
    let before = files(dir.path());
    let mut again = options(dir.path());
    again.accounts = 200;
    again.days = 2;
    let fault = run(&again).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    let shown = fault.chain().replace(&dir.path().display().to_string(), "ROOT");
    assert_snapshot!(shown, @"ROOT/mdm.db/accounts/load_date=2026-11-22 and 2 directories like it are there already");
    assert_eq!(files(dir.path()), before, "a refused export writes nothing");
    again.existing = Existing::Replace;
    let summary = run(&again).unwrap();
    assert_eq!(summary.days[0].tables[0].rows, 200);
    assert_ne!(files(dir.path()), before);
}

#[test]
fn one_account_may_have_very_many_parties() {
    let (dir, _) = export(|options| {
        options.accounts = 1_000;
        options.skew = Some(100_000);
        options.days = 2;
    });
    for day in [21, 22] {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for id in ids(&read(dir.path(), "parties", day), "account_id") {
            *counts.entry(id).or_default() += 1;
        }
        let most = *counts.values().max().unwrap();
        assert!((99_800..=100_000).contains(&most), "{most}");
        let accounts: HashSet<String> =
            ids(&read(dir.path(), "accounts", day), "account_id").into_iter().collect();
        assert!(counts.iter().any(|(id, count)| *count == most && accounts.contains(id)));
    }
}

#[test]
fn rows_are_not_in_the_order_of_their_keys() {
    let (dir, _) = export(|options| options.accounts = 10_000);
    for (table, column) in [("accounts", "account_id"), ("parties", "party_id")] {
        let ids = ids(&read(dir.path(), table, 22), column);
        let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count() as f64 / ids.len() as f64;
        assert!((0.45..0.55).contains(&rising), "{table}: {rising} of the rows rise");
    }
}

#[test]
fn text_is_written_with_header_quotes_and_hives_null() {
    let (dir, _) = export(|options| {
        options.accounts = 500;
        options.format = FileFormat::Text;
    });
    let (same, _) = export(|options| options.accounts = 500);
    let path = partition(dir.path(), "accounts", 22).join("part-00000.csv");
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "account_id,source_sys,account_start_date,legal_title_1,legal_title_2,tax_id_type,tax_id,branch_code,country,active_ind,status_cd,last_update_ts,load_user"
        )
    );
    let written: HashSet<String> = lines.map(|line| line.split(',').next().unwrap().to_owned()).collect();
    let parquet: HashSet<String> =
        ids(&read(same.path(), "accounts", 22), "account_id").into_iter().collect();
    assert_eq!(written, parquet);
    assert!(text.contains(",\\N,"));
}

#[test]
fn a_cancelled_export_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
    let fault = write(&options(dir.path()), context).unwrap_err();
    assert_eq!(fault.class(), Class::Interrupted);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn what_a_killed_export_left_is_cleared_away() {
    let small = |options: &mut Options| options.accounts = 100;
    let (clean, _) = export(small);
    let dir = tempfile::tempdir().unwrap();
    let left = dir.path().join("mdm.db/accounts/.load_date=2026-11-22.writing");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("part-00007.snappy.parquet"), "half").unwrap();
    let mut options = options(dir.path());
    small(&mut options);
    run(&options).unwrap();
    assert_eq!(files(dir.path()), files(clean.path()));
}

#[test]
fn a_million_accounts_fill_a_file_and_the_rest_goes_to_the_next() {
    let (dir, summary) = export(|options| options.accounts = 1_000_500);
    let written: Vec<(u64, u64)> =
        summary.days[0].tables.iter().map(|table| (table.files, table.rows)).collect();
    assert!(written.iter().all(|(files, _)| *files == 2), "{written:?}");
    assert_eq!(written[0].1, 1_000_500);
    let accounts = read(dir.path(), "accounts", 22);
    let unique: HashSet<String> = ids(&accounts, "account_id").into_iter().collect();
    assert_eq!(unique.len(), 1_000_500);
}

#[test]
fn options_that_make_no_sense_are_usage_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let changes: [fn(&mut Options); 6] = [
        |options| options.accounts = 0,
        |options| options.days = 0,
        |options| options.accounts = u64::MAX,
        |options| options.skew = Some(0),
        |options| options.database = "../elsewhere".to_owned(),
        |options| options.last_date = LoadDate::new(1969, 1, 1).unwrap(),
    ];
    for change in changes {
        let mut options = options(dir.path());
        change(&mut options);
        assert_eq!(run(&options).unwrap_err().class(), Class::Usage);
    }
}

/// A file's rows as text, column by column, whatever its format.
fn rows_of(path: &Path) -> Vec<String> {
    let file = File::open(path).unwrap();
    let batches: Vec<RecordBatch> = match path.extension().and_then(|ending| ending.to_str()).unwrap() {
        "parquet" => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            reader.map(Result::unwrap).collect()
        }
        "orc" => {
            let reader = orc_rust::ArrowReaderBuilder::try_new(file).unwrap().build();
            reader.map(Result::unwrap).collect()
        }
        other => panic!("{other}"),
    };
    let options = arrow_cast::display::FormatOptions::new().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let cells: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow_cast::display::ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.value(row).to_string()).collect();
            cells.join("|")
        }));
    }
    rows
}

#[test]
fn equal_seeds_give_equal_bytes_in_every_format() {
    for format in [FileFormat::Parquet, FileFormat::Orc, FileFormat::Avro, FileFormat::Json, FileFormat::Text]
    {
        let of = |seed| {
            export(|options| {
                options.accounts = 5_000;
                options.format = format;
                options.seed = seed;
            })
        };
        let ((one, _), (same, _), (other, _)) = (of(7), of(7), of(8));
        assert_eq!(files(one.path()), files(same.path()), "{format:?}");
        assert_ne!(files(one.path()), files(other.path()), "{format:?}");
    }
}

#[test]
fn orc_holds_the_same_rows_as_parquet() {
    let of = |format| {
        export(|options| {
            options.accounts = 5_000;
            options.format = format;
        })
    };
    let ((parquet, _), (orc, _)) = (of(FileFormat::Parquet), of(FileFormat::Orc));
    for table in TABLES {
        let expected = rows_of(&partition(parquet.path(), table, 22).join("part-00000.snappy.parquet"));
        assert!(expected.len() > 4_000);
        assert_eq!(rows_of(&partition(orc.path(), table, 22).join("part-00000.orc")), expected, "{table}");
    }
}

#[test]
fn json_lines_name_every_column() {
    let (dir, _) = export(|options| {
        options.accounts = 50;
        options.format = FileFormat::Json;
    });
    let (same, _) = export(|options| options.accounts = 50);
    let text = fs::read_to_string(partition(dir.path(), "accounts", 22).join("part-00000.json")).unwrap();
    let parquet = rows_of(&partition(same.path(), "accounts", 22).join("part-00000.snappy.parquet"));
    for (line, row) in text.lines().zip(&parquet) {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let cell = |value: &serde_json::Value| match value {
            serde_json::Value::Null => "NULL".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let names = ["account_id", "account_start_date", "legal_title_2", "active_ind"];
        let found =
            names.map(|name| cell(&object[name]).replacen(' ', "T", usize::from(name.ends_with("_date"))));
        let row: Vec<&str> = row.split('|').collect();
        assert_eq!(found, [row[0], row[2], row[4], row[9]], "{line}");
        assert_eq!(object.len(), 13);
    }
    assert_eq!(text.lines().count(), parquet.len());
}

/// A store that is reached by a location: what is written piece by piece here, and put there whole.
#[test]
fn another_store_gets_the_same_files() {
    let (local, _) = export(|options| {
        options.accounts = 300;
        options.days = 2;
    });
    let dir = tempfile::tempdir().unwrap();
    let to = || Destination::Store {
        root: hivecast_storage::Location::local(dir.path()).unwrap(),
        stores: hivecast_storage::Stores::default(),
    };
    let mut there = options(dir.path());
    (there.to, there.accounts, there.days) = (to(), 300, 2);
    let summary = run(&there).unwrap();
    assert_eq!(files(dir.path()), files(local.path()));
    assert_eq!(summary.days[1].tables[0].path.local_path(), Some(partition(dir.path(), "accounts", 22)));
    assert_eq!(run(&there).unwrap_err().class(), Class::Usage, "what is there is refused");
    there.existing = Existing::Replace;
    run(&there).unwrap();
    assert_eq!(files(dir.path()), files(local.path()));
    there.existing = Existing::Keep;
    assert!(run(&there).unwrap().days.is_empty());
}
