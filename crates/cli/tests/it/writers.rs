//! Several writers as processes, each on a machine of its own: they share the warehouse, the store of editions
//! and the target, and nothing else. They are killed at places that a seed picks, and one of them never comes
//! back: another machine takes its place.
//!
//! The oracle: what one writer sends that nobody disturbs.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;

use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::Target;
use hivecast_run::{Cancel, Context, Silent, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::changing::wait_until_stopped;
use crate::support::{DAYS, Ran, Record, Scratch};

/// Enough that each of four writers has several chunks on the second day.
const ACCOUNTS: u64 = 2200;
const WRITERS: u64 = 4;
const PARTITIONS: u32 = 6;

/// Rounds until every writer must have ended well. They are killed in the first ones.
const ROUNDS: usize = 12;

/// Where writer 1 is killed before anybody else can begin.
const BEFORE_IT_IS_OPEN: [&str; 4] =
    ["gates.passed", "publish.opened", "publish.announced", "publish.fenced"];
/// Where every writer comes to, wherever it sends to.
const IN_A_PART: [&str; 7] = [
    "gates.passed",
    "publish.opened",
    "publish.began:2",
    "publish.sent:3",
    "publish.before_commit:2",
    "publish.after_commit",
    "publish.after_commit:3",
];
/// Where whoever finishes last comes to.
const AT_THE_END: [&str; 5] = [
    "publish.part_done",
    "publish.all_done",
    "publish.finishing",
    "publish.before_last_word",
    "publish.after_last_word",
];
const IN_A_DIRECTORY: [&str; 3] = ["dir.data_synced:2", "dir.ledger_written", "dir.ledger_written:4"];
const ON_KAFKA: [&str; 3] = ["kafka.acknowledged:2", "kafka.ledger_sent:3", "kafka.committed:2"];

/// The seed of the places; `HIVECAST_TORTURE_SEED` sets another.
const SEED: u64 = 20_261_122;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("HIVECAST_TORTURE_SEED").ok();
        Random(seed.map_or(SEED, |text| text.parse().expect("HIVECAST_TORTURE_SEED is a number")))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// A sample, and machines that have a project file each: `one` publishes alone, `many` with others.
struct Machines {
    scratch: Scratch,
    feed: String,
    topic: String,
}

impl Machines {
    /// `target` is where the environment `many` sends; feed and topic are named apart where the target is
    /// shared with other tests.
    fn new(feed: &str, topic: &str, target: impl Fn(&Scratch) -> String) -> Self {
        let scratch = Scratch::sampled(ACCOUNTS);
        scratch.edit("feeds/contracts.yaml", "envelope:\n", "chunks: { records: 100 }\n\nenvelope:\n");
        scratch.edit("feeds/contracts.yaml", "feed: contracts", &format!("feed: {feed}"));
        scratch.edit("feeds/contracts.yaml", "topic: mdm.contracts", &format!("topic: {topic}"));
        let root = scratch.path().display().to_string();
        let target = target(&scratch);
        for machine in 0..=WRITERS + 1 {
            let environment = |name: &str, target: &str| {
                format!(
                    "  {name}: {{ warehouse: {root}/warehouse, store: \"file://{root}/store-{name}\", target: {target}, \
                     mask_key: \"${{MASK_KEY}}\" }}\n"
                )
            };
            scratch.write(
                &format!("machine-{machine}/hivecast.yaml"),
                format!(
                    "feeds: {root}/feeds/\nenvironments:\n{}{}",
                    environment("one", &format!("{{ dir: {root}/topics-one }}")),
                    environment("many", &target)
                ),
            );
        }
        Machines { scratch, feed: feed.to_owned(), topic: topic.to_owned() }
    }

    fn in_a_directory() -> Self {
        Machines::new("contracts", "mdm.contracts", |scratch| {
            format!("{{ dir: {}/topics-many }}", scratch.path().display())
        })
    }

    fn spawn(&self, machine: u64, args: &[&str], crash_at: Option<&str>) -> Child {
        let project = format!("machine-{machine}/hivecast.yaml");
        let args = ["--quiet", "--project", &project].into_iter().chain(args.iter().copied());
        let mut command = self.scratch.command(args);
        command.env("MASK_KEY", "for tests");
        if let Some(point) = crash_at {
            command.env("HIVECAST_CRASH_AT", point);
        }
        command.spawn().unwrap()
    }

    fn writer(&self, machine: u64, writer: &str, day: &str, more: &[&str], crash_at: Option<&str>) -> Child {
        let args = ["--env", "many", "publish", "--load-date", day, "--json", "--writer", writer];
        self.spawn(machine, &[&args, more].concat(), crash_at)
    }

    fn run(&self, machine: u64, writer: &str, day: &str, more: &[&str]) -> Ran {
        self.scratch.finish(self.writer(machine, writer, day, more, None))
    }

    #[track_caller]
    fn killed(&self, machine: u64, writer: &str, day: &str, point: &str) {
        let status = self.writer(machine, writer, day, &[], Some(point)).wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{writer} did not come to {point} ({status})");
    }

    /// A writer that stands still at a point.
    fn stopped(&self, machine: u64, writer: &str, day: &str, point: &str) -> Child {
        let project = format!("machine-{machine}/hivecast.yaml");
        let args = ["--quiet", "--project", &project, "--env", "many", "publish"];
        let args = args.into_iter().chain(["--load-date", day, "--json", "--writer", writer]);
        let mut command = self.scratch.command(args);
        let child = command.env("MASK_KEY", "for tests").env("HIVECAST_STOP_AT", point).spawn().unwrap();
        wait_until_stopped(&child, point);
        child
    }

    /// One writer, undisturbed: the manifest.
    fn alone(&self, day: &str) -> Value {
        let args = ["--env", "one", "publish", "--load-date", day, "--json"];
        self.scratch.finish(self.spawn(0, &args, None)).succeeded().json()["runs"][0]["manifest"].clone()
    }

    /// Every writer at once, without harm; the manifest.
    fn together(&self, day: &str) -> Value {
        let writers: Vec<Child> = (1..=WRITERS)
            .rev()
            .map(|index| self.writer(index, &format!("{index}/{WRITERS}"), day, &[], None))
            .collect();
        let ran: Vec<Value> = writers
            .into_iter()
            .map(|writer| self.scratch.finish(writer).succeeded().json()["runs"][0].clone())
            .collect();
        for run in &ran {
            let is_whole = run["manifest"].is_object();
            assert_eq!(run["outcome"], if is_whole { "published" } else { "part_published" });
            assert_eq!(run["verify"].is_object(), is_whole, "who finishes verifies");
            let to_come = run["publish"]["part"]["to_come"].as_array().unwrap();
            assert_eq!(to_come.is_empty(), is_whole);
        }
        whole(&ran)
    }

    /// Every writer at once, killed again and again, until each has ended well; the manifest.
    fn together_though_killed(&self, day: &str, more: &[&str]) -> Value {
        let mut random = Random::new();
        let in_a_part = [IN_A_PART.as_slice(), more].concat();
        let mut killed = BTreeMap::new();
        let mut ended = BTreeMap::new();
        for round in 0..ROUNDS {
            let writers: Vec<(u64, Child)> = (1..=WRITERS)
                .filter(|index| !ended.contains_key(index))
                .map(|index| {
                    // The third machine is killed once and never seen again.
                    let machine = if index == 3 && killed.contains_key(&3) { WRITERS + 1 } else { index };
                    let points = match (round, index) {
                        (0, 1) => BEFORE_IT_IS_OPEN.as_slice(),
                        (0, _) | (6.., _) => &[],
                        (1 | 2, _) => in_a_part.as_slice(),
                        _ => AT_THE_END.as_slice(),
                    };
                    let point = (!points.is_empty()).then(|| points[random.below(points.len())]);
                    let wait = if round == 0 { "1s" } else { "60s" };
                    (
                        index,
                        self.writer(
                            machine,
                            &format!("{index}/{WRITERS}"),
                            day,
                            &["--writer-wait", wait],
                            point,
                        ),
                    )
                })
                .collect();
            for (index, child) in writers {
                let ran = self.scratch.finish(child);
                match ran.code {
                    Some(0) => drop(ended.insert(index, ran.json()["runs"][0].clone())),
                    None => *killed.entry(index).or_insert(0) += 1,
                    // Writer 1 was killed before it opened the set, or another one's slot is not free yet.
                    Some(10 | 40) => {}
                    code => panic!("writer {index} in round {round}: {code:?} {}{}", ran.stdout, ran.stderr),
                }
            }
            if ended.len() as u64 == WRITERS {
                break;
            }
        }
        assert_eq!(ended.len() as u64, WRITERS, "every writer ends well: {ended:?}");
        assert_eq!(killed.len() as u64, WRITERS, "every writer is killed: {killed:?}");
        // Who was killed between the last part and the manifest ended well all the same, or someone did for it.
        let mut runs: Vec<Value> = ended.into_values().collect();
        for index in 1..=WRITERS {
            let again = self.run(index, &format!("{index}/{WRITERS}"), day, &[]).succeeded().json();
            runs.push(again["runs"][0].clone());
            assert_eq!(again["runs"][0]["publish"]["documents"], 0, "nothing is left to send");
        }
        whole(&runs)
    }
}

/// The manifest that some of these runs saw.
fn whole(runs: &[Value]) -> Value {
    let manifest = runs.iter().map(|run| &run["manifest"]).find(|manifest| manifest.is_object());
    manifest.expect("someone saw the manifest").clone()
}

/// What a manifest says that does not depend on who sent what when.
fn sums(manifest: &Value) -> Vec<Value> {
    let partitions = manifest["partitions"].as_array().unwrap().iter();
    let sum = |part: &Value| {
        ["documents", "tombstones", "bytes", "checksum"].map(|name| part[name].clone()).to_vec().into()
    };
    partitions.map(sum).chain([manifest["documents"].clone(), manifest["tombstones"].clone()]).collect()
}

/// By partition and key; of the two records that a key may have the older one first.
fn in_order(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by(|a, b| (a.partition, &a.key).cmp(&(b.partition, &b.key)));
    records
}

/// How many manifests of a day a directory's ledger has ever had.
fn manifests_in_files(machines: &Machines, day: &str) -> usize {
    let ledger = machines.scratch.read(&format!("topics-many/.ledger/{}.ndjson", machines.feed));
    let lines = ledger.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let records = lines.flat_map(|line| line["commit"]["records"].as_array().unwrap().clone());
    records.filter(|record| record["record"] == "manifest" && record["load_date"] == day).count()
}

#[test]
fn four_writers_in_a_directory_send_what_one_does_though_they_are_killed() {
    let machines = Machines::in_a_directory();
    let expected = [0, 1].map(|day| machines.alone(DAYS[day]));
    assert_eq!(sums(&machines.together(DAYS[0])), sums(&expected[0]));
    assert_eq!(sums(&machines.together_though_killed(DAYS[1], &IN_A_DIRECTORY)), sums(&expected[1]));
    let topic = |target: &str| in_order(machines.scratch.topic(target, &machines.topic));
    assert!(topic("topics-many") == topic("topics-one"), "every record is there once");
    assert_eq!([0, 1].map(|day| manifests_in_files(&machines, DAYS[day])), [1, 1]);
    let verified = machines.spawn(0, &["--env", "many", "verify"], None);
    machines.scratch.finish(verified).succeeded();
    let runs = machines.scratch.finish(machines.spawn(2, &["--env", "many", "runs"], None)).succeeded();
    assert!(runs.stdout.contains("published"), "{}", runs.stdout);
}

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `dev/with-services`"))
}

