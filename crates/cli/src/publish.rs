//! `hivecast build` and `hivecast publish`: the flow of a run, from a load_date to what is proved to
//! have arrived.

use std::cell::RefCell;
use std::time::Duration;

use hivecast_contract::{EditionId, LoadDate, Manifest, WriterId};
use hivecast_edition::{Edition, GateResult, LookUp, PruneMode, Sent, Store, gates};
use hivecast_engine::Plan;
use hivecast_estimate::Purpose;
use hivecast_feed::Atomicity;
use hivecast_publish::decide::{Decision, Question, TopicState, decide, entries_sent, is_under_way};
use hivecast_publish::encode::{EditionStamp, Encoder};
use hivecast_publish::{
    Awaited, EditionEntries, Job, Ledger, Mode, PartEnd, PartSummary, Share, Slot, Target, TargetLimits,
    TopicSpec, View, mask_key_digest,
};
use hivecast_report::{Outcome, PartReport, PublishSummary};
use hivecast_run::{Class, Context, Fault, Result, Step, crash_point};
use hivecast_warehouse::Newest;

use crate::args::{BuildArgs, Global, PublishArgs};
use crate::check;
use crate::dates::{Calendar, DateArg};
use crate::days::{Days, Findings, Series};
use crate::edition::{self, KEEP_LOAD_DATES, Origin, Ready, Resources, Reuse, Waiting, step};
use crate::failure::Failed;
use crate::feed_file::FeedFile;
use crate::logging;
use crate::plan::{self, Foreseen};
use crate::project::Project;
use crate::run::{CLOCK, Console};
use crate::verify;

#[cfg(test)]
mod tests;

/// What `build` and `publish` were asked, resolved.
struct Run<'a> {
    project: &'a Project,
    feed: &'a FeedFile,
    wait: Option<Duration>,
    resources: Resources,
}

pub(crate) fn build(global: &Global, args: &BuildArgs, console: &Console) -> Result<(), Failed> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let days = days(&project, &feed, args.load_date, console)?;
    let run = Run::new(&project, &feed, args);
    Series::new("build", &project, &feed, console)?
        .run(&days, &mut |day, context, findings| run.build(day, context, findings))
}

pub(crate) fn publish(global: &Global, args: &PublishArgs, console: &Console) -> Result<(), Failed> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let days = days(&project, &feed, args.build.load_date, console)?;
    let share = Share { writer: args.writer, patience: args.writer_wait };
    check_share(share.writer, &feed, &days)?;
    let target = project.open_target()?;
    let mode = if args.replace { Mode::Replace } else { Mode::Normal };
    let sending = Sending { target: &*target, mode, share };
    let run = Run::new(&project, &feed, &args.build);
    Series::new("publish", &project, &feed, console)?.run(&days, &mut |day, context, findings| {
        if args.backfill
            && let Some(manifest) = published(&target.ledger(feed.name(), View::Settled, context)?, day)
        {
            findings.manifest = Some(manifest.clone());
            return Ok(Outcome::Skipped);
        }
        run.publish(sending, day, context, findings)
    })
}

/// Where a run sends, and which part of the edition.
#[derive(Clone, Copy)]
struct Sending<'a> {
    target: &'a dyn Target,
    mode: Mode,
    share: Share,
}

/// Refuses what several writers can't do, before anything is looked at.
fn check_share(writer: WriterId, feed: &FeedFile, days: &Days) -> Result<()> {
    if writer.of == 1 {
        return Ok(());
    }
    if feed.feed.chunks.atomic == Atomicity::Edition {
        return Err(Fault::usage(format!(
            "feed {} can't be sent by {} writers: `atomic: edition` puts the edition into one transaction, and a \
             transaction has one writer",
            feed.name(),
            writer.of
        ))
        .advise("leave --writer out, or take `atomic: edition` out of the feed"));
    }
    if days.dates.len() > 1 {
        return Err(Fault::usage(format!(
            "{} writers send one load_date at a time, and {} were asked for: writer 1 would begin the next before the \
             others have finished the one before",
            writer.of,
            days.dates.len()
        ))
        .advise("run every writer for the first load_date, and when all have ended, for the next"));
    }
    Ok(())
}

/// The manifest of a load_date that needs nothing more, going by the ledger alone: it is complete, no
/// correction of it is half sent, and no older day was put over it since. Of any other, `publish` says
/// itself what speaks against it.
fn published(ledger: &Ledger, day: LoadDate) -> Option<&Manifest> {
    let manifest = ledger.manifests.get(&day)?;
    let on_topic = ledger.latest().map(|latest| latest.load_date);
    let mut begun = verify::unfinished(ledger).map(|progress| progress.load_date);
    let disputed = on_topic.is_some_and(|date| date < day) || begun.any(|date| date <= day);
    (!disputed).then_some(manifest)
}

