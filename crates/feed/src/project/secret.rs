use std::fmt;

/// Text that must not be shown: `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes text into keeping.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where `${…}` is looked up. The caller implements it, so that this room reads nothing itself.
pub trait Secrets {
    /// `${NAME}`: an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// `${file:path}` and, in the directory that the environment names, `${credential:NAME}`: a file's text.
    fn file(&self, path: &str) -> std::io::Result<String>;
}

/// librdkafka's properties that hold a secret by value
/// (`rdkafka_conf.c`, those marked as sensitive, without names of files and users).
const SECRET_PROPERTIES: [&str; 8] = [
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
];

/// Ends of names that promise a secret, for properties that a later librdkafka adds.
const SECRET_ENDINGS: [&str; 5] = ["password", "passphrase", "secret", "key.pem", "token"];

/// Most mistyped letters that still tell a secret's name.
const MISTYPED: usize = 2;

/// Whether a property of librdkafka holds a secret, its name mistyped or not: librdkafka refuses an
/// unknown name, and until then the value must not be shown.
pub(super) fn is_secret_property(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_ENDINGS.iter().any(|end| name.ends_with(end))
        || SECRET_PROPERTIES.iter().any(|secret| strsim::damerau_levenshtein(&name, secret) <= MISTYPED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "*** *** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn secret_properties_are_told_from_others() {
        assert!(is_secret_property("sasl.password"));
        assert!(is_secret_property("ssl.key.pem"));
        assert!(is_secret_property("some.future.secret"));
        assert!(is_secret_property("sasl.pasword"));
        assert!(!is_secret_property("sasl.username"));
        assert!(!is_secret_property("ssl.ca.pem"));
        assert!(!is_secret_property("ssl.certificate.pem"));
        assert!(!is_secret_property("ssl.key.location"));
        assert!(!is_secret_property("bootstrap.servers"));
    }
}