/// What read_committed consumers find in a partition: key and JSON.
fn consumed(topic: &str, partition: u32) -> Vec<(String, Option<Value>)> {
    let properties = [("bootstrap.servers".to_owned(), variable("HIVECAST_TEST_KAFKA"))];
    let target = KafkaTarget::new(Settings::new(properties).unwrap(), "unused").unwrap();
    let cancel = Cancel::default();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
    let mut records = Vec::new();
    target
        .read(topic, partition, 0, i64::MAX - 1, &context, &mut |record| {
            let value = record.value.map(|json| serde_json::from_slice(json).unwrap());
            records.push((String::from_utf8(record.key.to_vec()).unwrap(), value));
            Ok(())
        })
        .unwrap();
    records
}

#[test]
fn four_writers_on_kafka_send_what_one_does_though_they_are_killed() {
    let unique = format!("writers-{}", std::process::id());
    let topic = format!("{}{unique}", variable("HIVECAST_TEST_KAFKA_GRANTED_PREFIX"));
    let ledger = format!("{topic}.ledger");
    let machines = Machines::new(&format!("contracts-{unique}"), &topic, |_| {
        let broker = variable("HIVECAST_TEST_KAFKA");
        // A writer that is killed holds up who reads behind it for as long as its transaction may last.
        format!(
            "{{ ledger: \"{ledger}\", kafka: {{ bootstrap.servers: \"{broker}\", transaction.timeout.ms: 10000 }} }}"
        )
    });
    let expected = [0, 1].map(|day| machines.alone(DAYS[day]));
    assert_eq!(sums(&machines.together(DAYS[0])), sums(&expected[0]));
    assert_eq!(sums(&machines.together_though_killed(DAYS[1], &ON_KAFKA)), sums(&expected[1]));
    let found = (0..PARTITIONS).flat_map(|partition| {
        let records = consumed(&topic, partition).into_iter();
        records.map(move |(key, value)| Record { partition, key, value })
    });
    let expected = in_order(machines.scratch.topic("topics-one", &topic));
    assert!(in_order(found.collect()) == expected, "every record is there once");
    for day in &DAYS[..2] {
        let key = format!("manifest:{}:{day}", machines.feed);
        assert_eq!(
            consumed(&ledger, 0).iter().filter(|(of, _)| *of == key).count(),
            1,
            "{day}: one manifest"
        );
    }
    machines.scratch.finish(machines.spawn(0, &["--env", "many", "verify"], None)).succeeded();
}

