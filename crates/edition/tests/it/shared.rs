//! Editions that machines share, in each kind of store. A machine is a cache directory. Needs the services
//! that `dev/with-services` starts; without them these tests fail.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hivecast_contract::EditionId;
use hivecast_edition::gates::{record, recorded};
use hivecast_edition::{
    Draft, Edition, Exclusion, GateResult, LookUp, Outcome, PruneMode, Sent, Shared, Store,
};
use hivecast_run::{Class, Clock, Fault, FixedClock, SystemClock};
use hivecast_storage::{Atomic, Entry, Existing, Location, ReadAt, S3Settings, Settings, Storage, Stores};
use tempfile::TempDir;

use crate::build::{FEED, day, draft, in_order, keys, read_keys, write_keys};

/// Which store, and where in it; for the child process that is killed.
const CHILD_ROOT: &str = "SHARED_TEST_ROOT";
const CHILD_CACHE: &str = "SHARED_TEST_CACHE";
const CHILD_ACTION: &str = "SHARED_TEST_ACTION";
const DAY: &str = "2026-11-22";

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this test through dev/with-services"))
}

fn stores() -> Stores {
    let set = |name: &str| std::env::var(name).ok();
    let s3 = S3Settings {
        endpoint: set("HIVECAST_TEST_S3"),
        region: set("HIVECAST_TEST_S3_REGION"),
        access_key_id: set("HIVECAST_TEST_S3_ACCESS_KEY_ID"),
        secret_access_key: set("HIVECAST_TEST_S3_SECRET_ACCESS_KEY"),
    };
    Stores::new(Settings { s3, ..Settings::default() })
}

/// A shared store, and where this machine keeps what the tests need.
struct World {
    shared: Shared,
    dir: TempDir,
}

impl World {
    fn at(root: &str, dir: TempDir) -> World {
        let root = Location::parse(root).unwrap();
        World { shared: Shared::new(stores().of(&root).unwrap(), root, Arc::new(SystemClock)), dir }
    }

    fn local() -> World {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("shared").to_str().unwrap().to_owned();
        World::at(&root, dir)
    }

    fn hdfs() -> World {
        let dir = tempfile::tempdir().unwrap();
        World::at(&format!("{}/editions{}", variable("HIVECAST_TEST_HDFS"), dir.path().display()), dir)
    }

    fn s3() -> World {
        let dir = tempfile::tempdir().unwrap();
        World::at(
            &format!("s3://{}/editions{}", variable("HIVECAST_TEST_S3_BUCKET"), dir.path().display()),
            dir,
        )
    }

    fn cache(&self, machine: &str) -> PathBuf {
        self.dir.path().join(machine)
    }

    fn machine(&self, name: &str) -> Store {
        Store::open_shared(&self.cache(name), self.shared.clone()).unwrap()
    }

    /// Everything in the shared store below this, as paths.
    fn files(&self, below: &Location) -> Vec<String> {
        let storage = stores().of(below).unwrap();
        let Ok(entries) = storage.list(below) else { return Vec::new() };
        let mut files = Vec::new();
        for entry in entries {
            let at = below.join(&entry.name);
            match entry.kind {
                hivecast_storage::Kind::Directory => files.extend(self.files(&at)),
                hivecast_storage::Kind::File => files.push(at.to_string()),
            }
        }
        files
    }

    fn all_files(&self) -> Vec<String> {
        self.files(self.shared.root())
    }

    /// The same store, where this happens once while it is worked with.
    fn busy(&self, when: When, happens: impl FnOnce() + Send + 'static) -> Shared {
        let root = self.shared.root().clone();
        let meanwhile: Meanwhile = Mutex::new(Some(Box::new(happens)));
        let storage = Arc::new(Busy { storage: stores().of(&root).unwrap(), when, meanwhile });
        Shared::new(storage, root, Arc::new(SystemClock))
    }

