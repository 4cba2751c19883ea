use std::collections::BTreeMap;
use std::ops::Range;

use arrow_schema::{DataType, SchemaRef};

/// Why an expression does not fit the table it stands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindError {
    /// One sentence: `no column "acount_id" in table accounts`.
    pub message: String,
    /// The offending bytes within the expression's text, where known.
    pub at: Option<Range<usize>>,
    /// The nearest name that exists, where one is close: `account_id`.
    pub suggestion: Option<String>,
}

/// Knows SQL: binds expressions to schemas without reading data. The engine room implements it.
pub trait Binder {
    /// The type of `sql` over one row of a table with these columns.
    fn bind(&self, sql: &str, columns: &SchemaRef) -> Result<DataType, BindError>;

    /// The names of the tables that a query reads, as written.
    fn tables_of(&self, query: &str) -> Result<Vec<String>, BindError>;

    /// The columns of a query over these tables.
    fn bind_query(&self, query: &str, tables: &BTreeMap<String, SchemaRef>) -> Result<SchemaRef, BindError>;
}
