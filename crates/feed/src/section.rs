//! Reading settings out of the YAML tree; every mistake is added and reading goes on.

use std::collections::HashMap;
use std::rc::Rc;

use crate::diagnostic::Mistakes;
use crate::model::{Span, Spanned};
use crate::nearest::{did_you_mean_or_list, nearest, quoted_list};
use crate::settings::{Group, Kind, Need, Word};
use crate::tree::{Data, Entry, Node};

/// What most often makes a name without a value.
pub(crate) const COMMA: &str = "within `{ }` a comma ends a value: put text with a comma in quotes";

/// A mapping whose names have been held against its group.
pub(crate) struct Section<'t> {
    /// What messages about the whole point to.
    pub(crate) at: Span,
    entries: Vec<&'t Entry>,
}

impl<'t> Section<'t> {
    /// The settings of a mapping. Unknown, repeated, empty and missing ones are mistakes.
    pub(crate) fn open(node: &'t Node, group: &Group, mistakes: &mut Mistakes) -> Option<Self> {
        let all = mapping(node, group.title, mistakes)?;
        let mut entries = Vec::new();
        let mut meant = Vec::new();
        for entry in all {
            let setting = group.settings.iter().find(|setting| setting.name == entry.name);
            let Some(setting) = setting else {
                meant.extend(nearest(&entry.name, group.names()));
                tell_unknown(entry, group, mistakes);
                continue;
            };
            if matches!(entry.value.data, Data::Null) && !means_null(setting.kind) {
                mistakes.add(&entry.span, format!("`{}` has no value", entry.name));
            }
            entries.push(entry);
        }
        let section = Section { at: node.span.clone(), entries };
        section.require(group, &meant, mistakes);
        Some(section)
    }

    /// Tells what is missing, but for what a mistyped name was `meant` to be, which was told.
    fn require(&self, group: &Group, meant: &[&str], mistakes: &mut Mistakes) {
        for setting in group.settings {
            let missing = !self.has(setting.name) && !meant.contains(&setting.name);
            if setting.need == Need::Required && missing {
                mistakes.add(&self.at, format!("{} needs `{}`", group.title, setting.name));
            }
        }
        let given: Vec<&str> = group.exactly_one.iter().copied().filter(|name| self.has(name)).collect();
        match given.as_slice() {
            [] if !group.exactly_one.is_empty()
                && !group.exactly_one.iter().any(|name| meant.contains(name)) =>
            {
                let message = format!("{} needs one of {}", group.title, quoted_list(group.exactly_one));
                mistakes.add(&self.at, message);
            }
            [_, second, ..] => {
                let message = format!("{} takes only one of {}", group.title, quoted_list(&given));
                mistakes.add(&self.place(second), message);
            }
            _ => {}
        }
    }

    /// Whether the setting is written, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// The setting's value, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<&'t Rc<Node>> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        (!matches!(entry.value.data, Data::Null)).then_some(&entry.value)
    }

    /// Where the setting's name stands.
    pub(crate) fn place(&self, name: &str) -> Span {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        entry.map_or_else(|| self.at.clone(), |entry| entry.span.clone())
    }

    pub(crate) fn text(&self, name: &str, mistakes: &mut Mistakes) -> Option<Spanned<String>> {
        text(self.get(name)?, &format!("`{name}`"), mistakes)
    }

    /// A scalar's text as it is, blanks and all.
    pub(crate) fn exact_text(&self, name: &str, mistakes: &mut Mistakes) -> Option<Spanned<String>> {
        let node = self.get(name)?;
        match &node.data {
            Data::Scalar(text) => Some(Spanned { value: text.clone(), span: node.span.clone() }),
            _ => text(node, &format!("`{name}`"), mistakes),
        }
    }

    pub(crate) fn word<T: Word>(&self, name: &str, mistakes: &mut Mistakes) -> Option<T> {
        word(self.get(name)?, name, mistakes)
    }

    /// A value read out of text by `read`, whose error completes "`name` …".
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let text = self.exact_text(name, mistakes)?;
        match read(&text.value) {
            Ok(value) => Some(value),
            Err(error) => {
                mistakes.add(&text.span, format!("`{name}` {error}"));
                None
            }
        }
    }
}

