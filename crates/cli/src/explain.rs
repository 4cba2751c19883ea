//! `hivecast build --explain`: what a Spark Connect engine is asked.

use hivecast_report::plural;
use hivecast_run::{Context, Result};
use hivecast_spark::{Explained, FilesView, explain};
use serde::Serialize;

use crate::args::{BuildArgs, Global};
use crate::dates::Calendar;
use crate::edition::{self, Resources, Waiting};
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
    files: Vec<Files<'a>>,
    /// A view's name, and its query.
    views: &'a [(String, String)],
    statement: &'a str,
}

/// A view of frozen files, for programs.
#[derive(Serialize)]
struct Files<'a> {
    name: &'a str,
    table: &'a str,
    format: &'a str,
    columns: &'a str,
    paths: &'a [String],
}

impl<'a> Files<'a> {
    fn of(view: &'a FilesView) -> Self {
        let FilesView { name, table, format, columns, paths } = view;
        Files { name, table, format, columns, paths }
    }
}

/// Paths of a view that people are shown; the rest are counted.
const SHOWN_PATHS: usize = 3;

pub(crate) fn run(global: &Global, args: &BuildArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let latest = || Ok(newest(&project, &feed, context)?.date);
    let day = Calendar::of(&feed.feed, &latest).single(args.load_date)?;
    let plan = edition::plan(
        &project,
        &feed,
        day,
        Waiting::Offered(args.wait),
        Resources::of(&args.resources),
        &context,
    )?;
    let explained = explain(&plan)?;
    // Bars must be gone before the text is printed.
    drop(sink);
    match console.output {
        Output::People => print(&text(&explained)),
        Output::Programs => print(&json_line(&Answer {
            feed: feed.name(),
            load_date: day.to_string(),
            parts: explained.parts,
            files: explained.files.iter().map(Files::of).collect(),
            views: &explained.views,
            statement: &explained.statement,
        })),
    }
}

/// As a script, in which the views of files are comments: they are made of lists of paths.
fn text(explained: &Explained) -> String {
    let mut text: String = explained.files.iter().map(files).collect();
    for (name, query) in &explained.views {
        text.push_str(&format!("create or replace temporary view {name} as\n{query};\n\n"));
    }
    text.push_str(&format!(
        "-- before this, queries count each table's rows and what its gates ask for\n-- written as Parquet, {} of them by the column `part`\n{};\n",
        explained.parts, explained.statement
    ));
    text
}

/// A view of files, as comments.
fn files(view: &FilesView) -> String {
    let FilesView { name, table, format, columns, paths } = view;
    let mut text = format!(
        "-- view {name}: table {table}, {format}, {}\n--   columns {columns}\n",
        plural(paths.len() as u64, "file")
    );
    for path in paths.iter().take(SHOWN_PATHS) {
        text.push_str(&format!("--   {path}\n"));
    }
    if paths.len() > SHOWN_PATHS {
        text.push_str(&format!("--   and {} more\n", paths.len() - SHOWN_PATHS));
    }
    text.push('\n');
    text
}
