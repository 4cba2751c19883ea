//! What is counted of all rows, besides those that are in documents.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use hivecast_engine::nested::{Ambiguous, LevelCounts, LevelPlan, Names, Nesting, RowRule, Rows};
use hivecast_feed::{Checked, Rule};
use hivecast_run::{Context, Fault, Result};
use hivecast_sql::spark::quoted;
use hivecast_warehouse::Inputs;

use crate::engine::refuse;
use crate::session::Session;
use crate::statement::{Refused, counted, is_ambiguous, joining, nested, rows, slots};
use crate::tables::{Source, Sources};

/// The rows of a level's query that no row of the level above joins with, whether `where` leaves that out or
/// not; as what follows `from`.
pub(crate) fn without_parent(
    sources: &Sources,
    rows: &str,
    level: LevelPlan<'_>,
    parent: LevelPlan<'_>,
    parent_slots: &[usize],
) -> std::result::Result<String, Refused> {
    let parents = format!("select {} from {}", slots(parent)?, sources.of(parent.table())?.all_kept(parent));
    Ok(format!("({rows}) below left anti join ({parents}) above on {}", pairs(level, parent_slots)))
}

/// The rows of a level's query that a row of the level above joins with; as what follows `from`.
fn with_parent(
    sources: &Sources,
    rows: &str,
    level: LevelPlan<'_>,
    parent: LevelPlan<'_>,
    parent_slots: &[usize],
) -> std::result::Result<String, Refused> {
    let parents = crate::statement::rows(parent, sources)?;
    Ok(format!("({rows}) below left semi join ({parents}) above on {}", pairs(level, parent_slots)))
}

/// The elements of a level that have no key of their own, with all that is below them; as what follows `from`.
pub(crate) fn ambiguous_elements(
    sources: &Sources,
    level: LevelPlan<'_>,
    parent: LevelPlan<'_>,
    parent_slots: &[usize],
) -> std::result::Result<String, Refused> {
    let counted = counted(level, &nested(level, sources)?);
    let rows = format!("select * from {counted} where {}", is_ambiguous(level));
    with_parent(sources, &rows, level, parent, parent_slots)
}

fn pairs(level: LevelPlan<'_>, parent_slots: &[usize]) -> String {
    pairs_of("below", level, "above", parent_slots)
}

fn pairs_of(below: &str, level: LevelPlan<'_>, above: &str, parent_slots: &[usize]) -> String {
    let pairs = level.on().iter().zip(parent_slots);
    let pairs = pairs
        .map(|(child, parent)| format!("{below}.{} = {above}.{}", Names::slot(*child), Names::slot(*parent)));
    pairs.collect::<Vec<_>>().join(" and ")
}

/// A level with those above it, the root first: each with the slots of the one before that it joins with.
type Lineage<'a> = [(LevelPlan<'a>, &'a [usize])];

/// The rows of the last of these levels, each once for every row above that it joins with up to the root; as
/// what follows `from`. It is written as joins and without lists, so that it counts what those must hold.
fn below_root(sources: &Sources, lineage: &Lineage<'_>) -> std::result::Result<String, Refused> {
    let mut joined = String::new();
    for (depth, (level, parent_slots)) in lineage.iter().enumerate() {
        let rows = joining(sources, *level)?;
        match depth.checked_sub(1) {
            None => joined.push_str(&format!("({rows}) l0")),
            Some(above) => {
                let on = pairs_of(&format!("l{depth}"), *level, &format!("l{above}"), parent_slots);
                joined.push_str(&format!(" join ({rows}) l{depth} on {on}"));
            }
        }
    }
    Ok(joined)
}

/// How many offending keys a gate names.
const EXAMPLES: usize = 10;

/// Counts for every level.
pub(crate) struct Counter<'a> {
    pub(crate) session: &'a Session,
    pub(crate) sources: &'a Sources,
    pub(crate) checked: &'a Checked,
    pub(crate) inputs: &'a Inputs,
    pub(crate) context: &'a Context<'a>,
}

