//! Instants and the wall clocks of a zone.

use arrow_array::TimestampMicrosecondArray;
use arrow_schema::ArrowError;
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What the clocks of the zone showed at each instant.
pub(crate) fn wall_clock(
    instants: &TimestampMicrosecondArray,
    zone: Tz,
) -> Result<TimestampMicrosecondArray, ArrowError> {
    if zone == Tz::UTC {
        return Ok(instants.clone());
    }
    instants.try_unary(|micros| {
        let offset = zone.offset_from_utc_datetime(&naive(micros)?).fix().local_minus_utc();
        micros.checked_add(i64::from(offset) * MICROS_PER_SECOND).ok_or_else(|| too_far(micros))
    })
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

    #[test]
    fn summer_time_and_back() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        let at = |text: &str| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp_micros()
        };
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
