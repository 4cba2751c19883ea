//! One table: from the feed's words for it to a frozen list of files with one schema.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_schema::{DataType, SchemaRef};
use hivecast_contract::LoadDate;
use hivecast_feed::{FileFormat, Ready, type_name};
use hivecast_run::{Class, Clock, Context, Fault, Result};

use crate::catalog::{Catalog, CatalogTable, Dates, Partition, Recent, Telling, no_partition, partition_of};
use crate::describe::{DateSource, Described, describe};
use crate::input::{InputFile, Seen, TableInput};
use crate::layout::{Listed, list_files, tell_dates};
use crate::place::Place;
use crate::problem::Problem;
use crate::ready::{Candidate, Counted, EarlierRows, check_any, check_can_be_marked};
use crate::rows::{RowReader, Wanted};
use crate::warehouse::Wish;

/// A file whose time is younger than this may still be written to, in milliseconds.
const STILL_WRITTEN_MS: i64 = 120_000;
/// Rows at a time when load_dates are looked up in a column.
const DATE_BATCH_ROWS: usize = 16_384;
const NANOS_PER_MILLI: i64 = 1_000_000;
const MILLIS_PER_DAY: i64 = 86_400_000;

/// A table's day whose mark is there, with its files, of which none is opened yet.
pub(crate) struct Marked<'a> {
    wish: &'a Wish<'a>,
    table: Box<dyn CatalogTable>,
    partition: Partition,
    dates: DateSource,
    files: Vec<Listed>,
    date: LoadDate,
}

/// Finds a table's day and lists its files. `Pending` while there is none, or no mark that it is whole.
pub(crate) fn look<'a>(
    catalog: &dyn Catalog,
    wish: &'a Wish<'a>,
    (date, telling): (LoadDate, Telling),
    context: Context<'_>,
) -> Result<Marked<'a>, Problem> {
    let table = catalog.find(wish)?;
    let (partition, dates) = find_day(&*table, wish, date, telling)?;
    // The mark first: whatever it vouches for was there when it came, and so is in a list that is made later.
    Candidate { wish, table: &*table, partition: &partition, files: &[], date }.check_mark()?;
    let files = list_files(&partition.place)?;
    let marked = Marked { wish, table, partition, dates, files, date };
    marked.candidate().check_held(context)?;
    Ok(marked)
}

impl Marked<'_> {
    fn candidate(&self) -> Candidate<'_> {
        let Marked { wish, table, partition, files, date, .. } = self;
        Candidate { wish, table: &**table, partition, files, date: *date }
    }

    /// Whether that table was frozen with these very files, and they are read as they were then.
    pub(crate) fn is_still(&self, frozen: &TableInput) -> bool {
        frozen.table == self.wish.name
            && frozen.location == self.partition.place.at
            && frozen.seen.is_written_as(self.partition.written.as_ref())
            && frozen.files.iter().map(InputFile::listed).eq(self.files.iter().cloned())
    }

    /// The partition's rows, frozen. `Pending` where the export may still be coming.
    pub(crate) fn freeze(
        self,
        catalog: &Arc<dyn Catalog>,
        earlier: &EarlierRows,
        context: Context<'_>,
    ) -> Result<TableInput, Problem> {
        let Marked { wish, partition, dates, date, .. } = &self;
        let described = self.describe(context)?;
        let (rows, date_column) = match dates {
            DateSource::Path => {
                self.candidate().check_rows(Counted::Whole(described.rows), earlier, context)?;
                (described.rows, None)
            }
            DateSource::Column => {
                let counted = dates_in_column(wish, &partition.place, &described)?;
                let rows = rows_of_date(wish, &partition.place, &counted, *date)?;
                self.candidate().check_rows(Counted::ByDate(&counted), earlier, context)?;
                (Some(rows), Some(wish.layout.partition.to_lowercase()))
            }
        };
        let seen = Seen::new(Arc::clone(catalog), wish, partition.written.clone());
        let place = &partition.place;
        Ok(TableInput {
            table: wish.name.to_owned(),
            storage: Arc::clone(&place.storage),
            location: place.at.clone(),
            load_date: *date,
            schema: described.schema,
            column_bytes: described.column_bytes,
            sizes: described.sizes,
            files: described.files,
            format: described.format,
            declared: described.declared,
            rows,
            statistics_rows: partition.rows,
            partition_column: described.partition_column,
            date_column,
            seen: Arc::new(seen),
        })
    }

    fn describe(&self, context: Context<'_>) -> Result<Described, Problem> {
        let newest = self.files.iter().map(|file| file.modified_ns).max().unwrap_or(i64::MIN);
        describe(self.wish, &self.partition, self.files.clone(), self.dates)
            .map_err(|fault| while_written(self.wish, fault, newest, context))
    }
}

