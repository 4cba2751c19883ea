//! What a Spark cluster needs for the join and the nesting, and which shape of it is cheapest, and fastest.

pub(crate) mod tasks;

use hivecast_run::format::{bytes, count, plural};
use serde::{Deserialize, Serialize};

use crate::embedded::{Machine, Models, Purpose, times};
use crate::facts::Facts;
use crate::model::{Load, Subject};
use crate::quantity::{Quantity, Range, Unit};
use crate::spark::pack::USUAL_EXECUTOR_CORES;
use crate::spark::{
    Allocation, Candidate, Cluster, Driver, DriverPlace, Fractions, Manager, Overhead, Packing, Room,
    Setting, Shape, TooSmall, candidates, settings,
};
use tasks::{PARTITION_BYTES, Tasks, tasks};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The driver's, with the Spark Connect server in it.
const DRIVER_OWN_BYTES: u64 = 768 * MIB;
/// What the driver holds of each task and of each file.
const DRIVER_BYTES_PER_TASK: u64 = 32 << 10;
const DRIVER_CORES: u32 = 2;
/// A core is priced with so much memory; who takes more for a core pays for more cores.
const PRICED_BYTES_PER_CORE: f64 = 4.0 * GIB as f64;
pub(crate) const SECONDS_PER_HOUR: f64 = 3600.0;
/// Tasks behind a shuffle for each core, at least: the last wave then leaves few cores idle.
const TASKS_PER_CORE: u32 = 2;
/// Up to twice this number of executors each is tried; beyond it, so many between a number and its double.
const STEPS_PER_DOUBLING: u32 = 64;
/// How many executors more than the cluster has are tried to find what would meet a deadline.
const BEYOND: u32 = 64;

/// What is asked of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Wall time of the whole run, in seconds, if there is a limit.
    pub deadline: Option<f64>,
    /// Money for a core with 4 GiB, by the hour.
    pub core_price: f64,
    /// Executors come and go with the work.
    pub dynamic: Dynamic,
}

/// Whether Spark may give executors back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dynamic {
    /// As many for as long as the server runs.
    Fixed,
    /// As many as there are tasks for, none while nothing runs.
    OnDemand,
}

/// One number of executors: a point of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Executors.
    pub executors: u32,
    /// Cores of all of them.
    pub cores: u32,
    /// Wall time of the whole run, in seconds.
    pub wall: Range,
    /// What the run costs: executors, driver, and the machine that runs Hivecast.
    pub cost: Range,
}

/// A shape of the cluster with what it takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sized {
    /// The shape.
    pub shape: Shape,
    /// Its time and cost.
    pub point: Point,
}

/// The cluster's share of the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterPlan {
    /// What costs least of all that meet the deadline; of all, where there is none or nothing meets it.
    pub cheapest: Sized,
    /// What is fastest on this cluster.
    pub fastest: Sized,
    /// Whether the cheapest meets the deadline.
    pub deadline: Met,
    /// The chart: the cheapest's executor, any number of it that the cluster holds.
    pub curve: Vec<Point>,
    /// Every number of it.
    pub quantities: Vec<Quantity>,
    /// Spark's settings for the cheapest, or for the fastest where nothing meets the deadline.
    pub settings: Vec<Setting>,
}

impl ClusterPlan {
    /// The shape that the settings are of.
    pub fn chosen(&self) -> &Sized {
        if matches!(self.deadline, Met::Never { .. }) { &self.fastest } else { &self.cheapest }
    }
}

/// Whether a deadline is met.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "met")]
pub enum Met {
    /// There is none.
    NoDeadline,
    /// Even at the high end.
    Surely,
    /// As expected; the high end is beyond it.
    Likely,
    /// Not on this cluster.
    Never {
        /// What would do, in words.
        would_do: String,
    },
}

