//! How memory is allocated, for a program that runs, ends and gives everything back.

#![allow(unsafe_code, reason = "calls mimalloc's C interface: there is no other way to set an option")]

use libmimalloc_sys::{mi_option_set, mi_option_t, mi_option_use_numa_nodes};

/// `mi_option_purge_delay` of mimalloc.h, for which the bindings have no name: it stands before this one.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;
/// Never: what mimalloc.h says of -1.
const NEVER: std::ffi::c_long = -1;

/// Keeps what is freed instead of giving it back to the kernel, which would clear it before it hands it out
/// again. A build takes a tenth less time by that.
pub(crate) fn keep_freed_memory() {
    // SAFETY: mimalloc checks the option's number; setting one is allowed at any time.
    unsafe { mi_option_set(PURGE_DELAY, NEVER) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // mimalloc's own default, which no neighbour of it has.
        const DEFAULT_MS: std::ffi::c_long = 1000;
        // SAFETY: as above.
        let option = |option| unsafe { libmimalloc_sys::mi_option_get(option) };
        assert_eq!([-1, 0, 1].map(|off| option(PURGE_DELAY + off) == DEFAULT_MS), [false, true, false]);
        keep_freed_memory();
        assert_eq!(option(PURGE_DELAY), NEVER);
    }
}
