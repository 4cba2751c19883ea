//! `hivecast runs`: the feed's history.

use hivecast_report::runs_table;
use hivecast_run::{Context, Result};

use crate::args::{Global, RunsArgs};
use crate::failure::{Output, json_line};
use crate::history::History;
use crate::logging::{self, print};
use crate::project::Project;
use crate::run::{CLOCK, Console};

pub(crate) fn run(global: &Global, args: &RunsArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let runs = History::new(&project.store_dir()?, feed.name()).last(args.limit as usize, &context)?;
    print(&match console.output {
        Output::Programs => json_line(&serde_json::json!({ "version": 1, "runs": runs })),
        Output::People if runs.is_empty() => format!("feed {} has no runs yet\n", feed.name()),
        Output::People => runs_table(&runs),
    })
}
