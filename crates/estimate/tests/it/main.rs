//! What this crate says of Spark, held against Spark: its own classes, and a server started with our files.

mod answers;
mod files;
mod processes;
mod script;
mod server;
mod spark;
