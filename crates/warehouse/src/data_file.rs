use std::fmt::Display;
use std::sync::Arc;

use hivecast_run::{Fault, Result, catch_panic};
use hivecast_storage::{Location, ReadAt, Sequential, Storage};

use crate::disk::Disk;

/// Bytes that are read from the store at a time where a file is read from its start to its end.
const BLOCK_BYTES: u64 = 1 << 20;

/// An open file of a table. It says why it can't be read: a failed read of the store is the store's
/// fault, everything else is the file's.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    pub(crate) table: String,
    pub(crate) path: Location,
    pub(crate) disk: Disk,
}

impl DataFile {
    pub(crate) fn open(table: &str, storage: &dyn Storage, path: &Location) -> Result<DataFile> {
        let disk = Disk::open(storage, path).map_err(|fault| fault.about(&format!("table {table}")))?;
        Ok(DataFile { table: table.to_owned(), path: path.clone(), disk })
    }

    /// The file from its start to its end.
    pub(crate) fn stream(&self) -> Sequential {
        let file: Arc<dyn ReadAt> = Arc::new(self.disk.clone());
        Sequential::new(file, 0, BLOCK_BYTES)
    }

    /// What is wrong with the data, by table and file.
    pub(crate) fn fault(&self, text: impl Display) -> Fault {
        Fault::data(format!("table {}: {} {text}", self.table, self.path))
    }

    /// As [`DataFile::fault`], with the place in a file of lines.
    pub(crate) fn line_fault(&self, line: u64, text: impl Display) -> Fault {
        Fault::data(format!("table {}: {} line {line}: {text}", self.table, self.path))
    }

    /// The store's failure, if one was the cause of what went wrong.
    pub(crate) fn failure(&self, format: &str) -> Option<Fault> {
        let what = || format!("table {}: failed to read the {format} file {}", self.table, self.path);
        self.disk.failure().map(|failure| Fault::io(what(), failure))
    }

    /// Reads, and tells why it failed. That includes a panic, by which decoders answer some corrupt
    /// bytes. What panicked is not used again: a fault ends the scan.
    pub(crate) fn guarded<T, E: Display>(
        &self,
        format: &str,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T> {
        let cause = match catch_panic(read) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("the reader gave up: {panic}"),
        };
        Err(self.failure(format).unwrap_or_else(|| self.corrupt(format, cause)))
    }

    /// The file is not what its format asks for.
    pub(crate) fn corrupt(&self, format: &str, cause: impl Into<String>) -> Fault {
        Fault::data(format!("table {}: failed to read the {format} file {}", self.table, self.path))
            .because(cause.into())
            .advise("the file is cut off or corrupt: export the partition again")
    }
}
