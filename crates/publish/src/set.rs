//! What several writers do besides sending: writer 1 opens the set, the others wait for it, and whoever
//! finishes last writes the manifest.
//!
//! ```text
//! writer 1    announced ─ fences every slot that a writer of an earlier set may hold ─ open ─ … ─ done
//! the others                                        wait until it is open, then open their own slot ─ … ─ done
//! the last    sees that all are done ─ opens the slot `finish` ─ looks again ─ manifest
//! ```
//! Why nothing of an earlier set comes after the set is open: a writer of it that opened its slot before
//! writer 1 fenced that slot is fenced, and one that opens it after that reads a ledger which has the
//! announcement.

use std::time::Duration;

use hivecast_contract::{EditionId, LedgerRecord, LoadDate, Manifest, Progress, Stage, WriterSet};
use hivecast_run::{Class, Context, Fault, Result, crash_point};

use crate::decide::{Decision, Question, Standing, TopicState, Verdict, decide, standing};
use crate::run::{Job, PartEnd, Share, Stop};
use crate::send::{check_whole, headers, manifest, next_sequence};
use crate::{Ledger, Session, Slot, Target, View};

/// The pause between two looks at the ledger while writer 1 has not opened the set; each is half as long
/// again as the one before, up to the longest.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often a writer that is fenced while it finishes looks whether the other one has.
const FINISH_LOOKS: u32 = 10;

/// The pause before the second of these looks; each is twice as long as the one before, up to
/// [`LOOK_PAUSE_MAX`].
const FINISH_PAUSE: Duration = Duration::from_millis(200);

/// What a writer that waited for writer 1 found.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Awaited {
    /// The edition is complete, as this ledger says.
    Complete(Manifest, Ledger),
    /// The set is open, as this ledger says: there is a part to send, or to finish.
    Open(Ledger),
}

impl Awaited {
    /// The ledger that says so.
    pub fn ledger(&self) -> &Ledger {
        match self {
            Awaited::Complete(_, ledger) | Awaited::Open(ledger) => ledger,
        }
    }

    /// What spoke for this edition when it was looked at first, and against it once the slot was open:
    /// between the two another run took the feed over.
    pub(crate) fn unless_overtaken(&self, now: &Ledger, stop: Stop) -> Stop {
        let number = |ledger: &Ledger| ledger.begun().and_then(|begun| begun.set).map(|set| set.number);
        match stop {
            Stop::Own(fault) if fault.class() == Class::Conflict && number(self.ledger()) != number(now) => {
                Stop::Own(overtaken(now).because(fault.chain()))
            }
            stop => stop,
        }
    }
}

fn overtaken(ledger: &Ledger) -> Fault {
    let by = match ledger.begun() {
        Some(begun) => format!(
            "load_date {} as edition {} by {} writers",
            begun.load_date, begun.edition, begun.writer.of
        ),
        None => "something else".to_owned(),
    };
    Fault::held(format!("another run took the feed over, and publishes {by}"))
        .advise("wait until it ends, or end it; then run every writer of this set again")
}

/// A writer among several, beside its sending.
pub(crate) struct Waiter<'a, 'c> {
    target: &'a dyn Target,
    job: &'a Job<'a>,
    share: Share,
    edition: &'a EditionId,
    load_date: LoadDate,
    context: &'a Context<'c>,
    /// How long it has waited for writer 1 by now.
    waited: Duration,
    next_pause: Duration,
}

/// Waits until writer 1 has opened the set for this edition, or the edition is complete. For who has not
/// built the edition yet: where writer 1 is not there the wait ends with [`Class::Infrastructure`] when the
/// share's patience does; what speaks against the edition ends it at once.
pub fn wait_for_first(
    target: &dyn Target,
    job: &Job<'_>,
    share: Share,
    edition: &EditionId,
    load_date: LoadDate,
    context: &Context<'_>,
) -> Result<Awaited> {
    let waited = Waiter::new(target, job, share, edition, load_date, context).wait(None);
    waited.map_err(|(Stop::Session(fault) | Stop::Own(fault))| fault)
}

