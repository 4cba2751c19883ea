//! What is changed. Nothing is sent twice: when it is not known whether the server did it, the server
//! is asked what is there now.

use crate::client::{Metastore, Operation};
use crate::connection::Call;
use crate::decode::{Input, list};
use crate::encode::Fields;
use crate::failure::{Exception, Failure, Failures};
use crate::names::{partition_name, values_of_name};
use crate::raw::Raw;
use crate::read::{
    BATCH, GET_PARTITIONS_BY_NAMES, get_database, get_partition_names, get_partitions, get_table, of_table,
};
use crate::table::{Column, Database, Partition, Storage, Table, TableKind};
use hivecast_run::{Fault, Result};
use std::collections::{BTreeMap, HashSet};
use thrift::protocol::TType;

const CREATE_DATABASE: Call = Call {
    name: "create_database",
    throws: &[Exception::AlreadyExists, Exception::InvalidObject, Exception::Meta],
};
const DROP_DATABASE: Call = Call {
    name: "drop_database",
    throws: &[Exception::NoSuchObject, Exception::InvalidOperation, Exception::Meta],
};
const CREATE_TABLE: Call = Call {
    name: "create_table",
    throws: &[Exception::AlreadyExists, Exception::InvalidObject, Exception::Meta, Exception::NoSuchObject],
};
const ADD_PARTITIONS: Call = Call {
    name: "add_partitions",
    throws: &[Exception::InvalidObject, Exception::AlreadyExists, Exception::Meta],
};
const ALTER_PARTITION: Call = Call {
    name: "alter_partition_with_environment_context",
    throws: &[Exception::InvalidOperation, Exception::Meta],
};
const DROP_PARTITION: Call =
    Call { name: "drop_partition", throws: &[Exception::NoSuchObject, Exception::Meta] };

/// What came of something that was to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// It was there before, and stays as it was.
    WasThere,
}

/// What came of something that was to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It is gone.
    Gone,
    /// There was none.
    WasNotThere,
}

/// The field of a partition that holds its parameters.
const PARTITION_PARAMETERS: i16 = 7;
/// Tells a server to leave the counts of files and rows as they are; it would list the directory.
const KEEP_STATISTICS: (&str, &str) = ("DO_NOT_UPDATE_STATS", "true");

impl Metastore {
    /// Makes a database, unless there is one of that name.
    pub fn create_database(&self, database: &Database) -> Result<Created> {
        let operation = self.operation(format!("to create database {}", database.name));
        let arguments = Fields::new().structure(1, |fields| {
            let fields = fields.text(1, &database.name);
            let fields = fields.optional_text(2, database.description.as_deref());
            fields.optional_text(3, database.location.as_deref()).map(4, &database.parameters)
        });
        let there = || Ok(get_database(&operation, &database.name)?.is_some());
        create(&operation, CREATE_DATABASE, arguments, there).map_err(|failures| operation.fault(failures))
    }

