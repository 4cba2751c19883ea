//! Envelope and JSON bytes, chunks, resume, verify; one trait [`Target`] with the dir target.
//!
//! Must not know: Kafka, DataFusion, the warehouse.

pub mod target;

pub use target::{Committed, Headers, Ledger, Record, Session, Target, TargetLimits, TopicSpec};
