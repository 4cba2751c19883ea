//! The warehouse room against real files.

mod damage;
mod foreign;
mod freezing;
mod hive;
mod looking;
#[path = "../../../metastore/tests/it/support.rs"]
#[allow(dead_code, unused_macros, unused_imports)]
mod metastores;
mod parquet_schema;
mod partitions;
mod readiness;
mod round_trip;
mod shown;
mod support;
mod text;
mod waiting;
