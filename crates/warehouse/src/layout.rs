//! Hive's directory layout: where a table lies, its partition directories, its files.

use hivecast_contract::LoadDate;
use hivecast_metastore::unescape_path_name;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Kind, Location};

use crate::catalog::{Dates, LISTED_DATES, Reach, Shelf};
use crate::place::Place;

/// The file that marks a directory as whole; Hadoop's output committers write it last.
pub(crate) const SUCCESS_FILE: &str = "_SUCCESS";

/// How alike two table names must be for one to be suggested for the other: at most one edit in three
/// characters.
const NEAR_NAME: f64 = 0.66;
/// Names that a message suggests.
const NEAR_NAMES: usize = 3;

/// A file as the directory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: Location,
    pub(crate) size: u64,
    pub(crate) modified_ns: i64,
    /// What the store calls its bytes, where it does.
    pub(crate) version: Option<String>,
}

/// A directory `name=value`, with Hive's escapes undone.
#[derive(Clone, Debug)]
pub(crate) struct PartitionDir {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) place: Place,
}

impl PartitionDir {
    pub(crate) fn date(&self) -> Option<LoadDate> {
        self.value.parse().ok()
    }
}

/// The directory of a Hive table (`Class::Usage` where there is none): under the database's directory as Hive names it (`mdm.db`), as
/// people name it (`mdm`), or at the root.
pub(crate) fn find_table(root: &Place, database: Option<&str>, table: &str) -> Result<Place> {
    let mut places = Vec::new();
    if let Some(database) = database {
        places.push(root.join(&format!("{database}.db")).join(table));
        places.push(root.join(database).join(table));
    }
    places.push(root.join(table));
    for place in &places {
        if place.look()?.is_some_and(|found| found.kind == Kind::Directory) {
            return Ok(place.clone());
        }
    }
    let looked: Vec<String> = places.iter().map(Place::to_string).collect();
    Err(no_table(database, table, &table_names(root), || {
        format!(
            "looked for {}; name the table in `source` as `database.table`, or correct the environment's `warehouse`",
            looked.join(", ")
        )
    }))
}

/// There is no such table: the fault names those that are like it, or else gives the advice.
pub(crate) fn no_table(
    database: Option<&str>,
    table: &str,
    names: &[String],
    advice: impl FnOnce() -> String,
) -> Fault {
    let wanted = match database {
        Some(database) => format!("{database}.{table}"),
        None => table.to_owned(),
    };
    let fault = Fault::usage(format!("no table `{wanted}` in the warehouse"));
    let near: Vec<String> = near_names(&wanted, names).into_iter().map(|name| format!("`{name}`")).collect();
    if near.is_empty() {
        fault.advise(advice())
    } else {
        fault.advise(format!("did you mean {}?", near.join(" or ")))
    }
}

/// Every table of the warehouse as a feed would name it. A directory that can't be read has none.
pub(crate) fn table_names(root: &Place) -> Vec<String> {
    let mut names = Vec::new();
    for top in directories(root) {
        let database = top.strip_suffix(".db");
        if database.is_none() {
            names.push(top.clone());
        }
        let inside = directories(&root.join(&top));
        names.extend(
            inside
                .into_iter()
                .filter(|name| !name.contains('='))
                .map(|name| format!("{}.{name}", database.unwrap_or(&top))),
        );
    }
    names
}

/// Every table of the warehouse, by database. A directory that ends in `.db`, or that holds other
/// directories than partitions, is a database; any other is a table of none.
pub(crate) fn shelves(root: &Place) -> Result<Vec<Shelf>> {
    let (mut shelves, mut alone) = (Vec::new(), Vec::new());
    for top in visible_directories(root)? {
        let database = top.strip_suffix(".db");
        let tables = visible_directories(&root.join(&top)).map(|mut inside| {
            inside.retain(|name| !name.contains('='));
            inside
        });
        match (database, &tables) {
            (None, Ok(tables)) if tables.is_empty() => alone.push(top),
            _ => shelves.push(Shelf { database: Some(database.unwrap_or(&top).to_owned()), tables }),
        }
    }
    if !alone.is_empty() {
        shelves.push(Shelf { database: None, tables: Ok(alone) });
    }
    Ok(shelves)
}

