//! `hivecast doctor`: everything that a publish needs and that can be tried without sending anything,
//! all of it at once, so that what is lacking can be asked for in one letter.

use std::sync::Mutex;

use hivecast_contract::LoadDate;
use hivecast_publish::{Ledger, Target, View};
use hivecast_report::plural;
use hivecast_run::{Cancel, Class, Context, Event, Fault, Level, Result, Silent, Sink};
use hivecast_warehouse::StoreProbe;
use serde::Serialize;

use crate::args::Global;
use crate::check::against_warehouse;
use crate::dates::{DateArg, Day};
use crate::failure::{Failed, Output, class_name, json_line, mistakes};
use crate::feed_file::FeedFile;
use crate::logging::print;
use crate::project::{Exports, Project};
use crate::run::{CLOCK, Console};
use crate::verify::{rest, unfinished};

/// The version of what `--json` prints.
const REPORT_VERSION: u32 = 1;

/// One thing that was tried.
#[derive(Serialize)]
struct Check {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<String>,
    status: Status,
    /// What was found, or why it failed.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// The class of the failure, by which the exit code goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip)]
    failure: Option<Class>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Failed,
}

pub(crate) fn run(global: &Global, console: &Console) -> Result<(), Failed> {
    let project = Project::load(global)?.impatient();
    let mut doctor = Doctor { project: &project, cancel: &console.cancel, checks: Vec::new() };
    doctor.environment();
    doctor.store();
    doctor.metastore();
    doctor.engine();
    let feeds = doctor.feeds(global)?;
    let target = match project.open_target() {
        Ok(target) => Some(target),
        Err(fault) => {
            doctor.add("target", None, Err(fault));
            None
        }
    };
    for feed in &feeds {
        console.cancel.check()?;
        doctor.check(feed);
        doctor.warehouse(feed);
        doctor.files(feed);
        if let Some(target) = &target {
            doctor.target(&**target, feed);
        }
    }
    tell(project.env(), doctor.checks, console.output)
}

struct Doctor<'a> {
    project: &'a Project,
    cancel: &'a Cancel,
    checks: Vec<Check>,
}

impl Doctor<'_> {
    fn add(&mut self, what: impl Into<String>, feed: Option<&FeedFile>, outcome: Result<String>) {
        let feed = feed.map(|feed| feed.name().to_owned());
        let what = what.into();
        self.checks.push(match outcome {
            Ok(detail) => {
                Check { what, feed, status: Status::Ok, detail, help: None, class: None, failure: None }
            }
            Err(fault) => Check {
                what,
                feed,
                status: Status::Failed,
                detail: fault.chain(),
                help: fault.advice().map(str::to_owned),
                class: Some(class_name(fault.class())),
                failure: Some(fault.class()),
            },
        });
    }

    fn warn(&mut self, what: &str, feed: Option<&FeedFile>, texts: Vec<String>) {
        let feed = feed.map(|feed| feed.name().to_owned());
        self.checks.extend(texts.into_iter().map(|detail| Check {
            what: what.to_owned(),
            feed: feed.clone(),
            status: Status::Warning,
            detail,
            help: None,
            class: None,
            failure: None,
        }));
    }

    /// That the project file was read, with every secret that it names, is known by now.
    fn environment(&mut self) {
        self.add("project file", None, Ok(format!("environment {}, and its secrets", self.project.env())));
    }

    fn store(&mut self) {
        let tried = self.project.open_store().and_then(|store| {
            store.try_writing()?;
            Ok(format!("editions can be written to {}", self.project.store_shown()?))
        });
        self.add("store", None, tried);
    }

    /// Asks the metastore for its databases, where the warehouse is one.
    fn metastore(&mut self) {
        let hosts = match self.project.exports() {
            Ok(Exports::Metastore(metastore)) => metastore.databases().map(|names| {
                let hosts: Vec<String> = metastore.hosts().iter().map(|host| host.to_string()).collect();
                format!("{} answers, with {}", hosts.join(", "), plural(names.len() as u64, "database"))
            }),
            Ok(_) => return,
            Err(fault) => Err(fault),
        };
        self.add("metastore", None, hosts);
    }

    /// Opens a session with the Spark Connect server, where one builds editions.
    fn engine(&mut self) {
        let answered = match self.project.spark() {
            Ok(None) => return,
            Ok(Some(endpoint)) => {
                let context = Context { sink: &Silent, cancel: self.cancel, clock: &CLOCK };
                hivecast_spark::probe(&endpoint, &context).map(|server| format!("{server} answers"))
            }
            Err(fault) => Err(fault),
        };
        self.add("engine", None, answered);
    }

    /// Reads of the newest files of each table. Where there are none, `warehouse` says why.
    fn files(&mut self, feed: &FeedFile) {
        let Ok(warehouse) = self.project.open_warehouse() else { return };
        for StoreProbe { store, tables, outcome } in warehouse.try_reading(&feed.feed, &CLOCK) {
            let told = outcome.map(|_| format!("the newest of {} can be read on {store}", tables.join(", ")));
            self.add("files", Some(feed), told);
        }
    }

    /// Holds the feed against its tables' columns and the environment, as `hivecast check` does.
    fn check(&mut self, feed: &FeedFile) {
        let checked = against_warehouse(self.project, feed.draft(), DateArg::One(Day::Latest));
        let told = checked.map(|checked| {
            let tables = plural(checked.feed.tables.len() as u64, "table");
            let fields = plural(checked.document.len() as u64, "field");
            format!("is right: {tables}, {fields}")
        });
        self.add("feed", Some(feed), told.map_err(|fault| in_one_line(fault, feed.name())));
    }

    /// The feeds whose text holds no mistake; those of the others are told.
    fn feeds(&mut self, global: &Global) -> Result<Vec<FeedFile>> {
        let mut feeds = Vec::new();
        for text in self.project.feeds(global.feed.as_deref())? {
            let name = text.name().to_owned();
            match text.parse() {
                Ok(feed) => feeds.push(feed),
                Err(fault) => self.add(format!("feed {name}"), None, Err(in_one_line(fault, &name))),
            }
        }
        if feeds.is_empty() && self.checks.iter().all(|check| check.status != Status::Failed) {
            self.add("feeds", None, Err(Fault::usage("there is no feed in the project")));
        }
        Ok(feeds)
    }

    fn warehouse(&mut self, feed: &FeedFile) {
        let dates = self
            .project
            .open_warehouse()
            .and_then(|warehouse| warehouse.common_load_dates(&feed.feed))
            .and_then(|dates| described(&dates));
        self.add("warehouse", Some(feed), dates);
    }

    fn target(&mut self, target: &dyn Target, feed: &FeedFile) {
        let topic = feed.topic();
        let warnings = Warnings::default();
        let context = Context { sink: &warnings, cancel: self.cancel, clock: &CLOCK };
        let preflight = target.preflight(&topic, &context);
        let reached = preflight.is_ok();
        let found =
            preflight.map(|_| format!("{} answers, and can take topic {}", target.name(), topic.topic));
        self.add("target", Some(feed), found);
        // What does not answer would be waited for again and again.
        if !reached {
            return;
        }
        self.warn("target", Some(feed), warnings.take());
        let ledger = target.ledger(feed.name(), View::Now, &context);
        let begun = ledger.as_ref().map(begun).unwrap_or_default();
        let told = ledger.map(|ledger| match ledger.latest() {
            Some(manifest) => format!("readable; load_date {} was published last", manifest.load_date),
            None => "readable; nothing of this feed is published yet".to_owned(),
        });
        self.add("ledger", Some(feed), told);
        self.warn("ledger", Some(feed), begun);
        for probe in target.probe(&topic, &context) {
            self.add(probe.what, Some(feed), probe.outcome);
        }
    }
}

