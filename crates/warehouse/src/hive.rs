//! A Hive Metastore as a catalog.

use std::sync::Arc;

use chrono_tz::Tz;
use hivecast_contract::LoadDate;
use hivecast_feed::Layout;
use hivecast_metastore::{self as metastore, Metastore, Table, TableKind, Wanted};
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Stores};

use crate::catalog::{Catalog, CatalogTable, Dates, Partition, Reach, Recent, Shelf};
use crate::freeze::days_before;
use crate::layout::no_table;
use crate::place::Place;
use crate::problem::Problem;
use crate::reading::Declared;
use crate::retention::{Neighbours, OldPartition, Registered};
use crate::warehouse::Wish;
use crate::written::written;

/// The database of a table that names none.
const DEFAULT_DATABASE: &str = "default";
/// Names of partitions that are asked for without a thought, some 30 bytes each.
const FEW_NAMES: i16 = 200;
/// Days among which the newest load_dates are looked for: two months of daily exports, of weekly ones, of
/// monthly ones.
const SPANS_DAYS: [i32; 3] = [60, 420, 1_830];

/// A metastore, and the stores that its tables lie in.
#[derive(Debug)]
pub(crate) struct Hive {
    metastore: Arc<Metastore>,
    stores: Arc<Stores>,
    neighbours: Arc<Neighbours>,
}

impl Catalog for Hive {
    fn find(&self, wish: &Wish<'_>) -> Result<Box<dyn CatalogTable>> {
        let database = wish.database.unwrap_or(DEFAULT_DATABASE);
        let Some(table) = self.metastore.table(database, wish.table)? else {
            return Err(self.no_table(wish, database)?);
        };
        refuse_unreadable(wish, &table)?;
        let key = partition_key(wish, &table)?;
        let (metastore, stores) = (Arc::clone(&self.metastore), Arc::clone(&self.stores));
        let layout = wish.layout.clone();
        Ok(Box::new(HiveTable {
            metastore,
            stores,
            neighbours: Arc::clone(&self.neighbours),
            name: wish.name.to_owned(),
            layout,
            zone: wish.zone,
            table: Arc::new(table),
            key,
        }))
    }

    fn name(&self) -> String {
        format!("the metastore {}", hosts(&self.metastore))
    }

    fn list(&self) -> Result<Vec<Shelf>> {
        let shelf = |name: String| Shelf { tables: self.metastore.tables(&name), database: Some(name) };
        Ok(self.metastore.databases()?.into_iter().map(shelf).collect())
    }
}

impl Hive {
    pub(crate) fn new(metastore: Metastore, stores: Stores) -> Hive {
        let (metastore, stores) = (Arc::new(metastore), Arc::new(stores));
        Hive { metastore, stores, neighbours: Arc::default() }
    }

    fn no_table(&self, wish: &Wish<'_>, database: &str) -> Result<Fault> {
        let tables = self.metastore.tables(database)?;
        let databases = if tables.is_empty() { self.metastore.databases()? } else { Vec::new() };
        let names: Vec<String> = tables.iter().map(|table| format!("{database}.{table}")).collect();
        Ok(no_table(Some(database), wish.table, &names, || match databases.as_slice() {
            [] => format!("database {database} has {} tables; `hivecast tables` lists them", tables.len()),
            databases if databases.iter().any(|known| known.eq_ignore_ascii_case(database)) => {
                format!("database {database} has no tables")
            }
            databases => format!("there is no database {database}; there are {}", databases.join(", ")),
        }))
    }
}

fn hosts(metastore: &Metastore) -> String {
    let hosts: Vec<String> = metastore.hosts().iter().map(|host| host.to_string()).collect();
    hosts.join(", ")
}

/// Fails for what is no plain table of files.
fn refuse_unreadable(wish: &Wish<'_>, table: &Table) -> Result<()> {
    let name = table.full_name();
    let refuse = |what: &str, advice: &str| {
        Err(Fault::usage(format!("table {}: {name} {what}", wish.name)).advise(advice))
    };
    match &table.kind {
        TableKind::View => refuse(
            "is a view, which has no files of its own",
            "name the tables that it reads as tables of the feed, and write its query as a table with `sql`",
        ),
        TableKind::MaterializedView => refuse(
            "is a materialized view, whose files are as old as its last rebuild",
            "export what it holds into a table: `insert overwrite table … partition (load_date=…) select …`",
        ),
        TableKind::Other(kind) => {
            refuse(&format!("is a {kind}, which is not read"), "export it into a plain table")
        }
        TableKind::Managed | TableKind::External if table.is_transactional() => refuse(
            "is a transactional table, whose files hold rows that are deleted or not committed yet",
            "export it into a table that is not: `create external table … stored as orc` and `insert overwrite … select …`",
        ),
        TableKind::Managed | TableKind::External => Ok(()),
    }
}

