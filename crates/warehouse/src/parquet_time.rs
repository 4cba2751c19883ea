//! What dates and timestamps of a Parquet file mean, by what its writer left in the footer.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType};
use chrono_tz::Tz;
use parquet::file::metadata::FileMetaData;

use crate::calendar::{Calendar, Calendars};
use crate::leaves::map_leaves;
use crate::schema::{WALL_CLOCK, instant};
use crate::zone::{wall_clock, wall_clock_of_old_java};

/// How the writer's library calls itself that Hive and Spark write with.
const PARQUET_MR: &str = "parquet-mr";

/// The meaning of a file's dates and timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    int96: Int96,
    int96_calendars: Calendars,
    calendars: Calendars,
}

/// What an INT96 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Int96 {
    /// The wall clock's time, as it stands.
    WallClock,
    /// An instant.
    Instant,
    /// An instant, by which the wall clock of this zone is meant.
    ClockOf(Tz),
    /// As [`Int96::ClockOf`], made by Java's old classes.
    OldClockOf(Tz),
}

/// What of the footer matters.
#[derive(Debug, Default)]
struct Marks<'a> {
    created_by: &'a str,
    hive_zone: Option<&'a str>,
    hive_old_offsets: Option<&'a str>,
    hive_proleptic: Option<&'a str>,
    spark: Option<&'a str>,
    spark_zone: Option<&'a str>,
    legacy_dates: Option<&'a str>,
    legacy_int96: Option<&'a str>,
}

impl Times {
    /// By the footer; `zone` is where the clocks of a Hive stand that did not leave its own.
    pub(crate) fn of(metadata: &FileMetaData, zone: Tz) -> Result<Times, String> {
        let pairs = metadata.key_value_metadata();
        let of = |key: &str| {
            let mut found = pairs.into_iter().flatten().filter(|pair| pair.key == key);
            found.next().and_then(|pair| pair.value.as_deref())
        };
        // Before it left its version, Spark left its schema.
        let schema = of("org.apache.spark.sql.parquet.row.metadata").map(|_| "2");
        Times::by(
            &Marks {
                created_by: metadata.created_by().unwrap_or_default(),
                hive_zone: of("writer.time.zone"),
                hive_old_offsets: of("writer.zone.conversion.legacy"),
                hive_proleptic: of("writer.date.proleptic"),
                spark: of("org.apache.spark.version").or(schema),
                spark_zone: of("org.apache.spark.timeZone"),
                legacy_dates: of("org.apache.spark.legacyDateTime"),
                legacy_int96: of("org.apache.spark.legacyINT96"),
            },
            zone,
        )
    }

    fn by(marks: &Marks<'_>, zone: Tz) -> Result<Times, String> {
        let parse =
            |name: &str| name.parse::<Tz>().map_err(|_| format!("its time zone {name:?} is not known"));
        let parquet_mr = marks.created_by.starts_with(PARQUET_MR);
        let int96 = match (marks.hive_zone, marks.spark) {
            (Some(name), _) if marks.hive_old_offsets == Some("true") => Int96::OldClockOf(parse(name)?),
            (Some(name), _) => Int96::ClockOf(parse(name)?),
            (None, Some(_)) => Int96::Instant,
            (None, None) if parquet_mr => Int96::OldClockOf(zone),
            (None, None) => Int96::WallClock,
        };
        let older = |version: &str| marks.spark.is_some_and(|found| found < version);
        let dates_hybrid = match (marks.hive_proleptic, marks.spark) {
            (Some(proleptic), _) => proleptic != "true",
            (None, Some(_)) => marks.legacy_dates.is_some() || older("3.0.0"),
            (None, None) => parquet_mr,
        };
        let spark_zone = marks.spark_zone.map(parse).transpose()?.unwrap_or(Tz::UTC);
        let hybrid = |found| if found { Calendar::Hybrid } else { Calendar::Proleptic };
        let calendars = |timestamps| Calendars {
            dates: hybrid(dates_hybrid),
            timestamps: hybrid(timestamps),
            zone: spark_zone,
        };
        // Hive counted timestamps as it counted dates until it left its zone.
        let old_hive = parquet_mr && marks.hive_zone.is_none() && marks.spark.is_none();
        Ok(Times {
            int96,
            int96_calendars: calendars(marks.legacy_int96.is_some() || older("3.1.0") || old_hive),
            calendars: calendars(marks.legacy_dates.is_some() || older("3.0.0")),
        })
    }

