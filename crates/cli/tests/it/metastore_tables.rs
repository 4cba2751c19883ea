//! Tables of a metastore that can't be read, and such as change while they are read. Needs the servers that
//! `dev/with-services` starts.

use std::fs;

use hivecast_metastore::{Column, Partition, Table, TableKind};

use crate::changing::{POINTS, with_change};
use crate::metastore::OnMetastore;
use crate::raw::create_insert_only_table;
use crate::support::DAYS;

fn accounts(on: &OnMetastore) -> Table {
    on.metastore().table(&on.database, "accounts").unwrap().unwrap()
}

fn day_of(on: &OnMetastore, day: &str) -> Partition {
    on.metastore().partitions(&accounts(on), &[format!("load_date={day}")]).unwrap().remove(0)
}

/// Where it is there.
fn drop_day(on: &OnMetastore, day: &str) {
    on.metastore().drop_partition(&accounts(on), &[day.to_owned()]).unwrap();
}

fn add_day(on: &OnMetastore, partition: Partition) {
    assert_eq!(on.metastore().add_partitions(&accounts(on), &[partition]).unwrap(), 1);
}

/// What the metastore has of a day of the accounts is changed: by dropping it, and by adding it again.
fn registered_anew(on: &OnMetastore, day: &str, change: impl FnOnce(&mut Partition)) {
    let mut partition = day_of(on, day);
    drop_day(on, day);
    change(&mut partition);
    add_day(on, partition);
}

fn a_partition_that_is_changed_is_not_published(server: &str) {
    let on = OnMetastore::new(server, "midrun");
    on.sample("parquet", &[]).succeeded();
    let feed = "feeds/contracts.yaml";
    let accounts = format!("source: {}.accounts, where: active_ind = 1, ready: success_file", on.database);
    on.scratch.edit(feed, &accounts, &accounts.replace("success_file", "{ parameter: exported=yes }"));
    let exported = |on: &OnMetastore, day: &str| {
        registered_anew(on, day, |partition| {
            partition.parameters.insert("exported".to_owned(), "yes".to_owned());
        });
    };
    let told = on.hivecast(&["publish", "--load-date", DAYS[0]]).failed(10);
    assert!(told.contains("has no parameter exported"), "{told}");
    exported(&on, DAYS[0]);

    let args = ["--env", "hive", "publish", "--load-date", DAYS[0]];
    let whole = day_of(&on, DAYS[0]);
    let changed = |change: &dyn Fn(&OnMetastore), expected: &str| {
        for point in POINTS {
            let told = with_change(&on.scratch, &args, point, || change(&on)).failed(10);
            assert!(told.contains("accounts") && told.contains(expected), "{point}: {told}");
            assert_eq!(on.scratch.topic("topics-hive", "mdm.contracts"), [], "{point}: {expected}");
            drop_day(&on, DAYS[0]);
            add_day(&on, whole.clone());
        }
    };
    changed(&|on| drop_day(on, DAYS[0]), "has no partition load_date=2026-11-20");
    changed(
        &|on| {
            registered_anew(on, DAYS[0], |partition| {
                let elsewhere = on.home("accounts_elsewhere");
                let from = on.scratch.join(&on.home("accounts")).join(format!("load_date={}", DAYS[0]));
                let to = on.scratch.join(&elsewhere);
                fs::create_dir_all(&to).unwrap();
                for entry in fs::read_dir(from).unwrap() {
                    let entry = entry.unwrap();
                    fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
                }
                partition.storage.location = Some(format!("file:{}", to.display()));
            });
        },
        "accounts_elsewhere now, and lay in",
    );
    changed(
        &|on| {
            registered_anew(on, DAYS[0], |partition| {
                partition
                    .storage
                    .serde_parameters
                    .insert("parquet.column.index.access".to_owned(), "true".to_owned());
            });
        },
        "says otherwise how the files",
    );
    changed(
        &|on| {
            registered_anew(on, DAYS[0], |partition| {
                partition.parameters.remove("exported");
            });
        },
        "has no parameter exported",
    );
    on.hivecast(&["publish", "--load-date", DAYS[0]]).succeeded();
}

#[test]
fn a_partition_that_is_changed_is_not_published_from_hive_4() {
    a_partition_that_is_changed_is_not_published("4");
}

#[test]
fn a_partition_that_is_changed_is_not_published_from_hive_3() {
    a_partition_that_is_changed_is_not_published("3");
}

