//! The runs of a feed: one JSON line each, in `runs.ndjson` beside its editions.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat};
use hivecast_report::PastRun;
use hivecast_run::{Context, Fault, Result};

/// The history's file, in the feed's directory of the store.
const RUNS_FILE: &str = "runs.ndjson";

/// The version of a line.
pub(crate) const PAST_RUN_VERSION: u32 = 1;

/// A feed's history.
pub(crate) struct History {
    path: PathBuf,
}

impl History {
    pub(crate) fn new(store: &Path, feed: &str) -> Self {
        History { path: store.join(feed).join(RUNS_FILE) }
    }

    /// Adds a run. A history that can't be written is worth a warning and must not fail a run that
    /// has done its work.
    pub(crate) fn add(&self, run: &PastRun, context: &Context<'_>) {
        if let Err(error) = self.append(run) {
            context.warn(format!("failed to add this run to {}: {error}", self.path.display()));
        }
    }

    fn append(&self, run: &PastRun) -> std::io::Result<()> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut line = serde_json::to_string(run)?;
        line.push('\n');
        // One write of one line: concurrent runs do not tear each other's.
        OpenOptions::new().create(true).append(true).open(&self.path)?.write_all(line.as_bytes())
    }

    /// The last `limit` runs, oldest first. A line that is none (a write that a full disk or a crash
    /// cut short) is passed over with a warning.
    pub(crate) fn last(&self, limit: usize, context: &Context<'_>) -> Result<Vec<PastRun>> {
        let text = match fs::read(&self.path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Fault::io(format!("failed to read the history {}", self.path.display()), error));
            }
        };
        let mut runs = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            match serde_json::from_str(line) {
                Ok(run) => runs.push(run),
                Err(error) => {
                    context.warn(format!(
                        "passed over line {} of {}: {error}",
                        number + 1,
                        self.path.display()
                    ));
                }
            }
        }
        let spare = runs.len().saturating_sub(limit);
        Ok(runs.split_off(spare))
    }
}

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn rfc3339(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use hivecast_run::{Cancel, Event, FixedClock, Level, Sink};

    use super::*;

    #[derive(Default)]
    struct Warnings(std::sync::Mutex<Vec<String>>);

    impl Sink for Warnings {
        fn event(&self, event: &Event) {
            if let Event::Note { level: Level::Warn, text } = event {
                self.0.lock().unwrap().push(text.clone());
            }
        }
    }

    fn past_run(load_date: &str) -> PastRun {
        PastRun {
            version: PAST_RUN_VERSION,
            started: rfc3339(1_795_390_200_000),
            command: "publish".to_owned(),
            env: "local".to_owned(),
            feed: "contracts".to_owned(),
            load_date: load_date.to_owned(),
            edition: None,
            outcome: "failed".to_owned(),
            exit_code: 20,
            error: Some("no such partition".to_owned()),
            documents: None,
            bytes: None,
            seconds: 0.5,
            steps: Vec::new(),
            peak_memory_bytes: None,
            record: None,
        }
    }

    #[test]
    fn the_last_runs_come_back_and_a_torn_line_is_passed_over() {
        let store = tempfile::tempdir().unwrap();
        let (warnings, cancel) = (Warnings::default(), Cancel::default());
        let context = Context { sink: &warnings, cancel: &cancel, clock: &FixedClock(0) };
        let history = History::new(store.path(), "contracts");
        assert_eq!(history.last(5, &context).unwrap(), []);
        history.add(&past_run("2026-11-20"), &context);
        history.add(&past_run("2026-11-21"), &context);
        let path = store.path().join("contracts").join(RUNS_FILE);
        let torn = fs::read_to_string(&path).unwrap() + "{\"version\":1,\"star\n";
        fs::write(&path, torn).unwrap();
        history.add(&past_run("2026-11-22"), &context);
        let dates: Vec<String> =
            history.last(2, &context).unwrap().into_iter().map(|run| run.load_date).collect();
        assert_eq!(dates, ["2026-11-21", "2026-11-22"]);
        assert_eq!(warnings.0.lock().unwrap().len(), 1);
        assert_eq!(past_run("").started, "2026-11-22T23:30:00.000Z");
    }

    #[test]
    fn a_history_that_cannot_be_written_only_warns() {
        let store = tempfile::tempdir().unwrap();
        fs::write(store.path().join("contracts"), "in the way").unwrap();
        let (warnings, cancel) = (Warnings::default(), Cancel::default());
        let context = Context { sink: &warnings, cancel: &cancel, clock: &FixedClock(0) };
        History::new(store.path(), "contracts").add(&past_run("2026-11-22"), &context);
        assert_eq!(warnings.0.lock().unwrap().len(), 1);
    }
}
