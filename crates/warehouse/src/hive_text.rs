//! Hive's text tables: lines cut into fields as `LazySimpleSerDe` and `OpenCSVSerde` do, and arrays,
//! maps and structs within a field.

use std::io::Read;

use chrono_tz::Tz;
use hivecast_feed::{TextDialect, TextLayout};

use crate::lines::Lines;
use crate::records::{Broken, FieldKind, Malformed, Record, RecordSource, unescape};
use crate::values::{Misfit, Values};

/// What divides the parts of values that lie deeper than a map in a column, level by level.
const DEEPER_DELIMITERS: [u8; 23] =
    [4, 5, 6, 7, 8, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31];

/// Lines as records.
pub(crate) struct HiveRecords {
    lines: Lines,
    layout: TextLayout,
}

impl HiveRecords {
    /// Behind the lines that the layout leaves out at the start.
    pub(crate) fn new(input: Box<dyn Read + Send>, layout: TextLayout) -> Result<HiveRecords, Broken> {
        let mut lines = Lines::new(input, 0);
        lines.skip(layout.skip_header_lines)?;
        Ok(HiveRecords { lines, layout })
    }
}

impl RecordSource for HiveRecords {
    fn read(&mut self, record: &mut Record) -> Result<bool, Broken> {
        let Some((number, line)) = self.lines.read()? else { return Ok(false) };
        record.clear();
        record.line = number;
        match self.layout.dialect {
            TextDialect::OpenCsv => {
                cut_csv(line, &self.layout, record).map_err(|why| Broken::Text { line: number, why })?
            }
            TextDialect::Hive | TextDialect::Strict => cut(line, &self.layout, record),
        }
        Ok(true)
    }
}

/// Cuts a line at its delimiters, but at those behind an escape.
fn cut(line: &[u8], layout: &TextLayout, record: &mut Record) {
    for part in Parts::new(line, layout.delimiter, layout.escape) {
        let kind = if part == layout.null.as_bytes() {
            FieldKind::Null
        } else if layout.escape.is_some_and(|escape| part.contains(&escape)) {
            FieldKind::Escaped
        } else {
            FieldKind::Plain
        };
        record.extend(part);
        record.end_field(kind);
    }
}

/// Parts of a text between delimiters, of which those behind an escape divide nothing. An empty text
/// is one empty part.
struct Parts<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
    escape: Option<u8>,
}

impl<'a> Parts<'a> {
    fn new(text: &'a [u8], delimiter: u8, escape: Option<u8>) -> Parts<'a> {
        Parts { rest: Some(text), delimiter, escape }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest?;
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            if *byte == self.delimiter {
                self.rest = Some(&text[at + 1..]);
                return Some(&text[..at]);
            }
            at += if Some(*byte) == self.escape { 2 } else { 1 };
        }
        self.rest = None;
        Some(text)
    }
}

/// Cuts a line as opencsv 2.3 does, by which Hive reads: quotes may stand in the midst of a field, a
/// doubled one within quotes is one, and an escape stands only within quotes before what it escapes.
fn cut_csv(line: &[u8], layout: &TextLayout, record: &mut Record) -> Result<(), Malformed> {
    let (mut quoted, mut begun) = (false, Vec::new());
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        let next = line.get(at + 1).copied();
        let escapable = quoted && next.is_some() && (next == layout.quote || next == layout.escape);
        if Some(byte) == layout.escape && Some(byte) != layout.quote {
            if escapable {
                begun.extend(next);
                at += 1;
            }
        } else if Some(byte) == layout.quote {
            if quoted && next == layout.quote {
                begun.push(byte);
                at += 1;
            } else {
                let before = at.checked_sub(1).map(|before| line[before]);
                let inside = at > 2
                    && before != Some(layout.delimiter)
                    && next.is_some_and(|next| next != layout.delimiter);
                if inside && !begun.is_empty() && begun.iter().all(u8::is_ascii_whitespace) {
                    // Blanks in front of a quoted field are no part of it.
                    begun.clear();
                } else if inside {
                    begun.push(byte);
                }
                quoted = !quoted;
            }
        } else if byte == layout.delimiter && !quoted {
            record.extend(&begun);
            record.end_field(FieldKind::Plain);
            begun.clear();
        } else {
            begun.push(byte);
        }
        at += 1;
    }
    if quoted {
        return Err(Malformed::OpenQuote);
    }
    record.extend(&begun);
    record.end_field(FieldKind::Plain);
    Ok(())
}