fn visible_directories(dir: &Place) -> Result<Vec<String>> {
    let entries = dir.list()?.into_iter();
    let visible = entries.filter(|entry| entry.kind == Kind::Directory && !is_hidden(&entry.name));
    Ok(visible.map(|entry| entry.name).collect())
}

fn directories(dir: &Place) -> Vec<String> {
    visible_directories(dir).unwrap_or_default()
}

fn near_names(wanted: &str, names: &[String]) -> Vec<String> {
    let mut near: Vec<(f64, &String)> = names
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(wanted, name), name))
        .filter(|(likeness, _)| *likeness >= NEAR_NAME)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    near.into_iter().take(NEAR_NAMES).map(|(_, name)| name.clone()).collect()
}

/// Hive and Hadoop read no file or directory whose name begins with `_` or `.`.
fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

/// The `name=value` directories right below a table, sorted by path.
pub(crate) fn partition_dirs(table: &Place) -> Result<Vec<PartitionDir>> {
    let mut found = Vec::new();
    for entry in table.list()? {
        if is_hidden(&entry.name) || entry.kind != Kind::Directory {
            continue;
        }
        if let Some((key, value)) = entry.name.split_once('=') {
            found.push(PartitionDir {
                name: unescape_path_name(key),
                value: unescape_path_name(value),
                place: table.join(&entry.name),
            });
        }
    }
    Ok(found)
}

/// The data files of a directory, sorted by path. A directory inside is refused, since Hive would
/// read it only for a table that is declared so, and leaving it out would lose rows.
pub(crate) fn list_files(dir: &Place) -> Result<Vec<Listed>> {
    let mut files = Vec::new();
    for entry in dir.list()? {
        if is_hidden(&entry.name) {
            continue;
        }
        if entry.kind == Kind::Directory {
            return Err(nested_directory(dir, &entry.name));
        }
        let path = dir.at.join(&entry.name);
        files.push(Listed { size: entry.size, modified_ns: entry.modified_ns, version: entry.version, path });
    }
    Ok(files)
}

fn nested_directory(dir: &Place, name: &str) -> Fault {
    let text = match name.split_once('=') {
        Some((key, _)) => format!("{dir} is partitioned further, by {key}, which is not read"),
        None => format!("{dir} holds a directory {name}, where only files are read"),
    };
    Fault::data(text).advise("export the table with one directory of files a load_date")
}

/// Whether the directory is marked as whole.
pub(crate) fn has_success_file(dir: &Place) -> Result<bool> {
    Ok(dir.join(SUCCESS_FILE).look()?.is_some())
}

/// "the load_dates that exist are …", newest first.
pub(crate) fn tell_dates(dates: &Dates) -> String {
    let Dates { known, reach, .. } = dates;
    if known.is_empty() {
        return "no load_date exists".to_owned();
    }
    let shown: Vec<String> = known.iter().rev().take(LISTED_DATES).map(LoadDate::to_string).collect();
    match (reach, known.len().saturating_sub(LISTED_DATES)) {
        (Reach::Newest, _) => format!("the newest that exist: {}", shown.join(", ")),
        (Reach::All, 0) => format!("these exist: {}", shown.join(", ")),
        (Reach::All, more) => format!("these exist: {} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ten_dates_newest_first_and_counts_the_rest() {
        let known = (1..=12).filter_map(|day| LoadDate::new(2026, 11, day)).collect();
        let text = tell_dates(&Dates { known, ..Dates::default() });
        assert!(text.starts_with("these exist: 2026-11-12, 2026-11-11, "), "{text}");
        assert!(text.ends_with("2026-11-03 and 2 more"), "{text}");
    }

    #[test]
    fn older_dates_that_nobody_asked_for_are_not_counted() {
        let known = (1..=2).filter_map(|day| LoadDate::new(2026, 11, day)).collect();
        let dates = Dates { known, reach: Reach::Newest, other: None };
        assert_eq!(tell_dates(&dates), "the newest that exist: 2026-11-02, 2026-11-01");
    }
}
