//! What a partition's rows look like, from its files' footers and headers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hivecast_feed::{ColumnType, FileFormat, Header, TextDialect, UNREADABLE, type_name};
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Scheme};

use crate::catalog::Partition;
use crate::compressed::{USUAL_RATIO, is_named_compressed};
use crate::data_file::DataFile;
use crate::detect::{format_of, format_of_nothing, one_format};
use crate::input::{InputFile, RowGroup, SizesBy};
use crate::layout::Listed;
use crate::parallel::map_in_order;
use crate::place::Place;
use crate::reading::{Authority, Columns, Declared, are_nameless, misfit, tell_twins};
use crate::rows::has_row_groups;
use crate::schema::{FileColumns, accepts, becomes, data_type_of, unite};
use crate::text_file::read_header;
use crate::warehouse::Wish;
use crate::{avro_file, orc_file, parquet_file};

/// Files of this machine that are looked at together.
const LOCAL_FILES_AT_ONCE: usize = 4;
/// Files of another machine's that are looked at together. Each holds a window of half a MiB meanwhile.
const REMOTE_FILES_AT_ONCE: usize = 32;

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
    /// What they are estimated by.
    pub(crate) sizes: SizesBy,
    pub(crate) files: Vec<InputFile>,
    /// Rows of all files, where their footers say.
    pub(crate) rows: Option<u64>,
    pub(crate) partition_column: Option<usize>,
    /// How the files are read.
    pub(crate) declared: Arc<Declared>,
}

/// Reads what the files say. `Class::Usage` where the feed describes the table badly.
pub(crate) fn describe(
    wish: &Wish<'_>,
    partition: &Partition,
    files: Vec<Listed>,
    dates: DateSource,
) -> Result<Described> {
    let place = &partition.place;
    let declared = partition.declared(wish);
    let table = Table { wish, place, declared: &declared };
    let looked = map_in_order(&files, files_at_once(&place.at), |listed| table.look_at(listed))?;
    let format =
        one_format(wish.name, files.iter().map(|file| &file.path).zip(looked.iter().map(|l| l.format)))?;
    check_declared(wish, &declared, dates)?;
    check_own(wish, place, &declared, format)?;
    let sizes = looked.iter().map(|looked| looked.sizes).fold(SizesBy::Footers, SizesBy::and);
    let (mut columns, files) = match format {
        FileFormat::Parquet | FileFormat::Orc | FileFormat::Avro => table.by_footers(files, looked)?,
        FileFormat::Text => table.text(files, looked)?,
        FileFormat::Json => table.json(files)?,
    };
    let groups = || files.iter().flat_map(|file: &InputFile| &file.row_groups);
    let rows = has_row_groups(format).then(|| groups().map(|group| group.rows).sum());
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
        schema: Arc::new(Schema::new_with_metadata(fields, unreadable(&declared))),
        column_bytes,
        sizes,
        files,
        rows,
        partition_column,
        declared: Arc::new(declared),
    })
}

type FieldBytes = Vec<(Field, u64)>;

/// Fails where the declared columns can't be those of files.
fn check_declared(wish: &Wish<'_>, declared: &Declared, dates: DateSource) -> Result<()> {
    let partition = wish.layout.partition.to_lowercase();
    let Some(Columns { columns, by: Authority::Feed }) = &declared.columns else { return Ok(()) };
    for (at, (name, _)) in columns.iter().enumerate() {
        let wrong = if dates == DateSource::Path && *name == partition {
            "comes from the directory's name and is in no file"
        } else if columns[..at].iter().any(|(known, _)| known == name) {
            "is named twice"
        } else {
            continue;
        };
        return Err(Fault::usage(format!("table {}: column {name} {wrong}", wish.name))
            .advise("correct the table's `columns` in the feed"));
    }
    Ok(())
}

/// The declared columns as fields. Hive's CSV has nothing but text, whatever is declared.
fn declared_fields(declared: &Declared) -> Option<Vec<Field>> {
    let columns = &declared.columns.as_ref()?.columns;
    let of = |of: &ColumnType| match declared.text.dialect {
        TextDialect::OpenCsv if declared.format == Some(FileFormat::Text) => DataType::Utf8View,
        _ => data_type_of(of),
    };
    let readable = columns.iter().filter(|(_, column)| !matches!(column, ColumnType::Unreadable(_)));
    Some(readable.map(|(name, column)| Field::new(name, of(column), true)).collect())
}

/// Why columns are not among the fields, by their names: for whoever uses one of them.
fn unreadable(declared: &Declared) -> HashMap<String, String> {
    let columns = declared.columns.iter().flat_map(|declared| &declared.columns);
    let reasons = columns.filter_map(|(name, column)| match column {
        ColumnType::Unreadable(why) => Some((format!("{UNREADABLE}{name}"), why.clone())),
        _ => None,
    });
    reasons.collect()
}

