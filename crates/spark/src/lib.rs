//! The Spark Connect engine: a cluster evaluates, joins and nests, and [`hivecast_engine::nested`] makes the
//! edition of what it gives.
//!
//! The only room that talks to Spark. Must not know: targets, envelopes, JSON of documents, DataFusion.
//! What is asked is SQL that [`hivecast_sql::spark`] writes; what comes back is Parquet.

mod aside;
mod check;
mod client;
mod counts;
mod endpoint;
mod engine;
mod failure;
mod file;
mod parts;
mod protocol;
mod session;
mod statement;
mod tables;
#[cfg(test)]
mod tests;

pub use check::{check, check_formats, refusals};
pub use endpoint::Endpoint;
pub use engine::{Explained, FilesView, SparkEngine, cores, explain, probe};
