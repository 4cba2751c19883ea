//! Which name nodes there are, which of them can be reached, and the client for them.
//!
//! hdfs-native gives connecting to a name node no time of its own: a node that is switched off would hold
//! each call until its end, with the other node of the pair never asked. So the nodes are knocked at first,
//! all at once, and those that answer come first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use hdfs_native::{Client, ClientBuilder};
use hivecast_run::{Fault, Result};

use super::errors;
use crate::error::advised;
use crate::hadoop::{Hadoop, NameNodes};
use crate::{HdfsLogin, Location, Settings, runtime};

/// How often a call goes on to another node, or to the same one again, for each node that there is. Hadoop's
/// default is made for a service that waits for minutes.
const FAILOVERS_PER_NODE: usize = 2;
/// The longest pause between two of them, milliseconds.
const FAILOVER_SLEEP_MS: u32 = 2_000;

/// A data node may be silent for this part of what a call may take, so that there is time left to ask those
/// that have the same block.
const SHARE_OF_DATA_NODE: u32 = 3;

/// How long a data node may be silent, milliseconds.
const SOCKET_TIMEOUT: &str = "dfs.client.socket-timeout";

/// How HDFS's users prove who they are.
const AUTHENTICATION: &str = "hadoop.security.authentication";
const KERBEROS: &str = "kerberos";

/// What knocking at a node gave; none where it took too long.
type Answer = Option<io::Result<()>>;

/// How the name nodes of one file system are reached.
pub(super) struct Connection {
    nodes: NameNodes,
    properties: BTreeMap<String, String>,
    dir: Option<PathBuf>,
    login: HdfsLogin,
    to_connect: Duration,
    data_node: Duration,
    client: Mutex<Option<Client>>,
    /// How often nobody answered. A name node may take connections and never answer: each time another
    /// one comes first.
    silences: AtomicUsize,
}

impl Connection {
    /// `Class::Usage` for a word that is neither a name service nor a host that can be found.
    pub(super) fn new(location: &Location, hadoop: &Hadoop, settings: &Settings) -> Result<Connection> {
        let nodes = hadoop.name_nodes(location.authority())?;
        let timeouts = settings.hdfs_timeouts;
        settings.hdfs.check(hadoop)?;
        refuse_unknown(location, hadoop, timeouts.connect)?;
        let mut properties = hadoop.all();
        let silence = (timeouts.call / SHARE_OF_DATA_NODE).as_millis().max(1);
        for (name, value) in [
            ("dfs.client.failover.max.attempts", (nodes.nodes.len() * FAILOVERS_PER_NODE).to_string()),
            ("dfs.client.failover.sleep.max.millis", FAILOVER_SLEEP_MS.to_string()),
            (SOCKET_TIMEOUT, silence.to_string()),
        ] {
            properties.entry(name.to_owned()).or_insert(value);
        }
        let silence = properties.get(SOCKET_TIMEOUT).and_then(|text| text.parse().ok());
        let silence = silence.map_or(timeouts.call, Duration::from_millis);
        Ok(Connection {
            data_node: timeouts.call.max(silence.saturating_mul(SHARE_OF_DATA_NODE)),
            nodes,
            properties,
            dir: hadoop.dir().map(PathBuf::from),
            login: settings.hdfs.clone(),
            to_connect: timeouts.connect,
            client: Mutex::default(),
            silences: AtomicUsize::new(0),
        })
    }

    /// The name nodes, as people read it.
    pub(super) fn shown(&self) -> String {
        self.nodes.shown()
    }

    /// Who logs in with Kerberos, and with what, as it goes on in a sentence about the name nodes.
    pub(super) fn shown_login(&self) -> String {
        let HdfsLogin { kerberos_principal, kerberos_keytab, kerberos_cache, .. } = &self.login;
        let Some(principal) = kerberos_principal else {
            return ", with the ticket of kinit".to_owned();
        };
        let with = match (kerberos_keytab, kerberos_cache) {
            (Some(keytab), _) => format!("the keytab {}", keytab.display()),
            (None, Some(cache)) => format!("the ticket cache {cache}"),
            (None, None) => "the ticket of kinit".to_owned(),
        };
        format!(", as {principal} with {with}")
    }

    /// How long no data node may send anything before a read is given up.
    pub(super) fn patience_with_data_nodes(&self) -> Duration {
        self.data_node
    }

