//! The engine: what the embedded one does in one process, done by a cluster.

use hivecast_edition::{Edition, Store};
use hivecast_engine::nested::{Joined, Nesting, SqlGates, assemble, check_memory, lacks_memory, part_budget};
use hivecast_engine::{Embedded, Engine, Plan, Preview, Selection};
use hivecast_run::{Context, Event, Fault, Result, Step, Unit, crash_point};
use hivecast_warehouse::Inputs;

use crate::aside::Fetcher;
use crate::check::check;
use crate::counts::Counter;
use crate::endpoint::Endpoint;
use crate::parts::WrittenParts;
use crate::session::{ServerKind, Session};
use crate::statement::{PART, Refused, ddl, documents};
use crate::tables::{Sources, TableFiles, make_views, path, view};

/// Bytes of a part in memory that the number of parts aims at, by what the files say of their rows.
const PART_BYTES: u64 = 32 << 20;
/// A part is to take one of so many shares of what the memory limit leaves for it: what the files say is an
/// estimate, and parts are not all alike.
const PART_SHARES: u64 = 2;
/// Most parts. Each is a directory, and at least a file.
const PARTS_MAX: u64 = 4096;

/// The directory of the documents' rows, in the store's scratch.
const ROWS: &str = "rows";

/// An engine on a Spark Connect server: Apache Spark, or another that speaks its protocol.
#[derive(Clone, Debug)]
pub struct SparkEngine {
    endpoint: Endpoint,
}

/// What a cluster will be asked.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The tables' frozen files.
    pub files: Vec<FilesView>,
    /// The tables after `where`, as the feed's queries see them: a view's name, and its query.
    pub views: Vec<(String, String)>,
    /// The documents' rows, as one statement.
    pub statement: String,
    /// Into how many parts they are divided.
    pub parts: u32,
}

/// A view of a table's frozen files. It is made without SQL, of a list of paths.
#[derive(Clone, Debug)]
pub struct FilesView {
    /// The view's name.
    pub name: String,
    /// The feed's name for the table.
    pub table: String,
    /// As Spark names it, which is as a feed does: `parquet`.
    pub format: &'static str,
    /// The columns that the files are read with, as in `create table`.
    pub columns: String,
    /// The files, as Spark is told them.
    pub paths: Vec<String>,
}

impl SparkEngine {
    /// An engine on this server. Nothing is connected yet.
    pub fn new(endpoint: Endpoint) -> Self {
        SparkEngine { endpoint }
    }
}

impl Engine for SparkEngine {
    fn build(&self, plan: &Plan, store: &Store, context: &Context<'_>) -> Result<Edition> {
        let feed = &plan.checked.feed;
        let what = format!("failed to build feed {} for {}", feed.name, plan.inputs.load_date);
        context.tell(Event::Started { step: Step::Engine, total: None, unit: Unit::Tasks });
        let edition = self.run(plan, store, context).map_err(|fault| fault.within(what))?;
        context.tell(Event::Ended { step: Step::Engine });
        Ok(edition)
    }

    /// With the embedded engine: a few documents need no cluster.
    fn preview(&self, plan: &Plan, selection: &Selection, context: &Context<'_>) -> Result<Preview> {
        Embedded.preview(plan, selection, context)
    }
}

impl SparkEngine {
    fn run(&self, plan: &Plan, store: &Store, context: &Context<'_>) -> Result<Edition> {
        check_memory(plan)?;
        check(&plan.checked, &plan.inputs)?;
        let nesting = Nesting::of(&plan.checked)?;
        let files = TableFiles::of_inputs(&plan.inputs);
        let sources = Sources::of_feed(&nesting, &plan.checked, &files).map_err(refuse)?;
        let parts = parts(plan)?;
        let mut session = Session::open(&self.endpoint, SETTINGS, context)?;
        if nesting.hides_anything() {
            session.withhold_messages();
        }
        context.info(format!("building with {}", session.name()));
        let statement = documents(nesting.root(), &sources, parts, session.server().kind).map_err(refuse)?;
        make_views(&session, &sources, &plan.inputs, context)?;
        let counter = Counter {
            session: &session,
            sources: &sources,
            checked: &plan.checked,
            inputs: &plan.inputs,
            context,
        };
        let levels = counter.count(&nesting)?;
        let queried = SqlGates::judge(plan, &nesting, &|what, sql, each| {
            let sql = sources.query(sql, &plan.checked).map_err(refuse)?;
            session.query(&format!("run {what}"), &sql, context, each)
        })?;
        let scratch = store.scratch(&plan.checked.feed.name, plan.inputs.load_date)?;
        let at = scratch.location().join(ROWS);
        session.write("join the tables", &statement, &path(&at), PART, context)?;
        crash_point("spark.written");
        let parts = WrittenParts::find(scratch.storage(), &at, parts)?;
        let fetcher = Fetcher {
            session: &session,
            sources: &sources,
            checked: &plan.checked,
            nesting: &nesting,
            context,
        };
        let joined = Joined {
            engine: session.server().name(),
            parts: &parts,
            levels,
            queried,
            set_aside: &|quarantine| fetcher.fetch(quarantine),
        };
        assemble(plan, &nesting, store, &joined, context)
    }
}

/// Opens a session and says who answers: `spark 4.2.0 at spark:15002`. The faults are those of a build that
/// can't connect.
pub fn probe(endpoint: &Endpoint, context: &Context<'_>) -> Result<String> {
    Session::open(endpoint, SETTINGS, context).map(|session| session.name())
}

