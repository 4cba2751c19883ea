use crate::support::{Server, columns, database, on_both, parquet, table, unique, uri};
use hivecast_metastore::{Column, Created, Database, Statistics, Table, TableKind};
use std::collections::BTreeMap;
use std::sync::Arc;

on_both!(
    databases_and_tables_are_listed,
    names_are_folded,
    what_is_missing_is_none,
    columns_of_every_type,
    a_table_is_as_it_was_made,
    views_are_told,
    transactional_tables_are_told,
    statistics_of_tables,
);

/// Every type that a column can have in the metastore.
const TYPES: [&str; 24] = [
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "decimal(38,18)",
    "decimal(10,0)",
    "string",
    "char(255)",
    "varchar(65535)",
    "binary",
    "date",
    "timestamp",
    "timestamp with local time zone",
    "interval_year_month",
    "interval_day_time",
    "array<string>",
    "map<string,decimal(12,2)>",
    "struct<a:int,b:string>",
    "uniontype<int,string>",
    "array<struct<a:int,b:decimal(38,18),c:map<string,array<timestamp>>>>",
    "struct<line_1:varchar(40),inner:struct<deep:struct<deeper:array<array<int>>>>>",
];

fn databases_and_tables_are_listed(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let database = database(&metastore, "list", directory.path());
    assert!(metastore.databases().unwrap().contains(&database));
    assert!(metastore.tables(&database).unwrap().is_empty());
    let mut made: Vec<String> =
        (0..3).map(|_| table(&metastore, &database, directory.path(), &[]).name).collect();
    made.sort();
    let mut listed = metastore.tables(&database).unwrap();
    listed.sort();
    assert_eq!(listed, made);
}

fn names_are_folded(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let database = database(&metastore, "fold", directory.path());
    let made = table(&metastore, &database, directory.path(), &[("load_date", "string")]);
    let other_case = metastore.table(&database.to_uppercase(), &made.name.to_uppercase()).unwrap().unwrap();
    assert_eq!(other_case, made);
    assert!(metastore.database(&database.to_uppercase()).unwrap().is_some());
    assert_eq!(metastore.tables(&database.to_uppercase()).unwrap(), [made.name]);
}

fn what_is_missing_is_none(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let database = database(&metastore, "missing", directory.path());
    assert_eq!(metastore.table(&database, "nowhere").unwrap(), None);
    assert_eq!(metastore.table("no_such_database", "nowhere").unwrap(), None);
    assert_eq!(metastore.database("no_such_database").unwrap(), None);
    assert!(metastore.tables("no_such_database").unwrap().is_empty());
}

fn columns_of_every_type(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let database = database(&metastore, "types", directory.path());
    let mut table = Table::new(&database, unique("types"), TableKind::External);
    let names: Vec<String> = (0..TYPES.len()).map(|index| format!("c_{index}")).collect();
    table.columns = names.iter().zip(TYPES).map(|(name, kind)| Column::new(name, kind)).collect();
    table.storage = parquet(uri(directory.path(), "types"));
    metastore.create_table(&table).unwrap();
    let found = metastore.table(&database, &table.name).unwrap().unwrap();
    assert_eq!(found.columns, table.columns);
    assert_eq!(found.columns[7].type_text, "decimal(38,18)");
    let whole = |column: &Column| column.has_whole_numbers();
    let expected = |kind: &str| kind.ends_with("int");
    assert!(found.columns.iter().zip(TYPES).all(|(column, kind)| whole(column) == expected(kind)));
}

