//! What a read_committed consumer finds, against what should be there.

use std::collections::BTreeMap;

use hivecast_contract::{Checksum, PartitionTotals, partition_of};
use hivecast_publish::{Target, TopicSpec};

use super::Bench;
use super::editions::Sent;

/// A record as a consumer finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Offset in its partition.
    pub offset: i64,
    /// The key.
    pub key: String,
    /// The value, `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The four headers: feed, load_date, edition, op.
    pub headers: [Option<String>; 4],
}

/// Key, value and headers of a record: all but its offset, which nobody can foretell.
type Content = (String, Option<Vec<u8>>, [Option<String>; 4]);

/// A topic as a read_committed consumer finds it, by partition, in offset order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log(pub Vec<Vec<Found>>);

/// One run of records that should be on the topic: an edition's name, its day as text, and what of
/// its publish order was committed.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The edition.
    pub edition: String,
    /// The load_date.
    pub load_date: String,
    /// What was committed, in the publish order.
    pub sent: Vec<Sent>,
}

impl Log {
    /// Reads every partition to its end.
    pub fn read(target: &dyn Target, topic: &TopicSpec) -> Log {
        let partitions = (0..topic.partitions).map(|partition| {
            let mut found = vec![];
            let bench = Bench::default();
            let read = target.read(&topic.topic, partition, 0, i64::MAX, &bench.context(), &mut |record| {
                assert_eq!(record.partition, partition);
                let text = |header: Option<&str>| header.map(str::to_owned);
                found.push(Found {
                    offset: record.offset,
                    key: String::from_utf8(record.key.to_vec()).expect("keys are UTF-8"),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: [record.feed, record.load_date, record.edition, record.op].map(text),
                });
                Ok(())
            });
            read.unwrap_or_else(|fault| panic!("reading partition {partition}: {}", fault.chain()));
            assert!(found.is_sorted_by(|a, b| a.offset < b.offset), "offsets of partition {partition} rise");
            found
        });
        Log(partitions.collect())
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a consumer that keeps the last value of each key has.
    pub fn live(&self) -> BTreeMap<String, Vec<u8>> {
        let mut live = BTreeMap::new();
        for record in self.0.iter().flatten() {
            match &record.value {
                Some(value) => live.insert(record.key.clone(), value.clone()),
                None => live.remove(&record.key),
            };
        }
        live
    }

    /// Whether exactly these stretches are on the topic: every record once, with its bytes, headers
    /// and partition, in the order of publishing within each partition, and nothing else.
    pub fn assert_is(&self, topic: &TopicSpec, stretches: &[Stretch]) {
        let mut expected: Vec<Vec<Content>> = vec![vec![]; topic.partitions as usize];
        for stretch in stretches {
            for (key, value) in &stretch.sent {
                let content = content(topic, stretch, key, value.as_deref());
                expected[partition_of(key.as_bytes(), topic.partitions) as usize].push(content);
            }
        }
        for (partition, (found, expected)) in self.0.iter().zip(expected).enumerate() {
            let found: Vec<_> = found.iter().map(Found::content).collect();
            assert!(
                found == expected,
                "partition {partition} of {}:\n found    {}\n expected {}",
                topic.topic,
                brief(&found),
                brief(&expected)
            );
        }
    }

    /// As [`Log::assert_is`], where each partition may have the records of a stretch in any order.
    pub fn assert_is_in_any_order(&self, topic: &TopicSpec, stretches: &[Stretch]) {
        let mut rest: Vec<&[Found]> = self.0.iter().map(Vec::as_slice).collect();
        for stretch in stretches {
            let mut expected: Vec<Vec<Content>> = vec![vec![]; topic.partitions as usize];
            for (key, value) in &stretch.sent {
                let content = content(topic, stretch, key, value.as_deref());
                expected[partition_of(key.as_bytes(), topic.partitions) as usize].push(content);
            }
            for (partition, (rest, mut expected)) in rest.iter_mut().zip(expected).enumerate() {
                let (here, behind) = rest.split_at(expected.len().min(rest.len()));
                let mut found: Vec<Content> = here.iter().map(Found::content).collect();
                found.sort();
                expected.sort();
                assert!(
                    found == expected,
                    "partition {partition} of {}, edition {}:\n found    {}\n expected {}",
                    topic.topic,
                    stretch.edition,
                    brief(&found),
                    brief(&expected)
                );
                *rest = behind;
            }
        }
        let left: usize = rest.iter().map(|rest| rest.len()).sum();
        assert_eq!(left, 0, "records behind the last stretch");
    }

    /// Sums of one edition's records, as a manifest states them.
    pub fn totals(&self, edition: &str) -> Vec<PartitionTotals> {
        let of_edition = |found: &&Found| found.headers[2].as_deref() == Some(edition);
        let totals = |records: &Vec<Found>| {
            records.iter().filter(of_edition).fold(PartitionTotals::default(), |mut sum, found| {
                let value = found.value.as_deref();
                sum.add(&PartitionTotals {
                    documents: u64::from(value.is_some()),
                    tombstones: u64::from(value.is_none()),
                    bytes: (found.key.len() + value.map_or(0, <[u8]>::len)) as u64,
                    checksum: Checksum::of_record(found.key.as_bytes(), value),
                    first_offset: Some(found.offset),
                    last_offset: Some(found.offset),
                });
                sum
            })
        };
        self.0.iter().map(totals).collect()
    }
}

impl Found {
    fn content(&self) -> Content {
        (self.key.clone(), self.value.clone(), self.headers.clone())
    }
}

fn content(topic: &TopicSpec, stretch: &Stretch, key: &str, value: Option<&[u8]>) -> Content {
    let op = if value.is_some() { "upsert" } else { "delete" };
    let headers = [topic.feed.as_str(), &stretch.load_date, &stretch.edition, op];
    (key.to_owned(), value.map(<[u8]>::to_vec), headers.map(|text| Some(text.to_owned())))
}

fn brief(records: &[Content]) -> String {
    let text: Vec<String> = records
        .iter()
        .map(|(key, value, [_, date, edition, op])| {
            let date = date.as_deref().unwrap_or("-");
            let edition = edition.as_deref().unwrap_or("-");
            let op = op.as_deref().unwrap_or("-");
            let value = value.as_ref().map_or("∅".to_owned(), |value| {
                String::from_utf8_lossy(&value[..value.len().min(40)]).into_owned()
            });
            format!("{date}/{edition}/{op} {key}={value}")
        })
        .collect();
    text.join(", ")
}
