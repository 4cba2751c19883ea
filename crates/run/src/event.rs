/// The steps of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Parsing and binding the feed.
    Check,
    /// Resolving partitions to a frozen list of files.
    Warehouse,
    /// Reading, joining, nesting, writing shards.
    Engine,
    /// Deciding whether the edition is fit to send.
    Gates,
    /// Committing chunks to the target.
    Publish,
    /// Reading back and comparing with the manifest.
    Verify,
}

impl Step {
    /// The step's name as people read it.
    pub fn name(self) -> &'static str {
        match self {
            Step::Check => "check",
            Step::Warehouse => "warehouse",
            Step::Engine => "engine",
            Step::Gates => "gates",
            Step::Publish => "publish",
            Step::Verify => "verify",
        }
    }
}

/// What a step counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Table rows.
    Rows,
    /// Documents or tombstones.
    Records,
    /// Bytes.
    Bytes,
    /// Pieces of a cluster's work.
    Tasks,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A fact worth a log line.
    Info,
    /// Something a person should look at.
    Warn,
}

/// One thing that happened in a run. Every reporter (terminal, log, JSON, pages) is fed by these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step begins; `total` is known where counting is free.
    Started {
        /// Which step.
        step: Step,
        /// How much there is to do, in `unit`.
        total: Option<u64>,
        /// What is counted.
        unit: Unit,
    },
    /// The step goes on to count something else, from nothing.
    Counts {
        /// Which step.
        step: Step,
        /// How much there is to do, in `unit`, where counting is free.
        total: Option<u64>,
        /// What is counted from now on.
        unit: Unit,
    },
    /// The step has come this far, counted from its start.
    Advanced {
        /// Which step.
        step: Step,
        /// How much is done.
        done: u64,
    },
    /// The step is done.
    Ended {
        /// Which step.
        step: Step,
    },
    /// Something to tell.
    Note {
        /// How much it matters.
        level: Level,
        /// One sentence.
        text: String,
    },
}

/// Receives events. Called from several threads; must not block for long.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);
}

/// A sink that drops everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Sink for Silent {
    fn event(&self, _event: &Event) {}
}
