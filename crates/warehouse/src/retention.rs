//! Old partitions, and how they are removed so that no reader ever finds half of one.
//!
//! In a directory, a partition is first renamed to a hidden name, at one instant, and then removed. In a
//! metastore it is dropped first, and its files go after that; a marker beside the table's partitions
//! says what is going, so that a later run finishes what one that died began.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use hivecast_contract::LoadDate;
use hivecast_feed::Table as FeedTable;
use hivecast_metastore::{Metastore, Partition, Table, partition_name};
use hivecast_run::{Fault, Result, crash_point};
use hivecast_storage::{Atomic, Existing, Kind, Location};

use crate::layout::SUCCESS_FILE;
use crate::place::Place;
use crate::warehouse::{Warehouse, Wish};

/// How the names of directories and markers begin that are on their way out. Readers of Hive's layout
/// pass over names that begin with a point.
const GOING: &str = ".hivecast-prune.";
/// A marker holds one location; a file that is larger is none.
const MOST_MARKER_BYTES: u64 = 4 << 10;

/// A partition that may be removed.
#[derive(Debug)]
pub struct OldPartition {
    /// Its day.
    pub load_date: LoadDate,
    /// Its directory.
    pub location: Location,
    /// Whether readers still find it.
    pub remains: Remains,
    way: Way,
}

/// What there is of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// All of it.
    Whole,
    /// Files that a run which died left; no reader finds them.
    Files,
}

#[derive(Debug)]
enum Way {
    /// A directory that is taken out of sight, under this name, before it is removed.
    Hide { dir: Place, hidden: Place },
    /// A directory that nobody sees any more.
    Sweep(Place),
    /// A partition of a metastore.
    Drop { metastore: Arc<Metastore>, table: Arc<Table>, values: Vec<String>, dir: Place, marker: Place },
    /// What was such a partition.
    Finish { dir: Place, marker: Place },
}

impl Warehouse {
    /// The partitions of a table whose load_dates are old and not among the newest `keep`, oldest first,
    /// with what an earlier run left of such. Nothing is removed yet. `Class::Data` where the directory
    /// of one is not its own: it lies outside of the table's, or another partition or table shares it. None for a
    /// table that is a query, or has no partitions.
    pub fn old_partitions(
        &self,
        table: &FeedTable,
        keep: usize,
        is_old: &dyn Fn(LoadDate) -> bool,
    ) -> Result<Vec<OldPartition>> {
        // No rows are read, so no time zone matters.
        let Some(wish) = Wish::of(table, Tz::UTC) else { return Ok(Vec::new()) };
        let found = self.catalog.find(&wish)?;
        if found.unpartitioned()?.is_some() {
            return Ok(Vec::new());
        }
        let known = found.dates()?.known;
        let oldest_kept = known.iter().rev().take(keep).next_back().copied();
        let is_old = |date: LoadDate| is_old(date) && oldest_kept.is_none_or(|kept| date < kept);
        let old = found.old_partitions(&is_old);
        old.map_err(|fault| fault.within(format!("table {}: no partition can be removed", table.name)))
    }
}

impl OldPartition {
    /// Removes it: from the eyes of readers first, then its files. A run that dies in between leaves
    /// files that nobody reads, which the next run finds again as [`Remains::Files`]. In a store that
    /// renames no directories, and without a metastore, a partition that is half removed lacks its
    /// `_SUCCESS`, and is found again as a whole one.
    pub fn remove(&self) -> Result<()> {
        let failed = format!("failed to remove the partition of load_date {}", self.load_date);
        self.way.go().map_err(|fault| {
            fault.within(failed).advise("run it again when that is mended: it finishes what is left")
        })
    }
}

impl Way {
    fn go(&self) -> Result<()> {
        match self {
            Way::Hide { dir, hidden } if dir.storage.atomic() == Atomic::RenameOfDirectories => {
                // One of the same name was left by a run that died.
                hidden.remove()?;
                dir.rename(hidden)?;
                crash_point("prune.hidden");
                hidden.remove()
            }
            Way::Hide { dir, .. } => {
                dir.join(SUCCESS_FILE).remove()?;
                dir.remove()
            }
            Way::Sweep(dir) => dir.remove(),
            Way::Drop { metastore, table, values, dir, marker } => {
                marker.write(&dir.at.to_string())?;
                crash_point("prune.marked");
                metastore.drop_partition(table, values)?;
                crash_point("prune.dropped");
                dir.remove()?;
                marker.remove()
            }
            Way::Finish { dir, marker } => {
                dir.remove()?;
                marker.remove()
            }
        }
    }
}

