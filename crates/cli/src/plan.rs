//! `hivecast plan`: what a load_date will need, before it is run.

mod calibrate;
mod facts;
mod facts_file;
mod files;
mod learn;
mod question;
mod why;

use hivecast_engine::{Look, Plan};
use hivecast_estimate::{Answer, Facts, Question, Server, answer};
use hivecast_report::{PastRun, plan_history, plan_table};
use hivecast_run::{Context, Result};

use crate::args::{Global, PlanArgs};
use crate::dates::Calendar;
use crate::edition::{self, Resources, Waiting};
use crate::failure::{Output, json_line};
use crate::feed_file::FeedFile;
use crate::history::History;
use crate::logging::{self, print};
use crate::machine;
use crate::project::Project;
use crate::publish::newest;
use crate::run::{CLOCK, Console};

pub(crate) use learn::{Done, Engine, Foreseen, foresee};

/// So many past runs are learned from, and shown by `--history`.
const RUNS_MAX: usize = 500;

/// What is known before anything is reckoned.
struct Known {
    facts: Facts,
    history: Vec<PastRun>,
    /// Where spill files go; none where the run will be on another machine.
    spill_free_bytes: Option<u64>,
    /// The Spark server that the environment builds with.
    server: Option<Server>,
    notes: Vec<String>,
}

pub(crate) fn run(global: &Global, args: &PlanArgs, console: &Console) -> Result<()> {
    if args.history {
        return history(global, console);
    }
    if let Some(percent) = args.calibrate_share {
        return calibrate_one(global, args, percent, console);
    }
    files::refuse_foreign(args)?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let known = match &args.facts {
        Some(file) => known_from_file(file)?,
        None => known_from_warehouse(global, args, &context)?,
    };
    let question = question::question(args, &known)?;
    let mut answer = answer(&question);
    answer.notes.extend(known.notes);
    files::write_all(args, &question, &answer, &context)?;
    // Bars must be gone before the answer is printed.
    drop(sink);
    show(args, console, &question, &answer)
}

fn show(args: &PlanArgs, console: &Console, question: &Question, answer: &Answer) -> Result<()> {
    if let Some(name) = &args.why {
        let name = why::resolve(name, question, answer)?;
        let found = answer.why(name);
        return print(&match console.output {
            Output::Programs => json_line(&serde_json::json!({ "version": 1, "name": name, "why": found })),
            Output::People => found.join("\n") + "\n",
        });
    }
    print(&match console.output {
        Output::Programs => json_line(answer),
        Output::People => plan_table(answer),
    })
}

fn known_from_file(file: &std::path::Path) -> Result<Known> {
    let facts = facts_file::read_facts(file)?;
    let (history, notes) = (Vec::new(), Vec::new());
    Ok(Known { facts, history, spill_free_bytes: None, server: None, notes })
}

fn known_from_warehouse(global: &Global, args: &PlanArgs, context: &Context<'_>) -> Result<Known> {
    let project = Project::load_to_read(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let latest = || {
        let newest = newest(&project, &feed, *context)?;
        newest.passed_over.iter().for_each(|note| context.warn(note));
        Ok(newest.date)
    };
    let day = Calendar::of(&feed.feed, &latest).single(args.load_date)?;
    let plan =
        edition::plan(&project, &feed, day, Waiting::NotOffered, Resources::of(&args.resources), context)?;
    let mut history = past_runs(&project, &feed, context)?;
    let look = if args.quick { Look::Files } else { Look::Keys };
    let facts = facts::facts(&plan, look, &history, context)?;
    let mut notes = Vec::new();
    if args.calibrate {
        let records = calibrate::calibrate(&calibrate::command(global, args, day), context, &mut notes)?;
        let runs: Vec<PastRun> =
            records.iter().map(|record| learn::calibrated(&project, &plan, record)).collect();
        // Later plans, of other days too, learn from them as from any run.
        let file = History::new(&project.store_dir()?, feed.name());
        runs.iter().for_each(|run| file.add(run, context));
        history.extend(runs);
    }
    let spill_free_bytes = machine::free_space(&plan.spill);
    let server = server(&project, context, &mut notes)?;
    Ok(Known { facts, history, spill_free_bytes, server, notes })
}

/// The Spark server that the environment builds with, if it does. A plan is of use also while it is away.
fn server(project: &Project, context: &Context<'_>, notes: &mut Vec<String>) -> Result<Option<Server>> {
    let Some(endpoint) = project.spark()? else { return Ok(None) };
    match hivecast_spark::cores(&endpoint, context) {
        Ok(cores) => Ok(Some(Server { cores })),
        Err(fault) => {
            notes.push(format!("nothing is foretold of this environment's Spark server: {}", fault.chain()));
            Ok(None)
        }
    }
}

/// Builds one share of the keys and prints its record, or `null` where its time was over first.
fn calibrate_one(global: &Global, args: &PlanArgs, percent: u32, console: &Console) -> Result<()> {
    let project = Project::load_to_read(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let latest = || Ok(newest(&project, &feed, context)?.date);
    let day = Calendar::of(&feed.feed, &latest).single(args.load_date)?;
    let plan =
        edition::plan(&project, &feed, day, Waiting::NotOffered, Resources::of(&args.resources), &context)?;
    let record = calibrate::one(&project, &feed, &plan, percent, args.calibrate_for, &context)?;
    drop(sink);
    print(&json_line(&record))
}

/// The feed's history, oldest first.
pub(crate) fn past_runs(project: &Project, feed: &FeedFile, context: &Context<'_>) -> Result<Vec<PastRun>> {
    let runs = History::new(&project.store_dir()?, feed.name()).last(RUNS_MAX, context)?;
    // Another environment's machine is another machine.
    Ok(runs.into_iter().filter(|run| run.env == project.env()).collect())
}

/// What files say of the plan, at no cost: for a run that is about to begin.
fn outline(plan: &Plan, history: &[PastRun], context: &Context<'_>) -> Result<Facts> {
    facts::facts(plan, Look::Files, history, context)
}

fn history(global: &Global, console: &Console) -> Result<()> {
    let project = Project::load_to_read(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let runs = past_runs(&project, &feed, &context)?;
    drop(sink);
    let errors = learn::errors(&runs);
    print(&match console.output {
        Output::Programs => json_line(&serde_json::json!({ "version": 1, "predictions": errors })),
        Output::People if errors.is_empty() => {
            format!("feed {} has no runs yet that were foretold\n", feed.name())
        }
        Output::People => plan_history(&errors),
    })
}
