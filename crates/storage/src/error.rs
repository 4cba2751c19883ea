//! Errors that say where.

use std::error::Error;
use std::io::{self, ErrorKind};

use hivecast_run::{Class, Explained};

use crate::Location;

/// An error of that kind, which names host and path.
pub(crate) fn failed(kind: ErrorKind, at: &Location, text: impl std::fmt::Display) -> io::Error {
    io::Error::new(kind, format!("{at}: {text}"))
}

/// As [`failed`], with what to do about it.
pub(crate) fn advised(
    kind: ErrorKind,
    at: &Location,
    text: impl std::fmt::Display,
    (class, advice): (Option<Class>, Option<String>),
) -> io::Error {
    io::Error::new(kind, Explained { text: format!("{at}: {text}"), class, advice })
}

/// The same error, with the place in its text.
pub(crate) fn named(at: &Location, error: &io::Error) -> io::Error {
    failed(error.kind(), at, error)
}

/// The error and its causes in one line. Many libraries repeat their source in their own text.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// The first error of that type among the error and its causes.
pub(crate) fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
