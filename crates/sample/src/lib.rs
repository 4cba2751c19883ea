//! A realistic MDM export in Hive layout: accounts, parties and party addresses, day by day, with
//! the changes that such exports have.
//!
//! Every value is a function of the seed, the day since the first one, and the account's number, so
//! that any day and any file can be written alone, in flat memory, with the same bytes each time.
//!
//! It is put into a directory, another store, or the tables of a Hive Metastore ([`Destination`]).
//!
//! Must not know: feeds, engines, editions, targets. What it writes is read as any other warehouse.

mod avro;
mod countries;
mod destination;
mod lines;
mod output;
mod population;
mod random;
mod registry;
mod tables;
mod words;
mod write;

pub use destination::Destination;
pub use write::{DATABASE, DaySummary, Existing, FileFormat, Options, Summary, TableSummary, write};
