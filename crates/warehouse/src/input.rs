use std::sync::Arc;

use arrow_schema::SchemaRef;
use hivecast_contract::LoadDate;
use hivecast_feed::FileFormat;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Storage};

use crate::layout::{Listed, list_files};
use crate::place::Place;
use crate::reading::Declared;

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
    /// As the file's footer lists them, an ORC file's stripes too; none for files without a footer.
    pub row_groups: Vec<RowGroup>,
}

impl InputFile {
    pub(crate) fn listed(&self) -> Listed {
        Listed { path: self.path.clone(), size: self.size, modified_ns: self.modified_ns }
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
    /// Sorted by path.
    pub files: Vec<InputFile>,
    /// How they are read.
    pub format: FileFormat,
    /// How their columns become the table's.
    pub(crate) declared: Arc<Declared>,
    /// Rows of the load_date: where the files' own footers say, or where they had to be counted
    /// because the load_date is a column of the files.
    pub rows: Option<u64>,
    /// The partition's column, as an index into `schema`, where the load_date comes from the path.
    pub partition_column: Option<usize>,
    /// The load_date column that rows are filtered on, where the load_date is a column of the files
    /// and not of the path.
    pub date_column: Option<String>,
}

impl TableInput {
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
    /// Looks at every file again, to be called once all have been read. Fails with
    /// `Class::Infrastructure`, naming the files that were changed, removed or added since the
    /// inputs were frozen: what was read may be half old and half new.
    pub fn recheck(&self) -> Result<()> {
        let mut changes = Vec::new();
        for table in &self.tables {
            let now = list_files(&table.place()).map_err(|fault| {
                fault.within(format!("failed to look again at the files of table {}", table.table))
            })?;
            let then: Vec<Listed> = table.files.iter().map(InputFile::listed).collect();
            changes.extend(differences(&then, &now));
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
            "the files of load_date {} changed while they were read: {text}",
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
