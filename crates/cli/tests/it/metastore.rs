//! A warehouse that is a Hive Metastore, from a sample to a publish and to retention. Needs the servers
//! that `dev/with-services` starts; without them these tests fail, so that nobody takes their silence
//! for success.

use std::fs;

use hivecast_metastore::{Address, Metastore, Timeouts, User};
use serde_json::Value;

use crate::support::{DAYS, Ran, Scratch};

const FORMATS: [&str; 5] = ["parquet", "orc", "avro", "json", "text"];
const TABLES: [&str; 3] = ["accounts", "parties", "party_address"];

/// A project whose environment `hive` has tables in a database that no other test has.
pub(crate) struct OnMetastore {
    pub(crate) scratch: Scratch,
    pub(crate) database: String,
    pub(crate) address: Address,
}

impl OnMetastore {
    pub(crate) fn new(server: &str, test: &str) -> Self {
        let name = format!("HIVECAST_TEST_METASTORE_{server}");
        let address = std::env::var(&name)
            .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `dev/with-services`"));
        let scratch = Scratch::example();
        let database = format!("sample_{test}_{}", std::process::id());
        scratch.write("mask_key", "for-trying-out-only");
        scratch.edit("feeds/contracts.yaml", "source: mdm.", &format!("source: {database}."));
        let project = scratch.read("hivecast.yaml");
        let environment = format!(
            "  hive:\n    warehouse: {{ metastore: \"{address}\" }}\n    store: ./editions-hive\n    \
             target: {{ dir: ./topics-hive }}\n    mask_key: \"${{file:mask_key}}\"\n"
        );
        scratch.write("hivecast.yaml", project + &environment);
        let address = address.parse().unwrap();
        OnMetastore { scratch, database, address }
    }

    pub(crate) fn metastore(&self) -> Metastore {
        let hosts = std::slice::from_ref(&self.address);
        Metastore::new(hosts, Timeouts::default(), User::named("tester")).unwrap()
    }

    pub(crate) fn hivecast(&self, args: &[&str]) -> Ran {
        self.scratch.hivecast(["--env", "hive"].into_iter().chain(args.iter().copied()))
    }

    /// Three days of 60 accounts, below `lake`.
    pub(crate) fn sample(&self, format: &str, more: &[&str]) -> Ran {
        let line = [
            "sample",
            "--accounts",
            "60",
            "--days",
            "3",
            "--seed",
            "7",
            "--load-date",
            DAYS[2],
            "--format",
            format,
            "--database",
            &self.database,
            "--location",
            "lake",
        ];
        self.hivecast(&[&line, more].concat())
    }

    pub(crate) fn home(&self, table: &str) -> String {
        format!("lake/{}.db/{table}", self.database)
    }

