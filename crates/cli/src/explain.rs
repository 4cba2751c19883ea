//! `hivecast build --explain`: what a Spark Connect engine is asked.

use hivecast_run::{Context, Result};
use hivecast_spark::{Explained, explain};
use serde::Serialize;

use crate::args::{BuildArgs, Global};
use crate::dates::Calendar;
use crate::edition::{self, Resources};
use crate::failure::{Output, json_line};
use crate::logging::{self, print};
use crate::project::Project;
use crate::publish::newest;
use crate::run::{CLOCK, Console};

/// The answer for programs.
#[derive(Serialize)]
struct Answer<'a> {
    feed: &'a str,
    load_date: String,
    parts: u32,
    /// A view's name, and its query.
    views: &'a [(String, String)],
    statement: &'a str,
}

pub(crate) fn run(global: &Global, args: &BuildArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let latest = || Ok(newest(&project, &feed, context)?.date);
    let day = Calendar::of(&feed.feed, &latest).single(args.load_date)?;
    let plan = edition::plan(&project, &feed, day, args.wait, Resources::of(&args.resources), &context)?;
    let explained = explain(&plan.checked, &plan.inputs)?;
    // Bars must be gone before the text is printed.
    drop(sink);
    match console.output {
        Output::People => print(&text(&explained)),
        Output::Programs => print(&json_line(&Answer {
            feed: feed.name(),
            load_date: day.to_string(),
            parts: explained.parts,
            views: &explained.views,
            statement: &explained.statement,
        })),
    }
}

/// As a script, in which the views of files are comments: they are made of lists of paths.
fn text(explained: &Explained) -> String {
    let mut text = String::new();
    for (name, query) in &explained.views {
        text.push_str(&format!("create or replace temporary view {name} as\n{query};\n\n"));
    }
    text.push_str(&format!(
        "-- written as Parquet, {} of them by the column `part`\n{};\n",
        explained.parts, explained.statement
    ));
    text
}
