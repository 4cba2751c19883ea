//! `hivecast preview`: a few documents as they would be sent.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use hivecast_engine::{Embedded, Engine, Plan, Preview, Selection};
use hivecast_publish::encode::{EditionStamp, Encoder};
use hivecast_report::pretty;
use hivecast_run::{Context, Fault, Result};
use serde_json::value::RawValue;

use crate::args::{Global, PreviewArgs};
use crate::dates::Calendar;
use crate::edition::{self, Resources, Waiting};
use crate::failure::{Output, json_line};
use crate::logging::{self, print};
use crate::project::Project;
use crate::publish::newest;
use crate::run::{CLOCK, Console};

pub(crate) fn run(global: &Global, args: &PreviewArgs, console: &Console) -> Result<()> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let latest = || {
        let newest = newest(&project, &feed, context)?;
        newest.passed_over.iter().for_each(|note| context.warn(note));
        Ok(newest.date)
    };
    let day = Calendar::of(&feed.feed, &latest).single(args.load_date)?;
    let resources = Resources::of(&args.resources);
    let plan = edition::plan(&project, &feed, day, Waiting::NotOffered, resources, &context)?;
    let selection = match args.keys.as_slice() {
        [] => Selection::First(args.limit as usize),
        keys => Selection::Keys(keys.to_vec()),
    };
    let batch = Embedded.preview(&plan, &selection, &context)?;
    let documents = documents(&plan, &batch, project.mask_key())?;
    // Bars must be gone before documents are printed.
    drop(sink);
    let lacking = missing(&args.keys, &documents, &feed.feed.name, &plan);
    match console.output {
        // A person is shown those that are there, and then told which are not.
        Output::People => {
            print(&documents.iter().map(|(_, json)| pretty(json) + "\n").collect::<String>())?;
            lacking
        }
        Output::Programs => {
            lacking?;
            print(&as_json(&feed.feed.name, &plan, &documents)?)
        }
    }
}

/// The edition's time as the engine would state it: the newest input file's.
fn time_ms(plan: &Plan) -> i64 {
    const NS_PER_MS: i64 = 1_000_000;
    let files = plan.inputs.tables.iter().flat_map(|table| &table.files);
    files.map(|file| file.modified_ns.div_euclid(NS_PER_MS)).max().unwrap_or(0)
}

/// Keys and record values.
fn documents(plan: &Plan, batch: &Preview, mask_key: Option<&[u8]>) -> Result<Vec<(String, String)>> {
    let stamp = EditionStamp { load_date: plan.inputs.load_date, time_ms: time_ms(plan) };
    let encoder = Encoder::new(&plan.checked.feed, batch.documents.fields(), stamp, mask_key)?;
    let prepared = encoder.prepare(&batch.documents)?;
    let keys = batch.keys.as_string_view();
    (0..keys.len())
        .map(|row| {
            let key = keys.value(row);
            let mut json = Vec::new();
            prepared.write(row, key, &mut json)?;
            let json = String::from_utf8(json)
                .map_err(|error| Fault::bug(format!("document {key:?} is not UTF-8")).because(error))?;
            Ok((key.to_owned(), json))
        })
        .collect()
}

fn as_json(feed: &str, plan: &Plan, documents: &[(String, String)]) -> Result<String> {
    let raw = |(key, json): &(String, String)| {
        let value = RawValue::from_string(json.clone())
            .map_err(|error| Fault::bug(format!("document {key:?} is no JSON")).because(error))?;
        Ok(Document { key: key.clone(), value })
    };
    let documents = documents.iter().map(raw).collect::<Result<_>>()?;
    Ok(json_line(&Previewed {
        version: 1,
        feed: feed.to_owned(),
        load_date: plan.inputs.load_date.to_string(),
        edition: plan.edition.to_string(),
        documents,
    }))
}

#[derive(serde::Serialize)]
struct Previewed {
    version: u32,
    feed: String,
    load_date: String,
    edition: String,
    documents: Vec<Document>,
}

#[derive(serde::Serialize)]
struct Document {
    key: String,
    value: Box<RawValue>,
}

/// A key that was asked for and is not there is worth an exit code.
fn missing(keys: &[String], found: &[(String, String)], feed: &str, plan: &Plan) -> Result<()> {
    let lacks = |key: &&String| !found.iter().any(|(there, _)| there == *key);
    let lacking: Vec<&str> = keys.iter().filter(lacks).map(String::as_str).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Fault::data(format!(
        "feed {feed} has no document with key {} on load_date {}",
        lacking.join(", "),
        plan.inputs.load_date
    ))
    .advise("the row may be absent, or left out by the feed's `where`"))
}
