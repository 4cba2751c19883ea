//! Sends an edition: session, decision, chunks, manifest; and again with a new session where the
//! outcome of a commit is unknown.

use std::time::Duration;

use hivecast_contract::{
    EditionId, LEDGER_FORMAT, LedgerRecord, Manifest, PartitionTotals, Progress, WriterId, partition_of,
};
use hivecast_feed::Chunks;
use hivecast_run::{Class, Context, Event, Fault, Result, Step, Unit, crash_point};

use crate::ahead::Ahead;
use crate::chunk::Meter;
use crate::decide::{Decision, Mode, Question, TopicState, Verdict, decide};
use crate::entries::Entries;
use crate::{Committed, Headers, Session, Target, TopicSpec};

/// How many sessions in a row may be lost, without a chunk committed between, before a run gives up.
const LOST_SESSIONS_MAX: u32 = 4;

/// The pause before the second session; it doubles with each session that is lost.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// How often in that time cancellation is looked for.
const REOPEN_LOOKS: u32 = 5;

/// After how many records cancellation is looked for and progress told.
const SENT_BATCH_RECORDS: u64 = 1_000;

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

/// How an edition came to be complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was complete before this run, which sent nothing.
    AlreadyComplete,
    /// This run sent all of it.
    Published,
    /// This run sent what an earlier one had left.
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
    context.tell(Event::Started {
        step: Step::Publish,
        total: Some(entries.documents()),
        unit: Unit::Records,
    });
    let mut run = Run { target, job, entries, context, origin: None, chunks_committed: 0 };
    let mut lost_sessions = 0;
    let mut lost_in_a_row = 0;
    let manifest = loop {
        let chunks_before = run.chunks_committed;
        match run.session() {
            Ok(manifest) => break manifest,
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
    Ok(run.summary(manifest, lost_sessions))
}

/// Why a session ended before the manifest was committed.
enum Stop {
    /// The session is lost, and with it what it had not committed: a new one may go on.
    Session(Fault),
    /// Nothing that a new session would mend.
    Own(Fault),
}

impl Stop {
    /// For an error of the target's.
    fn of_target(fault: Fault) -> Self {
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

/// Where the edition stood when this run first looked.
struct Origin {
    outcome: Outcome,
    /// What was committed of it by then.
    before: Sent,
}

struct Run<'a, 'c> {
    target: &'a dyn Target,
    job: &'a Job<'a>,
    entries: &'a dyn Entries,
    context: &'a Context<'c>,
    origin: Option<Origin>,
    chunks_committed: u64,
}

impl Run<'_, '_> {
    /// One session, from its opening to the manifest.
    fn session(&mut self) -> Result<Manifest, Stop> {
        let is_first = self.origin.is_none();
        let opened = self.target.open(self.job.topic, WriterId::SINGLE, self.context);
        let mut session =
            opened.map_err(|fault| if is_first { Stop::Own(fault) } else { Stop::of_target(fault) })?;
        crash_point("publish.opened");
        let Verdict { decision, warnings } = self.decide(session.as_ref())?;
        if is_first {
            warnings.into_iter().for_each(|warning| self.context.warn(warning));
        }
        let (outcome, progress) = match decision {
            Decision::AlreadyComplete(manifest) => {
                let before = Sent::of(&manifest.partitions, manifest.chunks);
                self.origin.get_or_insert(Origin { outcome: Outcome::AlreadyComplete, before });
                return Ok(manifest);
            }
            Decision::Resume(progress) => (Outcome::Resumed { position: progress.position }, progress),
            Decision::Start { bases } => (Outcome::Published, self.first_progress(session.as_ref(), bases)),
        };
        if is_first {
            self.entries.check().map_err(Stop::Own)?;
        }
        let before = Sent::of(&progress.partitions, progress.chunks);
        self.origin.get_or_insert(Origin { outcome, before });
        let sequence = session.ledger().manifests.values().map(|m| m.sequence).max().unwrap_or(0) + 1;
        self.send(session.as_mut(), progress, sequence)
    }

    fn decide(&self, session: &dyn Session) -> Result<Verdict, Stop> {
        let ledger = session.ledger();
        let ledger_is_empty = ledger.manifests.is_empty() && ledger.progress.is_empty();
        let end_offsets = session.end_offsets().map_err(Stop::of_target)?;
        let has_records = ledger_is_empty && session.topic_has_records().map_err(Stop::of_target)?;
        decide(&Question {
            feed: &self.job.topic.feed,
            edition: self.entries.edition(),
            entries: Some(&self.entries.fingerprint()),
            mask_key: self.job.mask_key,
            load_date: self.entries.load_date(),
            writer: WriterId::SINGLE,
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

    fn first_progress(&self, session: &dyn Session, bases: Vec<EditionId>) -> Progress {
        Progress {
            format: LEDGER_FORMAT,
            feed: self.job.topic.feed.clone(),
            load_date: self.entries.load_date(),
            edition: self.entries.edition().clone(),
            writer: WriterId::SINGLE,
            chunks: 0,
            position: 0,
            entries: self.entries.fingerprint(),
            mask_key: self.job.mask_key.to_owned(),
            bases,
            topic_id: session.topic_id().to_owned(),
            partitions: vec![PartitionTotals::default(); self.job.topic.partitions as usize],
        }
    }

    fn send(
        &mut self,
        session: &mut dyn Session,
        progress: Progress,
        sequence: u64,
    ) -> Result<Manifest, Stop> {
        let entries = self.entries;
        std::thread::scope(|scope| {
            let ahead = Ahead::start(scope, entries, progress.bases.clone(), progress.position);
            let headers = Headers {
                feed: progress.feed.clone(),
                load_date: progress.load_date,
                edition: progress.edition.to_string(),
            };
            let documents = entries.documents();
            let (job, context) = (self.job, self.context);
            let mut sender = Sender { job, context, session, ahead, headers, progress, sequence, documents };
            loop {
                let manifest = sender.chunk()?;
                self.chunks_committed += 1;
                if let Some(manifest) = manifest {
                    return Ok(manifest);
                }
            }
        })
    }

    fn summary(self, manifest: Manifest, lost_sessions: u32) -> Summary {
        // A commit whose outcome was unknown is counted by what the manifest says, not by this
        // run's own count.
        let whole = Sent::of(&manifest.partitions, manifest.chunks);
        let Origin { outcome, before } =
            self.origin.unwrap_or(Origin { outcome: Outcome::Published, before: Sent::default() });
        let sent = Sent {
            documents: whole.documents.saturating_sub(before.documents),
            tombstones: whole.tombstones.saturating_sub(before.tombstones),
            bytes: whole.bytes.saturating_sub(before.bytes),
            chunks: whole.chunks.saturating_sub(before.chunks),
        };
        Summary { outcome, manifest, sent, lost_sessions }
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

/// Sends chunk by chunk within one session.
struct Sender<'a, 'c, 'scope> {
    job: &'a Job<'a>,
    context: &'a Context<'c>,
    session: &'a mut dyn Session,
    ahead: Ahead<'scope>,
    headers: Headers,
    progress: Progress,
    sequence: u64,
    /// How many documents the manifest must count.
    documents: u64,
}

/// What was sent in one transaction.
struct Chunk {
    entries: u64,
    /// By topic partition.
    counts: Vec<u64>,
    is_last: bool,
}

impl Sender<'_, '_, '_> {
    /// One transaction; the last one gives the manifest.
    fn chunk(&mut self) -> Result<Option<Manifest>, Stop> {
        self.context.check_cancelled().map_err(Stop::Own)?;
        self.session.begin(&self.headers).map_err(Stop::of_target)?;
        crash_point("publish.began");
        let chunk = match self.fill() {
            Ok(chunk) => chunk,
            Err(stop) => {
                self.abort();
                return Err(stop);
            }
        };
        crash_point("publish.before_commit");
        if chunk.is_last {
            crash_point("publish.before_manifest");
        }
        let manifest = self.commit(&chunk)?;
        crash_point("publish.after_commit");
        self.context.tell(Event::Advanced { step: Step::Publish, done: self.progress.position });
        Ok(manifest)
    }

    /// Sends entries until the chunk is full or there are none left.
    fn fill(&mut self) -> Result<Chunk, Stop> {
        let partitions = self.job.topic.partitions;
        let mut counts = vec![0; partitions as usize];
        let mut meter = Meter::new(self.job.chunks);
        let is_last = loop {
            let Some(entry) = self.ahead.peek().map_err(Stop::Own)? else { break true };
            let bytes = entry.bytes();
            if !meter.admits(bytes) {
                break false;
            }
            let partition = partition_of(entry.key, partitions);
            self.session.send(partition, entry.key, entry.value).map_err(Stop::of_target)?;
            self.ahead.advance();
            meter.add(bytes);
            counts[partition as usize] += 1;
            if meter.records().is_multiple_of(SENT_BATCH_RECORDS) {
                crash_point("publish.sent");
                self.context.check_cancelled().map_err(Stop::Own)?;
                let done = self.progress.position + meter.records();
                self.context.tell(Event::Advanced { step: Step::Publish, done });
            }
        };
        crash_point("publish.sent");
        self.context.check_cancelled().map_err(Stop::Own)?;
        Ok(Chunk { entries: meter.records(), counts, is_last })
    }

    fn commit(&mut self, chunk: &Chunk) -> Result<Option<Manifest>, Stop> {
        let Sender { job, context, session, progress, sequence, documents, .. } = self;
        let mut words = None;
        let committed = session.commit(&mut |committed| {
            check_acknowledged(chunk, committed)?;
            let next = advanced(progress, chunk, committed);
            let manifest = chunk.is_last.then(|| manifest(job, &next, *sequence, context.clock.now_ms()));
            manifest.iter().try_for_each(|manifest| check_whole(manifest, *documents))?;
            let records =
                [Some(LedgerRecord::Progress(next.clone())), manifest.clone().map(LedgerRecord::Manifest)];
            words = Some((next, manifest));
            Ok(records.into_iter().flatten().collect())
        });
        match (committed, words) {
            (Ok(_), Some((next, manifest))) => {
                *progress = next;
                Ok(manifest)
            }
            (Ok(_), None) => {
                Err(Stop::Own(Fault::bug("failed to commit a chunk: the target wrote no ledger record")))
            }
            // Without a ledger record nothing can have been committed, nor when the target heard of
            // the cancellation before it began to.
            (Err(fault), words) if words.is_none() || fault.class() == Class::Interrupted => {
                self.abort();
                Err(Stop::of_target(fault))
            }
            // The outcome may be unknown. Whatever it is, the ledger knows, and this session is dead.
            (Err(fault), _) => Err(Stop::of_target(fault)),
        }
    }

    /// Best effort: what cannot be aborted now is rolled back by the next session.
    fn abort(&mut self) {
        if let Err(fault) = self.session.abort() {
            self.context.info(format!("the open transaction is left to the next run ({})", fault.chain()));
        }
    }
}

/// The target must have taken exactly what was sent, or the ledger would state what is not so.
fn check_acknowledged(chunk: &Chunk, committed: &Committed) -> Result<()> {
    let acknowledged: Vec<u64> = committed.partitions.iter().map(PartitionTotals::records).collect();
    if acknowledged == chunk.counts {
        return Ok(());
    }
    Err(Fault::bug(format!(
        "failed to commit a chunk: records sent by partition {:?}, acknowledged {acknowledged:?}",
        chunk.counts
    )))
}

/// A manifest says that the edition is whole, whatever way led there.
fn check_whole(manifest: &Manifest, documents: u64) -> Result<()> {
    if manifest.documents == documents {
        return Ok(());
    }
    Err(Fault::bug(format!(
        "failed to complete edition {}: it has {documents} documents, and {} were sent",
        manifest.edition, manifest.documents
    ))
    .advise("the last chunk is not committed; publish with --replace to send the edition from the start"))
}

fn advanced(progress: &Progress, chunk: &Chunk, committed: &Committed) -> Progress {
    let mut next = progress.clone();
    next.chunks += 1;
    next.position += chunk.entries;
    for (sum, part) in next.partitions.iter_mut().zip(&committed.partitions) {
        sum.add(part);
    }
    next
}

fn manifest(job: &Job<'_>, progress: &Progress, sequence: u64, completed_ms: i64) -> Manifest {
    Manifest {
        format: LEDGER_FORMAT,
        sequence,
        feed: progress.feed.clone(),
        load_date: progress.load_date,
        edition: progress.edition.clone(),
        entries: progress.entries.clone(),
        mask_key: progress.mask_key.clone(),
        topic: job.topic.topic.clone(),
        topic_id: progress.topic_id.clone(),
        documents: progress.partitions.iter().map(|totals| totals.documents).sum(),
        tombstones: progress.partitions.iter().map(|totals| totals.tombstones).sum(),
        chunks: progress.chunks,
        completed_ms,
        partitions: progress.partitions.clone(),
    }
}
