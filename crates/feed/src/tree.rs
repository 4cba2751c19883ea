//! YAML as a tree that keeps every place and every repeated key, made from the parser's events so
//! that nesting and aliases are bounded whatever the text.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Marks};

use crate::diagnostic::Mistakes;
use crate::model::Span;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 100;
/// Most nodes of a file once its aliases are followed.
const MAX_NODES: usize = 200_000;

/// A value with its place.
#[derive(Debug)]
pub(crate) struct Node {
    /// The scalar itself; of a collection, its first line, or what a message better points to: the
    /// name that it is the value of.
    pub(crate) span: Span,
    pub(crate) data: Data,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Data {
    /// Nothing, or one of YAML's words for it.
    Null,
    /// Text as it stands, unquoted.
    Scalar(String),
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

/// A name and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// "a mapping": what a message says this is.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "empty",
            Data::Scalar(_) => "a plain value",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a mapping",
        }
    }
}

/// Reads one document. Mistakes of YAML itself (it can't be read; several documents; keys that are no
/// text; tags) are added; none is returned where nothing can be read, or there is nothing.
pub(crate) fn read(text: &str, mistakes: &mut Mistakes) -> Option<Rc<Node>> {
    let mut builder = Builder::new(text);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let step = event.map_err(|error| builder.scan_error(&error)).and_then(|(event, marks)| {
            let span = builder.bytes(&marks);
            builder.take(event, span)
        });
        match step {
            Ok(Step::Go) => {}
            Ok(Step::Done) => break,
            Err((span, message)) => {
                mistakes.0.append(&mut builder.mistakes.0);
                mistakes.add(&span, message);
                return None;
            }
        }
    }
    mistakes.0.append(&mut builder.mistakes.0);
    builder.root
}

enum Step {
    Go,
    Done,
}

/// An open collection.
enum Open {
    Sequence { anchor: usize, span: Span, items: Vec<Rc<Node>>, size: usize },
    Mapping { anchor: usize, span: Span, entries: Vec<Entry>, name: Option<(String, Span)>, size: usize },
}

struct Builder<'a> {
    text: &'a str,
    /// The byte offset of each character, and of the end: the parser counts characters.
    offsets: Vec<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    documents: usize,
    root: Option<Rc<Node>>,
    mistakes: Mistakes,
}

type Failed = (Span, String);

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let mut offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
        offsets.push(text.len());
        Builder {
            text,
            offsets,
            open: Vec::new(),
            anchors: HashMap::new(),
            documents: 0,
            root: None,
            mistakes: Mistakes::default(),
        }
    }

    fn byte(&self, character: usize) -> usize {
        self.offsets.get(character).copied().unwrap_or(self.text.len())
    }

    fn bytes(&self, marks: &Marks) -> Span {
        let start = self.byte(marks.start.index());
        start..self.byte(marks.end.index()).max(start)
    }

    fn scan_error(&self, error: &ScanError) -> Failed {
        let start = self.byte(error.marker().index());
        let width = self.text[start..].chars().next().map_or(0, char::len_utf8);
        (start..start + width, format!("this is not YAML: {}", error.info()))
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Step, Failed> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((span, "a second YAML document: the file must hold one".to_owned()));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.scalar(&text, style, anchor, span)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                let span = self.first_line(&span);
                self.push(Open::Sequence { anchor, span, items: Vec::new(), size: 1 })?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                let span = self.first_line(&span);
                self.push(Open::Mapping { anchor, span, entries: Vec::new(), name: None, size: 1 })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(anchor) => self.alias(anchor, &span)?,
            Event::StreamEnd => return Ok(Step::Done),
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
        }
        Ok(Step::Go)
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Span) {
        if tagged {
            self.mistakes.add(span, "YAML tags have no meaning here");
        }
    }

    /// What a message points to for a collection that starts here.
    fn first_line(&self, span: &Span) -> Span {
        let line = self.text[span.start..].lines().next().unwrap_or_default().trim_end();
        span.start..span.start + line.len()
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, span: Span) -> Result<(), Failed> {
        let plain = style == ScalarStyle::Plain;
        let null = plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        let data = if null { Data::Null } else { Data::Scalar(text.to_owned()) };
        if let Some(Open::Mapping { name: name @ None, .. }) = self.open.last_mut() {
            *name = Some((text.to_owned(), span.clone()));
            self.remember(anchor, Node { span, data });
            return Ok(());
        }
        let node = self.remember(anchor, Node { span, data });
        self.add(node, 1)
    }

    fn remember(&mut self, anchor: usize, node: Node) -> Rc<Node> {
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, (Rc::clone(&node), 1));
        }
        node
    }

    fn push(&mut self, open: Open) -> Result<(), Failed> {
        let (Open::Sequence { span, .. } | Open::Mapping { span, .. }) = &open;
        if matches!(self.open.last(), Some(Open::Mapping { name: None, .. })) {
            return Err((span.clone(), "a name must be plain text".to_owned()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err((span.clone(), format!("nested more than {MAX_DEPTH} deep")));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failed> {
        let (anchor, node, size) = match self.open.pop() {
            Some(Open::Sequence { anchor, span, items, size }) => {
                (anchor, Node { span, data: Data::Sequence(items) }, size)
            }
            Some(Open::Mapping { anchor, span, entries, size, .. }) => {
                (anchor, Node { span, data: Data::Mapping(entries) }, size)
            }
            None => return Ok(()),
        };
        let mut node = node;
        if let Some(Open::Mapping { name: Some((_, span)), .. }) = self.open.last() {
            node.span = span.clone();
        }
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, (Rc::clone(&node), size));
        }
        self.add(node, size)
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<(), Failed> {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            return Err((span.clone(), "this alias stands inside what it repeats".to_owned()));
        };
        if let Some(Open::Mapping { name: name @ None, .. }) = self.open.last_mut() {
            let Data::Scalar(text) = &node.data else {
                return Err((span.clone(), "a name must be plain text".to_owned()));
            };
            *name = Some((text.clone(), span.clone()));
            return Ok(());
        }
        self.add(node, size)
    }

    /// Puts a finished node of `size` nodes where it belongs.
    fn add(&mut self, node: Rc<Node>, added: usize) -> Result<(), Failed> {
        let size = match self.open.last_mut() {
            None => {
                self.root = Some(node);
                return Ok(());
            }
            Some(Open::Sequence { items, size, .. }) => {
                items.push(Rc::clone(&node));
                size
            }
            Some(Open::Mapping { entries, name, size, .. }) => {
                if let Some((name, span)) = name.take() {
                    entries.push(Entry { name, span, value: Rc::clone(&node) });
                }
                size
            }
        };
        *size += added;
        if *size > MAX_NODES {
            return Err((node.span.clone(), format!("more than {MAX_NODES} values, aliases followed")));
        }
        Ok(())
    }
}
