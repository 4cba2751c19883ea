//! Builds of a small share of the keys, by the engine that will do the work, to measure it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hivecast_contract::LoadDate;
use hivecast_edition::{PruneMode, Store};
use hivecast_engine::{Plan, SqlBinder, edition_id};
use hivecast_estimate::{
    Basis, Facts, Foretold, Load, Origin, Purpose, Range, Record, Subject, embedded_load,
};
use hivecast_feed::{Feed, JoinColumn, Rule, Shape, Spanned};
use hivecast_report::{peak_memory_bytes, seconds};
use hivecast_run::{Cancel, Class, Context, Fault, Result};

use super::learn::as_built;
use super::question::rule;
use crate::args::{Global, PlanArgs};
use crate::edition;
use crate::feed_file::FeedFile;
use crate::project::Project;

/// The shares of the keys that are built, in percent.
const PERCENTS: [u32; 4] = [1, 2, 4, 8];
/// And these, too, while that is quick: what a run of a second takes says little of one of minutes, since what differs
/// from one run to the next is then as much as what another share takes.
const MORE_PERCENTS: [u32; 2] = [16, 32];
/// Quick is a run that takes no longer than this.
const QUICK: Duration = Duration::from_secs(5);
/// Wall time of all of them.
const TIME_MAX: Duration = Duration::from_secs(600);
/// A share is built so often while that is cheap, since single runs are off by chance …
const RUNS_A_SHARE: usize = 3;
/// … which it is while all of a share's runs take no longer than this.
const CHEAP: Duration = Duration::from_secs(20);
/// Digits of the keys' MD5 that are compared.
const DIGITS: u32 = 4;
/// What a process gets to end by itself, and to remove what it made.
const GRACE: Duration = Duration::from_secs(10);
/// How often a calibration looks whether its time is over.
const LOOK: Duration = Duration::from_millis(20);

/// The command that builds one share: this program again, since a process that did something before has memory of
/// before.
pub(super) struct ShareCommand {
    arguments: Vec<OsString>,
}

/// The command, for the environment, the feed, the day and the limits of this one.
pub(super) fn command(global: &Global, args: &PlanArgs, day: LoadDate) -> ShareCommand {
    let mut arguments: Vec<OsString> = vec!["--quiet".into(), "--env".into(), global.env.clone().into()];
    let mut add = |name: &str, value: Option<OsString>| {
        arguments.extend(value.into_iter().flat_map(|value| [name.into(), value]));
    };
    add("--project", global.project.clone().map(OsString::from));
    add("--feed", global.feed.clone().map(OsString::from));
    arguments.extend(["plan".into(), "--load-date".into(), day.to_string().into()]);
    let mut add = |name: &str, value: Option<String>| {
        arguments.extend(value.into_iter().flat_map(|value| [name.into(), value.into()]));
    };
    add("--memory", args.resources.memory.map(|bytes| format!("{bytes}B")));
    add("--threads", args.resources.threads.map(|threads| threads.to_string()));
    ShareCommand { arguments }
}

impl ShareCommand {
    /// Runs it: none where its time was over first.
    fn run(&self, percent: u32, limit: Duration, context: &Context<'_>) -> Result<Option<Record>> {
        let what = || format!("failed to calibrate by {percent} % of the keys");
        let program = std::env::current_exe().map_err(|error| Fault::io(what(), error))?;
        let child = Command::new(program)
            .args(&self.arguments)
            .args(["--calibrate-share", &percent.to_string()])
            .args(["--calibrate-for", &format!("{}s", limit.as_secs().max(1))])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Fault::io(what(), error))?;
        let done = ended(child, limit + GRACE, context).map_err(|error| Fault::io(what(), error))?;
        context.check_cancelled()?;
        if done.status.success() {
            return serde_json::from_slice(&done.stdout).map_err(|error| Fault::bug(what()).because(error));
        }
        let told = String::from_utf8_lossy(&done.stderr);
        let told = told.trim().strip_prefix("error: ").unwrap_or(told.trim()).to_owned();
        let class = done.status.code().and_then(Class::of_exit_code).unwrap_or(Class::Infrastructure);
        Err(Fault::new(class, what()).because(told))
    }
}

