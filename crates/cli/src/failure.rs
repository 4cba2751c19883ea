//! How a failure is told: to people on standard error, to programs as JSON on standard output, and
//! to the shell as an exit code.

use std::error::Error;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use hivecast_edition::gates;
use hivecast_feed::{Color, Diagnostics};
use hivecast_report::{ErrorReport, REPORT_VERSION, Report, Summary};
use hivecast_run::{Class, Fault, panic_is_caught};

use crate::args::Global;
use crate::logging::{printed, write_stdout};

/// What is said of our own mistakes.
const BUG: &str = "this is a bug in hivecast; please report it with the lines above";

/// A failed command: the fault, and the runs that were done before it.
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    pub(crate) done: Vec<Summary>,
    /// What programs are told instead of a report of runs; the error is added to it.
    pub(crate) report: Option<Box<serde_json::Map<String, serde_json::Value>>>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Failed { fault, done: Vec::new(), report: None }
    }
}

/// For whom results and failures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Text.
    People,
    /// One JSON object on standard output.
    Programs,
}

impl Output {
    pub(crate) fn of(global: &Global) -> Self {
        if global.json { Output::Programs } else { Output::People }
    }

    /// Tells the failure, and gives its exit code.
    pub(crate) fn fail(self, failed: &Failed) -> ExitCode {
        let color = color();
        let stopped = failed.done.last().filter(|run| gates::verdict(&run.gates).is_err());
        let gates = stopped.map_or(String::new(), |run| gates::table(&run.gates));
        // Nobody may be reading standard error; the exit code says it too.
        let _ = std::io::stderr().write_all((gates + &text(&failed.fault, color)).as_bytes());
        if self == Output::Programs {
            let error = error_report(&failed.fault);
            let text = match &failed.report {
                Some(report) => {
                    let mut report = (**report).clone();
                    report.insert("error".to_owned(), serde_json::to_value(error).unwrap_or_default());
                    json_line(&report)
                }
                None => json_line(&Report {
                    version: REPORT_VERSION,
                    runs: failed.done.clone(),
                    error: Some(error),
                }),
            };
            // The failure's own exit code matters more than whether anyone reads about it.
            let _ = write_stdout(&text);
        }
        ExitCode::from(failed.fault.class().exit_code())
    }
}

/// Colour for a terminal that knows it and a person who wants it (no-color.org).
fn color() -> Color {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if std::io::stderr().is_terminal() && !unwanted && !dumb { Color::Ansi } else { Color::Plain }
}

/// Tells a mistake on the command line, or the help that was asked for. Where the line asks for JSON,
/// programs get their object too.
pub(crate) fn refuse(error: &clap::Error, line: impl Iterator<Item = OsString>) -> ExitCode {
    let told = error.print();
    if !error.use_stderr() {
        return match printed(told) {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => Output::People.fail(&fault.into()),
        };
    }
    let told = error.render().to_string();
    // What is missing stands on lines of its own, below the first and above the usage.
    let what: Vec<&str> = told
        .trim_start_matches("error: ")
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let fault = Fault::usage(what.join(" "));
    if line.into_iter().any(|word| word == "--json") {
        let report = Report { version: REPORT_VERSION, runs: Vec::new(), error: Some(error_report(&fault)) };
        let _ = write_stdout(&json_line(&report));
    }
    ExitCode::from(fault.class().exit_code())
}

/// One JSON object, indented, with a line break behind it.
pub(crate) fn json_line(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_else(|error| {
        // Only a map with keys that are no text could fail, and no report has one.
        format!("{{\"error\":{{\"class\":\"bug\",\"exit_code\":1,\"message\":{:?}}}}}", error.to_string())
    });
    text.push('\n');
    text
}

/// The mistakes of a feed or project file that a fault stands for.
pub(crate) fn mistakes(fault: &Fault) -> Option<&Diagnostics> {
    let mut cause = fault.source();
    while let Some(error) = cause {
        if let Some(mistakes) = error.downcast_ref() {
            return Some(mistakes);
        }
        cause = error.source();
    }
    None
}

fn text(fault: &Fault, color: Color) -> String {
    if let Some(mistakes) = mistakes(fault) {
        return format!("{}\n", mistakes.render(color));
    }
    let mut text = format!("error: {}\n", fault.chain());
    if let Some(advice) = fault.advice() {
        text.push_str(&format!("  help: {}\n", advice.replace('\n', "\n        ")));
    }
    if fault.class() == Class::Bug {
        text.push_str(&format!("  {BUG}\n"));
    }
    text
}

fn error_report(fault: &Fault) -> ErrorReport {
    ErrorReport {
        class: class_name(fault.class()),
        exit_code: fault.class().exit_code(),
        message: fault.chain(),
        help: fault.advice().map(str::to_owned),
        mistakes: mistakes(fault)
            .and_then(|mistakes| serde_json::to_value(mistakes).ok())
            .and_then(|list| serde_json::from_value(list).ok())
            .unwrap_or_default(),
    }
}

pub(crate) fn class_name(class: Class) -> &'static str {
    match class {
        Class::Bug => "bug",
        Class::Usage => "usage",
        Class::Infrastructure => "infrastructure",
        Class::Data => "data",
        Class::Denied => "denied",
        Class::Held => "held",
        Class::Conflict => "conflict",
        Class::Interrupted => "interrupted",
    }
}

/// A panic is a bug of ours, in whichever thread: say so, and end with its exit code. What a run
/// leaves then is what a crash leaves, which the next run resumes from.
pub(crate) fn report_panics_as_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        if panic_is_caught() {
            return;
        }
        let backtrace = std::backtrace::Backtrace::capture();
        let mut text = format!("error: {panic}\n  {BUG}\n");
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            text.push_str(&format!("{backtrace}\n"));
        }
        // A second panic, for a standard error that is gone, would abort with another exit code.
        let _ = std::io::stderr().write_all(text.as_bytes());
        std::process::exit(i32::from(Class::Bug.exit_code()));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_for_people() {
        let fault =
            Fault::data("failed to build feed contracts").because("no footer").advise("export it\nagain");
        assert_eq!(
            text(&fault, Color::Plain),
            "error: failed to build feed contracts: no footer\n  help: export it\n        again\n"
        );
        assert!(
            text(&Fault::bug("lost count"), Color::Plain)
                .ends_with("bug in hivecast; please report it with the lines above\n")
        );
    }

    #[test]
    fn a_failure_for_programs() {
        let fault = Fault::held("another run holds feed contracts").advise("wait for it");
        assert_eq!(
            serde_json::to_value(error_report(&fault)).unwrap(),
            serde_json::json!({
                "class": "held", "exit_code": 40,
                "message": "another run holds feed contracts", "help": "wait for it",
            })
        );
    }
}
