//! Text with `${NAME}`, `${file:path}` and `${credential:NAME}` in it.

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
    Credential(String),
}

/// What begins a path where a variable's name would stand.
const FILE: &str = "file:";

/// What begins the name of a credential that systemd hands to a service.
const CREDENTIAL: &str = "credential:";

/// The variable by which systemd says where a service's credentials lie.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

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
    if let Some(name) = name.strip_prefix(CREDENTIAL) {
        return credential(name.trim());
    }
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if fits {
        Ok(Part::Variable(name.to_owned()))
    } else {
        // The name is not repeated: a secret written by mistake would be.
        Err("`${…}` takes a variable's name, `file:` and a path, or `credential:` and a name".to_owned())
    }
}

/// A credential's name is a file's: one that leaves its directory would read any other file.
fn credential(name: &str) -> Result<Part, String> {
    let fits = name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    if fits {
        Ok(Part::Credential(name.to_owned()))
    } else {
        Err("`${credential:…}` takes a name of ASCII letters, digits, `.`, `_` and `-`, the first a letter, digit or `_`"
            .to_owned())
    }
}

fn look_up(part: &Part, secrets: &dyn Secrets) -> Result<String, (String, String)> {
    match part {
        Part::Literal(text) => Ok(text.clone()),
        Part::Variable(name) => secrets.variable(name).ok_or_else(|| {
            let help = format!("set it, or take the value from a file with `${{{FILE}/path}}`");
            (format!("the environment variable `{name}` is not set"), help)
        }),
        Part::File(path) => secrets.file(path).map(|text| without_line_break(&text)).map_err(|error| {
            (
                format!("failed to read the file `{path}`: {error}"),
                "it must exist and be readable by who runs hivecast".to_owned(),
            )
        }),
        Part::Credential(name) => look_up_credential(name, secrets),
    }
}

fn look_up_credential(name: &str, secrets: &dyn Secrets) -> Result<String, (String, String)> {
    let Some(directory) = secrets.variable(CREDENTIALS_DIRECTORY) else {
        return Err((
            format!("failed to read the credential `{name}`: {CREDENTIALS_DIRECTORY} is not set"),
            "systemd sets it for a unit with `LoadCredential=`; by hand, set it to the directory of the credentials' files"
                .to_owned(),
        ));
    };
    secrets.file(&format!("{directory}/{name}")).map(|text| without_line_break(&text)).map_err(|error| {
        (
            format!("failed to read the credential `{name}` in `{directory}`: {error}"),
            "a file of that name must be there: a unit names it in `LoadCredential=`, a deploy lends `credentials` of its environment"
                .to_owned(),
        )
    })
}

/// Editors end a file with a line break that is no part of a secret.
fn without_line_break(text: &str) -> String {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with a variable and a few files, where systemd started hivecast or not.
    struct Fixed;
    struct AsService;

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

    impl Secrets for AsService {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "CREDENTIALS_DIRECTORY").then(|| "/run/credentials/x".to_owned())
        }

        fn file(&self, path: &str) -> std::io::Result<String> {
            match path {
                "/run/credentials/x/kafka_pass-word.1" => Ok("pw\n".to_owned()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        }
    }

    fn resolved(text: &str) -> Result<String, String> {
        resolved_by(&Fixed, text)
    }

    fn resolved_by(secrets: &dyn Secrets, text: &str) -> Result<String, String> {
        let template = Template::parse(&Spanned { value: text.to_owned(), span: 0..1 })?;
        let mut mistakes = Mistakes::default();
        template.resolve(secrets, &mut mistakes).ok_or_else(|| mistakes.0[0].message.clone())
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
    fn a_credential_is_read_where_systemd_put_it() {
        assert_eq!(resolved_by(&AsService, "<${credential:kafka_pass-word.1}>").as_deref(), Ok("<pw>"));
        assert_eq!(
            resolved_by(&AsService, "${CREDENTIALS_DIRECTORY}/ca.pem").as_deref(),
            Ok("/run/credentials/x/ca.pem")
        );
        let missing = resolved_by(&AsService, "${credential:no}").unwrap_err();
        assert!(missing.contains("`no` in `/run/credentials/x`"), "{missing}");
        let by_hand = resolved("${credential:kafka_pass-word.1}").unwrap_err();
        assert!(by_hand.contains("CREDENTIALS_DIRECTORY is not set"), "{by_hand}");
    }

    #[test]
    fn a_credential_is_no_path() {
        for wrong in ["", "..", ".x", "../x", "a/b", "/etc/shadow", "a b", "ä"] {
            let refused = resolved_by(&AsService, &format!("${{credential:{wrong}}}"));
            assert!(refused.is_err_and(|error| error.contains("takes a name")), "{wrong}");
        }
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
