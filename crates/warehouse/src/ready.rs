//! When a partition is whole, as the feed asks.

use std::time::Duration;

use hivecast_contract::LoadDate;
use hivecast_feed::Ready;
use hivecast_run::{Context, Fault, Result};

use crate::catalog::{CatalogTable, Partition};
use crate::describe::{DateSource, describe};
use crate::layout::{Listed, SUCCESS_FILE, has_success_file, list_files};
use crate::place::Place;
use crate::problem::Problem;
use crate::warehouse::Wish;

/// Load_dates that a row count is held against, counted back from the one that is read.
const BAND_DATES: usize = 7;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A partition that is to be read.
pub(crate) struct Candidate<'a> {
    pub(crate) wish: &'a Wish<'a>,
    pub(crate) table: &'a dyn CatalogTable,
    pub(crate) partition: &'a Partition,
    pub(crate) files: &'a [Listed],
    pub(crate) date: LoadDate,
}

impl Candidate<'_> {
    /// Fails while the partition is empty or not marked as whole. What its rows say is asked later.
    pub(crate) fn check_marked(&self, context: Context<'_>) -> Result<(), Problem> {
        match &self.wish.layout.ready {
            Ready::SuccessFile => self.check_success_file()?,
            Ready::Parameter { name, value } => self.check_parameter(name, value.as_deref())?,
            Ready::UnchangedFor(time) => self.check_unchanged(*time, context)?,
            Ready::Exists | Ready::RowsWithin(_) => {}
        }
        check_any(self.wish, &self.partition.place, self.files)
    }

    fn not_whole(&self, why: &str) -> Problem {
        let fault = Fault::infrastructure(format!(
            "table {}: load_date {} is not whole yet: {why}",
            self.wish.name, self.date
        ));
        Problem::Pending(fault.advise("wait for the export with --wait 2h"))
    }

    fn check_success_file(&self) -> Result<(), Problem> {
        match has_success_file(&self.partition.place)? {
            true => Ok(()),
            false => Err(self.not_whole(&format!("no {SUCCESS_FILE} in {}", self.partition.place))),
        }
    }

    fn check_parameter(&self, name: &str, wanted: Option<&str>) -> Result<(), Problem> {
        let Some(parameters) = &self.partition.parameters else {
            let fault = Fault::usage(format!(
                "table {}: `ready` asks for the partition's parameter {name}, which only a metastore has, and the \
                 warehouse is a directory",
                self.wish.name
            ));
            return Err(Problem::Lasting(
                fault.advise("use `ready: success_file` or `unchanged_for` in the feed"),
            ));
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

    /// Fails while the partition has other numbers of rows than the load_dates before it, where the feed
    /// asks for that. `rows` are the partition's.
    pub(crate) fn check_rows(&self, rows: Option<u64>, context: Context<'_>) -> Result<(), Problem> {
        let Ready::RowsWithin(share) = self.wish.layout.ready else { return Ok(()) };
        let rows = rows.or(self.partition.rows).ok_or_else(|| self.no_rows(&self.partition.place))?;
        let earlier = self.rows_before()?;
        if earlier.is_empty() {
            context.warn(format!(
                "table {}: no load_date before {} to hold its {rows} rows against",
                self.wish.name, self.date
            ));
            return Ok(());
        }
        let average = earlier.iter().map(|rows| *rows as f64).sum::<f64>() / earlier.len() as f64;
        if (rows as f64 - average).abs() <= share * average {
            return Ok(());
        }
        Err(self.not_whole(&format!(
            "it has {rows} rows, where the {} load_dates before it have {average:.0} on average, and may differ by {} %",
            earlier.len(),
            share * 100.0
        )))
    }

    fn rows_before(&self) -> Result<Vec<u64>> {
        let dates = self.table.dates()?.known;
        let mut rows = Vec::new();
        for date in dates.range(..self.date).rev().take(BAND_DATES) {
            let partition = self.table.partition(*date).map_err(Problem::into_fault)?;
            rows.push(self.rows_of(&partition)?);
        }
        Ok(rows)
    }

    fn rows_of(&self, partition: &Partition) -> Result<u64> {
        if let Some(rows) = partition.rows {
            return Ok(rows);
        }
        let files = list_files(&partition.place)?;
        if files.is_empty() {
            return Ok(0);
        }
        let described = describe(self.wish, partition, files, DateSource::Path)?;
        described.rows.ok_or_else(|| self.no_rows(&partition.place))
    }

    fn no_rows(&self, place: &Place) -> Fault {
        Fault::usage(format!(
            "table {}: `ready: {{ rows_within: … }}` needs numbers of rows, which neither the files in {place} nor the \
             metastore's statistics tell",
            self.wish.name
        ))
        .advise("choose another `ready` in the feed, or have the metastore's statistics computed")
    }
}

/// Fails where there are no files.
pub(crate) fn check_any(wish: &Wish<'_>, place: &Place, files: &[Listed]) -> Result<(), Problem> {
    if !files.is_empty() {
        return Ok(());
    }
    let fault = Fault::data(format!("table {}: no files in {place}", wish.name));
    Err(Problem::Pending(fault.advise("export the partition again, or wait for the export with --wait")))
}