    /// Drops a database that has no tables; one that has some is refused. Its directory stays.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        let operation = self.operation(format!("to drop database {name}"));
        // The flags say whether files and tables go with it.
        let arguments = Fields::new().text(1, name).flag(2, false).flag(3, false);
        let dropped = operation.write(DROP_DATABASE, arguments, nothing);
        dropped.map(|_| ()).map_err(|failures| operation.fault(failures))
    }

    /// Makes a table or view, unless there is one of that name. The server makes its directory where
    /// there is none.
    pub fn create_table(&self, table: &Table) -> Result<Created> {
        let operation = self.operation(format!("to create table {}", table.full_name()));
        let arguments = Fields::new().structure(1, |fields| table_fields(fields, table));
        let there = || Ok(get_table(&operation, &table.database, &table.name)?.is_some());
        create(&operation, CREATE_TABLE, arguments, there).map_err(|failures| operation.fault(failures))
    }

    /// Adds partitions, in batches, and returns how many. Those whose values are there already stay
    /// as they are. One without columns has the table's, and one without formats has the table's.
    /// When it fails, those before may have been added; adding them again is safe.
    ///
    /// Servers make and look into a directory for each, which takes them long: each batch of 500 is an
    /// operation with a time of its own.
    pub fn add_partitions(&self, table: &Table, partitions: &[Partition]) -> Result<usize> {
        let mut added = 0;
        for batch in partitions.chunks(BATCH) {
            let operation = self.operation(format!("to add partitions to table {}", table.full_name()));
            added += add_batch(&operation, table, batch).map_err(|failures| operation.fault(failures))?;
        }
        Ok(added)
    }

    /// Sets parameters of a partition; `None` takes one out. All else stays as it is, what this client
    /// does not know included. Fails with a data fault where there is no such partition.
    pub fn set_partition_parameters(
        &self,
        table: &Table,
        values: &[String],
        parameters: &[(&str, Option<&str>)],
    ) -> Result<()> {
        let name = name_of(table, values)?;
        let operation = self.operation(format!("to alter partition {name} of table {}", table.full_name()));
        let missing = || Fault::data(format!("table {} has no partition {name}", table.full_name()));
        let found = raw_partition(&operation, table, &name).map_err(|failures| operation.fault(failures))?;
        let mut partition = found.ok_or_else(missing)?;
        for (parameter, value) in parameters {
            let set = partition.set_entry(PARTITION_PARAMETERS, parameter, *value);
            set.map_err(|error| missing().because(error))?;
        }
        let is_set = || {
            let found = get_partitions(&operation, table, std::slice::from_ref(&name))?;
            let has = |one: &Partition| {
                parameters.iter().all(|(name, value)| one.parameters.get(*name).map(String::as_str) == *value)
            };
            Ok(found.first().is_some_and(has))
        };
        alter(&operation, table, &partition, is_set).map_err(|failures| operation.fault(failures))
    }

    /// Drops a partition from the metastore. Its files stay, be the table external or managed.
    pub fn drop_partition(&self, table: &Table, values: &[String]) -> Result<Dropped> {
        let name = name_of(table, values)?;
        let operation = self.operation(format!("to drop partition {name} of table {}", table.full_name()));
        drop_once(&operation, table, &name, values).map_err(|failures| operation.fault(failures))
    }
}

fn name_of(table: &Table, values: &[String]) -> Result<String> {
    if values.len() != table.partition_columns.len() {
        let (has, given) = (table.partition_columns.len(), values.len());
        let text =
            format!("table {} has {has} partition columns, and {given} values are given", table.full_name());
        return Err(Fault::usage(text));
    }
    let columns = table.partition_columns.iter().map(|column| column.name.as_str());
    Ok(partition_name(columns.zip(values.iter().map(String::as_str))))
}

/// Reads a result that says nothing.
fn nothing(_: &mut Input<'_>) -> thrift::Result<()> {
    Err(crate::decode::wrong("a result where there should be none"))
}

fn create(
    operation: &Operation<'_>,
    call: Call,
    arguments: Fields,
    is_there: impl Fn() -> Result<bool, Failures>,
) -> Result<Created, Failures> {
    if is_there()? {
        return Ok(Created::WasThere);
    }
    match operation.write(call, arguments, nothing) {
        Ok(_) => Ok(Created::New),
        Err(failures) => match failures.last() {
            // Somebody else was faster.
            Some(Failure::Refused { exception: Exception::AlreadyExists, .. }) => Ok(Created::WasThere),
            Some(failure) if failure.may_be_done() && is_there()? => Ok(Created::New),
            _ => Err(failures),
        },
    }
}

fn add_batch(operation: &Operation<'_>, table: &Table, batch: &[Partition]) -> Result<usize, Failures> {
    let missing = missing_of(operation, table, batch)?;
    if missing.is_empty() {
        return Ok(0);
    }
    let arguments = Fields::new().structures(1, &missing, |fields, one| partition_fields(fields, table, one));
    match operation.write(ADD_PARTITIONS, arguments, |input| input.read_i32()) {
        Ok(_) => Ok(missing.len()),
        // The server adds all of a call's partitions or none.
        Err(failures) => {
            let unclear = failures.last().is_some_and(Failure::may_be_done);
            if unclear && missing_of(operation, table, batch)?.is_empty() {
                Ok(missing.len())
            } else {
                Err(failures)
            }
        }
    }
}

/// Those of a batch that the table does not have. All names are asked for, since Hive 4 takes seconds for
/// names that are not there.
fn missing_of<'a>(
    operation: &Operation<'_>,
    table: &Table,
    batch: &'a [Partition],
) -> Result<Vec<&'a Partition>, Failures> {
    let names = get_partition_names(operation, table)?;
    let there: HashSet<Vec<String>> = names.iter().map(|name| values_of_name(name)).collect();
    Ok(batch.iter().filter(|one| !there.contains(&one.values)).collect())
}

