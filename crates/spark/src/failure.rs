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
const STORE_ADVICE: &str =
    "see that Spark's executors reach the store where the export lies, and run again; nothing was published";
const UNREAD_ADVICE: &str =
    "look at the cluster's own log; if it says that a file is damaged, export it again, else run again";
const S3A_ADVICE: &str = "the cluster needs Hadoop's S3A client (hadoop-aws, and the AWS SDK of its version) on its class path: \
     start it with the package, or name a warehouse and a store that it reaches without";
const CLASS_ADVICE: &str =
    "the cluster lacks a Java class that it needs here: put the library with it on its class path";
const DATA_ADVICE: &str = "correct the export, or the feed's expression";
const AGAIN_ADVICE: &str = "look at the cluster's own log, and run again; nothing was published";
const BUG_ADVICE: &str = "build with `engine: embedded`, and report this";

/// What words mean, in the order in which they are looked for: of the error's condition, its message and its
/// causes; the class, and what to do.
const MEANINGS: &[(&str, Class, &str)] = &[
    // No run mends what is not on a class path.
    ("S3AFileSystem not found", Class::Usage, S3A_ADVICE),
    ("No FileSystem for scheme \"s3a\"", Class::Usage, S3A_ADVICE),
    ("ClassNotFoundException", Class::Usage, CLASS_ADVICE),
    ("NoClassDefFoundError", Class::Usage, CLASS_ADVICE),
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
    // Spark wraps whatever a reader fails with in FAILED_READ_FILE, and a reader of Parquet what its stream fails
    // with: only what is left after these is the file's own matter.
    ("ConnectException", Class::Infrastructure, STORE_ADVICE),
    ("ConnectTimeout", Class::Infrastructure, STORE_ADVICE),
    ("SocketTimeout", Class::Infrastructure, STORE_ADVICE),
    ("SocketException", Class::Infrastructure, STORE_ADVICE),
    ("ApiCallTimeout", Class::Infrastructure, STORE_ADVICE),
    ("timed out", Class::Infrastructure, STORE_ADVICE),
    ("UnknownHost", Class::Infrastructure, STORE_ADVICE),
    ("NoRouteToHost", Class::Infrastructure, STORE_ADVICE),
    ("Connection refused", Class::Infrastructure, STORE_ADVICE),
    ("Connection reset", Class::Infrastructure, STORE_ADVICE),
    ("BlockMissing", Class::Infrastructure, STORE_ADVICE),
    ("Could not obtain block", Class::Infrastructure, STORE_ADVICE),
    ("StandbyException", Class::Infrastructure, STORE_ADVICE),
    ("SdkClientException", Class::Infrastructure, STORE_ADVICE),
    ("AWSClientIOException", Class::Infrastructure, STORE_ADVICE),
    ("AWSServiceThrottled", Class::Infrastructure, STORE_ADVICE),
    ("PARQUET_COLUMN_DATA_TYPE_MISMATCH", Class::Data, FILE_ADVICE),
    ("SchemaColumnConvertNotSupported", Class::Data, FILE_ADVICE),
    ("ParquetDecodingException", Class::Data, FILE_ADVICE),
    ("is not a Parquet file", Class::Data, FILE_ADVICE),
    ("corrupted file", Class::Data, FILE_ADVICE),
    ("Malformed ORC file", Class::Data, FILE_ADVICE),
    ("ORC file footer", Class::Data, FILE_ADVICE),
    ("InvalidProtocolBufferException", Class::Data, FILE_ADVICE),
    ("FAILED_READ_FILE", Class::Infrastructure, UNREAD_ADVICE),
    ("CANNOT_READ_FILE", Class::Infrastructure, UNREAD_ADVICE),
    ("CAST_INVALID_INPUT", Class::Data, DATA_ADVICE),
    ("CAST_OVERFLOW", Class::Data, DATA_ADVICE),
    ("ARITHMETIC_OVERFLOW", Class::Data, DATA_ADVICE),
    ("DIVIDE_BY_ZERO", Class::Data, DATA_ADVICE),
    ("REMAINDER_BY_ZERO", Class::Data, DATA_ADVICE),
    ("INVALID_UTF8_STRING", Class::Data, DATA_ADVICE),
    ("DUPLICATED_MAP_KEY", Class::Data, DATA_ADVICE),
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

    /// What it is called without quoting anything: Spark's name for the error, and the words that we know.
    fn name(&self, known: Option<&str>) -> Option<String> {
        let of_name =
            |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || "_.".contains(letter);
        let condition =
            Some(self.condition.as_str()).filter(|name| !name.is_empty() && name.chars().all(of_name));
        match (condition, known) {
            (Some(condition), Some(known)) if !condition.contains(known) => {
                Some(format!("{condition}, {known}"))
            }
            (condition, known) => condition.or(known).map(str::to_owned),
        }
    }

    /// The Java class that was not found, where the error is that one was not. Nothing but a name with a
    /// package is taken for one, since messages quote values.
    fn missing_class(&self) -> Option<&str> {
        let texts = std::iter::once(&self.message).chain(&self.causes);
        texts.filter_map(|text| text.split_once("ClassNotFoundException: ")).find_map(|(_, rest)| {
            let rest = rest.strip_prefix("Class ").unwrap_or(rest);
            let name = rest.split(|letter: char| letter.is_whitespace()).next().unwrap_or_default();
            is_class_name(name).then_some(name)
        })
    }

    /// In its own words: the message, and the root of its causes where that says more.
    fn shown(&self) -> String {
        let message = beginning(&self.message);
        let root = self.causes.last().map(|cause| beginning(cause)).unwrap_or_default();
        let is_new = root.contains(": ") && !message.contains(root.rsplit(": ").next().unwrap_or_default());
        if is_new { format!("{message} (caused by {root})") } else { message }
    }
}

