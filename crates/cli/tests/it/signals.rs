//! Ctrl-C and SIGTERM.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{DAYS, Scratch};

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until the run has committed something, and is still at work.
fn wait_for_a_commit(scratch: &Scratch, child: &mut Child) {
    let ledger = scratch.join("topics/.ledger/contracts.ndjson");
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if std::fs::read_to_string(&ledger).is_ok_and(|ledger| ledger.contains("\"progress\"")) {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be interrupted");
        assert!(Instant::now() < deadline, "the run committed nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A feed that commits often, so that there is always something left to interrupt.
fn slow_project() -> Scratch {
    let scratch = Scratch::sampled(20_000);
    scratch.edit("feeds/contracts.yaml", "envelope:\n", "chunks: { records: 50 }\n\nenvelope:\n");
    scratch
}

fn interrupted_publish_resumes(signal: Signal) {
    let scratch = slow_project();
    let mut child = scratch.command(["--quiet", "publish", "--load-date", DAYS[0]]).spawn().unwrap();
    wait_for_a_commit(&scratch, &mut child);
    send(&child, signal);
    let said = scratch.finish(child).failed(130);
    assert_eq!(
        said,
        "error: interrupted\n  help: nothing uncommitted was kept; run the same command again to resume\n"
    );
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let run = &report["runs"][0];
    assert_eq!(run["outcome"], "resumed");
    assert!(
        run["publish"]["documents"].as_u64() < run["edition"]["documents"].as_u64(),
        "{}",
        run["publish"]
    );
    let keys: Vec<String> =
        scratch.topic("topics", "mdm.contracts").into_iter().map(|record| record.key).collect();
    assert_eq!(keys.len() as u64, run["edition"]["documents"]);
    assert_eq!(
        keys.iter().collect::<std::collections::BTreeSet<_>>().len(),
        keys.len(),
        "nothing is sent twice"
    );
    let history = scratch.hivecast(["runs", "--json"]).succeeded().json();
    assert_eq!(history["runs"][0]["exit_code"], 130);
}

#[test]
fn ctrl_c_ends_cleanly_and_the_next_run_resumes() {
    interrupted_publish_resumes(Signal::INT);
}

#[test]
fn sigterm_ends_cleanly_and_the_next_run_resumes() {
    interrupted_publish_resumes(Signal::TERM);
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let scratch = Scratch::sampled(10);
    let marker = scratch.join(&format!("warehouse/mdm.db/accounts/load_date={}/_SUCCESS", DAYS[0]));
    std::fs::remove_file(marker).unwrap();
    // The first leaves at the next look, up to half a second later; the second must not wait for it.
    let child =
        scratch.command(["--quiet", "publish", "--load-date", DAYS[0], "--wait", "1h"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    send(&child, Signal::INT);
    send(&child, Signal::INT);
    assert_eq!(scratch.finish(child).code, Some(130));
}

#[test]
fn of_two_runs_at_once_one_wins_and_the_other_exits_40() {
    let scratch = slow_project();
    let mut first = scratch.command(["--quiet", "publish", "--load-date", DAYS[0]]).spawn().unwrap();
    wait_for_a_commit(&scratch, &mut first);
    let said = scratch.hivecast(["publish", "--load-date", DAYS[1]]).failed(40);
    assert!(said.contains("contracts"), "{said}");
    let built = scratch.join(&format!("editions/contracts/load_date={}", DAYS[1]));
    assert!(!built.exists(), "it was told before it built anything");
    let first = scratch.finish(first);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let records = scratch.topic("topics", "mdm.contracts");
    let keys: std::collections::BTreeSet<&str> = records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys.len(), records.len());
    scratch.hivecast(["verify"]).succeeded();
}
