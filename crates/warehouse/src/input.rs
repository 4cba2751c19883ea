use std::sync::Arc;

use arrow_schema::SchemaRef;
use chrono_tz::Tz;
use hivecast_contract::LoadDate;
use hivecast_feed::{FileFormat, Layout};
use hivecast_run::{Class, Fault, Result};
use hivecast_storage::{Location, Storage};

use crate::catalog::{Catalog, Telling};
use crate::freeze::find_day;
use crate::layout::{Listed, list_files};
use crate::place::Place;
use crate::problem::Problem;
use crate::reading::Declared;
use crate::ready::Candidate;
use crate::warehouse::Wish;

/// Rows that a file stores together; the smallest unit that is read apart from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowGroup {
    /// Rows.
    pub rows: u64,
    /// Estimated bytes of these rows as Arrow arrays, all columns.
    pub decoded_bytes: u64,
}

/// One file of a partition as it was when the inputs were frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path.
    pub path: Location,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub modified_ns: i64,
    /// What the store calls its bytes, where it has a name for them: an S3 object's `ETag`.
    pub version: Option<String>,
    /// As the file's footer lists them, an ORC file's stripes too; none for files without a footer.
    pub row_groups: Vec<RowGroup>,
    /// Why another reader of its format would give other values than this one; none where it would not.
    pub peculiar: Option<String>,
}

impl InputFile {
    pub(crate) fn listed(&self) -> Listed {
        let InputFile { path, size, modified_ns, version, .. } = self.clone();
        Listed { path, size, modified_ns, version }
    }
}

/// What the bytes of columns in memory are estimated by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizesBy {
    /// What the files' footers say of their columns.
    Footers,
    /// The sizes of the files, with a factor that is a guess: text, JSON, Avro, and ORC without statistics.
    FileSizes,
}

impl SizesBy {
    /// Of two files together.
    pub(crate) fn and(self, other: SizesBy) -> SizesBy {
        if self == SizesBy::Footers { other } else { self }
    }
}

/// One table's partition for the load_date: its files, frozen, and what its rows look like.
#[derive(Clone, Debug)]
pub struct TableInput {
    /// The feed's name for the table.
    pub table: String,
    /// Where its files lie.
    pub storage: Arc<dyn Storage>,
    /// The partition's directory.
    pub location: Location,
    /// The day whose rows are read.
    pub load_date: LoadDate,
    /// The columns: those of the files, widened where they differ, then the partition's own column
    /// (text, the load_date) where it comes from the path. Names in lower case; all may be null.
    pub schema: SchemaRef,
    /// Estimated bytes of each column of `schema` as Arrow arrays, all files; for text, which does
    /// not say how many rows it has, as for JSON and Avro, a share of the files' size.
    pub column_bytes: Vec<u64>,
    /// What they are estimated by.
    pub sizes: SizesBy,
    /// Sorted by path.
    pub files: Vec<InputFile>,
    /// How they are read.
    pub format: FileFormat,
    /// How their columns become the table's.
    pub(crate) declared: Arc<Declared>,
    /// Rows of the load_date: where the files' own footers say, or where they had to be counted
    /// because the load_date is a column of the files.
    pub rows: Option<u64>,
    /// Rows of the partition by the metastore's statistics, where Hive vouches for them.
    pub statistics_rows: Option<u64>,
    /// The partition's column, as an index into `schema`, where the load_date comes from the path.
    pub partition_column: Option<usize>,
    /// The load_date column that rows are filtered on, where the load_date is a column of the files
    /// and not of the path.
    pub date_column: Option<String>,
    /// What the catalog said, and how it is asked again.
    pub(crate) seen: Arc<Seen>,
}

/// What the catalog said of a table's partition when it was frozen.
#[derive(Debug)]
pub(crate) struct Seen {
    catalog: Arc<dyn Catalog>,
    name: String,
    database: Option<String>,
    table: String,
    layout: Layout,
    zone: Tz,
    written: Option<Declared>,
}

impl Seen {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, wish: &Wish<'_>, written: Option<Declared>) -> Seen {
        Seen {
            catalog,
            name: wish.name.to_owned(),
            database: wish.database.map(str::to_owned),
            table: wish.table.to_owned(),
            layout: wish.layout.clone(),
            zone: wish.zone,
            written,
        }
    }

    /// Whether the catalog said this of how the files are written.
    pub(crate) fn is_written_as(&self, written: Option<&Declared>) -> bool {
        self.written.as_ref() == written
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            name: &self.name,
            database: self.database.as_deref(),
            table: &self.table,
            layout: &self.layout,
            zone: self.zone,
        }
    }
}

impl TableInput {
    /// Why a reader that knows of nothing but the files' format and `schema` would give other values; none
    /// where it would not.
    pub fn is_peculiar(&self) -> Option<String> {
        let file = self.files.iter().find_map(|file| Some((file, file.peculiar.as_ref()?)));
        let of_file = file.map(|(file, why)| format!("{} {why}", file.path));
        self.declared.is_peculiar().or(of_file)
    }

