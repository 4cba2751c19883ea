//! What gates set aside: the rows themselves, and the documents that they name.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_cast::cast;
use arrow_schema::DataType;
use hivecast_engine::nested::{LevelPlan, Names, Nesting, Quarantine, Rows};
use hivecast_feed::{Checked, Rule, Severity};
use hivecast_run::{Context, Fault, Result};

use crate::counts::{ambiguous_elements, without_parent};
use crate::engine::refuse;
use crate::session::Session;
use crate::statement::{nested, slots};
use crate::tables::Sources;

/// Fetches what is set aside.
pub(crate) struct Fetcher<'a> {
    pub(crate) session: &'a Session,
    pub(crate) sources: &'a Sources,
    pub(crate) checked: &'a Checked,
    pub(crate) nesting: &'a Nesting<'a>,
    pub(crate) context: &'a Context<'a>,
}

impl Fetcher<'_> {
    /// Everything that the feed's gates set aside.
    pub(crate) fn fetch(&self, quarantine: &Quarantine<'_>) -> Result<()> {
        let levels = self.nesting.root().walk();
        for (at, level) in levels.iter().enumerate() {
            // A table that several levels read is written down by the first.
            let is_first = levels[..at].iter().all(|before| before.table() != level.table());
            self.rows(*level, is_first, quarantine)?;
        }
        self.joined(self.nesting.root(), quarantine)
    }

    fn rows(&self, level: LevelPlan<'_>, is_first: bool, quarantine: &Quarantine<'_>) -> Result<()> {
        let source = self.sources.of(level.table()).map_err(refuse)?;
        for (at, check) in
            source.checks.iter().enumerate().filter(|(_, check)| check.severity == Severity::Quarantine)
        {
            let what =
                format!("fetch the rows of table {} that gate {} sets aside", level.table(), check.gate);
            let breaching = format!("{} where b{at} and {}", source.judged(), source.judged_by(at, level));
            if is_first {
                self.session.query(
                    &what,
                    &format!("select * from {breaching}"),
                    self.context,
                    &mut |rows| quarantine.rows(level.table(), check, &rows),
                )?;
            }
            if let Some(key) = level.key().filter(|_| level.on().is_empty()) {
                let slots = slots(level).map_err(refuse)?;
                let key = format!("cast({} as string)", Names::slot(key));
                let sql = format!(
                    "select {key} from (select {slots} from {breaching}) documents where {key} is not null"
                );
                self.session.query(&what, &sql, self.context, &mut |keys| {
                    texts(&what, &keys)?.iter().try_for_each(|key| quarantine.document(key, check))
                })?;
            }
        }
        Ok(())
    }

    /// Rows that joining sets aside: those without a row above, and elements without a key of their own.
    fn joined(&self, parent: LevelPlan<'_>, quarantine: &Quarantine<'_>) -> Result<()> {
        for (level, parent_slots) in parent.children() {
            if self.sets_orphans_aside(level) {
                let rows = nested(level, self.sources).map_err(refuse)?;
                let orphans =
                    without_parent(self.sources, &rows, level, parent, parent_slots).map_err(refuse)?;
                let what = format!("fetch the rows of {} without a row above", level.title());
                let sql = format!("select below.* from {orphans}");
                self.session.query(&what, &sql, self.context, &mut |rows| quarantine.orphans(level, rows))?;
            }
            if self.sources.sets_elements_aside && level.rows() == Rows::Many {
                let elements =
                    ambiguous_elements(self.sources, level, parent, parent_slots).map_err(refuse)?;
                let what = format!("fetch the rows of {} that share a key", level.title());
                let sql = format!("select below.* from {elements}");
                self.session
                    .query(&what, &sql, self.context, &mut |rows| quarantine.elements(level, rows))?;
            }
            self.joined(level, quarantine)?;
        }
        Ok(())
    }

    fn sets_orphans_aside(&self, level: LevelPlan<'_>) -> bool {
        let is_such = |gate: &hivecast_feed::Gate| {
            gate.severity == Severity::Quarantine
                && matches!(&gate.rule, Rule::Orphans { of, .. } if of == level.table())
        };
        self.checked.feed.gates.iter().any(is_such)
    }
}

fn texts(what: &str, batch: &RecordBatch) -> Result<Vec<String>> {
    let column = cast(batch.column(0), &DataType::Utf8)
        .map_err(|error| Fault::infrastructure(format!("failed to {what}")).because(error))?;
    Ok(column.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}