fn a_table_is_as_it_was_made(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let mut own = Database::new(unique("made"));
    own.description = Some("Exports, one a day: größer, 早い, 🐝".to_owned());
    own.location = Some(uri(directory.path(), "base"));
    own.parameters = BTreeMap::from([("owner".to_owned(), "mdm".to_owned())]);
    assert_eq!(metastore.create_database(&own).unwrap(), Created::New);
    let found = metastore.database(&own.name).unwrap().unwrap();
    assert_eq!(
        (&found.name, &found.description, &found.location),
        (&own.name, &own.description, &own.location)
    );
    assert_eq!(found.parameters.get("owner").map(String::as_str), Some("mdm"));

    let mut table = Table::new(&own.name, unique("made"), TableKind::External);
    table.owner = Some("mdm".to_owned());
    table.columns = columns(&[("a", "string"), ("b", "int")]).into();
    Arc::get_mut(&mut table.columns).unwrap()[0].comment = Some("naïve «text» 早い".to_owned());
    table.partition_columns = columns(&[("load_date", "date"), ("country", "string")]);
    table.storage = parquet(uri(directory.path(), "a%3Ab/with space"));
    table.storage.serde_parameters = BTreeMap::from([("field.delim".to_owned(), "\u{1}".to_owned())]);
    table.parameters = BTreeMap::from([("skip.header.line.count".to_owned(), "1".to_owned())]);
    assert_eq!(metastore.create_table(&table).unwrap(), Created::New);
    assert_eq!(metastore.create_table(&table).unwrap(), Created::WasThere);
    let mut found = metastore.table(&own.name, &table.name).unwrap().unwrap();
    assert_eq!(found.parameters.get("skip.header.line.count").map(String::as_str), Some("1"));
    assert_eq!(found.parameters.get("EXTERNAL").map(String::as_str), Some("TRUE"));
    found.parameters = table.parameters.clone();
    assert_eq!(found, table);
    assert!(!found.is_view() && !found.is_transactional());

    let managed = Table::new(&own.name, unique("managed"), TableKind::Managed);
    metastore.create_table(&managed).unwrap();
    let found = metastore.table(&own.name, &managed.name).unwrap().unwrap();
    // Hive 4 makes what is managed, and not transactional, external.
    let kind = if server == Server::Hive4 { TableKind::External } else { TableKind::Managed };
    assert_eq!(found.kind, kind);
    assert!(found.storage.location.is_some(), "the server chooses one");
}

fn views_are_told(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let database = database(&metastore, "views", directory.path());
    for kind in [TableKind::View, TableKind::MaterializedView] {
        let mut view = Table::new(&database, unique("view"), kind.clone());
        view.columns = columns(&[("a", "string")]).into();
        view.view_text = Some("select a from elsewhere".to_owned());
        metastore.create_table(&view).unwrap();
        let found = metastore.table(&database, &view.name).unwrap().unwrap();
        assert_eq!(found.kind, kind);
        assert_eq!(found.view_text, view.view_text);
        assert!(found.is_view());
        assert!(metastore.tables(&database).unwrap().contains(&view.name));
    }
}

fn transactional_tables_are_told(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let database = database(&metastore, "acid", directory.path());
    let name = unique("acid");
    match server {
        Server::Hive3 => {
            let mut table = Table::new(&database, &name, TableKind::Managed);
            table.columns = columns(&[("a", "string")]).into();
            table.parameters = [("transactional", "true"), ("transactional_properties", "insert_only")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
            metastore.create_table(&table).unwrap();
        }
        // This version lets only those make one who say that they can.
        Server::Hive4 => crate::raw::create_insert_only_table(&server.address(), &database, &name),
    }
    let found = metastore.table(&database, &name).unwrap().unwrap();
    assert!(found.is_transactional(), "{found:?}");
    assert_eq!(found.kind, TableKind::Managed);
}

fn statistics_of_tables(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let database = database(&metastore, "statistics", directory.path());
    let mut table = Table::new(&database, unique("statistics"), TableKind::External);
    table.columns = columns(&[("a", "string")]).into();
    table.storage = parquet(uri(directory.path(), "statistics"));
    let counts = [
        ("numRows", "12"),
        ("rawDataSize", "-1"),
        ("spark.sql.statistics.totalSize", "345"),
        ("COLUMN_STATS_ACCURATE", r#"{"BASIC_STATS":"true"}"#),
    ];
    table.parameters = counts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    // Otherwise a server counts the files of the directory that it makes.
    table.parameters.insert("DO_NOT_UPDATE_STATS".to_owned(), "true".to_owned());
    metastore.create_table(&table).unwrap();
    let found = metastore.table(&database, &table.name).unwrap().unwrap().statistics();
    assert_eq!(found, Statistics { rows: Some(12), total_bytes: Some(345), ..Statistics::default() });
}
