//! From nothing to what consumers read.

use std::collections::BTreeSet;

use hivecast_contract::partition_of;
use serde_json::Value;

use crate::support::{DAYS, Scratch};

/// Partitions of the example's topic.
const PARTITIONS: u32 = 6;

#[test]
fn init_sample_check_preview_publish_verify() {
    let scratch = Scratch::sampled(500);
    let checked = scratch.hivecast(["check"]).succeeded().stdout;
    assert!(checked.starts_with("feed contracts is right"), "{checked}");

    let preview = scratch.hivecast(["preview", "--limit", "2", "--json"]).succeeded().json();
    let previewed = preview["documents"].as_array().unwrap();
    assert_eq!((previewed.len(), &preview["load_date"]), (2, &Value::from(DAYS[2])));

    let report = scratch.hivecast(["publish", "--load-date", DAYS[2], "--json"]).succeeded().json();
    let run = &report["runs"][0];
    assert_eq!(run["outcome"], "published");
    assert_eq!(run["publish"]["documents"], run["edition"]["documents"]);
    assert_eq!(run["manifest"]["documents"], run["edition"]["documents"]);
    assert_eq!(run["edition"]["tables"][0]["table"], "accounts");
    assert!(run["peak_memory_bytes"].as_u64().unwrap() > 1_000_000);
    let steps: Vec<&str> =
        run["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["warehouse", "check", "engine", "gates", "publish", "verify"]);

    let records = scratch.topic("topics", "mdm.contracts");
    assert_eq!(records.len() as u64, run["edition"]["documents"].as_u64().unwrap());
    assert_eq!(records.iter().map(|record| &record.key).collect::<BTreeSet<_>>().len(), records.len());
    for record in &records {
        assert_eq!(record.partition, partition_of(record.key.as_bytes(), PARTITIONS), "key {}", record.key);
    }
    for document in previewed {
        let sent =
            records.iter().find(|record| document["key"] == *record.key).expect("what preview shows is sent");
        assert_eq!(sent.value.as_ref(), Some(&document["value"]));
    }
    let verified = scratch.hivecast(["verify"]).succeeded().stdout;
    assert!(verified.starts_with(&format!("verified contracts {}", DAYS[2])), "{verified}");
}

/// Changes the last digit of the last document in a partition's file, whose length stays; returns the
/// document's key.
fn alter_last_document(scratch: &Scratch, file: &str) -> String {
    let text = scratch.read(file);
    let value = text.rfind(",\"value\":{").unwrap();
    let line = text[..value].rfind('\n').map_or(0, |end| end + 1);
    let end = value + text[value..].find('\n').unwrap();
    let digit = value + text[value..end].rfind(|character: char| character.is_ascii_digit()).unwrap();
    let other = if &text[digit..=digit] == "1" { "2" } else { "1" };
    scratch.write(file, [&text[..digit], other, &text[digit + 1..]].concat());
    let record: Value = serde_json::from_str(&text[line..end]).unwrap();
    record["key"].as_str().unwrap().to_owned()
}

#[test]
fn verify_names_the_record_that_was_altered() {
    let scratch = Scratch::sampled(500);
    scratch.hivecast(["publish", "--load-date", &format!("{}..{}", DAYS[0], DAYS[1])]).succeeded();
    scratch.hivecast(["verify"]).succeeded();
    let key = alter_last_document(&scratch, "topics/mdm.contracts/partition-0.ndjson");
    let said = scratch.hivecast(["verify"]).failed(20);
    assert!(said.contains("partition 0 has ") && said.contains(&format!("altered: 1 ({key:?})")), "{said}");

    // Without the edition no key is known, and that is said.
    std::fs::remove_dir_all(scratch.join(&format!("editions/contracts/load_date={}", DAYS[1]))).unwrap();
    let mut command = scratch.command(["verify"]);
    let said = scratch.finish(command.spawn().unwrap()).failed(20);
    assert!(said.contains("is not in the store: only sums are compared"), "{said}");
    assert!(said.contains("partition 0 has ") && !said.contains("altered"), "{said}");
}

#[test]
fn running_again_sends_nothing() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    let before = scratch.topic_files("topics");
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "already_published");
    assert_eq!(report["runs"][0]["publish"]["documents"], 0);
    assert_eq!(report["runs"][0]["verify"]["records"], report["runs"][0]["manifest"]["documents"]);
    assert_eq!(scratch.topic_files("topics"), before, "not one byte was added");
    // From another directory of the project it is still the same edition.
    std::fs::create_dir(scratch.join("sub")).unwrap();
    let mut command = scratch.command(["--quiet", "publish", "--load-date", DAYS[0], "--json"]);
    let ran = scratch.finish(command.current_dir(scratch.join("sub")).spawn().unwrap());
    assert_eq!(ran.succeeded().json()["runs"][0]["outcome"], "already_published");
}

