//! From a feed file's text to a [`Feed`], or every mistake that the text alone shows.

mod document;
mod gates;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};

use crate::diagnostic::{Diagnostics, Mistakes};
use crate::feed_settings::{CHUNKS, ENVELOPE, EVENT, FEED, FORMAT, MAX_PARTITIONS};
use crate::model::{
    Atomicity, BigIntegers, Chunks, Decimals, Envelope, EnvelopeStyle, Feed, Field, Format, Mask, NotANumber,
    Nulls, Shape, Span, Spanned,
};
use crate::nearest::did_you_mean;
use crate::scalars;
use crate::section::{self, Section};
use crate::source::SourceText;
use crate::tree::{self, Data, Node};

/// Records in a chunk where the feed does not say.
pub const DEFAULT_CHUNK_RECORDS: u64 = 50_000;
/// Bytes in a chunk where the feed does not say.
pub const DEFAULT_CHUNK_BYTES: u64 = 64 << 20;
/// How timestamps are written where the feed does not say.
pub const DEFAULT_TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";
/// How dates are written where the feed does not say.
pub const DEFAULT_DATE: &str = "%Y-%m-%d";

/// A feed file as far as it could be read.
#[derive(Debug)]
pub struct Draft {
    /// The feed, where its tables and its document are clear enough to be held against schemas.
    /// What was mistaken is left out of it.
    pub feed: Option<Feed>,
    /// The file.
    pub source: SourceText,
    pub(crate) mistakes: Mistakes,
    /// Tables whose columns can't be known, which was told.
    pub(crate) unknown: BTreeSet<String>,
    /// How many of the mistakes are not the text's own.
    pub(crate) added: usize,
}

impl Draft {
    /// The feed if the file holds no mistake, else all of them.
    pub fn finish(self) -> Result<(Feed, SourceText), Diagnostics> {
        match self.feed {
            Some(feed) if self.mistakes.0.is_empty() => Ok((feed, self.source)),
            _ => Err(Diagnostics::new(&self.source, self.mistakes.0)),
        }
    }

    /// Tells that the columns of a table can't be known, and why, where the feed says what it reads.
    /// What is made of the table is then not held against it.
    pub fn unknown_table(&mut self, name: &str, message: impl Into<String>, help: Option<String>) {
        let tables = self.feed.iter().flat_map(|feed| &feed.tables);
        let place =
            tables.into_iter().find(|table| table.name == name).map(|table| table.source_span.clone());
        self.mistakes.add_with_help(&place.unwrap_or(0..0), message, help);
        self.unknown.insert(name.to_owned());
        self.added += 1;
    }

    /// Tells each field that is masked with a key, for an environment that has none.
    pub fn lacks_mask_key(&mut self, environment: &str) {
        let Some(feed) = &self.feed else { return };
        for (field, span) in fields_masked_with_a_key(&feed.document.fields) {
            let message = format!(
                "field `{field}` is masked with a key, and environment `{environment}` has no `mask_key`"
            );
            let help = "add `mask_key: \"${NAME}\"` to the environment in the project file".to_owned();
            self.mistakes.add_with_help(&span, message, help);
            self.added += 1;
        }
    }

    /// Whether the text alone shows no mistake.
    pub fn is_whole(&self) -> bool {
        self.feed.is_some() && self.mistakes.0.len() == self.added
    }
}

fn fields_masked_with_a_key(fields: &[Field]) -> Vec<(String, Span)> {
    let inside = |field: &Field| match &field.shape {
        Shape::Value { mask: Some(Mask::HmacSha256), .. } => vec![(field.name.clone(), field.span.clone())],
        Shape::Value { .. } => Vec::new(),
        Shape::Fields(inner) => fields_masked_with_a_key(inner),
        Shape::List(elements) => {
            elements.iter().flat_map(|element| fields_masked_with_a_key(&element.fields)).collect()
        }
        Shape::One(node) | Shape::Many(node) => fields_masked_with_a_key(&node.fields),
    };
    fields.iter().flat_map(inside).collect()
}

/// Reads a feed file. `file_name` is what messages call it.
pub fn parse(file_name: &str, text: &str) -> Result<(Feed, SourceText), Diagnostics> {
    draft(file_name, text).finish()
}