/// Fails where the partition's own columns hold what the table's don't.
fn check_own(wish: &Wish<'_>, place: &Place, declared: &Declared, format: FileFormat) -> Result<()> {
    let (Some(_), FileFormat::Text) = (&declared.own, format) else { return Ok(()) };
    for field in declared_fields(declared).unwrap_or_default() {
        let Some((name, own)) = declared.own_of(field.name()) else { continue };
        let (own, table) = (data_type_of(own), field.data_type());
        if !becomes(&own, table) {
            return Err(Fault::data(format!(
                "table {}: column {name} of the partition in {place} is {}, says the metastore, which the table's type \
                 {} for {} does not hold",
                wish.name,
                type_name(&own),
                type_name(table),
                field.name()
            ))
            .advise("export the partition again in the table's types, or widen the table's column"));
        }
    }
    Ok(())
}

fn freeze_file(file: Listed, row_groups: Vec<RowGroup>, peculiar: Option<String>) -> InputFile {
    let Listed { path, size, modified_ns, version } = file;
    InputFile { path, size, modified_ns, version, row_groups, peculiar }
}

/// How many of a partition's files are looked at together. Each is a few ways to the store and back, in which
/// nobody does anything; the limit keeps a name node, a bucket and this machine's memory out of trouble.
fn files_at_once(at: &Location) -> usize {
    match at.scheme() {
        Scheme::File => LOCAL_FILES_AT_ONCE,
        Scheme::Hdfs | Scheme::S3 => REMOTE_FILES_AT_ONCE,
    }
}

/// What a file says of itself.
struct Looked {
    format: FileFormat,
    /// Of text with a header the names; empty for other files of lines.
    columns: FieldBytes,
    row_groups: Vec<RowGroup>,
    sizes: SizesBy,
    peculiar: Option<String>,
}

/// A table whose files are looked at.
struct Table<'a> {
    wish: &'a Wish<'a>,
    place: &'a Place,
    declared: &'a Declared,
}