    /// The client. The first call of a run, and the first after silence, looks for nodes that answer.
    pub(super) fn client(&self, at: &Location) -> io::Result<Client> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        let nodes = self.knock(at)?;
        Ok(client.insert(self.build(at, &nodes)?).clone())
    }

    /// Nobody answered: has the next call look for name nodes again, and begin with another.
    pub(super) fn forget(&self) {
        self.silences.fetch_add(1, Ordering::Relaxed);
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The nodes, those that can be reached first. An error, with each one's reason, where none can.
    fn knock(&self, at: &Location) -> io::Result<Vec<(String, String)>> {
        let (sender, receiver) = mpsc::channel();
        for (n, (_, address)) in self.nodes.nodes.iter().enumerate() {
            let (sender, address, limit) = (sender.clone(), address.clone(), self.to_connect);
            // Finding a host's address has no limit of its own, so nobody waits for this thread.
            thread::spawn(move || sender.send((n, connect(&address, limit))));
        }
        drop(sender);
        let deadline = Instant::now() + self.to_connect;
        let mut results: Vec<Answer> = self.nodes.nodes.iter().map(|_| None).collect();
        while let Ok((n, result)) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            results[n] = Some(result);
        }
        let (mut reached, silent): (Vec<_>, Vec<_>) =
            self.nodes.nodes.iter().zip(results).partition(|(_, result)| matches!(result, Some(Ok(()))));
        let turns = self.silences.load(Ordering::Relaxed).checked_rem(reached.len());
        reached.rotate_left(turns.unwrap_or(0));
        if reached.is_empty() {
            return Err(self.unreachable(at, silent));
        }
        Ok(reached.into_iter().chain(silent).map(|(node, _)| node.clone()).collect())
    }

    fn unreachable(&self, at: &Location, silent: Vec<(&(String, String), Answer)>) -> io::Error {
        let mut kind = ErrorKind::TimedOut;
        let reasons: Vec<String> = silent
            .into_iter()
            .map(|((_, address), result)| match result {
                Some(Err(error)) => {
                    kind = error.kind();
                    format!("{address}: {error}")
                }
                _ => format!("{address}: no connection within {:?}", self.to_connect),
            })
            .collect();
        let text = format!("no name node can be reached ({})", reasons.join("; "));
        // Whatever it was, a host that can't be found included.
        let help = errors::advice(ErrorKind::NotConnected).map(str::to_owned);
        advised(kind, at, text, (None, help))
    }

    fn build(&self, at: &Location, nodes: &[(String, String)]) -> io::Result<Client> {
        let mut properties = self.properties.clone();
        let url = match &self.nodes.service {
            Some(service) => {
                let ids: Vec<&str> = nodes.iter().map(|(id, _)| id.as_str()).collect();
                properties.insert(format!("dfs.ha.namenodes.{service}"), ids.join(","));
                for (id, address) in nodes {
                    properties.insert(format!("dfs.namenode.rpc-address.{service}.{id}"), address.clone());
                }
                format!("hdfs://{service}")
            }
            None => format!("hdfs://{}", nodes.first().map_or("", |(_, address)| address)),
        };
        let mut builder =
            ClientBuilder::new().with_url(url).with_config(properties).with_io_runtime(runtime::handle()?);
        if let Some(dir) = self.dir.as_ref().and_then(|dir| dir.to_str()) {
            // Its properties are in ours already; named so that no other directory is read below them.
            builder = builder.with_config_dir(dir);
        }
        self.login.apply(builder).build().map_err(|error| errors::io_error(at, self, &error))
    }
}

impl HdfsLogin {
    /// Who names a principal means Kerberos: without it any name is believed, and the principal ignored.
    fn check(&self, hadoop: &Hadoop) -> Result<()> {
        let Some(principal) = &self.kerberos_principal else { return Ok(()) };
        if hadoop.get(AUTHENTICATION).as_deref() != Some(KERBEROS) {
            return Err(Fault::usage(format!(
                "{principal} is to log in to HDFS with Kerberos, which Hadoop's configuration does not ask for"
            ))
            .advise(format!("set {AUTHENTICATION} to {KERBEROS}, in core-site.xml or among Hadoop's properties")));
        }
        let Some(keytab) = &self.kerberos_keytab else { return Ok(()) };
        // The library's own word for it names no file.
        match File::open(keytab) {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(Fault::usage(format!("failed to open the keytab {}", keytab.display())).because(error))
            }
        }
    }

    fn apply(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if let Some(user) = &self.user {
            builder = builder.with_user(user);
        }
        if let Some(principal) = &self.kerberos_principal {
            builder = builder.with_kerberos_principal(principal);
        }
        if let Some(keytab) = &self.kerberos_keytab {
            builder = builder.with_kerberos_keytab(keytab.to_string_lossy());
        }
        if let Some(cache) = &self.kerberos_cache {
            builder = builder.with_kerberos_cache(cache);
        }
        builder
    }
}

fn connect(address: &str, limit: Duration) -> io::Result<()> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A bare word is a host only if it can be found; else it is a name service that the configuration lacks,
/// and no later try changes that.
fn refuse_unknown(location: &Location, hadoop: &Hadoop, limit: Duration) -> Result<()> {
    let word = location.authority();
    if word.is_empty() || word.contains(['.', ':']) || hadoop.has_service(word) {
        return Ok(());
    }
    let (sender, receiver) = mpsc::channel();
    let host = (word.to_owned(), 0);
    thread::spawn(move || sender.send(host.to_socket_addrs().map(|_| ())));
    let Ok(Err(error)) = receiver.recv_timeout(limit) else { return Ok(()) };
    let known: Vec<String> = hadoop.services().into_iter().collect();
    let from = hadoop.dir().map_or("no directory".to_owned(), |dir| dir.display().to_string());
    let known = match known.as_slice() {
        [] => format!("Hadoop's configuration (from {from}) has no name service"),
        names => format!("Hadoop's configuration (from {from}) has the name services {}", names.join(", ")),
    };
    Err(Fault::usage(format!("{location}: `{word}` is neither a name service nor a host; {known}"))
        .because(error)
        .advise("correct the name, or set HADOOP_CONF_DIR to the directory of hdfs-site.xml"))
}
