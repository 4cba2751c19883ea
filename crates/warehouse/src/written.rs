//! How a table's files are written, from what the metastore says: format, delimiters, columns.

use std::collections::BTreeMap;

use hivecast_feed::{ColumnType, FileFormat, TextDialect, TextLayout};
use hivecast_metastore::{Column, Partition, Storage, Table};
use hivecast_run::{Fault, Result};

use crate::reading::{Authority, Columns, Declared, Matching};
use crate::warehouse::Wish;

/// The parts of Java class names by which formats are known: of the serde, of the input format.
const FORMATS: [(&str, &str, FileFormat); 8] = [
    ("ParquetHiveSerDe", "ParquetInputFormat", FileFormat::Parquet),
    ("OrcSerde", "OrcInputFormat", FileFormat::Orc),
    ("AvroSerDe", "AvroContainerInputFormat", FileFormat::Avro),
    ("org.apache.hive.hcatalog.data.JsonSerDe", TEXT_INPUT, FileFormat::Json),
    ("org.apache.hadoop.hive.serde2.JsonSerDe", TEXT_INPUT, FileFormat::Json),
    ("org.openx.data.jsonserde.JsonSerDe", TEXT_INPUT, FileFormat::Json),
    (SIMPLE_SERDE, TEXT_INPUT, FileFormat::Text),
    (CSV_SERDE, TEXT_INPUT, FileFormat::Text),
];
const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const SIMPLE_SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
const CSV_SERDE: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
/// Lines of a header or footer beyond which a table is taken to be mistaken; Hive's own limit for
/// footers (`hive.file.max.footer`).
const MAX_SKIPPED_LINES: u32 = 100;

/// How a partition's files, or those of a table without partitions, are written. `Class::Usage` for what
/// is not read, with the reason, and where the feed says something else.
pub(crate) fn written(wish: &Wish<'_>, table: &Table, partition: Option<&Partition>) -> Result<Declared> {
    let storage = partition.map_or(&table.storage, |partition| &partition.storage);
    let told = Told { wish: wish.name, table, storage, partition };
    let format = told.format()?;
    if let Some(other) = wish.layout.format.filter(|other| *other != format) {
        return Err(told
            .refuse(format!("is {format}, says the metastore, and {other}, says the feed"))
            .advise("take `format` out of the table in the feed"));
    }
    let columns = match format == FileFormat::Avro && told.has_avro_schema() {
        // Files of a table that was made from an Avro schema say what its columns are.
        true => None,
        false => Some(Columns { by: Authority::Metastore, columns: typed(&table.columns) }),
    };
    Ok(Declared {
        format: Some(format),
        text: told.text(format)?,
        columns,
        own: told.own_columns(format),
        matching: told.matching(format),
        zone: wish.zone,
    })
}

/// Names and types; a type that is not read keeps its column from being used, and no other.
fn typed(columns: &[Column]) -> Vec<(String, ColumnType)> {
    let typed = |column: &Column| {
        let found = ColumnType::parse(&column.type_text).unwrap_or_else(ColumnType::Unreadable);
        (column.name.clone(), found)
    };
    columns.iter().map(typed).collect()
}

/// What the metastore says, and of what.
struct Told<'a> {
    wish: &'a str,
    table: &'a Table,
    storage: &'a Storage,
    partition: Option<&'a Partition>,
}

