//! The broker under test, and an independent view of what is on it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hivecast_contract::LoadDate;
use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::{Headers, Session, TopicSpec};
use hivecast_run::{Cancel, Context, Silent, SystemClock};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

/// How long the broker may take for what a test asks of it directly.
const PATIENCE: Duration = Duration::from_secs(30);

/// A variable of the broker under test.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this test through dev/with-services"))
}

pub(crate) fn bootstrap() -> String {
    variable("HIVECAST_TEST_KAFKA")
}

/// A name that no other test, run or process uses.
pub(crate) fn unique(name: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("it-{name}-{}-{started}-{count}", std::process::id())
}

pub(crate) fn settings(properties: &[(&str, &str)]) -> Settings {
    let mut all = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap())]);
    all.extend(properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Settings::new(all).expect("settings that librdkafka takes")
}

/// A target with a ledger of its own.
pub(crate) fn target(properties: &[(&str, &str)]) -> KafkaTarget {
    KafkaTarget::new(settings(properties), unique("ledger")).expect("a client")
}

pub(crate) fn spec(name: &str, partitions: u32) -> TopicSpec {
    let name = unique(name);
    TopicSpec { feed: name.clone(), topic: name, partitions, settings: BTreeMap::new() }
}

static CANCEL: LazyLock<Cancel> = LazyLock::new(Cancel::default);

pub(crate) fn context() -> Context<'static> {
    Context { sink: &Silent, cancel: &CANCEL, clock: &SystemClock }
}

pub(crate) fn headers(spec: &TopicSpec) -> Headers {
    Headers {
        feed: spec.feed.clone(),
        load_date: LoadDate::new(2026, 11, 22).expect("a day"),
        edition: "00112233aabbccdd".to_owned(),
    }
}

/// Sends these documents to partition 0 in one transaction, which stays open.
pub(crate) fn send(session: &mut dyn Session, spec: &TopicSpec, keys: &[&str]) {
    session.begin(&headers(spec)).expect("begun");
    for key in keys {
        session.send(0, key.as_bytes(), Some(b"{}")).expect("sent");
    }
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", bootstrap()).create().expect("an admin client")
}

/// Waits for one of the admin client's calls.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
            return output;
        }
        assert!(Instant::now() < deadline, "the broker does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn create_topic(name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let topic = settings
        .iter()
        .fold(NewTopic::new(name, partitions, TopicReplication::Fixed(1)), |topic, (name, value)| {
            topic.set(name, value)
        });
    for result in wait(admin().create_topics([&topic], &AdminOptions::new())).expect("an answer") {
        result.expect("created");
    }
}

/// Deletes a topic and returns when it is gone.
pub(crate) fn delete_topic(name: &str) {
    let admin = admin();
    for result in wait(admin.delete_topics(&[name], &AdminOptions::new())).expect("an answer") {
        result.expect("deleted");
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = admin.inner().fetch_metadata(None, PATIENCE).expect("an answer");
        if all.topics().iter().all(|topic| topic.name() != name) {
            return;
        }
        assert!(Instant::now() < deadline, "topic {name} stays");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Changes one setting of a topic.
pub(crate) fn set_topic(name: &str, setting: &str, value: &str) {
    let change = AlterConfig::new(ResourceSpecifier::Topic(name)).set(setting, value);
    for result in wait(admin().alter_configs([&change], &AdminOptions::new())).expect("an answer") {
        result.expect("changed");
    }
}

/// Whether the broker has the topic.
pub(crate) fn topic_exists(name: &str) -> bool {
    let all = admin().inner().fetch_metadata(None, PATIENCE).expect("an answer");
    all.topics().iter().any(|topic| topic.name() == name)
}

/// Removes everything before an offset, as retention does.
pub(crate) fn delete_records(topic: &str, partition: i32, before: i64) {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, partition, Offset::Offset(before)).expect("a partition");
    wait(admin().delete_records(&offsets, &AdminOptions::new())).expect("deleted");
}

/// Any read_committed consumer.
pub(crate) fn committed_reader() -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .set("group.id", "it-dump")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer")
}

/// Offset and key of each record of a partition, as any read_committed consumer finds them.
pub(crate) fn dump(topic: &str, partition: i32) -> Vec<(i64, String)> {
    let consumer = committed_reader();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    consumer.assign(&assignment).expect("assigned");
    let mut found = Vec::new();
    loop {
        match consumer.poll(PATIENCE).expect("a record or an end") {
            Ok(message) => {
                let key = String::from_utf8(message.key().unwrap_or_default().to_vec()).expect("a text key");
                found.push((message.offset(), key));
            }
            Err(KafkaError::PartitionEOF(_)) => return found,
            Err(error) => panic!("reading topic {topic}: {error}"),
        }
    }
}
