//! HDFS that fails while hivecast works with it: the exit code, and what the message names.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hivecast_storage::{Location, Settings};
use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::cluster::{Outside, Project, hdfs_as, hdfs_as_owner, host, says, variable};
use crate::servers::OwnHdfs;
use crate::support::DAYS;

/// Longer than any of these takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_name_node_in_safe_mode_takes_no_edition_and_is_read_from() {
    let own = OwnHdfs::start();
    let project = Project::new("safe_mode");
    let warehouse = format!("warehouse: \"{}/warehouse\"", own.url());
    project.environment("hdfs", &warehouse);
    project.environment("shared", &format!("{warehouse}, store: \"{}/editions\"", own.url()));
    project.sample("hdfs", 30, 1, &[]);
    own.dev_hdfs("enter-safe-mode");
    let said = project.hivecast("shared", &["publish", "--load-date", DAYS[2]]).failed(10);
    says(&said, &["the name node is in safe mode", &format!("{}/editions", own.url()), DAYS[2]]);
    assert!(!project.scratch.join("topics-shared/mdm.contracts").exists(), "nothing was sent");
    let run = project.run("hdfs", &["publish", "--load-date", DAYS[2]]);
    assert_eq!(run["outcome"], "published", "{run}");
    own.dev_hdfs("leave-safe-mode");
    assert_eq!(project.run("shared", &["publish", "--load-date", DAYS[2]])["outcome"], "published");
}

/// The data node's files of blocks that are neither the first nor the last of their Parquet file: nobody looks
/// at them before rows are read.
fn blocks_in_the_middle(data: &Path) -> Vec<PathBuf> {
    const BLOCK_BYTES: u64 = 1 << 20;
    let mut dirs = vec![data.to_owned()];
    let mut found = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            match metadata.is_dir() {
                true => dirs.push(entry.path()),
                // The last one is shorter.
                false if metadata.len() == BLOCK_BYTES => found.push(entry.path()),
                false => {}
            }
        }
    }
    found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("blk_"));
    found.retain(|path| !fs::read(path).unwrap().starts_with(b"PAR1"));
    found
}

