//! The SQL that DataFusion and Spark share, as Spark is told it: an expression after DataFusion has typed
//! it, with every cast written out, so that Spark decides no type by rules of its own.
//!
//! What Spark computes otherwise is written another way where there is one that gives the same, and refused,
//! with the reason, where there is none. A session must have Spark's ANSI mode on and UTC as its time zone.

mod casts;
mod functions;
mod print;
mod types;

use crate::Expression;

pub use types::{quoted, sql_type, text};

impl Expression {
    /// The expression in Spark's SQL, over columns by their names. The error says what Spark would compute
    /// otherwise, or does not have.
    pub fn to_spark(&self) -> Result<String, String> {
        let inner = print::print(self.logical(), self.columns_of())?;
        // The type that we expect, whatever Spark makes of the rest.
        let wanted = sql_type(self.data_type())
            .ok_or_else(|| format!("Spark has no type for {}", self.data_type()))?;
        Ok(format!("cast({inner} as {wanted})"))
    }

    /// As [`Expression::to_spark`], for a filter.
    pub fn to_spark_filter(&self) -> Result<String, String> {
        print::print(self.logical(), self.columns_of())
    }
}
