use hivecast_contract::{Checksum, LEDGER_FORMAT};
use hivecast_run::Class;

use super::*;

mod machine;
mod sets;

const FEED: &str = "contracts";
const TOPIC: &str = "mdm.contracts";
const ID: &str = "topic-1";

pub(super) fn day(day: u8) -> LoadDate {
    LoadDate::new(2026, 11, day).unwrap()
}

pub(super) fn id(edition: &str) -> EditionId {
    EditionId(edition.to_owned())
}

/// Sums of a partition whose last record lies at `last`.
fn totals(records: u64, last: i64) -> PartitionTotals {
    PartitionTotals {
        documents: records,
        checksum: Checksum(u128::from(records) << 64 | last as u128),
        first_offset: Some(last + 1 - records as i64),
        last_offset: Some(last),
        ..PartitionTotals::default()
    }
}

fn manifest(sequence: u64, load_date: u8, edition: &str, last: i64) -> Manifest {
    Manifest {
        format: LEDGER_FORMAT,
        sequence,
        feed: FEED.to_owned(),
        load_date: day(load_date),
        edition: id(edition),
        entries: String::new(),
        mask_key: String::new(),
        topic: TOPIC.to_owned(),
        topic_id: ID.to_owned(),
        documents: 10,
        tombstones: 0,
        chunks: 1,
        set: None,
        completed_ms: 0,
        partitions: vec![totals(10, last)],
    }
}

fn progress(load_date: u8, edition: &str, bases: &[&str], last: i64) -> Progress {
    Progress {
        format: LEDGER_FORMAT,
        feed: FEED.to_owned(),
        load_date: day(load_date),
        edition: id(edition),
        writer: WriterId::SINGLE,
        chunks: 1,
        position: 4,
        entries: String::new(),
        mask_key: String::new(),
        bases: bases.iter().map(|base| id(base)).collect(),
        topic_id: ID.to_owned(),
        set: None,
        partitions: vec![totals(4, last)],
    }
}

/// A ledger, a topic that is longer than the ledger says, and one writer.
struct Given {
    ledger: Ledger,
    topic_id: &'static str,
    ends: Vec<i64>,
    has_records: bool,
    writer: WriterId,
    /// The edition's digest as it is now.
    entries: &'static str,
    /// The digest of the key there is now.
    mask_key: &'static str,
}

impl Given {
    fn ledger(records: impl IntoIterator<Item = LedgerLine>) -> Self {
        let mut ledger = Ledger::default();
        for record in records {
            match record {
                LedgerLine::Done(manifest) => {
                    // A manifest is written together with the progress that completes it.
                    ledger.progress.insert(
                        1,
                        Progress {
                            position: 10,
                            partitions: manifest.partitions.clone(),
                            chunks: manifest.chunks,
                            load_date: manifest.load_date,
                            edition: manifest.edition.clone(),
                            topic_id: manifest.topic_id.clone(),
                            ..progress(1, "", &[], 0)
                        },
                    );
                    ledger.manifests.insert(manifest.load_date, manifest);
                }
                LedgerLine::Begun(progress) => {
                    ledger.progress.insert(progress.writer.index, progress);
                }
            }
        }
        Given {
            ledger,
            topic_id: ID,
            ends: vec![1_000],
            has_records: true,
            writer: WriterId::SINGLE,
            entries: "now",
            mask_key: "",
        }
    }

    fn decide(&self, load_date: u8, edition: &str, mode: Mode) -> Result<Verdict> {
        decide(&Question {
            feed: FEED,
            edition: &id(edition),
            entries: Some(self.entries),
            mask_key: self.mask_key,
            load_date: day(load_date),
            writer: self.writer,
            mode,
            ledger: &self.ledger,
            topic: TopicState {
                name: TOPIC,
                id: self.topic_id,
                end_offsets: &self.ends,
                has_records: self.has_records,
            },
        })
    }

