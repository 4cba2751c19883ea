//! `hivecast prune`: retention of editions.

use hivecast_contract::EditionId;
use hivecast_edition::PruneMode;
use hivecast_publish::View;
use hivecast_run::{Context, Result};

use crate::args::{Global, PruneArgs};
use crate::failure::{Output, json_line};
use crate::logging::{self, print};
use crate::project::Project;
use crate::publish::protected;
use crate::run::{CLOCK, Console};

pub(crate) fn run(global: &Global, args: &PruneArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    // What is on the topic is needed to tell what is gone from it; without the ledger nothing may
    // be removed.
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let ledger = project.open_target()?.ledger(feed.name(), View::Settled, &context)?;
    let protected = protected(&ledger);
    let mode = if args.dry_run { PruneMode::DryRun } else { PruneMode::Remove };
    let gone = project.open_store()?.prune(feed.name(), args.keep, &protected, mode)?;
    let gone: Vec<String> = gone.iter().map(EditionId::to_string).collect();
    let verb = if args.dry_run { "would remove" } else { "removed" };
    print(&match console.output {
        Output::Programs => {
            json_line(&serde_json::json!({ "version": 1, "dry_run": args.dry_run, "removed": gone }))
        }
        Output::People if gone.is_empty() => "nothing to remove\n".to_owned(),
        Output::People if gone.len() == 1 => format!("{verb} edition {}\n", gone[0]),
        Output::People => format!("{verb} {} editions: {}\n", gone.len(), gone.join(", ")),
    })
}
