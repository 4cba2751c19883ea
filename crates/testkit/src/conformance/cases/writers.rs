//! Several writers of one edition: each resumes alone, and the manifest is written once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hivecast_contract::{LedgerRecord, Manifest, PartitionTotals, Stage, WriterId};
use hivecast_publish::{
    Committed, Headers, Job, Ledger, Mode, Outcome, PartEnd, PartSummary, Session, Share, Slot, Target,
    TopicSpec, View, publish_part,
};
use hivecast_run::{Class, Context, Result, SystemClock};

use super::Case;
use crate::conformance::Fixture;
use crate::conformance::editions::{Edition, Editions};
use crate::conformance::faulty::{Effect, Faulty, Point, Trip, is_crash};
use crate::conformance::schedule::Random;
use crate::forward_to_inner;

/// How long writers that really wait may do so.
const PATIENCE: Duration = Duration::from_secs(120);

/// Day 22 and day 23, large enough that each of four writers has several chunks, and tombstones.
fn two_large_days() -> Editions {
    Editions::of([Edition::numbered("e22", 22, 0..60), Edition::numbered("e23", 23, 20..90)])
}

/// Stands in front of a target, and sees what is committed through it. Its first looks may be of the past.
struct Watched<'a> {
    inner: &'a dyn Target,
    /// What is seen without a session, where that is not what there is.
    seen: Option<Ledger>,
    /// What others do before the slot of who finishes is opened.
    before_finish: Option<&'a (dyn Fn() + Sync)>,
    manifests: AtomicU64,
}

impl<'a> Watched<'a> {
    fn new(inner: &'a dyn Target) -> Self {
        Watched { inner, seen: None, before_finish: None, manifests: AtomicU64::new(0) }
    }

    fn manifests(&self) -> u64 {
        self.manifests.load(Ordering::SeqCst)
    }
}

impl Target for Watched<'_> {
    forward_to_inner!(name, preflight, check_free, compacts, probe, fence, read);

    fn open<'s>(
        &'s self,
        topic: &TopicSpec,
        slot: Slot,
        context: &Context<'s>,
    ) -> Result<Box<dyn Session + 's>> {
        if let Some(before_finish) = self.before_finish.filter(|_| slot == Slot::Finish) {
            before_finish();
        }
        Ok(Box::new(WatchedSession { target: self, inner: self.inner.open(topic, slot, context)? }))
    }

    fn ledger(&self, feed: &str, view: View, context: &Context<'_>) -> Result<Ledger> {
        match &self.seen {
            Some(seen) => Ok(seen.clone()),
            None => self.inner.ledger(feed, view, context),
        }
    }
}

struct WatchedSession<'s> {
    target: &'s Watched<'s>,
    inner: Box<dyn Session + 's>,
}

impl Session for WatchedSession<'_> {
    fn ledger(&self) -> &Ledger {
        self.inner.ledger()
    }

    fn topic_id(&self) -> &str {
        self.inner.topic_id()
    }

    fn topic_has_records(&self) -> Result<bool> {
        self.inner.topic_has_records()
    }

    fn end_offsets(&self) -> Result<Vec<i64>> {
        self.inner.end_offsets()
    }

    fn begin(&mut self, headers: &Headers) -> Result<()> {
        self.inner.begin(headers)
    }

    fn send(&mut self, partition: u32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        self.inner.send(partition, key, value)
    }

    fn commit(
        &mut self,
        ledger_records: &mut dyn FnMut(&Committed) -> Result<Vec<LedgerRecord>>,
    ) -> Result<Committed> {
        let mut manifests = 0;
        let committed = self.inner.commit(&mut |committed| {
            let records = ledger_records(committed)?;
            manifests = records.iter().filter(|record| matches!(record, LedgerRecord::Manifest(_))).count();
            Ok(records)
        })?;
        self.target.manifests.fetch_add(manifests as u64, Ordering::SeqCst);
        Ok(committed)
    }

    fn abort(&mut self) -> Result<()> {
        self.inner.abort()
    }
}

