//! What Spark wrote: Parquet files, in a directory for each part.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use arrow_array::RecordBatch;
use hivecast_engine::nested::Parts;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Entry, Kind, Location, Storage};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::statement::PART;

/// Rows of a batch that is read.
const BATCH_ROWS: usize = 8_192;
/// Bytes in memory for each byte of a Parquet file's values before they were compressed: text as views
/// has 16 bytes more a value.
const SPREAD: u64 = 2;

/// The parts of one statement.
#[derive(Debug)]
pub(crate) struct WrittenParts {
    storage: Arc<dyn Storage>,
    count: u32,
    /// The files of each part, with the bytes of their values.
    files: BTreeMap<u32, Vec<(Location, u64)>>,
}

impl WrittenParts {
    /// Finds what is there. Everything is: Spark has said that it is done.
    pub(crate) fn find(storage: Arc<dyn Storage>, dir: &Location, count: u32) -> Result<WrittenParts> {
        let mut files: BTreeMap<u32, Vec<(Location, u64)>> = BTreeMap::new();
        for entry in list(storage.as_ref(), dir)? {
            let Some(part) = entry.name.strip_prefix(PART).and_then(|rest| rest.strip_prefix('=')) else {
                continue;
            };
            let part: u32 = part.parse().ok().filter(|part| *part < count).ok_or_else(|| {
                Fault::infrastructure(format!("Spark wrote a part {part} of {count} to {dir}"))
            })?;
            let part_dir = dir.join(&entry.name);
            for entry in list(storage.as_ref(), &part_dir)? {
                let is_hidden = entry.name.starts_with(['.', '_']);
                if entry.kind == Kind::File && !is_hidden {
                    files.entry(part).or_default().push((part_dir.join(&entry.name), entry.size));
                }
            }
        }
        let mut parts = WrittenParts { storage, count, files };
        parts.weigh()?;
        Ok(parts)
    }

    /// Replaces files' sizes by the bytes that their footers tell.
    fn weigh(&mut self) -> Result<()> {
        let storage = Arc::clone(&self.storage);
        for (location, bytes) in self.files.values_mut().flatten() {
            let reader = reader(storage.as_ref(), location)?;
            let groups = reader.metadata().row_groups().iter();
            *bytes = groups.map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0)).sum();
        }
        Ok(())
    }
}

impl Parts for WrittenParts {
    fn count(&self) -> u32 {
        self.count
    }

    fn bytes(&self, part: u32) -> u64 {
        self.files.get(&part).map_or(0, |files| files.iter().map(|(_, bytes)| bytes * SPREAD).sum())
    }

    fn load(&self, part: u32) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        for (location, _) in self.files.get(&part).map(Vec::as_slice).unwrap_or_default() {
            let failed = |error: &dyn std::fmt::Display| {
                Fault::infrastructure(format!("failed to read {location}, which Spark wrote"))
                    .because(error.to_string())
            };
            let reader = reader(self.storage.as_ref(), location)?
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(|error| failed(&error))?;
            for batch in reader {
                batches.push(batch.map_err(|error| failed(&error))?);
            }
        }
        Ok(batches)
    }
}

fn reader(
    storage: &dyn Storage,
    location: &Location,
) -> Result<ParquetRecordBatchReaderBuilder<bytes::Bytes>> {
    let failed = || format!("failed to read {location}, which Spark wrote");
    let file = storage.open(location).map_err(|error| Fault::io(failed(), error))?;
    let bytes = file.read_at(0..file.len()).map_err(|error| Fault::io(failed(), error))?;
    ParquetRecordBatchReaderBuilder::try_new(bytes)
        .map_err(|error| Fault::infrastructure(failed()).because(error))
}

/// Empty where nothing was written: Sail makes no directory for no rows. That rows are missing is seen where
/// they are counted.
fn list(storage: &dyn Storage, dir: &Location) -> Result<Vec<Entry>> {
    match storage.list(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        listed => {
            listed.map_err(|error| Fault::io(format!("failed to list {dir}, where Spark wrote"), error))
        }
    }
}