    fn renames_directories(&self) -> bool {
        stores().of(self.shared.root()).unwrap().atomic() == Atomic::RenameOfDirectories
    }
}

fn id(text: &str) -> EditionId {
    EditionId(text.to_owned())
}

fn build(store: &Store, date: &str, draft: Draft) -> Result<Edition, Fault> {
    build_in(store, date, draft, 3)
}

fn build_in(store: &Store, date: &str, draft: Draft, shards: usize) -> Result<Edition, Fault> {
    let writer = store.begin(FEED, day(date))?;
    write_keys(&writer, &keys(0..900), shards)?;
    writer.quarantine("accounts", "allowed", "odd", Some("k"), serde_json::json!({"a": 1}))?;
    writer.exclude(Exclusion { key: "key-7".to_owned(), reason: "twice".to_owned() })?;
    writer.finish(draft)
}

fn cached_shards(edition: &Edition) -> usize {
    let entries = std::fs::read_dir(&edition.path).unwrap();
    entries
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("shard-"))
        .count()
}

fn all_keys() -> Vec<(u64, String)> {
    (0..).zip(in_order(&keys(0..900))).collect()
}

macro_rules! held_against {
    ($store:ident, $($case:ident),* $(,)?) => {
        mod $store {
            use super::World;
            $(
                #[test]
                fn $case() {
                    super::$case(&World::$store());
                }
            )*
        }
    };
}

macro_rules! every_store {
    ($($case:ident),* $(,)?) => {
        held_against!(local, $($case),*);
        held_against!(hdfs, $($case),*);
        held_against!(s3, $($case),*);
    };
}

every_store!(
    what_one_machine_builds_another_reads,
    what_is_set_aside_is_the_same_everywhere,
    machines_that_build_one_edition_at_once,
    other_gates_take_its_place_and_keep_what_was_set_aside,
    what_is_pruned_is_gone_everywhere,
    damage_is_told_and_a_build_repairs_it,
    a_push_that_failed_is_made_up_for,
    a_kill_at_any_point_leaves_an_edition_whole_or_not_there,
    what_has_no_store_yet_is_empty,
    what_comes_during_a_push_is_not_taken_away,
    what_was_replaced_takes_no_word_of_what_it_replaced,
    a_removal_leaves_what_another_machine_pushes,
    what_the_clock_calls_young_is_not_swept,
    what_comes_before_an_edition_is_no_edition_and_goes_with_its_run,
);

/// What is called while another machine is in the middle of something.
type Meanwhile = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// When it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Before the first file is put.
    Putting,
    /// Before the directory that has the edition's name is renamed.
    Renaming,
    /// After the first removal.
    Removing,
}

/// A store in which something happens once, at a moment that is hard to meet.
struct Busy {
    storage: Arc<dyn Storage>,
    when: When,
    meanwhile: Meanwhile,
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Busy").field("when", &self.when).finish_non_exhaustive()
    }
}

impl Busy {
    fn comes(&self, when: When) {
        if when == self.when {
            let happens = self.meanwhile.lock().unwrap().take();
            happens.into_iter().for_each(|happens| happens());
        }
    }
}

impl Storage for Busy {
    fn list(&self, dir: &Location) -> io::Result<Vec<Entry>> {
        self.storage.list(dir)
    }
    fn stat(&self, at: &Location) -> io::Result<Entry> {
        self.storage.stat(at)
    }
    fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>> {
        self.storage.open(at)
    }
    fn create_dir(&self, dir: &Location) -> io::Result<()> {
        self.storage.create_dir(dir)
    }
    fn put(&self, from: &Path, to: &Location, existing: Existing) -> io::Result<()> {
        self.comes(When::Putting);
        self.storage.put(from, to, existing)
    }
    fn rename_dir(&self, from: &Location, to: &Location) -> io::Result<()> {
        if from.to_string().contains("/edition-") {
            self.comes(When::Renaming);
        }
        self.storage.rename_dir(from, to)
    }
    fn remove(&self, at: &Location) -> io::Result<()> {
        let removed = self.storage.remove(at);
        self.comes(When::Removing);
        removed
    }
    fn atomic(&self) -> Atomic {
        self.storage.atomic()
    }
}