/// Waits until a process has ended. It is told to end where this one is to, or where it takes longer than `limit`, and is
/// ended where it does not within a while: its own time limit and its own signals should have come first. What it says is
/// a record or an error, which a pipe holds.
fn ended(mut child: Child, limit: Duration, context: &Context<'_>) -> std::io::Result<Output> {
    let started = Instant::now();
    let mut told: Option<Instant> = None;
    while child.try_wait()?.is_none() {
        match told {
            None if context.cancel.is_cancelled() || started.elapsed() > limit => {
                let process = rustix::process::Pid::from_child(&child);
                rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
                told = Some(Instant::now());
            }
            Some(told) if told.elapsed() > GRACE => child.kill()?,
            _ => {}
        }
        std::thread::sleep(LOOK);
    }
    child.wait_with_output()
}

/// Builds 1 to 8 % of the keys, or more while that is quick, and measures. What ten minutes do not suffice for is left
/// out, and said.
pub(super) fn calibrate(
    command: &ShareCommand,
    context: &Context<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<Record>> {
    let started = Instant::now();
    let mut records = Vec::new();
    let mut last = Duration::ZERO;
    for percent in PERCENTS.into_iter().chain(MORE_PERCENTS) {
        if MORE_PERCENTS.contains(&percent) && last > QUICK {
            break;
        }
        let began = Instant::now();
        for run in 0..RUNS_A_SHARE {
            context.check_cancelled()?;
            let left = TIME_MAX.saturating_sub(started.elapsed());
            // The next takes no less than the last.
            if left < last {
                notes.push(format!(
                    "calibration ended before {percent} % of the keys: its ten minutes were used"
                ));
                return Ok(records);
            }
            if run > 0 && began.elapsed() + last > CHEAP {
                break;
            }
            let begun = Instant::now();
            let Some(record) = command.run(percent, left, context)? else {
                notes.push(format!("calibration was stopped after ten minutes, at {percent} % of the keys"));
                return Ok(records);
            };
            last = begun.elapsed();
            context.info(format!("calibrated by {percent} % of the keys in {}", seconds(last.as_secs_f64())));
            records.push(record);
        }
    }
    Ok(records)
}

/// Builds one share in this process; none where its time is over first.
pub(super) fn one(
    project: &Project,
    feed: &FeedFile,
    plan: &Plan,
    percent: u32,
    limit: Duration,
    context: &Context<'_>,
) -> Result<Option<Record>> {
    let cores = match project.spark()? {
        Some(endpoint) => Some(hivecast_spark::cores(&endpoint, context)?.ok_or_else(|| {
            Fault::usage("failed to calibrate: the Spark server does not say how many cores it has")
                .advise("plan without --calibrate; runs are learned from as they come")
        })?),
        None => None,
    };
    let facts = super::outline(plan, &[], context)?;
    let share = share(feed, plan, percent)?;
    within(limit, context, &|context| build(project, &share, &facts, cores, context))
}

/// A share of the keys.
struct Share {
    plan: Plan,
    /// The tables whose keys are hashed for it.
    hashed: Vec<String>,
}

/// The plan for the keys whose MD5 begins so low, of the document and of what joins by its key.
fn share(feed: &FeedFile, plan: &Plan, percent: u32) -> Result<Share> {
    let mut draft = feed.draft();
    let mut hashed = Vec::new();
    if let Some(found) = &mut draft.feed {
        hashed = narrow(found, percent);
        // Rows of the other keys would all be orphans, or be kept to see that they are none.
        found.gates.retain(|gate| !matches!(gate.rule, Rule::Orphans { .. }));
        found.name = format!("{}.calibration", found.name);
    }
    let columns =
        plan.inputs.tables.iter().map(|table| (table.table.clone(), table.schema.clone())).collect();
    let checked = draft.check(&columns, &SqlBinder::default())?;
    let edition = edition_id(&checked, &plan.inputs);
    Ok(Share { plan: Plan { checked, edition, ..plan.clone() }, hashed })
}

/// Leaves a share of the rows of some tables, and says of which.
fn narrow(feed: &mut Feed, percent: u32) -> Vec<String> {
    let bound = 16_u32.pow(DIGITS) * percent / 100;
    let condition = |key: &str| format!("substr(md5(cast({key} as string)), 1, {DIGITS}) < '{bound:04x}'");
    let Some(key) = feed.document.key.clone() else { return Vec::new() };
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
    let mut narrowed = Vec::new();
    for (name, condition) in conditions {
        let Some(table) = feed.tables.iter_mut().find(|table| table.name == name) else { continue };
        narrowed.push(name);
        let condition = match &table.filter {
            Some(filter) => format!("({}) and {condition}", filter.value),
            None => condition,
        };
        table.filter = Some(Spanned { value: condition, span: key.span.clone() });
    }
    narrowed
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
        Shape::List(elements) => elements
            .iter()
            .flat_map(|element| &element.fields)
            .map(|field| uses_of(&field.shape, table))
            .sum(),
        Shape::One(node) | Shape::Many(node) => uses(node, table),
    }
}