#[test]
fn a_range_publishes_each_day_and_tombstones_what_is_gone() {
    let scratch = Scratch::sampled(3000);
    let range = format!("{}..{}", DAYS[0], DAYS[2]);
    let report = scratch.hivecast(["publish", "--load-date", &range, "--json"]).succeeded().json();
    let runs = report["runs"].as_array().unwrap();
    let days: Vec<&str> = runs.iter().map(|run| run["load_date"].as_str().unwrap()).collect();
    assert_eq!(days, DAYS);
    // What consumers hold in the end is exactly the last day's edition.
    let mut held = std::collections::BTreeMap::new();
    let mut tombstones = 0;
    for record in scratch.topic("topics", "mdm.contracts") {
        match record.value {
            Some(value) => {
                held.insert(record.key, value);
            }
            None => {
                tombstones += 1;
                held.remove(&record.key);
            }
        }
    }
    assert_eq!(held.len() as u64, runs[2]["edition"]["documents"].as_u64().unwrap());
    let sent: u64 = runs.iter().map(|run| run["publish"]["tombstones"].as_u64().unwrap()).sum();
    assert!(sent > 0 && sent == tombstones, "{sent} tombstones reported, {tombstones} found");

    let history = scratch.hivecast(["runs", "--json"]).succeeded().json();
    let outcomes: Vec<&Value> =
        history["runs"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["published"; 3]);
}