    /// Refused as a conflict with advice; `--replace` starts over these bases.
    #[track_caller]
    fn conflict(&self, load_date: u8, edition: &str, words: &str, replace_over: &[&str]) {
        let fault = self.decide(load_date, edition, Mode::Normal).expect_err("a conflict");
        assert_eq!(fault.class(), Class::Conflict);
        assert!(fault.chain().contains(words), "{}", fault.chain());
        assert!(fault.advice().is_some_and(|advice| advice.contains("--replace")), "{:?}", fault.advice());
        let verdict = self.decide(load_date, edition, Mode::Replace).expect("--replace overrules");
        assert_eq!(verdict.decision, start(replace_over));
        assert!(!verdict.warnings.is_empty(), "overruling is told");
    }

    #[track_caller]
    fn gives(&self, load_date: u8, edition: &str, modes: &[Mode], decision: &Decision) -> Vec<String> {
        let mut warnings = vec![];
        for mode in modes {
            let verdict =
                self.decide(load_date, edition, *mode).unwrap_or_else(|f| panic!("{mode:?}: {}", f.chain()));
            assert_eq!(verdict.decision, *decision, "{mode:?}");
            warnings.extend(verdict.warnings);
        }
        warnings
    }
}

enum LedgerLine {
    Done(Manifest),
    Begun(Progress),
}
use LedgerLine::{Begun, Done};

const BOTH: &[Mode] = &[Mode::Normal, Mode::Replace];

fn start(bases: &[&str]) -> Decision {
    Decision::Start { bases: bases.iter().map(|base| id(base)).collect() }
}

#[test]
fn the_first_edition_of_an_empty_topic() {
    let mut given = Given::ledger([]);
    given.has_records = false;
    assert!(given.gives(22, "a", BOTH, &start(&[])).is_empty());
}

#[test]
fn an_unknown_topic_with_records() {
    Given::ledger([]).conflict(22, "a", "the ledger knows of none", &[]);
}

#[test]
fn complete_is_complete() {
    let done = manifest(1, 22, "a", 9);
    let given = Given::ledger([Done(done.clone())]);
    assert!(given.gives(22, "a", BOTH, &Decision::AlreadyComplete(done)).is_empty());
}

#[test]
fn the_next_day_starts_over_the_last() {
    let given = Given::ledger([Done(manifest(1, 22, "a", 9)), Done(manifest(2, 23, "b", 19))]);
    assert!(given.gives(24, "c", BOTH, &start(&["b"])).is_empty());
}

#[test]
fn a_day_left_behind_is_still_complete_and_replace_puts_it_back() {
    let first = manifest(1, 22, "a", 9);
    let given = Given::ledger([Done(first.clone()), Done(manifest(2, 23, "b", 19))]);
    given.gives(22, "a", &[Mode::Normal], &Decision::AlreadyComplete(first));
    let warnings = given.gives(22, "a", &[Mode::Replace], &start(&["b"]));
    assert!(warnings[0].contains("2026-11-22 overwrites 2026-11-23"), "{warnings:?}");
}

#[test]
fn a_newer_day_that_an_older_one_was_put_over() {
    let put_back = Manifest { sequence: 3, ..manifest(1, 22, "a", 29) };
    let newer = || Done(manifest(2, 23, "b", 19));
    let given = Given::ledger([newer(), Done(put_back.clone())]);
    given.conflict(23, "b", "load_date 2026-11-22 was published over it", &["a"]);
    given.gives(22, "a", BOTH, &Decision::AlreadyComplete(put_back));
    let given = Given::ledger([newer(), Begun(progress(22, "a", &["b"], 23))]);
    given.conflict(23, "b", "load_date 2026-11-22 was partly published over it", &["a"]);
    // The day after both is published over what is there.
    let warnings = given.gives(24, "c", &[Mode::Normal], &start(&["b", "a"]));
    assert!(warnings[0].contains("2026-11-22") && warnings[0].contains("partly"), "{warnings:?}");
}

