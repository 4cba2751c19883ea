//! What is done with exports themselves: looking at them, taking the newest that is ready, filling days
//! in, removing old ones.

use std::fs;

use serde_json::{Value, json};

use crate::support::{DAYS, Scratch};

const TABLES: [&str; 3] = ["accounts", "parties", "party_address"];

impl Scratch {
    fn partition(&self, table: &str, day: &str) -> String {
        format!("warehouse/mdm.db/{table}/load_date={day}")
    }

    /// As where the export of a table's day is still being written.
    fn not_ready(&self, table: &str, day: &str) {
        fs::remove_file(self.join(&self.partition(table, day)).join("_SUCCESS")).unwrap();
    }

    /// The load_dates that a table has, and what else lies beside them.
    fn partitions(&self, table: &str) -> Vec<String> {
        let entries = fs::read_dir(self.join(&format!("warehouse/mdm.db/{table}"))).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs the binary, to die at a crash point.
    fn killed(&self, point: &str, args: &[&str]) {
        let mut command = self.command(args.iter().copied());
        let ran = self.finish(command.env("HIVECAST_CRASH_AT", point).spawn().unwrap());
        assert_eq!(ran.code, None, "{point}: {}{}", ran.stdout, ran.stderr);
    }
}

fn names(days: &[&str]) -> Vec<String> {
    days.iter().map(|day| format!("load_date={day}")).collect()
}

/// Days from 2026-11-13, one a line of the published topic.
fn ten_days() -> Scratch {
    let scratch = Scratch::example();
    let line = ["sample", "--accounts", "20", "--days", "10", "--seed", "7", "--load-date", DAYS[2]];
    scratch.hivecast(line).succeeded();
    scratch
}

#[test]
fn tables_shows_where_what_and_whether_it_is_ready() {
    let scratch = Scratch::sampled(10);
    scratch.not_ready("parties", DAYS[2]);
    let told = scratch.hivecast(["tables", "--feed", "contracts"]).succeeded().stdout;
    assert!(told.starts_with("table "), "{told}");
    assert!(told.contains("accounts (mdm.accounts)"), "{told}");
    assert!(told.contains("3: 2026-11-20 to 2026-11-22"), "{told}");
    assert!(told.contains("[dir]/warehouse/mdm.db/accounts/load_date=2026-11-22"), "{told}");
    assert!(
        told.contains("parties is not ready: table parties: load_date 2026-11-22 is not whole"),
        "{told}"
    );

    let line = ["tables", "--feed", "contracts", "--load-date", DAYS[1], "--json"];
    let report = scratch.hivecast(line).succeeded().json();
    let accounts = &report["tables"][0];
    let dates = json!({ "first": DAYS[0], "last": DAYS[2], "count": 3 });
    assert_eq!((&accounts["source"], &accounts["load_dates"]), (&Value::from("mdm.accounts"), &dates));
    let day = &accounts["day"];
    assert_eq!((&day["load_date"], &day["format"]), (&Value::from(DAYS[1]), &Value::from("parquet")));
    assert_eq!((&day["files"], &day["ready"]), (&Value::from(1), &Value::from(true)), "{report}");
    let size =
        fs::metadata(scratch.join(&scratch.partition("accounts", DAYS[1])).join("part-00000.snappy.parquet"));
    assert_eq!(day["bytes"], size.unwrap().len());
    assert!(day["rows"].as_u64().is_some_and(|rows| rows >= 10), "{report}");
}

#[test]
fn one_bad_table_hides_no_other_and_gives_the_exit_code() {
    let scratch = Scratch::sampled(10);
    let parties = scratch.partition("parties", DAYS[2]);
    scratch.write(&format!("{parties}/part-00000.snappy.parquet"), "no parquet at all, nor anything else");
    let file = fs::File::options().write(true).open(scratch.join(&parties).join("part-00000.snappy.parquet"));
    // One that was just written may be half written, and is not ready.
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    file.unwrap().set_modified(long_ago).unwrap();
    let ran = scratch.hivecast(["tables", "--json"]);
    let report = ran.json();
    let tables = report["tables"].as_array().unwrap();
    assert_eq!(
        tables.iter().map(|table| &table["table"]).collect::<Vec<_>>(),
        ["mdm.accounts", "mdm.parties", "mdm.party_address"]
    );
    assert_eq!((&tables[0]["error"], &tables[2]["error"]), (&Value::Null, &Value::Null), "{report}");
    assert_eq!(
        (&tables[1]["error"]["class"], &tables[1]["day"]["files"]),
        (&Value::from("data"), &Value::from(1))
    );
    assert_eq!(report["error"]["exit_code"], 20);
    let said = ran.failed(20);
    assert!(said.contains("1 of 3 tables can't be looked at whole"), "{said}");

    // What no feed could read is told, and is no failure of the warehouse.
    let scratch = Scratch::sampled(10);
    scratch.write("warehouse/mdm.db/codes/by_country=NL/part-0.csv", "NL\n");
    let told = scratch.hivecast(["tables"]).succeeded().stdout;
    assert!(told.contains("mdm.codes") && told.contains("is partitioned by by_country"), "{told}");
}

#[test]
fn latest_is_the_newest_day_at_which_every_table_is_ready() {
    let scratch = Scratch::sampled(30);
    scratch.not_ready("parties", DAYS[2]);
    let fourth = scratch.join("warehouse/mdm.db/accounts/load_date=2026-11-23");
    fs::create_dir_all(fourth).unwrap();
    let report = scratch.hivecast(["publish", "--load-date", "latest", "--json"]).succeeded().json();
    let run = &report["runs"][0];
    assert_eq!((&run["load_date"], &run["outcome"]), (&Value::from(DAYS[1]), &Value::from("published")));
    let warnings: Vec<&str> =
        run["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(
        warnings[0],
        "load_date 2026-11-23 is passed over: tables parties, addresses have no such partition"
    );
    assert!(warnings[1].starts_with("load_date 2026-11-22 is passed over: table parties:"), "{warnings:?}");
    assert!(warnings[1].contains("no _SUCCESS in"), "{warnings:?}");
}

/// An older day must not be taken for a disk that fails.
#[test]
fn where_no_day_is_ready_latest_is_none() {
    let scratch = Scratch::sampled(10);
    DAYS.iter().for_each(|day| scratch.not_ready("parties", day));
    let said = scratch.hivecast(["publish", "--load-date", "latest"]).failed(10);
    assert!(said.contains("none of the newest 3 load_dates is ready for feed contracts"), "{said}");
    assert!(said.contains("help: wait for the export with --load-date 2026-11-22 --wait 2h"), "{said}");
    assert!(scratch.topic("topics", "mdm.contracts").is_empty());
}

#[test]
fn a_range_stops_at_the_first_day_that_fails() {
    let scratch = Scratch::sampled(30);
    scratch.not_ready("parties", DAYS[1]);
    let ran = scratch.hivecast(["publish", "--load-date", "2026-11-20..2026-11-22", "--json"]);
    let report = ran.json();
    let runs: Vec<(&Value, &Value)> =
        report["runs"].as_array().unwrap().iter().map(|run| (&run["load_date"], &run["outcome"])).collect();
    let text = [DAYS[0], "published", DAYS[1], "failed"].map(Value::from);
    assert_eq!(runs, [(&text[0], &text[1]), (&text[2], &text[3])]);
    ran.failed(10);
}

#[test]
fn backfill_passes_over_what_is_published_even_where_its_export_is_gone() {
    let scratch = Scratch::sampled(30);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    for table in TABLES {
        fs::remove_dir_all(scratch.join(&scratch.partition(table, DAYS[0]))).unwrap();
    }
    let range = "2026-11-20..2026-11-22";
    scratch.hivecast(["publish", "--load-date", range]).failed(20);
    let report =
        scratch.hivecast(["publish", "--load-date", range, "--backfill", "--json"]).succeeded().json();
    let outcomes: Vec<&Value> =
        report["runs"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["skipped", "published", "published"], "{report}");
    assert_eq!(report["runs"][0]["manifest"]["load_date"], DAYS[0]);
    let before = scratch.topic_files("topics");
    let told = scratch.hivecast(["publish", "--load-date", range, "--backfill"]).succeeded().stdout;
    assert_eq!(told.matches("skipped contracts 2026-11-2").count(), 3, "{told}");
    assert_eq!(scratch.topic_files("topics"), before);
}

/// A hole is older than what is published: filling it would put the topic back.
#[test]
fn backfill_rolls_nothing_back() {
    let scratch = Scratch::sampled(30);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    scratch.hivecast(["publish", "--load-date", DAYS[2]]).succeeded();
    let before = scratch.topic_files("topics");
    let range = "2026-11-20..2026-11-22";
    let said = scratch.hivecast(["publish", "--load-date", range, "--backfill"]).failed(50);
    assert!(said.contains("publishing 2026-11-21 would overwrite newer data"), "{said}");
    assert_eq!(scratch.topic_files("topics"), before);

    // A day that an older one was put over is complete in the ledger, and not what is on the topic.
    scratch.hivecast(["publish", "--load-date", DAYS[1], "--replace"]).succeeded();
    scratch.hivecast(["publish", "--load-date", DAYS[1], "--backfill"]).succeeded();
    let said = scratch.hivecast(["publish", "--load-date", DAYS[2], "--backfill"]).failed(50);
    assert!(said.contains("the topic does not hold it any more"), "{said}");
}

#[test]
fn old_exports_go_and_what_is_published_or_newer_stays() {
    let scratch = ten_days();
    let all = scratch.partitions("accounts");
    assert_eq!(all.len(), 10);

    // Nobody has published anything: nothing is old.
    let told = scratch.hivecast(["prune", "--exports", "--keep", "1"]).succeeded().stdout;
    assert!(told.contains("note: the exports of table accounts all stay: feed contracts reads it"), "{told}");
    assert_eq!(scratch.partitions("accounts"), all);

    scratch.hivecast(["publish", "--load-date", "2026-11-15"]).succeeded();
    let before = scratch.files("warehouse");
    let line = ["prune", "--exports", "--keep", "7", "--dry-run", "--json"];
    let report = scratch.hivecast(line).succeeded().json();
    let dates: Vec<&Value> =
        report["exports"].as_array().unwrap().iter().map(|export| &export["load_date"]).collect();
    assert_eq!(dates, ["2026-11-13", "2026-11-14"].repeat(3), "{report}");
    assert_eq!(scratch.files("warehouse"), before, "--dry-run changes nothing");

    // Without --exports none goes.
    scratch.hivecast(["prune", "--keep", "7"]).succeeded();
    assert_eq!(scratch.files("warehouse"), before);
    scratch.hivecast(["prune", "--exports", "--keep", "7"]).succeeded();
    for table in TABLES {
        assert_eq!(scratch.partitions(table), all[2..], "{table}: the published day, and the newer ones");
    }
    // With all published, the newest seven.
    scratch.hivecast(["publish", "--load-date", DAYS[2]]).succeeded();
    scratch.hivecast(["prune", "--exports", "--keep", "7"]).succeeded();
    assert_eq!(scratch.partitions("accounts"), all[3..]);
    let told = scratch.hivecast(["prune", "--exports", "--keep", "7"]).succeeded().stdout;
    assert_eq!(told, "nothing to remove\n");
    // None is no number to keep.
    scratch.hivecast(["prune", "--exports", "--keep", "0"]).failed(2);
    scratch.hivecast(["prune", "--exports", "--keep", "1"]).succeeded();
    assert_eq!(scratch.partitions("accounts"), names(&DAYS[2..]));
}

#[test]
fn a_day_that_is_begun_keeps_its_export() {
    let scratch = ten_days();
    scratch.edit("feeds/contracts.yaml", "envelope:\n", "chunks: { records: 5 }\n\nenvelope:\n");
    scratch.hivecast(["publish", "--load-date", DAYS[2]]).succeeded();
    // A correction of an older day, half sent.
    scratch.killed("publish.after_commit", &["publish", "--load-date", "2026-11-14", "--replace"]);
    scratch.hivecast(["prune", "--exports", "--keep", "2"]).succeeded();
    assert_eq!(scratch.partitions("accounts"), names(&["2026-11-14", DAYS[1], DAYS[2]]));
}

/// One table of two feeds, of which one lags behind.
#[test]
fn what_another_feed_still_needs_stays() {
    let scratch = ten_days();
    let other = scratch.read("feeds/contracts.yaml").replace("feed: contracts", "feed: other");
    scratch.write("feeds/other.yaml", other.replace("topic: mdm.contracts", "topic: mdm.other"));
    scratch.hivecast(["publish", "--feed", "contracts", "--load-date", DAYS[2]]).succeeded();
    let prune = ["prune", "--feed", "contracts", "--exports", "--keep", "1"];
    let told = scratch.hivecast(prune).succeeded().stdout;
    assert!(told.contains("feed other reads it and has nothing published"), "{told}");
    assert_eq!(scratch.partitions("parties").len(), 10);
    scratch.hivecast(["publish", "--feed", "other", "--load-date", DAYS[0]]).succeeded();
    scratch.hivecast(prune).succeeded();
    assert_eq!(scratch.partitions("parties"), names(&DAYS));
}

#[test]
fn a_prune_that_died_leaves_no_half_partition_and_is_finished_by_the_next() {
    let scratch = ten_days();
    scratch.hivecast(["publish", "--load-date", DAYS[2]]).succeeded();
    scratch.killed("prune.hidden", &["prune", "--exports", "--keep", "8"]);
    let left = scratch.partitions("accounts");
    assert_eq!(left[0], ".hivecast-prune.load_date=2026-11-13");
    assert_eq!(left[1], "load_date=2026-11-14", "no reader sees the one that is going");
    scratch.hivecast(["check"]).succeeded();
    let told = scratch.hivecast(["prune", "--exports", "--keep", "8", "--dry-run"]).succeeded().stdout;
    assert!(told.contains("accounts 2026-11-13") && told.contains("(left by a run that died)"), "{told}");
    scratch.hivecast(["prune", "--exports", "--keep", "8"]).succeeded();
    for table in TABLES {
        assert_eq!(scratch.partitions(table)[0], "load_date=2026-11-15", "{table}");
        assert_eq!(scratch.partitions(table).len(), 8, "{table}");
    }
}

/// What a feed has to say of tables whose files name no types.
const COLUMNS: [(&str, &str); 3] = [
    (
        "source: mdm.accounts,",
        "account_id: string, source_sys: string, account_start_date: timestamp, legal_title_1: string, \
         legal_title_2: string, tax_id_type: string, tax_id: string, branch_code: string, country: string, \
         active_ind: int, status_cd: string, last_update_ts: timestamp, load_user: string",
    ),
    (
        "source: mdm.parties,",
        "party_id: string, account_id: string, relation_type: string, relation_start_date: date, \
         last_update_ts: timestamp, load_user: string",
    ),
    (
        "source: mdm.party_address,",
        "party_id: string, address_line_1: string, address_line_2: string, city: string, postal_code: string, \
         country_of_address: string, address_start_date: date, last_update_ts: timestamp, load_user: string",
    ),
];

/// Read through the warehouse, whose readers share no code with what writes the sample.
#[test]
fn a_sample_gives_the_same_documents_in_every_format() {
    let mut editions: Vec<(&str, Value, Value)> = Vec::new();
    for format in ["parquet", "orc", "avro", "json", "text"] {
        let scratch = Scratch::example();
        let line = ["sample", "--accounts", "300", "--days", "1", "--load-date", DAYS[2], "--format", format];
        scratch.hivecast(line).succeeded();
        let layout = match format {
            "json" => "format: json",
            "text" => "format: text, header: true",
            _ => "",
        };
        if !layout.is_empty() {
            for (source, columns) in COLUMNS {
                let to = format!("{source} {layout}, columns: {{ {columns} }},");
                scratch.edit("feeds/contracts.yaml", source, &to);
            }
        }
        // Wall-clock times are the same wherever the feed's clock is.
        scratch.edit("feeds/contracts.yaml", "timezone: UTC", "timezone: Europe/Amsterdam");
        let report = scratch.hivecast(["publish", "--load-date", DAYS[2], "--json"]).succeeded().json();
        let records = scratch.topic("topics", "mdm.contracts");
        let start = records[0].value.clone().unwrap()["payload"]["contractStartDateTime"]["newValue"].clone();
        editions.push((format, report["runs"][0]["edition"]["checksum"].clone(), start));
    }
    let (_, checksum, start) = editions[0].clone();
    assert!(start.is_string(), "{start}");
    for (format, other, time) in &editions {
        assert_eq!((other, time), (&checksum, &start), "{format}");
    }
}
