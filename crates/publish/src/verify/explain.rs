//! What differs, in words: by partition from the sums, and by key where the edition is at hand.

use std::collections::HashMap;
use std::fmt::Write;

use hivecast_contract::{Checksum, HashRange, Manifest, PartitionTotals, partition_of};
use hivecast_run::{Context, Fault, Result};

use super::{Compared, Found, Original, each_record};
use crate::Record;
use crate::entries::{Block, Entry};

/// How many partitions are described.
const PARTITIONS_TOLD: usize = 10;

/// How many keys are named of each kind of difference.
const KEYS_TOLD: usize = 10;

/// How many keys are held in memory at once, at about 40 bytes each; a larger edition is gone
/// through several times.
const SLICE_KEYS: u64 = 2_000_000;

/// Whether what differs is a fault.
pub(super) enum Verdict {
    /// Nothing but tombstones is gone, and each document was compared: compaction removes a
    /// tombstone once `delete.retention.ms` has passed.
    TombstonesExpired(u64),
    /// Records are missing, doubled, altered or strange.
    Fault(Fault),
}

pub(super) fn difference(
    compared: Compared<'_>,
    original: Option<Original<'_>>,
    found: &[Found],
    differing: &[usize],
) -> Result<Verdict> {
    let Compared { manifest, ledger, .. } = compared;
    let mut cause = sums(manifest, found, differing);
    if let Some(original) = original {
        let keys = Keys::compare(compared, original, differing)?;
        if let Some(expired) = keys.only_tombstones_missing().filter(|_| compared.target.compacts()) {
            return Ok(Verdict::TombstonesExpired(expired));
        }
        cause.push_str(&keys.text());
    }
    let later = ledger
        .manifests
        .values()
        .filter(|other| other.sequence > manifest.sequence && other.topic_id == manifest.topic_id);
    let advice = match later.max_by_key(|other| other.sequence) {
        Some(later) => format!(
            "load_date {} was published later, and where the topic is compacted its records replace these: \
             only the edition that was published last can be verified",
            later.load_date
        ),
        None => {
            "find out what else writes to the topic or deletes from it; to send everything again, delete \
                 the topic and publish with --replace"
                .to_owned()
        }
    };
    let what = format!(
        "failed to verify load_date {} of feed {}: topic {} is not what the manifest of edition {} says",
        manifest.load_date, manifest.feed, manifest.topic, manifest.edition
    );
    Ok(Verdict::Fault(Fault::data(what).because(cause).advise(advice)))
}

/// What differs in each partition's sums.
fn sums(manifest: &Manifest, found: &[Found], differing: &[usize]) -> String {
    let told = differing.iter().take(PARTITIONS_TOLD).map(|partition| {
        let differences = sum(&found[*partition], &manifest.partitions[*partition]);
        format!("partition {partition} has {}", differences.join(", "))
    });
    let mut text = told.collect::<Vec<_>>().join("; ");
    if differing.len() > PARTITIONS_TOLD {
        let _ = write!(text, "; and {} partitions more differ", differing.len() - PARTITIONS_TOLD);
    }
    text
}

fn sum(found: &Found, stated: &PartitionTotals) -> Vec<String> {
    let Found { totals, foreign, beyond } = found;
    let mut differences = Vec::new();
    let counts = [
        ("documents", totals.documents, stated.documents),
        ("tombstones", totals.tombstones, stated.tombstones),
        ("bytes", totals.bytes, stated.bytes),
    ];
    for (what, found, stated) in counts.into_iter().filter(|(_, found, stated)| found != stated) {
        differences.push(format!("{found} {what} instead of {stated}"));
    }
    if totals.checksum != stated.checksum {
        differences.push(format!("checksum {} instead of {}", totals.checksum, stated.checksum));
    }
    let offset = |offset: Option<i64>| offset.map_or("none".to_owned(), |offset| offset.to_string());
    for (what, found, stated) in [
        ("first offset", totals.first_offset, stated.first_offset),
        ("last offset", totals.last_offset, stated.last_offset),
    ] {
        if found != stated {
            differences.push(format!("{what} {} instead of {}", offset(found), offset(stated)));
        }
    }
    if *foreign > 0 {
        differences.push(format!("{foreign} records of other editions between"));
    }
    if let Some(first) = beyond.first_offset {
        differences.push(format!(
            "{} more records of the edition behind its last, from offset {first} on",
            beyond.count
        ));
    }
    differences
}

/// A kind of difference: how often, and the first keys.
#[derive(Default)]
struct Kind {
    count: u64,
    keys: Vec<String>,
}

impl Kind {
    fn add(&mut self, key: &[u8]) {
        self.count += 1;
        if self.keys.len() < KEYS_TOLD {
            self.keys.push(format!("{:?}", String::from_utf8_lossy(key)));
        }
    }
}

