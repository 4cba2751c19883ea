//! Processes that end with the test, however it ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything that is waited for takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Runs a command until its own input ends, which it does when the test does, and ends with it.
const KEEP: &str = r#"exec 3<&0
"$@" </dev/null 3<&- & child=$!
{ cat <&3 >/dev/null; kill -TERM "$child" 2>/dev/null; } &
wait "$child""#;
/// Ports that the kernel gives nobody of its own accord (`ip_local_port_range`), so that nobody takes one between
/// its choice and its use.
const PORTS: std::ops::Range<u32> = 20_000..32_000;

/// A process of a group of its own, and what it started. All are ended when this is dropped.
pub(crate) struct Kept {
    keeper: Child,
    log: PathBuf,
}

impl Kept {
    pub(crate) fn start(command: &[&str], environment: &[(&str, &str)], log: &Path) -> Kept {
        let output = std::fs::File::create(log).unwrap();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEP, "keep"]).args(command).envs(environment.iter().copied());
        keeper.stdin(Stdio::piped()).stdout(output.try_clone().unwrap()).stderr(output).process_group(0);
        Kept { keeper: keeper.spawn().unwrap(), log: log.to_owned() }
    }

    /// The ids of its processes but the keeper.
    pub(crate) fn members(&self) -> Vec<u32> {
        let listed = Command::new("pgrep").args(["-g", &self.keeper.id().to_string()]).output().unwrap();
        let ids = String::from_utf8(listed.stdout).unwrap();
        ids.lines().map(|id| id.parse().unwrap()).filter(|id| *id != self.keeper.id()).collect()
    }

    fn has_ended(&mut self) -> bool {
        self.keeper.try_wait().unwrap().is_some()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it, and sees that nothing of it is left.
    pub(crate) fn stop(mut self) {
        self.end();
        assert!(self.members().is_empty(), "{:?} are left; {}", self.members(), self.log());
    }

    fn end(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        let deadline = Instant::now() + PATIENCE;
        while !self.members().is_empty() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.end();
        let group = format!("-{}", self.keeper.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    }
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Another process of this test starts elsewhere.
    let start = std::process::id().wrapping_mul(97);
    let port = || {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        u16::try_from(PORTS.start + offset).unwrap()
    };
    std::iter::repeat_with(port).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Whether somebody listens there.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// What a page of JSON says, where there is such a page.
pub(crate) fn page(port: u16, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| serde_json::from_str(body).ok()).flatten()
}

/// Waits until `look` finds something, while that process lives.
pub(crate) fn wait_for<T>(what: &str, by: &mut Kept, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(!by.has_ended(), "it ended before {what}: {}", by.log());
        assert!(Instant::now() < deadline, "waited in vain for {what}: {}", by.log());
        std::thread::sleep(LOOK);
    }
}
