//! Random feeds with random tables that fit them: what the engine is held against the
//! [naive interpreter](crate::naive) with.
//!
//! Feeds have any depth of `fields`, `list`, `one` and `many`, also inside and beside each other,
//! composite `on`, filters, expressions of every type, and two names for one table. Tables have few
//! distinct keys, so that joins hit, nulls in join columns, rows in any order, and lie in several
//! files, as Parquet with their columns in any order or as text. About one case in eight is faulty:
//! its ids may repeat or be null, so that the right result may be an error. Gates may let that pass: with
//! elements of equal keys, or with rows and documents set aside.

mod choices;
mod feed;
mod rows;
mod write;
mod yaml;

use std::fmt;
use std::path::Path;

use hivecast_feed::{Feed, TextLayout};
use hivecast_run::Result;
use proptest::prelude::*;

use crate::table::TableData;
use choices::Choices;

/// The day that cases are written for.
pub const LOAD_DATE: &str = "2026-11-22";
/// Most decisions of a case.
const DECISIONS: usize = 3000;

/// A feed and the tables that it is made of.
#[derive(Clone, PartialEq)]
pub struct Case {
    /// The feed, as parsing `yaml` gives it, but for its spans, which are empty.
    pub feed: Feed,
    /// The feed's file.
    pub yaml: String,
    /// The warehouse's tables for [`LOAD_DATE`], their rows in the order of their files.
    pub tables: Vec<TableData>,
    /// How each table lies, in the same order.
    files: Vec<Files>,
}

/// How a table lies.
#[derive(Clone, Debug, PartialEq)]
struct Files {
    /// For each file, which rows it holds and in which order its columns lie.
    files: Vec<(Vec<usize>, Vec<usize>)>,
    format: Written,
}

#[derive(Clone, Debug, PartialEq)]
enum Written {
    Parquet,
    Text(TextLayout),
}

impl Case {
    /// Writes the tables for [`LOAD_DATE`] under `root`, in Hive layout: `TABLE/load_date=…/part-…`,
    /// and a `_SUCCESS` beside each table's files.
    pub fn write(&self, root: &Path) -> Result<()> {
        self.tables.iter().zip(&self.files).try_for_each(|(table, files)| {
            write::table(&root.join(&table.name).join(format!("load_date={LOAD_DATE}")), table, files)
        })
    }
}

impl Case {
    /// The same feed and rows, with every table in Parquet.
    #[must_use]
    pub fn in_parquet(mut self) -> Case {
        for files in &mut self.files {
            files.format = Written::Parquet;
        }
        for table in &mut self.feed.tables {
            table.layout.format = None;
            table.layout.columns = None;
            table.layout.text = TextLayout::default();
        }
        self.yaml = yaml::feed(&self.feed);
        self
    }
}

impl fmt::Debug for Case {
    /// The feed's file and the rows: what a person needs to see why a case fails.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.yaml)?;
        for (table, files) in self.tables.iter().zip(&self.files) {
            let format = match files.format {
                Written::Parquet => "parquet",
                Written::Text(_) => "text",
            };
            writeln!(f, "{} ({format}, {} files)", table.name, files.files.len())?;
            for row in &table.rows {
                let cells = table.columns.iter().map(|(name, _)| {
                    row.get(name)
                        .and_then(|value| value.text())
                        .map_or("null".to_owned(), |text| format!("{text:?}"))
                });
                let names = table.columns.iter().map(|(name, _)| name);
                let cells: Vec<String> =
                    names.zip(cells).map(|(name, cell)| format!("{name}={cell}")).collect();
                writeln!(f, "  {}", cells.join(" "))?;
            }
        }
        Ok(())
    }
}

/// Random cases; see the module's text.
pub fn case() -> impl Strategy<Value = Case> {
    prop::collection::vec(any::<u16>(), 0..DECISIONS).prop_map(|numbers| build(&mut Choices::new(numbers)))
}

fn build(choices: &mut Choices) -> Case {
    let tables = rows::schemas(choices);
    let feed = feed::feed(choices, &tables);
    let used = |table: &rows::Schema| feed.tables.iter().any(|named| feed::reads(named, &table.name));
    let tables: Vec<rows::Schema> = tables.into_iter().filter(used).collect();
    let ids = if choices.once_in(8) { rows::Ids::Faulty } else { rows::Ids::Unique };
    let mut data: Vec<TableData> = tables.iter().map(|table| rows::rows(choices, table, ids)).collect();
    let files = tables.iter().zip(&mut data).map(|(table, data)| rows::files(choices, table, data)).collect();
    Case { yaml: yaml::feed(&feed), feed, tables: data, files }
}

#[cfg(test)]
mod tests;
