//! What S3 says, as the kinds of errors that every store has.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use hivecast_run::Class;
use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

use crate::Location;
use crate::error::{advised, cause, chain};

/// The longest text that is passed on, characters.
const MAX_TEXT: usize = 400;

/// The error with its kind, host and path.
pub(super) fn io_error(at: &Location, host: &str, error: &Error) -> io::Error {
    let (kind, text) = told(error);
    if text.starts_with(NO_BUCKET) {
        let bucket = at.authority();
        let help = format!(
            "make the bucket {bucket}, or correct the environment's `warehouse` (its bucket) or `s3.endpoint`"
        );
        return advised(kind, at, format!("{text} (at {host})"), (Some(Class::Usage), Some(help)));
    }
    advised(kind, at, format!("{text} (at {host})"), (None, advice(kind).map(str::to_owned)))
}

const NO_BUCKET: &str = "there is no such bucket";

/// What to do, by the kind of the error.
pub(super) fn advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::PermissionDenied => Some(
            "correct `s3.access_key_id` and `s3.secret_access_key` in the environment (or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY), or have that key granted access",
        ),
        ErrorKind::NotConnected
        | ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::TimedOut => Some(
            "see whether the store runs and is reached from here, or correct the environment's `s3.endpoint`",
        ),
        _ => None,
    }
}

/// Codes of S3 that say that the key, or what it allows, is the matter.
const DENIED: [&str; 8] = [
    "AccessDenied",
    "AllAccessDisabled",
    "AccountProblem",
    "InvalidAccessKeyId",
    "InvalidToken",
    "ExpiredToken",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
];

fn told(error: &Error) -> (ErrorKind, String) {
    let chain = chain(error);
    let code = code_of(&chain);
    let with_code = |text: &str| match &code {
        Some(code) => format!("{text}: {code}"),
        None => text.to_owned(),
    };
    match error {
        _ if is(&code, "NoSuchBucket") => (ErrorKind::InvalidInput, with_code(NO_BUCKET)),
        Error::NotFound { .. } => (ErrorKind::NotFound, "there is no such object".to_owned()),
        Error::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "it is there already".to_owned()),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            (ErrorKind::PermissionDenied, with_code("access denied"))
        }
        // The client tells a list's answers by their numbers alone.
        _ if DENIED.iter().any(|denied| is(&code, denied)) || chain.contains("status code: 403") => {
            (ErrorKind::PermissionDenied, with_code("access denied"))
        }
        Error::Precondition { .. } => {
            (ErrorKind::StaleNetworkFileHandle, "it was replaced since it was opened".to_owned())
        }
        Error::NotSupported { .. } | Error::NotImplemented { .. } => (ErrorKind::Unsupported, plain(error)),
        Error::InvalidPath { .. } => (ErrorKind::InvalidInput, plain(error)),
        _ => generic(error, code),
    }
}

/// Connections that failed, and what a server said that has no name of its own.
fn generic(error: &Error, code: Option<String>) -> (ErrorKind, String) {
    if let Some(http) = cause::<HttpError>(error) {
        let io = cause::<io::Error>(http).map(io::Error::kind);
        let kind = match http.kind() {
            HttpErrorKind::Timeout => ErrorKind::TimedOut,
            _ => io.filter(|kind| *kind != ErrorKind::Other).unwrap_or(ErrorKind::NotConnected),
        };
        // Below the request, whose own text repeats addresses and counts of tries.
        let reason = http.source().map_or_else(|| http.to_string(), chain);
        return (kind, reason.chars().take(MAX_TEXT).collect());
    }
    if let Some(code) = code {
        return (ErrorKind::Other, code);
    }
    (ErrorKind::Other, plain(error))
}

/// Code and message of the answer. The rest of it may repeat what was signed.
fn code_of(text: &str) -> Option<String> {
    let code = between(text, "<Code>", "</Code>")?;
    Some(match between(text, "<Message>", "</Message>") {
        Some(message) => format!("{code}: {}", undressed(message)).chars().take(MAX_TEXT).collect(),
        None => code.to_owned(),
    })
}

fn undressed(message: &str) -> &str {
    message.trim_start_matches("<![CDATA[").trim_end_matches("]]>")
}

fn is(code: &Option<String>, wanted: &str) -> bool {
    code.as_deref().is_some_and(|code| code.split(':').next() == Some(wanted))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// One line, without the body of an answer.
fn plain(error: &Error) -> String {
    let text = chain(error);
    let text = text.split_once('<').map_or(text.as_str(), |(before, _)| before);
    text.lines().next().unwrap_or_default().trim_end_matches([' ', ':']).chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_is_not_there_is_a_mistake_and_denied_access_names_the_settings() {
        let at = Location::parse("s3://nobody/a").unwrap();
        let body = "404 <Error><Code>NoSuchBucket</Code></Error>";
        let error = Error::NotFound { path: "a".to_owned(), source: body.into() };
        let fault = hivecast_run::Fault::io("failed to list s3://nobody/a", io_error(&at, "h", &error));
        assert_eq!(fault.class(), Class::Usage);
        assert_eq!(
            fault.chain(),
            "failed to list s3://nobody/a: there is no such bucket: NoSuchBucket (at h)"
        );
        assert!(fault.advice().is_some_and(|advice| advice.contains("bucket nobody")), "{fault:?}");
        let denied = Error::PermissionDenied { path: "a".to_owned(), source: "403".into() };
        let fault = hivecast_run::Fault::io("failed to list s3://nobody/a", io_error(&at, "h", &denied));
        assert!(fault.advice().is_some_and(|advice| advice.contains("s3.access_key_id")), "{fault:?}");
    }

    #[test]
    fn what_was_signed_is_not_repeated() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we \
            calculated does not match</Message><AWSAccessKeyId>AKIA123</AWSAccessKeyId><StringToSign>secret</StringToSign></Error>";
        let error = Error::PermissionDenied { path: "a".to_owned(), source: body.into() };
        let at = Location::parse("s3://bucket/a").unwrap();
        let told = io_error(&at, "https://s3.example.com", &error);
        assert_eq!(told.kind(), ErrorKind::PermissionDenied);
        assert_eq!(
            told.to_string(),
            "s3://bucket/a: access denied: SignatureDoesNotMatch: The request signature we calculated does not match \
             (at https://s3.example.com)"
        );
        let other = Error::Generic { store: "S3", source: format!("500 {body}").into() };
        assert!(!io_error(&at, "h", &other).to_string().contains("AKIA"));
        assert_eq!(io_error(&at, "h", &other).kind(), ErrorKind::PermissionDenied);
        let odd = Error::Generic { store: "S3", source: "500 <html>AKIA".into() };
        assert_eq!(io_error(&at, "h", &odd).to_string(), "s3://bucket/a: Generic S3 error: 500 (at h)");
    }
}
