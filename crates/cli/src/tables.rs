//! `hivecast tables`: what the warehouse has.

use hivecast_contract::LoadDate;
use hivecast_feed::FileFormat;
use hivecast_report::{bytes, count, plural, table};
use hivecast_run::{Class, Clock, Context, Fault, Result};
use hivecast_warehouse::{DaySurvey, LoadDates, TableSurvey};
use serde_json::{Value, json};

use crate::args::{Global, TablesArgs};
use crate::dates::{Calendar, DateArg, Day};
use crate::failure::{Failed, Output, class_name, json_line};
use crate::feed_file::FeedFile;
use crate::logging::{self, print};
use crate::project::Project;
use crate::run::{CLOCK, Console};

/// The version of what `--json` prints.
const REPORT_VERSION: u32 = 1;
/// What stands in a cell of which nothing is known.
const UNKNOWN: &str = "-";

pub(crate) fn run(global: &Global, args: &TablesArgs, console: &Console) -> Result<(), Failed> {
    let project = Project::load(global)?;
    let feed = match &global.feed {
        Some(name) => Some(project.feed(Some(name))?.parse()?),
        None => None,
    };
    let day = day(feed.as_ref(), args.load_date)?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let warehouse = project.open_warehouse()?;
    let found = match &feed {
        Some(feed) => warehouse.survey_feed(&feed.feed, day, context)?,
        None => warehouse.survey(day, context)?,
    };
    drop(sink);
    let mut report = serde_json::Map::new();
    report.insert("version".to_owned(), REPORT_VERSION.into());
    report.insert("env".to_owned(), project.env().into());
    report.insert("warehouse".to_owned(), warehouse.name().into());
    report.insert("tables".to_owned(), found.iter().map(as_json).collect());
    if console.output == Output::People {
        print(&told(&found))?;
    }
    match worst(&found, feed.as_ref()) {
        None if console.output == Output::Programs => Ok(print(&json_line(&report))?),
        None => Ok(()),
        Some(fault) => Err(Failed { report: Some(Box::new(report)), ..Failed::from(fault) }),
    }
}

/// The day whose files are looked at; none for each table's newest. Without a feed, `today` is UTC's.
fn day(feed: Option<&FeedFile>, date: DateArg) -> Result<Option<LoadDate>> {
    if date == DateArg::One(Day::Latest) {
        return Ok(None);
    }
    let latest = || Err(Fault::bug("`latest` is each table's own"));
    let calendar = match feed {
        Some(feed) => Calendar::of(&feed.feed, &latest),
        None => Calendar { now_ms: CLOCK.now_ms(), zone: chrono_tz::UTC, latest: &latest },
    };
    calendar.single(date).map(Some)
}

/// How the command ends, where not all is well: with the class of the worst table. What is in the
/// warehouse and no feed could read, such as a view, is no failure as long as no feed asks for it.
fn worst(found: &[TableSurvey], feed: Option<&FeedFile>) -> Option<Fault> {
    let is_foreign = |survey: &TableSurvey, fault: &Fault| {
        feed.is_none()
            && (fault.class() == Class::Usage || fault.class() == Class::Data && survey.day.is_none())
    };
    let failed: Vec<&Fault> = found
        .iter()
        .filter_map(|survey| survey.problem.as_ref().filter(|fault| !is_foreign(survey, fault)))
        .collect();
    let class = failed.iter().map(|fault| fault.class()).max_by_key(|class| severity(*class))?;
    let tables = plural(found.len() as u64, "table");
    Some(Fault::new(class, format!("{} of {tables} can't be looked at whole", failed.len())))
}

/// Trouble that passes by itself is the least.
fn severity(class: Class) -> u8 {
    match class {
        Class::Infrastructure | Class::Held | Class::Conflict => 0,
        Class::Denied => 1,
        Class::Data => 2,
        Class::Usage => 3,
        Class::Bug | Class::Interrupted => 4,
    }
}

/// The newest day's files, a line for each table, and below it what is to say of some.
fn told(found: &[TableSurvey]) -> String {
    if found.is_empty() {
        return "the warehouse has no tables\n".to_owned();
    }
    let head = ["table", "load_dates", "of", "format", "rows", "files", "bytes", "ready", "where"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(found.iter().map(row));
    let mut text = table("", &rows, &[4, 5, 6]);
    for survey in found {
        let name = &survey.table;
        if let Some(fault) = survey.day.as_ref().and_then(|day| day.not_ready.as_ref()) {
            text.push_str(&format!("\n{name} is not ready: {}\n", fault.chain()));
        }
        if let Some(fault) = &survey.problem {
            text.push_str(&format!("\n{name}: {}\n", fault.chain()));
            if let Some(advice) = fault.advice() {
                text.push_str(&format!("  help: {advice}\n"));
            }
        }
    }
    text
}

fn row(survey: &TableSurvey) -> Vec<String> {
    let unknown = || UNKNOWN.to_owned();
    let day = survey.day.as_ref();
    let of = |tell: &dyn Fn(&DaySurvey) -> Option<String>| day.and_then(tell).unwrap_or_else(unknown);
    let name = match survey.table == survey.source {
        true => survey.table.clone(),
        false => format!("{} ({})", survey.table, survey.source),
    };
    let ready = match (day, &survey.problem) {
        (Some(day), None) if day.not_ready.is_none() => "yes",
        (Some(_), None) => "no",
        _ => UNKNOWN,
    };
    let place = of(&|day| Some(day.location.clone()));
    vec![
        name,
        survey.load_dates.map_or_else(unknown, dates),
        of(&|day| day.load_date.map(|date| date.to_string())),
        of(&|day| day.format.map(|format| format.word().to_owned())),
        of(&|day| day.rows.map(count)),
        of(&|day| Some(count(day.files))),
        of(&|day| Some(bytes(day.bytes))),
        ready.to_owned(),
        if place == UNKNOWN { survey.location.clone().unwrap_or(place) } else { place },
    ]
}

fn dates(dates: LoadDates) -> String {
    match dates.count {
        1 => format!("1: {}", dates.first),
        several => format!("{}: {} to {}", count(several as u64), dates.first, dates.last),
    }
}

fn as_json(survey: &TableSurvey) -> Value {
    let dates = |dates: LoadDates| json!({ "first": dates.first, "last": dates.last, "count": dates.count });
    let day = |day: &DaySurvey| {
        json!({
            "load_date": day.load_date,
            "location": day.location,
            "format": day.format.map(FileFormat::word),
            "rows": day.rows,
            "files": day.files,
            "bytes": day.bytes,
            "ready": day.not_ready.is_none(),
            "why": day.not_ready.as_ref().map(Fault::chain),
        })
    };
    let error = |fault: &Fault| json!({ "class": class_name(fault.class()), "message": fault.chain(), "help": fault.advice() });
    json!({
        "table": survey.table,
        "source": survey.source,
        "location": survey.location,
        "load_dates": survey.load_dates.map(dates),
        "day": survey.day.as_ref().map(day),
        "error": survey.problem.as_ref().map(error),
    })
}
