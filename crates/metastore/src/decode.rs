//! What servers answer, field by field. What is not known, or has another type than it should, is
//! skipped: newer servers say more than older ones.

use crate::names::fold;
use crate::table::{Column, Database, Partition, Storage, Table, TableKind};
use std::collections::BTreeMap;
use std::sync::Arc;
use thrift::protocol::{TInputProtocol, TType};
use thrift::{ProtocolErrorKind, Result, new_protocol_error};

pub(crate) type Input<'a> = dyn TInputProtocol + 'a;

/// Reads a structure: `known` is asked for each field and says whether it has read it.
pub(crate) fn structure(
    input: &mut Input<'_>,
    mut known: impl FnMut(&mut Input<'_>, i16, TType) -> Result<Read>,
) -> Result<()> {
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        if field.field_type == TType::Stop {
            break;
        }
        match known(input, field.id.unwrap_or_default(), field.field_type)? {
            Read::Done => {}
            Read::Unknown => input.skip(field.field_type)?,
        }
    }
    input.read_struct_end()
}

/// Whether a field was read.
pub(crate) enum Read {
    Done,
    Unknown,
}

/// Reads a list whose items are of the type `kind`. Memory grows with what really comes, whatever
/// length the server announces.
pub(crate) fn list<T>(
    input: &mut Input<'_>,
    kind: TType,
    mut item: impl FnMut(&mut Input<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let head = input.read_list_begin()?;
    // Thrift lets the type of an empty list be anything.
    if head.size > 0 && head.element_type != kind {
        return Err(wrong(format!("a list of {:?} where one of {kind:?} should be", head.element_type)));
    }
    let mut items = Vec::new();
    for _ in 0..head.size {
        items.push(item(input)?);
    }
    Ok(items)
}

pub(crate) fn texts(input: &mut Input<'_>) -> Result<Vec<String>> {
    list(input, TType::String, |input| input.read_string())
}

pub(crate) fn wrong(what: impl Into<String>) -> thrift::Error {
    new_protocol_error(ProtocolErrorKind::InvalidData, what)
}

fn text_map(input: &mut Input<'_>) -> Result<BTreeMap<String, String>> {
    let head = input.read_map_begin()?;
    let text = Some(TType::String);
    if head.size > 0 && (head.key_type != text || head.value_type != text) {
        return Err(wrong("a map of something else where one of texts should be"));
    }
    let mut map = BTreeMap::new();
    for _ in 0..head.size {
        map.insert(input.read_string()?, input.read_string()?);
    }
    Ok(map)
}

/// Sets `field` to what `read` reads.
fn set<T>(field: &mut T, value: Result<T>) -> Result<Read> {
    *field = value?;
    Ok(Read::Done)
}

pub(crate) fn database(input: &mut Input<'_>) -> Result<Database> {
    let mut found = Database::new("");
    structure(input, |input, id, kind| match (id, kind) {
        (1, TType::String) => set(&mut found.name, input.read_string()),
        (2, TType::String) => set(&mut found.description, input.read_string().map(Some)),
        (3, TType::String) => set(&mut found.location, input.read_string().map(Some)),
        (4, TType::Map) => set(&mut found.parameters, text_map(input)),
        _ => Ok(Read::Unknown),
    })?;
    required(found.name.is_empty(), "a database without a name")?;
    Ok(found)
}

fn required(missing: bool, what: &str) -> Result<()> {
    if missing { Err(wrong(what)) } else { Ok(()) }
}

pub(crate) fn column(input: &mut Input<'_>) -> Result<Column> {
    let mut found = Column::new("", "");
    structure(input, |input, id, kind| match (id, kind) {
        (1, TType::String) => set(&mut found.name, input.read_string().map(|name| fold(&name))),
        (2, TType::String) => set(&mut found.type_text, input.read_string()),
        (3, TType::String) => set(&mut found.comment, input.read_string().map(Some)),
        _ => Ok(Read::Unknown),
    })?;
    required(found.name.is_empty(), "a column without a name")?;
    Ok(found)
}

fn columns(input: &mut Input<'_>) -> Result<Vec<Column>> {
    list(input, TType::Struct, column)
}

fn serde(input: &mut Input<'_>, storage: &mut Storage) -> Result<Read> {
    structure(input, |input, id, kind| match (id, kind) {
        (2, TType::String) => set(&mut storage.serde_library, input.read_string()),
        (3, TType::Map) => set(&mut storage.serde_parameters, text_map(input)),
        _ => Ok(Read::Unknown),
    })?;
    Ok(Read::Done)
}

/// A storage descriptor, which holds the columns too.
fn storage(input: &mut Input<'_>) -> Result<(Vec<Column>, Storage)> {
    let (mut found, mut found_columns) = (Storage::default(), Vec::new());
    structure(input, |input, id, kind| match (id, kind) {
        (1, TType::List) => set(&mut found_columns, columns(input)),
        (2, TType::String) => {
            set(&mut found.location, input.read_string().map(|uri| Some(uri).filter(|uri| !uri.is_empty())))
        }
        (3, TType::String) => set(&mut found.input_format, input.read_string()),
        (4, TType::String) => set(&mut found.output_format, input.read_string()),
        (7, TType::Struct) => serde(input, &mut found),
        (10, TType::Map) => set(&mut found.parameters, text_map(input)),
        _ => Ok(Read::Unknown),
    })?;
    Ok((found_columns, found))
}

pub(crate) fn table(input: &mut Input<'_>) -> Result<Table> {
    let mut found = Table::new("", "", TableKind::Managed);
    structure(input, |input, id, kind| match (id, kind) {
        (1, TType::String) => set(&mut found.name, input.read_string()),
        (2, TType::String) => set(&mut found.database, input.read_string()),
        (3, TType::String) => set(&mut found.owner, input.read_string().map(Some)),
        (7, TType::Struct) => {
            let (columns, storage) = storage(input)?;
            (found.columns, found.storage) = (columns.into(), storage);
            Ok(Read::Done)
        }
        (8, TType::List) => set(&mut found.partition_columns, columns(input)),
        (9, TType::Map) => set(&mut found.parameters, text_map(input)),
        (10, TType::String) => set(
            &mut found.view_text,
            input.read_string().map(|text| Some(text).filter(|text| !text.is_empty())),
        ),
        (12, TType::String) => set(&mut found.kind, input.read_string().map(table_kind)),
        _ => Ok(Read::Unknown),
    })?;
    required(found.name.is_empty(), "a table without a name")?;
    Ok(found)
}

/// The names of `org.apache.hadoop.hive.metastore.TableType`.
fn table_kind(name: String) -> TableKind {
    match name.as_str() {
        "MANAGED_TABLE" | "" => TableKind::Managed,
        "EXTERNAL_TABLE" => TableKind::External,
        "VIRTUAL_VIEW" => TableKind::View,
        "MATERIALIZED_VIEW" => TableKind::MaterializedView,
        _ => TableKind::Other(name),
    }
}

/// The rows of values that a server picked.
pub(crate) fn partition_values(input: &mut Input<'_>) -> Result<Vec<Vec<String>>> {
    let mut found = Vec::new();
    structure(input, |input, id, kind| match (id, kind) {
        (1, TType::List) => set(&mut found, list(input, TType::Struct, partition_row)),
        _ => Ok(Read::Unknown),
    })?;
    Ok(found)
}

fn partition_row(input: &mut Input<'_>) -> Result<Vec<String>> {
    let mut row = Vec::new();
    structure(input, |input, id, kind| match (id, kind) {
        (1, TType::List) => set(&mut row, texts(input)),
        _ => Ok(Read::Unknown),
    })?;
    Ok(row)
}

fn partition(input: &mut Input<'_>) -> Result<Partition> {
    let mut found = Partition {
        values: Vec::new(),
        columns: Arc::from([]),
        storage: Storage::default(),
        parameters: BTreeMap::new(),
    };
    structure(input, |input, id, kind| match (id, kind) {
        (1, TType::List) => set(&mut found.values, texts(input)),
        (6, TType::Struct) => {
            let (columns, storage) = storage(input)?;
            (found.columns, found.storage) = (columns.into(), storage);
            Ok(Read::Done)
        }
        (7, TType::Map) => set(&mut found.parameters, text_map(input)),
        _ => Ok(Read::Unknown),
    })?;
    required(found.values.is_empty(), "a partition without values")?;
    Ok(found)
}

/// A list of partitions. Most tables' partitions have the same columns, which a server repeats for
/// each; one copy is kept.
pub(crate) fn partitions(input: &mut Input<'_>) -> Result<Vec<Partition>> {
    let mut columns: Arc<[Column]> = Arc::from([]);
    list(input, TType::Struct, |input| {
        let mut found = partition(input)?;
        if found.columns == columns {
            found.columns = Arc::clone(&columns);
        } else {
            columns = Arc::clone(&found.columns);
        }
        Ok(found)
    })
}

/// The structure that holds one `field`, which `read` reads: how newer calls wrap their result.
pub(crate) fn wrapped<T>(
    input: &mut Input<'_>,
    field: (i16, TType),
    mut read: impl FnMut(&mut Input<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut found = None;
    structure(input, |input, id, kind| match (id, kind) == field {
        true => set(&mut found, read(input).map(Some)),
        false => Ok(Read::Unknown),
    })?;
    Ok(found)
}
