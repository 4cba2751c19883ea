//! The settings that give a server the shape that was found.

use hivecast_run::format::plural;
use serde::{Deserialize, Serialize};

use super::memory::{Fractions, container, mebibytes, regions};
use super::{MIB, Manager};

/// One executor. Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executor {
    /// Tasks that run at once.
    pub cores: u32,
    /// `-Xmx`.
    pub heap: u64,
    /// What the JVM has beside it.
    pub overhead: u64,
}

/// The driver, which has the Spark Connect server in it. Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Driver {
    /// Cores.
    pub cores: u32,
    /// `-Xmx`.
    pub heap: u64,
    /// What the JVM has beside it.
    pub overhead: u64,
}

/// How many executors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allocation {
    /// So many for as long as the server runs.
    Fixed {
        /// How many.
        executors: u32,
    },
    /// Spark takes them as tasks wait, and gives them back.
    Dynamic {
        /// As many are kept while nothing runs, and started with.
        least: u32,
        /// No more than that; no fewer than `least` and one.
        most: u32,
    },
}

impl Allocation {
    /// The most executors that there are at once.
    pub fn most(self) -> u32 {
        match self {
            Allocation::Fixed { executors } => executors,
            Allocation::Dynamic { least, most } => most.max(least).max(1),
        }
    }
}

/// A server and its executors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How many executors.
    pub allocation: Allocation,
    /// Each of them.
    pub executor: Executor,
    /// The driver.
    pub driver: Driver,
    /// How heaps are divided.
    pub fractions: Fractions,
    /// Tasks of a stage behind a shuffle.
    pub shuffle_partitions: u32,
    /// Who hands out the machines.
    pub manager: Manager,
}

/// Whose setting it is, which decides the file that has it: [`files`](super::files).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Executors', and what the whole application has.
    Executor,
    /// The driver's, whose JVM is started with it.
    Driver,
}

/// One setting of Spark's, set or left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// As Spark has it.
    pub name: String,
    /// As Spark reads it; `None` where it is left alone.
    pub value: Option<String>,
    /// Why it has that value, or none: one line.
    pub why: String,
    /// Whose it is.
    pub of: Of,
}

/// Every setting that has to do with cores, memory and executors: what is not set is said, with the reason.
pub fn settings(shape: &Shape) -> Vec<Setting> {
    let mut all = driver(&shape.driver).to_vec();
    all.extend(executors(shape));
    all.extend(executor(&shape.executor, shape.manager));
    all.extend(shared(shape));
    all
}

fn driver(driver: &Driver) -> [Setting; 4] {
    let of = Of::Driver;
    let unseen = "In client mode no manager sees to it: the machine must have";
    let cores = format!("Planning, and a thread or two for results. {unseen} them.");
    let Driver { heap, overhead, .. } = *driver;
    let both = format!("Beside the heap. {unseen} both, {}.", sum(heap, overhead));
    [
        set(of, "spark.driver.cores", driver.cores, &cores),
        set(
            of,
            "spark.driver.memory",
            size(heap),
            "The heap of the Spark Connect server, which is the driver.",
        ),
        set(of, "spark.driver.memoryOverhead", size(overhead), &both),
        left(of, "spark.driver.memoryOverheadFactor", "The overhead is stated, which makes the factor void."),
    ]
}

fn executor(executor: &Executor, manager: Manager) -> [Setting; 5] {
    let of = Of::Executor;
    let tasks = "Tasks that run at once in one executor and share its heap.";
    let heap = "The heap that gives each of these tasks what it was reckoned to need.";
    let overhead = format!(
        "Beside the heap: threads' stacks, classes, buffers. Heap and this are the container: {}{}.",
        sum(executor.heap, executor.overhead),
        becomes(manager, container(executor.heap, executor.overhead))
    );
    let python = "Nothing here runs in Python: no container has memory for its workers.";
    [
        set(of, "spark.executor.cores", executor.cores, tasks),
        set(of, "spark.executor.memory", size(executor.heap), heap),
        set(of, "spark.executor.memoryOverhead", size(executor.overhead), &overhead),
        left(
            of,
            "spark.executor.memoryOverheadFactor",
            "The overhead is stated, which makes the factor void.",
        ),
        left(of, "spark.executor.pyspark.memory", python),
    ]
}

/// What a manager makes of a container that is asked for.
fn becomes(manager: Manager, asked: u64) -> String {
    let granted = mebibytes(manager.granted(asked));
    match manager {
        Manager::Yarn { .. } if granted == mebibytes(asked) => {
            ", which YARN hands out as they are".to_owned()
        }
        Manager::Yarn { .. } => format!(", which YARN rounds up to {granted} MiB"),
        Manager::Kubernetes => ", what the pod asks for".to_owned(),
        Manager::Standalone => {
            ". The master counts the heap alone, and the machine must have both".to_owned()
        }
    }
}

