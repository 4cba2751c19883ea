//! What is foretold of a run before it begins, and what is measured of it: the history that later plans learn from.

use hivecast_engine::Plan;
use hivecast_estimate::{
    Basis, Facts, Foretold, Load, Origin, Purpose, Range, Record, Subject, Unit, Work, embedded_load, learn,
};
use hivecast_report::{EditionSummary, PastRun, PlanError, StepTime};
use hivecast_run::{Clock, Context};

use super::question::rule;
use crate::edition::Resources;
use crate::history::{PAST_RUN_VERSION, rfc3339};
use crate::project::Project;
use crate::run::CLOCK;

/// The engine of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Embedded,
    /// With so many cores, as far as the server tells.
    Spark(Option<u32>),
}

/// What was foretold of a run that has begun.
pub(crate) struct Foreseen {
    facts: Facts,
    load: Load,
    engine: Engine,
    purpose: Purpose,
    predictions: Vec<(Subject, Range, Basis)>,
}

/// Foretells a run by what its files say. A run is not stopped because nothing could be foretold of it.
pub(crate) fn foresee(
    plan: &Plan,
    history: &[PastRun],
    engine: Engine,
    purpose: Purpose,
    context: &Context<'_>,
) -> Option<Foreseen> {
    let facts = super::outline(plan, history, context)
        .map_err(|fault| context.warn(format!("nothing is foretold of this run: {}", fault.chain())))
        .ok()?;
    let resources = Resources { memory_bytes: plan.memory_bytes, threads: plan.threads };
    let load = load(&facts, engine, resources, purpose);
    let records = records(history);
    let predictions = subjects(engine, purpose, &load).into_iter().map(|subject| {
        let model = learn(subject, &records);
        (subject, facts.foretell(&model, &load), model.basis)
    });
    Some(Foreseen { predictions: predictions.collect(), facts, load, engine, purpose })
}

/// What models say something of such a run.
fn subjects(engine: Engine, purpose: Purpose, load: &Load) -> Vec<Subject> {
    let mut subjects = match engine {
        Engine::Spark(None) => Vec::new(),
        Engine::Spark(Some(_)) => vec![Subject::BuildSpark],
        Engine::Embedded if load.spilled_bytes > 0.0 => vec![Subject::BuildEmbedded, Subject::MemoryOfPasses],
        Engine::Embedded => vec![Subject::BuildEmbedded, Subject::MemoryOfRows],
    };
    if purpose == Purpose::Publish {
        subjects.extend([Subject::Publish, Subject::Verify]);
    }
    subjects
}

fn load(facts: &Facts, engine: Engine, resources: Resources, purpose: Purpose) -> Load {
    let threads = u32::try_from(resources.threads).unwrap_or(u32::MAX);
    let own = embedded_load(facts, threads, resources.memory_bytes as u64, &rule(), purpose);
    match engine {
        Engine::Embedded => own,
        Engine::Spark(cores) => Load { cores: f64::from(cores.unwrap_or(0)), spilled_bytes: 0.0, ..own },
    }
}

/// What a run has done, and what of it may be learned from.
pub(crate) struct Done<'a> {
    /// The edition, where this run built it.
    pub(crate) built: Option<&'a EditionSummary>,
    /// Bytes of keys and values, where all of it was sent by this run.
    pub(crate) sent_bytes: Option<u64>,
    /// Whether it was read back.
    pub(crate) is_verified: bool,
    /// The most memory that the process held since the run began.
    pub(crate) peak_bytes: Option<u64>,
    /// How long steps took.
    pub(crate) steps: &'a [StepTime],
}

impl Foreseen {
    /// The run's record.
    pub(crate) fn record(&self, done: &Done<'_>) -> Record {
        let work = self.work(done);
        let load = match self.engine {
            Engine::Embedded => {
                let spilled = if self.load.spilled_bytes > 0.0 { work.kept_bytes } else { 0.0 };
                Load { work, spilled_bytes: spilled, ..self.load }
            }
            Engine::Spark(_) => Load { work, ..self.load },
        };
        let numbers = self.predictions.iter().map(|(subject, predicted, basis)| Foretold {
            subject: *subject,
            predicted: *predicted,
            basis: *basis,
            measured: self.measured(*subject, done),
        });
        Record { origin: Origin::Run, load, numbers: numbers.collect() }
    }

    fn measured(&self, subject: Subject, done: &Done<'_>) -> Option<f64> {
        let seconds = |names: &[&str]| -> f64 {
            let steps = done.steps.iter().filter(|step| names.contains(&step.step.as_str()));
            steps.map(|step| step.seconds).sum()
        };
        match subject {
            Subject::BuildEmbedded | Subject::BuildSpark => {
                done.built.map(|_| seconds(&["check", "engine", "gates"]))
            }
            Subject::Publish => done.sent_bytes.map(|_| seconds(&["publish"])),
            Subject::Verify => done.is_verified.then(|| seconds(&["verify"])),
            Subject::MemoryOfRows | Subject::MemoryOfPasses => {
                // A run that did not do all that was foretold of it did not hold as much either.
                let whole = self.purpose == Purpose::Build || done.sent_bytes.is_some();
                done.built.filter(|_| whole).and(done.peak_bytes).map(|bytes| bytes as f64)
            }
        }
    }

