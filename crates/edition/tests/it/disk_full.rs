use std::path::Path;
use std::process::Command;

use hivecast_edition::Store;
use hivecast_run::{Class, Fault};

use crate::build::{FEED, day, draft, keys, write_keys};

/// A small file system of its own, where this process may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn is_full(fault: &Fault) {
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    assert!(fault.chain().contains("No space left on device"), "{}", fault.chain());
    assert!(fault.advice().unwrap().contains("make room"), "{:?}", fault.advice());
}

/// The unit tests of the shard's encoder fail its writes at every byte on any machine; this one
/// needs the right to mount.
#[test]
fn a_full_disk_is_infrastructure_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount("256k") else {
        eprintln!("not allowed to mount a small disk here");
        return;
    };
    let store = Store::open(disk.path()).unwrap();
    let writer = store.begin(FEED, day("2026-11-22")).unwrap();
    is_full(&write_keys(&writer, &keys(0..200_000), 1).unwrap_err());
    drop(writer);
    let left: Vec<_> =
        std::fs::read_dir(disk.path().join(FEED)).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"], "nothing half written is left");

    let writer = store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..100), 1).unwrap();
    let rows =
        (0..).map(|n| writer.quarantine("t", "g", "too many", Some("k"), serde_json::json!({ "n": n })));
    is_full(&rows.take(100_000).find_map(Result::err).unwrap());
    drop(writer);

    let writer = store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..100), 1).unwrap();
    let mut huge = draft("aa");
    huge.engine = "x".repeat(1_000_000);
    is_full(&writer.finish(huge).unwrap_err());
    assert!(store.list(FEED).unwrap().is_empty());
    let writer = store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..100), 1).unwrap();
    writer.finish(draft("aa")).unwrap();
}
