use arrow_array::{RecordBatch, UInt32Array};
use hivecast_edition::Exclusion;
use hivecast_run::{Fault, Result};

use crate::arrays;
use crate::job::Job;
use crate::nested::level::{as_read, level_of};
use crate::nested::{LevelPlan, RowCheck};
use crate::row_gates::row_json;
use crate::tables::normal_schema;

/// Takes what gates set aside, where a cluster has found it.
pub struct Quarantine<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) checked: &'a hivecast_feed::Checked,
}

impl Quarantine<'_> {
    /// Rows of a table that breach a check, with columns of the table under their names.
    pub fn rows(&self, table: &str, check: &RowCheck, rows: &RecordBatch) -> Result<()> {
        let rows = self.as_read(table, rows)?;
        for row in 0..rows.num_rows() {
            self.job.aside.put(table, &check.gate, &check.reason, None, row_json(&rows, row)?)?;
        }
        Ok(())
    }

    /// A document whose own row breaches a check: it may not be sent.
    pub fn document(&self, key: &str, check: &RowCheck) -> Result<()> {
        self.job.aside.exclude(Exclusion { key: key.to_owned(), reason: check.gate.clone() })
    }

    /// Rows of a level that no row above has the key of, with the columns of [`LevelPlan::row_schema`].
    pub fn orphans(&self, level: LevelPlan<'_>, rows: RecordBatch) -> Result<()> {
        self.whole_rows(level, rows, "orphans", "no row above has its key")
    }

    /// Elements of a level that have no key of their own, with the columns of [`LevelPlan::row_schema`].
    pub fn elements(&self, level: LevelPlan<'_>, rows: RecordBatch) -> Result<()> {
        self.whole_rows(level, rows, "element_key", "another element has the same key")
    }

    fn whole_rows(&self, level: LevelPlan<'_>, rows: RecordBatch, gate: &str, reason: &str) -> Result<()> {
        let rows = level_of(self.job, level.0, vec![rows])?;
        let all = UInt32Array::from_iter_values(0..rows.len as u32);
        self.job.set_rows_aside(&rows, all.values(), gate, reason)
    }

    /// The rows in the types that reading gives them, so that they are written the same way.
    fn as_read(&self, table: &str, rows: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.checked.schemas.get(table).map(normal_schema);
        let schema = schema.ok_or_else(|| Fault::bug(format!("table {table} has no schema")))?;
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            let Some((_, wanted)) = schema.column_with_name(field.name()) else { continue };
            let what = format!("column {} of table {table}", field.name());
            columns.push(as_read(self.job, column, wanted.data_type(), &what)?);
            fields.push(wanted.clone());
        }
        arrays::batch(&std::sync::Arc::new(arrow_schema::Schema::new(fields)), columns, rows.num_rows())
    }
}