#[test]
fn another_number_of_writers_in_the_middle_of_an_edition_is_refused() {
    let machines = Machines::in_a_directory();
    let expected = machines.alone(DAYS[0]);
    machines.run(1, "1/4", DAYS[0], &[]).succeeded();
    machines.killed(2, "2/4", DAYS[0], "publish.after_commit");
    for writer in ["1/3", "2/3", "1/1"] {
        let said = machines.run(1, writer, DAYS[0], &[]).failed(50);
        assert!(said.contains("partly published by 4 writers") && said.contains("--replace"), "{said}");
    }
    let begun = machines.writer(2, "2/3", DAYS[0], &["--replace"], None);
    let first = machines.writer(1, "1/3", DAYS[0], &["--replace"], None);
    machines.scratch.finish(begun).succeeded();
    machines.scratch.finish(first).succeeded();
    let last = machines.run(3, "3/3", DAYS[0], &["--replace"]).succeeded().json();
    assert_eq!(sums(&last["runs"][0]["manifest"]), sums(&expected));
    assert_eq!(manifests_in_files(&machines, DAYS[0]), 1);
}

/// What is told to be run must not be a conflict; and a part counts in the history as what it is.
#[test]
fn the_writers_that_are_lacking_are_named() {
    let machines = Machines::in_a_directory();
    machines.run(1, "1/2", DAYS[0], &[]).succeeded();
    let said = machines.scratch.finish(machines.spawn(1, &["--env", "many", "verify"], None)).failed(20);
    assert!(said.contains("--writer 2/2` sends the rest"), "{said}");
    machines.run(2, "2/2", DAYS[0], &[]).succeeded();
    let part = machines.run(1, "1/2", DAYS[1], &[]).succeeded().json()["runs"][0].clone();
    assert_eq!(part["outcome"], "part_published");
    let told_by = |command: &[&str]| {
        let args = [&["--env", "many"], command].concat();
        machines.scratch.finish(machines.spawn(1, &args, None)).succeeded().stdout
    };
    let rest = format!("`hivecast publish --load-date {} --writer 2/2` sends the rest", DAYS[1]);
    for command in [&["verify", "--json"][..], &["doctor"]] {
        let told = told_by(command);
        assert!(told.contains(&rest), "{command:?}: {told}");
    }
    let runs: Value = serde_json::from_str(&told_by(&["runs", "--json"])).unwrap();
    let last = runs["runs"].as_array().unwrap().iter().rfind(|run| run["outcome"] == "part_published");
    assert_eq!(last.unwrap()["documents"], part["publish"]["documents"], "{runs}");
    assert!(part["publish"]["documents"].as_u64() < part["edition"]["documents"].as_u64());
    machines.run(2, "2/2", DAYS[1], &[]).succeeded();
    assert!(!told_by(&["doctor"]).contains("sends the rest"));
}

