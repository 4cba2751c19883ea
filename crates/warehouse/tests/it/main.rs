//! The warehouse room against real files.

mod damage;
mod foreign;
mod freezing;
mod looking;
mod parquet_schema;
mod partitions;
mod readiness;
mod round_trip;
mod shown;
mod support;
mod text;
mod waiting;
