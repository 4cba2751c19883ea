//! How many executors a cluster holds.

use std::error::Error;
use std::fmt;

use hivecast_run::format::plural;
use serde::{Deserialize, Serialize};

use super::memory::{Fractions, Overhead, TaskNeed, container, heap_for, mebibytes};
use super::settings::{Driver, Executor};
use super::{GIB, MIB, Manager};

/// Cores of an executor that are tried. More than eight tasks in one heap wait for one another's garbage
/// collection.
pub const EXECUTOR_CORES: std::ops::RangeInclusive<u32> = 1..=8;
/// Cores of an executor where others hold as many tasks: up to five tasks write to HDFS through one client at full
/// speed (Cloudera, "How-to: Tune Your Apache Spark Jobs", part 2), and fewer share less, broadcasts for example.
pub const USUAL_EXECUTOR_CORES: u32 = 5;
/// Cores that a node keeps for its own daemons, where nothing else is said: a node's HDFS and YARN daemons and its
/// operating system are seldom busier (the same source).
pub const RESERVED_CORES: u32 = 1;
/// The least memory that a node keeps for the same, in bytes: what Spark's own worker leaves
/// (`WorkerArguments.inferDefaultMemory`).
pub const LEAST_RESERVED_MEMORY: u64 = GIB;
/// The part of its memory that a node keeps for the same, where that is more: an eighth, which Hortonworks' table for
/// YARN comes to for nodes of 64 to 512 GB, and which leaves the page cache something.
pub const RESERVED_MEMORY_PART: u64 = 8;

/// Where the driver runs, which has the Spark Connect server in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverPlace {
    /// On a machine that runs no executors.
    OwnMachine,
    /// On one of the nodes. Of a driver in client mode YARN and a standalone master know nothing: what they may
    /// hand out of that node has to be set so much lower.
    OnANode,
}

/// Nodes of one kind. Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// How many.
    pub nodes: u32,
    /// Cores of each.
    pub node_cores: u32,
    /// Memory of each.
    pub node_memory: u64,
    /// Cores that each keeps for itself.
    pub reserved_cores: u32,
    /// Memory that each keeps for itself.
    pub reserved_memory: u64,
    /// Who hands them out.
    pub manager: Manager,
    /// Where the driver runs.
    pub driver: DriverPlace,
}

impl Cluster {
    /// A cluster whose nodes keep the usual part for themselves: [`RESERVED_CORES`], and an eighth of the memory but
    /// [`LEAST_RESERVED_MEMORY`] at least. The driver has a machine of its own.
    pub fn new(nodes: u32, node_cores: u32, node_memory: u64, manager: Manager) -> Cluster {
        let reserved_memory = usual_reserve(node_memory);
        let driver = DriverPlace::OwnMachine;
        let reserved_cores = RESERVED_CORES;
        Cluster { nodes, node_cores, node_memory, reserved_cores, reserved_memory, manager, driver }
    }

    /// What a node has for Spark, beside `taken`.
    fn free(&self, taken: Room) -> Room {
        let cores = self.node_cores.saturating_sub(self.reserved_cores).saturating_sub(taken.cores);
        let memory = self.node_memory.saturating_sub(self.reserved_memory).saturating_sub(taken.memory);
        Room { cores, memory }
    }
}

fn usual_reserve(node_memory: u64) -> u64 {
    (node_memory / RESERVED_MEMORY_PART).max(LEAST_RESERVED_MEMORY)
}

/// Cores and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Cores.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: u64,
}

impl Room {
    fn and(self, other: Room) -> Room {
        let cores = self.cores.saturating_add(other.cores);
        Room { cores, memory: self.memory.saturating_add(other.memory) }
    }

    /// The least that holds either.
    fn or(self, other: Room) -> Room {
        Room { cores: self.cores.max(other.cores), memory: self.memory.max(other.memory) }
    }

    /// How many of `each` it holds.
    fn holds(self, each: Room) -> u32 {
        let by_memory = self.memory.checked_div(each.memory).unwrap_or(u64::MAX);
        let by_memory = u32::try_from(by_memory).unwrap_or(u32::MAX);
        self.cores.checked_div(each.cores).unwrap_or(u32::MAX).min(by_memory)
    }
}

/// Executors of one shape in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packing {
    /// What the manager sets aside for one executor.
    pub executor: Room,
    /// Executors on a node that runs nothing else of ours.
    pub per_node: u32,
    /// Executors in the cluster, beside a driver on a node and the manager's own container.
    pub executors: u32,
}

