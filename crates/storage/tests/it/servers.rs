//! Servers that a test may break, since it is the only one that uses them, and those that are broken from
//! the start. The binary's tests use them too.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

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
        let done = Command::new(script).arg(action).arg("--dir").arg(self.dir()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn running(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.dir().join("running.json")).unwrap()).unwrap()
    }

    /// What lies in its directory, such as the data node's blocks in `data`.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> String {
        self.running()["env"]["HIVECAST_TEST_HDFS"].as_str().unwrap().to_owned()
    }

    pub(crate) fn signal_data_node(&self, signal: Signal) {
        let pid = i32::try_from(self.running()["processes"]["datanode"][0].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

impl Drop for OwnHdfs {
    fn drop(&mut self) {
        self.dev_hdfs("stop");
    }
}