    /// Whether old dates or timestamps, INT96s aside, are others than they seem.
    pub(crate) fn count_as_old_java(self) -> bool {
        self.calendars.dates == Calendar::Hybrid || self.calendars.timestamps == Calendar::Hybrid
    }

    /// These, for a file that, INT96s aside, has no date or timestamp which is counted in more than one way.
    pub(crate) fn without_old_days(self) -> Times {
        let calendars = Calendars {
            dates: Calendar::Proleptic,
            timestamps: Calendar::Proleptic,
            zone: self.calendars.zone,
        };
        Times { calendars, ..self }
    }

    /// Why a reader that takes dates and timestamps as they stand would give others than these; `types` are
    /// those of the file's columns.
    pub(crate) fn peculiar(self, types: &[&DataType], has_int96: HasInt96) -> Option<String> {
        let holds = |wanted: &dyn Fn(&DataType) -> bool| types.iter().any(|found| any_leaf(found, wanted));
        let zone = match self.int96 {
            Int96::ClockOf(zone) | Int96::OldClockOf(zone) if zone != Tz::UTC => Some(zone),
            _ => None,
        };
        if let (HasInt96::Yes, Some(zone)) = (has_int96, zone) {
            return Some(format!(
                "holds timestamps that mean the wall clock of {zone}, by which Hive wrote them"
            ));
        }
        let is_hybrid = |calendar| calendar == Calendar::Hybrid;
        if holds(&|found| matches!(found, DataType::Date32)) && is_hybrid(self.calendars.dates) {
            return Some(
                "may hold dates before 1582-10-15, in the calendar of old Java by which Hive and old Spark wrote them".to_owned(),
            );
        }
        let timestamps = match has_int96 {
            HasInt96::Yes => self.int96_calendars.timestamps,
            HasInt96::No => self.calendars.timestamps,
        };
        (holds(&|found| matches!(found, DataType::Timestamp(..))) && is_hybrid(timestamps)).then(|| {
            "may hold timestamps before 1900, in the calendar of old Java by which Hive and old Spark wrote them".to_owned()
        })
    }

    /// The table's type for an INT96.
    pub(crate) fn int96_type(self) -> DataType {
        match self.int96 {
            Int96::Instant => instant(),
            Int96::WallClock | Int96::ClockOf(_) | Int96::OldClockOf(_) => WALL_CLOCK,
        }
    }

    /// A column in microseconds as it is meant. `has_int96` says whether its timestamps are such.
    pub(crate) fn apply(self, column: &ArrayRef, has_int96: HasInt96) -> Result<ArrayRef, ArrowError> {
        let of_zone = match (has_int96, self.int96) {
            (HasInt96::No, _) => return self.calendars.rebase(column),
            (HasInt96::Yes, Int96::WallClock | Int96::Instant) => None,
            (HasInt96::Yes, Int96::ClockOf(zone)) => Some((zone, wall_clock as ToClock)),
            (HasInt96::Yes, Int96::OldClockOf(zone)) => Some((zone, wall_clock_of_old_java as ToClock)),
        };
        let Some((zone, to_clock)) = of_zone.filter(|(zone, _)| *zone != Tz::UTC) else {
            return self.int96_calendars.rebase(column);
        };
        let clock = map_leaves(column, &|leaf| {
            if *leaf.data_type() != WALL_CLOCK {
                return Ok(None);
            }
            let times = leaf.as_primitive::<TimestampMicrosecondType>();
            Ok(Some(Arc::new(to_clock(times, zone)?) as ArrayRef))
        })?;
        self.int96_calendars.rebase(&clock)
    }
}

/// Makes wall clocks of a zone out of instants.
type ToClock = fn(&TimestampMicrosecondArray, Tz) -> Result<TimestampMicrosecondArray, ArrowError>;

