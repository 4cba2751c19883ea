//! When a partition is whole, as the feed asks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use hivecast_contract::LoadDate;
use hivecast_feed::Ready;
use hivecast_run::{Class, Context, Fault, Result};

use crate::catalog::{CatalogTable, Partition, Recent, Telling, partition_of};
use crate::describe::{DateSource, describe};
use crate::layout::{Listed, SUCCESS_FILE, has_success_file, list_files};
use crate::place::Place;
use crate::problem::Problem;
use crate::warehouse::Wish;

/// Load_dates that a row count is held against, counted back from the one that is read.
const BAND_DATES: usize = 7;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// The rows of a candidate, as far as its files say.
#[derive(Clone, Copy)]
pub(crate) enum Counted<'a> {
    /// Of all its files, where their footers say.
    Whole(Option<u64>),
    /// Of each day that its files have rows of.
    ByDate(&'a BTreeMap<LoadDate, u64>),
}

/// What a day's rows are held against.
#[derive(Default)]
struct Band {
    rows: Vec<u64>,
    /// Days of which no rows could be counted, and why.
    left_out: Vec<(LoadDate, String)>,
}

/// Rows of earlier load_dates, by table, that were counted and are not counted again while a day is waited for.
#[derive(Debug, Default)]
pub(crate) struct EarlierRows(RefCell<BTreeMap<(String, LoadDate), u64>>);

impl EarlierRows {
    fn of(&self, table: &str, date: LoadDate, count: impl FnOnce() -> Result<u64>) -> Result<u64> {
        let key = (table.to_owned(), date);
        if let Some(rows) = self.0.borrow().get(&key) {
            return Ok(*rows);
        }
        let rows = count()?;
        self.0.borrow_mut().insert(key, rows);
        Ok(rows)
    }
}

impl Band {
    fn average(&self) -> f64 {
        self.rows.iter().map(|rows| *rows as f64).sum::<f64>() / self.rows.len() as f64
    }

    fn holds(&self, rows: u64, share: f64) -> bool {
        self.rows.is_empty() || (rows as f64 - self.average()).abs() <= share * self.average()
    }

    /// Why rows don't fit.
    fn tell(&self, rows: u64, share: f64) -> String {
        let left_out: Vec<String> =
            self.left_out.iter().map(|(date, reason)| format!("; {date} is left out: {reason}")).collect();
        format!(
            "it has {rows} rows, where the {} load_dates before it have {:.0} on average, and may differ by {} %{}",
            self.rows.len(),
            self.average(),
            share * 100.0,
            left_out.concat()
        )
    }
}

/// A partition that is to be read.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) wish: &'a Wish<'a>,
    pub(crate) table: &'a dyn CatalogTable,
    pub(crate) partition: &'a Partition,
    pub(crate) files: &'a [Listed],
    pub(crate) date: LoadDate,
}

/// Fails where `ready` asks for what no partition here ever has, whatever its export does.
pub(crate) fn check_can_be_marked(wish: &Wish<'_>, partition: &Partition) -> Result<()> {
    match (&wish.layout.ready, &partition.parameters) {
        (Ready::Parameter { name, .. }, None) => Err(has_no_parameters(wish, name)),
        _ => Ok(()),
    }
}

fn has_no_parameters(wish: &Wish<'_>, name: &str) -> Fault {
    Fault::usage(format!(
        "table {}: `ready` asks for the partition's parameter {name}, which only a metastore has, and the \
         warehouse is a directory",
        wish.name
    ))
    .advise("use `ready: success_file` or `unchanged_for` in the feed")
}

