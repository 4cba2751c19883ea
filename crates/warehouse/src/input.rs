use std::path::PathBuf;

use arrow_schema::SchemaRef;
use hivecast_contract::LoadDate;
use hivecast_feed::{FileFormat, TextLayout};

/// One file of a partition as it was when the inputs were frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub modified_ns: i64,
}

/// One table's partition for the load_date: its files, frozen, and what its rows look like.
#[derive(Clone, Debug)]
pub struct TableInput {
    /// The feed's name for the table.
    pub table: String,
    /// The partition's directory, for messages.
    pub location: PathBuf,
    /// The columns: those of the files, widened where they differ, then the partition's own column
    /// (text, the load_date) where it comes from the path.
    pub schema: SchemaRef,
    /// Sorted by path.
    pub files: Vec<InputFile>,
    /// How they are read.
    pub format: FileFormat,
    /// For text.
    pub text: TextLayout,
    /// Rows, where the files' own footers say.
    pub rows: Option<u64>,
    /// The load_date column and value that rows are filtered on, where the load_date is a column of
    /// the files and not of the path.
    pub date_column: Option<String>,
}

/// Every table's frozen partition: what an edition is made of.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The day.
    pub load_date: LoadDate,
    /// One for each `source` table, in the feed's order.
    pub tables: Vec<TableInput>,
}
