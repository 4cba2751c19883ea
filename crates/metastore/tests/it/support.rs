//! The servers under test, what they are filled with, and a proxy that sees and disturbs.

use hivecast_metastore::{
    Address, Column, Database, Metastore, Partition, Retries, Storage, Table, TableKind, Timeouts, User,
};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A version of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Hive3,
    Hive4,
}

impl Server {
    pub(crate) fn address(self) -> Address {
        let name = match self {
            Server::Hive3 => "HIVECAST_TEST_METASTORE_3",
            Server::Hive4 => "HIVECAST_TEST_METASTORE_4",
        };
        let text = std::env::var(name)
            .unwrap_or_else(|_| panic!("{name} is not set: run this test through dev/with-services"));
        text.parse().expect("an address")
    }

    pub(crate) fn metastore(self) -> Metastore {
        at(&[self.address()])
    }
}

/// Runs a function that takes a [`Server`] as one test for each version.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[test]
            fn hive_3() {
                super::$name(crate::support::Server::Hive3);
            }

            #[test]
            fn hive_4() {
                super::$name(crate::support::Server::Hive4);
            }
        }
    )* };
}
pub(crate) use on_both;

/// Long enough for a loaded machine: what is slow on purpose has time-outs of its own.
pub(crate) const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(120),
    operation: Duration::from_secs(240),
};

pub(crate) fn at(hosts: &[Address]) -> Metastore {
    let metastore = Metastore::new(hosts, PATIENT, User::named("tester")).expect("hosts");
    metastore.with_retries(Retries { rounds: 2, pause: Duration::from_millis(50) })
}

/// A client that gives up when a server says nothing for `answer`.
pub(crate) fn hasty(hosts: &[Address], answer: Duration) -> Metastore {
    let operation = answer * 10;
    let timeouts = Timeouts { connect: Duration::from_secs(2), answer, operation };
    let metastore = Metastore::new(hosts, timeouts, User::named("tester")).expect("hosts");
    metastore.with_retries(Retries { rounds: 2, pause: Duration::from_millis(50) })
}

/// When nobody answers at all.
pub(crate) const SOON: Duration = Duration::from_millis(300);
/// When a real server on a loaded machine has answered for certain.
pub(crate) const LATER: Duration = Duration::from_secs(8);

/// A name that no other test, run or process uses.
pub(crate) fn unique(name: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("it_{name}_{}_{started}_{count}", std::process::id())
}

/// A database of its own, below a directory of this machine.
pub(crate) fn database(metastore: &Metastore, name: &str, directory: &Path) -> String {
    let mut database = Database::new(unique(name));
    database.location = Some(uri(directory, ""));
    metastore.create_database(&database).expect("a database");
    database.name
}

pub(crate) fn uri(directory: &Path, below: &str) -> String {
    format!("file:{}/{below}", directory.display())
}

/// Parquet, as Hive declares it.
pub(crate) fn parquet(location: String) -> Storage {
    Storage {
        location: Some(location),
        input_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat".to_owned(),
        output_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat".to_owned(),
        serde_library: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe".to_owned(),
        ..Storage::default()
    }
}

/// An external Parquet table with one column, partitioned by these; made, and read back.
pub(crate) fn table(
    metastore: &Metastore,
    database: &str,
    directory: &Path,
    partitioned_by: &[(&str, &str)],
) -> Table {
    let name = unique("table");
    let mut table = Table::new(database, &name, TableKind::External);
    table.columns = Arc::from([Column::new("account_id", "bigint")]);
    table.partition_columns = columns(partitioned_by);
    table.storage = parquet(uri(directory, &name));
    metastore.create_table(&table).expect("a table");
    metastore.table(database, &name).expect("an answer").expect("the table")
}

pub(crate) fn columns(columns: &[(&str, &str)]) -> Vec<Column> {
    columns.iter().map(|(name, kind)| Column::new(*name, *kind)).collect()
}