impl Candidate<'_> {
    /// Fails while the partition is empty or not marked as whole. What its rows say is asked later.
    pub(crate) fn check_marked(&self, context: Context<'_>) -> Result<(), Problem> {
        self.check_mark()?;
        self.check_held(context)
    }

    /// As [`Candidate::check_marked`], of a partition whose mark was looked at.
    pub(crate) fn check_held(&self, context: Context<'_>) -> Result<(), Problem> {
        if let Ready::UnchangedFor(time) = &self.wish.layout.ready {
            self.check_unchanged(*time, context)?;
        }
        check_any(self.wish, &self.partition.place, self.files)
    }

    /// Fails while the mark that the feed asks for is not there.
    pub(crate) fn check_mark(&self) -> Result<(), Problem> {
        match &self.wish.layout.ready {
            Ready::SuccessFile => self.check_success_file(),
            Ready::Parameter { name, value } => self.check_parameter(name, value.as_deref()),
            Ready::Exists | Ready::UnchangedFor(_) | Ready::RowsWithin(_) => Ok(()),
        }
    }

    fn not_whole(&self, why: &str) -> Problem {
        Problem::Pending(Fault::infrastructure(format!(
            "table {}: load_date {} is not whole yet: {why}",
            self.wish.name, self.date
        )))
    }

    fn check_success_file(&self) -> Result<(), Problem> {
        match has_success_file(&self.partition.place)? {
            true => Ok(()),
            false => Err(self.not_whole(&format!("no {SUCCESS_FILE} in {}", self.partition.place))),
        }
    }

    fn check_parameter(&self, name: &str, wanted: Option<&str>) -> Result<(), Problem> {
        let Some(parameters) = &self.partition.parameters else {
            return Err(Problem::Lasting(has_no_parameters(self.wish, name)));
        };
        match (parameters.get(name), wanted) {
            (Some(_), None) => Ok(()),
            (Some(found), Some(wanted)) if found == wanted => Ok(()),
            (Some(found), Some(wanted)) => {
                Err(self.not_whole(&format!("its partition's parameter {name} is {found:?}, not {wanted:?}")))
            }
            (None, _) => Err(self.not_whole(&format!("its partition has no parameter {name}"))),
        }
    }

    fn check_unchanged(&self, time: Duration, context: Context<'_>) -> Result<(), Problem> {
        let Some(newest) = self.files.iter().max_by_key(|file| file.modified_ns) else { return Ok(()) };
        let age_ms = context.clock.now_ms().saturating_sub(newest.modified_ns / NANOS_PER_MILLI);
        // A file from the future was written by a machine whose clock is ahead: not long ago.
        let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
        if age >= time {
            return Ok(());
        }
        Err(self.not_whole(&format!(
            "{} was written {} s ago, and must be unchanged for {} s",
            newest.path,
            age.as_secs(),
            time.as_secs()
        )))
    }

    /// Fails while the day has other numbers of rows than the load_dates before it, where the feed asks
    /// for that.
    pub(crate) fn check_rows(
        &self,
        counted: Counted<'_>,
        earlier: &EarlierRows,
        context: Context<'_>,
    ) -> Result<(), Problem> {
        let Ready::RowsWithin(share) = self.wish.layout.ready else { return Ok(()) };
        let (rows, band) = match counted {
            Counted::Whole(rows) => {
                let rows = rows.or(self.partition.rows).ok_or_else(|| self.no_rows(&self.partition.place))?;
                (rows, self.band(earlier)?)
            }
            Counted::ByDate(dates) => {
                let before = dates.range(..self.date).rev().take(BAND_DATES);
                let band = Band { rows: before.map(|(_, rows)| *rows).collect(), left_out: Vec::new() };
                (dates.get(&self.date).copied().unwrap_or(0), band)
            }
        };
        if !band.holds(rows, share) {
            return Err(self.not_whole(&band.tell(rows, share)));
        }
        for (date, reason) in &band.left_out {
            context.warn(format!(
                "table {}: load_date {date} is not among those that the rows of {} are held against: {reason}",
                self.wish.name, self.date
            ));
        }
        if band.rows.is_empty() {
            context.warn(format!(
                "table {}: no load_date before {} to hold its {rows} rows against",
                self.wish.name, self.date
            ));
        }
        Ok(())
    }

    /// The load_dates before this one. What is wrong with one of them can't be mended by this day's export,
    /// so that such a day is left out; a store or metastore that fails is another matter.
    fn band(&self, earlier: &EarlierRows) -> Result<Band> {
        let recent = Recent { before: Some(self.date), near: self.date, enough: BAND_DATES };
        let mut band = Band::default();
        for date in self.table.newest(&recent)?.known.into_iter().rev().take(BAND_DATES) {
            match earlier.of(self.wish.name, date, || self.rows_on(date)) {
                Ok(rows) => band.rows.push(rows),
                Err(fault) if matches!(fault.class(), Class::Data | Class::Usage | Class::Denied) => {
                    band.left_out.push((date, fault.chain()));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(band)
    }

    /// The rows of a day, as the files' footers say, else as the metastore vouches for.
    fn rows_on(&self, date: LoadDate) -> Result<u64> {
        let partition = partition_of(self.table, self.wish, date, Telling::OnlyTheDay);
        let partition = partition.map_err(Problem::into_fault)?;
        let files = list_files(&partition.place)?;
        check_any(self.wish, &partition.place, &files).map_err(Problem::into_fault)?;
        let described = describe(self.wish, &partition, files, DateSource::Path)?;
        described.rows.or(partition.rows).ok_or_else(|| self.no_rows(&partition.place))
    }

    fn no_rows(&self, place: &Place) -> Fault {
        Fault::usage(format!(
            "table {}: `ready: {{ rows_within: … }}` needs numbers of rows, which neither the files in {place} nor the \
             metastore's statistics, where Hive vouches for them, tell",
            self.wish.name
        ))
        .advise("choose another `ready` in the feed, or have the metastore's statistics computed: `analyze table … compute statistics` in Hive")
    }
}

/// Fails where there are no files.
pub(crate) fn check_any(wish: &Wish<'_>, place: &Place, files: &[Listed]) -> Result<(), Problem> {
    if !files.is_empty() {
        return Ok(());
    }
    let fault = Fault::data(format!("table {}: no files in {place}", wish.name));
    Err(Problem::Pending(fault.advise("export the partition again")))
}
