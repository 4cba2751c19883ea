//! Random steps of writers of several sets, each of which dies after some transactions: whatever happens, an
//! edition that is complete is what is on the topic, and of the set that completed it nothing was sent twice.

use std::collections::{BTreeMap, BTreeSet};

use hivecast_contract::{Checksum, LEDGER_FORMAT, key_hash};
use proptest::prelude::*;

use super::super::*;
use super::{day, id};

const CHUNK: usize = 2;
const DATES: [u8; 4] = [1, 1, 2, 3];

/// One process: a writer that is started, and dies after so many transactions.
#[derive(Clone, Debug)]
struct Step {
    edition: usize,
    writer: WriterId,
    mode: Mode,
    transactions: u32,
}

#[derive(Default)]
struct World {
    /// Keys on the topic, with the edition that put them there; one partition.
    live: BTreeMap<u8, usize>,
    end: i64,
    ledger: Ledger,
    /// What each set has sent.
    sent: BTreeMap<u64, BTreeSet<u8>>,
}

fn number(progress: &Progress) -> u64 {
    progress.set.map_or(0, |set| set.number)
}

fn at(progress: &Progress, stage: Stage) -> Option<WriterSet> {
    progress.set.map(|set| WriterSet { stage, ..set })
}

impl World {
    /// Gives what was completed, if this process saw it complete.
    fn step(&mut self, editions: &[BTreeSet<u8>], step: &Step) -> Result<Option<Manifest>> {
        let name = id(&step.edition.to_string());
        let verdict = decide(&Question {
            feed: "f",
            edition: &name,
            entries: Some("same"),
            mask_key: "",
            load_date: day(DATES[step.edition]),
            writer: step.writer,
            mode: step.mode,
            ledger: &self.ledger,
            topic: TopicState { name: "t", id: "id", end_offsets: &[self.end], has_records: self.end > 0 },
        })?;
        let empty = Progress {
            format: LEDGER_FORMAT,
            feed: "f".to_owned(),
            load_date: day(DATES[step.edition]),
            edition: name,
            writer: step.writer,
            chunks: 0,
            position: 0,
            entries: "same".to_owned(),
            mask_key: String::new(),
            bases: Vec::new(),
            topic_id: "id".to_owned(),
            set: None,
            partitions: vec![PartitionTotals::default()],
        };
        let mut left = step.transactions;
        let mut progress = match verdict.decision {
            Decision::AlreadyComplete(manifest) => return Ok(Some(manifest)),
            Decision::Wait => {
                assert!(step.writer.index > 1);
                return Ok(None);
            }
            Decision::Resume(progress) => progress,
            Decision::Join(begun) => {
                assert!(step.writer.index > 1 && begun.set.is_some_and(|set| set.stage != Stage::Announced));
                Progress { bases: begun.bases.clone(), set: at(&begun, Stage::Open), ..empty }
            }
            Decision::Start { bases } => {
                assert_eq!(step.writer.index, 1);
                Progress { bases, set: next_set(&self.ledger, step.writer), ..empty }
            }
        };
        if progress.set.is_some_and(|set| set.stage == Stage::Announced) {
            for stage in [Stage::Announced, Stage::Open] {
                if left == 0 {
                    return Ok(None);
                }
                left -= 1;
                progress.set = at(&progress, stage);
                self.ledger.apply(hivecast_contract::LedgerRecord::Progress(progress.clone()));
            }
        }
        while !progress.is_done() {
            if left == 0 {
                return Ok(None);
            }
            left -= 1;
            if let Some(manifest) = self.transaction(editions, step.edition, &mut progress) {
                return Ok(Some(manifest));
            }
        }
        match standing(&self.ledger, number(&progress)) {
            Standing::Complete(manifest) => Ok(Some(manifest)),
            Standing::AllDone(whole) if left > 0 => Ok(Some(self.complete(&whole))),
            Standing::AllDone(_) | Standing::ToCome(_) => Ok(None),
            Standing::Overtaken => panic!("nobody else ran"),
        }
    }

