use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use chrono_tz::Tz;
use hivecast_contract::LoadDate;
use hivecast_feed::{Feed, FileFormat, Layout, Source, Table};
use hivecast_metastore::Metastore;
use hivecast_run::{Clock, Context, Fault, Result};
use hivecast_storage::{Location, Stores};

use crate::catalog::{Catalog, Telling};
use crate::directory::Directory;
use crate::freeze::{table_dates, table_schema};
use crate::hive::Hive;
use crate::input::Inputs;
use crate::place::Place;
use crate::problem::{Problem, combine};
use crate::watch::{Blocked, Opening};

/// Where exports lie: a directory in Hive layout, or a metastore that says where.
#[derive(Clone, Debug)]
pub struct Warehouse {
    pub(crate) catalog: Arc<dyn Catalog>,
}

/// A table of the warehouse as the feed names and describes it.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) name: &'a str,
    pub(crate) database: Option<&'a str>,
    pub(crate) table: &'a str,
    pub(crate) layout: &'a Layout,
    /// Where its wall clocks stand.
    pub(crate) zone: Tz,
}

impl<'a> Wish<'a> {
    /// None for a table that is a query.
    pub(crate) fn of(table: &'a Table, zone: Tz) -> Option<Wish<'a>> {
        match &table.source {
            Source::Warehouse { database, table: source } => Some(Wish {
                name: &table.name,
                database: database.as_deref(),
                table: source,
                layout: &table.layout,
                zone,
            }),
            Source::Query(_) => None,
        }
    }
}

pub(crate) fn wishes(feed: &Feed) -> impl Iterator<Item = Wish<'_>> {
    // What is no zone is told by those who write timestamps.
    let zone = feed.format.timezone.parse().unwrap_or(Tz::UTC);
    feed.tables.iter().filter_map(move |table| Wish::of(table, zone))
}

/// What a warehouse has of a feed's tables, by the feed's names.
#[derive(Debug, Default)]
pub struct Found {
    /// The columns of those that can be read.
    pub columns: BTreeMap<String, SchemaRef>,
    /// How the files of those are read.
    pub formats: BTreeMap<String, FileFormat>,
    /// Why the others can't be read: `Class::Usage` where there is no such table.
    pub problems: BTreeMap<String, Fault>,
}

impl Found {
    /// All columns, or every problem in one fault.
    pub fn into_result(self, feed: &str) -> Result<BTreeMap<String, SchemaRef>> {
        let of_table = |(name, fault): (String, Fault)| Problem::Lasting(fault).of_table(&name);
        let problems = self.problems.into_iter().map(of_table).collect();
        match combine(problems, &format!("feed {feed}")) {
            Some(fault) => Err(fault),
            None => Ok(self.columns),
        }
    }
}

impl Warehouse {
    /// A warehouse in a directory of this machine. `Class::Usage` where there is no such directory.
    pub fn open(root: &Path) -> Result<Warehouse> {
        let root = std::path::absolute(root)
            .map_err(|error| Fault::io(format!("failed to find {}", root.display()), error))?;
        let warehouse = Warehouse::of_directory(&Location::local(&root)?, &Stores::default())?;
        warehouse.reach()?;
        Ok(warehouse)
    }

    /// A warehouse in a directory. Nothing is asked yet.
    pub fn of_directory(root: &Location, stores: &Stores) -> Result<Warehouse> {
        let root = Place { storage: stores.of(root)?, at: root.clone() };
        Ok(Warehouse { catalog: Arc::new(Directory { root }) })
    }

    /// Fails where the directory can't be looked at, and with `Class::Usage` where there is none. A metastore
    /// is not asked: whatever is asked of it first tells as much.
    pub fn reach(&self) -> Result<()> {
        self.catalog.reach()
    }

    /// The tables of a metastore, in whatever stores they lie. Nothing is asked yet.
    pub fn of_metastore(metastore: Metastore, stores: Stores) -> Warehouse {
        Warehouse { catalog: Arc::new(Hive::new(metastore, stores)) }
    }

    /// The load_dates that a table has, oldest first; none for a table that is a query. Reads one
    /// column of all files where the load_date is a column.
    pub fn load_dates(&self, table: &Table) -> Result<Vec<LoadDate>> {
        // A load_date is a date or a text, which no zone changes.
        match Wish::of(table, Tz::UTC) {
            Some(wish) => Ok(table_dates(&*self.catalog, &wish)?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    /// The load_dates that every table of the feed has, oldest first: those that the feed can be
    /// built for. Fails with every table's problem at once.
    pub fn common_load_dates(&self, feed: &Feed) -> Result<Vec<LoadDate>> {
        let dates = each_table(feed, |wish| table_dates(&*self.catalog, wish))?;
        let mut sets = dates.into_iter().map(|(_, dates)| dates);
        let first = sets.next().unwrap_or_default();
        Ok(sets.fold(first, |common: BTreeSet<LoadDate>, dates| &common & &dates).into_iter().collect())
    }

    /// The columns of every table of the warehouse that the feed reads, by the feed's names, on a
    /// day or each on its newest day, whether or not that day is whole. Reads footers and headers
    /// only; the clock says near which day the newest is looked for. Fails with every table's problem at once.
    pub fn schemas(
        &self,
        feed: &Feed,
        date: Option<LoadDate>,
        clock: &dyn Clock,
    ) -> Result<BTreeMap<String, SchemaRef>> {
        self.look_up(feed, date, clock).into_result(&feed.name)
    }

    /// As [`Warehouse::schemas`], with what can't be read kept apart from what can.
    pub fn look_up(&self, feed: &Feed, date: Option<LoadDate>, clock: &dyn Clock) -> Found {
        let mut found = Found::default();
        for wish in wishes(feed) {
            match table_schema(&*self.catalog, &wish, date, clock) {
                Ok((schema, format)) => {
                    found.columns.insert(wish.name.to_owned(), schema);
                    found.formats.insert(wish.name.to_owned(), format);
                }
                Err(fault) => {
                    found.problems.insert(wish.name.to_owned(), fault);
                }
            }
        }
        found
    }

    /// Resolves every table of the feed to its files on a day, and freezes the list. Fails with
    /// every table's problem at once: `Class::Data` for what is missing, empty or corrupt,
    /// `Class::Infrastructure` for what is not whole yet.
    pub fn freeze(&self, feed: &Feed, date: LoadDate, context: Context<'_>) -> Result<Inputs> {
        let looked = self.watch(feed, date).look(Telling::Newest, Opening::Always, context)?;
        looked.map_err(Blocked::into_fault)
    }

    /// As [`Warehouse::freeze`], for who can't wait: no advice says so.
    pub fn freeze_now(&self, feed: &Feed, date: LoadDate, context: Context<'_>) -> Result<Inputs> {
        let looked = self.watch(feed, date).look(Telling::Newest, Opening::Always, context)?;
        looked.map_err(Blocked::into_fault_of_now)
    }
}

/// Asks something of every table of the warehouse; all answers, or all problems in one fault.
pub(crate) fn each_table<T>(feed: &Feed, ask: impl Fn(&Wish<'_>) -> Result<T>) -> Result<Vec<(String, T)>> {
    let (mut answers, mut problems) = (Vec::new(), Vec::new());
    for wish in wishes(feed) {
        match ask(&wish) {
            Ok(answer) => answers.push((wish.name.to_owned(), answer)),
            Err(fault) => problems.push(Problem::Lasting(fault).of_table(wish.name)),
        }
    }
    match combine(problems, &format!("feed {}", feed.name)) {
        Some(fault) => Err(fault),
        None => Ok(answers),
    }
}
