//! One record as a line: `{"offset":n,"key":"…","headers":{…},"value":<JSON>|null}`.

use std::borrow::Cow;

use hivecast_contract::{HEADER_EDITION, HEADER_FEED, HEADER_LOAD_DATE, HEADER_OP, Operation};
use hivecast_run::{Fault, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Headers, Record};

/// The headers of all records of a transaction, as ready JSON.
#[derive(Clone, Debug)]
pub(super) struct HeaderText {
    upsert: String,
    delete: String,
}

impl HeaderText {
    pub(super) fn new(headers: &Headers) -> Self {
        let text = |operation: Operation| {
            let feed = serde_json::Value::from(headers.feed.as_str());
            let edition = serde_json::Value::from(headers.edition.as_str());
            format!(
                r#","headers":{{"{HEADER_FEED}":{feed},"{HEADER_LOAD_DATE}":"{}","{HEADER_EDITION}":{edition},"{HEADER_OP}":"{}"}},"value":"#,
                headers.load_date,
                operation.as_str()
            )
        };
        HeaderText { upsert: text(Operation::Upsert), delete: text(Operation::Delete) }
    }
}

/// Appends the start of a record's line to `out`, up to where [`write_rest`] goes on.
pub(super) fn write_offset(out: &mut Vec<u8>, offset: i64) {
    out.extend_from_slice(b"{\"offset\":");
    out.extend_from_slice(itoa::Buffer::new().format(offset).as_bytes());
}

/// Appends a record's line without its start to `out`, which does not depend on where the record will lie.
/// The value must be JSON on one line; its bytes stay as they are.
pub(super) fn write_rest(
    out: &mut Vec<u8>,
    key: &[u8],
    headers: &HeaderText,
    value: Option<&[u8]>,
) -> Result<()> {
    let text = std::str::from_utf8(key).map_err(|error| {
        Fault::data(format!("failed to write key {:?}: keys are UTF-8 text", String::from_utf8_lossy(key)))
            .because(error)
    })?;
    if value.is_some_and(|value| value.contains(&b'\n')) {
        return Err(Fault::data(format!(
            "failed to write the document of key {text:?}: it holds a line feed"
        )));
    }
    out.extend_from_slice(b",\"key\":");
    serde_json::to_writer(&mut *out, text)
        .map_err(|error| Fault::bug(format!("failed to write key {text:?}")).because(error))?;
    match value {
        Some(value) => {
            out.extend_from_slice(headers.upsert.as_bytes());
            out.extend_from_slice(value);
        }
        None => {
            out.extend_from_slice(headers.delete.as_bytes());
            out.extend_from_slice(b"null");
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// A record's line, read.
pub(super) struct Line<'a> {
    pub(super) offset: i64,
    key: Cow<'a, str>,
    headers: HeaderValues<'a>,
    value: &'a [u8],
}

/// The headers by the names that [`HeaderText`] writes; one that is absent is empty.
#[derive(Default, Deserialize)]
struct HeaderValues<'a> {
    #[serde(borrow, default, rename = "hivecast.feed")]
    feed: Cow<'a, str>,
    #[serde(borrow, default, rename = "hivecast.load_date")]
    load_date: Cow<'a, str>,
    #[serde(borrow, default, rename = "hivecast.edition")]
    edition: Cow<'a, str>,
    #[serde(borrow, default, rename = "hivecast.op")]
    op: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Written<'a> {
    offset: i64,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    headers: HeaderValues<'a>,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl<'a> Line<'a> {
    /// Reads a line with its line feed.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        let Written { offset, key, headers, value } = serde_json::from_slice(line)?;
        Ok(Line { offset, key, headers, value: verbatim(line, value.get()) })
    }

    pub(super) fn record(&self, partition: u32) -> Record<'_> {
        let HeaderValues { feed, load_date, edition, op } = &self.headers;
        let is_tombstone = op == Operation::Delete.as_str();
        Record {
            partition,
            offset: self.offset,
            key: self.key.as_bytes(),
            value: (!is_tombstone).then_some(self.value),
            feed: there(feed),
            load_date: there(load_date),
            edition: there(edition),
            op: there(op),
        }
    }
}

fn there(header: &str) -> Option<&str> {
    Some(header).filter(|header| !header.is_empty())
}

/// The very bytes that were written as the value. A JSON parser drops the blanks around a value, and
/// a checksum does not: so the value is everything between its colon and the brace that ends the
/// line.
fn verbatim<'a>(line: &'a [u8], parsed: &'a str) -> &'a [u8] {
    let start = parsed.as_ptr().addr() - line.as_ptr().addr();
    let blanks = line[..start].iter().rev().take_while(|byte| **byte != b':').count();
    let end = line.iter().rposition(|byte| *byte == b'}').unwrap_or(start + parsed.len());
    &line[start - blanks..end]
}

#[cfg(test)]
mod tests {
    use hivecast_contract::LoadDate;
    use proptest::prelude::*;

    use super::*;

    fn headers() -> HeaderText {
        HeaderText::new(&Headers {
            feed: "contracts".into(),
            load_date: LoadDate::new(2026, 11, 22).unwrap(),
            edition: "0123456789abcdef".into(),
        })
    }

    fn write(
        out: &mut Vec<u8>,
        offset: i64,
        key: &[u8],
        headers: &HeaderText,
        value: Option<&[u8]>,
    ) -> Result<()> {
        let mut rest = vec![];
        write_rest(&mut rest, key, headers, value)?;
        write_offset(out, offset);
        out.extend_from_slice(&rest);
        Ok(())
    }

    fn round_trip(key: &str, value: Option<&[u8]>) {
        let mut out = vec![];
        write(&mut out, 7, key.as_bytes(), &headers(), value).unwrap();
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line = Line::parse(&out).unwrap();
        let record = line.record(3);
        assert_eq!((record.partition, record.offset, record.key), (3, 7, key.as_bytes()));
        assert_eq!(record.value, value);
        assert_eq!(record.op, Some(if value.is_some() { "upsert" } else { "delete" }));
        assert_eq!((record.feed, record.load_date), (Some("contracts"), Some("2026-11-22")));
        assert_eq!(record.edition, Some("0123456789abcdef"));
    }

    #[test]
    fn the_line_is_as_documented() {
        let mut out = vec![];
        write(&mut out, 0, b"7\"1", &headers(), Some(b"{\"a\": 1}")).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap().trim_end(), @r#"{"offset":0,"key":"7\"1","headers":{"hivecast.feed":"contracts","hivecast.load_date":"2026-11-22","hivecast.edition":"0123456789abcdef","hivecast.op":"upsert"},"value":{"a": 1}}"#);
    }

    #[test]
    fn values_come_back_byte_by_byte() {
        for value in
            ["null", "{}", " { } ", "\t[1 , 2]\t", "\":\"", "12", "\"}\"", "{\"value\": {\"value\":null} }"]
        {
            round_trip("k", Some(value.as_bytes()));
        }
        round_trip("", None);
    }

    #[test]
    fn what_would_break_the_line_is_refused() {
        let mut out = vec![];
        assert!(write(&mut out, 0, b"\xff", &headers(), None).is_err());
        assert!(write(&mut out, 0, b"k", &headers(), Some(b"{\n}")).is_err());
        assert!(out.is_empty(), "nothing half written");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_key_and_any_text_round_trip(key in any::<String>(), text in any::<String>()) {
            round_trip(&key, Some(serde_json::Value::from(text).to_string().as_bytes()));
        }
    }
}
