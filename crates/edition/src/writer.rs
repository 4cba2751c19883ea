use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow_schema::Fields;
use hivecast_contract::{Checksum, EditionId, LoadDate};
use hivecast_run::{Fault, Result, crash_point};
use serde::Serialize;

use crate::description::{
    Description, EDITION_FORMAT, GateResult, InputDescription, ShardDescription, TableDescription,
};
use crate::exclusion::{By, Sorter};
use crate::files::{AdviseSpace, sync_dir, write_atomically};
use crate::shard::ShardWriter;
use crate::shared::Shared;
use crate::store::{edition_dir, hide};
use crate::temporary::{Temporary, lock_names};
use crate::{Edition, Exclusion, Named, schema};

/// The description's file.
pub(crate) const DESCRIPTION_FILE: &str = "edition.json";
/// The rows that gates set aside, one JSON object a line.
pub(crate) const QUARANTINE_FILE: &str = "quarantine.ndjson";

/// What an edition's description says besides what its writer knows: feed, load_date, shards, sums.
#[derive(Clone, Debug)]
pub struct Draft {
    /// See [`Description::id`].
    pub id: EditionId,
    /// See [`Description::feed_fingerprint`].
    pub feed_fingerprint: String,
    /// See [`Description::gates_fingerprint`].
    pub gates_fingerprint: String,
    /// See [`Description::time_ms`].
    pub time_ms: i64,
    /// See [`Description::built_ms`].
    pub built_ms: i64,
    /// See [`Description::engine`].
    pub engine: String,
    /// See [`Description::inputs`].
    pub inputs: Vec<InputDescription>,
    /// See [`Description::tables`].
    pub tables: Vec<TableDescription>,
    /// The document column's fields; the description keeps what [`schema::stored_fields`] makes of
    /// them.
    pub document: Fields,
    /// See [`Description::gates`].
    pub gates: Vec<GateResult>,
}

/// How many rows were set aside, by table and gate.
pub type Quarantined = BTreeMap<(String, String), u64>;

/// An edition being written. Shards may be written on several threads at once. Dropping it without
/// [`EditionWriter::finish`] removes everything.
#[derive(Debug)]
pub struct EditionWriter {
    feed: String,
    load_date: LoadDate,
    feed_dir: PathBuf,
    /// Where it is pushed to when it is whole.
    shared: Option<Shared>,
    temporary: Temporary,
    shards: Shards,
    /// The fields of the documents in every shard.
    document: OnceLock<Fields>,
    quarantine: Mutex<Quarantine>,
    /// Documents that may not be sent.
    named: Mutex<Sorter>,
}

/// The shards that were begun, by index; the description follows when one is finished.
pub(crate) type Shards = Arc<Mutex<BTreeMap<u32, Option<ShardDescription>>>>;

#[derive(Debug, Default)]
struct Quarantine {
    file: Option<BufWriter<File>>,
    counts: Quarantined,
}

#[derive(Serialize)]
struct QuarantineLine<'a> {
    table: &'a str,
    gate: &'a str,
    reason: &'a str,
    key: Option<&'a str>,
    row: serde_json::Value,
}

impl EditionWriter {
    pub(crate) fn new(
        feed: String,
        load_date: LoadDate,
        feed_dir: PathBuf,
        shared: Option<Shared>,
        temporary: Temporary,
    ) -> Self {
        let (shards, document, quarantine) = (Shards::default(), OnceLock::new(), Mutex::default());
        let named = Mutex::new(Sorter::new(&temporary.path));
        EditionWriter { feed, load_date, feed_dir, shared, temporary, shards, document, quarantine, named }
    }

    /// Starts the shard `index`, counted from 0 in the edition's order, of documents with these
    /// fields. Fails with `Class::Usage` for a type that no document can hold.
    pub fn shard(&self, index: u32, document: &Fields) -> Result<ShardWriter> {
        let mut shards = held(&self.shards);
        if shards.contains_key(&index) {
            return Err(Fault::bug(format!("shard {index} was begun twice")));
        }
        self.check_fields(document)?;
        let writer = ShardWriter::create(&self.temporary.path, index, document, Arc::clone(&self.shards))?;
        shards.insert(index, None);
        Ok(writer)
    }

    /// Readers take every shard by the description's one schema.
    fn check_fields(&self, document: &Fields) -> Result<()> {
        let fields = schema::stored_fields(document)?;
        let first = self.document.get_or_init(|| fields.clone());
        if *first == fields {
            return Ok(());
        }
        Err(Fault::bug("shards and draft of one edition have documents of different fields"))
    }

    /// Sets a row aside: one line in `quarantine.ndjson`, and one in the counts.
    pub fn quarantine(
        &self,
        table: &str,
        gate: &str,
        reason: &str,
        key: Option<&str>,
        row: serde_json::Value,
    ) -> Result<()> {
        let path = self.temporary.path.join(QUARANTINE_FILE);
        let failed = |error| Fault::io(format!("failed to write {}", path.display()), error).advise_space();
        let mut quarantine = held(&self.quarantine);
        if quarantine.file.is_none() {
            quarantine.file = Some(BufWriter::new(File::create_new(&path).map_err(failed)?));
        }
        if let Some(file) = &mut quarantine.file {
            let line = QuarantineLine { table, gate, reason, key, row };
            serde_json::to_writer(&mut *file, &line).map_err(|error| failed(error.into()))?;
            file.write_all(b"\n").map_err(failed)?;
        }
        *quarantine.counts.entry((table.to_owned(), gate.to_owned())).or_insert(0) += 1;
        Ok(())
    }

