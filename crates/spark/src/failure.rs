//! What a server says went wrong, as a fault with its class.

use hivecast_run::{Class, Fault};
use prost::Message;
use tonic::{Code, Status};

use crate::client::told;
use crate::protocol::{ErrorDetail, ErrorInfo, RpcStatus};

/// Lines of a server's message that are shown: the rest is stack traces.
const MESSAGE_LINES: usize = 4;
/// Most characters of it.
const MESSAGE_CHARS: usize = 600;

const MEMORY_ADVICE: &str =
    "give its executors more memory, or fewer cores each, and run again; nothing was published";
const SPACE_ADVICE: &str = "make room where Spark writes and spills, and run again; nothing was published";
const ACCESS_ADVICE: &str = "let the user that Spark runs as read the export and write in the store";
const TOKEN_ADVICE: &str = "set the server's `token` in the project file's `engine`";
const SERVER_ADVICE: &str =
    "see that the Spark Connect server runs and can be reached, and run again; nothing was published";
const ENDED_ADVICE: &str = "the server ended: look at its log, give it more memory if that is what it wanted, and run again; nothing was published";
const CERTIFICATE_ADVICE: &str = "name a file with the authority that signed its certificate in SSL_CERT_FILE, or the host as the certificate has it";
const PLAIN_ADVICE: &str = "nothing speaks TLS there: name the port of what does, or leave `use_ssl` out";
const SESSION_ADVICE: &str =
    "the server was restarted or gave the session up: run again; nothing was published";
const PATH_ADVICE: &str =
    "see that Spark reaches the warehouse and the store under the names that Hivecast has for them";
const CHANGED_ADVICE: &str = "the export changed while it was read: run again once it has ended";
const FILE_ADVICE: &str = "look at the file with `hivecast tables`, and export it again";
const DATA_ADVICE: &str = "correct the export, or the feed's expression";
const AGAIN_ADVICE: &str = "look at the cluster's own log, and run again; nothing was published";
const BUG_ADVICE: &str = "build with `engine: embedded`, and report this";

/// What words mean, in the order in which they are looked for: of the error's condition, its message and its
/// causes; the class, and what to do.
const MEANINGS: &[(&str, Class, &str)] = &[
    ("OutOfMemoryError", Class::Infrastructure, MEMORY_ADVICE),
    ("Java heap space", Class::Infrastructure, MEMORY_ADVICE),
    // How an executor ends that ran out of memory.
    ("exited with code 52", Class::Infrastructure, MEMORY_ADVICE),
    ("stopped SparkContext", Class::Infrastructure, ENDED_ADVICE),
    ("SparkContext was shut down", Class::Infrastructure, ENDED_ADVICE),
    ("UNABLE_TO_ACQUIRE_MEMORY", Class::Infrastructure, MEMORY_ADVICE),
    ("Container killed by YARN", Class::Infrastructure, MEMORY_ADVICE),
    ("No space left on device", Class::Infrastructure, SPACE_ADVICE),
    ("QuotaExceededException", Class::Infrastructure, SPACE_ADVICE),
    ("AccessControlException", Class::Denied, ACCESS_ADVICE),
    ("AccessDeniedException", Class::Denied, ACCESS_ADVICE),
    ("Permission denied", Class::Denied, ACCESS_ADVICE),
    ("INSUFFICIENT_PERMISSIONS", Class::Denied, ACCESS_ADVICE),
    ("INVALID_HANDLE", Class::Infrastructure, SESSION_ADVICE),
    ("INVALID_CURSOR", Class::Infrastructure, SESSION_ADVICE),
    (
        "OPERATION_CANCELED",
        Class::Infrastructure,
        "somebody stopped the job: run again; nothing was published",
    ),
    ("FILE_NOT_EXIST", Class::Infrastructure, CHANGED_ADVICE),
    ("PATH_NOT_FOUND", Class::Infrastructure, PATH_ADVICE),
    ("FAILED_READ_FILE", Class::Data, FILE_ADVICE),
    ("CANNOT_READ_FILE", Class::Data, FILE_ADVICE),
    ("CAST_INVALID_INPUT", Class::Data, DATA_ADVICE),
    ("CAST_OVERFLOW", Class::Data, DATA_ADVICE),
    ("ARITHMETIC_OVERFLOW", Class::Data, DATA_ADVICE),
    ("DIVIDE_BY_ZERO", Class::Data, DATA_ADVICE),
    ("NUMERIC_VALUE_OUT_OF_RANGE", Class::Data, DATA_ADVICE),
    ("CANNOT_PARSE", Class::Data, DATA_ADVICE),
    ("USER_RAISED_EXCEPTION", Class::Data, DATA_ADVICE),
    // As Sail says it.
    ("Cast error", Class::Data, DATA_ADVICE),
    ("Cannot cast", Class::Data, DATA_ADVICE),
    ("Divide by zero", Class::Data, DATA_ADVICE),
    ("Arithmetic overflow", Class::Data, DATA_ADVICE),
    ("divide by zero", Class::Data, DATA_ADVICE),
    ("Overflow happened", Class::Data, DATA_ADVICE),
    ("Can't cast value", Class::Data, DATA_ADVICE),
    ("invalid timestamp", Class::Data, DATA_ADVICE),
    ("too large to store in a Decimal", Class::Data, DATA_ADVICE),
    ("UNRESOLVED_", Class::Bug, BUG_ADVICE),
    ("PARSE_SYNTAX_ERROR", Class::Bug, BUG_ADVICE),
    ("DATATYPE_MISMATCH", Class::Bug, BUG_ADVICE),
];

