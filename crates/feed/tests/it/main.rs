//! Tests of the feed room through its public functions.

mod check;
mod example;
mod fingerprint;
mod hostile;
mod parse;
mod project;
mod schema;
mod support;
