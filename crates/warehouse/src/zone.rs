//! Instants and the wall clocks of a zone.

use arrow_array::TimestampMicrosecondArray;
use arrow_schema::ArrowError;
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// 1900-01-01T00:00:00Z, where what Java's old classes know of zones begins.
const OLD_JAVA_BEGINS: i64 = -2_208_988_800 * MICROS_PER_SECOND;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// A year by which a zone's offsets of today are told: the last that all programs have rules for.
const LAST_RULED_YEAR: i32 = 2037;

/// What the clocks of the zone showed at each instant.
pub(crate) fn wall_clock(
    instants: &TimestampMicrosecondArray,
    zone: Tz,
) -> Result<TimestampMicrosecondArray, ArrowError> {
    if zone == Tz::UTC {
        return Ok(instants.clone());
    }
    instants.try_unary(|micros| clock_at(micros, zone))
}

/// As [`wall_clock`], where the instants were made by Java's old classes (`java.util.TimeZone`), as Hive and
/// ORC use them. Whatever a zone's offset was before 1900, they take the standard one of today.
pub(crate) fn wall_clock_of_old_java(
    instants: &TimestampMicrosecondArray,
    zone: Tz,
) -> Result<TimestampMicrosecondArray, ArrowError> {
    if !instants.iter().flatten().any(|micros| micros < OLD_JAVA_BEGINS) {
        return wall_clock(instants, zone);
    }
    let old_offset = standard_offset(zone) * MICROS_PER_SECOND;
    instants.try_unary(|micros| match micros < OLD_JAVA_BEGINS {
        true => micros.checked_add(old_offset).ok_or_else(|| too_far(micros)),
        false => clock_at(micros, zone),
    })
}

/// The wall clocks that Java's old classes meant, out of those that another program made of their instants.
pub(crate) fn as_old_java_meant(
    clocks: &TimestampMicrosecondArray,
    zone: Tz,
) -> Result<Option<TimestampMicrosecondArray>, ArrowError> {
    // No zone's wall clock is a day from UTC.
    if zone == Tz::UTC || !clocks.iter().flatten().any(|micros| micros < OLD_JAVA_BEGINS + MICROS_PER_DAY) {
        return Ok(None);
    }
    wall_clock_of_old_java(&to_instant(clocks, zone)?, zone).map(Some)
}

/// Seconds that the zone's clocks are ahead of UTC when it is not summer.
fn standard_offset(zone: Tz) -> i64 {
    let offset = |month| {
        let noon = chrono::NaiveDate::from_ymd_opt(LAST_RULED_YEAR, month, 1)
            .and_then(|day| day.and_hms_opt(12, 0, 0));
        noon.map_or(0, |noon| i64::from(zone.offset_from_utc_datetime(&noon).fix().local_minus_utc()))
    };
    offset(1).min(offset(7))
}

fn clock_at(micros: i64, zone: Tz) -> Result<i64, ArrowError> {
    let offset = zone.offset_from_utc_datetime(&naive(micros)?).fix().local_minus_utc();
    micros.checked_add(i64::from(offset) * MICROS_PER_SECOND).ok_or_else(|| too_far(micros))
}

/// When the clocks of the zone showed each time. One that they skipped is moved on by what they
/// skipped; of one that they showed twice, it is the earlier.
pub(crate) fn to_instant(
    times: &TimestampMicrosecondArray,
    zone: Tz,
) -> Result<TimestampMicrosecondArray, ArrowError> {
    if zone == Tz::UTC {
        return Ok(times.clone());
    }
    times.try_unary(|micros| {
        let local = naive(micros)?;
        let instant = match zone.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time,
            LocalResult::None => {
                // The offset before the gap carries the time over it.
                let before = zone.offset_from_utc_datetime(&(local - Duration::days(1))).fix();
                zone.from_utc_datetime(&(local - Duration::seconds(before.local_minus_utc().into())))
            }
        };
        Ok(instant.timestamp_micros())
    })
}

fn naive(micros: i64) -> Result<NaiveDateTime, ArrowError> {
    DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc()).ok_or_else(|| too_far(micros))
}

fn too_far(micros: i64) -> ArrowError {
    ArrowError::CastError(format!("the timestamp {micros} µs since 1970 lies outside of the calendar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp_micros()
    }

    #[test]
    fn javas_old_classes_know_no_offsets_of_before_1900() {
        for (zone, utc, local) in [
            ("Europe/Berlin", "1890-01-01 00:00:00", "1890-01-01 01:00:00"),
            ("Europe/Berlin", "1899-12-31 23:59:59", "1900-01-01 00:59:59"),
            ("Europe/Amsterdam", "1899-12-31 23:59:59", "1900-01-01 00:59:59"),
            ("Europe/Dublin", "1880-07-01 12:00:00", "1880-07-01 12:00:00"),
            ("Australia/Sydney", "1890-01-01 00:00:00", "1890-01-01 10:00:00"),
            ("America/New_York", "1850-07-01 12:00:00", "1850-07-01 07:00:00"),
            ("Europe/Berlin", "2026-07-15 12:00:00", "2026-07-15 14:00:00"),
        ] {
            let zone: Tz = zone.parse().unwrap();
            let instants =
                TimestampMicrosecondArray::from(vec![Some(at(utc)), Some(at("1850-01-01 00:00:00")), None]);
            let clocks = wall_clock_of_old_java(&instants, zone).unwrap();
            assert_eq!(clocks.value(0), at(local), "{zone} {utc}");
            let by_others = wall_clock(&instants, zone).unwrap();
            assert_eq!(as_old_java_meant(&by_others, zone).unwrap(), Some(clocks), "{zone} {utc}");
        }
    }

    #[test]
    fn summer_time_and_back() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        for (utc, local) in [
            ("2026-01-15 12:00:00", "2026-01-15 13:00:00"),
            ("2026-03-29 01:00:00", "2026-03-29 03:00:00"),
            ("2026-07-15 12:00:00", "2026-07-15 14:00:00"),
            ("1890-01-01 00:00:00", "1890-01-01 00:53:28"),
        ] {
            let instants = TimestampMicrosecondArray::from(vec![at(utc)]);
            let clock = wall_clock(&instants, berlin).unwrap();
            assert_eq!(clock.value(0), at(local), "{utc}");
            assert_eq!(to_instant(&clock, berlin).unwrap().value(0), at(utc), "{local}");
        }
        let skipped = TimestampMicrosecondArray::from(vec![at("2026-03-29 02:30:00")]);
        assert_eq!(to_instant(&skipped, berlin).unwrap().value(0), at("2026-03-29 01:30:00"));
        let twice = TimestampMicrosecondArray::from(vec![at("2026-10-25 02:30:00")]);
        assert_eq!(to_instant(&twice, berlin).unwrap().value(0), at("2026-10-25 00:30:00"));
    }
}