/// Everything that a server says of an error.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By which it says more of it.
    pub(crate) error_id: Option<String>,
    /// Spark's name for the error: `CAST_INVALID_INPUT`.
    condition: String,
    message: String,
    /// The Java classes and messages of the causes, the last being the root.
    causes: Vec<String>,
}

impl Told {
    /// What a status carries.
    pub(crate) fn of(status: &Status) -> Told {
        let mut found = Told { message: status.message().to_owned(), ..Told::default() };
        if let Some(source) = std::error::Error::source(status) {
            found.causes.push(told(source));
        }
        let details = RpcStatus::decode(status.details()).map(|status| status.details).unwrap_or_default();
        let infos = details.iter().filter(|detail| detail.type_url.ends_with("google.rpc.ErrorInfo"));
        for info in infos.filter_map(|detail| ErrorInfo::decode(detail.value.as_slice()).ok()) {
            found.error_id = info.metadata.get("errorId").cloned();
            found.condition = info.metadata.get("errorClass").cloned().unwrap_or_default();
            found.causes.push(info.reason);
        }
        found
    }

    /// What the server keeps behind it.
    pub(crate) fn add(&mut self, errors: Vec<ErrorDetail>) {
        if let Some(first) = errors.first().filter(|first| !first.message.is_empty()) {
            self.message.clone_from(&first.message);
        }
        for error in errors {
            let class = error.classes.first().map_or("", String::as_str);
            self.causes.push(format!("{class}: {}", error.message));
        }
    }

    fn says(&self, words: &str) -> bool {
        let causes = self.causes.iter().map(String::as_str);
        [self.condition.as_str(), self.message.as_str()]
            .into_iter()
            .chain(causes)
            .any(|text| text.contains(words))
    }

    /// In its own words: the message, and the root of its causes where that says more.
    fn shown(&self) -> String {
        let message = beginning(&self.message);
        let root = self.causes.last().map(|cause| beginning(cause)).unwrap_or_default();
        let is_new = root.contains(": ") && !message.contains(root.rsplit(": ").next().unwrap_or_default());
        if is_new { format!("{message} (caused by {root})") } else { message }
    }
}

