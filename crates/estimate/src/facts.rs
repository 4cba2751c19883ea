//! What is known of a feed's day before it is built.

use serde::{Deserialize, Serialize};

use crate::model::{Load, Model};
use crate::quantity::Range;

/// The version of [`Facts`] as JSON.
pub const FACTS_VERSION: u32 = 1;

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The files' footers.
    Footers,
    /// The metastore's statistics.
    Metastore,
    /// The keys were read.
    Scan,
    /// The last edition of the feed.
    History,
    /// The files' sizes, with a factor that is a guess.
    Sizes,
    /// A guess of what `where` leaves, which was not asked.
    Unasked,
}

impl Source {
    /// As a sentence has it: `by footers`.
    pub fn words(self) -> &'static str {
        match self {
            Source::Footers => "by the files' footers",
            Source::Metastore => "by the metastore's statistics",
            Source::Scan => "by a scan of the keys",
            Source::History => "by the last edition",
            Source::Sizes => "guessed from the files' sizes",
            Source::Unasked => "guessed, since `where` was not asked",
        }
    }
}

/// A number of the facts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The number.
    pub value: Range,
    /// Where it comes from.
    pub source: Source,
}

impl Counted {
    /// A number that is known.
    pub fn exact(value: u64, source: Source) -> Counted {
        Counted { value: Range::exact(value as f64), source }
    }
}

/// One table's partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Its name in the feed.
    pub table: String,
    /// Its files.
    pub files: u64,
    /// Their bytes as they are stored.
    pub stored_bytes: u64,
    /// Its rows.
    pub rows: Counted,
}

/// One level of the document: the document itself, or what is nested in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelFacts {
    /// Where it is nested: `partyRelations.partyAddress`; empty for the document.
    pub path: String,
    /// The feed's name for its table.
    pub table: String,
    /// Rows that are read.
    pub read: Counted,
    /// Bytes of the columns that are read of them, in memory.
    pub read_bytes: Counted,
    /// Rows that are left after `where`.
    pub rows: Counted,
    /// Rows of the keys that have most, by which the level joins with the one above; the largest first, and
    /// no values. Empty for the document, and where the keys were not read.
    pub largest: Vec<u64>,
    /// How many more rows than that a key may have.
    pub largest_error: u64,
}

impl LevelFacts {
    /// Bytes of one row in memory.
    pub fn row_bytes(&self) -> f64 {
        if self.read.value.expected > 0.0 {
            self.read_bytes.value.expected / self.read.value.expected
        } else {
            0.0
        }
    }

    /// Bytes in memory of the rows that are left: of the bytes of all rows the share that is left of them.
    pub fn kept_bytes(&self) -> Range {
        let (rows, read, bytes) = (self.rows.value, self.read.value, self.read_bytes.value);
        let share = |rows: f64, read: f64| if read > 0.0 { rows / read } else { 0.0 };
        Range {
            low: bytes.low * share(rows.low, read.low),
            expected: bytes.expected * share(rows.expected, read.expected),
            high: bytes.high * share(rows.high, read.high),
        }
    }

    /// The most rows that one key has. Where keys were not read, a row has a key of its own.
    pub fn largest_key(&self) -> u64 {
        self.largest.first().map_or(1, |rows| rows + self.largest_error)
    }
}

/// All that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// [`FACTS_VERSION`].
    pub version: u32,
    /// The feed's name.
    pub feed: String,
    /// The day, `YYYY-MM-DD`.
    pub load_date: String,
    /// Its tables.
    pub tables: Vec<TableFacts>,
    /// The document, then what is nested in it, outer before inner.
    pub levels: Vec<LevelFacts>,
    /// Bytes of a document's key and value on the topic.
    pub document_bytes: Counted,
    /// Why Spark can't build the feed, if it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit_for_spark: Option<String>,
}

impl Facts {
    /// Documents that are built.
    pub fn documents(&self) -> Counted {
        self.levels
            .first()
            .map_or(Counted { value: Range::exact(0.0), source: Source::Scan }, |level| level.rows)
    }

