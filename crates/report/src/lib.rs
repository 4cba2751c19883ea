//! What people and programs see of a run: progress bars on a terminal ([`Bars`]), log lines
//! elsewhere ([`Lines`]), the [`Summary`] as text or JSON, previews, the table of past runs, and what a run will
//! need as a table ([`plan_table`]) or a page ([`plan_page`]).
//!
//! Must not know: feeds' definitions, warehouses, engines, targets. It is handed events and
//! results, decides nothing, and never fails a run.

mod bars;
mod history;
mod journal;
mod layout;
mod lines;
mod memory;
mod plan;
mod preview;
mod summary;
mod terminal;

pub use bars::Bars;
pub use history::{PastRun, StepTime, runs_table};
pub use hivecast_run::format::{bytes, count, plural, seconds};
pub use journal::Journal;
pub use layout::table;
pub use lines::Lines;
pub use memory::{forget_peak_memory, peak_memory_bytes};
pub use plan::{PlanError, plan_history, plan_page, plan_table};
pub use preview::pretty;
pub use summary::{
    EditionSummary, ErrorReport, Outcome, PartReport, PublishSummary, REPORT_VERSION, Report, Summary,
    TableRows, VerifySummary,
};
