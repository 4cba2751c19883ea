//! `hivecast sample`: an export to try things on, in the environment's warehouse.

use std::path::Path;

use hivecast_contract::LoadDate;
use hivecast_report::{bytes, plural};
use hivecast_run::{Clock, Context, Fault, Result};
use hivecast_sample::{Destination, Existing, FileFormat, Options, Summary};
use hivecast_storage::Location;

use crate::args::{Global, SampleArgs, SampleFormat};
use crate::dates::Calendar;
use crate::failure::{Output, json_line};
use crate::logging::{self, print};
use crate::project::{Exports, Project};
use crate::run::{CLOCK, Console};

pub(crate) fn run(global: &Global, args: &SampleArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let options = Options {
        to: destination(&project, args)?,
        database: args.database.clone(),
        accounts: args.accounts,
        days: args.days,
        seed: args.seed,
        last_date: last_day(args)?,
        format: match args.format {
            SampleFormat::Parquet => FileFormat::Parquet,
            SampleFormat::Orc => FileFormat::Orc,
            SampleFormat::Avro => FileFormat::Avro,
            SampleFormat::Json => FileFormat::Json,
            SampleFormat::Text => FileFormat::Text,
        },
        skew: args.skew,
        existing: match (args.force, args.extend) {
            (true, _) => Existing::Replace,
            (false, true) => Existing::Keep,
            (false, false) => Existing::Refuse,
        },
    };
    let written = hivecast_sample::write(&options, context)?;
    drop(sink);
    print(&match console.output {
        Output::People => told(&options, &written),
        Output::Programs => as_json(&options, &written),
    })
}

fn destination(project: &Project, args: &SampleArgs) -> Result<Destination> {
    let location = args.location.as_deref();
    let misplaced = |exports| match location {
        None => Ok(exports),
        Some(_) => Err(Fault::usage("--location is for a warehouse that is a metastore").advise(
            "leave it out: the sample lies in the environment's `warehouse`; or name one with --metastore",
        )),
    };
    let exports = match &args.metastore {
        Some(addresses) => Exports::Metastore(project.metastore_at(addresses)?),
        None => project.exports()?,
    };
    match exports {
        Exports::Directory(root) => misplaced(Destination::Directory(root)),
        Exports::Url(root) => misplaced(Destination::Store { root, stores: project.stores() }),
        Exports::Metastore(metastore) => Ok(Destination::Metastore {
            metastore: Box::new(metastore),
            stores: project.stores(),
            location: location.map(place).transpose()?,
        }),
    }
}

/// A URL, or a directory, relative to where the command runs as on any command line.
fn place(text: &str) -> Result<Location> {
    if text.contains(':') {
        return Location::parse(text);
    }
    let path = std::path::absolute(Path::new(text))
        .map_err(|error| Fault::io(format!("failed to find {text}"), error))?;
    Location::local(&path)
}

/// The sample knows no feed, so its `today` is that of UTC.
fn last_day(args: &SampleArgs) -> Result<LoadDate> {
    let none =
        || Err(Fault::usage("`latest` is no day for a sample").advise("give a date, today or yesterday"));
    Calendar { now_ms: CLOCK.now_ms(), zone: chrono_tz::UTC, latest: &none }.single(args.load_date)
}

fn told(options: &Options, written: &Summary) -> String {
    let tables = written.days.iter().flat_map(|day| &day.tables);
    let (rows, size) = tables.fold((0, 0), |(rows, size), table| (rows + table.rows, size + table.bytes));
    let days = match written.days.as_slice() {
        [] => return format!("every day is in {} already\n", options.to),
        [day] => day.date.to_string(),
        [first, .., last] => format!("{} days, {} to {}", written.days.len(), first.date, last.date),
    };
    format!("wrote {days}: {}, {} in {}\n", plural(rows, "row"), bytes(size), options.to)
}

fn as_json(options: &Options, written: &Summary) -> String {
    let days = written.days.iter().map(|day| {
        let tables = day.tables.iter().map(|table| {
            serde_json::json!({
                "table": table.table,
                "path": table.path.to_string(),
                "rows": table.rows,
                "bytes": table.bytes,
            })
        });
        serde_json::json!({ "load_date": day.date, "tables": tables.collect::<Vec<_>>() })
    });
    json_line(&serde_json::json!({
        "version": 1,
        "warehouse": options.to.to_string(),
        "days": days.collect::<Vec<_>>(),
    }))
}
