//! Editions that a Spark Connect server builds, as a user meets them. Needs the services that
//! `dev/with-services` starts.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{DAYS, Scratch};

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `dev/with-services`"))
}

const SERVERS: [&str; 2] = ["HIVECAST_TEST_SAIL", "HIVECAST_TEST_SPARK"];

/// Sets the engine of the local environment.
fn use_engine(scratch: &Scratch, address: &str) {
    scratch.edit(
        "hivecast.yaml",
        "store: ./editions\n",
        &format!("store: ./editions\n    engine: \"{address}\"\n"),
    );
}

/// The edition of the report's only run.
fn edition(report: &Value) -> (String, String, String) {
    let edition = &report["runs"][0]["edition"];
    let text =
        |name: &str| edition[name].as_str().unwrap_or_else(|| panic!("no {name} in {report}")).to_owned();
    (text("id"), text("checksum"), text("engine"))
}

fn built(scratch: &Scratch, day: &str) -> (String, String, String) {
    edition(&scratch.hivecast(["build", "--load-date", day, "--json"]).succeeded().json())
}

#[test]
fn a_cluster_builds_the_embedded_engines_edition_and_it_is_published() {
    let scratch = Scratch::sampled(400);
    let (id, checksum, engine) = built(&scratch, DAYS[0]);
    assert_eq!(engine, "embedded");
    for server in SERVERS {
        std::fs::remove_dir_all(scratch.join("editions")).unwrap();
        let before = scratch.read("hivecast.yaml");
        use_engine(&scratch, &variable(server));
        let (other_id, other_checksum, engine) = built(&scratch, DAYS[0]);
        assert_eq!((other_id, other_checksum), (id.clone(), checksum.clone()), "{server}");
        assert!(engine.starts_with(if server.ends_with("SPARK") { "spark 4." } else { "sail " }), "{engine}");
        let left: Vec<String> =
            scratch.files("editions").into_keys().filter(|file| file.contains("/.tmp-")).collect();
        assert!(left.is_empty(), "{left:?}");
        scratch.write("hivecast.yaml", before);
    }
    // What Sail or Spark built is sent, and the next day, built here, is compared with it.
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    scratch.hivecast(["publish", "--load-date", DAYS[1]]).succeeded();
    scratch.hivecast(["verify"]).succeeded();
}

#[test]
fn spark_reads_and_writes_where_machines_share() {
    let scratch = Scratch::example();
    let root = format!("{}/spark{}", variable("HIVECAST_TEST_HDFS"), scratch.path().display());
    scratch.edit("hivecast.yaml", "warehouse: ./warehouse", &format!("warehouse: \"{root}/warehouse\""));
    scratch.edit("hivecast.yaml", "store: ./editions\n", &format!("store: \"{root}/editions\"\n"));
    let day = DAYS[0];
    scratch.hivecast(["sample", "--accounts", "300", "--days", "1", "--load-date", day]).succeeded();
    let before = scratch.read("hivecast.yaml");
    let (id, checksum, _) = built(&scratch, day);
    std::fs::remove_dir_all(scratch.join(".cache")).unwrap();
    let other = format!("store: \"{root}/others\"\n    engine: \"{}\"\n", variable("HIVECAST_TEST_SPARK"));
    scratch.write("hivecast.yaml", before.replace(&format!("store: \"{root}/editions\"\n"), &other));
    let report = scratch.hivecast(["publish", "--load-date", day, "--json"]).succeeded().json();
    let (other_id, other_checksum, engine) = edition(&report);
    assert_eq!((other_id, other_checksum), (id, checksum));
    assert!(engine.starts_with("spark "), "{engine}");
    scratch.hivecast(["verify"]).succeeded();
}