fn shared(shape: &Shape) -> [Setting; 4] {
    let of = Of::Executor;
    let Fractions { memory, storage } = shape.fractions;
    let heap = mebibytes(shape.executor.heap);
    // Spark refuses a heap for which there is no such sum.
    let [unified, kept] = regions(shape.executor.heap, shape.fractions)
        .map_or([0; 2], |regions| [regions.unified, regions.storage].map(|bytes| bytes / MIB));
    let (memory, storage) = (fraction(memory), fraction(storage));
    let unified_how = format!(
        "Of the heap without 300 MiB, what joins, sorts and shuffles have: ({heap} - 300) x {memory} = {unified} MiB. \
         The rest is for the lists of rows."
    );
    let kept_how = format!(
        "Of that, what cached and broadcast blocks keep: {unified} x {storage} = {kept} MiB. The rest is never theirs \
         for long."
    );
    let parts = "Tasks behind a shuffle: each has to have its rows in its part of the heap. Adaptive execution, \
                 where it is on, joins small ones.";
    [
        set(of, "spark.memory.fraction", memory, &unified_how),
        set(of, "spark.memory.storageFraction", storage, &kept_how),
        left(of, "spark.python.worker.memory", "No Python worker runs."),
        set(of, "spark.sql.shuffle.partitions", shape.shuffle_partitions, parts),
    ]
}

fn executors(shape: &Shape) -> Vec<Setting> {
    let of = Of::Executor;
    let (most, each) = (shape.allocation.most(), shape.executor.cores);
    let mut all = match shape.allocation {
        Allocation::Fixed { executors } => fixed(executors),
        Allocation::Dynamic { least, .. } => dynamic(least, most),
    };
    all.push(match shape.manager {
        Manager::Standalone => {
            let why = format!(
                "A standalone master hands out all cores that it has otherwise: {} of {}.",
                plural(most.into(), "executor"),
                plural(each.into(), "core")
            );
            set(of, "spark.cores.max", most.saturating_mul(each), &why)
        }
        Manager::Yarn { .. } | Manager::Kubernetes => {
            left(of, "spark.cores.max", "For a standalone master, which hands out cores.")
        }
    });
    all
}

/// Which shape it is, and why, is the answer's to say.
const CHOSEN: &str = "As many as the shape has that was chosen.";

fn fixed(executors: u32) -> Vec<Setting> {
    let of = Of::Executor;
    let unused = "A fixed number of executors has no use for it.";
    let also = "The number of executors is fixed, also where a cluster's defaults would change it.";
    vec![
        set(of, "spark.executor.instances", executors, CHOSEN),
        set(of, "spark.dynamicAllocation.enabled", "false", also),
        left(of, "spark.dynamicAllocation.minExecutors", unused),
        left(of, "spark.dynamicAllocation.maxExecutors", unused),
        left(of, "spark.dynamicAllocation.initialExecutors", unused),
        left(of, "spark.dynamicAllocation.shuffleTracking.enabled", unused),
    ]
}

fn dynamic(least: u32, most: u32) -> Vec<Setting> {
    let of = Of::Executor;
    let tracking = "Executors whose shuffle files are still read stay: no external shuffle service is relied upon, and \
        Kubernetes has none.";
    vec![
        left(
            of,
            "spark.executor.instances",
            "Dynamic allocation counts them, and would start with that many.",
        ),
        set(of, "spark.dynamicAllocation.enabled", "true", "Executors come as tasks wait, and go when idle."),
        set(of, "spark.dynamicAllocation.minExecutors", least, "Kept while nothing runs."),
        set(of, "spark.dynamicAllocation.maxExecutors", most, CHOSEN),
        set(
            of,
            "spark.dynamicAllocation.initialExecutors",
            least,
            "More come with the first tasks that wait.",
        ),
        set(of, "spark.dynamicAllocation.shuffleTracking.enabled", "true", tracking),
    ]
}

/// Two sizes and their sum, as Spark counts them.
fn sum(heap: u64, overhead: u64) -> String {
    let both = mebibytes(container(heap, overhead));
    format!("{} + {} = {both} MiB", mebibytes(heap), mebibytes(overhead))
}

fn set(of: Of, name: &str, value: impl ToString, why: &str) -> Setting {
    Setting { name: name.into(), value: Some(value.to_string()), why: why.into(), of }
}

fn left(of: Of, name: &str, why: &str) -> Setting {
    Setting { name: name.into(), value: None, why: why.into(), of }
}

/// Bytes as Spark's settings have them. It counts in whole MiB: less would be cut.
fn size(bytes: u64) -> String {
    format!("{}m", mebibytes(bytes))
}

/// Hundredths as a fraction: `0.6`.
fn fraction(percent: u32) -> String {
    (f64::from(percent) / 100.0).to_string()
}
