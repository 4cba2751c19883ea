//! What the tasks of a join and of the nesting need on Spark.

use hivecast_run::format::bytes;

use crate::facts::Facts;
use crate::quantity::{Quantity, Range, Unit};
use crate::spark::TaskNeed;

const MIB: u64 = 1 << 20;

/// Bytes that a task behind a shuffle should have: enough to be worth its start, few enough to be sorted in
/// memory.
pub(crate) const PARTITION_BYTES: f64 = 64.0 * MIB as f64;
/// Bytes of a row in Spark's own form for each byte of ours: 8 bytes a field and nulls' bits on top of what texts
/// have (`UnsafeRow`).
const ROW_FACTOR: f64 = 1.2;
/// How much more than the mean a partition has, by chance.
const UNEVEN: f64 = 1.5;
/// What a task sorts with, for each byte that it sorts: the rows, pointers to them, and the other side of the join.
const SORT_FACTOR: f64 = 2.0;
/// What Spark takes at once for a task that sorts, and for each side of a join (`TaskMemoryManager` hands out pages).
const PAGES_BYTES: f64 = 16.0 * MIB as f64;
/// Java's objects for each byte of rows that `collect_list` has gathered.
const OBJECT_FACTOR: f64 = 3.0;
/// Groups that an aggregation with objects has in memory before it sorts
/// (`spark.sql.objectHashAggregate.sortBased.fallbackThreshold`).
const GROUPS_IN_MEMORY: f64 = 128.0;
/// What a task holds of the file that it writes before it is cut, at most: `parquet.block.size`.
const ROW_GROUP_BYTES: f64 = 128.0 * MIB as f64;
/// Bytes of that for each byte of rows: its columns are encoded as they come.
const ENCODED_FACTOR: f64 = 0.5;
/// Decoded columns of the files that a task reads.
const READER_BYTES: f64 = 8.0 * MIB as f64;
/// An executor's own objects.
const EXECUTOR_OWN_BYTES: u64 = 72 * MIB;
/// Times that a row goes through a shuffle: with its join, and with its document.
const SHUFFLES: f64 = 2.0;

/// What tasks need, and how many there are.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    /// Of each.
    pub(crate) need: TaskNeed,
    /// Behind a shuffle.
    pub(crate) partitions: u32,
    /// Bytes of all rows as Spark has them, at most.
    pub(crate) rows: f64,
    pub(crate) quantities: Vec<Quantity>,
}

/// What the feed's day needs of a task.
pub(crate) fn tasks(facts: &Facts) -> Tasks {
    let kept = facts.kept_bytes();
    // What is too small fails, and what is too large costs a little: the high end counts.
    let rows = kept.high * ROW_FACTOR;
    let partitions = (rows / PARTITION_BYTES).ceil().max(1.0);
    // Not what the cut leaves of it, which for more rows may be less.
    let mean = rows.min(PARTITION_BYTES);
    let even = mean * UNEVEN;
    let key = facts.largest_key_bytes() * ROW_FACTOR;
    let largest = even + key;
    let documents = facts.documents().value.expected.max(1.0);
    let groups = (GROUPS_IN_MEMORY * rows / documents).min(even) + key;
    let execution = largest * SORT_FACTOR + PAGES_BYTES;
    let row_group = (largest * ENCODED_FACTOR).min(ROW_GROUP_BYTES);
    let outside = groups * OBJECT_FACTOR + row_group + READER_BYTES;
    let need = TaskNeed {
        execution_per_task: execution as u64,
        outside_per_task: outside as u64,
        outside_fixed: EXECUTOR_OWN_BYTES,
        storage: 0,
    };
    let task = Task { mean, key, largest, groups, row_group, execution, outside };
    Tasks { need, partitions: partitions as u32, rows, quantities: task.quantities(kept) }
}

/// Bytes of the parts of a task's need.
struct Task {
    /// The rows of most tasks.
    mean: f64,
    /// The rows of the largest key.
    key: f64,
    /// All rows of the largest task, at most.
    largest: f64,
    /// What `collect_list` has gathered at a time.
    groups: f64,
    /// Of the file that is written.
    row_group: f64,
    /// What Spark accounts for.
    execution: f64,
    /// What it does not.
    outside: f64,
}

impl Task {
    fn quantities(&self, kept: Range) -> Vec<Quantity> {
        let Task { mean, key, largest, groups, row_group, execution, outside } = *self;
        let show = |value: f64| bytes(value as u64);
        let exact = Range::exact;
        vec![
            Quantity::new(
                "shuffle",
                Unit::Bytes,
                kept.times(ROW_FACTOR * SHUFFLES),
                format!(
                    "{} of rows that `where` leaves x {ROW_FACTOR} as Spark has them x {SHUFFLES} shuffles",
                    show(kept.expected)
                ),
            ),
            Quantity::new(
                "largest task",
                Unit::Bytes,
                Range { low: mean, expected: mean + key, high: largest },
                format!(
                    "{} of rows, which are cut into tasks of {} at most, + {} of the largest key; by chance a task has \
                 {UNEVEN} times as many rows",
                    show(mean),
                    show(PARTITION_BYTES),
                    show(key)
                ),
            ),
            Quantity::new(
                "execution memory a task",
                Unit::Bytes,
                exact(execution),
                format!(
                    "{} of the largest task at most x {SORT_FACTOR}, for rows and what sorts them, + {} of pages that \
                 Spark takes at once",
                    show(largest),
                    show(PAGES_BYTES)
                ),
            ),
            Quantity::new(
                "objects a task",
                Unit::Bytes,
                exact(outside),
                format!(
                    "{} that collect_list gathers x {OBJECT_FACTOR} as Java's objects + {} of a row group that is written + {} of a reader; outside of what Spark accounts for",
                    show(groups),
                    show(row_group),
                    show(READER_BYTES)
                ),
            ),
        ]
    }
}
