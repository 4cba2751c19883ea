//! What a feed's day will need, before it is run: rows, bytes, memory, processors and wall time, on this
//! machine and on a Spark cluster, each number with its arithmetic and its range.
//!
//! It is a function from what is known ([`Facts`], a [`Machine`], runs that were measured) to an answer.
//!
//! Must not know: files, warehouses, engines, targets, terminals. It does no I/O.

mod answer;
mod cluster;
mod embedded;
mod facts;
mod model;
mod nonnegative;
mod quantity;
mod record;
pub mod spark;
#[cfg(test)]
mod tests;

pub use answer::{
    ANSWER_VERSION, Answer, Choice, Chosen, Question, Section, Server, ServerPlan, ShownModel, answer,
};
pub use cluster::{ClusterPlan, Dynamic, Met, Point, Sized, Wanted};
pub use embedded::{
    Embedded, EmbeddedRule, Machine, Models, Purpose, ThreadsBy, Way, embedded, embedded_load,
};
pub use facts::{Counted, FACTS_VERSION, Facts, LevelFacts, Source, TableFacts, Work};
pub use model::{Basis, Load, Model, OBSERVATIONS_MAX, Observation, ShownTerm, Subject};
pub use quantity::{Quantity, Range, Unit};
pub use record::{Foretold, Origin, Record, learn};
