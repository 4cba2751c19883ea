//! How Spark divides one JVM's memory, and the least heap that gives its tasks what they need.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::MIB;

/// What Spark sets aside of each heap for itself, in bytes: `UnifiedMemoryManager.RESERVED_SYSTEM_MEMORY_BYTES`.
pub const RESERVED: u64 = 300 * MIB;
/// The least heap that Spark starts with, in bytes: 1.5 times what it reserves, by
/// `UnifiedMemoryManager.getMaxMemory`.
pub const LEAST_HEAP: u64 = RESERVED / 2 * 3;
/// Heaps are multiples of this many bytes. Java's G1 collector rounds a heap up to whole regions, of 32 MiB at
/// most (`HeapRegionBounds`): of such a multiple it reports what was asked for.
pub const HEAP_STEP: u64 = 64 * MIB;
/// The least overhead in bytes where none is stated: the default of `spark.executor.minMemoryOverhead` and
/// `spark.driver.minMemoryOverhead`.
pub const LEAST_OVERHEAD: u64 = 384 * MIB;
/// The part of the heap that is the overhead where none is stated, in percent: the default of
/// `spark.executor.memoryOverheadFactor` and `spark.driver.memoryOverheadFactor`.
pub const OVERHEAD_PERCENT: u32 = 10;
/// The same for applications in Python or R on Kubernetes (`NON_JVM_MEMORY_OVERHEAD_FACTOR`). A Spark Connect
/// server is no such application.
pub const NON_JVM_OVERHEAD_PERCENT: u32 = 40;

/// Hundredths in a whole.
const WHOLE: f64 = 100.0;
/// The fractions that [`fractions_for`] chooses among, in percent. Beyond them either shuffles or a task's own
/// objects have next to nothing.
const FRACTIONS: std::ops::RangeInclusive<u32> = 30..=80;
/// Their distance, in percent.
const FRACTION_STEP: usize = 5;

/// How a heap is divided, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fractions {
    /// `spark.memory.fraction`: what execution and storage share, of the heap without [`RESERVED`].
    pub memory: u32,
    /// `spark.memory.storageFraction`: what of that is not taken from cached blocks.
    pub storage: u32,
}

impl Default for Fractions {
    /// Spark's own: 0.6 and 0.5.
    fn default() -> Fractions {
        Fractions { memory: 60, storage: 50 }
    }
}

/// The regions of one heap, in bytes. With [`RESERVED`] they are the heap: `unified + outside + RESERVED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regions {
    /// What execution (sorts, joins, shuffles) and storage (cached and broadcast blocks) share:
    /// `UnifiedMemoryManager.maxHeapMemory`. Where nothing is cached, execution may take all of it.
    pub unified: u64,
    /// What cached blocks keep when execution wants it: `onHeapStorageRegionSize`.
    pub storage: u64,
    /// What Spark does not account for: objects of tasks. The lists that `collect_list` builds are here, since
    /// `ObjectHashAggregateExec` keeps `TypedImperativeAggregate` buffers as plain objects.
    pub outside: u64,
}

/// A heap that Spark refuses to start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapTooSmall {
    /// The heap, in bytes.
    pub heap: u64,
}

impl fmt::Display for HeapTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [heap, least] = [self.heap, LEAST_HEAP].map(|bytes| bytes / MIB);
        write!(f, "failed to divide a heap of {heap} MiB: Spark needs {least} MiB at least")
    }
}

impl Error for HeapTooSmall {}

/// Divides a heap of so many bytes, as `UnifiedMemoryManager.apply` and `getMaxMemory` do: both fractions are
/// applied in doubles and cut to whole bytes.
///
/// The heap is what Java reports as its greatest (`Runtime.maxMemory`): of a multiple of [`HEAP_STEP`], `-Xmx` itself
/// with the G1 collector. The serial one, which Java chooses in a container of one core, leaves out a survivor
/// space, some 3 %.
pub fn regions(heap: u64, fractions: Fractions) -> Result<Regions, HeapTooSmall> {
    if heap < LEAST_HEAP {
        return Err(HeapTooSmall { heap });
    }
    let usable = heap - RESERVED;
    let unified = part(usable, fractions.memory);
    Ok(Regions {
        unified,
        storage: part(unified, fractions.storage),
        outside: usable.saturating_sub(unified),
    })
}

