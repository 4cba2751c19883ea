//! Every setting of a feed file.

use crate::model::{
    Atomicity, BigIntegers, Decimals, EnvelopeStyle, FileFormat, Header, Mask, NotANumber, Nulls, Severity,
};
use crate::settings::{Group, Kind, Setting, optional, required, words};
use crate::words::ReadyWord;

/// Most partitions of a topic.
pub(crate) const MAX_PARTITIONS: u64 = 100_000;

/// A feed's name: it is part of file names, headers and the producer's transactional id.
pub(crate) const FEED_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";
/// A topic's name, as Apache Kafka has it (`org.apache.kafka.common.internals.Topic`).
pub(crate) const TOPIC_NAME: &str = "^[A-Za-z0-9._-]{1,249}$";

const COUNT: Kind = Kind::Integer { min: 0, max: u64::MAX };
const VERSION: Kind = Kind::Integer { min: 0, max: u32::MAX as u64 };

pub(crate) static FEED: Group = Group {
    id: "feed",
    title: "the feed",
    settings: &[
        required("feed", Kind::Pattern(FEED_NAME), "The feed's name: letters, digits, `-`, `_`, `.`."),
        required("topic", Kind::Pattern(TOPIC_NAME), "The topic that documents go to."),
        required(
            "partitions",
            Kind::Integer { min: 1, max: MAX_PARTITIONS },
            "How many partitions the topic has; it is created with these when it is missing.",
        ),
        optional(
            "topic_settings",
            Kind::MapOf(&Kind::AnyOf(&[Kind::Text, Kind::ListOf(&Kind::Text)])),
            "Topic settings by Kafka's names, applied when the topic is created.",
        ),
        required(
            "tables",
            Kind::MapOf(&Kind::Group(&TABLE)),
            "The tables that documents are made of, by the names that this feed gives them.",
        ),
        required("document", Kind::Group(&DOCUMENT), "The document: one for each row of its table."),
        optional("envelope", Kind::Group(&ENVELOPE), "How documents are wrapped."),
        optional("format", Kind::Group(&FORMAT), "How values are written."),
        optional("gates", Kind::Group(&GATES), "Checks on the whole edition before anything is sent."),
        optional("chunks", Kind::Group(&CHUNKS), "How the edition is cut into transactions."),
        optional(
            "atomic",
            Kind::Words(words::<Atomicity>),
            "What becomes visible together; `chunk` by default.",
        ),
    ],
    exactly_one: &[],
};

pub(crate) static CHUNKS: Group = Group {
    id: "chunks",
    title: "`chunks`",
    settings: &[
        optional(
            "records",
            Kind::Integer { min: 1, max: u64::MAX },
            "Most records in a chunk; 50000 by default.",
        ),
        optional("bytes", Kind::Bytes, "Most bytes of keys and values in a chunk; 64MiB by default."),
    ],
    exactly_one: &[],
};

pub(crate) static TABLE: Group = Group {
    id: "table",
    title: "a table",
    settings: &[
        optional("source", Kind::Text, "The warehouse's table: `database.table` or `table`."),
        optional("sql", Kind::Sql, "A query over the other tables of this feed."),
        optional("where", Kind::Sql, "Rows for which it is not true are left out."),
        optional("format", Kind::Words(words::<FileFormat>), "Found by the files themselves when absent."),
        optional("delimiter", Kind::Text, "For text: one character, `,` by default; `tab`; `\\001`."),
        optional("header", Kind::Words(words::<Header>), "For text: `false` by default."),
        optional("quote", Kind::Text, "For text: one character, `\"` by default, or `none`."),
        optional("escape", Kind::Text, "For text: one character, or `none`, the default."),
        optional("null", Kind::Text, "For text: what stands for null, `\\N` by default."),
        optional(
            "collection",
            Kind::Text,
            "For text: what stands between an array's items, a map's entries and a struct's fields; `\\002` by default.",
        ),
        optional(
            "map_key",
            Kind::Text,
            "For text: what stands between a map's key and its value; `\\003` by default.",
        ),
        optional(
            "skip_header_lines",
            SKIPPED_LINES,
            "For text: lines at the start of each file that are left out; 0 by default.",
        ),
        optional(
            "skip_footer_lines",
            SKIPPED_LINES,
            "For text: records at the end of each file that are left out; 0 by default.",
        ),
        optional(
            "columns",
            Kind::MapOf(&Kind::Text),
            "Names and Hive types, in order, for files that carry none.",
        ),
        optional(
            "partition",
            Kind::Text,
            "The partition directory or column that holds the load_date; `load_date` by default.",
        ),
        optional(
            "ready",
            Kind::AnyOf(&[Kind::Words(words::<ReadyWord>), Kind::Group(&READY)]),
            "What must be there before the partition is read; `exists` by default.",
        ),
    ],
    exactly_one: &["source", "sql"],
};

