//! A feed as its file states it, resolved: defaults filled in, every enumerated word understood,
//! every place kept. Made by `parse`; nothing here has been held against a table yet.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::column_type::ColumnType;
use crate::settings::Word;

/// Bytes of the feed file, for messages.
pub type Span = Range<usize>;

/// Text from the feed file with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// An SQL expression or query as written, with its place.
pub type Sql = Spanned<String>;

/// One feed file.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// The feed's name: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// The topic that documents go to.
    pub topic: String,
    /// How many partitions the topic has.
    pub partitions: u32,
    /// Topic settings (`cleanup.policy: compact`), applied when the topic is created.
    pub topic_settings: BTreeMap<String, String>,
    /// The tables, in the order of the file.
    pub tables: Vec<Table>,
    /// The root of the document; its `key` is the document's key.
    pub document: Node,
    /// How documents are wrapped.
    pub envelope: Envelope,
    /// How values are written.
    pub format: Format,
    /// The gates, in the order of the file. Gates that are always on are added by the gates room.
    pub gates: Vec<Gate>,
    /// How the edition is cut into transactions.
    pub chunks: Chunks,
}

/// How the edition is cut into transactions. A chunk ends at whichever limit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Most records in a chunk.
    pub records: u64,
    /// Most bytes of keys and values in a chunk (a single larger record is a chunk of its own).
    pub bytes: u64,
    /// `atomic: edition`: the whole edition in one transaction, whatever the limits above.
    pub atomic: Atomicity,
}

/// What becomes visible together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomicity {
    /// `atomic: chunk`, the default.
    Chunk,
    /// `atomic: edition`, for small editions.
    Edition,
}

/// A table that documents are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The name that the feed uses.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Where its rows come from.
    pub source: Source,
    /// Where `source` or `sql` says so.
    pub source_span: Span,
    /// `where`: rows for which it is not true are left out.
    pub filter: Option<Sql>,
    /// What neither the metastore nor the files say.
    pub layout: Layout,
}

/// Where a table's rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `source: mdm.accounts`.
    Warehouse {
        /// The Hive database, if one is named.
        database: Option<String>,
        /// The Hive table.
        table: String,
    },
    /// `sql: select …` over the other tables of the feed.
    Query(Sql),
}

/// How a table lies, where the files themselves do not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// `format`; found by the files' first bytes and names when absent.
    pub format: Option<FileFormat>,
    /// For `format: text`.
    pub text: TextLayout,
    /// `columns`: names and types, in order, for formats that carry none.
    pub columns: Option<Vec<(String, ColumnType)>>,
    /// `partition`: the name of the partition directory or column that holds the load_date.
    pub partition: String,
    /// `ready`: what must be there before the partition is read.
    pub ready: Ready,
}

/// The directory or column that holds the load_date, where a table does not say.
pub(crate) const DEFAULT_PARTITION: &str = "load_date";

impl Default for Layout {
    /// What is taken of a table of which a feed says nothing.
    fn default() -> Self {
        Layout {
            format: None,
            text: TextLayout::default(),
            columns: None,
            partition: DEFAULT_PARTITION.to_owned(),
            ready: Ready::Exists,
        }
    }
}

/// When a partition is whole. It must have files whatever is asked besides.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    /// `ready: exists`, the default: the partition has files.
    Exists,
    /// `ready: success_file`: a file `_SUCCESS` lies beside them.
    SuccessFile,
    /// `ready: { parameter: NAME=VALUE }`: the metastore's partition has this parameter.
    Parameter {
        /// Its name.
        name: String,
        /// Its value; none for any.
        value: Option<String>,
    },
    /// `ready: { unchanged_for: 10m }`: no file is younger than this.
    UnchangedFor(Duration),
    /// `ready: { rows_within: 20% }`: it has as many rows as the table's last load_dates have on
    /// average, give or take this share of them.
    RowsWithin(f64),
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Apache ORC.
    Orc,
    /// Apache Avro's object container files.
    Avro,
    /// One JSON object a line.
    Json,
    /// Delimited text, CSV included.
    Text,
}

impl FileFormat {
    /// Whether a file says itself which columns of which types it has.
    pub fn describes_itself(self) -> bool {
        matches!(self, FileFormat::Parquet | FileFormat::Orc | FileFormat::Avro)
    }

    /// As a feed names it: `parquet`.
    pub fn word(self) -> &'static str {
        Word::word(self)
    }
}

