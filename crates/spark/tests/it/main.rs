//! The Spark engine against the embedded one, on real servers: Apache Spark and Sail.

mod exhausted;
mod faults;
mod killed;
mod memory;
mod moments;
mod own_server;
mod random;
mod same;
mod servers;
mod support;