#[test]
fn another_mask_key() {
    let begun = |key: &str| Progress { mask_key: key.to_owned(), ..progress(22, "a", &["z"], 3) };
    let mut given = Given::ledger([Begun(begun("old"))]);
    given.mask_key = "new";
    given.conflict(22, "a", "mask_key is another one", &["z"]);
    given.mask_key = "old";
    given.gives(22, "a", BOTH, &Decision::Resume(begun("old")));
    // What an older program began goes on, as it always did.
    let mut given = Given::ledger([Begun(begun(""))]);
    given.mask_key = "new";
    given.gives(22, "a", BOTH, &Decision::Resume(begun("")));
    let done = Manifest { mask_key: "old".to_owned(), ..manifest(1, 22, "a", 9) };
    let mut given = Given::ledger([Done(done.clone())]);
    given.mask_key = "new";
    given.conflict(22, "a", "is published as edition a, and mask_key is another one", &[]);
    given.gives(23, "b", BOTH, &start(&["a"]));
    given.ledger.manifests.insert(day(23), manifest(2, 23, "b", 19));
    given.gives(22, "a", &[Mode::Normal], &Decision::AlreadyComplete(done));
}

/// The manifest has the old key until the correction is whole; what the correction was begun with counts.
#[test]
fn a_correction_with_another_mask_key_goes_on_in_either_mode() {
    let begun = |key: &str| Progress { mask_key: key.to_owned(), ..progress(22, "a", &[], 13) };
    let done = Manifest { mask_key: "old".to_owned(), ..manifest(1, 22, "a", 9) };
    let mut given = Given::ledger([Done(done), Begun(begun("new"))]);
    given.mask_key = "new";
    assert!(given.gives(22, "a", BOTH, &Decision::Resume(begun("new"))).is_empty());
    // A third key starts over, and so does the first: part of the topic is masked with the second.
    for key in ["third", "old"] {
        given.mask_key = key;
        given.conflict(22, "a", "is partly published (4 entries) as edition a, and mask_key", &[]);
    }
}

#[test]
fn a_day_put_back_and_left_half_way_goes_on() {
    let again = progress(22, "a", &["b"], 23);
    let given =
        Given::ledger([Done(manifest(1, 22, "a", 9)), Done(manifest(2, 23, "b", 19)), Begun(again.clone())]);
    given.gives(22, "a", BOTH, &Decision::Resume(again));
}

#[test]
fn what_was_begun_goes_on() {
    let begun = progress(22, "a", &[], 3);
    let given = Given::ledger([Begun(begun.clone())]);
    assert!(given.gives(22, "a", BOTH, &Decision::Resume(begun)).is_empty());
}

#[test]
fn another_edition_of_a_published_day() {
    let given = Given::ledger([Done(manifest(1, 22, "a", 9))]);
    given.conflict(22, "a2", "published as edition a,", &["a"]);
}

#[test]
fn another_edition_of_a_day_that_was_begun() {
    let given = Given::ledger([Done(manifest(1, 21, "z", 9)), Begun(progress(22, "a", &["z"], 13))]);
    given.conflict(22, "a2", "partly published as edition a,", &["z", "a"]);
}

#[test]
fn the_edition_whose_correction_was_begun() {
    let given = Given::ledger([Done(manifest(1, 22, "a", 9)), Begun(progress(22, "a2", &["a"], 13))]);
    given.conflict(22, "a", "partly published as edition a2,", &["a2"]);
}

#[test]
fn a_correction_that_was_begun_goes_on_in_either_mode() {
    let begun = progress(22, "a2", &["a"], 13);
    let given = Given::ledger([Done(manifest(1, 22, "a", 9)), Begun(begun.clone())]);
    given.gives(22, "a2", BOTH, &Decision::Resume(begun));
}

