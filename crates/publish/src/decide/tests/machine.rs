//! Random commands against a topic that is a map of keys: whatever happens, an edition that is
//! complete is what is on the topic, what is half sent goes on, and nothing newer is overwritten unasked.

use std::collections::{BTreeMap, BTreeSet};

use hivecast_contract::{Checksum, LEDGER_FORMAT};
use hivecast_run::Class;
use proptest::prelude::*;

use super::super::*;
use super::{day, id};

/// One command of a schedule.
#[derive(Clone, Debug)]
enum Command {
    /// Publish an edition masked with a key, and die after so many transactions.
    Publish { edition: usize, key: &'static str, mode: Mode, transactions: usize },
    /// Delete the topic; the next session makes it again.
    Delete,
}

/// An edition: its day and its keys.
#[derive(Clone, Debug)]
struct Edition {
    load_date: LoadDate,
    keys: BTreeSet<u8>,
}

/// Keys on the topic with the edition that put them there and what it was masked with; one partition.
#[derive(Default)]
struct World {
    topic: u32,
    live: BTreeMap<u8, (usize, &'static str)>,
    end: i64,
    ledger: Ledger,
    /// The edition that is half sent, and what it is masked with.
    under_way: Option<(usize, &'static str)>,
}

const CHUNK: usize = 3;

impl World {
    fn publish(
        &mut self,
        editions: &[Edition],
        edition: usize,
        key: &'static str,
        mode: Mode,
        transactions: usize,
    ) -> Result<bool> {
        let topic_id = format!("topic-{}", self.topic);
        let name = id(&edition.to_string());
        let load_date = editions[edition].load_date;
        let verdict = decide(&Question {
            feed: "f",
            edition: &name,
            entries: Some("same"),
            mask_key: key,
            load_date,
            writer: WriterId::SINGLE,
            mode,
            ledger: &self.ledger,
            topic: TopicState {
                name: "t",
                id: &topic_id,
                end_offsets: &[self.end],
                has_records: self.end > 0,
            },
        });
        if self.under_way == Some((edition, key)) {
            let decision = verdict.as_ref().map(|verdict| &verdict.decision);
            assert!(matches!(decision, Ok(Decision::Resume(_))), "{mode:?}: {verdict:?}");
        }
        let mut progress = match verdict?.decision {
            Decision::AlreadyComplete(manifest) => {
                assert_eq!((&manifest.edition, manifest.load_date), (&name, load_date));
                return Ok(true);
            }
            Decision::Resume(progress) => progress,
            Decision::Join(_) | Decision::Wait => panic!("one writer waits for nobody"),
            Decision::Start { bases } => Progress {
                format: LEDGER_FORMAT,
                feed: "f".to_owned(),
                load_date,
                edition: name,
                writer: WriterId::SINGLE,
                chunks: 0,
                position: 0,
                entries: "same".to_owned(),
                mask_key: key.to_owned(),
                bases,
                topic_id,
                set: None,
                partitions: vec![PartitionTotals::default()],
            },
        };
        for _ in 0..transactions {
            if self.transaction(editions, edition, key, &mut progress) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Commits one chunk; true when it was the last.
    fn transaction(
        &mut self,
        editions: &[Edition],
        edition: usize,
        mask: &'static str,
        progress: &mut Progress,
    ) -> bool {
        let keys = &editions[edition].keys;
        let base = |base: &EditionId| editions[base.0.parse::<usize>().unwrap()].keys.clone();
        let gone: BTreeSet<u8> =
            progress.bases.iter().flat_map(base).filter(|key| !keys.contains(key)).collect();
        let sequence: Vec<(u8, bool)> =
            keys.iter().map(|key| (*key, true)).chain(gone.into_iter().map(|key| (key, false))).collect();
        let rest = &sequence[progress.position as usize..];
        for (key, is_document) in &rest[..CHUNK.min(rest.len())] {
            match is_document {
                true => self.live.insert(*key, (edition, mask)),
                false => self.live.remove(key),
            };
            progress.partitions[0].add(&PartitionTotals {
                documents: u64::from(*is_document),
                tombstones: u64::from(!is_document),
                bytes: 1,
                checksum: Checksum(u128::from(*key) + 1),
                first_offset: Some(self.end),
                last_offset: Some(self.end),
            });
            self.end += 1;
            progress.position += 1;
        }
        progress.chunks += 1;
        self.ledger.progress.insert(1, progress.clone());
        self.under_way = (rest.len() > CHUNK).then_some((edition, mask));
        if self.under_way.is_some() {
            return false;
        }
        let sequence =
            self.ledger.manifests.values().map(|manifest| manifest.sequence).max().unwrap_or(0) + 1;
        let manifest = Manifest {
            format: LEDGER_FORMAT,
            sequence,
            feed: "f".to_owned(),
            load_date: progress.load_date,
            edition: progress.edition.clone(),
            entries: progress.entries.clone(),
            mask_key: progress.mask_key.clone(),
            topic: "t".to_owned(),
            topic_id: progress.topic_id.clone(),
            documents: progress.partitions[0].documents,
            tombstones: progress.partitions[0].tombstones,
            chunks: progress.chunks,
            set: None,
            completed_ms: 0,
            partitions: progress.partitions.clone(),
        };
        self.ledger.manifests.insert(manifest.load_date, manifest);
        true
    }
}

fn commands() -> impl Strategy<Value = (Vec<Edition>, Vec<Command>)> {
    let edition = (1u8..5, prop::collection::btree_set(0u8..12, 0..8))
        .prop_map(|(date, keys)| Edition { load_date: day(date), keys });
    let mode = prop_oneof![3 => Just(Mode::Normal), 1 => Just(Mode::Replace)];
    let key = prop_oneof![3 => Just("one key"), 1 => Just("another")];
    let publish = (0usize..6, key, mode, 0usize..5)
        .prop_map(|(edition, key, mode, transactions)| Command::Publish { edition, key, mode, transactions });
    let command = prop_oneof![20 => publish, 1 => Just(Command::Delete)];
    (prop::collection::vec(edition, 6), prop::collection::vec(command, 1..25))
}

/// The newest day that is published or begun on the topic as it is.
fn newest(world: &World) -> Option<LoadDate> {
    let id = format!("topic-{}", world.topic);
    let here = world.ledger.manifests.values().filter(|m| m.topic_id == id).max_by_key(|m| m.sequence);
    let begun = world.ledger.progress.values().filter(|p| p.topic_id == id);
    here.map(|manifest| manifest.load_date).into_iter().chain(begun.map(|progress| progress.load_date)).max()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn an_edition_that_is_complete_is_what_is_on_the_topic((editions, commands) in commands()) {
        let mut world = World::default();
        for command in commands {
            let Command::Publish { edition, key: mask, mode, transactions } = command else {
                world.topic += 1;
                world.live.clear();
                world.end = 0;
                world.under_way = None;
                continue;
            };
            let (end, newest_before) = (world.end, newest(&world));
            let name = id(&edition.to_string());
            let was_begun = world.ledger.progress.values().any(|progress| progress.edition == name);
            let result = world.publish(&editions, edition, mask, mode, transactions);
            let sent = world.end - end;
            match result {
                Err(fault) => {
                    prop_assert_eq!(fault.class(), Class::Conflict);
                    prop_assert_eq!(mode, Mode::Normal, "--replace is never refused: {}", fault.chain());
                    prop_assert_eq!(sent, 0);
                }
                Ok(is_complete) => {
                    if is_complete && (sent > 0 || mode == Mode::Replace) {
                        let wanted: BTreeMap<u8, (usize, &str)> =
                            editions[edition].keys.iter().map(|key| (*key, (edition, mask))).collect();
                        prop_assert_eq!(&world.live, &wanted);
                        let end = world.end;
                        prop_assert!(world.publish(&editions, edition, mask, mode, 5).unwrap());
                        prop_assert_eq!(world.end, end, "again sends nothing");
                    }
                    // "Published already" is true of what is there, or a newer day took its place.
                    let is_there =
                        world.live.iter().all(|(key, of)| *of == (edition, mask) && editions[edition].keys.contains(key));
                    prop_assert!(
                        sent > 0 || !is_complete || is_there || newest_before > Some(editions[edition].load_date)
                    );
                    // Only an edition that --replace has begun may go on over a newer day.
                    prop_assert!(
                        mode == Mode::Replace || sent == 0 || was_begun || newest_before <= Some(editions[edition].load_date)
                    );
                }
            }
        }
    }
}
