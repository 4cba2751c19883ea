//! What the warehouse has, the newest day that is ready, and what is old.

use std::fs;
use std::os::unix::fs::symlink;

use hivecast_feed::FileFormat;
use hivecast_run::Class;
use hivecast_warehouse::{LoadDates, Newest, Remains};

use crate::support::{Place, date, feed, ints, ready_by_success, table, texts};

/// Days of 2026-11 of a table; those of which a `_SUCCESS` is wanted are ready.
fn days(place: &Place, name: &str, days: impl IntoIterator<Item = u8>, ready: &[u8]) {
    for day in days {
        let dir = format!("mdm.db/{name}/load_date=2026-11-{day:02}");
        place.parquet(&format!("{dir}/a.parquet"), vec![("n", ints(&[1, 2]))]);
        if ready.contains(&day) {
            place.write(&format!("{dir}/_SUCCESS"), "");
        }
    }
}

fn day(day: u8) -> hivecast_contract::LoadDate {
    date(&format!("2026-11-{day:02}"))
}

#[test]
fn latest_looks_back_until_all_tables_are_ready() {
    let place = Place::new();
    days(&place, "accounts", 18..=22, &[18, 19, 20, 22]);
    days(&place, "parties", 18..=21, &[19, 20, 21]);
    let feed = feed([ready_by_success("accounts"), ready_by_success("parties")]);
    let newest = place.warehouse().newest_ready(&feed, place.context()).unwrap().unwrap();
    assert_eq!(newest.date, day(20));
    assert_eq!(newest.passed_over.len(), 2, "{:?}", newest.passed_over);
    assert_eq!(
        newest.passed_over[0],
        "load_date 2026-11-22 is passed over: table parties has no such partition"
    );
    let why = "load_date 2026-11-21 is passed over: table accounts: load_date 2026-11-21 is not whole yet: no _SUCCESS";
    assert!(newest.passed_over[1].starts_with(why), "{:?}", newest.passed_over);
    assert!(place.told.0.lock().unwrap().is_empty(), "what was only looked at is not warned of");
}

#[test]
fn tables_without_a_common_day_have_no_latest() {
    let place = Place::new();
    days(&place, "accounts", 18..=19, &[]);
    days(&place, "parties", 20..=21, &[]);
    let feed = feed([table("accounts"), table("parties")]);
    assert_eq!(place.warehouse().newest_ready(&feed, place.context()).unwrap(), None);
}

#[test]
fn latest_gives_up_after_thirty_days() {
    let place = Place::new();
    let feed = feed([ready_by_success("accounts")]);
    days(&place, "accounts", 1..=30, &[1]);
    let found = place.warehouse().newest_ready(&feed, place.context()).unwrap();
    assert_eq!(found.map(|newest| newest.date), Some(day(1)), "the thirtieth is looked at");
    place.parquet("mdm.db/accounts/load_date=2026-12-01/a.parquet", vec![("n", ints(&[1]))]);
    let fault = place.warehouse().newest_ready(&feed, place.context()).unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
    let text = place.text(&fault);
    assert!(text.starts_with("none of the newest 30 load_dates is ready for feed contracts:"), "{text}");
    assert!(text.contains("load_date 2026-12-01 is not whole yet"), "{text}");
}

/// A disk that fails says nothing of the export.
#[test]
fn a_store_that_fails_is_no_reason_to_take_an_older_day() {
    let place = Place::new();
    days(&place, "accounts", 21..=22, &[]);
    symlink("nowhere", place.path("mdm.db/accounts/load_date=2026-11-22/b.parquet")).unwrap();
    let feed = feed([table("accounts")]);
    let fault = place.warehouse().newest_ready(&feed, place.context()).unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
    assert!(place.text(&fault).contains("failed to list ROOT/mdm.db/accounts/load_date=2026-11-22"));
    fs::remove_file(place.path("mdm.db/accounts/load_date=2026-11-22/b.parquet")).unwrap();
    let newest = Newest { date: day(22), passed_over: Vec::new() };
    assert_eq!(place.warehouse().newest_ready(&feed, place.context()).unwrap(), Some(newest));
}

#[test]
fn a_survey_opens_the_files_of_one_day() {
    let place = Place::new();
    days(&place, "accounts", 1..=22, &[]);
    // Whoever looks into any other day fails.
    for day in 1..22 {
        fs::create_dir(place.path(&format!("mdm.db/accounts/load_date=2026-11-{day:02}/nested"))).unwrap();
    }
    place.parquet("codes/a.parquet", vec![("n", ints(&[1, 2, 3]))]);
    let found = place.warehouse().survey(None, place.context()).unwrap();
    let names: Vec<&str> = found.iter().map(|survey| survey.table.as_str()).collect();
    assert_eq!(names, ["mdm.accounts", "codes"]);
    let accounts = &found[0];
    assert!(accounts.problem.is_none(), "{:?}", accounts.problem);
    assert_eq!(accounts.load_dates, Some(LoadDates { first: day(1), last: day(22), count: 22 }));
    let newest = accounts.day.as_ref().unwrap();
    assert_eq!((newest.load_date, newest.rows, newest.files), (Some(day(22)), Some(2), 1));
    assert_eq!(newest.format, Some(FileFormat::Parquet));
    assert!(newest.not_ready.is_none());
    // No load_date in its directories nor in its files: what it has is told with the reason.
    let codes = &found[1];
    assert_eq!(codes.day.as_ref().map(|day| (day.load_date, day.rows)), Some((None, Some(3))));
    assert_eq!(codes.problem.as_ref().map(hivecast_run::Fault::class), Some(Class::Data));
}

