//! Days and times before 15 October 1582: the calendars in which programs count them.
//!
//! Java's old classes, and with them old versions of Hive and Spark, wrote a date of before the
//! Gregorian reform as the day that the Julian calendar gives its year, month and day. Hive and Spark
//! read such files by their year, month and day, and so does this room: the value becomes the day that
//! the Gregorian calendar, carried on backwards, gives the same date.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use chrono_tz::Tz;

use crate::leaves::map_leaves;
use crate::zone::{to_instant, wall_clock};

/// 1582-10-15, the first Gregorian day, in days since 1970-01-01.
pub(crate) const FIRST_GREGORIAN_DAY: i64 = -141_427;
/// From 1 March of the year 0 to 1 January 1970, in the Julian and in the Gregorian calendar.
const JULIAN_EPOCH_DAYS: i64 = 719_470;
const GREGORIAN_EPOCH_DAYS: i64 = 719_468;
pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How a file counts days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calendar {
    /// Gregorian at all times: nothing is to be done.
    Proleptic,
    /// Julian before the reform.
    Hybrid,
}

/// The day on which the Gregorian calendar has the date that the hybrid one has on this day.
fn proleptic_day(day: i64) -> i64 {
    if day >= FIRST_GREGORIAN_DAY {
        return day;
    }
    // Years of 365.25 days that begin on 1 March, so that the leap day is their last.
    let since_march = day + JULIAN_EPOCH_DAYS;
    let cycle = since_march.div_euclid(1461);
    let day_of_cycle = since_march.rem_euclid(1461);
    let year_of_cycle = (day_of_cycle / 365).min(3);
    let year = cycle * 4 + year_of_cycle;
    let day_of_year = day_of_cycle - year_of_cycle * 365;
    // 29 February of a year that is no Gregorian leap year becomes 1 March, as for Java.
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - GREGORIAN_EPOCH_DAYS
}

fn proleptic_micros(micros: i64) -> i64 {
    let day = micros.div_euclid(MICROS_PER_DAY);
    if day >= FIRST_GREGORIAN_DAY {
        return micros;
    }
    micros.saturating_add((proleptic_day(day) - day) * MICROS_PER_DAY)
}

/// Which values of a file are counted in which calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calendars {
    pub(crate) dates: Calendar,
    pub(crate) timestamps: Calendar,
    /// Where the days of instants begin.
    pub(crate) zone: Tz,
}

impl Calendars {
    /// Dates and timestamps alike.
    pub(crate) fn both(calendar: Calendar) -> Calendars {
        Calendars { dates: calendar, timestamps: calendar, zone: Tz::UTC }
    }

    /// The column, at any depth, with its days counted in the Gregorian calendar. Timestamps must be
    /// in microseconds.
    pub(crate) fn rebase(self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        if self.dates == Calendar::Proleptic && self.timestamps == Calendar::Proleptic {
            return Ok(Arc::clone(column));
        }
        map_leaves(column, &|leaf| self.rebase_leaf(leaf))
    }

    fn rebase_leaf(self, leaf: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
        match leaf.data_type() {
            DataType::Date32 if self.dates == Calendar::Hybrid => {
                let days = leaf.as_primitive::<Date32Type>();
                let old = days.iter().flatten().any(|day| i64::from(day) < FIRST_GREGORIAN_DAY);
                let move_day = |day: i32| i32::try_from(proleptic_day(day.into())).unwrap_or(day);
                Ok(old.then(|| Arc::new(days.unary::<_, Date32Type>(move_day)) as ArrayRef))
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) if self.timestamps == Calendar::Hybrid => {
                let times = leaf.as_primitive::<TimestampMicrosecondType>();
                // A day later, as no zone's wall clock is farther from UTC.
                let first = (FIRST_GREGORIAN_DAY + 1) * MICROS_PER_DAY;
                if !times.iter().flatten().any(|time| time < first) {
                    return Ok(None);
                }
                let moved = match zone {
                    None => times.unary::<_, TimestampMicrosecondType>(proleptic_micros),
                    Some(_) => {
                        let clock = wall_clock(times, self.zone)?;
                        let moved = clock.unary::<_, TimestampMicrosecondType>(proleptic_micros);
                        to_instant(&moved, self.zone)?
                    }
                };
                Ok(Some(Arc::new(moved.with_timezone_opt(zone.clone()))))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hivecast_contract::LoadDate;

    #[test]
    fn dates_keep_their_year_month_and_day() {
        let day = |year, month, day| LoadDate::new(year, month, day).unwrap().days_since_epoch();
        assert_eq!(proleptic_day(-141_427), -141_427, "1582-10-15");
        // The day before the reform is 4 October in the Julian calendar.
        assert_eq!(proleptic_day(-141_428), -141_438, "1582-10-04");
        assert_eq!(proleptic_day(-141_428), day(1582, 10, 4));
        // 1 January of the year 1 is two days earlier in the Julian calendar.
        assert_eq!(proleptic_day(-719_164), -719_162);
        assert_eq!(proleptic_day(-719_164), day(1, 1, 1));
        // 29 February 1500 exists in the Julian calendar alone.
        let first_of_march = proleptic_day(-171_596 + 1);
        assert_eq!(proleptic_day(-171_596), first_of_march);
        assert_eq!(proleptic_day(20_779), 20_779);
    }

    #[test]
    fn times_of_day_are_kept() {
        let noon = 43_200_000_000;
        assert_eq!(proleptic_micros(-141_428 * MICROS_PER_DAY + noon), -141_438 * MICROS_PER_DAY + noon);
    }
}
