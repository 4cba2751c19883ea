//! Patterns of `like` and regular expressions.
//!
//! DataFusion's expressions know all of Unicode where Java's know ASCII, and have classes of their own. So
//! they are not passed on as they stand: what they mean is written in the few forms that both read alike, each
//! class as ranges of letters.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// A literal pattern of `like`, if both read its backslashes alike.
pub(super) fn of_like(pattern: &str) -> Result<String, String> {
    like_parts(pattern)?;
    Ok(pattern.to_owned())
}

/// A literal pattern of `ilike` as a regular expression: Spark's own folds other letters.
pub(super) fn of_ilike(pattern: &str) -> Result<String, String> {
    let mut regex = String::new();
    for part in like_parts(pattern)? {
        match part {
            LikePart::Any => regex.push_str("(?s:.*)"),
            LikePart::One => regex.push_str("(?s:.)"),
            LikePart::Letter(letter) => regex.push_str(&folded(letter)?),
        }
    }
    Ok(format!("\\A(?:{regex})\\z"))
}

/// A letter in all cases.
fn folded(letter: char) -> Result<String, String> {
    let escaped = regex_syntax::escape(&letter.to_string());
    let hir = regex_syntax::ParserBuilder::new().case_insensitive(true).build().parse(&escaped);
    written(&hir.map_err(|error| error.to_string())?)
}

enum LikePart {
    Any,
    One,
    Letter(char),
}

fn like_parts(pattern: &str) -> Result<Vec<LikePart>, String> {
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '%' => LikePart::Any,
            '_' => LikePart::One,
            '\\' => match letters.next() {
                Some(escaped @ ('%' | '_' | '\\')) => LikePart::Letter(escaped),
                _ => {
                    return Err(
                        "in a pattern of LIKE Spark allows `\\` only before `%`, `_` and `\\`".to_owned()
                    );
                }
            },
            letter => LikePart::Letter(letter),
        });
    }
    Ok(parts)
}

/// A regular expression that both read alike.
#[derive(Debug)]
pub(super) struct Regex {
    /// As Java and Rust read it.
    pub(super) written: String,
    /// Whether it may match where there is nothing.
    pub(super) may_be_empty: bool,
    pub(super) groups: usize,
}

/// What a regular expression of DataFusion means.
pub(super) fn regex(pattern: &str, flags: &str) -> Result<Regex, String> {
    if let Some(flag) = flags.chars().find(|flag| !"imsU".contains(*flag)) {
        return Err(format!("the flag `{flag}` of a regular expression is not written for Spark"));
    }
    let whole = if flags.is_empty() { pattern.to_owned() } else { format!("(?{flags}){pattern}") };
    let hir = regex_syntax::parse(&whole)
        .map_err(|error| format!("`{pattern}` is no regular expression: {error}"))?;
    let properties = hir.properties();
    Ok(Regex {
        written: written(&hir)?,
        may_be_empty: properties.minimum_len().is_none_or(|length| length == 0),
        groups: properties.explicit_captures_len(),
    })
}

fn written(hir: &Hir) -> Result<String, String> {
    Ok(match hir.kind() {
        HirKind::Empty => String::new(),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| NOT_TEXT.to_owned())?;
            text.chars().map(letter).collect()
        }
        HirKind::Class(Class::Unicode(class)) => {
            let ranges: String = class.iter().map(|range| range_of(range.start(), range.end())).collect();
            if ranges.is_empty() {
                return Err("a regular expression that matches nothing is not written for Spark".to_owned());
            }
            format!("[{ranges}]")
        }
        HirKind::Class(Class::Bytes(class)) => {
            let ascii = |byte: u8| byte.is_ascii().then_some(char::from(byte));
            let range = |range: &regex_syntax::hir::ClassBytesRange| {
                Some(range_of(ascii(range.start())?, ascii(range.end())?))
            };
            let ranges: Option<String> = class.iter().map(range).collect();
            format!("[{}]", ranges.filter(|ranges| !ranges.is_empty()).ok_or_else(|| NOT_TEXT.to_owned())?)
        }
        HirKind::Look(Look::Start) => "\\A".to_owned(),
        HirKind::Look(Look::End) => "\\z".to_owned(),
        HirKind::Look(Look::StartLF | Look::EndLF | Look::StartCRLF | Look::EndCRLF) => {
            return Err(
                "Java ends lines at other letters: `^` and `$` of lines are not written for Spark".to_owned()
            );
        }
        HirKind::Look(_) => {
            return Err(
                "Java ends words at other letters: `\\b` and `\\B` are not written for Spark".to_owned()
            );
        }
        HirKind::Repetition(repetition) => format!("(?:{}){}", written(&repetition.sub)?, times(repetition)),
        HirKind::Capture(capture) => format!("({})", written(&capture.sub)?),
        HirKind::Concat(parts) => parts.iter().map(written).collect::<Result<String, String>>()?,
        HirKind::Alternation(ways) => {
            let ways = ways.iter().map(written).collect::<Result<Vec<_>, String>>()?;
            format!("(?:{})", ways.join("|"))
        }
    })
}