fn raw_partition(operation: &Operation<'_>, table: &Table, name: &str) -> Result<Option<Raw>, Failures> {
    let arguments = of_table(table).texts(3, [name].into_iter());
    let found = operation.read(GET_PARTITIONS_BY_NAMES, arguments, |input| {
        list(input, TType::Struct, |input| Raw::read(input, TType::Struct))
    })?;
    Ok(found.unwrap_or_default().into_iter().next())
}

fn alter(
    operation: &Operation<'_>,
    table: &Table,
    partition: &Raw,
    is_done: impl Fn() -> Result<bool, Failures>,
) -> Result<(), Failures> {
    let context = BTreeMap::from([(KEEP_STATISTICS.0.to_owned(), KEEP_STATISTICS.1.to_owned())]);
    let mut arguments = of_table(table);
    partition.write_field(3, &mut arguments);
    let arguments = arguments.structure(4, |fields| fields.map(1, &context));
    match operation.write(ALTER_PARTITION, arguments, nothing) {
        Ok(_) => Ok(()),
        Err(failures) if failures.last().is_some_and(Failure::may_be_done) && is_done()? => Ok(()),
        Err(failures) => Err(failures),
    }
}

fn drop_once(
    operation: &Operation<'_>,
    table: &Table,
    name: &str,
    values: &[String],
) -> Result<Dropped, Failures> {
    let is_there =
        || Ok(!get_partitions(operation, table, std::slice::from_ref(&name.to_owned()))?.is_empty());
    if !is_there()? {
        return Ok(Dropped::WasNotThere);
    }
    // The flag says whether files go with it.
    let arguments = of_table(table).texts(3, values.iter().map(String::as_str)).flag(4, false);
    match operation.write(DROP_PARTITION, arguments, |input| input.read_bool()) {
        Ok(_) => Ok(Dropped::Gone),
        Err(failures) => match failures.last() {
            Some(failure) if failure.is_no_such_object() => Ok(Dropped::WasNotThere),
            Some(failure) if failure.may_be_done() && !is_there()? => Ok(Dropped::Gone),
            _ => Err(failures),
        },
    }
}

pub(crate) fn column_fields(fields: Fields, column: &Column) -> Fields {
    fields.text(1, &column.name).text(2, &column.type_text).optional_text(3, column.comment.as_deref())
}

/// Not bucketed.
const NO_BUCKETS: i32 = -1;

fn storage_fields(fields: Fields, columns: &[Column], storage: &Storage, formats: &Storage) -> Fields {
    fields
        .structures(1, columns, column_fields)
        .optional_text(2, storage.location.as_deref())
        .text(3, &formats.input_format)
        .text(4, &formats.output_format)
        .flag(5, false)
        .int(6, NO_BUCKETS)
        .structure(7, |serde| serde.text(2, &formats.serde_library).map(3, &formats.serde_parameters))
        .texts(8, [].into_iter())
        .structures::<Column>(9, &[], column_fields)
        .map(10, &storage.parameters)
}

fn table_fields(fields: Fields, table: &Table) -> Fields {
    let (kind, external) = match &table.kind {
        TableKind::Managed => ("MANAGED_TABLE", None),
        // The parameter is what servers go by; the kind alone would make it managed.
        TableKind::External => ("EXTERNAL_TABLE", Some(("EXTERNAL".to_owned(), "TRUE".to_owned()))),
        TableKind::View => ("VIRTUAL_VIEW", None),
        TableKind::MaterializedView => ("MATERIALIZED_VIEW", None),
        TableKind::Other(name) => (name.as_str(), None),
    };
    let mut parameters = table.parameters.clone();
    parameters.extend(external);
    fields
        .text(1, &table.name)
        .text(2, &table.database)
        .optional_text(3, table.owner.as_deref())
        .structure(7, |fields| storage_fields(fields, &table.columns, &table.storage, &table.storage))
        .structures(8, &table.partition_columns, column_fields)
        .map(9, &parameters)
        .optional_text(10, table.view_text.as_deref())
        .optional_text(11, table.view_text.as_deref())
        .text(12, kind)
}

fn partition_fields(fields: Fields, table: &Table, partition: &Partition) -> Fields {
    let columns = if partition.columns.is_empty() { &table.columns } else { &partition.columns };
    let has_formats = !partition.storage.serde_library.is_empty();
    let formats = if has_formats { &partition.storage } else { &table.storage };
    fields
        .texts(1, partition.values.iter().map(String::as_str))
        .text(2, &table.database)
        .text(3, &table.name)
        .structure(6, |fields| storage_fields(fields, columns, &partition.storage, formats))
        .map(PARTITION_PARAMETERS, &partition.parameters)
}
