//! Works through load_dates: each is one run, with its own journal, summary and line of history.

use hivecast_contract::{LoadDate, Manifest};
use hivecast_edition::GateResult;
use hivecast_estimate::Record;
use hivecast_report::{
    EditionSummary, Journal, Outcome, PastRun, PublishSummary, REPORT_VERSION, Report, Summary,
    VerifySummary, forget_peak_memory, peak_memory_bytes,
};
use hivecast_run::{Clock, Context, Fault, Result, Sink};

use crate::edition::Origin;
use crate::failure::{Failed, Output, json_line};
use crate::feed_file::FeedFile;
use crate::history::{History, PAST_RUN_VERSION, rfc3339};
use crate::logging::{self, print};
use crate::plan::{Done, Foreseen};
use crate::project::Project;
use crate::run::{CLOCK, Console};

/// What a run has found out so far: of a run that fails, the history has what was known by then.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) edition: Option<EditionSummary>,
    pub(crate) gates: Vec<GateResult>,
    pub(crate) publish: Option<PublishSummary>,
    pub(crate) verify: Option<VerifySummary>,
    pub(crate) manifest: Option<Manifest>,
    /// What was foretold of the run, where it was.
    pub(crate) foreseen: Option<Foreseen>,
    /// Whether the edition was built by this run.
    pub(crate) origin: Option<Origin>,
}

/// The load_dates that a command works through.
pub(crate) struct Days {
    /// In order.
    pub(crate) dates: Vec<LoadDate>,
    /// What to tell of how they were found, with the first of them.
    pub(crate) notes: Vec<String>,
}

/// What the runs of one command have in common.
pub(crate) struct Series<'a> {
    /// `build`, `publish` or `verify`.
    command: &'static str,
    env: &'a str,
    feed: &'a str,
    history: History,
    console: &'a Console,
}

/// One load_date's work. It fills in what it finds, and says how it ended.
pub(crate) type Work<'a> = dyn FnMut(LoadDate, &Context<'_>, &mut Findings) -> Result<Outcome> + 'a;

impl<'a> Series<'a> {
    pub(crate) fn new(
        command: &'static str,
        project: &'a Project,
        feed: &'a FeedFile,
        console: &'a Console,
    ) -> Result<Self> {
        let history = History::new(&project.store_dir()?, feed.name());
        Ok(Series { command, env: project.env(), feed: feed.name(), history, console })
    }

    /// Runs each day in order, and stops at the first that fails.
    pub(crate) fn run(&self, days: &Days, work: &mut Work<'_>) -> Result<(), Failed> {
        let sink = logging::sink(self.console.progress, &CLOCK);
        let mut done = Vec::new();
        // A summary that can't be printed stops no run: the days that are left matter more.
        let mut told = Ok(());
        let mut notes = days.notes.as_slice();
        for &day in &days.dates {
            let (summary, fault) = self.one(day, std::mem::take(&mut notes), work, &*sink);
            if fault.is_none() && self.console.output == Output::People {
                told = told.and_then(|()| print(&summary.render()));
            }
            done.push(summary);
            if let Some(fault) = fault {
                return Err(Failed { fault, done, report: None });
            }
        }
        if self.console.output == Output::Programs {
            told = print(&json_line(&Report { version: REPORT_VERSION, runs: done, error: None }));
        }
        Ok(told?)
    }

    /// One day's run, recorded whether it failed or not.
    fn one(
        &self,
        day: LoadDate,
        notes: &[String],
        work: &mut Work<'_>,
        sink: &dyn Sink,
    ) -> (Summary, Option<Fault>) {
        let started_ms = CLOCK.now_ms();
        // Of several days each has a peak of its own.
        forget_peak_memory();
        let journal = Journal::new(sink, &CLOCK);
        let context = Context { sink: &journal, cancel: &self.console.cancel, clock: &CLOCK };
        notes.iter().for_each(|note| context.warn(note));
        let mut findings = Findings::default();
        let (outcome, fault) = match work(day, &context, &mut findings) {
            Ok(outcome) => (outcome, None),
            Err(fault) => (Outcome::Failed, Some(fault)),
        };
        let (foreseen, origin) = (findings.foreseen.take(), findings.origin);
        let summary = self.summary(day, outcome, findings, &journal, started_ms);
        let record = foreseen.map(|foreseen| foreseen.record(&done(&summary, origin)));
        self.history.add(&past_run(&summary, record, started_ms, fault.as_ref()), &context);
        (summary, fault)
    }

    fn summary(
        &self,
        day: LoadDate,
        outcome: Outcome,
        findings: Findings,
        journal: &Journal<'_>,
        started_ms: i64,
    ) -> Summary {
        let Findings { edition, gates, publish, verify, manifest, .. } = findings;
        Summary {
            command: self.command.to_owned(),
            env: self.env.to_owned(),
            feed: self.feed.to_owned(),
            load_date: day.to_string(),
            outcome,
            edition,
            gates,
            publish,
            verify,
            manifest,
            warnings: journal.warnings(),
            steps: journal.steps(),
            seconds: (CLOCK.now_ms() - started_ms).max(0) as f64 / 1000.0,
            peak_memory_bytes: peak_memory_bytes(),
        }
    }
}

/// What of a run may be learned from.
fn done(summary: &Summary, origin: Option<Origin>) -> Done<'_> {
    let whole = matches!(summary.outcome, Outcome::Published);
    let sent = summary.publish.as_ref().filter(|_| whole);
    Done {
        built: summary.edition.as_ref().filter(|_| origin == Some(Origin::Built)),
        sent_bytes: sent.map(|sent| sent.bytes),
        is_verified: whole && summary.verify.is_some(),
        peak_bytes: summary.peak_memory_bytes,
        steps: &summary.steps,
    }
}

fn past_run(summary: &Summary, record: Option<Record>, started_ms: i64, fault: Option<&Fault>) -> PastRun {
    let (edition, manifest) = (summary.edition.as_ref(), summary.manifest.as_ref());
    // Of an edition that several share, what this one sent: the whole is not on the topic yet.
    let sent_part = summary.publish.as_ref().filter(|_| summary.outcome == Outcome::PartPublished);
    let sent_part = sent_part.map(|sent| sent.documents);
    PastRun {
        version: PAST_RUN_VERSION,
        started: rfc3339(started_ms),
        command: summary.command.clone(),
        env: summary.env.clone(),
        feed: summary.feed.clone(),
        load_date: summary.load_date.clone(),
        edition: edition
            .map(|edition| edition.id.clone())
            .or(manifest.map(|manifest| manifest.edition.to_string())),
        outcome: summary.outcome.as_str().to_owned(),
        exit_code: fault.map_or(0, |fault| fault.class().exit_code()),
        error: fault.map(Fault::chain),
        documents: sent_part
            .or(edition.map(|edition| edition.documents))
            .or(manifest.map(|manifest| manifest.documents)),
        bytes: summary.publish.as_ref().map(|sent| sent.bytes),
        seconds: summary.seconds,
        steps: summary.steps.clone(),
        peak_memory_bytes: summary.peak_memory_bytes,
        record,
    }
}