impl Case<'_> {
    fn job(&self, mode: Mode) -> Job<'_> {
        Job { topic: &self.topic, chunks: self.chunks, mode, mask_key: self.mask_key }
    }

    /// A writer's run that does not wait, over any target.
    fn part_on(&self, target: &dyn Target, edition: &str, writer: &str, mode: Mode) -> Result<PartSummary> {
        let share = Share { writer: writer.parse().expect("a writer"), patience: Duration::ZERO };
        publish_part(target, &self.job(mode), share, &self.entries(edition), &self.bench.context())
    }

    fn try_part(&self, edition: &str, writer: &str, mode: Mode) -> Result<PartSummary> {
        self.part_on(self.target.as_ref(), edition, writer, mode)
    }

    #[track_caller]
    fn send_part(&self, edition: &str, writer: &str) -> PartSummary {
        let sent = self.try_part(edition, writer, Mode::Normal);
        sent.unwrap_or_else(|fault| panic!("writer {writer} of edition {edition}: {}", fault.chain()))
    }

    /// Every writer in turn; the last gives the manifest.
    #[track_caller]
    fn send_parts(&self, edition: &str, of: u32, mode: Mode) -> Manifest {
        let mut end = None;
        for index in 1..=of {
            let sent = self.try_part(edition, &WriterId { index, of }.to_string(), mode);
            end = Some(sent.unwrap_or_else(|fault| panic!("{index}/{of}: {}", fault.chain())).end);
        }
        match end {
            Some(PartEnd::Whole(manifest)) => manifest,
            end => panic!("the last writer finishes: {end:?}"),
        }
    }

    /// All writers at once, each a client of its own that waits for writer 1.
    fn at_once(&self, target: &dyn Target, edition: &str, of: u32) -> Vec<Result<PartSummary>> {
        std::thread::scope(|scope| {
            let writers: Vec<_> = (1..=of)
                .rev()
                .map(|index| {
                    scope.spawn(move || {
                        let share = Share { writer: WriterId { index, of }, patience: PATIENCE };
                        let context = Context { clock: &SystemClock, ..self.bench.context() };
                        publish_part(target, &self.job(Mode::Normal), share, &self.entries(edition), &context)
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().expect("no writer panics")).collect()
        })
    }

    /// The writer dies there.
    #[track_caller]
    fn crash_part(&self, edition: &str, writer: &str, mode: Mode, point: Point, nth: u64) {
        let faulty = Faulty::once(self.target.as_ref(), Trip { point, nth, effect: Effect::Crash });
        let fault = self.part_on(&faulty, edition, writer, mode).expect_err("a crash");
        assert!(is_crash(&fault), "{writer} at {point:?} {nth}: {}", fault.chain());
    }

    fn settled(&self) -> Ledger {
        let ledger = self.target.ledger(&self.topic.feed, View::Settled, &self.bench.context());
        ledger.expect("the ledger can be read")
    }

    /// The manifest is in the ledger and says what is on the topic.
    fn assert_last_word(&self, manifest: &Manifest) {
        assert_eq!(self.settled().manifests.get(&manifest.load_date), Some(manifest));
        assert_eq!(manifest.partitions, self.log().totals(&manifest.edition.0));
    }

    /// Each stretch's records once, one stretch behind the other, and nothing else.
    fn assert_each_once(&self, stretches: &[super::Stretch]) {
        self.log().assert_is_in_any_order(&self.topic, stretches);
    }
}

/// What does not depend on who sent what when.
fn sums(partitions: &[PartitionTotals]) -> Vec<(u64, u64, u64, u128)> {
    let sum = |part: &PartitionTotals| (part.documents, part.tombstones, part.bytes, part.checksum.0);
    partitions.iter().map(sum).collect()
}

fn to_come(sent: &PartSummary) -> &[u32] {
    match &sent.end {
        PartEnd::ToCome(writers) => writers,
        PartEnd::Whole(_) => panic!("others are still to come"),
    }
}

/// Four writers at once send what one would have sent.
pub fn several_writers_at_once(fixture: &dyn Fixture) {
    let alone = Case::new(fixture, "alone", two_large_days());
    let case = Case::new(fixture, "together", two_large_days());
    for edition in ["e22", "e23"] {
        let expected = alone.publish(edition).manifest;
        let watched = Watched::new(case.target.as_ref());
        let ends = case.at_once(&watched, edition, 4);
        let ends: Vec<_> =
            ends.into_iter().map(|sent| sent.unwrap_or_else(|fault| panic!("{}", fault.chain()))).collect();
        assert_eq!(watched.manifests(), 1, "one manifest");
        let whole = ends.iter().find_map(|sent| match &sent.end {
            PartEnd::Whole(manifest) => Some(manifest),
            PartEnd::ToCome(_) => None,
        });
        let manifest = whole.expect("who is last finishes");
        assert_eq!(sums(&manifest.partitions), sums(&expected.partitions));
        assert_eq!(ends.iter().map(|sent| sent.sent.documents).sum::<u64>(), expected.documents);
        case.assert_last_word(manifest);
    }
    case.assert_each_once(&[case.whole("e22", &[]), case.whole("e23", &["e22"])]);
}

/// Without writer 1 nobody begins; the others come in any order, and who comes again sends nothing.
pub fn writers_wait_for_the_first_and_end_in_any_order(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "order", two_large_days());
    case.create_topic();
    let fault = case.try_part("e22", "2/3", Mode::Normal).expect_err("writer 1 is not there");
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    assert!(fault.advice().is_some());
    assert!(case.log().is_empty());
    assert_eq!(to_come(&case.send_part("e22", "1/3")), [2, 3]);
    let third = case.send_part("e22", "3/3");
    assert_eq!((to_come(&third), &third.outcome), (&[2][..], &Outcome::Published));
    let again = case.send_part("e22", "1/3");
    assert_eq!((to_come(&again), again.sent.chunks), (&[2][..], 0));
    let PartEnd::Whole(manifest) = case.send_part("e22", "2/3").end else { panic!("the last one finishes") };
    case.assert_last_word(&manifest);
    for writer in ["1/3", "2/3", "3/3"] {
        let again = case.send_part("e22", writer);
        assert_eq!((again.outcome, again.sent.chunks), (Outcome::AlreadyComplete, 0), "{writer}");
    }
    case.assert_each_once(&[case.whole("e22", &[])]);
}

/// Seeded: writers come and die at random points, and come again, until all are done.
pub fn writers_crash_and_resume_each_alone(fixture: &dyn Fixture) {
    for seed in 0..fixture.schedule_seeds().div_ceil(2) {
        let case = Case::new(fixture, &format!("writers{seed}"), two_large_days());
        case.publish("e22");
        let watched = Watched::new(case.target.as_ref());
        let mut random = Random(seed);
        let mut complete = None;
        for step in 0..200 {
            let writer = format!("{}/3", 1 + random.below(3));
            // In the end they live.
            let trip = if step < 25 { random.trip() } else { Trip { nth: u64::MAX, ..random.trip() } };
            let faulty = Faulty::once(&watched, trip);
            match case.part_on(&faulty, "e23", &writer, Mode::Normal) {
                Ok(PartSummary { end: PartEnd::Whole(manifest), .. }) => complete = Some(manifest),
                Ok(_) => {}
                Err(fault) if is_crash(&fault) || fault.class() == Class::Infrastructure => {}
                Err(fault) => panic!("seed {seed} step {step}: writer {writer}, {trip:?}: {}", fault.chain()),
            }
            if complete.is_some() {
                break;
            }
        }
        let manifest = complete.unwrap_or_else(|| panic!("seed {seed}: never complete"));
        case.assert_last_word(&manifest);
        assert!(watched.manifests() <= 1, "seed {seed}: {} manifests", watched.manifests());
        assert_eq!(manifest.sequence, 2);
        case.assert_each_once(&[case.whole("e22", &[]), case.whole("e23", &["e22"])]);
    }
}

/// Dies after its part, with all parts committed and no manifest: whoever comes next writes it.
pub fn crash_between_the_last_part_and_the_manifest(fixture: &dyn Fixture) {
    // The second session that the last writer opens is the one that finishes.
    for (name, point, nth) in
        [("finish-opened", Point::Opened, 2), ("finish-ledger", Point::InCommit, u64::MAX)]
    {
        for heir in ["1/2", "2/2"] {
            let case = Case::new(fixture, &format!("{name}{}", &heir[..1]), two_large_days());
            case.send_part("e22", "1/2");
            let chunks = chunks_of(&case, "e22", "2/2");
            case.crash_part("e22", "2/2", Mode::Normal, point, nth.min(chunks + 1));
            assert!(case.settled().manifests.is_empty());
            assert!(case.settled().progress.values().all(|progress| progress.is_done()));
            let last = case.send_part("e22", heir);
            assert_eq!(last.sent.chunks, 0, "nothing but the manifest was left");
            let PartEnd::Whole(manifest) = last.end else { panic!("{heir} finishes") };
            case.assert_last_word(&manifest);
            case.assert_each_once(&[case.whole("e22", &[])]);
        }
    }
}

/// How many chunks a writer's part has.
fn chunks_of(case: &Case<'_>, edition: &str, writer: &str) -> u64 {
    use hivecast_publish::Entries;
    let writer: WriterId = writer.parse().expect("a writer");
    let documents = case.entries(edition).documents_in(writer.range()).expect("counted");
    documents.div_ceil(case.chunks.records)
}

/// All parts are committed, the manifest is not, and every writer comes at once to write it.
pub fn several_who_finish_write_one_manifest(fixture: &dyn Fixture) {
    for round in 0..3 {
        let case = Case::new(fixture, &format!("finish{round}"), two_large_days());
        case.send_part("e22", "1/4");
        case.send_part("e22", "2/4");
        case.send_part("e22", "3/4");
        case.crash_part("e22", "4/4", Mode::Normal, Point::Opened, 2);
        let watched = Watched::new(case.target.as_ref());
        for sent in case.at_once(&watched, "e22", 4) {
            let sent = sent.unwrap_or_else(|fault| panic!("{}", fault.chain()));
            assert!(matches!(sent.end, PartEnd::Whole(_)), "{:?}", sent.end);
        }
        assert_eq!(watched.manifests(), 1);
        case.assert_each_once(&[case.whole("e22", &[])]);
    }
}

/// The manifest was written between a finisher's look and its session: it is not written again.
pub fn who_finishes_looks_again(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "look", two_large_days());
    case.send_part("e22", "1/2");
    let other =
        || assert!(matches!(case.send_part("e22", "1/2").end, PartEnd::Whole(_)), "writer 1 finishes");
    let late = Watched { before_finish: Some(&other), ..Watched::new(case.target.as_ref()) };
    let sent = case.part_on(&late, "e22", "2/2", Mode::Normal);
    let sent = sent.unwrap_or_else(|fault| panic!("{}", fault.chain()));
    let manifest = case.settled().manifests.into_values().next().expect("writer 1's manifest");
    assert_eq!((sent.end, late.manifests()), (PartEnd::Whole(manifest), 0));
}

