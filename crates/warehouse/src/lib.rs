//! Where partitions are, and how their files are read: directory in Hive layout, formats,
//! readiness, the frozen input list.
//!
//! Must not know: documents, engines, editions, targets. Text is always `Utf8View`, binary
//! `BinaryView`, timestamps microseconds without a zone unless the file states one.

mod input;

pub use input::{InputFile, Inputs, TableInput};
