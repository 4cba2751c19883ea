//! Sends an edition: session, decision, chunks, manifest; and again with a new session where the
//! outcome of a commit is unknown.

use std::time::Duration;

use hivecast_contract::{
    EditionId, LEDGER_FORMAT, LEDGER_FORMAT_ONE_WRITER, Manifest, PartitionTotals, Progress, Stage, WriterId,
};
use hivecast_feed::Chunks;
use hivecast_run::{Class, Context, Event, Fault, Result, Step, Unit, crash_point};

use crate::decide::{Decision, Mode, Question, TopicState, Verdict, decide, next_set};
use crate::entries::Entries;
use crate::send::{Sender, next_sequence};
use crate::set::{Awaited, Waiter};
use crate::{Ledger, Session, Slot, Target, TopicSpec, View};

/// How many sessions in a row may be lost, without a chunk committed between, before a run gives up.
const LOST_SESSIONS_MAX: u32 = 4;

/// The pause before the second session; it doubles with each session that is lost.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// How often in that time cancellation is looked for.
const REOPEN_LOOKS: u32 = 5;

/// What is asked of a run.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Where to.
    pub topic: &'a TopicSpec,
    /// How the edition is cut into transactions.
    pub chunks: Chunks,
    /// May what is published be corrected?
    pub mode: Mode,
    /// A digest of the key that values are masked with ([`crate::mask_key_digest`]); empty where none
    /// is.
    pub mask_key: &'a str,
}

/// Which part of an edition a run publishes.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Who it is, and of how many.
    pub writer: WriterId,
    /// How long any but writer 1 waits for writer 1 to open the set.
    pub patience: Duration,
}

impl Share {
    /// All of it.
    const WHOLE: Share = Share { writer: WriterId::SINGLE, patience: Duration::ZERO };
}

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How it came to that.
    pub outcome: Outcome,
    /// The edition's manifest, which is on the target.
    pub manifest: Manifest,
    /// What this run committed, as opposed to runs before it.
    pub sent: Sent,
    /// How many sessions were lost on the way, and replaced.
    pub lost_sessions: u32,
}

/// What one of several writers did.
#[derive(Clone, Debug, PartialEq)]
pub struct PartSummary {
    /// How the part came to be complete.
    pub outcome: Outcome,
    /// Whether the edition is, too.
    pub end: PartEnd,
    /// What this run committed, as opposed to runs before it.
    pub sent: Sent,
    /// How many sessions were lost on the way, and replaced.
    pub lost_sessions: u32,
}

/// How an edition stands when a writer's part of it is committed.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum PartEnd {
    /// Every part is, and the manifest is on the target.
    Whole(Manifest),
    /// These writers, by index, are still to finish theirs.
    ToCome(Vec<u32>),
}

/// How an edition, or a writer's part of it, came to be complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The edition was complete before this run, which sent nothing.
    AlreadyComplete,
    /// This run sent all of it.
    Published,
    /// This run sent what an earlier one had left, be it the manifest alone.
    Resumed {
        /// Entries that were committed before this run.
        position: u64,
    },
}

/// What a run committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Documents.
    pub documents: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Transactions.
    pub chunks: u64,
}

/// Publishes an edition, or what is left of it, and returns when its manifest is committed.
///
/// An error whose class is [`Class::Infrastructure`] and that a session gave is answered with a new
/// session, a bounded number of times: the ledger says there how far the edition has come. All other
/// errors end the run; the open transaction is aborted first, where there is one.
pub fn publish(
    target: &dyn Target,
    job: &Job<'_>,
    entries: &dyn Entries,
    context: &Context<'_>,
) -> Result<Summary> {
    let PartSummary { outcome, end, sent, lost_sessions } =
        publish_part(target, job, Share::WHOLE, entries, context)?;
    match end {
        PartEnd::Whole(manifest) => Ok(Summary { outcome, manifest, sent, lost_sessions }),
        PartEnd::ToCome(_) => Err(Fault::bug("failed to complete an edition: it was divided among writers")),
    }
}

