//! A session with a Spark Connect server: statements, commands, progress, and an end that leaves nothing
//! running.

use std::collections::HashMap;
use std::io::Cursor;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use hivecast_run::{Context, Event, Fault, Result, Step, Unit};
use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::failure::{Quoting, Told, fault};
use crate::protocol::{
    self as protocol, ConfigKeys, ConfigOperation, ConfigRequest, ConfigResponse, ConfigSet, CreateView,
    Empty, ExecutePlanRequest, ExecutePlanResponse, InterruptRequest, KeyValue, Operation, Plan,
    ReattachExecuteRequest, ReattachOptions, Relation, ReleaseSessionRequest, RequestOption, Response,
    SaveMode, Sql, UserContext, WriteOperation,
};

const EXECUTE: &str = "/spark.connect.SparkConnectService/ExecutePlan";
const REATTACH: &str = "/spark.connect.SparkConnectService/ReattachExecute";
const CONFIG: &str = "/spark.connect.SparkConnectService/Config";
const INTERRUPT: &str = "/spark.connect.SparkConnectService/Interrupt";
const RELEASE: &str = "/spark.connect.SparkConnectService/ReleaseSession";
const DETAILS: &str = "/spark.connect.SparkConnectService/FetchErrorDetails";

/// What clients are called in a server's lists.
const CLIENT: &str = concat!("hivecast/", env!("CARGO_PKG_VERSION"));
/// How often cancellation is looked for while a server works.
const CANCEL_LOOK: Duration = Duration::from_millis(200);
/// A session that hears nothing for an hour is given up by its server, even while its statement runs, and an
/// administrator may have set less: it hears something this often.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How often a stream that broke is taken up again, with nothing new between, before a run gives up.
const REATTACHES_MAX: u32 = 4;
/// The pause before the first; it doubles with each.
const REATTACH_PAUSE: Duration = Duration::from_secs(1);
/// How long a server has to take note of our end.
const FAREWELL: Duration = Duration::from_secs(10);

/// A session of its own on a server. Dropping it interrupts what runs there and releases it.
pub(crate) struct Session {
    client: Client,
    runtime: Runtime,
    /// `host:port`.
    host: String,
    id: String,
    user: String,
    /// The server's own id of the session.
    observed: Option<String>,
    server: Server,
    quoting: Quoting,
}

/// What speaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) kind: ServerKind,
    /// As it tells it.
    pub(crate) version: String,
}

/// Whose server it is: what it can be asked differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerKind {
    /// Apache Spark.
    Spark,
    /// Sail, of LakeSail.
    Sail,
}

impl Server {
    /// From what `select version()` gives: Spark's version has the commit behind it, and Sail has its own
    /// version there.
    fn of(answer: &str) -> Server {
        match answer.split_once(' ') {
            Some((version, _)) => Server { kind: ServerKind::Spark, version: version.to_owned() },
            None => Server { kind: ServerKind::Sail, version: answer.to_owned() },
        }
    }

    /// As people know it.
    pub(crate) fn name(&self) -> String {
        match self.kind {
            ServerKind::Spark => format!("spark {}", self.version),
            ServerKind::Sail => format!("sail {}", self.version),
        }
    }
}

