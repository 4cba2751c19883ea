use std::fmt;

use hivecast_run::{Fault, Result};
use spark_connect_core::ChannelBuilder;

/// The parameters that a connection string may have, as Spark's clients know them.
const PARAMETERS: [&str; 5] = ["use_ssl", "token", "user_id", "session_id", "user_agent"];
/// Who we are to a server that lists its sessions.
const USER_AGENT: &str = concat!("hivecast/", env!("CARGO_PKG_VERSION"));

/// A Spark Connect server, from `sc://host:port/;use_ssl=true;token=…`.
///
/// See Spark's "Connecting to Spark Connect using clients":
/// <https://github.com/apache/spark/blob/master/sql/connect/docs/client-connection-string.md>.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) channel: ChannelBuilder,
}

impl Endpoint {
    /// Reads a connection string. Fails with `Class::Usage`, without a word of what its parameters hold.
    pub fn parse(text: &str) -> Result<Endpoint> {
        check_parameters(text)?;
        let mut channel = ChannelBuilder::parse(text).map_err(|error| {
            // What follows the host may hold a token.
            let shown = text.split([';', '?', '#']).next().unwrap_or_default();
            Fault::usage(format!("`engine: {shown}` is no Spark Connect endpoint")).because(error.message())
        })?;
        // The client's own fallback is a variable of the environment, which a run must not hang on.
        if channel.get("user_agent").is_none() {
            channel.set("user_agent", USER_AGENT);
        }
        if channel.get("token").is_some() && !channel.use_ssl() && !channel.is_loopback() {
            return Err(Fault::usage(format!(
                "`engine: sc://{}` has a token, and would send it in clear text",
                channel.endpoint()
            ))
            .advise("write `use_ssl=true` beside it: sc://host:443/;use_ssl=true;token=${SPARK_TOKEN}"));
        }
        Ok(Endpoint { channel })
    }

    /// `host:port`, as messages name it.
    pub fn host(&self) -> String {
        self.channel.endpoint()
    }
}

/// The client quotes a parameter that it can't read, with what it holds.
fn check_parameters(text: &str) -> Result<()> {
    let parameters = text.split_once(';').map_or("", |(_, parameters)| parameters);
    for parameter in parameters.split(';').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !PARAMETERS.contains(&name) {
            let shown = if name.len() == parameter.len() { "one without a value" } else { name };
            return Err(Fault::usage(format!("`engine` has a parameter that is not known: {shown}"))
                .advise(format!("the parameters are {}", PARAMETERS.join(", "))));
        }
        if value.is_empty() || value.contains('=') {
            return Err(Fault::usage(format!("`engine` has a parameter {name} that can't be read"))
                .advise(format!("write it as {name}=…, with %3D for an equal sign in it")));
        }
    }
    Ok(())
}

/// Without the parameters, which may hold a token.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sc://{}", self.host())
    }
}

#[cfg(test)]
mod tests {
    use hivecast_run::Class;

    use super::*;

    #[test]
    fn an_endpoint_shows_its_host_alone() {
        let endpoint = Endpoint::parse("sc://Spark.bank:443/;use_ssl=true;token=hush").unwrap();
        assert_eq!(format!("{endpoint:?}"), "sc://spark.bank:443");
        assert_eq!(endpoint.host(), "spark.bank:443");
        assert_eq!(Endpoint::parse("sc://spark").unwrap().host(), "spark:15002");
    }

    #[test]
    fn a_mistake_is_told_without_what_parameters_hold() {
        for (text, expected) in [
            ("sc://spark/;token=hush", "would send it in clear text"),
            ("sc://spark/;use_ssl=true;token=hush=hush", "parameter token that can't be read"),
            ("sc://spark/;use_ssl=true;hush", "one without a value"),
            ("sc://spark/;tokn=hush", "not known: tokn"),
            ("sc://spark/path;token=hush", "is no Spark Connect endpoint"),
            ("sc://spark:port/;token=hush", "is no Spark Connect endpoint"),
        ] {
            let fault = Endpoint::parse(text).unwrap_err();
            let told = format!("{} {:?} {fault:?}", fault.chain(), fault.advice());
            assert_eq!(fault.class(), Class::Usage, "{text}");
            assert!(told.contains(expected), "{text}: {told}");
            assert!(!told.contains("hush"), "{text}: {told}");
        }
    }
}