fn judged_by(gates: &str) -> Draft {
    Draft { gates_fingerprint: gates.to_owned(), ..draft("aa") }
}

/// Another machine has replaced the edition by just the wanted one while it was uploaded: that one stays,
/// with what was set aside there, and is not replaced by the same again.
fn what_comes_during_a_push_is_not_taken_away(world: &World) {
    for (n, when) in [When::Putting, When::Renaming].into_iter().enumerate() {
        if when == When::Renaming && !world.renames_directories() {
            continue;
        }
        build(&world.machine("first"), DAY, judged_by(&format!("old {n}"))).unwrap();
        let other = world.machine(&format!("other-{n}"));
        let comes =
            move || set_aside(&mut build(&other, DAY, judged_by(&format!("new {n}"))).unwrap(), &["key-1"]);
        let shared = world.busy(when, comes);
        let late = Store::open_shared(&world.cache(&format!("late-{n}")), shared).unwrap();
        let built = build(&late, DAY, judged_by(&format!("new {n}"))).unwrap();
        assert_eq!(built.documents(), 899, "{when:?}: the other machine's stays");
        let found = world.machine("reader").find(FEED, &id("aa")).unwrap().unwrap();
        assert_eq!(found.documents(), 899, "{when:?}");
        assert_eq!(found.description.gates_fingerprint, format!("new {n}"));
        found.verify_files().unwrap();
        assert!(!world.all_files().iter().any(|file| file.contains("/.tmp-")), "{:?}", world.all_files());
    }
}

fn what_was_replaced_takes_no_word_of_what_it_replaced(world: &World) {
    let mut old = build(&world.machine("a"), DAY, judged_by("old")).unwrap();
    build(&world.machine("b"), DAY, judged_by("new")).unwrap();
    let aside = [Exclusion { key: "key-1".to_owned(), reason: "r".to_owned() }];
    let fault = old.exclude(aside.clone(), Sent::Nothing).unwrap_err();
    assert!(fault.chain().contains("another machine replaced or removed"), "{}", fault.chain());
    assert_eq!(fault.class(), Class::Infrastructure);
    let found = world.machine("c").find(FEED, &id("aa")).unwrap().unwrap();
    assert_eq!(found.documents(), 900);
    // Nor does it stand in the way of the next one where nothing is left.
    world.machine("b").prune(FEED, 0, &[], PruneMode::Remove).unwrap();
    old.exclude(aside, Sent::Nothing).unwrap_err();
    build(&world.machine("d"), DAY, judged_by("new")).unwrap().verify_files().unwrap();
}

/// A machine that pushes the same edition while it is removed has it whole, with what was set aside.
fn a_removal_leaves_what_another_machine_pushes(world: &World) {
    let mut built = build(&world.machine("a"), DAY, draft("aa")).unwrap();
    set_aside(&mut built, &["key-1", "key-2"]);
    let other = world.machine("b");
    let comes = move || set_aside(&mut build(&other, DAY, draft("aa")).unwrap(), &["key-3"]);
    let shared = world.busy(When::Removing, comes);
    let remover = Store::open_shared(&world.cache("c"), shared).unwrap();
    assert_eq!(remover.prune(FEED, 0, &[], PruneMode::Remove).unwrap(), [id("aa")]);
    let found = world.machine("d").find(FEED, &id("aa")).unwrap().unwrap();
    found.verify_files().unwrap();
    assert_eq!(found.documents(), 899, "what was set aside there is still known");
}

