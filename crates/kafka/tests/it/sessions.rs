//! Transactions, fences, offsets and reading back.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use hivecast_contract::{
    EditionId, LEDGER_FORMAT, LedgerRecord, LoadDate, PartitionTotals, Progress, WriterId, partition_of,
};
use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::{Slot, Target, View};
use hivecast_run::{Cancel, Class, Context, Event, Fault, Silent, Sink, SystemClock};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{
    bootstrap, committed_reader, context, delete_records, delete_topic, dump, headers, send, settings, spec,
    target, unique,
};

fn progress(feed: &str, position: u64) -> LedgerRecord {
    LedgerRecord::Progress(Progress {
        format: LEDGER_FORMAT,
        feed: feed.to_owned(),
        load_date: LoadDate::new(2026, 11, 22).expect("a day"),
        edition: EditionId("00112233aabbccdd".to_owned()),
        writer: WriterId::SINGLE,
        chunks: 1,
        position,
        entries: String::new(),
        mask_key: String::new(),
        bases: Vec::new(),
        topic_id: "t".to_owned(),
        set: None,
        partitions: vec![PartitionTotals::default()],
    })
}

#[test]
fn offsets_of_each_chunk_are_those_that_a_consumer_finds() {
    const PARTITIONS: u32 = 3;
    let (spec, target, context) = (spec("offsets", PARTITIONS), target(&[]), context());
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    let mut chunks = Vec::new();
    for chunk in 0..3 {
        session.begin(&headers(&spec)).expect("begun");
        for index in 0..700 {
            let key = format!("{chunk}-{index}");
            let value = (index % 7 != 0).then_some(&b"{\"a\":1}"[..]);
            session.send(partition_of(key.as_bytes(), PARTITIONS), key.as_bytes(), value).expect("sent");
        }
        let mut stated = None;
        let committed = session
            .commit(&mut |committed| {
                stated = Some(committed.clone());
                Ok(vec![progress(&spec.feed, 700)])
            })
            .unwrap_or_else(|fault| panic!("{}", fault.chain()));
        assert_eq!(Some(&committed), stated.as_ref());
        chunks.push(committed);
    }
    let ends = session.end_offsets().expect("end offsets");
    for partition in 0..PARTITIONS {
        let found = dump(&spec.topic, partition as i32);
        for (chunk, committed) in chunks.iter().enumerate() {
            let totals = &committed.partitions[partition as usize];
            let of_chunk: Vec<_> =
                found.iter().filter(|(_, key)| key.starts_with(&format!("{chunk}-"))).collect();
            assert_eq!(totals.records(), of_chunk.len() as u64);
            assert_eq!(totals.first_offset, of_chunk.first().map(|(offset, _)| *offset));
            assert_eq!(totals.last_offset, of_chunk.last().map(|(offset, _)| *offset));
        }
        assert!(found.last().is_some_and(|(offset, _)| *offset < ends[partition as usize]));
    }
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.partitions.iter().map(|totals| totals.tombstones).sum::<u64>() == 100)
    );
}

/// The broker answers a commit a little before every partition shows it; the session waits.
#[test]
fn a_commit_is_visible_when_it_returns() {
    const PARTITIONS: u32 = 24;
    let ledger = unique("ledger");
    let target = KafkaTarget::new(settings(&[]), ledger.clone()).expect("a client");
    let (spec, context) = (spec("visible", PARTITIONS), context());
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    let consumer = committed_reader();
    let stable = |topic: &str, partition| {
        consumer.fetch_watermarks(topic, partition, Duration::from_secs(20)).expect("an answer").1
    };
    // The first question finds the leaders, and takes its time.
    let mut ledger_end = stable(&ledger, 0);
    for _ in 0..20 {
        session.begin(&headers(&spec)).expect("begun");
        for partition in 0..PARTITIONS {
            session.send(partition, b"k", Some(b"{}")).expect("sent");
        }
        let committed = session.commit(&mut |_| Ok(vec![progress(&spec.feed, 1)])).expect("committed");
        let now = stable(&ledger, 0);
        assert!(now > ledger_end, "the ledger shows it");
        ledger_end = now;
        for (partition, totals) in (0..).zip(&committed.partitions) {
            assert!(Some(stable(&spec.topic, partition)) > totals.last_offset, "partition {partition}");
        }
    }
}

