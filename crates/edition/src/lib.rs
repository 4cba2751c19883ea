//! Editions: shards, description, store, retention, merge of two editions; gates read it.
//!
//! Must not know: warehouses' files, engines, targets, JSON of documents.

mod content;
mod description;
mod edition;
mod exclusion;
mod files;
pub mod gates;
mod merge;
mod reader;
pub mod schema;
mod scratch;
mod shard;
mod shared;
mod store;
mod temporary;
mod writer;

pub use description::{
    Description, EDITION_FORMAT, GateResult, InputDescription, Outcome, ShardDescription, TableDescription,
};
pub use edition::Edition;
pub use exclusion::{Excluded, Exclusion, Named, Sent};
pub use merge::{KeyCounts, KeyMerge, MissingKeys, Presence, count_keys, missing_keys, missing_keys_in};
pub use reader::{Batch, Columns, EditionReader};
pub use scratch::Scratch;
pub use shard::ShardWriter;
pub use shared::Shared;
pub use store::{LookUp, PruneMode, Store, Survey};
pub use writer::{Draft, EditionWriter, Quarantined};
