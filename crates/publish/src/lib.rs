//! Envelope and JSON bytes, chunks, resume, verify; one trait [`Target`] with the dir target.
//!
//! Must not know: Kafka, DataFusion, the warehouse.

mod ahead;
mod chunk;
pub mod decide;
pub mod dir;
pub mod documents;
pub mod encode;
pub mod entries;
mod mask_key;
pub mod run;
mod send;
mod set;
pub mod target;
pub mod verify;

pub use decide::Mode;
pub use documents::EditionEntries;
pub use entries::{Block, Blocks, Entries};
pub use mask_key::mask_key_digest;
pub use run::{Job, Outcome, PartEnd, PartSummary, Sent, Share, Summary, publish, publish_part};
pub use set::{Awaited, wait_for_first};
pub use target::{
    Committed, Headers, Ledger, Probe, Record, Session, Slot, Target, TargetLimits, TopicSpec, View,
};
pub use verify::{Original, Verified, verify, verify_by_key};
