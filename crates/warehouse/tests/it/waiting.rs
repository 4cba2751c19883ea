//! Waiting for an export that is still coming.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;
use std::time::Duration;

use hivecast_feed::{Feed, Table};
use hivecast_run::{Cancel, Class, Clock, Context, Fault, Result};
use hivecast_storage::{Location, Stores};
use hivecast_warehouse::{Inputs, Warehouse};
use insta::assert_snapshot;

use crate::support::{NOON, Place, day, feed, ints, ready_by_success, table};

const DIR: &str = "mdm.db/accounts/load_date=2026-11-22";
const HOUR: Duration = Duration::from_secs(3600);

type Happening<'a> = (u64, Box<dyn FnMut(&Place) + Send + 'a>);

/// Time passes only by sleeping; at some seconds something happens to the warehouse.
struct Scripted<'a> {
    place: &'a Place,
    slept: Mutex<Duration>,
    script: Mutex<Vec<Happening<'a>>>,
}

impl Clock for Scripted<'_> {
    fn now_ms(&self) -> i64 {
        NOON.0 + i64::try_from(self.slept.lock().unwrap().as_millis()).unwrap()
    }

    fn sleep(&self, time: Duration) {
        let now = {
            let mut slept = self.slept.lock().unwrap();
            *slept += time;
            *slept
        };
        self.script.lock().unwrap().retain_mut(|(at, happen)| {
            let due = now >= Duration::from_secs(*at);
            if due {
                happen(self.place);
            }
            !due
        });
    }
}

fn wait(
    place: &Place,
    feed: &Feed,
    limit: Duration,
    script: Vec<Happening<'_>>,
) -> (Result<Inputs, Fault>, u64) {
    wait_for(&place.warehouse(), place, feed, limit, script)
}

fn wait_for(
    warehouse: &Warehouse,
    place: &Place,
    feed: &Feed,
    limit: Duration,
    script: Vec<Happening<'_>>,
) -> (Result<Inputs, Fault>, u64) {
    let clock = Scripted { place, slept: Mutex::default(), script: Mutex::new(script) };
    let context = Context { sink: &place.told, cancel: &place.cancel, clock: &clock };
    let inputs = warehouse.freeze_when_ready(feed, day(), Some(limit), context);
    let slept = clock.slept.lock().unwrap().as_secs();
    (inputs, slept)
}

fn place_with_yesterday() -> Place {
    let place = Place::new();
    place.parquet("mdm.db/accounts/load_date=2026-11-21/a.parquet", vec![("n", ints(&[1]))]);
    place
}

fn write_day(place: &Place) {
    place.parquet(&format!("{DIR}/a.parquet"), vec![("n", ints(&[1, 2]))]);
}

fn one(table: Table) -> Feed {
    feed([table])
}

#[test]
fn what_is_there_is_not_waited_for() {
    let place = Place::new();
    write_day(&place);
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, Vec::new());
    assert_eq!((inputs.unwrap().tables[0].rows, slept), (Some(2), 0));
}

#[test]
fn waits_until_the_success_file_is_there_and_says_what_for() {
    let place = place_with_yesterday();
    let (inputs, slept) = wait(
        &place,
        &one(ready_by_success("accounts")),
        HOUR,
        vec![
            (100, Box::new(write_day)),
            (300, Box::new(|place: &Place| place.write(&format!("{DIR}/_SUCCESS"), ""))),
        ],
    );
    assert_eq!(inputs.unwrap().tables[0].rows, Some(2));
    assert!((300..=330).contains(&slept), "{slept}");
    let told =
        place.told.0.lock().unwrap().join("\n").replace(&place.dir.path().display().to_string(), "ROOT");
    assert_snapshot!(told, @r"
    waiting up to 1h for load_date 2026-11-22: table accounts: ROOT/mdm.db/accounts has no partition load_date=2026-11-22
    waiting up to 57m 59s for load_date 2026-11-22: table accounts: load_date 2026-11-22 is not whole yet: no _SUCCESS in ROOT/mdm.db/accounts/load_date=2026-11-22
    ");
}

#[test]
fn files_that_nothing_vouches_for_must_hold_still() {
    let place = place_with_yesterday();
    let grow = |place: &Place| {
        place.parquet(&format!("{DIR}/b.parquet"), vec![("n", ints(&[3]))]);
    };
    let (inputs, _) =
        wait(&place, &one(table("accounts")), HOUR, vec![(15, Box::new(write_day)), (17, Box::new(grow))]);
    assert_eq!(inputs.unwrap().tables[0].rows, Some(3));
}

/// Another file every second, for as long as it is waited.
fn growing(from: u64, to: u64) -> Vec<Happening<'static>> {
    let grow = |second: u64| -> Happening<'static> {
        let write = move |place: &Place| {
            place.parquet(&format!("{DIR}/{second}.parquet"), vec![("n", ints(&[1]))]);
        };
        (second, Box::new(write))
    };
    (from..=to).map(grow).collect()
}

