//! Builds that take their time, and what happens to them on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::{Int64Array, RecordBatch, StringArray};
use hivecast_edition::{Edition, Store};
use hivecast_engine::{Engine, Plan};
use hivecast_run::{Cancel, Class, Context, Event, Fault, FixedClock, Result, Sink, Unit};

use crate::support::{DATE, plan};

pub(crate) const FEED: &str = "numbers";

/// How slow a build's statements are, in checksums for each row: ten are about half a millisecond.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slow {
    /// The rows are counted.
    pub(crate) counting: usize,
    /// The documents are written.
    pub(crate) writing: usize,
}

/// A table of so many rows in so many files, and a feed over it that sets two of them aside.
pub(crate) fn export(root: &Path, rows: i64, files: i64, slow: Slow) -> Plan {
    export_for(root, rows, files, &checksums(slow.counting), &checksums(slow.writing))
}

/// The same with these expressions of the column `word`: one that rows are counted by, and one in documents.
pub(crate) fn export_for(root: &Path, rows: i64, files: i64, counted: &str, written: &str) -> Plan {
    let dir = root.join(format!("numbers/load_date={DATE}"));
    // Of two processes the second finds it.
    if !dir.exists() {
        write_tables(&dir, rows, files);
    }
    let feed = format!(
        "
feed: {FEED}
topic: {FEED}
partitions: 1
tables:
  numbers: {{ source: numbers, where: \"{counted} <> 'none'\" }}
document:
  from: numbers
  key: id
  fields: {{ word: word, number: \"{written}\" }}
gates:
  allowed: {{ of: numbers, column: kind, values: [usual], severity: quarantine }}
"
    );
    plan(&feed, root, DATE.parse().unwrap())
}

fn write_tables(dir: &Path, rows: i64, files: i64) {
    fs::create_dir_all(dir).unwrap();
    for file in 0..files {
        let ids: Vec<i64> = (0..rows).filter(|id| id % files == file).collect();
        let words = ids.iter().map(|id| format!("w{id}"));
        let kinds = ids.iter().map(|id| if *id < 2 { "odd" } else { "usual" });
        let batch = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(ids.clone())) as _),
            ("word", Arc::new(StringArray::from_iter_values(words)) as _),
            ("kind", Arc::new(StringArray::from_iter_values(kinds)) as _),
        ])
        .unwrap();
        let file = fs::File::create(dir.join(format!("part-{file}.parquet"))).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
}

fn checksums(count: usize) -> String {
    let one = |at: usize| format!("md5(repeat(word, {}))", 3000 + at);
    let all = std::iter::once("word".to_owned()).chain((0..count).map(one));
    format!("md5(concat({}))", all.collect::<Vec<_>>().join(", "))
}

/// Where a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server has said who it is.
    Connected,
    /// It runs its first statement with tasks.
    Counting,
    /// It runs the statement of the documents' rows; what it writes, it writes at that statement's end.
    Joining,
    /// It writes these rows.
    Writing,
    /// All of these are there.
    Written,
    /// The edition is being written.
    Assembling,
}

impl Moment {
    fn has_come(self, event: &Event, store: &Path) -> bool {
        match self {
            Moment::Joining => Moment::Counting.has_come(event, store) && !find(store, ".tmp-").is_empty(),
            Moment::Connected => matches!(event, Event::Note { .. }),
            Moment::Counting => matches!(event, Event::Counts { total: Some(1..), unit: Unit::Tasks, .. }),
            Moment::Writing => !find(store, "_temporary").is_empty(),
            Moment::Written => !find(store, "_SUCCESS").is_empty(),
            Moment::Assembling => matches!(event, Event::Counts { unit: Unit::Records, .. }),
        }
    }
}

/// Paths of this name below a directory, which others change meanwhile.
pub(crate) fn find(dir: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(name) {
            found.push(entry.path());
        }
        found.extend(find(&entry.path(), name));
    }
    found
}

/// True once it is done.
type Act<'a> = Box<dyn FnMut() -> bool + Send + 'a>;

/// Does something once, from one moment of a build on, while that waits.
pub(crate) struct At<'a> {
    moment: Moment,
    store: PathBuf,
    come: Mutex<bool>,
    act: Mutex<Option<Act<'a>>>,
    /// All that was told.
    told: Mutex<String>,
}

impl<'a> At<'a> {
    pub(crate) fn new(moment: Moment, store: &Path, act: impl Fn() + Send + 'a) -> At<'a> {
        At::soon_after(moment, store, move || {
            act();
            true
        })
    }

    /// Tries at each event until it is done.
    pub(crate) fn soon_after(moment: Moment, store: &Path, act: impl FnMut() -> bool + Send + 'a) -> At<'a> {
        At {
            moment,
            store: store.to_owned(),
            come: Mutex::default(),
            act: Mutex::new(Some(Box::new(act))),
            told: Mutex::default(),
        }
    }

    pub(crate) fn has_come(&self) -> bool {
        self.act.lock().unwrap().is_none()
    }

    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }
}

impl Sink for At<'_> {
    fn event(&self, event: &Event) {
        self.told.lock().unwrap().push_str(&format!("{event:?}\n"));
        let mut act = self.act.lock().unwrap();
        let mut come = self.come.lock().unwrap();
        *come |= act.is_some() && self.moment.has_come(event, &self.store);
        if *come && act.as_mut().is_some_and(|act| act()) {
            *act = None;
        }
    }
}

/// Builds in this store.
pub(crate) fn build_in(
    store: &Path,
    engine: &dyn Engine,
    plan: &Plan,
    sink: &dyn Sink,
    cancel: &Cancel,
) -> Result<Edition> {
    let context = Context { sink, cancel, clock: &FixedClock(0) };
    engine.build(plan, &Store::open(store)?, &context)
}

/// Nothing of a build that failed is in the store, whole or half.
pub(crate) fn assert_nothing(store: &Path) {
    assert!(find(store, ".tmp-").is_empty(), "{:?}", find(store, ".tmp-"));
    let survey = Store::open(store).unwrap().survey(FEED).unwrap();
    assert!(survey.editions.is_empty(), "{:?}", survey.editions);
    assert!(survey.warnings.is_empty(), "{:?}", survey.warnings);
}

/// The store has one edition, this one, and nothing else.
pub(crate) fn assert_only(store: &Path, checksum: &str) {
    assert!(find(store, ".tmp-").is_empty(), "{:?}", find(store, ".tmp-"));
    let survey = Store::open(store).unwrap().survey(FEED).unwrap();
    let checksums: Vec<&str> =
        survey.editions.iter().map(|edition| edition.description.checksum.as_str()).collect();
    assert_eq!(checksums, [checksum]);
    assert!(survey.warnings.is_empty(), "{:?}", survey.warnings);
}

/// A fault of what is between us and the server, with this in its words and this in its advice.
pub(crate) fn assert_infrastructure(fault: &Fault, words: &str, advice: &str) {
    let told = format!("{} ({:?})", fault.chain(), fault.advice());
    assert_eq!(fault.class(), Class::Infrastructure, "{told}");
    assert!(fault.chain().contains(words), "{words} is not in: {told}");
    assert!(fault.advice().is_some_and(|found| found.contains(advice)), "{advice} is not in: {told}");
}
