//! The part of Spark Connect's protocol that we speak, written out: what is not named here is skipped when it
//! is read. Numbers are those of `spark/connect/{base,commands,relations}.proto` in Apache Spark 4.2
//! (<https://github.com/apache/spark/tree/v4.2.0/sql/connect/common/src/main/protobuf/spark/connect>).

use std::collections::HashMap;

use prost::{Enumeration, Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct UserContext {
    #[prost(string, tag = "1")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    pub(crate) user_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Plan {
    #[prost(oneof = "Operation", tags = "1, 2")]
    pub(crate) operation: Option<Operation>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Operation {
    #[prost(message, tag = "1")]
    Root(Relation),
    #[prost(message, tag = "2")]
    Command(Command),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Relation {
    #[prost(oneof = "RelationKind", tags = "2, 10")]
    pub(crate) kind: Option<RelationKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum RelationKind {
    #[prost(message, tag = "2")]
    Read(Read),
    #[prost(message, tag = "10")]
    Sql(Sql),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Sql {
    #[prost(string, tag = "1")]
    pub(crate) query: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Read {
    #[prost(message, optional, tag = "2")]
    pub(crate) data_source: Option<DataSource>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DataSource {
    #[prost(string, optional, tag = "1")]
    pub(crate) format: Option<String>,
    /// The columns, as DDL.
    #[prost(string, optional, tag = "2")]
    pub(crate) schema: Option<String>,
    #[prost(map = "string, string", tag = "3")]
    pub(crate) options: HashMap<String, String>,
    #[prost(string, repeated, tag = "4")]
    pub(crate) paths: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Command {
    #[prost(oneof = "CommandKind", tags = "2, 3")]
    pub(crate) kind: Option<CommandKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum CommandKind {
    #[prost(message, tag = "2")]
    Write(WriteOperation),
    #[prost(message, tag = "3")]
    CreateView(CreateView),
}

/// `CreateDataFrameViewCommand`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CreateView {
    #[prost(message, optional, tag = "1")]
    pub(crate) input: Option<Relation>,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(bool, tag = "3")]
    pub(crate) is_global: bool,
    #[prost(bool, tag = "4")]
    pub(crate) replace: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteOperation {
    #[prost(message, optional, tag = "1")]
    pub(crate) input: Option<Relation>,
    /// The format.
    #[prost(string, optional, tag = "2")]
    pub(crate) source: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) path: Option<String>,
    #[prost(enumeration = "SaveMode", tag = "5")]
    pub(crate) mode: i32,
    #[prost(string, repeated, tag = "7")]
    pub(crate) partitioning_columns: Vec<String>,
    #[prost(map = "string, string", tag = "9")]
    pub(crate) options: HashMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum SaveMode {
    Unspecified = 0,
    ErrorIfExists = 3,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExecutePlanRequest {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) user_context: Option<UserContext>,
    #[prost(message, optional, tag = "3")]
    pub(crate) plan: Option<Plan>,
    #[prost(string, optional, tag = "4")]
    pub(crate) client_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) request_options: Vec<RequestOption>,
    #[prost(string, optional, tag = "6")]
    pub(crate) operation_id: Option<String>,
    #[prost(string, repeated, tag = "7")]
    pub(crate) tags: Vec<String>,
    /// The server's own id of the session, once it is known: a server that was restarted then says so
    /// instead of starting an empty session.
    #[prost(string, optional, tag = "8")]
    pub(crate) observed_session_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RequestOption {
    #[prost(message, optional, tag = "1")]
    pub(crate) reattach: Option<ReattachOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReattachOptions {
    #[prost(bool, tag = "1")]
    pub(crate) reattachable: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReattachExecuteRequest {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) user_context: Option<UserContext>,
    #[prost(string, tag = "3")]
    pub(crate) operation_id: String,
    #[prost(string, optional, tag = "4")]
    pub(crate) client_type: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) last_response_id: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(crate) observed_session_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExecutePlanResponse {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    #[prost(string, tag = "15")]
    pub(crate) server_side_session_id: String,
    #[prost(string, tag = "12")]
    pub(crate) operation_id: String,
    #[prost(string, tag = "13")]
    pub(crate) response_id: String,
    #[prost(oneof = "Response", tags = "2, 14, 18")]
    pub(crate) response: Option<Response>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Response {
    #[prost(message, tag = "2")]
    Rows(ArrowBatch),
    #[prost(message, tag = "14")]
    Complete(Empty),
    #[prost(message, tag = "18")]
    Progress(Progress),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArrowBatch {
    #[prost(int64, tag = "1")]
    pub(crate) row_count: i64,
    /// A stream of Arrow's IPC.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) data: Vec<u8>,
}

/// `ExecutionProgress`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Progress {
    #[prost(message, repeated, tag = "1")]
    pub(crate) stages: Vec<Stage>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Stage {
    #[prost(int64, tag = "1")]
    pub(crate) id: i64,
    #[prost(int64, tag = "2")]
    pub(crate) tasks: i64,
    #[prost(int64, tag = "3")]
    pub(crate) completed: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigRequest {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) user_context: Option<UserContext>,
    #[prost(message, optional, tag = "3")]
    pub(crate) operation: Option<ConfigOperation>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigOperation {
    #[prost(message, optional, tag = "1")]
    pub(crate) set: Option<ConfigSet>,
    #[prost(message, optional, tag = "4")]
    pub(crate) get_option: Option<ConfigKeys>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigKeys {
    #[prost(string, repeated, tag = "1")]
    pub(crate) keys: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigSet {
    #[prost(message, repeated, tag = "1")]
    pub(crate) pairs: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, optional, tag = "2")]
    pub(crate) value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConfigResponse {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    /// Those that were asked for.
    #[prost(message, repeated, tag = "2")]
    pub(crate) pairs: Vec<KeyValue>,
    #[prost(string, tag = "4")]
    pub(crate) server_side_session_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct InterruptRequest {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) user_context: Option<UserContext>,
    /// [`INTERRUPT_ALL`].
    #[prost(int32, tag = "4")]
    pub(crate) kind: i32,
}

/// `INTERRUPT_TYPE_ALL`: every operation of the session.
pub(crate) const INTERRUPT_ALL: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReleaseSessionRequest {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) user_context: Option<UserContext>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FetchErrorDetailsRequest {
    #[prost(string, tag = "1")]
    pub(crate) session_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) user_context: Option<UserContext>,
    #[prost(string, tag = "3")]
    pub(crate) error_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FetchErrorDetailsResponse {
    /// The error, then its causes.
    #[prost(message, repeated, tag = "2")]
    pub(crate) errors: Vec<ErrorDetail>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErrorDetail {
    #[prost(string, repeated, tag = "1")]
    pub(crate) classes: Vec<String>,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

/// `google.rpc.Status`, the trailer `grpc-status-details-bin`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErrorInfo {
    /// The name of a Java class.
    #[prost(string, tag = "1")]
    pub(crate) reason: String,
    #[prost(map = "string, string", tag = "3")]
    pub(crate) metadata: HashMap<String, String>,
}