    /// What lies right in a table's directory.
    fn partitions(&self, table: &str) -> Vec<String> {
        let entries = fs::read_dir(self.scratch.join(&self.home(table))).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// How many load_dates the metastore has of a table.
    fn registered(&self, table: usize) -> Value {
        let report = self.hivecast(&["tables", "--feed", "contracts", "--json"]).succeeded().json();
        report["tables"][table]["load_dates"]["count"].clone()
    }

    fn killed(&self, point: &str, args: &[&str]) {
        let args = ["--env", "hive"].into_iter().chain(args.iter().copied());
        let mut command = self.scratch.command(args);
        let ran = self.scratch.finish(command.env("HIVECAST_CRASH_AT", point).spawn().unwrap());
        assert_eq!(ran.code, None, "{point}: {}{}", ran.stdout, ran.stderr);
    }
}

fn days(days: &[&str]) -> Vec<String> {
    days.iter().map(|day| format!("load_date={day}")).collect()
}

/// The same rows in every format, registered so that the same documents come of them.
fn a_sample_is_published_from_every_format(server: &str) {
    let mut checksums = Vec::new();
    for format in FORMATS {
        let on = OnMetastore::new(server, &format!("formats_{format}"));
        on.sample(format, &[]).succeeded();
        let report = on.hivecast(&["tables", "--feed", "contracts", "--json"]).succeeded().json();
        for table in report["tables"].as_array().unwrap() {
            let day = &table["day"];
            assert_eq!(
                (&day["format"], &day["ready"]),
                (&Value::from(format), &Value::from(true)),
                "{table}"
            );
            assert_eq!(table["load_dates"]["count"], 3, "{table}");
            assert!(day["rows"].as_u64().is_some_and(|rows| rows > 50), "{table}");
        }
        let report = on.hivecast(&["publish", "--load-date", "latest", "--json"]).succeeded().json();
        let run = &report["runs"][0];
        assert_eq!((&run["outcome"], &run["load_date"]), (&Value::from("published"), &Value::from(DAYS[2])));
        checksums.push(run["edition"]["checksum"].clone());
    }
    assert!(checksums.iter().all(|one| *one == checksums[0]), "{checksums:?}");
}

#[test]
fn a_sample_is_published_from_every_format_of_hive_4() {
    a_sample_is_published_from_every_format("4");
}

#[test]
fn a_sample_is_published_from_every_format_of_hive_3() {
    a_sample_is_published_from_every_format("3");
}

#[test]
fn a_sample_is_refused_kept_or_replaced() {
    let on = OnMetastore::new("4", "again");
    on.sample("parquet", &[]).succeeded();
    let said = on.sample("parquet", &[]).failed(2);
    assert!(said.contains("accounts/load_date=2026-11-20 and 8 directories like it are there"), "{said}");
    let said = on.sample("parquet", &["--extend"]).succeeded().stdout;
    assert!(said.starts_with("every day is in the metastore thrift://"), "{said}");
    // A partition has a format of its own, whatever the table's is.
    on.sample("text", &["--force"]).succeeded();
    let report = on.hivecast(&["tables", "--feed", "contracts", "--json"]).succeeded().json();
    assert_eq!(report["tables"][0]["day"]["format"], "text", "{report}");
    assert_eq!(on.registered(0), 3);
}

#[test]
fn a_sample_goes_to_a_metastore_that_the_environment_does_not_name() {
    let on = OnMetastore::new("4", "named");
    let address = std::env::var("HIVECAST_TEST_METASTORE_4").unwrap();
    let sample = |metastore: &str| {
        let line = ["sample", "--accounts", "20", "--days", "2", "--load-date", DAYS[2], "--format", "orc"];
        let to = ["--metastore", metastore, "--database", &on.database, "--location", "lake"];
        on.scratch.hivecast([&line[..], &to].concat())
    };
    let told = sample(&address).succeeded().stdout;
    assert!(told.contains(&format!("in the metastore {address}")), "{told}");
    assert_eq!(on.registered(0), 2);
    assert!(!on.scratch.join("warehouse").exists(), "nothing is written to the environment's own");
    let said = sample("http://somewhere").failed(2);
    assert!(said.contains("http://somewhere"), "{said}");
    let said = sample("thrift://127.0.0.1:1").failed(10);
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

#[test]
fn doctor_asks_the_metastore_and_reads_of_the_files() {
    let on = OnMetastore::new("4", "doctor");
    on.sample("parquet", &[]).succeeded();
    let told = on.hivecast(&["doctor"]).succeeded().stdout;
    assert!(told.contains("answers, with "), "{told}");
    assert!(
        told.contains("the newest of accounts, parties, addresses can be read on this machine"),
        "{told}"
    );

    on.scratch.edit(
        "hivecast.yaml",
        "metastore: \"thrift://",
        "metastore: \"thrift://127.0.0.1:1/,thrift://",
    );
    on.hivecast(&["doctor"]).succeeded();
    let project = on.scratch.read("hivecast.yaml");
    let (before, after) = project.split_once("metastore: \"").unwrap();
    let after = after.split_once('"').unwrap().1;
    on.scratch.write("hivecast.yaml", format!("{before}metastore: \"thrift://127.0.0.1:1\"{after}"));
    let ran = on.hivecast(&["doctor"]);
    assert!(ran.stdout.contains("FAILED   metastore"), "{}", ran.stdout);
    assert!(ran.stdout.contains("127.0.0.1:1"), "{}", ran.stdout);
    ran.failed(10);
}

#[test]
fn a_partition_is_dropped_before_its_files_go() {
    let on = OnMetastore::new("4", "prune");
    on.sample("parquet", &[]).succeeded();
    on.hivecast(&["publish", "--load-date", DAYS[2]]).succeeded();
    let prune = ["prune", "--exports", "--keep", "1"];
    let dry = on.hivecast(&[&prune[..], &["--dry-run"]].concat()).succeeded().stdout;
    assert!(dry.contains("would remove 6 exports"), "{dry}");
    assert_eq!(on.partitions("accounts"), days(&DAYS));

    // Dead before the drop: nothing is gone.
    on.killed("prune.marked", &prune);
    assert_eq!((on.registered(0), on.partitions("accounts").len()), (Value::from(3), 4));
    // Dead after it: the files are left, and nobody finds them.
    on.killed("prune.dropped", &prune);
    assert_eq!(on.registered(0), 2);
    assert!(on.partitions("accounts").contains(&format!("load_date={}", DAYS[0])));
    let told = on.hivecast(&prune).succeeded().stdout;
    assert!(
        told.contains(&format!("accounts {}", DAYS[0])) && told.contains("(left by a run that died)"),
        "{told}"
    );
    for (number, table) in TABLES.into_iter().enumerate() {
        assert_eq!(on.partitions(table), days(&DAYS[2..]), "{table}: no files and no markers");
        assert_eq!(on.registered(number), 1, "{table}");
    }
    assert_eq!(on.hivecast(&prune).succeeded().stdout, "nothing to remove\n");
}