impl<'a> Run<'a> {
    fn new(project: &'a Project, feed: &'a FeedFile, args: &BuildArgs) -> Self {
        Run { project, feed, wait: args.wait, resources: Resources::of(&args.resources) }
    }

    fn plan(&self, day: LoadDate, context: &Context<'_>) -> Result<Plan> {
        let plan = edition::plan(
            self.project,
            self.feed,
            day,
            Waiting::Offered(self.wait),
            self.resources,
            context,
        )?;
        // Not part of every plan: a preview never asks a cluster.
        if self.project.spark()?.is_some() {
            hivecast_spark::check(&plan.checked, &plan.inputs)?;
        }
        Ok(plan)
    }

    fn ready(
        &self,
        plan: Plan,
        reuse: Reuse,
        context: &Context<'_>,
        findings: &mut Findings,
    ) -> Result<Ready> {
        let ready = edition::ready(self.project, plan, reuse, context)?;
        findings.edition = Some(edition::summary(&ready.edition, &ready.edition.description.gates));
        findings.origin = Some(ready.origin);
        Ok(ready)
    }

    /// What is foretold of the run, by its files and by the runs before.
    fn foresee(&self, plan: &Plan, purpose: Purpose, context: &Context<'_>) -> Result<Option<Foreseen>> {
        let engine = match self.project.spark()? {
            None => plan::Engine::Embedded,
            // What is built already needs no cluster, and none is asked.
            Some(_) if self.project.open_store()?.find(self.feed.name(), &plan.edition)?.is_some() => {
                plan::Engine::Spark(None)
            }
            // A server that can't say so can't build either, and that is told by the build.
            Some(endpoint) => {
                plan::Engine::Spark(hivecast_spark::cores(&endpoint, context).unwrap_or_default())
            }
        };
        // A run that can be done is not kept from it by what was written of others.
        let history = plan::past_runs(self.project, self.feed, context).unwrap_or_else(|fault| {
            context.warn(fault.chain());
            Vec::new()
        });
        Ok(plan::foresee(plan, &history, engine, purpose, context))
    }

    fn build(&self, day: LoadDate, context: &Context<'_>, findings: &mut Findings) -> Result<Outcome> {
        let plan = self.plan(day, context)?;
        findings.foreseen = self.foresee(&plan, Purpose::Build, context)?;
        let mut ready = self.ready(plan, Reuse::Judged, context, findings)?;
        let store = self.project.open_store()?;
        let previous = edition::newest_before(&store, self.feed.name(), day)?;
        // Without a ledger nobody says which edition came before, so any that can't be read may have.
        store.survey(self.feed.name())?.warnings.into_iter().for_each(|warning| context.warn(warning));
        let limits = TargetLimits { record_bytes: None };
        self.judge(&mut ready, previous.as_ref(), limits, Sent::Unknown, context, findings)?;
        // Nothing is pruned: only the target's ledger knows which editions are still needed.
        Ok(match ready.origin {
            Origin::Built => Outcome::Built,
            Origin::Reused => Outcome::Reused,
        })
    }