impl Table<'_> {
    /// Reads what a file says of itself, in one go, since each opening is a way to the store and back.
    fn look_at(&self, listed: &Listed) -> Result<Looked> {
        let declared = self.declared;
        if listed.size == 0 {
            let format = format_of_nothing(self.wish.name, &listed.path, declared.format)?;
            let (columns, row_groups) = (Vec::new(), Vec::new());
            return Ok(Looked { format, columns, row_groups, sizes: SizesBy::Footers, peculiar: None });
        }
        let file = DataFile::open(self.wish.name, &*self.place.storage, &listed.path)?;
        let format = format_of(&file, declared.format)?;
        let (mut peculiar, mut sizes) = (None, SizesBy::FileSizes);
        let (columns, row_groups) = match format {
            FileFormat::Parquet => {
                let footer = parquet_file::read_footer(&file, declared.zone)?;
                let names = footer.columns.iter().map(|(field, _)| field.name().clone()).collect();
                peculiar = footer.peculiar.or_else(|| declared.peculiar_names(names));
                sizes = SizesBy::Footers;
                (self.named(format, &file, footer.columns)?, footer.row_groups)
            }
            FileFormat::Orc => {
                let footer = orc_file::read_footer(&file)?;
                sizes = footer.sizes;
                (self.named(format, &file, footer.columns)?, footer.row_groups)
            }
            FileFormat::Avro => {
                let (fields, bytes) = avro_file::read_columns(&file)?;
                (self.named(format, &file, spread(fields, bytes))?, Vec::new())
            }
            FileFormat::Text if declared.text.header == Header::Present => {
                let names = read_header(&file, &declared.text)?.into_iter();
                (names.map(|name| (Field::new(name, DataType::Utf8View, true), 0)).collect(), Vec::new())
            }
            FileFormat::Text | FileFormat::Json => (Vec::new(), Vec::new()),
        };
        Ok(Looked { format, columns, row_groups, sizes, peculiar })
    }

    /// Files that say themselves what is in them.
    fn by_footers(&self, files: Vec<Listed>, looked: Vec<Looked>) -> Result<(FieldBytes, Vec<InputFile>)> {
        let mut columns = Vec::with_capacity(files.len());
        let mut frozen = Vec::with_capacity(files.len());
        for (listed, looked) in files.into_iter().zip(looked) {
            columns.push(FileColumns::of(&listed, looked.columns));
            frozen.push(freeze_file(listed, looked.row_groups, looked.peculiar));
        }
        let columns = match declared_fields(self.declared) {
            Some(fields) => as_declared(fields, &columns),
            None => unite(self.wish.name, columns)?,
        };
        Ok((columns, frozen))
    }

    /// A file's columns by the table's names. Fails where they are not what is declared.
    fn named(&self, format: FileFormat, file: &DataFile, found: FieldBytes) -> Result<FieldBytes> {
        let names: Vec<String> = found.iter().map(|(field, _)| field.name().clone()).collect();
        if let Some(Columns { by: Authority::Feed, .. }) = &self.declared.columns
            && !(format == FileFormat::Orc && are_nameless(&names))
        {
            return Err(Fault::usage(format!(
                "table {}: its files are {format}, which names its own columns",
                self.wish.name
            ))
            .advise("remove the table's `columns` from the feed"));
        }
        let names = self.declared.names_of(names);
        tell_twins(file, &names)?;
        let fields = declared_fields(self.declared).unwrap_or_default();
        let columns = found.into_iter().zip(names).map(|((field, bytes), name)| {
            let table = fields.iter().find(|field| *field.name() == name);
            match table.map(Field::data_type) {
                Some(table) if !accepts(table, field.data_type()) => {
                    Err(misfit(file, field.name(), field.data_type(), table))
                }
                _ => Ok((field.with_name(name), bytes)),
            }
        });
        columns.collect()
    }

    fn text(&self, files: Vec<Listed>, looked: Vec<Looked>) -> Result<(FieldBytes, Vec<InputFile>)> {
        let fields = match (self.declared.text.header, declared_fields(self.declared)) {
            (Header::Absent, Some(fields)) => fields,
            (Header::Absent, None) => {
                return Err(Fault::usage(format!(
                    "table {}: text without a header does not name its columns",
                    self.wish.name
                ))
                .advise("write the table's `columns: { name: type, … }` in the feed, or `header: true`"));
            }
            (Header::Present, declared) => self.header_fields(&files, looked, declared)?,
        };
        Ok(freeze_lines(fields, files))
    }

    fn json(&self, files: Vec<Listed>) -> Result<(FieldBytes, Vec<InputFile>)> {
        match declared_fields(self.declared) {
            Some(fields) => Ok(freeze_lines(fields, files)),
            None => Err(Fault::usage(format!(
                "table {}: JSON does not say of which types its columns are",
                self.wish.name
            ))
            .advise("write the table's `columns: { name: type, … }` in the feed")),
        }
    }

    /// The declared columns, each of which some file must name; where none are declared, every column
    /// that a file names, as text.
    fn header_fields(
        &self,
        files: &[Listed],
        looked: Vec<Looked>,
        declared: Option<Vec<Field>>,
    ) -> Result<Vec<Field>> {
        let headers = files.iter().zip(looked).map(|(file, looked)| FileColumns::of(file, looked.columns));
        let headers = headers.collect();
        let named: Vec<Field> = unite(self.wish.name, headers)?.into_iter().map(|(field, _)| field).collect();
        let Some(declared) = declared else { return Ok(named) };
        let exists = |field: &&Field| named.iter().any(|name| name.name() == field.name());
        // Files of no bytes name no columns, and lack none.
        if let Some(missing) = declared.iter().find(|field| !named.is_empty() && !exists(field)) {
            let names: Vec<&str> = named.iter().map(|field| field.name().as_str()).collect();
            return Err(Fault::data(format!(
                "table {}: no file's header names column {}; they name {}",
                self.wish.name,
                missing.name(),
                names.join(", ")
            ))
            .advise("correct the table's `columns` in the feed, or export the partition again"));
        }
        Ok(declared)
    }
}

/// The declared columns, with what the files have of each.
fn as_declared(fields: Vec<Field>, files: &[FileColumns]) -> FieldBytes {
    let bytes = |name: &str| {
        let found = files.iter().flat_map(|file| &file.columns);
        found.filter(|(field, _)| field.name() == name).map(|(_, bytes)| bytes).sum()
    };
    fields
        .into_iter()
        .map(|field| (bytes(field.name()), field))
        .map(|(bytes, field)| (field, bytes))
        .collect()
}

/// Each column's share of bytes of which is only known how many they are in all.
fn spread(fields: Vec<Field>, bytes: u64) -> FieldBytes {
    let share = bytes / (fields.len() as u64).max(1);
    fields.into_iter().map(|field| (field, share)).collect()
}

