//! The real binary, run as people and schedulers run it.

mod bad_input;
mod broker;
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
mod pairs;
mod shared_store;
mod signals;
mod support;
mod writers;
