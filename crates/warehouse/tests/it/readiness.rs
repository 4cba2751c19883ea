//! When a partition is whole, where that takes more than files or `_SUCCESS`.

use std::time::Duration;

use hivecast_feed::{ColumnType, Ready, Table};
use hivecast_run::Class;
use insta::assert_snapshot;

use crate::support::{Place, feed, ints, table, text_table};

const DIR: &str = "mdm.db/accounts/load_date=2026-11-22";

fn ready(ready: Ready) -> Table {
    let mut table = table("accounts");
    table.layout.ready = ready;
    table
}

/// One file a day, of so many rows, written at 4 o'clock of the newest day.
fn days(rows: &[(u32, usize)]) -> Place {
    let place = Place::new();
    for (day, rows) in rows {
        let values: Vec<i32> = (0..*rows).map(|row| i32::try_from(row).unwrap()).collect();
        place.parquet(
            &format!("mdm.db/accounts/load_date=2026-11-{day:02}/a.parquet"),
            vec![("n", ints(&values))],
        );
    }
    place
}

#[test]
fn a_file_that_is_younger_than_asked_is_told_with_its_age() {
    // The clock stands at noon, and the file is of 4 o'clock.
    let place = days(&[(22, 1)]);
    let eight_hours = Duration::from_secs(8 * 3600);
    assert!(place.table(ready(Ready::UnchangedFor(eight_hours))).is_ok());
    let longer = eight_hours + Duration::from_secs(1);
    let fault = place.table(ready(Ready::UnchangedFor(longer))).unwrap_err();
    assert_snapshot!(place.text(&fault), @r"
    table accounts: load_date 2026-11-22 is not whole yet: ROOT/mdm.db/accounts/load_date=2026-11-22/a.parquet was written 28800 s ago, and must be unchanged for 28801 s (Infrastructure)
    advice: wait for the export with --wait 2h
    ");
    place.parquet_at(&format!("{DIR}/b.parquet"), 13, vec![("n", ints(&[1]))]);
    let fault = place.table(ready(Ready::UnchangedFor(Duration::from_secs(1)))).unwrap_err();
    assert!(
        fault.chain().contains("b.parquet was written 0 s ago"),
        "a clock that is ahead: {}",
        fault.chain()
    );
}

#[test]
fn rows_are_held_against_the_seven_days_before() {
    let share = Ready::RowsWithin(0.2);
    // The day of 900 rows is the eighth before, and no matter.
    let before = [(14, 900), (15, 90), (16, 110), (17, 100), (18, 100), (19, 100), (20, 100), (21, 100)];
    for (rows, fits) in [(100, true), (80, true), (120, true), (79, false), (121, false), (0, false)] {
        let place = days(&[&before[..], &[(22, rows)]].concat());
        let frozen = place.table(ready(share.clone()));
        assert_eq!(frozen.is_ok(), fits, "{rows}");
        if let Err(fault) = frozen {
            assert_eq!(fault.class(), Class::Infrastructure);
            let told = format!(
                "it has {rows} rows, where the 7 load_dates before it have 100 on average, and may differ by 20 %"
            );
            assert!(fault.chain().contains(&told), "{}", fault.chain());
        }
    }
}

#[test]
fn the_first_day_has_nothing_to_be_held_against_and_says_so() {
    let place = days(&[(22, 5)]);
    assert!(place.table(ready(Ready::RowsWithin(0.2))).is_ok());
    let told = place.told.0.lock().unwrap().join("\n");
    assert!(told.contains("no load_date before 2026-11-22 to hold its 5 rows against"), "{told}");
}

#[test]
fn rows_that_nobody_counted_can_t_be_asked_for() {
    let place = Place::new();
    place.write(&format!("{DIR}/a.csv"), "1\n2\n");
    let mut table = text_table("accounts", &[("n", ColumnType::Int)]);
    table.layout.ready = Ready::RowsWithin(0.2);
    let fault = place.table(table).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    assert!(fault.chain().contains("needs numbers of rows"), "{}", fault.chain());
}

#[test]
fn a_directory_has_no_parameters() {
    let place = days(&[(22, 1)]);
    let parameter = Ready::Parameter { name: "exported".to_owned(), value: Some("true".to_owned()) };
    let fault = place.table(ready(parameter)).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    assert!(fault.chain().contains("parameter exported, which only a metastore has"), "{}", fault.chain());
}

#[test]
fn all_tables_must_be_whole_at_once() {
    let place = days(&[(22, 1)]);
    place.parquet("mdm.db/parties/load_date=2026-11-22/a.parquet", vec![("n", ints(&[1]))]);
    let mut parties = table("parties");
    parties.layout.ready = Ready::SuccessFile;
    let both = feed([ready(Ready::UnchangedFor(Duration::from_secs(60))), parties]);
    let fault = place.freeze(&both).unwrap_err();
    assert!(
        fault.chain().contains("table parties") && fault.chain().contains("_SUCCESS"),
        "{}",
        fault.chain()
    );
    place.write("mdm.db/parties/load_date=2026-11-22/_SUCCESS", "");
    assert!(place.freeze(&both).is_ok());
}