fn freeze_lines(fields: Vec<Field>, files: Vec<Listed>) -> (FieldBytes, Vec<InputFile>) {
    let bytes = files.iter().map(|file| match is_named_compressed(&file.path) {
        true => file.size.saturating_mul(USUAL_RATIO),
        false => file.size,
    });
    let bytes = bytes.sum();
    let files = files.into_iter().map(|file| freeze_file(file, Vec::new(), None)).collect();
    (spread(fields, bytes), files)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::path::Path;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use chrono_tz::Tz;
    use hivecast_feed::{Layout, Ready, TextLayout};
    use hivecast_run::Class;
    use hivecast_storage::{Atomic, Entry, Existing, ReadAt, Storage, Stores};

    use super::*;
    use crate::layout::list_files;

    /// Longer than it takes any machine to start some threads.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A store that opens nothing until so many ask at once, and fails who has waited too long for the others.
    #[derive(Debug)]
    struct Crowd {
        inner: Arc<dyn Storage>,
        wanted: usize,
        /// Who asks now, and the most that did.
        asking: Mutex<(usize, usize)>,
        came: Condvar,
    }

    impl Storage for Crowd {
        fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>> {
            let mut asking = self.asking.lock().unwrap();
            asking.0 += 1;
            asking.1 = asking.1.max(asking.0);
            self.came.notify_all();
            let alone = |asking: &mut (usize, usize)| asking.1 < self.wanted;
            let (mut asking, waited) = self.came.wait_timeout_while(asking, PATIENCE, alone).unwrap();
            asking.0 -= 1;
            drop(asking);
            if waited.timed_out() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody else came"));
            }
            self.inner.open(at)
        }

        fn list(&self, dir: &Location) -> io::Result<Vec<Entry>> {
            self.inner.list(dir)
        }

        fn stat(&self, at: &Location) -> io::Result<Entry> {
            self.inner.stat(at)
        }

        fn create_dir(&self, _: &Location) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn put(&self, _: &Path, _: &Location, _: Existing) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn rename_dir(&self, _: &Location, _: &Location) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn remove(&self, _: &Location) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn atomic(&self) -> Atomic {
            self.inner.atomic()
        }
    }

    fn describe_all(place: Place) -> Result<Described> {
        let layout = Layout {
            format: None,
            text: TextLayout::default(),
            columns: None,
            partition: "load_date".to_owned(),
            ready: Ready::Exists,
        };
        let wish = Wish { name: "t", database: None, table: "t", layout: &layout, zone: Tz::UTC };
        let files = list_files(&place)?;
        let partition = Partition { written: None, place, parameters: None, rows: None };
        describe(&wish, &partition, files, DateSource::Path)
    }

    fn write_files(dir: &Path, count: usize) {
        use arrow_array::{ArrayRef, Int32Array, RecordBatch};
        for at in 0..count {
            let column: ArrayRef = Arc::new(Int32Array::from(vec![1; at]));
            let batch = RecordBatch::try_from_iter([("id", column)]).unwrap();
            let file = fs::File::create(dir.join(format!("part-{at:03}.parquet"))).unwrap();
            let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
    }

    #[test]
    fn files_are_looked_at_together_and_stay_in_order() {
        let dir = tempfile::tempdir().unwrap();
        write_files(dir.path(), 40);
        let at = Location::local(dir.path()).unwrap();
        let crowd = Arc::new(Crowd {
            inner: Stores::default().of(&at).unwrap(),
            wanted: LOCAL_FILES_AT_ONCE,
            asking: Mutex::default(),
            came: Condvar::new(),
        });
        let place = Place { storage: Arc::clone(&crowd) as Arc<dyn Storage>, at };
        let found = describe_all(place).unwrap();
        assert_eq!(crowd.asking.lock().unwrap().1, LOCAL_FILES_AT_ONCE);
        for (at, file) in found.files.iter().enumerate() {
            assert_eq!(file.path.name(), format!("part-{at:03}.parquet"));
            assert_eq!(file.row_groups.iter().map(|group| group.rows).sum::<u64>(), at as u64);
        }
        assert_eq!(found.rows, Some((0..40).sum()));
    }

    #[test]
    fn the_first_bad_file_by_path_is_told_every_time() {
        let dir = tempfile::tempdir().unwrap();
        write_files(dir.path(), 40);
        for at in [17, 18, 19, 39] {
            let path = dir.path().join(format!("part-{at:03}.parquet"));
            let bytes = fs::read(&path).unwrap();
            // The first of them takes longest to be found out.
            let kept = if at == 17 { bytes.len() - 1 } else { 6 };
            fs::write(&path, &bytes[..kept]).unwrap();
        }
        let at = Location::local(dir.path()).unwrap();
        let place = Place { storage: Stores::default().of(&at).unwrap(), at };
        for _ in 0..50 {
            let fault = describe_all(place.clone()).err().unwrap();
            assert_eq!(fault.class(), Class::Data);
            assert!(fault.chain().contains("part-017.parquet"), "{}", fault.chain());
        }
    }
}
