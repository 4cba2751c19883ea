//! The first half of a run: from a feed and a load_date to a judged edition in the store.

use std::time::Duration;

use hivecast_contract::{EditionId, LoadDate};
use hivecast_edition::{Description, Edition, GateResult, LookUp, Store};
use hivecast_engine::{Plan, SqlBinder, edition_id};
use hivecast_feed::{Checked, gates_fingerprint};
use hivecast_report::{EditionSummary, TableRows};
use hivecast_run::{Context, Event, Fault, Result, Step, Unit, crash_point};
use hivecast_warehouse::Inputs;

use crate::args::ResourceArgs;
use crate::check;
use crate::feed_file::FeedFile;
use crate::machine;
use crate::project::Project;

/// The load_dates whose editions are kept when the command line does not say otherwise.
pub(crate) const KEEP_LOAD_DATES: usize = 7;

/// What the engine may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resources {
    pub(crate) memory_bytes: usize,
    pub(crate) threads: usize,
}

impl Resources {
    pub(crate) fn of(args: &ResourceArgs) -> Self {
        let memory = args.memory.unwrap_or_else(machine::default_memory);
        Resources {
            memory_bytes: usize::try_from(memory).unwrap_or(usize::MAX),
            threads: args.threads.map_or_else(machine::default_threads, usize::from),
        }
    }
}

/// Whether an edition was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This run built it.
    Built,
    /// An equal one was in the store.
    Reused,
}

/// An edition to go on with.
pub(crate) struct Ready {
    pub(crate) checked: Checked,
    pub(crate) edition: Edition,
    pub(crate) origin: Origin,
}

/// Which edition of the store will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// One of the same inputs, whatever gates judged it: it is sent already.
    Sent,
    /// One that the feed's present gates judged.
    Judged,
}

/// Finds the plan's edition in the store, or builds it.
pub(crate) fn ready(project: &Project, plan: Plan, reuse: Reuse, context: &Context<'_>) -> Result<Ready> {
    let store = project.open_store()?;
    let gates = gates_fingerprint(&plan.checked.feed);
    let will_do = |edition: &Edition| reuse == Reuse::Sent || edition.description.gates_fingerprint == gates;
    if let Some(edition) = store.find(&plan.checked.feed.name, &plan.edition)?.filter(will_do) {
        context.info(format!("edition {} is built already", plan.edition));
        return Ok(Ready { checked: plan.checked, edition, origin: Origin::Reused });
    }
    if let LookUp::Whole(_) = store.look_up(&plan.checked.feed.name, &plan.edition)? {
        context.warn(format!(
            "edition {} was judged by other gates than the feed has now: it is built and judged again, which changes \
             nothing of what is sent of it already",
            plan.edition
        ));
    }
    crash_point("build.planned");
    let edition = project.engine()?.build(&plan, &store, context)?;
    crash_point("build.done");
    Ok(Ready { checked: plan.checked, edition, origin: Origin::Built })
}

/// Whether a command can wait for an export that is still coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// It has no `--wait`, which no advice then names.
    NotOffered,
    /// So long at most, with `--wait`.
    Offered(Option<Duration>),
}

/// Everything that decides what the edition will be: the feed, checked, and the frozen inputs.
pub(crate) fn plan(
    project: &Project,
    feed: &FeedFile,
    load_date: LoadDate,
    waiting: Waiting,
    resources: Resources,
    context: &Context<'_>,
) -> Result<Plan> {
    // Before anything is waited for.
    require_mask_key(project, feed)?;
    let inputs = step(context, Step::Warehouse, || {
        let warehouse = project.warehouse()?;
        let inputs = match waiting {
            Waiting::NotOffered => warehouse.freeze_now(&feed.feed, load_date, *context),
            Waiting::Offered(wait) => warehouse.freeze_when_ready(&feed.feed, load_date, wait, *context),
        };
        inputs.map_err(|fault| check::as_checked(project, feed, Some(load_date), fault))
    })?;
    let checked = step(context, Step::Check, || hold_against(feed, &inputs))?;
    let edition = edition_id(&checked, &inputs);
    Ok(Plan {
        checked,
        inputs,
        edition,
        memory_bytes: resources.memory_bytes,
        threads: resources.threads,
        spill: project.spill_dir()?,
    })
}

/// Fails where the feed masks with a key and the environment has none.
fn require_mask_key(project: &Project, feed: &FeedFile) -> Result<()> {
    let mut draft = feed.draft();
    if project.mask_key().is_none() {
        draft.lacks_mask_key(project.env());
    }
    draft.finish()?;
    Ok(())
}

/// Holds the feed against the columns of the very files that are going to be read.
fn hold_against(feed: &FeedFile, inputs: &Inputs) -> Result<Checked> {
    let columns = |table: &hivecast_warehouse::TableInput| (table.table.clone(), table.schema.clone());
    Ok(feed.draft().check(&inputs.tables.iter().map(columns).collect(), &SqlBinder::default())?)
}

/// Tells the start and the end of a step that counts nothing.
pub(crate) fn step<T>(context: &Context<'_>, step: Step, work: impl FnOnce() -> Result<T>) -> Result<T> {
    context.check_cancelled()?;
    context.tell(Event::Started { step, total: None, unit: Unit::Rows });
    let done = work()?;
    context.tell(Event::Ended { step });
    Ok(done)
}

/// What the summary says of an edition, and of what gates set aside.
pub(crate) fn summary(edition: &Edition, gates: &[GateResult]) -> EditionSummary {
    let Description { id, engine, checksum, tables, shards, .. } = &edition.description;
    EditionSummary {
        id: id.to_string(),
        engine: engine.clone(),
        documents: edition.documents(),
        bytes: shards.iter().map(|shard| shard.bytes).sum(),
        shards: shards.len(),
        checksum: checksum.clone(),
        tables: tables
            .iter()
            .map(|table| TableRows {
                table: table.table.clone(),
                rows_read: table.rows_read,
                rows: table.rows,
                rows_used: table.rows_used,
            })
            .collect(),
        quarantined: gates.iter().map(|gate| gate.quarantined).sum(),
    }
}

/// The newest edition in the store of a load_date before this one.
pub(crate) fn newest_before(store: &Store, feed: &str, load_date: LoadDate) -> Result<Option<Edition>> {
    let earlier = store.list(feed)?.into_iter().filter(|edition| edition.description.load_date < load_date);
    Ok(earlier.last())
}

/// Why a run can't go on with an edition that is on the topic and can't be read.
pub(crate) fn damaged_base(feed: &str, id: &EditionId, damage: Fault) -> Fault {
    damage
        .within(format!(
            "edition {id} of feed {feed} is on the topic and damaged in the store, so its keys that are gone since \
             can't be told"
        ))
        .advise(
            "build it again from the same inputs with `hivecast build`, which takes its place, or publish with \
             --replace, which sends every document and no tombstone for its keys",
        )
}

/// Why a run can't go on without an edition that is on the topic.
pub(crate) fn missing_base(feed: &str, id: &EditionId) -> Fault {
    Fault::conflict(format!(
        "edition {id} of feed {feed} is on the topic and not in the store, so its keys that are gone since can't \
         be told"
    ))
    .advise(
        "build it again from the same inputs with `hivecast build`, or publish with --replace, which sends every \
         document and no tombstone for its keys",
    )
}
