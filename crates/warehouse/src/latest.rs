//! `latest`: the newest load_date at which every table of a feed is ready.

use std::collections::BTreeSet;

use hivecast_contract::LoadDate;
use hivecast_feed::Feed;
use hivecast_run::{Context, Fault, Result, Silent};

use crate::catalog::{CatalogTable, Reach, Recent};
use crate::freeze::{check_ready, dates_of, today};
use crate::warehouse::{Warehouse, Wish, each_table, wishes};

/// Load_dates that are looked at, counted back from the newest: a month in which nothing was ready is
/// for a person to look at.
const MOST_LOOKED_AT: usize = 30;

/// The newest load_date at which every table of a feed is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The day.
    pub date: LoadDate,
    /// Newer days, newest first, and why each was passed over: one sentence each.
    pub passed_over: Vec<String>,
}

impl Warehouse {
    /// The newest load_date at which every table of the feed is ready; none where there is no
    /// load_date that all of them have. Looks at the newest 30 load_dates at most, and fails where none
    /// of them is ready, as [`Warehouse::freeze`] of the newest would. A store or metastore that fails
    /// is a failure, and no reason to take an older day.
    pub fn newest_ready(&self, feed: &Feed, context: Context<'_>) -> Result<Option<Newest>> {
        let tables = each_table(feed, |wish| self.catalog.find(wish))?;
        let mut having = Vec::with_capacity(tables.len());
        for (wish, (_, table)) in wishes(feed).zip(&tables) {
            let (dates, reach) = newest_of(&**table, &wish, context)?;
            having.push(Having { wish, table: &**table, dates, reach });
        }
        // A day among the newest of all tables together is among the newest of each that has it.
        let mut all = union(&having);
        if !all.iter().any(|date| having.iter().all(|table| table.dates.contains(date))) {
            for table in having.iter_mut().filter(|table| table.reach == Reach::Newest) {
                table.dates = table.table.dates()?.known;
            }
            all = union(&having);
            if !all.iter().any(|date| having.iter().all(|table| table.dates.contains(date))) {
                return Ok(None);
            }
        }
        let (mut passed_over, mut first) = (Vec::new(), None);
        for &date in all.iter().rev().take(MOST_LOOKED_AT) {
            let Some((reasons, fault)) = blocked(&having, date, context)? else {
                return Ok(Some(Newest { date, passed_over }));
            };
            passed_over.push(format!("load_date {date} is passed over: {reasons}"));
            first = first.or(fault.map(|fault| (date, fault)));
        }
        Err(none_is_ready(feed, first, passed_over.len()))
    }
}

/// A table, and the load_dates that it has.
struct Having<'a> {
    wish: Wish<'a>,
    table: &'a dyn CatalogTable,
    dates: BTreeSet<LoadDate>,
    reach: Reach,
}

fn union(tables: &[Having<'_>]) -> BTreeSet<LoadDate> {
    tables.iter().flat_map(|table| &table.dates).copied().collect()
}

/// As many of a table's newest load_dates as are looked at.
fn newest_of(
    table: &dyn CatalogTable,
    wish: &Wish<'_>,
    context: Context<'_>,
) -> Result<(BTreeSet<LoadDate>, Reach)> {
    if table.unpartitioned()?.is_some() {
        return Ok((dates_of(table, wish)?, Reach::All));
    }
    let near = today(context.clock)?;
    let dates = table.newest(&Recent { before: None, near, enough: MOST_LOOKED_AT })?;
    Ok((dates.known, dates.reach))
}

/// Why a day can't be taken, and the fault of the first table that has it and is not ready. None where
/// nothing speaks against it.
fn blocked(
    tables: &[Having<'_>],
    date: LoadDate,
    context: Context<'_>,
) -> Result<Option<(String, Option<Fault>)>> {
    let lacking: Vec<&str> =
        tables.iter().filter(|table| !table.dates.contains(&date)).map(|table| table.wish.name).collect();
    match lacking.as_slice() {
        [] => {}
        [one] => return Ok(Some((format!("table {one} has no such partition"), None))),
        several => return Ok(Some((format!("tables {} have no such partition", several.join(", ")), None))),
    }
    // What a run warns of is said when the day is frozen.
    let quiet = Context { sink: &Silent, ..context };
    let mut faults = Vec::new();
    for table in tables {
        context.check_cancelled()?;
        if let Err(problem) = check_ready(table.table, &table.wish, date, quiet) {
            faults.push(problem.into_not_ready()?);
        }
    }
    let reasons: Vec<String> = faults.iter().map(Fault::chain).collect();
    Ok(faults.into_iter().next().map(|fault| (reasons.join("; "), Some(fault))))
}

fn none_is_ready(feed: &Feed, first: Option<(LoadDate, Fault)>, looked_at: usize) -> Fault {
    match first {
        Some((date, fault)) => fault
            .within(format!("none of the newest {looked_at} load_dates is ready for feed {}", feed.name))
            .advise(format!("wait for the export with --load-date {date} --wait 2h, or look at it")),
        None => Fault::data(format!(
            "none of the newest {looked_at} load_dates is one that every table of feed {} has",
            feed.name
        ))
        .advise("give an older one with --load-date, or look at the exports with `hivecast tables`"),
    }
}
