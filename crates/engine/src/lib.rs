//! Plan in, edition out: one trait [`Engine`], and the embedded engine, which joins and nests in
//! this process with bounded memory.
//!
//! Must not know: DataFusion, targets, envelopes, JSON of documents, where
//! a table's files lie.

mod arrays;
mod cut;
mod documents;
mod embedded;
mod findings;
mod gather;
mod group;
mod index;
mod job;
mod keys;
mod masked;
mod memory;
pub mod nested;
mod nodes;
mod parallel;
mod passes;
mod plan;
mod preview;
mod progress;
mod query_gates;
mod read;
mod row_gates;
mod sizes;
mod spill;
mod survey;
mod tables;
#[cfg(test)]
mod tests;

pub use embedded::{Embedded, MEMORY_RULE, MIN_MEMORY_BYTES, MemoryRule};
pub use hivecast_sql::SqlBinder;
pub use plan::{Engine, Plan, Preview, Selection, edition_id};
pub use survey::{LevelSurvey, Look, survey};
