//! The real binary, run as people and schedulers run it.

mod bad_input;
mod broker;
mod command_line;
mod doctor;
mod end_to_end;
mod feed_mistakes;
mod gates;
mod kafka;
mod kill;
mod memory;
mod pairs;
mod shared_store;
mod signals;
mod support;
