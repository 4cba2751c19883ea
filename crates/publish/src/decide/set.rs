//! Sets of writers, as the ledger has them.

use hivecast_contract::{Manifest, Progress, Stage, WriterId, WriterSet};

use super::Here;
use crate::Ledger;

/// The set of writers that an edition which starts now is published by; none where the feed has never had
/// several.
pub fn next_set(ledger: &Ledger, writer: WriterId) -> Option<WriterSet> {
    let before = ledger.begun().map(|begun| (begun.set, begun.writer.of));
    let (set, of) = before.unwrap_or((None, 1));
    let widest = set.map_or(of, |set| set.widest).max(writer.of);
    let number = set.map_or(0, |set| set.number) + 1;
    (widest > 1).then_some(WriterSet { number, widest, stage: Stage::Announced })
}

/// How a set of writers stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// The manifest is there.
    Complete(Manifest),
    /// These writers, by index, have not committed their parts whole.
    ToCome(Vec<u32>),
    /// Every part is committed and the manifest is not: writer 1's progress with the sums of all.
    AllDone(Progress),
    /// Another set took the feed over.
    Overtaken,
}

/// Which writers are to run so that what is begun becomes complete; none where one publishes it alone. Where
/// every part is committed and the manifest is not, any writer writes it.
pub fn lacking(ledger: &Ledger, begun: &Progress) -> Vec<WriterId> {
    let Some(set) = begun.set.filter(|_| begun.writer.of > 1) else { return Vec::new() };
    let indices = match standing(ledger, set.number) {
        Standing::ToCome(indices) => indices,
        Standing::AllDone(_) => vec![begun.writer.index],
        Standing::Complete(_) | Standing::Overtaken => Vec::new(),
    };
    indices.into_iter().map(|index| WriterId { index, ..begun.writer }).collect()
}

/// How the set of this number stands.
pub fn standing(ledger: &Ledger, number: u64) -> Standing {
    if let Some(manifest) = ledger.manifests.values().find(|manifest| manifest.set == Some(number)) {
        return Standing::Complete(manifest.clone());
    }
    let Some(begun) = ledger.begun().filter(|begun| begun.set.is_some_and(|set| set.number == number)) else {
        return Standing::Overtaken;
    };
    let here = Here::on(ledger, &begun.topic_id);
    let is_done = |index: &u32| here.part(begun, *index).is_some_and(Progress::is_done);
    let to_come: Vec<u32> = (1..=begun.writer.of).filter(|index| !is_done(index)).collect();
    if !to_come.is_empty() {
        return Standing::ToCome(to_come);
    }
    Standing::AllDone(Progress {
        partitions: here.sums(begun),
        position: here.position(begun),
        chunks: here.parts(begun).map(|part| part.chunks).sum(),
        ..begun.clone()
    })
}