/// A cluster that is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooSmall {
    /// It has no nodes.
    NoNodes,
    /// No node has room for one.
    Node(Tenant, Short),
    /// YARN hands out no container so large.
    Container {
        /// What one executor asks for, in bytes.
        asked: u64,
        /// The most that is handed out, in bytes.
        most: u64,
    },
}

/// Who takes room on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// One executor, beside who has to be on its node, too.
    Executor,
    /// The driver, which is to be on a node.
    Driver,
    /// YARN's application master.
    ApplicationMaster,
}

/// What a node does not have enough of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Cores.
    Cores(Lack<u32>),
    /// Memory, in bytes.
    Memory(Lack<u64>),
    /// Either.
    CoresAndMemory(Lack<u32>, Lack<u64>),
}

/// How much it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack<T> {
    /// What the tenant takes.
    pub needed: T,
    /// What a node has left for it.
    pub left: T,
    /// What each node would have to have in all.
    pub would_do: T,
}

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooSmall::NoNodes => f.write_str("it has no nodes"),
            TooSmall::Node(tenant, short) => {
                let name = match tenant {
                    Tenant::Executor => "an executor",
                    Tenant::Driver => "the driver",
                    Tenant::ApplicationMaster => "YARN's application master",
                };
                write!(f, "{name} {short}")
            }
            TooSmall::Container { asked, most } => {
                let [asked, most] = [*asked, *most].map(mebibytes);
                write!(
                    f,
                    "the smallest executor asks YARN for {asked} MiB, which hands out {most} MiB at most: \
                     yarn.scheduler.maximum-allocation-mb of {asked} would do"
                )
            }
        }
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = |cores: u32| plural(cores.into(), "core");
        match self {
            Short::Cores(Lack { needed, left, would_do }) => {
                let [needed, left, would_do] = [*needed, *left, *would_do].map(cores);
                write!(f, "takes {needed}, and a node has {left} left: nodes of {would_do} would do")
            }
            Short::Memory(lack) => {
                let ([needed, would_do], left) =
                    ([lack.needed, lack.would_do].map(mebibytes), lack.left / MIB);
                write!(
                    f,
                    "takes {needed} MiB, and a node has {left} MiB left: nodes of {would_do} MiB would do"
                )
            }
            Short::CoresAndMemory(number, memory) => {
                let [needed, left, would_do] = [number.needed, number.left, number.would_do].map(cores);
                let ([needs, more], rest) =
                    ([memory.needed, memory.would_do].map(mebibytes), memory.left / MIB);
                write!(
                    f,
                    "takes {needed} and {needs} MiB, and a node has {left} and {rest} MiB left: nodes of \
                     {would_do} and {more} MiB would do"
                )
            }
        }
    }
}

impl Error for TooSmall {}

/// How many executors the cluster holds. Where YARN puts its application master is not ours to say, so the fewest
/// count that are left wherever it is. YARN's DefaultResourceCalculator looks at memory alone and would put more
/// executors on a node than it has cores for; they would be no faster.
pub fn pack(cluster: &Cluster, executor: &Executor, driver: &Driver) -> Result<Packing, TooSmall> {
    if cluster.nodes == 0 {
        return Err(TooSmall::NoNodes);
    }
    let asked = container(executor.heap, executor.overhead);
    if let Some(most) = cluster.manager.most().filter(|most| asked > *most) {
        return Err(TooSmall::Container { asked, most });
    }
    let room = Room { cores: executor.cores, memory: cluster.manager.granted(asked) };
    let beside = match cluster.driver {
        DriverPlace::OwnMachine => Room::default(),
        DriverPlace::OnANode => driver_room(cluster.manager, driver),
    };
    let master = cluster.manager.application_master().unwrap_or_default();
    // One executor is left wherever the master is if the master's node has room for it, unless there is a node
    // that neither of them is on.
    let in_the_way = match cluster.nodes {
        1 => beside.and(master),
        2 if cluster.driver == DriverPlace::OnANode => master,
        _ => Room::default(),
    };
    // One node may have to hold several of them, and all of them some node each.
    let all = match cluster.nodes {
        1 => beside.and(master).and(room),
        _ => beside.or(master).or(room.and(in_the_way)),
    };
    fits(cluster, Tenant::Driver, beside, Room::default(), all)?;
    fits(cluster, Tenant::ApplicationMaster, master, Room::default(), all)?;
    fits(cluster, Tenant::Executor, room, in_the_way, all)?;
    let per_node = cluster.free(Room::default()).holds(room);
    Ok(Packing { executor: room, per_node, executors: total(cluster, room, beside, master) })
}