impl Told<'_> {
    fn refuse(&self, why: impl std::fmt::Display) -> Fault {
        Fault::usage(format!("table {}: {} {why}", self.wish, self.table.full_name()))
    }

    /// A property, as Hive looks it up: the serde's, the partition's, then the table's.
    fn property(&self, name: &str) -> Option<&str> {
        let places: [Option<&BTreeMap<String, String>>; 4] = [
            Some(&self.storage.serde_parameters),
            self.partition.map(|partition| &partition.parameters),
            Some(&self.table.storage.serde_parameters),
            Some(&self.table.parameters),
        ];
        places.into_iter().flatten().find_map(|place| place.get(name)).map(String::as_str)
    }

    fn is_set(&self, name: &str) -> bool {
        self.property(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn format(&self) -> Result<FileFormat> {
        let Storage { serde_library, input_format, .. } = self.storage;
        self.refuse_other_systems()?;
        let known = FORMATS
            .iter()
            .find(|(serde, input, _)| serde_library.ends_with(serde) && input_format.ends_with(input));
        known.map(|(_, _, format)| *format).ok_or_else(|| {
            self.refuse(format!(
                "is written in a format that is not read: {serde_library} over {input_format}"
            ))
            .advise("export it as Parquet, ORC, Avro, JSON lines or delimited text")
        })
    }

    /// Tables whose files are not all the table's, or not files at all.
    fn refuse_other_systems(&self) -> Result<()> {
        let table_type = self.property("table_type").unwrap_or_default();
        let provider = self.property("spark.sql.sources.provider").unwrap_or_default();
        let handler = self.property("storage_handler");
        for system in ["iceberg", "delta", "hudi"] {
            if table_type.eq_ignore_ascii_case(system) || provider.eq_ignore_ascii_case(system) {
                return Err(self
                    .refuse(format!("is a table of {system}, whose files can't be read without its own log"))
                    .advise("export it as a plain table: `create table … stored as parquet as select …`"));
            }
        }
        if let Some(handler) = handler {
            return Err(self
                .refuse(format!("lies in another system, behind {handler}"))
                .advise("export it as a plain table: `create table … stored as parquet as select …`"));
        }
        if self.table.columns.len() == 1
            && &*self.table.columns[0].type_text == "array<string>"
            && !provider.is_empty()
        {
            return Err(self.refuse(format!("is a table that Spark keeps in its own way ({provider}), so the metastore has not its columns"))
                .advise("create it with `stored as parquet`, or with spark.sql.hive.convertMetastoreParquet"));
        }
        Ok(())
    }

    fn has_avro_schema(&self) -> bool {
        let schema = |name| self.property(name).is_some_and(|value| !value.is_empty() && value != "none");
        schema("avro.schema.literal") || schema("avro.schema.url")
    }

    /// The partition's own columns, where files are read by them as Hive does, and they are not the table's.
    /// Files that say what is in them are read by the table's columns.
    fn own_columns(&self, format: FileFormat) -> Option<Vec<(String, ColumnType)>> {
        if !matches!(format, FileFormat::Text | FileFormat::Json) {
            return None;
        }
        let own = &self.partition?.columns;
        Some(typed(own)).filter(|found| !found.is_empty() && *found != typed(&self.table.columns))
    }

    fn matching(&self, format: FileFormat) -> Matching {
        let by_position = match format {
            FileFormat::Parquet => self.is_set("parquet.column.index.access"),
            FileFormat::Orc => self.is_set("orc.force.positional.evolution"),
            // Text names nothing.
            FileFormat::Text | FileFormat::Avro | FileFormat::Json => false,
        };
        if by_position { Matching::Positions } else { Matching::Names }
    }

    fn text(&self, format: FileFormat) -> Result<TextLayout> {
        let mut layout = TextLayout::hive();
        if !matches!(format, FileFormat::Text | FileFormat::Json) {
            return Ok(layout);
        }
        layout.skip_header_lines = self.lines("skip.header.line.count")?;
        layout.skip_footer_lines = self.lines("skip.footer.line.count")?;
        if let Some(encoding) =
            self.property("serialization.encoding").filter(|name| !name.eq_ignore_ascii_case("utf-8"))
        {
            return Err(self.refuse(format!("is text in {encoding}, and only UTF-8 is read")));
        }
        if format == FileFormat::Json {
            return self.refuse_json_properties().map(|()| layout);
        }
        if self.storage.serde_library == CSV_SERDE {
            layout.dialect = TextDialect::OpenCsv;
            layout.delimiter = self.character("separatorChar")?.unwrap_or(b',');
            layout.quote = Some(self.character("quoteChar")?.unwrap_or(b'"'));
            layout.escape = Some(self.character("escapeChar")?.unwrap_or(b'\\'));
            return Ok(layout);
        }
        if self.is_set("serialization.last.column.takes.rest") {
            return Err(self.refuse("has `serialization.last.column.takes.rest`, which is not read"));
        }
        if self.property("line.delim").is_some_and(|text| text != "\n" && text != "10") {
            return Err(
                self.refuse("has a `line.delim` that is no line feed, which Hive itself does not read")
            );
        }
        if let Some(byte) =
            first_of([self.separator("field.delim")?, self.separator("serialization.format")?])
        {
            layout.delimiter = byte;
        }
        // The misspelling is Hive's own name for it.
        if let Some(byte) =
            first_of([self.separator("colelction.delim")?, self.separator("collection.delim")?])
        {
            layout.collection = byte;
        }
        if let Some(byte) = self.separator("mapkey.delim")? {
            layout.map_key = byte;
        }
        layout.escape = self.separator("escape.delim")?;
        if let Some(null) = self.property("serialization.null.format") {
            layout.null = null.to_owned();
        }
        Ok(layout)
    }

    fn refuse_json_properties(&self) -> Result<()> {
        let asked = ["dots.in.keys", "ignore.malformed.json"].into_iter().find(|name| self.is_set(name));
        let parameters = self.storage.serde_parameters.keys();
        let mapped = parameters.map(String::as_str).find(|name| name.starts_with("mapping."));
        match asked.or(mapped) {
            Some(name) => Err(self.refuse(format!("has the serde property `{name}`, which is not read"))),
            None => Ok(()),
        }
    }

    fn lines(&self, name: &str) -> Result<u32> {
        let Some(text) = self.property(name) else { return Ok(0) };
        text.trim().parse().ok().filter(|lines| *lines <= MAX_SKIPPED_LINES).ok_or_else(|| {
            self.refuse(format!("has `{name}` = {text:?}, which is no number up to {MAX_SKIPPED_LINES}"))
        })
    }

    /// The first character of a property of the CSV serde.
    fn character(&self, name: &str) -> Result<Option<u8>> {
        self.property(name).filter(|text| !text.is_empty()).map(|text| self.byte(name, text)).transpose()
    }

    /// A separator of the simple serde: a number is the byte itself (`Byte.parseByte`), anything else
    /// stands for its first character.
    fn separator(&self, name: &str) -> Result<Option<u8>> {
        let Some(text) = self.property(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        match text.parse::<i8>() {
            Ok(number) => Ok(Some(number.cast_unsigned())),
            Err(_) => self.byte(name, text).map(Some),
        }
    }

    fn byte(&self, name: &str, text: &str) -> Result<u8> {
        match text.chars().next().filter(char::is_ascii) {
            Some(character) => Ok(character as u8),
            None => Err(self.refuse(format!("has `{name}` = {text:?}, which is not one ASCII character"))),
        }
    }
}

fn first_of(bytes: [Option<u8>; 2]) -> Option<u8> {
    bytes.into_iter().flatten().next()
}

#[cfg(test)]
mod tests;