#[test]
fn an_older_day_than_the_published_one() {
    let given = Given::ledger([Done(manifest(1, 22, "a", 9))]);
    given.conflict(21, "z", "overwrite newer data", &["a"]);
}

#[test]
fn an_older_day_than_the_one_begun() {
    let given = Given::ledger([Done(manifest(1, 21, "z", 9)), Begun(progress(23, "b", &["z"], 13))]);
    given.conflict(22, "a", "2026-11-23 of feed contracts is partly published", &["z", "b"]);
}

#[test]
fn an_earlier_day_left_half_way_is_a_base_and_is_told() {
    let given = Given::ledger([Done(manifest(1, 21, "z", 9)), Begun(progress(22, "a", &["z", "y"], 13))]);
    let warnings = given.gives(23, "b", &[Mode::Normal], &start(&["z", "y", "a"]));
    assert!(warnings[0].contains("2026-11-22") && warnings[0].contains("partly"), "{warnings:?}");
}

#[test]
fn an_edition_is_no_base_of_itself() {
    let given = Given::ledger([Done(manifest(1, 22, "a", 9)), Begun(progress(23, "b", &["a"], 13))]);
    given.gives(22, "a", &[Mode::Replace], &start(&["b"]));
}

#[test]
fn a_topic_that_was_made_again() {
    let mut given = Given::ledger([Done(manifest(1, 22, "a", 9))]);
    given.topic_id = "topic-2";
    given.has_records = false;
    given.conflict(22, "a", "deleted and made again", &[]);
    given.conflict(23, "b", "deleted and made again", &[]);
}

#[test]
fn a_feed_that_moved_to_another_topic() {
    let elsewhere = Manifest { topic: "mdm.old".to_owned(), ..manifest(1, 22, "a", 9) };
    let mut given = Given::ledger([Done(elsewhere)]);
    given.topic_id = "topic-2";
    given.conflict(23, "b", "was published to topic mdm.old, and now names topic mdm.contracts", &[]);
}

#[test]
fn after_starting_anew_the_old_topic_is_forgotten() {
    let old = manifest(7, 23, "b", 900);
    let begun = Progress { topic_id: "topic-2".to_owned(), ..progress(22, "a", &[], 3) };
    let mut given = Given::ledger([Done(old.clone()), Begun(begun.clone())]);
    given.topic_id = "topic-2";
    given.ends = vec![4];
    given.gives(22, "a", BOTH, &Decision::Resume(begun));
    let done = Manifest { topic_id: "topic-2".to_owned(), ..manifest(8, 22, "a", 9) };
    let mut given = Given::ledger([Done(old), Done(done.clone())]);
    given.topic_id = "topic-2";
    given.ends = vec![10];
    given.gives(22, "a", BOTH, &Decision::AlreadyComplete(done));
    // A later day of the old topic stands in nobody's way.
    given.gives(23, "b", BOTH, &start(&["a"]));
}

#[test]
fn a_topic_that_lost_records() {
    let mut given = Given::ledger([Done(manifest(1, 22, "a", 9))]);
    given.ends = vec![10];
    given.gives(23, "b", BOTH, &start(&["a"]));
    given.ends = vec![9];
    // What is left of the old records needs its tombstones.
    given.conflict(
        23,
        "b",
        "has no records from offset 9 on, and the ledger says that one was committed at offset 9",
        &["a"],
    );
    given.conflict(22, "a", "lost records", &[]);
    let mut given = Given::ledger([Begun(progress(22, "a", &["z"], 3))]);
    given.ends = vec![2];
    given.conflict(22, "a", "lost records", &["z"]);
}

#[test]
fn after_starting_over_the_lost_records_are_forgotten() {
    let begun = progress(22, "a", &["z"], 3);
    let mut given = Given::ledger([Done(manifest(1, 21, "z", 900)), Begun(begun.clone())]);
    given.ends = vec![4];
    given.gives(22, "a", BOTH, &Decision::Resume(begun));
}

