//! Processes that die, sessions that are lost, runs that are stopped.

use std::sync::Mutex;
use std::time::Duration;

use hivecast_publish::{Entries, Job, Mode, Outcome, publish};
use hivecast_run::{Cancel, Class, Clock, Context, Event, Silent, Sink, Step};

use super::{CHUNK_RECORDS, Case, assert_outcome, two_days};
use crate::conformance::Fixture;
use crate::conformance::editions::{Edition, Editions};
use crate::conformance::faulty::{Effect, Faulty, Point, Trip};

/// Day 23 over day 22 is 11 documents and 3 tombstones: four chunks, the third and the fourth with
/// tombstones.
const CHUNKS: u64 = 4;

/// Dies at the point, for every chunk in turn; then the same command again finishes the edition, and
/// nothing is on the topic twice.
fn crash_at(fixture: &dyn Fixture, name: &str, point: Point, committed: impl Fn(u64) -> u64, nths: &[u64]) {
    for nth in nths {
        let case = Case::new(fixture, &format!("{name}{nth}"), two_days());
        case.publish("e22");
        case.crash("e23", Mode::Normal, Trip { point, nth: *nth, effect: Effect::Crash });
        let position = committed(*nth);
        let before = case.part("e23", &["e22"], position as usize);
        case.assert_log(&[case.whole("e22", &[]), before]);

        let summary = case.publish("e23");
        let (outcome, sent) = match (position, 14 - position) {
            (0, all) => (Outcome::Published, all),
            (_, 0) => (Outcome::AlreadyComplete, 0),
            (position, rest) => (Outcome::Resumed { position }, rest),
        };
        assert_outcome(&summary, outcome);
        assert_eq!(summary.sent.documents + summary.sent.tombstones, sent, "{point:?} {nth}");
        case.assert_log(&[case.whole("e22", &[]), case.whole("e23", &["e22"])]);
        case.assert_manifest(&summary.manifest);
        assert_eq!(summary.manifest.chunks, CHUNKS);
    }
}

/// How many entries are committed when `chunks` chunks are.
fn entries_of(chunks: u64) -> u64 {
    (chunks * CHUNK_RECORDS).min(14)
}

/// Dies with a session open and nothing done.
pub fn crash_after_opening(fixture: &dyn Fixture) {
    crash_at(fixture, "opened", Point::Opened, |_| 0, &[1]);
}

/// Dies after a transaction has begun.
pub fn crash_after_beginning(fixture: &dyn Fixture) {
    crash_at(fixture, "began", Point::Began, |nth| entries_of(nth - 1), &[1, 2, 4]);
}

/// Dies with some of a chunk's records sent.
pub fn crash_in_the_middle_of_a_chunk(fixture: &dyn Fixture) {
    crash_at(fixture, "sent", Point::Sent, |nth| (nth - 1) / CHUNK_RECORDS * CHUNK_RECORDS, &[1, 6, 11, 13]);
}

/// Dies with all of a chunk's records sent and the commit not begun.
pub fn crash_before_the_commit(fixture: &dyn Fixture) {
    crash_at(fixture, "before", Point::BeforeCommit, |nth| entries_of(nth - 1), &[1, 3, 4]);
}

/// Dies within the commit, with everything acknowledged and nothing committed.
pub fn crash_with_the_ledger_record_made(fixture: &dyn Fixture) {
    crash_at(fixture, "within", Point::InCommit, |nth| entries_of(nth - 1), &[1, 2, 4]);
}

/// Dies after the commit and before hearing of it.
pub fn crash_after_the_commit(fixture: &dyn Fixture) {
    crash_at(fixture, "after", Point::AfterCommit, entries_of, &[1, 3, 4]);
}

/// A session is lost within a commit; the same run goes on with a new one, and what the ledger says
/// decides whether the chunk is sent again.
fn lose_at(fixture: &dyn Fixture, name: &str, point: Point) {
    for nth in [1, 2, 4] {
        let case = Case::new(fixture, &format!("{name}{nth}"), two_days());
        case.publish("e22");
        let faulty = Faulty::once(case.target.as_ref(), Trip { point, nth, effect: Effect::Lost });
        let summary = case
            .run(&faulty, "e23", Mode::Normal)
            .unwrap_or_else(|fault| panic!("{point:?} {nth}: {}", fault.chain()));
        assert!(faulty.has_tripped());
        assert_eq!(summary.lost_sessions, 1);
        assert_outcome(&summary, Outcome::Published);
        assert_eq!((summary.sent.documents, summary.sent.tombstones, summary.sent.chunks), (11, 3, CHUNKS));
        case.assert_log(&[case.whole("e22", &[]), case.whole("e23", &["e22"])]);
        case.assert_manifest(&summary.manifest);
        assert_eq!(summary.manifest.sequence, 2);
    }
}

/// The commit fails, and did not happen.
pub fn commit_lost_before_it_happened(fixture: &dyn Fixture) {
    lose_at(fixture, "lostb", Point::BeforeCommit);
    lose_at(fixture, "losti", Point::InCommit);
}

/// The commit fails, and did happen.
pub fn commit_lost_after_it_happened(fixture: &dyn Fixture) {
    lose_at(fixture, "losta", Point::AfterCommit);
}

/// Every session is lost: the run gives up as infrastructure, and a later one finishes.
pub fn sessions_lost_again_and_again_end_the_run(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "always", two_days());
    let faulty = Faulty::always(
        case.target.as_ref(),
        Trip { point: Point::BeforeCommit, nth: 2, effect: Effect::Lost },
    );
    let fault = case.run(&faulty, "e22", Mode::Normal).expect_err("no session lives");
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    case.assert_log(&[case.part("e22", &[], CHUNK_RECORDS as usize)]);
    assert_outcome(&case.publish("e22"), Outcome::Resumed { position: CHUNK_RECORDS });
    case.assert_log(&[case.whole("e22", &[])]);
}

