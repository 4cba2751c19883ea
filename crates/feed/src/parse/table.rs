use crate::column_type::ColumnType;
use crate::diagnostic::Mistakes;
use crate::feed_settings::{LAYOUT_SETTINGS, MAX_SKIPPED_LINES, READY, TABLE, TEXT_SETTINGS};
use crate::model::{
    DEFAULT_PARTITION, FileFormat, Header, Layout, Ready, Source, Spanned, Table, TextDialect, TextLayout,
};
use crate::scalars;
use crate::section::{self, Section};
use crate::tree::{Data, Entry, Node};
use crate::words::ReadyWord;

/// The word for "no such character".
const NONE: &str = "none";

pub(super) fn tables(node: &Node, mistakes: &mut Mistakes) -> Vec<Table> {
    let Some(entries) = section::filled_mapping(node, "`tables`", mistakes) else { return Vec::new() };
    entries.into_iter().filter_map(|entry| table(entry, mistakes)).collect()
}

fn table(entry: &Entry, mistakes: &mut Mistakes) -> Option<Table> {
    if !is_name(&entry.name) {
        let message = format!("a table's name must be a plain SQL name, and is `{}`", entry.name);
        mistakes.add_with_help(&entry.span, message, "letters, digits and `_`, not a digit first".to_owned());
    }
    let section = Section::open(&entry.value, &TABLE, mistakes)?;
    let query = super::setting_sql(&section, "sql", mistakes);
    if section.has("sql") && !section.has("source") {
        for setting in LAYOUT_SETTINGS.into_iter().filter(|name| section.has(name)) {
            let message = format!("`{setting}` says how files lie, and a table with `sql` has none");
            mistakes.add(&section.place(setting), message);
        }
    }
    let source = section.text("source", mistakes).and_then(|text| warehouse(&text, mistakes));
    let written = section.get("source").or_else(|| section.get("sql"));
    Some(Table {
        name: entry.name.clone(),
        span: entry.span.clone(),
        source_span: written.map_or_else(|| entry.span.clone(), |node| node.span.clone()),
        filter: super::setting_sql(&section, "where", mistakes),
        layout: layout(&section, mistakes),
        source: source.or(query.map(Source::Query))?,
    })
}

/// A name that SQL takes unquoted, in this case or folded to lower case.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn warehouse(text: &Spanned<String>, mistakes: &mut Mistakes) -> Option<Source> {
    let parts: Vec<&str> = text.value.split('.').collect();
    let fits = |part: &&str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-'))
    };
    match parts.as_slice() {
        [table] if fits(table) => Some(Source::Warehouse { database: None, table: (*table).to_owned() }),
        [database, table] if fits(database) && fits(table) => {
            Some(Source::Warehouse { database: Some((*database).to_owned()), table: (*table).to_owned() })
        }
        _ => {
            let message = format!("`source` must be `database.table` or `table`, and is `{}`", text.value);
            mistakes.add(&text.span, message);
            None
        }
    }
}

fn layout(section: &Section<'_>, mistakes: &mut Mistakes) -> Layout {
    let format: Option<FileFormat> = section.word("format", mistakes);
    tell_misplaced(section, format, mistakes);
    let partition = section.parsed("partition", partition, mistakes);
    Layout {
        format,
        text: text_layout(section, mistakes),
        columns: section.get("columns").and_then(|node| columns(node, mistakes)),
        partition: partition.unwrap_or_else(|| DEFAULT_PARTITION.to_owned()),
        ready: ready(section, mistakes).unwrap_or(Ready::Exists),
    }
}

