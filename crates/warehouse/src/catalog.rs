//! What knows where tables and their partitions are: a directory in Hive layout, or a metastore.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hivecast_contract::LoadDate;
use hivecast_run::{Fault, Result};

use crate::layout::tell_dates;
use crate::place::Place;
use crate::problem::Problem;
use crate::reading::Declared;
use crate::retention::OldPartition;
use crate::warehouse::Wish;

/// Finds tables.
pub(crate) trait Catalog: fmt::Debug + Send + Sync {
    /// The table that is wished for. `Class::Usage` where there is none, with the names that are like it.
    fn find(&self, wish: &Wish<'_>) -> Result<Box<dyn CatalogTable>>;

    /// Fails where there is no use in asking for any table, with what is to be said of all of them once.
    fn reach(&self) -> Result<()> {
        Ok(())
    }

    /// What it is, for messages: a directory, or the hosts of a metastore.
    fn name(&self) -> String;

    /// Every table there is, by database.
    fn list(&self) -> Result<Vec<Shelf>>;
}

/// A database, and its tables' names: or why they can't be told.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// None for tables that are in no database.
    pub(crate) database: Option<String>,
    pub(crate) tables: Result<Vec<String>>,
}

/// A table, and its partitions by load_date.
pub(crate) trait CatalogTable {
    /// The whole table, where it has no partitions: its load_date can only be a column.
    fn unpartitioned(&self) -> Result<Option<Partition>>;

    /// The table as messages call it: where it lies.
    fn home(&self) -> String;

    /// The load_dates of its partitions, and a value that is no date, if there is one.
    fn dates(&self) -> Result<Dates>;

    /// The newest load_dates, without asking for all where there are many.
    fn newest(&self, recent: &Recent) -> Result<Dates> {
        Ok(self.dates()?.before(recent.before))
    }

    /// The partition of a day; none where there is none. Nothing is asked of other days.
    fn partition(&self, date: LoadDate) -> Result<Option<Partition>, Problem>;

    /// What the partition of a day is called: `load_date=2026-11-22`.
    fn partition_name(&self, date: LoadDate) -> String;

    /// The table's directory, where it has one.
    fn location(&self) -> Option<String>;

    /// The partitions whose load_dates are old, and what an earlier run left of such, oldest first.
    /// `Class::Data` where one can't be removed without touching what is not its own.
    fn old_partitions(&self, is_old: &dyn Fn(LoadDate) -> bool) -> Result<Vec<OldPartition>>;
}

/// The load_dates of a table's partitions.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    pub(crate) known: BTreeSet<LoadDate>,
    /// A partition's value that is no date.
    pub(crate) other: Option<String>,
    pub(crate) reach: Reach,
}

/// Which of a table's load_dates are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Each of them.
    #[default]
    All,
    /// Enough of the newest; there may be older ones.
    Newest,
}

/// Which load_dates are the newest that are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recent {
    /// Days before this one; none for whatever is the newest.
    pub(crate) before: Option<LoadDate>,
    /// Where they are looked for first.
    pub(crate) near: LoadDate,
    /// How many will do. More are told where they are known all the same.
    pub(crate) enough: usize,
}

impl Dates {
    /// Those that lie before the day that is asked for.
    pub(crate) fn before(mut self, before: Option<LoadDate>) -> Dates {
        if let Some(before) = before {
            self.known = self.known.range(..before).copied().collect();
        }
        self
    }
}

/// Dates that a message lists; the rest are counted, as far as they are known.
pub(crate) const LISTED_DATES: usize = 10;

/// The files of one day, and what the catalog knows of them.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    /// Their directory.
    pub(crate) place: Place,
    /// Parameters of the partition; none where the catalog keeps none.
    pub(crate) parameters: Option<BTreeMap<String, String>>,
    /// Rows, where somebody counted them.
    pub(crate) rows: Option<u64>,
    /// How its files are written; none where only the feed and the files themselves say.
    pub(crate) written: Option<Declared>,
}

impl Partition {
    /// How its files are written: as the catalog says, or else the feed.
    pub(crate) fn declared(&self, wish: &Wish<'_>) -> Declared {
        self.written.clone().unwrap_or_else(|| Declared::by_feed(wish.layout, wish.zone))
    }

    /// Files in a directory, of which nothing else is known.
    pub(crate) fn at(place: &Place) -> Partition {
        Partition { place: place.clone(), parameters: None, rows: None, written: None }
    }
}

/// What a message says of the days of a table that lacks one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// The newest load_dates that it has.
    Newest,
    /// Nothing: the day is looked for again and again, and the others are nobody's question.
    OnlyTheDay,
}

/// The partition of a day. Pending where there is none.
pub(crate) fn partition_of(
    table: &dyn CatalogTable,
    wish: &Wish<'_>,
    date: LoadDate,
    telling: Telling,
) -> Result<Partition, Problem> {
    if let Some(found) = table.partition(date)? {
        return Ok(found);
    }
    let lacks = format!("has no partition {}", table.partition_name(date));
    let fault = match telling {
        Telling::OnlyTheDay => lacking(wish.name, &table.home(), &lacks),
        Telling::Newest => {
            let dates = table.newest(&Recent { before: None, near: date, enough: LISTED_DATES })?;
            no_partition(wish.name, &table.home(), &dates, &lacks)
        }
    };
    Err(Problem::Pending(fault))
}

/// The table has no partition for what is asked; `lacks` says so.
pub(crate) fn no_partition(table: &str, home: &str, dates: &Dates, lacks: &str) -> Fault {
    let other = match &dates.other {
        Some(value) if dates.known.is_empty() => format!("; {value:?} is no date (YYYY-MM-DD)"),
        _ => String::new(),
    };
    lacking(table, home, lacks).because(format!("{}{other}", tell_dates(dates)))
}

fn lacking(table: &str, home: &str, lacks: &str) -> Fault {
    Fault::data(format!("table {table}: {home} {lacks}")).advise("choose a load_date that exists")
}
