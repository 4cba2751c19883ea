use std::error::Error;
use std::fmt;

/// The result of anything that can fail a run.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// What kind of failure it is, and so the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Our bug: exit 1.
    Bug,
    /// Usage or feed mistake: exit 2.
    Usage,
    /// Infrastructure, try again: exit 10.
    Infrastructure,
    /// The data is not fit: missing, corrupt, or stopped by a gate: exit 20.
    Data,
    /// Access denied: exit 30.
    Denied,
    /// Another run holds the feed: exit 40.
    Held,
    /// Conflict with what is published: exit 50.
    Conflict,
    /// Stopped by Ctrl-C or SIGTERM: exit 130.
    Interrupted,
}

impl Class {
    /// The process's exit code for this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Bug => 1,
            Class::Usage => 2,
            Class::Infrastructure => 10,
            Class::Data => 20,
            Class::Denied => 30,
            Class::Held => 40,
            Class::Conflict => 50,
            Class::Interrupted => 130,
        }
    }

    /// The class of a process that ended with this code; none where it is no class's.
    pub fn of_exit_code(code: i32) -> Option<Class> {
        const ALL: [Class; 8] = [
            Class::Bug,
            Class::Usage,
            Class::Infrastructure,
            Class::Data,
            Class::Denied,
            Class::Held,
            Class::Conflict,
            Class::Interrupted,
        ];
        ALL.into_iter().find(|class| i32::from(class.exit_code()) == code)
    }
}

/// A failure of the run: what could not be done ("failed to X", naming feed, table, partition or
/// path), why, what to do about it, and the class that decides the exit code.
#[derive(Debug)]
pub struct Fault {
    class: Class,
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
    advice: Option<String>,
}

impl Fault {
    /// A failure of `class`; `what` reads "failed to …" or states the plain fact.
    pub fn new(class: Class, what: impl Into<String>) -> Self {
        Fault { class, what: what.into(), cause: None, advice: None }
    }

    /// Exit 1.
    pub fn bug(what: impl Into<String>) -> Self {
        Fault::new(Class::Bug, what)
    }

    /// Exit 2.
    pub fn usage(what: impl Into<String>) -> Self {
        Fault::new(Class::Usage, what)
    }

    /// Exit 10.
    pub fn infrastructure(what: impl Into<String>) -> Self {
        Fault::new(Class::Infrastructure, what)
    }

    /// Exit 20.
    pub fn data(what: impl Into<String>) -> Self {
        Fault::new(Class::Data, what)
    }

    /// Exit 30.
    pub fn denied(what: impl Into<String>) -> Self {
        Fault::new(Class::Denied, what)
    }

    /// Exit 40.
    pub fn held(what: impl Into<String>) -> Self {
        Fault::new(Class::Held, what)
    }

    /// Exit 50.
    pub fn conflict(what: impl Into<String>) -> Self {
        Fault::new(Class::Conflict, what)
    }

    /// A failed read or write of `path`: permission is [`Class::Denied`], all else
    /// [`Class::Infrastructure`], unless the error is [`Explained`] and says otherwise.
    pub fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        let explained = error.get_ref().and_then(|inner| inner.downcast_ref::<Explained>());
        let by_kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Class::Denied,
            _ => Class::Infrastructure,
        };
        let class = explained.and_then(|explained| explained.class).unwrap_or(by_kind);
        let advice = explained.and_then(|explained| explained.advice.clone());
        Fault { advice, ..Fault::new(class, what).because(error) }
    }

    /// Keeps the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Puts this fault under a wider one: "failed to publish feed contracts: failed to …". The
    /// class stays, the advice too.
    #[must_use]
    pub fn within(self, what: impl Into<String>) -> Self {
        let class = self.class;
        let advice = self.advice.clone();
        Fault { class, what: what.into(), cause: Some(Box::new(self)), advice }
    }

    /// Says first what it is about, such as "table accounts", where the fault does not say so itself: "table
    /// accounts: failed to …". Class, cause and advice stay.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        if !self.what.starts_with(&format!("{subject}: ")) {
            self.what = format!("{subject}: {}", self.what);
        }
        self
    }

    /// The same fault, of another class: what one step takes for unfit data may be to a wider one what only a
    /// later run can mend.
    #[must_use]
    pub fn of_class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// The class, and so the exit code.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// What happened and every cause, in one line, without the advice.
    pub fn chain(&self) -> String {
        let mut text = self.what.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let next = error.to_string();
            // Some libraries repeat their source in their own text.
            if !text.ends_with(&next) {
                text.push_str(": ");
                text.push_str(without_place(&next, &text[..text.len() - 2]));
            }
            cause = error.source();
        }
        text
    }
}

/// A cause without the path or address that it begins with, where what was attempted has just named it.
fn without_place<'a>(cause: &'a str, attempted: &str) -> &'a str {
    match cause.split_once(": ") {
        Some((place, rest)) if place.contains('/') && attempted.ends_with(&format!(" {place}")) => rest,
        _ => cause,
    }
}

/// What an `io::Error` may hold, for who knows more than its kind says.
#[derive(Debug)]
pub struct Explained {
    /// What happened.
    pub text: String,
    /// The class, where the kind does not say.
    pub class: Option<Class>,
    /// What to do about it.
    pub advice: Option<String>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Explained {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_said_once_and_an_explained_error_advises() {
        let explained = Explained {
            text: "s3://b/wh: access denied".to_owned(),
            class: Some(Class::Usage),
            advice: Some("correct the key".to_owned()),
        };
        let fault = Fault::io("failed to open the warehouse s3://b/wh", std::io::Error::other(explained));
        assert_eq!(fault.chain(), "failed to open the warehouse s3://b/wh: access denied");
        assert_eq!((fault.class(), fault.advice()), (Class::Usage, Some("correct the key")));
        // Another place is told.
        let other = std::io::Error::other("s3://b: access denied");
        assert_eq!(
            Fault::io("failed to list s3://b/b", other).chain(),
            "failed to list s3://b/b: s3://b: access denied"
        );
    }

    #[test]
    fn a_wider_fault_keeps_class_advice_and_the_whole_chain() {
        let inner =
            Fault::data("failed to read table accounts").because("no footer").advise("export it again");
        let outer = inner.within("failed to build feed contracts");
        assert_eq!(outer.class().exit_code(), 20);
        assert_eq!(outer.advice(), Some("export it again"));
        assert_eq!(outer.chain(), "failed to build feed contracts: failed to read table accounts: no footer");
    }
}