impl<'a, 'c> Waiter<'a, 'c> {
    pub(crate) fn new(
        target: &'a dyn Target,
        job: &'a Job<'a>,
        share: Share,
        edition: &'a EditionId,
        load_date: LoadDate,
        context: &'a Context<'c>,
    ) -> Self {
        let (waited, next_pause) = (Duration::ZERO, LOOK_PAUSE);
        Waiter { target, job, share, edition, load_date, context, waited, next_pause }
    }

    /// See [`wait_for_first`]; `entries` is the edition's digest, where it is built.
    pub(crate) fn wait(&mut self, entries: Option<&str>) -> Result<Awaited, Stop> {
        loop {
            let ledger = self.target.ledger(&self.job.topic.feed, View::Settled, self.context);
            let ledger = ledger.map_err(Stop::of_target)?;
            match self.foresee(&ledger, entries).map_err(Stop::Own)?.decision {
                Decision::AlreadyComplete(manifest) => return Ok(Awaited::Complete(manifest, ledger)),
                Decision::Join(_) | Decision::Resume(_) => return Ok(Awaited::Open(ledger)),
                Decision::Wait | Decision::Start { .. } => self.pause().map_err(Stop::Own)?,
            }
        }
    }

    /// What the ledger says to this writer, with the topic taken to be as the ledger has it.
    fn foresee(&self, ledger: &Ledger, entries: Option<&str>) -> Result<Verdict> {
        let id = ledger.begun().map(|begun| begun.topic_id.as_str());
        let partitions = ledger.begun().map_or(0, |begun| begun.partitions.len());
        decide(&Question {
            feed: &self.job.topic.feed,
            edition: self.edition,
            entries,
            mask_key: self.job.mask_key,
            load_date: self.load_date,
            writer: self.share.writer,
            mode: self.job.mode,
            ledger,
            topic: TopicState {
                name: &self.job.topic.topic,
                id: id.unwrap_or_default(),
                end_offsets: &vec![i64::MAX; partitions],
                has_records: false,
            },
        })
    }

    /// One pause, unless patience is at its end.
    pub(crate) fn pause(&mut self) -> Result<()> {
        let Share { writer, patience } = self.share;
        let whom = format!(
            "writer 1/{} to open edition {} of load_date {}",
            writer.of, self.edition, self.load_date
        );
        if self.waited.is_zero() {
            self.context.info(format!("writer {writer} waits for {whom}, up to {} s", patience.as_secs()));
        }
        if self.waited >= patience {
            return Err(Fault::infrastructure(format!(
                "writer {writer} waited {} s in vain for {whom}",
                patience.as_secs()
            ))
            .advise("see what became of writer 1, and run both again; --writer-wait says how long to wait"));
        }
        self.context.check_cancelled()?;
        let pause = self.next_pause.min(patience - self.waited);
        self.context.clock.sleep(pause);
        self.waited += pause;
        self.next_pause = (self.next_pause * 3 / 2).min(LOOK_PAUSE_MAX);
        self.context.check_cancelled()
    }

    /// The slots that an earlier set's writers may hold, and whoever was to write its manifest.
    fn other_slots(progress: &Progress) -> impl Iterator<Item = Slot> + use<> {
        let widest = progress.set.map_or(1, |set| set.widest);
        (2..=widest).map(Slot::Writer).chain([Slot::Finish])
    }

    /// Says what is going to be published. From here on nobody who opens a slot goes on with anything
    /// else.
    pub(crate) fn announce(&self, session: &mut dyn Session, progress: &Progress) -> Result<(), Stop> {
        // Where it can be seen that an earlier set lives, it is left in peace.
        for slot in Self::other_slots(progress) {
            self.target.check_free(&self.job.topic.feed, slot).map_err(Stop::of_target)?;
        }
        say(session, progress)?;
        crash_point("publish.announced");
        Ok(())
    }