impl Counter<'_> {
    /// One for each level, parents first.
    pub(crate) fn count(&self, nesting: &Nesting<'_>) -> Result<Vec<LevelCounts>> {
        let mut counts = Vec::new();
        self.level(&mut vec![(nesting.root(), &[])], &mut counts)?;
        Ok(counts)
    }

    /// Counts the last of these levels, then those below it.
    fn level<'l>(
        &self,
        lineage: &mut Vec<(LevelPlan<'l>, &'l [usize])>,
        counts: &mut Vec<LevelCounts>,
    ) -> Result<()> {
        let Some(&(level, parent_slots)) = lineage.last() else { return Ok(()) };
        let source = self.sources.of(level.table()).map_err(refuse)?;
        let mut found = LevelCounts { path: level.path().to_owned(), ..LevelCounts::default() };
        self.rows(level, source, &mut found)?;
        found.nested = found.rows;
        if let Some((parent, _)) = lineage.iter().rev().nth(1) {
            if self.judges_orphans(level) {
                found.orphans = Some(self.orphans(level, *parent, parent_slots)?);
            }
            found.ambiguous = Some(self.ambiguous(level, *parent, parent_slots)?);
            let what = format!("count the rows of {} in documents", level.title());
            let below = below_root(self.sources, lineage).map_err(refuse)?;
            found.nested = self.numbers(&what, &format!("select count(*) from {below}"))?[0];
        }
        counts.push(found);
        for child in level.children() {
            lineage.push(child);
            self.level(lineage, counts)?;
            lineage.pop();
        }
        Ok(())
    }

    fn rows(&self, level: LevelPlan<'_>, source: &Source, found: &mut LevelCounts) -> Result<()> {
        let what = format!("count the rows of table {}", level.table());
        found.rows_read = self.numbers(&what, &format!("select count(*) from {}", source.raw()))?[0];
        self.check_read(level.table(), found.rows_read)?;
        let breaches = source.checks.iter().enumerate().map(|(at, _)| {
            format!(
                ", coalesce(sum(case when b{at} and {} then 1 else 0 end), 0)",
                source.judged_by(at, level)
            )
        });
        let judged = format!("select count(*){} from {}", breaches.collect::<String>(), source.judged());
        let numbers = self.numbers(&what, &judged)?;
        found.rows_judged = numbers[0];
        found.rows = self.numbers(&what, &format!("select count(*) from {}", source.kept(level)))?[0];
        for (at, breaches) in numbers[1..].iter().enumerate() {
            let check = &source.checks[at];
            let columns: Vec<String> = check.columns.iter().map(|column| quoted(column)).collect();
            let examples = match (breaches, &check.rule) {
                // There is nothing to say of a value that is not there.
                (0, _) | (_, RowRule::Null) => Vec::new(),
                _ => self.texts(
                    &what,
                    &columns,
                    &format!("{} where b{at} and {}", source.judged(), source.judged_by(at, level)),
                )?,
            };
            found.breaches.push((*breaches, examples));
        }
        Ok(())
    }

    /// Whether the server sees the rows that the files have: one that finds no files may take that for a
    /// table without rows.
    fn check_read(&self, table: &str, read: u64) -> Result<()> {
        let input = self.inputs.tables.iter().find(|input| input.table == table);
        let Some(rows) = input.and_then(|input| input.rows).filter(|rows| *rows != read) else {
            return Ok(());
        };
        Err(Fault::infrastructure(format!(
            "{} reads {read} rows of table {table}, whose files have {rows}",
            self.session.name()
        ))
        .advise("see that it reaches the warehouse under the names that Hivecast has for it"))
    }

    fn judges_orphans(&self, level: LevelPlan<'_>) -> bool {
        let gates = self.checked.feed.gates.iter();
        gates.into_iter().any(|gate| matches!(&gate.rule, Rule::Orphans { of, .. } if of == level.table()))
    }

    /// Rows without a row above, whether `where` leaves that out or not.
    fn orphans(
        &self,
        level: LevelPlan<'_>,
        parent: LevelPlan<'_>,
        parent_slots: &[usize],
    ) -> Result<(u64, Vec<String>)> {
        let rows = rows(level, self.sources).map_err(refuse)?;
        let orphans = without_parent(self.sources, &rows, level, parent, parent_slots).map_err(refuse)?;
        let what = format!("count the rows of {} without a row above", level.title());
        let count = self.numbers(&what, &format!("select count(*) from {orphans}"))?[0];
        let keys: Vec<String> =
            level.on().iter().map(|slot| format!("below.{}", Names::slot(*slot))).collect();
        let examples = if count == 0 { Vec::new() } else { self.texts(&what, &keys, &orphans)? };
        Ok((count, examples.into_iter().map(|key| key.join(", ")).collect()))
    }

    /// Rows of a level that can't be told apart: those of one join key where one row is allowed, those of one
    /// element's key within a join key where there are many, and rows without that.
    fn ambiguous(
        &self,
        level: LevelPlan<'_>,
        parent: LevelPlan<'_>,
        parent_slots: &[usize],
    ) -> Result<Ambiguous> {
        let what = format!("count the rows of {} that share a key", level.title());
        let rows = rows(level, self.sources).map_err(refuse)?;
        let rows = match level.rows() {
            // Which row of a key would be taken must not hang on tomorrow's rows above.
            Rows::One => format!("({rows}) below"),
            Rows::Many => with_parent(self.sources, &rows, level, parent, parent_slots).map_err(refuse)?,
        };
        let on: Vec<String> = level.on().iter().map(|slot| format!("below.{}", Names::slot(*slot))).collect();
        let present: Vec<String> = on.iter().map(|key| format!("{key} is not null")).collect();
        let single = match (level.rows(), level.key()) {
            (Rows::Many, Some(key)) => format!("count(distinct below.{})", Names::slot(key)),
            _ => "1".to_owned(),
        };
        let keys: Vec<String> = on.iter().enumerate().map(|(at, key)| format!("{key} as k{at}")).collect();
        let several = format!(
            "(select {}, count(*) - {single} as surplus from {rows} where {} group by {} having count(*) > {single}) several",
            keys.join(", "),
            present.join(" and "),
            on.join(", ")
        );
        let numbers =
            self.numbers(&what, &format!("select count(*), coalesce(sum(surplus), 0) from {several}"))?;
        let mut found = Ambiguous { keys: numbers[0], surplus: numbers[1], ..Ambiguous::default() };
        if found.keys == 0 {
            return Ok(found);
        }
        let columns =
            (0..on.len()).map(|at| format!("k{at}")).chain(["surplus".to_owned()]).collect::<Vec<_>>();
        let shown = |mut key: Vec<String>| {
            let surplus = key.pop().unwrap_or_default();
            let rows = if surplus == "1" { "row" } else { "rows" };
            format!("{} ({surplus} {rows} too many)", key.join(", "))
        };
        found.examples = self.texts(&what, &columns, &several)?.into_iter().map(shown).collect();
        if self.sources.sets_elements_aside && level.rows() == Rows::Many {
            let elements = ambiguous_elements(self.sources, level, parent, parent_slots).map_err(refuse)?;
            found.set_aside = self.numbers(&what, &format!("select count(*) from {elements}"))?[0];
        }
        Ok(found)
    }

    /// The numbers of a query's only row.
    fn numbers(&self, what: &str, sql: &str) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        self.session.query(what, sql, self.context, &mut |batch: RecordBatch| {
            for column in batch.columns().iter().filter(|column| !column.is_empty()) {
                numbers.push(number(what, column)?);
            }
            Ok(())
        })?;
        match numbers.is_empty() {
            false => Ok(numbers),
            true => Err(Fault::infrastructure(format!("failed to {what}: Spark gave no row"))),
        }
    }

    /// A few rows of these columns as text.
    fn texts(&self, what: &str, columns: &[String], from: &str) -> Result<Vec<Vec<String>>> {
        let columns: Vec<String> =
            columns.iter().map(|column| format!("coalesce(cast({column} as string), 'null')")).collect();
        let sql = format!("select {} from {from} limit {EXAMPLES}", columns.join(", "));
        let mut rows = Vec::new();
        self.session.query(what, &sql, self.context, &mut |batch: RecordBatch| {
            let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
            let columns = columns
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|error| Fault::infrastructure(format!("failed to {what}")).because(error))?;
            for row in 0..batch.num_rows() {
                let values = columns.iter().map(|column| column.as_string::<i32>().value(row).to_owned());
                rows.push(values.collect());
            }
            Ok(())
        })?;
        Ok(rows)
    }
}

