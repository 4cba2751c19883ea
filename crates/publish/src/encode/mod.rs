//! Documents as JSON bytes: what a record's value is.
//!
//! An [`Encoder`] is compiled once for a feed, the type of its `document` column and an edition. A
//! batch is [prepared](Encoder::prepare) once, which looks at each column's type, and then each row
//! is [written](Prepared::write) without allocating. The same feed, edition and document always give
//! the same bytes.
//!
//! # Envelopes
//! - `operations`: `{"eventHeader": …, "keys": [{"keyField": …, "keyValue": …}], "payload": …}`. Each
//!   field of the payload is wrapped whole, `{"operation":"INSERT","newValue":…}`, whatever its
//!   shape; only `many` is walked into, and the fields of its elements are wrapped. `keyField` is the
//!   first root field whose expression is the document's key, or else that expression.
//! - `plain`: the document.
//! - `before-after`: `{"before":null,"after":…,"source":{"connector":"hivecast","feed":…,"table":…,
//!   "load_date":…,"snapshot":"true","ts_ms":…},"op":"r","ts_ms":…}`, a snapshot's read as Debezium
//!   writes it; both times are the edition's.
//!
//! # Values
//! | type | JSON |
//! | --- | --- |
//! | text | a string with the escapes of `serde_json`: `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, `\u00xx`; all else as UTF-8 |
//! | integers | all digits; with `big_integers: text`, 64-bit ones beyond ±2^53 as strings |
//! | floats | the shortest text that reads back the same; NaN and the infinities by `nan` |
//! | decimals | every digit that the scale asks for, by `decimals` as text or number |
//! | dates, timestamps | by `date`, `timestamp` and `timezone`; fractions are cut, not rounded |
//! | times of day | `hh:mm:ss` and as many decimals as their unit has |
//! | binary | Base64 with padding |
//! | lists, structs, maps | arrays and objects; a map's keys as text |
//!
//! A timestamp without a zone is a wall clock in `timezone`. Where clocks go forward and skip it, it
//! is moved forward by what they skip; where they go back and it comes twice, it is the earlier.
//! Years outside of 0000 to 9999 carry a sign (`+10000-01-01`). Offsets of local mean time, before
//! about 1900, are rounded to the minute by `%:z`. Daylight saving is known to the year 2100.
//!
//! # Nulls
//! With `nulls: omit`, a field whose value is null, `[]` or `{}` is left out, at any depth and from
//! the inside out, and so is an element of a `list`. Elements of a `many` and of values of list type
//! keep their place (`null`, `{}`): an array has one element a row. With `nulls: keep` all are
//! written, and an absent `one` is `null`.
//!
//! # Masks
//! A mask replaces a value's text form: what JSON would have between the quotes, before escapes; of a
//! list, struct or map its JSON. Null stays null. `hmac-sha256` and `sha256` give 64 lower-case
//! hexadecimal digits; `last4` a `*` for every character but the last four, and for all of a text of
//! four or fewer; `redact` gives `REDACTED`. The record's key is not masked.

mod bound;
mod envelope;
mod mask;
mod node;
mod number;
mod plan;
mod scalar;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::fmt;

use arrow_array::StructArray;
use arrow_schema::Fields;
use hivecast_contract::LoadDate;
use hivecast_feed::Feed;
use hivecast_run::{Fault, Result};

pub use bound::Bound;
pub use envelope::{EVENT_NAMESPACE, event_identifier};

use envelope::Envelope;
use node::{Object, Unwritable};
use plan::{Compiler, FieldPlan, Wrap};
use scalar::{Formats, Presence};

/// Which edition documents belong to, as their envelopes say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EditionStamp {
    /// The day.
    pub load_date: LoadDate,
    /// The edition's time, milliseconds since the epoch.
    pub time_ms: i64,
}

/// A feed's way from a document column to record values, compiled.
pub struct Encoder {
    feed: String,
    formats: Formats,
    envelope: Envelope,
    root: Vec<FieldPlan>,
    bound: Bound,
}

impl fmt::Debug for Encoder {
    /// Without the mask key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("feed", &self.feed)
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// Compiles the feed for a document column with these fields (laid out as
    /// [`hivecast_feed::document`] says).
    ///
    /// A usage fault where a time zone, a pattern or a value's type can't be used, or where a mask
    /// needs the key and there is none; a bug where the fields are not the feed's.
    pub fn new(
        feed: &Feed,
        document: &Fields,
        edition: EditionStamp,
        mask_key: Option<&[u8]>,
    ) -> Result<Encoder> {
        let within =
            |fault: Fault| fault.within(format!("failed to prepare the documents of feed {}", feed.name));
        let formats = Formats::new(&feed.format).map_err(within)?;
        let compiler = Compiler { feed: &feed.name, formats: &formats, mask_key };
        let (root, cost) = compiler
            .object(&feed.document.fields, document, Wrap::of(feed.envelope.style))
            .map_err(within)?;
        let envelope = Envelope::new(feed, edition, &formats).map_err(within)?;
        let bound = Bound { per_value: cost.each, per_document: cost.fixed + envelope.bytes() };
        Ok(Encoder { feed: feed.name.clone(), formats, envelope, root, bound })
    }

    /// Looks at a batch's columns once, so that its rows can be written. A bug where the batch does
    /// not have the fields that the encoder was compiled for; text may lie in any of Arrow's layouts.
    pub fn prepare<'a>(&'a self, document: &'a StructArray) -> Result<Prepared<'a>> {
        let root = node::object(&self.root, document)
            .map_err(|fault| fault.within(format!("failed to prepare documents of feed {}", self.feed)))?;
        Ok(Prepared { encoder: self, root })
    }

    /// How large a record value can get: see [`Bound::bytes`].
    pub fn overhead_bound(&self) -> Bound {
        self.bound
    }

    /// The exact size in bytes of each record value of a batch. `keys` are the rows' keys, in order.
    pub fn sizes<'k>(
        &self,
        document: &StructArray,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<Vec<u64>> {
        let prepared = self.prepare(document)?;
        let mut value = Vec::new();
        let sizes = keys.into_iter().enumerate().map(|(row, key)| {
            value.clear();
            prepared.write(row, key, &mut value)?;
            Ok(value.len() as u64)
        });
        sizes.collect()
    }
}

/// A batch whose rows can be written.
pub struct Prepared<'a> {
    encoder: &'a Encoder,
    root: Object<'a>,
}

impl Prepared<'_> {
    /// Appends the record value of the document at `row` (below the batch's length), whose key is
    /// `key`. A data fault, with `out` as it was, where a date or time lies outside of the calendar
    /// (±262,000 years).
    pub fn write(&self, row: usize, key: &str, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let encoder = self.encoder;
        encoder.envelope.push_head(key, out);
        match self.root.push(row, &encoder.formats, out) {
            Ok(Presence::Value | Presence::Empty) => {}
            Ok(Presence::Null) => out.extend_from_slice(b"{}"),
            Err(error) => {
                out.truncate(start);
                return Err(self.unwritable(key, *error));
            }
        }
        out.extend_from_slice(&encoder.envelope.tail);
        Ok(())
    }

    #[cold]
    fn unwritable(&self, key: &str, mut error: Unwritable) -> Fault {
        error.path.reverse();
        Fault::data(format!(
            "failed to encode document {key:?} of feed {}: {} in field {} lies outside of the calendar's years",
            self.encoder.feed,
            error.why,
            error.path.join("."),
        ))
        .advise("correct the value in the export, or leave it out by a case expression")
    }
}