/// What the driver takes of the node that it is on. In client mode no manager rounds it, except that a pod of
/// Kubernetes is in whole MiB.
fn driver_room(manager: Manager, driver: &Driver) -> Room {
    let asked = container(driver.heap, driver.overhead);
    let memory = if matches!(manager, Manager::Yarn { .. }) { asked } else { manager.granted(asked) };
    Room { cores: driver.cores, memory }
}

fn total(cluster: &Cluster, executor: Room, driver: Room, master: Room) -> u32 {
    let [empty, with_driver, with_master, with_both] = [Room::default(), driver, master, driver.and(master)]
        .map(|taken| cluster.free(taken).holds(executor));
    let together = empty.saturating_mul(cluster.nodes - 1).saturating_add(with_both);
    if cluster.nodes == 1 {
        return together;
    }
    let apart =
        empty.saturating_mul(cluster.nodes - 2).saturating_add(with_driver).saturating_add(with_master);
    together.min(apart)
}

/// Whether a node has room for `tenant` beside what is taken of it. Where it has not, what would do is what has room
/// for `all`, so that the next tenant is not short then.
fn fits(cluster: &Cluster, tenant: Tenant, room: Room, taken: Room, all: Room) -> Result<(), TooSmall> {
    let (left, empty) = (cluster.free(taken), cluster.free(Room::default()));
    if left.cores >= room.cores && left.memory >= room.memory {
        return Ok(());
    }
    let would_do = all.cores.saturating_add(cluster.reserved_cores);
    let cores = Lack { needed: room.cores, left: left.cores, would_do };
    let memory = Lack { needed: room.memory, left: left.memory, would_do: node_memory(cluster, all.memory) };
    let short = match (empty.cores < all.cores, empty.memory < all.memory) {
        (true, false) => Short::Cores(cores),
        (false, true) => Short::Memory(memory),
        _ => Short::CoresAndMemory(cores, memory),
    };
    Err(TooSmall::Node(tenant, short))
}

/// The least memory of nodes that have so many bytes for Spark. Where they keep the usual part, larger ones keep
/// more.
fn node_memory(cluster: &Cluster, bytes: u64) -> u64 {
    let least = bytes.saturating_add(cluster.reserved_memory);
    if cluster.reserved_memory != usual_reserve(cluster.node_memory) {
        return least;
    }
    let part = bytes / (RESERVED_MEMORY_PART - 1) + 1;
    bytes.saturating_add(part.max(LEAST_RESERVED_MEMORY))
}

/// One shape of executor that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The executor.
    pub executor: Executor,
    /// How the cluster holds it.
    pub packing: Packing,
}