/// A fault of what was attempted. What the server says is quoted.
pub(crate) fn fault(what: String, code: Code, told: &Told) -> Fault {
    let meaning =
        MEANINGS.iter().find(|(words, _, _)| told.says(words)).map(|(_, class, advice)| (*class, *advice));
    let (class, advice) = match code {
        Code::Unauthenticated => (Class::Denied, TOKEN_ADVICE),
        Code::PermissionDenied => (Class::Denied, ACCESS_ADVICE),
        Code::Unavailable if told.says("invalid peer certificate") => {
            (Class::Infrastructure, CERTIFICATE_ADVICE)
        }
        Code::Unavailable if told.says("InvalidContentType") => (Class::Infrastructure, PLAIN_ADVICE),
        Code::Unavailable | Code::DeadlineExceeded => (Class::Infrastructure, SERVER_ADVICE),
        Code::Unknown => meaning.unwrap_or((Class::Infrastructure, SERVER_ADVICE)),
        _ => meaning.unwrap_or((Class::Infrastructure, AGAIN_ADVICE)),
    };
    Fault::new(class, what).because(told.shown()).advise(advice)
}

/// The beginning of a message: below it are stack traces.
fn beginning(message: &str) -> String {
    let lines = message.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.trim_start().starts_with("at ") && *line != "JVM stacktrace:");
    let text = lines.take(MESSAGE_LINES).collect::<Vec<_>>().join("; ");
    match text.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::protocol::Any;

    use super::*;

    fn status(code: Code, message: &str, condition: &str) -> Status {
        let metadata = HashMap::from([("errorClass".to_owned(), condition.to_owned())]);
        let info = ErrorInfo { reason: "org.apache.spark.SparkException".to_owned(), metadata };
        let any = Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: info.encode_to_vec(),
        };
        let details = RpcStatus { details: vec![any] }.encode_to_vec();
        Status::with_details(code, message, details.into())
    }

    fn class_of(code: Code, message: &str, condition: &str, causes: &[&str]) -> (Class, String) {
        let mut told = Told::of(&status(code, message, condition));
        let detail = |message: &&str| ErrorDetail {
            classes: vec!["java.io.IOException".to_owned()],
            message: (*message).to_owned(),
        };
        told.add(causes.iter().map(detail).collect());
        let fault = fault("failed to join".to_owned(), code, &told);
        (fault.class(), fault.chain())
    }

    #[test]
    fn errors_have_the_class_that_their_words_mean() {
        for (code, message, condition, causes, expected) in [
            (Code::Unauthenticated, "Invalid authentication token", "", &[][..], Class::Denied),
            (Code::Unavailable, "tcp connect error", "", &[], Class::Infrastructure),
            (Code::Unknown, "stream closed because of a broken pipe", "", &[], Class::Infrastructure),
            (Code::Internal, "[CAST_INVALID_INPUT] The value …", "CAST_INVALID_INPUT", &[], Class::Data),
            (
                Code::Internal,
                "Job aborted: java.lang.OutOfMemoryError: Java heap space",
                "",
                &[],
                Class::Infrastructure,
            ),
            (
                Code::Internal,
                "[UNRESOLVED_COLUMN.WITH_SUGGESTION] …",
                "UNRESOLVED_COLUMN.WITH_SUGGESTION",
                &[],
                Class::Bug,
            ),
            (Code::Internal, "Permission denied: user=etl", "", &[], Class::Denied),
            (
                Code::Internal,
                "Task failed",
                "TASK_WRITE_FAILED",
                &["Task failed", "No space left on device"],
                Class::Infrastructure,
            ),
        ] {
            assert_eq!(class_of(code, message, condition, causes).0, expected, "{message}");
        }
    }

    #[test]
    fn the_root_of_an_error_is_told_and_no_stack_trace() {
        let causes = ["Task failed while writing rows\n\tat org.apache.Spark", "No space left on device"];
        let (_, told) = class_of(Code::Internal, "Task failed", "TASK_WRITE_FAILED", &causes);
        assert_eq!(
            told,
            "failed to join: Task failed while writing rows (caused by java.io.IOException: No space left on device)"
        );
    }
}
