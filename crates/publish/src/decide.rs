//! What to do with an edition, given what the ledger says of the topic: a pure function.

use hivecast_contract::{
    EditionId, LoadDate, Manifest, PartitionTotals, Progress, Stage, WriterId, WriterSet,
};
use hivecast_run::{Fault, Result};

use crate::Ledger;

mod set;
#[cfg(test)]
mod tests;

pub use set::{Standing, lacking, next_set, standing};

/// Whether what is published may be corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Anything that contradicts what is published is a conflict.
    Normal,
    /// `--replace`: this edition is to be on the topic, whatever is there.
    Replace,
}

/// Everything that the decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The feed's name, for messages.
    pub feed: &'a str,
    /// What is to be published.
    pub edition: &'a EditionId,
    /// The digest of its documents ([`crate::Entries::fingerprint`]); none before it is built.
    pub entries: Option<&'a str>,
    /// The digest of the key that its values are masked with; empty where none is.
    pub mask_key: &'a str,
    /// Its day.
    pub load_date: LoadDate,
    /// Who publishes.
    pub writer: WriterId,
    /// May it contradict what is published?
    pub mode: Mode,
    /// What the ledger says of the feed.
    pub ledger: &'a Ledger,
    /// The topic as it is.
    pub topic: TopicState<'a>,
}

/// The topic as a session sees it.
#[derive(Clone, Copy, Debug)]
pub struct TopicState<'a> {
    /// The topic's name, for messages.
    pub name: &'a str,
    /// The target's own identity of the topic.
    pub id: &'a str,
    /// The next offset of each partition as committed readers see it.
    pub end_offsets: &'a [i64],
    /// Whether committed readers find records. It matters only while the ledger is empty, and need
    /// not be asked otherwise.
    pub has_records: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The edition is published whole: nothing is sent.
    AlreadyComplete(Manifest),
    /// Publish from the first entry. `bases` are the editions whose keys may be on the topic.
    Start {
        /// The editions whose keys may be on the topic: what these have and the edition lacks gets
        /// a tombstone.
        bases: Vec<EditionId>,
    },
    /// Go on behind the last committed chunk.
    Resume(Progress),
    /// Publish this writer's part from its first entry, as writer 1's progress, which this is, has it.
    /// Never said to writer 1.
    Join(Progress),
    /// Writer 1 has not opened the set yet, or is still to say what is published at all. Never said to
    /// writer 1.
    Wait,
}

/// A decision, with what a person should be told about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What is to be done.
    pub decision: Decision,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// Decides. A [`hivecast_run::Class::Conflict`] means that nothing may be sent.
///
/// Only ledger records that carry the topic's own id are believed: the others speak of a topic that
/// is gone.
pub fn decide(question: &Question<'_>) -> Result<Verdict> {
    let here = Here::of(question);
    let is_first = question.writer.index == 1;
    if here.manifests.is_empty() && here.begun.is_none() {
        return unknown_topic(question).map(|verdict| if is_first { verdict } else { Verdict::wait() });
    }
    let unfinished = here.unfinished();
    let mut warnings = Vec::new();
    for objection in [
        other_writers(question, &here),
        other_partitions(question, &here),
        beyond_the_end(question, &here),
        other_entries(question, &here),
        other_mask_key(question, &here),
    ] {
        warnings.extend(refuse_or_warn(question, objection)?);
    }
    // Whoever overrules one of these starts over: no position or manifest can be relied on.
    if warnings.is_empty() {
        if let Some(begun) = unfinished.filter(|begun| is_own(question, begun)) {
            return Ok(Verdict { decision: own_part(question, &here, begun), warnings });
        }
        if let Some(manifest) = already_complete(question, &here) {
            return Ok(Verdict { decision: Decision::AlreadyComplete(manifest.clone()), warnings });
        }
    }
    warnings.extend(refuse_or_warn(question, contradiction(question, &here))?);
    if !is_first {
        return Ok(Verdict::wait());
    }
    warnings.extend(kept_records(question, &here));
    if let Some(begun) = unfinished.filter(|begun| !is_own(question, begun)) {
        warnings.push(format!(
            "load_date {} of feed {} was left partly published ({} entries); its keys that edition {} \
             lacks get tombstones",
            begun.load_date,
            question.feed,
            here.position(begun),
            question.edition
        ));
    }
    Ok(Verdict { decision: Decision::Start { bases: bases(question, &here) }, warnings })
}

