//! Where the export is put: a directory of this machine, another store, or a metastore's tables.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hivecast_contract::LoadDate;
use hivecast_metastore::Metastore;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Atomic, Existing as Taken, Location, Storage, Stores};
use tempfile::TempDir;

use crate::registry::{Place, Registry};
use crate::tables::Table;
use crate::write::{Existing, Options};

/// What marks a partition as whole; Hadoop's output committers write it last.
pub(crate) const SUCCESS_FILE: &str = "_SUCCESS";

/// Where the export is put.
#[derive(Debug)]
pub enum Destination {
    /// A directory of this machine in Hive layout; made if it is missing.
    Directory(PathBuf),
    /// A directory in Hive layout in whatever store it lies.
    Store {
        /// The directory.
        root: Location,
        /// How its store is reached.
        stores: Stores,
    },
    /// Tables of a metastore, which are made if they are missing, and where it says that they lie.
    Metastore {
        /// The metastore.
        metastore: Box<Metastore>,
        /// How the stores are reached in which tables lie.
        stores: Stores,
        /// Where the database is to lie that is made; else the metastore chooses.
        location: Option<Location>,
    },
}

impl Destination {
    /// How text is written there: what Hive expects of its tables, else what people read.
    pub(crate) fn reads_hives_text(&self) -> bool {
        matches!(self, Destination::Metastore { .. })
    }
}

/// As messages call it.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Directory(root) => write!(f, "{}", root.display()),
            Destination::Store { root, .. } => root.fmt(f),
            Destination::Metastore { metastore, .. } => {
                let hosts: Vec<String> =
                    metastore.hosts().iter().map(|host| format!("thrift://{host}")).collect();
                write!(f, "the metastore {}", hosts.join(","))
            }
        }
    }
}

/// A table's directory, and the store that it lies in.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) at: Location,
}

/// Where files are written before they are put where they belong.
enum Staging {
    /// Beside it, under a name that readers of Hive's layout pass over.
    Beside,
    /// On this machine, since only here can files be written piece by piece.
    Elsewhere(TempDir),
}

/// A destination, ready to take partitions.
pub(crate) struct Site<'a> {
    staging: Staging,
    homes: Vec<Home>,
    registry: Option<Registry<'a>>,
}

/// A table's day: where it belongs, and where it is written first.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) table: Table,
    pub(crate) date: LoadDate,
    pub(crate) path: Location,
    pub(crate) staging: PathBuf,
}

