//! What `hivecast plan` answers, for people: as a table in a terminal, and as a page with a chart; and how right
//! earlier answers were.

mod asked;
mod axis;
mod chart;
#[cfg(test)]
mod fixture;
mod history;
mod html;
mod page;
#[cfg(test)]
mod page_tests;
mod table;
mod words;

pub use history::{PlanError, plan_history};
pub use page::plan_page;
pub use table::plan_table;