/// As people call it: "Parquet", "ORC".
impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileFormat::Parquet => "Parquet",
            FileFormat::Orc => "ORC",
            FileFormat::Avro => "Avro",
            FileFormat::Json => "JSON",
            FileFormat::Text => "text",
        })
    }
}

/// How delimited text is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLayout {
    /// Whose rules of quoting, escaping and missing fields hold.
    pub dialect: TextDialect,
    /// `delimiter`: one byte; `,` by default.
    pub delimiter: u8,
    /// `header`: whether the first line of each file names the columns.
    pub header: Header,
    /// `quote`: one byte, or none.
    pub quote: Option<u8>,
    /// `escape`: one byte, or none.
    pub escape: Option<u8>,
    /// `null`: the text that stands for null; `\N` by default.
    pub null: String,
    /// `collection`: what stands between the items of an array, the entries of a map and the fields of
    /// a struct; Hive's control-B by default.
    pub collection: u8,
    /// `map_key`: what stands between a map's key and its value; Hive's control-C by default.
    pub map_key: u8,
    /// `skip_header_lines`: lines of each file that are left out, before a header that names columns.
    pub skip_header_lines: u32,
    /// `skip_footer_lines`: records at the end of each file that are left out.
    pub skip_footer_lines: u32,
}

/// Whose rules delimited text follows where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextDialect {
    /// A feed's `format: text`: every record has a field for every column, and a quoted field may hold
    /// line breaks.
    Strict,
    /// Hive's `LazySimpleSerDe`: a line is a record, missing fields are null, further ones are ignored.
    Hive,
    /// Hive's `OpenCSVSerde`: as Hive, with quotes; nothing but a missing field is null.
    OpenCsv,
}

impl Default for TextLayout {
    /// What a feed's `format: text` means without further settings.
    fn default() -> Self {
        TextLayout {
            dialect: TextDialect::Strict,
            delimiter: b',',
            header: Header::Absent,
            quote: Some(b'"'),
            escape: None,
            null: r"\N".to_owned(),
            collection: 2,
            map_key: 3,
            skip_header_lines: 0,
            skip_footer_lines: 0,
        }
    }
}

impl TextLayout {
    /// What a Hive table without serde properties means.
    pub fn hive() -> Self {
        TextLayout { dialect: TextDialect::Hive, delimiter: 1, quote: None, ..TextLayout::default() }
    }
}

/// Whether text files name their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The first line of each file holds the names; columns are found by them.
    Present,
    /// Columns are found by their position.
    Absent,
}

/// A level of the document: one table, and the fields made of each of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The table, by the feed's name for it.
    pub table: Spanned<String>,
    /// `key`: of the root, the document's key; of a `many`, what orders the elements and tells them
    /// apart. A `one` has none.
    pub key: Option<Sql>,
    /// `on`: pairs of this table's column and the parent table's column. Empty for the root.
    pub on: Vec<JoinColumn>,
    /// The fields, in the order of the file.
    pub fields: Vec<Field>,
}

/// One pair of `on`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinColumn {
    /// The column of the node's own table.
    pub child: String,
    /// The column of the enclosing node's table.
    pub parent: String,
    /// Where the pair stands.
    pub span: Span,
}

/// A named part of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name in the JSON.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// What it holds.
    pub shape: Shape,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A string, or `value`: an expression over the current table's row.
    Value {
        /// The expression.
        sql: Sql,
        /// `mask`, applied when the document is encoded.
        mask: Option<Mask>,
    },
    /// `fields`: an object.
    Fields(Vec<Field>),
    /// `list`: an array of objects, those whose `when` is true.
    List(Vec<Element>),
    /// `one`: an object of the child row, absent where there is none.
    One(Node),
    /// `many`: an array, one element a child row.
    Many(Node),
}

/// One element of a `list`.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// `when`: the element is there only where it is true.
    pub when: Option<Sql>,
    /// The element's fields.
    pub fields: Vec<Field>,
}

/// How a value is hidden from consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// HMAC-SHA-256 under the project's `mask_key`, 64 hexadecimal digits.
    HmacSha256,
    /// SHA-256, 64 hexadecimal digits.
    Sha256,
    /// All but the last four characters replaced by `*`; shorter text wholly.
    Last4,
    /// The text `REDACTED`.
    Redact,
}

/// How documents are wrapped.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The wrapping.
    pub style: EnvelopeStyle,
    /// `event.type`; the feed's name by default.
    pub event_type: String,
    /// `event.majorSchemaVersion`, 1 by default.
    pub major_version: u32,
    /// `event.minorSchemaVersion`, 0 by default.
    pub minor_version: u32,
}

