//! A realistic MDM export in Hive layout: accounts, parties and party addresses, day by day, with
//! the changes that such exports have.
//!
//! Every value is a function of the seed, the day since the first one, and the account's number, so
//! that any day and any file can be written alone, in flat memory, with the same bytes each time.
//!
//! Must not know: feeds, engines, editions, targets. What it writes is read as any other warehouse.

mod countries;
mod output;
mod population;
mod random;
mod tables;
mod words;
mod write;

pub use write::{DaySummary, Existing, FileFormat, Options, Summary, TableSummary, write};
