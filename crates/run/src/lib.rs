//! What every room shares about a run: how it fails ([`Fault`]), what it tells ([`Event`]), what
//! time it is ([`Clock`]), whether it should stop ([`Cancel`]) and where tests may crash it
//! ([`crash_point`]).
//!
//! Must not know: feeds, tables, documents, Kafka, files. It has no dependencies.

mod cancel;
mod clock;
mod crash;
mod event;
mod fault;
pub mod format;
mod panic;

pub use cancel::Cancel;
pub use clock::{Clock, FixedClock, SystemClock};
pub use crash::crash_point;
pub use event::{Event, Level, Silent, Sink, Step, Unit};
pub use fault::{Class, Explained, Fault, Result};
pub use panic::{catch_panic, panic_is_caught};

/// What a long-running function is given besides its data: where to report, when to stop, and the
/// clock. Copied freely.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Receives the run's events.
    pub sink: &'a dyn Sink,
    /// Asked at every chunk and batch; when set, the function returns [`Class::Interrupted`].
    pub cancel: &'a Cancel,
    /// The only source of wall-clock time.
    pub clock: &'a dyn Clock,
}

impl Context<'_> {
    /// Reports an event.
    pub fn tell(&self, event: Event) {
        self.sink.event(&event);
    }

    /// A warning that a person should read, but that stops nothing.
    pub fn warn(&self, text: impl Into<String>) {
        self.sink.event(&Event::Note { level: Level::Warn, text: text.into() });
    }

    /// A fact worth a log line.
    pub fn info(&self, text: impl Into<String>) {
        self.sink.event(&Event::Note { level: Level::Info, text: text.into() });
    }

    /// Fails with [`Class::Interrupted`] once the run has been asked to stop.
    pub fn check_cancelled(&self) -> Result<()> {
        self.cancel.check()
    }
}
