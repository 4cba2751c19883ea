//! The process is killed with SIGKILL, at every place where it matters and at places that a seed
//! picks; whatever it left, the next run finishes the rest, and consumers read each record once.
//!
//! The oracle: the partitions of a run that was never disturbed, byte for byte.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::{Instant, SystemTime};

use crate::support::{DAYS, Scratch};

/// Chunks small enough that a publish has some twenty of them.
const CHUNK: &str = "chunks: { records: 100 }\n\nenvelope:\n";
const ACCOUNTS: u64 = 2200;

/// Every crash point of a publish to a directory, with visits that differ in what they leave.
const CRASH_POINTS: [&str; 27] = [
    "build.planned",
    "edition.shard_written",
    "engine.read",
    "engine.before_finish",
    "edition.before_json",
    "edition.before_rename",
    "edition.after_rename",
    "build.done",
    "gates.passed",
    "publish.opened",
    "publish.began",
    "publish.began:2",
    "publish.sent",
    "publish.sent:2",
    "publish.sent:9",
    "publish.before_commit",
    "publish.before_commit:3",
    "publish.before_manifest",
    "dir.data_synced",
    "dir.data_synced:2",
    "dir.data_synced:12",
    "dir.ledger_written",
    "dir.ledger_written:2",
    "dir.ledger_written:12",
    "publish.after_commit",
    "publish.after_commit:7",
    "publish.done",
];

/// Kills at a moment of time that hit a running process, besides those at named points.
/// `HIVECAST_TORTURE_KILLS` asks for another number.
const RANDOM_KILLS: u64 = 24;

/// Cases at most for one kill that hits: on a machine whose speed changes, some come when all is done.
const CASES_PER_KILL: u64 = 3;

/// The seed of the moments; `HIVECAST_TORTURE_SEED` sets another.
const SEED: u64 = 20_261_122;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// A project with an environment for each case: one warehouse, so that all build the same edition,
/// and a store and a target each.
fn project(cases: impl Iterator<Item = String>) -> Scratch {
    let scratch = Scratch::sampled(ACCOUNTS);
    scratch.edit("feeds/contracts.yaml", "envelope:\n", CHUNK);
    let mut text = scratch.read("hivecast.yaml");
    for case in cases {
        text.push_str(&format!(
            "  {case}: {{ warehouse: ./warehouse, store: ./cases/{case}/editions, target: {{ dir: ./cases/{case}/topics }}, mask_key: \"${{MASK_KEY}}\" }}\n"
        ));
    }
    scratch.write("hivecast.yaml", text);
    scratch
}

fn publish(scratch: &Scratch, case: &str, day: &str, crash_at: Option<&str>) -> std::process::Command {
    let mut command = scratch.command(["--quiet", "--env", case, "publish", "--load-date", day, "--json"]);
    command.env("MASK_KEY", "for tests");
    if let Some(point) = crash_at {
        command.env("HIVECAST_CRASH_AT", point);
    }
    command
}

