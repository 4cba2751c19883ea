use std::fmt;
use std::sync::Arc;

use crate::model::{Span, Spanned};

/// A file's name and text, for messages that point into it. Clones share the text.
#[derive(Clone)]
pub struct SourceText(Arc<Inner>);

struct Inner {
    file: String,
    text: String,
    /// Byte offsets of the first character of each line.
    lines: Vec<usize>,
    /// What of the text a message may show.
    disclosure: Disclosure,
}

/// What of a file's text a message may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disclosure {
    /// Everything but these places, which hold secrets. Sorted and apart from each other.
    AllBut(Vec<Span>),
    /// Nothing: the file may hold secrets, and where is not known.
    PlacesOnly,
}

/// What stands in a message for a secret, or for each line of one.
const HIDDEN: &str = "***";

impl SourceText {
    /// A file's text under the name that messages give it.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self::with_disclosure(file.into(), text.into(), Disclosure::AllBut(Vec::new()))
    }

    pub(crate) fn with_disclosure(file: String, text: String, disclosure: Disclosure) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        SourceText(Arc::new(Inner { file, text, lines, disclosure }))
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let offset = self.floor(offset);
        let line = self.0.lines.partition_point(|start| *start <= offset);
        let start = self.0.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.0.text[start..offset].chars().count() + 1)
    }

    /// `feeds/contracts.yaml:28:22`, where a span begins.
    pub fn spot(&self, span: &Span) -> String {
        let (line, column) = self.place(span.start);
        format!("{}:{line}:{column}", self.file())
    }

    /// The span moved onto character boundaries within the text.
    pub(crate) fn clamp(&self, span: &Span) -> Span {
        let start = self.floor(span.start);
        let end = self.floor(span.end.max(start));
        start..end
    }

    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.0.text.len());
        while !self.0.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// The text that a message may show, and where `span` lies in it. Secrets become `***`, line by
    /// line, so that line numbers stay and lengths do not tell; columns after one on its line shift.
    pub(crate) fn shown(&self, span: &Span) -> Option<(String, Span)> {
        let Disclosure::AllBut(hidden) = &self.0.disclosure else { return None };
        let (mut shown, mut taken) = (String::with_capacity(self.0.text.len()), 0);
        let mut moved = [span.start, span.end];
        for secret in hidden {
            let secret = self.clamp(secret);
            shown.push_str(self.0.text.get(taken..secret.start).unwrap_or_default());
            let from = shown.len();
            let veil = |line: &str| if line.trim().is_empty() { "" } else { HIDDEN };
            let lines: Vec<&str> = self.0.text[secret.clone()].split('\n').map(veil).collect();
            shown.push_str(&lines.join("\n"));
            for (moved, original) in moved.iter_mut().zip([span.start, span.end]) {
                if original >= secret.end {
                    *moved = original - secret.end + shown.len();
                } else if original > secret.start {
                    *moved = from;
                }
            }
            taken = secret.end;
        }
        shown.push_str(self.0.text.get(taken..).unwrap_or_default());
        Some((shown, moved[0]..moved[1]))
    }

    /// Where bytes of an expression's text stand in the file: quotes, escapes and folded lines of
    /// YAML lie between. The whole expression where they cannot be told apart.
    pub fn within(&self, expression: &Spanned<String>, bytes: &Span) -> Span {
        let place = self.clamp(&expression.span);
        let raw = &self.0.text[place.clone()];
        let Some(offsets) = align(raw, &expression.value) else { return place };
        match (offsets.get(bytes.start), offsets.get(bytes.end.saturating_sub(1))) {
            (Some(start), Some(last)) if bytes.start < bytes.end => {
                let last_width = raw[*last..].chars().next().map_or(0, char::len_utf8);
                place.start + start..place.start + last + last_width
            }
            _ => place,
        }
    }
}

/// For each byte of a scalar's value, the offset in its YAML spelling of the character it belongs
/// to; none where the spelling holds escapes that this does not follow.
fn align(raw: &str, value: &str) -> Option<Vec<usize>> {
    let quote = raw.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let mut at = match raw.chars().next() {
        Some('\'' | '"') => 1,
        Some('|' | '>') => raw.find('\n')?,
        _ => 0,
    };
    let mut offsets = Vec::with_capacity(value.len());
    for wanted in value.chars() {
        if !wanted.is_whitespace() {
            at += raw[at..].len() - raw[at..].trim_start().len();
        }
        let found = raw[at..].chars().next()?;
        if quote == Some('"') && found == '\\' {
            at += 1;
            if raw[at..].chars().next()? != wanted || !matches!(wanted, '"' | '\\' | '/' | ' ') {
                return None;
            }
        } else if found != wanted && !(wanted.is_whitespace() && found.is_whitespace()) {
            return None;
        }
        let spelled = raw[at..].chars().next()?;
        offsets.extend(std::iter::repeat_n(at, wanted.len_utf8()));
        at += spelled.len_utf8();
        if quote == Some('\'') && wanted == '\'' {
            at += 1;
        }
        if at > raw.len() {
            return None;
        }
    }
    Some(offsets)
}

impl fmt::Debug for SourceText {
    /// The name alone: the text may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceText").field("file", &self.0.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(raw: &str, value: &str, part: &str) -> String {
        let source = SourceText::new("f", format!("## {raw} ##"));
        let expression = Spanned { value: value.to_owned(), span: 3..3 + raw.len() };
        let start = value.find(part).unwrap();
        source.text()[source.within(&expression, &(start..start + part.len()))].to_owned()
    }

    #[test]
    fn parts_of_expressions_are_found_in_every_spelling() {
        assert_eq!(found("a = bé + c", "a = bé + c", "bé"), "bé");
        assert_eq!(found("'x = ''y'' or cat'", "x = 'y' or cat", "cat"), "cat");
        assert_eq!(found(r#""x = \"y\" or cat""#, r#"x = "y" or cat"#, "cat"), "cat");
        assert_eq!(found("|\n    select a\n      from cat\n", "select a\n  from cat", "cat"), "cat");
        assert_eq!(found(">-\n    select a\n    from cat\n", "select a from cat", "cat"), "cat");
        assert_eq!(found("select a\n    from cat", "select a from cat", "from cat"), "from cat");
    }

    #[test]
    fn an_escape_that_is_not_followed_gives_the_whole_expression() {
        assert_eq!(found(r#""\x61 = cat""#, "a = cat", "cat"), r#""\x61 = cat""#);
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let source = SourceText::new("f", "é: 1\r\nb: 2\n");
        assert_eq!(source.place(0), (1, 1));
        assert_eq!(source.place(3), (1, 3));
        assert_eq!(source.place(7), (2, 1));
        assert_eq!(source.place(99), (3, 1));
    }

    #[test]
    fn secrets_are_not_shown_and_lines_stay() {
        let text = "a: one\nb: |\n  two\n  three\nc: four\n";
        let secret = text.find("  two").unwrap()..text.find("\nc").unwrap();
        let source = SourceText::with_disclosure(
            "f".to_owned(),
            text.to_owned(),
            Disclosure::AllBut(vec![3..6, secret]),
        );
        let four = text.find("four").unwrap();
        let (shown, span) = source.shown(&(four..four + 4)).unwrap();
        assert_eq!(shown, "a: ***\nb: |\n***\n***\nc: four\n");
        assert_eq!(&shown[span], "four");
    }
}