/// The count in a column's first row.
fn number(what: &str, column: &ArrayRef) -> Result<u64> {
    let column = cast(column, &DataType::Int64)
        .map_err(|error| Fault::infrastructure(format!("failed to {what}")).because(error))?;
    let column = column.as_primitive::<Int64Type>();
    let count = column.is_valid(0).then(|| column.value(0));
    count.and_then(|count| u64::try_from(count).ok()).ok_or_else(|| {
        let told = count.map_or_else(|| "null".to_owned(), |count| count.to_string());
        Fault::infrastructure(format!("failed to {what}: Spark counted {told}"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, Int64Array, UInt64Array};
    use hivecast_run::Class;

    use super::*;

    #[test]
    fn a_count_is_a_number_or_a_fault() {
        let column = |value: Option<i64>| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
        assert_eq!(number("count", &column(Some(7))).unwrap(), 7);
        assert_eq!(number("count", &(Arc::new(Int32Array::from(vec![8])) as _)).unwrap(), 8);
        let too_large: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        for (column, told) in [(column(None), "null"), (column(Some(-1)), "-1"), (too_large, "null")] {
            let fault = number("count rows", &column).unwrap_err();
            assert_eq!(fault.class(), Class::Infrastructure);
            assert_eq!(fault.chain(), format!("failed to count rows: Spark counted {told}"));
        }
    }
}
