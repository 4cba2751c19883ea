//! How the words of the model are written.

use crate::model::{
    Atomicity, BigIntegers, Decimals, EnvelopeStyle, FileFormat, Header, Mask, NotANumber, Nulls, Severity,
};
use crate::settings::Word;

impl Word for Atomicity {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("chunk", Atomicity::Chunk, "each chunk becomes visible by itself"),
        ("edition", Atomicity::Edition, "the whole edition in one transaction; for small editions"),
    ];
}

/// What `ready` may be in one word.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum ReadyWord {
    Exists,
    SuccessFile,
}

impl Word for ReadyWord {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("exists", ReadyWord::Exists, "the partition has files"),
        ("success_file", ReadyWord::SuccessFile, "a file `_SUCCESS` lies beside the partition's files"),
    ];
}

impl Word for FileFormat {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("parquet", FileFormat::Parquet, "Apache Parquet"),
        ("orc", FileFormat::Orc, "Apache ORC"),
        ("avro", FileFormat::Avro, "Apache Avro's object container files"),
        ("json", FileFormat::Json, "one JSON object a line"),
        ("text", FileFormat::Text, "delimited text, CSV included"),
    ];
}

impl Word for Header {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("true", Header::Present, "the first line of each file names the columns"),
        ("false", Header::Absent, "columns are found by their position"),
    ];
}

impl Word for Mask {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        (
            "hmac-sha256",
            Mask::HmacSha256,
            "HMAC-SHA-256 under the project's `mask_key`, 64 hexadecimal digits",
        ),
        ("sha256", Mask::Sha256, "SHA-256, 64 hexadecimal digits; short values can be guessed"),
        ("last4", Mask::Last4, "all but the last four characters become `*`; shorter text wholly"),
        ("redact", Mask::Redact, "the text `REDACTED`"),
    ];
}

impl Word for EnvelopeStyle {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("plain", EnvelopeStyle::Plain, "the document itself"),
        (
            "operations",
            EnvelopeStyle::Operations,
            "header, keys, and a payload whose fields carry operations",
        ),
        ("before-after", EnvelopeStyle::BeforeAfter, "`before` and `after`, as change data capture writes"),
    ];
}

impl Word for Nulls {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("omit", Nulls::Omit, "nulls, empty arrays and empty objects are left out"),
        ("keep", Nulls::Keep, "they are written as `null`, `[]` and `{}`"),
    ];
}

impl Word for Decimals {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("text", Decimals::Text, "as text: exact in every reader"),
        ("number", Decimals::Number, "as a JSON number with all its digits"),
    ];
}

impl Word for NotANumber {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("null", NotANumber::Null, "NaN and the infinities are treated as null"),
        ("text", NotANumber::Text, "as `\"NaN\"`, `\"Infinity\"`, `\"-Infinity\"`"),
    ];
}

impl Word for BigIntegers {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("number", BigIntegers::Number, "all digits, exact in the bytes"),
        ("text", BigIntegers::Text, "as text beyond 9007199254740992 either way from zero"),
    ];
}

impl Word for Severity {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("warn", Severity::Warn, "told, and sent"),
        ("quarantine", Severity::Quarantine, "what breaches it is set aside and counted, the rest is sent"),
        ("fail", Severity::Fail, "nothing is sent"),
    ];
}
