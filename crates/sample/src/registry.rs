//! The export as tables of a Hive Metastore: a database, external tables, partitions.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use hivecast_metastore::{Column, Database, Metastore, Partition, Storage, Table as HiveTable};
use hivecast_metastore::{TableKind, partition_name};
use hivecast_run::{Fault, Result};
use hivecast_storage::{Location, Stores};

use crate::destination::{Counts, Home, Slot};
use crate::tables::Table;
use crate::write::FileFormat;

/// What its tables are partitioned by.
const PARTITION: &str = "load_date";

/// A database, and where it lies if it has to be made.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Where the metastore puts it.
    Default(&'a str),
    /// In a directory of its own in this one.
    Below(&'a str, &'a Location),
}

impl<'a> Place<'a> {
    fn name(self) -> &'a str {
        match self {
            Place::Default(name) | Place::Below(name, _) => name,
        }
    }

    fn location(self) -> Option<Location> {
        match self {
            Place::Default(_) => None,
            Place::Below(name, root) => Some(root.join(&format!("{name}.db"))),
        }
    }
}

/// The export's tables in a metastore, in the order of [`Table::ALL`].
pub(crate) struct Registry<'a> {
    metastore: &'a Metastore,
    stores: &'a Stores,
    format: FileFormat,
    tables: Vec<HiveTable>,
}

