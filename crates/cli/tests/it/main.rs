//! The real binary, run as people and schedulers run it.

mod bad_input;
mod broker;
mod changing;
mod command_line;
mod doctor;
mod end_to_end;
mod exports;
mod feed_mistakes;
mod gates;
mod hdfs;
mod kafka;
mod kill;
mod memory;
mod metastore;
mod metastore_tables;
mod pairs;
#[path = "../../../metastore/tests/it/raw.rs"]
#[allow(dead_code)]
mod raw;
mod shared_store;
mod signals;
mod support;
