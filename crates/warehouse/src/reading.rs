//! How a table's files are to be read, and how their columns become the table's.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use chrono_tz::Tz;
use hivecast_feed::{ColumnType, FileFormat, Layout, TextLayout, type_name};
use hivecast_run::{Fault, Result};

use crate::convert::{TextRule, convert, sort_maps, text_rule};
use crate::data_file::DataFile;
use crate::rows::RowReader;

/// What Hive 1 and 2 call the columns of an ORC file, with their position behind it.
const NAMELESS: &str = "_col";

/// How a partition's files lie, as far as the feed or a metastore says before they are looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Declared {
    /// Found by the files themselves when absent.
    pub(crate) format: Option<FileFormat>,
    pub(crate) text: TextLayout,
    pub(crate) columns: Option<Columns>,
    /// The columns that a partition's files have, where they are read by these and then become the
    /// table's, one by one in their order.
    pub(crate) own: Option<Vec<(String, ColumnType)>>,
    pub(crate) matching: Matching,
    /// Where wall clocks stand, for files that hold instants.
    pub(crate) zone: Tz,
}

/// The table's columns, where somebody says what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) by: Authority,
    /// In their order, without the partition's own; names in lower case.
    pub(crate) columns: Vec<(String, ColumnType)>,
}

/// Who says what a table's columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// The feed's `columns`, for files that do not say so themselves.
    Feed,
    /// A metastore, for all files: what they lack is null, what they have more is left out.
    Metastore,
}

/// How a file's columns are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matching {
    /// By their names; those of files that Hive wrote without names by their position.
    Names,
    /// By their position, whatever they are called.
    Positions,
}

impl Declared {
    /// What a feed says.
    pub(crate) fn by_feed(layout: &Layout, zone: Tz) -> Declared {
        let lower = |(name, of): &(String, ColumnType)| (name.to_lowercase(), of.clone());
        Declared {
            format: layout.format,
            text: layout.text.clone(),
            columns: layout
                .columns
                .as_ref()
                .map(|columns| Columns { by: Authority::Feed, columns: columns.iter().map(lower).collect() }),
            own: None,
            matching: Matching::Names,
            zone,
        }
    }

    /// Why a reader that takes columns by their names and types would give other values; none where not.
    pub(crate) fn is_peculiar(&self) -> Option<String> {
        if self.matching == Matching::Positions {
            return Some("finds its columns by their position, as its properties say".to_owned());
        }
        let columns = self.columns.iter().flat_map(|declared| &declared.columns);
        let ruled = columns.into_iter().find(|(_, of)| text_rule(of).is_some());
        ruled.map(|(name, _)| {
            format!("has a column {name} of char(n) or varchar(n), whose rules others don't know")
        })
    }

    /// Why a file's columns are not found by their own names; none where they are.
    pub(crate) fn peculiar_names(&self, names: Vec<String>) -> Option<String> {
        let own: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        (self.names_of(names) != own).then(|| "does not name its columns as the table does".to_owned())
    }

    /// The table's columns that files without names have, in their order.
    pub(crate) fn names_by_position(&self) -> Option<Vec<String>> {
        let columns = &self.columns.as_ref()?.columns;
        let most = self.own.as_ref().map_or(columns.len(), Vec::len);
        Some(columns.iter().take(most).map(|(name, _)| name.clone()).collect())
    }

    /// A table's column as the partition's files have it: the partition's own column of the same position.
    /// None where they have none, or where nothing is declared.
    pub(crate) fn own_of(&self, name: &str) -> Option<&(String, ColumnType)> {
        let columns = &self.columns.as_ref()?.columns;
        let at = columns.iter().position(|(known, _)| known == name)?;
        self.own.as_ref().unwrap_or(columns).get(at)
    }

    /// What is asked of the text of a column that is declared as `char(n)` or `varchar(n)`, or holds such.
    pub(crate) fn text_rule_of(&self, name: &str) -> Option<TextRule> {
        let declared = self.columns.as_ref()?;
        text_rule(&declared.columns.iter().find(|(known, _)| known == name)?.1)
    }

    /// The names by which the table's columns are found in a file: the file's own, in lower case, or
    /// the declared ones where the file's columns are found by their position.
    pub(crate) fn names_of(&self, file_names: Vec<String>) -> Vec<String> {
        let lower = || file_names.iter().map(|name| name.to_lowercase());
        let Some(declared) = &self.columns else { return lower().collect() };
        if self.matching == Matching::Names && !are_nameless(&file_names) {
            return lower().collect();
        }
        let named = declared.columns.iter().map(|(name, _)| name.clone());
        // Behind the last declared column there is nothing that could be found.
        let unnamed = (declared.columns.len()..file_names.len()).map(|at| format!("{NAMELESS}{at}"));
        named.chain(unnamed).take(file_names.len()).collect()
    }
}