/// Fails while a table's day is not whole, as the feed asks. Files are opened only where their rows have
/// to be counted for that.
pub(crate) fn check_ready(
    table: &dyn CatalogTable,
    wish: &Wish<'_>,
    date: LoadDate,
    context: Context<'_>,
) -> Result<(), Problem> {
    let (partition, dates) = find_day(table, wish, date, Telling::OnlyTheDay)?;
    let files = list_files(&partition.place)?;
    let candidate = Candidate { wish, table, partition: &partition, files: &files, date };
    candidate.check_marked(context)?;
    if !matches!(wish.layout.ready, Ready::RowsWithin(_)) {
        return Ok(());
    }
    let newest = files.iter().map(|file| file.modified_ns).max().unwrap_or(i64::MIN);
    let described = describe(wish, &partition, files.clone(), dates)
        .map_err(|fault| while_written(wish, fault, newest, context))?;
    let earlier = EarlierRows::default();
    match dates {
        DateSource::Path => candidate.check_rows(Counted::Whole(described.rows), &earlier, context),
        DateSource::Column => {
            let counted = dates_in_column(wish, &partition.place, &described)?;
            rows_of_date(wish, &partition.place, &counted, date)?;
            candidate.check_rows(Counted::ByDate(&counted), &earlier, context)
        }
    }
}

/// The partition of a day, or the whole table where it has none.
pub(crate) fn find_day(
    table: &dyn CatalogTable,
    wish: &Wish<'_>,
    date: LoadDate,
    telling: Telling,
) -> Result<(Partition, DateSource), Problem> {
    match table.unpartitioned()? {
        Some(whole) => Ok((whole, DateSource::Column)),
        None => Ok((partition_of(table, wish, date, telling)?, DateSource::Path)),
    }
}

/// A table's columns on a day, or on its newest day, whether or not that day is whole, and how its files
/// are read.
pub(crate) fn table_schema(
    catalog: &dyn Catalog,
    wish: &Wish<'_>,
    date: Option<LoadDate>,
    clock: &dyn Clock,
) -> Result<(SchemaRef, FileFormat)> {
    let table = catalog.find(wish)?;
    if let Some(whole) = table.unpartitioned()? {
        check_can_be_marked(wish, &whole)?;
        let described = describe_any(wish, &whole, DateSource::Column)?;
        date_column_type(wish, &whole.place, &described)?;
        return Ok((described.schema, described.format));
    }
    let date = match date {
        Some(date) => date,
        None => newest_date(wish, &*table, clock)?,
    };
    let partition = partition_of(&*table, wish, date, Telling::Newest).map_err(Problem::into_fault)?;
    check_can_be_marked(wish, &partition)?;
    let described = describe_any(wish, &partition, DateSource::Path)?;
    Ok((described.schema, described.format))
}

fn newest_date(wish: &Wish<'_>, table: &dyn CatalogTable, clock: &dyn Clock) -> Result<LoadDate> {
    let dates = the_newest(table, clock)?;
    match dates.known.last() {
        Some(newest) => Ok(*newest),
        None => Err(no_partition(wish.name, &table.home(), &dates, "has no partition that is a date")),
    }
}

/// The newest load_date, with whatever others are told along with it.
pub(crate) fn the_newest(table: &dyn CatalogTable, clock: &dyn Clock) -> Result<Dates> {
    table.newest(&Recent { before: None, near: today(clock)?, enough: 1 })
}

