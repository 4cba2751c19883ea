//! What stands around the document in a record value.

use hivecast_contract::LoadDate;
use hivecast_feed::{EnvelopeStyle, Feed, Shape};
use hivecast_run::{Fault, Result};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::EditionStamp;
use super::scalar::Formats;
use super::text::{json_string, push_escaped};
use super::time::{OutOfRange, Reading};

/// The namespace of event identifiers: the UUIDv5 of `urn:hivecast:event` in the URL namespace of
/// RFC 9562, so that `uuid5(uuid5(NAMESPACE_URL, "urn:hivecast:event"), "FEED/LOAD_DATE/KEY")` gives
/// a document's identifier in any language.
pub const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0xb653_2acb_8454_520a_8057_05ba_a9a0_4efa);

/// The constant bytes of a record value around what differs from document to document.
pub(super) struct Envelope {
    pub(super) head: Vec<u8>,
    /// Between head and document in the `operations` style.
    pub(super) event: Option<Event>,
    pub(super) tail: Vec<u8>,
}

/// The parts of the event header and keys.
pub(super) struct Event {
    /// `FEED/LOAD_DATE/`, which the key follows to make the identifier's name.
    name: Vec<u8>,
    after_identifier: Vec<u8>,
    after_key: Vec<u8>,
}

impl Envelope {
    pub(super) fn new(feed: &Feed, stamp: EditionStamp, formats: &Formats) -> Result<Self> {
        Ok(match feed.envelope.style {
            EnvelopeStyle::Plain => Envelope { head: Vec::new(), event: None, tail: Vec::new() },
            EnvelopeStyle::BeforeAfter => Envelope {
                head: br#"{"before":null,"after":"#.to_vec(),
                event: None,
                tail: snapshot_read(feed, stamp),
            },
            EnvelopeStyle::Operations => Envelope {
                head: br#"{"eventHeader":{"eventIdentifier":""#.to_vec(),
                event: Some(Event::new(feed, stamp, formats)?),
                tail: b"}".to_vec(),
            },
        })
    }

    /// Most bytes of the envelope, the key's own text aside.
    pub(super) fn bytes(&self) -> u64 {
        let event = self.event.as_ref().map_or(0, |event| {
            event.after_identifier.len() + event.after_key.len() + uuid::fmt::Hyphenated::LENGTH
        });
        (self.head.len() + event + self.tail.len()) as u64
    }

    /// Appends all that stands before the document.
    pub(super) fn push_head(&self, key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        if let Some(event) = &self.event {
            event.push(key, out);
        }
    }
}

impl Event {
    fn new(feed: &Feed, stamp: EditionStamp, formats: &Formats) -> Result<Self> {
        let mut time = Vec::new();
        let (seconds, millis) = (stamp.time_ms.div_euclid(1000), stamp.time_ms.rem_euclid(1000));
        let nanos = u32::try_from(millis * 1_000_000).unwrap_or(0);
        formats.times.push_timestamp(seconds, nanos, Reading::Instant, &mut time).map_err(|OutOfRange| {
            Fault::bug(format!("failed to write the edition's time, {} ms", stamp.time_ms))
        })?;
        let time = String::from_utf8_lossy(&time);
        let after_identifier = [
            br#"","eventType":"#.to_vec(),
            json_string(&feed.envelope.event_type),
            format!(
                r#","majorSchemaVersion":{},"minorSchemaVersion":{},"eventDateTime":"#,
                feed.envelope.major_version, feed.envelope.minor_version
            )
            .into_bytes(),
            json_string(&time),
            br#"},"keys":[{"keyField":"#.to_vec(),
            json_string(key_field(feed)),
            br#","keyValue":""#.to_vec(),
        ]
        .concat();
        Ok(Event {
            name: format!("{}/{}/", feed.name, stamp.load_date).into_bytes(),
            after_identifier,
            after_key: br#""}],"payload":"#.to_vec(),
        })
    }

    fn push(&self, key: &str, out: &mut Vec<u8>) {
        // The name is put together where the identifier will stand, which saves a buffer.
        let start = out.len();
        out.extend_from_slice(&self.name);
        out.extend_from_slice(key.as_bytes());
        let identifier = name_based(&out[start..]);
        out.truncate(start);
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        out.extend_from_slice(identifier.hyphenated().encode_lower(&mut text).as_bytes());
        out.extend_from_slice(&self.after_identifier);
        push_escaped(out, key.as_bytes());
        out.extend_from_slice(&self.after_key);
    }
}

/// The identifier of a document's event: see [`EVENT_NAMESPACE`].
pub fn event_identifier(feed: &str, load_date: LoadDate, key: &str) -> Uuid {
    name_based(format!("{feed}/{load_date}/{key}").as_bytes())
}

/// A UUIDv5 in [`EVENT_NAMESPACE`]. The `uuid` crate's own has no use for the processor's SHA
/// instructions, and took an eighth of all encoding.
fn name_based(name: &[u8]) -> Uuid {
    let digest = Sha1::new_with_prefix(EVENT_NAMESPACE.as_bytes()).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

/// The name of the root's field whose expression is the document's key, or else the expression.
fn key_field(feed: &Feed) -> &str {
    let key = feed.document.key.as_ref().map_or("", |key| key.value.trim());
    let is_key = |shape: &Shape| matches!(shape, Shape::Value { sql, .. } if sql.value.trim() == key);
    feed.document.fields.iter().find(|field| is_key(&field.shape)).map_or(key, |field| &field.name)
}

/// What follows the document in a change event of kind `r`, a snapshot's read, as Debezium's
/// connectors write it (<https://debezium.io/documentation/reference/stable/>): source, operation,
/// and time in milliseconds since the epoch. The time is the edition's, so that a document sent
/// again is the same bytes.
fn snapshot_read(feed: &Feed, stamp: EditionStamp) -> Vec<u8> {
    [
        br#","source":{"connector":"hivecast","feed":"#.to_vec(),
        json_string(&feed.name),
        br#","table":"#.to_vec(),
        json_string(&feed.document.table.value),
        format!(
            r#","load_date":"{}","snapshot":"true","ts_ms":{time}}},"op":"r","ts_ms":{time}}}"#,
            stamp.load_date,
            time = stamp.time_ms
        )
        .into_bytes(),
    ]
    .concat()
}
