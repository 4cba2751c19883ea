//! Bugs that are planted on purpose, one at a time: a suite that does not notice one is worth
//! nothing where it matters most.

use std::fs;
use std::process::Command;

use crate::{root, tests};

/// A bug: in this file, this text becomes that.
struct Bug {
    name: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
}

const BUGS: [Bug; 11] = [
    Bug {
        name: "skip-the-ledger-record",
        file: "crates/publish/src/send.rs",
        right: "Ok(records.into_iter().flatten().collect())",
        wrong: "Ok(records.into_iter().flatten().skip(1).collect())",
    },
    Bug {
        name: "commit-before-delivery-reports",
        file: "crates/kafka/src/session.rs",
        right: "self.failure.is_none() && self.delivered < self.sent",
        wrong: "false && self.failure.is_none() && self.delivered < self.sent",
    },
    Bug {
        name: "ignore-the-fence-of-kafka",
        file: "crates/kafka/src/fault.rs",
        right: "matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)",
        wrong: "matches!(code, Code::Fenced) && false",
    },
    Bug {
        name: "ignore-the-lock-of-a-directory",
        file: "crates/publish/src/dir/lock.rs",
        right: "if !lock_exclusively(&file).map_err(fault)? {",
        wrong: "if !lock_exclusively(&file).map_err(fault)? && feed.is_empty() {",
    },
    Bug {
        name: "drop-the-last-chunk",
        file: "crates/publish/src/send.rs",
        right: "if !meter.admits(bytes) {\n                break false;",
        wrong: "if !meter.admits(bytes) {\n                break true;",
    },
    Bug {
        name: "open-a-set-without-a-fence",
        file: "crates/publish/src/set.rs",
        right: "self.target.fence(self.job.topic, slot, self.context).map_err(Stop::of_target)?;",
        wrong: "let _ = slot;",
    },
    Bug {
        name: "join-a-set-that-is-announced",
        file: "crates/publish/src/decide.rs",
        right: "Some(WriterSet { stage: Stage::Open | Stage::Done, .. }) => {",
        wrong: "Some(_) => {",
    },
    Bug {
        name: "count-an-earlier-sets-progress",
        file: "crates/publish/src/decide.rs",
        right: "number.is_some() && other.set.map(|set| set.number) == number;",
        wrong: "number.is_some() && other.edition == begun.edition;",
    },
    Bug {
        name: "begin-without-reading-the-ledger-again",
        file: "crates/publish/src/run.rs",
        right: "let ledger = session.ledger();\n            let verdict",
        wrong: "let ledger = awaited.as_ref().map_or(session.ledger(), Awaited::ledger);\n            let verdict",
    },
    Bug {
        name: "finish-without-reading-the-ledger-again",
        file: "crates/publish/src/set.rs",
        right: "let ledger = session.ledger();\n        if let Some(end)",
        wrong: "let ledger = &ledger;\n        if let Some(end)",
    },
    Bug {
        name: "wrong-partitioner",
        file: "crates/contract/src/key.rs",
        right: "(murmur2(key) & 0x7fff_ffff) % partitions.max(1)",
        wrong: "key_hash(key) % partitions.max(1)",
    },
];

/// The tests that a bug's run counts: what targets must do, and what the binary does.
const FILTER: [&str; 6] = ["conformance", "murmur2", "killed", "kafka", "partition", "writers"];

/// Plants each bug (or those named), runs the tests, and takes it out again.
pub(crate) fn run(names: &[String]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|name| BUGS.iter().all(|bug| bug.name != **name)) {
        let known: Vec<&str> = BUGS.iter().map(|bug| bug.name).collect();
        return Err(format!("planted-bugs: no bug {unknown:?}; there are {}", known.join(", ")));
    }
    let clean = git(&["status", "--porcelain", "--untracked-files=no"])?;
    if !clean.trim().is_empty() {
        return Err(
            "planted-bugs: commit or stash your changes first; the bugs are taken out with git".to_owned()
        );
    }
    let mut unnoticed = Vec::new();
    for bug in BUGS.iter().filter(|bug| names.is_empty() || names.iter().any(|name| name == bug.name)) {
        let noticed = with_bug(bug)?;
        println!("{}: noticed by {} tests: {}", bug.name, noticed.len(), noticed.join(", "));
        if noticed.is_empty() {
            unnoticed.push(bug.name);
        }
    }
    if unnoticed.is_empty() {
        Ok(())
    } else {
        Err(format!("planted-bugs: nobody noticed {}", unnoticed.join(", ")))
    }
}

/// The tests that fail with the bug in.
fn with_bug(bug: &Bug) -> Result<Vec<String>, String> {
    let path = root().join(bug.file);
    let text = fs::read_to_string(&path).map_err(|error| format!("planted-bugs: {}: {error}", bug.file))?;
    if text.matches(bug.right).count() != 1 {
        return Err(format!(
            "planted-bugs: {} no longer holds the line of {} once; mend the bug",
            bug.file, bug.name
        ));
    }
    fs::write(&path, text.replace(bug.right, bug.wrong))
        .map_err(|error| format!("planted-bugs: {}: {error}", bug.file))?;
    let output = tests(&FILTER).output();
    let restored = fs::write(&path, &text);
    restored.map_err(|error| format!("planted-bugs: failed to take {} out again: {error}", bug.name))?;
    let output = output.map_err(|error| format!("planted-bugs: failed to start the tests: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if !printed.contains("test result:") {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("planted-bugs: the tests did not run with {}:\n{told}", bug.name));
    }
    let mut failed: Vec<String> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned))
        .collect();
    failed.sort();
    Ok(failed)
}

fn git(words: &[&str]) -> Result<String, String> {
    let output = Command::new("git").current_dir(root()).args(words).output();
    let output = output.map_err(|error| format!("planted-bugs: failed to start git: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_can_still_be_planted() {
        for bug in &BUGS {
            let text = fs::read_to_string(root().join(bug.file)).expect(bug.file);
            assert_eq!(text.matches(bug.right).count(), 1, "{}: mend the bug in {}", bug.name, bug.file);
        }
    }
}