fn what_the_clock_calls_young_is_not_swept(world: &World) {
    const ALMOST_A_DAY_MS: i64 = 23 * 60 * 60 * 1000;
    const A_DAY_MS: i64 = 25 * 60 * 60 * 1000;
    let last =
        if world.renames_directories() { "edition.before_push_rename" } else { "edition.before_push_json" };
    killed_at(world, "killed", "build", last);
    let now = SystemClock.now_ms();
    for (later, is_left) in [(-A_DAY_MS, true), (ALMOST_A_DAY_MS, true), (A_DAY_MS, false)] {
        let root = world.shared.root().clone();
        let shared = Shared::new(stores().of(&root).unwrap(), root, Arc::new(FixedClock(now + later)));
        let store = Store::open_shared(&world.cache("other"), shared).unwrap();
        store.prune(FEED, 7, &[], PruneMode::Remove).unwrap();
        assert_eq!(!world.all_files().is_empty(), is_left, "{later} ms later");
    }
}

fn what_comes_before_an_edition_is_no_edition_and_goes_with_its_run(world: &World) {
    let rows = world.dir.path().join("rows");
    std::fs::write(&rows, "rows").unwrap();
    let begin = || {
        let scratch = world.machine("a").scratch(FEED, day(DAY)).unwrap();
        let storage = scratch.storage();
        storage.create_dir(&scratch.location().join("rows")).unwrap();
        storage.put(&rows, &scratch.location().join("rows").join("0"), Existing::Replace).unwrap();
        scratch
    };
    let scratch = begin();
    let other = world.machine("b");
    let survey = other.survey(FEED).unwrap();
    assert!(survey.editions.is_empty() && survey.warnings.is_empty(), "{:?}", survey.warnings);
    other.prune(FEED, 0, &[], PruneMode::Remove).unwrap();
    assert_eq!(world.all_files().len(), 1, "it is in use");
    drop(scratch);
    assert_eq!(world.all_files(), [""; 0]);
    // As after a crash.
    std::mem::forget(begin());
    let later = Store::open_shared(&world.cache("c"), world.shared.clone().abandoned_after(Duration::ZERO));
    later.unwrap().prune(FEED, 7, &[], PruneMode::Remove).unwrap();
    assert_eq!(world.all_files(), [""; 0], "it is swept");
}

fn what_has_no_store_yet_is_empty(world: &World) {
    let store = world.machine("a");
    assert!(store.list(FEED).unwrap().is_empty());
    assert!(matches!(store.look_up(FEED, &id("aa")).unwrap(), LookUp::Absent));
    assert!(store.prune(FEED, 7, &[], PruneMode::Remove).unwrap().is_empty());
    store.try_writing().unwrap();
    assert!(world.all_files().is_empty());
}

fn what_one_machine_builds_another_reads(world: &World) {
    let built = build(&world.machine("a"), DAY, draft("aa")).unwrap();
    let other = world.machine("b");
    let editions = other.list(FEED).unwrap();
    assert_eq!(editions.len(), 1);
    let edition = &editions[0];
    assert_eq!(edition.description, built.description);
    assert_eq!(edition.shown(), built.shown());
    assert!(edition.shown().contains("edition-aa"), "{}", edition.shown());
    assert_eq!(cached_shards(edition), 0, "shards come when they are read");
    assert_eq!(edition.find("key-3").unwrap().unwrap().len(), 1);
    assert_eq!(cached_shards(edition), 1);
    assert_eq!(read_keys(edition, 0), all_keys());
    edition.verify_files().unwrap();
    assert_eq!(edition.named().unwrap().map(|named| named.unwrap().key).collect::<Vec<_>>(), ["key-7"]);
    let quarantined = std::fs::read_to_string(edition.quarantine_file().unwrap()).unwrap();
    assert_eq!(quarantined.lines().count(), 1);
    assert_eq!(other.of_date(FEED, day(DAY)).unwrap().len(), 1);
    assert!(matches!(other.look_up(FEED, &id("aa")).unwrap(), LookUp::Whole(_)));
    assert!(matches!(other.look_up(FEED, &id("bb")).unwrap(), LookUp::Absent));
}