fn tell_unknown(entry: &Entry, group: &Group, mistakes: &mut Mistakes) {
    let names: Vec<&str> = group.names().collect();
    if matches!(entry.value.data, Data::Null) && nearest(&entry.name, names.iter().copied()).is_none() {
        // What stands here is the rest of a value, which may be a secret: it is not repeated.
        let message = format!("a name without a value in {}", group.title);
        mistakes.add_with_help(&entry.span, message, COMMA.to_owned());
        return;
    }
    let message = format!("unknown setting `{}` in {}", entry.name, group.title);
    let help = did_you_mean_or_list(&entry.name, "it takes", &names);
    mistakes.add_with_help(&entry.span, message, help);
}

/// Whether YAML's word for nothing is one of the setting's own words, and its default.
fn means_null(kind: Kind) -> bool {
    matches!(kind, Kind::Words(words) if words().first().is_some_and(|(word, _)| *word == "null"))
}

/// A mapping's entries, with repeated names told and left out.
fn mapping<'t>(node: &'t Node, what: &str, mistakes: &mut Mistakes) -> Option<Vec<&'t Entry>> {
    let Data::Mapping(entries) = &node.data else {
        mistakes.add(&node.span, format!("{what} must be a mapping, and this is {}", node.kind()));
        return None;
    };
    let mut first: HashMap<&str, &Entry> = HashMap::new();
    let mut unique = Vec::with_capacity(entries.len());
    for entry in entries {
        if first.insert(&entry.name, entry).is_some() {
            mistakes.add(&entry.span, format!("`{}` is written twice in {what}", entry.name));
        } else {
            unique.push(entry);
        }
    }
    Some(unique)
}

/// A mapping with names of the writer's choice; an empty one is a mistake.
pub(crate) fn filled_mapping<'t>(
    node: &'t Node,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<Vec<&'t Entry>> {
    let entries = mapping(node, what, mistakes)?;
    if entries.is_empty() {
        mistakes.add(&node.span, format!("{what} must not be empty"));
    }
    Some(entries)
}

/// A list's elements; an empty list is a mistake.
pub(crate) fn sequence<'t>(node: &'t Node, what: &str, mistakes: &mut Mistakes) -> Option<&'t [Rc<Node>]> {
    let Data::Sequence(items) = &node.data else {
        mistakes.add(&node.span, format!("{what} must be a list, and this is {}", node.kind()));
        return None;
    };
    if items.is_empty() {
        mistakes.add(&node.span, format!("{what} must not be empty"));
    }
    Some(items)
}

/// A scalar's text, not blank, without white space around it.
pub(crate) fn text(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<Spanned<String>> {
    let Data::Scalar(text) = &node.data else {
        mistakes.add(&node.span, format!("{what} must be text, and this is {}", node.kind()));
        return None;
    };
    if text.trim().is_empty() {
        mistakes.add(&node.span, format!("{what} must not be blank"));
        return None;
    }
    Some(Spanned { value: text.trim().to_owned(), span: node.span.clone() })
}

/// One of the words of `T`.
pub(crate) fn word<T: Word>(node: &Node, name: &str, mistakes: &mut Mistakes) -> Option<T> {
    let text = text(node, &format!("`{name}`"), mistakes)?;
    let found = T::WORDS.iter().find(|(word, _, _)| *word == text.value);
    if found.is_none() {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _, _)| *word).collect();
        let message = format!("`{name}` can't be `{}`", text.value);
        let help = did_you_mean_or_list(&text.value, "it is one of", &words);
        mistakes.add_with_help(&text.span, message, help);
    }
    found.map(|(_, value, _)| *value)
}
