//! What a warehouse has: of each table where it lies, its load_dates, and of one of them the files,
//! rows, and whether it is ready. Names of partitions are all that is asked of the others.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use hivecast_contract::LoadDate;
use hivecast_feed::{Feed, FileFormat, Layout};
use hivecast_run::{Clock, Context, Fault, Result, Silent};

use crate::catalog::{CatalogTable, Partition, Telling, no_partition, partition_of};
use crate::describe::{DateSource, describe};
use crate::disk::open_file;
use crate::freeze::{dates_in_column, rows_of_date, the_newest, while_written};
use crate::layout::list_files;
use crate::place::Place;
use crate::problem::Problem;
use crate::ready::{Candidate, Counted, EarlierRows, check_any};
use crate::warehouse::{Warehouse, Wish, wishes};

/// What a warehouse has of one table.
#[derive(Debug)]
pub struct TableSurvey {
    /// What it is called: by the feed, else as `source`.
    pub table: String,
    /// As a feed's `source` names it.
    pub source: String,
    /// The table's directory, as far as it is known.
    pub location: Option<String>,
    /// Its load_dates, where it has any.
    pub load_dates: Option<LoadDates>,
    /// The newest of them, or the one that was asked for.
    pub day: Option<DaySurvey>,
    /// Why no more could be found out. What is known by then is told all the same.
    pub problem: Option<Fault>,
}

/// The load_dates of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadDates {
    /// The oldest.
    pub first: LoadDate,
    /// The newest.
    pub last: LoadDate,
    /// How many.
    pub count: usize,
}

/// One day of a table.
#[derive(Debug)]
pub struct DaySurvey {
    /// The day; none for a table that has no load_dates.
    pub load_date: Option<LoadDate>,
    /// Its directory.
    pub location: String,
    /// How its files are written, where that could be told.
    pub format: Option<FileFormat>,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows, where the files or the metastore tell; text has to be read for that, and is not.
    pub rows: Option<u64>,
    /// Why it is not ready, by what the feed asks for; none where it is.
    pub not_ready: Option<Fault>,
}

/// Whether the files of a store can be read.
#[derive(Debug)]
pub struct StoreProbe {
    /// The store: `hdfs://namenode:8020`, or a table's directory on this machine.
    pub store: String,
    /// The tables of the feed whose files lie there.
    pub tables: Vec<String>,
    /// How many files of theirs were read from, or why one could not be.
    pub outcome: Result<usize>,
}

impl Warehouse {
    /// What the warehouse is, for messages: a directory, or a metastore's hosts.
    pub fn name(&self) -> String {
        self.catalog.name()
    }

    /// Surveys each table that the feed reads, on a day or each on its newest. Fails only where it was
    /// cancelled.
    pub fn survey_feed(
        &self,
        feed: &Feed,
        date: Option<LoadDate>,
        context: Context<'_>,
    ) -> Result<Vec<TableSurvey>> {
        let mut found = Vec::new();
        for wish in wishes(feed) {
            found.push(self.survey_table(&wish, date, context)?);
        }
        Ok(found)
    }

    /// Surveys every table there is, on a day or each on its newest, taking its load_dates to be in
    /// `load_date` and a day to be ready when it has files.
    pub fn survey(&self, date: Option<LoadDate>, context: Context<'_>) -> Result<Vec<TableSurvey>> {
        let layout = Layout::default();
        let mut found = Vec::new();
        for shelf in self.catalog.list()? {
            let qualified = |table: &str| match &shelf.database {
                Some(database) => format!("{database}.{table}"),
                None => table.to_owned(),
            };
            let tables = match shelf.tables {
                Ok(tables) => tables,
                Err(fault) => {
                    let name = qualified("*");
                    found.push(TableSurvey { problem: Some(fault), ..TableSurvey::of(&name, &name) });
                    continue;
                }
            };
            for table in &tables {
                let name = qualified(table);
                let database = shelf.database.as_deref();
                let wish = Wish { name: &name, database, table, layout: &layout, zone: Tz::UTC };
                found.push(self.survey_table(&wish, date, context)?);
            }
        }
        Ok(found)
    }

    fn survey_table(
        &self,
        wish: &Wish<'_>,
        date: Option<LoadDate>,
        context: Context<'_>,
    ) -> Result<TableSurvey> {
        context.check_cancelled()?;
        let source = match wish.database {
            Some(database) => format!("{database}.{}", wish.table),
            None => wish.table.to_owned(),
        };
        let mut survey = TableSurvey::of(wish.name, &source);
        let quiet = Context { sink: &Silent, ..context };
        let looked = self.catalog.find(wish).and_then(|table| survey.look(wish, &*table, date, quiet));
        survey.problem = looked.err();
        Ok(survey)
    }

    /// Reads a byte of one file of each table's newest load_date, and tells of each store whether that
    /// is possible. Tables without files say nothing of a store.
    pub fn try_reading(&self, feed: &Feed, clock: &dyn Clock) -> Vec<StoreProbe> {
        let mut probes: BTreeMap<String, StoreProbe> = BTreeMap::new();
        for wish in wishes(feed) {
            let Ok(Some(place)) = self.newest_place(&wish, clock) else { continue };
            let store = store_of(&place);
            let probe = probes.entry(store.clone()).or_insert(StoreProbe {
                store,
                tables: Vec::new(),
                outcome: Ok(0),
            });
            match (&mut probe.outcome, try_one_file(&place)) {
                // Of a table that has no byte nothing was read, and nothing is said.
                (Ok(_), Ok(0)) => {}
                (Ok(files), Ok(read)) => {
                    probe.tables.push(wish.name.to_owned());
                    *files += read;
                }
                (Err(_), _) => {}
                (outcome, Err(fault)) => *outcome = Err(fault),
            }
        }
        probes.into_values().filter(|probe| probe.outcome.is_err() || !probe.tables.is_empty()).collect()
    }

