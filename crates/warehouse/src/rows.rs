use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use hivecast_feed::FileFormat;
use hivecast_run::Result;
use hivecast_storage::{Location, Storage};

use crate::data_file::DataFile;
use crate::reading::Declared;
use crate::{avro_file, json_file, orc_file, parquet_file, text_file};

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
    pub(crate) declared: Arc<Declared>,
    /// The files' columns by position, for text without a header.
    pub(crate) file_columns: Vec<String>,
    /// Each column once.
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) batch_rows: usize,
}

impl RowReader {
    /// Reads a file, or of a file with row groups some of these.
    pub(crate) fn open(&self, path: &Location, row_groups: Option<Range<usize>>) -> Result<Rows> {
        let file = DataFile::open(&self.table, &*self.storage, path)?;
        Ok(match self.format {
            FileFormat::Parquet => Box::new(parquet_file::open(self, file, row_groups)?),
            FileFormat::Orc => Box::new(orc_file::open(self, file, row_groups)?),
            FileFormat::Avro => Box::new(avro_file::open(self, file)?),
            FileFormat::Json => Box::new(json_file::open(self, file)?),
            FileFormat::Text => Box::new(text_file::open(self, file)?),
        })
    }
}

/// Whether files of the format consist of pieces that can be read apart.
pub(crate) fn has_row_groups(format: FileFormat) -> bool {
    matches!(format, FileFormat::Parquet | FileFormat::Orc)
}
