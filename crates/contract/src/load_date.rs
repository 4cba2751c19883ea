use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A day of the export, in the Gregorian calendar. Written `YYYY-MM-DD`; ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoadDate {
    year: u16,
    month: u8,
    day: u8,
}

impl LoadDate {
    /// A date, if there is such a day in the years 0001 to 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let valid = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day);
        valid.then_some(LoadDate { year, month, day })
    }

    /// The year, 1 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    pub fn days_since_epoch(self) -> i64 {
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = i64::from(self.month);
        let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The day after, if it is in the year 9999 or before.
    pub fn next(self) -> Option<Self> {
        LoadDate::new(self.year, self.month, self.day + 1)
            .or_else(|| LoadDate::new(self.year, self.month + 1, 1))
            .or_else(|| LoadDate::new(self.year + 1, 1, 1))
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

impl fmt::Display for LoadDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for LoadDate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (year, rest) = text.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            let digits = |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
            if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
                return None;
            }
            LoadDate::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        };
        parse().ok_or_else(|| format!("{text:?} is no date; write it as YYYY-MM-DD, for example 2026-11-22"))
    }
}

impl Serialize for LoadDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LoadDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_real_days_only() {
        for good in ["2026-11-22", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(good.parse::<LoadDate>().map(|date| date.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "20261122",
            "2026-11-22T00",
            "",
            "0000-01-01",
            "+026-01-01",
        ] {
            assert!(bad.parse::<LoadDate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn days_since_epoch_and_next_agree() {
        assert_eq!(LoadDate::new(1970, 1, 1).map(LoadDate::days_since_epoch), Some(0));
        let mut date = LoadDate::new(1999, 12, 30).unwrap();
        for _ in 0..1000 {
            let next = date.next().unwrap();
            assert_eq!(next.days_since_epoch(), date.days_since_epoch() + 1, "{date} {next}");
            date = next;
        }
    }
}