/// Editions that a run began and did not finish.
fn begun(ledger: &Ledger) -> Vec<String> {
    let told = unfinished(ledger).map(|progress| {
        let chunks = plural(progress.chunks, "chunk");
        format!(
            "load_date {} is begun and not complete: {chunks} committed; {}",
            progress.load_date,
            rest(ledger, progress)
        )
    });
    told.collect()
}

fn described(dates: &[LoadDate]) -> Result<String> {
    match dates {
        [] => Err(Fault::data("there is no load_date that every table of the feed has")
            .advise("`hivecast check` says of each table what is wrong")),
        [only] => Ok(format!("every table has load_date {only}")),
        [first, .., last] => {
            Ok(format!("every table has {} load_dates, from {first} to {last}", dates.len()))
        }
    }
}

/// Keeps warnings for the table of checks.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Sink for Warnings {
    fn event(&self, event: &Event) {
        if let Event::Note { level: Level::Warn, text } = event {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text.clone());
        }
    }
}

/// Mistakes in a file are told by `check`, with their places; here it is enough that there are some.
fn in_one_line(fault: Fault, feed: &str) -> Fault {
    match mistakes(&fault) {
        Some(found) => {
            let mistakes = plural(found.list().len() as u64, "mistake");
            Fault::new(
                fault.class(),
                format!("{mistakes} in the feed or in what it needs of the environment"),
            )
            .advise(format!("`hivecast check --feed {feed}` shows each with its place"))
        }
        None => fault,
    }
}

/// Prints what was found. Fails with the class of the first check that failed.
fn tell(env: &str, checks: Vec<Check>, output: Output) -> Result<(), Failed> {
    let failed = checks.iter().filter(|check| check.status == Status::Failed).count();
    let first = checks.iter().find_map(|check| check.failure);
    let mut report = serde_json::Map::new();
    report.insert("version".to_owned(), REPORT_VERSION.into());
    report.insert("env".to_owned(), env.into());
    report.insert("healthy".to_owned(), (failed == 0).into());
    report.insert("checks".to_owned(), serde_json::to_value(&checks).unwrap_or_default());
    if output == Output::People {
        print(&table(&checks))?;
    }
    match first {
        None if output == Output::Programs => Ok(print(&json_line(&report))?),
        None => Ok(()),
        Some(class) => {
            let what = format!("{failed} of {} checks of environment {env} failed", checks.len());
            Err(Failed { report: Some(Box::new(report)), ..Failed::from(Fault::new(class, what)) })
        }
    }
}

/// For a person: a word, what was tried, what was found, and below it what to do.
fn table(checks: &[Check]) -> String {
    let name = |check: &Check| match &check.feed {
        Some(feed) => format!("{feed}: {}", check.what),
        None => check.what.clone(),
    };
    let width = checks.iter().map(|check| name(check).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let word = match check.status {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failed => "FAILED",
        };
        text.push_str(&format!(
            "{word:<7}  {:<width$}  {}\n",
            name(check),
            check.detail.replace('\n', "\n    ")
        ));
        if let Some(help) = &check.help {
            text.push_str(&format!("         {:<width$}  help: {}\n", "", help.replace('\n', "\n    ")));
        }
    }
    text
}