impl Session {
    /// Connects, sets what a statement's meaning hangs on, and asks who answers. Fails with
    /// `Class::Infrastructure` where no server answers and with `Class::Denied` where it refuses the token.
    pub(crate) fn open(
        endpoint: &Endpoint,
        settings: &[(&str, &str)],
        context: &Context<'_>,
    ) -> Result<Session> {
        let host = endpoint.authority().to_owned();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Fault::io("failed to start what drives the connection to Spark", error))?;
        let client = {
            let _entered = runtime.enter();
            Client::new(endpoint)
                .map_err(|why| Fault::usage(format!("failed to connect to Spark at {host}")).because(why))?
        };
        let server = Server { kind: ServerKind::Spark, version: String::new() };
        let (id, user) = (Uuid::new_v4().to_string(), endpoint.user.clone());
        let mut session =
            Session { client, runtime, host, id, user, observed: None, server, quoting: Quoting::Shown };
        let what = format!("failed to connect to Spark at {}", session.host);
        let answer: ConfigResponse = session
            .wait(context, session.client.ask(CONFIG, session.settings(settings)))?
            .map_err(|status| session.explain(what, &status))?;
        session.observed = Some(answer.server_side_session_id).filter(|id| !id.is_empty());
        session.server = Server::of(&session.text("ask its version", "select version()", context)?);
        Ok(session)
    }

    /// From now on no message of the server is passed on: any may quote a value that consumers don't see.
    pub(crate) fn withhold_messages(&mut self) {
        self.quoting = Quoting::Withheld;
    }

    /// How messages name the server.
    pub(crate) fn name(&self) -> String {
        format!("{} at {}", self.server.name(), self.host)
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    fn user_context(&self) -> Option<UserContext> {
        Some(UserContext { user_id: self.user.clone(), user_name: self.user.clone() })
    }

    fn settings(&self, settings: &[(&str, &str)]) -> ConfigRequest {
        let pair = |(key, value): &(&str, &str)| KeyValue {
            key: (*key).to_owned(),
            value: Some((*value).to_owned()),
        };
        ConfigRequest {
            session_id: self.id.clone(),
            user_context: self.user_context(),
            operation: Some(ConfigOperation {
                set: Some(ConfigSet { pairs: settings.iter().map(pair).collect() }),
                get_option: None,
            }),
        }
    }

    /// What the server has for these settings, in their order; none where it has not set one.
    pub(crate) fn options(&self, keys: &[&str], context: &Context<'_>) -> Result<Vec<Option<String>>> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let request = ConfigRequest {
            session_id: self.id.clone(),
            user_context: self.user_context(),
            operation: Some(ConfigOperation {
                set: None,
                get_option: Some(ConfigKeys { keys: keys.clone() }),
            }),
        };
        let what = format!("failed to ask {} for its settings", self.name());
        let answer: ConfigResponse = self
            .wait(context, self.client.ask(CONFIG, request))?
            .map_err(|status| self.explain(what, &status))?;
        let value = |key: &String| answer.pairs.iter().find(|pair| pair.key == *key)?.value.clone();
        Ok(keys.iter().map(value).collect())
    }

    /// Makes a relation known as a view of this session.
    pub(crate) fn make_view(
        &self,
        what: &str,
        name: &str,
        input: Relation,
        context: &Context<'_>,
    ) -> Result<()> {
        let view = CreateView { input: Some(input), name: name.to_owned(), is_global: false, replace: true };
        self.run(what, command(protocol::CommandKind::CreateView(view)), context, &mut |_| Ok(()))
    }

    /// Runs a query and hands over its rows as they come.
    pub(crate) fn query(
        &self,
        what: &str,
        sql: &str,
        context: &Context<'_>,
        each: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.run(what, Operation::Root(relation(sql)), context, each)
    }

    /// The text in a query's only row and column.
    fn text(&self, what: &str, sql: &str, context: &Context<'_>) -> Result<String> {
        let mut found = String::new();
        self.query(what, sql, context, &mut |batch| {
            if let Some(text) = first_text(what, &batch)? {
                found = text;
            }
            Ok(())
        })?;
        match found.is_empty() {
            false => Ok(found),
            true => Err(Fault::infrastructure(format!("failed to {what}: Spark at {} gave none", self.host))),
        }
    }

    /// Writes a query's rows as Parquet files below `path`, where nothing may be yet, in one directory for
    /// each value of the column `by`.
    pub(crate) fn write(
        &self,
        what: &str,
        sql: &str,
        path: &str,
        by: &str,
        context: &Context<'_>,
    ) -> Result<()> {
        let write = WriteOperation {
            input: Some(relation(sql)),
            source: Some("parquet".to_owned()),
            path: Some(path.to_owned()),
            mode: SaveMode::ErrorIfExists.into(),
            partitioning_columns: vec![by.to_owned()],
            options: HashMap::from([("compression".to_owned(), "zstd".to_owned())]),
        };
        self.run(what, command(protocol::CommandKind::Write(write)), context, &mut |_| Ok(()))
    }

    fn run(
        &self,
        what: &str,
        operation: Operation,
        context: &Context<'_>,
        each: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut execution = Execution { id: Uuid::new_v4().to_string(), last: None, pinged: Instant::now() };
        let followed = self.follow(&mut execution, operation, context, each);
        followed.map_err(|trouble| match trouble {
            Trouble::Server(status) => {
                self.explain(format!("failed to {what} with {}", self.name()), &status)
            }
            Trouble::Ours(fault) => {
                self.abandon(&execution);
                fault
            }
        })
    }

    /// Stops an operation that nobody waits for any more. Returns once the server is done with it, since what
    /// it writes to is removed next.
    fn abandon(&self, execution: &Execution) {
        let (interrupt, reattach) = (self.interruption(), self.reattachment(execution));
        let end = async {
            let _: Result<Empty, Status> = self.client.ask(INTERRUPT, interrupt).await;
            let rest = self.client.stream::<_, ExecutePlanResponse>(REATTACH, reattach).await;
            if let Ok(mut rest) = rest {
                while let Ok(Some(_)) = rest.message().await {}
            }
        };
        let _ = self.runtime.block_on(async { tokio::time::timeout(FAREWELL, end).await });
    }

    fn interruption(&self) -> InterruptRequest {
        InterruptRequest {
            session_id: self.id.clone(),
            user_context: self.user_context(),
            kind: protocol::INTERRUPT_ALL,
        }
    }

    fn reattachment(&self, execution: &Execution) -> ReattachExecuteRequest {
        ReattachExecuteRequest {
            session_id: self.id.clone(),
            user_context: self.user_context(),
            operation_id: execution.id.clone(),
            client_type: Some(CLIENT.to_owned()),
            last_response_id: execution.last.clone(),
            observed_session_id: self.observed.clone(),
        }
    }

    /// Takes answers until the server says that it is done. A stream that ends before that is taken up again
    /// where it ended: Spark cuts every stream after two minutes, and connections break.
    fn follow(
        &self,
        execution: &mut Execution,
        operation: Operation,
        context: &Context<'_>,
        each: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<(), Trouble> {
        let mut stream = self.execute(execution, operation, context)?;
        let mut broken = 0;
        loop {
            match self.next(&mut stream, execution, context)? {
                Ok(Some(answer)) => {
                    broken = 0;
                    execution.last = Some(answer.response_id.clone()).filter(|id| !id.is_empty());
                    match answer.response {
                        Some(Response::Complete(Empty {})) => return Ok(()),
                        Some(response) => take(response, context, each).map_err(Trouble::Ours)?,
                        None => {}
                    }
                }
                Ok(None) if self.server.kind == ServerKind::Sail => {
                    return Err(Trouble::Server(interrupted()));
                }
                Ok(None) => stream = self.reattach(execution, context)?,
                Err(status) if is_passing(&status) => {
                    stream = self.resume(execution, &mut broken, status, context)?;
                }
                Err(status) => return Err(Trouble::Server(status)),
            }
        }
    }

    /// Takes up a stream that broke, with pauses in which what broke may mend.
    fn resume(
        &self,
        execution: &Execution,
        broken: &mut u32,
        status: Status,
        context: &Context<'_>,
    ) -> Result<Streaming<ExecutePlanResponse>, Trouble> {
        let mut why = status;
        while *broken < REATTACHES_MAX {
            let pause = REATTACH_PAUSE * 2u32.pow(*broken);
            *broken += 1;
            // A timer is made where the runtime is entered.
            self.wait(context, async { tokio::time::sleep(pause).await }).map_err(Trouble::Ours)?;
            match self.reattach(execution, context) {
                Err(Trouble::Server(status)) if is_passing(&status) => why = status,
                other => return other,
            }
        }
        Err(Trouble::Server(why))
    }

    fn execute(
        &self,
        execution: &Execution,
        operation: Operation,
        context: &Context<'_>,
    ) -> Result<Streaming<ExecutePlanResponse>, Trouble> {
        let request = ExecutePlanRequest {
            session_id: self.id.clone(),
            user_context: self.user_context(),
            plan: Some(Plan { operation: Some(operation) }),
            client_type: Some(CLIENT.to_owned()),
            request_options: vec![RequestOption { reattach: Some(ReattachOptions { reattachable: true }) }],
            operation_id: Some(execution.id.clone()),
            tags: Vec::new(),
            observed_session_id: self.observed.clone(),
        };
        self.wait(context, self.client.stream(EXECUTE, request))
            .map_err(Trouble::Ours)?
            .map_err(Trouble::Server)
    }

    fn reattach(
        &self,
        execution: &Execution,
        context: &Context<'_>,
    ) -> Result<Streaming<ExecutePlanResponse>, Trouble> {
        self.wait(context, self.client.stream(REATTACH, self.reattachment(execution)))
            .map_err(Trouble::Ours)?
            .map_err(Trouble::Server)
    }

    /// The stream's next answer; while there is none, the session is kept alive.
    fn next(
        &self,
        stream: &mut Streaming<ExecutePlanResponse>,
        execution: &mut Execution,
        context: &Context<'_>,
    ) -> Result<std::result::Result<Option<ExecutePlanResponse>, Status>, Trouble> {
        self.runtime.block_on(async {
            loop {
                context.check_cancelled().map_err(Trouble::Ours)?;
                if execution.pinged.elapsed() >= PING_INTERVAL {
                    let (client, ping) = (self.client.clone(), self.settings(&[]));
                    // Beside the stream, which will tell if no answer can be had.
                    tokio::spawn(async move { client.ask::<_, ConfigResponse>(CONFIG, ping).await });
                    execution.pinged = Instant::now();
                }
                // What is read of a message is kept in the stream when this gives up.
                if let Ok(answer) = tokio::time::timeout(CANCEL_LOOK, stream.message()).await {
                    return Ok(answer);
                }
            }
        })
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

    /// What a status means, with the causes that the server keeps behind it.
    fn explain(&self, what: String, status: &Status) -> Fault {
        let mut told = Told::of(status);
        if let Some(error_id) = told.error_id.take() {
            let request = protocol::FetchErrorDetailsRequest {
                session_id: self.id.clone(),
                user_context: self.user_context(),
                error_id,
            };
            let asked = self.client.ask::<_, protocol::FetchErrorDetailsResponse>(DETAILS, request);
            let answer = self.runtime.block_on(async { tokio::time::timeout(FAREWELL, asked).await });
            if let Ok(Ok(details)) = answer {
                told.add(details.errors);
            }
        }
        fault(what, status.code(), &told, self.quoting)
    }
}

impl Drop for Session {
    /// Whatever happened to us, the server must not go on with it.
    fn drop(&mut self) {
        let interrupt = self.interruption();
        let release =
            ReleaseSessionRequest { session_id: self.id.clone(), user_context: self.user_context() };
        let farewell = async {
            let _: Result<Empty, Status> = self.client.ask(INTERRUPT, interrupt).await;
            let _: Result<Empty, Status> = self.client.ask(RELEASE, release).await;
        };
        let _ = self.runtime.block_on(async { tokio::time::timeout(FAREWELL, farewell).await });
    }
}

/// An operation on the server.
struct Execution {
    id: String,
    /// The last answer that we have.
    last: Option<String>,
    /// When the session was last heard.
    pinged: Instant,
}

/// Why following an operation ended.
enum Trouble {
    Server(Status),
    Ours(Fault),
}

/// Whether the connection broke, rather than the operation.
fn is_passing(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::Unknown => true,
        Code::Internal => status.message().contains("INVALID_CURSOR.DISCONNECTED"),
        _ => false,
    }
}