/// Whether every name only says the column's position.
pub(crate) fn are_nameless<T: AsRef<str>>(names: &[T]) -> bool {
    let is_nameless = |name: &T| {
        let digits = name.as_ref().strip_prefix(NAMELESS);
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    !names.is_empty() && names.iter().all(is_nameless)
}

/// Fails where two of a file's names differ in case only.
pub(crate) fn tell_twins(file: &DataFile, names: &[String]) -> Result<()> {
    let mut known = std::collections::HashSet::with_capacity(names.len());
    match names.iter().find(|name| !known.insert(name.as_str())) {
        Some(name) => Err(file.fault(format!("has two columns {name}, which Hive does not tell apart"))),
        None => Ok(()),
    }
}

/// Where a wanted column comes from.
struct Slot {
    /// The place among the columns that are read of the file; none where the file lacks it.
    from: Option<usize>,
    rule: Option<TextRule>,
}

/// Makes batches of the wanted columns out of a file's.
pub(crate) struct Conform {
    file: DataFile,
    slots: Vec<Slot>,
    wanted: SchemaRef,
    zone: Tz,
}

impl Conform {
    /// For a file with columns of these names, of which those in the second result are to be read, by
    /// position and in this order.
    pub(crate) fn new(reader: &RowReader, file: &DataFile, names: &[String]) -> (Conform, Vec<usize>) {
        let found = |name: &String| names.iter().position(|known| known == name);
        let mut read: Vec<usize> = reader.wanted.iter().filter_map(|column| found(&column.name)).collect();
        read.sort_unstable();
        read.dedup();
        let slots = reader.wanted.iter().map(|column| Slot {
            from: found(&column.name).and_then(|at| read.binary_search(&at).ok()),
            rule: reader.declared.text_rule_of(&column.name),
        });
        let slots = slots.collect();
        (Conform { file: file.clone(), slots, wanted: wanted(reader), zone: reader.declared.zone }, read)
    }

    /// A batch of the wanted columns out of the columns that were read.
    pub(crate) fn batch(&self, read: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
        let columns = self.slots.iter().zip(self.wanted.fields()).map(|(slot, field)| {
            match slot.from.and_then(|at| read.get(at)) {
                Some(column) => self.column(column, field, slot.rule.as_ref()),
                None => Ok(new_null_array(field.data_type(), rows)),
            }
        });
        put_together(&self.file, &self.wanted, columns.collect::<Result<_>>()?, rows)
    }

    fn column(&self, column: &ArrayRef, field: &Field, rule: Option<&TextRule>) -> Result<ArrayRef> {
        let converted = convert(column, field.data_type(), self.zone).map_err(|error| {
            let DataFile { table, path, .. } = &self.file;
            Fault::data(format!(
                "table {table}: a value of column {} in {path} does not fit the type {}",
                field.name(),
                type_name(field.data_type())
            ))
            .because(error)
        })?;
        finish(&self.file, field.name(), &converted, rule)
    }
}

/// What is done last to a column that has the table's type: the text in it is as the rule asks, and maps
/// are in their order.
pub(crate) fn finish(
    file: &DataFile,
    name: &str,
    column: &ArrayRef,
    rule: Option<&TextRule>,
) -> Result<ArrayRef> {
    let ruled = rule.map_or_else(|| Ok(Arc::clone(column)), |rule| rule.apply(column));
    ruled.and_then(|ruled| sort_maps(&ruled)).map_err(|error| not_held(file, name, error))
}

/// A value that the table's type has no room for.
pub(crate) fn not_held(file: &DataFile, name: &str, error: ArrowError) -> Fault {
    let cause = match error {
        ArrowError::InvalidArgumentError(why) => why,
        other => other.to_string(),
    };
    file.fault(format!("has a value in column {name} that the table's type does not hold"))
        .because(cause)
        .advise("export the partition again in the table's types, or widen the table's column")
}

/// The schema of the wanted columns.
pub(crate) fn wanted(reader: &RowReader) -> SchemaRef {
    let fields = reader.wanted.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A batch of columns that have the schema's types.
pub(crate) fn put_together(
    file: &DataFile,
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Fault::bug(format!("failed to put together rows of {}", file.path)).because(error))
}

/// A column of a file that can't be read as the table's.
pub(crate) fn misfit(file: &DataFile, name: &str, found: &DataType, table: &DataType) -> Fault {
    file.fault(format!(
        "has column {name} as {}, which the table's type {} does not hold",
        type_name(found),
        type_name(table)
    ))
    .advise("export the partition again in the table's types, or widen the table's column")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(matching: Matching, columns: &[&str]) -> Declared {
        let columns = columns.iter().map(|name| ((*name).to_owned(), ColumnType::Int)).collect();
        Declared {
            format: None,
            text: TextLayout::default(),
            columns: Some(Columns { by: Authority::Metastore, columns }),
            own: None,
            matching,
            zone: Tz::UTC,
        }
    }

    #[test]
    fn columns_are_found_by_name_or_by_position() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let by_name = declared(Matching::Names, &["a", "b"]);
        assert_eq!(by_name.names_of(names(&["B", "x"])), ["b", "x"]);
        assert_eq!(by_name.names_of(names(&["_col0", "_col1", "_col2"])), ["a", "b", "_col2"]);
        assert_eq!(by_name.names_of(names(&["_col0"])), ["a"]);
        assert_eq!(by_name.names_of(names(&["_col0", "b"])), ["_col0", "b"], "one has a name");
        let by_position = declared(Matching::Positions, &["a", "b"]);
        assert_eq!(by_position.names_of(names(&["b", "a"])), ["a", "b"]);
        assert!(!are_nameless::<&str>(&[]) && !are_nameless(&["_col"]) && !are_nameless(&["_colx"]));
    }
}
