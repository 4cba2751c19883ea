//! The suite's seeded tests, with other seeds and for longer, and those that are too long for the suite.

use std::time::{Duration, Instant};

use crate::tests;

/// How long it runs when nothing is said.
const DEFAULT_MINUTES: u64 = 30;
/// Kills that must hit in each round, besides those at every named point.
const KILLS: u32 = 60;
/// Random schedules in each round, each of many editions with crashes between them.
const SCHEDULES: u32 = 40;

/// Runs rounds until the time is over or one fails; a failure names the seed that repeats it.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let (mut minutes, mut seed) = (DEFAULT_MINUTES, 1u64);
    for pair in words.chunks(2) {
        match pair {
            [flag, value] if flag == "--minutes" => minutes = number(value)?,
            [flag, value] if flag == "--seed" => seed = number(value)?,
            _ => return Err(format!("torture: {pair:?} is not known; it takes --minutes N and --seed S")),
        }
    }
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    loop {
        println!("torture: seed {seed}");
        let status = tests(&["killed", "random", "--include-ignored"])
            .env("HIVECAST_TORTURE_SEED", seed.to_string())
            .env("HIVECAST_TORTURE_KILLS", KILLS.to_string())
            .env("HIVECAST_TORTURE_SCHEDULES", SCHEDULES.to_string())
            .status()
            .map_err(|error| format!("torture: failed to start the tests: {error}"))?;
        if !status.success() {
            return Err(format!("torture: failed; repeat it with --seed {seed}"));
        }
        seed += 1;
        if Instant::now() >= end {
            println!("torture: every round passed; the next seed is {seed}");
            return Ok(());
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("torture: {text:?} is no number: {error}"))
}