/// Writer 1 dies between saying what is published and letting the others begin.
pub fn crash_between_announced_and_open(fixture: &dyn Fixture) {
    for nth in [1, 2, 3] {
        let case = Case::new(fixture, &format!("announced{nth}"), two_large_days());
        // Slots 2 and 3, and that of who finishes.
        case.crash_part("e22", "1/3", Mode::Normal, Point::Fenced, nth);
        let begun = case.settled().begun().and_then(|begun| begun.set);
        assert_eq!(begun.map(|set| set.stage), Some(Stage::Announced));
        let fault = case.try_part("e22", "2/3", Mode::Normal).expect_err("not open");
        assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
        assert!(case.log().is_empty(), "nobody begins before it is open");
        let manifest = case.send_parts("e22", 3, Mode::Normal);
        case.assert_last_word(&manifest);
        case.assert_each_once(&[case.whole("e22", &[])]);
    }
}

/// Another number of writers in the middle of an edition is refused, and `--replace` starts over with it.
pub fn another_number_of_writers_is_refused(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "number", two_large_days());
    case.send_part("e22", "1/4");
    case.crash_part("e22", "3/4", Mode::Normal, Point::AfterCommit, 2);
    let before = case.log();
    for writer in ["1/3", "2/3", "3/3", "1/1"] {
        let fault = case.try_part("e22", writer, Mode::Normal).expect_err("a refusal");
        assert_eq!(fault.class(), Class::Conflict, "{writer}: {}", fault.chain());
        assert!(fault.advice().is_some_and(|advice| advice.contains("4 writers")), "{:?}", fault.advice());
    }
    assert_eq!(case.log(), before);
    let manifest = case.send_parts("e22", 3, Mode::Replace);
    assert_eq!(sums(&manifest.partitions), sums(&totals_of(&case, "e22")));
    assert_eq!(case.log().live(), case.editions.get("e22").live());
    // With one writer the set has a number, too, since writers of the wide one may still live.
    case.assert_last_word(&case.send_parts("e23", 1, Mode::Normal));
    assert_eq!(case.log().live(), case.editions.get("e23").live());
}

