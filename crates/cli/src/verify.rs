//! `hivecast verify`, and the last step of `publish`: read back and compare with the manifest, and where
//! that differs with the edition itself.

use hivecast_contract::{EditionId, LoadDate, Manifest, Progress};
use hivecast_edition::{Edition, Store};
use hivecast_feed::{Feed, fingerprint};
use hivecast_publish::decide;
use hivecast_publish::encode::{EditionStamp, Encoder};
use hivecast_publish::{EditionEntries, Entries, Ledger, Original, Target, Verified, View, mask_key_digest};
use hivecast_report::{Outcome, VerifySummary};
use hivecast_run::{Class, Context, Fault, Result};

use crate::args::{Global, VerifyArgs};
use crate::dates::Calendar;
use crate::days::{Days, Findings, Series};
use crate::failure::Failed;
use crate::logging;
use crate::project::Project;
use crate::records;
use crate::run::{CLOCK, Console};

pub(crate) fn run(global: &Global, args: &VerifyArgs, console: &Console) -> Result<(), Failed> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let target = project.open_target()?;
    let sink = logging::sink(console.progress, &CLOCK);
    let context = Context { sink: &*sink, cancel: &console.cancel, clock: &CLOCK };
    let ledger = target.ledger(feed.name(), View::Settled, &context)?;
    // The day that consumers have, which after a roll-back is not the newest.
    let latest = || match ledger.latest() {
        Some(manifest) => Ok(manifest.load_date),
        None => Err(nothing_published(&ledger, feed.name(), &target.name())),
    };
    let day = Calendar::of(&feed.feed, &latest).single(args.load_date)?;
    Series::new("verify", &project, &feed, console)?.run(
        &Days { dates: vec![day], notes: Vec::new() },
        &mut |day, context, findings: &mut Findings| {
            let manifest = manifest_of(&ledger, feed.name(), day, &target.name())?;
            findings.manifest = Some(manifest.clone());
            since(&ledger, manifest).into_iter().for_each(|warning| context.warn(warning));
            if let Some(dir) = &args.records {
                records::check_free(manifest, dir)?;
            }
            let verified = compare(&project, &feed.feed, &*target, &ledger, manifest, context);
            // Where something differs, they are what to look at.
            if let Some(dir) = args.records.as_ref().filter(|_| is_told(&verified)) {
                records::write(&*target, manifest, dir, context)?;
            }
            findings.verify = Some(summary(manifest, verified?));
            Ok(Outcome::Verified)
        },
    )
}

/// What has changed the topic since the manifest was written, so that nobody takes the records that were
/// sent then for what consumers have now.
fn since(ledger: &Ledger, manifest: &Manifest) -> Vec<String> {
    let day = manifest.load_date;
    let latest = ledger.latest().filter(|latest| latest.sequence > manifest.sequence);
    let over = latest.map(|latest| {
        format!(
            "load_date {} was published over load_date {day}: what was sent of {day} is compared, which is not \
             what consumers have now",
            latest.load_date
        )
    });
    let begun = unfinished(ledger).map(|progress| {
        format!(
            "load_date {} is begun and not complete: {} records of edition {} are on the topic; {}",
            progress.load_date,
            decide::entries_of(ledger, progress),
            progress.edition,
            rest(ledger, progress)
        )
    });
    over.into_iter().chain(begun).collect()
}

/// What sends the rest of what is begun. Of several writers only those are named whose parts are lacking:
/// a run with another number of writers would be a conflict.
pub(crate) fn rest(ledger: &Ledger, begun: &Progress) -> String {
    let command = format!("hivecast publish --load-date {}", begun.load_date);
    let lacking = decide::lacking(ledger, begun);
    match lacking.as_slice() {
        [] => format!("`{command}` sends the rest"),
        writers => {
            let commands: Vec<String> =
                writers.iter().map(|writer| format!("`{command} --writer {writer}`")).collect();
            let send = if writers.len() == 1 { "sends" } else { "send" };
            format!("{} {send} the rest", commands.join(" and "))
        }
    }
}

/// What a run began and did not finish.
pub(crate) fn unfinished(ledger: &Ledger) -> impl Iterator<Item = &Progress> {
    decide::unfinished(ledger).into_iter()
}

/// Whether the comparison came to an end, whatever it found.
fn is_told(verified: &Result<Verified>) -> bool {
    verified.as_ref().map_or_else(|fault| fault.class() == Class::Data, |_| true)
}

/// By key where the store still has what was sent, else by sums alone.
fn compare(
    project: &Project,
    feed: &Feed,
    target: &dyn Target,
    ledger: &Ledger,
    manifest: &Manifest,
    context: &Context<'_>,
) -> Result<Verified> {
    let store = project.open_store()?;
    let kept = match kept(project, &store, feed, ledger, manifest)? {
        Kept::Whole(kept) => kept,
        Kept::Lacking(what) => {
            context.warn(format!(
                "{what}: only sums are compared, so no key can be named, and tombstones that compaction removed \
                 look like a difference"
            ));
            return hivecast_publish::verify(target, manifest, context);
        }
    };
    let base = |id: &EditionId| store.find(&feed.name, id);
    let entries = EditionEntries::new(&kept.edition, &kept.encoder, &base).until(context.cancel);
    let original = Original { entries: &entries, bases: &kept.bases };
    hivecast_publish::verify_by_key(target, manifest, original, context)
}

