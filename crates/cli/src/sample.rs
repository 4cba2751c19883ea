//! `hivecast sample`: an export to try things on, in the environment's warehouse.

use hivecast_contract::LoadDate;
use hivecast_report::{bytes, plural};
use hivecast_run::{Clock, Context, Fault, Result};
use hivecast_sample::{Existing, FileFormat, Options, Summary};

use crate::args::{Global, SampleArgs, SampleFormat};
use crate::dates::Calendar;
use crate::failure::{Output, json_line};
use crate::logging::{self, print};
use crate::project::Project;
use crate::run::{CLOCK, Console};

pub(crate) fn run(global: &Global, args: &SampleArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let options = Options {
        root: project.warehouse_dir()?,
        accounts: args.accounts,
        days: args.days,
        seed: args.seed,
        last_date: last_day(args)?,
        format: match args.format {
            SampleFormat::Parquet => FileFormat::Parquet,
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
        [] => return format!("every day is in {} already\n", options.root.display()),
        [day] => day.date.to_string(),
        [first, .., last] => format!("{} days, {} to {}", written.days.len(), first.date, last.date),
    };
    format!("wrote {days}: {}, {} in {}\n", plural(rows, "row"), bytes(size), options.root.display())
}

fn as_json(options: &Options, written: &Summary) -> String {
    let days = written.days.iter().map(|day| {
        let tables = day.tables.iter().map(|table| {
            serde_json::json!({ "table": table.table, "path": table.path, "rows": table.rows, "bytes": table.bytes })
        });
        serde_json::json!({ "load_date": day.date, "tables": tables.collect::<Vec<_>>() })
    });
    json_line(&serde_json::json!({
        "version": 1,
        "warehouse": options.root,
        "days": days.collect::<Vec<_>>(),
    }))
}
