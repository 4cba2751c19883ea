//! `hivecast check`: every mistake that can be known before data is read.

use std::collections::BTreeMap;

use hivecast_contract::LoadDate;
use hivecast_engine::SqlBinder;
use hivecast_feed::{Checked, Diagnostics, Draft, Feed};
use hivecast_report::plural;
use hivecast_run::{Class, Fault, Result};
use hivecast_warehouse::Found;

use crate::args::{CheckArgs, Global};
use crate::dates::{Calendar, DateArg, Day};
use crate::failure::{Output, json_line, mistakes};
use crate::feed_file::FeedFile;
use crate::logging::print;
use crate::project::Project;
use crate::run::{CLOCK, Console};

pub(crate) fn run(global: &Global, args: &CheckArgs, console: &Console) -> Result<()> {
    let (project, unfit) = Project::open(global)?;
    let draft = project.feed(global.feed.as_deref())?.draft();
    let checked = together(unfit, against_warehouse(&project, draft, args.load_date))?;
    let feed = &checked.feed;
    print(&match console.output {
        Output::People => format!(
            "feed {} is right: {}, {}, {}\n",
            feed.name,
            plural(feed.tables.len() as u64, "table"),
            plural(checked.document.len() as u64, "field"),
            plural(feed.gates.len() as u64, "gate")
        ),
        Output::Programs => json_line(&serde_json::json!({
            "version": 1,
            "feed": feed.name,
            "topic": feed.topic,
            "tables": checked.schemas.keys().collect::<Vec<_>>(),
        })),
    })
}

/// What is wrong with the project file and with the feed, in one answer.
fn together(project: Option<Diagnostics>, feed: Result<Checked>) -> Result<Checked> {
    match (project, feed) {
        (None, feed) => feed,
        (Some(project), Ok(_)) => Err(project.into()),
        (Some(project), Err(fault)) => Err(match mistakes(&fault) {
            Some(feed) => project.and(feed.clone()).into(),
            None => project.into(),
        }),
    }
}

/// Holds the feed against its tables' columns, on a day or on each table's newest where the day is
/// `latest`, and tells what is wrong with the text, with what it says of the tables, and with what it
/// needs of the environment.
pub(crate) fn against_warehouse(project: &Project, mut draft: Draft, date: DateArg) -> Result<Checked> {
    if project.mask_key().is_none() {
        draft.lacks_mask_key(project.env());
    }
    let found = match &draft.feed {
        Some(feed) => look_up(project, feed, date),
        None => Ok(Found::default()),
    };
    let found = match found {
        Ok(found) => found,
        Err(fault) => {
            // What the text shows comes first: it may be why the tables are not found.
            draft.finish()?;
            return Err(fault);
        }
    };
    let name = draft.feed.as_ref().map_or_else(String::new, |feed| feed.name.clone());
    let Found { columns, formats, problems } = found;
    for (table, fault) in &problems {
        draft.unknown_table(table, fault.chain(), fault.advice().map(str::to_owned));
    }
    match draft.check(&columns, &SqlBinder::default()) {
        Ok(checked) if project.spark()?.is_some() => {
            hivecast_spark::check_formats(&checked, &formats)?;
            Ok(checked)
        }
        Ok(checked) => Ok(checked),
        Err(diagnostics) if is_only_data(&problems, &diagnostics) => {
            Found { columns, formats, problems }.into_result(&name)?;
            Err(diagnostics.into())
        }
        Err(diagnostics) => Err(diagnostics.into()),
    }
}

/// Whether nothing is wrong but that files can't be read: the feed's author can't mend that.
fn is_only_data(problems: &BTreeMap<String, Fault>, told: &Diagnostics) -> bool {
    told.list().len() == problems.len() && problems.values().all(|fault| fault.class() != Class::Usage)
}

fn look_up(project: &Project, feed: &Feed, date: DateArg) -> Result<Found> {
    let warehouse = project.open_warehouse()?;
    let day = match date {
        DateArg::One(Day::Latest) => None,
        // What is left is a date, today, yesterday, or a range that is refused.
        date => Some(Calendar::of(feed, &|| Err(Fault::bug("`latest` is each table's own"))).single(date)?),
    };
    Ok(warehouse.look_up(feed, day, &CLOCK))
}

/// A fault of the warehouse, as `check` tells it: where the feed names a table that is not there, every
/// mistake of the feed is told with it.
pub(crate) fn as_checked(project: &Project, feed: &FeedFile, day: Option<LoadDate>, fault: Fault) -> Fault {
    if fault.class() != Class::Usage {
        return fault;
    }
    let date = DateArg::One(day.map_or(Day::Latest, Day::Date));
    match against_warehouse(project, feed.draft(), date) {
        Err(told) if mistakes(&told).is_some() => told,
        _ => fault,
    }
}
