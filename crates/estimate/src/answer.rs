//! The whole answer: both engines, and which to use.

use hivecast_run::format::{bytes, count, plural};
use serde::{Deserialize, Serialize};

use crate::cluster::{ClusterPlan, Met, SECONDS_PER_HOUR, Wanted, cluster, priced, useful_cores};
use crate::embedded::{Embedded, EmbeddedRule, Machine, Models, Purpose, embedded, times};
use crate::facts::{Counted, Facts};
use crate::model::{Basis, Load, Model, ShownTerm, Subject};
use crate::quantity::{Quantity, Range, Unit};
use crate::spark::{Cluster, Room};

/// The version of [`Answer`] as JSON.
pub const ANSWER_VERSION: u32 = 1;
/// A cluster has to be faster by this factor to be worth it, where one machine does it in time.
const WORTH_A_CLUSTER: f64 = 2.0;

/// Settings, and the numbers that they are.
const ARITHMETIC_OF: [(&str, &str); 8] = [
    ("spark.executor.instances", "executors"),
    ("spark.executor.cores", "executor cores"),
    ("spark.executor.memory", "executor heap"),
    ("spark.executor.memoryOverhead", "executor overhead"),
    ("spark.driver.cores", "driver cores"),
    ("spark.driver.memory", "driver heap"),
    ("spark.driver.memoryOverhead", "driver overhead"),
    ("spark.sql.shuffle.partitions", "shuffle partitions"),
];

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is known of the day.
    pub facts: Facts,
    /// The machine that runs Hivecast.
    pub machine: Machine,
    /// How the embedded engine divides its memory.
    pub rule: EmbeddedRule,
    /// A Spark cluster that could be had, if there is one.
    pub cluster: Option<Cluster>,
    /// The Spark server that the environment's editions are built with, if there is one.
    pub server: Option<Server>,
    /// What the run is for.
    pub purpose: Purpose,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// What is known of times and memory.
    pub models: Models,
}

/// A Spark server that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Tasks that it runs at once; none where it does not say.
    pub cores: Option<u32>,
}

/// What the environment's Spark server is foretold to take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerPlan {
    /// Its cores.
    pub cores: u32,
    /// Wall time of the whole run, in seconds.
    pub wall: Range,
}

/// Some numbers that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// Its title.
    pub title: &'static str,
    /// The numbers.
    pub quantities: Vec<Quantity>,
}

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// In this process.
    Embedded,
    /// A Spark cluster.
    Spark,
    /// None does it.
    Neither,
}

/// Which engine to use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The engine.
    pub engine: Chosen,
    /// Why.
    pub why: String,
}

/// What a model says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownModel {
    /// Of what.
    pub subject: Subject,
    /// Where it comes from.
    pub basis: Basis,
    /// Its terms.
    pub terms: Vec<ShownTerm>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// [`ANSWER_VERSION`].
    pub version: u32,
    /// What is known of the day.
    pub facts: Facts,
    /// Wall time that the whole run may take, in seconds.
    pub deadline: Option<f64>,
    /// Which engine to use.
    pub choice: Choice,
    /// The numbers.
    pub sections: Vec<Section>,
    /// The embedded engine.
    pub embedded: Embedded,
    /// The cluster, if there is one and it is large enough.
    pub cluster: Option<ClusterPlan>,
    /// Why the cluster can't do it, if it can't, with what would do.
    pub cluster_lacks: Option<String>,
    /// The Spark server that the environment builds with, if it has one that says its cores and can do it.
    pub server: Option<ServerPlan>,
    /// The models that were asked.
    pub models: Vec<ShownModel>,
    /// Things to look at.
    pub notes: Vec<String>,
}

impl Answer {
    /// The explanation of a number or a setting, by its name; none where there is no such name.
    pub fn why(&self, name: &str) -> Vec<String> {
        let of_quantity = |section: &Section| -> Vec<String> {
            let named = section.quantities.iter().filter(|quantity| quantity.name == name);
            named.map(|quantity| explained(section.title, quantity)).collect()
        };
        let mut found: Vec<String> = self.sections.iter().flat_map(of_quantity).collect();
        let settings = self.cluster.iter().flat_map(|plan| &plan.settings);
        found.extend(settings.filter(|setting| setting.name == name).map(|setting| match &setting.value {
            Some(value) => format!("{} = {value}: {}", setting.name, setting.why),
            None => format!("{} is left as it is: {}", setting.name, setting.why),
        }));
        // A setting's number is one of the answer's, which has the arithmetic.
        if let Some((_, of)) = ARITHMETIC_OF.iter().find(|(setting, _)| *setting == name) {
            found.extend(self.why(of));
        }
        found
    }

