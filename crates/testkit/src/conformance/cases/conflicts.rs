//! What contradicts what is published, and what `--replace` does about it.

use hivecast_publish::{Mode, Outcome};
use hivecast_run::Class;

use super::{CHUNK_RECORDS, Case, assert_outcome, two_days};
use crate::conformance::Fixture;
use crate::conformance::editions::Edition;
use crate::conformance::faulty::{Effect, Faulty, Point, Trip};

const AFTER_FIRST_CHUNK: Trip = Trip { point: Point::AfterCommit, nth: 1, effect: Effect::Crash };

/// Another edition of a load_date that is published, or partly published, is refused.
pub fn changed_input_is_refused(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "changed", two_days());
    case.editions.add(Edition::numbered("e22b", 22, 1..12));
    case.crash("e22", Mode::Normal, AFTER_FIRST_CHUNK);
    case.assert_refused("e22b", Class::Conflict);
    case.publish("e22");
    case.assert_refused("e22b", Class::Conflict);
    case.assert_log(&[case.whole("e22", &[])]);
}

/// A day before the one that is published is refused.
pub fn older_day_is_refused(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "older", two_days());
    case.editions.add(Edition::numbered("e21", 21, 0..3));
    case.publish("e22");
    case.assert_refused("e21", Class::Conflict);
}

/// A correction of the same day: every document, and tombstones for the keys that it lacks.
pub fn replaced_edition(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "replace", two_days());
    case.editions.add(Edition::numbered("e22b", 22, 4..12));
    case.publish("e22");
    let summary = case.replace("e22b");
    assert_outcome(&summary, Outcome::Published);
    assert_eq!(summary.manifest.sequence, 2);
    case.assert_log(&[case.whole("e22", &[]), case.whole("e22b", &["e22"])]);
    case.assert_manifest(&summary.manifest);
    assert_eq!(case.log().live(), case.editions.get("e22b").live());
    case.assert_refused("e22", Class::Conflict);
    assert_outcome(&case.publish("e22b"), Outcome::AlreadyComplete);
    let next = case.publish("e23");
    case.assert_manifest(&next.manifest);
    assert_eq!(case.log().live(), case.editions.get("e23").live());
}

/// A correction that dies is finished by the same command, and also without `--replace`, since it
/// was asked for once. What it corrects is refused meanwhile.
pub fn replacement_goes_on_after_a_crash(fixture: &dyn Fixture) {
    for mode in [Mode::Normal, Mode::Replace] {
        let mut case = Case::new(fixture, "replacecrash", two_days());
        case.editions.add(Edition::numbered("e22b", 22, 4..12));
        case.publish("e22");
        case.crash("e22b", Mode::Replace, AFTER_FIRST_CHUNK);
        case.assert_refused("e22", Class::Conflict);
        let summary = case.run(case.target.as_ref(), "e22b", mode).expect("the rest is sent");
        assert_outcome(&summary, Outcome::Resumed { position: CHUNK_RECORDS });
        case.assert_log(&[case.whole("e22", &[]), case.whole("e22b", &["e22"])]);
        case.assert_manifest(&summary.manifest);
    }
}

/// `--replace` with an older day puts the topic back to it, though that day was published before.
pub fn rolled_back_to_an_older_day(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "rollback", two_days());
    case.publish("e22");
    case.publish("e23");
    case.crash("e22", Mode::Replace, AFTER_FIRST_CHUNK);
    let summary = case.replace("e22");
    assert_outcome(&summary, Outcome::Resumed { position: CHUNK_RECORDS });
    assert_eq!(summary.manifest.sequence, 3);
    case.assert_log(&[case.whole("e22", &[]), case.whole("e23", &["e22"]), case.whole("e22", &["e23"])]);
    assert_eq!(case.log().live(), case.editions.get("e22").live());
    assert_outcome(&case.replace("e22"), Outcome::AlreadyComplete);
}