/// What a JVM needs beside its heap: threads' stacks, classes, buffers of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overhead {
    /// `spark.executor.memoryOverhead` or `spark.driver.memoryOverhead`, in bytes. The factor is then void.
    Stated(u64),
    /// What Spark takes where none is stated.
    Factor {
        /// Of the heap: `memoryOverheadFactor`.
        percent: u32,
        /// `minMemoryOverhead`, in bytes.
        least: u64,
    },
}

impl Default for Overhead {
    /// That of a JVM whose settings say nothing of it.
    fn default() -> Overhead {
        Overhead::Factor { percent: OVERHEAD_PERCENT, least: LEAST_OVERHEAD }
    }
}

impl Overhead {
    /// The overhead of a heap, both in bytes: `ResourceProfile.calculateOverHeadMemory`, which cuts to whole MiB.
    /// The driver's is computed the same way (`BasicDriverFeatureStep`, YARN's `Client`).
    pub fn of(self, heap: u64) -> u64 {
        match self {
            Overhead::Stated(bytes) => bytes,
            Overhead::Factor { percent, least } => part(heap / MIB, percent).saturating_mul(MIB).max(least),
        }
    }
}

/// What a manager is asked for one JVM, in bytes: `totalMemMiB` of `ResourceProfile.getResourcesForClusterManager`,
/// without memory off the heap and for Python, of which we ask for none.
pub fn container(heap: u64, overhead: u64) -> u64 {
    heap.saturating_add(overhead)
}

/// What tasks need of an executor, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskNeed {
    /// What one task sorts, joins and shuffles with at once, so that nothing is spilled. Accounted for by Spark.
    pub execution_per_task: u64,
    /// What one task has in objects of its own, `collect_list`'s among them. A task that has not so much fails with
    /// an `OutOfMemoryError`: nothing of it is spilled.
    pub outside_per_task: u64,
    /// Objects of an executor, however many tasks it runs.
    pub outside_fixed: u64,
    /// Cached and broadcast blocks of an executor.
    pub storage: u64,
}

impl TaskNeed {
    /// What the unified region of an executor with so many tasks at once has to hold. Of N active tasks each may
    /// take the Nth part of it (`ExecutionMemoryPool.acquireMemory`), less what is stored: so all have their need,
    /// though one that comes late may have to wait until it has the 2Nth part.
    fn unified(&self, tasks: u32) -> u64 {
        self.execution_per_task.saturating_mul(tasks.into()).saturating_add(self.storage)
    }

    fn outside(&self, tasks: u32) -> u64 {
        self.outside_per_task.saturating_mul(tasks.into()).saturating_add(self.outside_fixed)
    }
}

/// The least heap of an executor that runs `cores` tasks at once, in bytes: a multiple of [`HEAP_STEP`], never under
/// [`LEAST_HEAP`], whose regions hold what all the tasks need. What only a heap beyond 2^64 bytes holds gets
/// one near it, which no cluster has room for.
pub fn heap_for(need: &TaskNeed, cores: u32, fractions: Fractions) -> u64 {
    let (unified, outside) = (need.unified(cores), need.outside(cores));
    let usable = whole(unified, fractions.memory).max(whole(outside, WHOLE as u32 - fractions.memory));
    let heap = round_up(usable.saturating_add(RESERVED).max(LEAST_HEAP), HEAP_STEP);
    let holds = |found: Regions| found.unified >= unified && found.outside >= outside;
    // Spark cuts what it multiplied in doubles: a byte may be missing.
    if regions(heap, fractions).is_ok_and(holds) { heap } else { heap.saturating_add(HEAP_STEP) }
}

/// The fractions with which such an executor's heap is least. Where several are, the one nearest to Spark's own.
pub fn fractions_for(need: &TaskNeed, cores: u32) -> Fractions {
    let usual = Fractions::default();
    let each = FRACTIONS.step_by(FRACTION_STEP).map(|memory| Fractions { memory, ..usual });
    each.min_by_key(|one| (heap_for(need, cores, *one), one.memory.abs_diff(usual.memory))).unwrap_or(usual)
}

