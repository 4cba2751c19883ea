//! Spark Connect servers that a test starts itself, to set them up in its own way and to do them harm.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longer than a server takes for anything that is waited for, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Heaps of two servers at once are more than small machines have.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How a server is set up.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    pub(crate) master: Option<&'a str>,
    /// Where it spills.
    pub(crate) local_dir: Option<&'a Path>,
    pub(crate) conf: &'a [&'a str],
    /// Whether something in front of it speaks TLS.
    pub(crate) tls: Option<Tls>,
}

/// That something in front of it speaks TLS.
pub(crate) struct Tls;

/// A server of one test's own. It is stopped when this is dropped, or this process ends.
pub(crate) struct OwnServer {
    /// `dev/spark run`, which stops the server once its input ends.
    keeper: Child,
    dir: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    ui_port: u16,
    _one: MutexGuard<'static, ()>,
}

impl OwnServer {
    pub(crate) fn start(setup: &Setup<'_>) -> OwnServer {
        let one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let ui_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/spark"));
        command.arg("run").arg("--dir").arg(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Progress is how tests know where a build is, and the pages tell what still runs.
        let ui = format!("spark.ui.port={ui_port}");
        let ours = ["spark.connect.progress.reportInterval=200ms", "spark.ui.enabled=true", &ui];
        for setting in ours.iter().chain(setup.conf) {
            command.args(["--conf", setting]);
        }
        command.args(setup.master.map(|master| ["--master", master]).into_iter().flatten());
        command.args(setup.tls.iter().map(|Tls| "--tls"));
        if let Some(local_dir) = setup.local_dir {
            command.arg("--local-dir").arg(local_dir);
        }
        let mut keeper = command.spawn().unwrap();
        let expected = 1 + setup.tls.iter().count() * 2;
        let lines =
            BufReader::new(keeper.stdout.take().unwrap()).lines().map_while(Result::ok).take(expected);
        let variables = lines.filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        });
        let variables: BTreeMap<String, String> = variables.collect();
        assert_eq!(variables.len(), expected, "the server did not start: {variables:?}");
        OwnServer { keeper, dir, variables, ui_port, _one: one }
    }

    /// `sc://host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.variables["HIVECAST_TEST_SPARK"]
    }

    /// The same server behind TLS: `sc://host:port/;use_ssl=true`.
    pub(crate) fn tls_address(&self) -> &str {
        &self.variables["HIVECAST_TEST_SPARK_TLS"]
    }

    /// The authority that signed its certificate.
    pub(crate) fn authority(&self) -> &str {
        &self.variables["HIVECAST_TEST_SPARK_CA"]
    }

    /// The driver's process.
    pub(crate) fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.dir.path().join("running.json")).unwrap();
        let running: serde_json::Value = serde_json::from_str(&text).unwrap();
        running["pid"].as_u64().unwrap().try_into().unwrap()
    }

    /// The processes of executors, where those are processes.
    pub(crate) fn executors(&self) -> Vec<u32> {
        let mut children = Command::new("pgrep");
        children.args(["-f", "CoarseGrainedExecutorBackend", "-P", &self.pid().to_string()]);
        let listed = children.output().unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// How many jobs it is at.
    pub(crate) fn running_jobs(&self) -> usize {
        let applications = self.ask("/api/v1/applications");
        let id = applications[0]["id"].as_str().unwrap();
        self.ask(&format!("/api/v1/applications/{id}/jobs?status=running")).as_array().unwrap().len()
    }

    fn ask(&self, path: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ui_port)).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Ends a process without its having a say. Returns when it is gone.
pub(crate) fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    wait_for("a killed process to end", || !is_alive(pid));
}

fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // What nobody has taken the exit status of is listed, and dead.
    !stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with(['Z', 'X']))
}

pub(crate) fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}

/// A small file system of its own, where this process may mount one.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn mount(size: &str) -> SmallDisk {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).status();
        assert!(mounted.unwrap().success(), "mounting a tmpfs needs root");
        SmallDisk(dir)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