    /// All names that [`Answer::why`] knows.
    pub fn names(&self) -> Vec<&str> {
        let quantities = self.sections.iter().flat_map(|section| &section.quantities);
        let mut names: Vec<&str> = quantities.map(|quantity| quantity.name.as_str()).collect();
        names
            .extend(self.cluster.iter().flat_map(|plan| &plan.settings).map(|setting| setting.name.as_str()));
        names
    }
}

fn explained(title: &str, quantity: &Quantity) -> String {
    let range = match quantity.unit.show_range(quantity.value) {
        range if range.is_empty() => range,
        range => format!(" ({range})"),
    };
    format!(
        "{title}: {} = {}{range}: {}",
        quantity.name,
        quantity.unit.show(quantity.value.expected),
        quantity.how
    )
}

/// Answers a question.
pub fn answer(question: &Question) -> Answer {
    let Question { facts, machine, rule, purpose, models, wanted, .. } = question;
    let mut embedded = embedded(facts, *machine, rule, *purpose, models);
    embedded.quantities.push(cost_alone(&embedded, wanted.core_price));
    let unfit = facts.unfit_for_spark.as_ref();
    let sized = question.cluster.map(|shape| match unfit {
        Some(why) => Err(why.clone()),
        None => cluster(facts, &shape, *machine, *purpose, *wanted, models)
            .map_err(|error| format!("the cluster is too small: {error}")),
    });
    let (plan, lacks) = match sized {
        None => (None, None),
        Some(Ok(plan)) => (Some(plan), None),
        Some(Err(why)) => (None, Some(why)),
    };
    let server = question.server.filter(|_| unfit.is_none()).and_then(|server| server.cores);
    let server = server.map(|cores| on_server(question, cores));
    let choice = choose(
        &embedded,
        plan.as_ref(),
        lacks.as_deref(),
        server.as_ref().map(|(server, _)| server),
        wanted.deadline,
    );
    let mut sections = vec![
        Section { title: "the day", quantities: day(facts) },
        Section { title: "embedded engine", quantities: embedded.quantities.clone() },
    ];
    if let Some(plan) = &plan {
        sections.push(Section { title: "spark", quantities: plan.quantities.clone() });
    }
    let server = server.map(|(server, quantities)| {
        sections.push(Section { title: "this environment's Spark server", quantities });
        server
    });
    let has_spark = plan.is_some() || server.is_some();
    let mut used_subjects = vec![Subject::BuildEmbedded];
    used_subjects.extend(has_spark.then_some(Subject::BuildSpark));
    if *purpose == Purpose::Publish {
        used_subjects.extend([Subject::Publish, Subject::Verify]);
    }
    let used = |subject: &Subject| has_spark || *subject != Subject::BuildSpark;
    let shown = |subject: Subject| {
        let model: &Model = models.of(subject);
        ShownModel { subject, basis: model.basis, terms: model.terms() }
    };
    Answer {
        version: ANSWER_VERSION,
        facts: facts.clone(),
        deadline: wanted.deadline,
        choice,
        sections,
        notes: notes(question, &embedded, &used_subjects),
        embedded,
        cluster: plan,
        cluster_lacks: lacks,
        server,
        models: Subject::ALL.into_iter().filter(used).map(shown).collect(),
    }
}

/// What the embedded engine's run costs.
fn cost_alone(embedded: &Embedded, core_price: f64) -> Quantity {
    let cores = priced(Room { cores: embedded.threads, memory: embedded.peak.expected as u64 });
    let hours = embedded.wall.times(1.0 / SECONDS_PER_HOUR);
    let how = format!(
        "{:.4} h x {cores:.2} cores of this machine x {core_price} a core with 4 GiB and hour",
        hours.expected
    );
    Quantity::new("cost", Unit::Money, hours.times(cores * core_price), how)
}

/// The environment's server with so many cores, and its numbers.
fn on_server(question: &Question, cores: u32) -> (ServerPlan, Vec<Quantity>) {
    let Question { facts, machine, purpose, models, .. } = question;
    let load = Load::plain(facts.work(), machine.threads, useful_cores(facts, cores));
    let (wall, mut quantities) = times(facts, Subject::BuildSpark, &load, *purpose, models);
    let how = "by the server's own settings; what its executors have of memory is its own affair";
    quantities.insert(0, Quantity::new("cores", Unit::Count, Range::exact(f64::from(cores)), how));
    (ServerPlan { cores, wall }, quantities)
}