/// What differs by key.
#[derive(Default)]
struct Keys {
    missing: Kind,
    missing_tombstones: Kind,
    doubled: Kind,
    altered: Kind,
    unknown: Kind,
}

/// A record that should be there.
struct Expected {
    /// The low half of the record's checksum.
    checksum: u64,
    seen: u32,
}

/// One part of the keys of the partitions that differ.
struct Slice<'a> {
    partitions: &'a [usize],
    of_topic: u32,
    index: u64,
    of: u64,
}

impl Slice<'_> {
    /// The key's name in the slice's table, if it belongs there.
    fn name(&self, key: &[u8]) -> Option<u64> {
        let name = Checksum::of_record(key, None).0 as u64;
        let partition = partition_of(key, self.of_topic) as usize;
        (name % self.of == self.index && self.partitions.contains(&partition)).then_some(name)
    }
}

impl Keys {
    fn compare(compared: Compared<'_>, original: Original<'_>, partitions: &[usize]) -> Result<Keys> {
        let manifest = compared.manifest;
        let records: u64 = partitions.iter().map(|partition| manifest.partitions[*partition].records()).sum();
        let of = records.div_ceil(SLICE_KEYS).max(1);
        let of_topic = u32::try_from(manifest.partitions.len()).unwrap_or(u32::MAX);
        let mut keys = Keys::default();
        for index in 0..of {
            keys.compare_slice(compared, original, &Slice { partitions, of_topic, index, of })?;
        }
        Ok(keys)
    }

    fn compare_slice(
        &mut self,
        compared: Compared<'_>,
        original: Original<'_>,
        slice: &Slice<'_>,
    ) -> Result<()> {
        let Compared { target, manifest, reach, context, .. } = compared;
        let mut expected = HashMap::new();
        each_entry(original, context, &mut |entry| {
            if let Some(name) = slice.name(entry.key) {
                let checksum = Checksum::of_record(entry.key, entry.value).0 as u64;
                expected.insert(name, Expected { checksum, seen: 0 });
            }
        })?;
        for partition in slice.partitions {
            each_record(target, manifest, *partition, reach, context, &mut |record| {
                if record.edition == Some(manifest.edition.0.as_str()) {
                    self.meet(&record, slice, &mut expected);
                }
                Ok(())
            })?;
        }
        if expected.values().all(|expected| expected.seen > 0) {
            return Ok(());
        }
        each_entry(original, context, &mut |entry| {
            let name = slice.name(entry.key);
            if name.and_then(|name| expected.get(&name)).is_some_and(|expected| expected.seen == 0) {
                match entry.value {
                    Some(_) => self.missing.add(entry.key),
                    None => self.missing_tombstones.add(entry.key),
                }
            }
        })
    }

    fn meet(&mut self, record: &Record<'_>, slice: &Slice<'_>, expected: &mut HashMap<u64, Expected>) {
        let name = Checksum::of_record(record.key, None).0 as u64;
        if name % slice.of != slice.index {
            return;
        }
        let is_in_place = partition_of(record.key, slice.of_topic) == record.partition;
        let Some(expected) = expected.get_mut(&name).filter(|_| is_in_place) else {
            self.unknown.add(record.key);
            return;
        };
        expected.seen += 1;
        if expected.seen > 1 {
            self.doubled.add(record.key);
        } else if expected.checksum != Checksum::of_record(record.key, record.value).0 as u64 {
            self.altered.add(record.key);
        }
    }

    fn only_tombstones_missing(&self) -> Option<u64> {
        let others = [&self.missing, &self.doubled, &self.altered, &self.unknown];
        let alone = others.iter().all(|kind| kind.count == 0);
        (alone && self.missing_tombstones.count > 0).then_some(self.missing_tombstones.count)
    }

    fn text(&self) -> String {
        let kinds = [
            ("missing", &self.missing),
            ("tombstones missing", &self.missing_tombstones),
            ("doubled", &self.doubled),
            ("altered", &self.altered),
            ("not of the edition, or in the wrong partition", &self.unknown),
        ];
        kinds.into_iter().filter(|(_, kind)| kind.count > 0).fold(String::new(), |mut text, (name, kind)| {
            let more = if kind.count > kind.keys.len() as u64 { ", …" } else { "" };
            let _ = write!(text, "; {name}: {} ({}{more})", kind.count, kind.keys.join(", "));
            text
        })
    }
}

fn each_entry(original: Original<'_>, context: &Context<'_>, each: &mut dyn FnMut(Entry<'_>)) -> Result<()> {
    let mut blocks = original.entries.open(HashRange::WHOLE, original.bases, 0)?;
    let mut block = Block::default();
    loop {
        context.check_cancelled()?;
        blocks.fill(&mut block)?;
        if block.is_empty() {
            return Ok(());
        }
        block.iter().for_each(&mut *each);
        block.clear();
    }
}