/// How many tasks the server runs at once, by its settings; none where they do not say, as Sail's.
pub fn cores(endpoint: &Endpoint, context: &Context<'_>) -> Result<Option<u32>> {
    let session = Session::open(endpoint, SETTINGS, context)?;
    let keys = [
        "spark.master",
        "spark.executor.instances",
        "spark.executor.cores",
        // With executors that come and go, a build that takes a while has all of them.
        "spark.dynamicAllocation.maxExecutors",
    ];
    let found = session.options(&keys, context)?;
    let [master, instances, cores, most] = [0, 1, 2, 3].map(|at| found.get(at).cloned().flatten());
    Ok(cores_of(master.as_deref(), instances.or(most).as_deref(), cores.as_deref()))
}

/// `local[4]` and `local[4, 1]` have their tasks in the driver; of another master executors' cores count.
fn cores_of(master: Option<&str>, instances: Option<&str>, cores: Option<&str>) -> Option<u32> {
    if let Some(inside) = master.and_then(|master| master.strip_prefix("local[")?.strip_suffix(']')) {
        return inside.split(',').next()?.trim().parse().ok();
    }
    instances?.parse::<u32>().ok()?.checked_mul(cores?.parse().ok()?)
}

/// What a cluster will be asked for this plan. Fails with `Class::Usage` where the feed holds what Spark
/// does another way, and where the memory limit is too low for the export.
pub fn explain(plan: &Plan) -> Result<Explained> {
    let Plan { checked, inputs, .. } = plan;
    check_memory(plan)?;
    check(checked, inputs)?;
    let nesting = Nesting::of(checked)?;
    let files = TableFiles::of_inputs(inputs);
    let sources = Sources::of_feed(&nesting, checked, &files).map_err(refuse)?;
    let parts = parts(plan)?;
    let statement = documents(nesting.root(), &sources, parts, ServerKind::Spark).map_err(refuse)?;
    let views = sources.views().iter().map(|view| (view.name.clone(), view.sql.clone())).collect();
    Ok(Explained { files: files_views(inputs, &files)?, views, statement, parts })
}

fn files_views(inputs: &Inputs, files: &[TableFiles]) -> Result<Vec<FilesView>> {
    let views = inputs.tables.iter().zip(files).enumerate().map(|(number, (input, files))| {
        Ok(FilesView {
            name: view(number),
            table: files.table.clone(),
            format: files.format.word(),
            columns: ddl(&files.schema).map_err(refuse)?,
            paths: input.files.iter().map(|file| path(&file.path)).collect(),
        })
    });
    views.collect()
}

/// Into how many parts the documents are divided, so that each has room in the plan's memory.
fn parts(plan: &Plan) -> Result<u32> {
    let bytes: u64 = plan.inputs.tables.iter().map(|table| table.decoded_bytes()).sum();
    parts_for(bytes, part_budget(plan)).map_err(|part_bytes| {
        let what = format!("each of {PARTS_MAX} parts of the documents");
        lacks_memory(plan, &what, part_bytes)
    })
}

/// The number of parts, or the bytes of each where no number of them does.
fn parts_for(bytes: u64, budget: u64) -> std::result::Result<u32, u64> {
    let least = bytes.div_ceil(PARTS_MAX);
    if least > budget {
        return Err(least);
    }
    let part_bytes = PART_BYTES.min(budget / PART_SHARES).max(1);
    Ok(bytes.div_ceil(part_bytes).clamp(1, PARTS_MAX) as u32)
}

/// What can't be asked of Spark is the feed's matter, and was told by `check`.
pub(crate) fn refuse(why: Refused) -> Fault {
    Fault::usage(format!("the feed can't be built with Spark: {why}"))
        .advise("build with `engine: embedded`, or write it another way")
}

/// What a session must have so that it computes what the embedded engine does.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("spark.sql.ansi.enabled", "true"),
    ("spark.sql.session.timeZone", "UTC"),
    ("spark.sql.caseSensitive", "false"),
    // A `${` in a name or a text is just that.
    ("spark.sql.variable.substitute", "false"),
    ("spark.sql.parser.escapedStringLiterals", "false"),
    ("spark.sql.mapKeyDedupPolicy", "EXCEPTION"),
    ("spark.sql.files.ignoreMissingFiles", "false"),
    ("spark.sql.files.ignoreCorruptFiles", "false"),
    ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
    ("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED"),
    ("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED"),
    ("spark.sql.parquet.int96RebaseModeInRead", "CORRECTED"),
    ("spark.sql.parquet.int96RebaseModeInWrite", "CORRECTED"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_servers_cores_are_those_of_its_settings() {
        assert_eq!(cores_of(Some("local[2]"), None, None), Some(2));
        assert_eq!(cores_of(Some("local[4, 1]"), None, None), Some(4));
        assert_eq!(cores_of(Some("local[*]"), None, None), None);
        assert_eq!(cores_of(Some("yarn"), Some("10"), Some("4")), Some(40));
        assert_eq!(cores_of(Some("yarn"), None, Some("4")), None);
        assert_eq!(cores_of(None, None, None), None);
    }

    #[test]
    fn parts_are_as_many_as_the_memory_limit_needs() {
        assert_eq!(parts_for(0, 512 * MIB), Ok(1));
        assert_eq!(parts_for(320 * MIB, 512 * MIB), Ok(10), "no larger than is quick to load");
        assert_eq!(parts_for(320 * MIB, 20 * MIB), Ok(32), "half of a small budget");
        let (much, budget) = (256 << 30, 64 * MIB);
        assert_eq!(parts_for(much, budget), Ok(4096));
        assert_eq!(parts_for(much, budget - 1), Err(budget), "more parts there are not");
    }
}