#[test]
fn the_later_of_two_sessions_wins_and_the_earlier_leaves_nothing() {
    let (spec, target, context) = (spec("fence", 1), target(&[]), context());
    let mut earlier = target.open(&spec, Slot::FIRST, &context).expect("a session");
    send(earlier.as_mut(), &spec, &["early"]);
    let mut later = target.open(&spec, Slot::FIRST, &context).expect("a later session");
    let fault = earlier.commit(&mut |_| Ok(vec![progress(&spec.feed, 1)])).expect_err("fenced");
    assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
    for outcome in [earlier.begin(&headers(&spec)), earlier.send(0, b"k", None), earlier.abort()] {
        assert_eq!(outcome.expect_err("dead").class(), Class::Held);
    }
    send(later.as_mut(), &spec, &["late"]);
    later
        .commit(&mut |_| Ok(vec![progress(&spec.feed, 1)]))
        .unwrap_or_else(|fault| panic!("{}", fault.chain()));
    let keys: Vec<_> = dump(&spec.topic, 0).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys, ["late"]);
}

/// The abort fails too, as the session is fenced by then; what came first is what is told.
#[test]
fn a_failed_abort_does_not_hide_why_the_commit_failed() {
    let (spec, target, context) = (spec("abort", 1), target(&[]), context());
    let mut earlier = target.open(&spec, Slot::FIRST, &context).expect("a session");
    send(earlier.as_mut(), &spec, &["early"]);
    let fault = earlier
        .commit(&mut |_| {
            target.open(&spec, Slot::FIRST, &context).expect("a later session");
            Err(Fault::data("the true fault"))
        })
        .expect_err("no ledger records");
    assert_eq!((fault.class(), fault.to_string().as_str()), (Class::Data, "the true fault"));
    assert_eq!(earlier.begin(&headers(&spec)).expect_err("dead").class(), Class::Held);
}

#[test]
fn writers_of_one_feed_do_not_fence_each_other() {
    let (spec, target, context) = (spec("writers", 1), target(&[]), context());
    let mut one = target.open(&spec, Slot::FIRST, &context).expect("writer 1");
    let mut two = target.open(&spec, Slot::Writer(2), &context).expect("writer 2");
    send(one.as_mut(), &spec, &["one"]);
    send(two.as_mut(), &spec, &["two"]);
    one.commit(&mut |_| Ok(Vec::new())).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    two.commit(&mut |_| Ok(Vec::new())).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    assert_eq!(dump(&spec.topic, 0).len(), 2);
}

#[test]
fn a_topic_that_was_made_again_has_another_id() {
    let (spec, target, context) = (spec("again", 1), target(&[]), context());
    let id = |target: &KafkaTarget| {
        let session = target.open(&spec, Slot::FIRST, &context).expect("a session");
        session.topic_id().to_owned()
    };
    let first = id(&target);
    assert_eq!(first.len(), 22, "16 bytes in base64: {first}");
    assert_eq!(id(&target), first);
    delete_topic(&spec.topic);
    assert_ne!(id(&target), first);
}

#[test]
fn a_chunk_may_be_larger_than_the_queue() {
    // 24 MB of values through 1 MiB.
    let (spec, context) = (spec("queue", 2), context());
    let target = target(&[("queue.buffering.max.kbytes", "1024")]);
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    session.begin(&headers(&spec)).expect("begun");
    let value = vec![b'v'; 12_000];
    for index in 0..2000_u32 {
        let sent = session.send(index % 2, &index.to_be_bytes(), Some(&value));
        sent.unwrap_or_else(|fault| panic!("{}", fault.chain()));
    }
    let committed = session.commit(&mut |_| Ok(Vec::new())).expect("committed");
    let records: Vec<u64> = committed.partitions.iter().map(PartitionTotals::records).collect();
    assert_eq!(records, [1000, 1000]);
}