#[test]
fn whoever_comes_after_a_crash_between_the_last_part_and_the_manifest_writes_it() {
    for (point, heir) in [("publish.all_done", 1), ("publish.finishing", 2), ("publish.before_last_word", 1)]
    {
        let machines = Machines::in_a_directory();
        machines.run(1, "1/2", DAYS[0], &[]).succeeded();
        machines.killed(2, "2/2", DAYS[0], point);
        assert_eq!(manifests_in_files(&machines, DAYS[0]), 0, "{point}");
        let ran = machines.run(heir, &format!("{heir}/2"), DAYS[0], &[]).succeeded().json();
        assert_eq!(ran["runs"][0]["outcome"], "resumed", "{point}");
        assert_eq!(manifests_in_files(&machines, DAYS[0]), 1, "{point}");
    }
}

#[test]
fn nobody_begins_before_writer_1_has_opened_the_set() {
    let machines = Machines::in_a_directory();
    for point in ["publish.announced", "publish.fenced"] {
        machines.killed(1, "1/2", DAYS[0], point);
        let said = machines.run(2, "2/2", DAYS[0], &["--writer-wait", "1s"]).failed(10);
        assert!(said.contains("writer 2/2 waited 1 s in vain for writer 1/2"), "{said}");
        assert!(machines.scratch.topic("topics-many", &machines.topic).is_empty(), "{point}");
    }
    machines.run(1, "1/2", DAYS[0], &[]).succeeded();
    machines.run(2, "2/2", DAYS[0], &[]).succeeded();
    assert_eq!(manifests_in_files(&machines, DAYS[0]), 1);
}

