use hivecast_run::{Fault, Result};
use std::fmt;
use std::str::FromStr;

/// Where a metastore listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

const SCHEME: &str = "thrift://";
/// Where a metastore listens unless it is told otherwise.
const DEFAULT_PORT: u16 = 9083;

impl Address {
    /// A host's name or IP address (an IPv6 one without brackets), and its port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Address { host: host.into(), port }
    }

    /// Reads `thrift://host:9083`, or several with commas between them, as `hive.metastore.uris` has
    /// them. Fails with a usage fault where one is not of that form; one that names a user is not printed.
    pub fn parse_list(text: &str) -> Result<Vec<Address>> {
        // Before the list is cut: a password may have commas in it.
        refuse_user(text)?;
        text.split(',').map(|one| one.trim().parse()).collect()
    }

    /// The host's name or IP address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Fails where a user is named, whose password may stand beside it.
fn refuse_user(text: &str) -> Result<()> {
    if !text.contains('@') {
        return Ok(());
    }
    Err(Fault::usage("an address of a metastore names a user or a password, which no metastore takes")
        .advise("write thrift://host:9083, and name the user in HADOOP_USER_NAME"))
}

impl FromStr for Address {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Address> {
        refuse_user(text)?;
        let wrong = |why: &str| {
            Fault::usage(format!("{text:?} is no address of a metastore: {why}"))
                .advise("write thrift://host:9083, several with commas between them")
        };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not start with thrift://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or_else(|| wrong("a bracket is not closed"))?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "/@?#".contains(c)) {
            return Err(wrong("its host is not one"));
        }
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port != 0),
            None if port.is_empty() => Some(DEFAULT_PORT),
            None => None,
        };
        Ok(Address::new(host, port.ok_or_else(|| wrong("its port is not one"))?))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_printed() {
        let hosts = Address::parse_list("thrift://one:1, thrift://two,thrift://[::1]:9083/").unwrap();
        let printed: Vec<String> = hosts.iter().map(Address::to_string).collect();
        assert_eq!(printed, ["one:1", "two:9083", "[::1]:9083"]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "one:9083",
            "http://one:1",
            "thrift://",
            "thrift://:1",
            "thrift://one:",
            "thrift://one:x",
            "thrift://one:0",
            "thrift://one:70000",
            "thrift://[::1",
            "thrift://[::1]9",
            "thrift://one:1,",
        ] {
            assert!(Address::parse_list(text).is_err(), "{text}");
        }
    }

    #[test]
    fn who_logs_in_is_refused_and_not_printed() {
        for text in [
            "thrift://mallory@one:1",
            "thrift://mallory:hunter2@one:1",
            "thrift://one:1,thrift://mallory:hunter2@two:x",
            "thrift://mallory:hunter2,hunter2@one:1",
            "mallory:hunter2@one",
        ] {
            for fault in [Address::parse_list(text).unwrap_err(), text.parse::<Address>().unwrap_err()] {
                let told = format!("{} {:?} {fault:?}", fault.chain(), fault.advice());
                assert_eq!(fault.class(), hivecast_run::Class::Usage, "{text}");
                assert!(!told.contains("hunter2") && !told.contains("mallory"), "{told}");
            }
        }
    }
}
