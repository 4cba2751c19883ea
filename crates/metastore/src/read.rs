//! What is asked: databases, tables, partitions.

use crate::client::{Metastore, Operation};
use crate::connection::Call;
use crate::decode::{database, partitions, table, texts, wrapped};
use crate::encode::Fields;
use crate::failure::{Exception, Failure, Failures};
use crate::matching::sort_descending;
use crate::names::{DEFAULT_PARTITION, fold, values_of_name};
use crate::table::{Database, Partition, Table};
use hivecast_run::{Fault, Result};
use thrift::protocol::TType;

const META_FIRST: &[Exception] = &[Exception::Meta, Exception::NoSuchObject];
const NO_SUCH_FIRST: &[Exception] = &[Exception::NoSuchObject, Exception::Meta];

const GET_ALL_DATABASES: Call = Call { name: "get_all_databases", throws: &[Exception::Meta] };
const GET_DATABASE: Call = Call { name: "get_database", throws: NO_SUCH_FIRST };
const GET_ALL_TABLES: Call = Call { name: "get_all_tables", throws: &[Exception::Meta] };
const GET_TABLE_REQ: Call = Call { name: "get_table_req", throws: META_FIRST };
const GET_TABLE: Call = Call { name: "get_table", throws: META_FIRST };
const GET_PARTITION_NAMES: Call = Call { name: "get_partition_names", throws: &[Exception::Meta] };
pub(crate) const GET_PARTITIONS_BY_NAMES: Call = Call {
    name: "get_partitions_by_names",
    // The last since Hive 4.
    throws: &[Exception::Meta, Exception::NoSuchObject, Exception::InvalidObject],
};
const GET_PARTITIONS_BY_FILTER: Call = Call { name: "get_partitions_by_filter", throws: META_FIRST };

/// How many partitions are asked for at once. Each comes with all its columns, so that this bounds an
/// answer's size, and a server's time for it.
pub(crate) const BATCH: usize = 500;
/// For calls that want the most that they may answer with: all.
const ALL: i16 = -1;
/// `ClientCapability.INSERT_ONLY_TABLES`: without it a server hides such tables behind an error. They
/// are refused by whoever reads, who can say why.
const INSERT_ONLY_TABLES: i32 = 2;

impl Metastore {
    /// The names of all databases.
    pub fn databases(&self) -> Result<Vec<String>> {
        let operation = self.operation("for its databases");
        let found = operation.read(GET_ALL_DATABASES, Fields::new(), texts);
        found.map(Option::unwrap_or_default).map_err(|failures| operation.fault(failures))
    }

    /// A database; `None` where there is none of that name.
    pub fn database(&self, name: &str) -> Result<Option<Database>> {
        let operation = self.operation(format!("for database {}", fold(name)));
        get_database(&operation, name).map_err(|failures| operation.fault(failures))
    }

    /// The names of a database's tables and views; none where there is no such database.
    pub fn tables(&self, database: &str) -> Result<Vec<String>> {
        let database = fold(database);
        let operation = self.operation(format!("for the tables of database {database}"));
        let found = operation.read(GET_ALL_TABLES, Fields::new().text(1, &database), texts);
        none_if_missing(found).map(Option::unwrap_or_default).map_err(|failures| operation.fault(failures))
    }

    /// A table or view; `None` where there is none of that name, or no such database. Names are
    /// folded to lower case, as Hive does.
    pub fn table(&self, database: &str, name: &str) -> Result<Option<Table>> {
        let operation = self.operation(format!("for table {}.{}", fold(database), fold(name)));
        get_table(&operation, database, name).map_err(|failures| operation.fault(failures))
    }

    /// The names of all partitions, such as `load_date=2026-11-22`, sorted. One call, some 30 bytes a
    /// partition.
    pub fn partition_names(&self, table: &Table) -> Result<Vec<String>> {
        let operation = self.operation(format!("for the partitions of table {}", table.full_name()));
        let mut names =
            get_partition_names(&operation, table).map_err(|failures| operation.fault(failures))?;
        names.sort_unstable();
        Ok(names)
    }

    /// The first `most` of the names, sorted; all of them where these are fewer.
    pub fn first_partition_names(&self, table: &Table, most: i16) -> Result<Vec<String>> {
        let operation = self.operation(format!("for the partitions of table {}", table.full_name()));
        let found = operation.read(GET_PARTITION_NAMES, of_table(table).short(3, most), texts);
        let mut names = found.map(Option::unwrap_or_default).map_err(|failures| operation.fault(failures))?;
        names.sort_unstable();
        Ok(names)
    }