#[test]
fn files_that_change_until_the_time_is_over_are_not_taken() {
    // The first of them early, or only just before the end.
    for from in [15, 58] {
        let place = place_with_yesterday();
        let minute = Duration::from_secs(60);
        let (inputs, _) = wait(&place, &one(table("accounts")), minute, growing(from, 60));
        let fault = inputs.unwrap_err();
        assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
        let told = "gave up waiting after 1m: the files of load_date 2026-11-22 came late or still change";
        assert!(fault.chain().starts_with(told), "{}", fault.chain());
        // Where something vouches for them they are taken at the last look.
        let place = place_with_yesterday();
        let mut script = growing(from, 60);
        script.push((60, Box::new(|place: &Place| place.write(&format!("{DIR}/_SUCCESS"), ""))));
        let (inputs, slept) = wait(&place, &one(ready_by_success("accounts")), minute, script);
        assert_eq!((inputs.unwrap().tables[0].files.len() as u64, slept), (61 - from, 60));
    }
}

/// A store that fails may come back, and says nothing of the export.
#[test]
fn a_store_that_fails_is_waited_for() {
    let place = Place::new();
    write_day(&place);
    let broken = place.path(&format!("{DIR}/b.parquet"));
    symlink("nowhere", &broken).unwrap();
    let mend = |place: &Place| fs::remove_file(place.path(&format!("{DIR}/b.parquet"))).unwrap();
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, vec![(2, Box::new(mend))]);
    assert_eq!(inputs.unwrap().tables[0].rows, Some(2));
    assert!((2..20).contains(&slept), "{slept}");
    let told = place.told.0.lock().unwrap().join("\n");
    assert!(
        told.contains("waiting up to 1h for load_date 2026-11-22: table accounts: failed to list"),
        "{told}"
    );
}

/// Nothing is asked of a warehouse before the wait begins.
#[test]
fn a_warehouse_that_cannot_be_reached_is_waited_for() {
    let place = place_with_yesterday();
    write_day(&place);
    let root = place.path("root");
    symlink("root", &root).unwrap();
    let at = Location::local(&root).unwrap();
    let warehouse = Warehouse::of_directory(&at, &Stores::default()).unwrap();
    assert_eq!(warehouse.reach().unwrap_err().class(), Class::Infrastructure);
    let mend = |place: &Place| {
        fs::remove_file(place.path("root")).unwrap();
        symlink(".", place.path("root")).unwrap();
    };
    let (inputs, slept) =
        wait_for(&warehouse, &place, &one(table("accounts")), HOUR, vec![(2, Box::new(mend))]);
    assert_eq!(inputs.unwrap().tables[0].rows, Some(2));
    assert!((2..20).contains(&slept), "{slept}");
    let told = place.told.0.lock().unwrap().join("\n");
    assert!(
        told.contains("waiting up to 1h for load_date 2026-11-22: failed to open the warehouse"),
        "{told}"
    );

    // That there is none is a mistake, which time does not mend.
    fs::remove_file(&root).unwrap();
    let (inputs, slept) = wait_for(&warehouse, &place, &one(table("accounts")), HOUR, Vec::new());
    assert_eq!((inputs.unwrap_err().class(), slept), (Class::Usage, 0));
}

/// A file that can't be read is told at once where nothing else is lacking, and not while another table is late.
#[test]
fn files_are_opened_once_every_table_is_marked() {
    let place = Place::new();
    let broken = |place: &Place| {
        place.write("mdm.db/parties/load_date=2026-11-22/a.parquet", "PAR1 half");
        place.write("mdm.db/parties/load_date=2026-11-22/_SUCCESS", "");
    };
    place.parquet("mdm.db/parties/load_date=2026-11-21/a.parquet", vec![("n", ints(&[1]))]);
    write_day(&place);
    let both = feed([ready_by_success("accounts"), ready_by_success("parties")]);
    let mark = |place: &Place| place.write(&format!("{DIR}/_SUCCESS"), "");
    let (inputs, slept) = wait(&place, &both, HOUR, vec![(20, Box::new(broken)), (200, Box::new(mark))]);
    assert_eq!(inputs.unwrap_err().class(), Class::Data);
    assert!((200..=230).contains(&slept), "{slept}");
}

