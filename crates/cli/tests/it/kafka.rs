//! The same against Apache Kafka. Needs the broker that `dev/with-services` starts; without it these
//! tests fail, so that nobody takes their silence for success.

use std::os::unix::process::ExitStatusExt;
use std::process::Child;

use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::Target;
use hivecast_run::{Cancel, Context, Silent, SystemClock};
use serde_json::Value;

use crate::support::{DAYS, Ran, Record, Scratch};

/// Partitions of the example's topic.
const PARTITIONS: u32 = 6;

fn variable(name: &str) -> String {
    let name = format!("HIVECAST_TEST_{name}");
    std::env::var(&name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `dev/with-services`"))
}

/// A project whose feed and topic no other test has, and environments that reach the broker in
/// several ways.
struct OnKafka {
    scratch: Scratch,
    feed: String,
    topic: String,
}

impl OnKafka {
    fn sampled(accounts: u64, test: &str) -> Self {
        let scratch = Scratch::sampled(accounts);
        let unique = format!("{test}-{}", std::process::id());
        let feed = format!("contracts-{unique}");
        let topic = format!("{}{unique}", variable("KAFKA_GRANTED_PREFIX"));
        scratch.edit("feeds/contracts.yaml", "feed: contracts", &format!("feed: {feed}"));
        scratch.edit("feeds/contracts.yaml", "topic: mdm.contracts", &format!("topic: {topic}"));
        let mut project = scratch.read("hivecast.yaml");
        let ledger = format!("{topic}.ledger");
        let ca = variable("KAFKA_CA");
        let secure = |user: &str, password: &str, ca: &str| {
            format!(
                "bootstrap.servers: \"{}\", security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-512, \
                 sasl.username: \"{user}\", sasl.password: \"{password}\", ssl.ca.location: \"{ca}\"",
                variable("KAFKA_SECURE")
            )
        };
        let user = variable("KAFKA_USER");
        let environments = [
            ("plain", format!("bootstrap.servers: \"{}\"", variable("KAFKA"))),
            ("secure", secure(&user, "${PASSWORD}", &ca)),
            ("denied", secure(&variable("KAFKA_DENIED_USER"), "${PASSWORD}", &ca)),
            ("stranger", secure(&user, "${PASSWORD}", &variable("KAFKA_OTHER_CA"))),
            ("absent", "bootstrap.servers: \"127.0.0.1:1\", transaction.timeout.ms: 10000".to_owned()),
        ];
        for (name, properties) in environments {
            project.push_str(&format!(
                "  {name}: {{ warehouse: ./warehouse, store: ./editions-{name}, mask_key: \"${{MASK_KEY}}\", \
                 target: {{ ledger: \"{ledger}\", kafka: {{ {properties} }} }} }}\n"
            ));
        }
        project.push_str(
            "  files: { warehouse: ./warehouse, store: ./editions-files, mask_key: \"${MASK_KEY}\", target: { dir: ./topics } }\n",
        );
        scratch.write("hivecast.yaml", project);
        OnKafka { scratch, feed, topic }
    }

    fn spawn(&self, env: &str, args: &[&str], password: &str, crash_at: Option<&str>) -> Child {
        let mut command = self.scratch.command(["--quiet", "--env", env].iter().chain(args).copied());
        command.env("MASK_KEY", "for tests").env("PASSWORD", password);
        if let Some(point) = crash_at {
            command.env("HIVECAST_CRASH_AT", point);
        }
        command.spawn().unwrap()
    }

    fn hivecast(&self, env: &str, args: &[&str]) -> Ran {
        self.scratch.finish(self.spawn(env, args, &variable("KAFKA_PASSWORD"), None))
    }

    fn publish(&self, env: &str, day: &str) -> Value {
        self.hivecast(env, &["publish", "--load-date", day, "--json"]).succeeded().json()["runs"][0].clone()
    }

    /// What read_committed consumers find on the topic; nothing where there is none yet.
    fn records(&self) -> Vec<Record> {
        let properties = [("bootstrap.servers".to_owned(), variable("KAFKA"))];
        let target = KafkaTarget::new(Settings::new(properties).unwrap(), "unused").unwrap();
        let cancel = Cancel::default();
        let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
        let mut records = Vec::new();
        for partition in 0..PARTITIONS {
            let read = target.read(&self.topic, partition, 0, i64::MAX - 1, &context, &mut |record| {
                records.push(Record {
                    partition,
                    key: String::from_utf8(record.key.to_vec()).unwrap(),
                    value: record.value.map(|json| serde_json::from_slice(json).unwrap()),
                });
                Ok(())
            });
            match read {
                Err(fault) if fault.chain().contains("Unknown partition") => {}
                read => read.unwrap(),
            }
        }
        records
    }

    /// The message with what differs from run to run made equal.
    fn told(&self, said: String) -> String {
        said.replace(&self.topic, "[topic]")
            .replace(&self.feed, "[feed]")
            .replace(&variable("KAFKA_SECURE"), "[secure]")
            .replace(&variable("KAFKA"), "[kafka]")
    }
}

#[test]
fn published_over_tls_with_a_password_is_what_a_directory_gets() {
    let on = OnKafka::sampled(2000, "end-to-end");
    for day in &DAYS[..2] {
        let run = on.publish("secure", day);
        assert_eq!(run["outcome"], "published");
        assert_eq!(run["manifest"]["documents"], run["edition"]["documents"]);
        on.publish("files", day);
    }
    let expected = on.scratch.topic("topics", &on.topic);
    let tombstones = expected.iter().filter(|record| record.value.is_none()).count();
    assert!(tombstones > 0);
    assert!(on.records() == expected, "each partition holds the same records in the same order");
    let password = variable("KAFKA_PASSWORD");
    let mut verify = on.scratch.command(["--verbose", "--env", "secure", "verify"]);
    let told =
        on.scratch.finish(verify.env("MASK_KEY", "for tests").env("PASSWORD", &password).spawn().unwrap());
    let told = told.succeeded();
    assert!(told.stderr.contains("verify: started"), "{}", told.stderr);
    assert!(
        !told.stderr.contains(&password) && !told.stdout.contains(&password),
        "the log shows the password"
    );
    assert_eq!(on.publish("secure", DAYS[1])["outcome"], "already_published");
    assert_eq!(on.records().len(), expected.len());
}

#[test]
fn killed_at_the_places_that_only_kafka_has() {
    let on = OnKafka::sampled(1500, "killed");
    on.scratch.edit("feeds/contracts.yaml", "envelope:\n", "chunks: { records: 200 }\n\nenvelope:\n");
    on.publish("files", DAYS[0]);
    let expected = on.scratch.topic("topics", &on.topic);
    for point in [
        "publish.opened",
        "publish.sent:2",
        "kafka.acknowledged",
        "kafka.ledger_sent",
        "kafka.committed",
        "kafka.committed:2",
        "publish.before_manifest",
    ] {
        let mut child = on.spawn("plain", &["publish", "--load-date", DAYS[0]], "", Some(point));
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{point}: the run did not come to this point ({status})");
    }
    assert_eq!(on.publish("plain", DAYS[0])["outcome"], "resumed");
    assert!(on.records() == expected, "each record is there once, in order");
}

#[test]
fn an_absent_broker_is_infrastructure() {
    let on = OnKafka::sampled(10, "absent");
    let said = on.hivecast("absent", &["publish", "--load-date", DAYS[0]]).failed(10);
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

#[test]
fn a_wrong_password_is_denied() {
    let on = OnKafka::sampled(10, "wrong-password");
    let child = on.spawn("secure", &["publish", "--load-date", DAYS[0]], "not the password", None);
    let said = on.told(on.scratch.finish(child).failed(30));
    assert!(!said.contains("not the password"), "{said}");
}

#[test]
fn a_broker_whose_certificate_is_not_trusted_is_denied() {
    let on = OnKafka::sampled(10, "stranger");
    on.hivecast("stranger", &["publish", "--load-date", DAYS[0]]).failed(30);
}

#[test]
fn a_user_without_rights_is_denied() {
    let on = OnKafka::sampled(10, "denied");
    let password = variable("KAFKA_DENIED_PASSWORD");
    let child = on.spawn("denied", &["publish", "--load-date", DAYS[0]], &password, None);
    let said = on.scratch.finish(child).failed(30);
    assert!(said.contains(&on.topic) && !said.contains(&password), "{said}");
}

#[test]
fn a_record_that_is_too_large_is_named_by_its_key() {
    let on = OnKafka::sampled(200, "too-large");
    on.scratch.edit(
        "feeds/contracts.yaml",
        "topic_settings: { cleanup.policy: compact }",
        "topic_settings: { cleanup.policy: compact, max.message.bytes: 1500 }",
    );
    let said = on.hivecast("plain", &["publish", "--load-date", DAYS[0]]).failed(20);
    assert!(said.contains("document_size") && said.contains("too large"), "{said}");
    let preview = on.hivecast("plain", &["preview", "--limit", "200", "--json"]).succeeded().json();
    let keys =
        preview["documents"].as_array().unwrap().iter().map(|document| document["key"].as_str().unwrap());
    assert!(keys.into_iter().any(|key| said.contains(&format!("- {key}: "))), "no key is named: {said}");
    assert!(on.records().is_empty());
}

#[test]
fn the_doctor_finds_every_right_and_creates_nothing() {
    let on = OnKafka::sampled(10, "doctor");
    // How wide the columns are depends on the feed's name, which no other run has.
    let told = || {
        let table = on.told(on.hivecast("secure", &["doctor"]).succeeded().stdout);
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        table.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    let unpublished = told();
    insta::assert_snapshot!(unpublished, @r"
    ok project file environment secure, and its secrets
    ok store editions can be written to [dir]/editions-secure
    ok [feed]: feed is right: 3 tables, 8 fields
    ok [feed]: warehouse every table has 3 load_dates, from 2026-11-20 to 2026-11-22
    ok [feed]: files the newest of accounts, parties, addresses can be read on this machine
    ok [feed]: target kafka [secure] answers, and can take topic [topic]
    warning [feed]: target topic [topic] is not there yet, and the brokers' settings, which it will get, may not be read (the right DESCRIBE_CONFIGS on the cluster); until it is there, records are limited to Kafka's default of 1048588 bytes
    ok [feed]: ledger readable; nothing of this feed is published yet
    ok [feed]: rights on the topic topic [topic] is not there yet, and the first publish may create it
    ok [feed]: rights on the ledger topic [topic].ledger is not there yet, and the first publish may create it
    ok [feed]: transactions may begin transactions, tried as hivecast.[topic].ledger:[feed]:doctor
    ");
    assert_eq!(told(), unpublished, "nothing was created");
    on.publish("secure", DAYS[0]);
    insta::assert_snapshot!(told(), @r"
    ok project file environment secure, and its secrets
    ok store editions can be written to [dir]/editions-secure
    ok [feed]: feed is right: 3 tables, 8 fields
    ok [feed]: warehouse every table has 3 load_dates, from 2026-11-20 to 2026-11-22
    ok [feed]: files the newest of accounts, parties, addresses can be read on this machine
    ok [feed]: target kafka [secure] answers, and can take topic [topic]
    warning [feed]: target topic [topic].ledger has replication factor 1: losing one broker loses what was published
    warning [feed]: target topic [topic] has replication factor 1: losing one broker loses what was published
    ok [feed]: ledger readable; load_date 2026-11-20 was published last
    ok [feed]: rights on the topic may read and write topic [topic], which has replication factor 1
    ok [feed]: rights on the ledger may read and write topic [topic].ledger, which has replication factor 1
    ok [feed]: transactions may begin transactions, tried as hivecast.[topic].ledger:[feed]:doctor
    ");
}

#[test]
fn the_doctor_names_the_rights_that_are_lacking() {
    let on = OnKafka::sampled(10, "doctor-denied");
    on.publish("plain", DAYS[0]);
    let password = variable("KAFKA_DENIED_PASSWORD");
    let ran = on.scratch.finish(on.spawn("denied", &["doctor"], &password, None));
    assert_eq!(ran.code, Some(30), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("help: ask for the right DESCRIBE on topic"), "{}", ran.stdout);
    assert!(!(ran.stdout + &ran.stderr).contains(&password));
    on.hivecast("absent", &["doctor"]).failed(10);
}
