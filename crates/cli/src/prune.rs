//! `hivecast prune`: retention of editions, and of exports where that is asked for.

use std::collections::BTreeSet;

use hivecast_contract::{EditionId, LoadDate};
use hivecast_edition::PruneMode;
use hivecast_feed::{Source, Table};
use hivecast_publish::{Ledger, Target, View};
use hivecast_report::plural;
use hivecast_run::{Class, Context, Result};
use hivecast_warehouse::{OldPartition, Remains};

use crate::args::{Global, PruneArgs};
use crate::failure::{Failed, Output, json_line};
use crate::feed_file::FeedFile;
use crate::logging::{self, print};
use crate::project::Project;
use crate::publish::protected;
use crate::run::{CLOCK, Console};
use crate::verify::unfinished;

/// What goes, and why other things stay.
#[derive(Default)]
struct Pruned {
    editions: Vec<EditionId>,
    exports: Vec<Export>,
    notes: Vec<String>,
}

/// An old partition of a table, by the feed's name for it.
struct Export {
    table: String,
    partition: OldPartition,
}

pub(crate) fn run(global: &Global, args: &PruneArgs, console: &Console) -> Result<(), Failed> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    // What is on the topic is needed to tell what is gone from it; without the ledger nothing may
    // be removed.
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let target = project.open_target()?;
    let ledger = target.ledger(feed.name(), View::Settled, &context)?;
    let mut pruned = Pruned::default();
    if args.exports {
        old_exports(&project, &feed, &*target, args.keep, &context, &mut pruned)?;
    }
    let mode = if args.dry_run { PruneMode::DryRun } else { PruneMode::Remove };
    pruned.editions = project.open_store()?.prune(feed.name(), args.keep, &protected(&ledger), mode)?;
    let stopped = if args.dry_run { None } else { remove_exports(&mut pruned, &context) };
    drop(sink);
    let report = as_json(args, &pruned);
    if console.output == Output::People {
        print(&told(args, &pruned))?;
    }
    match stopped {
        Some(fault) => Err(Failed { report: Some(Box::new(report)), ..Failed::from(fault) }),
        None if console.output == Output::Programs => Ok(print(&json_line(&report))?),
        None => Ok(()),
    }
}

/// Finds the old partitions of every table that the feed reads, and refuses what can't be removed
/// safely, before anything is.
fn old_exports(
    project: &Project,
    feed: &FeedFile,
    target: &dyn Target,
    keep: usize,
    context: &Context<'_>,
    pruned: &mut Pruned,
) -> Result<()> {
    let readers = readers(project, target, context)?;
    let warehouse = project.open_warehouse()?;
    let mut done: Vec<&Source> = Vec::new();
    for table in &feed.feed.tables {
        context.check_cancelled()?;
        // A feed may read one table under two names.
        if matches!(table.source, Source::Query(_)) || done.iter().any(|known| same(known, &table.source)) {
            continue;
        }
        done.push(&table.source);
        let reading: Vec<&Reader> = readers.iter().filter(|reader| reader.reads(table)).collect();
        for reader in reading.iter().filter(|reader| reader.published.is_none()) {
            pruned.notes.push(format!(
                "the exports of table {} all stay: feed {} reads it and has nothing published in this environment",
                table.name, reader.feed.name()
            ));
        }
        let is_old = |date: LoadDate| reading.iter().all(|reader| reader.is_done_with(date));
        for partition in warehouse.old_partitions(table, keep, &is_old)? {
            pruned.exports.push(Export { table: table.name.clone(), partition });
        }
    }
    Ok(())
}

/// A feed, and what its ledger says of the days that it may still need.
struct Reader {
    feed: FeedFile,
    /// The load_date that was published last.
    published: Option<LoadDate>,
    /// Load_dates that are begun.
    begun: BTreeSet<LoadDate>,
}

