//! Editions in a store that machines share. A machine is a cache; without it the run is on another one.
//! Needs the services that `dev/with-services` starts.

use crate::support::{DAYS, Scratch};

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `dev/with-services`"))
}

/// A name that no other test, run or process uses.
fn unique(scratch: &Scratch) -> String {
    format!("editions{}", scratch.path().display())
}

/// One machine publishes the first day, others the days after it, of which each needs the editions before.
fn published_by_several_machines(scratch: &Scratch, store: &str, more: &str) {
    scratch.edit("hivecast.yaml", "store: ./editions\n", &format!("store: \"{store}\"\n{more}"));
    let forget = || std::fs::remove_dir_all(scratch.join(".cache")).unwrap();
    let publish = |day: &str| {
        let report = scratch.hivecast(["publish", "--load-date", day, "--json"]).succeeded().json();
        report["runs"][0].clone()
    };
    let first = publish(DAYS[0]);
    assert_eq!(first["outcome"], "published");
    forget();
    let mut command = scratch.command(["build", "--load-date", DAYS[0]]);
    let built = scratch.finish(command.spawn().unwrap()).succeeded();
    assert!(built.stderr.contains("is built already"), "{}", built.stderr);
    forget();
    let second = publish(DAYS[1]);
    assert_eq!(second["outcome"], "published");
    let records = scratch.topic("topics", "mdm.contracts");
    assert!(records.iter().any(|record| record.value.is_none()), "keys that are gone since got a tombstone");
    forget();
    assert_eq!(publish(DAYS[2])["outcome"], "published");
    scratch.hivecast(["verify"]).succeeded();
    let doctor = scratch.hivecast(["doctor"]);
    // Part of its path is hidden, as it is this directory's.
    let (address, _) = store.split_once("/editions").unwrap();
    assert!(doctor.stdout.contains(&format!("editions can be written to {address}/")), "{}", doctor.stdout);
}

#[test]
fn in_hdfs() {
    let scratch = Scratch::sampled(300);
    let store = format!("{}/{}", variable("HIVECAST_TEST_HDFS"), unique(&scratch));
    published_by_several_machines(&scratch, &store, "");
}

#[test]
fn in_an_s3_compatible_store() {
    let scratch = Scratch::sampled(300);
    let store = format!("s3://{}/{}", variable("HIVECAST_TEST_S3_BUCKET"), unique(&scratch));
    let more = format!(
        "    s3: {{ endpoint: \"{}\", region: \"{}\", access_key_id: \"{}\", secret_access_key: \"{}\" }}\n",
        variable("HIVECAST_TEST_S3"),
        variable("HIVECAST_TEST_S3_REGION"),
        variable("HIVECAST_TEST_S3_ACCESS_KEY_ID"),
        variable("HIVECAST_TEST_S3_SECRET_ACCESS_KEY"),
    );
    published_by_several_machines(&scratch, &store, &more);
}

#[test]
fn a_name_node_that_is_not_there_is_infrastructure_and_is_named() {
    let scratch = Scratch::sampled(10);
    scratch.edit("hivecast.yaml", "store: ./editions\n", "store: \"hdfs://127.0.0.1:1/editions\"\n");
    let failed = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(10);
    assert!(failed.contains("hdfs://127.0.0.1:1/editions") && failed.contains("127.0.0.1:1: "), "{failed}");
    assert!(!scratch.join("topics/mdm.contracts").exists(), "nothing was sent");
}