    /// Ends the writers of earlier sets, and lets those of this one begin. Gives the ledger as it is once
    /// nobody else can write to it.
    pub(crate) fn open_set(
        &self,
        session: &mut dyn Session,
        progress: &mut Progress,
    ) -> Result<Ledger, Stop> {
        for slot in Self::other_slots(progress) {
            self.target.fence(self.job.topic, slot, self.context).map_err(Stop::of_target)?;
        }
        crash_point("publish.fenced");
        // An earlier set's manifest may have come before its fence.
        let ledger = self.target.ledger(&self.job.topic.feed, View::Settled, self.context);
        let ledger = ledger.map_err(Stop::of_target)?;
        progress.set = progress.set.map(|set| WriterSet { stage: Stage::Open, ..set });
        say(session, progress)?;
        crash_point("publish.set_open");
        Ok(ledger)
    }

    /// Writes the manifest where this writer is the last, and says which are still to come where not. Of
    /// two that find themselves last the later one wins the slot, and the earlier looks again.
    pub(crate) fn finish(&self, number: u64, documents: u64) -> Result<PartEnd, Stop> {
        crash_point("publish.part_done");
        let mut pause = FINISH_PAUSE;
        let mut look = 1;
        loop {
            let fault = match self.try_to_finish(number, documents) {
                Ok(end) => return Ok(end),
                Err(Stop::Own(fault)) if fault.class() == Class::Held && look < FINISH_LOOKS => fault,
                Err(stop) => return Err(stop),
            };
            self.context.info(format!("another writer is about to finish, too ({})", fault.chain()));
            self.context.clock.sleep(pause);
            self.context.check_cancelled().map_err(Stop::Own)?;
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
            look += 1;
        }
    }

    fn try_to_finish(&self, number: u64, documents: u64) -> Result<PartEnd, Stop> {
        let Job { topic, .. } = self.job;
        let ledger = self.target.ledger(&topic.feed, View::Settled, self.context).map_err(Stop::of_target)?;
        if let Some(end) = end_of(&ledger, number)? {
            return Ok(end);
        }
        crash_point("publish.all_done");
        let mut session = self.target.open(topic, Slot::Finish, self.context).map_err(Stop::of_target)?;
        crash_point("publish.finishing");
        // Whoever had the slot before may have written the manifest.
        let ledger = session.ledger();
        if let Some(end) = end_of(ledger, number)? {
            return Ok(end);
        }
        let Standing::AllDone(whole) = standing(ledger, number) else {
            return Err(Stop::Own(Fault::bug(
                "failed to finish an edition: it stands otherwise than it did",
            )));
        };
        check_whole(&whole, documents).map_err(Stop::Own)?;
        let manifest = manifest(&topic.topic, &whole, next_sequence(ledger), self.context.clock.now_ms());
        session.begin(&headers(&whole)).map_err(Stop::of_target)?;
        crash_point("publish.before_last_word");
        let committed = session.commit(&mut |_| Ok(vec![LedgerRecord::Manifest(manifest.clone())]));
        committed.map_err(Stop::of_target)?;
        crash_point("publish.after_last_word");
        Ok(PartEnd::Whole(manifest))
    }
}

/// How a set ended for who has nothing left to do; none where the manifest is still to be written.
fn end_of(ledger: &Ledger, number: u64) -> Result<Option<PartEnd>, Stop> {
    match standing(ledger, number) {
        Standing::Complete(manifest) => Ok(Some(PartEnd::Whole(manifest))),
        Standing::ToCome(writers) => Ok(Some(PartEnd::ToCome(writers))),
        Standing::AllDone(_) => Ok(None),
        Standing::Overtaken => Err(Stop::Own(overtaken(ledger))),
    }
}

/// Commits a progress without records.
fn say(session: &mut dyn Session, progress: &Progress) -> Result<(), Stop> {
    session.begin(&headers(progress)).map_err(Stop::of_target)?;
    let record = LedgerRecord::Progress(progress.clone());
    session.commit(&mut |_| Ok(vec![record.clone()])).map(drop).map_err(Stop::of_target)
}