/// Publishes one writer's part of an edition, or what is left of it, as [`publish`] does all of it.
/// Writer 1 decides and opens the set, the others wait for it, and who finishes last commits the
/// manifest.
pub fn publish_part(
    target: &dyn Target,
    job: &Job<'_>,
    share: Share,
    entries: &dyn Entries,
    context: &Context<'_>,
) -> Result<PartSummary> {
    let total = Some(entries.documents_in(share.writer.range())?);
    context.tell(Event::Started { step: Step::Publish, total, unit: Unit::Records });
    let waiter = Waiter::new(target, job, share, entries.edition(), entries.load_date(), context);
    let mut run = Run { target, job, share, entries, context, waiter, origin: None, chunks_committed: 0 };
    let mut lost_sessions = 0;
    let mut lost_in_a_row = 0;
    let done = loop {
        let chunks_before = run.chunks_committed;
        match run.session() {
            Ok(done) => break done,
            Err(Stop::Own(fault)) => return Err(fault),
            Err(Stop::Session(fault)) => {
                lost_in_a_row = if run.chunks_committed > chunks_before { 1 } else { lost_in_a_row + 1 };
                lost_sessions += 1;
                if lost_in_a_row > LOST_SESSIONS_MAX {
                    return Err(fault);
                }
                pause(context, &fault, lost_in_a_row)?;
            }
        }
    };
    crash_point("publish.done");
    context.tell(Event::Ended { step: Step::Publish });
    Ok(run.summary(done, lost_sessions))
}

/// Why a session ended before its part was committed.
pub(crate) enum Stop {
    /// The session is lost, and with it what it had not committed: a new one may go on.
    Session(Fault),
    /// Nothing that a new session would mend.
    Own(Fault),
}

impl Stop {
    /// For an error of the target's.
    pub(crate) fn of_target(fault: Fault) -> Self {
        match fault.class() {
            Class::Infrastructure => Stop::Session(fault),
            _ => Stop::Own(fault),
        }
    }
}

fn pause(context: &Context<'_>, fault: &Fault, lost_in_a_row: u32) -> Result<()> {
    context.warn(format!("the session was lost ({}); going on with a new one", fault.chain()));
    let looks = REOPEN_LOOKS * 2u32.saturating_pow(lost_in_a_row - 1);
    for _ in 0..looks {
        context.check_cancelled()?;
        context.clock.sleep(REOPEN_PAUSE / REOPEN_LOOKS);
    }
    context.check_cancelled()
}

/// Where the part stood when this run first looked.
struct Origin {
    outcome: Outcome,
    /// What was committed of it by then.
    before: Sent,
}

/// A part that is committed.
struct Done {
    end: PartEnd,
    /// What all runs committed of it.
    whole: Sent,
}

struct Run<'a, 'c> {
    target: &'a dyn Target,
    job: &'a Job<'a>,
    share: Share,
    entries: &'a dyn Entries,
    context: &'a Context<'c>,
    waiter: Waiter<'a, 'c>,
    origin: Option<Origin>,
    chunks_committed: u64,
}