/// Bytes in whole MiB, rounded up: what Spark's settings are written in.
pub fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(MIB)
}

/// The least multiple of `step` that is no less. Saturates at the greatest multiple.
pub(crate) fn round_up(bytes: u64, step: u64) -> u64 {
    bytes.checked_next_multiple_of(step).unwrap_or(u64::MAX / step * step)
}

/// So many hundredths, as Java computes them: `(bytes * 0.6).toLong`.
fn part(bytes: u64, percent: u32) -> u64 {
    (bytes as f64 * (f64::from(percent) / WHOLE)) as u64
}

/// The least number of which so many hundredths are `bytes`.
fn whole(bytes: u64, percent: u32) -> u64 {
    if bytes == 0 {
        return 0;
    }
    let Some(exact) = (u128::from(bytes) * WHOLE as u128).checked_div(percent.into()) else {
        return u64::MAX;
    };
    u64::try_from(exact + 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::GIB;
    use super::*;

    #[test]
    fn a_gibibyte_is_divided_as_spark_divides_it() {
        let found = regions(GIB, Fractions::default()).unwrap();
        assert_eq!(found, Regions { unified: 455_501_414, storage: 227_750_707, outside: 303_667_610 });
        assert_eq!(found.unified + found.outside + RESERVED, GIB);
    }

    #[test]
    fn a_heap_under_450_mib_is_refused() {
        assert_eq!(LEAST_HEAP, 450 * MIB);
        let refused = regions(LEAST_HEAP - 1, Fractions::default()).unwrap_err();
        assert_eq!(refused.to_string(), "failed to divide a heap of 449 MiB: Spark needs 450 MiB at least");
        assert_eq!(regions(LEAST_HEAP, Fractions::default()).unwrap().unified, 94_371_840);
    }

    #[test]
    fn overhead_is_a_tenth_of_the_heap_and_384_mib_at_least() {
        assert_eq!(Overhead::default().of(GIB), 384 * MIB);
        assert_eq!(Overhead::default().of(8 * GIB), 819 * MIB);
        let python = Overhead::Factor { percent: NON_JVM_OVERHEAD_PERCENT, least: LEAST_OVERHEAD };
        assert_eq!(python.of(8 * GIB), 3276 * MIB);
        assert_eq!(Overhead::Stated(200 * MIB).of(8 * GIB), 200 * MIB);
        assert_eq!(container(8 * GIB, Overhead::default().of(8 * GIB)), 9011 * MIB);
    }

    #[test]
    fn heaps_for_needs() {
        let fractions = Fractions::default();
        // Next to nothing: the floor in whole steps.
        assert_eq!(heap_for(&TaskNeed::default(), 4, fractions), 512 * MIB);
        // 4 x 512 MiB are 0.6 of 3413.3 MiB, and 300 MiB more.
        let sorts = TaskNeed { execution_per_task: 512 * MIB, ..TaskNeed::default() };
        assert_eq!(heap_for(&sorts, 4, fractions), 3776 * MIB);
        // 4 x 512 + 100 MiB are 0.4 of 5370 MiB.
        let lists = TaskNeed { outside_per_task: 512 * MIB, outside_fixed: 100 * MIB, ..sorts };
        assert_eq!(heap_for(&lists, 4, fractions), 5696 * MIB);
        let cached = TaskNeed { storage: GIB, ..sorts };
        assert_eq!(heap_for(&cached, 4, fractions), 5440 * MIB);
    }

    #[test]
    fn fractions_follow_the_need() {
        let sorts = TaskNeed { execution_per_task: GIB, ..TaskNeed::default() };
        assert_eq!(fractions_for(&sorts, 4).memory, 80);
        let lists = TaskNeed { outside_per_task: GIB, ..TaskNeed::default() };
        assert_eq!(fractions_for(&lists, 4).memory, 30);
        assert_eq!(fractions_for(&TaskNeed::default(), 4), Fractions::default());
        let both = TaskNeed { execution_per_task: 3 * GIB, outside_per_task: 2 * GIB, ..TaskNeed::default() };
        assert_eq!(fractions_for(&both, 4).memory, 60);
    }
}
