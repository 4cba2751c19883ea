//! The `hivecast` binary.
fn main() {}
