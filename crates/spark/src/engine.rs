//! The engine: what the embedded one does in one process, done by a cluster.

use hivecast_edition::{Edition, Store};
use hivecast_engine::nested::{Joined, Nesting, SqlGates, assemble};
use hivecast_engine::{Embedded, Engine, Plan, Preview, Selection};
use hivecast_feed::Checked;
use hivecast_run::{Context, Event, Fault, Result, Step, Unit, crash_point};
use hivecast_warehouse::Inputs;

use crate::aside::Fetcher;
use crate::check::check;
use crate::counts::Counter;
use crate::endpoint::Endpoint;
use crate::parts::WrittenParts;
use crate::session::{ServerKind, Session};
use crate::statement::{PART, Refused, documents};
use crate::tables::{Sources, make_views, path};

/// Bytes of a part in memory that the number of parts aims at, by what the files say of their rows.
const PART_BYTES: u64 = 32 << 20;
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
    /// The tables after `where`, as the feed's queries see them: a view's name, and its query. The views of
    /// files, `hivecast_files_0` and so on, are made from lists of paths.
    pub views: Vec<(String, String)>,
    /// The documents' rows, as one statement.
    pub statement: String,
    /// Into how many parts they are divided.
    pub parts: u32,
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
        check(&plan.checked, &plan.inputs)?;
        let nesting = Nesting::of(&plan.checked)?;
        let sources = Sources::of_feed(&nesting, &plan.checked, &plan.inputs).map_err(refuse)?;
        let mut session = Session::open(&self.endpoint, SETTINGS, context)?;
        if nesting.hides_anything() {
            session.withhold_messages();
        }
        context.info(format!("building with {}", session.name()));
        let explained = statement(&nesting, &sources, &plan.inputs, session.server().kind)?;
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
        session.write("join the tables", &explained.statement, &path(&at), PART, context)?;
        crash_point("spark.written");
        let parts = WrittenParts::find(scratch.storage(), &at, explained.parts)?;
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

/// What a cluster will be asked for these inputs. Fails with `Class::Usage` where the feed holds what Spark
/// does another way.
pub fn explain(checked: &Checked, inputs: &Inputs) -> Result<Explained> {
    check(checked, inputs)?;
    let nesting = Nesting::of(checked)?;
    let sources = Sources::of_feed(&nesting, checked, inputs).map_err(refuse)?;
    statement(&nesting, &sources, inputs, ServerKind::Spark)
}

fn statement(
    nesting: &Nesting<'_>,
    sources: &Sources,
    inputs: &Inputs,
    server: ServerKind,
) -> Result<Explained> {
    let bytes: u64 = inputs.tables.iter().map(|table| table.decoded_bytes()).sum();
    let parts = bytes.div_ceil(PART_BYTES).clamp(1, PARTS_MAX) as u32;
    let statement = documents(nesting.root(), sources, parts, server).map_err(refuse)?;
    let views = sources.views().iter().map(|view| (view.name.clone(), view.sql.clone())).collect();
    Ok(Explained { views, statement, parts })
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