/// Reads a feed file as far as it can be read, so that what is left can still be held against
/// schemas, and a person sees the mistakes of both at once.
pub fn draft(file_name: &str, text: &str) -> Draft {
    let source = SourceText::new(file_name, text);
    let mut mistakes = Mistakes::default();
    let root = tree::read(text, &mut mistakes);
    let empty = root.as_ref().is_none_or(|root| matches!(root.data, Data::Null));
    if empty && mistakes.0.is_empty() {
        let help = "`hivecast init DIR` writes an example".to_owned();
        mistakes.add_with_help(&(0..0), "the feed is empty", help);
    }
    let feed = root.filter(|_| !empty).and_then(|root| feed(&root, &mut mistakes));
    Draft { feed, source, mistakes, unknown: BTreeSet::new(), added: 0 }
}

fn feed(root: &Node, mistakes: &mut Mistakes) -> Option<Feed> {
    let section = Section::open(root, &FEED, mistakes)?;
    let name = section.parsed("feed", feed_name, mistakes).unwrap_or_default();
    let topic = section.parsed("topic", topic_name, mistakes).unwrap_or_default();
    let partitions = section.parsed("partitions", scalars::integer(1, MAX_PARTITIONS), mistakes);
    let before = mistakes.0.len();
    let tables = section.get("tables").map(|node| table::tables(node, mistakes));
    let tables_are_clear = mistakes.0.len() == before;
    let document = section.get("document").and_then(|node| document::root(node, mistakes));
    let envelope = envelope(&section, &name, mistakes);
    let format = format(&section, mistakes);
    let gates = section.get("gates").map(|node| gates::gates(node, mistakes)).unwrap_or_default();
    let feed = Feed {
        topic_settings: topic_settings(&section, mistakes),
        chunks: chunks(&section, mistakes),
        name,
        topic,
        // MAX_PARTITIONS fits; without a number there is a mistake, and nothing uses this one.
        partitions: partitions.and_then(|number| u32::try_from(number).ok()).unwrap_or(1),
        tables: tables?,
        document: document?,
        envelope,
        format,
        gates,
    };
    tables_are_clear.then_some(feed)
}

fn feed_name(text: &str) -> Result<String, String> {
    let fits = text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(is_name_character);
    let rule = "must be letters, digits, `-`, `_` and `.`, at most 128, the first a letter or digit";
    if fits { Ok(text.to_owned()) } else { Err(format!("{rule}, and is `{text}`")) }
}

fn topic_name(text: &str) -> Result<String, String> {
    let fits =
        (1..=249).contains(&text.len()) && text.chars().all(is_name_character) && !matches!(text, "." | "..");
    let rule = "must be letters, digits, `-`, `_` and `.`, at most 249";
    if fits { Ok(text.to_owned()) } else { Err(format!("{rule}, and is `{text}`")) }
}