impl Verdict {
    /// Writer 1 alone overrules, and is told of it.
    fn wait() -> Verdict {
        Verdict { decision: Decision::Wait, warnings: Vec::new() }
    }
}

/// Whether a progress is of the very edition that is asked about.
fn is_own(question: &Question<'_>, progress: &Progress) -> bool {
    progress.edition == *question.edition && progress.load_date == question.load_date
}

/// What is left to the writer of an edition that is under way.
fn own_part(question: &Question<'_>, here: &Here<'_>, begun: &Progress) -> Decision {
    if question.writer.index == 1 {
        return Decision::Resume(begun.clone());
    }
    match begun.set {
        Some(WriterSet { stage: Stage::Open | Stage::Done, .. }) => {
            match here.part(begun, question.writer.index) {
                Some(part) => Decision::Resume(part.clone()),
                None => Decision::Join(begun.clone()),
            }
        }
        _ => Decision::Wait,
    }
}

/// Starting over with other documents set aside: a document that is set aside still exists, so that what
/// consumers have of it stays. It may be this edition's own, and then nobody would expect it.
fn kept_records(question: &Question<'_>, here: &Here<'_>) -> Option<String> {
    let now = question.entries?;
    let begun = here.begun.iter().map(|progress| (&progress.edition, &progress.entries));
    let complete = here.manifests.iter().map(|manifest| (&manifest.edition, &manifest.entries));
    let is_other = begun
        .chain(complete)
        .any(|(edition, then)| edition == question.edition && !then.is_empty() && then != now);
    is_other.then(|| {
        format!(
            "edition {} was sent, or part of it, with other documents set aside: documents that are \
             set aside now keep their records on the topic, as they were sent, until their keys are gone from the \
             warehouse",
            question.edition
        )
    })
}

/// Whether the ledger says that part of an edition is sent, and no manifest that it is whole.
pub fn is_under_way(ledger: &Ledger, edition: &EditionId, load_date: LoadDate) -> bool {
    unfinished(ledger).is_some_and(|begun| begun.edition == *edition && begun.load_date == load_date)
}

/// What is begun and not complete: writer 1's progress.
pub fn unfinished(ledger: &Ledger) -> Option<&Progress> {
    let begun = ledger.begun()?;
    Here::on(ledger, &begun.topic_id).unfinished()
}

/// How many entries are sent of what is begun, by all who share it.
pub fn entries_of(ledger: &Ledger, begun: &Progress) -> u64 {
    Here::on(ledger, &begun.topic_id).position(begun)
}

/// What was sent of an edition, or is being sent, as [`hivecast_contract::Progress::entries`] has it:
/// it must not be judged otherwise. None where the ledger does not name the edition.
pub fn entries_sent<'a>(ledger: &'a Ledger, edition: &EditionId) -> Option<&'a str> {
    let begun = ledger.begun().filter(|progress| progress.edition == *edition);
    let complete = || ledger.manifests.values().find(|manifest| manifest.edition == *edition);
    begun
        .map(|progress| progress.entries.as_str())
        .or_else(|| complete().map(|manifest| manifest.entries.as_str()))
}

/// The ledger's records that speak of the topic as it is.
struct Here<'a> {
    manifests: Vec<&'a Manifest>,
    /// Writer 1's progress: what was begun last.
    begun: Option<&'a Progress>,
    /// The progress of the others, of whatever set.
    others: Vec<&'a Progress>,
}

impl<'a> Here<'a> {
    fn of(question: &Question<'a>) -> Self {
        Here::on(question.ledger, question.topic.id)
    }

    fn on(ledger: &'a Ledger, topic_id: &str) -> Self {
        let is_here = |progress: &&Progress| progress.topic_id == topic_id;
        Here {
            manifests: ledger.manifests.values().filter(|m| m.topic_id == topic_id).collect(),
            begun: ledger.begun().filter(is_here),
            others: ledger.progress.values().filter(|p| p.writer.index > 1).filter(is_here).collect(),
        }
    }