/// Puts fields of text into columns.
#[derive(Clone, Debug)]
pub(crate) struct TextValues {
    pub(crate) layout: TextLayout,
    /// That of instants which name none.
    pub(crate) zone: Tz,
}

impl TextValues {
    /// Appends a field of a record, none for null.
    pub(crate) fn push(&self, values: &mut Values, field: Option<(&[u8], FieldKind)>) -> Result<(), Misfit> {
        match field {
            None | Some((_, FieldKind::Null)) => {
                values.push_null();
                Ok(())
            }
            Some((text, FieldKind::Plain)) => self.push_part(values, text, None, 0),
            Some((text, FieldKind::Escaped)) => self.push_part(values, text, self.layout.escape, 0),
        }
    }

    /// Appends a text that lies this deep in its column.
    fn push_part(
        &self,
        values: &mut Values,
        text: &[u8],
        escape: Option<u8>,
        level: usize,
    ) -> Result<(), Misfit> {
        let parts = |level| Ok(Parts::new(text, self.delimiter(level)?, escape));
        match values {
            Values::List(list) => {
                for item in parts(level)?.filter(|_| !text.is_empty()) {
                    self.push_inner(&mut list.items, item, escape, level + 1)?;
                }
                list.end();
            }
            Values::Map(map) => {
                for entry in parts(level)?.filter(|_| !text.is_empty()) {
                    let mut sides = Parts::new(entry, self.delimiter(level + 1)?, escape);
                    self.push_inner(&mut map.keys, sides.next().unwrap_or_default(), escape, level + 2)?;
                    match sides.rest {
                        Some(value) => self.push_inner(&mut map.values, value, escape, level + 2)?,
                        None => map.values.push_null(),
                    }
                }
                map.end();
            }
            Values::Struct(fields) => {
                let mut parts = parts(level)?;
                for column in &mut fields.columns {
                    match parts.next() {
                        Some(part) => self.push_inner(column, part, escape, level + 1)?,
                        None => column.push_null(),
                    }
                }
                fields.end();
            }
            single => self.push_single(single, text, escape)?,
        }
        Ok(())
    }

    /// As [`TextValues::push_part`], where the text may stand for null.
    fn push_inner(
        &self,
        values: &mut Values,
        text: &[u8],
        escape: Option<u8>,
        level: usize,
    ) -> Result<(), Misfit> {
        if text == self.layout.null.as_bytes() {
            values.push_null();
            return Ok(());
        }
        self.push_part(values, text, escape, level)
    }

    fn push_single(&self, values: &mut Values, text: &[u8], escape: Option<u8>) -> Result<(), Misfit> {
        // Nothing is null for Hive where it is no text, as no number is empty.
        let hive = self.layout.dialect == TextDialect::Hive;
        if hive && text.is_empty() && !matches!(values, Values::Text(_) | Values::Binary(_)) {
            values.push_null();
            return Ok(());
        }
        match escape {
            Some(escape) if text.contains(&escape) => {
                let mut plain = Vec::with_capacity(text.len());
                unescape(text, escape, &mut plain);
                values.push(&plain, self.zone)
            }
            _ => values.push(text, self.zone),
        }
    }

