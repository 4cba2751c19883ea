//! Builds of a small share of the keys, by the engine that will do the work, to measure it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hivecast_edition::{PruneMode, Store};
use hivecast_engine::{Plan, SqlBinder, edition_id};
use hivecast_estimate::{Basis, Facts, Foretold, Load, Purpose, Range, Record, Subject, Work, embedded_load};
use hivecast_feed::{Feed, JoinColumn, Shape, Spanned};
use hivecast_report::{forget_peak_memory, peak_memory_bytes, seconds};
use hivecast_run::{Cancel, Class, Context, Fault, Result};

use super::learn::kept_bytes;
use super::question::rule;
use crate::edition;
use crate::feed_file::FeedFile;
use crate::project::Project;

/// The shares of the keys that are built, in percent. The first is built once more, before: what files' pages and
/// the program's own take the first time is no part of what is measured.
const PERCENTS: [u32; 4] = [1, 2, 4, 8];
/// Wall time of all of them.
const TIME_MAX: Duration = Duration::from_secs(600);
/// Digits of the keys' MD5 that are compared.
const DIGITS: u32 = 4;
/// How often a calibration looks whether its time is over.
const LOOK: Duration = Duration::from_millis(100);

/// Builds 1 to 8 % of the keys, and measures. What ten minutes do not suffice for is left out, and said.
pub(super) fn calibrate(
    project: &Project,
    feed: &FeedFile,
    plan: &Plan,
    facts: &Facts,
    context: &Context<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<Record>> {
    let cores = match project.spark()? {
        Some(endpoint) => Some(hivecast_spark::cores(&endpoint, context)?.ok_or_else(|| {
            Fault::usage("failed to calibrate: the Spark server does not say how many cores it has")
                .advise("plan without --calibrate; runs are learned from as they come")
        })?),
        None => None,
    };
    let started = Instant::now();
    let mut records = Vec::new();
    let mut last = Duration::ZERO;
    for percent in std::iter::once(PERCENTS[0]).chain(PERCENTS) {
        let left = TIME_MAX.saturating_sub(started.elapsed());
        // The next takes no less than the last.
        if left < last {
            notes.push(format!("calibration ended before {percent} % of the keys: its ten minutes were used"));
            break;
        }
        let sampled = sampled(feed, plan, percent)?;
        let began = Instant::now();
        let built = within(left, context, &|context| build(project, &sampled, facts, cores, context))?;
        last = began.elapsed();
        match built {
            Some(record) => {
                context.info(format!("calibrated by {percent} % of the keys in {}", seconds(last.as_secs_f64())));
                records.push(record);
            }
            None => {
                notes.push(format!("calibration was stopped after ten minutes, at {percent} % of the keys"));
                break;
            }
        }
    }
    if records.len() > 1 {
        records.remove(0);
    }
    Ok(records)
}

/// The plan for the keys whose MD5 begins so low, of the document and of what joins by its key.
fn sampled(feed: &FeedFile, plan: &Plan, percent: u32) -> Result<Plan> {
    let mut draft = feed.draft();
    if let Some(found) = &mut draft.feed {
        narrow(found, percent);
        found.name = format!("{}.calibration", found.name);
        // Gates judge whole exports.
        found.gates.clear();
    }
    let columns = plan.inputs.tables.iter().map(|table| (table.table.clone(), table.schema.clone())).collect();
    let checked = draft.check(&columns, &SqlBinder::default())?;
    let edition = edition_id(&checked, &plan.inputs);
    Ok(Plan { checked, edition, ..plan.clone() })
}

fn narrow(feed: &mut Feed, percent: u32) {
    let bound = 16_u32.pow(DIGITS) * percent / 100;
    let condition = |key: &str| format!("substr(md5(cast({key} as string)), 1, {DIGITS}) < '{bound:04x}'");
    let Some(key) = feed.document.key.clone() else { return };
    let mut conditions = vec![(feed.document.table.value.clone(), condition(&key.value))];
    for field in &feed.document.fields {
        let (Shape::One(node) | Shape::Many(node)) = &field.shape else { continue };
        // A table that other levels read, too, has to be whole for them.
        if let [JoinColumn { parent, child, .. }] = node.on.as_slice()
            && *parent == key.value
            && uses(&feed.document, &node.table.value) == 1
        {
            conditions.push((node.table.value.clone(), condition(child)));
        }
    }
    for (name, condition) in conditions {
        let Some(table) = feed.tables.iter_mut().find(|table| table.name == name) else { continue };
        let condition = match &table.filter {
            Some(filter) => format!("({}) and {condition}", filter.value),
            None => condition,
        };
        table.filter = Some(Spanned { value: condition, span: key.span.clone() });
    }
}

/// How many levels read a table.
fn uses(node: &hivecast_feed::Node, table: &str) -> usize {
    let own = usize::from(node.table.value == table);
    own + node.fields.iter().map(|field| uses_of(&field.shape, table)).sum::<usize>()
}

fn uses_of(shape: &Shape, table: &str) -> usize {
    match shape {
        Shape::Value { .. } => 0,
        Shape::Fields(fields) => fields.iter().map(|field| uses_of(&field.shape, table)).sum(),
        Shape::List(elements) => {
            elements.iter().flat_map(|element| &element.fields).map(|field| uses_of(&field.shape, table)).sum()
        }
        Shape::One(node) | Shape::Many(node) => uses(node, table),
    }
}

/// Builds, and removes what was built.
fn build(
    project: &Project,
    plan: &Plan,
    facts: &Facts,
    cores: Option<u32>,
    context: &Context<'_>,
) -> Result<Record> {
    let store = match cores {
        // A cluster writes where the environment's editions lie.
        Some(_) => project.open_store()?,
        None => Store::open(&plan.spill.join("calibration"))?,
    };
    forget_peak_memory();
    let started = Instant::now();
    let built = project.engine()?.build(plan, &store, context);
    let took = started.elapsed().as_secs_f64();
    let peak = peak_memory_bytes();
    let edition = match built {
        Ok(edition) => edition,
        Err(fault) => {
            let _ = store.prune(&plan.checked.feed.name, 0, &[], PruneMode::Remove);
            return Err(fault);
        }
    };
    let summary = edition::summary(&edition, &[]);
    let work =
        Work { documents: summary.documents as f64, kept_bytes: kept_bytes(facts, &summary), ..facts.work() };
    let threads = u32::try_from(plan.threads).unwrap_or(u32::MAX);
    let own = embedded_load(facts, threads, plan.memory_bytes as u64, &rule(), Purpose::Build);
    let spilled_bytes = if own.spilled_bytes > 0.0 { work.kept_bytes } else { 0.0 };
    let load = Load { work, spilled_bytes, cores: f64::from(cores.unwrap_or(0)), ..own };
    store.prune(&plan.checked.feed.name, 0, &[], PruneMode::Remove)?;
    let build = if cores.is_some() { Subject::BuildSpark } else { Subject::BuildEmbedded };
    let memory = if load.spilled_bytes > 0.0 { Subject::MemoryOfPasses } else { Subject::MemoryOfRows };
    let number = |subject, measured: f64| Foretold {
        subject,
        predicted: Range::exact(measured),
        basis: Basis::Default,
        measured: Some(measured),
    };
    let mut numbers = vec![number(build, took)];
    if cores.is_none() {
        numbers.extend(peak.map(|bytes| number(memory, bytes as f64)));
    }
    Ok(Record { load, numbers })
}

/// Runs something for no longer than this; none where its time was over first.
fn within<T>(
    limit: Duration,
    context: &Context<'_>,
    run: &dyn Fn(&Context<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let (cancel, ended) = (Cancel::default(), AtomicBool::new(false));
    let started = Instant::now();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if context.cancel.is_cancelled() || started.elapsed() > limit {
                    cancel.cancel();
                }
                std::thread::sleep(LOOK);
            }
        });
        let result = run(&Context { cancel: &cancel, ..*context });
        ended.store(true, Ordering::Relaxed);
        result
    });
    context.check_cancelled()?;
    match result {
        Err(fault) if fault.class() == Class::Interrupted => Ok(None),
        other => other.map(Some),
    }
}