/// What a manifest must state of all the edition's documents, wherever they lie.
fn totals_of(case: &Case<'_>, edition: &str) -> Vec<PartitionTotals> {
    use hivecast_contract::{Checksum, partition_of};
    let mut totals = vec![PartitionTotals::default(); case.topic.partitions as usize];
    for (key, value) in case.editions.get(edition).live() {
        totals[partition_of(key.as_bytes(), case.topic.partitions) as usize].add(&PartitionTotals {
            documents: 1,
            bytes: (key.len() + value.len()) as u64,
            checksum: Checksum::of_record(key.as_bytes(), Some(&value)),
            ..PartitionTotals::default()
        });
    }
    totals
}

/// The same edition by as many writers as before, after an older one was put over it: what they sent the
/// first time does not count.
pub fn an_edition_is_sent_again_by_as_many_writers(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "again", two_large_days());
    case.send_parts("e22", 3, Mode::Normal);
    case.send_parts("e23", 3, Mode::Normal);
    case.send_parts("e22", 2, Mode::Replace);
    let manifest = case.send_parts("e23", 3, Mode::Replace);
    assert_eq!(manifest.sequence, 4);
    case.assert_each_once(&[
        case.whole("e22", &[]),
        case.whole("e23", &["e22"]),
        case.whole("e22", &["e23"]),
        case.whole("e23", &["e22"]),
    ]);
}

