//! Delimited text as feeds describe it, which is as spreadsheets write it (RFC 4180) and as programs
//! write it for Hive: records of fields, with exact line numbers.
//!
//! What is null is decided on the bytes as they stand, before escapes are undone, since `\N` is
//! both Hive's null and an escaped `N`; and a quoted field is never null.

use std::fmt;
use std::io::{self, Read};

use hivecast_feed::TextLayout;

/// Bytes asked of the file at once.
pub(crate) const READ_BYTES: usize = 1 << 20;
/// Longest record. Beyond it a quote was left open or the delimiters are wrong, and memory stays
/// bounded.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;
/// UTF-8's byte order mark, which some programs write first.
pub(crate) const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// One record: its fields, and the line that it begins on, counted from 1.
#[derive(Debug, Default)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    fields: Vec<Field>,
    pub(crate) line: u64,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    end: usize,
    kind: FieldKind,
}

/// How the bytes of a field stand for its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// It is null.
    Null,
    /// The bytes are the value.
    Plain,
    /// Escapes are yet to be undone, once the field has been cut into what it consists of.
    Escaped,
}

/// What gives a file's records one after the other.
pub(crate) trait RecordSource: Send {
    /// The next record into `record`; false at the end.
    fn read(&mut self, record: &mut Record) -> Result<bool, Broken>;
}

impl Record {
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The bytes of a field as they stand; none where it is null, or where the record lacks it.
    pub(crate) fn field(&self, at: usize) -> Option<(&[u8], FieldKind)> {
        let field = self.fields.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.fields[before].end);
        (field.kind != FieldKind::Null).then(|| (&self.bytes[start..field.end], field.kind))
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
    }

    /// Appends to the field that is next to end.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends to the field that is next to end.
    pub(crate) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn end_field(&mut self, kind: FieldKind) {
        self.fields.push(Field { end: self.bytes.len(), kind });
    }
}

/// Why a file's text can't be cut into records.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The store failed, or what is compressed can't be read.
    Input(io::Error),
    /// The text is malformed in the record that begins on this line.
    Text { line: u64, why: Malformed },
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    OpenQuote,
    TextAfterQuote,
    TooLong,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::OpenQuote => f.write_str("a quoted field is not closed"),
            Malformed::TextAfterQuote => {
                f.write_str("there is text between a closing quote and the delimiter")
            }
            Malformed::TooLong => {
                write!(f, "the record is longer than {} MiB", MAX_RECORD_BYTES >> 20)
            }
        }
    }
}

/// Reads records one after the other.
pub(crate) struct Records<R> {
    input: R,
    layout: TextLayout,
    buffer: Vec<u8>,
    /// What of the buffer is read but not yet cut.
    start: usize,
    end: usize,
    input_ended: bool,
    line: u64,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: R, layout: TextLayout) -> Self {
        Records { input, layout, buffer: Vec::new(), start: 0, end: 0, input_ended: false, line: 1 }
    }

    /// Leaves out the layout's first lines, whatever stands in them.
    pub(crate) fn skip_lines(&mut self) -> Result<(), Broken> {
        for _ in 0..self.layout.skip_header_lines {
            loop {
                let unread = &self.buffer[self.start..self.end];
                if let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                    self.start += end + 1;
                    self.line += 1;
                    break;
                }
                if self.input_ended {
                    self.start = self.end;
                    return Ok(());
                }
                self.fill()?;
            }
        }
        Ok(())
    }

    fn next_record(&mut self, record: &mut Record) -> Result<bool, Broken> {
        loop {
            if self.start == self.end && self.input_ended {
                return Ok(false);
            }
            let mut cutter = Cutter {
                bytes: &self.buffer[self.start..self.end],
                at: 0,
                input_ended: self.input_ended,
                newlines: 0,
                layout: &self.layout,
            };
            match cutter.record(record) {
                Ok(Cut::Record) => {
                    self.start += cutter.at;
                    record.line = self.line;
                    self.line += cutter.newlines;
                    return Ok(true);
                }
                Ok(Cut::NeedsMore) => self.fill()?,
                Err(why) => return Err(Broken::Text { line: self.line, why }),
            }
        }
    }

    /// Reads on, behind what is not yet cut.
    fn fill(&mut self) -> Result<(), Broken> {
        let first = self.buffer.is_empty();
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end >= MAX_RECORD_BYTES {
            return Err(Broken::Text { line: self.line, why: Malformed::TooLong });
        }
        // Twice what is held, so that a long record is looked at only a few times over.
        let room = READ_BYTES.max(self.end);
        self.buffer.resize(self.end + room, 0);
        let wanted = &mut self.buffer[self.end..];
        let got = read_full(&mut self.input, wanted).map_err(Broken::Input)?;
        self.input_ended = got < room;
        self.end += got;
        if first && self.buffer[..self.end].starts_with(&BYTE_ORDER_MARK) {
            self.start = BYTE_ORDER_MARK.len();
        }
        Ok(())
    }
}