fn finish(scratch: &Scratch, case: &str, day: &str) -> serde_json::Value {
    let ran = scratch.finish(publish(scratch, case, day, None).spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{case}: {}", ran.stderr);
    ran.json()["runs"][0].clone()
}

fn topics(scratch: &Scratch, case: &str) -> BTreeMap<String, Vec<u8>> {
    scratch.topic_files(&format!("cases/{case}/topics"))
}

/// The first two days published without disturbance.
fn reference(scratch: &Scratch) -> BTreeMap<String, Vec<u8>> {
    finish(scratch, "reference", DAYS[0]);
    let second = finish(scratch, "reference", DAYS[1]);
    assert!(second["publish"]["tombstones"].as_u64() > Some(0), "the second day must have tombstones");
    assert!(second["publish"]["chunks"].as_u64() > Some(12), "the second day must have many chunks");
    topics(scratch, "reference")
}

/// Publishes the second day again and again until it is done, then compares with the reference.
fn check_recovery(scratch: &Scratch, case: &str, expected: &BTreeMap<String, Vec<u8>>) {
    finish(scratch, case, DAYS[1]);
    assert!(
        topics(scratch, case) == *expected,
        "{case}: consumers read something else than without the crash"
    );
    let again = finish(scratch, case, DAYS[1]);
    assert_eq!(again["outcome"], "already_published", "{case}");
    let left = scratch.files(&format!("cases/{case}/editions"));
    assert!(!left.keys().any(|name| name.contains(".tmp-")), "{case}: {:?}", left.keys());
}

fn case_name(point: &str) -> String {
    point.replace(['.', ':'], "-")
}

#[test]
fn killed_at_every_crash_point() {
    let scratch = project(CRASH_POINTS.iter().map(|point| case_name(point)).chain(["reference".to_owned()]));
    let expected = reference(&scratch);
    for point in CRASH_POINTS {
        let case = case_name(point);
        finish(&scratch, &case, DAYS[0]);
        let mut child = publish(&scratch, &case, DAYS[1], Some(point)).spawn().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{point}: the run did not come to this point ({status})");
        check_recovery(&scratch, &case, &expected);
    }
}

/// Sends the second day with `--replace` undisturbed in one case, and in the other is killed after two
/// chunks and goes on as a scheduler would have it, without `--replace`.
fn check_replacement(scratch: &Scratch) {
    let replace = |case: &str, crash_at: Option<&str>| {
        publish(scratch, case, DAYS[1], crash_at).arg("--replace").spawn().unwrap()
    };
    for case in ["reference", "killed"] {
        scratch.finish(publish(scratch, case, DAYS[1], None).spawn().unwrap()).failed(50);
    }
    scratch.finish(replace("reference", None)).succeeded();
    let status = replace("killed", Some("publish.after_commit:2")).wait().unwrap();
    assert_eq!(status.signal(), Some(9), "the run did not come to its second chunk ({status})");
    let resumed = finish(scratch, "killed", DAYS[1]);
    assert_eq!(resumed["outcome"], "resumed");
    assert!(topics(scratch, "killed") == topics(scratch, "reference"), "consumers read something else");
    assert_eq!(finish(scratch, "killed", DAYS[1])["outcome"], "already_published");
}

fn two_published_days() -> Scratch {
    let scratch = project(["reference", "killed"].map(str::to_owned).into_iter());
    for (case, day) in [("reference", 0), ("reference", 1), ("killed", 0), ("killed", 1)] {
        finish(&scratch, case, DAYS[day]);
    }
    scratch
}

#[test]
fn a_killed_correction_goes_on_without_replace() {
    let scratch = two_published_days();
    let input = scratch
        .files("warehouse")
        .into_keys()
        .find(|name| name.contains(DAYS[1]) && !name.ends_with("_SUCCESS"))
        .unwrap();
    let file =
        std::fs::File::options().append(true).open(scratch.join(&format!("warehouse/{input}"))).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    check_replacement(&scratch);
}

#[test]
fn a_killed_return_from_a_roll_back_goes_on_without_replace() {
    let scratch = two_published_days();
    for case in ["reference", "killed"] {
        let back = publish(&scratch, case, DAYS[0], None).arg("--replace").spawn().unwrap();
        scratch.finish(back).succeeded();
    }
    check_replacement(&scratch);
}

/// A generator of known quality is not needed here, only one that repeats (Steele, Lea and Flood,
/// "Fast Splittable Pseudorandom Number Generators", SplitMix64).
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn killed_at_random_times_and_again_while_resuming() {
    let kills = setting("HIVECAST_TORTURE_KILLS", RANDOM_KILLS);
    let cases = || (0..kills * CASES_PER_KILL).map(|case| format!("kill-{case}"));
    let scratch = project(cases().chain(["reference".to_owned()]));
    let started = Instant::now();
    let expected = reference(&scratch);
    // The reference is two runs.
    let mut whole = started.elapsed() / 2;
    let (mut state, mut killed) = (setting("HIVECAST_TORTURE_SEED", SEED), 0);
    for case in cases() {
        finish(&scratch, &case, DAYS[0]);
        // Twice: the second falls into the recovery from the first.
        for _ in 0..2 {
            let mut child = publish(&scratch, &case, DAYS[1], None).spawn().unwrap();
            std::thread::sleep(whole.mul_f64((splitmix64(&mut state) % 1000) as f64 / 1000.0));
            child.kill().unwrap();
            match child.wait().unwrap().signal() {
                Some(9) => killed += 1,
                // It was faster than thought: aim earlier.
                _ => whole = whole.mul_f64(0.8),
            }
        }
        check_recovery(&scratch, &case, &expected);
        if killed >= kills {
            return;
        }
    }
    panic!("only {killed} kills hit a running process");
}