    /// The edition that was completed last.
    fn latest(&self) -> Option<&'a Manifest> {
        self.manifests.iter().copied().max_by_key(|manifest| manifest.sequence)
    }

    fn manifest(&self, load_date: LoadDate) -> Option<&'a Manifest> {
        self.manifests.iter().copied().find(|manifest| manifest.load_date == load_date)
    }

    /// What was begun and not completed.
    fn unfinished(&self) -> Option<&'a Progress> {
        self.begun.filter(|begun| !self.is_completed(begun))
    }

    /// The progress of all who share what is begun, itself among them. An earlier set may have been of the
    /// same edition and of as many writers: its number tells them apart.
    fn parts<'s>(&'s self, begun: &'s Progress) -> impl Iterator<Item = &'s Progress> {
        let number = begun.set.map(|set| set.number);
        let is_of_set =
            move |other: &&Progress| number.is_some() && other.set.map(|set| set.number) == number;
        std::iter::once(begun).chain(self.others.iter().copied().filter(is_of_set))
    }

    fn part<'s>(&'s self, begun: &'s Progress, index: u32) -> Option<&'s Progress> {
        self.parts(begun).find(|part| part.writer.index == index)
    }

    /// How many entries are sent of what is begun.
    fn position(&self, begun: &Progress) -> u64 {
        self.parts(begun).map(|part| part.position).sum()
    }

    /// What all who share it have committed, by partition.
    fn sums(&self, begun: &Progress) -> Vec<PartitionTotals> {
        let mut sums = vec![PartitionTotals::default(); begun.partitions.len()];
        for part in self.parts(begun) {
            sums.iter_mut().zip(&part.partitions).for_each(|(sum, part)| sum.merge(part));
        }
        sums
    }

    /// The days of what may be on the topic now: of the edition that was completed last, and of the one
    /// begun since.
    fn days_on_topic(&self) -> Vec<(LoadDate, &'static str)> {
        let published = self.latest().map(|manifest| (manifest.load_date, "published"));
        let begun = self.unfinished().map(|progress| (progress.load_date, "partly published"));
        begun.into_iter().chain(published).collect()
    }

    /// What was said last of the topic's partitions: a run under way speaks after the last manifest.
    fn last_words(&self) -> Option<Vec<PartitionTotals>> {
        match self.unfinished() {
            Some(begun) => Some(self.sums(begun)),
            None => self.latest().map(|manifest| manifest.partitions.clone()),
        }
    }

    /// Whether the manifest of the same day is the one that completes this. The same edition may be
    /// published again over a later one, so the edition's name is not enough: sets have numbers, and one
    /// writer's progress is complete where the manifest says exactly what it adds up to.
    fn is_completed(&self, begun: &Progress) -> bool {
        let Some(manifest) = self.manifest(begun.load_date).filter(|m| m.edition == begun.edition) else {
            return false;
        };
        if let Some(set) = begun.set {
            return manifest.set == Some(set.number);
        }
        begun.partitions.len() == manifest.partitions.len()
            && begun.partitions.iter().zip(&manifest.partitions).all(|(sum, whole)| {
                sum.documents == whole.documents
                    && sum.tombstones == whole.tombstones
                    && sum.checksum == whole.checksum
                    && sum.last_offset == whole.last_offset
            })
    }
}

/// A reason not to publish, unless it is to replace what is there.
struct Objection {
    what: String,
    advice: String,
    /// What a person is told when it is overruled.
    overruled: String,
}

fn refuse_or_warn(question: &Question<'_>, objection: Option<Objection>) -> Result<Option<String>> {
    match (objection, question.mode) {
        (None, _) => Ok(None),
        (Some(objection), Mode::Replace) => Ok(Some(objection.overruled)),
        (Some(objection), Mode::Normal) => Err(Fault::conflict(objection.what).advise(objection.advice)),
    }
}

/// The ledger has no word about the topic as it is.
fn unknown_topic(question: &Question<'_>) -> Result<Verdict> {
    let Question { feed, ledger, topic, .. } = question;
    let gone = ledger.latest().map(|manifest| manifest.topic.as_str());
    let ledger_is_empty = ledger.manifests.is_empty() && ledger.progress.is_empty();
    let objection = if !ledger_is_empty {
        let what = match gone.filter(|gone| *gone != topic.name) {
            Some(gone) => {
                format!("feed {feed} was published to topic {gone}, and now names topic {}", topic.name)
            }
            None => format!(
                "topic {} is not the one that feed {feed} was published to: it was deleted and made again",
                topic.name
            ),
        };
        Some(Objection {
            overruled: format!("{what}; starting anew, as --replace asks"),
            what,
            advice:
                "if that was meant, publish with --replace: the edition is sent whole, as on the first day"
                    .to_owned(),
        })
    } else if topic.has_records {
        let what = format!("topic {} holds records, and the ledger knows of none by feed {feed}", topic.name);
        Some(Objection {
            overruled: format!("{what}; they stay, since --replace cannot know their keys"),
            what,
            advice: "use another topic, or publish with --replace to add to what is there".to_owned(),
        })
    } else {
        None
    };
    let warnings = refuse_or_warn(question, objection)?.into_iter().collect();
    Ok(Verdict { decision: Decision::Start { bases: Vec::new() }, warnings })
}

