use arrow_schema::{DataType, Field};
use hivecast_contract::EditionId;
use hivecast_edition::{Columns, Draft, Edition, Exclusion, LookUp, PruneMode, Sent, Store};
use hivecast_run::Class;
use serde_json::json;

use crate::build::{FEED, TestStore, columns, day, draft, fields, in_order, keys, read_keys, write_keys};

fn ids(store: &Store) -> Vec<String> {
    store.list(FEED).unwrap().into_iter().map(|edition| edition.description.id.0).collect()
}

#[test]
fn a_finished_edition_is_found_as_it_was_written() {
    let test = TestStore::new();
    let written = test.edition("2026-11-22", "aa", &keys(0..1000), 3);
    let found = test.store.find(FEED, &EditionId("aa".to_owned())).unwrap().unwrap();
    assert_eq!(found.description, written.description);
    assert_eq!(found.documents(), 1000);
    assert_eq!(found.description.shards.len(), 3);
    assert!(found.path.ends_with("contracts/load_date=2026-11-22/edition-aa"));
    assert_eq!(test.names(), ["load_date=2026-11-22"], "no temporary directory is left");
    let files: Vec<String> = std::fs::read_dir(&found.path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), 4, "three shards and edition.json, and nothing else: {files:?}");
    found.verify_files().unwrap();
    let expected: Vec<(u64, String)> = (0..).zip(in_order(&keys(0..1000))).collect();
    assert_eq!(read_keys(&found, 0), expected);
}

#[test]
fn a_store_that_is_not_there_yet_is_empty_and_stays_so() {
    let test = TestStore::new();
    assert!(test.store.list(FEED).unwrap().is_empty());
    assert!(test.store.prune(FEED, 1, &[], PruneMode::Remove).unwrap().is_empty());
    assert!(!test.dir.path().join("editions").exists(), "reading makes nothing");
    std::fs::write(test.dir.path().join("file"), "").unwrap();
    assert_eq!(Store::open(&test.dir.path().join("file")).unwrap_err().class(), Class::Usage);
    for name in ["", "..", ".hidden", "a/b", "a b"] {
        assert_eq!(test.store.list(name).unwrap_err().class(), Class::Usage, "{name:?}");
    }
}

#[test]
fn editions_are_listed_by_load_date_then_by_when_they_were_built() {
    let test = TestStore::new();
    for (date, id, built_ms) in
        [("2026-11-22", "b", 2), ("2026-11-21", "c", 9), ("2026-11-22", "d", 1), ("2026-11-20", "a", 5)]
    {
        let writer = test.store.begin(FEED, day(date)).unwrap();
        write_keys(&writer, &keys(0..3), 1).unwrap();
        let mut draft = draft(id);
        draft.built_ms = built_ms;
        writer.finish(draft).unwrap();
    }
    assert_eq!(ids(&test.store), ["a", "c", "d", "b"]);
    let of_date = test.store.of_date(FEED, day("2026-11-22")).unwrap();
    assert_eq!(
        of_date.iter().map(|edition| edition.description.id.0.as_str()).collect::<Vec<_>>(),
        ["d", "b"]
    );
}

#[test]
fn what_is_no_whole_edition_is_passed_over_with_a_warning() {
    let test = TestStore::new();
    let whole = test.edition("2026-11-22", "aa", &keys(0..3), 1);
    let date_dir = whole.path.parent().unwrap();
    let copy = |name: &str| {
        let dir = date_dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        for entry in std::fs::read_dir(&whole.path).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
        dir
    };
    std::fs::remove_file(copy("edition-no-json").join("edition.json")).unwrap();
    std::fs::write(copy("edition-half-json").join("edition.json"), "{\"format\": 1, \"id\"").unwrap();
    copy("edition-other-id");
    let newer = copy("edition-newer").join("edition.json");
    let text = std::fs::read_to_string(&newer).unwrap();
    std::fs::write(&newer, text.replacen("\"format\": 2", "\"format\": 3", 1)).unwrap();
    std::fs::create_dir(date_dir.join("something-else")).unwrap();

    let survey = test.store.survey(FEED).unwrap();
    assert_eq!(survey.editions.len(), 1);
    assert_eq!(survey.editions[0].description, whole.description);
    let why = |name: &str| {
        let warning = survey.warnings.iter().find(|warning| warning.contains(name));
        warning.unwrap_or_else(|| panic!("no warning about {name}: {:?}", survey.warnings))
    };
    assert!(why("edition-no-json").contains("is not there"));
    assert!(why("edition-half-json").contains("EOF while parsing"));
    assert!(why("edition-other-id").contains("speaks of another edition"));
    assert!(why("edition-newer").contains("newer than this program's"));
    assert_eq!(survey.warnings.len(), 4);
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let test = TestStore::new();
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..10), 2).unwrap();
    writer.quarantine("accounts", "allowed", "colour", None, json!({})).unwrap();
    assert_eq!(test.names().len(), 1);
    drop(writer);
    assert!(test.names().is_empty());
    assert!(test.store.list(FEED).unwrap().is_empty());
}

