use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use hivecast_contract::LEDGER_FORMAT;
use hivecast_run::{Cancel, Silent};
use hivecast_sample::{Destination, Existing, FileFormat, Options};
use hivecast_testkit::forward_to_inner;

use super::*;
use crate::run::CLOCK;

fn manifest(sequence: u64, edition: &str) -> Manifest {
    Manifest {
        format: LEDGER_FORMAT,
        sequence,
        feed: "contracts".to_owned(),
        load_date: LoadDate::new(2026, 11, 22).unwrap(),
        edition: EditionId(edition.to_owned()),
        entries: String::new(),
        mask_key: String::new(),
        topic: "mdm.contracts".to_owned(),
        topic_id: "1".to_owned(),
        documents: 0,
        tombstones: 0,
        chunks: 1,
        set: None,
        completed_ms: 0,
        partitions: Vec::new(),
    }
}

/// Its own last word may be hidden from the run that has just sent it.
#[test]
fn what_was_just_published_is_spared_from_retention() {
    let sent = manifest(2, "new");
    for seen in [None, Some(manifest(1, "old")), Some(sent.clone())] {
        let mut ledger = Ledger::default();
        ledger.manifests.extend(seen.map(|manifest| (manifest.load_date, manifest)));
        assert_eq!(protected(&with_manifest(ledger, &sent)), std::slice::from_ref(&sent.edition));
    }
    let mut ledger = Ledger::default();
    let later = manifest(3, "later");
    ledger.manifests.insert(later.load_date, later.clone());
    assert_eq!(protected(&with_manifest(ledger, &sent)), [later.edition]);
}

/// A target whose ledger is seen as it is only by who waits, as where another feed's transaction is open
/// on Kafka, and whose records are limited.
struct Hiding {
    inner: Box<dyn Target>,
    /// What is seen at once, where that is not all.
    now: Option<Ledger>,
    record_bytes: Option<u64>,
}

impl Target for Hiding {
    forward_to_inner!(name, check_free, compacts, probe, open, fence, read);

    fn preflight(&self, topic: &TopicSpec, context: &Context<'_>) -> Result<TargetLimits> {
        self.inner.preflight(topic, context)?;
        Ok(TargetLimits { record_bytes: self.record_bytes })
    }

    fn ledger(&self, feed: &str, view: View, context: &Context<'_>) -> Result<Ledger> {
        match (view, &self.now) {
            (View::Now, Some(now)) => Ok(now.clone()),
            _ => self.inner.ledger(feed, view, context),
        }
    }
}

/// The example project with a day of a small sample, and a gate that sets aside what is too large.
struct OneDay {
    _dir: tempfile::TempDir,
    project: Project,
    feed: FeedFile,
    day: LoadDate,
    /// The day's directory of a table.
    input: PathBuf,
    cancel: Cancel,
}

impl OneDay {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("project");
        crate::init::write_project(&root).unwrap();
        let feed = root.join("feeds/contracts.yaml");
        let text = std::fs::read_to_string(&feed).unwrap();
        let gate = "\ngates:\n  document_size: { max: 1000000, severity: quarantine }\n";
        assert!(text.contains("\ngates:\n"), "{text}");
        std::fs::write(&feed, text.replace("\ngates:\n", gate)).unwrap();
        let global = Global {
            project: Some(root.join("hivecast.yaml")),
            env: "local".to_owned(),
            feed: None,
            json: true,
            verbose: false,
            quiet: true,
        };
        let project = Project::load(&global).unwrap();
        let feed = project.feed(None).unwrap().parse().unwrap();
        let (day, cancel) = (LoadDate::new(2026, 11, 22).unwrap(), Cancel::default());
        let options = Options {
            to: Destination::Directory(root.join("warehouse")),
            database: hivecast_sample::DATABASE.to_owned(),
            accounts: 200,
            days: 1,
            seed: 7,
            last_date: day,
            format: FileFormat::Parquet,
            skew: None,
            existing: Existing::Refuse,
        };
        let context = Context { sink: &Silent, cancel: &cancel, clock: &CLOCK };
        let written = hivecast_sample::write(&options, context).unwrap();
        let input = written.days[0].tables[0].path.local_path().unwrap();
        OneDay { _dir: dir, project, feed, day, input, cancel }
    }

    fn context(&self) -> Context<'_> {
        Context { sink: &Silent, cancel: &self.cancel, clock: &CLOCK }
    }

    fn publish(&self, target: &Hiding, mode: Mode) -> (Outcome, Findings) {
        let resources = Resources { memory_bytes: 512 << 20, threads: 1 };
        let run = Run { project: &self.project, feed: &self.feed, wait: None, resources };
        let mut findings = Findings::default();
        let share = Share { writer: WriterId::SINGLE, patience: Duration::ZERO };
        let sending = Sending { target, mode, share };
        let outcome = run.publish(sending, self.day, &self.context(), &mut findings);
        (outcome.unwrap_or_else(|fault| panic!("{mode:?}: {}", fault.chain())), findings)
    }

    fn target(&self, now: Option<Ledger>, record_bytes: Option<u64>) -> Hiding {
        Hiding { inner: self.project.open_target().unwrap(), now, record_bytes }
    }

    fn ledger(&self) -> Ledger {
        let target = self.project.open_target().unwrap();
        target.ledger(self.feed.name(), View::Settled, &self.context()).unwrap()
    }

    /// The input is another one from now on.
    fn touch(&self) {
        let mut files = std::fs::read_dir(&self.input).unwrap().flatten();
        let input = files.find(|file| file.file_name() != "_SUCCESS").unwrap();
        let file = File::options().append(true).open(input.path()).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    }
}

/// Nothing seems to be sent, so that the list might be written anew.
#[test]
fn what_is_set_aside_of_a_published_edition_stays_where_its_manifest_is_hidden() {
    let given = OneDay::new();
    let (outcome, findings) = given.publish(&given.target(None, None), Mode::Normal);
    assert_eq!(outcome, Outcome::Published);
    let manifest = findings.manifest.unwrap();
    let store = given.project.open_store().unwrap();
    let kept = || store.find(given.feed.name(), &manifest.edition).unwrap().unwrap().fingerprint();
    assert_eq!(kept(), manifest.entries);
    for mode in [Mode::Normal, Mode::Replace] {
        // With this limit documents are too large.
        let (outcome, _) = given.publish(&given.target(Some(Ledger::default()), Some(1_500)), mode);
        assert_eq!(outcome, Outcome::AlreadyPublished, "{mode:?}");
        assert_eq!(kept(), manifest.entries, "{mode:?}");
    }
    assert_eq!(given.ledger().latest(), Some(&manifest));
}

/// What is corrected is seen, and the correction hidden.
#[test]
fn a_conflict_with_a_ledger_that_hides_its_last_word_is_looked_at_again() {
    let given = OneDay::new();
    given.publish(&given.target(None, None), Mode::Normal);
    let before = given.ledger();
    given.touch();
    let (outcome, _) = given.publish(&given.target(None, None), Mode::Replace);
    assert_eq!(outcome, Outcome::Published);
    let (outcome, _) = given.publish(&given.target(Some(before), None), Mode::Normal);
    assert_eq!(outcome, Outcome::AlreadyPublished);
}