/// After a roll-back the newer day is not on the topic any more: "published already" would be a lie.
/// What consumers have then is a person's to decide; the day after goes on as usual.
pub fn newer_day_after_a_roll_back_is_refused(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "rolledback", two_days());
    case.editions.add(Edition::numbered("e24", 24, 8..12));
    case.publish("e22");
    case.publish("e23");
    assert_outcome(&case.publish("e22"), Outcome::AlreadyComplete);
    case.crash("e22", Mode::Replace, AFTER_FIRST_CHUNK);
    case.assert_refused("e23", Class::Conflict);
    case.replace("e22");
    case.assert_refused("e23", Class::Conflict);
    assert_outcome(&case.publish("e22"), Outcome::AlreadyComplete);
    assert_outcome(&case.replace("e23"), Outcome::Published);
    assert_eq!(case.log().live(), case.editions.get("e23").live());
    assert_outcome(&case.publish("e23"), Outcome::AlreadyComplete);
    case.replace("e22");
    case.publish("e24");
    assert_eq!(case.log().live(), case.editions.get("e24").live());
    // A later day went past it, as it would have without the roll-back.
    assert_outcome(&case.publish("e23"), Outcome::AlreadyComplete);
}

/// Another `mask_key` than the edition was begun with, or is published with, is refused: a topic never
/// mixes two keys unasked. With `--replace` the edition is sent from its start.
pub fn other_mask_key_is_refused(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "maskkey", two_days());
    case.mask_key = "digest of one key";
    case.crash("e22", Mode::Normal, AFTER_FIRST_CHUNK);
    case.mask_key = "digest of another";
    case.assert_refused("e22", Class::Conflict);
    case.mask_key = "digest of one key";
    let summary = case.publish("e22");
    assert_outcome(&summary, Outcome::Resumed { position: CHUNK_RECORDS });
    assert_eq!(summary.manifest.mask_key, "digest of one key");
    case.mask_key = "digest of another";
    case.assert_refused("e22", Class::Conflict);
    assert_outcome(&case.replace("e22"), Outcome::Published);
    case.assert_log(&[case.whole("e22", &[]), case.whole("e22", &[])]);
    assert_outcome(&case.publish("e22"), Outcome::AlreadyComplete);
    // A new key with a new day is nobody's conflict, and a day that was overtaken is done with.
    case.mask_key = "digest of a third";
    case.publish("e23");
    assert_outcome(&case.publish("e22"), Outcome::AlreadyComplete);
}

/// A correction with a new `mask_key` that dies goes on with or without `--replace`, and one whose session is
/// lost goes on in the same run: nothing is sent twice. The key that it replaces is refused meanwhile.
pub fn replacement_with_another_mask_key_goes_on(fixture: &dyn Fixture) {
    for mode in [Mode::Normal, Mode::Replace] {
        let mut case = Case::new(fixture, "maskcrash", two_days());
        case.mask_key = "digest of one key";
        case.publish("e22");
        case.mask_key = "digest of another";
        case.crash("e22", Mode::Replace, AFTER_FIRST_CHUNK);
        case.mask_key = "digest of one key";
        case.assert_refused("e22", Class::Conflict);
        case.mask_key = "digest of another";
        let lost = Trip { point: Point::BeforeCommit, nth: 2, effect: Effect::Lost };
        let faulty = Faulty::once(case.target.as_ref(), lost);
        let summary = case.run(&faulty, "e22", mode).expect("the rest is sent");
        assert!(faulty.has_tripped());
        assert_outcome(&summary, Outcome::Resumed { position: CHUNK_RECORDS });
        case.assert_log(&[case.whole("e22", &[]), case.whole("e22", &[])]);
        assert_eq!(summary.manifest.mask_key, "digest of another");
        assert_outcome(&case.publish("e22"), Outcome::AlreadyComplete);
    }
    // Lost before anything of the correction was resumed.
    let mut case = Case::new(fixture, "masklost", two_days());
    case.mask_key = "digest of one key";
    case.publish("e22");
    case.mask_key = "digest of another";
    let lost = Trip { point: Point::BeforeCommit, nth: 3, effect: Effect::Lost };
    let faulty = Faulty::once(case.target.as_ref(), lost);
    let summary = case.run(&faulty, "e22", Mode::Replace).expect("the rest is sent");
    assert_outcome(&summary, Outcome::Published);
    assert_eq!((summary.lost_sessions, summary.sent.documents), (1, 10));
    case.assert_log(&[case.whole("e22", &[]), case.whole("e22", &[])]);
}