    /// What there is to do.
    pub fn work(&self) -> Work {
        let sum = |of: &dyn Fn(&LevelFacts) -> f64| self.levels.iter().map(of).sum();
        Work {
            rows: sum(&|level| level.read.value.expected),
            read_bytes: sum(&|level| level.read_bytes.value.expected),
            kept_bytes: sum(&|level| level.kept_bytes().expected),
            largest_level_bytes: self
                .levels
                .iter()
                .map(|level| level.kept_bytes().expected)
                .fold(0.0, f64::max),
            documents: self.documents().value.expected,
            sent_bytes: self.documents().value.expected * self.document_bytes.value.expected,
        }
    }

    /// How far the facts alone may be off, as shares of what is expected: below, above.
    pub fn doubt(&self) -> (f64, f64) {
        let kept = self.kept_bytes();
        if kept.expected <= 0.0 {
            return (0.0, 0.0);
        }
        (1.0 - kept.low / kept.expected, kept.high / kept.expected - 1.0)
    }

    /// What a model foretells of this day, from what is least of it to what is most.
    pub fn foretell(&self, model: &Model, load: &Load) -> Range {
        let (below, above) = self.doubt();
        let document = self.document_bytes.value;
        let scaled = |factor: f64, document_bytes: f64| {
            let mut load = load.times(factor);
            load.work.sent_bytes *= document_bytes / document.expected.max(1.0);
            model.predict(&load)
        };
        let expected = model.predict(load);
        Range {
            low: scaled((1.0 - below).max(0.0), document.low).low.min(expected.low),
            expected: expected.expected,
            high: scaled(1.0 + above, document.high).high.max(expected.high),
        }
    }

    /// Bytes of the rows that `where` leaves, of all levels.
    pub fn kept_bytes(&self) -> Range {
        self.levels.iter().map(LevelFacts::kept_bytes).fold(Range::exact(0.0), Range::plus)
    }

    /// Whether its numbers are such as can be: finite, not negative, in their order.
    pub fn is_sound(&self) -> bool {
        let tables = self.tables.iter().map(|table| &table.rows);
        let levels = self.levels.iter().flat_map(|level| [&level.read, &level.read_bytes, &level.rows]);
        tables.chain(levels).chain([&self.document_bytes]).all(|counted| counted.value.is_sound())
    }

    /// Bytes in memory of the largest document's rows: the most that a key has of each level, times what
    /// hangs on a row of it on average.
    pub fn largest_document_bytes(&self) -> f64 {
        let mut bytes = 0.0;
        let is_nested = |level: &LevelFacts| {
            self.levels.iter().any(|above| !above.path.is_empty() && is_below(&level.path, &above.path))
        };
        for (index, level) in self.levels.iter().enumerate() {
            let below = self.levels.iter().skip(index + 1).filter(|other| is_below(&other.path, &level.path));
            let rows = level.rows.value.expected.max(1.0);
            let hanging: f64 = below.map(|other| other.kept_bytes().expected / rows).sum();
            // A dot alone says nothing: a level may lie in a mapping of the document.
            let direct = !is_nested(level);
            if level.path.is_empty() {
                bytes += level.row_bytes();
            } else if direct {
                bytes += level.largest_key() as f64 * (level.row_bytes() + hanging);
            }
        }
        bytes
    }

    /// Bytes of the rows that one task has to take because they have one key, at most.
    pub fn largest_key_bytes(&self) -> f64 {
        let of_level = |level: &LevelFacts| level.largest_key() as f64 * level.row_bytes();
        self.levels.iter().map(of_level).fold(self.largest_document_bytes(), f64::max)
    }
}

/// Whether a path lies within another one.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

/// What a run has to do, in the numbers that times hang on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Rows that are read.
    pub rows: f64,
    /// Bytes of what is read, in memory.
    pub read_bytes: f64,
    /// Bytes of what `where` leaves of it.
    pub kept_bytes: f64,
    /// And of the level that has most of them, which is copied whole once.
    pub largest_level_bytes: f64,
    /// Documents.
    pub documents: f64,
    /// Bytes of their keys and values.
    pub sent_bytes: f64,
}

impl Work {
    /// As much of everything.
    pub fn times(self, factor: f64) -> Work {
        Work {
            rows: self.rows * factor,
            read_bytes: self.read_bytes * factor,
            kept_bytes: self.kept_bytes * factor,
            largest_level_bytes: self.largest_level_bytes * factor,
            documents: self.documents * factor,
            sent_bytes: self.sent_bytes * factor,
        }
    }
}
