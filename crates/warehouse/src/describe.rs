//! What a partition's rows look like, from its files' footers and headers.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hivecast_feed::{ColumnType, FileFormat, Header};
use hivecast_run::{Fault, Result};

use crate::catalog::Partition;
use crate::detect::format_of;
use crate::input::{InputFile, RowGroup};
use crate::layout::Listed;
use crate::parquet_file::read_footer;
use crate::place::Place;
use crate::schema::{FileColumns, unite};
use crate::text_file::read_header;
use crate::values::data_type_of;
use crate::warehouse::Wish;

/// Where a row's load_date comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateSource {
    /// The partition's directory.
    Path,
    /// A column of the files.
    Column,
}

/// What the files of a partition say about themselves.
pub(crate) struct Described {
    pub(crate) format: FileFormat,
    /// The files' columns, then the partition's where it comes from the path.
    pub(crate) schema: SchemaRef,
    /// Estimated bytes of each column.
    pub(crate) column_bytes: Vec<u64>,
    pub(crate) files: Vec<InputFile>,
    /// Rows of all files, where their footers say.
    pub(crate) rows: Option<u64>,
    pub(crate) partition_column: Option<usize>,
}

/// Reads what the files say. `Class::Usage` where the feed describes the table badly.
pub(crate) fn describe(
    wish: &Wish<'_>,
    partition: &Partition,
    files: Vec<Listed>,
    dates: DateSource,
) -> Result<Described> {
    let place = &partition.place;
    let format = format_of(wish.name, &*place.storage, wish.layout.format, &files)?;
    let (mut columns, files) = match format {
        FileFormat::Parquet => describe_parquet(wish, place, files)?,
        FileFormat::Text => describe_text(wish, place, files, dates)?,
    };
    let rows = match format {
        FileFormat::Parquet => {
            Some(files.iter().flat_map(|file| &file.row_groups).map(|group| group.rows).sum())
        }
        FileFormat::Text => None,
    };
    let mut partition_column = None;
    if dates == DateSource::Path {
        // Hive lets the path speak where a file has a column of that name too.
        let name = wish.layout.partition.to_lowercase();
        columns.retain(|(field, _)| *field.name() != name);
        partition_column = Some(columns.len());
        columns.push((Field::new(name, DataType::Utf8View, true), 0));
    }
    let (fields, column_bytes): (Vec<Field>, Vec<u64>) = columns.into_iter().unzip();
    Ok(Described {
        format,
        schema: Arc::new(Schema::new(fields)),
        column_bytes,
        files,
        rows,
        partition_column,
    })
}

type Columns = Vec<(Field, u64)>;

fn describe_parquet(wish: &Wish<'_>, place: &Place, files: Vec<Listed>) -> Result<(Columns, Vec<InputFile>)> {
    if wish.layout.columns.is_some() {
        return Err(Fault::usage(format!(
            "table {}: its files are Parquet, which names its own columns",
            wish.name
        ))
        .advise("remove the table's `columns` from the feed"));
    }
    let mut columns = Vec::with_capacity(files.len());
    let mut frozen = Vec::with_capacity(files.len());
    for file in files {
        let footer = read_footer(wish.name, &*place.storage, &file.path)?;
        columns.push(FileColumns {
            path: file.path.clone(),
            modified_ns: file.modified_ns,
            columns: footer.columns,
        });
        frozen.push(freeze_file(file, footer.row_groups));
    }
    Ok((unite(wish.name, columns)?, frozen))
}

fn freeze_file(file: Listed, row_groups: Vec<RowGroup>) -> InputFile {
    InputFile { path: file.path, size: file.size, modified_ns: file.modified_ns, row_groups }
}

fn describe_text(
    wish: &Wish<'_>,
    place: &Place,
    files: Vec<Listed>,
    dates: DateSource,
) -> Result<(Columns, Vec<InputFile>)> {
    let declared = match &wish.layout.columns {
        Some(columns) => Some(declared_fields(wish, columns, dates)?),
        None => None,
    };
    let fields = match (wish.layout.text.header, declared) {
        (Header::Absent, Some(fields)) => fields,
        (Header::Absent, None) => {
            return Err(Fault::usage(format!(
                "table {}: text without a header does not name its columns",
                wish.name
            ))
            .advise("write the table's `columns: { name: type, … }` in the feed, or `header: true`"));
        }
        (Header::Present, declared) => header_fields(wish, place, &files, declared)?,
    };
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    let share = bytes / (fields.len() as u64).max(1);
    let columns = fields.into_iter().map(|field| (field, share)).collect();
    Ok((columns, files.into_iter().map(|file| freeze_file(file, Vec::new())).collect()))
}

fn declared_fields(
    wish: &Wish<'_>,
    columns: &[(String, ColumnType)],
    dates: DateSource,
) -> Result<Vec<Field>> {
    let partition = wish.layout.partition.to_lowercase();
    let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
    for (name, declared) in columns {
        let name = name.to_lowercase();
        let wrong = if dates == DateSource::Path && name == partition {
            "comes from the directory's name and is in no file"
        } else if fields.iter().any(|field| *field.name() == name) {
            "is named twice"
        } else if let Some(data_type) = data_type_of(*declared) {
            fields.push(Field::new(name, data_type, true));
            continue;
        } else {
            "is binary, which text has no one way to write; declare it as string"
        };
        return Err(Fault::usage(format!("table {}: column {name} {wrong}", wish.name))
            .advise("correct the table's `columns` in the feed"));
    }
    Ok(fields)
}

/// The declared columns, each of which some file must name; where none are declared, every column
/// that a file names, as text.
fn header_fields(
    wish: &Wish<'_>,
    place: &Place,
    files: &[Listed],
    declared: Option<Vec<Field>>,
) -> Result<Vec<Field>> {
    let mut headers = Vec::with_capacity(files.len());
    for file in files {
        let names = read_header(wish.name, &*place.storage, &file.path, &wish.layout.text)?;
        let columns = names.into_iter().map(|name| (Field::new(name, DataType::Utf8View, true), 0)).collect();
        headers.push(FileColumns { path: file.path.clone(), modified_ns: file.modified_ns, columns });
    }
    let named: Vec<Field> = unite(wish.name, headers)?.into_iter().map(|(field, _)| field).collect();
    let Some(declared) = declared else { return Ok(named) };
    let exists = |field: &&Field| named.iter().any(|name| name.name() == field.name());
    // Files of no bytes name no columns, and lack none.
    if let Some(missing) = declared.iter().find(|field| !named.is_empty() && !exists(field)) {
        let names: Vec<&str> = named.iter().map(|field| field.name().as_str()).collect();
        return Err(Fault::data(format!(
            "table {}: no file's header names column {}; they name {}",
            wish.name,
            missing.name(),
            names.join(", ")
        ))
        .advise("correct the table's `columns` in the feed, or export the partition again"));
    }
    Ok(declared)
}