pub(crate) static READY: Group = Group {
    id: "ready",
    title: "`ready`",
    settings: &[
        optional(
            "parameter",
            Kind::Text,
            "A parameter of the metastore's partition: `NAME=VALUE`, or `NAME` for any value.",
        ),
        optional("unchanged_for", Kind::Duration, "No file is younger than this."),
        optional(
            "rows_within",
            Kind::Percentage,
            "As many rows as the last 7 load_dates have on average, give or take this share.",
        ),
    ],
    exactly_one: &["parameter", "unchanged_for", "rows_within"],
};

/// What says how files lie, and so has no place beside `sql`.
pub(crate) const LAYOUT_SETTINGS: [&str; 13] = [
    "format",
    "delimiter",
    "header",
    "quote",
    "escape",
    "null",
    "collection",
    "map_key",
    "skip_header_lines",
    "skip_footer_lines",
    "columns",
    "partition",
    "ready",
];
/// What only delimited text has.
pub(crate) const TEXT_SETTINGS: [&str; 9] = [
    "delimiter",
    "header",
    "quote",
    "escape",
    "null",
    "collection",
    "map_key",
    "skip_header_lines",
    "skip_footer_lines",
];
/// Most lines that may be left out at either end: those at the end are held back in memory, and Hive's
/// own limit is no higher.
pub(crate) const MAX_SKIPPED_LINES: u64 = 100;

const SKIPPED_LINES: Kind = Kind::Integer { min: 0, max: MAX_SKIPPED_LINES };

const ON: Kind = Kind::AnyOf(&[Kind::Text, Kind::MapOf(&Kind::Text)]);

/// A field: an expression, or a mapping with exactly one of these shapes. A static, not a constant:
/// fields nest in fields.
pub(crate) static FIELD: Kind = Kind::AnyOf(&[
    Kind::Sql,
    Kind::Group(&VALUE_FIELD),
    Kind::Group(&OBJECT_FIELD),
    Kind::Group(&LIST_FIELD),
    Kind::Group(&ONE_FIELD),
    Kind::Group(&MANY_FIELD),
]);

pub(crate) static DOCUMENT: Group = Group {
    id: "document",
    title: "`document`",
    settings: &[
        required("from", Kind::Text, "The table whose rows become documents."),
        required("key", Kind::Sql, "The document's key, which is the record's key: unique and not null."),
        required("fields", Kind::MapOf(&FIELD), "The fields, in this order."),
    ],
    exactly_one: &[],
};

pub(crate) static VALUE_FIELD: Group = Group {
    id: "value_field",
    title: "a field with `value`",
    settings: &[
        required("value", Kind::Sql, "An SQL expression over the current table's row."),
        optional("mask", Kind::Words(words::<Mask>), "How the value is hidden from consumers."),
    ],
    exactly_one: &[],
};

pub(crate) static OBJECT_FIELD: Group = Group {
    id: "object_field",
    title: "a field with `fields`",
    settings: &[required("fields", Kind::MapOf(&FIELD), "An object with these fields, in this order.")],
    exactly_one: &[],
};

