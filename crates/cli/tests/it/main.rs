//! The real binary, run as people and schedulers run it.

mod bad_input;
mod broker;
mod changing;
mod cluster;
mod command_line;
mod doctor;
mod end_to_end;
mod exports;
mod feed_mistakes;
mod gates;
mod hdfs;
mod hdfs_faults;
mod kafka;
mod kill;
mod memory;
mod metastore;
mod metastore_faults;
mod metastore_tables;
mod pairs;
mod plan;
mod plan_facts;
mod plan_input;
mod plan_server;
mod prune_cluster;
// Of the estimates' own tests.
#[path = "../../../estimate/tests/it/processes.rs"]
#[allow(dead_code)]
mod processes;
#[path = "../../../metastore/tests/it/raw.rs"]
#[allow(dead_code)]
mod raw;
mod s3_warehouse;
// Of the storage's own tests.
#[allow(dead_code, reason = "both use the most of it")]
#[path = "../../../storage/tests/it/servers.rs"]
mod servers;
mod shared_store;
mod signals;
mod spark;
mod support;
mod writers;
