//! One suite of cases that every target passes: what `hivecast_publish::target` promises, seen
//! through whole runs of `publish`.
//!
//! A target gives a [`Fixture`] and calls [`target_conformance!`](crate::target_conformance), which
//! makes one test of each case. The oracle is [`oracle::Log`]: what a read_committed consumer
//! finds, record by record, against what the editions say should be there.

pub mod cases;
pub mod editions;
pub mod faulty;
mod forward;
pub mod oracle;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Mutex;

use hivecast_publish::{Target, TopicSpec};
use hivecast_run::{Cancel, Clock, Context, Event, FixedClock, Sink};

/// What the suite needs of a target.
pub trait Fixture: Sync {
    /// A client of the same storage, as another process would have one.
    fn client(&self) -> Box<dyn Target>;

    /// A name for feed and topic that no other case or run uses; `case` may be part of it.
    fn unique_name(&self, case: &str) -> String;

    /// Deletes a topic behind Hivecast's back and returns when it is gone.
    fn delete_topic(&self, topic: &str);

    /// How many seeds the random schedule runs: many where a transaction takes microseconds.
    fn schedule_seeds(&self) -> u64;

    /// A topic that is not there yet.
    fn topic(&self, case: &str, partitions: u32) -> TopicSpec {
        let name = self.unique_name(case);
        TopicSpec { feed: name.clone(), topic: name, partitions, settings: BTreeMap::new() }
    }
}

/// What a run is given besides its data, kept for the test to look at.
#[derive(Default)]
pub struct Bench {
    /// Set to stop the run.
    pub cancel: Cancel,
    told: Told,
}

#[derive(Default)]
struct Told(Mutex<Vec<Event>>);

impl Sink for Told {
    fn event(&self, event: &Event) {
        self.0.lock().expect("no test panics while holding it").push(event.clone());
    }
}

/// 2026-11-22T04:00:00Z: the clock of all cases stands still.
const NOW: FixedClock = FixedClock(1_795_320_000_000);
static CLOCK: &dyn Clock = &NOW;

impl Bench {
    /// The context of a run.
    pub fn context(&self) -> Context<'_> {
        Context { sink: &self.told, cancel: &self.cancel, clock: CLOCK }
    }

    /// The warnings and facts that were told, in order.
    pub fn notes(&self) -> Vec<String> {
        let told = self.told.0.lock().expect("no test panics while holding it");
        told.iter()
            .filter_map(|event| match event {
                Event::Note { text, .. } => Some(text.clone()),
                _ => None,
            })
            .collect()
    }
}

/// Makes one test of each case of the suite, for the target of the fixture that the expression
/// gives; it is evaluated once a test.
#[macro_export]
macro_rules! target_conformance {
    ($fixture:expr) => {
        $crate::target_conformance! { @cases $fixture;
            full_publish
            every_header_and_partition
            running_again_sends_nothing
            crash_after_opening
            crash_after_beginning
            crash_in_the_middle_of_a_chunk
            crash_before_the_commit
            crash_with_the_ledger_record_made
            crash_after_the_commit
            commit_lost_before_it_happened
            commit_lost_after_it_happened
            sessions_lost_again_and_again_end_the_run
            record_lost_without_a_word
            cancelled_between_chunks
            cancelled_in_the_middle_of_a_chunk
            cancelled_within_a_commit
            cancelled_while_waiting_for_a_new_session
            two_sessions_at_once
            two_runs_at_once
            changed_input_is_refused
            older_day_is_refused
            replaced_edition
            replacement_goes_on_after_a_crash
            rolled_back_to_an_older_day
            newer_day_after_a_roll_back_is_refused
            other_mask_key_is_refused
            replacement_with_another_mask_key_goes_on
            deleted_topic_is_refused
            topic_of_another_feed_is_refused
            other_partition_count_is_refused
            tombstones_for_keys_that_are_gone
            partly_published_then_the_next_day
            empty_edition
            record_larger_than_a_block
            atomic_edition_in_one_transaction
            unicode_keys
            open_transaction_is_invisible
            aborted_transaction_is_invisible
            refused_ledger_record_commits_nothing
            ledger_without_a_session
            preflight_of_a_topic_to_be
            verified_after_publishing
            copies_behind_the_manifest_are_found
            sessions_of_two_slots
            several_writers_at_once
            writers_wait_for_the_first_and_end_in_any_order
            writers_crash_and_resume_each_alone
            crash_between_the_last_part_and_the_manifest
            several_who_finish_write_one_manifest
            who_finishes_looks_again
            crash_between_announced_and_open
            another_number_of_writers_is_refused
            an_edition_is_sent_again_by_as_many_writers
            an_earlier_sets_writer_is_fenced
            a_late_writer_of_an_earlier_set_sends_nothing
            two_sets_of_writers_at_once
            random_schedule
        }
    };
    (@cases $fixture:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::conformance::cases::$case(&$fixture);
            }
        )*
    };
}
