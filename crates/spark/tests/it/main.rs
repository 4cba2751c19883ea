//! The Spark engine against the embedded one, on real servers: Apache Spark and Sail.

mod faults;
mod memory;
mod random;
mod same;
mod support;