    /// What there was to do, as it turned out.
    fn work(&self, done: &Done<'_>) -> Work {
        let foretold = self.facts.work();
        let Some(edition) = done.built else { return foretold };
        let sent_bytes = done.sent_bytes.map_or(foretold.sent_bytes, |bytes| bytes as f64);
        as_built(Work { sent_bytes, ..foretold }, &self.facts, edition)
    }
}

/// The work with what `where` left of each level, by what the edition says was left of its table.
pub(crate) fn as_built(work: Work, facts: &Facts, edition: &EditionSummary) -> Work {
    let share = |table: &str| {
        let found = edition.tables.iter().find(|found| found.table == table);
        found.map_or(1.0, |found| found.rows as f64 / (found.rows_read as f64).max(1.0))
    };
    let kept = || facts.levels.iter().map(|level| level.read_bytes.value.expected * share(&level.table));
    Work {
        // As they were, also of queries, of which nothing is known before.
        rows: edition.tables.iter().map(|table| table.rows_read as f64).sum::<f64>().max(work.rows),
        documents: edition.documents as f64,
        kept_bytes: kept().sum(),
        largest_level_bytes: kept().fold(0.0, f64::max),
        ..work
    }
}

/// What runs have left to learn from, the newest last.
pub(crate) fn records(history: &[PastRun]) -> Vec<Record> {
    history.iter().filter_map(|run| run.record.clone()).collect()
}

/// What the history keeps of a run that was made for a plan. Nothing was foretold of it.
pub(super) fn calibrated(project: &Project, plan: &Plan, record: &Record) -> PastRun {
    let seconds = record.numbers.iter().find(|number| number.subject.unit() == Unit::Seconds);
    PastRun {
        version: PAST_RUN_VERSION,
        started: rfc3339(CLOCK.now_ms()),
        command: CALIBRATE.to_owned(),
        env: project.env().to_owned(),
        feed: plan.checked.feed.name.clone(),
        load_date: plan.inputs.load_date.to_string(),
        edition: None,
        outcome: "calibrated".to_owned(),
        exit_code: 0,
        error: None,
        documents: Some(record.load.work.documents as u64),
        bytes: None,
        seconds: seconds.and_then(|number| number.measured).unwrap_or(0.0),
        steps: Vec::new(),
        peak_memory_bytes: None,
        record: Some(record.clone()),
    }
}

/// The command of such runs in the history.
pub(super) const CALIBRATE: &str = "calibrate";

/// What was foretold of past runs, and what came of it.
pub(super) fn errors(history: &[PastRun]) -> Vec<PlanError> {
    let runs = history.iter().filter(|run| run.command != CALIBRATE);
    runs.flat_map(|run| {
        let numbers: Vec<&Foretold> = run.record.iter().flat_map(|record| &record.numbers).collect();
        let error = |what: &str, predicted: Range, measured: f64, unit: Unit, basis: String| PlanError {
            started: run.started.clone(),
            load_date: run.load_date.clone(),
            what: what.to_owned(),
            predicted,
            measured,
            unit,
            basis,
        };
        let mut errors: Vec<PlanError> = numbers
            .iter()
            .filter_map(|number| {
                let unit = number.subject.unit();
                Some(error(
                    name(number.subject),
                    number.predicted,
                    number.measured?,
                    unit,
                    number.basis.words(),
                ))
            })
            .collect();
        errors.extend(wall_time(&numbers).map(|(predicted, measured)| {
            error(WALL_TIME, predicted, measured, Unit::Seconds, "the sum of those".to_owned())
        }));
        errors
    })
    .collect()
}

const WALL_TIME: &str = "wall time";

/// What deadlines are held against: of a run with more steps than one that did all of them.
fn wall_time(numbers: &[&Foretold]) -> Option<(Range, f64)> {
    let steps: Vec<&&Foretold> =
        numbers.iter().filter(|number| number.subject.unit() == Unit::Seconds).collect();
    let measured = steps.iter().map(|step| step.measured).sum::<Option<f64>>()?;
    let predicted = steps.iter().map(|step| step.predicted).fold(Range::exact(0.0), Range::plus);
    (steps.len() > 1).then_some((predicted, measured))
}

fn name(subject: Subject) -> &'static str {
    match subject {
        Subject::BuildEmbedded | Subject::BuildSpark => "build time",
        Subject::Publish => "publish time",
        Subject::Verify => "verify time",
        Subject::MemoryOfRows | Subject::MemoryOfPasses => "peak memory",
    }
}