/// Whether what a server says may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// It is quoted.
    Shown,
    /// Only by which name it calls the error: values that may not be shown are nowhere but in its messages.
    Withheld,
}

/// A fault of what was attempted.
pub(crate) fn fault(what: String, code: Code, told: &Told, quoting: Quoting) -> Fault {
    let words = MEANINGS.iter().find(|(words, _, _)| told.says(words));
    let meaning = words.map(|(_, class, advice)| (*class, *advice));
    let (class, advice) = match code {
        Code::Unauthenticated => (Class::Denied, TOKEN_ADVICE),
        Code::PermissionDenied => (Class::Denied, ACCESS_ADVICE),
        Code::Unavailable if told.says("invalid peer certificate") => {
            (Class::Infrastructure, CERTIFICATE_ADVICE)
        }
        // Only the project file can mend it.
        Code::Unavailable if told.says("InvalidContentType") => (Class::Usage, PLAIN_ADVICE),
        Code::Unavailable | Code::DeadlineExceeded => (Class::Infrastructure, SERVER_ADVICE),
        Code::Unknown => meaning.unwrap_or((Class::Infrastructure, SERVER_ADVICE)),
        _ => meaning.unwrap_or((Class::Infrastructure, AGAIN_ADVICE)),
    };
    match quoting {
        Quoting::Shown => Fault::new(class, what).because(told.shown()).advise(advice),
        Quoting::Withheld => {
            let words = words.map(|(words, _, _)| *words);
            let name = match told.missing_class() {
                Some(class) => format!("ClassNotFoundException: {class}"),
                None => told.name(words).unwrap_or(code.description().to_owned()),
            };
            Fault::new(
                class,
                format!("{what}: {name} (its message is withheld, since the feed masks values)"),
            )
            .advise(advice)
        }
    }
}