/// A run with another number of writers is under way: its positions mean other ranges.
fn other_writers(question: &Question<'_>, here: &Here<'_>) -> Option<Objection> {
    let other = here.unfinished().filter(|begun| begun.writer.of != question.writer.of)?;
    let what = format!(
        "load_date {} of feed {} is partly published by {} ({} entries), and this run has {}",
        other.load_date,
        question.feed,
        writers(other.writer.of),
        here.position(other),
        question.writer.of
    );
    Some(Objection {
        advice: format!(
            "finish it with {}, or publish with --replace to start over",
            writers(other.writer.of)
        ),
        overruled: format!("{what}; starting over"),
        what,
    })
}

fn writers(of: u32) -> String {
    match of {
        1 => "1 writer".to_owned(),
        of => format!("{of} writers"),
    }
}

/// The topic's partitions were added to: a key's newest record may lie in another partition than
/// its older ones.
fn other_partitions(question: &Question<'_>, here: &Here<'_>) -> Option<Objection> {
    let now = question.topic.end_offsets.len();
    let then = here.last_words()?.len();
    if then == now {
        return None;
    }
    let what = format!(
        "topic {} has {now} partitions, and had {then} when feed {} was last published to it",
        question.topic.name, question.feed
    );
    Some(Objection {
        advice: "keys move between partitions, so consumers may apply old records last: publish to a new \
                 topic, or with --replace once every consumer has read the old records"
            .to_owned(),
        overruled: format!("{what}; starting over"),
        what,
    })
}

/// Records that the ledger says are committed are not on the topic.
fn beyond_the_end(question: &Question<'_>, here: &Here<'_>) -> Option<Objection> {
    let words = here.last_words()?;
    let (partition, last, end) =
        words.iter().zip(question.topic.end_offsets).enumerate().find_map(|(partition, (totals, end))| {
            totals.last_offset.filter(|last| last >= end).map(|last| (partition, last, *end))
        })?;
    let what = format!(
        "topic {} partition {partition} has no records from offset {end} on, and the ledger says that one was \
         committed at offset {last}: the topic was deleted and made again, or lost records",
        question.topic.name
    );
    Some(Objection {
        advice: "find out what happened to the topic; then publish with --replace: the edition is sent whole"
            .to_owned(),
        overruled: format!("{what}; starting over"),
        what,
    })
}

/// Other documents of the same edition are set aside now than when the sent part was sent: a position
/// would pass over documents that nobody sent.
fn other_entries(question: &Question<'_>, here: &Here<'_>) -> Option<Objection> {
    let entries = question.entries?;
    let begun = here
        .unfinished()
        .filter(|begun| is_own(question, begun) && !begun.entries.is_empty() && begun.entries != entries)?;
    let what = format!(
        "edition {} of feed {} is partly published ({} entries), and gates set other documents of it aside \
         since: the rest can't be told from what is sent",
        begun.edition,
        question.feed,
        here.position(begun)
    );
    Some(Objection {
        advice:
            "restore the gates and limits that it was begun with and publish it to its end, or publish with \
                 --replace to send it from the start"
                .to_owned(),
        overruled: format!("{what}; starting over"),
        what,
    })
}

/// Part of the edition, or all of it, is on the topic as another key masks it.
fn other_mask_key(question: &Question<'_>, here: &Here<'_>) -> Option<Objection> {
    let Question { feed, edition, load_date, .. } = question;
    let is_other = |of: &EditionId, date: LoadDate, key: &str| {
        of == *edition && date == *load_date && !key.is_empty() && key != question.mask_key
    };
    let unfinished = here.unfinished();
    let begun = unfinished.filter(|begun| is_other(&begun.edition, begun.load_date, &begun.mask_key));
    // A correction that was begun with this key is under way: what its manifest says is what it corrects.
    let is_corrected =
        || unfinished.is_some_and(|begun| is_own(question, begun) && begun.mask_key == question.mask_key);
    // A day that a later one has overtaken is done with, whatever key there is today.
    let whole = || {
        let whole = here.latest().filter(|_| !is_corrected())?;
        is_other(&whole.edition, whole.load_date, &whole.mask_key).then_some(whole)
    };
    let (how, restored) = match begun {
        Some(begun) => {
            let entries = here.position(begun);
            (format!("partly published ({entries} entries)"), "and publish it to its end")
        }
        None => whole().map(|_| ("published".to_owned(), "to leave it as it is"))?,
    };
    let what = format!(
        "load_date {load_date} of feed {feed} is {how} as edition {edition}, and mask_key is another one since: \
         its values would be masked otherwise"
    );
    Some(Objection {
        advice: format!(
            "restore the mask_key that it was begun with {restored}, or publish with --replace to send every \
             document masked with the new one"
        ),
        overruled: format!("{what}; all of it that is not set aside is sent with the new one"),
        what,
    })
}

