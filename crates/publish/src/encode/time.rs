//! Dates and times as text: the feed's patterns, its time zone, and a short way for the default
//! patterns.

use chrono::format::{DelayedFormat, Fixed, Item, Numeric, StrftimeItems};
use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{GapInfo, Tz};
use hivecast_run::{Fault, Result};

use super::text::is_clean;

/// The pattern that has a short way of its own.
const DEFAULT_TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";
/// The pattern of dates that has a short way of its own.
const DEFAULT_DATE: &str = "%Y-%m-%d";
const SECONDS_PER_DAY: i64 = 86_400;
/// 1970-01-01 counted from 0000-12-31, as chrono counts days.
const EPOCH_FROM_CE: i64 = 719_163;

/// What a timestamp's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A point in time: seconds since 1970-01-01T00:00:00Z.
    Instant,
    /// A wall clock in the feed's time zone: seconds since 1970-01-01T00:00:00 there, as if every
    /// day had 24 hours.
    WallClock,
}

/// The value lies outside of the calendar's years (±262,000).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

/// The feed's patterns and time zone, understood.
pub(super) struct Times {
    zone: Tz,
    date: Pattern,
    timestamp: Pattern,
}

struct Pattern {
    parts: Vec<Part>,
    way: Way,
    /// Whether its text never needs an escape in JSON: only its literals could.
    clean: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The default pattern, which has a short way of its own for common years and offsets.
    Short,
    /// Any other, by chrono.
    Long,
}