#[test]
fn a_range_stops_at_the_first_failure() {
    let scratch = Scratch::sampled(100);
    let ran = scratch.hivecast(["publish", "--load-date", "2026-11-22..2026-11-24", "--json"]);
    assert_eq!(ran.code, Some(20), "{}", ran.stderr);
    let report = ran.json();
    let runs = report["runs"].as_array().unwrap();
    let ended: Vec<(&str, &str)> = runs
        .iter()
        .map(|run| (run["load_date"].as_str().unwrap(), run["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(ended, [("2026-11-22", "published"), ("2026-11-23", "failed")]);
    assert_eq!(report["error"]["class"], "data");
}

#[test]
fn a_changed_input_is_a_conflict_until_it_is_replaced() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    let before = scratch.topic_files("topics");
    scratch
        .hivecast([
            "sample",
            "--accounts",
            "201",
            "--days",
            "1",
            "--seed",
            "8",
            "--load-date",
            DAYS[0],
            "--force",
        ])
        .succeeded();
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(50);
    assert!(said.contains("--replace"), "{said}");
    assert_eq!(scratch.topic_files("topics"), before, "nothing was sent");
    // The correction deletes more keys than the feed allows; its own breaker has to be told.
    scratch.edit("feeds/contracts.yaml", "mass_delete: { max: 5%", "mass_delete: { max: 100%");
    let report =
        scratch.hivecast(["publish", "--load-date", DAYS[0], "--replace", "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "published");
}

#[test]
fn build_sends_nothing_and_publish_reuses_what_it_built() {
    let scratch = Scratch::sampled(100);
    let built = scratch.hivecast(["build", "--load-date", "latest", "--json"]).succeeded().json();
    assert_eq!(built["runs"][0]["outcome"], "built");
    assert!(!scratch.join("topics").exists(), "build needs no target");
    let again = scratch.hivecast(["build", "--load-date", "latest", "--json"]).succeeded().json();
    assert_eq!(again["runs"][0]["outcome"], "reused");
    let published = scratch.hivecast(["publish", "--load-date", "latest", "--json"]).succeeded().json();
    assert_eq!(published["runs"][0]["edition"]["id"], built["runs"][0]["edition"]["id"]);
    assert_eq!(published["runs"][0]["edition"]["checksum"], built["runs"][0]["edition"]["checksum"]);
}

#[test]
fn a_failed_gate_sends_nothing_and_shows_why() {
    let scratch = Scratch::sampled(100);
    scratch.edit("feeds/contracts.yaml", "gates:\n", "gates:\n  row_count: { of: accounts, min: 1000000 }\n");
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(20);
    assert!(said.contains("FAIL") && said.contains("row_count of accounts"), "{said}");
    assert!(scratch.topic("topics", "mdm.contracts").is_empty());
    let history = scratch.hivecast(["runs", "--json"]).succeeded().json();
    assert_eq!(
        (&history["runs"][0]["outcome"], &history["runs"][0]["exit_code"]),
        (&"failed".into(), &20.into())
    );
}

#[test]
fn a_day_that_is_published_is_not_judged_again() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["publish", "--load-date", &format!("{}..{}", DAYS[0], DAYS[1])]).succeeded();
    let before = scratch.topic_files("topics");
    // A gate that no edition passes: it stops the next day, not one that is done, even superseded.
    scratch.edit("feeds/contracts.yaml", "gates:\n", "gates:\n  row_count: { of: accounts, min: 1000000 }\n");
    for day in &DAYS[..2] {
        let report = scratch.hivecast(["publish", "--load-date", day, "--json"]).succeeded().json();
        assert_eq!(report["runs"][0]["outcome"], "already_published");
        assert!(report["runs"][0]["gates"].as_array().is_some_and(|gates| !gates.is_empty()));
    }
    scratch.hivecast(["publish", "--load-date", DAYS[2]]).failed(20);
    assert_eq!(scratch.topic_files("topics"), before);
}

#[test]
fn an_older_day_does_not_overwrite_a_newer_one() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["publish", "--load-date", DAYS[1]]).succeeded();
    let before = scratch.topic_files("topics");
    insta::assert_snapshot!(scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(50), @r"
    error: load_date 2026-11-21 of feed contracts is published already: publishing 2026-11-20 would overwrite newer data
      help: publish with --replace to put the topic back to the older day
    ");
    assert_eq!(scratch.topic_files("topics"), before);
}

#[test]
fn a_newer_day_after_a_roll_back_is_not_published_already() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["publish", "--load-date", &format!("{}..{}", DAYS[0], DAYS[1])]).succeeded();
    scratch.hivecast(["publish", "--load-date", DAYS[0], "--replace"]).succeeded();
    let before = scratch.topic_files("topics");
    insta::assert_snapshot!(scratch.hivecast(["publish", "--load-date", DAYS[1]]).failed(50), @r"
    error: load_date 2026-11-21 of feed contracts was published, and then load_date 2026-11-20 was published over it: the topic does not hold it any more
      help: publish a later load_date, which replaces both, or publish 2026-11-21 with --replace to send it again over 2026-11-20
    ");
    assert_eq!(scratch.topic_files("topics"), before);
    scratch.hivecast(["publish", "--load-date", DAYS[2]]).succeeded();
}

