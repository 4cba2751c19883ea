//! Spark's arithmetic, from what a task needs to the files that start a server with it: a heap that gives each task
//! its memory ([`memory`]), how many such executors a cluster holds ([`mod@pack`]), the settings that say so
//! ([`mod@settings`]) and the files they are handed over in ([`files`]).
//!
//! Numbers are those of Apache Spark 4, and are held against its own answers by the tests. Sizes are bytes.

pub mod files;
pub mod memory;
pub mod pack;
pub mod settings;

mod manager;
#[cfg(test)]
mod properties;

pub use manager::Manager;
pub use memory::{Fractions, Overhead, Regions, TaskNeed, heap_for, regions};
pub use pack::{Candidate, Cluster, DriverPlace, Packing, Room, TooSmall, candidates, pack};
pub use settings::{Allocation, Driver, Executor, Setting, Shape, settings};

/// One mebibyte in bytes: the unit that Spark and its managers count memory in, also where they write `m` or `MB`.
pub const MIB: u64 = 1 << 20;
/// One gibibyte in bytes.
pub const GIB: u64 = 1 << 30;
