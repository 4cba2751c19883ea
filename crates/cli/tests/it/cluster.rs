//! Projects whose warehouse is not this machine's disk, and what tests do to it behind hivecast's back.
//! Needs the servers that `dev/with-services` starts; without them these tests fail, so that nobody takes
//! their silence for success.

use std::fs;
use std::sync::Arc;

use hivecast_metastore::{Address, Metastore, Timeouts, User};
use hivecast_storage::{Existing, HdfsLogin, Location, S3Settings, Settings, Storage, Stores};
use serde_json::Value;

use crate::support::{DAYS, Ran, Scratch};

/// A variable of the services under test.
pub(crate) fn variable(name: &str) -> String {
    let name = format!("HIVECAST_TEST_{name}");
    std::env::var(&name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `dev/with-services`"))
}

/// The client of a metastore, `3` or `4`.
pub(crate) fn metastore(server: &str) -> Metastore {
    let hosts = Address::parse_list(&variable(&format!("METASTORE_{server}"))).unwrap();
    Metastore::new(&hosts, Timeouts::default(), User::current()).unwrap()
}

/// Where a server listens, without its scheme.
pub(crate) fn host(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, host)| host)
}

/// How HDFS is reached by who started it, who may do anything. New files and directories have these bits
/// taken away.
pub(crate) fn hdfs_as_owner(umask: &str) -> Settings {
    let hadoop = [("fs.permissions.umask-mode".to_owned(), umask.to_owned())].into();
    Settings { hadoop, ..Settings::default() }
}

/// How HDFS is reached by somebody else.
pub(crate) fn hdfs_as(user: &str) -> Settings {
    Settings {
        hdfs: HdfsLogin { user: Some(user.to_owned()), ..HdfsLogin::default() },
        ..Settings::default()
    }
}

/// How the S3 server is reached.
pub(crate) fn s3() -> Settings {
    let s3 = S3Settings {
        endpoint: Some(variable("S3")),
        region: Some(variable("S3_REGION")),
        access_key_id: Some(variable("S3_ACCESS_KEY_ID")),
        secret_access_key: Some(variable("S3_SECRET_ACCESS_KEY")),
    };
    Settings { s3, ..Settings::default() }
}

/// The same, as an environment's setting, with one of its values replaced.
pub(crate) fn s3_setting(replaced: (&str, &str)) -> String {
    let of = |setting: &str, name: &str| match replaced {
        (other, value) if other == setting => format!("{setting}: \"{value}\""),
        _ => format!("{setting}: \"{}\"", variable(name)),
    };
    let key = match replaced {
        ("secret_access_key", value) => value,
        _ => "${file:s3_key}",
    };
    let settings = [
        of("endpoint", "S3"),
        of("region", "S3_REGION"),
        of("access_key_id", "S3_ACCESS_KEY_ID"),
        format!("secret_access_key: \"{key}\""),
    ];
    format!("s3: {{ {} }}", settings.join(", "))
}

/// A place of a store, without any code of the warehouse's.
pub(crate) struct Outside {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) at: Location,
}

impl Outside {
    pub(crate) fn new(at: &str, settings: Settings) -> Outside {
        let at = Location::parse(at).unwrap();
        Outside { storage: Stores::new(settings).of(&at).unwrap(), at }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.storage.list(&self.at).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    /// The only file whose name ends so.
    pub(crate) fn file(&self, end: &str) -> Location {
        let mut names: Vec<String> = self.names().into_iter().filter(|name| name.ends_with(end)).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        self.at.join(&names.remove(0))
    }

    /// Replaces a file by what is made of it.
    pub(crate) fn change(&self, file: &Location, change: impl FnOnce(&mut Vec<u8>)) {
        let whole = self.storage.open(file).unwrap();
        let mut bytes = whole.read_at(0..whole.len()).unwrap().to_vec();
        change(&mut bytes);
        let dir = tempfile::tempdir().unwrap();
        let changed = dir.path().join("changed");
        fs::write(&changed, bytes).unwrap();
        self.storage.put(&changed, file, Existing::Replace).unwrap();
    }

    /// Everything below, with its size.
    pub(crate) fn tree(&self) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        let mut dirs = vec![self.at.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in self.storage.list(&dir).unwrap() {
                let at = dir.join(&entry.name);
                found.push((at.to_string(), entry.size));
                if entry.kind == hivecast_storage::Kind::Directory {
                    dirs.push(at);
                }
            }
        }
        found.sort();
        found
    }
}

/// The example project with environments of a test's own, each with a directory as its target.
pub(crate) struct Project {
    pub(crate) scratch: Scratch,
    /// A name that no other test, run or process uses: that of the database.
    pub(crate) name: String,
}

impl Project {
    pub(crate) fn new(test: &str) -> Project {
        let scratch = Scratch::example();
        let name = format!("{test}_{}", std::process::id());
        scratch.write("mask_key", "for-trying-out-only");
        scratch.edit("feeds/contracts.yaml", "source: mdm.", &format!("source: {name}."));
        Project { scratch, name }
    }

    /// Adds an environment; `settings` are `warehouse`, and what else it needs.
    pub(crate) fn environment(&self, env: &str, settings: &str) -> &Project {
        let store =
            if settings.contains(", store:") { String::new() } else { format!("store: ./editions-{env}, ") };
        let project = self.scratch.read("hivecast.yaml");
        let line = format!(
            "  {env}: {{ {settings}, {store}target: {{ dir: ./topics-{env} }}, mask_key: \"${{file:mask_key}}\" }}\n"
        );
        self.scratch.write("hivecast.yaml", project + &line);
        self
    }

    pub(crate) fn hivecast(&self, env: &str, args: &[&str]) -> Ran {
        self.scratch.hivecast(["--env", env].into_iter().chain(args.iter().copied()))
    }

    /// The last days of [`DAYS`].
    pub(crate) fn sample(&self, env: &str, accounts: u32, days: usize, more: &[&str]) {
        let (accounts, days) = (accounts.to_string(), days.to_string());
        let line =
            ["sample", "--accounts", &accounts, "--days", &days, "--seed", "7", "--load-date", DAYS[2]];
        self.hivecast(env, &[&line, &["--database", self.name.as_str()][..], more].concat()).succeeded();
    }

    /// The report of a run of one day that succeeds.
    pub(crate) fn run(&self, env: &str, args: &[&str]) -> Value {
        self.hivecast(env, &[args, &["--json"]].concat()).succeeded().json()["runs"][0].clone()
    }
}

/// Each part is in the text.
#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}
