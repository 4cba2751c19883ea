//! A session with a Spark Connect server: statements, commands, progress, and an end that leaves nothing
//! running.

use std::io::Cursor;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use hivecast_run::{Context, Event, Fault, Result, Step, Unit};
use spark_connect_core::{
    ExecutePlanResponseReattachableIterator as Execution, RetryPolicy, RetryPolicyState, SparkConnectClient, SparkError,
};
use spark_connect_proto as proto;
use spark_connect_proto::execute_plan_response::ResponseType;
use tokio::runtime::{Builder, Runtime};

use crate::endpoint::Endpoint;
use crate::failure::fault;

/// How often cancellation is looked for while a server works.
const CANCEL_LOOK: Duration = Duration::from_millis(200);
/// How long an interrupted server has to say so before it is left alone.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often a connection that broke is taken up again before a run gives up, the first time after a second,
/// then after twice as long each: half a minute in all.
const RETRIES_MAX: u32 = 5;
/// Threads that drive the connection.
const WORKERS: usize = 1;

/// A session of its own on a server. Dropping it interrupts what runs and releases the session.
pub(crate) struct Session {
    client: SparkConnectClient,
    runtime: Runtime,
    /// `host:port`.
    host: String,
    version: String,
}

impl Session {
    /// Connects, and asks for the version. Fails with `Class::Infrastructure` where no server answers and
    /// with `Class::Denied` where it refuses the token.
    pub(crate) fn open(endpoint: &Endpoint, settings: &[(&str, String)], context: &Context<'_>) -> Result<Session> {
        let host = endpoint.host();
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("spark")
            .enable_all()
            .build()
            .map_err(|error| Fault::io("failed to start threads for Spark", error))?;
        let what = format!("failed to connect to Spark at {host}");
        let client = runtime.block_on(SparkConnectClient::connect(&endpoint.channel));
        let mut client = client.map_err(|error| fault(what.clone(), &error))?;
        client.set_retry_policy(retry_policy());
        let mut session = Session { client, runtime, host, version: String::new() };
        session.version = session.ask_version(&what, context)?;
        for (name, value) in settings {
            let set = session.wait(context, session.client.set_config(name, value))?;
            set.map_err(|error| fault(format!("failed to set {name} at {}", session.name()), &error))?;
        }
        Ok(session)
    }

    /// How messages name the server.
    pub(crate) fn name(&self) -> String {
        format!("Spark {} at {}", self.version, self.host)
    }

    /// Spark's version, as the server tells it.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn ask_version(&self, what: &str, context: &Context<'_>) -> Result<String> {
        use proto::analyze_plan_request::{Analyze, SparkVersion};
        let request = proto::AnalyzePlanRequest {
            session_id: self.client.session_id().to_owned(),
            user_context: self.user(),
            analyze: Some(Analyze::SparkVersion(SparkVersion {})),
            ..Default::default()
        };
        let answer = self.wait(context, self.client.analyze_plan(request))?;
        match answer.map_err(|error| fault(what, &error))?.result {
            Some(proto::analyze_plan_response::Result::SparkVersion(answer)) => Ok(answer.version),
            _ => Err(Fault::infrastructure(what).because("the server does not tell its version")),
        }
    }

    fn user(&self) -> Option<proto::UserContext> {
        let user_id = self.client.user_id().unwrap_or_default().to_owned();
        Some(proto::UserContext { user_id, ..Default::default() })
    }

    /// Makes a relation known as a view of this session.
    pub(crate) fn make_view(&self, what: &str, name: &str, input: proto::Relation, context: &Context<'_>) -> Result<()> {
        use proto::command::CommandType;
        let view = proto::CreateDataFrameViewCommand {
            input: Some(input),
            name: name.to_owned(),
            is_global: false,
            replace: true,
        };
        let command = proto::Command { command_type: Some(CommandType::CreateDataframeView(view)) };
        self.run(what, command.into_plan(), context, &mut |_| Ok(()))
    }

    /// Runs a query and hands over its rows as they come.
    pub(crate) fn query(
        &self,
        what: &str,
        sql: &str,
        context: &Context<'_>,
        each: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.run(what, relation(sql).into_plan(), context, each)
    }

    /// Writes a query's rows as Parquet files below `path`, in one directory for each value of the column
    /// `by`.
    pub(crate) fn write(&self, what: &str, sql: &str, path: &str, by: &str, context: &Context<'_>) -> Result<()> {
        use proto::command::CommandType;
        use proto::write_operation::{SaveMode, SaveType};
        let write = proto::WriteOperation {
            input: Some(relation(sql)),
            source: Some("parquet".to_owned()),
            save_type: Some(SaveType::Path(path.to_owned())),
            mode: SaveMode::ErrorIfExists.into(),
            partitioning_columns: vec![by.to_owned()],
            ..Default::default()
        };
        let command = proto::Command { command_type: Some(CommandType::WriteOperation(write)) };
        self.run(what, command.into_plan(), context, &mut |_| Ok(()))
    }

    fn run(
        &self,
        what: &str,
        plan: proto::Plan,
        context: &Context<'_>,
        each: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let what = || format!("failed to {what} with {}", self.name());
        let execution = Execution::new(proto::ExecutePlanRequest {
            session_id: self.client.session_id().to_owned(),
            user_context: self.user(),
            plan: Some(plan),
            ..Default::default()
        });
        let ran = self.follow(&execution, context, each);
        let released = self.wait(context, async {
            let request = execution.create_release_request(true).await;
            self.client.release_execute(request).await
        });
        match ran {
            Ok(()) => {
                // What is not released now goes with the session.
                drop(released);
                Ok(())
            }
            Err(Trouble::Server(error)) => Err(fault(what(), &error)),
            Err(Trouble::Ours(fault)) => Err(fault),
        }
    }

    /// Takes answers until the server says that there are no more. A stream that ends before that is taken
    /// up again where it ended: servers cut streams after a while, and connections break.
    fn follow(
        &self,
        execution: &Execution,
        context: &Context<'_>,
        each: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<(), Trouble> {
        let mut retries = RetryPolicyState::new(retry_policy());
        let mut stream = None;
        let mut begun = false;
        loop {
            let next = async {
                if stream.is_none() {
                    let opened = match begun {
                        false => self.client.execute_plan(execution.request().clone()).await,
                        true => self.client.reattach_execute(execution.create_reattach_request().await).await,
                    };
                    stream = Some(opened?);
                }
                match &mut stream {
                    Some(stream) => stream.message().await.map_err(SparkError::from_grpc_status),
                    None => Ok(None),
                }
            };
            match self.wait(context, next).map_err(Trouble::Ours)? {
                Ok(Some(answer)) => {
                    begun = true;
                    retries = RetryPolicyState::new(retries.policy().clone());
                    self.wait(context, execution.set_last_response_id(&answer)).map_err(Trouble::Ours)?;
                    take(answer, context, each).map_err(Trouble::Ours)?;
                }
                Ok(None) if self.wait(context, execution.is_completed()).map_err(Trouble::Ours)? => return Ok(()),
                // The server ended the stream, and not the operation.
                Ok(None) => stream = None,
                Err(error) => {
                    stream = None;
                    let pause = match is_passing(&error) {
                        true => retries.next_attempt(None),
                        false => None,
                    };
                    let Some(pause) = pause else { return Err(Trouble::Server(error)) };
                    self.wait(context, tokio::time::sleep(Duration::from_millis(pause))).map_err(Trouble::Ours)?;
                }
            }
        }
    }

    /// Waits for the server, and no longer once the run is cancelled.
    fn wait<T>(&self, context: &Context<'_>, call: impl Future<Output = T>) -> Result<T> {
        self.runtime.block_on(async {
            tokio::pin!(call);
            loop {
                context.check_cancelled()?;
                if let Ok(done) = tokio::time::timeout(CANCEL_LOOK, &mut call).await {
                    return Ok(done);
                }
            }
        })
    }
}