/// The topic is deleted behind the ledger's back: refused, published whole with `--replace`, and as
/// usual from then on.
pub fn deleted_topic_is_refused(fixture: &dyn Fixture) {
    let case = Case::new(fixture, "deleted", two_days());
    case.publish("e22");
    case.fixture.delete_topic(&case.topic.topic);
    for edition in ["e22", "e23"] {
        let fault = case.run(case.target.as_ref(), edition, Mode::Normal).expect_err("a refusal");
        assert_eq!(fault.class(), Class::Conflict, "{}", fault.chain());
    }
    assert!(case.log().is_empty());
    case.crash("e22", Mode::Replace, AFTER_FIRST_CHUNK);
    let summary = case.replace("e22");
    assert_outcome(&summary, Outcome::Resumed { position: CHUNK_RECORDS });
    case.assert_log(&[case.whole("e22", &[])]);
    case.assert_manifest(&summary.manifest);
    case.publish("e23");
    case.assert_log(&[case.whole("e22", &[]), case.whole("e23", &["e22"])]);
}

/// A topic that holds another feed's records is refused.
pub fn topic_of_another_feed_is_refused(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "foreign", two_days());
    case.publish("e22");
    let log = case.log();
    case.topic.feed = fixture.unique_name("foreignfeed");
    let fault = case.run(case.target.as_ref(), "e23", Mode::Normal).expect_err("a refusal");
    assert_eq!(fault.class(), Class::Conflict, "{}", fault.chain());
    assert_eq!(case.log(), log);
}

/// A topic with another number of partitions is refused, before a session and by it.
pub fn other_partition_count_is_refused(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "partitions", two_days());
    case.publish("e22");
    let log = case.log();
    let real = case.topic.partitions;
    case.topic.partitions = real + 1;
    let fault = case.target.preflight(&case.topic, &case.bench.context()).expect_err("a refusal");
    assert_eq!(fault.class(), Class::Conflict, "{}", fault.chain());
    let fault = case.run(case.target.as_ref(), "e23", Mode::Normal).expect_err("a refusal");
    assert_eq!(fault.class(), Class::Conflict, "{}", fault.chain());
    case.topic.partitions = real;
    assert_eq!(case.log(), log);
}

/// A day that was left partly published, and the next day after it: its keys count among those that
/// may be on the topic.
pub fn partly_published_then_the_next_day(fixture: &dyn Fixture) {
    let mut case = Case::new(fixture, "partly", two_days());
    case.editions.add(Edition::numbered("e24", 24, 8..12));
    case.publish("e22");
    case.crash("e23", Mode::Normal, AFTER_FIRST_CHUNK);
    case.crash("e24", Mode::Normal, AFTER_FIRST_CHUNK);
    let summary = case.publish("e24");
    let part = case.part("e23", &["e22"], CHUNK_RECORDS as usize);
    case.assert_log(&[case.whole("e22", &[]), part, case.whole("e24", &["e22", "e23"])]);
    case.assert_manifest(&summary.manifest);
    assert_eq!(case.log().live(), case.editions.get("e24").live());
    assert!(
        case.bench.notes().iter().any(|note| note.contains("2026-11-23") && note.contains("partly")),
        "{:?}",
        case.bench.notes()
    );
    // The day that was left is older now.
    case.assert_refused("e23", Class::Conflict);
}
