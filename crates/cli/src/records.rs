//! `hivecast verify --records DIR`: the records of a published edition as files, for comparing them
//! with what was expected.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use hivecast_contract::Manifest;
use hivecast_publish::{Record, Target};
use hivecast_run::{Context, Fault, Result};
use serde::Serialize;
use serde_json::value::RawValue;

/// After how many records cancellation is looked for.
const WRITTEN_BATCH_RECORDS: u64 = 4_096;

/// One line: a record as it was read.
#[derive(Serialize)]
struct Line<'a> {
    partition: u32,
    offset: i64,
    key: &'a str,
    headers: Headers<'a>,
    /// The value's own bytes.
    value: Option<&'a RawValue>,
}

/// In the order in which records carry them.
#[derive(Serialize)]
struct Headers<'a> {
    #[serde(rename = "hivecast.feed")]
    feed: Option<&'a str>,
    #[serde(rename = "hivecast.load_date")]
    load_date: Option<&'a str>,
    #[serde(rename = "hivecast.edition")]
    edition: Option<&'a str>,
    #[serde(rename = "hivecast.op")]
    op: Option<&'a str>,
}

fn path_of(dir: &Path, partition: u32) -> PathBuf {
    dir.join(format!("partition-{partition}.ndjson"))
}

/// Fails where the directory holds such files: they may be what these are to be compared with.
pub(crate) fn check_free(manifest: &Manifest, dir: &Path) -> Result<()> {
    let taken = (0..).zip(&manifest.partitions).map(|(partition, _)| path_of(dir, partition));
    match taken.into_iter().find(|path| path.exists()) {
        Some(path) => Err(Fault::usage(format!("{} is there already", path.display()))
            .advise("name a directory that holds no records yet")),
        None => Ok(()),
    }
}

/// Writes `partition-N.ndjson` for every partition, with the records of the manifest's edition in the
/// order of their offsets. What has that name is whole.
pub(crate) fn write(
    target: &dyn Target,
    manifest: &Manifest,
    dir: &Path,
    context: &Context<'_>,
) -> Result<()> {
    fs::create_dir_all(dir)
        .map_err(|error| Fault::io(format!("failed to make directory {}", dir.display()), error))?;
    for (partition, totals) in (0..).zip(&manifest.partitions) {
        let path = path_of(dir, partition);
        let half = path.with_extension("tmp");
        let failed = |error| Fault::io(format!("failed to write {}", path.display()), error);
        let mut out = BufWriter::new(File::create(&half).map_err(failed)?);
        if let (Some(first), Some(last)) = (totals.first_offset, totals.last_offset) {
            let mut written = 0_u64;
            target.read(&manifest.topic, partition, first, last, context, &mut |record| {
                if record.edition != Some(manifest.edition.0.as_str()) {
                    return Ok(());
                }
                written += 1;
                if written.is_multiple_of(WRITTEN_BATCH_RECORDS) {
                    context.check_cancelled()?;
                }
                let mut line = line(&record)?;
                line.push(b'\n');
                out.write_all(&line).map_err(failed)
            })?;
        }
        out.flush().and_then(|()| fs::rename(&half, &path)).map_err(failed)?;
    }
    context.info(format!("wrote the records of load_date {} to {}", manifest.load_date, dir.display()));
    Ok(())
}

fn line(record: &Record<'_>) -> Result<Vec<u8>> {
    let at = || {
        format!("failed to write the record at offset {} of partition {}", record.offset, record.partition)
    };
    let key = std::str::from_utf8(record.key).map_err(|error| Fault::data(at()).because(error))?;
    let value: Option<&RawValue> = record
        .value
        .map(serde_json::from_slice)
        .transpose()
        .map_err(|error| Fault::data(at()).because(error))?;
    let Record { partition, offset, feed, load_date, edition, op, .. } = *record;
    let headers = Headers { feed, load_date, edition, op };
    serde_json::to_vec(&Line { partition, offset, key, headers, value })
        .map_err(|error| Fault::bug(at()).because(error))
}
