//! A broker that goes away in the middle of a publish, and one that comes back. The broker is this
//! test's own, started through `dev/kafka`.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::{Target, View};
use hivecast_run::{Cancel, Context, Silent, SystemClock};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{DAYS, Scratch};

const FEED: &str = "contracts";
const TOPIC: &str = "mdm.contracts";
const PARTITIONS: u32 = 6;
const PATIENCE: Duration = Duration::from_secs(120);

/// A broker with its files in a directory of its own; gone when this is.
struct Broker {
    dir: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let broker = Broker { dir: tempfile::tempdir().unwrap() };
        broker.again();
        broker
    }

    /// Starts it, with what it had and where it was.
    fn again(&self) {
        self.dev_kafka("start");
    }

    fn dev_kafka(&self, action: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka");
        let done = Command::new(script).arg(action).arg("--dir").arg(self.dir.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn running(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.dir.path().join("running.json")).unwrap()).unwrap()
    }

    fn address(&self) -> String {
        self.running()["env"]["HIVECAST_TEST_KAFKA"].as_str().unwrap().to_owned()
    }

    /// As a machine that loses its power.
    fn kill(&self) {
        let pid = i32::try_from(self.running()["pid"].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    fn target(&self) -> KafkaTarget {
        let properties = [("bootstrap.servers".to_owned(), self.address())];
        KafkaTarget::new(Settings::new(properties).unwrap(), "hivecast.ledger").unwrap()
    }

    /// How many entries are committed.
    fn position(&self) -> u64 {
        let cancel = Cancel::default();
        let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
        // A ledger that is just being made has no leader yet.
        let Ok(ledger) = self.target().ledger(FEED, View::Now, &context) else { return 0 };
        ledger.progress.values().map(|progress| progress.position).sum()
    }

    /// The keys on the topic, sorted.
    fn keys(&self) -> Vec<String> {
        let cancel = Cancel::default();
        let context = Context { sink: &Silent, cancel: &cancel, clock: &SystemClock };
        let (target, mut keys) = (self.target(), Vec::new());
        for partition in 0..PARTITIONS {
            let mut each = |record: hivecast_publish::Record<'_>| {
                keys.push(String::from_utf8(record.key.to_vec()).unwrap());
                Ok(())
            };
            target.read(TOPIC, partition, 0, i64::MAX, &context, &mut each).unwrap();
        }
        keys.sort();
        keys
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A broker that was killed is no failure to stop.
        self.dev_kafka("stop");
    }
}

fn spawn(scratch: &Scratch) -> Child {
    let mut command = scratch.command(["--env", "own", "publish", "--load-date", DAYS[0], "--json"]);
    command.env("MASK_KEY", "for tests").spawn().unwrap()
}

/// Waits until the run has committed more than so many entries.
fn wait_for_progress(broker: &Broker, child: &mut Child, before: u64) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let position = broker.position();
        if position > before {
            return position;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it committed anything");
        assert!(Instant::now() < deadline, "the run committed nothing");
    }
}

#[test]
fn a_kafka_broker_that_goes_away_is_infrastructure_and_one_that_comes_back_gets_each_key_once() {
    let broker = Broker::start();
    let scratch = Scratch::sampled(20_000);
    scratch.edit("feeds/contracts.yaml", "envelope:\n", "chunks: { records: 100 }\n\nenvelope:\n");
    let mut project = scratch.read("hivecast.yaml");
    project.push_str(&format!(
        "  own: {{ warehouse: ./warehouse, store: ./editions-own, mask_key: \"${{MASK_KEY}}\", target: {{ kafka: \
         {{ bootstrap.servers: \"{}\", transaction.timeout.ms: 10000 }} }} }}\n",
        broker.address()
    ));
    scratch.write("hivecast.yaml", project);

    // It goes away for good: the run gives up, and says which cluster.
    let mut child = spawn(&scratch);
    let position = wait_for_progress(&broker, &mut child, 0);
    let address = broker.address();
    broker.kill();
    let ran = scratch.finish(child);
    assert_eq!(ran.code, Some(10), "{}{}", ran.stdout, ran.stderr);
    let error = ran.json()["error"].clone();
    assert_eq!(error["class"], "infrastructure");
    let told = error.to_string();
    assert!(told.contains(&address) && told.contains("brokers are up"), "{told}");

    // It is back; and goes and comes back while the run goes on, which may outlast it or give up.
    broker.again();
    assert_eq!(broker.address(), address);
    let mut child = spawn(&scratch);
    wait_for_progress(&broker, &mut child, position);
    broker.kill();
    broker.again();
    let ran = scratch.finish(child);
    assert!(matches!(ran.code, Some(0 | 10)), "{:?} {}{}", ran.code, ran.stdout, ran.stderr);

    // Whatever happened, the next run has every key on the topic once.
    let report = scratch.finish(spawn(&scratch)).succeeded().json();
    let run = &report["runs"][0];
    let keys = broker.keys();
    assert_eq!(run["edition"]["documents"].as_u64(), Some(keys.len() as u64));
    let mut once = keys.clone();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "no key twice");
    assert_eq!(run["verify"]["records"].as_u64(), Some(keys.len() as u64));
}