/// A writer of an earlier set that lives: either it is fenced when the next set is opened, or the next set
/// is refused as long as it lives. Never do both send.
pub fn an_earlier_sets_writer_is_fenced(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "earlier", two_large_days());
    case.crash_part("e22", "1/3", Mode::Normal, Point::Began, 4);
    let client = fixture.client();
    let context = case.bench.context();
    for slot in [Slot::Writer(3), Slot::Finish] {
        let mut earlier = client.open(&case.topic, slot, &context).expect("the earlier writer opens");
        let load_date = case.editions.get("e22").load_date;
        let headers = Headers { feed: case.topic.feed.clone(), load_date, edition: "e22".to_owned() };
        earlier.begin(&headers).expect("begun");
        earlier.send(0, b"stray", Some(b"{}")).expect("sent");
        // Two writers where there were three, and three where there were two.
        let before = case.settled().begun().map_or(1, |begun| begun.writer.of);
        let next = WriterId { index: 1, of: if before == 2 { 3 } else { 2 } }.to_string();
        match case.try_part("e22", &next, Mode::Replace) {
            Ok(_) => {
                let fault = earlier.commit(&mut |_| Ok(Vec::new())).expect_err("the earlier one is fenced");
                assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
            }
            Err(fault) => {
                assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
                earlier.abort().expect("the earlier one is unharmed");
            }
        }
        drop(earlier);
        assert!(!case.log().live().contains_key("stray"));
    }
    case.assert_last_word(&case.send_parts("e23", 1, Mode::Replace));
    assert_eq!(case.log().live(), case.editions.get("e23").live());
}