    fn newest_place(&self, wish: &Wish<'_>, clock: &dyn Clock) -> Result<Option<Place>> {
        let table = self.catalog.find(wish)?;
        if let Some(whole) = table.unpartitioned()? {
            return Ok(Some(whole.place));
        }
        let Some(&newest) = the_newest(&*table, clock)?.known.last() else { return Ok(None) };
        Ok(table.partition(newest).ok().flatten().map(|partition| partition.place))
    }
}

/// As a person says which store it is.
fn store_of(place: &Place) -> String {
    match (place.at.local_path(), place.at.authority()) {
        (Some(_), _) => "this machine".to_owned(),
        (None, authority) => {
            let text = place.at.to_string();
            let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://{authority}")
        }
    }
}

fn try_one_file(place: &Place) -> Result<usize> {
    let files = list_files(place)?;
    let Some(file) = files.iter().find(|file| file.size > 0) else { return Ok(0) };
    let opened = open_file(&*place.storage, &file.path)?;
    let read = opened.read_at(0..1);
    read.map(|_| 1).map_err(|error| Fault::io(format!("failed to read {}", file.path), error))
}

impl TableSurvey {
    fn of(table: &str, source: &str) -> TableSurvey {
        let (table, source) = (table.to_owned(), source.to_owned());
        TableSurvey { table, source, location: None, load_dates: None, day: None, problem: None }
    }

    fn look(
        &mut self,
        wish: &Wish<'_>,
        table: &dyn CatalogTable,
        date: Option<LoadDate>,
        context: Context<'_>,
    ) -> Result<()> {
        self.location = table.location();
        if let Some(whole) = table.unpartitioned()? {
            return self.look_at(wish, table, (&whole, DateSource::Column), date, context);
        }
        let dates = table.dates()?;
        self.load_dates = LoadDates::of(&dates.known);
        let Some(day) = date.or(dates.known.last().copied()) else {
            return Err(no_partition(wish.name, &table.home(), &dates, "has no partition that is a date"));
        };
        let partition = partition_of(table, wish, day, Telling::Newest).map_err(Problem::into_fault)?;
        self.look_at(wish, table, (&partition, DateSource::Path), Some(day), context)
    }

    fn look_at(
        &mut self,
        wish: &Wish<'_>,
        table: &dyn CatalogTable,
        (partition, source): (&Partition, DateSource),
        date: Option<LoadDate>,
        context: Context<'_>,
    ) -> Result<()> {
        let files = list_files(&partition.place)?;
        let day = self.day.insert(DaySurvey {
            load_date: date,
            location: partition.place.to_string(),
            format: partition.written.as_ref().and_then(|written| written.format),
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.size).sum(),
            rows: partition.rows,
            not_ready: None,
        });
        let on = |date| Candidate { wish, table, partition, files: &files, date };
        let newest_is_taken = date.is_none();
        if let Some(date) = date {
            day.note(on(date).check_marked(context))?;
        }
        if files.is_empty() {
            return day.note(check_any(wish, &partition.place, &files));
        }
        let newest = files.iter().map(|file| file.modified_ns).max().unwrap_or(i64::MIN);
        let described = match describe(wish, partition, files.clone(), source) {
            Ok(described) => described,
            Err(fault) => return day.note(Err(while_written(wish, fault, newest, context))),
        };
        day.format = Some(described.format);
        day.rows = described.rows.or(day.rows);
        let earlier = EarlierRows::default();
        match (source, date) {
            (DateSource::Path, None) => Ok(()),
            (DateSource::Path, Some(date)) => {
                day.note(on(date).check_rows(Counted::Whole(described.rows), &earlier, context))
            }
            (DateSource::Column, _) => {
                let dates = dates_in_column(wish, &partition.place, &described)?;
                self.load_dates = LoadDates::of(&dates.keys().copied().collect());
                day.load_date = date.or(dates.keys().next_back().copied());
                let Some(date) = day.load_date else { return Ok(()) };
                day.rows = Some(dates.get(&date).copied().unwrap_or(0));
                if newest_is_taken {
                    day.note(on(date).check_marked(context))?;
                }
                day.note(rows_of_date(wish, &partition.place, &dates, date).map(|_| ()))?;
                day.note(on(date).check_rows(Counted::ByDate(&dates), &earlier, context))
            }
        }
    }
}

impl DaySurvey {
    /// Keeps the first reason why the day is not ready; fails with what is no such reason.
    fn note(&mut self, found: Result<(), Problem>) -> Result<()> {
        if let Err(problem) = found {
            let fault = problem.into_not_ready()?;
            self.not_ready.get_or_insert(fault);
        }
        Ok(())
    }
}

impl LoadDates {
    fn of(dates: &BTreeSet<LoadDate>) -> Option<LoadDates> {
        let (first, last) = (*dates.first()?, *dates.last()?);
        Some(LoadDates { first, last, count: dates.len() })
    }
}