#[test]
fn the_time_that_a_look_takes_is_counted() {
    let place = place_with_yesterday();
    /// Each time that it is asked, ten minutes have passed.
    struct Slow(Mutex<i64>);
    impl Clock for Slow {
        fn now_ms(&self) -> i64 {
            let mut now = self.0.lock().unwrap();
            *now += 600_000;
            *now
        }
        fn sleep(&self, _: Duration) {}
    }
    let clock = Slow(Mutex::new(NOON.0));
    let context = Context { sink: &place.told, cancel: &place.cancel, clock: &clock };
    let waited = place.warehouse().freeze_when_ready(&one(table("accounts")), day(), Some(HOUR), context);
    assert_eq!(waited.unwrap_err().class(), Class::Infrastructure);
    let told = place.told.0.lock().unwrap().len();
    assert_eq!((*clock.0.lock().unwrap() - NOON.0) / 600_000, 7, "{told}");
}

#[test]
fn gives_up_when_the_time_is_over() {
    let place = place_with_yesterday();
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, Vec::new());
    let fault = inputs.unwrap_err();
    assert_eq!(slept, 3600);
    assert_snapshot!(place.text(&fault), @r"
    gave up waiting after 1h: table accounts: ROOT/mdm.db/accounts has no partition load_date=2026-11-22: these exist: 2026-11-21 (Infrastructure)
    advice: see why the export is late, and run again once it has ended; that is safe, as is a longer --wait
    ");
}

#[test]
fn what_time_does_not_heal_is_not_waited_for() {
    let place = place_with_yesterday();
    place.parquet(&format!("{DIR}/a.parquet"), vec![("n", ints(&[1]))]);
    place.parquet(&format!("{DIR}/sub/a.parquet"), vec![("n", ints(&[1]))]);
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, Vec::new());
    assert_eq!((inputs.unwrap_err().class(), slept), (Class::Data, 0));
}

#[test]
fn a_broken_file_is_waited_for_only_while_it_may_still_be_written() {
    // Its time is 04:00, and it is noon.
    let place = place_with_yesterday();
    place.write(&format!("{DIR}/a.parquet"), "PAR1 half");
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, Vec::new());
    assert_eq!((inputs.unwrap_err().class(), slept), (Class::Data, 0));

    // It is of 13:00: the machine that writes it has a clock that is ahead.
    crate::support::set_hour(&place.path(&format!("{DIR}/a.parquet")), 13);
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, Vec::new());
    assert_eq!((inputs.unwrap_err().class(), slept), (Class::Infrastructure, 3600));

    // Its time is noon.
    crate::support::set_hour(&place.path(&format!("{DIR}/a.parquet")), 12);
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, vec![(20, Box::new(write_day))]);
    assert_eq!(inputs.unwrap().tables[0].rows, Some(2));
    assert!((20..60).contains(&slept), "{slept}");
}

#[test]
fn a_broken_file_that_is_marked_as_whole_is_not_waited_for() {
    for bytes in ["PAR1 half", "", "garbage"] {
        let place = place_with_yesterday();
        place.write(&format!("{DIR}/a.parquet"), bytes);
        // Its time is noon, and so is the time.
        crate::support::set_hour(&place.path(&format!("{DIR}/a.parquet")), 12);
        place.write(&format!("{DIR}/_SUCCESS"), "");
        let (inputs, slept) = wait(&place, &one(ready_by_success("accounts")), HOUR, Vec::new());
        assert_eq!((inputs.unwrap_err().class(), slept), (Class::Data, 0), "{bytes:?}");
    }
}

#[test]
fn a_standing_clock_does_not_make_it_wait_for_ever() {
    let place = place_with_yesterday();
    let fault = place
        .warehouse()
        .freeze_when_ready(&one(table("accounts")), day(), Some(HOUR), place.context())
        .unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
}

#[test]
fn a_waiting_run_can_be_stopped() {
    let place = place_with_yesterday();
    let cancel: Cancel = place.cancel.clone();
    let script: Vec<Happening<'_>> = vec![(10, Box::new(move |_: &Place| cancel.cancel()))];
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, script);
    assert_eq!((inputs.unwrap_err().class(), slept), (Class::Interrupted, 10));
}
