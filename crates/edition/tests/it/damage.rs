use std::path::PathBuf;

use hivecast_edition::{Columns, Edition};
use hivecast_run::{Cancel, Class, Fault};

use crate::build::{TestStore, keys};

const SHARDS: usize = 3;

fn shard_path(edition: &Edition, index: usize) -> PathBuf {
    edition.path.join(&edition.description.shards[index].file)
}

#[test]
fn a_run_that_is_stopped_stops_verifying() {
    let test = TestStore::new();
    let edition = test.edition("2026-11-22", "aa", &keys(0..10), 1);
    let cancel = Cancel::default();
    edition.verify_files_unless(&cancel).unwrap();
    cancel.cancel();
    assert_eq!(edition.verify_files_unless(&cancel).unwrap_err().class(), Class::Interrupted);
}

/// Verifies after each damage to each shard; the damage is undone in between.
fn each_shard(damage: impl Fn(&mut Vec<u8>), says: &str) {
    let test = TestStore::new();
    let edition = test.edition("2026-11-22", "aa", &keys(0..500), SHARDS);
    for index in 0..SHARDS {
        let path = shard_path(&edition, index);
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damage(&mut damaged);
        std::fs::write(&path, damaged).unwrap();
        let fault = edition.verify_files().unwrap_err();
        is_damage(&fault, &format!("shard-000{index}.parquet"), says);
        std::fs::write(&path, whole).unwrap();
        edition.verify_files().unwrap();
    }
}

fn is_damage(fault: &Fault, names: &str, says: &str) {
    assert_eq!(fault.class(), Class::Data);
    assert!(fault.chain().contains(names), "{} does not name {names}", fault.chain());
    assert!(fault.chain().contains(says), "{} does not say {says:?}", fault.chain());
    assert!(fault.advice().unwrap().contains("built anew"));
}

#[test]
fn a_truncated_shard_is_found() {
    each_shard(|bytes| bytes.truncate(bytes.len() / 2), "not the");
    each_shard(|bytes| bytes.truncate(bytes.len() - 1), "not the");
    each_shard(Vec::clear, "has 0 bytes");
}

#[test]
fn one_flipped_bit_is_found_wherever_it_is() {
    each_shard(|bytes| bytes[5] ^= 1, "checksum");
    each_shard(
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x80;
        },
        "checksum",
    );
    each_shard(
        |bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        },
        "checksum",
    );
}

#[test]
fn appended_bytes_are_found() {
    each_shard(|bytes| bytes.push(0), "not the");
}

#[test]
fn a_missing_shard_is_found() {
    let test = TestStore::new();
    let edition = test.edition("2026-11-22", "aa", &keys(0..500), SHARDS);
    std::fs::remove_file(shard_path(&edition, 1)).unwrap();
    is_damage(&edition.verify_files().unwrap_err(), "shard-0001.parquet", "is missing");
}

#[test]
fn reading_a_damaged_shard_is_a_fault_that_names_it_and_ends_the_reader() {
    let test = TestStore::new();
    let edition = test.edition("2026-11-22", "aa", &keys(0..500), SHARDS);
    let path = shard_path(&edition, 1);
    let whole = std::fs::read(&path).unwrap();
    let swapped = std::fs::read(shard_path(&edition, 2)).unwrap();
    for (damaged, says) in [
        (Some(whole[..whole.len() / 2].to_vec()), "failed to read"),
        (Some(Vec::new()), "failed to read"),
        (None, "No such file"),
        (Some(swapped), "documents, not"),
    ] {
        match damaged {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let mut reader = edition.reader(0, Columns::Documents).unwrap();
        assert!(reader.next().unwrap().is_ok(), "the first shard is sound");
        is_damage(&reader.next().unwrap().unwrap_err(), "shard-0001.parquet", says);
        assert!(reader.next().is_none());
    }
}
