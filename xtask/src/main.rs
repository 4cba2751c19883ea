//! Commands for contributors: `cargo xtask torture`, `cargo xtask planted-bugs`.

mod planted;
mod torture;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  torture [--minutes N] [--seed S]   kills and random schedules, over and over with new seeds
  planted-bugs [NAME...]             breaks the code on purpose, one bug at a time, and shows which
                                     tests notice; needs a clean work tree
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.split_first() {
        Some((command, rest)) if command == "torture" => torture::run(rest),
        Some((command, rest)) if command == "planted-bugs" => planted::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `cargo test` over the whole workspace (one set of features, so nothing is compiled twice), with
/// the real services running.
fn tests(filter: &[&str]) -> Command {
    let mut command = Command::new(root().join("dev/with-services"));
    command.current_dir(root());
    command.args([
        "cargo",
        "test",
        "--release",
        "--locked",
        "--workspace",
        "--no-fail-fast",
        "--tests",
        "--lib",
    ]);
    command.arg("--").args(filter);
    command
}