#[test]
fn a_live_writers_directory_is_left_alone_and_a_dead_ones_is_swept() {
    let test = TestStore::new();
    let live = test.store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&live, &keys(0..10), 1).unwrap();
    let dead = test.feed_dir().join(".tmp-2026-11-21-4194305-0");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join(".lock"), "").unwrap();
    std::fs::write(dead.join("shard-0000.parquet"), "half").unwrap();
    std::fs::create_dir(test.feed_dir().join(".tmp-2026-11-21-4194305-1")).unwrap();

    let other = test.store.begin(FEED, day("2026-11-22")).unwrap();
    assert_eq!(test.names().len(), 2, "the dead ones are gone, both live ones are there: {:?}", test.names());
    std::fs::create_dir(&dead).unwrap();
    test.store.prune(FEED, 7, &[], PruneMode::Remove).unwrap();
    assert_eq!(test.names().len(), 2, "prune sweeps too: {:?}", test.names());
    drop(other);
    live.finish(draft("aa")).unwrap();
    assert_eq!(test.names(), ["load_date=2026-11-22"]);
}

#[test]
fn an_equal_edition_is_kept_and_a_damaged_one_replaced() {
    let test = TestStore::new();
    let first = test.edition("2026-11-22", "aa", &keys(0..100), 2);
    let mut again = draft("aa");
    again.built_ms += 1;
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..100), 5).unwrap();
    let kept = writer.finish(again).unwrap();
    assert_eq!(kept.description, first.description, "the existing one is kept");
    assert_eq!(test.names(), ["load_date=2026-11-22"]);

    std::fs::remove_file(first.path.join("shard-0001.parquet")).unwrap();
    let replaced = test.edition("2026-11-22", "aa", &keys(0..100), 5);
    assert_eq!(replaced.description.shards.len(), 5, "the damaged one is replaced");
    replaced.verify_files().unwrap();
    drop(test.store.begin(FEED, day("2026-11-22")).unwrap());
    assert_eq!(test.names(), ["load_date=2026-11-22"], "what was replaced is swept");
}

/// Part of it may be on a topic: the list that it was sent with outlives it, as long as the documents
/// are the same.
#[test]
fn what_is_set_aside_stays_when_an_edition_is_built_again() {
    let test = TestStore::new();
    let mut first = test.edition("2026-11-22", "aa", &keys(0..100), 2);
    let aside = vec![Exclusion { key: keys(0..1)[0].clone(), reason: "too large".to_owned() }];
    first.exclude(aside, Sent::Nothing).unwrap();
    let rebuilt = |gates: &str, range| {
        let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
        write_keys(&writer, &keys(range), 3).unwrap();
        writer.finish(Draft { gates_fingerprint: gates.to_owned(), ..draft("aa") }).unwrap()
    };
    let again = rebuilt("other gates", 0..100);
    assert_eq!(again.description.shards.len(), 3, "it was built again");
    assert_eq!(again.fingerprint(), first.fingerprint());
    let aside = |edition: &Edition| edition.excluded().unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(aside(&first).len(), 1);
    assert_eq!(aside(&again), aside(&first));
    assert!(aside(&rebuilt("third gates", 0..90)).is_empty(), "ordinals of other documents mean nothing");
}

#[test]
fn a_damaged_edition_is_told_from_one_that_is_not_there() {
    let test = TestStore::new();
    let edition = test.edition("2026-11-22", "aa", &keys(0..10), 1);
    let look_up = |id: &str| test.store.look_up(FEED, &EditionId(id.to_owned())).unwrap();
    assert!(matches!(look_up("bb"), LookUp::Absent));
    assert!(matches!(look_up("aa"), LookUp::Whole(found) if found.description == edition.description));
    let json = edition.path.join("edition.json");
    std::fs::write(&json, &std::fs::read(&json).unwrap()[..100]).unwrap();
    let LookUp::Damaged(fault) = look_up("aa") else { panic!("damage goes unseen") };
    assert!(fault.class() == Class::Data && fault.chain().contains("edition.json"), "{}", fault.chain());
}