const NOT_TEXT: &str = "a regular expression over bytes is not written for Spark";

fn times(repetition: &Repetition) -> String {
    let count = match (repetition.min, repetition.max) {
        (0, Some(1)) => "?".to_owned(),
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (least, None) => format!("{{{least},}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    };
    format!("{count}{}", if repetition.greedy { "" } else { "?" })
}

fn range_of(first: char, last: char) -> String {
    match first == last {
        true => letter(first),
        false => format!("{}-{}", letter(first), letter(last)),
    }
}

/// A letter that stands for itself, also within a class.
fn letter(letter: char) -> String {
    match letter {
        // In Rust `\<` and `\>` are ends of words.
        letter if letter.is_ascii_alphanumeric() || matches!(letter, '<' | '>') => letter.to_string(),
        letter if letter.is_ascii_punctuation() => format!("\\{letter}"),
        letter => format!("\\x{{{:X}}}", u32::from(letter)),
    }
}

/// What stands in for a match.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Group(usize),
}

/// A replacement in DataFusion's words: `\1`, `$1` and `${1}` are groups.
pub(super) fn replacement(written: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = written;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        let digits = |text: &str| text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let group = match first {
            '\\' => {
                let behind = rest.strip_prefix('\\').unwrap_or(rest);
                let count = digits(behind);
                (count > 0).then(|| (behind[..count].to_owned(), &behind[count..]))
            }
            '$' if rest.starts_with('$') => {
                plain.push('$');
                rest = &rest[1..];
                continue;
            }
            '$' if rest.starts_with('{') => {
                rest[1..].split_once('}').map(|(name, after)| (name.to_owned(), after))
            }
            '$' => {
                let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let count = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
                (count > 0).then(|| (rest[..count].to_owned(), &rest[count..]))
            }
            _ => None,
        };
        let Some((name, after)) = group else {
            plain.push(first);
            continue;
        };
        let number = name.parse().map_err(|_| {
            format!("the group `{name}` of a replacement is not written for Spark: number it")
        })?;
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Group(number));
        rest = after;
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_are_written_by_what_they_mean() {
        for (pattern, flags, expected) in [
            ("^[ab]+$", "", r"\A(?:[a-b])+\z"),
            ("(a|bc)?x{2,3}?", "", r"(?:((?:a|bc)))?(?:x){2,3}?"),
            (r"\.\-", "", r"\.\-"),
            ("k", "i", r"[Kk\x{212A}]"),
            ("[[:digit:]]", "", "[0-9]"),
            ("a.", "s", r"a[\x{0}-\x{10FFFF}]"),
        ] {
            assert_eq!(regex(pattern, flags).unwrap().written, expected, "{pattern}");
        }
        assert!(regex(r"\d", "").unwrap().written.contains(r"\x{660}-\x{669}"));
        assert!(regex("a*", "").unwrap().may_be_empty && !regex("a", "").unwrap().may_be_empty);
        for (pattern, flags, reason) in [
            (r"\bx", "", r"Java ends words at other letters: `\b` and `\B` are not written for Spark"),
            (
                "(?m)^a",
                "",
                "Java ends lines at other letters: `^` and `$` of lines are not written for Spark",
            ),
            ("a", "x", "the flag `x` of a regular expression is not written for Spark"),
        ] {
            assert_eq!(regex(pattern, flags).unwrap_err(), reason);
        }
    }

    #[test]
    fn replacements_are_read_as_datafusion_reads_them() {
        let text = |text: &str| Part::Text(text.to_owned());
        for (written, parts) in [
            ("x", vec![text("x")]),
            (r"<\1>", vec![text("<"), Part::Group(1), text(">")]),
            ("$2${1}z", vec![Part::Group(2), Part::Group(1), text("z")]),
            (r"$$1 \a $", vec![text(r"$1 \a $")]),
        ] {
            assert_eq!(replacement(written).unwrap(), parts, "{written}");
        }
        assert!(replacement("$1x").is_err());
    }

    #[test]
    fn patterns_of_like_are_read_alike_or_refused() {
        assert_eq!(of_like(r"a\%%").unwrap(), r"a\%%");
        assert!(of_like(r"a\b").is_err() && of_like("a\\").is_err());
        assert_eq!(of_ilike(r"a_\%%").unwrap(), r"\A(?:[Aa](?s:.)\%(?s:.*))\z");
    }
}
