//! The export as tables of a Hive Metastore: a database, external tables, partitions.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use hivecast_metastore::{Column, Created, Database, Metastore, Partition, Storage, Table as HiveTable};
use hivecast_metastore::{TableKind, partition_name};
use hivecast_run::{Class, Fault, Result};
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
        let (home, made) = make_database(metastore, database)?;
        let make = |table| {
            let found = make_table(metastore, (database.name(), &home), table, format)?;
            if database.location().is_some() {
                check_place(&found, &home.join(table.name()))?;
            }
            Ok(found)
        };
        match Table::ALL.into_iter().map(make).collect() {
            Ok(tables) => Ok(Registry { metastore, stores, format, tables }),
            Err(fault) => {
                if made == Created::New {
                    // Only where it is empty, and the first fault is the one to tell.
                    let _ = metastore.drop_database(database.name());
                }
                Err(explained(fault, database))
            }
        }
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

/// The database's directory, and whether it was there.
fn make_database(metastore: &Metastore, database: Place<'_>) -> Result<(Location, Created)> {
    let (name, wanted) = (database.name(), database.location());
    let made = metastore.create_database(&Database {
        name: name.to_owned(),
        description: Some("A realistic export, written by `hivecast sample`".to_owned()),
        location: wanted.as_ref().map(Location::as_written),
        parameters: BTreeMap::new(),
    })?;
    if let Some(wanted) = wanted {
        return Ok((wanted, made));
    }
    let found = metastore.database(name)?.and_then(|database| database.location);
    let location = found.ok_or_else(|| {
        Fault::data(format!("the metastore has no location for database {name}"))
            .advise("say where it is to lie with --location")
    })?;
    let home = Location::parse(&location).map_err(|fault| {
        fault
            .within(format!("failed to find where database {name} lies"))
            .advise("say where the tables are to lie with --location")
    })?;
    Ok((home, made))
}

/// What servers of Hive 4 say of an external table where only managed ones may lie.
const WITHIN_MANAGED: &str = "within managed warehouse root";

/// A metastore that has no place for external tables of its own wants to be told one.
fn explained(fault: Fault, database: Place<'_>) -> Fault {
    if !fault.chain().contains(WITHIN_MANAGED) {
        return fault;
    }
    let help = match database.location() {
        None => "say with --location in which directory or URL the sample is to lie",
        Some(_) => "name a directory with --location that is not within the metastore's managed warehouse",
    };
    fault.of_class(Class::Usage).advise(help)
}

/// Fails where a table that was there lies elsewhere than is asked for.
fn check_place(found: &HiveTable, wanted: &Location) -> Result<()> {
    let Some(location) = found.storage.location.as_deref() else { return Ok(()) };
    if Location::parse(location).is_ok_and(|at| at == *wanted || at.path() == wanted.path()) {
        return Ok(());
    }
    Err(Fault::usage(format!(
        "table {} is in the metastore already and lies in {location}, not in {wanted} as --location says",
        found.full_name()
    ))
    .advise("leave --location out, name another --database, or drop the table"))
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
        location: Some(at.as_written()),
        input_format,
        output_format,
        serde_library: serde.to_owned(),
        serde_parameters: BTreeMap::from([("serialization.format".to_owned(), "1".to_owned())]),
        parameters: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hive_without_a_place_for_external_tables_asks_for_one() {
        let refused = || {
            Fault::infrastructure("failed to ask the metastore m:9083 to create table mdm.accounts").because(
                "An external table's location should not be located within managed warehouse root directory of its \
                 database",
            )
        };
        let fault = explained(refused(), Place::Default("mdm"));
        assert_eq!(fault.class(), Class::Usage);
        assert!(fault.advice().is_some_and(|advice| advice.contains("--location")), "{fault:?}");
        let at = Location::parse("/managed").unwrap();
        let fault = explained(refused(), Place::Below("mdm", &at));
        assert!(fault.advice().is_some_and(|advice| advice.contains("not within")), "{fault:?}");
        let other = explained(Fault::infrastructure("away"), Place::Default("mdm"));
        assert_eq!(other.class(), Class::Infrastructure);
    }

    #[test]
    fn a_table_that_lies_elsewhere_than_is_asked_for_is_refused() {
        let at = |text: &str| Location::parse(text).unwrap();
        let found = HiveTable {
            database: "mdm".to_owned(),
            name: "accounts".to_owned(),
            kind: TableKind::External,
            owner: None,
            columns: Vec::new().into(),
            partition_columns: Vec::new(),
            storage: storage(FileFormat::Orc, &at("s3a://b/old/mdm.db/accounts")),
            parameters: BTreeMap::new(),
            view_text: None,
        };
        assert_eq!(
            found.storage.location.as_deref(),
            Some("s3a://b/old/mdm.db/accounts"),
            "as Hadoop knows it"
        );
        check_place(&found, &at("s3://b/old/mdm.db/accounts")).unwrap();
        let fault = check_place(&found, &at("s3a://b/new/mdm.db/accounts")).unwrap_err();
        assert_eq!(fault.class(), Class::Usage);
        assert!(fault.chain().contains("lies in s3a://b/old/mdm.db/accounts"), "{fault:?}");
    }
}
