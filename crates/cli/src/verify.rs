//! `hivecast verify`, and the last step of `publish`: read back and compare with the manifest.

use hivecast_contract::{EditionId, LoadDate, Manifest};
use hivecast_publish::{Entries, Ledger, Original, Target, Verified};
use hivecast_report::{Outcome, VerifySummary};
use hivecast_run::{Context, Fault, Result};

use crate::args::{Global, VerifyArgs};
use crate::dates::Calendar;
use crate::days::{Findings, Series};
use crate::failure::Failed;
use crate::project::Project;
use crate::run::Console;

pub(crate) fn run(global: &Global, args: &VerifyArgs, console: &Console) -> Result<(), Failed> {
    let project = Project::load(global)?;
    let feed = project.feed(global.feed.as_deref())?.parse()?;
    let target = project.open_target()?;
    let ledger = target.ledger(feed.name())?;
    let latest = || match ledger.manifests.keys().next_back() {
        Some(day) => Ok(*day),
        None => Err(nothing_published(feed.name(), &target.name())),
    };
    let day = Calendar::of(&feed.feed, &latest).single(args.load_date)?;
    Series::new("verify", &project, &feed, console)?.run(
        &[day],
        &mut |day, context, findings: &mut Findings| {
            let manifest = manifest_of(&ledger, feed.name(), day, &target.name())?;
            findings.manifest = Some(manifest.clone());
            findings.verify = Some(summary(manifest, hivecast_publish::verify(&*target, manifest, context)?));
            Ok(Outcome::Verified)
        },
    )
}

fn manifest_of<'a>(ledger: &'a Ledger, feed: &str, day: LoadDate, target: &str) -> Result<&'a Manifest> {
    ledger.manifests.get(&day).ok_or_else(|| {
        let days: Vec<String> = ledger.manifests.keys().map(LoadDate::to_string).collect();
        let fault = Fault::data(format!("load_date {day} of feed {feed} is not published to {target}"));
        match days.as_slice() {
            [] => fault.advise("`hivecast publish` sends it"),
            days => fault.advise(format!("published are {}", days.join(", "))),
        }
    })
}

fn nothing_published(feed: &str, target: &str) -> Fault {
    Fault::data(format!("nothing of feed {feed} is published to {target}"))
        .advise("`hivecast publish` sends it")
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
    let progress = ledger.progress.values().find(|progress| progress.edition == manifest.edition);
    let bases = progress.map_or(&[] as &[EditionId], |progress| &progress.bases);
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
