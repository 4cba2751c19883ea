//! Looks at a feed's tables for one day, again and again where they are not ready.

use hivecast_contract::LoadDate;
use hivecast_feed::Feed;
use hivecast_run::{Context, Fault, Result};

use crate::catalog::Telling;
use crate::freeze::look;
use crate::input::{Inputs, TableInput};
use crate::problem::{Problem, combine};
use crate::ready::EarlierRows;
use crate::warehouse::{Warehouse, wishes};

/// When a look opens the files of the tables that are marked as whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Always, so that every table's problem is told.
    Always,
    /// Once all tables are: while one is late, what the others hold is nobody's question.
    OnceAllAreMarked,
}

/// What keeps a feed's tables from being frozen: one problem a table, or one of the whole warehouse.
pub(crate) struct Blocked {
    problems: Vec<Problem>,
    date: LoadDate,
}

impl Blocked {
    /// Whether nothing but time is needed.
    pub(crate) fn is_pending(&self) -> bool {
        self.problems.iter().all(Problem::is_pending)
    }

    /// One line for each problem, without advice.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.problems.iter().map(|problem| problem.fault().chain()).collect()
    }

    /// As it is told to one who did not wait.
    pub(crate) fn into_fault(self) -> Fault {
        self.advised(or_wait)
    }

    /// As it is told to one who can't wait.
    pub(crate) fn into_fault_of_now(self) -> Fault {
        self.advised(|fault| match fault.advice() {
            Some(_) => fault,
            None => fault.advise("run it again once the export has ended"),
        })
    }

    /// As it is told to one who waited in vain, to whom waiting is no news.
    pub(crate) fn into_late(self) -> Fault {
        self.advised(|fault| fault.advise(LATE))
    }

    fn advised(self, advise: impl Fn(Fault) -> Fault) -> Fault {
        let date = format!("load_date {}", self.date);
        let problems = self.problems.into_iter().map(|problem| problem.advise_pending(&advise)).collect();
        combine(problems, &date).unwrap_or_else(|| Fault::bug("tables are blocked by no problem"))
    }
}

/// What to do about an export that did not come in time.
const LATE: &str =
    "see why the export is late, and run again once it has ended; that is safe, as is a longer --wait";

fn or_wait(fault: Fault) -> Fault {
    let advice = match fault.advice() {
        Some(advice) => format!("{advice}, or wait for the export with --wait"),
        None => "wait for the export with --wait 2h".to_owned(),
    };
    fault.advise(advice)
}

/// A feed's tables on one day, and what was found out about them by looking.
pub(crate) struct Watch<'a> {
    warehouse: &'a Warehouse,
    feed: &'a Feed,
    date: LoadDate,
    /// Tables whose files were opened. As long as those are the same they are not opened again.
    frozen: Vec<TableInput>,
    earlier: EarlierRows,
}

impl Warehouse {
    pub(crate) fn watch<'a>(&'a self, feed: &'a Feed, date: LoadDate) -> Watch<'a> {
        Watch { warehouse: self, feed, date, frozen: Vec::new(), earlier: EarlierRows::default() }
    }
}

impl Watch<'_> {
    /// Resolves every table to its files, with what blocks that kept apart from a cancelled run.
    pub(crate) fn look(
        &mut self,
        telling: Telling,
        opening: Opening,
        context: Context<'_>,
    ) -> Result<Result<Inputs, Blocked>> {
        let date = self.date;
        if let Err(fault) = self.warehouse.reach() {
            return Ok(Err(Blocked { problems: vec![fault.into()], date }));
        }
        let wishes: Vec<_> = wishes(self.feed).collect();
        let (mut marked, mut problems) = (Vec::new(), Vec::new());
        for wish in &wishes {
            context.check_cancelled()?;
            match look(&*self.warehouse.catalog, wish, (date, telling), context) {
                Ok(table) => marked.push((wish.name, table)),
                Err(problem) => problems.push((wish.name, problem)),
            }
        }
        let mut tables = Vec::new();
        if problems.is_empty() || opening == Opening::Always {
            for (name, table) in marked {
                context.check_cancelled()?;
                let frozen = self.frozen.iter().find(|frozen| table.is_still(frozen));
                let frozen = match frozen {
                    Some(frozen) => Ok(frozen.clone()),
                    None => table.freeze(&self.warehouse.catalog, &self.earlier, context),
                };
                match frozen {
                    Ok(table) => tables.push(table),
                    Err(problem) => problems.push((name, problem)),
                }
            }
            self.frozen.clone_from(&tables);
        }
        if !problems.is_empty() {
            // In the feed's order, whichever step found them.
            let place = |name: &str| wishes.iter().position(|wish| wish.name == name);
            problems.sort_by_key(|(name, _)| place(name));
            let problems = problems.into_iter().map(|(name, problem)| problem.of_table(name)).collect();
            return Ok(Err(Blocked { problems, date }));
        }
        for table in tables.iter().filter(|table| table.rows == Some(0)) {
            context.warn(format!("table {}: the files of load_date {date} hold no rows", table.table));
        }
        Ok(Ok(Inputs { load_date: date, tables }))
    }
}

#[cfg(test)]
mod tests;