/// The position of the partition column that holds the load_date; none for a table without partitions.
fn partition_key(wish: &Wish<'_>, table: &Table) -> Result<Option<usize>> {
    let keys: Vec<&str> = table.partition_columns.iter().map(|column| column.name.as_str()).collect();
    let found = keys.iter().position(|key| key.eq_ignore_ascii_case(&wish.layout.partition));
    match (keys.as_slice(), found) {
        ([], _) => Ok(None),
        ([_], Some(at)) => Ok(Some(at)),
        (_, None) => Err(Fault::data(format!(
            "table {}: {} is partitioned by {}, not by {}",
            wish.name,
            table.full_name(),
            keys.join(", "),
            wish.layout.partition
        ))
        .advise("name the partition that holds the load_date in the table's `partition` in the feed")),
        (_, Some(_)) => Err(Fault::data(format!(
            "table {}: {} is partitioned further, by {}, which is not read",
            wish.name,
            table.full_name(),
            keys.iter()
                .filter(|key| !key.eq_ignore_ascii_case(&wish.layout.partition))
                .copied()
                .collect::<Vec<_>>()
                .join(", ")
        ))
        .advise("export the table with one partition a load_date")),
    }
}

/// A table of the metastore.
struct HiveTable {
    metastore: Arc<Metastore>,
    stores: Arc<Stores>,
    neighbours: Arc<Neighbours>,
    /// The feed's name for it.
    name: String,
    layout: Layout,
    zone: Tz,
    table: Arc<Table>,
    key: Option<usize>,
}

impl HiveTable {
    fn written(&self, partition: Option<&metastore::Partition>) -> Result<Declared> {
        let wish = Wish {
            name: &self.name,
            database: None,
            table: &self.table.name,
            layout: &self.layout,
            zone: self.zone,
        };
        written(&wish, &self.table, partition)
    }

    fn place(&self, location: Option<&str>, whose: &str) -> Result<Place> {
        let location = location.ok_or_else(|| {
            Fault::data(format!("table {}: the metastore has no location for {whose}", self.name))
        })?;
        let at = Location::parse(location)
            .map_err(|fault| fault.within(format!("table {}: failed to find {whose}", self.name)))?;
        Ok(Place { storage: self.stores.of(&at)?, at })
    }

    fn made_of(&self, partition: &metastore::Partition, whose: &str) -> Result<Partition> {
        let place = self.place(partition.storage.location.as_deref(), whose)?;
        // The store says "not found" of a directory that the metastore speaks of, and nothing else would
        // tell whose mistake that is.
        if place.look()?.is_none() {
            return Err(Fault::data(format!(
                "table {}: {whose} lies in {place}, says the metastore {}, and there is no such directory",
                self.name,
                self.hosts()
            ))
            .advise("export the partition again"));
        }
        Ok(Partition {
            place,
            rows: partition.statistics().rows,
            parameters: Some(partition.parameters.clone()),
            written: Some(self.written(Some(partition))?),
        })
    }

    fn hosts(&self) -> String {
        hosts(&self.metastore)
    }

    fn key_name(&self) -> &str {
        self.key.and_then(|at| self.table.partition_columns.get(at)).map_or("", |column| &column.name)
    }

    /// The load_dates' values in the names of partitions.
    fn values_of(&self, names: &[String]) -> Vec<String> {
        let value = |name: &String| {
            let part = name.split('/').nth(self.key.unwrap_or(0)).and_then(|part| part.split_once('='));
            metastore::unescape_path_name(part.map_or("", |(_, value)| value))
        };
        names.iter().map(value).collect()
    }

    fn dates_of(&self, values: Vec<String>) -> Dates {
        let mut dates = Dates::default();
        for value in values {
            match self.date_of(&value) {
                Some(date) => {
                    dates.known.insert(date);
                }
                None => dates.other = Some(value),
            }
        }
        dates
    }