#[test]
fn another_number_of_partitions() {
    let mut given = Given::ledger([Done(manifest(1, 22, "a", 9))]);
    given.ends = vec![100, 100];
    given.conflict(23, "b", "has 2 partitions, and had 1", &["a"]);
    let mut given = Given::ledger([Begun(progress(22, "a", &[], 3))]);
    given.ends = vec![100, 100];
    given.conflict(22, "a", "has 2 partitions, and had 1", &[]);
}

#[test]
fn another_number_of_writers() {
    let begun = part(1, 4, 1, Stage::Open, 3);
    for (of, words) in [(1, "by 4 writers (4 entries), and this run has 1"), (3, "and this run has 3")] {
        let mut given = Given::ledger([Begun(begun.clone())]);
        given.writer = WriterId { index: 1, of };
        given.conflict(22, "a", words, &["z"]);
        given.conflict(23, "b", words, &["z", "a"]);
    }
    let mut one = Given::ledger([Begun(progress(22, "a", &[], 3))]);
    one.writer = WriterId { index: 1, of: 2 };
    one.conflict(22, "a", "by 1 writer (4 entries), and this run has 2", &[]);
}

/// Writer `index` of so many, in the set of this number.
fn part(index: u32, of: u32, number: u64, stage: Stage, last: i64) -> Progress {
    Progress {
        writer: WriterId { index, of },
        set: Some(WriterSet { number, widest: of, stage }),
        ..progress(22, "a", &["z"], last)
    }
}

fn of_set(number: u64, sequence: u64, edition: &str, load_date: u8) -> Manifest {
    Manifest { set: Some(number), ..manifest(sequence, load_date, edition, 7) }
}

/// The decisions of writers 1 and 2 of two about day 22's edition `a`.
#[track_caller]
fn both(records: impl IntoIterator<Item = LedgerLine>, first: &Decision, second: &Decision) {
    let mut given = Given::ledger(records);
    for (index, decision) in [(1, first), (2, second)] {
        given.writer = WriterId { index, of: 2 };
        given.gives(22, "a", &[Mode::Normal], decision);
    }
}

fn without_bases(part: Progress) -> Progress {
    Progress { bases: Vec::new(), ..part }
}

#[test]
fn writer_1_decides_and_the_others_wait_for_it() {
    both([Done(manifest(1, 21, "z", 0))], &start(&["z"]), &Decision::Wait);
    let mut empty = Given::ledger([]);
    (empty.has_records, empty.writer) = (false, WriterId { index: 2, of: 2 });
    assert!(empty.gives(22, "a", BOTH, &Decision::Wait).is_empty());
    let announced = without_bases(part(1, 2, 1, Stage::Announced, 3));
    both([Begun(announced.clone())], &Decision::Resume(announced), &Decision::Wait);
    let open = without_bases(part(1, 2, 1, Stage::Open, 3));
    both([Begun(open.clone())], &Decision::Resume(open.clone()), &Decision::Join(open));
}

#[test]
fn each_writer_goes_on_with_its_own_part_of_the_same_set() {
    let (first, second) = (part(1, 2, 4, Stage::Done, 3), part(2, 2, 4, Stage::Open, 7));
    both(
        [Begun(first.clone()), Begun(second.clone())],
        &Decision::Resume(first.clone()),
        &Decision::Resume(second),
    );
    // The same edition was sent by as many writers before: what they committed is none of this.
    let earlier = part(2, 2, 3, Stage::Done, 7);
    both([Begun(first.clone()), Begun(earlier)], &Decision::Resume(first.clone()), &Decision::Join(first));
}