/// The feed's accounts are something that has no files of its own.
fn is_refused(on: &OnMetastore, table: &str, expected: &[&str]) {
    let feed = "feeds/contracts.yaml";
    let text = on.scratch.read(feed);
    on.scratch.edit(feed, &format!("{}.accounts", on.database), &format!("{}.{table}", on.database));
    for line in [["check"].as_slice(), &["publish", "--load-date", DAYS[0]]] {
        let told = on.hivecast(line).failed(2);
        let name = format!("{}.{table}", on.database);
        for part in [&["table accounts", name.as_str()], expected].concat() {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    on.scratch.write(feed, text);
}

fn what_is_no_table_of_files_is_refused(server: &str) {
    let on = OnMetastore::new(server, "refused");
    on.sample("parquet", &[]).succeeded();
    let metastore = on.metastore();
    for (kind, name) in [(TableKind::View, "a_view"), (TableKind::MaterializedView, "a_kept_view")] {
        let mut view = Table::new(&on.database, name, kind);
        view.columns = [Column::new("a", "string")].into();
        view.view_text = Some("select a from elsewhere".to_owned());
        metastore.create_table(&view).unwrap();
    }
    if server == "3" {
        let mut table = Table::new(&on.database, "acid", TableKind::Managed);
        table.columns = [Column::new("a", "string")].into();
        table.parameters = [("transactional", "true"), ("transactional_properties", "insert_only")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        metastore.create_table(&table).unwrap();
    } else {
        // This version lets only those make one who say that they can.
        create_insert_only_table(&on.address, &on.database, "acid");
    }
    is_refused(&on, "a_view", &["is a view", "write its query as a table with `sql`"]);
    is_refused(&on, "a_kept_view", &["is a materialized view", "insert overwrite table"]);
    is_refused(&on, "acid", &["is a transactional table", "create external table"]);
}

#[test]
fn what_is_no_table_of_files_is_refused_from_hive_4() {
    what_is_no_table_of_files_is_refused("4");
}

#[test]
fn what_is_no_table_of_files_is_refused_from_hive_3() {
    what_is_no_table_of_files_is_refused("3");
}

/// A column that is not read is in nobody's way until it is used, in an expression or in a query.
fn a_column_that_is_not_read_is_refused_where_it_is_used(server: &str) {
    let on = OnMetastore::new(server, "unread");
    on.sample("text", &[]).succeeded();
    let metastore = on.metastore();
    let known = accounts(&on);
    let mut table = Table::new(&on.database, "accounts_odd", TableKind::External);
    table.columns =
        known.columns.iter().cloned().chain([Column::new("odd", "uniontype<int,string>")]).collect();
    table.partition_columns = known.partition_columns.clone();
    table.storage = known.storage.clone();
    metastore.create_table(&table).unwrap();
    let table = metastore.table(&on.database, "accounts_odd").unwrap().unwrap();
    let mut day = day_of(&on, DAYS[0]);
    day.columns = table.columns.clone();
    metastore.add_partitions(&table, &[day]).unwrap();

    let feed = "feeds/contracts.yaml";
    on.scratch.edit(feed, &format!("{}.accounts,", on.database), &format!("{}.accounts_odd,", on.database));
    let sound = on.scratch.read(feed);
    for (from, to) in [
        ("contractCountry: country", "contractCountry: odd"),
        ("tables:\n", "tables:\n  odd_ones: { sql: \"select account_id, odd from accounts\" }\n"),
    ] {
        on.scratch.edit(feed, from, to);
        let told = on.hivecast(&["check", "--load-date", DAYS[0]]).failed(2);
        assert!(
            told.contains("column `odd`") && told.contains("is a uniontype, which has no JSON form"),
            "{told}"
        );
        on.scratch.write(feed, &sound);
    }
    // All that can be read of the table, through a query too.
    on.scratch.edit(feed, "tables:\n", "tables:\n  all_of_it: { sql: \"select * from accounts\" }\n");
    on.scratch.edit(feed, "from: accounts\n", "from: all_of_it\n");
    // Gates may not look at what the document does not read.
    let ungated = on.scratch.read(feed).split("\ngates:").next().unwrap().to_owned();
    on.scratch.write(feed, ungated);
    on.hivecast(&["check", "--load-date", DAYS[0]]).succeeded();
    let report = on.hivecast(&["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "published");
}

#[test]
fn a_column_that_is_not_read_is_refused_where_it_is_used_on_hive_4() {
    a_column_that_is_not_read_is_refused_where_it_is_used("4");
}

#[test]
fn a_column_that_is_not_read_is_refused_where_it_is_used_on_hive_3() {
    a_column_that_is_not_read_is_refused_where_it_is_used("3");
}
