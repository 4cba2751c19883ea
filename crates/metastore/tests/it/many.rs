//! Tables of many partitions: what is looked up by value must not cost what listing all does.

use crate::support::{Proxy, Server, at, database, on_both, table, values};
use hivecast_metastore::{Metastore, Partition, Range, Table, Wanted};
use std::time::Instant;

on_both!(seven_of_five_thousand, more_than_a_filter_may_pick);

const SOME: usize = 7;

/// One partition for each day and country (which a table may not have as a column); returns the days.
fn fill(metastore: &Metastore, table: &Table, kind: &str, days: usize, countries: &[&str]) -> Vec<String> {
    let days: Vec<String> = (0..days)
        .map(|index| {
            let (year, month, day) = (2012 + index / 336, index / 28 % 12 + 1, index % 28 + 1);
            match kind {
                "int" | "bigint" => format!("{year}{month:02}{day:02}"),
                _ => format!("{year}-{month:02}-{day:02}"),
            }
        })
        .collect();
    let root = table.storage.location.as_deref().expect("a location");
    let mut partitions = Vec::new();
    for day in &days {
        for country in countries {
            let values = [day.as_str(), country].into_iter().take(table.partition_columns.len());
            // One directory for all: the server makes those that are missing.
            partitions.push(Partition::new(values.map(str::to_owned).collect(), root));
        }
    }
    assert_eq!(metastore.add_partitions(table, &partitions).expect("added"), days.len() * countries.len());
    days
}

fn seven_of_five_thousand(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let proxy = Proxy::before(&server.address());
    let metastore = at(std::slice::from_ref(&proxy.address));
    let database = database(&metastore, "many", directory.path());
    // Adding takes a server's embedded database most of the time: only one table is as large as that.
    for (kind, count, partitioned_by) in [
        ("string", 5_000, &[("load_date", "string")][..]),
        ("int", 400, &[("load_date", "int")]),
        ("date", 400, &[("load_date", "date"), ("country", "string")]),
    ] {
        let table = table(&metastore, &database, directory.path(), partitioned_by);
        let started = Instant::now();
        let days = fill(&metastore, &table, kind, count, &["NL", "BE"][..partitioned_by.len()]);
        println!("{server:?} {partitioned_by:?}: {count} days added in {:?}", started.elapsed());
        proxy.calls();
        proxy.received();
        measure(&proxy, "names of all", || metastore.partition_names(&table).unwrap().len());
        let newest =
            measure(&proxy, "newest seven", || metastore.newest_values(&table, "load_date", SOME).unwrap());
        assert!(newest.0.iter().eq(days.iter().rev().take(SOME)), "{:?}", newest.0);
        let few =
            measure(&proxy, "first names", || metastore.first_partition_names(&table, 200).unwrap().len());
        assert!(few.0 == 200 && few.1 < 10_000, "{few:?}");
        let least = days[days.len() - SOME].clone();
        let range = Range { from: least, before: Some(days[days.len() - 1].clone()) };
        let (found, bytes) =
            measure(&proxy, "a range", || metastore.values_in_range(&table, "load_date", &range).unwrap());
        assert_eq!(found.as_deref(), Some(&days[days.len() - SOME..days.len() - 1]), "{server:?} {kind}");
        assert!(bytes < 1_000, "{bytes} bytes were received for a range");
        let all = Range { from: days[0].clone(), before: None };
        let all = metastore.values_in_range(&table, "load_date", &all).unwrap();
        assert_eq!(all.map(|all| all.len()), Some(count).filter(|count| *count < 1_000), "{server:?} {kind}");
        // As it is asked while an export is waited for.
        let missing = if kind == "int" { "20991231" } else { "2099-12-31" };
        let (found, _) = measure(&proxy, "not there", || {
            metastore.partitions_matching(&table, &[Wanted::any_of("load_date", [missing])]).unwrap()
        });
        assert!(found.is_empty());
        for dates in [1, SOME] {
            let wanted: Vec<&str> = days.iter().step_by(57).take(dates).map(String::as_str).collect();
            proxy.calls();
            let (found, bytes) = measure(&proxy, "by value", || {
                metastore.partitions_matching(&table, &[Wanted::any_of("load_date", wanted.clone())]).unwrap()
            });
            assert_eq!(found.len(), dates * partitioned_by.len());
            assert!(values(&found).iter().all(|values| wanted.contains(&values[0].as_str())));
            assert!(bytes < 10_000, "{bytes} bytes were received for {dates} dates");
        }
    }
}

/// All of a country's days: that they come in several answers is not seen.
fn more_than_a_filter_may_pick(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let proxy = Proxy::before(&server.address());
    let metastore = at(std::slice::from_ref(&proxy.address));
    let database = database(&metastore, "country", directory.path());
    let columns = [("load_date", "string"), ("country", "string")];
    let table = table(&metastore, &database, directory.path(), &columns);
    fill(&metastore, &table, "string", 1_050, &["BE"]);
    proxy.calls();
    let found = metastore.partitions_matching(&table, &[Wanted::any_of("country", ["BE"])]).unwrap();
    assert_eq!(found.len(), 1_050);
    let by_names = ["get_partitions_by_names"; 3];
    assert_eq!(proxy.calls(), [&["get_partitions_by_filter", "get_partition_names"], &by_names[..]].concat());
}

fn measure<T>(proxy: &Proxy, what: &str, ask: impl FnOnce() -> T) -> (T, u64) {
    let started = Instant::now();
    let answer = ask();
    let (took, bytes) = (started.elapsed(), proxy.received());
    println!("    {what}: {took:?}, {bytes} bytes, {}", proxy.calls().join(" "));
    (answer, bytes)
}
