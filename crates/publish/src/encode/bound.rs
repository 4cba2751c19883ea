//! How large a record value can get, known before any document is.

use hivecast_feed::Nulls;

/// Most bytes that one byte of text takes in JSON: a control character becomes `\u00XX`. Bytes of a
/// binary value take less, as Base64.
const ESCAPED: u64 = 6;
/// Bytes of a hash in hexadecimal digits, with quotes.
const HASH: u64 = 66;
/// Bytes of `null`.
const NULL: u64 = 4;

/// An upper bound of a record value's bytes, from counts that an edition keeps for each shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Bytes besides text for each counted value.
    pub per_value: u64,
    /// Bytes for the document whatever is in it: envelope, names, brackets.
    pub per_document: u64,
}

impl Bound {
    /// Most bytes of a document that holds `text_bytes` of text and binary values, its key's bytes
    /// among them, and `values` values.
    ///
    /// What must be counted at least: each scalar that is not null, each element of an array
    /// (`many`, or a value of list type; null or not), each entry of a map. An element or entry that is
    /// a single value counts once, one that holds others counts besides them. Counting more (nulls,
    /// objects) does no harm.
    pub fn bytes(self, text_bytes: u64, values: u64) -> u64 {
        ESCAPED
            .saturating_mul(text_bytes)
            .saturating_add(self.per_value.saturating_mul(values))
            .saturating_add(self.per_document)
    }
}

/// What a part of a document adds to the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// Bytes for each time that the part stands, whatever is in it.
    pub(super) fixed: u64,
    /// Most bytes, besides text, of one counted value in it.
    pub(super) each: u64,
}

impl Cost {
    /// A single value of at most `longest` bytes besides its text.
    pub(super) fn scalar(longest: u64) -> Self {
        Cost { fixed: 0, each: longest.max(NULL) }
    }

    pub(super) fn masked_scalar(self) -> Self {
        Cost { each: self.each.max(HASH), ..self }
    }

    /// The JSON text of the part, or its hash; `last4` may escape the four characters it shows.
    pub(super) fn masked_json(self) -> Self {
        Cost { fixed: self.fixed + HASH + 4 * ESCAPED, ..self }
    }

    /// Brackets, and parts with a comma each.
    pub(super) fn side_by_side(parts: Vec<Cost>) -> Self {
        let fixed = parts.iter().map(|cost| cost.fixed + 1).sum::<u64>();
        Cost { fixed: fixed + 2, each: parts.iter().map(|cost| cost.each).max().unwrap_or(0) }
    }

    /// An array of such parts: each counts as a value.
    pub(super) fn repeated(self) -> Self {
        Cost { fixed: 2 + NULL, each: self.fixed.max(self.each).max(NULL) + 1 }
    }

    /// A map with keys of this cost: each entry counts as a value, a key has quotes.
    pub(super) fn entries(self, value: Cost) -> Self {
        Cost { fixed: 2 + NULL, each: self.each + 2 + value.fixed + value.each.max(NULL) + 2 }
    }

    /// A scalar under a name and wrapper of `around` bytes. It counts as a value and so pays for its
    /// own name, unless it can be null and written all the same.
    pub(super) fn named_scalar(self, around: u64, nulls: Nulls) -> Self {
        match nulls {
            Nulls::Omit => Cost { each: self.each + around, ..self },
            Nulls::Keep => self.named_part(around),
        }
    }

    /// Any other part under a name and wrapper of `around` bytes.
    pub(super) fn named_part(self, around: u64) -> Self {
        Cost { fixed: self.fixed + around + NULL, ..self }
    }
}
