//! Who we are, who the broker is, and whether it is there at all.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::{Slot, Target, TopicSpec, View};
use hivecast_run::{Class, Fault};

use crate::support::{context, create_topic, dump, send, unique, variable};

/// What is wrong must be known by then.
const BOUND: Duration = Duration::from_secs(15);

/// The secure listener, as the user that may publish, with some properties set otherwise.
fn secure(changes: &[(&str, &str)], ledger: &str) -> KafkaTarget {
    let mut properties = BTreeMap::from([
        ("bootstrap.servers".to_owned(), variable("HIVECAST_TEST_KAFKA_SECURE")),
        ("security.protocol".to_owned(), "SASL_SSL".to_owned()),
        ("sasl.mechanism".to_owned(), "SCRAM-SHA-512".to_owned()),
        ("ssl.ca.location".to_owned(), variable("HIVECAST_TEST_KAFKA_CA")),
        ("sasl.username".to_owned(), variable("HIVECAST_TEST_KAFKA_USER")),
        ("sasl.password".to_owned(), variable("HIVECAST_TEST_KAFKA_PASSWORD")),
    ]);
    properties.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    KafkaTarget::new(Settings::new(properties).expect("settings"), ledger).expect("a client")
}

fn granted(name: &str) -> String {
    variable("HIVECAST_TEST_KAFKA_GRANTED_PREFIX") + &unique(name)
}

fn spec(topic: &str) -> TopicSpec {
    TopicSpec { feed: topic.to_owned(), topic: topic.to_owned(), partitions: 1, settings: BTreeMap::new() }
}

/// The refusal of `open`, which must come in time, with advice and without the secret.
fn refusal(target: &KafkaTarget, spec: &TopicSpec, secret: &str) -> Fault {
    let start = Instant::now();
    let fault = match target.open(spec, Slot::FIRST, &context()) {
        Ok(_) => panic!("opened"),
        Err(fault) => fault,
    };
    assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
    assert!(fault.advice().is_some(), "{}", fault.chain());
    let told = format!("{} {fault:?} {target:?}", fault.chain());
    assert!(secret.is_empty() || !told.contains(secret), "{told}");
    fault
}