#[test]
fn reading_ends_at_markers_and_passes_over_what_is_gone() {
    let (spec, target, context) = (spec("reading", 1), target(&[]), context());
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    assert!(!session.topic_has_records().expect("an answer"));
    // Offsets 0 to 2 aborted, 3 its marker, 4 and 5 committed, 6 a marker, 7 aborted, 8 a marker.
    send(session.as_mut(), &spec, &["x", "y", "z"]);
    // Acknowledged, so that they are on the topic, and then refused.
    let mut refuse = |_: &_| Err(hivecast_run::Fault::data("no"));
    session.commit(&mut refuse).expect_err("refused");
    assert!(!session.topic_has_records().expect("an answer"), "aborted records do not count");
    send(session.as_mut(), &spec, &["a", "b"]);
    let committed = session.commit(&mut |_| Ok(Vec::new())).expect("committed");
    send(session.as_mut(), &spec, &["w"]);
    session.commit(&mut refuse).expect_err("refused");
    assert!(session.topic_has_records().expect("an answer"));
    let read = |from, to| {
        let mut found = Vec::new();
        let outcome = target.read(&spec.topic, 0, from, to, &context, &mut |record| {
            found.push((record.offset, String::from_utf8_lossy(record.key).into_owned()));
            assert_eq!(record.feed, Some(spec.feed.as_str()));
            assert_eq!((record.load_date, record.op), (Some("2026-11-22"), Some("upsert")));
            Ok(())
        });
        outcome.unwrap_or_else(|fault| panic!("{}", fault.chain()));
        found
    };
    let all = dump(&spec.topic, 0);
    assert_eq!(all, [(4, "a".to_owned()), (5, "b".to_owned())]);
    assert_eq!(committed.partitions[0].last_offset, Some(5));
    assert_eq!(read(0, i64::MAX), all);
    assert_eq!(read(0, 8), all, "the tail is an aborted record and markers");
    assert_eq!(read(0, 4), all[..1]);
    assert_eq!(read(5, 5), all[1..]);
    assert_eq!(read(6, 8), []);
    assert_eq!(read(100, 200), []);
    delete_records(&spec.topic, 0, 5);
    assert_eq!(read(0, i64::MAX), all[1..]);
}

#[test]
fn an_error_of_the_reader_stops_it_and_comes_back_as_it_is() {
    let (spec, target, context) = (spec("stops", 1), target(&[]), context());
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    send(session.as_mut(), &spec, &["a", "b"]);
    session.commit(&mut |_| Ok(Vec::new())).expect("committed");
    let mut seen = 0;
    let fault = target
        .read(&spec.topic, 0, 0, i64::MAX, &context, &mut |_| {
            seen += 1;
            Err(hivecast_run::Fault::data("enough"))
        })
        .expect_err("its own error");
    assert_eq!((fault.to_string(), seen), ("enough".to_owned(), 1));
}

/// A ledger record of ours that comes after another feed's open transaction is not missed: that
/// transaction is waited for.
#[test]
fn another_feeds_open_transaction_does_not_hide_our_last_word() {
    let ledger = unique("ledger");
    let target = KafkaTarget::new(settings(&[]), ledger.clone()).expect("a client");
    let (spec, context) = (spec("hidden", 1), context());
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    let other = open_in_ledger(&ledger);
    send(session.as_mut(), &spec, &["a"]);
    session.commit(&mut |_| Ok(vec![progress(&spec.feed, 1)])).expect("committed");
    drop(session);
    assert!(
        target.ledger(&spec.feed, View::Now, &context).expect("read").progress.is_empty(),
        "still hidden from readers"
    );

    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(1));
            other.commit_transaction(Duration::from_secs(20)).expect("committed");
        });
        let session = target.open(&spec, Slot::FIRST, &context).expect("a session");
        assert_eq!(session.ledger().progress[&1].position, 1);
    });
}

