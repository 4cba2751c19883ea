//! What the directory target alone promises: about its files, and about files that were tampered
//! with.

use std::fs::{self, OpenOptions};
use std::io::Write;

use hivecast_publish::{Headers, Mode, Outcome, Session, Slot, Target, View};
use hivecast_run::{Class, Fault};
use hivecast_testkit::conformance::faulty::{Effect, Faulty, Point, Trip};

use crate::fixture::Topic;

fn is_conflict(fault: &Fault, words: &str) {
    assert_eq!(fault.class(), Class::Conflict, "{}", fault.chain());
    assert!(fault.chain().contains(words), "{}", fault.chain());
    assert!(fault.advice().is_some());
}

fn length(path: &std::path::Path) -> u64 {
    fs::metadata(path).expect("the file is there").len()
}

fn append(path: &std::path::Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("the file is there");
    file.write_all(text.as_bytes()).expect("written");
}

fn truncate(path: &std::path::Path, bytes: u64) {
    OpenOptions::new().write(true).open(path).expect("the file is there").set_len(bytes).expect("cut");
}

fn open(topic: &Topic) -> Box<dyn Session + '_> {
    let session = topic.target.open(&topic.spec, Slot::FIRST, &topic.bench.context());
    session.unwrap_or_else(|fault| panic!("{}", fault.chain()))
}

fn headers(topic: &Topic) -> Headers {
    let load_date = topic.editions.get("e22").load_date;
    Headers { feed: topic.spec.feed.clone(), load_date, edition: "e22".to_owned() }
}

#[test]
fn the_files_are_as_documented() {
    let topic = Topic::new();
    topic.publish("e22");
    let mut names: Vec<_> = fs::read_dir(topic.dir())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["partition-0.ndjson", "partition-1.ndjson", "topic.json"]);
    let first = fs::read_to_string(topic.partition(0)).expect("text");
    insta::assert_snapshot!(first.lines().next().expect("a line"), @r#"{"offset":0,"key":"k3","headers":{"hivecast.feed":"contracts","hivecast.load_date":"2026-11-22","hivecast.edition":"e22","hivecast.op":"upsert"},"value":{"n":3,"of":"e22"}}"#);
    let file: serde_json::Value =
        serde_json::from_slice(&fs::read(topic.dir().join("topic.json")).expect("bytes")).expect("JSON");
    assert_eq!((&file["feed"], &file["partitions"]), (&"contracts".into(), &2.into()));
    let committed: u64 = (0..2).map(|partition| length(&topic.partition(partition))).sum();
    let last = fs::read_to_string(topic.ledger()).expect("text");
    let last: serde_json::Value = serde_json::from_str(last.lines().last().expect("a line")).expect("JSON");
    let lengths = last["commit"]["lengths"].as_array().expect("lengths");
    assert_eq!(lengths.iter().filter_map(serde_json::Value::as_u64).sum::<u64>(), committed);
}

#[test]
fn what_lies_behind_the_last_commit_does_not_exist_and_is_cut_off() {
    let topic = Topic::new();
    topic.publish("e22");
    let before = topic.log();
    let whole = length(&topic.partition(0));
    append(&topic.partition(0), "{\"offset\":99,\"key\":\"stray\",\"headers\":{},\"value\":1}\n{\"off");
    append(&topic.ledger(), "{\"checksum\":\"00");
    assert_eq!(topic.log(), before);
    drop(open(&topic));
    assert_eq!(length(&topic.partition(0)), whole);
    topic.publish("e23");
    assert_eq!(topic.log().live(), topic.editions.get("e23").live());
}

#[test]
fn an_abort_gives_the_disk_its_room_back() {
    let topic = Topic::new();
    let mut session = open(&topic);
    session.begin(&headers(&topic)).expect("begun");
    session.send(0, b"k", Some(format!("\"{}\"", "x".repeat(1 << 20)).as_bytes())).expect("sent");
    assert_eq!(length(&topic.partition(0)), 0, "what is not committed is kept apart");
    session.abort().expect("aborted");
    assert_eq!(length(&topic.partition(0)), 0);
    session.begin(&headers(&topic)).expect("begun");
    session.commit(&mut |_| Ok(Vec::new())).expect("committed");
    assert_eq!(length(&topic.partition(0)), 0, "nothing of it is left");
    drop(session);
    let names = fs::read_dir(topic.root.path().join(".ledger")).expect("a directory");
    let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    assert!(!names.into_iter().any(|name| name.contains("spool")), "its file has no name");
}