/// Plans a run on a cluster.
pub(crate) fn cluster(
    facts: &Facts,
    cluster: &Cluster,
    machine: Machine,
    purpose: Purpose,
    wanted: Wanted,
    models: &Models,
) -> Result<ClusterPlan, TooSmall> {
    let tasks = tasks(facts);
    let files: u64 = facts.tables.iter().map(|table| table.files).sum();
    let driver = driver(&tasks, cluster, files);
    let found = candidates(cluster, &tasks.need, &driver, Fractions::default())?;
    let sizing = Sizing { facts, cluster, machine, purpose, wanted, models, tasks: &tasks, driver };
    let all: Vec<Sized> = found.iter().flat_map(|candidate| sizing.all(candidate)).collect();
    let fastest = least(&all, |sized| (sized.point.wall.expected, sized.point.cost.expected));
    let meets = |limit: &dyn Fn(&Range) -> f64| {
        let within =
            |sized: &&Sized| wanted.deadline.is_none_or(|deadline| limit(&sized.point.wall) <= deadline);
        let meeting: Vec<Sized> = all.iter().filter(within).cloned().collect();
        (!meeting.is_empty())
            .then(|| least(&meeting, |sized| (sized.point.cost.expected, sized.point.wall.expected)))
    };
    let surely = meets(&|wall| wall.high);
    let likely = meets(&|wall| wall.expected);
    let (cheapest, deadline) = match (wanted.deadline, surely, likely) {
        (None, Some(sized), _) => (sized, Met::NoDeadline),
        (Some(_), Some(sized), _) => (sized, Met::Surely),
        (_, None, Some(sized)) => (sized, Met::Likely),
        (_, None, None) => {
            let deadline = wanted.deadline.unwrap_or_default();
            let cheapest = least(&all, |sized| (sized.point.cost.expected, sized.point.wall.expected));
            (cheapest, Met::Never { would_do: sizing.would_do(deadline, &fastest) })
        }
    };
    let chosen = if matches!(deadline, Met::Never { .. }) { &fastest } else { &cheapest };
    let which = match deadline {
        Met::NoDeadline => "the cheapest shape",
        Met::Surely | Met::Likely => "the cheapest shape that is in time",
        Met::Never { .. } => "the fastest shape, since none is in time",
    };
    let held = found.iter().find(|candidate| candidate.executor == chosen.shape.executor);
    let curve = held.map_or_else(Vec::new, |candidate| {
        sizing.all(candidate).into_iter().map(|sized| sized.point).collect()
    });
    let mut quantities =
        vec![sizing.summary("cheapest shape", &cheapest), sizing.summary("fastest shape", &fastest)];
    quantities.extend(tasks.quantities.clone());
    quantities.extend(sizing.quantities(chosen, which));
    let settings = settings(&chosen.shape);
    Ok(ClusterPlan { cheapest, fastest, deadline, curve, quantities, settings })
}

/// The least by two numbers; of equals the one whose executors are nearest to the usual.
fn least(all: &[Sized], by: impl Fn(&Sized) -> (f64, f64)) -> Sized {
    let unusual = |sized: &Sized| sized.shape.executor.cores.abs_diff(USUAL_EXECUTOR_CORES);
    let mut best = &all[0];
    for sized in &all[1..] {
        let (new, old) = (by(sized), by(best));
        let order = new.0.total_cmp(&old.0).then(new.1.total_cmp(&old.1));
        if order.then(unusual(sized).cmp(&unusual(best))).is_lt() {
            best = sized;
        }
    }
    best.clone()
}

/// Tasks behind a shuffle, at most: with all cores of the cluster.
fn most_tasks(tasks: &Tasks, cluster: &Cluster) -> u32 {
    tasks.partitions.max(cluster.nodes.saturating_mul(cluster.node_cores).saturating_mul(TASKS_PER_CORE))
}

fn driver(tasks: &Tasks, cluster: &Cluster, files: u64) -> Driver {
    const HEAP_STEP: u64 = 256 * MIB;
    let own = DRIVER_OWN_BYTES + (u64::from(most_tasks(tasks, cluster)) + files) * DRIVER_BYTES_PER_TASK;
    let heap = own.div_ceil(HEAP_STEP) * HEAP_STEP;
    Driver { cores: DRIVER_CORES, heap, overhead: Overhead::default().of(heap) }
}

/// Cores that have something to do: the rows of one key are one task's.
pub(crate) fn useful_cores(facts: &Facts, cores: u32) -> f64 {
    let all = facts.work().kept_bytes.max(1.0);
    let key = facts.largest_key_bytes().max(1.0);
    f64::from(cores).min((all / key).max(1.0))
}

/// Cores that something is priced as.
pub(crate) fn priced(room: Room) -> f64 {
    f64::from(room.cores).max(room.memory as f64 / PRICED_BYTES_PER_CORE)
}

struct Sizing<'a> {
    facts: &'a Facts,
    cluster: &'a Cluster,
    machine: Machine,
    purpose: Purpose,
    wanted: Wanted,
    models: &'a Models,
    tasks: &'a Tasks,
    driver: Driver,
}