#[test]
fn of_two_sets_at_once_one_wins() {
    let machines = Machines::in_a_directory();
    let expected = machines.alone(DAYS[0]);
    // The first set's writer 1 holds its place, and has opened the set, when the second set begins.
    let holder = machines.stopped(2, "1/3", DAYS[0], "publish.opened");
    let late = machines.run(4, "1/3", DAYS[0], &[]);
    assert_eq!(late.code, Some(40), "the place is taken: {}{}", late.stdout, late.stderr);
    let children: Vec<Child> = (1..=2)
        .flat_map(|set| [2, 3].map(|index| (set * 2, format!("{index}/3"))))
        .map(|(machine, writer)| machines.writer(machine, &writer, DAYS[0], &[], None))
        .collect();
    kill_process(Pid::from_child(&holder), Signal::CONT).unwrap();
    assert_eq!(machines.scratch.finish(holder).code, Some(0), "the first wins");
    let codes: Vec<Option<i32>> =
        children.into_iter().map(|child| machines.scratch.finish(child).code).collect();
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 40))), "{codes:?}");
    let mut runs = Vec::new();
    for index in 1..=3 {
        let again = machines.run(1, &format!("{index}/3"), DAYS[0], &[]).succeeded().json();
        runs.push(again["runs"][0].clone());
    }
    assert_eq!(sums(&whole(&runs)), sums(&expected));
    assert_eq!(manifests_in_files(&machines, DAYS[0]), 1);
    let topic = |target: &str| in_order(machines.scratch.topic(target, &machines.topic));
    assert!(topic("topics-many") == topic("topics-one"), "every record is there once");
}

#[test]
fn what_several_writers_cannot_do_is_refused_at_once() {
    let machines = Machines::in_a_directory();
    let range = format!("{}..{}", DAYS[0], DAYS[1]);
    let said = machines.run(1, "1/2", &range, &[]).failed(2);
    assert!(said.contains("one load_date at a time"), "{said}");
    machines.scratch.edit("feeds/contracts.yaml", "chunks: { records: 100 }", "atomic: edition");
    let said = machines.run(2, "2/2", DAYS[0], &[]).failed(2);
    assert!(said.contains("a transaction has one writer"), "{said}");
    assert!(!machines.scratch.join("topics-many").exists());
    machines.run(1, "1/1", DAYS[0], &[]).succeeded();
}
