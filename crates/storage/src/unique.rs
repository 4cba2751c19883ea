//! Names that nobody else gives.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process;

/// The name of a file that is being written and is going to be `name`: hidden from whoever reads the
/// directory, and no other writer's, on whatever machine.
pub(crate) fn half_written(name: &str) -> String {
    // The only randomness in the standard library; a new one for each call.
    let random = RandomState::new().build_hasher().finish();
    format!(".{name}.{}-{random:016x}.tmp", process::id())
}
