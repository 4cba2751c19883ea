//! Test support: random feeds with tables that fit them ([`random`]), what such a feed means, said
//! a second time ([`naive`]), and what every target must do ([`conformance`]).
//!
//! Must not know: engines and the warehouse. What it holds them against must not share their code.

pub mod conformance;
pub mod naive;
pub mod random;

mod table;

pub use table::{Row, TableData, Value};
