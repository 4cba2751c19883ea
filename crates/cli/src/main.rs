//! The `hivecast` binary: arguments resolved once, then one call. It wires the rooms together,
//! and is the only place that knows them all; what they do, they know best.

mod allocator;
mod args;
mod cancel;
mod check;
mod dates;
mod days;
mod doctor;
mod edition;
mod explain;
mod failure;
mod feed_file;
mod generate;
mod history;
mod init;
mod logging;
mod machine;
mod old_glibc;
mod plan;
mod preview;
mod project;
mod prune;
mod publish;
mod records;
mod run;
mod runs;
mod sample;
mod schema;
mod secrets;
mod tables;
mod verify;

use std::process::ExitCode;

/// Many threads allocate columns and records at once; the system's allocator keeps what they free.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    failure::report_panics_as_bugs();
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return failure::refuse(&error, std::env::args_os()),
    };
    let output = failure::Output::of(&cli.global);
    match run::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => output.fail(&failed),
    }
}