/// A run of a pattern's items. They are apart so that the common ones need no allocation: chrono
/// makes a string of the offset's name wherever it is handed an offset.
enum Part {
    Plain(Vec<Item<'static>>),
    Offset { separator: &'static [u8] },
    WithOffset(Vec<Item<'static>>),
}

impl Times {
    /// Fails as a usage fault for an unknown time zone or pattern.
    pub(super) fn new(format: &hivecast_feed::Format) -> Result<Self> {
        let zone = format.timezone.parse::<Tz>().map_err(|error| {
            Fault::usage(format!("failed to find time zone {:?}", format.timezone))
                .because(error)
                .advise("use a name of the IANA time zone database, for example Europe/London or UTC")
        })?;
        let times = Times {
            zone,
            date: Pattern::new(&format.date, DEFAULT_DATE)?,
            timestamp: Pattern::new(&format.timestamp, DEFAULT_TIMESTAMP)?,
        };
        // A date has no hour: chrono says so only when it writes one.
        let mut sample = Vec::new();
        times.push_date(0, &mut sample).map_err(|OutOfRange| wrong_pattern(&format.date))?;
        let epoch = times.push_timestamp(0, 0, Reading::Instant, &mut sample);
        epoch.map_err(|OutOfRange| wrong_pattern(&format.timestamp))?;
        Ok(times)
    }

    /// Whether dates never need an escape in JSON.
    pub(super) fn clean_dates(&self) -> bool {
        self.date.clean
    }

    /// Whether timestamps never need an escape in JSON.
    pub(super) fn clean_timestamps(&self) -> bool {
        self.timestamp.clean
    }

    /// Most bytes of a date and of a timestamp, escapes included.
    pub(super) fn longest(&self) -> (u64, u64) {
        (self.date.longest(), self.timestamp.longest())
    }

    /// Appends a date, in days since 1970-01-01.
    pub(super) fn push_date(&self, days: i64, out: &mut Vec<u8>) -> std::result::Result<(), OutOfRange> {
        if self.date.way == Way::Short
            && let Some((year, month, day)) = common_date(days)
        {
            out.extend_from_slice(&date_digits(year, month, day));
            return Ok(());
        }
        let from_ce = days.checked_add(EPOCH_FROM_CE).and_then(|days| i32::try_from(days).ok());
        let date = from_ce.and_then(NaiveDate::from_num_days_from_ce_opt).ok_or(OutOfRange)?;
        self.date.parts.iter().try_for_each(|part| match part {
            Part::Plain(items) => DelayedFormat::new(Some(date), None, items.iter())
                .write_to(&mut Utf8(out))
                .map_err(|_| OutOfRange),
            Part::Offset { .. } | Part::WithOffset(_) => Err(OutOfRange),
        })
    }

    /// Appends a timestamp: seconds and nanoseconds (0 to 999,999,999) since the epoch of its
    /// reading.
    ///
    /// A wall clock that the zone skips (a gap) is moved forward by the gap's length, as `java.time`
    /// does; one that comes twice (an overlap) is the earlier.
    pub(super) fn push_timestamp(
        &self,
        seconds: i64,
        nanos: u32,
        reading: Reading,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), OutOfRange> {
        let (local, offset) = if self.zone == Tz::UTC { (seconds, 0) } else { self.local(seconds, reading)? };
        if self.timestamp.way == Way::Short
            && let Some(text) = common_timestamp(local, nanos, offset)
        {
            out.extend_from_slice(&text);
            return Ok(());
        }
        let local = DateTime::from_timestamp(local, nanos).ok_or(OutOfRange)?.naive_utc();
        self.timestamp.parts.iter().try_for_each(|part| self.push_part(part, local, offset, out))
    }

    fn push_part(
        &self,
        part: &Part,
        local: NaiveDateTime,
        offset: i32,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), OutOfRange> {
        let (date, time) = (Some(local.date()), Some(local.time()));
        let written = match part {
            Part::Plain(items) => DelayedFormat::new(date, time, items.iter()).write_to(&mut Utf8(out)),
            Part::Offset { separator } => {
                push_offset(offset, separator, out);
                Ok(())
            }
            Part::WithOffset(items) => {
                let utc = local.checked_sub_signed(TimeDelta::seconds(offset.into())).ok_or(OutOfRange)?;
                let offset = self.zone.offset_from_utc_datetime(&utc);
                DelayedFormat::new_with_offset(date, time, &offset, items.iter()).write_to(&mut Utf8(out))
            }
        };
        written.map_err(|_| OutOfRange)
    }

    /// The wall clock in the zone, in seconds as if every day had 24 hours, and the offset there.
    fn local(&self, seconds: i64, reading: Reading) -> std::result::Result<(i64, i32), OutOfRange> {
        let time = DateTime::from_timestamp(seconds, 0).ok_or(OutOfRange)?.naive_utc();
        let at = |utc: &NaiveDateTime| self.zone.offset_from_utc_datetime(utc).fix().local_minus_utc();
        if reading == Reading::Instant {
            let offset = at(&time);
            return Ok((seconds.checked_add(offset.into()).ok_or(OutOfRange)?, offset));
        }
        match self.zone.offset_from_local_datetime(&time) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                Ok((seconds, offset.fix().local_minus_utc()))
            }
            MappedLocalTime::None => {
                let gap = GapInfo::new(&time, &self.zone).and_then(|gap| gap.begin).ok_or(OutOfRange)?;
                let before = gap.1.fix().local_minus_utc();
                let utc = seconds.checked_sub(before.into()).ok_or(OutOfRange)?;
                let after = at(&DateTime::from_timestamp(utc, 0).ok_or(OutOfRange)?.naive_utc());
                Ok((utc.checked_add(after.into()).ok_or(OutOfRange)?, after))
            }
        }
    }
}

impl Pattern {
    fn new(text: &str, default: &str) -> Result<Self> {
        let items = StrftimeItems::new(text).parse_to_owned().map_err(|_| wrong_pattern(text))?;
        let clean = items.iter().all(|item| literal(item).is_none_or(is_clean));
        let way = if text == default { Way::Short } else { Way::Long };
        Ok(Pattern { parts: parts(items), way, clean })
    }