    /// The partitions of these names, in batches, in the server's order. Names that are not there are
    /// left out.
    pub fn partitions(&self, table: &Table, names: &[String]) -> Result<Vec<Partition>> {
        let operation = self.operation(format!("for partitions of table {}", table.full_name()));
        get_partitions(&operation, table, names).map_err(|failures| operation.fault(failures))
    }

    /// The greatest different values of a partition column, as text, greatest first, at most `limit`;
    /// without that of null. One call for the names of all partitions, some 30 bytes a partition.
    pub fn newest_values(&self, table: &Table, column: &str, limit: usize) -> Result<Vec<String>> {
        let action = format!("for the newest {} of table {}", fold(column), table.full_name());
        let operation = self.operation(action);
        let Some(index) = table.partition_columns.iter().position(|known| known.name == fold(column)) else {
            let text = format!("table {} is not partitioned by {}", table.full_name(), fold(column));
            return Err(Fault::usage(text));
        };
        newest(&operation, table, index, limit).map_err(|failures| operation.fault(failures))
    }
}

/// No such database or table is an answer.
fn none_if_missing<T>(found: Result<Option<T>, Failures>) -> Result<Option<T>, Failures> {
    match found {
        Err(failures) if failures.last().is_some_and(Failure::is_no_such_object) => Ok(None),
        other => other,
    }
}

fn is_unknown_call(failures: &Failures) -> bool {
    matches!(failures.last(), Some(Failure::UnknownCall))
}

pub(crate) fn get_database(operation: &Operation<'_>, name: &str) -> Result<Option<Database>, Failures> {
    none_if_missing(operation.read(GET_DATABASE, Fields::new().text(1, &fold(name)), database))
}

pub(crate) fn get_table(
    operation: &Operation<'_>,
    database: &str,
    name: &str,
) -> Result<Option<Table>, Failures> {
    let (database, name) = (fold(database), fold(name));
    let request = Fields::new().structure(1, |request| {
        let capabilities = |fields: Fields| fields.ints(1, &[INSERT_ONLY_TABLES]);
        request.text(1, &database).text(2, &name).structure(3, capabilities)
    });
    let found = operation.read(GET_TABLE_REQ, request, |input| wrapped(input, (1, TType::Struct), table));
    match none_if_missing(found) {
        // Servers of Hive 2 and before.
        Err(failures) if is_unknown_call(&failures) => {
            let arguments = Fields::new().text(1, &database).text(2, &name);
            none_if_missing(operation.read(GET_TABLE, arguments, table))
        }
        other => other.map(Option::flatten),
    }
}

/// The arguments that every call about a table starts with.
pub(crate) fn of_table(table: &Table) -> Fields {
    Fields::new().text(1, &table.database).text(2, &table.name)
}

pub(crate) fn get_partition_names(operation: &Operation<'_>, table: &Table) -> Result<Vec<String>, Failures> {
    let found = operation.read(GET_PARTITION_NAMES, of_table(table).short(3, ALL), texts);
    found.map(Option::unwrap_or_default)
}

pub(crate) fn get_partitions(
    operation: &Operation<'_>,
    table: &Table,
    names: &[String],
) -> Result<Vec<Partition>, Failures> {
    let mut found = Vec::new();
    for batch in names.chunks(BATCH) {
        let arguments = of_table(table).texts(3, batch.iter().map(String::as_str));
        found.extend(operation.read(GET_PARTITIONS_BY_NAMES, arguments, partitions)?.unwrap_or_default());
    }
    Ok(found)
}

/// At most `most` of the partitions that a filter picks.
pub(crate) fn get_partitions_by_filter(
    operation: &Operation<'_>,
    table: &Table,
    filter: &str,
    most: i16,
) -> Result<Vec<Partition>, Failures> {
    let arguments = of_table(table).text(3, filter).short(4, most);
    operation.read(GET_PARTITIONS_BY_FILTER, arguments, partitions).map(Option::unwrap_or_default)
}

/// Servers can order partitions, but not by numbers, not for every column, and not everywhere alike; and
/// it takes them longer than to name all.
fn newest(
    operation: &Operation<'_>,
    table: &Table,
    index: usize,
    limit: usize,
) -> Result<Vec<String>, Failures> {
    let names = get_partition_names(operation, table)?;
    let mut values: Vec<String> =
        names.iter().filter_map(|name| values_of_name(name).into_iter().nth(index)).collect();
    sort_descending(&table.partition_columns[index], &mut values);
    values.retain(|value| value != DEFAULT_PARTITION);
    values.dedup();
    values.truncate(limit);
    Ok(values)
}
