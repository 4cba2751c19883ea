//! A project in a directory of its own, and the binary run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The longest that any command of these tests may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The days of a small sample: enough for a previous edition, tombstones and ranges.
pub(crate) const DAYS: [&str; 3] = ["2026-11-20", "2026-11-21", "2026-11-22"];

/// A directory with a project in it.
pub(crate) struct Scratch {
    dir: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    /// An empty directory.
    pub(crate) fn empty() -> Self {
        Scratch { dir: tempfile::tempdir().unwrap() }
    }

    /// The example project, without data.
    pub(crate) fn example() -> Self {
        let scratch = Scratch::empty();
        scratch.hivecast(["init", "."]).succeeded();
        scratch
    }

    /// The example project with a sample of so many accounts on each of [`DAYS`].
    pub(crate) fn sampled(accounts: u64) -> Self {
        let scratch = Scratch::example();
        let accounts = accounts.to_string();
        let last = DAYS[DAYS.len() - 1];
        scratch
            .hivecast(["sample", "--accounts", &accounts, "--days", "3", "--seed", "7", "--load-date", last])
            .succeeded();
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text in a file; it must be there.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} does not hold {from:?}:\n{text}");
        self.write(path, text.replace(from, to));
    }

    /// The binary, ready to run here, with an environment that holds nothing of the machine's.
    pub(crate) fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hivecast"));
        command.args(args).current_dir(self.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the binary with `--quiet`, so that standard error holds the error alone.
    pub(crate) fn hivecast<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        let args = std::iter::once("--quiet").chain(args);
        self.finish(self.command(args).spawn().unwrap())
    }

    /// Waits for a command, and hides where this directory is.
    pub(crate) fn finish(&self, child: Child) -> Ran {
        let output = wait(child);
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&*self.path().to_string_lossy(), "[dir]")
        };
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The files of a directory under this one, by their path in it.
    pub(crate) fn files(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut dirs = vec![self.join(dir)];
        while let Some(next) = dirs.pop() {
            for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    let name = path.strip_prefix(self.join(dir)).unwrap().to_string_lossy().into_owned();
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        files
    }
}

/// Waits with a deadline; a command that hangs is killed and fails the test.
fn wait(mut child: Child) -> Output {
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    // Both pipes are drained while waiting, or a full one would block the child.
    let drain_stdout = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut bytes).map(|_| bytes)
    });
    let drain_stderr = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stderr, &mut bytes).map(|_| bytes)
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let stdout = drain_stdout.join().unwrap().unwrap();
    let stderr = drain_stderr.join().unwrap().unwrap();
    let Some(status) = status else {
        panic!("the command hung; standard error:\n{}", String::from_utf8_lossy(&stderr));
    };
    Output { status, stdout, stderr }
}

impl Ran {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// The command failed with this exit code; gives what it said.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self.stderr
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A record as a consumer reads it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) partition: u32,
    pub(crate) key: String,
    /// `None` is a tombstone.
    pub(crate) value: Option<serde_json::Value>,
}

impl Scratch {
    /// Every record in the files of a `dir` target's topic, read without any code of the target's.
    /// It holds what is committed as long as no run is under way and the last one ended well.
    pub(crate) fn topic(&self, target: &str, topic: &str) -> Vec<Record> {
        let dir = self.join(target).join(topic);
        let mut records = Vec::new();
        for partition in 0u32.. {
            let Ok(text) = fs::read_to_string(dir.join(format!("partition-{partition}.ndjson"))) else {
                break;
            };
            for (number, line) in text.lines().enumerate() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(line["offset"], number, "partition {partition} has no gap and no repetition");
                let value = Some(line["value"].clone()).filter(|value| !value.is_null());
                records.push(Record { partition, key: line["key"].as_str().unwrap().to_owned(), value });
            }
        }
        records
    }

    /// The partitions of every topic of a `dir` target, byte for byte.
    pub(crate) fn topic_files(&self, target: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files(target);
        files.retain(|name, _| name.contains("/partition-"));
        files
    }
}
