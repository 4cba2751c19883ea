//! Reads back what a manifest speaks of, and compares.

mod explain;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hivecast_contract::{Checksum, EditionId, Manifest, PartitionTotals};
use hivecast_run::{Context, Event, Fault, Result, Step, Unit};

use crate::{Entries, Ledger, Record, Target, View};
use explain::{Verdict, difference};

/// How many partitions are read at once.
const READERS: usize = 2;

/// After how many records cancellation is looked for and progress told.
const READ_BATCH_RECORDS: u64 = 4_096;

/// What was read back and found to agree with the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Records of the edition.
    pub records: u64,
    /// Records of other editions between them, which are none of the manifest's business.
    pub foreign: u64,
    /// What was compared, as people read it.
    pub checks: Vec<String>,
}

/// The edition as it was sent, so that what differs can be told by key.
#[derive(Clone, Copy)]
pub struct Original<'a> {
    /// The edition that the manifest names.
    pub entries: &'a dyn Entries,
    /// What it was published over: [`hivecast_contract::Progress::bases`] of its run.
    pub bases: &'a [EditionId],
}

/// Reads every partition of the manifest's topic back, as committed readers see it, and compares the
/// edition's records with the manifest. Of the edition that was published last, copies behind the
/// manifest's last offset are looked for too. A [`hivecast_run::Class::Data`] says what differs in which
/// partition.
pub fn verify(target: &dyn Target, manifest: &Manifest, context: &Context<'_>) -> Result<Verified> {
    compare(target, manifest, None, context)
}

/// As [`verify`], and where something differs says of which keys, by encoding the edition again.
pub fn verify_by_key(
    target: &dyn Target,
    manifest: &Manifest,
    original: Original<'_>,
    context: &Context<'_>,
) -> Result<Verified> {
    compare(target, manifest, Some(original), context)
}

/// What was found in one partition.
#[derive(Clone, Debug, Default)]
struct Found {
    totals: PartitionTotals,
    foreign: u64,
    /// Records of the edition behind the last that the manifest states.
    beyond: Beyond,
}

/// Records that nobody should have sent.
#[derive(Clone, Debug, Default)]
struct Beyond {
    count: u64,
    first_offset: Option<i64>,
}

/// How far a partition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// To the last offset that the manifest states: behind it an edition that was sent later may
    /// hold the same one's records again.
    Stated,
    /// To the end: nothing was sent since, so that any record of the edition behind is one too many.
    End,
}

impl Reach {
    fn of(manifest: &Manifest, ledger: &Ledger) -> Reach {
        let is_last = ledger.latest().is_none_or(|latest| latest.sequence <= manifest.sequence);
        let again = ledger.begun().is_some_and(|begun| {
            let is_manifests = match begun.set {
                Some(set) => manifest.set == Some(set.number),
                None => begun.partitions == manifest.partitions,
            };
            begun.edition == manifest.edition && !is_manifests
        });
        if is_last && !again { Reach::End } else { Reach::Stated }
    }
}

fn compare(
    target: &dyn Target,
    manifest: &Manifest,
    original: Option<Original<'_>>,
    context: &Context<'_>,
) -> Result<Verified> {
    let total = Some(manifest.documents + manifest.tombstones);
    context.tell(Event::Started { step: Step::Verify, total, unit: Unit::Records });
    let ledger = target.ledger(&manifest.feed, View::Now, context)?;
    let reach = Reach::of(manifest, &ledger);
    let found = read_all(target, manifest, reach, context)?;
    let differs = |found: &Found, stated: &PartitionTotals| found.totals != *stated || found.beyond.count > 0;
    let differing: Vec<usize> = (0..found.len())
        .filter(|partition| differs(&found[*partition], &manifest.partitions[*partition]))
        .collect();
    let mut checks = ["counts", "bytes", "checksums", "offsets"].map(str::to_owned).to_vec();
    if !differing.is_empty() {
        let compared = Compared { target, manifest, ledger: &ledger, reach, context };
        match difference(compared, original, &found, &differing)? {
            Verdict::Fault(fault) => return Err(fault),
            Verdict::TombstonesExpired(count) => {
                context
                    .warn(format!("{count} tombstones are gone from the topic, as compaction removes them"));
                checks = vec!["each document".to_owned()];
            }
        }
    }
    context.tell(Event::Ended { step: Step::Verify });
    Ok(Verified {
        records: found.iter().map(|found| found.totals.records()).sum(),
        foreign: found.iter().map(|found| found.foreign).sum(),
        checks,
    })
}

