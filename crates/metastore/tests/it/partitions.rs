use crate::support::{Server, add, columns, database, on_both, table, texts, values};
use hivecast_metastore::{Metastore, Partition, Table, Wanted, partition_name};
use hivecast_run::Class;
use std::path::Path;
use std::sync::Arc;

on_both!(
    columns_of_each_type_are_matched,
    numbers_are_matched_as_numbers,
    only_some_columns_are_matched,
    values_that_are_escaped,
    partitions_differ_from_their_table,
    the_newest_values,
    nothing_and_nonsense_are_asked_for,
);

fn fixture(metastore: &Metastore, directory: &Path, partitioned_by: &[(&str, &str)]) -> Table {
    let database = database(metastore, "partitions", directory);
    table(metastore, &database, directory, partitioned_by)
}

fn columns_of_each_type_are_matched(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let dates = ["2026-11-20", "2026-11-21", "2026-11-22"];
    let numbers = ["20261120", "20261121", "20261122"];
    for (kind, present) in [
        ("string", dates),
        ("date", dates),
        ("int", numbers),
        ("bigint", numbers),
        ("varchar(10)", dates),
        ("char(10)", dates),
    ] {
        let table = fixture(&metastore, directory.path(), &[("load_date", kind)]);
        add(&metastore, &table, &present.each_ref().map(std::slice::from_ref));
        for wanted in [&present[1..2], &present[1..], &["2027-01-01"], &["20270101", present[0]]] {
            let found = metastore
                .partitions_matching(&table, &[Wanted::any_of("LOAD_DATE", wanted.iter().copied())])
                .unwrap_or_else(|fault| panic!("{kind}: {}", fault.chain()));
            let expected: Vec<Vec<String>> =
                present.iter().filter(|value| wanted.contains(value)).map(|value| texts(&[value])).collect();
            assert_eq!(values(&found), expected, "{kind} {wanted:?}");
        }
        let mut all = metastore.partition_names(&table).unwrap();
        all.sort();
        assert_eq!(all, present.map(|value| format!("load_date={value}")));
        let found = metastore.partitions(&table, &all[1..]).unwrap();
        assert_eq!(values(&found), [texts(&present[1..2]), texts(&present[2..])]);
    }
}

fn numbers_are_matched_as_numbers(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    for kind in ["tinyint", "smallint", "int", "bigint"] {
        let table = fixture(&metastore, directory.path(), &[("day", kind)]);
        add(&metastore, &table, &[&["7"], &["71"], &["17"]]);
        let found = metastore.partitions_matching(&table, &[Wanted::any_of("day", ["07"])]).unwrap();
        assert_eq!(values(&found), [texts(&["7"])], "{kind}");
        let found = metastore.partitions_matching(&table, &[Wanted::any_of("day", ["seven"])]).unwrap();
        assert!(found.is_empty(), "{kind}");
        assert_eq!(metastore.newest_values(&table, "day", 2).unwrap(), ["71", "17"], "{kind}");
    }
}

fn only_some_columns_are_matched(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    for kind in ["string", "date"] {
        let table = fixture(
            &metastore,
            directory.path(),
            &[("country", "string"), ("load_date", kind), ("run", "int")],
        );
        let mut all = Vec::new();
        for country in ["NL", "BE", "%", "N_"] {
            for date in ["2026-11-21", "2026-11-22"] {
                all.push([country, date, "1"]);
                all.push([country, date, "2"]);
            }
        }
        add(&metastore, &table, &all.iter().map(<[&str; 3]>::as_slice).collect::<Vec<_>>());
        let date = || Wanted::any_of("load_date", ["2026-11-22"]);
        let count = |wanted: &[Wanted]| {
            let found = metastore.partitions_matching(&table, wanted);
            found.unwrap_or_else(|fault| panic!("{kind}: {}", fault.chain())).len()
        };
        assert_eq!(count(&[date()]), 8);
        assert_eq!(count(&[date(), Wanted::any_of("run", ["2"])]), 4);
        assert_eq!(count(&[date(), Wanted::any_of("country", ["NL", "BE"])]), 4);
        assert_eq!(count(&[date(), Wanted::any_of("country", ["%"]), Wanted::any_of("run", ["1", "2"])]), 2);
        assert_eq!(count(&[Wanted::any_of("country", ["N_"])]), 4);
        assert_eq!(count(&[Wanted::any_of("country", Vec::<String>::new())]), 0);
        assert_eq!(count(&[]), 16);
    }
}

