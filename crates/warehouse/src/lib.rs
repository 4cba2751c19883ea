//! Where partitions are, and how their files are read: directory in Hive layout, formats,
//! readiness, the frozen input list.
//!
//! [`Warehouse::freeze`] resolves every table of a feed to a frozen list of files, and
//! [`TableInput::scan`] reads them as record batches of one schema, whatever each file looks like.
//!
//! Must not know: documents, engines, editions, targets. Text is always `Utf8View`, binary
//! `BinaryView`, timestamps microseconds without a zone unless the file states one.

mod avro_decode;
mod avro_file;
mod avro_schema;
mod calendar;
mod catalog;
mod compressed;
mod convert;
mod data_file;
mod describe;
mod detect;
mod directory;
mod disk;
#[cfg(test)]
mod evolution;
#[cfg(test)]
mod far_store;
mod freeze;
mod hive;
mod hive_text;
mod input;
mod json_file;
mod json_value;
mod latest;
mod layout;
mod leaves;
mod lines;
mod orc_file;
mod orc_integers;
mod orc_tail;
mod parallel;
mod parquet_file;
mod parquet_time;
mod parse;
mod place;
mod problem;
mod reading;
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
mod watch;
mod written;
mod zone;

pub use convert::sort_maps;
pub use input::{InputFile, Inputs, RowGroup, SizesBy, TableInput};
pub use latest::Newest;
pub use retention::{OldPartition, Remains};
pub use scan::{Part, Scan};
pub use survey::{DaySurvey, LoadDates, StoreProbe, TableSurvey};
pub use warehouse::{Found, Warehouse};