#[test]
fn a_lost_ledger_is_a_conflict_and_destroys_nothing() {
    let topic = Topic::new();
    topic.publish("e22");
    let lengths = [0, 1].map(|partition| length(&topic.partition(partition)));
    fs::remove_dir_all(topic.root.path().join(".ledger")).expect("removed");
    for _ in 0..2 {
        is_conflict(
            &topic.try_publish("e22", Mode::Normal).expect_err("a refusal"),
            "the ledger knows of none",
        );
        assert_eq!([0, 1].map(|partition| length(&topic.partition(partition))), lengths);
    }
    let summary = topic.try_publish("e22", Mode::Replace).expect("replaced");
    assert_eq!(topic.log().len(), 20, "the old records stay in front of the new ones");
    assert_eq!(topic.log().live(), topic.editions.get("e22").live());
    assert!(summary.manifest.partitions.iter().all(|totals| totals.first_offset > Some(0)));
}

#[test]
fn a_damaged_ledger_stops_everything() {
    let topic = Topic::new();
    topic.publish("e22");
    let text = fs::read_to_string(topic.ledger()).expect("text");
    fs::write(topic.ledger(), text.replacen("\"e22\"", "\"e2x\"", 1)).expect("written");
    let fault = topic.try_publish("e23", Mode::Replace).expect_err("damage");
    assert_eq!(fault.class(), Class::Data, "{}", fault.chain());
    assert_eq!(
        topic.target.ledger("contracts", View::Now, &topic.bench.context()).expect_err("damage").class(),
        Class::Data
    );
}

#[test]
fn a_partition_file_that_was_cut_is_a_conflict() {
    let topic = Topic::new();
    topic.publish("e22");
    // In the middle of its last line but one.
    let text = fs::read_to_string(topic.partition(0)).expect("text");
    let lines = text.lines().count();
    let kept: usize = text.lines().take(lines - 2).map(|line| line.len() + 1).sum();
    truncate(&topic.partition(0), kept as u64 + 10);
    is_conflict(
        &topic.try_publish("e23", Mode::Normal).expect_err("a refusal"),
        "partition 0 has no records from offset",
    );
    is_conflict(&topic.try_publish("e22", Mode::Normal).expect_err("a refusal"), "lost records");
    let summary = topic.try_publish("e23", Mode::Replace).expect("replaced");
    assert_eq!(topic.log().live(), topic.editions.get("e23").live());
    // Places that the ledger knew of before the cut must not mislead readers.
    let whole = topic.log();
    for (partition, records) in whole.0.iter().enumerate() {
        for from in 0..records.len() {
            let mut found = vec![];
            topic
                .target
                .read(
                    "mdm.contracts",
                    partition as u32,
                    from as i64,
                    i64::MAX,
                    &topic.bench.context(),
                    &mut |record| {
                        found.push(record.offset);
                        Ok(())
                    },
                )
                .expect("read");
            let expected: Vec<i64> = records[from..].iter().map(|record| record.offset).collect();
            assert_eq!(found, expected, "partition {partition} from {from}");
        }
    }
    let again = hivecast_publish::verify(&topic.target, &summary.manifest, &topic.bench.context());
    assert!(again.is_ok(), "{}", again.unwrap_err().chain());
}

#[test]
fn a_partition_file_that_is_gone_is_a_conflict() {
    let topic = Topic::new();
    topic.publish("e22");
    fs::remove_file(topic.partition(1)).expect("removed");
    is_conflict(
        &topic.try_publish("e23", Mode::Replace).expect_err("a refusal"),
        "partition-1.ndjson is gone",
    );
}

#[test]
fn a_directory_that_is_no_topic_is_left_alone() {
    let topic = Topic::new();
    fs::create_dir(topic.dir()).expect("made");
    fs::write(topic.dir().join("notes.txt"), "mine").expect("written");
    for fault in [
        topic.target.preflight(&topic.spec, &topic.bench.context()).expect_err("a refusal"),
        topic.try_publish("e22", Mode::Replace).expect_err("a refusal"),
    ] {
        is_conflict(&fault, "is no topic");
    }
    assert_eq!(fs::read_dir(topic.dir()).expect("a directory").count(), 1);
}

