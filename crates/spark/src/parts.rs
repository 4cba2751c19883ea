//! What Spark wrote: Parquet files, in a directory for each part.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use hivecast_engine::nested::Parts;
use hivecast_run::{Fault, Result};
use hivecast_storage::{Entry, Kind, Location, Storage};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::file::ParquetFile;
use crate::statement::PART;

/// Rows of a batch that is read. They are weighed a batch at a time.
const BATCH_ROWS: usize = 1_024;
/// Parts that are looked at at once: a store that is far away answers slowly, and many at a time.
const LOOKERS: usize = 8;

/// The parts of one statement.
#[derive(Debug)]
pub(crate) struct WrittenParts {
    storage: Arc<dyn Storage>,
    count: u32,
    parts: BTreeMap<u32, Written>,
}

/// One part.
#[derive(Debug)]
struct Written {
    files: Vec<Location>,
    /// Of all files, by their footers.
    rows: u64,
}

impl WrittenParts {
    /// Finds what is there. Everything is: Spark has said that it is done.
    pub(crate) fn find(storage: Arc<dyn Storage>, dir: &Location, count: u32) -> Result<WrittenParts> {
        let mut dirs = Vec::new();
        for entry in list(storage.as_ref(), dir)? {
            let Some(part) = entry.name.strip_prefix(PART).and_then(|rest| rest.strip_prefix('=')) else {
                continue;
            };
            let part: u32 = part.parse().ok().filter(|part| *part < count).ok_or_else(|| {
                Fault::infrastructure(format!("Spark wrote a part {part} of {count} to {dir}"))
            })?;
            dirs.push((part, dir.join(&entry.name)));
        }
        let parts = in_parallel(&dirs, |(part, dir)| Ok((*part, Written::find(storage.as_ref(), dir)?)))?;
        Ok(WrittenParts { storage, count, parts: parts.into_iter().collect() })
    }
}

impl Written {
    fn find(storage: &dyn Storage, dir: &Location) -> Result<Written> {
        let mut written = Written { files: Vec::new(), rows: 0 };
        for entry in list(storage, dir)? {
            let is_hidden = entry.name.starts_with(['.', '_']);
            if entry.kind == Kind::File && !is_hidden {
                let file = dir.join(&entry.name);
                let rows = reader(storage, &file)?.metadata().file_metadata().num_rows();
                written.rows += u64::try_from(rows).unwrap_or(0);
                written.files.push(file);
            }
        }
        Ok(written)
    }
}

impl Parts for WrittenParts {
    fn count(&self) -> u32 {
        self.count
    }

    fn rows(&self, part: u32) -> u64 {
        self.parts.get(&part).map_or(0, |written| written.rows)
    }

    fn load(&self, part: u32, take: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        for location in self.parts.get(&part).map(|written| written.files.as_slice()).unwrap_or_default() {
            let failed = |error: &dyn std::fmt::Display| {
                Fault::infrastructure(format!("failed to read {location}, which Spark wrote"))
                    .because(error.to_string())
            };
            let reader = reader(self.storage.as_ref(), location)?
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(|error| failed(&error))?;
            for batch in reader {
                take(batch.map_err(|error| failed(&error))?)?;
            }
        }
        Ok(())
    }
}

/// By its footer alone.
fn reader(
    storage: &dyn Storage,
    location: &Location,
) -> Result<ParquetRecordBatchReaderBuilder<ParquetFile>> {
    let failed = || format!("failed to read {location}, which Spark wrote");
    let file = ParquetFile::open(storage, location).map_err(|error| Fault::io(failed(), error))?;
    ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| Fault::infrastructure(failed()).because(error))
}

/// Answers in any order, or one of the errors.
fn in_parallel<A: Sync, T: Send>(all: &[A], look: impl Fn(&A) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let one_by_one = std::iter::from_fn(|| all.get(next.fetch_add(1, Ordering::Relaxed)));
        one_by_one.map(&look).collect::<Result<Vec<T>>>()
    };
    std::thread::scope(|scope| {
        let lookers: Vec<_> = (0..LOOKERS.min(all.len())).map(|_| scope.spawn(work)).collect();
        let mut found = Vec::with_capacity(all.len());
        for looker in lookers {
            found.extend(looker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(found)
    })
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

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, StringArray};
    use hivecast_storage::Stores;
    use parquet::arrow::ArrowWriter;

    use super::*;

    const ROWS: usize = 40_000;

    /// A part of one value that comes again and again, which a file holds once.
    fn written(dir: &std::path::Path) -> u64 {
        let part = dir.join("part=0");
        std::fs::create_dir(&part).unwrap();
        let text: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|_| "x".repeat(500))));
        let batch = RecordBatch::try_from_iter([("s0", text)]).unwrap();
        let path = part.join("a.parquet");
        let mut writer =
            ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path.metadata().unwrap().len()
    }

    #[test]
    fn a_part_is_read_no_further_than_it_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = written(dir.path());
        assert!(bytes < 100_000, "the file holds the value once: {bytes}");
        let at = Location::local(dir.path()).unwrap();
        let parts = WrittenParts::find(Stores::default().of(&at).unwrap(), &at, 2).unwrap();
        assert_eq!((parts.rows(0), parts.rows(1)), (ROWS as u64, 0));
        let mut taken = 0;
        let stopped = parts.load(0, &mut |batch| {
            taken += batch.num_rows();
            if taken > 5_000 { Err(Fault::usage("enough")) } else { Ok(()) }
        });
        assert_eq!(stopped.unwrap_err().to_string(), "enough");
        assert!(taken < ROWS / 4, "{taken} rows");
    }
}
