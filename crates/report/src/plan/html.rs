//! Text as markup that is HTML and XML alike.

/// Text between tags, or in a quoted attribute. Characters that XML can't have are replaced.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            other if other.is_control() || matches!(other, '\u{FFFE}' | '\u{FFFF}') => {
                escaped.push('\u{FFFD}')
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A sentence as markup: the options in it, such as `--memory`, are code, and are not broken at their hyphens.
pub(super) fn prose(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = option_start(rest) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|one: char| !(one.is_ascii_alphanumeric() || one == '-')).unwrap_or(from.len());
        let (option, after) = from.split_at(end);
        html.push_str(&format!("{}<code class=\"option\">{}</code>", escape(before), escape(option)));
        rest = after;
    }
    html + &escape(rest)
}

/// Where the first option of a text begins.
fn option_start(text: &str) -> Option<usize> {
    let is_option = |at: &usize| {
        !text[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '-')
            && text[*at + 2..].starts_with(|first: char| first.is_ascii_lowercase())
    };
    text.match_indices("--").map(|(at, _)| at).find(is_option)
}

/// A cell of a table.
pub(super) enum Cell {
    /// Text, the row's name.
    Name(String),
    /// Text.
    Text(String),
    /// Text that programs read, too.
    Code(String),
    /// A number, aligned to the right.
    Number(String),
}

/// A table that is named by the element `label`; `class` says how wide its columns are.
pub(super) fn table(label: &str, class: &str, head: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut html =
        format!("<div class=\"wide\">\n<table class=\"{class}\" aria-labelledby=\"{label}\">\n<thead><tr>");
    for name in head {
        html.push_str(&format!("<th scope=\"col\">{}</th>", escape(name)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str(&format!("{}\n", tr(row)));
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    html
}

/// One row.
pub(super) fn tr(row: &[Cell]) -> String {
    let cell = |cell: &Cell| match cell {
        Cell::Name(text) => format!("<th scope=\"row\">{}</th>", prose(text)),
        Cell::Text(text) => format!("<td>{}</td>", prose(text)),
        Cell::Code(text) => format!("<td><code>{}</code></td>", escape(text)),
        Cell::Number(text) => format!("<td class=\"number\">{}</td>", escape(text)),
    };
    format!("<tr>{}</tr>", row.iter().map(cell).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_code() {
        let code = |option: &str| format!("<code class=\"option\">{option}</code>");
        assert_eq!(
            prose("of <it>: --calibrate measures, --node-cores."),
            format!("of &lt;it&gt;: {} measures, {}.", code("--calibrate"), code("--node-cores"))
        );
        assert_eq!(prose("--threads"), code("--threads"));
        let row = [Cell::Name("--memory".to_owned()), Cell::Text("set --memory".to_owned())];
        assert_eq!(
            tr(&row),
            format!("<tr><th scope=\"row\">{0}</th><td>set {0}</td></tr>", code("--memory"))
        );
        for text in ["a -- b", "a--b", "---", "--", "1 --2"] {
            assert_eq!(prose(text), text);
        }
    }
}