fn gate(measured: &str) -> GateResult {
    GateResult {
        gate: "g".to_owned(),
        limit: "1".to_owned(),
        measured: measured.to_owned(),
        outcome: Outcome::Pass,
        examples: Vec::new(),
        quarantined: 0,
    }
}

fn set_aside(edition: &mut Edition, keys: &[&str]) {
    let exclusion = |key: &&str| Exclusion { key: (*key).to_owned(), reason: "r".to_owned() };
    edition.exclude(keys.iter().map(exclusion), Sent::Nothing).unwrap();
}

fn what_is_set_aside_is_the_same_everywhere(world: &World) {
    let mut built = build(&world.machine("a"), DAY, draft("aa")).unwrap();
    let other = world.machine("b");
    let found = || other.find(FEED, &id("aa")).unwrap().unwrap();
    assert_eq!(recorded(&found()).unwrap(), None);
    for (aside, measured) in [(vec!["key-1", "key-2"], "2"), (vec![], "0"), (vec!["key-5"], "1")] {
        set_aside(&mut built, &aside);
        record(&built, &[gate(measured)]).unwrap();
        let found = found();
        assert_eq!(found.documents(), 900 - aside.len() as u64);
        assert_eq!(found.fingerprint(), built.fingerprint());
        assert_eq!(recorded(&found).unwrap().unwrap(), [gate(measured)]);
    }
    let mut theirs = found();
    set_aside(&mut theirs, &["key-9"]);
    let again = world.machine("a").find(FEED, &id("aa")).unwrap().unwrap();
    assert_eq!(again.fingerprint(), theirs.fingerprint());
    assert_ne!(again.fingerprint(), built.fingerprint());
}

fn machines_that_build_one_edition_at_once(world: &World) {
    const MACHINES: usize = 4;
    let built: Vec<Edition> = std::thread::scope(|scope| {
        let machines: Vec<_> = (0..MACHINES)
            .map(|n| {
                let store = world.machine(&format!("machine-{n}"));
                // Equal documents, but other shards, as machines have other memory.
                scope.spawn(move || build_in(&store, DAY, draft("aa"), n + 1).map_err(|fault| fault.chain()))
            })
            .collect();
        machines.into_iter().map(|machine| machine.join().unwrap().unwrap()).collect()
    });
    let first = &built[0].description;
    for edition in &built {
        assert_eq!(edition.description, *first, "one of them won");
        assert_eq!(read_keys(edition, 0), all_keys());
        edition.verify_files().unwrap();
    }
    let late = world.machine("late").find(FEED, &id("aa")).unwrap().unwrap();
    assert_eq!(late.description, *first);
    late.verify_files().unwrap();
    let described = world.all_files().into_iter().filter(|file| file.ends_with("edition.json")).count();
    assert_eq!(described, 1);
}

fn other_gates_take_its_place_and_keep_what_was_set_aside(world: &World) {
    let mut built = build(&world.machine("a"), DAY, draft("aa")).unwrap();
    set_aside(&mut built, &["key-1"]);
    record(&built, &[gate("old")]).unwrap();
    let other = world.machine("b");
    assert_eq!(other.list(FEED).unwrap().len(), 1);
    let stricter = Draft { gates_fingerprint: "stricter".to_owned(), ..draft("aa") };
    build(&other, DAY, stricter).unwrap();
    for machine in ["a", "b", "c"] {
        let found = world.machine(machine).find(FEED, &id("aa")).unwrap().unwrap();
        assert_eq!(found.description.gates_fingerprint, "stricter", "{machine}");
        assert_eq!(found.documents(), 899);
        assert_eq!(recorded(&found).unwrap(), None, "what the other gates said is no matter");
        found.verify_files().unwrap();
    }
    assert_eq!(world.machine("a").list(FEED).unwrap().len(), 1);
}