/// Sail ends the stream of a statement that it gave up as if nothing were wrong.
fn interrupted() -> Status {
    Status::aborted("the server ended the statement before it was done")
}

/// Rows are handed on, progress is told.
fn take(
    response: Response,
    context: &Context<'_>,
    each: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    match response {
        Response::Rows(batch) => {
            let failed = |error| Fault::infrastructure("failed to read rows that Spark sent").because(error);
            let reader = StreamReader::try_new(Cursor::new(batch.data), None).map_err(failed)?;
            reader.map(|batch| batch.map_err(failed)).try_for_each(|batch| each(batch?))
        }
        Response::Progress(progress) => {
            let sum = |tasks: &dyn Fn(&protocol::Stage) -> i64| {
                u64::try_from(progress.stages.iter().map(tasks).sum::<i64>()).unwrap_or(0)
            };
            let total = Some(sum(&|stage| stage.tasks));
            context.tell(Event::Counts { step: Step::Engine, total, unit: Unit::Tasks });
            context.tell(Event::Advanced { step: Step::Engine, done: sum(&|stage| stage.completed) });
            Ok(())
        }
        Response::Complete(_) => Ok(()),
    }
}

/// The text in a batch's first column and row.
fn first_text(what: &str, batch: &RecordBatch) -> Result<Option<String>> {
    let Some(column) = batch.columns().first().filter(|column| !column.is_empty()) else { return Ok(None) };
    let column = cast(column, &DataType::Utf8)
        .map_err(|error| Fault::infrastructure(format!("failed to {what}")).because(error))?;
    let column = column.as_string::<i32>();
    Ok(column.is_valid(0).then(|| column.value(0).to_owned()))
}