    /// Whether load_dates are numbers such as 20261122.
    fn has_numbers(&self) -> bool {
        let column = self.key.and_then(|at| self.table.partition_columns.get(at));
        column.is_some_and(metastore::Column::has_whole_numbers)
    }

    fn text_of(&self, date: LoadDate) -> String {
        let text = date.to_string();
        if self.has_numbers() { text.replace('-', "") } else { text }
    }

    fn date_of(&self, value: &str) -> Option<LoadDate> {
        if !self.has_numbers() {
            return value.parse().ok();
        }
        let digits = value.trim_start_matches('0');
        let fits = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]))
            .and_then(|text| text.parse().ok())
    }
}

impl CatalogTable for HiveTable {
    fn unpartitioned(&self) -> Result<Option<Partition>> {
        if self.key.is_some() {
            return Ok(None);
        }
        let place = self.place(self.table.storage.location.as_deref(), &self.table.full_name())?;
        Ok(Some(Partition {
            place,
            rows: self.table.statistics().rows,
            parameters: Some(self.table.parameters.clone()),
            written: Some(self.written(None)?),
        }))
    }

    fn home(&self) -> String {
        format!("{} in the metastore {}", self.table.full_name(), self.hosts())
    }

    fn location(&self) -> Option<String> {
        self.table.storage.location.clone()
    }

    fn old_partitions(&self, is_old: &dyn Fn(LoadDate) -> bool) -> Result<Vec<OldPartition>> {
        if self.key.is_none() {
            return Ok(Vec::new());
        }
        let home = self.place(self.table.storage.location.as_deref(), &self.table.full_name())?;
        let registered = Registered {
            metastore: &self.metastore,
            table: &self.table,
            home: &home,
            neighbours: &self.neighbours,
        };
        registered.old_partitions(&|values| {
            let date = values.get(self.key.unwrap_or(0)).and_then(|value| self.date_of(value));
            date.filter(|date| is_old(*date))
        })
    }

    fn dates(&self) -> Result<Dates> {
        let names = self.metastore.partition_names(&self.table)?;
        Ok(self.dates_of(self.values_of(&names)))
    }

    /// Most tables keep a week of days, and all their names are one short answer. Of those that keep
    /// thousands, the server picks a span of days, and a longer one where that holds too few.
    fn newest(&self, recent: &Recent) -> Result<Dates> {
        let names = self.metastore.first_partition_names(&self.table, FEW_NAMES)?;
        if names.len() < usize::from(FEW_NAMES.unsigned_abs()) {
            return Ok(self.dates_of(self.values_of(&names)).before(recent.before));
        }
        for days in SPANS_DAYS {
            let Some(from) = days_before(recent.near, days) else { break };
            let before = recent.before.map(|date| self.text_of(date));
            let range = metastore::Range { from: self.text_of(from), before };
            let Some(values) = self.metastore.values_in_range(&self.table, self.key_name(), &range)? else {
                break;
            };
            let dates = self.dates_of(values);
            if dates.known.len() >= recent.enough {
                return Ok(Dates { reach: Reach::Newest, ..dates });
            }
        }
        Ok(self.dates()?.before(recent.before))
    }

    fn partition_name(&self, date: LoadDate) -> String {
        format!("{}={}", self.key_name(), self.text_of(date))
    }

    fn partition(&self, date: LoadDate) -> Result<Option<Partition>, Problem> {
        let wanted = Wanted::any_of(self.key_name(), [self.text_of(date)]);
        let found = self.metastore.partitions_matching(&self.table, &[wanted])?;
        let whose = format!("partition {}", self.partition_name(date));
        match found.as_slice() {
            [] => Ok(None),
            [one] => self.made_of(one, &whose).map(Some).map_err(|fault| match fault.class() {
                hivecast_run::Class::Data => Problem::Pending(fault),
                _ => fault.into(),
            }),
            several => {
                let values: Vec<String> = several.iter().map(|one| one.values.join("/")).collect();
                Err(Fault::data(format!(
                    "table {}: {} partitions are load_date {date}: {}",
                    self.name,
                    several.len(),
                    values.join(", ")
                ))
                .into())
            }
        }
    }
}