impl Run<'_, '_> {
    /// One session, from its opening to the end of the part.
    fn session(&mut self) -> Result<Done, Stop> {
        let is_first = self.origin.is_none();
        loop {
            let awaited = match self.share.writer.index {
                1 => None,
                _ => Some(self.waiter.wait(Some(&self.entries.fingerprint()))?),
            };
            if let Some(Awaited::Complete(manifest, ledger)) = &awaited {
                return Ok(self.complete(manifest, ledger));
            }
            let slot = Slot::Writer(self.share.writer.index);
            let opened = self.target.open(self.job.topic, slot, self.context);
            let mut session =
                opened.map_err(|fault| if is_first { Stop::Own(fault) } else { Stop::of_target(fault) })?;
            crash_point("publish.opened");
            // Read after the fence, and not what was seen while waiting.
            let ledger = session.ledger();
            let verdict = self.decide(ledger, session.as_ref()).map_err(|stop| match &awaited {
                Some(awaited) => awaited.unless_overtaken(ledger, stop),
                None => stop,
            })?;
            if is_first {
                verdict.warnings.into_iter().for_each(|warning| self.context.warn(warning));
            }
            let (outcome, progress) = match verdict.decision {
                Decision::AlreadyComplete(manifest) => return Ok(self.complete(&manifest, session.ledger())),
                Decision::Wait => {
                    drop(session);
                    self.waiter.pause().map_err(Stop::Own)?;
                    continue;
                }
                Decision::Resume(progress) => (Outcome::Resumed { position: progress.position }, progress),
                Decision::Join(begun) => (Outcome::Published, self.joined(&begun)),
                Decision::Start { bases } => {
                    (Outcome::Published, self.first_progress(session.as_ref(), bases))
                }
            };
            if is_first {
                self.entries.check(self.share.writer.range()).map_err(Stop::Own)?;
            }
            return self.carry_out(session.as_mut(), outcome, progress);
        }
    }

    /// Opens the set where that is still to be done, sends what is left of the part, and finishes the
    /// edition where all others have done the same.
    fn carry_out(
        &mut self,
        session: &mut dyn Session,
        outcome: Outcome,
        mut progress: Progress,
    ) -> Result<Done, Stop> {
        let is_new = outcome == Outcome::Published;
        let before = Sent::of(&progress.partitions, progress.chunks);
        self.origin.get_or_insert(Origin { outcome, before });
        let mut sequence = next_sequence(session.ledger());
        if progress.set.is_some_and(|set| set.stage == Stage::Announced) {
            if is_new {
                self.waiter.announce(session, &progress)?;
            }
            let ledger = self.waiter.open_set(session, &mut progress)?;
            sequence = next_sequence(&ledger);
        }
        let manifest = match progress.is_done() {
            true => None,
            false => self.send(session, &mut progress, sequence)?,
        };
        let whole = Sent::of(&progress.partitions, progress.chunks);
        let end = match (manifest, progress.set) {
            (Some(manifest), _) => PartEnd::Whole(manifest),
            (None, Some(set)) => self.waiter.finish(set.number, self.entries.documents())?,
            (None, None) => {
                return Err(Stop::Own(Fault::bug(
                    "failed to complete an edition: its last chunk has no manifest",
                )));
            }
        };
        Ok(Done { end, whole })
    }

    /// The edition was complete when this session looked.
    fn complete(&mut self, manifest: &Manifest, ledger: &Ledger) -> Done {
        let WriterId { index, of } = self.share.writer;
        let own = ledger.progress.get(&index).filter(|own| own.set.map(|set| set.number) == manifest.set);
        let whole = match (of, own) {
            (1, _) => Sent::of(&manifest.partitions, manifest.chunks),
            (_, Some(own)) => Sent::of(&own.partitions, own.chunks),
            (_, None) => Sent::default(),
        };
        self.origin.get_or_insert(Origin { outcome: Outcome::AlreadyComplete, before: whole });
        Done { end: PartEnd::Whole(manifest.clone()), whole }
    }

    fn decide(&self, ledger: &Ledger, session: &dyn Session) -> Result<Verdict, Stop> {
        let ledger_is_empty = ledger.manifests.is_empty() && ledger.progress.is_empty();
        let end_offsets = session.end_offsets().map_err(Stop::of_target)?;
        let has_records = ledger_is_empty && session.topic_has_records().map_err(Stop::of_target)?;
        if has_records {
            self.check_not_fenced()?;
        }
        decide(&Question {
            feed: &self.job.topic.feed,
            edition: self.entries.edition(),
            entries: Some(&self.entries.fingerprint()),
            mask_key: self.job.mask_key,
            load_date: self.entries.load_date(),
            writer: self.share.writer,
            mode: self.job.mode,
            ledger,
            topic: TopicState {
                name: &self.job.topic.topic,
                id: session.topic_id(),
                end_offsets: &end_offsets,
                has_records,
            },
        })
        .map_err(Stop::Own)
    }