pub(crate) static LIST_FIELD: Group = Group {
    id: "list_field",
    title: "a field with `list`",
    settings: &[required(
        "list",
        Kind::ListOf(&Kind::Group(&ELEMENT)),
        "An array of these objects: of those whose `when` is true.",
    )],
    exactly_one: &[],
};

pub(crate) static ELEMENT: Group = Group {
    id: "element",
    title: "an element of `list`",
    settings: &[
        optional("when", Kind::Sql, "The element is there only where it is true."),
        required("fields", Kind::MapOf(&FIELD), "The element's fields, in this order."),
    ],
    exactly_one: &[],
};

pub(crate) static ONE_FIELD: Group = Group {
    id: "one_field",
    title: "a field with `one`",
    settings: &[
        required("one", Kind::Text, "The table with at most one row for each row of the current table."),
        required("on", ON, "The column that both tables have, or `{child_column: parent_column}`."),
        required("fields", Kind::MapOf(&FIELD), "The fields, in this order."),
    ],
    exactly_one: &[],
};

pub(crate) static MANY_FIELD: Group = Group {
    id: "many_field",
    title: "a field with `many`",
    settings: &[
        required("many", Kind::Text, "The table whose rows become the array's elements."),
        required("on", ON, "The column that both tables have, or `{child_column: parent_column}`."),
        required("key", Kind::Sql, "Orders the elements, and tells them apart."),
        required("fields", Kind::MapOf(&FIELD), "The fields, in this order."),
    ],
    exactly_one: &[],
};

/// The shapes that a field's mapping can have, by the setting that decides.
pub(crate) static SHAPES: [(&str, &Group); 5] = [
    ("value", &VALUE_FIELD),
    ("fields", &OBJECT_FIELD),
    ("list", &LIST_FIELD),
    ("one", &ONE_FIELD),
    ("many", &MANY_FIELD),
];

pub(crate) static ENVELOPE: Group = Group {
    id: "envelope",
    title: "`envelope`",
    settings: &[
        optional("style", Kind::Words(words::<EnvelopeStyle>), "The wrapping; `plain` by default."),
        optional("event", Kind::Group(&EVENT), "For `operations`: what its header says."),
    ],
    exactly_one: &[],
};

pub(crate) static EVENT: Group = Group {
    id: "event",
    title: "`event`",
    settings: &[
        optional("type", Kind::Text, "`eventType`; the feed's name by default."),
        optional("majorSchemaVersion", VERSION, "1 by default."),
        optional("minorSchemaVersion", VERSION, "0 by default."),
    ],
    exactly_one: &[],
};

pub(crate) static FORMAT: Group = Group {
    id: "format",
    title: "`format`",
    settings: &[
        optional("timezone", Kind::Text, "IANA name: timestamps without a zone are in it; `UTC` by default."),
        optional("timestamp", Kind::Text, "strftime pattern; `%Y-%m-%dT%H:%M:%S%.3f%:z` by default."),
        optional("date", Kind::Text, "strftime pattern; `%Y-%m-%d` by default."),
        optional("nulls", Kind::Words(words::<Nulls>), "`omit` by default."),
        optional("decimals", Kind::Words(words::<Decimals>), "`text` by default."),
        optional("nan", Kind::Words(words::<NotANumber>), "`null` by default."),
        optional("big_integers", Kind::Words(words::<BigIntegers>), "`number` by default."),
    ],
    exactly_one: &[],
};

const OF: Setting = required("of", Kind::Text, "The table, by the feed's name for it.");
const SEVERITY: Setting =
    optional("severity", Kind::Words(words::<Severity>), "What a breach means; `fail` by default.");