    /// Names a document that may not be sent, in any order, also twice: it goes into
    /// [`Description::exclusions`].
    pub fn exclude(&self, exclusion: Exclusion) -> Result<()> {
        held(&self.named).push(By::Engine, exclusion)
    }

    /// How many rows were set aside so far.
    pub fn quarantined(&self) -> Quarantined {
        held(&self.quarantine).counts.clone()
    }

    /// Writes the description and gives the edition its name. Either the whole edition is in the
    /// store when this returns, and survives a crash of the machine, or nothing of it is.
    ///
    /// Where the store has an intact edition of the same id already, that one is kept and returned:
    /// equal ids mean equal inputs, and it may have been published. A damaged one, or one that other
    /// gates judged, is replaced by this one, which holds the same documents. Where the store is shared, it
    /// is pushed, and what the shared store has then is returned; what can't be pushed stays in the cache,
    /// and is pushed when it is looked up.
    pub fn finish(self, draft: Draft) -> Result<Edition> {
        let what = format!("failed to finish the edition of feed {} for {}", self.feed, self.load_date);
        self.finish_unnamed(draft).map_err(|fault| fault.within(what))
    }

    fn finish_unnamed(self, draft: Draft) -> Result<Edition> {
        self.sync_quarantine()?;
        let description = self.describe(draft)?;
        crash_point("edition.before_json");
        let json = serde_json::to_vec_pretty(&description)
            .map_err(|error| Fault::bug("failed to encode edition.json").because(error))?;
        write_atomically(&self.temporary.path.join(DESCRIPTION_FILE), &json)?;
        crash_point("edition.before_rename");
        let path = self.publish_name(&description)?;
        crash_point("edition.after_rename");
        let edition = Edition::open(&path)?;
        match &self.shared {
            Some(shared) => shared.publish(&self.feed_dir, &edition),
            None => Ok(edition),
        }
    }

    fn sync_quarantine(&self) -> Result<()> {
        let Some(file) = held(&self.quarantine).file.take() else { return Ok(()) };
        let synced = file.into_inner().map_err(std::io::IntoInnerError::into_error);
        synced
            .and_then(|file| file.sync_all())
            .map_err(|error| Fault::io(format!("failed to write {QUARANTINE_FILE}"), error).advise_space())
    }

    fn describe(&self, draft: Draft) -> Result<Description> {
        self.check_fields(&draft.document)?;
        let shards = finished(&held(&self.shards))?;
        let named = std::mem::replace(&mut *held(&self.named), Sorter::new(&self.temporary.path));
        let mut sum = Checksum::default();
        for shard in &shards {
            sum += shard.checksum.parse().map_err(Fault::bug)?;
        }
        Ok(Description {
            format: EDITION_FORMAT,
            id: draft.id,
            feed: self.feed.clone(),
            feed_fingerprint: draft.feed_fingerprint,
            gates_fingerprint: draft.gates_fingerprint,
            load_date: self.load_date,
            time_ms: draft.time_ms,
            built_ms: draft.built_ms,
            engine: draft.engine,
            inputs: draft.inputs,
            tables: draft.tables,
            documents: shards.iter().map(|shard| shard.documents).sum(),
            checksum: sum.to_string(),
            schema: schema::to_json(&schema::stored_fields(&draft.document)?)?,
            shards,
            gates: draft.gates,
            exclusions: Named::write(&self.temporary.path, named)?,
            files_in: None,
        })
    }

    /// Moves the whole directory to its final name, unless an intact one is there.
    fn publish_name(&self, description: &Description) -> Result<PathBuf> {
        let path = edition_dir(&self.feed_dir, self.load_date, &description.id);
        let lock = lock_names(&self.feed_dir)?;
        if path.exists() {
            if is_as_good(&path, description) {
                return Ok(path);
            }
            crate::exclusion::keep(&path, &self.temporary.path, description)?;
            hide(&self.feed_dir, self.load_date, &path, &lock)?;
        }
        let date_dir = path.parent().unwrap_or(&self.feed_dir);
        fs::create_dir_all(date_dir).map_err(|error| {
            Fault::io(format!("failed to make directory {}", date_dir.display()), error).advise_space()
        })?;
        self.temporary.rename(&path, &lock)?;
        sync_dir(date_dir)?;
        sync_dir(&self.feed_dir)?;
        Ok(path)
    }
}

fn is_as_good(path: &Path, description: &Description) -> bool {
    let same_gates =
        |edition: &Edition| edition.description.gates_fingerprint == description.gates_fingerprint;
    Edition::open(path).is_ok_and(|edition| same_gates(&edition) && edition.verify_files().is_ok())
}

/// The shards' descriptions, in order: each begun, none left out, none before its neighbour.
fn finished(shards: &BTreeMap<u32, Option<ShardDescription>>) -> Result<Vec<ShardDescription>> {
    let mut last: Option<&(u32, String)> = None;
    let mut finished = Vec::with_capacity(shards.len());
    for (expected, (index, shard)) in (0..).zip(shards) {
        if *index != expected {
            return Err(Fault::bug(format!("shard {expected} was never begun, shard {index} was")));
        }
        let shard = shard.as_ref().ok_or_else(|| Fault::bug(format!("shard {index} was never finished")))?;
        if let (Some(last), Some(first)) = (last, &shard.first)
            && last >= first
        {
            return Err(Fault::bug(format!(
                "shard {index} starts with {first:?}, which is not after {last:?} of an earlier shard"
            )));
        }
        last = shard.last.as_ref().or(last);
        finished.push(shard.clone());
    }
    Ok(finished)
}

/// A panic of another thread while it held the lock leaves plain counts, which stay usable.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
