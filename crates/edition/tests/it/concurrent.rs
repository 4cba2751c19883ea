//! Several runs judge one edition at once: each writes whole files, and none stumbles over another's.

use std::path::Path;
use std::time::{Duration, SystemTime};

use hivecast_contract::EditionId;
use hivecast_edition::gates::{record, recorded};
use hivecast_edition::{Edition, Exclusion, PruneMode, Sent};

use crate::build::{FEED, TestStore, in_order, keys};

const RUNS: usize = 8;
const ROUNDS: usize = 25;

/// What one run does to an edition that is there, again and again.
fn judge(path: &Path, aside: &[String]) -> hivecast_run::Result<()> {
    for _ in 0..ROUNDS {
        let mut edition = Edition::open(path)?;
        let exclusion = |key: &String| Exclusion { key: key.clone(), reason: "too large".to_owned() };
        edition.exclude(aside.iter().map(exclusion), Sent::Nothing)?;
        record(&edition, &edition.description.gates)?;
        assert_eq!(edition.excluded()?.filter(Result::is_ok).count(), aside.len());
        assert_eq!(recorded(&edition)?.as_ref(), Some(&edition.description.gates));
    }
    Ok(())
}

/// The names of the files beside the shards that are no part of an edition.
fn leftovers(edition: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(edition).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".tmp")).collect()
}

#[test]
fn runs_that_judge_one_edition_at_once_do_not_hinder_each_other() {
    let test = TestStore::new();
    let all = in_order(&keys(0..500));
    let edition = test.edition("2026-11-22", "aa", &all, 2);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..RUNS).map(|_| scope.spawn(|| judge(&edition.path, &all[100..300]))).collect();
        // Another load_date is begun meanwhile, which sweeps.
        for _ in 0..ROUNDS {
            drop(test.store.begin(FEED, "2026-11-23".parse().unwrap()).unwrap());
        }
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for outcome in outcomes {
        outcome.unwrap_or_else(|fault| panic!("{}", fault.chain()));
    }
    assert_eq!(leftovers(&edition.path), [""; 0]);
    let read = test.store.find(FEED, &EditionId("aa".to_owned())).unwrap().unwrap();
    assert_eq!(read.documents(), 300);
}

#[test]
fn what_comes_before_an_edition_is_left_alone_while_its_run_lives() {
    let test = TestStore::new();
    let day = "2026-11-22".parse().unwrap();
    let scratch = test.store.scratch(FEED, day).unwrap();
    let at = std::path::PathBuf::from(scratch.location().path());
    std::fs::write(at.join("rows"), "rows").unwrap();
    // Beginning sweeps.
    drop(test.store.begin(FEED, day).unwrap());
    drop(test.store.scratch(FEED, day).unwrap());
    assert!(at.join("rows").exists(), "it is in use");
    assert!(test.store.list(FEED).unwrap().is_empty(), "it is no edition");
    drop(scratch);
    assert_eq!(test.names(), [""; 0]);
}

#[test]
fn files_that_a_dead_process_left_beside_an_edition_are_swept() {
    let test = TestStore::new();
    let edition = test.edition("2026-11-22", "aa", &in_order(&keys(0..10)), 1);
    let old = edition.path.join("excluded.ndjson.tmp");
    let left =
        ["gates.json.4194305-0.tmp", "excluded.ndjson.4194305-1.tmp"].map(|name| edition.path.join(name));
    let held = edition.path.join("gates.json.4194305-2.tmp");
    std::fs::write(&held, "half").unwrap();
    let live = std::fs::File::open(&held).unwrap();
    live.lock().unwrap();
    let sweeps: [&dyn Fn(); 2] =
        [&|| drop(test.store.begin(FEED, "2026-11-23".parse().unwrap()).unwrap()), &|| {
            drop(test.store.prune(FEED, 7, &[], PruneMode::Remove).unwrap())
        }];
    for sweep in sweeps {
        left.iter().for_each(|path| std::fs::write(path, "half").unwrap());
        let stale = std::fs::File::create(&old).unwrap();
        stale.set_modified(SystemTime::now() - Duration::from_secs(3_600)).unwrap();
        drop(stale);
        sweep();
        assert_eq!(leftovers(&edition.path), ["gates.json.4194305-2.tmp"], "a live one's stays");
    }
    edition.verify_files().unwrap();
}