    /// What divides the parts of a value that lies this deep.
    fn delimiter(&self, level: usize) -> Result<u8, Misfit> {
        match level {
            0 => Ok(self.layout.collection),
            1 => Ok(self.layout.map_key),
            deeper => DEEPER_DELIMITERS.get(deeper - 2).copied().ok_or(Misfit::NotOfType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::data_type_of;
    use arrow_cast::display::{ArrayFormatter, FormatOptions};
    use hivecast_feed::ColumnType;

    fn records(text: &'static [u8], layout: TextLayout) -> Vec<Vec<Option<String>>> {
        let mut source = HiveRecords::new(Box::new(text), layout.clone()).unwrap();
        let (mut record, mut all) = (Record::default(), Vec::new());
        while source.read(&mut record).unwrap() {
            let fields = (0..record.len()).map(|at| {
                let (raw, _) = record.field(at)?;
                let mut bytes = Vec::new();
                unescape(raw, layout.escape.unwrap_or(0), &mut bytes);
                Some(String::from_utf8_lossy(&bytes).into_owned())
            });
            all.push(fields.collect());
        }
        all
    }

    fn some(fields: &[&str]) -> Vec<Option<String>> {
        fields.iter().map(|field| Some((*field).to_owned())).collect()
    }

    #[test]
    fn lines_are_records() {
        let escaped = TextLayout { escape: Some(b'\\'), skip_header_lines: 1, ..TextLayout::hive() };
        let text = b"head\na\x01\\N\x01\nb\\\x01c\x01\"q\x01\\\\\r\nd\\ne\n";
        assert_eq!(
            records(text, escaped),
            [
                vec![Some("a".to_owned()), None, Some(String::new())],
                some(&["b\u{1}c", "\"q", "\\"]),
                some(&["d\ne"]),
            ]
        );
    }

    #[test]
    fn quotes_as_opencsv_takes_them() {
        let csv =
            || TextLayout { dialect: TextDialect::OpenCsv, escape: Some(b'\\'), ..TextLayout::default() };
        let text = b"\"a,b\",c,\"d\"\"e\"\n\"f\\\"g\\\\\",h\\i,\n   \"j\", \"k\"\n";
        assert_eq!(
            records(text, csv()),
            [
                some(&["a,b", "c", "d\"e"]),
                // The test's own unescaping takes the one that is left for an escape.
                some(&["f\"g\\", "hi", ""]),
                some(&["j", "k"]),
            ]
        );
        let mut open = HiveRecords::new(Box::new(&b"\"a,b\n"[..]), csv()).unwrap();
        assert!(matches!(
            open.read(&mut Record::default()),
            Err(Broken::Text { line: 1, why: Malformed::OpenQuote })
        ));
    }

    fn nested(of: &str, text: &[u8]) -> Result<String, Misfit> {
        let layout = TextLayout { escape: Some(b'\\'), ..TextLayout::hive() };
        let mut values = Values::new(&data_type_of(&ColumnType::parse(of).unwrap())).unwrap();
        TextValues { layout, zone: Tz::UTC }.push(&mut values, Some((text, FieldKind::Escaped)))?;
        let array = values.finish().unwrap();
        let options = FormatOptions::new().with_null("∅");
        let formatter = ArrayFormatter::try_new(array.as_ref(), &options).unwrap();
        Ok(formatter.value(0).to_string())
    }

    #[test]
    fn values_within_values() {
        for (of, text, value) in [
            ("array<int>", &b"1\x022\x02\\N"[..], "[1, 2, ∅]"),
            ("array<int>", b"", "[]"),
            ("array<int>", b"\x02", "[∅, ∅]"),
            ("array<string>", b"a\\\x02b\x02", "[a\u{2}b, ]"),
            ("map<string,int>", b"a\x031\x02b\x03\\N\x02c", "{a: 1, b: ∅, c: ∅}"),
            ("map<string,int>", b"", "{}"),
            ("struct<a:int,b:string,c:date>", b"1\x02x", "{a: 1, b: x, c: ∅}"),
            ("array<array<int>>", b"1\x032\x023", "[[1, 2], [3]]"),
            ("map<string,array<int>>", b"a\x031\x042\x02b\x033", "{a: [1, 2], b: [3]}"),
            ("array<struct<a:int,b:array<int>>>", b"1\x032\x043", "[{a: 1, b: [2, 3]}]"),
        ] {
            assert_eq!(nested(of, text).as_deref(), Ok(value), "{of}");
        }
        assert_eq!(nested("array<int>", b"1\x02x"), Err(Misfit::NotOfType));
    }
}
