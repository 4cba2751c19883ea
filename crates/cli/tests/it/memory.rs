//! The memory limit holds for the process, also where one account has most of the parties; and what
//! is built with little memory is what is built with much.

use std::fmt::Write;

use crate::support::Scratch;

/// What a process may have beyond its limit: the program itself, thread stacks, the allocator's slack.
const BEYOND_LIMIT_MIB: u64 = 150;
/// Some 150 MiB in memory: more than any limit below leaves for rows.
const ACCOUNTS: &str = "190000";
/// Some 40 MiB that can't be cut.
const SKEWED_PARTIES: &str = "200000";
const DAY: &str = "2026-11-22";

struct Built {
    peak_mib: u64,
    checksum: String,
}

fn build(scratch: &Scratch, memory: &str) -> Built {
    let build = ["build", "--load-date", DAY, "--memory", memory, "--threads", "2", "--json"];
    let run = scratch.hivecast(build).succeeded().json();
    std::fs::remove_dir_all(scratch.join("editions")).unwrap();
    let run = &run["runs"][0];
    Built {
        peak_mib: run["peak_memory_bytes"].as_u64().unwrap() >> 20,
        checksum: run["edition"]["checksum"].as_str().unwrap().to_owned(),
    }
}

fn export(extra: &[&str]) -> Scratch {
    let scratch = Scratch::example();
    let sample = ["sample", "--accounts", ACCOUNTS, "--days", "1", "--load-date", DAY];
    scratch.hivecast(sample.iter().chain(extra).copied()).succeeded();
    scratch
}

#[test]
fn the_memory_limit_holds_for_the_process() {
    let scratch = export(&[]);
    let whole = build(&scratch, "4GiB");
    let bounded = build(&scratch, "64MiB");
    assert!(whole.peak_mib > 64 + BEYOND_LIMIT_MIB, "it must not fit: {} MiB", whole.peak_mib);
    assert!(bounded.peak_mib <= 64 + BEYOND_LIMIT_MIB, "{} MiB", bounded.peak_mib);
    assert_eq!(bounded.checksum, whole.checksum);
}

/// A stripe's columns and a block are in memory as a whole, in each thread.
#[test]
fn the_memory_limit_holds_for_orc_and_avro() {
    for format in ["orc", "avro"] {
        bounded(&export(&["--format", format]), 64);
    }
}

#[test]
fn the_memory_limit_holds_where_one_key_has_most_of_the_rows() {
    let scratch = export(&["--skew", SKEWED_PARTIES]);
    let whole = build(&scratch, "4GiB");
    let bounded = build(&scratch, "300MiB");
    assert!(bounded.peak_mib <= 300 + BEYOND_LIMIT_MIB, "{} MiB", bounded.peak_mib);
    assert_eq!(bounded.checksum, whole.checksum);
    let told = scratch.hivecast(["build", "--load-date", DAY, "--memory", "64MiB"]).failed(2);
    assert!(told.contains("--memory") && told.contains("or more"), "{told}");
}

/// A project of one feed over text tables of its own.
fn project(feed: &str, tables: &[(&str, String)]) -> Scratch {
    let scratch = Scratch::example();
    std::fs::write(scratch.join("feeds/contracts.yaml"), feed).unwrap();
    for (table, text) in tables {
        let partition = scratch.join(&format!("warehouse/{table}/load_date={DAY}"));
        std::fs::create_dir_all(&partition).unwrap();
        std::fs::write(partition.join("part-0.csv"), text).unwrap();
    }
    scratch
}

/// Builds with the least memory and with much; both the same, the first within its limit.
fn bounded(scratch: &Scratch, memory_mib: u64) {
    let bounded = build(scratch, &format!("{memory_mib}MiB"));
    assert!(bounded.peak_mib <= memory_mib + BEYOND_LIMIT_MIB, "{} MiB", bounded.peak_mib);
    assert_eq!(bounded.checksum, build(scratch, "4GiB").checksum);
}

/// Text that no compression makes much smaller.
fn noise(seed: usize, bytes: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8 % 42)
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn the_memory_limit_holds_for_documents_of_a_mebibyte() {
    let feed = "
feed: contracts
topic: documents
partitions: 1
tables:
  accounts: { source: accounts, format: text, header: true }
  notes: { source: notes, format: text, header: true }
document:
  from: accounts
  key: account_id
  fields:
    text: text
    notes: { many: notes, on: account_id, key: note_id, fields: { note: note } }
";
    let (mut accounts, mut notes) = ("account_id,text\n".to_owned(), "note_id,account_id,note\n".to_owned());
    for n in 0..300 {
        let _ = writeln!(accounts, "a{n},{}", noise(n, 500_000));
        let _ = writeln!(notes, "n{n},a{},{}", n * 7 % 300, noise(n, 500_000));
    }
    bounded(&project(feed, &[("accounts", accounts), ("notes", notes)]), 128);
}

#[test]
fn the_memory_limit_holds_where_most_documents_are_set_aside() {
    let feed = "
feed: contracts
topic: documents
partitions: 1
tables:
  accounts: { source: accounts, format: text, header: true }
document:
  from: accounts
  key: account_id
  fields: { id: account_id }
gates:
  document_key: { severity: quarantine }
  allowed: { of: accounts, column: state, values: [open], severity: quarantine }
  sql: { name: closed, query: \"select account_id from accounts where state = 'closed'\", severity: quarantine }
";
    let mut accounts = "account_id,state\n".to_owned();
    for n in 0..1_500_000 {
        let _ = writeln!(
            accounts,
            "an-account-with-a-long-number-{:08},{}",
            n / 2 * 2,
            ["closed", "open"][n / 2 % 2]
        );
    }
    bounded(&project(feed, &[("accounts", accounts)]), 64);
}

/// What an expression makes of a row is not in the input's size.
#[test]
fn the_memory_limit_holds_where_an_expression_makes_much_of_little() {
    let feed = "
feed: contracts
topic: documents
partitions: 1
tables:
  accounts: { source: accounts, format: text, header: true }
document:
  from: accounts
  key: account_id
  fields:
    text: repeat(account_id, 200000)
";
    let mut accounts = "account_id\n".to_owned();
    for n in 1_000..3_000 {
        let _ = writeln!(accounts, "a{n}");
    }
    let scratch = project(feed, &[("accounts", accounts)]);
    let run =
        scratch.hivecast(["build", "--load-date", DAY, "--memory", "128MiB", "--threads", "2", "--json"]);
    assert_eq!(run.code, Some(2), "400 MB of rows are refused: {}", run.stderr);
    let peak_mib = run.json()["runs"][0]["peak_memory_bytes"].as_u64().unwrap() >> 20;
    assert!(peak_mib <= 128 + BEYOND_LIMIT_MIB, "{peak_mib} MiB");
}