/// A producer of another feed with a record in the ledger, its transaction open.
fn open_in_ledger(ledger: &str) -> BaseProducer {
    let other: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .set("transactional.id", unique("other"))
        .create()
        .expect("a producer");
    other.init_transactions(Duration::from_secs(20)).expect("initialised");
    other.begin_transaction().expect("begun");
    other.send(BaseRecord::<str, str>::to(ledger).key("progress:other:1/1").payload("{}")).expect("queued");
    other.flush(Duration::from_secs(20)).expect("sent");
    other
}

/// Where nothing of ours comes after it, it is none of our business: no feed waits for another.
#[test]
fn another_feeds_open_transaction_with_nothing_of_ours_behind_is_not_waited_for() {
    let ledger = unique("ledger");
    let target = KafkaTarget::new(settings(&[]), ledger.clone()).expect("a client");
    let (spec, context) = (spec("unhidden", 1), context());
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    send(session.as_mut(), &spec, &["a"]);
    session.commit(&mut |_| Ok(vec![progress(&spec.feed, 1)])).expect("committed");
    drop(session);
    let _other = open_in_ledger(&ledger);
    let start = Instant::now();
    let session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    let settled = target.ledger(&spec.feed, View::Settled, &context).expect("read");
    assert_eq!(session.ledger(), &settled);
    assert_eq!(settled.progress[&1].position, 1);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// Where our last word comes after it, it is waited for a bounded time, and told whose it is.
#[test]
fn a_transaction_that_hides_our_last_word_for_too_long_is_infrastructure() {
    let ledger = unique("ledger");
    let target = KafkaTarget::new(settings(&[("transaction.timeout.ms", "1000")]), ledger.clone());
    let (target, spec) = (target.expect("a client"), spec("hiding", 1));
    let (told, cancel) = (Told::default(), Cancel::default());
    let context = Context { sink: &told, cancel: &cancel, clock: &SystemClock };
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    let _other = open_in_ledger(&ledger);
    send(session.as_mut(), &spec, &["a"]);
    session.commit(&mut |_| Ok(vec![progress(&spec.feed, 1)])).expect("committed");
    drop(session);
    let fault = target.ledger(&spec.feed, View::Settled, &context).expect_err("hidden");
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    let whose = "the transaction of \"progress:other:1/1\"";
    assert!(fault.chain().contains(whose) && fault.chain().contains("16 s"), "{}", fault.chain());
    let notes = told.0.lock().expect("not poisoned").clone();
    assert!(notes.iter().any(|note| note.starts_with("waiting") && note.contains(whose)), "{notes:?}");
    // Whoever does not want to wait is told what can be seen, and Ctrl-C ends the wait.
    assert!(target.ledger(&spec.feed, View::Now, &context).expect("read").progress.is_empty());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            cancel.cancel();
        });
        let start = Instant::now();
        let fault = target.ledger(&spec.feed, View::Settled, &context).expect_err("interrupted");
        assert_eq!(fault.class(), Class::Interrupted, "{}", fault.chain());
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    });
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Sink for Told {
    fn event(&self, event: &Event) {
        if let Event::Note { text, .. } = event {
            self.0.lock().expect("not poisoned").push(text.clone());
        }
    }
}

/// A broker that is away is asked for some 12 s; Ctrl-C does not wait for that.
#[test]
fn an_absent_broker_does_not_hold_up_who_interrupts() {
    let properties = [("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())];
    let settings = Settings::new(properties).expect("settings");
    let target = KafkaTarget::new(settings, unique("ledger")).expect("a client");
    let (spec, cancel) = (spec("away", 1), Cancel::default());
    let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            cancel.cancel();
        });
        let start = Instant::now();
        let fault = target.preflight(&spec, &context).expect_err("interrupted");
        assert_eq!(fault.class(), Class::Interrupted, "{}", fault.chain());
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    });
    for interrupted in [
        target.ledger(&spec.feed, View::Now, &context).map(drop),
        target.read(&spec.topic, 0, 0, 9, &context, &mut |_| Ok(())),
    ] {
        assert_eq!(interrupted.expect_err("interrupted").class(), Class::Interrupted);
    }
}