/// Whether the edition can be encoded again as it was sent.
enum Kept {
    Whole(Box<Resend>),
    /// What it lacks, for a person.
    Lacking(String),
}

/// All that the records which were sent are a function of.
struct Resend {
    edition: Edition,
    encoder: Encoder,
    bases: Vec<EditionId>,
}

fn kept(project: &Project, store: &Store, feed: &Feed, ledger: &Ledger, manifest: &Manifest) -> Result<Kept> {
    let id = &manifest.edition;
    let Some(edition) = store.find(&feed.name, id)? else {
        return Ok(Kept::Lacking(format!("edition {id} is not in the store")));
    };
    let description = &edition.description;
    if description.feed_fingerprint != fingerprint(feed) {
        return Ok(Kept::Lacking(format!("the feed was changed since edition {id} was built")));
    }
    if !manifest.mask_key.is_empty() && manifest.mask_key != mask_key_digest(feed, project.mask_key()) {
        return Ok(Kept::Lacking(format!("mask_key was changed since edition {id} was sent")));
    }
    if !manifest.entries.is_empty() && manifest.entries != edition.fingerprint() {
        return Ok(Kept::Lacking(format!(
            "edition {id} sets aside other documents in the store than when it was sent"
        )));
    }
    let stamp = EditionStamp { load_date: description.load_date, time_ms: description.time_ms };
    let encoder = match Encoder::new(feed, edition.fields(), stamp, project.mask_key()) {
        Ok(encoder) => encoder,
        Err(fault) => return Ok(Kept::Lacking(fault.chain())),
    };
    let bases = match bases_of(ledger, manifest) {
        Some(bases) => bases.to_vec(),
        None if manifest.tombstones == 0 => Vec::new(),
        None => {
            let what = format!("the ledger no longer says over which editions {id} was published");
            return Ok(Kept::Lacking(what));
        }
    };
    for base in &bases {
        if store.find(&feed.name, base)?.is_none() {
            let what = format!("edition {base}, over which {id} was published, is not in the store");
            return Ok(Kept::Lacking(what));
        }
    }
    Ok(Kept::Whole(Box::new(Resend { edition, encoder, bases })))
}

/// What the edition was published over, as long as no later edition was begun.
fn bases_of<'a>(ledger: &'a Ledger, manifest: &Manifest) -> Option<&'a [EditionId]> {
    let begun = ledger.begun().filter(|begun| begun.edition == manifest.edition)?;
    Some(&begun.bases)
}

fn manifest_of<'a>(ledger: &'a Ledger, feed: &str, day: LoadDate, target: &str) -> Result<&'a Manifest> {
    ledger.manifests.get(&day).ok_or_else(|| {
        let days: Vec<String> = ledger.manifests.keys().map(LoadDate::to_string).collect();
        let fault = Fault::data(format!("load_date {day} of feed {feed} is not published to {target}"));
        match days.as_slice() {
            [] => fault.advise(how_to_publish(ledger)),
            days => fault.advise(format!("published are {}", days.join(", "))),
        }
    })
}

fn nothing_published(ledger: &Ledger, feed: &str, target: &str) -> Fault {
    Fault::data(format!("nothing of feed {feed} is published to {target}")).advise(how_to_publish(ledger))
}

/// What to do where nothing is published whole: what is begun goes first.
fn how_to_publish(ledger: &Ledger) -> String {
    decide::unfinished(ledger)
        .map_or_else(|| "`hivecast publish` sends it".to_owned(), |begun| rest(ledger, begun))
}

/// The last step of a publish: what was sent, read back and compared. None where a later edition
/// has been published since, whose records may have replaced these.
pub(crate) fn sent(
    target: &dyn Target,
    manifest: &Manifest,
    entries: &dyn Entries,
    ledger: &Ledger,
    context: &Context<'_>,
) -> Result<Option<VerifySummary>> {
    if let Some(latest) = ledger.latest().filter(|latest| latest.sequence > manifest.sequence) {
        context.info(format!(
            "load_date {} was published later: only the edition that was published last can be verified",
            latest.load_date
        ));
        return Ok(None);
    }
    let bases = bases_of(ledger, manifest).unwrap_or_default();
    let original = Original { entries, bases };
    let verified = hivecast_publish::verify_by_key(target, manifest, original, context)?;
    Ok(Some(summary(manifest, verified)))
}

fn summary(manifest: &Manifest, verified: Verified) -> VerifySummary {
    VerifySummary {
        partitions: manifest.partitions.len(),
        records: verified.records,
        checks: verified.checks,
    }
}
