//! Editions: shards, description, store, retention, merge of two editions; gates read it.
//!
//! Must not know: warehouses' files, engines, targets, JSON of documents.

mod description;

pub use description::{
    Description, EDITION_FORMAT, GateResult, InputDescription, Outcome, ShardDescription, TableDescription,
};