/// A writer of an earlier set that looked before the next was opened, and opens its slot after that: the
/// ledger that it reads then stops it.
pub fn a_late_writer_of_an_earlier_set_sends_nothing(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "late", two_large_days());
    case.send_part("e22", "1/2");
    let before = case.settled();
    assert!(before.begun().is_some_and(|begun| begun.set.is_some_and(|set| set.number == 1)));
    case.try_part("e23", "1/2", Mode::Normal).expect("the next day begins");
    let log = case.log();
    let late = Watched { seen: Some(before), ..Watched::new(case.target.as_ref()) };
    let fault = case.part_on(&late, "e22", "2/2", Mode::Normal).expect_err("overtaken");
    assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
    assert_eq!(case.log(), log, "it sent nothing");
    let PartEnd::Whole(manifest) = case.send_part("e23", "2/2").end else { panic!("the next day is whole") };
    case.assert_last_word(&manifest);
    assert_eq!(case.log().live(), case.editions.get("e23").live());
}

/// Two sets of the same day at once: of each slot one session wins, the others exit as held, and the edition
/// is there once.
pub fn two_sets_of_writers_at_once(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "sets", two_large_days());
    let clients = [fixture.client(), fixture.client()];
    let watched = clients.each_ref().map(|client| Watched::new(client.as_ref()));
    let results: Vec<Result<PartSummary>> = std::thread::scope(|scope| {
        let sets = watched.each_ref().map(|target| {
            let case = &case;
            scope.spawn(move || {
                let mut results = Vec::new();
                // Writer 1 of the set, and then the rest of it at once.
                let share = Share { writer: WriterId { index: 1, of: 3 }, patience: PATIENCE };
                let context = Context { clock: &SystemClock, ..case.bench.context() };
                let job = case.job(Mode::Normal);
                results.push(publish_part(target, &job, share, &case.entries("e22"), &context));
                results.extend(case.at_once(target, "e22", 3));
                results
            })
        });
        sets.into_iter().flat_map(|set| set.join().expect("no set panics")).collect()
    });
    for fault in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
    }
    // Who was held out comes again.
    let manifest = case.send_parts("e22", 3, Mode::Normal);
    case.assert_last_word(&manifest);
    assert!(watched.iter().map(Watched::manifests).sum::<u64>() <= 1);
    case.assert_each_once(&[case.whole("e22", &[])]);
}

/// Sessions of two slots: their transactions are open at the same time and commit in any order, and one that
/// dies takes nothing of the other's with it.
pub fn sessions_of_two_slots(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "slots", two_large_days());
    let clients = [fixture.client(), fixture.client(), fixture.client()];
    let context = case.bench.context();
    let load_date = case.editions.get("e22").load_date;
    let headers = Headers { feed: case.topic.feed.clone(), load_date, edition: "e22".to_owned() };
    let open = |index: usize| {
        let slot = Slot::Writer(index as u32 + 1);
        let mut session = clients[index].open(&case.topic, slot, &context).expect("a session");
        session.begin(&headers).expect("begun");
        for n in 0..3 {
            session.send(0, format!("{index}-{n}").as_bytes(), Some(b"{}")).expect("sent");
        }
        session
    };
    let (mut first, mut second, dies) = (open(0), open(1), open(2));
    let committed = second.commit(&mut |_| Ok(Vec::new())).expect("the second commits first");
    drop(dies);
    let later = first.commit(&mut |_| Ok(Vec::new())).expect("then the first");
    second.begin(&headers).expect("begun again");
    second.send(0, b"1-3", Some(b"{}")).expect("sent");
    second.commit(&mut |_| Ok(Vec::new())).expect("and the second again");
    drop((first, second));
    // Whoever died is rolled back by who takes its slot, at the latest.
    drop(open(2));
    case.target.fence(&case.topic, Slot::Writer(3), &context).expect("fenced");
    let log = case.log();
    let found: Vec<&str> = log.0[0].iter().map(|record| record.key.as_str()).collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2", "1-3"]);
    for (prefix, totals) in [("0-", &later.partitions[0]), ("1-", &committed.partitions[0])] {
        let first = log.0[0].iter().find(|record| record.key.starts_with(prefix)).expect("its first");
        assert_eq!(Some(first.offset), totals.first_offset, "{prefix}");
    }
}
