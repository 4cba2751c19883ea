//! Queries over tables, on DataFusion and on real servers: the same rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hivecast_run::{Cancel, Context, FixedClock, Result, Silent};
use hivecast_sql::spark::query_to_spark;
use hivecast_sql::{Batches, Queries, QueryLimits, RowSource, normal_type};

use super::rows::{Maps, rows};
use super::shown::{kind, shown};
use super::{SERVERS, with_session, write};

/// Rows in memory.
#[derive(Debug)]
struct InMemory(RecordBatch, SchemaRef);

impl RowSource for InMemory {
    fn schema(&self) -> &SchemaRef {
        &self.1
    }

    fn parts(&self) -> usize {
        1
    }

    fn open(&self, _part: usize, columns: &[usize]) -> Result<Batches> {
        Ok(Box::new(std::iter::once(Ok(self.0.project(columns).unwrap()))))
    }

    fn column_bytes(&self, _column: usize) -> u64 {
        0
    }
}

const CASES: &str = include_str!("queries.txt");

/// The rows of a query, in no order, and its columns' types.
type Rows = (Vec<String>, Vec<String>);

fn add(batch: &RecordBatch, rows: &mut Vec<String>) {
    // As reading and the engine do: neither a file nor a server has them in an order.
    let columns: Vec<_> =
        batch.columns().iter().map(|column| hivecast_warehouse::sort_maps(column).unwrap()).collect();
    for row in 0..batch.num_rows() {
        let values: Vec<String> = columns.iter().map(|column| shown(column, row)).collect();
        rows.push(values.join(" | "));
    }
}

fn embedded(sql: &str, table: &RecordBatch, context: &Context<'_>) -> Result<Rows> {
    let spill = tempfile::tempdir().unwrap();
    let queries = Queries::new(QueryLimits { memory_bytes: 64 << 20, threads: 2, spill: spill.path() })?;
    for name in ["t", "r"] {
        queries.register(name, Arc::new(InMemory(table.clone(), table.schema())), None)?;
    }
    let (mut rows, mut kinds) = (Vec::new(), Vec::new());
    queries.run("it", sql, context, &mut |batch| {
        kinds = batch.schema().fields().iter().map(|field| kind(&normal_type(field.data_type()))).collect();
        add(&batch, &mut rows);
        Ok(())
    })?;
    rows.sort();
    Ok((rows, kinds))
}

fn tables(table: &RecordBatch) -> BTreeMap<String, SchemaRef> {
    ["t", "r"].map(|name| (name.to_owned(), table.schema())).into()
}

#[test]
fn queries_give_the_same_rows_on_servers() {
    let known = rows(Maps::ByKey);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.parquet");
    write(&path, &rows(Maps::AsWritten));
    let from = |_: &str| format!("parquet.`{}`", path.display());
    let context = Context { sink: &Silent, cancel: &Cancel::default(), clock: &FixedClock(0) };
    let cases: Vec<(&str, String, Rows)> = CASES
        .lines()
        .filter_map(|line| line.strip_prefix("= "))
        .map(|sql| {
            let written = query_to_spark(sql, &tables(&known), &from)
                .unwrap_or_else(|why| panic!("{sql} is refused: {why}"));
            let expected =
                embedded(sql, &known, &context).unwrap_or_else(|fault| panic!("{sql}: {}", fault.chain()));
            assert!(!expected.0.is_empty(), "{sql} gives no rows, and proves nothing");
            (sql, written, expected)
        })
        .collect();
    for (server, variable) in SERVERS {
        with_session(variable, |session, context| {
            let mut wrong = Vec::new();
            for (sql, written, expected) in &cases {
                let (mut rows, mut kinds) = (Vec::new(), Vec::new());
                let asked = session.query("run a query", written, context, &mut |batch| {
                    kinds = batch.schema().fields().iter().map(|field| kind(field.data_type())).collect();
                    add(&batch, &mut rows);
                    Ok(())
                });
                rows.sort();
                match asked {
                    Ok(()) if (&rows, &kinds) == (&expected.0, &expected.1) => {}
                    Ok(()) => wrong.push(format!("{sql}\n  {rows:?} {kinds:?}\n  {expected:?}")),
                    Err(fault) => wrong.push(format!("{sql}\n  {}\n{written}", fault.chain())),
                }
            }
            assert!(wrong.is_empty(), "{server}: {} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
        });
    }
}

#[test]
fn queries_that_differ_are_refused_with_the_reason() {
    let known = rows(Maps::ByKey);
    for line in CASES.lines().filter_map(|line| line.strip_prefix("- ")) {
        let (sql, reason) = line.split_once(" => ").unwrap();
        match query_to_spark(sql, &tables(&known), &|name| name.to_owned()) {
            Ok(written) => panic!("{sql} is not refused, but written as {written}"),
            Err(why) => assert!(why.contains(reason), "{sql} is refused, but: {why}"),
        }
    }
}
