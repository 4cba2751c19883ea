//! What a server says went wrong, as a fault with its class.

use hivecast_run::{Class, Fault};
use spark_connect_core::SparkError;

/// Lines of a server's message that are shown: the rest is stack traces.
const MESSAGE_LINES: usize = 4;
/// Most characters of it.
const MESSAGE_CHARS: usize = 600;

/// gRPC's codes that we tell apart (<https://grpc.io/docs/guides/status-codes/>).
mod code {
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

/// What a server's words mean, in the order in which they are looked for: a part of the error's condition
/// or message, the class, and what to do.
const MEANINGS: &[(&str, Class, &str)] = &[
    ("OutOfMemoryError", Class::Infrastructure, MEMORY_ADVICE),
    ("Java heap space", Class::Infrastructure, MEMORY_ADVICE),
    ("UNABLE_TO_ACQUIRE_MEMORY", Class::Infrastructure, MEMORY_ADVICE),
    ("Container killed by YARN", Class::Infrastructure, MEMORY_ADVICE),
    ("No space left on device", Class::Infrastructure, SPACE_ADVICE),
    ("DSQuotaExceededException", Class::Infrastructure, SPACE_ADVICE),
    ("NSQuotaExceededException", Class::Infrastructure, SPACE_ADVICE),
    ("AccessControlException", Class::Denied, ACCESS_ADVICE),
    ("AccessDeniedException", Class::Denied, ACCESS_ADVICE),
    ("Permission denied", Class::Denied, ACCESS_ADVICE),
    ("INSUFFICIENT_PERMISSIONS", Class::Denied, ACCESS_ADVICE),
    ("INVALID_HANDLE", Class::Infrastructure, SESSION_ADVICE),
    ("SESSION_NOT_FOUND", Class::Infrastructure, SESSION_ADVICE),
    ("SESSION_CHANGED", Class::Infrastructure, SESSION_ADVICE),
    ("SESSION_CLOSED", Class::Infrastructure, SESSION_ADVICE),
    ("OPERATION_NOT_FOUND", Class::Infrastructure, SESSION_ADVICE),
    ("PATH_NOT_FOUND", Class::Infrastructure, PATH_ADVICE),
    ("FAILED_READ_FILE.FILE_NOT_EXIST", Class::Infrastructure, CHANGED_ADVICE),
    ("FAILED_READ_FILE", Class::Data, "look at the file with `hivecast tables`, and export it again"),
    ("CAST_INVALID_INPUT", Class::Data, DATA_ADVICE),
    ("CAST_OVERFLOW", Class::Data, DATA_ADVICE),
    ("ARITHMETIC_OVERFLOW", Class::Data, DATA_ADVICE),
    ("DIVIDE_BY_ZERO", Class::Data, DATA_ADVICE),
    ("NUMERIC_VALUE_OUT_OF_RANGE", Class::Data, DATA_ADVICE),
    ("INVALID_ARRAY_INDEX", Class::Data, DATA_ADVICE),
    ("CANNOT_PARSE_TIMESTAMP", Class::Data, DATA_ADVICE),
    ("Executor lost", Class::Infrastructure, AGAIN_ADVICE),
    ("ExecutorLostFailure", Class::Infrastructure, AGAIN_ADVICE),
    ("Job aborted", Class::Infrastructure, AGAIN_ADVICE),
];

const MEMORY_ADVICE: &str =
    "give its executors more memory, or more of them with fewer cores each, and run again; nothing was published";
const SPACE_ADVICE: &str = "make room where Spark writes and spills, and run again; nothing was published";
const ACCESS_ADVICE: &str = "let the user that Spark runs as read the export and write in the store";
const SESSION_ADVICE: &str = "the server was restarted or gave the session up: run again; nothing was published";
const PATH_ADVICE: &str = "see that Spark reaches the warehouse and the store under the names that Hivecast has for them";
const CHANGED_ADVICE: &str = "the export changed while it was read: run again once it has ended";
const DATA_ADVICE: &str = "correct the export, or the feed's expression";
const AGAIN_ADVICE: &str = "look at the cluster's own log, and run again; nothing was published";

/// A fault of what was attempted, for a server's error. What Spark says is quoted, in its own words.
pub(crate) fn fault(what: impl Into<String>, error: &SparkError) -> Fault {
    let what = what.into();
    let message = shown(&error.message);
    let condition = error.get_condition().unwrap_or_default();
    let trace = error.server_stacktrace.as_deref().unwrap_or_default();
    match error.grpc_code() {
        Some(code::UNAUTHENTICATED) => {
            return Fault::denied(what)
                .because(message)
                .advise("the server refuses the token: set `token` in the project file's `engine`");
        }
        Some(code::PERMISSION_DENIED) => return Fault::denied(what).because(message).advise(ACCESS_ADVICE),
        Some(code::UNAVAILABLE | code::DEADLINE_EXCEEDED) => {
            return Fault::infrastructure(what)
                .because(message)
                .advise("see that the Spark Connect server runs and can be reached, and run again");
        }
        _ => {}
    }
    let told = [condition.as_str(), error.message.as_str(), trace];
    let meaning = MEANINGS.iter().find(|(words, _, _)| told.iter().any(|text| text.contains(words)));
    match meaning {
        Some((_, class, advice)) => Fault::new(*class, what).because(message).advise(*advice),
        None => Fault::infrastructure(what).because(message).advise(AGAIN_ADVICE),
    }
}

/// The beginning of a message: below it are stack traces.
fn shown(message: &str) -> String {
    let lines = message.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.trim_start().starts_with("at ") && *line != "JVM stacktrace:");
    let text = lines.take(MESSAGE_LINES).collect::<Vec<_>>().join("; ");
    match text.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