/// All shapes of [`EXECUTOR_CORES`] that give each task what it needs and fit the cluster, by their cores. Where none
/// does, the error is that of the smallest.
pub fn candidates(
    cluster: &Cluster,
    need: &TaskNeed,
    driver: &Driver,
    fractions: Fractions,
) -> Result<Vec<Candidate>, TooSmall> {
    let mut found = Vec::new();
    let mut first_error = None;
    for cores in EXECUTOR_CORES {
        let heap = heap_for(need, cores, fractions);
        let executor = Executor { cores, heap, overhead: Overhead::default().of(heap) };
        match pack(cluster, &executor, driver) {
            Ok(packing) => found.push(Candidate { executor, packing }),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVER: Driver = Driver { cores: 2, heap: 4 * GIB, overhead: 410 * MIB };
    const EXECUTOR: Executor = Executor { cores: 5, heap: 12 * GIB, overhead: 1228 * MIB };

    #[test]
    fn nodes_keep_something_for_themselves() {
        let large = Cluster::new(10, 16, 64 * GIB, Manager::YARN);
        assert_eq!((large.reserved_cores, large.reserved_memory), (1, 8 * GIB));
        assert_eq!(Cluster::new(1, 4, 4 * GIB, Manager::Kubernetes).reserved_memory, GIB);
    }

    #[test]
    fn ten_nodes_of_16_cores() {
        // 13.2 GiB are granted as 14; 56 GiB hold four, 15 cores three. One of them shares a node with the master.
        let yarn = Cluster::new(10, 16, 64 * GIB, Manager::YARN);
        let packed = pack(&yarn, &EXECUTOR, &DRIVER).unwrap();
        let room = Room { cores: 5, memory: 14 * GIB };
        assert_eq!(packed, Packing { executor: room, per_node: 3, executors: 29 });
        let kubernetes = Cluster { manager: Manager::Kubernetes, ..yarn };
        assert_eq!(pack(&kubernetes, &EXECUTOR, &DRIVER).unwrap().executors, 30);
        // Two cores for the driver: one executor less there. Wherever the master is, two nodes at most lose one.
        let shared = Cluster { driver: DriverPlace::OnANode, ..kubernetes };
        assert_eq!(pack(&shared, &EXECUTOR, &DRIVER).unwrap().executors, 29);
        assert_eq!(
            pack(&Cluster { manager: Manager::YARN, ..shared }, &EXECUTOR, &DRIVER).unwrap().executors,
            28
        );
    }

    #[test]
    fn what_is_too_small_says_what_would_do() {
        let none = pack(&Cluster::new(0, 16, 64 * GIB, Manager::YARN), &EXECUTOR, &DRIVER).unwrap_err();
        assert_eq!(none, TooSmall::NoNodes);
        let few = Cluster::new(3, 4, 64 * GIB, Manager::Kubernetes);
        insta::assert_snapshot!(pack(&few, &EXECUTOR, &DRIVER).unwrap_err(), @"an executor takes 5 cores, and a node has 3 cores left: nodes of 6 cores would do");
        let little = Cluster::new(3, 16, 8 * GIB, Manager::Kubernetes);
        insta::assert_snapshot!(pack(&little, &EXECUTOR, &DRIVER).unwrap_err(), @"an executor takes 13516 MiB, and a node has 7168 MiB left: nodes of 15447 MiB would do");
        let both =
            Cluster { driver: DriverPlace::OnANode, ..Cluster::new(1, 4, 8 * GIB, Manager::Kubernetes) };
        insta::assert_snapshot!(pack(&both, &EXECUTOR, &DRIVER).unwrap_err(), @"an executor takes 5 cores and 13516 MiB, and a node has 1 core and 2662 MiB left: nodes of 8 cores and 20597 MiB would do");
        let stock = Manager::Yarn { minimum: GIB, increment: GIB, maximum: Some(8 * GIB) };
        let limited = Cluster::new(3, 16, 64 * GIB, stock);
        insta::assert_snapshot!(pack(&limited, &EXECUTOR, &DRIVER).unwrap_err(), @"the smallest executor asks YARN for 13516 MiB, which hands out 8192 MiB at most: yarn.scheduler.maximum-allocation-mb of 13516 would do");
        let large = Driver { cores: 20, ..DRIVER };
        let busy = Cluster { driver: DriverPlace::OnANode, ..Cluster::new(3, 16, 64 * GIB, Manager::YARN) };
        insta::assert_snapshot!(pack(&busy, &EXECUTOR, &large).unwrap_err(), @"the driver takes 20 cores, and a node has 15 cores left: nodes of 21 cores would do");
        let crowded = Cluster { driver: DriverPlace::OnANode, ..Cluster::new(2, 6, 16 * GIB, Manager::YARN) };
        insta::assert_snapshot!(pack(&crowded, &EXECUTOR, &DRIVER).unwrap_err(), @"an executor takes 5 cores and 14336 MiB, and a node has 4 cores and 13312 MiB left: nodes of 7 cores and 17555 MiB would do");
    }

    #[test]
    fn every_shape_that_fits_is_a_candidate() {
        let cluster = Cluster::new(10, 16, 64 * GIB, Manager::Kubernetes);
        let need = TaskNeed { execution_per_task: GIB, outside_per_task: GIB / 2, ..TaskNeed::default() };
        let all = candidates(&cluster, &need, &DRIVER, Fractions::default()).unwrap();
        assert_eq!(all.iter().map(|one| one.executor.cores).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        let usual = all.iter().find(|one| one.executor.cores == USUAL_EXECUTOR_CORES).unwrap();
        assert_eq!((usual.packing.executors, usual.executor.heap), (30, 8896 * MIB));
        let tiny = Cluster::new(10, 16, GIB, Manager::Kubernetes);
        assert!(matches!(
            candidates(&tiny, &need, &DRIVER, Fractions::default()),
            Err(TooSmall::Node(Tenant::Executor, Short::Memory(_)))
        ));
    }
}
