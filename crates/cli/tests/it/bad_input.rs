//! What is wrong outside of the program: each message, and each exit code.

use std::fs;
use std::process::Command;

use crate::support::{DAYS, Scratch};

/// The example's tables in the warehouse.
const ACCOUNTS: &str = "warehouse/mdm.db/accounts";

#[test]
fn unreadable_yaml() {
    let scratch = Scratch::example();
    scratch.write("feeds/contracts.yaml", "feed: contracts\ntables: { accounts: [\n");
    insta::assert_snapshot!(scratch.hivecast(["check"]).failed(2), @r"
    error: this is not YAML: while parsing a node, did not find expected node content
     --> [dir]/feeds/contracts.yaml:2:23
      |
    2 | tables: { accounts: [
      |                      ^

    1 mistake in [dir]/feeds/contracts.yaml
    ");
}

#[test]
fn an_empty_feed() {
    let scratch = Scratch::example();
    scratch.write("feeds/contracts.yaml", "# nothing yet\n");
    insta::assert_snapshot!(scratch.hivecast(["check"]).failed(2), @r"
    error: the feed is empty
     --> [dir]/feeds/contracts.yaml:1:1
      |
    1 | # nothing yet
      | ^
      |
      = help: `hivecast init DIR` writes an example

    1 mistake in [dir]/feeds/contracts.yaml
    ");
}

#[test]
fn no_feed_at_all() {
    let scratch = Scratch::example();
    fs::remove_file(scratch.join("feeds/contracts.yaml")).unwrap();
    insta::assert_snapshot!(scratch.hivecast(["check"]).failed(2), @r"
    error: there is no feed in [dir]/feeds
      help: a feed is a file there whose name ends in .yaml; `hivecast init DIR` writes an example
    ");
}

#[test]
fn mistakes_are_told_at_once() {
    let scratch = Scratch::sampled(10);
    scratch.edit("feeds/contracts.yaml", "contractBranchCode: branch_code", "contractBranchCode: branch_cod");
    scratch.edit("feeds/contracts.yaml", "many: parties ", "many: partys ");
    insta::assert_snapshot!(scratch.hivecast(["check"]).failed(2), @r#"
    error: no column `branch_cod`
      --> [dir]/feeds/contracts.yaml:27:25
       |
    27 |     contractBranchCode: branch_cod
       |                         ^^^^^^^^^^
       |
       = help: did you mean `branch_code`?

    error: no table `partys` in `tables`
      --> [dir]/feeds/contracts.yaml:30:13
       |
    30 |       many: partys                                      # an array, one element a row
       |             ^^^^^^
       |
       = help: did you mean `parties`?

    error: gate `orphans`: table `parties` is no child, so its rows have no parent
      --> [dir]/feeds/contracts.yaml:56:22
       |
    56 |   orphans:     { of: parties, max: 0.1%, severity: warn }
       |                      ^^^^^^^
       |
       = help: it is for tables under `one` or `many`

    3 mistakes in [dir]/feeds/contracts.yaml
    "#);
    let json = scratch.hivecast(["check", "--json"]);
    let mistakes = json.json()["error"]["mistakes"].clone();
    let lines: Vec<u64> = mistakes.as_array().unwrap().iter().map(|m| m["line"].as_u64().unwrap()).collect();
    assert!(lines.is_sorted() && lines.len() >= 2, "{mistakes}");
    // Publishing finds the same, and sends nothing.
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(2);
    assert!(!scratch.join("topics/mdm.contracts").exists());
}

#[test]
fn no_warehouse() {
    insta::assert_snapshot!(Scratch::example().hivecast(["publish", "--load-date", "2026-11-22"]).failed(2), @r"
    error: there is no warehouse directory [dir]/warehouse
      help: correct the environment's `warehouse` in the project file, or write a sample there with `hivecast sample`
    ");
}

#[test]
fn a_missing_partition_lists_the_days_there_are() {
    let scratch = Scratch::sampled(10);
    insta::assert_snapshot!(scratch.hivecast(["publish", "--load-date", "2026-11-25"]).failed(20), @r"
    error: 3 tables can't be read for load_date 2026-11-25: table accounts: [dir]/warehouse/mdm.db/accounts has no partition load_date=2026-11-25; table parties: [dir]/warehouse/mdm.db/parties has no partition load_date=2026-11-25; table addresses: [dir]/warehouse/mdm.db/party_address has no partition load_date=2026-11-25: these exist: 2026-11-22, 2026-11-21, 2026-11-20
      help: choose a load_date that exists, or wait for the export with --wait
    ");
}

/// Who waited for it asks for a later try: it is late, which is no fault of the data.
#[test]
fn a_partition_that_does_not_come_in_time_is_late() {
    let scratch = Scratch::sampled(10);
    let said = scratch.hivecast(["publish", "--load-date", "2026-11-25", "--wait", "1s"]).failed(10);
    assert!(
        said.contains("gave up waiting after 1s: 3 tables can't be read for load_date 2026-11-25"),
        "{said}"
    );
    assert!(said.contains("these exist: 2026-11-22"), "{said}");
}

#[test]
fn a_name_node_that_is_not_there_is_waited_for() {
    let scratch = Scratch::sampled(10);
    let project = std::fs::read_to_string(scratch.join("hivecast.yaml")).unwrap();
    let line = project.lines().find(|line| line.trim_start().starts_with("warehouse:")).unwrap();
    scratch.edit("hivecast.yaml", line, "    warehouse: \"hdfs://127.0.0.1:1/warehouse\"");
    let waiting = scratch.command(["publish", "--load-date", DAYS[0], "--wait", "1s"]).spawn().unwrap();
    let said = scratch.finish(waiting).failed(10);
    let waited = "waiting up to 1s for load_date 2026-11-20: failed to open the warehouse hdfs://127.0.0.1:1/warehouse";
    assert!(said.contains(waited) && said.contains("gave up waiting after 1s"), "{said}");
}

#[test]
fn a_missing_table() {
    let scratch = Scratch::sampled(10);
    fs::remove_dir_all(scratch.join("warehouse/mdm.db/parties")).unwrap();
    for line in [
        ["check", "--load-date", DAYS[0]],
        ["publish", "--load-date", DAYS[0]],
        ["publish", "--load-date", "latest"],
    ] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(scratch.hivecast(line).failed(2), @r"
            error: no table `mdm.parties` in the warehouse
             --> [dir]/feeds/contracts.yaml:9:24
              |
            9 |   parties:   { source: mdm.parties, ready: success_file }
              |                        ^^^^^^^^^^^
              |
              = help: looked for [dir]/warehouse/mdm.db/parties, [dir]/warehouse/mdm/parties, [dir]/warehouse/parties; name the table in `source` as `database.table`, or correct the environment's `warehouse`

            1 mistake in [dir]/feeds/contracts.yaml
            ");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_mistake_of_the_feed_and_hides_none() {
    let scratch = Scratch::sampled(10);
    let path = data_file(&scratch, DAYS[2], ".parquet");
    fs::write(&path, "no Parquet").unwrap();
    let said = scratch.hivecast(["check"]).failed(20);
    assert!(said.starts_with("error: table accounts: ") && said.contains(".parquet"), "{said}");
    scratch.edit("feeds/contracts.yaml", "partyIdentifier: party_id", "partyIdentifier: prty_id");
    let said = scratch.hivecast(["check"]).failed(2);
    assert!(said.contains("no column `prty_id`") && said.contains("table accounts: "), "{said}");
    assert!(said.contains("2 mistakes in"), "what accounts would have is not called missing: {said}");
}

#[test]
fn a_partition_that_is_not_whole_can_be_waited_for() {
    let scratch = Scratch::sampled(10);
    let marker = scratch.join(&format!("{ACCOUNTS}/load_date={}/_SUCCESS", DAYS[2]));
    fs::remove_file(&marker).unwrap();
    insta::assert_snapshot!(scratch.hivecast(["publish", "--load-date", DAYS[2]]).failed(10), @r"
    error: table accounts: load_date 2026-11-22 is not whole yet: no _SUCCESS in [dir]/warehouse/mdm.db/accounts/load_date=2026-11-22
      help: wait for the export with --wait 2h
    ");
    let said = scratch.hivecast(["publish", "--load-date", DAYS[2], "--wait", "1s"]).failed(10);
    assert!(said.contains("gave up waiting after 1s"), "{said}");

    let waiting = scratch.command(["publish", "--load-date", DAYS[2], "--wait", "2m"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    fs::write(&marker, "").unwrap();
    let ran = scratch.finish(waiting).succeeded();
    assert!(ran.stderr.contains("waiting up to 2m"), "{}", ran.stderr);
}

/// The one data file of a table's day.
fn data_file(scratch: &Scratch, day: &str, ending: &str) -> std::path::PathBuf {
    let dir = scratch.join(&format!("{ACCOUNTS}/load_date={day}"));
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn a_truncated_parquet_file() {
    let scratch = Scratch::sampled(100);
    let path = data_file(&scratch, DAYS[0], ".parquet");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    insta::assert_snapshot!(scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(20), @r"
    error: table accounts: failed to read the Parquet file [dir]/warehouse/mdm.db/accounts/load_date=2026-11-20/part-00000.snappy.parquet: Parquet error: Invalid Parquet file. Corrupt footer
      help: the file is cut off or corrupt: export the partition again
    ");
}

#[test]
fn a_damaged_page_of_a_parquet_file() {
    let scratch = Scratch::sampled(2000);
    let path = data_file(&scratch, DAYS[0], ".parquet");
    let mut bytes = fs::read(&path).unwrap();
    for byte in &mut bytes[5000..5100] {
        *byte ^= 0x5a;
    }
    fs::write(&path, bytes).unwrap();
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(20);
    assert!(said.contains(".parquet") && said.contains("accounts"), "{said}");
    assert!(scratch.topic("topics", "mdm.contracts").is_empty());
}

/// Of the bytes of this sample, found by trying, one that the Parquet crate answers with a panic.
const PANICKING_BYTE: usize = 7036;

#[test]
fn a_damaged_page_that_the_reader_panics_at() {
    let scratch = Scratch::sampled(200);
    let path = data_file(&scratch, DAYS[0], ".parquet");
    let mut bytes = fs::read(&path).unwrap();
    bytes[PANICKING_BYTE] ^= 0x80;
    fs::write(&path, bytes).unwrap();
    insta::assert_snapshot!(scratch.hivecast(["preview", "--load-date", DAYS[0]]).failed(20), @r"
    error: table accounts: failed to read the Parquet file [dir]/warehouse/mdm.db/accounts/load_date=2026-11-20/part-00000.snappy.parquet: the reader gave up: assertion failed: num_bits <= T::BIT_CAPACITY
      help: the file is cut off or corrupt: export the partition again
    ");
}

#[test]
fn a_damaged_shard_of_an_edition() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["build", "--load-date", DAYS[0]]).succeeded();
    let name =
        scratch.files("editions").into_keys().find(|name| name.ends_with("shard-0000.parquet")).unwrap();
    let path = scratch.join("editions").join(name.trim_start_matches("editions/"));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x5a;
    fs::write(&path, bytes).unwrap();
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(20);
    assert!(said.contains("shard-0000.parquet has the size but not the checksum"), "{said}");
    assert!(said.contains("help: remove [dir]/editions/contracts/"), "{said}");
    assert!(scratch.topic("topics", "mdm.contracts").is_empty());
}

#[test]
fn a_panic_is_our_bug() {
    let scratch = Scratch::sampled(10);
    let mut command = scratch.command(["--quiet", "build", "--load-date", DAYS[0]]);
    let ran = scratch.finish(command.env("HIVECAST_PANIC_AT", "build.planned").spawn().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("the crash point build.planned was asked to panic"), "{}", ran.stderr);
    assert!(ran.stderr.contains("this is a bug in hivecast; please report it"), "{}", ran.stderr);
    scratch.hivecast(["build", "--load-date", DAYS[0]]).succeeded();
}

#[test]
fn what_the_project_asks_for_in_vain_is_told_with_the_feeds_mistakes() {
    let scratch = Scratch::sampled(10);
    let project = scratch.read("hivecast.yaml");
    let qa = "  qa:\n    warehouse: { metastore: \"thrift://m:none\" }\n    store: gs://bucket/editions\n    engine: sc://spark:port\n    target: { dir: \"s3://bucket/topics\" }\n";
    scratch.write("hivecast.yaml", project + qa);
    insta::assert_snapshot!(scratch.hivecast(["--env", "qa", "check"]).failed(2), @r#"
    error: "thrift://m:none" is no address of a metastore: its port is not one
      --> [dir]/hivecast.yaml:20:29
       |
    20 |     warehouse: { metastore: "thrift://m:none" }
       |                             ^^^^^^^^^^^^^^^^^^
       |
       = help: write thrift://host:9083, several with commas between them

    error: `gs:` names no store that is read
      --> [dir]/hivecast.yaml:21:12
       |
    21 |     store: gs://bucket/editions
       |            ^^^^^^^^^^^^^^^^^^^^
       |
       = help: name a directory, or a URL that begins with hdfs://, s3:// or s3a://

    error: `engine: sc://spark:port` is no Spark Connect endpoint: its port is no number
      --> [dir]/hivecast.yaml:22:13
       |
    22 |     engine: sc://spark:port
       |             ^^^^^^^^^^^^^^^
       |
       = help: write it as sc://host:15002, or sc://host:443/;use_ssl=true;token=${SPARK_TOKEN}

    error: `dir` must be a directory in this version, and is `s3://…`
      --> [dir]/hivecast.yaml:23:20
       |
    23 |     target: { dir: "s3://bucket/topics" }
       |                    ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: mount it, and name the directory

    error: field `taxId` is masked with a key, and environment `qa` has no `mask_key`
      --> [dir]/feeds/contracts.yaml:26:9
       |
    26 |         taxId: { value: tax_id, mask: hmac-sha256 }      # equal ids stay equal, and can't be guessed without `mask_key`
       |         ^^^^^
       |
       = help: add `mask_key: "${NAME}"` to the environment in the project file

    4 mistakes in [dir]/hivecast.yaml, 1 mistake in [dir]/feeds/contracts.yaml
    "#);
    let json = scratch.hivecast(["--env", "qa", "check", "--json"]).json();
    assert_eq!(json["error"]["mistakes"].as_array().unwrap().len(), 5, "{json}");
    let said = scratch.hivecast(["--env", "qa", "publish", "--load-date", DAYS[0]]).failed(2);
    assert!(said.contains("4 mistakes in [dir]/hivecast.yaml"), "{said}");
}

#[test]
fn a_mask_without_its_key() {
    let scratch = Scratch::sampled(10);
    scratch.edit("hivecast.yaml", "    mask_key: for-trying-out-only", "#");
    for line in [["check", "--load-date", DAYS[0]], ["publish", "--load-date", DAYS[0]]] {
        let said = scratch.hivecast(line).failed(2);
        assert!(said.contains("contracts.yaml:26:9"), "{said}");
        let told = "error: field `taxId` is masked with a key, and environment `local` has no `mask_key`";
        assert!(said.starts_with(told), "{said}");
    }
}

#[test]
fn a_short_line_of_a_text_file() {
    let scratch = Scratch::example();
    scratch
        .hivecast(["sample", "--accounts", "20", "--days", "1", "--load-date", DAYS[0], "--format", "text"])
        .succeeded();
    for table in ["accounts", "parties", "party_address"] {
        let source = format!("source: mdm.{table},");
        scratch.edit("feeds/contracts.yaml", &source, &format!("{source} format: text, header: true,"));
    }
    let path = data_file(&scratch, DAYS[0], ".csv");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[7] = lines[7].rsplit_once(',').unwrap().0;
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    insta::assert_snapshot!(scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(20), @r"
    error: failed to build feed contracts for 2026-11-20: table accounts: [dir]/warehouse/mdm.db/accounts/load_date=2026-11-20/part-00000.csv line 8: 12 fields where 13 are expected
      help: correct the table's `delimiter`, `quote` or `columns` in the feed, or export the partition again
    ");
}

#[test]
fn too_little_memory_names_the_least() {
    let scratch = Scratch::sampled(10);
    insta::assert_snapshot!(
        scratch.hivecast(["publish", "--load-date", DAYS[0], "--memory", "1MiB"]).failed(2), @r"
    error: failed to build feed contracts for 2026-11-20: a memory limit of 1 MiB is too small to work with
      help: run with --memory 64MiB or more
    ");
}

/// A small file system of its own, unmounted at the end.
struct SmallDisk {
    path: std::path::PathBuf,
}

impl SmallDisk {
    fn mount(path: std::path::PathBuf, size: &str) -> Self {
        fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(mounted.success(), "mounting a tmpfs needs root");
        SmallDisk { path }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

#[test]
fn a_full_disk_leaves_nothing_half() {
    let scratch = Scratch::sampled(20_000);
    let disk = SmallDisk::mount(scratch.join("editions"), "300k");
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(10);
    assert!(said.contains("No space left on device"), "{said}");
    let left: Vec<String> =
        scratch.files("editions").into_keys().filter(|name| !name.ends_with(".lock")).collect();
    let whole = |name: &String| !name.contains(".tmp-");
    assert!(!left.iter().any(|name| name.contains("edition.json") && whole(name)), "{left:?}");
    assert!(scratch.topic("topics", "mdm.contracts").is_empty());
    drop(disk);
    // With room, the same command does it, and sweeps what was left.
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    assert!(!scratch.files("editions").keys().any(|name| name.contains(".tmp-")));
}

#[test]
fn a_full_disk_under_the_target_can_be_resumed() {
    let scratch = Scratch::sampled(3000);
    let disk = SmallDisk::mount(scratch.join("topics"), "1m");
    let said = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(10);
    assert!(said.contains("No space left on device"), "{said}");
    let resized = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk.path).status().unwrap();
    assert!(resized.success());
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(
        scratch.topic("topics", "mdm.contracts").len() as u64,
        report["runs"][0]["edition"]["documents"]
    );
}

#[test]
fn a_key_that_is_not_there() {
    let scratch = Scratch::sampled(10);
    insta::assert_snapshot!(scratch.hivecast(["preview", "--key", "no-such-key"]).failed(20), @r"
    error: feed contracts has no document with key no-such-key on load_date 2026-11-22
      help: the row may be absent, or left out by the feed's `where`
    ");
}

#[test]
fn nothing_to_verify() {
    let scratch = Scratch::sampled(10);
    insta::assert_snapshot!(scratch.hivecast(["verify"]).failed(20), @r"
    error: nothing of feed contracts is published to dir [dir]/topics
      help: `hivecast publish` sends it
    ");
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    insta::assert_snapshot!(scratch.hivecast(["verify", "--load-date", DAYS[1]]).failed(20), @r"
    error: load_date 2026-11-21 of feed contracts is not published to dir [dir]/topics
      help: published are 2026-11-20
    ");
}

#[test]
fn a_damaged_topic_is_found_by_verify() {
    let scratch = Scratch::sampled(200);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    let path = scratch.join("topics/mdm.contracts/partition-0.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    // One digit of one document, so that the line stays JSON of the same length.
    let at = text.find("\"newValue\":\"").unwrap() + "\"newValue\":\"".len();
    let mut bytes = text.into_bytes();
    bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
    fs::write(&path, bytes).unwrap();
    let said = scratch.hivecast(["verify"]).failed(20);
    assert!(said.contains("partition 0"), "{said}");
}

#[test]
fn a_secret_is_never_shown() {
    let scratch = Scratch::sampled(10);
    let project = scratch.read("hivecast.yaml");
    let qa = "  qa:\n    warehouse: ./warehouse\n    store: ./editions\n    target:\n      kafka: { bootstrap.servers: \"127.0.0.1:1\", sasl.password: hunter2 }\n";
    scratch.write("hivecast.yaml", project + qa);
    let said = scratch.hivecast(["--env", "qa", "publish", "--load-date", DAYS[0]]).failed(2);
    assert!(!said.contains("hunter2"), "{said}");
    insta::assert_snapshot!(said, @r#"
    error: `sasl.password` is a secret, and stands in the file; only `local` may do that
      --> [dir]/hivecast.yaml:23:65
       |
    23 |       kafka: { bootstrap.servers: "127.0.0.1:1", sasl.password: *** }
       |                                                                 ^^^
       |
       = help: take it from the environment, `"${NAME}"`, or a file, `"${file:/path}"`

    1 mistake in [dir]/hivecast.yaml
    "#);
}
