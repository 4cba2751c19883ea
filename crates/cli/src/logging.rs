//! Log lines on standard error.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use hivecast_report::{Bars, Lines};
use hivecast_run::{Clock, Fault, Result, Silent, Sink};
use tracing_subscriber::EnvFilter;

use crate::args::Global;

/// The variable with the log filter, in the syntax of `tracing_subscriber::EnvFilter`.
const FILTER: &str = "HIVECAST_LOG";

/// How a run tells its progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Bars, for a person at a terminal.
    Bars,
    /// Log lines.
    Lines,
    /// Nothing.
    Silent,
}

/// What [`start`] decided.
static PROGRESS: OnceLock<Progress> = OnceLock::new();

/// Decides how progress is told, and starts logging where it is by lines.
pub(crate) fn start(global: &Global) -> Progress {
    *PROGRESS.get_or_init(|| decide(global))
}

fn decide(global: &Global) -> Progress {
    let filter = std::env::var(FILTER).ok().filter(|filter| !filter.is_empty());
    if global.quiet {
        return Progress::Silent;
    }
    if std::io::stderr().is_terminal() && !global.verbose && filter.is_none() {
        return Progress::Bars;
    }
    let default = if global.verbose { "debug" } else { "hivecast=info,warn" };
    let filter = filter.as_deref().unwrap_or(default);
    let (filter, wrong) = match EnvFilter::try_new(filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would tell on standard error that standard error is gone, and panic.
        .log_internal_errors(false);
    // Only a second start could fail, and there is none.
    let _ = subscriber.try_init();
    if let Some(error) = wrong {
        tracing::warn!(target: "hivecast", "{FILTER} is no log filter and is ignored: {error}");
    }
    Progress::Lines
}

/// A warning of who has no sink, such as a client that waits for its server.
pub(crate) fn warn(text: &str) {
    match PROGRESS.get() {
        Some(Progress::Lines) => tracing::warn!(target: "hivecast", "{text}"),
        // Bars are drawn again below it. Nobody may be reading standard error.
        Some(Progress::Bars) => drop(writeln!(std::io::stderr(), "warning: {text}")),
        Some(Progress::Silent) | None => {}
    }
}

/// The sink for a way of telling progress.
pub(crate) fn sink<'a>(progress: Progress, clock: &'a dyn Clock) -> Box<dyn Sink + 'a> {
    match progress {
        Progress::Bars => Box::new(Bars::stderr()),
        Progress::Lines => Box::new(Lines::new(clock)),
        Progress::Silent => Box::new(Silent),
    }
}

/// Writes what a command that succeeded has to say to standard output. A reader that went away
/// (`hivecast runs | head -1`) has what it wanted, as with other tools; any other failure to write is
/// one of the command, since somebody waits for the text.
pub(crate) fn print(text: &str) -> Result<()> {
    printed(write_stdout(text))
}

/// What became of text that was asked for.
pub(crate) fn printed(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Fault::infrastructure("failed to write to standard output").because(error))
        }
        _ => Ok(()),
    }
}

/// Writes all of it, or says why not.
pub(crate) fn write_stdout(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