/// Whether any type in it, at any depth, is such.
fn any_leaf(found: &DataType, wanted: &dyn Fn(&DataType) -> bool) -> bool {
    match found {
        DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
            any_leaf(item.data_type(), wanted)
        }
        DataType::Struct(fields) => fields.iter().any(|field| any_leaf(field.data_type(), wanted)),
        leaf => wanted(leaf),
    }
}

/// Whether a column's timestamps are INT96s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HasInt96 {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_mean_different_things() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        let shanghai: Tz = "Asia/Shanghai".parse().unwrap();
        let by = |marks: Marks<'_>| Times::by(&marks, berlin).unwrap();
        let mr = "parquet-mr version 1.10.0";

        let hive4 = by(Marks {
            created_by: mr,
            hive_zone: Some("Asia/Shanghai"),
            hive_proleptic: Some("false"),
            ..Marks::default()
        });
        assert_eq!(hive4.int96, Int96::ClockOf(shanghai));
        assert_eq!(hive4.calendars.dates, Calendar::Hybrid);
        assert_eq!(hive4.int96_calendars.timestamps, Calendar::Proleptic);

        let legacy =
            Marks { hive_zone: Some("Asia/Shanghai"), hive_old_offsets: Some("true"), ..Marks::default() };
        assert_eq!(by(legacy).int96, Int96::OldClockOf(shanghai));

        let hive2 = by(Marks { created_by: mr, ..Marks::default() });
        assert_eq!((hive2.int96, hive2.calendars.dates), (Int96::OldClockOf(berlin), Calendar::Hybrid));
        assert_eq!(hive2.int96_calendars.timestamps, Calendar::Hybrid);

        let spark = |version, legacy| {
            let marks =
                Marks { created_by: mr, spark: Some(version), legacy_dates: legacy, ..Marks::default() };
            by(marks)
        };
        let (new, old) = (spark("3.5.1", None), spark("2.4.8", None));
        assert_eq!((new.int96, new.calendars.dates), (Int96::Instant, Calendar::Proleptic));
        assert_eq!(new.int96_calendars.timestamps, Calendar::Proleptic);
        assert_eq!((old.calendars.dates, old.calendars.timestamps), (Calendar::Hybrid, Calendar::Hybrid));
        assert_eq!(spark("3.5.1", Some("")).calendars.dates, Calendar::Hybrid);
        assert_eq!(spark("3.0.1", None).int96_calendars.timestamps, Calendar::Hybrid);

        let impala = by(Marks { created_by: "impala version 4", ..Marks::default() });
        assert_eq!((impala.int96, impala.calendars.dates), (Int96::WallClock, Calendar::Proleptic));

        let lost = Marks { hive_zone: Some("Nowhere"), ..Marks::default() };
        assert!(Times::by(&lost, berlin).is_err());
    }

    #[test]
    fn what_others_would_read_otherwise_is_told() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        let of = |marks: Marks<'_>, types: &[&DataType], int96| {
            Times::by(&marks, berlin).unwrap().peculiar(types, int96).unwrap_or_default()
        };
        let mr = "parquet-mr version 1.10.0";
        let hive2 = || Marks { created_by: mr, ..Marks::default() };
        let list = DataType::new_list(DataType::Date32, true);
        assert!(of(hive2(), &[&WALL_CLOCK], HasInt96::Yes).contains("wall clock of Europe/Berlin"));
        assert!(of(hive2(), &[&list], HasInt96::No).contains("dates before 1582-10-15"));
        assert_eq!(of(hive2(), &[&DataType::Utf8View, &DataType::Int64], HasInt96::No), "");
        let hive4 = Marks {
            created_by: mr,
            hive_zone: Some("UTC"),
            hive_proleptic: Some("true"),
            ..Marks::default()
        };
        assert_eq!(of(hive4, &[&WALL_CLOCK, &DataType::Date32], HasInt96::Yes), "");
        let spark = |version| Marks { created_by: mr, spark: Some(version), ..Marks::default() };
        assert_eq!(of(spark("3.5.1"), &[&instant(), &DataType::Date32], HasInt96::Yes), "");
        assert!(of(spark("2.4.8"), &[&instant()], HasInt96::No).contains("timestamps before 1900"));
        assert_eq!(of(Marks::default(), &[&WALL_CLOCK, &DataType::Date32], HasInt96::Yes), "");
    }
}
