//! When a partition is whole, where that takes more than files or `_SUCCESS`.

use std::time::Duration;

use hivecast_feed::{ColumnType, Ready, Table};
use hivecast_run::Class;
use insta::assert_snapshot;

use crate::support::{Place, feed, ints, table, text_table, texts};

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

/// An older day that can't be counted is named, and the others count.
#[test]
fn an_older_day_that_is_broken_is_left_out_of_the_band() {
    const OLD: &str = "mdm.db/accounts/load_date=2026-11-20";
    type Damage = fn(&Place);
    let damages: [(Damage, &str); 3] = [
        (|place| std::fs::remove_file(place.path(&format!("{OLD}/a.parquet"))).unwrap(), "no files in"),
        (|place| place.write(&format!("{OLD}/a.parquet"), ""), "a.parquet"),
        (|place| place.write(&format!("{OLD}/a.parquet"), "PAR1 no more than that PAR1"), "a.parquet"),
    ];
    for (damage, reason) in damages {
        for (rows, fits) in [(100, true), (150, false)] {
            let place = days(&[(19, 100), (20, 100), (21, 100), (22, rows)]);
            damage(&place);
            let frozen = place.table(ready(Ready::RowsWithin(0.2)));
            let told = match frozen {
                Ok(_) => place.told.0.lock().unwrap().join("\n"),
                Err(ref fault) => {
                    assert_eq!(fault.class(), Class::Infrastructure);
                    assert!(
                        fault.chain().contains("where the 2 load_dates before it have 100"),
                        "{}",
                        fault.chain()
                    );
                    fault.chain()
                }
            };
            assert_eq!(frozen.is_ok(), fits, "{reason}: {told}");
            assert!(told.contains("table accounts") && told.contains("2026-11-20"), "{told}");
            assert!(told.contains(reason), "{reason}: {told}");
        }
    }
}

#[test]
fn with_no_older_day_left_the_day_passes_with_warnings() {
    let place = days(&[(21, 100), (22, 5)]);
    place.write("mdm.db/accounts/load_date=2026-11-21/a.parquet", "PAR1 broken");
    assert!(place.table(ready(Ready::RowsWithin(0.2))).is_ok());
    let told = place.told.0.lock().unwrap().clone();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("load_date 2026-11-21 is not among those that the rows of 2026-11-22"),
        "{told:?}"
    );
    assert!(told[1].contains("no load_date before 2026-11-22"), "{told:?}");
}

/// The load_date as a column: each day's rows are counted.
#[test]
fn rows_of_a_date_column_are_held_against_the_days_before() {
    for (rows, fits) in [(100, true), (120, true), (79, false), (300, false)] {
        let place = Place::new();
        let days = [
            ("2026-11-12", 900),
            ("2026-11-20", 90),
            ("2026-11-21", 110),
            ("2026-11-22", rows),
            ("2026-11-23", 7),
        ];
        let mut dates: Vec<&str> = Vec::new();
        // The eighth day before is no matter, as it is none for partitions.
        for day in ["2026-11-15", "2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"] {
            dates.extend([day; 100]);
        }
        for (day, rows) in days {
            dates.extend(std::iter::repeat_n(day, rows));
        }
        place.parquet("mdm.db/accounts/a.parquet", vec![("load_date", texts(&dates))]);
        let frozen = place.table(ready(Ready::RowsWithin(0.2)));
        assert_eq!(frozen.is_ok(), fits, "{rows}");
        if let Err(fault) = frozen {
            assert_eq!(fault.class(), Class::Infrastructure);
            let told = format!("it has {rows} rows, where the 7 load_dates before it have 100 on average");
            assert!(fault.chain().contains(&told), "{}", fault.chain());
        }
    }
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