#[test]
fn an_edition_of_several_writers_is_complete_by_its_sets_manifest() {
    let parts = || [part(1, 2, 4, Stage::Done, 3), part(2, 2, 4, Stage::Done, 7)];
    let records = |manifest: Manifest| {
        let mut given = Given::ledger(parts().map(Begun));
        given.ledger.manifests.insert(manifest.load_date, manifest);
        given
    };
    let whole = of_set(4, 1, "a", 22);
    for index in [1, 2] {
        let mut given = records(whole.clone());
        given.writer = WriterId { index, of: 2 };
        given.gives(22, "a", BOTH, &Decision::AlreadyComplete(whole.clone()));
        // The manifest is of the time before the last.
        let mut again = records(of_set(3, 1, "a", 22));
        again.writer = WriterId { index, of: 2 };
        again.gives(22, "a", BOTH, &Decision::Resume(parts()[index as usize - 1].clone()));
    }
    let mut next = records(whole);
    next.gives(23, "b", BOTH, &start(&["a"]));
    next.writer = WriterId { index: 2, of: 3 };
    next.gives(23, "b", BOTH, &Decision::Wait);
}

#[test]
fn what_speaks_against_an_edition_is_told_to_every_writer() {
    let mut given = Given::ledger([Done(manifest(1, 22, "b", 9))]);
    given.writer = WriterId { index: 2, of: 2 };
    let fault = given.decide(22, "a", Mode::Normal).expect_err("a conflict");
    assert_eq!(fault.class(), Class::Conflict, "{}", fault.chain());
    // Writer 1 overrules it, and the others wait for that.
    assert_eq!(
        given.decide(22, "a", Mode::Replace).map(|verdict| verdict.decision).ok(),
        Some(Decision::Wait)
    );
    let mut given = Given::ledger([Begun(part(1, 4, 1, Stage::Open, 3))]);
    given.writer = WriterId { index: 3, of: 3 };
    assert_eq!(given.decide(22, "a", Mode::Normal).expect_err("a conflict").class(), Class::Conflict);
    assert_eq!(
        given.decide(22, "a", Mode::Replace).map(|verdict| verdict.decision).ok(),
        Some(Decision::Wait)
    );
}

#[test]
fn records_of_any_part_that_are_gone_are_missed() {
    let mut given = Given::ledger([part(1, 2, 1, Stage::Open, 3), part(2, 2, 1, Stage::Open, 20)].map(Begun));
    (given.writer, given.ends) = (WriterId { index: 1, of: 2 }, vec![20]);
    given.conflict(
        22,
        "a",
        "has no records from offset 20 on, and the ledger says that one was committed at offset 20",
        &["z"],
    );
}

#[test]
fn sets_are_counted_and_their_width_is_remembered() {
    let set = |number, widest| Some(WriterSet { number, widest, stage: Stage::Announced });
    let of = |of| WriterId { index: 1, of };
    let one = Given::ledger([Done(manifest(1, 21, "z", 0))]).ledger;
    assert_eq!(next_set(&one, of(1)), None, "a feed that has never had several writers says nothing of them");
    assert_eq!(next_set(&Ledger::default(), of(4)), set(1, 4));
    assert_eq!(next_set(&one, of(4)), set(1, 4));
    let four = Given::ledger([Begun(part(1, 4, 7, Stage::Open, 3))]).ledger;
    assert_eq!(next_set(&four, of(1)), set(8, 4));
    assert_eq!(next_set(&four, of(6)), set(8, 6));
}

