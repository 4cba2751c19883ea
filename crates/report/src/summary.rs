use std::fmt::Write;

use hivecast_contract::Manifest;
use hivecast_edition::{GateResult, gates};
use serde::Serialize;

use crate::history::StepTime;
use crate::layout::table;
use hivecast_run::format::{bytes, count, plural, seconds};

/// The version of the JSON that `--json` prints. It changes when a field is removed or changes its
/// meaning, not when one is added.
pub const REPORT_VERSION: u32 = 1;

/// What `--json` prints: one object, whatever happened.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// One for each load_date that was worked through, in order; the last one may have failed.
    pub runs: Vec<Summary>,
    /// Why the command failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}

/// A failure as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorReport {
    /// `usage`, `infrastructure`, `data`, `denied`, `held`, `conflict`, `interrupted` or `bug`.
    pub class: &'static str,
    /// The process's exit code.
    pub exit_code: u8,
    /// What happened, with every cause.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Of a mistaken feed or project file: each mistake as `{file, line, column, message, help}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<serde_json::Value>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The edition was built, and nothing sent.
    Built,
    /// An equal edition was there already.
    Reused,
    /// Sent, complete and verified.
    Published,
    /// An interrupted publish of the same edition was finished, and verified.
    Resumed,
    /// The same edition was complete already; nothing was sent, what is there was verified.
    AlreadyPublished,
    /// This writer's part is sent; other writers' parts are still to come, and with the last of them the
    /// manifest.
    PartPublished,
    /// The ledger says that the load_date is published, and was believed: nothing was read or sent.
    Skipped,
    /// What was published was read back and agrees.
    Verified,
    /// It did not end well; the report's `error` says why, and the summary what was known by then.
    Failed,
}

impl Outcome {
    /// As the JSON and the history have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Built => "built",
            Outcome::Reused => "reused",
            Outcome::Published => "published",
            Outcome::Resumed => "resumed",
            Outcome::AlreadyPublished => "already_published",
            Outcome::PartPublished => "part_published",
            Outcome::Skipped => "skipped",
            Outcome::Verified => "verified",
            Outcome::Failed => "failed",
        }
    }
}

/// One run of one load_date.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `build`, `publish` or `verify`.
    pub command: String,
    /// The environment's name.
    pub env: String,
    /// The feed's name.
    pub feed: String,
    /// The day, `YYYY-MM-DD`.
    pub load_date: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The edition; absent for `verify`, which needs none.
    pub edition: Option<EditionSummary>,
    /// What every gate said.
    pub gates: Vec<GateResult>,
    /// What was sent; absent for `build` and `verify`.
    pub publish: Option<PublishSummary>,
    /// What was read back.
    pub verify: Option<VerifySummary>,
    /// The target's last word on the edition.
    pub manifest: Option<Manifest>,
    /// Things to look at that stopped nothing.
    pub warnings: Vec<String>,
    /// Wall-clock seconds of each step, in order.
    pub steps: Vec<StepTime>,
    /// Wall-clock seconds of all.
    pub seconds: f64,
    /// The most memory that the process held since the run began, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// The edition of a run.
#[derive(Clone, Debug, Serialize)]
pub struct EditionSummary {
    /// Its id.
    pub id: String,
    /// Which engine built it.
    pub engine: String,
    /// Documents.
    pub documents: u64,
    /// Bytes of its shards on disk.
    pub bytes: u64,
    /// Its shards.
    pub shards: usize,
    /// Order-free checksum over all documents, 32 hexadecimal digits.
    pub checksum: String,
    /// What was read of each table.
    pub tables: Vec<TableRows>,
    /// Rows and documents that gates set aside.
    pub quarantined: u64,
}

/// What was read of a table.
#[derive(Clone, Debug, Serialize)]
pub struct TableRows {
    /// The feed's name for the table.
    pub table: String,
    /// Rows in the files.
    pub rows_read: u64,
    /// Rows left after `where`.
    pub rows: u64,
    /// Rows that are in a document; once for each place in one.
    pub rows_used: u64,
}

/// What this run sent.
#[derive(Clone, Debug, Serialize)]
pub struct PublishSummary {
    /// The target: `dir ./topics`.
    pub target: String,
    /// The topic.
    pub topic: String,
    /// Documents sent.
    pub documents: u64,
    /// Tombstones sent.
    pub tombstones: u64,
    /// Bytes of keys and values sent.
    pub bytes: u64,
    /// Chunks committed.
    pub chunks: u64,
    /// Which part this run was to send; absent where it was all of the edition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<PartReport>,
}

/// One writer's part of an edition.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    /// Who sent it: `2/4`.
    pub writer: String,
    /// The writers, by index, whose parts were still to come when this one was committed.
    pub to_come: Vec<u32>,
}

/// What was read back and compared with the manifest.
#[derive(Clone, Debug, Serialize)]
pub struct VerifySummary {
    /// Topic partitions read.
    pub partitions: usize,
    /// Records read.
    pub records: u64,
    /// What was compared: `counts`, `checksums`, `offsets`.
    pub checks: Vec<String>,
}