#[test]
fn rights_to_publish_are_enough() {
    let (topic, ledger) = (granted("topic"), granted("ledger"));
    let (spec, target) = (spec(&topic), secure(&[], &ledger));
    let limits = target.preflight(&spec, &context()).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    assert!(limits.record_bytes.is_some_and(|bytes| bytes > 900_000), "{limits:?}");
    let context = context();
    let mut session =
        target.open(&spec, Slot::FIRST, &context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    send(session.as_mut(), &spec, &["a", "b"]);
    session.commit(&mut |_| Ok(Vec::new())).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    let mut keys = Vec::new();
    target
        .read(&topic, 0, 0, i64::MAX, &context, &mut |record| {
            keys.push(record.key.to_vec());
            Ok(())
        })
        .unwrap_or_else(|fault| panic!("{}", fault.chain()));
    assert_eq!(keys, [b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(dump(&topic, 0).len(), 2);
    target.ledger(&spec.feed, View::Settled, &context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
}

#[test]
fn a_wrong_password_is_denied() {
    let secret = "wrong-but-secret";
    let target = secure(&[("sasl.password", secret)], &granted("ledger"));
    let fault = refusal(&target, &spec(&granted("topic")), secret);
    assert_eq!(fault.class(), Class::Denied, "{}", fault.chain());
    assert!(fault.chain().contains("uthentication"), "{}", fault.chain());
}

#[test]
fn an_unknown_certificate_authority_is_denied() {
    let other = variable("HIVECAST_TEST_KAFKA_OTHER_CA");
    let target = secure(&[("ssl.ca.location", &other)], &granted("ledger"));
    let fault = refusal(&target, &spec(&granted("topic")), "");
    assert_eq!(fault.class(), Class::Denied, "{}", fault.chain());
    assert!(fault.chain().contains("certificate verify failed"), "{}", fault.chain());
}

#[test]
fn a_user_without_rights_is_denied_and_told_which() {
    let user = variable("HIVECAST_TEST_KAFKA_DENIED_USER");
    let password = variable("HIVECAST_TEST_KAFKA_DENIED_PASSWORD");
    let target = secure(&[("sasl.username", &user), ("sasl.password", &password)], &granted("ledger"));
    let topic = granted("topic");
    create_topic(&topic, 1, &[]);
    let fault = refusal(&target, &spec(&topic), &password);
    assert_eq!(fault.class(), Class::Denied, "{}", fault.chain());
    let advice = fault.advice().unwrap_or_default();
    assert!(advice.contains(&topic) && advice.contains("DESCRIBE"), "{advice}");
}

#[test]
fn a_topic_without_rights_is_denied_and_named() {
    let target = secure(&[], &granted("ledger"));
    let topic = unique("notgranted");
    let fault = refusal(&target, &spec(&topic), "");
    assert_eq!(fault.class(), Class::Denied, "{}", fault.chain());
    assert!(fault.advice().unwrap_or_default().contains(&topic), "{:?}", fault.advice());
}

#[test]
fn an_absent_broker_is_infrastructure_within_bounds() {
    // Bound and closed again: nobody listens there.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let properties = [("bootstrap.servers".to_owned(), format!("127.0.0.1:{port}"))];
    let target = KafkaTarget::new(Settings::new(properties).expect("settings"), "ledger").expect("a client");
    let fault = refusal(&target, &spec("topic"), "");
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    let told = fault.chain();
    assert!(told.contains(&format!("127.0.0.1:{port}")) && told.contains("refused"), "{told}");
}

#[test]
fn a_missing_certificate_file_is_a_usage_mistake() {
    let properties = [
        ("bootstrap.servers", "127.0.0.1:9"),
        ("security.protocol", "SSL"),
        ("ssl.ca.location", "/nonexistent/ca.pem"),
    ];
    let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let outcome = Settings::new(properties).and_then(|settings| KafkaTarget::new(settings, "ledger"));
    let fault = outcome.expect_err("no such file");
    assert_eq!(fault.class(), Class::Usage);
    assert!(
        fault.chain().contains("ca.pem") || fault.chain().contains("ssl.ca.location"),
        "{}",
        fault.chain()
    );
}

/// What the probes of a target say, by what was tried.
fn probed(target: &KafkaTarget, spec: &TopicSpec) -> Vec<(String, Result<String, Fault>)> {
    target.probe(spec, &context()).into_iter().map(|probe| (probe.what, probe.outcome)).collect()
}

#[test]
fn probes_find_rights_that_are_there_and_create_nothing() {
    let (topic, ledger) = (granted("topic"), granted("ledger"));
    let (spec, target) = (spec(&topic), secure(&[], &ledger));
    for _ in 0..2 {
        for (what, outcome) in probed(&target, &spec) {
            let found = outcome.unwrap_or_else(|fault| panic!("{what}: {}", fault.chain()));
            assert!(what == "transactions" || found.contains("not there yet"), "{what}: {found}");
        }
    }
    let context = context();
    let mut session = target.open(&spec, Slot::FIRST, &context).expect("a session");
    send(session.as_mut(), &spec, &["a"]);
    let found = probed(&target, &spec);
    assert!(
        found.iter().any(|(_, outcome)| matches!(outcome, Ok(text) if text.contains("may read and write")))
    );
    // A run that is under way is not fenced by looking.
    session.commit(&mut |_| Ok(Vec::new())).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    assert_eq!(dump(&topic, 0).len(), 1);
}

#[test]
fn probes_name_what_may_not_be_created() {
    let topic = unique("notgranted");
    let target = secure(&[], &unique("notgranted-ledger"));
    let faults: Vec<Fault> =
        probed(&target, &spec(&topic)).into_iter().filter_map(|(_, outcome)| outcome.err()).collect();
    assert_eq!(faults.len(), 2, "topic and ledger; transactions are granted");
    for fault in faults {
        assert_eq!(fault.class(), Class::Denied, "{}", fault.chain());
    }
}
