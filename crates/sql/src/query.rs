use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use hivecast_run::{Context, Fault, Result};

use super::{session, wording};
use crate::source::RowSource;

/// What a query may use.
#[derive(Clone, Copy, Debug)]
pub struct QueryLimits<'a> {
    /// Memory of sorts, joins and aggregations, in bytes; beyond it they spill.
    pub memory_bytes: usize,
    /// Threads.
    pub threads: usize,
    /// Where they spill.
    pub spill: &'a Path,
}

/// Runs queries over registered tables with bounded memory.
pub struct Queries {
    session: SessionContext,
    runtime: tokio::runtime::Runtime,
}

impl Queries {
    /// Sets up a session of its own. Fails with `Class::Infrastructure` where threads or the spill
    /// directory can't be had.
    pub fn new(limits: QueryLimits<'_>) -> Result<Self> {
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
            .with_temp_file_path(limits.spill)
            .build_arc()
            .map_err(|error| Fault::infrastructure("failed to set up the query engine").because(error))?;
        let session = session(limits.threads, environment);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.threads)
            .build()
            .map_err(|error| Fault::io("failed to start threads", error))?;
        Ok(Queries { session, runtime })
    }

    /// Makes a table's rows known under its name in the feed, those for which `filter` is true.
    pub fn register(&self, name: &str, source: Arc<dyn RowSource>, filter: Option<&str>) -> Result<()> {
        let failed =
            |error: DataFusionError| Fault::bug(format!("failed to register table {name}")).because(error);
        let provider = Arc::new(SourceTable { source });
        let Some(filter) = filter else {
            self.session.register_table(quoted(name), provider).map_err(failed)?;
            return Ok(());
        };
        let raw = format!("{name} before where");
        self.session.register_table(quoted(&raw), provider).map_err(failed)?;
        let view = format!("select * from {} where {filter}", quoted(&raw));
        let frame = self.runtime.block_on(self.session.sql(&view)).map_err(failed)?;
        self.session.register_table(quoted(name), frame.into_view()).map_err(failed)?;
        Ok(())
    }

    /// Runs a query and hands over its rows as they come. `what` names it in errors. Fails with
    /// `Class::Data` where the rows do not allow it, with `Class::Usage` where the memory is not
    /// enough even with spilling.
    pub fn run(
        &self,
        what: &str,
        query: &str,
        context: &Context<'_>,
        each: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.runtime.block_on(async {
            let frame = self.session.sql(query).await.map_err(|error| failed(what, error))?;
            let mut stream = frame.execute_stream().await.map_err(|error| failed(what, error))?;
            while let Some(batch) = stream.next().await {
                context.check_cancelled()?;
                each(batch.map_err(|error| failed(what, error))?)?;
            }
            Ok(())
        })
    }
}

/// A table name as SQL reads it literally.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(what: &str, error: DataFusionError) -> Fault {
    if let DataFusionError::Context(_, inner) = error {
        return failed(what, *inner);
    }
    let what = format!("failed to run {what}");
    match error {
        DataFusionError::External(cause) => match cause.downcast::<Fault>() {
            Ok(fault) => fault.within(what),
            Err(cause) => Fault::data(what).because(cause),
        },
        DataFusionError::ResourcesExhausted(text) => {
            Fault::usage(what).because(text).advise("give it more with --memory")
        }
        DataFusionError::IoError(error) => Fault::io(what, error),
        other => Fault::data(what).because(wording::sentence(&other)),
    }
}

/// A [`RowSource`] as DataFusion reads it: one partition a part, and only the columns asked for.
#[derive(Debug)]
struct SourceTable {
    source: Arc<dyn RowSource>,
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.source.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.source.schema().fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.source.schema().project(&columns)?);
        let parts = (0..self.source.parts()).map(|part| {
            let stream = PartStream {
                source: Arc::clone(&self.source),
                part,
                columns: columns.clone(),
                schema: Arc::clone(&schema),
            };
            Arc::new(stream) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTableExec::try_new(
            Arc::clone(&schema),
            parts.collect(),
            None,
            [],
            false,
            limit,
        )?))
    }
}

struct PartStream {
    source: Arc<dyn RowSource>,
    part: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl fmt::Debug for PartStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part {} of {:?}", self.part, self.source)
    }
}

impl PartitionStream for PartStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _task: Arc<TaskContext>) -> SendableRecordBatchStream {
        let external = |fault: Fault| DataFusionError::External(Box::new(fault));
        let stream = match self.source.open(self.part, &self.columns) {
            Ok(batches) => futures::stream::iter(batches.map(move |batch| batch.map_err(external))).boxed(),
            Err(fault) => futures::stream::iter([Err(external(fault))]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}
