//! Sends entries chunk by chunk within one session.

use std::thread::Scope;

use hivecast_contract::{
    LEDGER_FORMAT_ONE_WRITER, LedgerRecord, Manifest, PartitionTotals, Progress, Stage, WriterSet,
    partition_of,
};
use hivecast_run::{Class, Context, Event, Fault, Result, Step, crash_point};

use crate::ahead::Ahead;
use crate::chunk::Meter;
use crate::entries::Entries;
use crate::run::{Job, Stop};
use crate::{Committed, Headers, Ledger, Session};

/// After how many records cancellation is looked for and progress told.
const SENT_BATCH_RECORDS: u64 = 1_000;

/// Sends chunk by chunk within one session.
pub(crate) struct Sender<'a, 'c, 'scope> {
    job: &'a Job<'a>,
    context: &'a Context<'c>,
    session: &'a mut dyn Session,
    ahead: Ahead<'scope>,
    headers: Headers,
    progress: Progress,
}

/// What was sent in one transaction.
struct Chunk {
    entries: u64,
    /// By topic partition.
    counts: Vec<u64>,
    is_last: bool,
}

impl<'a, 'c, 'scope> Sender<'a, 'c, 'scope> {
    /// Starts reading behind what the progress says is committed.
    pub(crate) fn start<'env: 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        job: &'a Job<'a>,
        context: &'a Context<'c>,
        session: &'a mut dyn Session,
        entries: &'env dyn Entries,
        progress: Progress,
    ) -> Self {
        let range = progress.writer.range();
        let ahead = Ahead::start(scope, entries, range, progress.bases.clone(), progress.position);
        let headers = headers(&progress);
        Sender { job, context, session, ahead, headers, progress }
    }

    /// What is committed by now.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// One transaction. The last one, which must complete so many `documents`, gives the manifest of that
    /// `sequence`, or where several writers share the edition none.
    pub(crate) fn chunk(&mut self, sequence: u64, documents: u64) -> Result<Option<Option<Manifest>>, Stop> {
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
        let manifest = self.commit(&chunk, sequence, documents)?;
        crash_point("publish.after_commit");
        self.context.tell(Event::Advanced { step: Step::Publish, done: self.progress.position });
        Ok(chunk.is_last.then_some(manifest))
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

    fn commit(&mut self, chunk: &Chunk, sequence: u64, documents: u64) -> Result<Option<Manifest>, Stop> {
        let Sender { job, context, session, progress, .. } = self;
        let mut words = None;
        let committed = session.commit(&mut |committed| {
            check_acknowledged(chunk, committed)?;
            let mut next = advanced(progress, chunk, committed);
            let mut whole = None;
            if chunk.is_last {
                check_whole(&next, documents)?;
                match (next.writer.of, next.set) {
                    (2.., Some(set)) => next.set = Some(WriterSet { stage: Stage::Done, ..set }),
                    _ => whole = Some(manifest(&job.topic.topic, &next, sequence, context.clock.now_ms())),
                }
            }
            let records =
                [Some(LedgerRecord::Progress(next.clone())), whole.clone().map(LedgerRecord::Manifest)];
            words = Some((next, whole));
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

/// Who says that an edition, or a writer's part of it, is whole, must have counted it, whatever way led
/// there.
pub(crate) fn check_whole(progress: &Progress, documents: u64) -> Result<()> {
    let sent: u64 = progress.partitions.iter().map(|totals| totals.documents).sum();
    if sent == documents {
        return Ok(());
    }
    Err(Fault::bug(format!(
        "failed to complete edition {} as writer {}: it has {documents} documents, and {sent} were sent",
        progress.edition, progress.writer
    ))
    .advise("the last chunk is not committed; publish with --replace to send the edition from the start"))
}

/// What every record of a transaction carries.
pub(crate) fn headers(progress: &Progress) -> Headers {
    Headers {
        feed: progress.feed.clone(),
        load_date: progress.load_date,
        edition: progress.edition.to_string(),
    }
}

/// The number of the feed's next manifest.
pub(crate) fn next_sequence(ledger: &Ledger) -> u64 {
    ledger.manifests.values().map(|manifest| manifest.sequence).max().unwrap_or(0) + 1
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

/// The last word on what a progress, of one writer or summed over all, says is committed.
pub(crate) fn manifest(topic: &str, progress: &Progress, sequence: u64, completed_ms: i64) -> Manifest {
    Manifest {
        format: LEDGER_FORMAT_ONE_WRITER,
        sequence,
        feed: progress.feed.clone(),
        load_date: progress.load_date,
        edition: progress.edition.clone(),
        entries: progress.entries.clone(),
        mask_key: progress.mask_key.clone(),
        topic: topic.to_owned(),
        topic_id: progress.topic_id.clone(),
        documents: progress.partitions.iter().map(|totals| totals.documents).sum(),
        tombstones: progress.partitions.iter().map(|totals| totals.tombstones).sum(),
        chunks: progress.chunks,
        set: progress.set.map(|set| set.number),
        completed_ms,
        partitions: progress.partitions.clone(),
    }
}