#[test]
fn a_crash_while_a_topic_is_made_leaves_no_topic() {
    let topic = Topic::new();
    let unfinished = topic.root.path().join(".new-contracts-mdm.contracts");
    fs::create_dir(&unfinished).expect("made");
    fs::write(unfinished.join("partition-0.ndjson"), "").expect("written");
    topic.target.preflight(&topic.spec, &topic.bench.context()).expect("a topic to be");
    assert_eq!(topic.publish("e22").outcome, Outcome::Published);
    assert!(!unfinished.exists());
}

#[test]
fn a_topic_deleted_during_the_run_is_a_conflict() {
    let topic = Topic::new();
    let mut session = open(&topic);
    session.begin(&headers(&topic)).expect("begun");
    session.send(0, b"k", Some(b"1")).expect("sent");
    fs::remove_dir_all(topic.dir()).expect("removed");
    let fault = session.commit(&mut |_| Ok(Vec::new())).expect_err("a refusal");
    is_conflict(&fault, "was deleted during the run");
}

#[test]
fn a_lock_that_is_taken_away_fences_its_holder() {
    let topic = Topic::new();
    let mut first = open(&topic);
    first.begin(&headers(&topic)).expect("begun");
    first.send(0, b"stray", Some(b"1")).expect("sent");
    fs::remove_file(topic.root.path().join(".ledger/contracts.lock")).expect("removed");
    topic.publish("e22");
    let fault = first.commit(&mut |_| Ok(Vec::new())).expect_err("fenced");
    assert_eq!(fault.class(), Class::Held, "{}", fault.chain());
    assert_eq!(first.abort().expect_err("its files are another's").class(), Class::Held);
    assert_eq!(topic.log().live(), topic.editions.get("e22").live());
}

/// Programs that know nothing of sets read its ledger, and go on from it.
#[test]
fn a_feed_of_one_writer_says_nothing_of_sets() {
    let topic = Topic::new();
    topic.publish("e22");
    topic.publish("e23");
    let records = fs::read_to_string(topic.ledger()).expect("text");
    let commits = records.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let records: Vec<serde_json::Value> =
        commits.flat_map(|line| line["commit"]["records"].as_array().expect("records").clone()).collect();
    assert!(records.len() > 6, "{}", records.len());
    for record in records {
        assert_eq!((&record["format"], record.get("set")), (&1.into(), None), "{record}");
    }
}

#[test]
fn names_cannot_leave_the_directory() {
    let mut topic = Topic::new();
    topic.spec.topic = "../elsewhere".to_owned();
    let fault = topic.try_publish("e22", Mode::Normal).expect_err("a refusal");
    assert_eq!(fault.class(), Class::Usage, "{}", fault.chain());
    assert_eq!(
        topic.target.preflight(&topic.spec, &topic.bench.context()).expect_err("too").class(),
        Class::Usage
    );
    let read = topic.target.read("../elsewhere", 0, 0, 1, &topic.bench.context(), &mut |_| Ok(()));
    assert_eq!(read.expect_err("too").class(), Class::Usage);
}

#[test]
fn settings_that_differ_are_told() {
    let mut topic = Topic::new();
    topic.publish("e22");
    topic.spec.settings.insert("cleanup.policy".to_owned(), "compact".to_owned());
    topic.target.preflight(&topic.spec, &topic.bench.context()).expect("a warning alone");
    assert_eq!(
        topic.bench.notes(),
        ["topic mdm.contracts: setting cleanup.policy is none, and feed contracts says compact"]
    );
}

#[test]
fn a_killed_run_holds_nothing() {
    let topic = Topic::new();
    for nth in 1..=3 {
        let faulty = Faulty::once(&topic.target, Trip { point: Point::Sent, nth, effect: Effect::Crash });
        let entries = topic.editions.entries("e22");
        topic.publish_entries(&faulty, &entries, Mode::Normal).expect_err("a crash");
    }
    assert_eq!(topic.publish("e22").outcome, Outcome::Published);
}
