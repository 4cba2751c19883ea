use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Date64Array, Time32SecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use hivecast_run::Class;
use proptest::prelude::*;

use super::json;

fn seconds(text: &str) -> i64 {
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp()
}

/// A wall clock of the zone, as it is written.
fn wall(zone: &str, clock: &str) -> String {
    let array = TimestampSecondArray::from(vec![seconds(clock)]);
    json(Arc::new(array), None, |format| format.timezone = zone.to_owned()).unwrap()
}

/// A point in time, given in UTC, as it is written in the zone.
fn instant(zone: &str, utc: &str) -> String {
    let array = TimestampSecondArray::from(vec![seconds(utc)]).with_timezone("Asia/Tokyo");
    json(Arc::new(array), None, |format| format.timezone = zone.to_owned()).unwrap()
}

fn with_pattern(pattern: &str) -> String {
    let array = TimestampNanosecondArray::from(vec![1_795_320_000_123_456_789]).with_timezone("UTC");
    json(Arc::new(array), None, |format| {
        format.timestamp = pattern.to_owned();
        format.timezone = "Europe/Paris".to_owned();
    })
    .unwrap()
}

#[test]
fn wall_clocks_stay_and_points_in_time_move() {
    assert_eq!(wall("UTC", "2026-11-22 04:00:00"), r#""2026-11-22T04:00:00.000+00:00""#);
    assert_eq!(instant("UTC", "2026-11-22 04:00:00"), r#""2026-11-22T04:00:00.000+00:00""#);
    assert_eq!(wall("America/New_York", "2026-11-22 04:00:00"), r#""2026-11-22T04:00:00.000-05:00""#);
    assert_eq!(instant("America/New_York", "2026-11-22 04:00:00"), r#""2026-11-21T23:00:00.000-05:00""#);
    assert_eq!(wall("Asia/Kolkata", "2026-07-01 00:00:00"), r#""2026-07-01T00:00:00.000+05:30""#);
}

#[test]
fn a_wall_clock_that_is_skipped_moves_forward() {
    assert_eq!(wall("Europe/London", "2026-03-29 00:59:59"), r#""2026-03-29T00:59:59.000+00:00""#);
    assert_eq!(wall("Europe/London", "2026-03-29 01:00:00"), r#""2026-03-29T02:00:00.000+01:00""#);
    assert_eq!(wall("Europe/London", "2026-03-29 01:30:00"), r#""2026-03-29T02:30:00.000+01:00""#);
    assert_eq!(wall("Australia/Lord_Howe", "2026-10-04 02:15:00"), r#""2026-10-04T02:45:00.000+11:00""#);
    // Samoa had no 30 December 2011.
    assert_eq!(wall("Pacific/Apia", "2011-12-30 12:00:00"), r#""2011-12-31T12:00:00.000+14:00""#);
}

#[test]
fn a_wall_clock_that_comes_twice_is_the_earlier() {
    assert_eq!(wall("Europe/London", "2026-10-25 01:30:00"), r#""2026-10-25T01:30:00.000+01:00""#);
    assert_eq!(wall("America/New_York", "2026-11-01 01:30:00"), r#""2026-11-01T01:30:00.000-04:00""#);
    // Points in time have no such doubt.
    assert_eq!(instant("America/New_York", "2026-11-01 06:30:00"), r#""2026-11-01T01:30:00.000-05:00""#);
}

#[test]
fn far_years_are_written_as_chrono_does() {
    assert_eq!(wall("Europe/London", "1840-01-01 00:00:00"), r#""1840-01-01T00:00:00.000-00:01""#);
    assert_eq!(wall("UTC", "+10000-01-01 00:00:00"), r#""+10000-01-01T00:00:00.000+00:00""#);
    assert_eq!(wall("UTC", "0000-02-29 00:00:00"), r#""0000-02-29T00:00:00.000+00:00""#);
    assert_eq!(wall("America/New_York", "-0001-01-01 00:00:00"), r#""-0001-01-01T00:00:00.000-04:56""#);
}

#[test]
fn every_unit_is_read_and_fractions_are_cut() {
    let arrays: [(ArrayRef, &str); 6] = [
        (Arc::new(TimestampSecondArray::from(vec![-1])), "1969-12-31T23:59:59.000+00:00"),
        (Arc::new(TimestampMillisecondArray::from(vec![-1])), "1969-12-31T23:59:59.999+00:00"),
        (Arc::new(TimestampMicrosecondArray::from(vec![-1])), "1969-12-31T23:59:59.999+00:00"),
        (Arc::new(TimestampMicrosecondArray::from(vec![1_999])), "1970-01-01T00:00:00.001+00:00"),
        (Arc::new(TimestampNanosecondArray::from(vec![-1])), "1969-12-31T23:59:59.999+00:00"),
        (Arc::new(TimestampNanosecondArray::from(vec![i64::MIN])), "1677-09-21T00:12:43.145+00:00"),
    ];
    for (array, expected) in arrays {
        assert_eq!(json(array, None, |_| {}).unwrap(), format!("{expected:?}"));
    }
}

#[test]
fn dates_and_times_of_day_are_read() {
    let arrays: [(ArrayRef, &str); 8] = [
        (Arc::new(Date32Array::from(vec![20_779])), "2026-11-22"),
        (Arc::new(Date32Array::from(vec![-1])), "1969-12-31"),
        (Arc::new(Date32Array::from(vec![2_932_896])), "9999-12-31"),
        (Arc::new(Date32Array::from(vec![2_932_897])), "+10000-01-01"),
        (Arc::new(Date32Array::from(vec![-719_529])), "-0001-12-31"),
        (Arc::new(Date64Array::from(vec![-1])), "1969-12-31"),
        (Arc::new(Time32SecondArray::from(vec![86_399])), "23:59:59"),
        (Arc::new(Time64NanosecondArray::from(vec![1_000_000_042])), "00:00:01.000000042"),
    ];
    for (array, expected) in arrays {
        assert_eq!(json(array, None, |_| {}).unwrap(), format!("{expected:?}"));
    }
}

#[test]
fn patterns_are_those_of_strftime() {
    assert_eq!(with_pattern("%d/%m/%Y %H:%M"), r#""22/11/2026 05:00""#);
    assert_eq!(with_pattern("%Y-%m-%d %H:%M:%S%.6f%z"), r#""2026-11-22 05:00:00.123456+0100""#);
    assert_eq!(with_pattern("%s"), r#""1795320000""#);
    assert_eq!(with_pattern("%s.%9f %Z"), r#""1795320000.123456789 CET""#);
    assert_eq!(with_pattern("%+"), r#""2026-11-22T05:00:00.123456789+01:00""#);
    assert_eq!(with_pattern("%A \"%Y\"\n"), r#""Sunday \"2026\"\n""#);
    let date =
        json(Arc::new(Date32Array::from(vec![20_779])), None, |format| format.date = "%d.%m.%y".to_owned());
    assert_eq!(date.unwrap(), r#""22.11.26""#);
}

#[test]
fn what_can_not_be_understood_is_a_usage_fault() {
    let array = || Arc::new(Date32Array::from(vec![0]));
    let faults = [
        json(array(), None, |format| format.date = "%Y-%m-%d %H".to_owned()),
        json(array(), None, |format| format.date = "%Q".to_owned()),
        json(array(), None, |format| format.date = "%Y%:z".to_owned()),
        json(array(), None, |format| format.timestamp = "%Y-%Q".to_owned()),
        json(array(), None, |format| format.timezone = "Europe/Londn".to_owned()),
    ];
    for fault in faults {
        assert_eq!(fault.unwrap_err().class(), Class::Usage);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_writes_what_chrono_writes(
        second in -70_000_000_000_i64..300_000_000_000,
        nanos in 0_i64..1_000_000_000,
        days in -800_000..3_000_000,
        zone in prop::sample::select(vec!["UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Africa/Monrovia"]),
        read_as_instant in any::<bool>(),
    ) {
        let text = |pattern: &str, date: &str, array: &ArrayRef| {
            json(Arc::clone(array), None, |format| {
                format.timestamp = pattern.to_owned();
                format.date = date.to_owned();
                format.timezone = zone.to_owned();
            })
            .unwrap()
        };
        let timestamps = TimestampMillisecondArray::from(vec![second * 1000 + nanos / 1_000_000]);
        let timestamps: ArrayRef =
            if read_as_instant { Arc::new(timestamps.with_timezone("UTC")) } else { Arc::new(timestamps) };
        for array in [timestamps, Arc::new(Date32Array::from(vec![days])) as ArrayRef] {
            let short = text("%Y-%m-%dT%H:%M:%S%.3f%:z", "%Y-%m-%d", &array);
            prop_assert_eq!(short, text("%FT%T%.3f%:z", "%F", &array));
        }
    }
}
