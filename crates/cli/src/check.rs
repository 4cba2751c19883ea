//! `hivecast check`: every mistake that can be known before data is read.

use std::collections::BTreeMap;

use arrow_schema::SchemaRef;
use hivecast_engine::SqlBinder;
use hivecast_feed::Feed;
use hivecast_run::Result;

use crate::args::{CheckArgs, Global};
use crate::dates::{Calendar, DateArg, Day};
use crate::failure::{Output, json_line};
use crate::logging::print;
use crate::project::Project;
use crate::publish::newest;
use crate::run::Console;

pub(crate) fn run(global: &Global, args: &CheckArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    project.require_embedded_engine()?;
    let text = project.feed(global.feed.as_deref())?;
    let draft = text.draft();
    let Some(feed) = &draft.feed else {
        draft.finish()?;
        return Ok(());
    };
    let schemas = match schemas(&project, feed, args.load_date) {
        Ok(schemas) => schemas,
        Err(fault) => {
            // What the text shows comes first: it may be why the tables are not found.
            draft.finish()?;
            return Err(fault);
        }
    };
    let checked = draft.check(&schemas, &SqlBinder::default())?;
    print(&match console.output {
        Output::People => format!(
            "feed {} is right: {} tables, {} fields, {} gates\n",
            checked.feed.name,
            checked.feed.tables.len(),
            checked.document.len(),
            checked.feed.gates.len()
        ),
        Output::Programs => json_line(&serde_json::json!({
            "version": 1,
            "feed": checked.feed.name,
            "topic": checked.feed.topic,
            "tables": checked.schemas.keys().collect::<Vec<_>>(),
        })),
    });
    Ok(())
}

/// The tables' columns on a day; on each table's newest, where the day is `latest`.
fn schemas(project: &Project, feed: &Feed, date: DateArg) -> Result<BTreeMap<String, SchemaRef>> {
    let warehouse = project.open_warehouse()?;
    let day = match date {
        DateArg::One(Day::Latest) => None,
        date => Some(Calendar::of(feed, &|| newest(project, feed)).single(date)?),
    };
    warehouse.schemas(feed, day)
}
