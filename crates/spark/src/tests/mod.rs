//! Tests against real servers that need more of this room than it shows.

mod matrix;
mod queries;
mod random;
mod rows;
mod shown;

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use hivecast_run::{Cancel, Context, FixedClock, Result, Silent};

use crate::endpoint::Endpoint;
use crate::engine::SETTINGS;
use crate::session::Session;

/// The servers that tests run against, by name.
const SERVERS: [(&str, &str); 2] = [("sail", "HIVECAST_TEST_SAIL"), ("spark", "HIVECAST_TEST_SPARK")];

fn with_session(variable: &str, run: impl FnOnce(&Session, &Context<'_>)) {
    let address = std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run with dev/with-services"));
    let endpoint = Endpoint::parse(&address).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    let context = Context { sink: &Silent, cancel: &Cancel::default(), clock: &FixedClock(0) };
    let session =
        Session::open(&endpoint, SETTINGS, &context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    run(&session, &context);
}

fn write(path: &Path, batch: &RecordBatch) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// A query's values below each column after its first, which is the row's number: as they are shown, by that
/// number, and the columns.
#[derive(Default)]
struct Answer {
    values: Vec<BTreeMap<i64, String>>,
    columns: Vec<ArrayRef>,
}

fn ask(session: &Session, sql: &str, context: &Context<'_>) -> Result<Answer> {
    let mut answer = Answer::default();
    session.query("run the matrix", sql, context, &mut |batch| {
        answer.values.resize(batch.num_columns() - 1, BTreeMap::new());
        answer.columns = batch.columns()[1..].iter().map(|column| column.slice(0, 0)).collect();
        let keys = batch.column(0).as_primitive::<Int64Type>();
        for (index, column) in batch.columns()[1..].iter().enumerate() {
            // As the engine does with what it loads.
            let column = &hivecast_warehouse::sort_maps(column).unwrap();
            for row in 0..batch.num_rows() {
                answer.values[index].insert(keys.value(row), shown::shown(column, row));
            }
        }
        Ok(())
    })?;
    Ok(answer)
}