#[test]
fn a_survey_of_a_feed_tells_what_is_not_ready() {
    let place = Place::new();
    days(&place, "accounts", 21..=22, &[21]);
    let feed = feed([ready_by_success("accounts"), table("parties")]);
    let found = place.warehouse().survey_feed(&feed, None, place.context()).unwrap();
    let why = found[0].day.as_ref().unwrap().not_ready.as_ref().map(hivecast_run::Fault::chain);
    assert!(why.is_some_and(|why| why.contains("no _SUCCESS")), "{found:?}");
    assert_eq!(found[1].problem.as_ref().map(hivecast_run::Fault::class), Some(Class::Usage));
    let found = place.warehouse().survey_feed(&feed, Some(day(21)), place.context()).unwrap();
    assert!(found[0].day.as_ref().unwrap().not_ready.is_none(), "{found:?}");
}

#[test]
fn old_partitions_are_those_behind_the_newest_that_are_kept() {
    let place = Place::new();
    days(&place, "accounts", 16..=22, &[]);
    fs::create_dir(place.path("mdm.db/accounts/load_date=never")).unwrap();
    let warehouse = place.warehouse();
    let accounts = table("accounts");
    let old = |keep, before| {
        let old = warehouse.old_partitions(&accounts, keep, &|date| date < day(before)).unwrap();
        old.into_iter().map(|old| old.load_date.day()).collect::<Vec<_>>()
    };
    assert_eq!(old(3, 30), [16, 17, 18, 19]);
    assert_eq!(old(3, 18), [16, 17], "what is not old stays, however many newer there are");
    assert_eq!(old(0, 18), [16, 17]);
    assert_eq!(old(30, 30), [0_u8; 0]);
}

#[test]
fn what_is_removed_goes_and_what_was_left_is_found() {
    let place = Place::new();
    days(&place, "accounts", 20..=22, &[]);
    // As a run leaves it that died between the rename and the end, and one of the same day before it.
    let hidden = place.path("mdm.db/accounts/.hivecast-prune.load_date=2026-11-20");
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("a.parquet"), "old").unwrap();
    let old = place.warehouse().old_partitions(&table("accounts"), 2, &|_| true).unwrap();
    let found: Vec<(u8, Remains)> = old.iter().map(|old| (old.load_date.day(), old.remains)).collect();
    assert_eq!(found, [(20, Remains::Files), (20, Remains::Whole)]);
    // Each alone does what it is for, whichever was removed first.
    old[1].remove().unwrap();
    old[0].remove().unwrap();
    let mut left: Vec<_> = fs::read_dir(place.path("mdm.db/accounts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["load_date=2026-11-21", "load_date=2026-11-22"]);
}

#[test]
fn of_a_table_without_a_byte_nothing_is_said_to_be_readable() {
    let place = Place::new();
    place.write("mdm.db/accounts/load_date=2026-11-22/a.parquet", "");
    let probed = |feed| place.warehouse().try_reading(&feed, place.context().clock);
    assert!(probed(feed([table("accounts")])).is_empty());
    days(&place, "parties", 22..=22, &[]);
    let probes = probed(feed([table("accounts"), table("parties")]));
    assert_eq!(probes.iter().map(|probe| probe.tables.join(",")).collect::<Vec<_>>(), ["parties"]);
}

/// As a run refuses the day, whether the table is partitioned or has the load_date in a column.
#[test]
fn a_survey_says_that_a_day_is_not_there() {
    let place = Place::new();
    let dates = texts(&["2026-11-20", "2026-11-21", "2026-11-21"]);
    place.parquet("mdm.db/accounts/a.parquet", vec![("load_date", dates)]);
    let survey = |feed: &hivecast_feed::Feed, date| {
        place.warehouse().survey_feed(feed, date, place.context()).unwrap().remove(0).day.unwrap()
    };
    let plain = feed([table("accounts")]);
    let missing = survey(&plain, Some(day(22)));
    let why = missing.not_ready.unwrap();
    assert_eq!((missing.rows, why.class()), (Some(0), Class::Data));
    assert!(
        why.chain().contains("has load_date 2026-11-22: these exist: 2026-11-21, 2026-11-20"),
        "{}",
        why.chain()
    );
    assert!(survey(&plain, Some(day(20))).not_ready.is_none());

    // The newest is named, though it is known only once the files are read.
    let newest = survey(&feed([ready_by_success("accounts")]), None);
    let why = newest.not_ready.unwrap().chain();
    assert_eq!((newest.load_date, newest.rows), (Some(day(21)), Some(2)));
    assert!(why.contains("load_date 2026-11-21 is not whole yet: no _SUCCESS"), "{why}");
}
