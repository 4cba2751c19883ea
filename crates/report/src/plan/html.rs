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
        Cell::Name(text) => format!("<th scope=\"row\">{}</th>", escape(text)),
        Cell::Text(text) => format!("<td>{}</td>", escape(text)),
        Cell::Code(text) => format!("<td><code>{}</code></td>", escape(text)),
        Cell::Number(text) => format!("<td class=\"number\">{}</td>", escape(text)),
    };
    format!("<tr>{}</tr>", row.iter().map(cell).collect::<String>())
}