/// The old partitions of a directory in Hive layout.
pub(crate) fn of_directory<'a>(
    home: &Place,
    old: impl Iterator<Item = (LoadDate, &'a Place)>,
) -> Result<Vec<OldPartition>> {
    let mut found = Vec::new();
    for entry in home.list()? {
        let name = entry.name.strip_prefix(GOING).filter(|_| entry.kind == Kind::Directory);
        if let Some(load_date) = name.and_then(date_in_name) {
            let dir = home.join(&entry.name);
            let location = dir.at.clone();
            found.push(OldPartition { load_date, location, remains: Remains::Files, way: Way::Sweep(dir) });
        }
    }
    for (load_date, dir) in old {
        let hidden = home.join(&format!("{GOING}{}", dir.at.name()));
        let way = Way::Hide { dir: dir.clone(), hidden };
        found.push(OldPartition { load_date, location: dir.at.clone(), remains: Remains::Whole, way });
    }
    found.sort_by_key(|old| old.load_date);
    Ok(found)
}

/// The date in `load_date=2026-11-22`.
fn date_in_name(name: &str) -> Option<LoadDate> {
    name.split_once('=').and_then(|(_, value)| value.parse().ok())
}

/// A table of a metastore.
pub(crate) struct Registered<'a> {
    pub(crate) metastore: &'a Arc<Metastore>,
    pub(crate) table: &'a Arc<Table>,
    pub(crate) home: &'a Place,
    pub(crate) neighbours: &'a Neighbours,
}

impl Registered<'_> {
    /// The partitions whose values are of an old load_date, and what earlier runs left of such. Every
    /// partition's location is asked for: one of them may lie in another's.
    pub(crate) fn old_partitions(
        &self,
        old: &dyn Fn(&[String]) -> Option<LoadDate>,
    ) -> Result<Vec<OldPartition>> {
        let names = self.metastore.partition_names(self.table)?;
        let partitions = self.metastore.partitions(self.table, &names)?;
        let mut locations = BTreeMap::new();
        for partition in &partitions {
            locations.insert(partition.values.clone(), location_of(self.table, partition)?);
        }
        let shared = Shared::of(locations.values());
        let mut found = Vec::new();
        for (values, location) in &locations {
            let Some(load_date) = old(values) else { continue };
            self.check_own(values, location, &shared)?;
            let (metastore, table) = (Arc::clone(self.metastore), Arc::clone(self.table));
            let (dir, marker) = (self.place(location), self.marker(values));
            let way = Way::Drop { metastore, table, values: values.clone(), dir, marker };
            let location = location.clone();
            found.push(OldPartition { load_date, location, remains: Remains::Whole, way });
        }
        found.extend(self.left_behind(&locations, &shared, old)?);
        found.sort_by_key(|old| old.load_date);
        Ok(found)
    }

    fn name_of(&self, values: &[String]) -> String {
        let columns = self.table.partition_columns.iter().map(|column| column.name.as_str());
        partition_name(columns.zip(values.iter().map(String::as_str)))
    }

    fn marker(&self, values: &[String]) -> Place {
        self.home.join(&format!("{GOING}{}", self.name_of(values)))
    }

    fn place(&self, at: &Location) -> Place {
        Place { storage: Arc::clone(&self.home.storage), at: at.clone() }
    }

    /// Another table whose directory is this one, lies in it, or holds it.
    fn neighbour_at(&self, location: &Location) -> Result<Option<Neighbour>> {
        let own = self.table.full_name();
        let tables = self.neighbours.of(self.metastore, &self.table.database)?;
        Ok(tables.iter().find(|other| other.name != own && other.meets(location)).cloned())
    }

    /// Fails where removing the directory would touch what is not this partition's.
    fn check_own(&self, values: &[String], location: &Location, shared: &Shared) -> Result<()> {
        let why = if !self.is_inside(location) {
            format!("lies outside of the table's own directory {}", self.home)
        } else if shared.holds(location) {
            "is another partition's too, or holds one, or lies in one".to_owned()
        } else if let Some(other) = self.neighbour_at(location)? {
            format!("is shared with table {}, which lies in {}", other.name, other.location)
        } else {
            return Ok(());
        };
        let (name, table) = (self.name_of(values), self.table.full_name());
        Err(Fault::data(format!("the directory {location} of partition {name} of {table} {why}"))
            .advise("correct the partition's location in the metastore, or drop it there by hand"))
    }

    fn is_inside(&self, location: &Location) -> bool {
        location.is_within(&self.home.at) && *location != self.home.at
    }

    /// What markers say was on its way out, and is registered no more.
    fn left_behind(
        &self,
        registered: &BTreeMap<Vec<String>, Location>,
        shared: &Shared,
        old: &dyn Fn(&[String]) -> Option<LoadDate>,
    ) -> Result<Vec<OldPartition>> {
        let mut found = Vec::new();
        if self.home.look()?.is_none() {
            return Ok(found);
        }
        for entry in self.home.list()? {
            let Some(name) = entry.name.strip_prefix(GOING).filter(|_| entry.kind == Kind::File) else {
                continue;
            };
            let value = name.split_once('=').map_or("", |(_, value)| value);
            let values = vec![hivecast_metastore::unescape_path_name(value)];
            let marker = self.home.join(&entry.name);
            let (None, Some(load_date)) = (registered.get(&values), old(&values)) else { continue };
            let Some(location) = read_marker(&marker)? else { continue };
            let free = !shared.holds(&location) && !shared.names(&location);
            if self.is_inside(&location) && free && self.neighbour_at(&location)?.is_none() {
                let way = Way::Finish { dir: self.place(&location), marker };
                found.push(OldPartition { load_date, location, remains: Remains::Files, way });
            }
        }
        Ok(found)
    }
}