pub(crate) static GATES: Group = Group {
    id: "gates",
    title: "`gates`",
    settings: &[
        optional("row_count", Kind::AnyOf(&ROW_COUNT_KINDS), "A table has enough rows, and not too many."),
        optional(
            "row_change",
            Kind::AnyOf(&ROW_CHANGE_KINDS),
            "A table's rows changed little since yesterday.",
        ),
        optional("null_rate", Kind::AnyOf(&NULL_RATE_KINDS), "Few rows have null in a column."),
        optional("allowed", Kind::AnyOf(&ALLOWED_KINDS), "A column holds null or one of these values."),
        optional("unique", Kind::AnyOf(&UNIQUE_KINDS), "No two rows agree in all these columns."),
        optional("orphans", Kind::AnyOf(&ORPHANS_KINDS), "Few child rows lack their parent row."),
        optional("document_size", Kind::AnyOf(&DOCUMENT_SIZE_KINDS), "The largest encoded document."),
        optional("document_key", Kind::AnyOf(&DOCUMENT_KEY_KINDS), "Null or duplicate document keys."),
        optional("element_key", Kind::AnyOf(&ELEMENT_KEY_KINDS), "Elements of one array with the same key."),
        optional("mass_delete", Kind::AnyOf(&MASS_DELETE_KINDS), "Few of yesterday's keys are gone."),
        optional("sql", Kind::AnyOf(&QUERY_KINDS), "A query that must return no row."),
    ],
    exactly_one: &[],
};

/// For each rule its settings, and what stands under its name: one gate, or a list of them.
macro_rules! rules {
    ($($kinds:ident $group:ident $id:literal $title:literal [$($setting:expr),* $(,)?];)*) => {$(
        static $kinds: [Kind; 2] = [Kind::Group(&$group), Kind::ListOf(&Kind::Group(&$group))];
        pub(crate) static $group: Group =
            Group { id: $id, title: $title, settings: &[$($setting),*], exactly_one: &[] };
    )*};
}

const COLUMN: Setting = required("column", Kind::Text, "The column.");

rules! {
    ROW_COUNT_KINDS ROW_COUNT "row_count" "gate `row_count`" [
        OF,
        optional("min", COUNT, "Fewest rows."),
        optional("max", COUNT, "Most rows."),
        SEVERITY,
    ];
    ROW_CHANGE_KINDS ROW_CHANGE "row_change" "gate `row_change`" [
        OF,
        required("max", Kind::Percentage, "Most change, as a share of the previous edition's rows."),
        SEVERITY,
    ];
    NULL_RATE_KINDS NULL_RATE "null_rate" "gate `null_rate`" [
        OF, COLUMN, required("max", Kind::Percentage, "Largest share of rows."), SEVERITY,
    ];
    ALLOWED_KINDS ALLOWED "allowed" "gate `allowed`" [
        OF, COLUMN, required("values", Kind::ListOf(&Kind::Text), "The values, compared as text."), SEVERITY,
    ];
    UNIQUE_KINDS UNIQUE "unique" "gate `unique`" [
        OF, required("columns", Kind::ListOf(&Kind::Text), "The columns."), SEVERITY,
    ];
    ORPHANS_KINDS ORPHANS "orphans" "gate `orphans`" [
        required("of", Kind::Text, "The child table, by the feed's name for it."),
        required("max", Kind::Percentage, "Largest share of its rows."),
        SEVERITY,
    ];
    DOCUMENT_SIZE_KINDS DOCUMENT_SIZE "document_size" "gate `document_size`" [
        optional("max", Kind::Bytes, "Most bytes, if below the target's own limit."),
        SEVERITY,
    ];
    DOCUMENT_KEY_KINDS DOCUMENT_KEY "document_key" "gate `document_key`" [SEVERITY];
    ELEMENT_KEY_KINDS ELEMENT_KEY "element_key" "gate `element_key`" [SEVERITY];
    MASS_DELETE_KINDS MASS_DELETE "mass_delete" "gate `mass_delete`" [
        required("max", Kind::Percentage, "Largest share of the previous edition's keys."),
        SEVERITY,
    ];
    QUERY_KINDS QUERY "sql" "gate `sql`" [
        required("name", Kind::Text, "The gate's name in reports."),
        required("query", Kind::Sql, "The query, over the feed's tables."),
        SEVERITY,
    ];
}
