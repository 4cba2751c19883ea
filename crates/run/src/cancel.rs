use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Class, Fault, Result};

/// A flag that asks a run to stop at its next safe place. Clones share the flag; signal handlers
/// set it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The flag itself, for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails with [`Class::Interrupted`] once [`Cancel::cancel`] was called.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Fault::new(Class::Interrupted, "interrupted")
                .advise("nothing uncommitted was kept; run the same command again to resume"));
        }
        Ok(())
    }
}