fn what_is_pruned_is_gone_everywhere(world: &World) {
    let (a, b) = (world.machine("a"), world.machine("b"));
    for (date, name) in [("2026-11-20", "old"), ("2026-11-21", "kept"), ("2026-11-22", "new")] {
        build(&a, date, draft(name)).unwrap();
    }
    b.list(FEED).unwrap().iter().for_each(|edition| edition.verify_files().unwrap());
    assert_eq!(b.prune(FEED, 2, &[], PruneMode::DryRun).unwrap(), [id("old")]);
    assert_eq!(a.list(FEED).unwrap().len(), 3);
    assert_eq!(b.prune(FEED, 2, &[id("old")], PruneMode::Remove).unwrap(), []);
    assert_eq!(b.prune(FEED, 2, &[], PruneMode::Remove).unwrap(), [id("old")]);
    for store in [&a, &b] {
        let left: Vec<_> =
            store.list(FEED).unwrap().into_iter().map(|edition| edition.description.id).collect();
        assert_eq!(left, [id("kept"), id("new")]);
    }
    assert!(!world.all_files().iter().any(|file| file.contains("edition-old") || file.contains(".tmp-")));
    assert!(!world.cache("b").join(FEED).join("load_date=2026-11-20").exists());
    // Where it was cached, too, when that is old enough.
    let impatient =
        Store::open_shared(&world.cache("a"), world.shared.clone().abandoned_after(Duration::ZERO)).unwrap();
    assert_eq!(impatient.prune(FEED, 2, &[], PruneMode::Remove).unwrap(), []);
    assert!(!world.cache("a").join(FEED).join("load_date=2026-11-20").exists());
    assert_eq!(world.machine("a").list(FEED).unwrap().len(), 2);
}

fn damage_is_told_and_a_build_repairs_it(world: &World) {
    build(&world.machine("a"), DAY, draft("aa")).unwrap();
    let shard = world.all_files().into_iter().find(|file| file.contains("shard-0001")).unwrap();
    let shard = Location::parse(&shard).unwrap();
    let storage = stores().of(&shard).unwrap();
    let bytes =
        storage.open(&shard).unwrap().read_at(0..storage.stat(&shard).unwrap().size).unwrap().to_vec();
    let put = |bytes: &[u8]| {
        let from = world.dir.path().join("damaged");
        std::fs::write(&from, bytes).unwrap();
        storage.put(&from, &shard, Existing::Replace).unwrap();
    };
    let mut altered = bytes.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let damages: [(&str, &dyn Fn()); 3] = [
        ("checksum", &|| put(&altered)),
        ("bytes, not the", &|| put(&bytes[..bytes.len() - 1])),
        ("is missing", &|| storage.remove(&shard).unwrap()),
    ];
    for (n, (told, damage)) in damages.iter().enumerate() {
        damage();
        let found = world.machine(&format!("reader-{n}")).find(FEED, &id("aa")).unwrap().unwrap();
        let fault = found.verify_files().unwrap_err();
        assert_eq!(fault.class(), Class::Data, "{}", fault.chain());
        assert!(
            fault.chain().contains(told) && fault.chain().contains(&shard.to_string()),
            "{}",
            fault.chain()
        );
        assert!(fault.advice().unwrap().contains("edition-aa"), "{:?}", fault.advice());
    }
    // What is missing there a build puts back.
    build(&world.machine("c"), DAY, draft("aa")).unwrap();
    let found = world.machine("reader").find(FEED, &id("aa")).unwrap().unwrap();
    found.verify_files().unwrap();
    assert_eq!(read_keys(&found, 0), all_keys());
}

