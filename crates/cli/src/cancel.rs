//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hivecast_run::{Cancel, Class, Fault, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A [`Cancel`] that the first SIGINT or SIGTERM sets. The second ends the process at once, with
/// exit code 130: whoever asks twice does not want to wait for an abort.
pub(crate) fn on_signals() -> Result<Cancel> {
    let cancel = Cancel::default();
    let asked: Arc<AtomicBool> = cancel.flag();
    for signal in [SIGINT, SIGTERM] {
        // Order matters: the exit is looked at first, and so acts from the second signal on.
        flag::register_conditional_shutdown(
            signal,
            i32::from(Class::Interrupted.exit_code()),
            Arc::clone(&asked),
        )
        .and_then(|_| flag::register(signal, Arc::clone(&asked)))
        .map_err(|error| Fault::infrastructure("failed to listen for signals").because(error))?;
    }
    Ok(cancel)
}
