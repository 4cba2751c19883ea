//! Where partitions are, and how their files are read: directory in Hive layout, formats,
//! readiness, the frozen input list.
//!
//! [`Warehouse::freeze`] resolves every table of a feed to a frozen list of files, and
//! [`TableInput::scan`] reads them as record batches of one schema, whatever each file looks like.
//!
//! Must not know: documents, engines, editions, targets. Text is always `Utf8View`, binary
//! `BinaryView`, timestamps microseconds without a zone unless the file states one.

mod catalog;
mod describe;
mod detect;
mod directory;
mod disk;
mod freeze;
mod hive;
mod input;
mod latest;
mod layout;
mod parquet_file;
mod place;
mod problem;
mod ready;
mod records;
mod retention;
mod rows;
mod scan;
mod schema;
mod survey;
mod text_file;
mod values;
mod wait;
mod warehouse;
mod written;

pub use input::{InputFile, Inputs, RowGroup, TableInput};
pub use latest::Newest;
pub use retention::{OldPartition, Remains};
pub use scan::{Part, Scan};
pub use survey::{DaySurvey, LoadDates, StoreProbe, TableSurvey};
pub use warehouse::{Found, Warehouse};