impl Sizing<'_> {
    /// A candidate in any number that the cluster holds; of many, in numbers that grow by a share.
    fn all(&self, candidate: &Candidate) -> Vec<Sized> {
        let mut found = Vec::new();
        let mut executors = 1_u32;
        while executors < candidate.packing.executors {
            found.push(self.sized(candidate, executors));
            executors = executors.saturating_add((executors / STEPS_PER_DOUBLING).max(1));
        }
        found.push(self.sized(candidate, candidate.packing.executors));
        found
    }

    fn sized(&self, candidate: &Candidate, executors: u32) -> Sized {
        let executor = candidate.executor;
        let cores = executors.saturating_mul(executor.cores);
        let (wall, _) = self.times(cores);
        let units = f64::from(executors) * priced(candidate.packing.executor)
            + priced(self.driver_room())
            + self.cluster.manager.application_master().map_or(0.0, priced)
            + f64::from(self.machine.threads);
        let cost = wall.times(units * self.wanted.core_price / SECONDS_PER_HOUR);
        let allocation = match self.wanted.dynamic {
            Dynamic::Fixed => Allocation::Fixed { executors },
            Dynamic::OnDemand => Allocation::Dynamic { least: 0, most: executors },
        };
        let shape = Shape {
            allocation,
            executor,
            driver: self.driver,
            fractions: Fractions::default(),
            shuffle_partitions: self.tasks.partitions.max(cores.saturating_mul(TASKS_PER_CORE)),
            manager: self.cluster.manager,
        };
        Sized { shape, point: Point { executors, cores, wall, cost } }
    }

    fn driver_room(&self) -> Room {
        Room { cores: self.driver.cores, memory: self.driver.heap + self.driver.overhead }
    }

    fn load(&self, cores: f64) -> Load {
        Load::plain(self.facts.work(), self.machine.threads, cores)
    }

    fn times(&self, cores: u32) -> (Range, Vec<Quantity>) {
        self.times_of(&self.load(useful_cores(self.facts, cores)))
    }

    fn times_of(&self, load: &Load) -> (Range, Vec<Quantity>) {
        times(self.facts, Subject::BuildSpark, load, self.purpose, self.models)
    }

    /// One shape in a line.
    fn summary(&self, name: &str, sized: &Sized) -> Quantity {
        let executor = sized.shape.executor;
        let how = format!(
            "{} of {} and {} of heap: {}, for {}",
            plural(sized.point.executors.into(), "executor"),
            plural(executor.cores.into(), "core"),
            bytes(executor.heap),
            Unit::Seconds.show(sized.point.wall.expected),
            Unit::Money.show(sized.point.cost.expected)
        );
        Quantity::new(name, Unit::Count, Range::exact(f64::from(sized.point.executors)), how)
    }

    fn driver_quantities(&self) -> [Quantity; 3] {
        let exact = |value: u64| Range::exact(value as f64);
        let how = format!(
            "{} of its own, with the Spark Connect server, and {} for each file and each of {} tasks, which is what \
             all cores of the cluster get behind a shuffle, in steps of 256 MiB",
            bytes(DRIVER_OWN_BYTES),
            bytes(DRIVER_BYTES_PER_TASK),
            count(most_tasks(self.tasks, self.cluster).into())
        );
        [
            Quantity::new(
                "driver cores",
                Unit::Count,
                exact(self.driver.cores.into()),
                "it plans, and sends tasks; no rows go through it",
            ),
            Quantity::new("driver heap", Unit::Bytes, exact(self.driver.heap), how),
            Quantity::new(
                "driver overhead",
                Unit::Bytes,
                exact(self.driver.overhead),
                format!("the greater of 384 MiB and {} x 0.1", bytes(self.driver.heap)),
            ),
        ]
    }

    fn quantities(&self, chosen: &Sized, which: &str) -> Vec<Quantity> {
        let mut quantities = vec![Quantity::new(
            "shuffle partitions",
            Unit::Count,
            Range::exact(f64::from(chosen.shape.shuffle_partitions)),
            format!(
                "the greater of {} / {} a task, and {} x {TASKS_PER_CORE}",
                bytes(self.tasks.rows as u64),
                bytes(PARTITION_BYTES as u64),
                plural(chosen.point.cores.into(), "core")
            ),
        )];
        quantities.extend(self.executor_quantities(chosen, which));
        quantities.extend(self.driver_quantities());
        quantities.extend(self.times(chosen.point.cores).1);
        quantities.push(self.cost(chosen));
        quantities
    }

    fn executor_quantities(&self, chosen: &Sized, which: &str) -> [Quantity; 5] {
        let executor = chosen.shape.executor;
        let packing = self.packing(chosen);
        [
            Quantity::new(
                "executors",
                Unit::Count,
                Range::exact(f64::from(chosen.point.executors)),
                format!(
                    "{which}; {} of {} and {}, less {} and {} of their own{}, hold {} of {} and {}",
                    plural(self.cluster.nodes.into(), "node"),
                    plural(self.cluster.node_cores.into(), "core"),
                    bytes(self.cluster.node_memory),
                    plural(self.cluster.reserved_cores.into(), "core"),
                    bytes(self.cluster.reserved_memory),
                    self.beside(),
                    count(packing.map_or(0, |packing| packing.executors).into()),
                    plural(executor.cores.into(), "core"),
                    bytes(packing.map_or(0, |packing| packing.executor.memory))
                ),
            ),
            Quantity::new(
                "executor cores",
                Unit::Count,
                Range::exact(f64::from(executor.cores)),
                format!(
                    "of 1 to 8 the one with which that shape costs least, and of equals the nearest to {USUAL_EXECUTOR_CORES}"
                ),
            ),
            Quantity::new(
                "executor heap",
                Unit::Bytes,
                Range::exact(executor.heap as f64),
                format!(
                    "300 MiB + the greater of {} x {} / 0.6, and ({} x {} + {}) / 0.4, in steps of 64 MiB",
                    plural(executor.cores.into(), "task"),
                    bytes(self.tasks.need.execution_per_task),
                    plural(executor.cores.into(), "task"),
                    bytes(self.tasks.need.outside_per_task),
                    bytes(self.tasks.need.outside_fixed)
                ),
            ),
            Quantity::new(
                "executor overhead",
                Unit::Bytes,
                Range::exact(executor.overhead as f64),
                format!("the greater of 384 MiB and {} x 0.1", bytes(executor.heap)),
            ),
            Quantity::new(
                "executor container",
                Unit::Bytes,
                Range::exact(packing.map_or(0, |packing| packing.executor.memory) as f64),
                format!(
                    "{} of heap + {} of overhead{}",
                    bytes(executor.heap),
                    bytes(executor.overhead),
                    match self.cluster.manager {
                        Manager::Yarn { increment, .. } =>
                            format!(", which YARN rounds up to {}", bytes(increment)),
                        Manager::Kubernetes | Manager::Standalone => String::new(),
                    }
                ),
            ),
        ]
    }

    fn cost(&self, chosen: &Sized) -> Quantity {
        let packing = self.packing(chosen);
        Quantity::new(
            "cost",
            Unit::Money,
            chosen.point.cost,
            format!(
                "{:.4} h x ({} x {:.2} cores + {:.2} of the driver{} + {} of this machine) x {} a core with 4 GiB and \
                 hour; who takes more memory counts as more cores",
                chosen.point.wall.expected / SECONDS_PER_HOUR,
                plural(chosen.point.executors.into(), "executor"),
                packing.map_or(0.0, |packing| priced(packing.executor)),
                priced(self.driver_room()),
                match self.cluster.manager.application_master() {
                    Some(master) => format!(" + {:.2} of YARN's application master", priced(master)),
                    None => String::new(),
                },
                plural(self.machine.threads.into(), "thread"),
                self.wanted.core_price
            ),
        )
    }

    fn packing(&self, chosen: &Sized) -> Option<Packing> {
        crate::spark::pack(self.cluster, &chosen.shape.executor, &chosen.shape.driver).ok()
    }

    /// Who is on the nodes besides executors.
    fn beside(&self) -> String {
        let room =
            |cores: u32, memory: u64| format!("{} and {}", plural(cores.into(), "core"), bytes(memory));
        let mut beside = String::new();
        if self.cluster.driver == DriverPlace::OnANode {
            let taken = room(self.driver.cores, self.driver.heap + self.driver.overhead);
            beside.push_str(&format!(", less {taken} of the driver"));
        }
        if let Some(master) = self.cluster.manager.application_master() {
            let taken = room(master.cores, master.memory);
            beside.push_str(&format!(", less {taken} of YARN's application master"));
        }
        beside
    }

    /// The least that would meet a deadline which this cluster can't.
    fn would_do(&self, deadline: f64, fastest: &Sized) -> String {
        let (floor, _) = self.times_of(&self.load(f64::INFINITY));
        if floor.expected > deadline {
            return format!(
                "no cluster does it in {}: {} of it are spent on Spark's start, on this machine and at the target, \
                 which no number of executors shortens",
                Unit::Seconds.show(deadline),
                Unit::Seconds.show(floor.expected)
            );
        }
        let (floor, _) = self.times(u32::MAX);
        if floor.expected > deadline {
            return format!(
                "no cluster does it in {}: the rows of the largest key are one task's, and with them it takes {}",
                Unit::Seconds.show(deadline),
                Unit::Seconds.show(floor.expected)
            );
        }
        let each = fastest.shape.executor.cores;
        let most = fastest.point.executors.saturating_mul(BEYOND);
        let (mut low, mut high) = (fastest.point.executors, most);
        if self.times(most.saturating_mul(each)).0.expected > deadline {
            return format!(
                "it would take more than {} of {}",
                plural(most.into(), "executor"),
                plural(each.into(), "core")
            );
        }
        // The fewest that do it: more never take longer.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.times(middle.saturating_mul(each)).0.expected <= deadline {
                true => high = middle,
                false => low = middle,
            }
        }
        let per_node = fastest.point.executors.div_ceil(self.cluster.nodes.max(1)).max(1);
        format!(
            "{} of {} would do, on some {}",
            plural(high.into(), "executor"),
            plural(each.into(), "core"),
            plural(high.div_ceil(per_node).into(), "such node")
        )
    }
}
