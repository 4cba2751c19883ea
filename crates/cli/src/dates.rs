//! Which days `--load-date` means.

use std::str::FromStr;

use chrono::{DateTime, Datelike, TimeZone, Utc};
use chrono_tz::Tz;
use hivecast_contract::LoadDate;
use hivecast_feed::Feed;
use hivecast_run::{Clock, Fault, Result};

use crate::run::CLOCK;

/// The most days that one range may have: a slip in the year must not start ten thousand runs.
const MAX_RANGE_DAYS: i64 = 366;

/// `--load-date` as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateArg {
    /// One day.
    One(Day),
    /// `A..B`: from A to B, both included.
    Range(Day, Day),
}

/// A day as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Day {
    /// `2026-11-22`
    Date(LoadDate),
    /// `today`, in the feed's time zone.
    Today,
    /// `yesterday`, in the feed's time zone.
    Yesterday,
    /// `latest`: the newest day that is there.
    Latest,
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "today" => Day::Today,
            "yesterday" => Day::Yesterday,
            "latest" => Day::Latest,
            date => Day::Date(date.parse().map_err(|_| {
                format!(
                    "{text:?} is no load_date; write YYYY-MM-DD, today, yesterday, latest, or a range A..B"
                )
            })?),
        })
    }
}

impl FromStr for DateArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("..") {
            Some((first, last)) => Ok(DateArg::Range(first.parse()?, last.parse()?)),
            None => Ok(DateArg::One(text.parse()?)),
        }
    }
}

/// `--load-date` of a command that takes no range.
pub(crate) fn one_day(text: &str) -> Result<DateArg, String> {
    if text.contains("..") {
        return Err("a range of load_dates is for build and publish; give one load_date".to_owned());
    }
    let day = text.parse::<Day>().map(DateArg::One);
    day.map_err(|_| format!("{text:?} is no load_date; write YYYY-MM-DD, today, yesterday or latest"))
}

/// Turns days as written into dates.
pub(crate) struct Calendar<'a> {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) now_ms: i64,
    /// What `today` goes by.
    pub(crate) zone: Tz,
    /// Finds the newest day that is there; asked only for `latest`.
    pub(crate) latest: &'a dyn Fn() -> Result<LoadDate>,
}

impl<'a> Calendar<'a> {
    /// The calendar of a feed.
    pub(crate) fn of(feed: &Feed, latest: &'a dyn Fn() -> Result<LoadDate>) -> Self {
        // A zone that is none is a mistake of the feed, which is told before any day is worked on.
        Calendar { now_ms: CLOCK.now_ms(), zone: feed.format.timezone.parse().unwrap_or(Tz::UTC), latest }
    }

    /// The day that a command is about that takes no range.
    pub(crate) fn single(&self, date: DateArg) -> Result<LoadDate> {
        match date {
            DateArg::One(day) => self.day(day),
            DateArg::Range(..) => {
                Err(Fault::usage("a range of load_dates is for build and publish")
                    .advise("give one load_date"))
            }
        }
    }

    /// Every day that is meant, in order.
    pub(crate) fn days(&self, date: DateArg) -> Result<Vec<LoadDate>> {
        let (first, last) = match date {
            DateArg::One(day) => {
                let day = self.day(day)?;
                (day, day)
            }
            DateArg::Range(first, last) => (self.day(first)?, self.day(last)?),
        };
        let length = last.days_since_epoch() - first.days_since_epoch() + 1;
        if length < 1 {
            return Err(Fault::usage(format!("the range {first}..{last} ends before it begins")));
        }
        if length > MAX_RANGE_DAYS {
            return Err(Fault::usage(format!(
                "the range {first}..{last} has {length} days; one command takes at most {MAX_RANGE_DAYS}"
            )));
        }
        let until_last = |date: &LoadDate| date.next().filter(|next| *next <= last);
        Ok(std::iter::successors(Some(first), until_last).collect())
    }

    /// The one day that is meant.
    fn day(&self, day: Day) -> Result<LoadDate> {
        match day {
            Day::Date(date) => Ok(date),
            Day::Today => self.today(0),
            Day::Yesterday => self.today(-1),
            Day::Latest => (self.latest)(),
        }
    }

    fn today(&self, days_later: i64) -> Result<LoadDate> {
        let out_of_range =
            || Fault::infrastructure("the machine's clock is out of range").advise("set the clock");
        let now: DateTime<Utc> = Utc.timestamp_millis_opt(self.now_ms).single().ok_or_else(out_of_range)?;
        let local = now.with_timezone(&self.zone).date_naive();
        let day = local.checked_add_signed(chrono::TimeDelta::days(days_later)).ok_or_else(out_of_range)?;
        let year = u16::try_from(day.year()).map_err(|_| out_of_range())?;
        let narrow = |number: u32| u8::try_from(number).ok();
        let date = narrow(day.month())
            .zip(narrow(day.day()))
            .and_then(|(month, day)| LoadDate::new(year, month, day));
        date.ok_or_else(out_of_range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T23:30:00Z
    const LATE_EVENING: i64 = 1_795_390_200_000;

    fn days(zone: Tz, text: &str) -> Result<Vec<String>> {
        let latest = || Ok("2026-11-21".parse().unwrap());
        let calendar = Calendar { now_ms: LATE_EVENING, zone, latest: &latest };
        Ok(calendar.days(text.parse().unwrap())?.iter().map(LoadDate::to_string).collect())
    }

    #[test]
    fn words_and_ranges() {
        assert_eq!(days(Tz::UTC, "2026-02-28").unwrap(), ["2026-02-28"]);
        assert_eq!(days(Tz::UTC, "today").unwrap(), ["2026-11-22"]);
        assert_eq!(days(Tz::UTC, "yesterday").unwrap(), ["2026-11-21"]);
        assert_eq!(days(Tz::UTC, "latest").unwrap(), ["2026-11-21"]);
        assert_eq!(days(Tz::UTC, "2026-11-20..today").unwrap(), ["2026-11-20", "2026-11-21", "2026-11-22"]);
    }

    #[test]
    fn today_is_the_feeds_day() {
        assert_eq!(days(Tz::Europe__Amsterdam, "today").unwrap(), ["2026-11-23"]);
        assert_eq!(days(Tz::America__New_York, "today").unwrap(), ["2026-11-22"]);
    }

    #[test]
    fn wrong_ranges_are_usage_mistakes() {
        for wrong in ["2026-11-22..2026-11-21", "2006-11-22..2026-11-22"] {
            assert_eq!(days(Tz::UTC, wrong).unwrap_err().class().exit_code(), 2, "{wrong}");
        }
        for wrong in ["", "tomorrow", "2026-11-22..", "..", "2026-11-31"] {
            assert!(wrong.parse::<DateArg>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_takes_one_day_offers_no_range() {
        assert_eq!(one_day("latest"), Ok(DateArg::One(Day::Latest)));
        assert!(!one_day("tomorrow").unwrap_err().contains("A..B"));
        assert!(one_day("2026-11-20..latest").unwrap_err().contains("give one load_date"));
    }
}