/// Waits until the data node reads one of these pipes.
fn wait_for_a_reader(pipes: &[PathBuf]) {
    let deadline = Instant::now() + PATIENCE;
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    // A pipe can be opened for writing without waiting once somebody reads it.
    while !pipes
        .iter()
        .any(|pipe| OpenOptions::new().write(true).custom_flags(nonblocking).open(pipe).is_ok())
    {
        assert!(Instant::now() < deadline, "nobody reads");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_data_node_that_dies_in_the_middle_of_a_file() {
    let own = OwnHdfs::start();
    let project = Project::new("data_node");
    let impatient = "hadoop: { connect_timeout: 2s, call_timeout: 6s }";
    project.environment("hdfs", &format!("warehouse: \"{}/warehouse\", {impatient}", own.url()));
    project.sample("hdfs", 60_000, 1, &[]);
    // In the place of a block the data node finds a pipe: it reads, and waits for ever for the bytes.
    let blocks = blocks_in_the_middle(&own.dir().join("data"));
    assert!(!blocks.is_empty(), "no file is long enough");
    for block in &blocks {
        fs::remove_file(block).unwrap();
        assert!(Command::new("mkfifo").arg(block).status().unwrap().success());
    }
    let args = ["--quiet", "--env", "hdfs", "publish", "--load-date", DAYS[2]];
    let child = project.scratch.command(args).spawn().unwrap();
    wait_for_a_reader(&blocks);
    own.signal_data_node(Signal::KILL);
    let said = project.scratch.finish(child).failed(10);
    let partition = format!("/load_date={}/part-00000.snappy.parquet", DAYS[2]);
    let dir = format!("{}/warehouse/{}.db/", own.url(), project.name);
    let middle = ["table ", &dir, &partition, "no data node that has its bytes answers: 127.0.0.1:"];
    says(&said, &middle);
    assert!(!project.scratch.join("topics-hdfs/mdm.contracts").exists(), "nothing was sent");
}

#[test]
fn who_may_not_read_the_warehouse_is_denied() {
    let project = Project::new("denied");
    let home = format!("{}/{}", variable("HDFS"), project.name);
    let warehouse = format!("warehouse: \"{home}\"");
    let private = "properties: { fs.permissions.umask-mode: \"077\" }";
    project.environment("owner", &format!("{warehouse}, hadoop: {{ {private} }}"));
    project.environment("other", &format!("{warehouse}, hadoop: {{ user: mallory }}"));
    // Everybody may look into the directories of tables, and nobody else into those of partitions.
    for table in ["accounts", "parties", "party_address"] {
        let dir = Outside::new(&format!("{home}/{}.db/{table}", project.name), hdfs_as_owner("022"));
        dir.storage.create_dir(&dir.at).unwrap();
    }
    project.sample("owner", 30, 1, &[]);
    let said = project.hivecast("other", &["publish", "--load-date", DAYS[2]]).failed(30);
    let partition = format!("{}.db/accounts/load_date={}", project.name, DAYS[2]);
    says(
        &said,
        &[
            "table accounts",
            "Permission denied: user=mallory",
            &format!("{home}/{partition}"),
            host(&variable("HDFS")),
        ],
    );
    project.hivecast("owner", &["publish", "--load-date", DAYS[2]]).succeeded();
}

#[test]
fn the_user_of_the_project_file_owns_the_edition() {
    let project = Project::new("owner");
    let home = format!("{}/{}", variable("HDFS"), project.name);
    let everybodys = Outside::new(&home, hdfs_as_owner("000"));
    everybodys.storage.create_dir(&everybodys.at).unwrap();
    // Others may enter the directories, and read no file.
    let hadoop = "hadoop: { user: alice, properties: { fs.permissions.umask-mode: \"066\" } }";
    let store = format!("store: \"{home}/editions\"");
    project.environment("alice", &format!("warehouse: \"{home}/warehouse\", {store}, {hadoop}"));
    project.sample("alice", 30, 1, &[]);
    project.run("alice", &["publish", "--load-date", DAYS[2]]);
    let tree = Outside::new(&format!("{home}/editions"), Settings::default()).tree();
    let (file, _) = tree.iter().find(|(path, _)| path.ends_with("/edition.json")).unwrap();
    let file = Location::parse(file).unwrap();
    // The name node itself says whose a file is to who may not read it.
    let other = Outside::new(&home, hdfs_as("mallory"));
    let denied = other.storage.open(&file).unwrap_err().to_string();
    says(&denied, &["user=mallory", &format!("inode=\"{}\":alice:", file.path())]);
}

/// What is done to a file, and how it is called.
type Damage = (&'static str, fn(&mut Vec<u8>));

const DAMAGES: [Damage; 4] = [
    ("cut off in the middle", |bytes| bytes.truncate(bytes.len() / 2)),
    ("cut off by one byte", |bytes| bytes.truncate(bytes.len() - 1)),
    ("another magic at both ends", |bytes| {
        let end = bytes.len() - 4;
        bytes[..4].copy_from_slice(b"GARB");
        bytes[end..].copy_from_slice(b"GARB");
    }),
    // Behind the first bytes lie pages, long before the footer.
    ("a page of garbage", |bytes| bytes[200..2_000].fill(0xff)),
];

fn a_damaged_file_is_named(format: &str, end: &str) {
    let project = Project::new(&format!("damaged_{format}"));
    let home = format!("{}/{}", variable("HDFS"), project.name);
    let warehouse = format!("warehouse: {{ metastore: \"{}\" }}", variable("METASTORE_4"));
    project.environment("hive", &warehouse);
    project.sample("hive", 400, 1, &["--format", format, "--location", &home]);
    let dir = format!("{home}/{}.db/parties/load_date={}", project.name, DAYS[2]);
    let dir = Outside::new(&dir, hdfs_as_owner("022"));
    let file = dir.file(end);
    let whole = dir.storage.open(&file).unwrap();
    let whole = whole.read_at(0..whole.len()).unwrap();
    for (damage, change) in DAMAGES {
        dir.change(&file, |bytes| {
            *bytes = whole.to_vec();
            change(bytes);
        });
        let ran = project.hivecast("hive", &["publish", "--load-date", DAYS[2]]);
        assert_eq!(ran.code, Some(20), "{format}, {damage}: {}", ran.stderr);
        says(&ran.stderr, &["table parties", DAYS[2], &file.to_string(), host(&variable("HDFS"))]);
        assert!(!project.scratch.join("topics-hive/mdm.contracts").exists(), "{damage}: nothing was sent");
    }
    dir.change(&file, |bytes| *bytes = whole.to_vec());
    assert_eq!(project.run("hive", &["publish", "--load-date", DAYS[2]])["outcome"], "published");
}

#[test]
fn a_damaged_parquet_file_is_named() {
    a_damaged_file_is_named("parquet", ".parquet");
}

#[test]
fn a_damaged_orc_file_is_named() {
    a_damaged_file_is_named("orc", ".orc");
}

#[test]
fn a_damaged_avro_file_is_named() {
    a_damaged_file_is_named("avro", ".avro");
}