fn day(facts: &Facts) -> Vec<Quantity> {
    let counted = |name: String, unit: Unit, counted: &Counted, more: &str| {
        Quantity::new(name, unit, counted.value, format!("{}{more}", counted.source.words()))
    };
    let mut quantities = Vec::new();
    for table in &facts.tables {
        let more = format!("; {} in {}", bytes(table.stored_bytes), plural(table.files, "file"));
        quantities.push(counted(format!("rows of {}", table.table), Unit::Count, &table.rows, &more));
    }
    for level in &facts.levels {
        let name = match level.path.as_str() {
            "" => "rows of documents".to_owned(),
            path => format!("rows of {path}"),
        };
        let more = match level.rows.value == level.read.value {
            true => format!("; all of {}", level.table),
            false => {
                format!("; after `where`, {} of {}", percent(level.rows.value, level.read.value), level.table)
            }
        };
        quantities.push(counted(name, Unit::Count, &level.rows, &more));
        let name = match level.path.as_str() {
            "" => "memory of documents".to_owned(),
            path => format!("memory of {path}"),
        };
        let how = format!(
            "{} x {} a row of the columns that are read, {}",
            count(level.rows.value.expected as u64),
            bytes(level.row_bytes() as u64),
            level.read_bytes.source.words()
        );
        quantities.push(Quantity::new(name, Unit::Bytes, level.kept_bytes(), how));
        if let Some(largest) = level.largest.first() {
            let others = level.largest[1..].iter().map(|rows| count(*rows)).collect::<Vec<_>>().join(", ");
            let value =
                Range { low: *largest as f64, expected: *largest as f64, high: level.largest_key() as f64 };
            let how = match others.as_str() {
                "" => "by a scan of the keys".to_owned(),
                others => format!("by a scan of the keys; the next have {others}"),
            };
            quantities.push(Quantity::new(format!("largest key of {}", level.path), Unit::Count, value, how));
        }
    }
    quantities.push(counted("bytes a document".to_owned(), Unit::Bytes, &facts.document_bytes, ""));
    quantities
}

fn percent(part: Range, whole: Range) -> String {
    if whole.expected <= 0.0 {
        return "nothing".to_owned();
    }
    format!("{:.3} %", 100.0 * part.expected / whole.expected)
}

fn choose(
    embedded: &Embedded,
    plan: Option<&ClusterPlan>,
    lacks: Option<&str>,
    server: Option<&ServerPlan>,
    deadline: Option<f64>,
) -> Choice {
    let alone = Alone { embedded, deadline };
    match (plan, server) {
        (Some(plan), _) => beside_cluster(&alone, plan),
        (None, Some(server)) => beside_server(&alone, server),
        (None, None) => by_itself(&alone, lacks),
    }
}

fn show(seconds: f64) -> String {
    Unit::Seconds.show(seconds)
}

/// This machine, held against a deadline.
struct Alone<'a> {
    embedded: &'a Embedded,
    deadline: Option<f64>,
}

impl Alone<'_> {
    fn seconds(&self) -> f64 {
        self.embedded.wall.expected
    }

    /// As far as can be expected.
    fn is_in_time(&self) -> bool {
        let in_time = self.deadline.is_none_or(|deadline| self.seconds() <= deadline);
        self.embedded.lacks.is_empty() && in_time
    }

    fn is_surely_in_time(&self) -> bool {
        self.is_in_time() && self.deadline.is_none_or(|deadline| self.embedded.wall.high <= deadline)
    }

    /// What it does, or why it doesn't.
    fn words(&self) -> String {
        match (self.embedded.lacks.as_slice(), self.deadline.filter(|deadline| self.seconds() > *deadline)) {
            ([], None) => format!("this machine does it in {}", show(self.seconds())),
            ([], Some(deadline)) => {
                format!("this machine takes {}, and the deadline is {}", show(self.seconds()), show(deadline))
            }
            (lacks, _) => lacks.join("; "),
        }
    }
}

fn by_itself(alone: &Alone<'_>, lacks: Option<&str>) -> Choice {
    let cluster = lacks.map_or_else(String::new, |lacks| format!("; {lacks}"));
    let engine = if alone.is_in_time() { Chosen::Embedded } else { Chosen::Neither };
    Choice { engine, why: format!("{}{cluster}", alone.words()) }
}