fn location_of(table: &Table, partition: &Partition) -> Result<Location> {
    let whose = || format!("partition {} of {}", partition.values.join("/"), table.full_name());
    let location = partition.storage.location.as_deref();
    let location =
        location.ok_or_else(|| Fault::data(format!("the metastore has no location for {}", whose())))?;
    Location::parse(location).map_err(|fault| fault.within(format!("failed to find {}", whose())))
}

/// The tables of each database with their directories. A run asks for them once, for all tables of a feed, and
/// only where something is old.
#[derive(Debug, Default)]
pub(crate) struct Neighbours(Mutex<BTreeMap<String, Arc<[Neighbour]>>>);

impl Neighbours {
    fn of(&self, metastore: &Metastore, database: &str) -> Result<Arc<[Neighbour]>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tables) = known.get(database) {
            return Ok(Arc::clone(tables));
        }
        let mut found = Vec::new();
        for name in metastore.tables(database)? {
            // One that was dropped meanwhile has nothing any more.
            let Some(table) = metastore.table(database, &name)? else { continue };
            // What lies in a store that we can't name is not a partition's directory, and a view lies nowhere.
            let location = table.storage.location.as_deref().and_then(|text| Location::parse(text).ok());
            if let Some(location) = location {
                found.push(Neighbour { name: table.full_name(), location });
            }
        }
        let found: Arc<[Neighbour]> = found.into();
        known.insert(database.to_owned(), Arc::clone(&found));
        Ok(found)
    }
}

/// A table, and where it lies.
#[derive(Clone, Debug)]
struct Neighbour {
    name: String,
    location: Location,
}

impl Neighbour {
    /// Whether it lies in the directory, or the directory in it.
    fn meets(&self, location: &Location) -> bool {
        self.location.is_within(location) || location.is_within(&self.location)
    }
}

/// The directories of all partitions of a table.
struct Shared {
    /// How many partitions have it.
    count: BTreeMap<Location, usize>,
    /// Directories above some partition's.
    above: BTreeSet<Location>,
}

impl Shared {
    fn of<'a>(locations: impl Iterator<Item = &'a Location>) -> Shared {
        let mut shared = Shared { count: BTreeMap::new(), above: BTreeSet::new() };
        for location in locations {
            *shared.count.entry(location.clone()).or_insert(0) += 1;
            shared.above.extend(parents(location));
        }
        shared
    }

    /// Whether a partition has this directory.
    fn names(&self, location: &Location) -> bool {
        self.count.contains_key(location)
    }

    /// Whether more than one partition has it, or one lies in it, or it lies in one.
    fn holds(&self, location: &Location) -> bool {
        self.count.get(location).is_some_and(|count| *count > 1)
            || self.above.contains(location)
            || parents(location).any(|above| self.names(&above))
    }
}

fn parents(location: &Location) -> impl Iterator<Item = Location> + use<> {
    std::iter::successors(location.parent(), Location::parent)
}

/// The location that a marker holds; none where it is no marker, or went while it was looked at.
fn read_marker(marker: &Place) -> Result<Option<Location>> {
    let read = marker.storage.open(&marker.at).and_then(|file| match file.len() {
        length if length > MOST_MARKER_BYTES => Ok(None),
        length => file.read_at(0..length).map(Some),
    });
    match read {
        Ok(bytes) => Ok(bytes.and_then(|bytes| Location::parse(std::str::from_utf8(&bytes).ok()?).ok())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::io(format!("failed to read {marker}"), error)),
    }
}

impl Place {
    fn remove(&self) -> Result<()> {
        self.storage.remove(&self.at).map_err(|error| Fault::io(format!("failed to remove {self}"), error))
    }

    fn rename(&self, to: &Place) -> Result<()> {
        let renamed = self.storage.rename_dir(&self.at, &to.at);
        renamed.map_err(|error| Fault::io(format!("failed to rename {self} to {to}"), error))
    }

    fn write(&self, text: &str) -> Result<()> {
        let failed = |error| Fault::io(format!("failed to write {self}"), error);
        let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        self.storage.put(file.path(), &self.at, Existing::Replace).map_err(failed)
    }
}