    fn publish(
        &self,
        sending: Sending<'_>,
        day: LoadDate,
        context: &Context<'_>,
        findings: &mut Findings,
    ) -> Result<Outcome> {
        let Sending { target, mode, share } = sending;
        let topic = self.feed.topic();
        // Before the long part: who may not write there should not have to build first.
        let limits = target.preflight(&topic, context)?;
        target.check_free(self.feed.name(), Slot::Writer(share.writer.index))?;
        let plan = self.plan(day, context)?;
        // Of several writers none does the whole of it.
        if share.writer.of == 1 {
            findings.foreseen = self.foresee(&plan, Purpose::Publish, context)?;
        }
        let mask_key = mask_key_digest(&self.feed.feed, self.project.mask_key());
        let edition = plan.edition.clone();
        let look = |view| {
            let ledger = target.ledger(self.feed.name(), view, context)?;
            let foreseen = foreseen(&ledger, &topic, mode, day, &edition, &mask_key)?;
            Ok(Seen { mode, ledger, view, foreseen })
        };
        let job = Job { topic: &topic, chunks: plan.checked.feed.chunks, mode, mask_key: &mask_key };
        let mut seen = match share.writer.index {
            1 => look(View::Now).or_else(|fault| look_again(fault, View::Now, &look))?,
            // Writer 1 builds and judges, and the others find what it built.
            _ => {
                Seen::of(hivecast_publish::wait_for_first(target, &job, share, &edition, day, context)?, mode)
            }
        };
        let mut ready = self.ready(plan, seen.reuse(), context, findings)?;
        let store = self.project.open_store()?;
        if let Err(fault) = self.pass(&mut ready, &store, &seen, limits, context, findings) {
            seen = look_again(fault, seen.view, &look)?;
            self.pass(&mut ready, &store, &seen, limits, context, findings)?;
        }
        crash_point("gates.passed");
        let encoder = self.encoder(&ready)?;
        let bases = |id: &EditionId| self.base(&store, &seen.ledger, mode, id, context);
        let entries = EditionEntries::new(&ready.edition, &encoder, &bases).until(context.cancel);
        let sent = hivecast_publish::publish_part(target, &job, share, &entries, context)?;
        findings.publish = Some(publish_summary(target, &topic, share.writer, &sent));
        // What is not complete can't be verified, and nothing is removed before it is.
        let PartEnd::Whole(manifest) = &sent.end else { return Ok(Outcome::PartPublished) };
        findings.manifest = Some(manifest.clone());
        let published = with_manifest(target.ledger(self.feed.name(), View::Now, context)?, manifest);
        findings.verify = verify::sent(target, manifest, &entries, &published, context)?;
        self.prune(&store, &protected(&published), context)?;
        Ok(match sent.outcome {
            hivecast_publish::Outcome::AlreadyComplete => Outcome::AlreadyPublished,
            hivecast_publish::Outcome::Published => Outcome::Published,
            hivecast_publish::Outcome::Resumed { .. } => Outcome::Resumed,
        })
    }
}

/// What the ledger says before the edition is sent.
struct Seen {
    mode: Mode,
    ledger: Ledger,
    view: View,
    foreseen: Option<Decision>,
}

impl Seen {
    /// What a writer found that waited for writer 1.
    fn of(awaited: Awaited, mode: Mode) -> Seen {
        let ledger = awaited.ledger().clone();
        let foreseen = match awaited {
            Awaited::Complete(manifest, _) => Some(Decision::AlreadyComplete(manifest)),
            Awaited::Open(_) => ledger.begun().cloned().map(Decision::Join),
        };
        Seen { mode, ledger, view: View::Settled, foreseen }
    }

    fn reuse(&self) -> Reuse {
        match self.foreseen {
            Some(Decision::AlreadyComplete(_)) => Reuse::Sent,
            _ => Reuse::Judged,
        }
    }

    /// Which of the edition's documents must stay set aside as they are. As long as the feed's last word
    /// may be hidden, the edition may be sent although nothing says so: a list that is there is not
    /// written anew then.
    fn sent(&self, edition: &EditionId) -> Sent<'_> {
        if let Some(Decision::Join(begun)) = &self.foreseen {
            return Sent::Entries(&begun.entries);
        }
        match (self.mode, entries_sent(&self.ledger, edition), self.view) {
            (Mode::Normal, Some(entries), _) => Sent::Entries(entries),
            (_, _, View::Now) => Sent::Entries(""),
            (_, _, View::Settled) => Sent::Nothing,
        }
    }
}

/// A conflict with a ledger whose last word may be hidden is looked at again with that word: waiting for
/// it costs nothing where there is no conflict.
fn look_again(fault: Fault, view: View, look: &dyn Fn(View) -> Result<Seen>) -> Result<Seen> {
    match (fault.class(), view) {
        (Class::Conflict, View::Now) => look(View::Settled),
        _ => Err(fault),
    }
}