fn values_that_are_escaped(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let odd = [
        "a/b",
        "a:b=c",
        "50%",
        "it's",
        "say \"so\"",
        "back\\slash",
        "{[^]}",
        "a b",
        "naïve 早い",
        "tab\tbed",
        "x?#*",
    ];
    for partitioned_by in [&[("value", "string")][..], &[("value", "string"), ("n", "int")]] {
        let table = fixture(&metastore, directory.path(), partitioned_by);
        let all: Vec<Vec<&str>> =
            odd.iter().map(|value| [*value, "1"].into_iter().take(partitioned_by.len()).collect()).collect();
        add(&metastore, &table, &all.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let names = metastore.partition_names(&table).unwrap();
        for (value, all) in odd.iter().zip(&all) {
            let found = metastore.partitions_matching(&table, &[Wanted::any_of("value", [*value])]).unwrap();
            assert_eq!(values(&found), [texts(all)], "{value}");
            let name =
                partition_name(partitioned_by.iter().map(|(column, _)| *column).zip(all.iter().copied()));
            assert!(names.contains(&name), "{name} is none of {names:?}");
        }
    }
}

/// What Hive writes beside counts that hold.
const VOUCHED: &str = r#"{"BASIC_STATS":"true"}"#;

fn partitions_differ_from_their_table(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let table = fixture(&metastore, directory.path(), &[("load_date", "string")]);
    let elsewhere = format!("file:{}/else%3Awhere", directory.path().display());
    let mut text = Partition::new(texts(&["2026-11-21"]), &elsewhere);
    text.columns = columns(&[("account_id", "string"), ("extra", "array<int>")]).into();
    text.storage.input_format = "org.apache.hadoop.mapred.TextInputFormat".to_owned();
    text.storage.output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat".to_owned();
    text.storage.serde_library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe".to_owned();
    text.storage.serde_parameters.insert("field.delim".to_owned(), "|".to_owned());
    // With all of these, a server does not count itself.
    for (name, value) in
        [("numRows", "42"), ("numFiles", "1"), ("totalSize", "1"), ("COLUMN_STATS_ACCURATE", VOUCHED)]
    {
        text.parameters.insert(name.to_owned(), value.to_owned());
    }
    text.parameters.insert("comment".to_owned(), "早い".to_owned());
    let plain = Partition::new(texts(&["2026-11-22"]), format!("{elsewhere}-too"));
    assert_eq!(metastore.add_partitions(&table, &[text.clone(), plain]).unwrap(), 2);

    let found = metastore.partitions(&table, &metastore.partition_names(&table).unwrap()).unwrap();
    let [first, second] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&first.values, &first.columns, &first.storage), (&text.values, &text.columns, &text.storage));
    assert_eq!(first.statistics().rows, Some(42));
    assert_eq!(first.parameters.get("comment").map(String::as_str), Some("早い"));
    assert_eq!(second.columns, table.columns);
    assert_eq!(second.storage.serde_library, table.storage.serde_library);
    assert_eq!(second.storage.location.as_deref(), Some(format!("{elsewhere}-too").as_str()));
}

fn the_newest_values(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    for kind in ["string", "date"] {
        let table = fixture(&metastore, directory.path(), &[("load_date", kind), ("country", "string")]);
        assert!(metastore.newest_values(&table, "load_date", 3).unwrap().is_empty());
        let mut all: Vec<[String; 2]> = Vec::new();
        for day in 1..=28 {
            for country in ["NL", "BE"] {
                all.push([format!("2026-11-{day:02}"), country.to_owned()]);
            }
        }
        let all: Vec<[&str; 2]> = all.iter().map(|pair| pair.each_ref().map(String::as_str)).collect();
        add(&metastore, &table, &all.iter().map(<[&str; 2]>::as_slice).collect::<Vec<_>>());
        let newest = metastore.newest_values(&table, "load_date", 3).unwrap();
        assert_eq!(newest, ["2026-11-28", "2026-11-27", "2026-11-26"], "{kind}");
        assert_eq!(metastore.newest_values(&table, "Country", 9).unwrap(), ["NL", "BE"]);
    }
}

fn nothing_and_nonsense_are_asked_for(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let metastore = server.metastore();
    let table = fixture(&metastore, directory.path(), &[("load_date", "string")]);
    assert!(metastore.partition_names(&table).unwrap().is_empty());
    assert!(metastore.partitions(&table, &[]).unwrap().is_empty());
    let one = [Wanted::any_of("load_date", ["2026-11-22"])];
    assert!(metastore.partitions_matching(&table, &one).unwrap().is_empty());

    let fault = metastore.partitions_matching(&table, &[Wanted::any_of("date", ["x"])]).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    assert_eq!(fault.advice(), Some("it is partitioned by load_date"));
    let many = [Wanted::any_of("load_date", (0..10_001).map(|n| n.to_string()))];
    assert_eq!(metastore.partitions_matching(&table, &many).unwrap_err().class(), Class::Usage);
    assert_eq!(metastore.newest_values(&table, "date", 1).unwrap_err().class(), Class::Usage);

    // A table that was dropped since it was looked up must not break anything either.
    let mut gone = table;
    gone.name = "gone".to_owned();
    gone.columns = Arc::from([]);
    if let Err(fault) = metastore.partitions_matching(&gone, &one) {
        assert_eq!(fault.class(), Class::Data, "{}", fault.chain());
    }
}
