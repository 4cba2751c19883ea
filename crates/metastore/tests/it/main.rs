//! The client against real servers of Hive 3 and 4, and against servers that fail or lie.

mod faults;
mod lies;
mod many;
mod partitions;
mod raw;
mod support;
mod tables;
mod writes;
