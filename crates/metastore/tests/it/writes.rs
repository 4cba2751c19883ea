use crate::support::{Mode, Proxy, Server, add, at, database, on_both, table, texts};
use hivecast_metastore::{Created, Database, Dropped, Metastore, Partition, Table, TableKind};
use hivecast_run::{Class, Fault};
use std::fs;
use std::path::Path;

on_both!(
    a_database_is_dropped_only_where_it_is_empty,
    a_dropped_partition_keeps_its_files,
    adding_twice_changes_nothing,
    parameters_are_set_and_taken_out,
    what_was_done_unheard_is_found_done,
    what_was_not_done_is_not_repeated,
    what_the_server_refuses,
);

fn fixture(metastore: &Metastore, directory: &Path) -> Table {
    let database = database(metastore, "writes", directory);
    table(metastore, &database, directory, &[("load_date", "string")])
}

fn a_database_is_dropped_only_where_it_is_empty(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let table = fixture(&metastore, directory.path());
    metastore.drop_database(&table.database).unwrap_err();
    assert!(metastore.table(&table.database, &table.name).unwrap().is_some());
    let empty = database(&metastore, "dropped", directory.path());
    metastore.drop_database(&empty).unwrap();
    assert!(metastore.database(&empty).unwrap().is_none());
}

fn a_dropped_partition_keeps_its_files(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let mut external = fixture(&metastore, directory.path());
    let mut managed =
        Table::new(&external.database, format!("{}_managed", external.name), TableKind::Managed);
    managed.columns = external.columns.clone();
    managed.partition_columns = external.partition_columns.clone();
    metastore.create_table(&managed).unwrap();
    for table in [&mut external, &mut managed] {
        let folder = directory.path().join(format!("{}_data", table.name));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("part-0"), "rows").unwrap();
        let day = texts(&["2026-11-22"]);
        let partition = Partition::new(day.clone(), format!("file:{}", folder.display()));
        metastore.add_partitions(table, &[partition]).unwrap();
        assert_eq!(metastore.drop_partition(table, &day).unwrap(), Dropped::Gone);
        assert_eq!(metastore.drop_partition(table, &day).unwrap(), Dropped::WasNotThere);
        assert!(metastore.partition_names(table).unwrap().is_empty());
        assert_eq!(fs::read_to_string(folder.join("part-0")).unwrap(), "rows");
    }
}

fn adding_twice_changes_nothing(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let table = fixture(&metastore, directory.path());
    add(&metastore, &table, &[&["2026-11-21"]]);
    let again = |day: &str| {
        let mut partition = Partition::new(texts(&[day]), format!("file:{}/new", directory.path().display()));
        partition.parameters.insert("made".to_owned(), "later".to_owned());
        partition
    };
    let both = [again("2026-11-21"), again("2026-11-22")];
    assert_eq!(metastore.add_partitions(&table, &both).unwrap(), 1);
    assert_eq!(metastore.add_partitions(&table, &both).unwrap(), 0);
    let found = metastore.partitions(&table, &metastore.partition_names(&table).unwrap()).unwrap();
    let made: Vec<bool> = found.iter().map(|partition| partition.parameters.contains_key("made")).collect();
    assert_eq!(made, [false, true]);
}

fn parameters_are_set_and_taken_out(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let table = fixture(&metastore, directory.path());
    let day = texts(&["2026-11-22"]);
    let mut partition = Partition::new(day.clone(), format!("file:{}/p", directory.path().display()));
    partition.parameters.insert("old".to_owned(), "1".to_owned());
    partition.parameters.insert("kept".to_owned(), "naïve".to_owned());
    metastore.add_partitions(&table, &[partition]).unwrap();
    let read = || metastore.partitions(&table, &texts(&["load_date=2026-11-22"])).unwrap().remove(0);
    let before = read();
    metastore
        .set_partition_parameters(&table, &day, &[("ready", Some("早い")), ("old", None), ("kept2", None)])
        .unwrap();
    let mut after = read();
    assert_eq!(after.parameters.remove("ready").as_deref(), Some("早い"));
    assert_eq!(after.parameters.remove("old"), None);
    let mut expected = before;
    expected.parameters.remove("old");
    for partition in [&mut after, &mut expected] {
        // The server's own notes.
        partition.parameters.retain(|name, _| name == "kept");
    }
    assert_eq!(after, expected);
    let fault = metastore.set_partition_parameters(&table, &texts(&["2026-11-23"]), &[]).unwrap_err();
    assert_eq!(fault.class(), Class::Data);
    assert!(fault.chain().contains("has no partition load_date=2026-11-23"), "{}", fault.chain());
}

