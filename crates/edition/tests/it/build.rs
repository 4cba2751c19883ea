//! Small editions of one number a document, for tests that look at something else than content.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, StructArray, UInt32Array};
use arrow_schema::{DataType, Field, Fields};
use hivecast_contract::{EditionId, LoadDate, key_hash};
use hivecast_edition::{Draft, Edition, EditionWriter, Store, TableDescription};
use hivecast_run::Result;

/// A store in a directory of its own.
pub(crate) struct TestStore {
    pub(crate) store: Store,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) const FEED: &str = "contracts";

impl TestStore {
    pub(crate) fn new() -> TestStore {
        let dir = tempfile::tempdir().unwrap();
        TestStore { store: Store::open(&dir.path().join("editions")).unwrap(), dir }
    }

    pub(crate) fn feed_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("editions").join(FEED)
    }

    /// Everything in the feed's directory but its lock.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.feed_dir()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".lock");
        names.sort();
        names
    }

    /// An edition of these keys in so many shards; a document's number is its key's length.
    pub(crate) fn edition(&self, date: &str, id: &str, keys: &[String], shards: usize) -> Edition {
        let writer = self.store.begin(FEED, day(date)).unwrap();
        write_keys(&writer, keys, shards).unwrap();
        writer.finish(draft(id)).unwrap()
    }
}

pub(crate) fn day(text: &str) -> LoadDate {
    text.parse().unwrap()
}

pub(crate) fn fields() -> Fields {
    Fields::from(vec![Field::new("number", DataType::Int64, true)])
}

pub(crate) fn draft(id: &str) -> Draft {
    Draft {
        id: EditionId(id.to_owned()),
        feed_fingerprint: "f".repeat(64),
        gates_fingerprint: String::new(),
        time_ms: 1_795_000_000_000,
        built_ms: 1_795_000_100_000,
        engine: "embedded".to_owned(),
        inputs: Vec::new(),
        tables: Vec::new(),
        document: fields(),
        gates: Vec::new(),
    }
}

pub(crate) fn table(name: &str, rows: u64) -> TableDescription {
    TableDescription { table: name.to_owned(), rows_read: rows, rows, rows_used: rows }
}

pub(crate) fn keys(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("key-{number}")).collect()
}

/// Keys as an edition orders them.
pub(crate) fn in_order(keys: &[String]) -> Vec<String> {
    let mut keys = keys.to_vec();
    keys.sort_by_cached_key(|key| (key_hash(key.as_bytes()), key.clone()));
    keys
}

/// The keys' documents, in shards of equal length.
pub(crate) fn write_keys(writer: &EditionWriter, keys: &[String], shards: usize) -> Result<()> {
    let keys = in_order(keys);
    let length = keys.len().div_ceil(shards).max(1);
    for index in 0..shards {
        let part = keys.iter().skip(index * length).take(length);
        let mut shard = writer.shard(index as u32, &fields())?;
        let part: Vec<&str> = part.map(String::as_str).collect();
        let (hash, key, document) = columns(&part);
        shard.write(&hash, &key, &document)?;
        shard.finish()?;
    }
    Ok(())
}

pub(crate) fn columns(keys: &[&str]) -> (UInt32Array, ArrayRef, StructArray) {
    let hash: UInt32Array = keys.iter().map(|key| Some(key_hash(key.as_bytes()))).collect();
    let numbers: Int64Array = keys.iter().map(|key| Some(key.len() as i64)).collect();
    let document = StructArray::new(fields(), vec![Arc::new(numbers)], None);
    (hash, Arc::new(StringArray::from(keys.to_vec())), document)
}

/// What a reader gives, as (ordinal, key).
pub(crate) fn read_keys(edition: &Edition, start: u64) -> Vec<(u64, String)> {
    use hivecast_edition::Columns;
    let mut read = Vec::new();
    for batch in edition.reader(start, Columns::Keys).unwrap() {
        let batch = batch.unwrap();
        let keys = batch.key.iter().flatten().map(str::to_owned);
        read.extend((batch.ordinal..).zip(keys));
    }
    read
}
