//! The SQL that DataFusion and Spark share, as Spark is told it: an expression after DataFusion has typed
//! it, with every cast written out, so that Spark decides no type by rules of its own.
//!
//! What Spark computes otherwise is written another way where there is one that gives the same, and refused,
//! with the reason, where there is none. A session must have Spark's ANSI mode on, UTC as its time zone and
//! escapes in literals (`spark.sql.parser.escapedStringLiterals=false`).

mod arrays;
mod casts;
mod functions;
mod literals;
mod numbers;
mod patterns;
mod print;
mod query;
mod texts;
mod types;

use arrow_schema::DataType;
use datafusion::common::{Column, DFSchema};

use crate::Expression;
use casts::OnFailure;

pub(crate) use print::literal_integer;
pub use query::query_to_spark;
pub use types::{quoted, sql_type, text};

/// More text than this is not made of one expression: what is written more than once grows fast.
const MOST_BYTES: usize = 1 << 18;

impl Expression {
    /// The expression in Spark's SQL, over columns by their names. The error says what Spark would compute
    /// otherwise, or does not have.
    pub fn to_spark(&self) -> Result<String, String> {
        let (written, found) = self.written()?;
        let written = casts::write(&written, &found, self.data_type(), OnFailure::Fail)?;
        let wanted = sql_type(self.data_type())
            .ok_or_else(|| format!("Spark has no type for {}", self.data_type()))?;
        // The type that we expect, whatever Spark makes of the rest.
        Ok(format!("cast({written} as {wanted})"))
    }

    /// As [`Expression::to_spark`], for a filter.
    pub fn to_spark_filter(&self) -> Result<String, String> {
        self.written().map(|(written, _)| written)
    }

    /// What it is in Spark's SQL, and its type.
    fn written(&self) -> Result<(String, DataType), String> {
        let columns = std::sync::Arc::clone(self.columns_of());
        let schema = DFSchema::try_from(columns).map_err(|error| error.to_string())?;
        let printer = print::Printer { schema: &schema, name: &by_name };
        let expression = print::with_plain_literals(self.logical())?;
        let written = printer.print(&expression)?;
        match written.len() <= MOST_BYTES {
            true => Ok((written, printer.type_of(&expression)?)),
            false => Err("it becomes too long a text in Spark's SQL: make it shorter, or a table's `sql:` of two steps".to_owned()),
        }
    }
}

fn by_name(column: &Column) -> Result<String, String> {
    Ok(quoted(&column.name))
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field, Schema};

    use crate::SqlBinder;

    #[test]
    fn expressions_are_written_with_their_types() {
        let columns = [
            ("id", DataType::Int32),
            ("name", DataType::Utf8View),
            ("price", DataType::Decimal128(10, 2)),
            ("rate", DataType::Float64),
            ("day", DataType::Date32),
        ];
        let columns = columns.map(|(name, kind)| Field::new(name, kind, true));
        let columns = std::sync::Arc::new(Schema::new(columns.to_vec()));
        for (sql, written) in [
            ("id + 1", "cast((cast(`id` as bigint) + 1L) as bigint)"),
            ("id / 2", "cast(cast((cast(`id` as bigint) div 2L) as bigint) as bigint)"),
            ("name || 'it''s \\'", r"cast((`name` || 'it\'s \\') as string)"),
            ("concat(name, 'x')", "cast(concat(coalesce(`name`, ''), 'x') as string)"),
            ("rate * 1.5", "cast((`rate` * cast('1.5' as double)) as double)"),
            ("day - interval '1 month'", "cast(add_months(`day`, -1) as date)"),
            ("substr(name, 0, 2)", "cast(substr(`name`, 1, greatest(0 + 2 - 1, 0)) as string)"),
            ("strpos(name, 'a')", "cast(cast(instr(`name`, 'a') as int) as int)"),
        ] {
            let bound = SqlBinder::default().expression(sql, &columns).unwrap();
            assert_eq!(bound.to_spark().unwrap(), written, "{sql}");
        }
        for (sql, reason) in [
            (
                "price / 3",
                "decimal(10,2) / decimal(20,0) is cut in DataFusion and rounded in Spark: cast one side to double",
            ),
            (
                "cast(rate as string)",
                "a cast of double to string is written another way in Spark (1.0E300 for 1e300): leave it a number, or cast it to a decimal first",
            ),
            ("ln(rate)", "ln: Spark's result differs in the last digit"),
        ] {
            let bound = SqlBinder::default().expression(sql, &columns).unwrap();
            assert_eq!(bound.to_spark().unwrap_err(), reason, "{sql}");
        }
    }
}