impl Run<'_> {
    /// Judges the edition, unless it is sent whole already.
    fn pass(
        &self,
        ready: &mut Ready,
        store: &Store,
        seen: &Seen,
        limits: TargetLimits,
        context: &Context<'_>,
        findings: &mut Findings,
    ) -> Result<()> {
        match (&seen.foreseen, gates::recorded(&ready.edition)?) {
            // It passed when it was sent; what came since is no matter for it.
            (Some(Decision::AlreadyComplete(manifest)), Some(results)) => {
                warn_of_other_entries(&ready.edition, &manifest.entries, context);
                findings.edition = Some(edition::summary(&ready.edition, &results));
                findings.gates = results;
                Ok(())
            }
            // Writer 1 has judged the very edition that is in the store.
            (Some(Decision::Join(begun)), Some(results)) if begun.entries == ready.edition.fingerprint() => {
                findings.edition = Some(edition::summary(&ready.edition, &results));
                findings.gates = results;
                Ok(())
            }
            _ => {
                let previous = self.previous(store, &seen.ledger, &ready.edition, context)?;
                let sent = seen.sent(&ready.edition.description.id);
                self.judge(ready, previous.as_ref(), limits, sent, context, findings)
            }
        }
    }

    /// Holds the edition against its gates, keeps what they said beside it, and stops an edition
    /// that is not fit to send.
    fn judge(
        &self,
        ready: &mut Ready,
        previous: Option<&Edition>,
        limits: TargetLimits,
        sent: Sent<'_>,
        context: &Context<'_>,
        findings: &mut Findings,
    ) -> Result<()> {
        let encoder = self.encoder(ready)?;
        let results = step(context, Step::Gates, || {
            let results = judged(ready, previous, limits, sent, &encoder)?;
            gates::record(&ready.edition, &results)?;
            Ok(results)
        })?;
        findings.edition = Some(edition::summary(&ready.edition, &results));
        findings.gates.clone_from(&results);
        gates::verdict(&results)
    }

    fn encoder(&self, ready: &Ready) -> Result<Encoder> {
        let description = &ready.edition.description;
        let stamp = EditionStamp { load_date: description.load_date, time_ms: description.time_ms };
        Encoder::new(&ready.checked.feed, ready.edition.fields(), stamp, self.project.mask_key())
    }

    /// The edition that consumers have now: the one that was published last, or where none was, or
    /// the store has it no more, the newest of an earlier load_date.
    fn previous(
        &self,
        store: &Store,
        ledger: &Ledger,
        edition: &Edition,
        context: &Context<'_>,
    ) -> Result<Option<Edition>> {
        let current = &edition.description;
        let others = ledger.manifests.values().filter(|manifest| manifest.edition != current.id);
        let lacking = match others.max_by_key(|manifest| manifest.sequence) {
            None => None,
            Some(last) => match store.look_up(self.feed.name(), &last.edition)? {
                LookUp::Whole(found) => return Ok(Some(*found)),
                LookUp::Absent => Some((last, "not in the store".to_owned())),
                LookUp::Damaged(fault) => Some((last, format!("damaged in the store ({})", fault.chain()))),
            },
        };
        let other = edition::newest_before(store, self.feed.name(), current.load_date)?;
        if let Some((last, how)) = lacking {
            let instead = match &other {
                Some(other) => format!("are held against load_date {}", other.description.load_date),
                None => "are skipped".to_owned(),
            };
            context.warn(format!(
                "edition {} of load_date {}, which was published last, is {how}: gates that compare with it {instead}",
                last.edition, last.load_date
            ));
        }
        Ok(other)
    }

    /// An edition whose keys may be on the topic.
    fn base(
        &self,
        store: &Store,
        ledger: &Ledger,
        mode: Mode,
        id: &EditionId,
        context: &Context<'_>,
    ) -> Result<Option<Edition>> {
        let how = match (store.look_up(self.feed.name(), id)?, mode) {
            (LookUp::Whole(base), _) => {
                warn_of_other_entries(&base, entries_sent(ledger, id).unwrap_or_default(), context);
                return Ok(Some(*base));
            }
            (LookUp::Absent, Mode::Normal) => return Err(edition::missing_base(self.feed.name(), id)),
            (LookUp::Damaged(fault), Mode::Normal) => {
                return Err(edition::damaged_base(self.feed.name(), id, fault));
            }
            (LookUp::Absent, Mode::Replace) => "not in the store".to_owned(),
            (LookUp::Damaged(fault), Mode::Replace) => format!("damaged in the store ({})", fault.chain()),
        };
        context.warn(format!(
            "edition {id} is on the topic and {how}: its keys that are gone since get no tombstone"
        ));
        Ok(None)
    }

    /// Retention, with every edition spared that a later run may need.
    fn prune(&self, store: &Store, protect: &[EditionId], context: &Context<'_>) -> Result<()> {
        for id in store.prune(self.feed.name(), KEEP_LOAD_DATES, protect, PruneMode::Remove)? {
            context.info(format!("removed edition {id}: the last {KEEP_LOAD_DATES} load_dates are kept"));
        }
        Ok(())
    }
}

/// What the ledger's manifests say to this edition, before it is built and judged: a conflict with them
/// is no matter for a gate. The topic is taken to be as they say; when the session opens it is looked
/// at, what other runs began too, and the decision is made again. None where nothing is published, or the
/// edition itself is half sent: whatever it corrects, it goes on.
fn foreseen(
    ledger: &Ledger,
    topic: &TopicSpec,
    mode: Mode,
    load_date: LoadDate,
    edition: &EditionId,
    mask_key: &str,
) -> Result<Option<Decision>> {
    let Some(latest) = ledger.latest().filter(|_| !is_under_way(ledger, edition, load_date)) else {
        return Ok(None);
    };
    let complete = Ledger { manifests: ledger.manifests.clone(), ..Ledger::default() };
    let verdict = decide(&Question {
        feed: &topic.feed,
        edition,
        entries: None,
        mask_key,
        load_date,
        writer: WriterId::SINGLE,
        mode,
        ledger: &complete,
        topic: TopicState {
            name: &topic.topic,
            id: &latest.topic_id,
            end_offsets: &vec![i64::MAX; latest.partitions.len()],
            has_records: true,
        },
    })?;
    Ok(Some(verdict.decision))
}

