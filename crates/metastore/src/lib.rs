//! A client of the Hive Metastore: databases, tables and partitions, as its servers of Hive 3 and 4
//! tell them over Thrift.
//!
//! [`Metastore`] is what is asked. Calls block; each is bounded in time, tries every host, and an
//! error names the host and what was asked. The protocol is Thrift's binary one, strict and without
//! frames, which is what servers speak by default; the calls and structures are those of
//! `hive_metastore.thrift` in Apache Hive's repository, and only the ones that are needed.
//!
//! Not there: Kerberos (SASL) and TLS. A server that wants them is recognised and refused in clear
//! words.
//!
//! Must not know: files, feeds, load_dates.

mod address;
mod client;
mod connection;
mod decode;
mod encode;
mod failure;
mod matching;
mod names;
mod raw;
mod read;
mod statistics;
mod table;
mod write;

pub use address::Address;
pub use client::{Metastore, Notice, Retries, Timeouts, User};
pub use matching::{Range, Wanted};
pub use names::{DEFAULT_PARTITION, escape_path_name, partition_name, unescape_path_name};
pub use statistics::Statistics;
pub use table::{Column, Database, Partition, Storage, Table, TableKind};
pub use write::{Created, Dropped};
