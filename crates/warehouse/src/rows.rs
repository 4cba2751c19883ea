use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use hivecast_feed::{FileFormat, TextLayout};
use hivecast_run::Result;
use hivecast_storage::{Location, Storage};

use crate::{parquet_file, text_file};

/// Batches of the wanted columns of one file.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A column that is wanted of a file: its name in lower case and the table's type for it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
}

/// What is wanted of each file of a table, and how the files are read.
#[derive(Clone, Debug)]
pub(crate) struct RowReader {
    pub(crate) table: String,
    /// Where the files lie.
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) format: FileFormat,
    pub(crate) text: TextLayout,
    /// The files' columns by position, for text without a header.
    pub(crate) file_columns: Vec<String>,
    /// Each column once.
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) batch_rows: usize,
}

impl RowReader {
    /// Reads a file, or of a Parquet file some of its row groups.
    pub(crate) fn open(&self, path: &Location, row_groups: Option<Range<usize>>) -> Result<Rows> {
        Ok(match self.format {
            FileFormat::Parquet => Box::new(parquet_file::open(self, path, row_groups)?),
            FileFormat::Text => Box::new(text_file::open(self, path)?),
        })
    }
}