fn a_push_that_failed_is_made_up_for(world: &World) {
    // Built on the machine, and never pushed.
    build(&Store::open(&world.cache("a")).unwrap(), DAY, draft("aa")).unwrap();
    let store = world.machine("a");
    assert!(store.list(FEED).unwrap().is_empty(), "nobody else can read it");
    let found = store.find(FEED, &id("aa")).unwrap().unwrap();
    assert_eq!(read_keys(&found, 0), all_keys());
    let other = world.machine("b").find(FEED, &id("aa")).unwrap().unwrap();
    assert_eq!(other.description, found.description);
    other.verify_files().unwrap();
}

/// What the child process runs; by itself it has no store.
#[test]
fn child() {
    let (Ok(root), Ok(cache), Ok(action)) =
        (std::env::var(CHILD_ROOT), std::env::var(CHILD_CACHE), std::env::var(CHILD_ACTION))
    else {
        return;
    };
    let root = Location::parse(&root).unwrap();
    let shared = Shared::new(stores().of(&root).unwrap(), root, Arc::new(SystemClock));
    let store = Store::open_shared(cache.as_ref(), shared).unwrap();
    match action.as_str() {
        "build" => drop(build(&store, DAY, draft("aa")).unwrap()),
        _ => drop(store.prune(FEED, 0, &[], PruneMode::Remove).unwrap()),
    }
}

fn killed_at(world: &World, cache: &str, action: &str, point: &str) {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "shared::child"])
        .env(CHILD_ROOT, world.shared.root().to_string())
        .env(CHILD_CACHE, world.cache(cache))
        .env(CHILD_ACTION, action)
        .env("HIVECAST_CRASH_AT", point)
        .output()
        .unwrap();
    assert_eq!(done.status.signal(), Some(9), "{point}: {}", String::from_utf8_lossy(&done.stdout));
}

fn a_kill_at_any_point_leaves_an_edition_whole_or_not_there(world: &World) {
    let last =
        if world.renames_directories() { "edition.before_push_rename" } else { "edition.before_push_json" };
    for (n, point) in ["edition.pushed_file:1", "edition.pushed_file:4", last].iter().enumerate() {
        killed_at(world, &format!("killed-{n}"), "build", point);
        let other = world.machine("other");
        let survey = other.survey(FEED).unwrap();
        assert!(survey.editions.is_empty() && survey.warnings.is_empty(), "{point}: {:?}", survey.warnings);
        assert!(matches!(other.look_up(FEED, &id("aa")).unwrap(), LookUp::Absent), "{point}");
        assert!(!world.all_files().is_empty(), "{point}: something is left");
        // Another machine may be about to finish it.
        other.prune(FEED, 7, &[], PruneMode::Remove).unwrap();
        assert!(!world.all_files().is_empty(), "{point}: it is young");
        let later =
            Store::open_shared(&world.cache("other"), world.shared.clone().abandoned_after(Duration::ZERO));
        later.unwrap().prune(FEED, 7, &[], PruneMode::Remove).unwrap();
        assert_eq!(world.all_files(), [""; 0], "{point}: it is swept");
    }
    if world.renames_directories() {
        killed_at(world, "renamed", "build", "edition.after_push_rename");
    } else {
        build(&world.machine("whole"), DAY, draft("aa")).unwrap();
    }
    let found = world.machine("other").find(FEED, &id("aa")).unwrap().unwrap();
    found.verify_files().unwrap();
    // The machine that was killed finds what it built, and what others have.
    let found = world.machine("killed-0").find(FEED, &id("aa")).unwrap().unwrap();
    found.verify_files().unwrap();

    killed_at(world, "other", "prune", "edition.before_discard");
    assert!(world.machine("late").list(FEED).unwrap().is_empty());
    let later =
        Store::open_shared(&world.cache("late"), world.shared.clone().abandoned_after(Duration::ZERO));
    later.unwrap().prune(FEED, 7, &[], PruneMode::Remove).unwrap();
    assert_eq!(world.all_files(), [""; 0]);
    let again = build(&world.machine("late"), DAY, draft("aa")).unwrap();
    again.verify_files().unwrap();
}
