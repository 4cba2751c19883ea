//! What cannot work is refused before anything is sent, and what is risky is told.

use std::sync::Mutex;

use hivecast_kafka::KafkaTarget;
use hivecast_publish::{Slot, Target, TopicSpec};
use hivecast_run::{Cancel, Class, Context, Event, Fault, Level, Sink, SystemClock};

use crate::support::{
    context, create_topic, headers, send, set_topic, settings, spec, target, topic_exists, unique,
};

fn refusal(target: &KafkaTarget, spec: &TopicSpec) -> Fault {
    let preflight = target.preflight(spec, &context()).expect_err("a refusal");
    let open = match target.open(spec, Slot::FIRST, &context()) {
        Ok(_) => panic!("opened"),
        Err(fault) => fault,
    };
    assert_eq!((preflight.class(), preflight.chain()), (open.class(), open.chain()));
    open
}

#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Sink for Warnings {
    fn event(&self, event: &Event) {
        if let Event::Note { level: Level::Warn, text } = event {
            self.0.lock().expect("not poisoned").push(text.clone());
        }
    }
}

#[test]
fn another_number_of_partitions_is_a_conflict_that_names_both() {
    let spec = spec("partitions", 3);
    create_topic(&spec.topic, 2, &[]);
    let fault = refusal(&target(&[]), &spec);
    assert_eq!(fault.class(), Class::Conflict);
    assert!(
        fault.chain().contains("has 2 partitions") && fault.chain().contains("wants 3"),
        "{}",
        fault.chain()
    );
}

/// One copy can't be two in sync: told at once, and not after minutes of trying.
#[test]
fn too_few_copies_for_min_insync_replicas_are_told_before_anything_is_sent() {
    let there = spec("insync", 1);
    create_topic(&there.topic, 1, &[("min.insync.replicas", "2")]);
    let mut to_be = spec("insync", 1);
    to_be.settings.insert("min.insync.replicas".to_owned(), "2".to_owned());
    for spec in [&there, &to_be] {
        let fault = refusal(&target(&[]), spec);
        assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
        let copies = "replication factor is 1, and its min.insync.replicas 2";
        assert!(fault.chain().contains(copies), "{}", fault.chain());
    }
    assert!(!topic_exists(&to_be.topic), "refused before anything was made");
    let ledger = unique("ledger");
    create_topic(&ledger, 1, &[("cleanup.policy", "compact"), ("min.insync.replicas", "2")]);
    let target = KafkaTarget::new(settings(&[]), ledger.clone()).expect("a client");
    let fault = refusal(&target, &spec("insync", 1));
    assert!(fault.class() == Class::Infrastructure && fault.chain().contains(&ledger), "{}", fault.chain());
}

#[test]
fn a_ledger_that_forgets_is_refused() {
    for policy in ["delete", "compact,delete"] {
        let ledger = unique("ledger");
        create_topic(&ledger, 1, &[("cleanup.policy", policy)]);
        let target = KafkaTarget::new(settings(&[]), ledger).expect("a client");
        let spec = spec("forgets", 1);
        let fault = refusal(&target, &spec);
        assert_eq!(fault.class(), Class::Usage, "{}", fault.chain());
        assert!(fault.chain().contains("cleanup.policy"), "{}", fault.chain());
        assert!(!topic_exists(&spec.topic), "refused before anything was made");
    }
}

#[test]
fn a_ledger_of_several_partitions_is_refused() {
    let ledger = unique("ledger");
    create_topic(&ledger, 2, &[("cleanup.policy", "compact")]);
    let fault = refusal(&KafkaTarget::new(settings(&[]), ledger).expect("a client"), &spec("wide", 1));
    assert_eq!(fault.class(), Class::Usage, "{}", fault.chain());
}

#[test]
fn a_transaction_timeout_that_the_broker_refuses_is_a_usage_mistake() {
    let fault = refusal(&target(&[("transaction.timeout.ms", "3600000")]), &spec("timeout", 1));
    assert_eq!(fault.class(), Class::Usage, "{}", fault.chain());
    assert!(fault.chain().contains("3600000") && fault.chain().contains("900000"), "{}", fault.chain());
}

#[test]
fn a_name_that_kafka_refuses_is_a_usage_mistake() {
    let mut spec = spec("name", 1);
    spec.topic = "no spaces here".to_owned();
    let target = target(&[]);
    let outcome = target.open(&spec, Slot::FIRST, &context());
    let Err(fault) = outcome else { panic!("opened") };
    assert_eq!(fault.class(), Class::Usage, "{}", fault.chain());
}