fn is_name_character(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

fn topic_settings(section: &Section<'_>, mistakes: &mut Mistakes) -> BTreeMap<String, String> {
    let Some(node) = section.get("topic_settings") else { return BTreeMap::new() };
    let entries = section::filled_mapping(node, "`topic_settings`", mistakes).unwrap_or_default();
    let mut settings = BTreeMap::new();
    for entry in entries {
        let what = format!("topic setting `{}`", entry.name);
        if let Some(value) = text_or_list(&entry.value, &what, mistakes) {
            settings.insert(entry.name.clone(), value);
        }
    }
    settings
}

/// A scalar, or a list of them joined by commas, as Kafka writes lists.
pub(crate) fn text_or_list(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<String> {
    if let Data::Sequence(_) = node.data {
        let items = section::sequence(node, what, mistakes)?;
        let texts: Vec<Spanned<String>> =
            items.iter().filter_map(|item| section::text(item, what, mistakes)).collect();
        return Some(texts.into_iter().map(|text| text.value).collect::<Vec<_>>().join(","));
    }
    section::text(node, what, mistakes).map(|text| text.value)
}

fn chunks(section: &Section<'_>, mistakes: &mut Mistakes) -> Chunks {
    let inner = section.get("chunks").and_then(|node| Section::open(node, &CHUNKS, mistakes));
    let mut chunks =
        Chunks { records: DEFAULT_CHUNK_RECORDS, bytes: DEFAULT_CHUNK_BYTES, atomic: Atomicity::Chunk };
    if let Some(inner) = inner {
        let records = inner.parsed("records", scalars::integer(1, u64::MAX), mistakes);
        chunks.records = records.unwrap_or(chunks.records);
        chunks.bytes = inner.parsed("bytes", scalars::bytes, mistakes).unwrap_or(chunks.bytes);
    }
    chunks.atomic = section.word("atomic", mistakes).unwrap_or(chunks.atomic);
    chunks
}

fn envelope(section: &Section<'_>, feed: &str, mistakes: &mut Mistakes) -> Envelope {
    let mut envelope = Envelope {
        style: EnvelopeStyle::Plain,
        event_type: feed.to_owned(),
        major_version: 1,
        minor_version: 0,
    };
    let Some(inner) = section.get("envelope").and_then(|node| Section::open(node, &ENVELOPE, mistakes))
    else {
        return envelope;
    };
    let style: Option<EnvelopeStyle> = inner.word("style", mistakes);
    envelope.style = style.unwrap_or(envelope.style);
    let Some(event) = inner.get("event").and_then(|node| Section::open(node, &EVENT, mistakes)) else {
        return envelope;
    };
    let style_is_known = style.is_some() || !inner.has("style");
    if style_is_known && envelope.style != EnvelopeStyle::Operations {
        let help = "say `style: operations`, or leave `event` out".to_owned();
        mistakes.add_with_help(&event.at, "only `style: operations` has an `event`", help);
    }
    let version = |name: &str, or: u32, mistakes: &mut Mistakes| {
        let number = event.parsed(name, scalars::integer(0, u64::from(u32::MAX)), mistakes);
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(or)
    };
    envelope.major_version = version("majorSchemaVersion", envelope.major_version, mistakes);
    envelope.minor_version = version("minorSchemaVersion", envelope.minor_version, mistakes);
    if let Some(kind) = event.text("type", mistakes) {
        envelope.event_type = kind.value;
    }
    envelope
}

fn format(section: &Section<'_>, mistakes: &mut Mistakes) -> Format {
    let mut format = Format {
        timezone: "UTC".to_owned(),
        timestamp: DEFAULT_TIMESTAMP.to_owned(),
        date: DEFAULT_DATE.to_owned(),
        nulls: Nulls::Omit,
        decimals: Decimals::Text,
        nan: NotANumber::Null,
        big_integers: BigIntegers::Number,
    };
    let Some(inner) = section.get("format").and_then(|node| Section::open(node, &FORMAT, mistakes)) else {
        return format;
    };
    if let Some(zone) = inner.text("timezone", mistakes) {
        format.timezone = timezone(zone, mistakes);
    }
    format.timestamp = inner.parsed("timestamp", timestamp_pattern, mistakes).unwrap_or(format.timestamp);
    format.date = inner.parsed("date", date_pattern, mistakes).unwrap_or(format.date);
    format.nulls = inner.word("nulls", mistakes).unwrap_or(format.nulls);
    format.decimals = inner.word("decimals", mistakes).unwrap_or(format.decimals);
    format.nan = inner.word("nan", mistakes).unwrap_or(format.nan);
    format.big_integers = inner.word("big_integers", mistakes).unwrap_or(format.big_integers);
    format
}

fn timezone(zone: Spanned<String>, mistakes: &mut Mistakes) -> String {
    if zone.value.parse::<chrono_tz::Tz>().is_err() {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let help = did_you_mean(&zone.value, names)
            .unwrap_or_else(|| "write an IANA name such as Europe/Berlin".to_owned());
        mistakes.add_with_help(&zone.span, format!("no time zone `{}`", zone.value), help);
    }
    zone.value
}

/// A pattern that formats every timestamp. The formatter is asked, since only it knows.
fn timestamp_pattern(text: &str) -> Result<String, String> {
    let sample = DateTime::<Utc>::UNIX_EPOCH.with_timezone(&chrono_tz::UTC);
    let mut formatted = String::new();
    match write!(formatted, "{}", sample.format(text)) {
        Ok(()) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("is no strftime pattern for timestamps: `{text}`")),
    }
}

/// A pattern that formats every date: one that asks for no time of day.
fn date_pattern(text: &str) -> Result<String, String> {
    let sample = NaiveDate::default();
    let mut formatted = String::new();
    match write!(formatted, "{}", sample.format(text)) {
        Ok(()) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("is no strftime pattern for dates: `{text}`")),
    }
}

/// An SQL expression or query.
fn sql(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Spanned<String>> {
    section::text(node, what, mistakes)
}

/// A setting that names a table or a column.
fn name(section: &Section<'_>, setting: &str, mistakes: &mut Mistakes) -> Option<String> {
    section.text(setting, mistakes).map(|text| text.value)
}

/// A setting that holds an expression or a query.
fn setting_sql(section: &Section<'_>, setting: &str, mistakes: &mut Mistakes) -> Option<Spanned<String>> {
    sql(section.get(setting)?, &format!("`{setting}`"), mistakes)
}