fn command(kind: protocol::CommandKind) -> Operation {
    Operation::Command(protocol::Command { kind: Some(kind) })
}

fn relation(sql: &str) -> Relation {
    Relation { kind: Some(protocol::RelationKind::Sql(Sql { query: sql.to_owned() })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_in_whatever_layout_it_comes() {
        use arrow_array::{ArrayRef, Int64Array, LargeStringArray, StringArray, StringViewArray};
        use std::sync::Arc;
        let text = |column: ArrayRef| {
            let batch = RecordBatch::try_from_iter([("version", column)]).unwrap();
            first_text("ask its version", &batch).unwrap()
        };
        let version = Some("4.2.0 0123".to_owned());
        assert_eq!(text(Arc::new(LargeStringArray::from(vec!["4.2.0 0123"]))), version);
        assert_eq!(text(Arc::new(StringArray::from(vec!["4.2.0 0123"]))), version);
        assert_eq!(text(Arc::new(StringViewArray::from(vec!["4.2.0 0123"]))), version);
        assert_eq!(text(Arc::new(StringArray::from(vec![None::<&str>]))), None);
        assert_eq!(text(Arc::new(Int64Array::from(Vec::<i64>::new()))), None);
    }

    #[test]
    fn a_server_is_told_by_its_version() {
        let spark = Server::of("4.2.0 0123456789abcdef0123456789abcdef01234567");
        assert_eq!((spark.kind, spark.name().as_str()), (ServerKind::Spark, "spark 4.2.0"));
        let sail = Server::of("0.7.2");
        assert_eq!((sail.kind, sail.name().as_str()), (ServerKind::Sail, "sail 0.7.2"));
    }
}
