//! What the parser and the JSON schema share about settings: one table of names, for each kind of
//! mapping a [`Group`].

/// A setting's value, as far as an editor can tell it right from wrong.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Text of this regular expression.
    Pattern(&'static str),
    /// An SQL expression or query: text, or a number or truth value standing for itself.
    Sql,
    /// A whole number.
    Integer { min: u64, max: u64 },
    /// `20%`.
    Percentage,
    /// `900KiB`, or a number of bytes.
    Bytes,
    /// `30s`, `5m`.
    Duration,
    /// One of these words, each with its meaning.
    Words(fn() -> Vec<(&'static str, &'static str)>),
    /// A mapping with these settings.
    Group(&'static Group),
    /// A mapping with names of the writer's choice.
    MapOf(&'static Kind),
    /// A list with at least one element.
    ListOf(&'static Kind),
    /// Any of these.
    AnyOf(&'static [Kind]),
}

/// Whether a setting must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// One setting.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    pub(crate) kind: Kind,
    /// One or two sentences, for editors.
    pub(crate) about: &'static str,
}

/// A kind of mapping.
pub(crate) struct Group {
    /// Its name within the JSON schema.
    pub(crate) id: &'static str,
    /// How messages call it: "a table".
    pub(crate) title: &'static str,
    pub(crate) settings: &'static [Setting],
    /// Of these settings exactly one must be there.
    pub(crate) exactly_one: &'static [&'static str],
}

impl Group {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.settings.iter().map(|setting| setting.name)
    }
}

pub(crate) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Setting {
    Setting { name, need: Need::Required, kind, about }
}

pub(crate) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Setting {
    Setting { name, need: Need::Optional, kind, about }
}

/// A setting with a fixed set of words: how each is written, what it is, what it means.
pub(crate) trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self, &'static str)];

    /// How this value is written.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value, _)| *value == self).map_or("", |(word, _, _)| word)
    }
}

/// The words of a [`Word`] with their meanings.
pub(crate) fn words<T: Word>() -> Vec<(&'static str, &'static str)> {
    T::WORDS.iter().map(|(word, _, about)| (*word, *about)).collect()
}
