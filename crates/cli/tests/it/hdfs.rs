//! The warehouse that a company has: tables of a Hive Metastore on HDFS, published to Kafka. Needs the
//! servers that `dev/with-services` starts; without them these tests fail, so that nobody takes their
//! silence for success.

use std::fs;

use hivecast_metastore::{Column, Database, Table, TableKind};
use hivecast_storage::{Existing, Location, Settings, Stores};
use serde_json::Value;

use crate::cluster::{host, metastore, says, variable};
use crate::support::{DAYS, Ran, Scratch};

/// A project with two environments: `disk`, a directory, and `cluster`, all of it real.
struct OnCluster {
    scratch: Scratch,
    /// The database's name, which no other test has.
    database: String,
    /// Where it lies.
    home: String,
}

impl OnCluster {
    fn new(server: &str, test: &str) -> Self {
        let scratch = Scratch::example();
        let unique = format!("{test}_{}", std::process::id());
        let topic = format!("{}{unique}", variable("KAFKA_GRANTED_PREFIX"));
        let home = format!("{}/{unique}", variable("HDFS"));
        let project = scratch.read("hivecast.yaml");
        scratch.write("mask_key", "for-trying-out-only");
        scratch.write(
            "hivecast.yaml",
            format!(
                "{project}  disk: {{ warehouse: ./warehouse, store: ./editions-disk, target: {{ dir: ./topics }}, \
                 mask_key: \"${{file:mask_key}}\" }}\n  cluster:\n    warehouse: {{ metastore: \"{}\" }}\n    \
                 store: {home}/editions\n    mask_key: \"${{file:mask_key}}\"\n    target:\n      ledger: {topic}.ledger\n      \
                 kafka: {{ bootstrap.servers: \"{}\" }}\n",
                variable(&format!("METASTORE_{server}")),
                variable("KAFKA"),
            ),
        );
        scratch.edit("feeds/contracts.yaml", "source: mdm.", &format!("source: {unique}."));
        scratch.edit("feeds/contracts.yaml", "feed: contracts", &format!("feed: {unique}"));
        scratch.edit("feeds/contracts.yaml", "topic: mdm.contracts", &format!("topic: {topic}"));
        OnCluster { scratch, database: unique, home }
    }

    fn hivecast(&self, env: &str, args: &[&str]) -> Ran {
        self.scratch.hivecast(["--env", env].into_iter().chain(args.iter().copied()))
    }

    fn sample(&self, env: &str, more: &[&str]) {
        let line = ["sample", "--accounts", "400", "--days", "3", "--seed", "7", "--load-date", DAYS[2]];
        self.hivecast(env, &[&line[..], &["--database", &self.database], more].concat()).succeeded();
    }

    fn run(&self, env: &str, args: &[&str]) -> Value {
        self.hivecast(env, &[args, &["--json"]].concat()).succeeded().json()["runs"][0].clone()
    }

    /// The directory of a table's partition.
    fn partition(&self, table: &str, day: &str) -> Location {
        Location::parse(&format!("{}/{}.db/{table}/load_date={day}", self.home, self.database)).unwrap()
    }
}

/// HDFS, without any code of the warehouse's.
fn stores() -> Stores {
    Stores::new(Settings::default())
}

fn published_from_hdfs_as_from_disk(server: &str) {
    let on = OnCluster::new(server, &format!("whole_{server}"));
    let location = on.home.clone();
    on.sample("cluster", &["--format", "orc", "--location", &location]);
    on.sample("disk", &["--format", "parquet"]);
    for day in &DAYS[1..] {
        let cluster = on.run("cluster", &["publish", "--load-date", day]);
        let disk = on.run("disk", &["publish", "--load-date", day]);
        assert_eq!(cluster["outcome"], "published", "{cluster}");
        assert_eq!(
            cluster["edition"]["checksum"], disk["edition"]["checksum"],
            "ORC on HDFS and Parquet on disk make one edition"
        );
        assert_eq!(cluster["manifest"]["documents"], disk["manifest"]["documents"]);
    }
    on.hivecast("cluster", &["verify"]).succeeded();
    let again = on.run("cluster", &["publish", "--load-date", "latest"]);
    assert_eq!((&again["outcome"], &again["load_date"]), (&"already_published".into(), &DAYS[2].into()));
}

#[test]
fn published_from_hdfs_as_from_disk_with_hive_4() {
    published_from_hdfs_as_from_disk("4");
}

#[test]
fn published_from_hdfs_as_from_disk_with_hive_3() {
    published_from_hdfs_as_from_disk("3");
}

