//! Kills a real process at each point of writing an edition. The process is this test binary,
//! started again for the one test that writes.

use std::process::Command;

use hivecast_edition::Store;

use crate::build::{FEED, TestStore, day, draft, keys, write_keys};

const CHILD_STORE: &str = "EDITION_TEST_STORE";
const SHARDS: usize = 3;

fn write_edition(store: &Store) {
    let writer = store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..1000), SHARDS).unwrap();
    writer.finish(draft("aa")).unwrap();
}

/// What the child process runs; by itself it has no store to write to.
#[test]
fn child() {
    let Some(root) = std::env::var_os(CHILD_STORE) else { return };
    write_edition(&Store::open(root.as_ref()).unwrap());
}

fn killed_at(test: &TestStore, point: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child"])
        .env(CHILD_STORE, test.dir.path().join("editions"))
        .env("HIVECAST_CRASH_AT", point)
        .output()
        .unwrap()
        .status;
    assert!(!status.success(), "the process did not reach {point}");
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(9), "{point}");
}

#[test]
fn a_crash_before_the_rename_leaves_nothing_that_looks_whole() {
    for point in [
        "edition.shard_written:1",
        "edition.shard_written:2",
        "edition.shard_written:3",
        "edition.before_json",
        "edition.before_rename",
    ] {
        let test = TestStore::new();
        killed_at(&test, point);
        let survey = test.store.survey(FEED).unwrap();
        assert!(survey.editions.is_empty(), "{point}");
        assert!(survey.warnings.is_empty(), "{point}: {:?}", survey.warnings);
        let left = test.names();
        assert_eq!(left.len(), 1, "{point}: {left:?}");
        assert!(left[0].starts_with(".tmp-2026-11-22-"), "{point}: {left:?}");
        write_edition(&test.store);
        assert_eq!(test.names(), ["load_date=2026-11-22"], "{point}: the next run sweeps and finishes");
        test.store.list(FEED).unwrap()[0].verify_files().unwrap();
    }
}

#[test]
fn a_crash_after_the_rename_leaves_the_whole_edition() {
    let test = TestStore::new();
    killed_at(&test, "edition.after_rename");
    let editions = test.store.list(FEED).unwrap();
    assert_eq!(editions.len(), 1);
    assert_eq!(editions[0].description.documents, 1000);
    editions[0].verify_files().unwrap();
    assert_eq!(test.names(), ["load_date=2026-11-22"]);
}
