//! Text with `${NAME}` and `${file:path}` in it.

use super::secret::Secrets;
use crate::diagnostic::Mistakes;
use crate::model::Spanned;

/// Text whose parts are known once secrets are looked up.
#[derive(Clone)]
pub(super) struct Template {
    parts: Vec<Part>,
    pub(super) span: crate::model::Span,
}

#[derive(Clone)]
enum Part {
    Literal(String),
    Variable(String),
    File(String),
}

/// What begins a path where a variable's name would stand.
const FILE: &str = "file:";

impl Template {
    /// Splits text at `${…}`; `$${` stands for `${` itself. The error says what is wrong.
    pub(super) fn parse(text: &Spanned<String>) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.value.as_str();
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = after;
                continue;
            }
            literal.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err("`${` without its `}`; write `$${` for the characters themselves".to_owned());
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(part(name)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Template { parts, span: text.span.clone() })
    }

    /// Whether all of it stands in the file.
    pub(super) fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The text with every part looked up; none after telling what is not there.
    pub(super) fn resolve(&self, secrets: &dyn Secrets, mistakes: &mut Mistakes) -> Option<String> {
        let mut text = String::new();
        let mut whole = true;
        for part in &self.parts {
            match look_up(part, secrets) {
                Ok(found) => text.push_str(&found),
                Err((message, help)) => {
                    mistakes.add_with_help(&self.span, message, Some(help));
                    whole = false;
                }
            }
        }
        whole.then_some(text)
    }
}

fn part(name: &str) -> Result<Part, String> {
    if let Some(path) = name.strip_prefix(FILE) {
        return match path.trim() {
            "" => Err("`${file:}` without a path".to_owned()),
            path => Ok(Part::File(path.to_owned())),
        };
    }
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if fits {
        Ok(Part::Variable(name.to_owned()))
    } else {
        // The name is not repeated: a secret written by mistake would be.
        Err("`${…}` takes a variable's name or `file:` and a path".to_owned())
    }
}

fn look_up(part: &Part, secrets: &dyn Secrets) -> Result<String, (String, String)> {
    match part {
        Part::Literal(text) => Ok(text.clone()),
        Part::Variable(name) => secrets.variable(name).ok_or_else(|| {
            let help = format!("set it, or take the value from a file with `${{{FILE}/path}}`");
            (format!("the environment variable `{name}` is not set"), help)
        }),
        Part::File(path) => match secrets.file(path) {
            Ok(text) => {
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
            }
            Err(error) => Err((
                format!("failed to read the file `{path}`: {error}"),
                "it must exist and be readable by who runs hivecast".to_owned(),
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Secrets for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "USER_1").then(|| "ann".to_owned())
        }

        fn file(&self, path: &str) -> std::io::Result<String> {
            match path {
                "/run/p" => Ok("secret\r\n".to_owned()),
                "/run/two" => Ok("a\n\n".to_owned()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        }
    }

    fn resolved(text: &str) -> Result<String, String> {
        let template = Template::parse(&Spanned { value: text.to_owned(), span: 0..1 })?;
        let mut mistakes = Mistakes::default();
        template.resolve(&Fixed, &mut mistakes).ok_or_else(|| mistakes.0[0].message.clone())
    }

    #[test]
    fn parts_are_looked_up_and_escapes_are_not() {
        assert_eq!(resolved("a${USER_1}b").as_deref(), Ok("aannb"));
        assert_eq!(resolved("${file:/run/p}").as_deref(), Ok("secret"));
        assert_eq!(resolved("${file:/run/two}").as_deref(), Ok("a\n"), "one line break is trimmed");
        assert_eq!(resolved("a$${USER_1}").as_deref(), Ok("a${USER_1}"));
        assert_eq!(resolved("5$ and $x").as_deref(), Ok("5$ and $x"));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(resolved("${NO}").is_err_and(|error| error.contains("`NO` is not set")));
        assert!(resolved("${file:/no}").is_err_and(|error| error.contains("/no")));
        for wrong in ["${", "${}", "${a b}", "${file:}"] {
            assert!(resolved(wrong).is_err(), "{wrong}");
        }
    }
}