#[test]
fn what_a_cluster_is_asked_can_be_read() {
    let scratch = Scratch::sampled(50);
    let asked = scratch.hivecast(["build", "--explain", "--load-date", DAYS[0]]).succeeded();
    for word in [
        "collect_list(named_struct(",
        "crc32(",
        "distribute by part",
        "left join",
        "-- view hivecast_files_0: table accounts, parquet, ",
        "queries count",
    ] {
        assert!(asked.stdout.contains(word), "{word} is not in\n{}", asked.stdout);
    }
    let json = scratch.hivecast(["build", "--explain", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(json["parts"], 1);
    let path = json["files"][0]["paths"][0].as_str().unwrap();
    assert!(path.starts_with("file://[dir]/") && asked.stdout.contains(path), "{path}");
    assert!(asked.stdout.contains(json["files"][0]["columns"].as_str().unwrap()), "{}", asked.stdout);
    assert!(json["statement"].as_str().is_some_and(|statement| asked.stdout.contains(statement)));
    assert!(!scratch.join("editions").join("contracts").exists(), "nothing is built");
}

#[test]
fn what_spark_does_otherwise_is_refused_before_anything_is_built() {
    let scratch = Scratch::sampled(50);
    use_engine(&scratch, "sc://127.0.0.1:1");
    scratch.edit(
        "feeds/contracts.yaml",
        "contractBranchCode: branch_code",
        "contractBranchCode: initcap(branch_code)",
    );
    let refused = scratch.hivecast(["build", "--load-date", DAYS[0]]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("initcap") && refused.stderr.contains("contracts.yaml:"),
        "{}",
        refused.stderr
    );
    // `check` and `doctor` say so beforehand, and a preview asks no cluster.
    let checked = scratch.hivecast(["check"]);
    assert_eq!(checked.code, Some(2), "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stderr.contains("can't be built with Spark"), "{}", checked.stderr);
    let shown = scratch.hivecast(["preview", "--load-date", DAYS[0], "--limit", "1"]).succeeded();
    assert!(shown.stdout.contains("contractBranchCode"), "{}", shown.stdout);
}

/// Each with its place, as other mistakes of a feed, and where two fields say the same both.
#[test]
fn all_that_spark_does_otherwise_is_told_at_once() {
    let scratch = Scratch::sampled(50);
    use_engine(&scratch, "sc://127.0.0.1:1");
    scratch.edit(
        "feeds/contracts.yaml",
        "contractBranchCode: branch_code",
        "contractBranchCode: initcap(branch_code)\n    again: initcap(branch_code)\n    txt: cast(last_update_ts as string)",
    );
    for line in [&["check"][..], &["build", "--load-date", DAYS[0]]] {
        let refused = scratch.hivecast(line.iter().copied());
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        for told in ["field `contractBranchCode`", "field `again`", "field `txt`"] {
            assert!(
                refused.stderr.contains(&format!("{told} can't be built with Spark")),
                "{}",
                refused.stderr
            );
        }
        assert!(refused.stderr.contains("| "), "the lines are shown: {}", refused.stderr);
        assert!(refused.stderr.contains("3 mistakes in"), "{}", refused.stderr);
    }
    let mistakes = scratch.hivecast(["check", "--json"]).json()["error"]["mistakes"].clone();
    let lines: Vec<u64> =
        mistakes.as_array().unwrap().iter().map(|mistake| mistake["line"].as_u64().unwrap()).collect();
    assert_eq!((lines[1], lines[2]), (lines[0] + 1, lines[0] + 2), "{mistakes}");
    let doctor = scratch.hivecast(["doctor"]);
    assert!(doctor.stdout.contains("3 mistakes in the feed"), "{}", doctor.stdout);
}

/// As the embedded engine refuses it, and before anybody is asked.
#[test]
fn too_little_memory_is_refused_whatever_builds() {
    let scratch = Scratch::sampled(50);
    use_engine(&scratch, "sc://127.0.0.1:1");
    for explain in [&[][..], &["--explain"]] {
        let line = [&["build", "--load-date", DAYS[0], "--memory", "1MiB"], explain].concat();
        let said = scratch.hivecast(line).failed(2);
        assert!(said.contains("a memory limit of 1 MiB is too small to work with"), "{said}");
        assert!(said.contains("help: run with --memory 64MiB or more"), "{said}");
    }
}

#[test]
fn files_that_spark_reads_otherwise_are_told_by_check() {
    let scratch = Scratch::example();
    scratch
        .hivecast(["sample", "--accounts", "20", "--days", "1", "--load-date", DAYS[0], "--format", "avro"])
        .succeeded();
    scratch.hivecast(["check"]).succeeded();
    use_engine(&scratch, "sc://127.0.0.1:1");
    let checked = scratch.hivecast(["check"]);
    assert_eq!(checked.code, Some(2), "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stderr.contains("it is asked to read Parquet"), "{}", checked.stderr);
}

#[test]
fn a_server_that_is_not_there_is_infrastructure() {
    let scratch = Scratch::sampled(50);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    use_engine(&scratch, &format!("sc://127.0.0.1:{port}"));
    let failed = scratch.hivecast(["build", "--load-date", DAYS[0]]);
    assert_eq!(failed.code, Some(10), "{}", failed.stderr);
    assert!(failed.stderr.contains(&format!("Spark at 127.0.0.1:{port}")), "{}", failed.stderr);
    let doctor = scratch.hivecast(["doctor"]);
    assert_eq!(doctor.code, Some(10), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("engine"), "{}", doctor.stdout);
}

#[test]
fn doctor_says_which_server_answers() {
    let scratch = Scratch::sampled(50);
    use_engine(&scratch, &variable("HIVECAST_TEST_SAIL"));
    let doctor = scratch.hivecast(["doctor"]);
    assert!(doctor.stdout.contains("sail 0."), "{}", doctor.stdout);
}

#[test]
fn a_token_in_clear_text_is_refused_and_not_shown() {
    let scratch = Scratch::sampled(50);
    use_engine(&scratch, "sc://spark.bank:15002/;token=hush");
    let refused = scratch.hivecast(["build", "--load-date", DAYS[0]]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("clear text"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hush"), "{}", refused.stderr);
}