/// The server does it, and the connection ends before it can say so.
fn what_was_done_unheard_is_found_done(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let proxy = Proxy::before(&server.address());
    let metastore = at(std::slice::from_ref(&proxy.address));
    let made = fixture(&metastore, directory.path());
    let day = texts(&["2026-11-22"]);
    let count = |call: &str, calls: &[String]| calls.iter().filter(|made| *made == call).count();

    proxy.calls();
    proxy.set_for("create_database", Mode::CutAtAnswer);
    let mut own = Database::new(format!("{}_two", made.database));
    own.location = Some(format!("file:{}/two", directory.path().display()));
    assert_eq!(metastore.create_database(&own).unwrap(), Created::New);
    proxy.set_for("create_table", Mode::CutAtAnswer);
    let mut second = made.clone();
    second.name.push_str("_two");
    assert_eq!(metastore.create_table(&second).unwrap(), Created::New);
    proxy.set_for("add_partitions", Mode::CutAtAnswer);
    let partition = Partition::new(day.clone(), format!("file:{}/p", directory.path().display()));
    assert_eq!(metastore.add_partitions(&made, &[partition]).unwrap(), 1);
    proxy.set_for("alter_partition_with_environment_context", Mode::CutAtAnswer);
    metastore.set_partition_parameters(&made, &day, &[("ready", Some("yes"))]).unwrap();
    proxy.set_for("drop_partition", Mode::CutAtAnswer);
    assert_eq!(metastore.drop_partition(&made, &day).unwrap(), Dropped::Gone);
    let calls = proxy.calls();
    for call in ["create_database", "create_table", "add_partitions", "drop_partition"] {
        assert_eq!(count(call, &calls), 1, "{call} in {calls:?}");
    }
}

/// Nothing of it reaches the server: the answer is a fault, after one attempt.
fn what_was_not_done_is_not_repeated(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let table = fixture(&metastore, directory.path());
    let day = texts(&["2026-11-22"]);
    add(&metastore, &table, &[&["2026-11-22"]]);
    let proxy = Proxy::before(&server.address());
    let through = at(std::slice::from_ref(&proxy.address));
    proxy.set_for("drop_partition", Mode::CutAtCall);
    let fault = through.drop_partition(&table, &day).unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
    let text = fault.chain();
    assert!(
        text.contains(&proxy.address.to_string()) && text.contains("to drop partition load_date=2026-11-22"),
        "{text}"
    );
    assert!(text.contains("closed the connection"), "{text}");
    assert_eq!(proxy.calls().iter().filter(|call| *call == "drop_partition").count(), 1);
    assert_eq!(metastore.partition_names(&table).unwrap().len(), 1);
}

fn what_the_server_refuses(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let table = fixture(&metastore, directory.path());
    let is = |fault: Fault, class: Class, part: &str| {
        assert_eq!(fault.class(), class, "{}", fault.chain());
        assert!(fault.chain().contains(&server.address().to_string()), "{}", fault.chain());
        assert!(fault.chain().contains(part), "{}", fault.chain());
    };
    let mut lost = Table::new("no_such_database", "t", TableKind::External);
    lost.columns = table.columns.clone();
    // Hive 4 calls it an invalid object, Hive 3 a missing one.
    let fault = metastore.create_table(&lost).unwrap_err();
    let class = fault.class();
    assert!(matches!(class, Class::Usage | Class::Data), "{}", fault.chain());
    is(fault, class, "to create table no_such_database.t");

    // Hive 4 takes such names.
    if server == Server::Hive3 {
        let mut odd = table.clone();
        odd.name = "a b/c;d".to_owned();
        is(metastore.create_table(&odd).unwrap_err(), Class::Usage, "to create table");
    }

    let fault = metastore.drop_partition(&table, &texts(&["a", "b"])).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
}