#[test]
fn who_finishes_last_is_told_the_sums_of_all() {
    let stand = |parts: &[Progress]| standing(&Given::ledger(parts.iter().cloned().map(Begun)).ledger, 4);
    let [first, second] = [part(1, 2, 4, Stage::Done, 3), part(2, 2, 4, Stage::Done, 9)];
    let open = part(2, 2, 4, Stage::Open, 9);
    assert_eq!(stand(std::slice::from_ref(&first)), Standing::ToCome(vec![2]));
    assert_eq!(stand(&[first.clone(), open]), Standing::ToCome(vec![2]));
    assert_eq!(
        stand(&[first.clone(), part(2, 2, 3, Stage::Done, 9)]),
        Standing::ToCome(vec![2]),
        "an earlier set's"
    );
    assert_eq!(stand(&[part(1, 2, 5, Stage::Done, 3), second.clone()]), Standing::Overtaken);
    let Standing::AllDone(whole) = stand(&[first, second]) else { panic!("all are done") };
    assert_eq!((whole.position, whole.chunks), (8, 2));
    let totals = &whole.partitions[0];
    assert_eq!((totals.documents, totals.first_offset, totals.last_offset), (8, Some(0), Some(9)));
    let mut done = Given::ledger([Begun(part(1, 2, 5, Stage::Open, 3))]).ledger;
    done.manifests.insert(day(22), of_set(4, 1, "a", 22));
    assert!(matches!(standing(&done, 4), Standing::Complete(_)), "though the next has begun");
}

#[test]
fn a_position_among_other_documents_is_a_conflict() {
    let begun = |entries: &str| Progress { entries: entries.to_owned(), ..progress(22, "a", &["z"], 3) };
    let given = Given::ledger([LedgerLine::Begun(begun("then"))]);
    given.conflict(22, "a", "gates set other documents of it aside since", &["z"]);
    let same = Given::ledger([LedgerLine::Begun(begun("now"))]);
    same.gives(22, "a", &[Mode::Normal, Mode::Replace], &Decision::Resume(begun("now")));
    let older_program = Given::ledger([LedgerLine::Begun(begun(""))]);
    older_program.gives(22, "a", &[Mode::Normal], &Decision::Resume(begun("")));
}

/// What is set aside keeps its record, whatever edition that is of; a person is told.
#[test]
fn starting_over_with_other_documents_set_aside_is_told() {
    let kept = |given: &Given, mode| {
        let verdict = given.decide(22, "a", mode).expect("a decision");
        assert!(matches!(verdict.decision, Decision::Start { .. }), "{verdict:?}");
        verdict.warnings.iter().any(|warning| warning.contains("set aside now keep their records"))
    };
    let begun = |entries: &str| Progress { entries: entries.to_owned(), ..progress(22, "a", &["z"], 3) };
    let done = |entries: &str| Manifest { entries: entries.to_owned(), ..manifest(1, 22, "a", 9) };
    assert!(kept(&Given::ledger([Begun(begun("then"))]), Mode::Replace));
    // Begun with another mask_key: what was set aside then counts all the same.
    for (entries, told) in [("then", true), ("now", false)] {
        let mut given = Given::ledger([Begun(Progress { mask_key: "old".to_owned(), ..begun(entries) })]);
        given.mask_key = "new";
        assert_eq!(kept(&given, Mode::Replace), told, "begun with {entries}");
        let mut given = Given::ledger([Done(Manifest { mask_key: "old".to_owned(), ..done(entries) })]);
        given.mask_key = "new";
        assert_eq!(kept(&given, Mode::Replace), told, "published with {entries}");
    }
    // Put back over a newer day.
    for (entries, told) in [("then", true), ("now", false), ("", false)] {
        let given = Given::ledger([Done(done(entries)), Done(manifest(2, 23, "b", 19))]);
        assert_eq!(kept(&given, Mode::Replace), told, "put back, {entries:?}");
    }
    assert!(!kept(&Given::ledger([Done(manifest(1, 21, "z", 9))]), Mode::Normal));
}

#[test]
fn what_was_sent_of_an_edition_is_told() {
    let begun = Progress { entries: "then".to_owned(), ..progress(22, "b", &[], 30) };
    let given = Given::ledger([LedgerLine::Done(manifest(1, 21, "a", 9)), LedgerLine::Begun(begun)]);
    let sent = |edition| entries_sent(&given.ledger, &id(edition));
    assert_eq!((sent("b"), sent("a"), sent("c")), (Some("then"), Some(""), None));
}