#[test]
fn prune_keeps_the_newest_load_dates_and_what_is_protected() {
    let test = TestStore::new();
    for (day, ids) in
        [(18, vec!["a"]), (19, vec!["b"]), (20, vec!["c", "d"]), (21, vec!["e"]), (22, vec!["f", "g"])]
    {
        for id in ids {
            test.edition(&format!("2026-11-{day}"), id, &keys(0..5), 1);
        }
    }
    let protect = [EditionId("b".to_owned()), EditionId("d".to_owned())];
    let told = test.store.prune(FEED, 2, &protect, PruneMode::DryRun).unwrap();
    assert_eq!(told.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(ids(&test.store).len(), 7, "a dry run removes nothing");
    assert_eq!(test.store.prune(FEED, 2, &protect, PruneMode::Remove).unwrap(), told);
    assert_eq!(ids(&test.store), ["b", "d", "e", "f", "g"]);
    assert_eq!(
        test.names(),
        ["load_date=2026-11-19", "load_date=2026-11-20", "load_date=2026-11-21", "load_date=2026-11-22"],
        "an emptied load_date goes too"
    );
    assert_eq!(test.store.prune(FEED, 0, &[], PruneMode::Remove).unwrap().len(), 5);
    assert!(test.names().is_empty());
}

#[test]
fn quarantined_rows_are_kept_and_counted() {
    let test = TestStore::new();
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    write_keys(&writer, &keys(0..3), 1).unwrap();
    writer.quarantine("parties", "orphans", "no account 7", Some("7"), json!({"party_id": "p\n1"})).unwrap();
    writer.quarantine("accounts", "document_key", "null key", None, json!({"account_id": null})).unwrap();
    writer.quarantine("parties", "orphans", "no account 8", Some("8"), json!({})).unwrap();
    let counts = writer.quarantined();
    assert_eq!(counts[&("parties".to_owned(), "orphans".to_owned())], 2);
    assert_eq!(counts.values().sum::<u64>(), 3);
    let edition = writer.finish(draft("aa")).unwrap();
    let text = std::fs::read_to_string(edition.quarantine_file().unwrap()).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        json!({"table": "parties", "gate": "orphans", "reason": "no account 7", "key": "7", "row": {"party_id": "p\n1"}})
    );
    assert_eq!(lines[1]["key"], json!(null));
}

#[test]
fn shards_are_written_on_several_threads_at_once() {
    let test = TestStore::new();
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    let all = in_order(&keys(0..10_000));
    std::thread::scope(|scope| {
        for (index, part) in all.chunks(1_250).enumerate() {
            let writer = &writer;
            scope.spawn(move || {
                let mut shard = writer.shard(index as u32, &fields()).unwrap();
                for piece in part.chunks(100) {
                    let piece: Vec<&str> = piece.iter().map(String::as_str).collect();
                    let (hash, key, document) = columns(&piece);
                    shard.write(&hash, &key, &document).unwrap();
                }
                shard.finish().unwrap();
            });
        }
    });
    let edition = writer.finish(draft("aa")).unwrap();
    assert_eq!(read_keys(&edition, 0), (0..).zip(all).collect::<Vec<_>>());
}

#[test]
fn an_edition_without_documents_is_an_edition() {
    let test = TestStore::new();
    let edition = test.edition("2026-11-22", "aa", &[], 2);
    assert_eq!(edition.documents(), 0);
    edition.verify_files().unwrap();
    assert!(edition.reader(0, Columns::Documents).unwrap().next().is_none());
    assert!(edition.find("key-1").unwrap().is_none());
}

#[test]
fn misuse_by_the_engine_is_a_bug_and_never_an_edition() {
    let test = TestStore::new();
    let begin = || test.store.begin(FEED, day("2026-11-22")).unwrap();
    let ordered = in_order(&keys(0..4));
    let order: Vec<&str> = ordered.iter().map(String::as_str).collect();
    let bug = |result: hivecast_run::Result<()>, says: &str| {
        let fault = result.unwrap_err();
        assert_eq!(fault.class(), Class::Bug, "{}", fault.chain());
        assert!(fault.chain().contains(says), "{} does not say {says:?}", fault.chain());
    };
    let write = |parts: &[&[&str]]| {
        let writer = begin();
        let mut shard = writer.shard(0, &fields()).unwrap();
        parts.iter().try_for_each(|part| {
            let (hash, key, document) = columns(part);
            shard.write(&hash, &key, &document)
        })
    };
    bug(write(&[&[order[1], order[0]]]), "comes after");
    bug(write(&[&[order[0], order[0]]]), "comes after");
    bug(write(&[&[order[1]], &[order[0]]]), "comes after");
    assert!(write(&[&order[..2], &order[2..]]).is_ok());

    let writer = begin();
    let mut shard = writer.shard(0, &fields()).unwrap();
    let (_, key, document) = columns(&order[..1]);
    bug(shard.write(&vec![7].into(), &key, &document), "is not the hash");
    bug(shard.write(&vec![7, 8].into(), &key, &document), "rows");
    bug(writer.shard(0, &fields()).map(drop), "twice");
    bug(
        writer.shard(1, &vec![Field::new("other", DataType::Int64, true)].into()).map(drop),
        "different fields",
    );
    bug(writer.finish(draft("aa")).map(drop), "never finished");

    let writer = begin();
    writer.shard(1, &fields()).unwrap().finish().unwrap();
    bug(writer.finish(draft("aa")).map(drop), "shard 0 was never begun");

    let writer = begin();
    for (index, key) in [(0, order[1]), (1, order[0])] {
        let (hash, key, document) = columns(&[key]);
        let mut shard = writer.shard(index, &fields()).unwrap();
        shard.write(&hash, &key, &document).unwrap();
        shard.finish().unwrap();
    }
    bug(writer.finish(draft("aa")).map(drop), "not after");
    assert!(test.store.list(FEED).unwrap().is_empty());
    assert!(test.names().is_empty());
}
