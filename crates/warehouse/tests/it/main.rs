//! The warehouse room against real files.

mod damage;
mod freezing;
mod looking;
mod parquet_schema;
mod partitions;
mod round_trip;
mod support;
mod text;
mod waiting;
