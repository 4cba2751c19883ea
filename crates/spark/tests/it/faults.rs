//! What goes wrong on the way to Spark and there: its class, and that nothing is left in the store.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hivecast_edition::Store;
use hivecast_engine::{Engine, Plan};
use hivecast_run::{Cancel, Class, Context, Event, FixedClock, Sink};

use crate::support::{DATE, Server, build, engine, plan};

const FEED: &str = "
feed: numbers
topic: numbers
partitions: 1
tables:
  numbers: { source: numbers }
document:
  from: numbers
  key: id
  fields: { word: word, number: cast(word as int) }
";

/// A table of two rows, the word of the second being this.
fn export(root: &Path, word: &str) -> Plan {
    use arrow_array::{Int64Array, RecordBatch, StringArray};
    let dir = root.join(format!("numbers/load_date={DATE}"));
    fs::create_dir_all(&dir).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as _),
        ("word", Arc::new(StringArray::from(vec!["7", word])) as _),
    ])
    .unwrap();
    let file = fs::File::create(dir.join("part-0.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    plan(FEED, root, DATE.parse().unwrap())
}

/// What lies in the stores below `root` that is no whole edition.
fn left_behind(root: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for store in fs::read_dir(root)
        .unwrap()
        .flatten()
        .filter(|dir| dir.file_name().to_string_lossy().starts_with("store-"))
    {
        let Ok(entries) = fs::read_dir(store.path().join("numbers")) else { continue };
        left.extend(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    left.retain(|name| name != ".lock" && !name.starts_with("load_date="));
    left
}

#[test]
fn nobody_answers() {
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), "8");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fault = build(&engine(&format!("sc://127.0.0.1:{port}")), &plan, root.path()).unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    assert!(
        fault.chain().contains(&format!("failed to connect to Spark at 127.0.0.1:{port}")),
        "{}",
        fault.chain()
    );
    assert!(fault.chain().contains("refused"), "{}", fault.chain());
    assert!(left_behind(root.path()).is_empty(), "{:?}", left_behind(root.path()));
}

#[test]
fn a_value_that_is_no_number_is_data_and_nothing_is_left() {
    for server in Server::ALL {
        let root = tempfile::tempdir().unwrap();
        let plan = export(root.path(), "eight");
        let fault = build(&server.engine(), &plan, root.path()).unwrap_err();
        assert_eq!(fault.class(), Class::Data, "{server:?}: {}", fault.chain());
        assert!(fault.chain().contains("failed to join the tables"), "{server:?}: {}", fault.chain());
        assert!(fault.chain().contains("eight"), "{server:?}: {}", fault.chain());
        assert!(left_behind(root.path()).is_empty(), "{server:?}: {:?}", left_behind(root.path()));
    }
}

#[test]
fn files_that_are_gone_are_noticed() {
    for server in Server::ALL {
        let root = tempfile::tempdir().unwrap();
        let plan = export(root.path(), "8");
        fs::remove_file(root.path().join(format!("numbers/load_date={DATE}/part-0.parquet"))).unwrap();
        let fault = build(&server.engine(), &plan, root.path()).unwrap_err();
        assert_eq!(fault.class(), Class::Infrastructure, "{server:?}: {}", fault.chain());
        assert!(left_behind(root.path()).is_empty(), "{server:?}: {:?}", left_behind(root.path()));
    }
}

/// Asks the run to stop as soon as the engine has begun.
struct StopAtStart<'a>(&'a Cancel);

impl Sink for StopAtStart<'_> {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Note { .. }) {
            self.0.cancel();
        }
    }
}

#[test]
fn a_cancelled_build_ends_soon_and_leaves_nothing() {
    for server in Server::ALL {
        let root = tempfile::tempdir().unwrap();
        let plan = export(root.path(), "8");
        let store = tempfile::Builder::new().prefix("store-").tempdir_in(root.path()).unwrap().keep();
        let cancel = Cancel::default();
        let sink = StopAtStart(&cancel);
        let context = Context { sink: &sink, cancel: &cancel, clock: &FixedClock(0) };
        let fault = server.engine().build(&plan, &Store::open(&store).unwrap(), &context).unwrap_err();
        assert_eq!(fault.class(), Class::Interrupted, "{server:?}: {}", fault.chain());
        assert!(left_behind(root.path()).is_empty(), "{server:?}: {:?}", left_behind(root.path()));
    }
}

#[test]
fn a_build_after_a_failed_one_succeeds() {
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), "8");
    let nobody = engine("sc://127.0.0.1:1");
    assert!(build(&nobody, &plan, root.path()).is_err());
    let edition =
        build(&Server::Sail.engine(), &plan, root.path()).unwrap_or_else(|fault| panic!("{}", fault.chain()));
    assert_eq!(edition.description.documents, 2);
    assert!(edition.description.engine.starts_with("sail "), "{}", edition.description.engine);
}

/// Keeps all that a run tells.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Sink for Listener {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

#[test]
fn values_that_a_feed_masks_are_in_no_message() {
    let masked_number = FEED.replace(
        "fields: { word: word, number: cast(word as int) }",
        "fields: { number: { value: cast(cast(word as int) as tinyint), mask: sha256 } }",
    );
    let masked_text =
        FEED.replace("number: cast(word as int)", "number: { value: cast(word as int), mask: sha256 }");
    // What isn't masked could hold what is: the whole message is withheld.
    let by_query = masked_text.replace("  numbers: { source: numbers }",
        "  raw: { source: numbers }\n  numbers: { sql: \"select id, word from raw where cast(word as bigint) > 0\" }");
    for (server, feed, word) in Server::ALL.into_iter().flat_map(|server| {
        [(&masked_number, "47110815"), (&masked_text, "O'Brien"), (&by_query, "O'Brien")]
            .map(|(feed, word)| (server, feed, word))
    }) {
        assert_ne!(feed, FEED);
        let root = tempfile::tempdir().unwrap();
        export(root.path(), word);
        let plan = plan(feed, root.path(), DATE.parse().unwrap());
        let store = tempfile::Builder::new().prefix("store-").tempdir_in(root.path()).unwrap().keep();
        let (listener, cancel) = (Listener::default(), Cancel::default());
        let context = Context { sink: &listener, cancel: &cancel, clock: &FixedClock(0) };
        let fault = server.engine().build(&plan, &Store::open(&store).unwrap(), &context).unwrap_err();
        assert_eq!(fault.class(), Class::Data, "{server:?}: {}", fault.chain());
        if server == Server::Spark {
            assert!(fault.chain().contains(": CAST_"), "{}", fault.chain());
        }
        let told =
            format!("{} {:?} {fault:?} {:?}", fault.chain(), fault.advice(), listener.0.lock().unwrap());
        assert!(!told.contains("47110815") && !told.contains("Brien"), "{server:?}: {told}");
    }
}
