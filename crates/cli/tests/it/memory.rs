//! The memory limit holds for the process, also where one account has most of the parties; and what
//! is built with little memory is what is built with much.

use crate::support::Scratch;

/// What a process may have beyond its limit: the program itself, thread stacks, the allocator's slack.
const BEYOND_LIMIT_MIB: u64 = 150;
/// Some 120 MiB in memory: more than any limit below leaves for rows.
const ACCOUNTS: &str = "150000";
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
