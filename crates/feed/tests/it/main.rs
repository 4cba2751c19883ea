//! Tests of the feed room through its public functions.

mod check;
mod diagnostics;
mod example;
mod fingerprint;
mod hostile;
mod messages;
mod parse;
mod project;
mod schema;
mod support;
mod yaml;
