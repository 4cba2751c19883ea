//! A directory in Hive layout as a catalog: tables are directories, partitions are theirs.

use hivecast_contract::LoadDate;
use hivecast_run::{Fault, Result};
use hivecast_storage::Kind;

use crate::catalog::{Catalog, CatalogTable, Dates, Partition, Reach, Shelf};
use crate::layout::{PartitionDir, find_table, partition_dirs, shelves};
use crate::place::Place;
use crate::problem::Problem;
use crate::retention::{self, OldPartition};
use crate::warehouse::Wish;

/// The directory in which databases and tables lie.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) root: Place,
}

impl Catalog for Directory {
    fn find(&self, wish: &Wish<'_>) -> Result<Box<dyn CatalogTable>> {
        let home = find_table(&self.root, wish.database, wish.table)?;
        let partitions = date_directories(&home, wish)?;
        Ok(Box::new(DirectoryTable {
            name: wish.name.to_owned(),
            partition: wish.layout.partition.clone(),
            home,
            partitions,
        }))
    }

    fn reach(&self) -> Result<()> {
        let root = &self.root;
        let correct = "correct the environment's `warehouse` in the project file";
        let found = root.look_to(|| format!("failed to open the warehouse {root}"))?;
        match found.map(|found| found.kind) {
            Some(Kind::Directory) => Ok(()),
            Some(Kind::File) => {
                Err(Fault::usage(format!("the warehouse {root} is no directory")).advise(correct))
            }
            None => Err(Fault::usage(format!("there is no warehouse directory {root}"))
                .advise(format!("{correct}, or write a sample there with `hivecast sample`"))),
        }
    }

    fn name(&self) -> String {
        self.root.to_string()
    }

    fn list(&self) -> Result<Vec<Shelf>> {
        shelves(&self.root)
    }
}

/// A table's directory, with the partitions in it.
struct DirectoryTable {
    name: String,
    partition: String,
    home: Place,
    partitions: Vec<PartitionDir>,
}

impl CatalogTable for DirectoryTable {
    fn unpartitioned(&self) -> Result<Option<Partition>> {
        Ok(self.partitions.is_empty().then(|| Partition::at(&self.home)))
    }

    fn home(&self) -> String {
        self.home.to_string()
    }

    fn location(&self) -> Option<String> {
        Some(self.home.to_string())
    }

    fn old_partitions(&self, is_old: &dyn Fn(LoadDate) -> bool) -> Result<Vec<OldPartition>> {
        let dated = self.partitions.iter().filter_map(|dir| Some((dir.date()?, &dir.place)));
        retention::of_directory(&self.home, dated.filter(|(date, _)| is_old(*date)))
    }

    fn dates(&self) -> Result<Dates> {
        Ok(Dates {
            known: self.partitions.iter().filter_map(PartitionDir::date).collect(),
            other: self.partitions.iter().find(|dir| dir.date().is_none()).map(|dir| dir.value.clone()),
            reach: Reach::All,
        })
    }

    fn partition_name(&self, date: LoadDate) -> String {
        format!("{}={date}", self.partition)
    }

    fn partition(&self, date: LoadDate) -> Result<Option<Partition>, Problem> {
        let mut found = self.partitions.iter().filter(|dir| dir.date() == Some(date));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(Some(Partition::at(&one.place))),
            (Some(one), Some(other)) => Err(Fault::data(format!(
                "table {}: both {} and {} are load_date {date}",
                self.name, one.place, other.place
            ))
            .into()),
            (None, _) => Ok(None),
        }
    }
}

/// The table's partition directories; empty where its load_dates can only be in a column.
fn date_directories(home: &Place, wish: &Wish<'_>) -> Result<Vec<PartitionDir>> {
    let (ours, others): (Vec<_>, Vec<_>) = partition_dirs(home)?
        .into_iter()
        .partition(|dir| dir.name.eq_ignore_ascii_case(&wish.layout.partition));
    match others.first() {
        Some(other) => Err(Fault::data(format!(
            "table {}: {home} is partitioned by {}, not by {}",
            wish.name, other.name, wish.layout.partition
        ))
        .advise("name the partition that holds the load_date in the table's `partition` in the feed")),
        None => Ok(ours),
    }
}
