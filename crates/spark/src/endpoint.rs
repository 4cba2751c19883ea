use std::fmt;

use hivecast_run::{Fault, Result};

/// The port where a connection string names none.
const DEFAULT_PORT: u16 = 15002;
/// The parameters that a connection string may have, among those that Spark's own clients know.
const PARAMETERS: [&str; 3] = ["use_ssl", "token", "user_id"];

/// A Spark Connect server, from `sc://host:port/;use_ssl=true;token=…`.
///
/// The form is that of Spark's clients, see "Connecting to Spark Connect using clients" in
/// <https://github.com/apache/spark/blob/v4.2.0/sql/connect/docs/client-connection-string.md>.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `host:port`; an IPv6 address stands in brackets.
    authority: String,
    host: String,
    pub(crate) security: Security,
    pub(crate) token: Option<String>,
    /// Whom the server takes us for; its sessions are told apart by it.
    pub(crate) user: String,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    Tls,
}

impl Endpoint {
    /// Reads a connection string. Fails with `Class::Usage`, without a word of what its parameters hold.
    pub fn parse(text: &str) -> Result<Endpoint> {
        let (place, parameters) = text.split_once(';').unwrap_or((text, ""));
        let no_endpoint = |why: &str| {
            // Before an `@` stands a password, as a rule.
            let shown = if place.contains('@') { "sc://…" } else { place };
            Fault::usage(format!("`engine: {shown}` is no Spark Connect endpoint: {why}"))
                .advise("write it as sc://host:15002, or sc://host:443/;use_ssl=true;token=${SPARK_TOKEN}")
        };
        let authority =
            place.strip_prefix("sc://").ok_or_else(|| no_endpoint("it does not begin with sc://"))?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return Err(no_endpoint("a host and a port must follow, and nothing else but parameters"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| no_endpoint("its port is no number"))?)
            }
            _ => (authority, DEFAULT_PORT),
        };
        let mut endpoint = Endpoint {
            authority: format!("{host}:{port}"),
            host: host.trim_matches(['[', ']']).to_owned(),
            security: Security::Plain,
            token: None,
            user: "hivecast".to_owned(),
        };
        for parameter in parameters.split(';').filter(|parameter| !parameter.is_empty()) {
            endpoint.take(parameter)?;
        }
        endpoint.check_token()?;
        Ok(endpoint)
    }

    fn take(&mut self, parameter: &str) -> Result<()> {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(Fault::usage("`engine` has a parameter without a value".to_owned())
                .advise(format!("write it as name=value; the names are {}", PARAMETERS.join(", "))));
        };
        let value = percent_decoded(value).filter(|value| !value.is_empty()).ok_or_else(|| {
            Fault::usage(format!("`engine` has a parameter {name} whose value can't be read"))
                .advise("write it plainly, with %3B for a semicolon and %25 for a percent sign")
        })?;
        match name {
            "use_ssl" => {
                self.security = match value.as_str() {
                    "true" => Security::Tls,
                    "false" => Security::Plain,
                    _ => {
                        return Err(Fault::usage(
                            "`engine` has a parameter use_ssl that is neither true nor false",
                        ));
                    }
                }
            }
            "token" => self.token = Some(value),
            "user_id" => self.user = value,
            _ => {
                return Err(Fault::usage(format!("`engine` has a parameter that is not known: {name}"))
                    .advise(format!("the parameters are {}", PARAMETERS.join(", "))));
            }
        }
        Ok(())
    }

    /// A token goes over TLS, or nowhere.
    fn check_token(&self) -> Result<()> {
        let is_loopback = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.token.is_none() || self.security == Security::Tls || is_loopback {
            return Ok(());
        }
        Err(Fault::usage(format!(
            "`engine: sc://{}` has a token, and would send it in clear text",
            self.authority
        ))
        .advise("write `use_ssl=true` beside it: sc://host:443/;use_ssl=true;token=${SPARK_TOKEN}"))
    }

    /// `host:port`, as messages name it.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let code = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(code, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Without the parameters, which may hold a token.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sc://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use hivecast_run::Class;

    use super::*;

    #[test]
    fn an_endpoint_shows_its_host_alone() {
        let endpoint =
            Endpoint::parse("sc://spark.bank:443/;use_ssl=true;token=hu%3Bsh;user_id=etl").unwrap();
        assert_eq!(format!("{endpoint:?}"), "sc://spark.bank:443");
        assert_eq!((endpoint.token.as_deref(), endpoint.user.as_str()), (Some("hu;sh"), "etl"));
        assert_eq!(endpoint.security, Security::Tls);
        assert_eq!(Endpoint::parse("sc://spark").unwrap().authority(), "spark:15002");
        assert_eq!(Endpoint::parse("sc://[::1]").unwrap().authority(), "[::1]:15002");
        assert_eq!(Endpoint::parse("sc://[::1]:7/;token=x").unwrap().authority(), "[::1]:7");
    }

    #[test]
    fn a_mistake_is_told_without_what_parameters_hold() {
        for (text, expected) in [
            ("sc://spark/;token=hush", "would send it in clear text"),
            ("sc://spark/;use_ssl=true;token=hush%zz", "parameter token whose value can't be read"),
            ("sc://spark/;use_ssl=true;hush", "a parameter without a value"),
            ("sc://spark/;tokn=hush", "not known: tokn"),
            ("sc://spark/;use_ssl=hush", "neither true nor false"),
            ("sc://spark/path;token=hush", "is no Spark Connect endpoint"),
            ("sc://spark:port/;token=hush", "its port is no number"),
            ("sc://hush@spark", "is no Spark Connect endpoint"),
        ] {
            let fault = Endpoint::parse(text).unwrap_err();
            let told = format!("{} {:?} {fault:?}", fault.chain(), fault.advice());
            assert_eq!(fault.class(), Class::Usage, "{text}");
            assert!(told.contains(expected), "{text}: {told}");
            assert!(!told.contains("hush"), "{text}: {told}");
        }
    }
}
