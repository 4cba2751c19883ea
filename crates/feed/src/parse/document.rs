use crate::diagnostic::Mistakes;
use crate::feed_settings::{DOCUMENT, ELEMENT, SHAPES};
use crate::model::{Element, Field, JoinColumn, Node as Level, Shape, Spanned};
use crate::nearest::{did_you_mean, quoted_list};
use crate::section::{self, Section};
use crate::tree::{Data, Entry, Node};

/// The document; none where its table or fields can't be told.
pub(super) fn root(node: &Node, mistakes: &mut Mistakes) -> Option<Level> {
    let section = Section::open(node, &DOCUMENT, mistakes)?;
    level(&section, "from", Vec::new(), mistakes)
}

fn level(section: &Section<'_>, table: &str, on: Vec<JoinColumn>, mistakes: &mut Mistakes) -> Option<Level> {
    let table = section.text(table, mistakes);
    let key = super::setting_sql(section, "key", mistakes);
    let fields = section.get("fields").map(|node| fields(node, mistakes)).unwrap_or_default();
    Some(Level { table: table?, key, on, fields })
}

fn fields(node: &Node, mistakes: &mut Mistakes) -> Vec<Field> {
    let Some(entries) = section::filled_mapping(node, "`fields`", mistakes) else { return Vec::new() };
    entries.into_iter().filter_map(|entry| field(entry, mistakes)).collect()
}

fn field(entry: &Entry, mistakes: &mut Mistakes) -> Option<Field> {
    if entry.name.is_empty() {
        mistakes.add(&entry.span, "a field must have a name");
    }
    let shape = match &entry.value.data {
        Data::Mapping(settings) => shape(entry, settings, mistakes)?,
        Data::Null => {
            let help = "an expression, or a mapping; for SQL's null write `cast(null as string)`".to_owned();
            mistakes.add_with_help(&entry.span, format!("field `{}` has no value", entry.name), help);
            return None;
        }
        _ => {
            let what = format!("field `{}`", entry.name);
            Shape::Value { sql: super::sql(&entry.value, &what, mistakes)?, mask: None }
        }
    };
    Some(Field { name: entry.name.clone(), span: entry.span.clone(), shape })
}

/// A field's mapping: the one setting that decides says which others there may be.
fn shape(entry: &Entry, settings: &[Entry], mistakes: &mut Mistakes) -> Option<Shape> {
    let has = |name: &str| settings.iter().any(|setting| setting.name == name);
    // `one` and `many` have `fields` of their own.
    let nested = has("one") || has("many");
    let given: Vec<_> =
        SHAPES.iter().filter(|(name, _)| has(name) && !(nested && *name == "fields")).collect();
    match given.as_slice() {
        [] => no_shape(entry, settings, mistakes),
        [(word, group)] => {
            let section = Section::open(&entry.value, group, mistakes)?;
            shape_of(word, &section, mistakes)
        }
        several => {
            let words: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            let message = format!("field `{}` takes only one of {}", entry.name, quoted_list(&words));
            mistakes.add(&entry.span, message);
            None
        }
    }
}

fn no_shape(entry: &Entry, settings: &[Entry], mistakes: &mut Mistakes) -> Option<Shape> {
    let words = SHAPES.map(|(name, _)| name);
    let message = format!("field `{}` needs one of {}", entry.name, quoted_list(&words));
    let meant = settings.iter().find_map(|setting| did_you_mean(&setting.name, words));
    let help = meant.unwrap_or_else(|| "for an object, put its fields under `fields:`".to_owned());
    mistakes.add_with_help(&entry.span, message, help);
    None
}

fn shape_of(word: &str, section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Shape> {
    match word {
        "value" => {
            let mask = section.word("mask", mistakes);
            Some(Shape::Value { sql: super::setting_sql(section, "value", mistakes)?, mask })
        }
        "fields" => Some(Shape::Fields(fields(section.get("fields")?, mistakes))),
        "list" => Some(Shape::List(elements(section.get("list")?, mistakes))),
        _ => {
            let on = on(section, mistakes);
            let level = level(section, word, on, mistakes)?;
            Some(if word == "one" { Shape::One(level) } else { Shape::Many(level) })
        }
    }
}

fn elements(node: &Node, mistakes: &mut Mistakes) -> Vec<Element> {
    let items = section::sequence(node, "`list`", mistakes).unwrap_or_default();
    let element = |item: &Node, mistakes: &mut Mistakes| {
        let section = Section::open(item, &ELEMENT, mistakes)?;
        let when = super::setting_sql(&section, "when", mistakes);
        Some(Element { when, fields: fields(section.get("fields")?, mistakes) })
    };
    items.iter().filter_map(|item| element(item, mistakes)).collect()
}

/// `on: column`, or `on: {child_column: parent_column}`.
fn on(section: &Section<'_>, mistakes: &mut Mistakes) -> Vec<JoinColumn> {
    let Some(node) = section.get("on") else { return Vec::new() };
    let Data::Mapping(_) = &node.data else {
        let column = section::text(node, "`on`", mistakes);
        let same = |text: Spanned<String>| JoinColumn {
            child: text.value.clone(),
            parent: text.value,
            span: text.span,
        };
        return column.map(same).into_iter().collect();
    };
    let entries = section::filled_mapping(node, "`on`", mistakes).unwrap_or_default();
    let pair = |entry: &Entry, mistakes: &mut Mistakes| {
        let what = format!("the parent's column for `{}`", entry.name);
        let parent = section::text(&entry.value, &what, mistakes)?;
        let span = entry.span.start..parent.span.end.max(entry.span.end);
        Some(JoinColumn { child: entry.name.clone(), parent: parent.value, span })
    };
    entries.into_iter().filter_map(|entry| pair(entry, mistakes)).collect()
}