/// The wrappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeStyle {
    /// Header, keys, and a payload in which each field carries its operation.
    Operations,
    /// The document itself.
    Plain,
    /// `{"before": …, "after": …}` with source and operation, as change-data-capture tools write.
    BeforeAfter,
}

/// How values are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// `timezone`: IANA name; timestamps without a zone are in it, and all are written in it.
    pub timezone: String,
    /// `timestamp`: a strftime pattern, `%Y-%m-%dT%H:%M:%S%.3f%:z` by default.
    pub timestamp: String,
    /// `date`: a strftime pattern, `%Y-%m-%d` by default.
    pub date: String,
    /// `nulls`.
    pub nulls: Nulls,
    /// `decimals`.
    pub decimals: Decimals,
    /// `nan`: what NaN and the infinities, which JSON lacks, become.
    pub nan: NotANumber,
    /// `big_integers`: 64-bit integers beyond ±2^53, which many JSON readers round.
    pub big_integers: BigIntegers,
}

/// What becomes of nulls, empty arrays and empty objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// `omit`, the default: the field is left out.
    Omit,
    /// `keep`: `null`, `[]`, `{}`; an absent `one` is `null`.
    Keep,
}

/// How decimals are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimals {
    /// `text`, the default: `"12.50"`, exact in every reader.
    Text,
    /// `number`: `12.50`.
    Number,
}

/// What becomes of NaN and the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotANumber {
    /// `null`, the default: treated as null.
    Null,
    /// `text`: `"NaN"`, `"Infinity"`, `"-Infinity"`.
    Text,
}

/// How 64-bit integers beyond ±2^53 are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BigIntegers {
    /// `number`, the default: all digits, exact in the bytes.
    Number,
    /// `text`: integers beyond ±2^53 (9007199254740992) as strings.
    Text,
}

/// A check that must pass before the first byte is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// What is checked.
    pub rule: Rule,
    /// What a breach means.
    pub severity: Severity,
    /// Where the gate stands.
    pub span: Span,
    /// Where it names what it looks at.
    pub places: GatePlaces,
}

/// Where a gate names what it looks at. What it does not name has no place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatePlaces {
    /// The value of `of`.
    pub of: Option<Span>,
    /// The value of `column`, or each one of `columns`.
    pub columns: Vec<Span>,
}

/// What a gate checks. `of` is a table's name in the feed.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// `row_count`: the table's rows, after `where`, lie in `min..=max`.
    RowCount {
        /// The table.
        of: String,
        /// Fewest rows.
        min: Option<u64>,
        /// Most rows.
        max: Option<u64>,
    },
    /// `row_change`: the table's rows differ from the previous edition's by at most this share.
    RowChange {
        /// The table.
        of: String,
        /// Most change, as a share of yesterday's rows: 0.2 for `20%`.
        max: f64,
    },
    /// `null_rate`: the share of rows with null in a column.
    NullRate {
        /// The table.
        of: String,
        /// The column.
        column: String,
        /// Largest share.
        max: f64,
    },
    /// `allowed`: a column holds null or one of these values, compared as text.
    Allowed {
        /// The table.
        of: String,
        /// The column.
        column: String,
        /// The values.
        values: Vec<String>,
    },
    /// `unique`: no two rows agree in all these columns.
    Unique {
        /// The table.
        of: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// `orphans`: rows of a child table whose parent row is not in the parent table, `where` aside.
    Orphans {
        /// The child table.
        of: String,
        /// Largest share.
        max: f64,
    },
    /// `document_size`: the largest encoded document; on even when not written, with the target's
    /// own limit.
    DocumentSize {
        /// Most bytes, if below the target's limit.
        max: Option<u64>,
    },
    /// `document_key`: null or duplicate document keys; on even when not written, as `fail`.
    DocumentKey,
    /// `element_key`: two elements of one array with the same key; on even when not written, as
    /// `fail`.
    ElementKey,
    /// `mass_delete`: the share of the previous edition's keys that are gone.
    MassDelete {
        /// Largest share.
        max: f64,
    },
    /// `sql`: a query over the feed's tables that must return no row.
    Query {
        /// The gate's name in reports.
        name: String,
        /// The query.
        sql: Sql,
    },
}

/// What a breach of a gate means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Told, and sent.
    Warn,
    /// What breaches it is set aside beside the edition, counted, and the rest is sent.
    Quarantine,
    /// Nothing is sent.
    Fail,
}
