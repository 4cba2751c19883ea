use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use hivecast_contract::LoadDate;
use hivecast_feed::{
    Atomicity, BigIntegers, Chunks, Decimals, Envelope, EnvelopeStyle, Feed, FileFormat, Format, Layout,
    Node, NotANumber, Nulls, Ready, Source, Spanned, Table, TextLayout,
};
use hivecast_run::{Cancel, Context, Event, Fault, FixedClock, Sink};
use hivecast_warehouse::{Inputs, TableInput, Warehouse};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

/// 2026-11-22T12:00:00Z, long after the files that [`write_at`] writes.
pub(crate) const NOON: FixedClock = FixedClock(1_795_348_800_000);

pub(crate) fn date(text: &str) -> LoadDate {
    text.parse().unwrap()
}

pub(crate) fn day() -> LoadDate {
    date("2026-11-22")
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<String>>);

impl Sink for Told {
    fn event(&self, event: &Event) {
        if let Event::Note { text, .. } = event {
            self.0.lock().unwrap().push(text.clone());
        }
    }
}

/// A warehouse directory of its own.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) told: Told,
    pub(crate) cancel: Cancel,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap(), told: Told::default(), cancel: Cancel::default() }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context { sink: &self.told, cancel: &self.cancel, clock: &NOON }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn warehouse(&self) -> Warehouse {
        Warehouse::open(self.dir.path()).unwrap()
    }

    pub(crate) fn freeze(&self, feed: &Feed) -> Result<Inputs, Fault> {
        self.warehouse().freeze(feed, day(), self.context())
    }

    /// The one table of a feed.
    pub(crate) fn table(&self, table: Table) -> Result<TableInput, Fault> {
        self.freeze(&feed([table])).map(|mut inputs| inputs.tables.remove(0))
    }

    /// A fault as people read it, without this test's directory.
    pub(crate) fn text(&self, fault: &Fault) -> String {
        let text =
            format!("{} ({:?})\nadvice: {}", fault.chain(), fault.class(), fault.advice().unwrap_or("none"));
        text.replace(&self.dir.path().display().to_string(), "ROOT")
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        set_hour(&path, 4);
    }

    pub(crate) fn parquet(&self, path: &str, columns: Vec<(&str, ArrayRef)>) {
        self.parquet_at(path, 4, columns);
    }

    /// With a modification time at this hour of 2026-11-22.
    pub(crate) fn parquet_at(&self, path: &str, hour: u64, columns: Vec<(&str, ArrayRef)>) {
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        write_parquet(&self.path(path), &[batch], WriterProperties::default());
        set_hour(&self.path(path), hour);
    }
}

pub(crate) fn write_parquet(path: &Path, batches: &[RecordBatch], properties: WriterProperties) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties)).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
}

pub(crate) fn set_hour(path: &Path, hour: u64) {
    let file = File::options().write(true).open(path).unwrap();
    let day = u64::try_from(day().days_since_epoch()).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(day * 86_400 + hour * 3600)).unwrap();
}

pub(crate) fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

pub(crate) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn plain_text() -> TextLayout {
    TextLayout::default()
}

/// `name: { source: mdm.name }`.
pub(crate) fn table(name: &str) -> Table {
    Table {
        name: name.to_owned(),
        span: 0..0,
        source: Source::Warehouse { database: Some("mdm".to_owned()), table: name.to_owned() },
        source_span: 0..0,
        filter: None,
        layout: Layout {
            format: None,
            text: plain_text(),
            columns: None,
            partition: "load_date".to_owned(),
            ready: Ready::Exists,
        },
    }
}

pub(crate) fn ready_by_success(name: &str) -> Table {
    let mut table = table(name);
    table.layout.ready = Ready::SuccessFile;
    table
}

pub(crate) fn text_table(name: &str, columns: &[(&str, hivecast_feed::ColumnType)]) -> Table {
    let mut table = table(name);
    table.layout.format = Some(FileFormat::Text);
    if !columns.is_empty() {
        table.layout.columns =
            Some(columns.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect());
    }
    table
}

pub(crate) fn feed(tables: impl IntoIterator<Item = Table>) -> Feed {
    let tables: Vec<Table> = tables.into_iter().collect();
    Feed {
        name: "contracts".to_owned(),
        topic: "mdm.contracts".to_owned(),
        partitions: 1,
        topic_settings: BTreeMap::new(),
        document: Node {
            table: Spanned { value: tables[0].name.clone(), span: 0..0 },
            key: None,
            on: Vec::new(),
            fields: Vec::new(),
        },
        tables,
        envelope: Envelope {
            style: EnvelopeStyle::Plain,
            event_type: "contracts".to_owned(),
            major_version: 1,
            minor_version: 0,
        },
        format: Format {
            timezone: "UTC".to_owned(),
            timestamp: "%s".to_owned(),
            date: "%Y-%m-%d".to_owned(),
            nulls: Nulls::Omit,
            decimals: Decimals::Text,
            nan: NotANumber::Null,
            big_integers: BigIntegers::Number,
        },
        gates: Vec::new(),
        chunks: Chunks { records: 1, bytes: 1, atomic: Atomicity::Chunk },
    }
}

/// Every row of every column as text, `∅` for null.
pub(crate) fn rows(input: &TableInput) -> Vec<Vec<String>> {
    let columns: Vec<usize> = (0..input.schema.fields().len()).collect();
    rows_of(input, &columns, 3).unwrap()
}

pub(crate) fn rows_of(
    input: &TableInput,
    columns: &[usize],
    batch_rows: usize,
) -> Result<Vec<Vec<String>>, Fault> {
    let scan = input.scan(columns, batch_rows)?;
    let schema = scan.schema();
    let mut rows = Vec::new();
    for batch in scan {
        let batch = batch?;
        assert_eq!(batch.schema(), schema);
        assert!((1..=batch_rows).contains(&batch.num_rows()), "{} rows in a batch", batch.num_rows());
        rows.extend(batch_rows_as_text(&batch));
    }
    Ok(rows)
}

pub(crate) fn batch_rows_as_text(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::new().with_null("∅");
    let formatters: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| formatters.iter().map(|formatter| formatter.value(row).to_string()).collect())
        .collect()
}

/// `name: type` of each column, as Arrow writes them.
pub(crate) fn columns(input: &TableInput) -> Vec<String> {
    input.schema.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect()
}

pub(crate) fn strings(column: &ArrayRef) -> Vec<Option<String>> {
    assert_eq!(column.null_count(), column.logical_null_count());
    column.as_string_view().iter().map(|value| value.map(str::to_owned)).collect()
}
