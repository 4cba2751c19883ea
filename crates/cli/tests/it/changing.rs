//! Exports that change while a run reads them: it is noticed, nothing is published, and the next run is fine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{DAYS, Ran, Scratch};

/// Before the first row is read, and after the last.
pub(crate) const POINTS: [&str; 2] = ["build.planned", "engine.read"];

const SAMPLE: u64 = 60;
/// The longest that a run takes to come to a point, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a command that stops at a point, does something, and lets it go on.
pub(crate) fn with_change(scratch: &Scratch, args: &[&str], point: &str, change: impl FnOnce()) -> Ran {
    let mut command = scratch.command(["--quiet"].into_iter().chain(args.iter().copied()));
    let child = command.env("HIVECAST_STOP_AT", point).spawn().unwrap();
    wait_until_stopped(&child, point);
    change();
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    scratch.finish(child)
}

pub(crate) fn wait_until_stopped(child: &Child, point: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        // The state stands behind the command's name, which is in brackets.
        let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if state == Some('T') {
            return;
        }
        assert_ne!(state, Some('Z'), "the run ended before it came to {point}");
        assert!(Instant::now() < deadline, "the run did not come to {point}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A file of the first day's accounts.
fn victim(scratch: &Scratch) -> PathBuf {
    let files = scratch.files("warehouse");
    let is_ours = |name: &&String| {
        let visible = name.rsplit('/').next().is_some_and(|name| !name.starts_with(['_', '.']));
        visible && name.contains("/accounts/") && name.contains(DAYS[0])
    };
    scratch.join("warehouse").join(files.keys().find(is_ours).expect("a file"))
}

/// A change, what is told of it, and how the next run finds the export.
struct Case {
    told: &'static str,
    change: fn(&PathBuf),
    mend: fn(&PathBuf),
}

const CASES: [Case; 3] = [
    Case {
        told: "was changed",
        // The same bytes: whether a writer wrote others is not for a reader to hope.
        change: |file| fs::write(file, fs::read(file).unwrap()).unwrap(),
        mend: |_| {},
    },
    Case {
        told: "was removed",
        change: |file| fs::rename(file, file.with_file_name("_aside")).unwrap(),
        mend: |file| fs::rename(file.with_file_name("_aside"), file).unwrap(),
    },
    Case {
        told: "was added",
        change: |file| {
            fs::copy(file, added(file)).unwrap();
        },
        mend: |file| fs::remove_file(added(file)).unwrap(),
    },
];

fn added(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap().to_owned();
    name.push("-more");
    file.with_file_name(name)
}

#[test]
fn a_file_that_is_changed_removed_or_added_keeps_a_day_from_being_published() {
    for point in POINTS {
        let scratch = Scratch::sampled(SAMPLE);
        let file = victim(&scratch);
        for case in &CASES {
            let args = ["publish", "--load-date", DAYS[0]];
            let told = with_change(&scratch, &args, point, || (case.change)(&file)).failed(10);
            let name = match case.told {
                "was added" => added(&file),
                _ => file.clone(),
            };
            let name = name.file_name().unwrap().to_str().unwrap();
            // What is gone before it is read can't be opened, which says it as well.
            let expected = match (case.told, point) {
                ("was removed", "build.planned") => format!("{name}: No such file"),
                (what, _) => format!("{name} {what}"),
            };
            assert!(told.contains(&expected) && told.contains("2026-11-20"), "{point}: {told}");
            assert_eq!(scratch.topic("topics", "mdm.contracts"), [], "{point}: {}", case.told);
            (case.mend)(&file);
        }
        let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
        assert_eq!(report["runs"][0]["outcome"], "published", "{point}");
        assert!(!scratch.topic("topics", "mdm.contracts").is_empty(), "{point}");
    }
}

#[test]
fn a_day_that_is_marked_as_whole_no_more_is_not_published() {
    let scratch = Scratch::sampled(SAMPLE);
    let mark = victim(&scratch).with_file_name("_SUCCESS");
    let args = ["publish", "--load-date", DAYS[0]];
    let told = with_change(&scratch, &args, POINTS[1], || fs::remove_file(&mark).unwrap()).failed(10);
    assert!(told.contains("table accounts") && told.contains("no _SUCCESS in"), "{told}");
    assert_eq!(scratch.topic("topics", "mdm.contracts"), []);
    fs::write(&mark, "").unwrap();
    scratch.hivecast(args).succeeded();
}