/// Somebody's open transaction in the topic stops committed readers before our records; that does not
/// make the topic shorter than the ledger says.
#[test]
fn a_strangers_open_transaction_in_the_topic_does_not_look_like_lost_records() {
    let (spec, target, context) = (spec("stranger", 1), target(&[]), context());
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    let _stranger = open_in_ledger(&spec.topic);
    send(session.as_mut(), &spec, &["a", "b"]);
    let committed = session.commit(&mut |_| Ok(Vec::new())).expect("committed");
    let ends = session.end_offsets().expect("end offsets");
    assert!(Some(ends[0]) > committed.partitions[0].last_offset, "{ends:?} {committed:?}");
}

#[test]
fn two_ledgers_of_one_feed_do_not_fence_each_other() {
    let (spec, context) = (spec("ledgers", 1), context());
    let (first, second) = (target(&[]), target(&[]));
    let mut one = first.open(&spec, Slot::FIRST, &context).expect("a session");
    send(one.as_mut(), &spec, &["one"]);
    let mut two = second.open(&spec, Slot::FIRST, &context).expect("another ledger's session");
    send(two.as_mut(), &spec, &["two"]);
    for session in [&mut one, &mut two] {
        session.commit(&mut |_| Ok(Vec::new())).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    }
    assert_eq!(dump(&spec.topic, 0).len(), 2);
}

#[test]
fn the_ledger_keeps_the_last_word_of_each_feed_alone() {
    let ledger = unique("ledger");
    let target = KafkaTarget::new(settings(&[]), ledger).expect("a client");
    let context = context();
    for (name, positions) in [("first", [1, 2]), ("second", [7, 9])] {
        let spec = spec(name, 1);
        for position in positions {
            let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
            send(session.as_mut(), &spec, &["a"]);
            session.commit(&mut |_| Ok(vec![progress(&spec.feed, position)])).expect("committed");
            drop(session);
            let read = target.ledger(&spec.feed, View::Now, &context).expect("read");
            assert_eq!(read.progress.len(), 1);
            assert_eq!(read.progress[&1].position, position);
        }
    }
}

/// The broker ends a transaction that is open for too long by fencing its producer; that must not
/// look as if another run had taken over.
#[test]
fn a_transaction_that_took_too_long_is_not_another_run() {
    let (spec, context) = (spec("slow", 1), context());
    let target = target(&[("transaction.timeout.ms", "1000")]);
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    send(session.as_mut(), &spec, &["a"]);
    // Delivered, so that the broker knows of the transaction; it looks for old ones every 10 s.
    std::thread::sleep(Duration::from_secs(15));
    let fault = session.commit(&mut |_| Ok(vec![progress(&spec.feed, 1)])).expect_err("ended by the broker");
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    assert!(dump(&spec.topic, 0).is_empty());
}

#[test]
fn a_cancelled_run_stops_before_the_commit() {
    let (spec, target, cancel) = (spec("cancelled", 1), target(&[]), Cancel::default());
    let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    send(session.as_mut(), &spec, &["a"]);
    let fault = session
        .commit(&mut |_| {
            cancel.cancel();
            Ok(vec![progress(&spec.feed, 1)])
        })
        .expect_err("cancelled");
    assert_eq!(fault.class(), Class::Interrupted, "{}", fault.chain());
    assert!(dump(&spec.topic, 0).is_empty());
    assert!(
        target.ledger(&spec.feed, View::Now, &crate::support::context()).expect("read").progress.is_empty()
    );
}
