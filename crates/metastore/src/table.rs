use crate::statistics::Statistics;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name, in lower case.
    pub name: String,
    /// Its comment.
    pub description: Option<String>,
    /// The URI below which its external tables, and on Hive 3 all its tables, lie.
    pub location: Option<String>,
    /// Its properties.
    pub parameters: BTreeMap<String, String>,
}

/// A column, of rows or of partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, in lower case.
    pub name: String,
    /// Its type as the metastore has it, such as `decimal(38,18)`.
    pub type_text: String,
    /// Its comment.
    pub comment: Option<String>,
}

impl Database {
    /// A database without comment or properties, which lies where the server decides.
    pub fn new(name: impl Into<String>) -> Database {
        Database { name: name.into(), description: None, location: None, parameters: BTreeMap::new() }
    }
}

impl Column {
    /// A column without a comment.
    pub fn new(name: impl Into<String>, type_text: impl Into<String>) -> Column {
        Column { name: name.into(), type_text: type_text.into(), comment: None }
    }

    /// The type's name, of which Hive takes any case; what a partition's column is of needs no more.
    pub(crate) fn type_name(&self) -> String {
        self.type_text.trim().to_ascii_lowercase()
    }

    /// Whether it is of `int` or a type like it, smaller or larger.
    pub fn has_whole_numbers(&self) -> bool {
        matches!(self.type_name().as_str(), "tinyint" | "smallint" | "int" | "integer" | "bigint")
    }
}

/// What a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Its files are Hive's: they go when it is dropped.
    Managed,
    /// Its files are somebody's: they stay when it is dropped.
    External,
    /// A query under a name.
    View,
    /// A query's result, kept.
    MaterializedView,
    /// What a later server has; the text is the server's.
    Other(String),
}

/// How files lie, and how they are read: of a table, or of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// The URI of the directory, exactly as the metastore has it: Hive does not encode its path, so
    /// `%3A` in it is part of a name. Missing for views.
    pub location: Option<String>,
    /// The Java class that finds records in files. Empty where there is none.
    pub input_format: String,
    /// The Java class that writes them.
    pub output_format: String,
    /// The Java class that makes columns of records.
    pub serde_library: String,
    /// What that class is told, such as `field.delim`.
    pub serde_parameters: BTreeMap<String, String>,
    /// Parameters of the storage itself.
    pub parameters: BTreeMap<String, String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The database's name, in lower case.
    pub database: String,
    /// Its name, in lower case.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Its owner's name.
    pub owner: Option<String>,
    /// The columns that files have, in order.
    pub columns: Arc<[Column]>,
    /// The columns that partitions have, in order; empty where it is not partitioned.
    pub partition_columns: Vec<Column>,
    /// How its files lie. A partition has its own, which counts for it.
    pub storage: Storage,
    /// Its properties (TBLPROPERTIES).
    pub parameters: BTreeMap<String, String>,
    /// A view's query.
    pub view_text: Option<String>,
}

impl Table {
    /// A table without columns or properties, to be filled in; nothing is asked of a server.
    pub fn new(database: impl Into<String>, name: impl Into<String>, kind: TableKind) -> Table {
        Table {
            database: database.into(),
            name: name.into(),
            kind,
            owner: None,
            columns: Arc::from([]),
            partition_columns: Vec::new(),
            storage: Storage::default(),
            parameters: BTreeMap::new(),
            view_text: None,
        }
    }

    /// `database.name`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }

    /// Whether its files are those of Hive's transactions (full ACID, or insert-only), which nobody
    /// can read without asking which of them are valid.
    pub fn is_transactional(&self) -> bool {
        self.parameters.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("transactional") && value.eq_ignore_ascii_case("true")
        })
    }

    /// Whether it is a query, kept or not, and no export.
    pub fn is_view(&self) -> bool {
        matches!(self.kind, TableKind::View | TableKind::MaterializedView)
    }

    /// What was counted of the whole table.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.parameters)
    }
}

/// A partition of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// One value for each partition column, in order, as text; unescaped.
    pub values: Vec<String>,
    /// The columns that its files have, which may differ from the table's. Shared with other
    /// partitions of the same answer that have the same.
    pub columns: Arc<[Column]>,
    /// How its files lie, which may differ from the table's.
    pub storage: Storage,
    /// Its own parameters.
    pub parameters: BTreeMap<String, String>,
}

impl Partition {
    /// A partition with the columns and formats of its table, to be added to it.
    pub fn new(values: Vec<String>, location: impl Into<String>) -> Partition {
        let storage = Storage { location: Some(location.into()), ..Storage::default() };
        Partition { values, columns: Arc::from([]), storage, parameters: BTreeMap::new() }
    }

    /// What was counted of this partition.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.parameters)
    }
}
