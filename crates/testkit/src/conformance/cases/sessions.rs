//! What one session promises, and two at once.

use hivecast_contract::LedgerRecord;
use hivecast_publish::{Headers, Mode, Outcome, Session, Slot, Target, View};
use hivecast_run::{Class, Fault, Result};

use super::{Case, assert_outcome, two_days};
use crate::conformance::Fixture;

fn headers(case: &Case<'_>, edition: &str) -> Headers {
    Headers {
        feed: case.topic.feed.clone(),
        load_date: case.editions.get(edition).load_date,
        edition: edition.to_owned(),
    }
}

fn send_one(session: &mut dyn Session, headers: &Headers, partition: u32) -> Result<()> {
    session.begin(headers)?;
    session.send(partition, b"stray", Some(b"{}"))
}

/// Two sessions of one feed: either the second is refused as held, or the first is fenced and fails
/// so at its next step. The loser's records never show.
pub fn two_sessions_at_once(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "two", two_days());
    let (first_client, second_client) = (fixture.client(), fixture.client());
    let context = case.bench.context();
    let open = |client: &'_ dyn Target| client.open(&case.topic, Slot::FIRST, &context).map(drop);
    let mut first = first_client.open(&case.topic, Slot::FIRST, &context).expect("the first session opens");
    send_one(first.as_mut(), &headers(&case, "e22"), 0).expect("the first session sends");
    let first_lives = match open(second_client.as_ref()) {
        Err(fault) => {
            assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
            true
        }
        Ok(()) => {
            let mut none = |_: &_| Ok(Vec::new());
            let fault = first.commit(&mut none).expect_err("the first session is fenced");
            assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
            let fault = first.begin(&headers(&case, "e22")).expect_err("and stays so");
            assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
            false
        }
    };
    assert!(case.log().is_empty(), "nothing is committed");
    if first_lives {
        first.abort().expect("the winner is unharmed");
    }
    drop(first);
    case.publish("e22");
    case.assert_log(&[case.whole("e22", &[])]);
}

/// A run while another one's session is in the middle of the same edition: one of the two fails with
/// exit 40, the other finishes, and the topic holds everything once.
pub fn two_runs_at_once(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "runs", two_days());
    let clients = [fixture.client(), fixture.client()];
    let results: Vec<_> = std::thread::scope(|scope| {
        let runs =
            clients.each_ref().map(|client| scope.spawn(|| case.run(client.as_ref(), "e22", Mode::Normal)));
        runs.into_iter().map(|run| run.join().expect("no run panics")).collect()
    });
    let mut finished = 0;
    for result in results {
        match result {
            Ok(summary) => {
                case.assert_manifest(&summary.manifest);
                finished += 1;
            }
            Err(fault) => assert_eq!(fault.class(), Class::Held, "{}", fault.chain()),
        }
    }
    assert!(finished >= 1, "one run wins");
    case.assert_log(&[case.whole("e22", &[])]);
}

/// Records of an open transaction are not visible, nor are those of a session that died.
pub fn open_transaction_is_invisible(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "open", two_days());
    let client = fixture.client();
    let context = case.bench.context();
    let mut session = client.open(&case.topic, Slot::FIRST, &context).expect("a session");
    assert_eq!(session.topic_has_records().map_err(|fault| fault.chain()), Ok(false));
    send_one(session.as_mut(), &headers(&case, "e22"), 1).expect("sent");
    assert!(case.log().is_empty());
    drop(session);
    assert!(case.log().is_empty());
    // A first run that died leaves a topic that counts as empty.
    case.publish("e22");
    case.assert_log(&[case.whole("e22", &[])]);
}

/// After an abort nothing is visible, and the same session can go on.
pub fn aborted_transaction_is_invisible(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "abort", two_days());
    let client = fixture.client();
    let context = case.bench.context();
    let mut session = client.open(&case.topic, Slot::FIRST, &context).expect("a session");
    send_one(session.as_mut(), &headers(&case, "e22"), 1).expect("sent");
    session.abort().expect("aborted");
    session.begin(&headers(&case, "e22")).expect("begun again");
    session.send(0, b"kept", Some(b"{}")).expect("sent");
    let committed = session.commit(&mut |_| Ok(Vec::new())).expect("committed");
    assert_eq!(committed.partitions.len(), case.topic.partitions as usize);
    assert_eq!(committed.partitions.iter().map(|totals| totals.records()).sum::<u64>(), 1);
    drop(session);
    let log = case.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log.0[0][0].key, "kept");
    assert_eq!(committed.partitions[0].last_offset, Some(log.0[0][0].offset));
}

/// Where the caller refuses to state the ledger's record, nothing is committed.
pub fn refused_ledger_record_commits_nothing(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "refused", two_days());
    let client = fixture.client();
    let context = case.bench.context();
    let mut session = client.open(&case.topic, Slot::FIRST, &context).expect("a session");
    send_one(session.as_mut(), &headers(&case, "e22"), 2).expect("sent");
    let mut refuse = |_: &_| -> Result<Vec<LedgerRecord>> { Err(Fault::bug("no")) };
    let fault = session.commit(&mut refuse).expect_err("refused");
    assert_eq!((fault.class(), fault.to_string()), (Class::Bug, "no".to_owned()));
    session.abort().expect("aborted");
    assert!(case.log().is_empty());
}

/// The ledger can be read without a session, while one is open, and before there is anything.
pub fn ledger_without_a_session(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "ledger", two_days());
    let reader = fixture.client();
    let ledger = |client: &dyn Target| {
        let read = |view| client.ledger(&case.topic.feed, view, &case.bench.context());
        let now = read(View::Now).expect("the ledger can be read");
        assert_eq!(read(View::Settled).expect("nothing hides it"), now);
        now
    };
    assert_eq!(ledger(reader.as_ref()), Default::default());
    let summary = case.publish("e22");
    let context = case.bench.context();
    let session = case.target.open(&case.topic, Slot::FIRST, &context).expect("a session");
    let read = ledger(reader.as_ref());
    assert_eq!(&read, session.ledger());
    assert_eq!(read.latest(), Some(&summary.manifest));
    assert_eq!(session.topic_id(), summary.manifest.topic_id);
    let log = case.log();
    for (end, found) in session.end_offsets().expect("end offsets").iter().zip(&log.0) {
        assert!(found.last().is_none_or(|last| last.offset < *end), "the end lies behind the last record");
    }
}

/// Looking at a topic that is not there yet creates nothing.
pub fn preflight_of_a_topic_to_be(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "preflight", two_days());
    for _ in 0..2 {
        case.target.preflight(&case.topic, &case.bench.context()).expect("a topic to be is fine");
    }
    assert_outcome(&case.publish("e22"), Outcome::Published);
    case.target.preflight(&case.topic, &case.bench.context()).expect("and so is the topic that is");
}