fn judged(
    ready: &mut Ready,
    previous: Option<&Edition>,
    limits: TargetLimits,
    sent: Sent<'_>,
    encoder: &Encoder,
) -> Result<Vec<GateResult>> {
    let bound = encoder.overhead_bound();
    let sizes = gates::RecordSizes {
        limit: limits.record_bytes,
        per_record: bound.per_document,
        per_value: bound.per_value,
        measure: &mut |batch| match &batch.document {
            Some(documents) => {
                let values = encoder.sizes(documents, batch.key.iter().flatten())?;
                let keys = batch.key.iter().flatten().map(|key| key.len() as u64);
                Ok(values.into_iter().zip(keys).map(|(value, key)| value + key).collect())
            }
            None => Err(Fault::bug("failed to measure documents: only keys were read")),
        },
    };
    gates::judge(&ready.checked.feed, &mut ready.edition, previous, sizes, sent)
}

/// What the store has of an edition that is on the topic is not what was sent.
fn warn_of_other_entries(edition: &Edition, sent: &str, context: &Context<'_>) {
    if !sent.is_empty() && sent != edition.fingerprint() {
        context.warn(format!(
            "edition {} sets aside other documents in the store than when it was sent: what was sent of those that \
             it sets aside now stays on the topic until their keys are gone",
            edition.description.id
        ));
    }
}

/// The ledger with the manifest that this run has just committed: another feed's open transaction may
/// hide it from readers for a while, and what is published now must be spared from retention.
fn with_manifest(mut ledger: Ledger, manifest: &Manifest) -> Ledger {
    let known = ledger.manifests.get(&manifest.load_date);
    if known.is_none_or(|known| known.sequence < manifest.sequence) {
        ledger.manifests.insert(manifest.load_date, manifest.clone());
    }
    ledger
}

/// Editions that a later run needs whatever their age: what was published last, and what is begun,
/// with what it replaces.
pub(crate) fn protected(ledger: &Ledger) -> Vec<EditionId> {
    let begun = ledger.begun().into_iter().flat_map(|begun| begun.bases.iter().chain([&begun.edition]));
    ledger.latest().map(|manifest| &manifest.edition).into_iter().chain(begun).cloned().collect()
}

fn publish_summary(
    target: &dyn Target,
    topic: &TopicSpec,
    writer: WriterId,
    sent: &PartSummary,
) -> PublishSummary {
    let to_come = match &sent.end {
        PartEnd::Whole(_) => Vec::new(),
        PartEnd::ToCome(writers) => writers.clone(),
    };
    PublishSummary {
        target: target.name(),
        topic: topic.topic.clone(),
        documents: sent.sent.documents,
        tombstones: sent.sent.tombstones,
        bytes: sent.sent.bytes,
        chunks: sent.sent.chunks,
        part: (writer.of > 1).then(|| PartReport { writer: writer.to_string(), to_come }),
    }
}

/// The load_dates that were asked for; `latest` is the newest at which every table is ready.
fn days(project: &Project, feed: &FeedFile, date: DateArg, console: &Console) -> Result<Days> {
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let passed_over = RefCell::new(Vec::new());
    let latest = || {
        let newest = newest(project, feed, context)?;
        passed_over.replace(newest.passed_over);
        Ok(newest.date)
    };
    let dates = Calendar::of(&feed.feed, &latest).days(date)?;
    Ok(Days { dates, notes: passed_over.into_inner() })
}

/// The newest load_date at which every table of the feed is ready; where the feed names a table that is
/// not there, every mistake of the feed.
pub(crate) fn newest(project: &Project, feed: &FeedFile, context: Context<'_>) -> Result<Newest> {
    let found = project.open_warehouse().and_then(|warehouse| warehouse.newest_ready(&feed.feed, context));
    let found = found.map_err(|fault| check::as_checked(project, feed, None, fault))?;
    found.ok_or_else(|| {
        Fault::data(format!("there is no load_date that every table of feed {} has", feed.name()))
            .advise("`hivecast tables` shows which load_dates each has")
    })
}
