use crate::address::Address;
use hivecast_run::{Class, Fault};
use std::io;

/// What a server throws by name. Each has its message and nothing else that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    /// `MetaException`: whatever went wrong inside.
    Meta,
    /// `NoSuchObjectException`, `UnknownDBException`.
    NoSuchObject,
    /// `AlreadyExistsException`.
    AlreadyExists,
    /// `InvalidObjectException`.
    InvalidObject,
    /// `InvalidOperationException`.
    InvalidOperation,
}

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There was no connection, so that nothing was asked.
    Connect(io::Error),
    /// The connection broke, or no answer came in time. Whether the server did what it was asked is
    /// not known.
    Lost(io::Error),
    /// What answers is no metastore that we can speak to; asking again is no use.
    Stranger { class: Class, why: &'static str, advice: &'static str },
    /// The answer is not what Thrift allows; it may have been done all the same.
    Garbled(String),
    /// The server does not know the call.
    UnknownCall,
    /// The server failed in a way that its interface does not declare.
    Unexpected(String),
    /// The server refused.
    Refused { exception: Exception, message: String },
    /// The whole operation's time is over.
    OutOfTime(std::time::Duration),
}

/// A server's message is shown up to here, characters: some hold whole stack traces.
const MESSAGE_SHOWN: usize = 600;

/// What stands in a server's message when it does not let this user do something. It has no exception
/// of its own for that.
const DENIALS: [&str; 7] = [
    "AccessControlException",
    "Permission denied",
    "HiveAccessControlException",
    "AuthorizationException",
    "not authorized",
    "does not have privileges",
    "User not allowed",
];

impl Failure {
    /// The same, of a connection on which nothing was asked yet.
    pub(crate) fn before_the_call(self) -> Failure {
        match self {
            Failure::Lost(error) => Failure::Connect(error),
            other => other,
        }
    }

    /// Whether another host, or the same one again, may do better.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Failure::Connect(_) | Failure::Lost(_) | Failure::Garbled(_))
    }

    /// Whether the connection's next answer will be that of its next call.
    pub(crate) fn keeps_step(&self) -> bool {
        matches!(self, Failure::UnknownCall | Failure::Unexpected(_) | Failure::Refused { .. })
    }

    /// Whether the other side is gone, rather than slow.
    pub(crate) fn is_broken_connection(&self) -> bool {
        matches!(self, Failure::Lost(error) if error.kind() != io::ErrorKind::TimedOut)
    }

    /// Whether another host may do better, though this one won't.
    pub(crate) fn is_for_others(&self) -> bool {
        self.may_pass() || matches!(self, Failure::Stranger { .. }) || self.is_inside()
    }

    /// Whether it went wrong inside the server, as where its database is away. It may be another one's that is
    /// well; the same one would say the same again.
    pub(crate) fn is_inside(&self) -> bool {
        let inside =
            matches!(self, Failure::Unexpected(_) | Failure::Refused { exception: Exception::Meta, .. });
        inside && !self.is_no_such_object() && self.class() != Class::Denied
    }

    /// Whether the server may have done what it was asked, although it did not say so.
    pub(crate) fn may_be_done(&self) -> bool {
        matches!(self, Failure::Lost(_) | Failure::Garbled(_))
    }

    /// Whether the server said that what was asked for is not there.
    pub(crate) fn is_no_such_object(&self) -> bool {
        match self {
            Failure::Refused { exception: Exception::NoSuchObject, .. } => true,
            // Hive 4 says it so in some calls.
            Failure::Refused { message, .. } => message.contains(" table not found"),
            _ => false,
        }
    }

    /// Why, in words.
    pub(crate) fn why(&self) -> String {
        match self {
            Failure::Connect(error) => format!("no connection: {error}"),
            Failure::Lost(error) => error.to_string(),
            Failure::Stranger { why, .. } => (*why).to_owned(),
            Failure::Garbled(why) => format!("its answer makes no sense: {why}"),
            Failure::UnknownCall => {
                "it does not know this call; it is older or newer than what is supported".to_owned()
            }
            Failure::Unexpected(message) | Failure::Refused { message, .. } => shorten(message),
            Failure::OutOfTime(limit) => format!("not done within {}", seconds(*limit)),
        }
    }

    fn class(&self) -> Class {
        match self {
            Failure::Stranger { class, .. } => *class,
            Failure::Refused { message, .. } | Failure::Unexpected(message) if is_denial(message) => {
                Class::Denied
            }
            _ if self.is_no_such_object() => Class::Data,
            Failure::Refused { exception: Exception::AlreadyExists, .. } => Class::Conflict,
            Failure::Refused {
                exception: Exception::InvalidObject | Exception::InvalidOperation, ..
            } => Class::Usage,
            Failure::UnknownCall => Class::Usage,
            _ => Class::Infrastructure,
        }
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Failure::Stranger { advice, .. } => Some(advice),
            Failure::Connect(_) | Failure::Lost(_) | Failure::OutOfTime(_) => {
                Some("see whether the metastore runs and is reached at this address; running again is safe")
            }
            Failure::Refused { .. } if self.class() == Class::Denied => {
                Some("have the metastore's administrator grant it, or set HADOOP_USER_NAME")
            }
            _ => None,
        }
    }
}

fn is_denial(message: &str) -> bool {
    DENIALS.iter().any(|denial| message.contains(denial))
}

/// The first line of a message, and no more than is read.
fn shorten(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or("no reason was given");
    match line.char_indices().nth(MESSAGE_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// A duration as people read it.
pub(crate) fn seconds(duration: std::time::Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// What went wrong in one operation, at each host that was tried, in order. Never empty.
#[derive(Debug)]
pub(crate) struct Failures(Vec<(Address, Failure)>);

impl Failures {
    pub(crate) fn none() -> Failures {
        Failures(Vec::new())
    }

    pub(crate) fn push(&mut self, host: &Address, failure: Failure) {
        self.0.push((host.clone(), failure));
    }

    pub(crate) fn last(&self) -> Option<&Failure> {
        self.0.last().map(|(_, failure)| failure)
    }

    /// Whether another round over the hosts is no use: all are none that we can speak to, or one of them
    /// answered that it fails inside.
    pub(crate) fn are_final(&self) -> bool {
        self.0.iter().all(|(_, failure)| matches!(failure, Failure::Stranger { .. }))
            || self.0.iter().any(|(_, failure)| failure.is_inside())
    }

    /// All of them as one fault: `failed to ask the metastore HOST for WHAT: …`. The last one decides
    /// the class.
    pub(crate) fn fault(&self, action: &str) -> Fault {
        let Some(last) = self.last() else {
            return Fault::bug(format!("failed to ask the metastore {action}: no host was tried"));
        };
        let mut hosts: Vec<&Address> = Vec::new();
        for (host, _) in &self.0 {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let mut reasons: Vec<String> = Vec::new();
        for (host, failure) in &self.0 {
            let reason = if hosts.len() > 1 { format!("{host}: {}", failure.why()) } else { failure.why() };
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        let names: Vec<String> = hosts.iter().map(|host| host.to_string()).collect();
        let what = format!("failed to ask the metastore {} {action}", names.join(", "));
        let fault = Fault::new(last.class(), what).because(reasons.join("; "));
        match last.advice() {
            Some(advice) => fault.advise(advice),
            None => fault,
        }
    }
}