impl Summary {
    /// The summary for people; ends with a line break.
    pub fn render(&self) -> String {
        let mut text = self.headline();
        if let Some(edition) = &self.edition {
            text.push('\n');
            text.push_str(&tables(edition));
        }
        if !self.gates.is_empty() {
            text.push('\n');
            text.push_str(&indented(&gates::table(&self.gates)));
        }
        text.push('\n');
        for (label, value) in self.facts() {
            // Writing to a String can't fail.
            let _ = writeln!(text, "  {label:<9} {value}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "  {:<9} {warning}", "warning");
        }
        text
    }

    fn headline(&self) -> String {
        let what = format!("{} {}", self.feed, self.load_date);
        let place = self
            .publish
            .as_ref()
            .map_or(String::new(), |sent| format!(" to {}, topic {}", sent.target, sent.topic));
        match self.outcome {
            Outcome::Built => format!("built {what}; nothing was sent\n"),
            Outcome::Reused => format!("{what} was built already; nothing was sent\n"),
            Outcome::Published => format!("published {what}{place}\n"),
            Outcome::Resumed => format!("resumed and finished {what}{place}\n"),
            Outcome::AlreadyPublished => format!("{what} was published already{place}; nothing was sent\n"),
            Outcome::PartPublished => format!("sent one part of {what}{place}; it is not complete yet\n"),
            Outcome::Skipped => format!("skipped {what}: the ledger says it is published whole\n"),
            Outcome::Verified => format!("verified {what}: what the manifest says is there\n"),
            Outcome::Failed => format!("{what} failed\n"),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if let Some(edition) = &self.edition {
            let shards = plural(edition.shards as u64, "shard");
            let size = bytes(edition.bytes);
            facts.push((
                "edition",
                format!("{} · {} · {size} in {shards}", edition.id, plural(edition.documents, "document")),
            ));
            if edition.quarantined > 0 {
                facts.push(("aside", format!("{} in quarantine", plural(edition.quarantined, "row"))));
            }
        }
        if let Some(sent) = &self.publish {
            let records =
                format!("{}, {}", plural(sent.documents, "document"), plural(sent.tombstones, "tombstone"));
            facts.push((
                "sent",
                format!("{records} · {} · {}", bytes(sent.bytes), plural(sent.chunks, "chunk")),
            ));
        }
        if let Some(part) = self.publish.as_ref().and_then(|sent| sent.part.as_ref()) {
            let to_come: Vec<String> = part.to_come.iter().map(u32::to_string).collect();
            let rest = match to_come.as_slice() {
                [] => "every part is sent".to_owned(),
                writers => format!("to come: {}", writers.join(", ")),
            };
            facts.push(("writer", format!("{} · {rest}", part.writer)));
        }
        if let Some(verify) = &self.verify {
            let read = format!(
                "{} in {}",
                plural(verify.records, "record"),
                plural(verify.partitions as u64, "partition")
            );
            facts.push(("verified", format!("{read}: {} agree", verify.checks.join(", "))));
        }
        let mut time = seconds(self.seconds);
        let steps = self.steps.iter().map(|time| format!("{} {}", time.step, seconds(time.seconds)));
        let steps = steps.collect::<Vec<_>>().join(" · ");
        if !steps.is_empty() {
            time = format!("{time} ({steps})");
        }
        facts.push(("time", time));
        if let Some(peak) = self.peak_memory_bytes {
            facts.push(("memory", format!("{} at most", bytes(peak))));
        }
        facts
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn tables(edition: &EditionSummary) -> String {
    let mut rows = vec![["table", "rows read", "after where", "in documents"].map(str::to_owned).to_vec()];
    rows.extend(edition.tables.iter().map(|table| {
        vec![table.table.clone(), count(table.rows_read), count(table.rows), count(table.rows_used)]
    }));
    table("  ", &rows, &[1, 2, 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let step = |step: &str, seconds| StepTime { step: step.to_owned(), seconds };
        Summary {
            command: "publish".to_owned(),
            env: "local".to_owned(),
            feed: "contracts".to_owned(),
            load_date: "2026-11-22".to_owned(),
            outcome: Outcome::Published,
            edition: Some(EditionSummary {
                id: "0123456789abcdef".to_owned(),
                engine: "embedded".to_owned(),
                documents: 900_000,
                bytes: 97 << 20,
                shards: 8,
                checksum: "0".repeat(32),
                tables: vec![
                    TableRows {
                        table: "accounts".to_owned(),
                        rows_read: 1_000_000,
                        rows: 900_000,
                        rows_used: 900_000,
                    },
                    TableRows {
                        table: "parties".to_owned(),
                        rows_read: 1_400_000,
                        rows: 1_400_000,
                        rows_used: 1_259_842,
                    },
                ],
                quarantined: 1,
            }),
            gates: vec![GateResult {
                gate: "orphans of parties".to_owned(),
                limit: "<= 0.1 %".to_owned(),
                measured: "0.2 % (2800 of 1400000)".to_owned(),
                outcome: hivecast_edition::Outcome::Warn,
                examples: vec!["17".to_owned()],
                quarantined: 1,
            }],
            publish: Some(PublishSummary {
                target: "dir ./topics".to_owned(),
                topic: "mdm.contracts".to_owned(),
                documents: 900_000,
                tombstones: 1,
                bytes: 1_360_000_000,
                chunks: 18,
                part: None,
            }),
            verify: Some(VerifySummary {
                partitions: 6,
                records: 900_001,
                checks: vec!["counts".to_owned(), "checksums".to_owned()],
            }),
            manifest: None,
            warnings: vec!["topic mdm.contracts has replication 1".to_owned()],
            steps: vec![step("check", 0.03), step("engine", 2.4), step("publish", 5.6)],
            seconds: 8.1,
            peak_memory_bytes: Some(851_443_712),
        }
    }

    #[test]
    fn the_summary_for_people() {
        insta::assert_snapshot!(summary().render(), @r"
        published contracts 2026-11-22 to dir ./topics, topic mdm.contracts

          table     rows read  after where  in documents
          accounts  1,000,000      900,000       900,000
          parties   1,400,000    1,400,000     1,259,842

          result  gate                allowed   measured
          WARN    orphans of parties  <= 0.1 %  0.2 % (2800 of 1400000)
                  - 17
                  set aside: 1

          edition   0123456789abcdef · 900,000 documents · 97 MiB in 8 shards
          aside     1 row in quarantine
          sent      900,000 documents, 1 tombstone · 1.3 GiB · 18 chunks
          verified  900,001 records in 6 partitions: counts, checksums agree
          time      8.1 s (check 0.030 s · engine 2.4 s · publish 5.6 s)
          memory    812 MiB at most
          warning   topic mdm.contracts has replication 1
        ");
    }

    #[test]
    fn a_part_says_what_is_to_come() {
        let mut part = Summary { outcome: Outcome::PartPublished, verify: None, ..summary() };
        let to_come = |to_come: &[u32]| PartReport { writer: "2/4".to_owned(), to_come: to_come.to_vec() };
        part.publish.as_mut().unwrap().part = Some(to_come(&[1, 4]));
        let text = part.render();
        let headline = "sent one part of contracts 2026-11-22 to dir ./topics, topic mdm.contracts; it is not complete yet\n";
        assert!(text.starts_with(headline), "{text}");
        assert!(text.contains("\n  writer    2/4 · to come: 1, 4\n"), "{text}");
        let json = serde_json::to_value(&part).unwrap();
        assert_eq!(json["outcome"], "part_published");
        assert_eq!(json["publish"]["part"], serde_json::json!({"writer": "2/4", "to_come": [1, 4]}));
        part.outcome = Outcome::Published;
        part.publish.as_mut().unwrap().part = Some(to_come(&[]));
        assert!(part.render().contains("\n  writer    2/4 · every part is sent\n"));
    }

    #[test]
    fn the_headline_of_each_outcome() {
        let headline = |outcome| Summary { outcome, ..summary() }.headline();
        assert_eq!(
            [Outcome::Built, Outcome::Reused, Outcome::Resumed, Outcome::AlreadyPublished, Outcome::Verified]
                .map(headline),
            [
                "built contracts 2026-11-22; nothing was sent\n",
                "contracts 2026-11-22 was built already; nothing was sent\n",
                "resumed and finished contracts 2026-11-22 to dir ./topics, topic mdm.contracts\n",
                "contracts 2026-11-22 was published already to dir ./topics, topic mdm.contracts; nothing was sent\n",
                "verified contracts 2026-11-22: what the manifest says is there\n",
            ]
        );
    }

    #[test]
    fn the_json_keeps_its_names() {
        let report = Report { version: REPORT_VERSION, runs: vec![summary()], error: None };
        let json = serde_json::to_value(&report).unwrap();
        let names = |value: &serde_json::Value| {
            value
                .as_object()
                .map(|object| object.keys().cloned().collect::<Vec<_>>().join(" "))
                .unwrap_or_default()
        };
        let run = &json["runs"][0];
        assert_eq!(names(&json), "runs version");
        assert_eq!(
            names(run),
            "command edition env feed gates load_date manifest outcome peak_memory_bytes publish seconds steps verify warnings"
        );
        assert_eq!(names(&run["edition"]), "bytes checksum documents engine id quarantined shards tables");
        assert_eq!(names(&run["edition"]["tables"][0]), "rows rows_read rows_used table");
        assert_eq!(names(&run["gates"][0]), "examples gate limit measured outcome quarantined");
        assert_eq!(names(&run["publish"]), "bytes chunks documents target tombstones topic");
        assert_eq!(names(&run["verify"]), "checks partitions records");
        assert_eq!(names(&run["steps"][0]), "seconds step");
        for outcome in [Outcome::Built, Outcome::AlreadyPublished, Outcome::Resumed] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