/// Builds, and removes what was built.
fn build(
    project: &Project,
    Share { plan, hashed }: &Share,
    facts: &Facts,
    cores: Option<u32>,
    context: &Context<'_>,
) -> Result<Record> {
    let (store, dir) = match cores {
        // A cluster writes where the environment's editions lie.
        Some(_) => (project.open_store()?, project.store_dir()?),
        None => {
            let dir = plan.spill.join("calibration");
            (Store::open(&dir)?, dir)
        }
    };
    let started = Instant::now();
    let built = project.engine()?.build(plan, &store, context);
    let took = started.elapsed().as_secs_f64();
    let peak = peak_memory_bytes();
    store.prune(&plan.checked.feed.name, 0, &[], PruneMode::Remove)?;
    remove_traces(&dir, &plan.checked.feed.name);
    let edition = built?;
    let summary = edition::summary(&edition, &[]);
    let work = as_built(facts.work(), facts, &summary);
    let threads = u32::try_from(plan.threads).unwrap_or(u32::MAX);
    let own = embedded_load(facts, threads, plan.memory_bytes as u64, &rule(), Purpose::Build);
    let spilled_bytes = if own.spilled_bytes > 0.0 { work.kept_bytes } else { 0.0 };
    let hashed_rows: u64 =
        summary.tables.iter().filter(|of| hashed.contains(&of.table)).map(|of| of.rows_read).sum();
    let cores_used = f64::from(cores.unwrap_or(0));
    let load = Load { work, spilled_bytes, cores: cores_used, hashed_rows: hashed_rows as f64, ..own };
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
    Ok(Record { origin: Origin::Calibration, load, numbers })
}

/// Removes the directory that is left where editions were. What can't be removed harms nobody.
fn remove_traces(store: &Path, feed: &str) {
    let _ = std::fs::remove_dir_all(store.join(feed));
    // Only where it is empty, as the one that was made for this is.
    let _ = std::fs::remove_dir(store);
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

#[cfg(test)]
mod tests {
    use hivecast_run::{FixedClock, Silent};

    use super::*;

    /// What goes on until it is told to stop.
    fn endless(context: &Context<'_>) -> Result<()> {
        loop {
            context.check_cancelled()?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_takes_longer_than_its_time_is_stopped_and_is_no_failure() {
        let cancel = Cancel::default();
        let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
        assert!(within(Duration::ZERO, &context, &endless).unwrap().is_none());
        assert_eq!(within(TIME_MAX, &context, &|_| Ok(7)).unwrap(), Some(7));
    }

    #[test]
    fn who_interrupts_a_calibration_interrupts_the_command() {
        let cancel = Cancel::default();
        cancel.cancel();
        let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
        assert_eq!(within(TIME_MAX, &context, &endless).unwrap_err().class(), Class::Interrupted);
    }

    /// A process that goes on for a minute, unless it is told to end.
    fn minute() -> Child {
        let piped = |command: &mut Command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        piped(Command::new("sleep").arg("60")).unwrap()
    }

    #[test]
    fn the_process_of_a_share_ends_with_its_time_and_with_who_asked_for_it() {
        let cancel = Cancel::default();
        let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
        assert!(!ended(minute(), Duration::ZERO, &context).unwrap().status.success(), "its time was over");
        cancel.cancel();
        assert!(!ended(minute(), TIME_MAX, &context).unwrap().status.success(), "it was interrupted");
    }

    #[test]
    fn what_a_process_says_before_it_ends_is_kept() {
        let cancel = Cancel::default();
        let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
        let child = Command::new("echo").arg("said").stdout(Stdio::piped()).spawn().unwrap();
        let done = ended(child, TIME_MAX, &context).unwrap();
        assert!(done.status.success());
        assert_eq!(done.stdout, b"said\n");
    }
}