#[test]
fn settings_that_differ_and_single_copies_are_warned_of() {
    let mut spec = spec("settings", 1);
    create_topic(&spec.topic, 1, &[("cleanup.policy", "delete"), ("retention.ms", "1000000")]);
    spec.settings.insert("cleanup.policy".to_owned(), "compact".to_owned());
    spec.settings.insert("retention.ms".to_owned(), "1000000".to_owned());
    let (warnings, cancel) = (Warnings::default(), Cancel::default());
    let context = Context { sink: &warnings, cancel: &cancel, clock: &SystemClock };
    target(&[]).preflight(&spec, &context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    let told = warnings.0.into_inner().expect("not poisoned");
    let topic = &spec.topic;
    assert_eq!(
        told,
        [
            format!("topic {topic} has cleanup.policy=delete, and the feed says compact"),
            format!("topic {topic} has replication factor 1: losing one broker loses what was published"),
        ]
    );
}

/// Who makes the topic is told as well as who comes later.
#[test]
fn single_copies_are_warned_of_when_the_topic_is_made() {
    let spec = spec("weak", 1);
    let (warnings, cancel) = (Warnings::default(), Cancel::default());
    let context = Context { sink: &warnings, cancel: &cancel, clock: &SystemClock };
    drop(target(&[]).open(&spec, Slot::FIRST, &context).expect("a session"));
    let told = warnings.0.into_inner().expect("not poisoned");
    let weak = format!("topic {} has replication factor 1", spec.topic);
    assert!(told.iter().any(|warning| warning.starts_with(&weak)), "{told:?}");
}

#[test]
fn a_topic_is_created_with_its_settings_and_limits() {
    let mut spec = spec("created", 2);
    spec.settings.insert("max.message.bytes".to_owned(), "20000".to_owned());
    let target = target(&[]);
    let before = target.preflight(&spec, &context()).expect("fine").record_bytes.expect("a limit");
    assert!(!topic_exists(&spec.topic), "looking creates nothing");
    let context = context();
    drop(target.open(&spec, Slot::FIRST, &context).expect("a session"));
    let after = target.preflight(&spec, &context).expect("fine").record_bytes.expect("a limit");
    assert_eq!(before, after);
    assert!((19_000..20_000).contains(&after), "{after}");
}

#[test]
fn the_largest_record_passes_and_the_next_byte_is_refused_with_its_key() {
    let mut spec = spec("large", 1);
    spec.settings.insert("max.message.bytes".to_owned(), "50000".to_owned());
    // Without compression, so that the broker counts every byte.
    let target = target(&[("compression.type", "none")]);
    let limit = target.preflight(&spec, &context()).expect("fine").record_bytes.expect("a limit");
    let context = context();
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    let value = vec![b'x'; usize::try_from(limit).expect("small") - 3];
    session.begin(&headers(&spec)).expect("begun");
    session.send(0, b"key", Some(&value)).expect("as large as can be");
    session.commit(&mut |_| Ok(Vec::new())).unwrap_or_else(|fault| panic!("{}", fault.chain()));

    session.begin(&headers(&spec)).expect("begun");
    let long_key = "k".repeat(500);
    let fault = session.send(0, long_key.as_bytes(), Some(&value)).expect_err("too large");
    assert_eq!(fault.class(), Class::Data);
    let told = fault.chain();
    assert!(told.contains(&format!("{}…", "k".repeat(100))) && !told.contains(&"k".repeat(101)), "{told}");
    assert!(told.contains(&(value.len() + 500).to_string()) && told.contains(&limit.to_string()), "{told}");
    session.abort().expect("aborted");
    send(session.as_mut(), &spec, &["after"]);
    session.commit(&mut |_| Ok(Vec::new())).expect("the session goes on");
}

/// The limit was lowered after the session had asked for it: the broker refuses, and the key is named.
#[test]
fn a_record_that_the_broker_refuses_is_named() {
    let (spec, context) = (spec("lowered", 1), context());
    let target = target(&[("compression.type", "none")]);
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    set_topic(&spec.topic, "max.message.bytes", "2000");
    session.begin(&headers(&spec)).expect("begun");
    session.send(0, b"the-large-one", Some(&[b'x'; 5000])).expect("not refused here");
    let fault = session.commit(&mut |_| Ok(Vec::new())).expect_err("refused by the broker");
    assert_eq!(fault.class(), Class::Data, "{}", fault.chain());
    assert!(fault.chain().contains("the-large-one") && fault.chain().contains("5013"), "{}", fault.chain());
    assert!(fault.advice().is_some());
}