/// The edition's manifest, where it still says what is on the topic, or where a newer day is there: the
/// topic went past this one, as it should.
fn already_complete<'a>(question: &Question<'_>, here: &Here<'a>) -> Option<&'a Manifest> {
    let unfinished = here.unfinished();
    let manifest = here.manifest(question.load_date).filter(|m| m.edition == *question.edition)?;
    let superseded = here.latest().is_some_and(|latest| latest.sequence > manifest.sequence);
    let disputed = match question.mode {
        // Whoever repeats a day that is done asks for nothing new, unless a correction of that very
        // day is half sent, or an older day was put back over it.
        Mode::Normal => {
            unfinished.is_some_and(|begun| begun.load_date == question.load_date)
                || here.days_on_topic().iter().any(|(date, _)| *date < question.load_date)
        }
        // Whoever replaces wants this edition to be what is on the topic now.
        Mode::Replace => superseded || unfinished.is_some(),
    };
    (!disputed).then_some(manifest)
}

/// What is published, or begun, speaks against this edition.
fn contradiction(question: &Question<'_>, here: &Here<'_>) -> Option<Objection> {
    let Question { feed, edition, load_date, .. } = question;
    if let Some(manifest) = here.manifest(*load_date).filter(|m| m.edition != **edition) {
        let what = format!(
            "load_date {load_date} of feed {feed} is published as edition {}, and this is edition {edition}: \
             its input or the feed changed since",
            manifest.edition
        );
        return Some(Objection {
            advice: "publish with --replace to send this edition as a correction".to_owned(),
            overruled: format!(
                "load_date {load_date}: edition {} is replaced by {edition}",
                manifest.edition
            ),
            what,
        });
    }
    if let Some(begun) = here.unfinished().filter(|p| p.load_date == *load_date && p.edition != **edition) {
        let what = format!(
            "load_date {load_date} of feed {feed} is partly published as edition {}, and this is edition \
             {edition}: its input or the feed changed since",
            begun.edition
        );
        return Some(Objection {
            advice: format!("publish edition {} to its end, or this one with --replace", begun.edition),
            overruled: format!("load_date {load_date}: unfinished edition {} gives way", begun.edition),
            what,
        });
    }
    let on_topic = here.days_on_topic();
    if let Some((older, how)) = on_topic.iter().find(|(date, _)| date < load_date)
        && here.manifest(*load_date).is_some()
    {
        let what = format!(
            "load_date {load_date} of feed {feed} was published, and then load_date {older} was {how} over it: \
             the topic does not hold it any more"
        );
        return Some(Objection {
            advice: format!(
                "publish a later load_date, which replaces both, or publish {load_date} with --replace to send \
                 it again over {older}"
            ),
            overruled: format!("load_date {load_date} is sent again over {older}, which was {how} over it"),
            what,
        });
    }
    let (newer, how) = on_topic.into_iter().filter(|(date, _)| date > load_date).max()?;
    Some(Objection {
        what: format!(
            "load_date {newer} of feed {feed} is {how} already: publishing {load_date} would overwrite newer data"
        ),
        advice: "publish with --replace to put the topic back to the older day".to_owned(),
        overruled: format!("load_date {load_date} overwrites {newer}, which is {how}"),
    })
}

/// The editions whose keys may be on the topic: the one completed last, and the one begun since, with
/// what it was itself replacing. A topic that lost its newest records still has the older
/// ones, so that starting over there has the same bases.
fn bases(question: &Question<'_>, here: &Here<'_>) -> Vec<EditionId> {
    let latest = here.latest().map(|manifest| &manifest.edition);
    let begun = here.unfinished().into_iter().flat_map(|begun| begun.bases.iter().chain([&begun.edition]));
    let mut bases: Vec<EditionId> = Vec::new();
    for base in latest.into_iter().chain(begun) {
        if base != question.edition && !bases.contains(base) {
            bases.push(base.clone());
        }
    }
    bases
}