impl<R: Read + Send> RecordSource for Records<R> {
    fn read(&mut self, record: &mut Record) -> Result<bool, Broken> {
        self.next_record(record)
    }
}

/// Fills the buffer unless the input ends first.
pub(crate) fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match input.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

enum Cut {
    Record,
    NeedsMore,
}

/// How a field ended.
enum Ended {
    AtDelimiter,
    AtRecordEnd,
    NeedsMore,
}

/// Cuts one record off the front of `bytes`.
struct Cutter<'a> {
    bytes: &'a [u8],
    at: usize,
    input_ended: bool,
    newlines: u64,
    layout: &'a TextLayout,
}

impl Cutter<'_> {
    fn record(&mut self, record: &mut Record) -> Result<Cut, Malformed> {
        record.clear();
        if self.bytes.is_empty() {
            return Ok(Cut::NeedsMore);
        }
        loop {
            let quoted = self.layout.quote.is_some() && self.peek() == self.layout.quote;
            let ended = if quoted { self.quoted(record)? } else { self.plain(record) };
            match ended {
                Ended::AtDelimiter => {}
                Ended::AtRecordEnd => return Ok(Cut::Record),
                Ended::NeedsMore => return Ok(Cut::NeedsMore),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn plain(&mut self, record: &mut Record) -> Ended {
        let (delimiter, escape) = (self.layout.delimiter, self.layout.escape);
        let begin = self.at;
        let mut escapes = false;
        let ended = loop {
            match self.peek() {
                None if self.input_ended => break Ended::AtRecordEnd,
                None => return Ended::NeedsMore,
                Some(byte) if byte == delimiter => break Ended::AtDelimiter,
                Some(b'\n') => break Ended::AtRecordEnd,
                Some(byte) if Some(byte) == escape => {
                    escapes = true;
                    self.at += 1;
                    self.newlines += u64::from(self.peek() == Some(b'\n'));
                    // Where the input ends on an escape, there is nothing to step over.
                    self.at += usize::from(self.at < self.bytes.len());
                }
                Some(_) => self.at += 1,
            }
        };
        let mut raw = &self.bytes[begin..self.at];
        if self.peek() == Some(b'\n') {
            raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        }
        self.step_over_end();
        let kind = if raw == self.layout.null.as_bytes() {
            FieldKind::Null
        } else if escapes {
            FieldKind::Escaped
        } else {
            FieldKind::Plain
        };
        record.extend(raw);
        record.end_field(kind);
        ended
    }

    /// Over the delimiter or line feed that ended a field, if one did.
    fn step_over_end(&mut self) {
        self.newlines += u64::from(self.peek() == Some(b'\n') && self.layout.delimiter != b'\n');
        self.at += usize::from(self.at < self.bytes.len());
    }

    fn quoted(&mut self, record: &mut Record) -> Result<Ended, Malformed> {
        let (quote, escape) =
            (self.layout.quote, self.layout.escape.filter(|byte| Some(*byte) != self.layout.quote));
        self.at += 1;
        loop {
            let Some(byte) = self.peek() else { return self.out_of_bytes(Malformed::OpenQuote) };
            self.at += 1;
            let next = self.peek();
            if Some(byte) == escape {
                let Some(escaped) = next else { return self.out_of_bytes(Malformed::OpenQuote) };
                self.take(escaped, record);
                self.at += 1;
            } else if Some(byte) != quote {
                self.take(byte, record);
            } else if next == quote {
                self.take(byte, record);
                self.at += 1;
            } else if next.is_none() && !self.input_ended {
                return Ok(Ended::NeedsMore);
            } else {
                break;
            }
        }
        self.after_quote(record)
    }

    fn take(&mut self, byte: u8, record: &mut Record) {
        self.newlines += u64::from(byte == b'\n');
        record.push(byte);
    }

    fn after_quote(&mut self, record: &mut Record) -> Result<Ended, Malformed> {
        let crlf = self.peek() == Some(b'\r');
        self.at += usize::from(crlf);
        let ended = match self.peek() {
            None if !self.input_ended => return Ok(Ended::NeedsMore),
            None if !crlf => Ended::AtRecordEnd,
            Some(b'\n') => Ended::AtRecordEnd,
            Some(byte) if byte == self.layout.delimiter && !crlf => Ended::AtDelimiter,
            _ => return Err(Malformed::TextAfterQuote),
        };
        self.step_over_end();
        record.end_field(FieldKind::Plain);
        Ok(ended)
    }

    fn out_of_bytes(&self, otherwise: Malformed) -> Result<Ended, Malformed> {
        if self.input_ended { Err(otherwise) } else { Ok(Ended::NeedsMore) }
    }
}

/// Each escape is left out, and what follows it stands for itself: but for `n` and `r`, by which Hive
/// writes the line breaks that no line can hold.
pub(crate) fn unescape(raw: &[u8], escape: u8, out: &mut Vec<u8>) {
    let mut at = 0;
    while at < raw.len() {
        let escaped = raw[at] == escape && at + 1 < raw.len();
        at += usize::from(escaped);
        out.push(match raw[at] {
            b'n' if escaped => b'\n',
            b'r' if escaped => b'\r',
            byte => byte,
        });
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time, as a pipe may.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn layout(quote: Option<u8>, escape: Option<u8>) -> TextLayout {
        TextLayout { quote, escape, ..TextLayout::default() }
    }

    type Lines = Vec<(u64, Vec<Option<String>>)>;

    fn value(record: &Record, at: usize, escape: Option<u8>) -> Option<String> {
        let (raw, kind) = record.field(at)?;
        let mut bytes = Vec::new();
        match escape.filter(|_| kind == FieldKind::Escaped) {
            Some(escape) => unescape(raw, escape, &mut bytes),
            None => bytes.extend_from_slice(raw),
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn read_all(text: &[u8], layout: TextLayout) -> Result<Lines, (u64, Malformed)> {
        let escape = layout.escape;
        let mut records = Records::new(Trickle(text, 3), layout);
        let (mut record, mut lines) = (Record::default(), Vec::new());
        loop {
            match records.read(&mut record) {
                Ok(false) => return Ok(lines),
                Ok(true) => {
                    let fields = (0..record.len()).map(|at| value(&record, at, escape)).collect();
                    lines.push((record.line, fields));
                }
                Err(Broken::Text { line, why }) => return Err((line, why)),
                Err(Broken::Input(error)) => unreachable!("{error}"),
            }
        }
    }

    fn row(line: u64, fields: &[Option<&str>]) -> (u64, Vec<Option<String>>) {
        (line, fields.iter().map(|field| field.map(str::to_owned)).collect())
    }

    #[test]
    fn quoted_fields_hold_delimiters_quotes_and_line_ends_and_lines_stay_counted() {
        let text = b"\xef\xbb\xbfa,\"b,\"\"c\"\"\r\nd\"\r\n\\N,\"\\N\"\r\n,e";
        assert_eq!(
            read_all(text, layout(Some(b'"'), None)),
            Ok(vec![
                row(1, &[Some("a"), Some("b,\"c\"\r\nd")]),
                row(3, &[None, Some("\\N")]),
                row(4, &[Some(""), Some("e")]),
            ])
        );
    }

    #[test]
    fn escapes_work_outside_quotes_as_hive_writes_them() {
        assert_eq!(
            read_all(b"a\\,b,\\N\nc\\\\,d\\\ne\nf\\n\\r\\x,g\\", layout(None, Some(b'\\'))),
            Ok(vec![
                row(1, &[Some("a,b"), None]),
                row(2, &[Some("c\\"), Some("d\ne")]),
                row(4, &[Some("f\n\rx"), Some("g\\")]),
            ])
        );
    }

    #[test]
    fn malformed_quotes_are_told_with_the_line_that_their_record_begins_on() {
        assert_eq!(read_all(b"a\n\"b\n\nc", layout(Some(b'"'), None)), Err((2, Malformed::OpenQuote)));
        assert_eq!(read_all(b"a\n\"b\"c\n", layout(Some(b'"'), None)), Err((2, Malformed::TextAfterQuote)));
        assert_eq!(read_all(b"\"a\"\r", layout(Some(b'"'), None)), Err((1, Malformed::TextAfterQuote)));
    }

    #[test]
    fn a_record_without_end_is_refused_before_it_fills_the_memory() {
        let mut records = Records::new(io::repeat(b'x'), layout(None, None));
        let broken = records.read(&mut Record::default());
        assert!(matches!(broken, Err(Broken::Text { line: 1, why: Malformed::TooLong })), "{broken:?}");
        assert!(records.buffer.capacity() <= 4 * MAX_RECORD_BYTES);
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(
            rows in prop::collection::vec(prop::collection::vec("[a-c,\"\r\n\\\\Né]{0,6}", 1..4), 1..6),
            step in 1usize..5,
        ) {
            let quote = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let lines: Vec<String> =
                rows.iter().map(|row| row.iter().map(quote).collect::<Vec<_>>().join(",")).collect();
            let text = lines.join("\n");
            let mut records = Records::new(Trickle(text.as_bytes(), step), layout(Some(b'"'), None));
            let mut record = Record::default();
            let mut line = 1;
            for (row, written) in rows.iter().zip(&lines) {
                prop_assert!(matches!(records.read(&mut record), Ok(true)));
                prop_assert_eq!(record.line, line);
                line += 1 + written.matches('\n').count() as u64;
                let fields: Vec<&[u8]> = (0..record.len()).filter_map(|at| Some(record.field(at)?.0)).collect();
                prop_assert_eq!(fields, row.iter().map(String::as_bytes).collect::<Vec<_>>());
            }
            prop_assert!(matches!(records.read(&mut record), Ok(false)));
        }
    }
}