pub(crate) fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Adds partitions with these values, each below the table's directory.
pub(crate) fn add(metastore: &Metastore, table: &Table, values: &[&[&str]]) {
    let root = table.storage.location.as_deref().expect("a location");
    let partitions: Vec<Partition> = values
        .iter()
        .enumerate()
        .map(|(index, values)| Partition::new(texts(values), format!("{root}/{index}")))
        .collect();
    assert_eq!(metastore.add_partitions(table, &partitions).expect("added"), values.len());
}

/// The partitions' values, sorted.
pub(crate) fn values(partitions: &[Partition]) -> Vec<Vec<String>> {
    let mut values: Vec<_> = partitions.iter().map(|partition| partition.values.clone()).collect();
    values.sort();
    values
}

/// What a proxy does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Forward,
    /// The server's answers don't arrive.
    SwallowAnswers,
    /// The server gets the call, and its answer ends the connection.
    CutAtAnswer,
    /// The call does not reach the server, and ends the connection.
    CutAtCall,
}

/// Stands between a client and a server.
pub(crate) struct Proxy {
    pub(crate) address: Address,
    shared: Arc<Shared>,
}

struct Shared {
    mode: Mutex<Mode>,
    /// The call at which the mode begins to count.
    only_for: Mutex<Option<String>>,
    calls: Mutex<Vec<String>>,
    received: AtomicU64,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn before(server: &Address) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = Address::new("127.0.0.1", listener.local_addr().expect("an address").port());
        let shared = Arc::new(Shared {
            mode: Mutex::new(Mode::Forward),
            only_for: Mutex::default(),
            calls: Mutex::default(),
            received: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let (accepted, server) = (Arc::clone(&shared), (server.host().to_owned(), server.port()));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let behind = TcpStream::connect((server.0.as_str(), server.1)).expect("the server");
                accepted.start(client, behind);
            }
        });
        Proxy { address, shared }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// Sets what is done with the answer to this call; others are forwarded.
    pub(crate) fn set_for(&self, call: &str, mode: Mode) {
        *self.shared.only_for.lock().unwrap() = Some(call.to_owned());
        self.set(mode);
    }

    /// Ends all connections, as a server that is stopped does.
    pub(crate) fn cut(&self) {
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// The names of the calls since the last time, without `set_ugi`.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::mem::take(&mut *self.shared.calls.lock().unwrap());
        calls.into_iter().filter(|call| call != "set_ugi").collect()
    }

    /// Bytes that the server answered since the last time.
    pub(crate) fn received(&self) -> u64 {
        self.shared.received.swap(0, Ordering::SeqCst)
    }
}

impl Shared {
    fn start(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let ours = [&client, &server].map(|stream| stream.try_clone().expect("a handle"));
        self.connections.lock().unwrap().extend(ours);
        let (from_client, to_server) =
            (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
        let shared = Arc::clone(self);
        thread::spawn(move || shared.forward_calls(from_client, to_server));
        let shared = Arc::clone(self);
        thread::spawn(move || shared.forward_answers(server, client));
    }

    fn forward_calls(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if let Some((call, _)) = head(&buffer[..count]) {
                self.calls.lock().unwrap().push(call);
            }
            if self.mode_now() == Mode::CutAtCall || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn forward_answers(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.received.fetch_add(count as u64, Ordering::SeqCst);
            match self.mode_now() {
                Mode::Forward if to.write_all(&buffer[..count]).is_ok() => {}
                Mode::SwallowAnswers => {}
                _ => break,
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn mode_now(&self) -> Mode {
        let last = self.calls.lock().unwrap().last().cloned();
        let only_for = self.only_for.lock().unwrap().clone();
        if only_for.is_some() && only_for != last { Mode::Forward } else { *self.mode.lock().unwrap() }
    }
}

/// The name and the sequence number of the call that a message starts.
pub(crate) fn head(message: &[u8]) -> Option<(String, [u8; 4])> {
    let rest = message.strip_prefix(&[0x80, 0x01, 0x00, 0x01])?;
    let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let name = std::str::from_utf8(rest.get(4..4 + length)?).ok()?.to_owned();
    Some((name, rest.get(4 + length..8 + length)?.try_into().ok()?))
}
