//! The whole answer: both engines, and which to use.

use hivecast_run::format::{bytes, count, plural};
use serde::Serialize;

use crate::cluster::{ClusterPlan, Met, Wanted, cluster};
use crate::embedded::{Embedded, EmbeddedRule, Machine, Models, Purpose, embedded};
use crate::facts::{Counted, Facts};
use crate::model::{Basis, Model, ShownTerm, Subject};
use crate::quantity::{Quantity, Range, Unit};
use crate::spark::Cluster;

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
    /// A Spark cluster, if there is one.
    pub cluster: Option<Cluster>,
    /// What the run is for.
    pub purpose: Purpose,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// What is known of times and memory.
    pub models: Models,
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
    let show = |value: f64| quantity.unit.show(value);
    let range = match quantity.value.is_exact() {
        true => String::new(),
        false => format!(" ({} to {})", show(quantity.value.low), show(quantity.value.high)),
    };
    format!("{title}: {} = {}{range}: {}", quantity.name, show(quantity.value.expected), quantity.how)
}

/// Answers a question.
pub fn answer(question: &Question) -> Answer {
    let Question { facts, machine, rule, purpose, models, wanted, .. } = question;
    let embedded = embedded(facts, *machine, rule, *purpose, models);
    let sized = question.cluster.map(|shape| cluster(facts, &shape, *machine, *purpose, *wanted, models));
    let (plan, lacks) = match sized {
        None => (None, None),
        Some(Ok(plan)) => (Some(plan), None),
        Some(Err(error)) => (None, Some(error.to_string())),
    };
    let choice = choose(&embedded, plan.as_ref(), lacks.as_deref(), wanted.deadline);
    let mut sections = vec![
        Section { title: "the day", quantities: day(facts) },
        Section { title: "embedded engine", quantities: embedded.quantities.clone() },
    ];
    if let Some(plan) = &plan {
        sections.push(Section { title: "spark", quantities: plan.quantities.clone() });
    }
    let mut used_subjects = vec![Subject::BuildEmbedded];
    used_subjects.extend(plan.is_some().then_some(Subject::BuildSpark));
    if *purpose == Purpose::Publish {
        used_subjects.extend([Subject::Publish, Subject::Verify]);
    }
    let has_cluster = plan.is_some();
    let used = |subject: &Subject| has_cluster || *subject != Subject::BuildSpark;
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
        notes: notes(facts, models, &used_subjects),
        embedded,
        cluster: plan,
        cluster_lacks: lacks,
        models: Subject::ALL.into_iter().filter(used).map(shown).collect(),
    }
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
    deadline: Option<f64>,
) -> Choice {
    let show = |seconds: f64| Unit::Seconds.show(seconds);
    let alone = embedded.wall.expected;
    let in_time = deadline.is_none_or(|deadline| alone <= deadline);
    let able = embedded.lacks.is_empty();
    let choice = |engine, why: String| Choice { engine, why };
    let Some(plan) = plan else {
        let cluster = lacks.map_or_else(
            || "no cluster was given".to_owned(),
            |lacks| format!("the cluster is too small: {lacks}"),
        );
        return match (able, in_time) {
            (true, true) => {
                choice(Chosen::Embedded, format!("this machine does it in {}; {cluster}", show(alone)))
            }
            (true, false) => choice(
                Chosen::Neither,
                format!(
                    "this machine takes {}, and the deadline is {}; {cluster}",
                    show(alone),
                    show(deadline.unwrap_or_default())
                ),
            ),
            (false, _) => choice(Chosen::Neither, format!("{}; {cluster}", embedded.lacks.join("; "))),
        };
    };
    let chosen = plan.chosen().point;
    let with_cluster = chosen.wall.expected;
    match (&plan.deadline, able && in_time) {
        (Met::Never { would_do }, false) => {
            let here =
                if able { format!("this machine takes {}", show(alone)) } else { embedded.lacks.join("; ") };
            choice(
                Chosen::Neither,
                format!(
                    "{here}; this cluster at its fastest takes {}, and the deadline is {}: {would_do}",
                    show(with_cluster),
                    show(deadline.unwrap_or_default())
                ),
            )
        }
        (Met::Never { .. }, true) => choice(
            Chosen::Embedded,
            format!("this machine does it in {}, which no shape of the cluster does in time", show(alone)),
        ),
        (_, true) if alone <= with_cluster * WORTH_A_CLUSTER => choice(
            Chosen::Embedded,
            format!(
                "this machine does it in {}, the cluster's cheapest shape in {} and its fastest in {}: that is not \
                 worth a cluster",
                show(alone),
                show(with_cluster),
                show(plan.fastest.point.wall.expected)
            ),
        ),
        (_, true) if deadline.is_some() => {
            choice(Chosen::Embedded, format!("this machine does it in {}, which is in time", show(alone)))
        }
        (_, true) => choice(
            Chosen::Spark,
            format!(
                "the cluster does it in {} with {} executors, this machine in {}",
                show(with_cluster),
                chosen.executors,
                show(alone)
            ),
        ),
        (_, false) => {
            let here = if able {
                format!("takes {}", show(alone))
            } else {
                format!("can't: {}", embedded.lacks.join("; "))
            };
            choice(
                Chosen::Spark,
                format!(
                    "{} executors do it in {}, and this machine {here}",
                    chosen.executors,
                    show(with_cluster)
                ),
            )
        }
    }
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

fn notes(facts: &Facts, models: &Models, used: &[Subject]) -> Vec<String> {
    let mut notes = Vec::new();
    let stated: Vec<&str> = STEPS
        .into_iter()
        .filter(|(subject, _)| used.contains(subject) && models.of(*subject).basis == Basis::Default)
        .map(|(_, name)| name)
        .collect();
    if !stated.is_empty() {
        notes.push(format!(
            "{} by stated defaults of another machine: --calibrate measures builds on this one, and each run is \
             learned from",
            listed(&stated)
        ));
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