/// What is compared with what.
#[derive(Clone, Copy)]
struct Compared<'a> {
    target: &'a dyn Target,
    manifest: &'a Manifest,
    ledger: &'a Ledger,
    reach: Reach,
    context: &'a Context<'a>,
}

fn read_all(
    target: &dyn Target,
    manifest: &Manifest,
    reach: Reach,
    context: &Context<'_>,
) -> Result<Vec<Found>> {
    let partitions = manifest.partitions.len();
    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let results: Mutex<Vec<Option<Result<Found>>>> = Mutex::new((0..partitions).map(|_| None).collect());
    let read = || {
        loop {
            let partition = next.fetch_add(1, Ordering::Relaxed);
            if partition >= partitions {
                return;
            }
            let found = read_partition(target, manifest, partition, reach, &done, context);
            if found.is_err() {
                // The others need not begin.
                next.store(partitions, Ordering::Relaxed);
            }
            let mut results = results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            results[partition] = Some(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..READERS.min(partitions) {
            scope.spawn(read);
        }
        read();
    });
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    // A partition that was not begun lies behind one that failed.
    let mut found = Vec::with_capacity(partitions);
    let (failed, read): (Vec<_>, Vec<_>) = results.into_iter().flatten().partition(Result::is_err);
    for result in failed.into_iter().chain(read) {
        found.push(result?);
    }
    Ok(found)
}

fn read_partition(
    target: &dyn Target,
    manifest: &Manifest,
    partition: usize,
    reach: Reach,
    done: &AtomicU64,
    context: &Context<'_>,
) -> Result<Found> {
    let mut found = Found::default();
    let mut pending = 0;
    let last = manifest.partitions[partition].last_offset;
    each_record(target, manifest, partition, reach, context, &mut |record| {
        if Some(record.offset) > last {
            if record.edition == Some(manifest.edition.0.as_str()) {
                found.beyond.count += 1;
                found.beyond.first_offset.get_or_insert(record.offset);
            }
            return Ok(());
        }
        pending += 1;
        if pending == READ_BATCH_RECORDS {
            context.check_cancelled()?;
            let done = done.fetch_add(pending, Ordering::Relaxed) + pending;
            context.tell(Event::Advanced { step: Step::Verify, done });
            pending = 0;
        }
        if record.edition != Some(manifest.edition.0.as_str()) {
            found.foreign += 1;
            return Ok(());
        }
        found.totals.add(&PartitionTotals {
            documents: u64::from(record.value.is_some()),
            tombstones: u64::from(record.value.is_none()),
            bytes: (record.key.len() + record.value.map_or(0, <[u8]>::len)) as u64,
            checksum: Checksum::of_record(record.key, record.value),
            first_offset: Some(record.offset),
            last_offset: Some(record.offset),
        });
        Ok(())
    })?;
    context.check_cancelled()?;
    Ok(found)
}

/// The records between the partition's first and last of the edition, both included, and those behind
/// as far as `reach` says.
fn each_record(
    target: &dyn Target,
    manifest: &Manifest,
    partition: usize,
    reach: Reach,
    context: &Context<'_>,
    each: &mut dyn FnMut(Record<'_>) -> Result<()>,
) -> Result<()> {
    let stated = &manifest.partitions[partition];
    let (Some(first), Some(last)) = (stated.first_offset, stated.last_offset) else { return Ok(()) };
    let number = u32::try_from(partition)
        .map_err(|error| Fault::data(format!("failed to read partition {partition}")).because(error))?;
    target.read(&manifest.topic, number, first, last, context, each)?;
    match (reach, last.checked_add(1)) {
        (Reach::End, Some(behind)) => target.read(&manifest.topic, number, behind, i64::MAX, context, each),
        _ => Ok(()),
    }
}