impl<'a> Registry<'a> {
    /// Makes the database and the tables that are missing. `Class::Usage` where a table is there that
    /// has other columns.
    pub(crate) fn open(
        metastore: &'a Metastore,
        stores: &'a Stores,
        database: Place<'_>,
        format: FileFormat,
    ) -> Result<Registry<'a>> {
        let home = make_database(metastore, database)?;
        let make = |table| make_table(metastore, (database.name(), &home), table, format);
        let tables = Table::ALL.into_iter().map(make);
        Ok(Registry { metastore, stores, format, tables: tables.collect::<Result<_>>()? })
    }

    fn table(&self, table: Table) -> &HiveTable {
        &self.tables[table as usize]
    }

    /// Where the tables lie.
    pub(crate) fn homes(&self) -> Result<Vec<Home>> {
        let home = |table: &HiveTable| {
            let location = table.storage.location.as_deref().ok_or_else(|| {
                Fault::data(format!("table {} has no location in the metastore", table.full_name()))
            })?;
            let at = Location::parse(location)
                .map_err(|fault| fault.within(format!("failed to find table {}", table.full_name())))?;
            Ok(Home { storage: self.stores.of(&at)?, at })
        };
        self.tables.iter().map(home).collect()
    }

    pub(crate) fn has(&self, slot: &Slot) -> Result<bool> {
        let value = slot.date.to_string();
        let name = partition_name([(PARTITION, value.as_str())]);
        Ok(!self.metastore.partitions(self.table(slot.table), &[name])?.is_empty())
    }

    /// Its files stay.
    pub(crate) fn drop_partition(&self, slot: &Slot) -> Result<()> {
        self.metastore.drop_partition(self.table(slot.table), &[slot.date.to_string()]).map(|_| ())
    }

    /// With what Hive counts when it writes one.
    pub(crate) fn add_partition(&self, slot: &Slot, counts: Counts) -> Result<()> {
        // A server that lacks one of the last three counts them all itself, and vouches for no rows then.
        let statistics = [
            ("numRows", counts.rows),
            ("numFiles", counts.files),
            ("totalSize", counts.bytes),
            ("numFilesErasureCoded", 0),
        ];
        let partition = Partition {
            values: vec![slot.date.to_string()],
            columns: columns(slot.table).into(),
            storage: storage(self.format, &slot.path),
            parameters: statistics
                .map(|(name, count)| (name.to_owned(), count.to_string()))
                .into_iter()
                .chain([("COLUMN_STATS_ACCURATE".to_owned(), r#"{"BASIC_STATS":"true"}"#.to_owned())])
                .collect(),
        };
        self.metastore.add_partitions(self.table(slot.table), &[partition]).map(|_| ())
    }
}

/// The database's directory.
fn make_database(metastore: &Metastore, database: Place<'_>) -> Result<Location> {
    let (name, wanted) = (database.name(), database.location());
    metastore.create_database(&Database {
        name: name.to_owned(),
        description: Some("A realistic export, written by `hivecast sample`".to_owned()),
        location: wanted.as_ref().map(Location::to_string),
        parameters: BTreeMap::new(),
    })?;
    if let Some(wanted) = wanted {
        return Ok(wanted);
    }
    let made = metastore.database(name)?.and_then(|database| database.location);
    let location = made.ok_or_else(|| {
        Fault::data(format!("the metastore has no location for database {name}"))
            .advise("say where it is to lie with --location")
    })?;
    Location::parse(&location).map_err(|fault| {
        fault
            .within(format!("failed to find where database {name} lies"))
            .advise("say where the tables are to lie with --location")
    })
}

fn make_table(
    metastore: &Metastore,
    (database, home): (&str, &Location),
    table: Table,
    format: FileFormat,
) -> Result<HiveTable> {
    let wanted = HiveTable {
        database: database.to_owned(),
        name: table.name().to_owned(),
        kind: TableKind::External,
        owner: None,
        columns: columns(table).into(),
        partition_columns: vec![Column::new(PARTITION, "string")],
        storage: storage(format, &home.join(table.name())),
        parameters: BTreeMap::new(),
        view_text: None,
    };
    metastore.create_table(&wanted)?;
    let lost = || Fault::infrastructure(format!("table {} was made, and is gone", wanted.full_name()));
    let found = metastore.table(database, table.name())?.ok_or_else(lost)?;
    let same = |ours: &[Column], theirs: &[Column]| {
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(a, b)| (&a.name, &a.type_text) == (&b.name, &b.type_text))
    };
    let is_plain = !found.is_view() && !found.is_transactional();
    if is_plain
        && same(&wanted.columns, &found.columns)
        && same(&wanted.partition_columns, &found.partition_columns)
    {
        return Ok(found);
    }
    Err(Fault::usage(format!("table {} is in the metastore, and is not the sample's", wanted.full_name()))
        .because("it has other columns or partitions, or is a view or transactional")
        .advise("drop it, or write the sample to another metastore; nothing was written to it"))
}

fn columns(table: Table) -> Vec<Column> {
    let hive_type = |data_type: &DataType| match data_type {
        DataType::Int32 => "int",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp",
        _ => "string",
    };
    let fields = table.schema();
    fields.fields().iter().map(|field| Column::new(field.name(), hive_type(field.data_type()))).collect()
}

/// The Java classes of a format: `STORED AS …`.
fn storage(format: FileFormat, at: &Location) -> Storage {
    const IO: &str = "org.apache.hadoop.hive.ql.io";
    const LINES: [&str; 2] = [
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    ];
    let of = |package: &str, name: &str| {
        let prefix = format!("{IO}.{package}.{name}");
        (format!("{prefix}InputFormat"), format!("{prefix}OutputFormat"))
    };
    let lines = || (LINES[0].to_owned(), LINES[1].to_owned());
    let ((input_format, output_format), serde) = match format {
        FileFormat::Parquet => {
            (of("parquet", "MapredParquet"), "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe")
        }
        FileFormat::Orc => (of("orc", "Orc"), "org.apache.hadoop.hive.ql.io.orc.OrcSerde"),
        FileFormat::Avro => (of("avro", "AvroContainer"), "org.apache.hadoop.hive.serde2.avro.AvroSerDe"),
        FileFormat::Json => (lines(), "org.apache.hive.hcatalog.data.JsonSerDe"),
        FileFormat::Text => (lines(), "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"),
    };
    Storage {
        location: Some(at.to_string()),
        input_format,
        output_format,
        serde_library: serde.to_owned(),
        serde_parameters: BTreeMap::from([("serialization.format".to_owned(), "1".to_owned())]),
        parameters: BTreeMap::new(),
    }
}
