//! Servers whose disk or memory is too small.

use hivecast_run::{Cancel, Silent};

use crate::moments::{Slow, assert_infrastructure, assert_nothing, build_in, export, export_for};
use crate::servers::{OwnServer, Setup, SmallDisk};
use crate::support::engine;

#[test]
#[ignore = "mounts file systems, which is for root: `cargo xtask torture` runs it"]
fn no_space_in_the_store_or_for_what_is_spilled() {
    let spill = SmallDisk::mount("2m");
    let server = OwnServer::start(&Setup { local_dir: Some(&spill.path()), ..Setup::default() });
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), 2_000, 1, Slow { counting: 0, writing: 1 });
    let disk = SmallDisk::mount("64k");
    let store = disk.path().join("store");
    let fault = build_in(&store, &engine(server.address()), &plan, &Silent, &Cancel::default()).unwrap_err();
    assert_infrastructure(&fault, "No space left on device", "make room");
    assert_nothing(&store);
    // The checksums of so many rows are more than its shuffle has room for; the store has all.
    let store = root.path().join("store");
    let many = tempfile::tempdir().unwrap();
    let plan = export(many.path(), 200_000, 2, Slow { counting: 0, writing: 1 });
    let fault = build_in(&store, &engine(server.address()), &plan, &Silent, &Cancel::default()).unwrap_err();
    assert_infrastructure(&fault, "No space left on device", "make room");
    assert_nothing(&store);
}

#[test]
#[ignore = "a server that runs out of memory takes its time: `cargo xtask torture` runs it"]
fn executors_killed_by_too_little_memory() {
    let server = OwnServer::start(&Setup {
        master: Some("local-cluster[1,1,700]"),
        conf: &["spark.executor.memory=500m"],
        ..Setup::default()
    });
    let root = tempfile::tempdir().unwrap();
    // Of each word a text that is longer than an executor's memory.
    let plan = export_for(root.path(), 3, 1, "word", "md5(repeat(word, 900000000))");
    let store = root.path().join("store");
    let fault = build_in(&store, &engine(server.address()), &plan, &Silent, &Cancel::default()).unwrap_err();
    assert_infrastructure(&fault, " at 127.0.0.1:", "more memory");
    assert_nothing(&store);
}