/// A crash, another mask_key, and the same command again: two keys never mix in one edition.
#[test]
fn a_mask_key_that_changed_between_a_crash_and_its_resume_is_a_conflict() {
    let scratch = Scratch::sampled(500);
    scratch.edit("feeds/contracts.yaml", "envelope:\n", "chunks: { records: 100 }\n\nenvelope:\n");
    let mut command = scratch.command(["--quiet", "publish", "--load-date", DAYS[0]]);
    command.env("HIVECAST_CRASH_AT", "publish.after_commit:2");
    assert_eq!(scratch.finish(command.spawn().unwrap()).code, None, "killed");
    let (key, other) = ("mask_key: for-trying-out-only", "mask_key: another-for-trying-out");
    scratch.edit("hivecast.yaml", key, other);
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(50);
    assert!(
        said.contains("partly published (200 entries)") && said.contains("restore the mask_key"),
        "{said}"
    );
    scratch.edit("hivecast.yaml", other, key);
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "resumed");
    // Published whole, it is still not what the other key would send; nothing is built to say so.
    scratch.edit("hivecast.yaml", key, other);
    std::fs::remove_dir_all(scratch.join("editions")).unwrap();
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(50);
    assert!(said.contains("is published as edition") && said.contains("mask_key"), "{said}");
    assert!(!scratch.join("editions/contracts/load_date=2026-11-20").exists());
    let report =
        scratch.hivecast(["publish", "--load-date", DAYS[0], "--replace", "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "published");
    let ledger = scratch.read("topics/.ledger/contracts.ndjson");
    assert!(ledger.contains("mask_key") && !ledger.contains("trying-out"), "the ledger tells no key");
}

#[test]
fn a_damaged_previous_edition_is_told_and_stops_what_needs_it() {
    let scratch = Scratch::sampled(500);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    let damaged = scratch.files("editions").into_keys().find(|name| name.ends_with("edition.json")).unwrap();
    scratch.write(&format!("editions/{damaged}"), "{");
    let before = scratch.topic_files("topics");
    let failed = scratch.hivecast(["publish", "--load-date", DAYS[1], "--json"]);
    assert_eq!(failed.code, Some(20), "{}", failed.stderr);
    let report = failed.json();
    let warnings = report["runs"][0]["warnings"].to_string();
    assert!(warnings.contains("is damaged in the store") && warnings.contains("are skipped"), "{warnings}");
    let error = report["error"].to_string();
    assert!(error.contains("is on the topic and damaged in the store"), "{error}");
    assert!(error.contains("hivecast build") && error.contains("edition.json"), "{error}");
    assert_eq!(scratch.topic_files("topics"), before, "nothing was sent");
    let report = scratch.hivecast(["build", "--load-date", DAYS[1], "--json"]).succeeded().json();
    let warnings = report["runs"][0]["warnings"].to_string();
    assert!(warnings.contains("which is no whole edition"), "{warnings}");
    // Built again it takes the damaged one's place.
    scratch.hivecast(["build", "--load-date", DAYS[0]]).succeeded();
    let report = scratch.hivecast(["publish", "--load-date", DAYS[1], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["warnings"].as_array().map(Vec::len), Some(0), "{report}");
    // With --replace a damaged one is done without, and that is told.
    scratch.write(&format!("editions/{damaged}"), "{");
    let last = scratch
        .files("editions")
        .into_keys()
        .find(|name| name.contains(DAYS[1]) && name.ends_with("edition.json"));
    scratch.write(&format!("editions/{}", last.unwrap()), "{");
    let report =
        scratch.hivecast(["publish", "--load-date", DAYS[2], "--replace", "--json"]).succeeded().json();
    let warnings = report["runs"][0]["warnings"].to_string();
    assert!(warnings.contains("get no tombstone"), "{warnings}");
}

/// Gates that changed have an edition built and judged again; what was sent of it stays what it was.
#[test]
fn building_a_published_edition_again_is_told_and_keeps_what_was_set_aside() {
    let scratch = Scratch::sampled(300);
    scratch.edit(
        "feeds/contracts.yaml",
        "gates:\n",
        "gates:\n  document_size: { max: 1500, severity: quarantine }\n",
    );
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let sent = report["runs"][0]["manifest"]["entries"].clone();
    assert!(sent.as_str().is_some_and(|sent| !sent.is_empty()));
    scratch.edit("feeds/contracts.yaml", "gates:\n", "gates:\n  row_count: { of: accounts, min: 1 }\n");
    let report = scratch.hivecast(["build", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "built");
    let warnings = report["runs"][0]["warnings"].to_string();
    assert!(warnings.contains("was judged by other gates"), "{warnings}");
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let run = &report["runs"][0];
    assert_eq!((run["outcome"].as_str(), &run["manifest"]["entries"]), (Some("already_published"), &sent));
    assert_eq!(run["warnings"].as_array().map(Vec::len), Some(0), "{run}");
    // A list that was lost is told, as the next edition's tombstones are found by it.
    let list = scratch.files("editions").into_keys().find(|name| name.ends_with("excluded.ndjson")).unwrap();
    std::fs::remove_file(scratch.join(&format!("editions/{list}"))).unwrap();
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let warnings = report["runs"][0]["warnings"].to_string();
    assert!(warnings.contains("sets aside other documents"), "{warnings}");
}

#[test]
fn a_base_that_is_gone_from_the_store_is_a_conflict() {
    let scratch = Scratch::sampled(500);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    let edition = scratch.join(&format!("editions/contracts/load_date={}", DAYS[0]));
    std::fs::remove_dir_all(edition).unwrap();
    let before = scratch.topic_files("topics");
    let said = scratch.hivecast(["publish", "--load-date", DAYS[1]]).failed(50);
    assert!(said.contains("is on the topic and not in the store"), "{said}");
    assert_eq!(scratch.topic_files("topics"), before, "nothing was sent");
    // Built again from the same inputs, it is the same edition.
    scratch.hivecast(["build", "--load-date", DAYS[0]]).succeeded();
    let report = scratch.hivecast(["publish", "--load-date", DAYS[1], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "published");
}

#[test]
fn the_target_made_again_is_a_conflict_until_replaced() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    std::fs::remove_dir_all(scratch.join("topics/mdm.contracts")).unwrap();
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(50);
    assert!(said.contains("deleted and made again"), "{said}");
    let report =
        scratch.hivecast(["publish", "--load-date", DAYS[0], "--replace", "--json"]).succeeded().json();
    let documents = report["runs"][0]["edition"]["documents"].as_u64().unwrap();
    assert_eq!(scratch.topic("topics", "mdm.contracts").len() as u64, documents);
}

#[test]
fn what_a_gate_sets_aside_is_counted_and_not_sent() {
    let scratch = Scratch::sampled(200);
    let all = scratch.hivecast(["build", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let all = all["runs"][0]["edition"]["documents"].as_u64().unwrap();
    let gate = "gates:\n  document_size: { max: 1500, severity: quarantine }\n";
    scratch.edit("feeds/contracts.yaml", "gates:\n", gate);
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let edition = &report["runs"][0]["edition"];
    let aside = edition["quarantined"].as_u64().unwrap();
    assert!((1..all).contains(&aside), "{aside} of {all}");
    assert_eq!(edition["documents"].as_u64().unwrap() + aside, all);
    let sizes = std::fs::read_dir(scratch.join("topics/mdm.contracts")).unwrap().flatten();
    let sizes = sizes.filter(|file| file.path().extension().is_some_and(|ending| ending == "ndjson"));
    for file in sizes {
        for line in std::fs::read_to_string(file.path()).unwrap().lines() {
            let value = line.split_once(",\"value\":").unwrap().1;
            let key = line.split_once("\"key\":\"").unwrap().1.split_once('"').unwrap().0;
            assert!(value.len() - 1 + key.len() <= 1500, "{line}");
        }
    }
    assert_eq!(scratch.topic("topics", "mdm.contracts").len() as u64, all - aside);
}

#[test]
fn building_ahead_never_removes_what_is_published() {
    let scratch = Scratch::example();
    scratch.hivecast(["sample", "--accounts", "100", "--days", "9", "--load-date", "2026-11-28"]).succeeded();
    scratch.hivecast(["publish", "--load-date", "2026-11-20"]).succeeded();
    scratch.hivecast(["build", "--load-date", "2026-11-21..2026-11-28"]).succeeded();
    let report = scratch.hivecast(["publish", "--load-date", "2026-11-28", "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "published");
    // Publishing prunes: of the days that were built ahead, the last seven stay.
    let left = scratch.files("editions");
    let stays = |day: u32| {
        left.keys().any(|name| name.contains(&format!("2026-11-{day}")) && name.ends_with(".parquet"))
    };
    assert!(!stays(21) && (22..=28).all(stays), "{:?}", left.keys());
}

#[test]
fn retention_keeps_what_is_asked_and_what_is_published() {
    let scratch = Scratch::sampled(50);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    scratch.hivecast(["build", "--load-date", DAYS[1]]).succeeded();
    scratch.hivecast(["build", "--load-date", DAYS[2]]).succeeded();
    let editions = |scratch: &Scratch| {
        let files = scratch.files("editions");
        DAYS.map(|day| files.keys().any(|name| name.contains(day) && name.ends_with("edition.json")))
    };
    let told = scratch.hivecast(["prune", "--keep", "1", "--dry-run"]).succeeded().stdout;
    assert!(told.starts_with("would remove edition "), "{told}");
    assert_eq!(editions(&scratch), [true, true, true]);
    scratch.hivecast(["prune", "--keep", "1"]).succeeded();
    assert_eq!(editions(&scratch), [true, false, true], "the published one stays, whatever its age");
}

#[test]
fn reading_is_told_before_writing() {
    let scratch = Scratch::sampled(100);
    let ran = scratch.finish(scratch.command(["build", "--load-date", DAYS[0], "--json"]).spawn().unwrap());
    let report = ran.json();
    let tables = report["runs"][0]["edition"]["tables"].as_array().unwrap();
    let rows: u64 = tables.iter().map(|table| table["rows_read"].as_u64().unwrap()).sum();
    assert!(ran.stderr.contains(&format!("engine: {rows} rows\n")), "{}", ran.stderr);
    let documents = report["runs"][0]["edition"]["documents"].as_u64().unwrap();
    assert!(ran.stderr.contains(&format!(", {documents} records\n")), "{}", ran.stderr);
}

/// After a roll-back the day that consumers have is not the newest; asking for the newer one says so.
#[test]
fn verify_knows_a_roll_back_and_what_is_begun() {
    let scratch = Scratch::sampled(300);
    scratch.edit("feeds/contracts.yaml", "envelope:\n", "chunks: { records: 50 }\n\nenvelope:\n");
    for day in &DAYS[..2] {
        scratch.hivecast(["publish", "--load-date", day]).succeeded();
    }
    scratch.hivecast(["publish", "--load-date", DAYS[0], "--replace"]).succeeded();
    let verified = scratch.hivecast(["verify", "--json"]).succeeded().json();
    assert_eq!(verified["runs"][0]["load_date"], DAYS[0], "the day that was published last");
    assert_eq!(verified["runs"][0]["warnings"].as_array().map(Vec::len), Some(0), "{verified}");
    let verified = scratch.hivecast(["verify", "--load-date", DAYS[1], "--json"]).succeeded().json();
    let warnings = verified["runs"][0]["warnings"].to_string();
    assert!(warnings.contains("load_date 2026-11-20 was published over load_date 2026-11-21"), "{warnings}");

    let mut command = scratch.command(["--quiet", "publish", "--load-date", DAYS[2]]);
    command.env("HIVECAST_CRASH_AT", "publish.after_commit:2");
    scratch.finish(command.spawn().unwrap());
    let verified = scratch.hivecast(["verify", "--json"]).succeeded().json();
    let warnings = verified["runs"][0]["warnings"].to_string();
    assert!(warnings.contains("load_date 2026-11-22 is begun and not complete"), "{warnings}");
    let told = scratch.hivecast(["doctor"]).succeeded().stdout;
    assert!(told.contains("load_date 2026-11-22 is begun and not complete: 2 chunks committed"), "{told}");
    scratch.hivecast(["publish", "--load-date", DAYS[2]]).succeeded();
    let told = scratch.hivecast(["doctor"]).succeeded().stdout;
    assert!(!told.contains("is begun"), "{told}");
}

/// Nothing removes records from a directory by itself: a tombstone that is gone was lost.
#[test]
fn verify_finds_tombstones_that_a_directory_lost() {
    let scratch = Scratch::sampled(300);
    for day in &DAYS[..2] {
        scratch.hivecast(["publish", "--load-date", day]).succeeded();
    }
    let lost =
        (0..6).map(|partition| format!("topics/mdm.contracts/partition-{partition}.ndjson")).find(|file| {
            let text = scratch.read(file);
            let Some(kept) = text.trim_end().rfind('\n').filter(|_| text.ends_with("null}\n")) else {
                return false;
            };
            scratch.write(file, &text[..=kept]);
            true
        });
    assert!(lost.is_some(), "some partition ends with a tombstone");
    let said = scratch.hivecast(["verify"]).failed(20);
    assert!(said.contains("partition"), "{said}");
}
