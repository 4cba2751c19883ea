//! Waiting for an export that is still coming.

use std::sync::Mutex;
use std::time::Duration;

use hivecast_feed::{Feed, Table};
use hivecast_run::{Cancel, Class, Clock, Context, Fault, Result};
use hivecast_warehouse::Inputs;
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
    let clock = Scripted { place, slept: Mutex::default(), script: Mutex::new(script) };
    let context = Context { sink: &place.told, cancel: &place.cancel, clock: &clock };
    let inputs = place.warehouse().freeze_when_ready(feed, day(), Some(limit), context);
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

#[test]
fn gives_up_when_the_time_is_over() {
    let place = place_with_yesterday();
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, Vec::new());
    let fault = inputs.unwrap_err();
    assert_eq!(slept, 3600);
    assert_snapshot!(place.text(&fault), @r"
    gave up waiting after 1h: table accounts: ROOT/mdm.db/accounts has no partition load_date=2026-11-22: these exist: 2026-11-21 (Data)
    advice: choose a load_date that exists, or wait for the export with --wait
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

    // Its time is noon.
    crate::support::set_hour(&place.path(&format!("{DIR}/a.parquet")), 12);
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, vec![(20, Box::new(write_day))]);
    assert_eq!(inputs.unwrap().tables[0].rows, Some(2));
    assert!((20..60).contains(&slept), "{slept}");
}

#[test]
fn a_standing_clock_does_not_make_it_wait_for_ever() {
    let place = place_with_yesterday();
    let fault = place
        .warehouse()
        .freeze_when_ready(&one(table("accounts")), day(), Some(HOUR), place.context())
        .unwrap_err();
    assert_eq!(fault.class(), Class::Data);
}

#[test]
fn a_waiting_run_can_be_stopped() {
    let place = place_with_yesterday();
    let cancel: Cancel = place.cancel.clone();
    let script: Vec<Happening<'_>> = vec![(10, Box::new(move |_: &Place| cancel.cancel()))];
    let (inputs, slept) = wait(&place, &one(table("accounts")), HOUR, script);
    assert_eq!((inputs.unwrap_err().class(), slept), (Class::Interrupted, 10));
}
