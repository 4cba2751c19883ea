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

    /// The partition of a day. Pending where there is none.
    fn partition(&self, date: LoadDate) -> Result<Partition, Problem>;

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
}

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

/// The table has no partition for what is asked; `lacks` says so.
pub(crate) fn no_partition(table: &str, home: &str, dates: &Dates, lacks: &str) -> Fault {
    let other = match &dates.other {
        Some(value) if dates.known.is_empty() => format!("; {value:?} is no date (YYYY-MM-DD)"),
        _ => String::new(),
    };
    Fault::data(format!("table {table}: {home} {lacks}"))
        .because(format!("{}{other}", tell_dates(&dates.known)))
        .advise("choose a load_date that exists, or wait for the export with --wait")
}
