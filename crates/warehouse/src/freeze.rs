//! One table: from the feed's words for it to a frozen list of files with one schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_schema::{DataType, SchemaRef};
use hivecast_contract::LoadDate;
use hivecast_feed::Ready;
use hivecast_run::{Class, Context, Fault, Result};

use crate::describe::{DateSource, Described, describe};
use crate::input::TableInput;
use crate::layout::{
    Listed, PartitionDir, SUCCESS_FILE, find_table, has_success_file, list_files, partition_dirs, tell_dates,
};
use crate::problem::Problem;
use crate::rows::{RowReader, Wanted};
use crate::schema::type_name;
use crate::warehouse::Wish;

/// A file whose time is younger than this may still be written to, in milliseconds.
const STILL_WRITTEN_MS: i64 = 120_000;
/// Rows at a time when load_dates are looked up in a column.
const DATE_BATCH_ROWS: usize = 16_384;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// The partition's rows, frozen. `Pending` where the export may still be coming.
pub(crate) fn freeze_table(
    root: &Path,
    wish: &Wish<'_>,
    date: LoadDate,
    context: Context<'_>,
) -> Result<TableInput, Problem> {
    let home = find_table(root, wish.database, wish.table)?;
    let directories = date_directories(&home, wish)?;
    let (location, dates) = if directories.is_empty() {
        (home, DateSource::Column)
    } else {
        (partition_of(wish, &home, &directories, date)?, DateSource::Path)
    };
    let files = list_files(&location)?;
    check_ready(wish, &location, &files, date)?;
    let newest = files.iter().map(|file| file.modified_ns).max().unwrap_or(i64::MIN);
    let described = describe(wish, files, dates).map_err(|fault| while_written(fault, newest, context))?;
    let (rows, date_column) = match dates {
        DateSource::Path => (described.rows, None),
        DateSource::Column => {
            let column = wish.layout.partition.to_lowercase();
            (Some(rows_of_date(wish, &location, &described, date)?), Some(column))
        }
    };
    Ok(TableInput {
        table: wish.name.to_owned(),
        location,
        load_date: date,
        schema: described.schema,
        column_bytes: described.column_bytes,
        files: described.files,
        format: described.format,
        text: wish.layout.text.clone(),
        rows,
        partition_column: described.partition_column,
        date_column,
    })
}

/// A table's columns on a day, or on its newest day, whether or not that day is whole.
pub(crate) fn table_schema(root: &Path, wish: &Wish<'_>, date: Option<LoadDate>) -> Result<SchemaRef> {
    let home = find_table(root, wish.database, wish.table)?;
    let directories = date_directories(&home, wish)?;
    if directories.is_empty() {
        let files = list_files(&home)?;
        check_any(wish, &home, &files).map_err(Problem::into_fault)?;
        let described = describe(wish, files, DateSource::Column)?;
        date_column_type(wish, &home, &described)?;
        return Ok(described.schema);
    }
    let newest = directories.iter().filter_map(PartitionDir::date).max();
    let Some(date) = date.or(newest) else {
        return Err(no_partition(wish, &home, &directories, "has no partition that is a date"));
    };
    let location = partition_of(wish, &home, &directories, date).map_err(Problem::into_fault)?;
    let files = list_files(&location)?;
    check_any(wish, &location, &files).map_err(Problem::into_fault)?;
    Ok(describe(wish, files, DateSource::Path)?.schema)
}

/// The load_dates that a table has.
pub(crate) fn table_dates(root: &Path, wish: &Wish<'_>) -> Result<BTreeSet<LoadDate>> {
    let home = find_table(root, wish.database, wish.table)?;
    let directories = date_directories(&home, wish)?;
    if !directories.is_empty() {
        return Ok(directories.iter().filter_map(PartitionDir::date).collect());
    }
    let files = list_files(&home)?;
    check_any(wish, &home, &files).map_err(Problem::into_fault)?;
    let described = describe(wish, files, DateSource::Column)?;
    Ok(dates_in_column(wish, &home, &described)?.into_keys().collect())
}

/// The table's partition directories; empty where its load_dates can only be in a column.
fn date_directories(home: &Path, wish: &Wish<'_>) -> Result<Vec<PartitionDir>> {
    let (ours, others): (Vec<_>, Vec<_>) = partition_dirs(home)?
        .into_iter()
        .partition(|dir| dir.name.eq_ignore_ascii_case(&wish.layout.partition));
    match others.first() {
        Some(other) => Err(Fault::data(format!(
            "table {}: {} is partitioned by {}, not by {}",
            wish.name,
            home.display(),
            other.name,
            wish.layout.partition
        ))
        .advise("name the partition that holds the load_date in the table's `partition` in the feed")),
        None => Ok(ours),
    }
}

fn partition_of(
    wish: &Wish<'_>,
    home: &Path,
    directories: &[PartitionDir],
    date: LoadDate,
) -> Result<PathBuf, Problem> {
    let mut found = directories.iter().filter(|dir| dir.date() == Some(date));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.path.clone()),
        (Some(one), Some(other)) => Err(Fault::data(format!(
            "table {}: both {} and {} are load_date {date}",
            wish.name,
            one.path.display(),
            other.path.display()
        ))
        .into()),
        (None, _) => Err(Problem::Pending(no_partition(
            wish,
            home,
            directories,
            &format!("has no partition {}={date}", wish.layout.partition),
        ))),
    }
}

