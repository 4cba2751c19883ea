use std::fmt::Debug;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hivecast_run::Result;

/// Rows in batches, one after another.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Rows that can be read in parts, each alone and more than once: a table's frozen files, or what a
/// query gave. Parts in order are the table in order.
pub trait RowSource: Debug + Send + Sync {
    /// All columns.
    fn schema(&self) -> &SchemaRef;

    /// How many parts there are.
    fn parts(&self) -> usize;

    /// How many rows there are, where that is known without reading them.
    fn rows(&self) -> Option<u64> {
        None
    }

    /// Reads one part's rows, with the columns of these indices only.
    fn open(&self, part: usize, columns: &[usize]) -> Result<Batches>;

    /// Estimated bytes of one column in memory, all parts.
    fn column_bytes(&self, column: usize) -> u64;
}