/// Between sessions a run waits for seconds; one that is asked to stop does not wait them out.
pub fn cancelled_while_waiting_for_a_new_session(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "cancelw", two_days());
    let lost = Trip { point: Point::BeforeCommit, nth: 2, effect: Effect::Lost };
    let faulty = Faulty::always(case.target.as_ref(), lost);
    let clock = StopAsleep { cancel: Cancel::default(), slept: Mutex::default() };
    let context = Context { sink: &Silent, cancel: &clock.cancel, clock: &clock };
    let job = Job { topic: &case.topic, chunks: case.chunks, mode: Mode::Normal, mask_key: "" };
    let fault = publish(&faulty, &job, &case.entries("e22"), &context).expect_err("an interruption");
    assert_eq!(fault.class(), Class::Interrupted, "{}", fault.chain());
    let slept = *clock.slept.lock().expect("no test panics while holding it");
    assert!(slept <= Duration::from_millis(200), "{slept:?} after it was asked to stop");
    assert_outcome(&case.publish("e22"), Outcome::Resumed { position: CHUNK_RECORDS });
}

/// A clock that has the run stopped as soon as it sleeps.
struct StopAsleep {
    cancel: Cancel,
    slept: Mutex<Duration>,
}

impl Clock for StopAsleep {
    fn now_ms(&self) -> i64 {
        0
    }

    fn sleep(&self, time: Duration) {
        self.cancel.cancel();
        *self.slept.lock().expect("no test panics while holding it") += time;
    }
}

/// Stops the run when it has come so far.
struct StopAt {
    position: u64,
    cancel: Cancel,
    stopped: Mutex<Option<u64>>,
}

impl Sink for StopAt {
    fn event(&self, event: &Event) {
        if let Event::Advanced { step: Step::Publish, done } = event
            && *done >= self.position
        {
            self.cancel.cancel();
            self.stopped.lock().expect("no test panics while holding it").get_or_insert(*done);
        }
    }
}

fn cancel_at(case: &Case<'_>, entries: &dyn Entries, position: u64) {
    let stop = StopAt { position, cancel: Cancel::default(), stopped: Mutex::default() };
    let context = Context { sink: &stop, cancel: &stop.cancel, clock: case.bench.context().clock };
    let job = Job { topic: &case.topic, chunks: case.chunks, mode: Mode::Normal, mask_key: "" };
    let fault = publish(case.target.as_ref(), &job, entries, &context).expect_err("an interruption");
    assert_eq!(fault.class(), Class::Interrupted, "{}", fault.chain());
}

/// Stopped when a chunk is committed: the next run goes on behind it.
pub fn cancelled_between_chunks(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "cancelb", two_days());
    cancel_at(&case, &case.entries("e22"), CHUNK_RECORDS);
    case.assert_log(&[case.part("e22", &[], CHUNK_RECORDS as usize)]);
    assert_outcome(&case.publish("e22"), Outcome::Resumed { position: CHUNK_RECORDS });
    case.assert_log(&[case.whole("e22", &[])]);
}

/// Stopped within a chunk: the transaction is aborted, and nothing of it is visible.
pub fn cancelled_in_the_middle_of_a_chunk(fixture: &dyn Fixture) {
    let editions = Editions::of([Edition::numbered("e22", 22, 0..6_000)]);
    let mut case = Case::new(fixture, "cancelm", editions);
    case.chunks.records = 2_500;
    cancel_at(&case, &case.entries("e22"), 3_000);
    case.assert_log(&[case.part("e22", &[], 2_500)]);
    assert_outcome(&case.publish("e22"), Outcome::Resumed { position: 2_500 });
    case.assert_log(&[case.whole("e22", &[])]);
}

/// Stopped while the target prepares a commit: the transaction is aborted, not left to time out.
pub fn cancelled_within_a_commit(fixture: &dyn Fixture) {
    for point in [Point::BeforeCommit, Point::InCommit] {
        let case = Case::new(fixture, "cancelc", two_days());
        let faulty = Faulty::once(case.target.as_ref(), Trip { point, nth: 2, effect: Effect::Stopped });
        let fault = case.run(&faulty, "e22", Mode::Normal).expect_err("an interruption");
        assert_eq!(fault.class(), Class::Interrupted, "{}", fault.chain());
        assert_eq!(faulty.aborts(), 1, "{point:?}");
        case.assert_log(&[case.part("e22", &[], CHUNK_RECORDS as usize)]);
        assert_outcome(&case.publish("e22"), Outcome::Resumed { position: CHUNK_RECORDS });
        case.assert_log(&[case.whole("e22", &[])]);
    }
}

/// A record that the target took and lost keeps its chunk from being committed: the ledger must not
/// state what is not so.
pub fn record_lost_without_a_word(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "swallowed", two_days());
    let trip = Trip { point: Point::Sent, nth: 6, effect: Effect::Swallowed };
    let faulty = Faulty::once(case.target.as_ref(), trip);
    let fault = case.run(&faulty, "e22", Mode::Normal).expect_err("a record is missing");
    assert_eq!(fault.class(), Class::Bug, "{}", fault.chain());
    assert!(fault.chain().contains("acknowledged"), "{}", fault.chain());
    case.assert_log(&[case.part("e22", &[], CHUNK_RECORDS as usize)]);
    assert_outcome(&case.publish("e22"), Outcome::Resumed { position: CHUNK_RECORDS });
    case.assert_log(&[case.whole("e22", &[])]);
}