fn no_partition(wish: &Wish<'_>, home: &Path, directories: &[PartitionDir], lacks: &str) -> Fault {
    let dates: BTreeSet<LoadDate> = directories.iter().filter_map(PartitionDir::date).collect();
    let other = directories.iter().find(|dir| dir.date().is_none());
    let other = match other {
        Some(dir) if dates.is_empty() => format!("; {:?} is no date (YYYY-MM-DD)", dir.value),
        _ => String::new(),
    };
    Fault::data(format!("table {}: {} {lacks}", wish.name, home.display()))
        .because(format!("{}{other}", tell_dates(&dates)))
        .advise("choose a load_date that exists, or wait for the export with --wait")
}

/// Fails while the partition is empty or not marked as whole.
fn check_ready(wish: &Wish<'_>, location: &Path, files: &[Listed], date: LoadDate) -> Result<(), Problem> {
    if wish.layout.ready == Ready::SuccessFile && !has_success_file(location)? {
        let fault = Fault::infrastructure(format!(
            "table {}: load_date {date} is not whole yet: no {SUCCESS_FILE} in {}",
            wish.name,
            location.display()
        ));
        return Err(Problem::Pending(fault.advise("wait for the export with --wait 2h")));
    }
    check_any(wish, location, files)
}

fn check_any(wish: &Wish<'_>, location: &Path, files: &[Listed]) -> Result<(), Problem> {
    if !files.is_empty() {
        return Ok(());
    }
    let fault = Fault::data(format!("table {}: no files in {}", wish.name, location.display()));
    Err(Problem::Pending(fault.advise("export the partition again, or wait for the export with --wait")))
}

/// A file that can't be read may be half written, if it was written to a moment ago.
fn while_written(fault: Fault, newest_ns: i64, context: Context<'_>) -> Problem {
    let age_ms = context.clock.now_ms().saturating_sub(newest_ns / NANOS_PER_MILLI);
    if fault.class() == Class::Data && (0..STILL_WRITTEN_MS).contains(&age_ms) {
        return Problem::Pending(fault);
    }
    Problem::Lasting(fault)
}

fn rows_of_date(wish: &Wish<'_>, home: &Path, described: &Described, date: LoadDate) -> Result<u64, Problem> {
    let dates = dates_in_column(wish, home, described)?;
    match dates.get(&date) {
        Some(rows) => Ok(*rows),
        None => {
            let exist = tell_dates(&dates.into_keys().collect());
            let fault = Fault::data(format!(
                "table {}: no row in {} has {} {date}",
                wish.name,
                home.display(),
                wish.layout.partition
            ))
            .because(exist);
            Err(Problem::Pending(
                fault.advise("choose a load_date that exists, or wait for the export with --wait"),
            ))
        }
    }
}

/// The load_dates in the files' own column, with the rows of each. What is no date is left out.
fn dates_in_column(wish: &Wish<'_>, home: &Path, described: &Described) -> Result<BTreeMap<LoadDate, u64>> {
    let data_type = date_column_type(wish, home, described)?;
    let reader = RowReader {
        table: wish.name.to_owned(),
        format: described.format,
        text: wish.layout.text.clone(),
        file_columns: described.schema.fields().iter().map(|field| field.name().clone()).collect(),
        wanted: vec![Wanted { name: wish.layout.partition.to_lowercase(), data_type }],
        batch_rows: DATE_BATCH_ROWS,
    };
    let mut dates = BTreeMap::new();
    for file in &described.files {
        for batch in reader.open(&file.path, None)? {
            count_dates(batch?.column(0), &mut dates);
        }
    }
    Ok(dates)
}

fn count_dates(column: &ArrayRef, dates: &mut BTreeMap<LoadDate, u64>) {
    let mut count = |date: Option<LoadDate>| {
        if let Some(date) = date {
            *dates.entry(date).or_insert(0) += 1;
        }
    };
    match column.data_type() {
        DataType::Utf8View => {
            column.as_string_view().iter().flatten().for_each(|text| count(text.parse().ok()))
        }
        _ => column.as_primitive::<Date32Type>().iter().flatten().for_each(|days| count(date_of(days))),
    }
}

fn date_of(days: i32) -> Option<LoadDate> {
    let text = Date32Type::to_naive_date_opt(days)?.to_string();
    text.parse().ok()
}

/// The type of the column that holds the load_date, which must be text or a date.
fn date_column_type(wish: &Wish<'_>, home: &Path, described: &Described) -> Result<DataType> {
    let name = wish.layout.partition.to_lowercase();
    let Ok(field) = described.schema.field_with_name(&name) else {
        return Err(Fault::data(format!(
            "table {}: {} has neither directories {name}=YYYY-MM-DD nor a column {name} in its files",
            wish.name,
            home.display()
        ))
        .advise(
            "name the directory or column that holds the load_date in the table's `partition` in the feed",
        ));
    };
    match field.data_type() {
        DataType::Utf8View | DataType::Date32 => Ok(field.data_type().clone()),
        other => Err(Fault::data(format!(
            "table {}: column {name} in {} is {}, where the load_date must be string or date",
            wish.name,
            home.display(),
            type_name(other)
        ))),
    }
}