    /// Records that the session's ledger knows nothing of may be those of a run that fenced it since: then
    /// the ledger speaks of them now.
    fn check_not_fenced(&self) -> Result<(), Stop> {
        let feed = &self.job.topic.feed;
        let ledger = self.target.ledger(feed, View::Settled, self.context).map_err(Stop::of_target)?;
        match ledger.begun() {
            None => Ok(()),
            Some(_) => Err(Stop::Own(
                Fault::held(format!("feed {feed} is held by another run, which took it over from this one"))
                    .advise("wait until it ends, or end it; nothing was sent by this run"),
            )),
        }
    }

    fn first_progress(&self, session: &dyn Session, bases: Vec<EditionId>) -> Progress {
        let set = next_set(session.ledger(), self.share.writer);
        Progress {
            format: if set.is_some() { LEDGER_FORMAT } else { LEDGER_FORMAT_ONE_WRITER },
            feed: self.job.topic.feed.clone(),
            load_date: self.entries.load_date(),
            edition: self.entries.edition().clone(),
            writer: self.share.writer,
            chunks: 0,
            position: 0,
            entries: self.entries.fingerprint(),
            mask_key: self.job.mask_key.to_owned(),
            bases,
            topic_id: session.topic_id().to_owned(),
            set,
            partitions: vec![PartitionTotals::default(); self.job.topic.partitions as usize],
        }
    }

    /// The start of this writer's part of what writer 1 has begun.
    fn joined(&self, begun: &Progress) -> Progress {
        Progress {
            writer: self.share.writer,
            chunks: 0,
            position: 0,
            set: begun.set.map(|set| hivecast_contract::WriterSet { stage: Stage::Open, ..set }),
            partitions: vec![PartitionTotals::default(); begun.partitions.len()],
            ..begun.clone()
        }
    }

    /// Sends chunks until the part is committed; where there is one writer, with the manifest.
    fn send(
        &mut self,
        session: &mut dyn Session,
        progress: &mut Progress,
        sequence: u64,
    ) -> Result<Option<Manifest>, Stop> {
        let documents = self.entries.documents_in(self.share.writer.range()).map_err(Stop::Own)?;
        std::thread::scope(|scope| {
            let mut sender =
                Sender::start(scope, self.job, self.context, session, self.entries, progress.clone());
            loop {
                let sent = sender.chunk(sequence, documents);
                *progress = sender.progress().clone();
                let last = sent?;
                self.chunks_committed += 1;
                if let Some(manifest) = last {
                    return Ok(manifest);
                }
            }
        })
    }

    fn summary(self, Done { end, whole }: Done, lost_sessions: u32) -> PartSummary {
        // A commit whose outcome was unknown is counted by what the ledger says, not by this run's own
        // count.
        let Origin { outcome, before } =
            self.origin.unwrap_or(Origin { outcome: Outcome::Published, before: Sent::default() });
        let sent = Sent {
            documents: whole.documents.saturating_sub(before.documents),
            tombstones: whole.tombstones.saturating_sub(before.tombstones),
            bytes: whole.bytes.saturating_sub(before.bytes),
            chunks: whole.chunks.saturating_sub(before.chunks),
        };
        PartSummary { outcome, end, sent, lost_sessions }
    }
}

impl Sent {
    fn of(partitions: &[PartitionTotals], chunks: u64) -> Self {
        partitions.iter().fold(Sent { chunks, ..Sent::default() }, |sum, totals| Sent {
            documents: sum.documents + totals.documents,
            tombstones: sum.tombstones + totals.tombstones,
            bytes: sum.bytes + totals.bytes,
            chunks: sum.chunks,
        })
    }
}