/// Files of a table's day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) rows: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl<'a> Site<'a> {
    /// Looks at the destination. In a metastore, database and tables are made where they are missing:
    /// only it says where they lie.
    pub(crate) fn open(options: &'a Options) -> Result<Site<'a>> {
        let database = options.database.as_str();
        match &options.to {
            Destination::Directory(root) => {
                let root = std::path::absolute(root)
                    .map_err(|error| Fault::io(format!("failed to find {}", root.display()), error))?;
                let homes = homes(&Location::local(&root)?, database, &Stores::default())?;
                Ok(Site { staging: Staging::Beside, homes, registry: None })
            }
            Destination::Store { root, stores } => {
                let homes = homes(root, database, stores)?;
                Ok(Site { staging: elsewhere()?, homes, registry: None })
            }
            Destination::Metastore { metastore, stores, location } => {
                let database = match location {
                    Some(root) => Place::Below(database, root),
                    None => Place::Default(database),
                };
                let registry = Registry::open(metastore, stores, database, options.format)?;
                let homes = registry.homes()?;
                Ok(Site { staging: elsewhere()?, homes, registry: Some(registry) })
            }
        }
    }

    fn home(&self, table: Table) -> &Home {
        &self.homes[table as usize]
    }

    /// Where a table's day goes.
    pub(crate) fn slot(&self, table: Table, date: LoadDate) -> Result<Slot> {
        let home = self.home(table);
        let name = format!("load_date={date}");
        let hidden = hidden(&name);
        let staging = match &self.staging {
            Staging::Beside => {
                let home = home.at.local_path();
                home.ok_or_else(|| Fault::bug(format!("{} is on no disk", self.home(table).at)))?.join(hidden)
            }
            Staging::Elsewhere(dir) => dir.path().join(table.name()).join(hidden),
        };
        Ok(Slot { table, date, path: home.at.join(&name), staging })
    }

    /// Whether a table has the day, whole or not.
    pub(crate) fn has(&self, slot: &Slot) -> Result<bool> {
        if let Some(registry) = &self.registry
            && registry.has(slot)?
        {
            return Ok(true);
        }
        self.home(slot.table).is_there(&slot.path)
    }

    /// Puts a day that is written whole where it belongs: readers find all of it or nothing, except
    /// that a store which renames no directories shows files before their `_SUCCESS`.
    pub(crate) fn deliver(&self, slot: &Slot, counts: Counts, existing: Existing) -> Result<()> {
        let home = self.home(slot.table);
        if let Staging::Beside = self.staging {
            if existing == Existing::Replace {
                home.remove(&slot.path)?;
            }
            let staged = Location::local(&slot.staging)?;
            return home.rename(&staged, &slot.path);
        }
        let renames = home.storage.atomic() == Atomic::RenameOfDirectories;
        let upload = if renames { home.at.join(&hidden(slot.path.name())) } else { slot.path.clone() };
        if renames {
            // Left by a run that was killed. Who may not write there is told so by writing, not by this.
            if home.is_there(&upload)? {
                home.remove(&upload)?;
            }
            home.put_all(&slot.staging, &upload)?;
        }
        if existing == Existing::Replace {
            self.registry.iter().try_for_each(|registry| registry.drop_partition(slot))?;
            home.remove(&slot.path)?;
        }
        match renames {
            true => home.rename(&upload, &slot.path)?,
            false => home.put_all(&slot.staging, &upload)?,
        }
        self.registry.iter().try_for_each(|registry| registry.add_partition(slot, counts))?;
        fs::remove_dir_all(&slot.staging)
            .map_err(|error| Fault::io(format!("failed to remove {}", slot.staging.display()), error))
    }
}

fn elsewhere() -> Result<Staging> {
    let made = tempfile::Builder::new().prefix("hivecast-sample-").tempdir();
    let failed = |error| Fault::io("failed to make a temporary directory for the sample's files", error);
    Ok(Staging::Elsewhere(made.map_err(failed)?))
}

fn homes(root: &Location, database: &str, stores: &Stores) -> Result<Vec<Home>> {
    let storage = stores.of(root)?;
    let database = root.join(&format!("{database}.db"));
    let home = |table: Table| Home { storage: Arc::clone(&storage), at: database.join(table.name()) };
    Ok(Table::ALL.map(home).into())
}

/// The name under which a directory is made: Hive's readers pass over names that begin with a point.
fn hidden(name: &str) -> String {
    format!(".{name}.writing")
}

impl Home {
    fn is_there(&self, at: &Location) -> Result<bool> {
        match self.storage.stat(at) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Fault::io(format!("failed to look at {at}"), error)),
        }
    }

    fn remove(&self, at: &Location) -> Result<()> {
        self.storage.remove(at).map_err(|error| Fault::io(format!("failed to remove {at}"), error))
    }

    fn rename(&self, from: &Location, to: &Location) -> Result<()> {
        let renamed = self.storage.rename_dir(from, to);
        renamed.map_err(|error| Fault::io(format!("failed to rename {from} to {to}"), error))
    }

    /// Copies the files of a directory of this machine, that which marks it as whole last.
    fn put_all(&self, from: &Path, to: &Location) -> Result<()> {
        let listed = fs::read_dir(from).and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect::<io::Result<Vec<String>>>()
        });
        let mut names =
            listed.map_err(|error| Fault::io(format!("failed to list {}", from.display()), error))?;
        names.sort_by_key(|name| (name == SUCCESS_FILE, name.clone()));
        for name in names {
            let target = to.join(&name);
            let put = self.storage.put(&from.join(&name), &target, Taken::Replace);
            put.map_err(|error| Fault::io(format!("failed to write {target}"), error))?;
        }
        Ok(())
    }
}
