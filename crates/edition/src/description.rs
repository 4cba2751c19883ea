use hivecast_contract::{EditionId, LoadDate};
use serde::{Deserialize, Serialize};

use crate::exclusion::Named;

/// The version of `edition.json`. A reader refuses a newer one.
///
/// 2: the documents that the engine named are in a file instead of in here.
pub const EDITION_FORMAT: u32 = 2;

/// `edition.json`: what went in, what came out, and what the gates said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// [`EDITION_FORMAT`].
    pub format: u32,
    /// The edition's name; equal inputs give equal ids.
    pub id: EditionId,
    /// The feed's name.
    pub feed: String,
    /// SHA-256 of everything in the feed that shapes the bytes that are sent.
    pub feed_fingerprint: String,
    /// SHA-256 of the gates that judged it while it was built.
    #[serde(default)]
    pub gates_fingerprint: String,
    /// The day.
    pub load_date: LoadDate,
    /// The edition's time: the newest input file's modification time, milliseconds since the epoch.
    /// It is the `eventDateTime` of every document, so that a document sent again is the same bytes.
    pub time_ms: i64,
    /// When it was built, milliseconds since the epoch.
    pub built_ms: i64,
    /// Which engine built it: `embedded` or the Spark endpoint's kind.
    pub engine: String,
    /// The frozen inputs.
    pub inputs: Vec<InputDescription>,
    /// What was read of each table of the feed.
    pub tables: Vec<TableDescription>,
    /// Documents in all shards.
    pub documents: u64,
    /// Order-free checksum over all documents' values, 32 hexadecimal digits: equal for equal
    /// editions, whichever engine, shard count or compression made them.
    pub checksum: String,
    /// The document column's schema, as Arrow's JSON form of its fields.
    pub schema: serde_json::Value,
    /// The shards, in the edition's order.
    pub shards: Vec<ShardDescription>,
    /// What the gates that run while building said; the others are added before publishing.
    pub gates: Vec<GateResult>,
    /// Documents that the engine built but that may not be sent: those whose key is not theirs alone,
    /// and those that a `sql` gate set aside.
    #[serde(default)]
    pub exclusions: Named,
    /// In a shared store that can't rename directories: the directory, within the edition's, of the files
    /// that never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_in: Option<String>,
}

/// A frozen input file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDescription {
    /// The feed's name for the table.
    pub table: String,
    /// Path as the warehouse names it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub modified_ns: i64,
}

/// What was read of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDescription {
    /// The feed's name for the table.
    pub table: String,
    /// Rows in the files.
    pub rows_read: u64,
    /// Rows left after `where`.
    pub rows: u64,
    /// Rows that are in a document, over all levels that use the table; a row that is in several places
    /// counts once for each.
    pub rows_used: u64,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardDescription {
    /// File name within the edition.
    pub file: String,
    /// Documents in it.
    pub documents: u64,
    /// File size in bytes.
    pub bytes: u64,
    /// XXH3-64 of the file's bytes, 16 hexadecimal digits.
    pub file_checksum: String,
    /// Order-free checksum over this shard's documents, 32 hexadecimal digits.
    pub checksum: String,
    /// First and last (hash, key), if there is any document.
    pub first: Option<(u32, String)>,
    /// See `first`.
    pub last: Option<(u32, String)>,
    /// The most bytes of text and binary values in one document, its key counted twice (a record has
    /// it in its own key and in its value), before escaping.
    pub max_text_bytes: u64,
    /// The most values in one document: scalars, nulls, arrays, their elements and objects count one each.
    pub max_values: u64,
}

/// What a gate said of an edition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// The gate, as people read it: `orphans of parties`.
    pub gate: String,
    /// What the feed allows: `<= 0.1 %`.
    pub limit: String,
    /// What was measured: `0.02 % (31 of 154000)`.
    pub measured: String,
    /// Whether it holds, and what a breach means.
    pub outcome: Outcome,
    /// A few offending keys or values, at most 10.
    pub examples: Vec<String>,
    /// How many rows or documents were set aside.
    pub quarantined: u64,
}

/// A gate's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not, and the feed says `warn`.
    Warn,
    /// It does not, and what breaches it was set aside.
    Quarantine,
    /// It does not, and nothing may be sent.
    Fail,
    /// It could not be judged, for a stated reason (there is no previous edition).
    Skip,
}