    fn longest(&self) -> u64 {
        /// Most bytes of one item of a pattern: RFC 2822 and RFC 3339 forms of a year of six digits.
        const ITEM: u64 = 48;
        /// Most bytes that one byte of a literal takes once escaped.
        const ESCAPED: u64 = 6;
        let item = |item: &Item<'static>| literal(item).map_or(ITEM, |text| ESCAPED * text.len() as u64);
        let part = |part: &Part| match part {
            Part::Plain(items) | Part::WithOffset(items) => items.iter().map(item).sum(),
            Part::Offset { .. } => ITEM,
        };
        self.parts.iter().map(part).sum()
    }
}

fn wrong_pattern(pattern: &str) -> Fault {
    Fault::usage(format!("failed to understand the pattern {pattern:?} of format"))
        .advise("patterns are those of strftime, for example %Y-%m-%d or %Y-%m-%dT%H:%M:%S%.3f%:z")
}

/// The text that an item stands for, if it is that and no more.
fn literal<'a>(item: &'a Item<'static>) -> Option<&'a [u8]> {
    match item {
        Item::OwnedLiteral(text) | Item::OwnedSpace(text) => Some(text.as_bytes()),
        Item::Literal(text) | Item::Space(text) => Some(text.as_bytes()),
        Item::Numeric(..) | Item::Fixed(_) | Item::Error => None,
    }
}

/// A pattern cut into runs.
fn parts(items: Vec<Item<'static>>) -> Vec<Part> {
    let mut parts = Vec::new();
    for item in items {
        match &item {
            Item::Fixed(Fixed::TimezoneOffset) => parts.push(Part::Offset { separator: b"" }),
            Item::Fixed(Fixed::TimezoneOffsetColon) => parts.push(Part::Offset { separator: b":" }),
            item if wants_offset(item) => match parts.last_mut() {
                Some(Part::WithOffset(run)) => run.push(item.clone()),
                _ => parts.push(Part::WithOffset(vec![item.clone()])),
            },
            _ => match parts.last_mut() {
                Some(Part::Plain(run)) => run.push(item),
                _ => parts.push(Part::Plain(vec![item])),
            },
        }
    }
    parts
}

/// Whether chrono needs the offset to write the item.
fn wants_offset(item: &Item<'_>) -> bool {
    match item {
        Item::Numeric(numeric, _) => *numeric == Numeric::Timestamp,
        Item::Fixed(fixed) => matches!(
            fixed,
            Fixed::TimezoneName
                | Fixed::TimezoneOffset
                | Fixed::TimezoneOffsetZ
                | Fixed::TimezoneOffsetColon
                | Fixed::TimezoneOffsetColonZ
                | Fixed::TimezoneOffsetDoubleColon
                | Fixed::TimezoneOffsetTripleColon
                | Fixed::RFC2822
                | Fixed::RFC3339
        ),
        _ => false,
    }
}

/// Year, month and day of a day number (days since 1970-01-01), for the years 0000 to 9999, whose
/// text has four digits (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
#[inline]
fn common_date(days: i64) -> Option<(u32, u32, u32)> {
    /// 0000-01-01 and the day after 9999-12-31.
    const RANGE: std::ops::Range<i64> = -719_528..2_932_897;
    if !RANGE.contains(&days) {
        return None;
    }
    // Counted from -400-03-01, so that nothing below is negative.
    let days = u32::try_from(days + 719_468 + 146_097).ok()?;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u32::from(month <= 2);
    Some((year.checked_sub(400)?, month, day))
}

#[inline]
fn digits(value: u32) -> [u8; 2] {
    // Callers pass 0 to 99.
    let (tens, ones) = ((value / 10) as u8, (value % 10) as u8);
    [b'0' + tens, b'0' + ones]
}

#[inline]
fn date_digits(year: u32, month: u32, day: u32) -> [u8; 10] {
    let mut text = *b"0000-00-00";
    text[..2].copy_from_slice(&digits(year / 100));
    text[2..4].copy_from_slice(&digits(year % 100));
    text[5..7].copy_from_slice(&digits(month));
    text[8..].copy_from_slice(&digits(day));
    text
}

/// The default pattern's text, where the year has four digits and the offset whole minutes.
#[inline]
fn common_timestamp(local: i64, nanos: u32, offset: i32) -> Option<[u8; 29]> {
    let (year, month, day) = common_date(local.div_euclid(SECONDS_PER_DAY))?;
    let second = u32::try_from(local.rem_euclid(SECONDS_PER_DAY)).ok()?;
    let minutes = offset.unsigned_abs() / 60;
    if offset % 60 != 0 {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00.000+00:00";
    text[..10].copy_from_slice(&date_digits(year, month, day));
    text[11..13].copy_from_slice(&digits(second / 3600));
    text[14..16].copy_from_slice(&digits(second / 60 % 60));
    text[17..19].copy_from_slice(&digits(second % 60));
    let millis = nanos / 1_000_000;
    text[20..22].copy_from_slice(&digits(millis / 10));
    text[22] = b'0' + (millis % 10) as u8;
    if offset < 0 {
        text[23] = b'-';
    }
    text[24..26].copy_from_slice(&digits(minutes / 60));
    text[27..].copy_from_slice(&digits(minutes % 60));
    Some(text)
}

/// `+01:00`, rounded to the minute as chrono does: local mean times before about 1900 have seconds.
fn push_offset(offset: i32, separator: &[u8], out: &mut Vec<u8>) {
    let minutes = (offset.unsigned_abs() + 30) / 60;
    out.push(if offset < 0 { b'-' } else { b'+' });
    out.extend_from_slice(&digits(minutes / 60));
    out.extend_from_slice(separator);
    out.extend_from_slice(&digits(minutes % 60));
}

/// Lets `fmt` write into bytes.
struct Utf8<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