fn ready(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Ready> {
    let node = section.get("ready")?;
    if !matches!(node.data, Data::Mapping(_)) {
        return section.word("ready", mistakes).map(|word| match word {
            ReadyWord::Exists => Ready::Exists,
            ReadyWord::SuccessFile => Ready::SuccessFile,
        });
    }
    let inner = Section::open(node, &READY, mistakes)?;
    let parameter = inner.parsed("parameter", parameter, mistakes);
    let unchanged = inner.parsed("unchanged_for", scalars::duration, mistakes).map(Ready::UnchangedFor);
    let rows = inner.parsed("rows_within", scalars::percentage, mistakes).map(Ready::RowsWithin);
    parameter.or(unchanged).or(rows)
}

/// `NAME=VALUE`, or `NAME` for any value.
fn parameter(text: &str) -> Result<Ready, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
        None => (text.trim(), None),
    };
    if name.is_empty() {
        return Err(format!("must be NAME=VALUE or NAME, and is `{text}`"));
    }
    Ok(Ready::Parameter { name: name.to_owned(), value })
}

/// What says how text lies has no place where the files are not text.
fn tell_misplaced(section: &Section<'_>, format: Option<FileFormat>, mistakes: &mut Mistakes) {
    if format.is_none_or(|format| format == FileFormat::Text) {
        return;
    }
    for setting in TEXT_SETTINGS.into_iter().filter(|name| section.has(name)) {
        mistakes.add(&section.place(setting), format!("only `format: text` has `{setting}`"));
    }
}

/// A directory `name=value` or a column: no path may come out of it.
fn partition(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be a column's name such as load_date, and is `{text}`"))
    }
}

fn text_layout(section: &Section<'_>, mistakes: &mut Mistakes) -> TextLayout {
    let optional = |name: &str, or: Option<u8>, mistakes: &mut Mistakes| {
        section.parsed(name, optional_byte, mistakes).unwrap_or(or)
    };
    let or = TextLayout::default();
    let lines = |name: &str, mistakes: &mut Mistakes| {
        let count = section.parsed(name, scalars::integer(0, MAX_SKIPPED_LINES), mistakes);
        count.map_or(0, |count| count as u32)
    };
    let layout = TextLayout {
        dialect: TextDialect::Strict,
        delimiter: section.parsed("delimiter", scalars::byte, mistakes).unwrap_or(or.delimiter),
        header: section.word("header", mistakes).unwrap_or(Header::Absent),
        quote: optional("quote", or.quote, mistakes),
        escape: optional("escape", or.escape, mistakes),
        null: section.exact_text("null", mistakes).map_or(or.null, |text| text.value),
        collection: section.parsed("collection", scalars::byte, mistakes).unwrap_or(or.collection),
        map_key: section.parsed("map_key", scalars::byte, mistakes).unwrap_or(or.map_key),
        skip_header_lines: lines("skip_header_lines", mistakes),
        skip_footer_lines: lines("skip_footer_lines", mistakes),
    };
    if layout.collection == layout.map_key {
        for name in ["collection", "map_key"].into_iter().filter(|name| section.has(name)) {
            mistakes
                .add(&section.place(name), "`collection` and `map_key` are the same character".to_owned());
        }
    }
    for (name, byte) in [("collection", layout.collection), ("map_key", layout.map_key)] {
        if section.has(name) && byte == layout.delimiter {
            mistakes.add(&section.place(name), format!("`{name}` is the same character as `delimiter`"));
        }
    }
    for (name, byte) in [("quote", layout.quote), ("escape", layout.escape)] {
        if section.has(name) && byte == Some(layout.delimiter) {
            mistakes.add(&section.place(name), format!("`{name}` is the same character as `delimiter`"));
        }
    }
    layout
}

fn optional_byte(text: &str) -> Result<Option<u8>, String> {
    if text == NONE { Ok(None) } else { scalars::byte(text).map(Some) }
}

fn columns(node: &Node, mistakes: &mut Mistakes) -> Option<Vec<(String, ColumnType)>> {
    let entries = section::filled_mapping(node, "`columns`", mistakes)?;
    let column = |entry: &Entry, mistakes: &mut Mistakes| {
        let what = format!("column `{}`", entry.name);
        let text = section::text(&entry.value, &what, mistakes)?;
        match ColumnType::parse(&text.value) {
            Ok(kind) => Some((entry.name.clone(), kind)),
            Err(error) => {
                mistakes.add(&text.span, format!("{what} {error}"));
                None
            }
        }
    };
    Some(entries.into_iter().filter_map(|entry| column(entry, mistakes)).collect())
}