/// Between this machine and a cluster that could be had.
fn beside_cluster(alone: &Alone<'_>, plan: &ClusterPlan) -> Choice {
    let chosen = plan.chosen().point;
    let (here, there) = (alone.words(), chosen.wall.expected);
    let executors = plural(chosen.executors.into(), "executor");
    let with = format!("the cluster does it in {} with {executors}", show(there));
    let (engine, why) = match &plan.deadline {
        Met::Never { would_do } if !alone.is_in_time() => {
            let fastest = format!("this cluster at its fastest takes {}", show(there));
            (Chosen::Neither, format!("{here}; {fastest}: {would_do}"))
        }
        Met::Never { .. } => {
            (Chosen::Embedded, format!("{here}, which no shape of the cluster does in time"))
        }
        _ if !alone.is_in_time() => (Chosen::Spark, format!("{with}; {here}")),
        Met::Surely if !alone.is_surely_in_time() => {
            let [most, alone_most] = [chosen.wall.high, alone.embedded.wall.high].map(show);
            let here = format!("{here}, and may take {alone_most}");
            (Chosen::Spark, format!("{with}, in {most} at most, which is surely in time; {here}"))
        }
        Met::Surely | Met::Likely => (Chosen::Embedded, format!("{here}, which is in time")),
        Met::NoDeadline if alone.seconds() > there * WORTH_A_CLUSTER => {
            (Chosen::Spark, format!("{with}; {here}"))
        }
        Met::NoDeadline => {
            let fastest = show(plan.fastest.point.wall.expected);
            let cheapest = format!("the cluster's cheapest shape in {}", show(there));
            let rule = format!(
                "the cheapest would have to be {WORTH_A_CLUSTER} times as fast to be worth a cluster"
            );
            (Chosen::Embedded, format!("{here}, {cheapest} and its fastest in {fastest}; {rule}"))
        }
    };
    Choice { engine, why }
}

/// Between this machine and the server that the environment builds with.
fn beside_server(alone: &Alone<'_>, server: &ServerPlan) -> Choice {
    let there = server.wall;
    let within = |seconds: f64| alone.deadline.is_none_or(|deadline| seconds <= deadline);
    let engine = match (alone.is_in_time(), within(there.expected)) {
        (false, false) => Chosen::Neither,
        (false, true) => Chosen::Spark,
        (true, true) if !alone.is_surely_in_time() && within(there.high) => Chosen::Spark,
        (true, true) if alone.seconds() > there.expected * WORTH_A_CLUSTER => Chosen::Spark,
        (true, _) => Chosen::Embedded,
    };
    let with = plural(server.cores.into(), "core");
    let server = format!("this environment's Spark server does it in {} with {with}", show(there.expected));
    Choice { engine, why: format!("{server}; {}", alone.words()) }
}

/// What is told of where it is not measured.
const STEPS: [(Subject, &str); 4] = [
    (Subject::BuildEmbedded, "the build on this machine"),
    (Subject::BuildSpark, "the build on Spark"),
    (Subject::Publish, "publishing"),
    (Subject::Verify, "verifying"),
];

/// `a, b and c are`
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("{only} is"),
        [first @ .., last] => format!("{} and {last} are", first.join(", ")),
    }
}

fn notes(question: &Question, embedded: &Embedded, used: &[Subject]) -> Vec<String> {
    let Question { facts, models, machine, .. } = question;
    let mut notes = Vec::new();
    let stated: Vec<&str> = STEPS
        .into_iter()
        .filter(|(subject, _)| used.contains(subject) && models.of(*subject).basis == Basis::Default)
        .map(|(_, name)| name)
        .collect();
    if !stated.is_empty() {
        let builds = used.iter().any(|subject| {
            models.of(*subject).basis == Basis::Default
                && matches!(subject, Subject::BuildEmbedded | Subject::BuildSpark)
        });
        notes.push(format!(
            "{} by stated defaults of another machine: each run is learned from{}",
            listed(&stated),
            if builds { ", and --calibrate measures builds before there are any" } else { "" }
        ));
    }
    if embedded.lacks.is_empty() && embedded.peak.high > machine.memory_bytes as f64 {
        notes.push(format!(
            "the process may take up to {}, and this machine has {}",
            bytes(embedded.peak.high as u64),
            bytes(machine.memory_bytes)
        ));
    }
    if question.server.is_some_and(|server| server.cores.is_none()) && facts.unfit_for_spark.is_none() {
        notes.push(
            "this environment builds with a Spark server that does not say how many cores it has: nothing is foretold \
             of it"
                .to_owned(),
        );
    }
    if question.server.is_some()
        && let Some(why) = &facts.unfit_for_spark
    {
        notes.push(format!("this environment builds with Spark, and {why}"));
    }
    let nested = || facts.levels.iter().filter(|level| !level.path.is_empty());
    if nested().next().is_some() && nested().all(|level| level.largest.is_empty()) {
        notes.push(
            "keys were not read, so what a key with many rows needs is not in these numbers: plan without --quick"
                .to_owned(),
        );
    }
    for level in facts.levels.iter().filter(|level| !level.path.is_empty()) {
        let rows = level.rows.value.expected;
        let largest = level.largest_key() as f64;
        if rows >= SKEW_ROWS && largest >= rows * SKEW_SHARE {
            notes.push(format!(
                "one key has {} of {} rows of {}: its document is one task's, whatever the cluster",
                count(largest as u64),
                count(rows as u64),
                level.path
            ));
        }
    }
    notes
}

/// A key with so large a share of a level's rows is told.
const SKEW_SHARE: f64 = 0.01;
/// But not of levels with fewer rows.
const SKEW_ROWS: f64 = 10_000.0;