/// Every feed of the project: one table may be read by several, and what is old for one may be awaited
/// by another.
fn readers(project: &Project, target: &dyn Target, context: &Context<'_>) -> Result<Vec<Reader>> {
    let mut readers = Vec::new();
    for text in project.feeds(None)? {
        let feed = text.parse()?;
        let ledger: Ledger = target.ledger(feed.name(), View::Settled, context)?;
        let published = ledger.latest().map(|manifest| manifest.load_date);
        let begun = unfinished(&ledger).map(|progress| progress.load_date).collect();
        readers.push(Reader { feed, published, begun });
    }
    Ok(readers)
}

impl Reader {
    fn reads(&self, table: &Table) -> bool {
        self.feed.feed.tables.iter().any(|own| same(&own.source, &table.source))
    }

    /// Whether the day is older than what is published, and not begun.
    fn is_done_with(&self, date: LoadDate) -> bool {
        self.published.is_some_and(|published| date < published) && !self.begun.contains(&date)
    }
}

/// Whether two tables of feeds are one of the warehouse, whose names have no case.
fn same(one: &Source, other: &Source) -> bool {
    let name = |source: &Source| match source {
        Source::Warehouse { database, table } => {
            Some((database.as_deref().map(str::to_lowercase), table.to_lowercase()))
        }
        Source::Query(_) => None,
    };
    name(one).is_some() && name(one) == name(other)
}

/// Removes the exports in their order. What was not reached is taken from the list, so that it tells
/// what is gone.
fn remove_exports(pruned: &mut Pruned, context: &Context<'_>) -> Option<hivecast_run::Fault> {
    for at in 0..pruned.exports.len() {
        let Export { table, partition } = &pruned.exports[at];
        let removed = context.check_cancelled().and_then(|()| partition.remove());
        if let Err(fault) = removed {
            let what = format!("table {table}: exports were not all removed");
            pruned.exports.truncate(at);
            return Some(if fault.class() == Class::Interrupted { fault } else { fault.within(what) });
        }
        context.info(format!("removed load_date {} of table {table}", partition.load_date));
    }
    None
}

fn as_json(args: &PruneArgs, pruned: &Pruned) -> serde_json::Map<String, serde_json::Value> {
    let editions: Vec<String> = pruned.editions.iter().map(EditionId::to_string).collect();
    let mut report = serde_json::Map::new();
    report.insert("version".to_owned(), 1.into());
    report.insert("dry_run".to_owned(), args.dry_run.into());
    report.insert("removed".to_owned(), editions.into());
    if args.exports {
        let exports = pruned.exports.iter().map(|Export { table, partition }| {
            serde_json::json!({
                "table": table,
                "load_date": partition.load_date,
                "location": partition.location.to_string(),
            })
        });
        report.insert("exports".to_owned(), exports.collect());
        report.insert("notes".to_owned(), pruned.notes.clone().into());
    }
    report
}

fn told(args: &PruneArgs, pruned: &Pruned) -> String {
    let verb = if args.dry_run { "would remove" } else { "removed" };
    let mut text = String::new();
    let editions: Vec<String> = pruned.editions.iter().map(EditionId::to_string).collect();
    match editions.as_slice() {
        [] => {}
        [one] => text.push_str(&format!("{verb} edition {one}\n")),
        several => text.push_str(&format!("{verb} {} editions: {}\n", several.len(), several.join(", "))),
    }
    if !pruned.exports.is_empty() {
        text.push_str(&format!("{verb} {}:\n", plural(pruned.exports.len() as u64, "export")));
    }
    for Export { table, partition } in &pruned.exports {
        let left = match partition.remains {
            Remains::Whole => "",
            Remains::Files => " (left by a run that died)",
        };
        text.push_str(&format!("  {table} {}: {}{left}\n", partition.load_date, partition.location));
    }
    for note in &pruned.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    if text.is_empty() { "nothing to remove\n".to_owned() } else { text }
}