    fn transaction(
        &mut self,
        editions: &[BTreeSet<u8>],
        edition: usize,
        progress: &mut Progress,
    ) -> Option<Manifest> {
        let keys = &editions[edition];
        let base = |base: &EditionId| editions[base.0.parse::<usize>().unwrap()].iter().copied();
        let gone: BTreeSet<u8> =
            progress.bases.iter().flat_map(base).filter(|key| !keys.contains(key)).collect();
        let range = progress.writer.range();
        let all = keys.iter().map(|key| (*key, true)).chain(gone.into_iter().map(|key| (key, false)));
        let part: Vec<(u8, bool)> = all.filter(|(key, _)| range.contains(key_hash(&[*key]))).collect();
        let rest = &part[progress.position as usize..];
        for (key, is_document) in &rest[..CHUNK.min(rest.len())] {
            match is_document {
                true => self.live.insert(*key, edition),
                false => self.live.remove(key),
            };
            if progress.set.is_some() {
                assert!(self.sent.entry(number(progress)).or_default().insert(*key), "{key} is sent twice");
            }
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
        let is_last = rest.len() <= CHUNK;
        if is_last && progress.writer.of > 1 {
            progress.set = at(progress, Stage::Done);
        }
        self.ledger.apply(hivecast_contract::LedgerRecord::Progress(progress.clone()));
        (is_last && progress.writer.of == 1).then(|| self.complete(progress))
    }

    fn complete(&mut self, whole: &Progress) -> Manifest {
        let manifest = crate::send::manifest("t", whole, crate::send::next_sequence(&self.ledger), 0);
        self.ledger.apply(hivecast_contract::LedgerRecord::Manifest(manifest.clone()));
        manifest
    }
}

fn steps() -> impl Strategy<Value = (Vec<BTreeSet<u8>>, Vec<Step>)> {
    let edition = prop::collection::btree_set(0u8..16, 0..10);
    let mode = prop_oneof![4 => Just(Mode::Normal), 1 => Just(Mode::Replace)];
    // Mostly sets of three that work on one edition.
    let of = prop_oneof![6 => Just(3u32), 1 => Just(1u32), 1 => Just(2u32)];
    let step =
        (0..DATES.len(), of, 0u32..3, mode, 0u32..6).prop_map(|(edition, of, index, mode, transactions)| {
            Step { edition, writer: WriterId { index: index % of + 1, of }, mode, transactions }
        });
    (prop::collection::vec(edition, DATES.len()), prop::collection::vec(step, 1..40))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn an_edition_that_several_writers_complete_is_what_is_on_the_topic((editions, steps) in steps()) {
        let mut world = World::default();
        let mut sequence = 0;
        for step in steps {
            let before = world.end;
            let Ok(complete) = world.step(&editions, &step) else {
                prop_assert_eq!(step.mode, Mode::Normal, "--replace is never refused");
                prop_assert_eq!(world.end, before);
                continue;
            };
            let latest = world.ledger.latest().map_or(0, |manifest| manifest.sequence);
            prop_assert!(latest <= sequence + 1, "one manifest at a time");
            if let Some(manifest) = complete.filter(|manifest| manifest.sequence > sequence) {
                let whole: BTreeMap<u8, usize> =
                    editions[step.edition].iter().map(|key| (*key, step.edition)).collect();
                prop_assert_eq!(&world.live, &whole, "{:?}", step);
                prop_assert_eq!(manifest.documents, whole.len() as u64);
                for index in 1..=step.writer.of {
                    let again = Step { writer: WriterId { index, ..step.writer }, transactions: 9, ..step.clone() };
                    prop_assert_eq!(world.step(&editions, &again).unwrap(), Some(manifest.clone()), "again");
                }
            }
            sequence = latest;
        }
    }
}
