//! `hivecast doctor` finds what a publish would stumble over, and leaves nothing behind.

use std::fs;

use serde_json::Value;

use crate::support::{DAYS, Scratch};

#[test]
fn a_healthy_environment() {
    let scratch = Scratch::sampled(10);
    insta::assert_snapshot!(scratch.hivecast(["doctor"]).succeeded().stdout, @r"
    ok       project file          environment local, and its secrets
    ok       store                 editions can be written to [dir]/editions
    ok       contracts: feed       is right: 3 tables, 8 fields
    ok       contracts: warehouse  every table has 3 load_dates, from 2026-11-20 to 2026-11-22
    ok       contracts: files      the newest of accounts, parties, addresses can be read on this machine
    ok       contracts: target     dir [dir]/topics answers, and can take topic mdm.contracts
    ok       contracts: ledger     readable; nothing of this feed is published yet
    ok       contracts: writing    a file can be made, synced and removed in [dir]/topics
    ");
    assert!(!scratch.join("topics").exists(), "looking publishes nothing");
    assert!(scratch.files("editions").is_empty(), "and leaves nothing in the store");
}

#[test]
fn programs_get_one_object_whether_it_is_healthy_or_not() {
    let scratch = Scratch::sampled(10);
    let healthy = scratch.hivecast(["doctor", "--json"]).succeeded().json();
    assert_eq!((&healthy["healthy"], &healthy["env"]), (&Value::Bool(true), &Value::from("local")));
    assert!(healthy["error"].is_null() && healthy["checks"].as_array().is_some_and(|all| all.len() > 4));

    fs::remove_dir_all(scratch.join("warehouse")).unwrap();
    let ran = scratch.hivecast(["doctor", "--json"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["healthy"], &report["error"]["exit_code"]), (&Value::Bool(false), &Value::from(2)));
    let failed: Vec<&Value> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed").collect();
    let told: Vec<_> = failed.iter().map(|check| (check["what"].as_str(), check["class"].as_str())).collect();
    assert_eq!(told, [(Some("feed"), Some("usage")), (Some("warehouse"), Some("usage"))], "{report}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let scratch = Scratch::sampled(10);
    fs::remove_dir_all(scratch.join("warehouse/mdm.db/parties")).unwrap();
    scratch.write("editions", "a file where the store should be");
    scratch.write("topics", "a file where the target should be");
    let ran = scratch.hivecast(["doctor"]);
    insta::assert_snapshot!(ran.stdout, @r"
    ok       project file          environment local, and its secrets
    FAILED   store                 the store [dir]/editions is no directory
                                   help: name a directory as `store` in the project file
    FAILED   contracts: feed       1 mistake in the feed or in what it needs of the environment
                                   help: `hivecast check --feed contracts` shows each with its place
    FAILED   contracts: warehouse  table parties: no table `mdm.parties` in the warehouse
                                   help: looked for [dir]/warehouse/mdm.db/parties, [dir]/warehouse/mdm/parties, [dir]/warehouse/parties; name the table in `source` as `database.table`, or correct the environment's `warehouse`
    ok       contracts: files      the newest of accounts, addresses can be read on this machine
    FAILED   contracts: target     [dir]/topics is no directory
                                   help: name a directory, or a path where one can be made, as the target
    ");
    insta::assert_snapshot!(ran.failed(2), @"error: 4 of 6 checks of environment local failed");
}

#[test]
fn what_is_published_is_known() {
    let scratch = Scratch::sampled(10);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    let before = scratch.files(".");
    let told = scratch.hivecast(["doctor"]).succeeded().stdout;
    assert!(told.contains("load_date 2026-11-20 was published last"), "{told}");
    assert_eq!(scratch.files("."), before, "nothing changed");
}

#[test]
fn records_are_written_as_they_were_read_and_never_over_others() {
    let scratch = Scratch::sampled(50);
    for day in &DAYS[..2] {
        scratch.hivecast(["publish", "--load-date", day]).succeeded();
    }
    scratch.hivecast(["verify", "--load-date", DAYS[1], "--records", "read"]).succeeded();
    let files = scratch.files("read");
    assert_eq!(files.len(), 6, "one for each partition");
    let published = scratch.files("topics/mdm.contracts");
    let mut records = 0;
    for (name, text) in &files {
        let sent: Vec<Value> = lines(&published[name.strip_prefix("read/").unwrap_or(name)]);
        let day = |line: &Value| line["headers"]["hivecast.load_date"] == DAYS[1];
        let sent: Vec<&Value> = sent.iter().filter(|line| day(line)).collect();
        let read = lines(text);
        assert_eq!(read.len(), sent.len(), "{name}");
        for (read, sent) in read.iter().zip(sent) {
            for part in ["offset", "key", "headers", "value"] {
                assert_eq!(read[part], sent[part], "{name}");
            }
            records += 1;
        }
    }
    assert!(records > 40, "{records}");
    assert!(files.values().any(|text| text.ends_with(b"\"value\":null}\n")), "tombstones too");
    let said = scratch.hivecast(["verify", "--load-date", DAYS[1], "--records", "read"]).failed(2);
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(scratch.files("read"), files);
}

/// Where verifying finds a difference, the records are what to look at.
#[test]
fn records_are_written_although_they_differ_from_the_manifest() {
    let scratch = Scratch::sampled(50);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    let file = "topics/mdm.contracts/partition-0.ndjson";
    let text = scratch.read(file);
    scratch.write(file, text.replacen("\"INSERT\"", "\"UPSERT\"", 1));
    scratch.hivecast(["verify", "--load-date", DAYS[0], "--records", "read"]).failed(20);
    let read = scratch.read("read/partition-0.ndjson");
    assert!(read.contains("UPSERT") && read.lines().count() == text.lines().count(), "{read}");
}

/// What publish would refuse is found beforehand: here a mask whose key the environment lacks.
#[test]
fn a_feed_that_lacks_something_of_the_environment_is_told() {
    let scratch = Scratch::sampled(10);
    let project = scratch.read("hivecast.yaml");
    let without: Vec<&str> = project.lines().filter(|line| !line.contains("mask_key")).collect();
    scratch.write("hivecast.yaml", without.join("\n"));
    let ran = scratch.hivecast(["doctor"]);
    assert!(ran.stdout.contains("FAILED   contracts: feed"), "{}", ran.stdout);
    ran.failed(2);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(2);
}

/// A mark that only a metastore has: no export can ever set it in a directory.
#[test]
fn a_mark_that_the_warehouse_cannot_have_is_told_before_a_build() {
    let scratch = Scratch::sampled(10);
    let source = "source: mdm.parties,";
    scratch.edit(
        "feeds/contracts.yaml",
        &format!("{source} ready: success_file"),
        &format!("{source} ready: {{ parameter: exported=true }}"),
    );
    let said = scratch.hivecast(["build", "--load-date", DAYS[0]]).failed(2);
    assert!(said.contains("which only a metastore has"), "{said}");
    let said = scratch.hivecast(["check"]).failed(2);
    assert!(said.contains("which only a metastore has") && said.contains("contracts.yaml:"), "{said}");
    let ran = scratch.hivecast(["doctor"]);
    assert!(ran.stdout.contains("FAILED   contracts: feed"), "{}", ran.stdout);
    ran.failed(2);
}

fn lines(text: &[u8]) -> Vec<Value> {
    std::str::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A target that can't be opened hides nothing else: a Kafka property that librdkafka does not know, and a
/// table that is gone.
#[test]
fn a_target_that_cannot_be_opened_hides_no_other_fault() {
    let scratch = Scratch::sampled(10);
    fs::remove_dir_all(scratch.join("warehouse/mdm.db/parties")).unwrap();
    let project = scratch.read("hivecast.yaml");
    let wrong = "  wrong: { warehouse: ./warehouse, store: ./editions, target: { kafka: { bootstrap.servers: \"127.0.0.1:1\", ssl.ca.location: /nonexistent, security.protocol: SSL } }, mask_key: \"${MASK_KEY}\" }\n";
    scratch.write("hivecast.yaml", project + wrong);
    let mut command = scratch.command(["--quiet", "--env", "wrong", "doctor"]);
    let ran = scratch.finish(command.env("MASK_KEY", "for tests").spawn().unwrap());
    assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
    for failed in ["FAILED   target", "FAILED   contracts: feed", "FAILED   contracts: warehouse"] {
        assert!(ran.stdout.contains(failed), "{}", ran.stdout);
    }
}