impl Drop for Session {
    /// Whatever happens to us, the cluster must not go on with it.
    fn drop(&mut self) {
        let farewell = async {
            let _ = self.client.interrupt_all().await;
            let _ = self.client.release_session().await;
        };
        let _ = self.runtime.block_on(async { tokio::time::timeout(FAREWELL, farewell).await });
    }
}

fn retry_policy() -> RetryPolicy {
    RetryPolicy { max_retries: Some(RETRIES_MAX), ..RetryPolicy::default() }
}

/// Why following an operation ended.
enum Trouble {
    Server(SparkError),
    Ours(Fault),
}

/// Whether the connection broke, rather than the operation.
fn is_passing(error: &SparkError) -> bool {
    const UNAVAILABLE: i32 = 14;
    error.grpc_code() == Some(UNAVAILABLE) || error.message.contains("INVALID_CURSOR.DISCONNECTED")
}

/// Rows are handed on, progress is told.
fn take(
    answer: proto::ExecutePlanResponse,
    context: &Context<'_>,
    each: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    match answer.response_type {
        Some(ResponseType::ArrowBatch(batch)) => {
            let failed = |error| Fault::infrastructure("failed to read rows that Spark sent").because(error);
            let reader = StreamReader::try_new(Cursor::new(batch.data), None).map_err(failed)?;
            for batch in reader {
                each(batch.map_err(failed)?)?;
            }
            Ok(())
        }
        Some(ResponseType::ExecutionProgress(progress)) => {
            let total: i64 = progress.stages.iter().map(|stage| stage.num_tasks).sum();
            let done: i64 = progress.stages.iter().map(|stage| stage.num_completed_tasks).sum();
            let count = |tasks: i64| u64::try_from(tasks).unwrap_or(0);
            context.tell(Event::Counts { step: Step::Engine, total: Some(count(total)), unit: Unit::Tasks });
            context.tell(Event::Advanced { step: Step::Engine, done: count(done) });
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a server runs.
trait IntoPlan {
    fn into_plan(self) -> proto::Plan;
}

impl IntoPlan for proto::Relation {
    fn into_plan(self) -> proto::Plan {
        proto::Plan { op_type: Some(proto::plan::OpType::Root(self)) }
    }
}

impl IntoPlan for proto::Command {
    fn into_plan(self) -> proto::Plan {
        proto::Plan { op_type: Some(proto::plan::OpType::Command(self)) }
    }
}

fn relation(sql: &str) -> proto::Relation {
    let query = proto::Sql { query: sql.to_owned(), ..Default::default() };
    proto::Relation { rel_type: Some(proto::relation::RelType::Sql(query)), ..Default::default() }
}