#[test]
fn what_is_wrong_on_the_cluster_is_told_with_table_partition_file_and_host() {
    let on = OnCluster::new("4", "faults");
    let location = on.home.clone();
    on.sample("cluster", &["--format", "orc", "--location", &location]);
    let stores = stores();
    let publish = |day: &str| on.hivecast("cluster", &["publish", "--load-date", day]);

    // A file that is cut off.
    let dir = on.partition("parties", DAYS[0]);
    let hdfs = stores.of(&dir).unwrap();
    let file = hdfs.list(&dir).unwrap().into_iter().find(|entry| entry.name.ends_with(".orc")).unwrap();
    let at = dir.join(&file.name);
    let whole = hdfs.open(&at).unwrap();
    let half = on.scratch.join("half");
    fs::write(&half, whole.read_at(0..whole.len() / 2).unwrap()).unwrap();
    hdfs.put(&half, &at, Existing::Replace).unwrap();
    let said = publish(DAYS[0]).failed(20);
    let hdfs_address = variable("HDFS");
    says(&said, &["table parties", DAYS[0], &at.to_string(), host(&hdfs_address)]);

    // A location that the metastore speaks of and that is not there.
    let dir = on.partition("accounts", DAYS[1]);
    hdfs.remove(&dir).unwrap();
    let said = publish(DAYS[1]).failed(20);
    let metastore_address = variable("METASTORE_4");
    says(&said, &["table accounts", DAYS[1], &dir.to_string(), host(&metastore_address)]);

    // A partition that nobody exported lists those that there are.
    let said = publish("2026-12-24").failed(20);
    assert!(said.contains("these exist: 2026-11-22, 2026-11-21, 2026-11-20"), "{said}");
    assert!(publish(DAYS[2]).code == Some(0), "the day that is whole goes out");
}

#[test]
fn a_dead_name_node_and_a_dead_metastore_are_infrastructure_and_named() {
    let on = OnCluster::new("4", "dead");
    on.scratch.edit("hivecast.yaml", &variable("METASTORE_4"), "thrift://127.0.0.1:9");
    let said = on.hivecast("cluster", &["build", "--load-date", DAYS[0]]).failed(10);
    assert!(said.contains("127.0.0.1:9") && said.contains("accounts"), "{said}");
    on.scratch.edit(
        "hivecast.yaml",
        "warehouse: { metastore: \"thrift://127.0.0.1:9\" }",
        "warehouse: hdfs://127.0.0.1:9/w",
    );
    let said = on.hivecast("cluster", &["build", "--load-date", DAYS[0]]).failed(10);
    assert!(said.contains("127.0.0.1:9"), "{said}");
}

#[test]
fn a_partition_is_read_once_its_parameter_says_that_it_is_whole() {
    let on = OnCluster::new("4", "parameter");
    let location = on.home.clone();
    on.sample("cluster", &["--format", "parquet", "--location", &location]);
    on.scratch.edit("feeds/contracts.yaml", "ready: success_file", "ready: { parameter: exported=true }");
    let said = on.hivecast("cluster", &["build", "--load-date", DAYS[1]]).failed(10);
    assert!(said.contains("its partition has no parameter exported"), "{said}");
    let metastore = metastore("4");
    let set = |value: &str| {
        for name in ["accounts", "parties", "party_address"] {
            let table = metastore.table(&on.database, name).unwrap().unwrap();
            let changes = [("exported", Some(value))];
            metastore.set_partition_parameters(&table, &[DAYS[1].to_owned()], &changes).unwrap();
        }
    };
    set("soon");
    let said = on.hivecast("cluster", &["build", "--load-date", DAYS[1]]).failed(10);
    assert!(said.contains("parameter exported is \"soon\", not \"true\""), "{said}");
    set("true");
    let run = on.run("cluster", &["build", "--load-date", "latest"]);
    assert_eq!((&run["outcome"], &run["load_date"]), (&"built".into(), &DAYS[1].into()), "{run}");
}

#[test]
fn a_view_is_refused_with_the_way_out() {
    let on = OnCluster::new("4", "refused");
    let metastore = metastore("4");
    metastore.create_database(&Database::new(&on.database)).unwrap();
    let mut view = Table::new(&on.database, "accounts", TableKind::View);
    view.columns = [Column::new("account_id", "string")].into();
    view.view_text = Some("select 1".to_owned());
    metastore.create_table(&view).unwrap();
    let said = on.hivecast("cluster", &["check"]).failed(2);
    assert!(said.contains(&format!("{}.accounts is a view", on.database)), "{said}");
    assert!(said.contains("table with `sql`"), "{said}");
}