    /// What is not as it was when the inputs were frozen: what the catalog says, the mark that the feed
    /// waits for, the files.
    fn changes(&self) -> Result<Vec<String>> {
        match self.look_again() {
            Ok(changes) => Ok(changes),
            // What was there, and could be read, is no more.
            Err(fault) if matches!(fault.class(), Class::Data | Class::Usage) => Ok(vec![fault.chain()]),
            Err(fault) => Err(fault.within(format!("failed to look again at table {}", self.table))),
        }
    }

    fn look_again(&self) -> Result<Vec<String>> {
        let wish = self.seen.wish();
        let table = self.seen.catalog.find(&wish)?;
        let day = find_day(&*table, &wish, self.load_date, Telling::OnlyTheDay);
        let (partition, _) = day.map_err(Problem::into_fault)?;
        let told = |what: String| Ok(vec![format!("table {}: {what}", self.table)]);
        if partition.place.at != self.location {
            return told(format!("its files lie in {} now, and lay in {}", partition.place, self.location));
        }
        if !self.seen.is_written_as(partition.written.as_ref()) {
            return told(format!(
                "the metastore says otherwise how the files in {} are written",
                self.location
            ));
        }
        let files = list_files(&self.place())?;
        let candidate = Candidate {
            wish: &wish,
            table: &*table,
            partition: &partition,
            files: &files,
            date: self.load_date,
        };
        let mut changes = Vec::new();
        if let Err(problem) = candidate.check_mark() {
            changes.push(problem.into_not_ready()?.chain());
        }
        let then: Vec<Listed> = self.files.iter().map(InputFile::listed).collect();
        changes.extend(differences(&then, &files));
        Ok(changes)
    }

    fn place(&self) -> Place {
        Place { storage: Arc::clone(&self.storage), at: self.location.clone() }
    }

    /// Estimated bytes of the whole table as Arrow arrays.
    pub fn decoded_bytes(&self) -> u64 {
        self.column_bytes.iter().sum()
    }
}

/// Every table's frozen partition: what an edition is made of.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The day.
    pub load_date: LoadDate,
    /// One for each `source` table, in the feed's order.
    pub tables: Vec<TableInput>,
}

/// Changed files that a message names; the rest are counted.
const NAMED_CHANGES: usize = 5;

impl Inputs {
    /// Asks the catalog again and looks at every file again, to be called once all have been read. Fails
    /// with `Class::Infrastructure`, naming what was changed, removed or added since the inputs were
    /// frozen, whether files or what a metastore says of them: what was read may be half old and half new.
    pub fn recheck(&self) -> Result<()> {
        let mut changes = Vec::new();
        for table in &self.tables {
            changes.extend(table.changes()?);
        }
        if changes.is_empty() {
            return Ok(());
        }
        let more = changes.len().saturating_sub(NAMED_CHANGES);
        changes.truncate(NAMED_CHANGES);
        let mut text = changes.join(", ");
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        Err(Fault::infrastructure(format!(
            "load_date {} was changed while it was read: {text}",
            self.load_date
        ))
        .advise("run again once the export has ended; `ready: success_file` in the feed, with --wait, waits for it"))
    }
}

/// Both lists are sorted by path.
fn differences(then: &[Listed], now: &[Listed]) -> Vec<String> {
    let mut changes = Vec::new();
    let (mut old, mut new) = (then.iter().peekable(), now.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.path.cmp(&b.path),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        match (before, after) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(_)) => changes.push(format!("{} was changed", a.path)),
            (Some(a), None) => changes.push(format!("{} was removed", a.path)),
            (None, Some(b)) => changes.push(format!("{} was added", b.path)),
            (None, None) => return changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_size_time_and_version() {
        let file = |name: &str| Listed {
            path: Location::parse(&format!("s3://bucket/day/{name}")).unwrap(),
            size: 3,
            modified_ns: 1_000_000_000,
            version: Some("\"one\"".to_owned()),
        };
        let check = |now: &[Listed], expected: &[&str]| {
            assert_eq!(differences(&[file("a"), file("c")], now), expected, "{now:?}");
        };
        check(&[file("a"), file("c")], &[]);
        check(&[file("a")], &["s3://bucket/day/c was removed"]);
        check(&[file("a"), file("b"), file("c")], &["s3://bucket/day/b was added"]);
        let changed = "s3://bucket/day/a was changed";
        check(&[Listed { size: 4, ..file("a") }, file("c")], &[changed]);
        check(&[Listed { modified_ns: 2_000_000_000, ..file("a") }, file("c")], &[changed]);
        // Overwritten within the second, with as many bytes.
        check(&[Listed { version: Some("\"two\"".to_owned()), ..file("a") }, file("c")], &[changed]);
    }
}