/// What the files of a directory say, of which there must be some.
fn describe_any(wish: &Wish<'_>, partition: &Partition, dates: DateSource) -> Result<Described> {
    let files = list_files(&partition.place)?;
    check_any(wish, &partition.place, &files).map_err(Problem::into_fault)?;
    describe(wish, partition, files, dates)
}

/// The load_dates that a table has.
pub(crate) fn table_dates(catalog: &dyn Catalog, wish: &Wish<'_>) -> Result<BTreeSet<LoadDate>> {
    dates_of(&*catalog.find(wish)?, wish)
}

/// As [`table_dates`], of a table that is found.
pub(crate) fn dates_of(table: &dyn CatalogTable, wish: &Wish<'_>) -> Result<BTreeSet<LoadDate>> {
    let Some(whole) = table.unpartitioned()? else { return Ok(table.dates()?.known) };
    let described = describe_any(wish, &whole, DateSource::Column)?;
    Ok(dates_in_column(wish, &whole.place, &described)?.into_keys().collect())
}

/// A file that can't be read may be half written, if it was written to a moment ago and no mark says that the
/// export has ended. One from the future was written by a machine whose clock is ahead.
pub(crate) fn while_written(wish: &Wish<'_>, fault: Fault, newest_ns: i64, context: Context<'_>) -> Problem {
    let age_ms = context.clock.now_ms().saturating_sub(newest_ns / NANOS_PER_MILLI);
    let is_marked = matches!(wish.layout.ready, Ready::SuccessFile | Ready::Parameter { .. });
    if fault.class() == Class::Data && !is_marked && age_ms < STILL_WRITTEN_MS {
        return Problem::Pending(fault);
    }
    Problem::Lasting(fault)
}

/// The rows of a day among those that a column holds. Pending where there are none.
pub(crate) fn rows_of_date(
    wish: &Wish<'_>,
    home: &Place,
    dates: &BTreeMap<LoadDate, u64>,
    date: LoadDate,
) -> Result<u64, Problem> {
    match dates.get(&date) {
        Some(rows) => Ok(*rows),
        None => {
            let known = dates.keys().copied().collect();
            let exist = tell_dates(&Dates { known, ..Dates::default() });
            let fault = Fault::data(format!(
                "table {}: no row in {} has {} {date}",
                wish.name, home, wish.layout.partition
            ))
            .because(exist);
            Err(Problem::Pending(fault.advise("choose a load_date that exists")))
        }
    }
}

/// The load_dates in the files' own column, with the rows of each. What is no date is left out.
pub(crate) fn dates_in_column(
    wish: &Wish<'_>,
    home: &Place,
    described: &Described,
) -> Result<BTreeMap<LoadDate, u64>> {
    let data_type = date_column_type(wish, home, described)?;
    let reader = RowReader {
        table: wish.name.to_owned(),
        storage: Arc::clone(&home.storage),
        format: described.format,
        declared: Arc::clone(&described.declared),
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

/// The day of the run, in UTC.
pub(crate) fn today(clock: &dyn Clock) -> Result<LoadDate> {
    let days = clock.now_ms().div_euclid(MILLIS_PER_DAY);
    let date = i32::try_from(days).ok().and_then(date_of);
    date.ok_or_else(|| Fault::infrastructure("this machine's clock is set to no day that a load_date can be"))
}

/// A day so many days earlier; none before the first that a load_date can be.
pub(crate) fn days_before(date: LoadDate, days: i32) -> Option<LoadDate> {
    date_of(i32::try_from(date.days_since_epoch()).ok()?.checked_sub(days)?)
}

fn date_of(days: i32) -> Option<LoadDate> {
    let text = Date32Type::to_naive_date_opt(days)?.to_string();
    text.parse().ok()
}

/// The type of the column that holds the load_date, which must be text or a date.
fn date_column_type(wish: &Wish<'_>, home: &Place, described: &Described) -> Result<DataType> {
    let name = wish.layout.partition.to_lowercase();
    let Ok(field) = described.schema.field_with_name(&name) else {
        return Err(Fault::data(format!(
            "table {}: {} has neither directories {name}=YYYY-MM-DD nor a column {name} in its files",
            wish.name, home
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
            home,
            type_name(other)
        ))),
    }
}
