//! The stores under test, each with a place of its own in it.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hivecast_storage::{Existing, Location, ReadAt, S3Settings, Settings, Storage, Stores};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A variable of the services under test.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this test through dev/with-services"))
}

/// A name that no other test, run or process uses.
pub(crate) fn unique() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("{}-{started}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn s3_settings() -> S3Settings {
    S3Settings {
        endpoint: Some(variable("HIVECAST_TEST_S3")),
        region: Some(variable("HIVECAST_TEST_S3_REGION")),
        access_key_id: Some(variable("HIVECAST_TEST_S3_ACCESS_KEY_ID")),
        secret_access_key: Some(variable("HIVECAST_TEST_S3_SECRET_ACCESS_KEY")),
    }
}

/// A directory of a store that is this test's own, and one of this machine to put files from.
pub(crate) struct Place {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) root: Location,
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn at(root: &str, settings: Settings) -> Place {
        let root = Location::parse(root).unwrap();
        let storage = Stores::new(settings).of(&root).unwrap();
        Place { storage, root, dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn local() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root").to_str().unwrap().to_owned();
        Place { dir, ..Place::at(&root, Settings::default()) }
    }

    pub(crate) fn hdfs() -> Place {
        let root = format!("{}/it/{}", variable("HIVECAST_TEST_HDFS"), unique());
        Place::at(&root, Settings::default())
    }

    pub(crate) fn s3() -> Place {
        Place::at(&s3_root(), Settings { s3: s3_settings(), ..Settings::default() })
    }

    /// A file of this machine with these bytes.
    pub(crate) fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(format!("file-{}", unique()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Location {
        let at = self.root.join(name);
        self.storage.put(&self.file(bytes), &at, Existing::Refuse).unwrap();
        at
    }

    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        let entries = self.storage.list(&self.root.join(name)).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    pub(crate) fn read(&self, at: &Location) -> Bytes {
        whole(self.storage.open(at).unwrap().as_ref())
    }
}

pub(crate) fn s3_root() -> String {
    format!("s3://{}/it/{}", variable("HIVECAST_TEST_S3_BUCKET"), unique())
}

pub(crate) fn whole(file: &dyn ReadAt) -> Bytes {
    file.read_at(0..file.len()).unwrap()
}

/// Bytes that differ everywhere.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// How long it took, and what it gave.
pub(crate) fn timed<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let done = call();
    (started.elapsed(), done)
}

/// An address where nobody listens.
pub(crate) fn dead_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A server that takes connections and never says a word.
pub(crate) fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// A server that passes on what it gets, but cuts each connection after so many bytes from the client.
pub(crate) fn cutting_proxy(to: &str, after: u64) -> String {
    let (listener, address) = silent_server();
    let to = to.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&to) else { return };
            std::thread::spawn(move || pass_on(&client, &server, after));
        }
    });
    address
}

fn pass_on(client: &TcpStream, server: &TcpStream, after: u64) {
    std::thread::scope(|scope| {
        scope.spawn(|| std::io::copy(&mut &*server, &mut &*client));
        let _ = std::io::copy(&mut std::io::Read::take(client, after), &mut &*server);
        for stream in [client, server] {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    });
}

/// A name node and a data node of this test's own; gone when this is.
pub(crate) struct OwnHdfs {
    dir: TempDir,
}

impl OwnHdfs {
    pub(crate) fn start() -> OwnHdfs {
        let own = OwnHdfs { dir: tempfile::tempdir().unwrap() };
        own.dev_hdfs("start");
        own
    }

    pub(crate) fn dev_hdfs(&self, action: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../dev/hdfs");
        let done = Command::new(script).arg(action).arg("--dir").arg(self.dir.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn running(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.dir.path().join("running.json")).unwrap()).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.running()["env"]["HIVECAST_TEST_HDFS"].as_str().unwrap().to_owned()
    }

    pub(crate) fn signal_data_node(&self, signal: Signal) {
        let pid = i32::try_from(self.running()["processes"]["datanode"][0].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// With these settings, at a directory of this test's own.
    pub(crate) fn place(&self, settings: Settings) -> Place {
        Place::at(&format!("{}/it/{}", self.url(), unique()), settings)
    }
}

impl Drop for OwnHdfs {
    fn drop(&mut self) {
        self.dev_hdfs("stop");
    }
}