/// Whether this is a Java class with its package: `org.apache.hadoop.fs.s3a.S3AFileSystem`.
fn is_class_name(name: &str) -> bool {
    let mut parts: Vec<&str> = name.split('.').collect();
    let class = parts.pop().unwrap_or_default();
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_$".contains(letter))
    };
    let is_package =
        |word: &&str| is_word(word) && word.starts_with(|letter: char| letter.is_ascii_lowercase());
    parts.len() >= 2
        && parts.iter().all(is_package)
        && is_word(class)
        && class.starts_with(|letter: char| letter.is_ascii_uppercase())
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
        let fault = fault("failed to join".to_owned(), code, &told, Quoting::Shown);
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
    fn a_file_that_was_not_read_is_unfit_only_where_it_is_damaged() {
        for (cause, expected) in [
            ("file:/w/part-0.parquet is not a Parquet file. Expected magic number at tail", Class::Data),
            (
                "org.apache.parquet.io.ParquetDecodingException: Can not read value at 1 in block 0",
                Class::Data,
            ),
            ("SchemaColumnConvertNotSupportedException: column: [id], physicalType: INT32", Class::Data),
            ("java.net.ConnectException: Connection refused", Class::Infrastructure),
            ("java.net.SocketTimeoutException: Read timed out", Class::Infrastructure),
            ("java.net.UnknownHostException: namenode", Class::Infrastructure),
            ("org.apache.hadoop.hdfs.BlockMissingException: Could not obtain block", Class::Infrastructure),
            ("AWSClientIOException: re-open s3a://w/part-0.parquet", Class::Infrastructure),
            ("java.io.EOFException: End of file reached before reading fully", Class::Infrastructure),
            ("org.apache.hadoop.security.AccessControlException: Permission denied", Class::Denied),
        ] {
            let message = "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file part-0.parquet.";
            let (class, told) =
                class_of(Code::Internal, message, "FAILED_READ_FILE.NO_HINT", &[message, cause]);
            assert_eq!(class, expected, "{told}");
        }
        // A reader of Parquet wraps what its stream fails with.
        let causes = ["ParquetDecodingException: could not read page", "java.net.ConnectException: refused"];
        let (class, _) =
            class_of(Code::Internal, "[FAILED_READ_FILE.NO_HINT]", "FAILED_READ_FILE.NO_HINT", &causes);
        assert_eq!(class, Class::Infrastructure);
        let mismatch = "FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH";
        assert_eq!(class_of(Code::Internal, "", mismatch, &[]).0, Class::Data);
    }

    #[test]
    fn values_that_an_expression_refuses_are_data() {
        for condition in ["REMAINDER_BY_ZERO", "INVALID_UTF8_STRING", "DUPLICATED_MAP_KEY", "DIVIDE_BY_ZERO"]
        {
            assert_eq!(class_of(Code::Internal, "", condition, &[]).0, Class::Data, "{condition}");
        }
    }

    /// As Spark without Hadoop's S3 client says it. Running it again helps nobody.
    #[test]
    fn a_class_that_the_cluster_lacks_is_named_although_messages_are_withheld() {
        let s3a = "java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found";
        let told_of = |cause: &str, quoting| {
            let mut told = Told::of(&status(Code::Internal, "4711 O'Brien", ""));
            told.add(vec![ErrorDetail {
                classes: vec!["java.lang.RuntimeException".to_owned()],
                message: cause.to_owned(),
            }]);
            fault("failed to join".to_owned(), Code::Internal, &told, quoting)
        };
        for quoting in [Quoting::Shown, Quoting::Withheld] {
            let fault = told_of(s3a, quoting);
            assert_eq!(fault.class(), Class::Usage, "{}", fault.chain());
            assert!(fault.chain().contains("org.apache.hadoop.fs.s3a.S3AFileSystem"), "{}", fault.chain());
            assert!(fault.advice().unwrap_or_default().contains("hadoop-aws"), "{fault:?}");
        }
        for value in ["ClassNotFoundException: O'Brien 4711", "ClassNotFoundException: Class 4711.O.Brien"] {
            let told = told_of(value, Quoting::Withheld).chain();
            assert!(!told.contains("Brien") && !told.contains("4711"), "{told}");
        }
    }

    /// Plain HTTP where TLS was asked for: the scheduler would try for ever.
    #[test]
    fn tls_where_nothing_speaks_it_is_the_project_files_matter() {
        let said = "received corrupt message of type InvalidContentType";
        assert_eq!(class_of(Code::Unavailable, said, "", &[]).0, Class::Usage);
        assert_eq!(class_of(Code::Unavailable, "tcp connect error", "", &[]).0, Class::Infrastructure);
    }

    #[test]
    fn what_a_server_says_can_be_withheld() {
        let quoted = "The value 'O'Brien' of the type \"STRING\", or 4711L, cannot be cast";
        for (code, condition, cause, name) in [
            (Code::Internal, "CAST_INVALID_INPUT", "O'Brien", "CAST_INVALID_INPUT"),
            (
                Code::Internal,
                "TASK_WRITE_FAILED",
                "4711: No space left on device",
                "TASK_WRITE_FAILED, No space left on device",
            ),
            (Code::Internal, "4711 O'Brien", "Cannot cast 4711", "Cannot cast"),
            (Code::Internal, "", "4711", "Internal error"),
            (Code::Unavailable, "", "O'Brien", "The service is currently unavailable"),
        ] {
            let mut told = Told::of(&status(code, quoted, condition));
            told.add(vec![ErrorDetail {
                classes: vec!["java.io.IOException".to_owned()],
                message: cause.to_owned(),
            }]);
            let fault = fault("failed to join".to_owned(), code, &told, Quoting::Withheld);
            let all = format!("{} {:?} {fault:?}", fault.chain(), fault.advice());
            assert!(fault.chain().starts_with(&format!("failed to join: {name} (")), "{all}");
            assert!(!all.contains("Brien") && !all.contains("4711"), "{all}");
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
