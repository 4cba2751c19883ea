//! What people and programs see of a run: progress bars on a terminal ([`Bars`]), log lines
//! elsewhere ([`Lines`]), the [`Summary`] as text or JSON, previews, and the table of past runs.
//!
//! Must not know: feeds' definitions, warehouses, engines, targets. It is handed events and
//! results, decides nothing, and never fails a run.

mod bars;
mod history;
mod journal;
mod layout;
mod lines;
mod memory;
mod preview;
mod summary;

pub use bars::Bars;
pub use history::{PastRun, StepTime, runs_table};
pub use hivecast_run::format::{bytes, count, plural, seconds};
pub use journal::Journal;
pub use layout::table;
pub use lines::Lines;
pub use memory::{forget_peak_memory, peak_memory_bytes};
pub use preview::pretty;
pub use summary::{
    EditionSummary, ErrorReport, Outcome, PartReport, PublishSummary, REPORT_VERSION, Report, Summary,
    TableRows, VerifySummary,
};
