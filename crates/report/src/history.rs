use serde::{Deserialize, Serialize};

use crate::layout::table;
use hivecast_run::format::{bytes, count, seconds};

/// Seconds spent in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    /// The step's name: `check`, `warehouse`, `engine`, `gates`, `publish`, `verify`.
    pub step: String,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// One run as the history keeps it: a line of `runs.ndjson`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRun {
    /// The version of this record: 1.
    pub version: u32,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// `build`, `publish` or `verify`.
    pub command: String,
    /// The environment's name.
    pub env: String,
    /// The feed's name.
    pub feed: String,
    /// The day, `YYYY-MM-DD`.
    pub load_date: String,
    /// The edition, once it was known.
    pub edition: Option<String>,
    /// How it ended: an outcome of the summary, or `failed`.
    pub outcome: String,
    /// The exit code.
    pub exit_code: u8,
    /// What failed.
    pub error: Option<String>,
    /// Documents of the edition.
    pub documents: Option<u64>,
    /// Bytes of keys and values that this run sent.
    pub bytes: Option<u64>,
    /// Wall-clock seconds of the run.
    pub seconds: f64,
    /// And of each step.
    pub steps: Vec<StepTime>,
    /// The most memory the process held, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// What was foretold of it, beside what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<hivecast_estimate::Record>,
}

/// Past runs as a table, in the order given.
pub fn runs_table(runs: &[PastRun]) -> String {
    let head = [
        "started (UTC)",
        "command",
        "load_date",
        "edition",
        "outcome",
        "exit",
        "documents",
        "sent",
        "time",
        "memory",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let dash = || "-".to_owned();
    rows.extend(runs.iter().map(|run| {
        vec![
            run.started.get(..19).unwrap_or(&run.started).replace('T', " "),
            run.command.clone(),
            run.load_date.clone(),
            run.edition.clone().unwrap_or_else(dash),
            run.outcome.clone(),
            run.exit_code.to_string(),
            run.documents.map_or_else(dash, count),
            run.bytes.map_or_else(dash, bytes),
            seconds(run.seconds),
            run.peak_memory_bytes.map_or_else(dash, bytes),
        ]
    }));
    table("", &rows, &[5, 6, 7, 8, 9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_runs() {
        let run = |outcome: &str, exit_code, documents: Option<u64>| PastRun {
            version: 1,
            started: "2026-11-22T04:00:07.120Z".to_owned(),
            command: "publish".to_owned(),
            env: "local".to_owned(),
            feed: "contracts".to_owned(),
            load_date: "2026-11-22".to_owned(),
            edition: Some("0123456789abcdef".to_owned()).filter(|_| documents.is_some()),
            outcome: outcome.to_owned(),
            exit_code,
            error: None,
            documents,
            bytes: documents.map(|documents| documents * 1500),
            seconds: 12.34,
            steps: Vec::new(),
            peak_memory_bytes: Some(800 << 20),
            record: None,
        };
        insta::assert_snapshot!(
            runs_table(&[run("published", 0, Some(900_812)), run("failed", 20, None)]),
            @r"
        started (UTC)        command  load_date   edition           outcome    exit  documents     sent    time   memory
        2026-11-22 04:00:07  publish  2026-11-22  0123456789abcdef  published     0    900,812  1.3 GiB  12.3 s  800 MiB
        2026-11-22 04:00:07  publish  2026-11-22  -                 failed       20          -        -  12.3 s  800 MiB
        "
        );
    }
}
