use std::error::Error;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use hivecast_run::Fault;
use serde::{Serialize, Serializer};

use crate::model::Span;
use crate::source::SourceText;

/// One mistake, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The bytes of the file that it is about.
    pub span: Span,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Every mistake found in one file, at least one, in the order of the file; and those of other files
/// that were looked at with it.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    source: SourceText,
    list: Vec<Diagnostic>,
    others: Vec<Diagnostics>,
}

/// Whether rendered text carries colours, as ANSI escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Plain,
    /// For a terminal.
    Ansi,
}

/// A mistake as machines read it.
#[derive(Serialize)]
struct Record<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
    help: Option<&'a str>,
}

impl Diagnostics {
    /// Mistakes of one file; sorted by place, the same one said twice kept once.
    pub(crate) fn new(source: &SourceText, mut list: Vec<Diagnostic>) -> Self {
        for mistake in &mut list {
            mistake.span = source.clamp(&mistake.span);
        }
        list.sort_by(|a, b| {
            (a.span.start, a.span.end, &a.message).cmp(&(b.span.start, b.span.end, &b.message))
        });
        list.dedup();
        Diagnostics { source: source.clone(), list, others: Vec::new() }
    }

    /// These mistakes, and those of another file after them.
    #[must_use]
    pub fn and(mut self, other: Diagnostics) -> Self {
        self.others.push(other);
        self
    }

    /// The mistakes of this file, in its order.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The file that they are in.
    pub fn source(&self) -> &SourceText {
        &self.source
    }

    /// `3 mistakes in feeds/contracts.yaml`.
    pub fn summary(&self) -> String {
        let mut summary = match self.list.len() {
            1 => format!("1 mistake in {}", self.source.file()),
            many => format!("{many} mistakes in {}", self.source.file()),
        };
        for other in &self.others {
            summary.push_str(", ");
            summary.push_str(&other.summary());
        }
        summary
    }

    /// The text that people read: each mistake with its line and a caret, and a last line that
    /// counts them. It ends without a line break.
    pub fn render(&self, color: Color) -> String {
        let renderer = match color {
            Color::Plain => Renderer::plain(),
            Color::Ansi => Renderer::styled(),
        };
        let mut text = String::new();
        self.render_all(&renderer, &mut text);
        text.push_str(&self.summary());
        text
    }

    fn render_all(&self, renderer: &Renderer, text: &mut String) {
        for mistake in &self.list {
            text.push_str(&self.render_one(mistake, renderer));
            text.push_str("\n\n");
        }
        for other in &self.others {
            other.render_all(renderer, text);
        }
    }

    fn render_one(&self, mistake: &Diagnostic, renderer: &Renderer) -> String {
        let shown = self.source.shown(&mistake.span);
        let title = Level::ERROR.primary_title(mistake.message.as_str());
        let group = match &shown {
            Some((text, span)) => title.element(
                Snippet::source(text.as_str())
                    .path(self.source.file())
                    .annotation(AnnotationKind::Primary.span(span.clone())),
            ),
            None => {
                let (line, column) = self.source.place(mistake.span.start);
                title.element(Origin::path(self.source.file()).line(line).char_column(column))
            }
        };
        let help = mistake.help.as_deref().map(|help| Level::HELP.message(help));
        let report: [Group<'_>; 1] = [group.elements(help)];
        renderer.render(&report)
    }

    fn records(&self) -> Vec<Record<'_>> {
        let own = self.list.iter().map(|mistake| {
            let (line, column) = self.source.place(mistake.span.start);
            let help = mistake.help.as_deref();
            Record { file: self.source.file(), line, column, message: &mistake.message, help }
        });
        own.chain(self.others.iter().flat_map(Diagnostics::records)).collect()
    }
}

impl fmt::Display for Diagnostics {
    /// One line: each mistake with its place, without advice. For people, [`Diagnostics::render`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, record) in self.records().iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{}:{}:{}: {}", record.file, record.line, record.column, record.message)?;
        }
        Ok(())
    }
}

impl Error for Diagnostics {}

impl Serialize for Diagnostics {
    /// A list of `{file, line, column, message, help}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records())
    }
}

impl From<Diagnostics> for Fault {
    /// Exit 2. The diagnostics are the cause, and `downcast_ref` of it gives them back.
    fn from(diagnostics: Diagnostics) -> Fault {
        Fault::usage(diagnostics.summary()).because(diagnostics)
    }
}

/// Collects mistakes while a file is read.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(pub(crate) Vec<Diagnostic>);

impl Mistakes {
    pub(crate) fn add(&mut self, span: &Span, message: impl Into<String>) {
        self.push(span, message.into(), None);
    }

    pub(crate) fn add_with_help(
        &mut self,
        span: &Span,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.push(span, message.into(), help.into());
    }

    fn push(&mut self, span: &Span, message: String, help: Option<String>) {
        self.0.push(Diagnostic { span: span.clone(), message, help });
    }

    pub(crate) fn into_result<T>(self, source: &SourceText, value: T) -> Result<T, Diagnostics> {
        if self.0.is_empty() { Ok(value) } else { Err(Diagnostics::new(source, self.0)) }
    }
}
