//! Partitions by the values of some of their columns, without listing all.

use crate::client::{Metastore, Operation};
use crate::connection::Call;
use crate::decode::partition_values;
use crate::encode::Fields;
use crate::failure::{Exception, Failure, Failures};
use crate::names::{fold, partition_name, values_of_name};
use crate::read::{get_partition_names, get_partitions, get_partitions_by_filter};
use crate::table::{Column, Partition, Table};
use crate::write::column_fields;
use hivecast_run::{Fault, Result};
use std::collections::HashSet;

/// Which values of a partition column are wanted: any of these, as the column's text has them
/// (`2026-11-22` for a date, `20261122` for an int).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The column's name.
    pub column: String,
    /// Its values; none of them empty.
    pub values: Vec<String>,
}

impl Wanted {
    /// Any of `values` in `column`.
    pub fn any_of<T: Into<String>>(column: impl Into<String>, values: impl IntoIterator<Item = T>) -> Wanted {
        Wanted { column: column.into(), values: values.into_iter().map(Into::into).collect() }
    }
}

/// The most combinations of values that one question may have; a year of dates in each of ten countries.
const MAX_COMBINATIONS: usize = 10_000;
/// How many combinations stand in one filter: servers parse it recursively.
const FILTER_TERMS: usize = 50;
/// How many partitions a filter may pick: they come in one answer, each with all its columns.
const FILTER_MOST: i16 = 1_000;

impl Metastore {
    /// The partitions that have one of the wanted values in each of the columns that `wanted` names;
    /// columns that it does not name may have any. The server picks them, whatever number of others
    /// the table has; a number in an int column is matched as a number, so that 7 finds 07.
    ///
    /// Fails with a usage fault where the table is not partitioned by such a column, or there are more
    /// than 10,000 combinations.
    pub fn partitions_matching(&self, table: &Table, wanted: &[Wanted]) -> Result<Vec<Partition>> {
        let question = Question::new(table, wanted)?;
        let operation = self.operation(format!("for partitions of table {}", table.full_name()));
        question.ask(&operation).map_err(|failures| operation.fault(failures))
    }
}

/// Values of a partition column from one on, and before another, as the column compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub from: String,
    /// The first that is too great; none where none is.
    pub before: Option<String>,
}

/// How many values of a range are asked for: what is more is no range that is worth the question.
const RANGE_MOST: usize = 1_000;
const GET_PARTITION_VALUES: Call =
    Call { name: "get_partition_values", throws: &[Exception::Meta, Exception::NoSuchObject] };

impl Metastore {
    /// The values of a partition column that lie in a range, each once: the server picks them, and nothing
    /// but they is sent. None where this server can't pick by this column, or there are 1,000 or more.
    pub fn values_in_range(&self, table: &Table, column: &str, range: &Range) -> Result<Option<Vec<String>>> {
        let name = fold(column);
        let Some(column) = table.partition_columns.iter().find(|known| known.name == name) else {
            let text = format!("table {} is not partitioned by {name}", table.full_name());
            return Err(Fault::usage(text).advise(partitioned_by(table)));
        };
        let Some(filter) = range.filter(column) else { return Ok(None) };
        let operation = self.operation(format!("for values of {name} of table {}", table.full_name()));
        let request = Fields::new().structure(1, |request| {
            request
                .text(1, &table.database)
                .text(2, &table.name)
                .structures(3, std::slice::from_ref(column), column_fields)
                .flag(4, true)
                .text(5, &filter)
                .long(8, RANGE_MOST as i64)
        });
        let found = match operation.read(GET_PARTITION_VALUES, request, partition_values) {
            Ok(found) => found.unwrap_or_default(),
            // Servers before Hive 2.3 don't know the call, and not every server filters by every column.
            Err(failures) if failures.last().is_some_and(Failure::keeps_step) => return Ok(None),
            Err(failures) => return Err(operation.fault(failures)),
        };
        if found.len() >= RANGE_MOST {
            return Ok(None);
        }
        let mut values: Vec<String> = found.into_iter().filter_map(|row| row.into_iter().next()).collect();
        values.retain(|value| range.holds(column, value));
        values.sort_unstable();
        values.dedup();
        Ok(Some(values))
    }
}

impl Range {
    /// None where the column's values can't be compared by a server.
    fn filter(&self, column: &Column) -> Option<String> {
        let comparison = comparison(column);
        let least = format!("{} >= {}", column.name, constant(comparison, &self.from)?);
        match &self.before {
            None => Some(least),
            Some(end) => Some(format!("{least} and {} < {}", column.name, constant(comparison, end)?)),
        }
    }

    fn holds(&self, column: &Column, value: &str) -> bool {
        match comparison(column) {
            Comparison::Number => {
                let value = number(value);
                value >= number(&self.from) && self.before.as_ref().is_none_or(|end| value < number(end))
            }
            _ => value >= self.from.as_str() && self.before.as_ref().is_none_or(|end| value < end.as_str()),
        }
    }
}

/// How a partition column's values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// Character by character.
    Text,
    /// Dates: as text, but a filter has them without quotes.
    Date,
    /// Whole numbers.
    Number,
    /// As text, and no filter on it works with every server.
    Other,
}

fn comparison(column: &Column) -> Comparison {
    match column.type_name().as_str() {
        "string" => Comparison::Text,
        "date" => Comparison::Date,
        _ if column.has_whole_numbers() => Comparison::Number,
        _ => Comparison::Other,
    }
}

/// Sorts values of a column, the greatest first.
pub(crate) fn sort_descending(column: &Column, values: &mut [String]) {
    match comparison(column) {
        // What is no number comes last.
        Comparison::Number => values.sort_by(|a, b| (number(b), b).cmp(&(number(a), a))),
        _ => values.sort_unstable_by(|a, b| b.cmp(a)),
    }
}

fn number(text: &str) -> Option<i128> {
    text.trim().parse().ok()
}

/// What is wanted of a table: for each partition column, in order, its values, or `None` for any.
struct Question<'a> {
    table: &'a Table,
    comparisons: Vec<Comparison>,
    values: Vec<Option<Vec<&'a str>>>,
}

impl<'a> Question<'a> {
    fn new(table: &'a Table, wanted: &'a [Wanted]) -> Result<Question<'a>> {
        let mut values: Vec<Option<Vec<&str>>> = vec![None; table.partition_columns.len()];
        for one in wanted {
            let name = fold(&one.column);
            let Some(index) = table.partition_columns.iter().position(|column| column.name == name) else {
                let text = format!("table {} is not partitioned by {name}", table.full_name());
                return Err(Fault::usage(text).advise(partitioned_by(table)));
            };
            let mut seen = HashSet::new();
            let texts = one.values.iter().map(String::as_str).filter(|text| !text.is_empty());
            values[index] = Some(texts.filter(|text| seen.insert(*text)).collect());
        }
        let combinations = values.iter().flatten().map(Vec::len).try_fold(1_usize, usize::checked_mul);
        if combinations.is_none_or(|count| count > MAX_COMBINATIONS) {
            let text = format!(
                "more than {MAX_COMBINATIONS} partitions of table {} are asked for",
                table.full_name()
            );
            return Err(Fault::usage(text));
        }
        Ok(Question { table, comparisons: table.partition_columns.iter().map(comparison).collect(), values })
    }

    /// A filter picks partitions. Where it can't, or picks very many: the values of all columns make names,
    /// and else the names of all are looked through.
    fn ask(&self, operation: &Operation<'_>) -> Result<Vec<Partition>, Failures> {
        let combinations = self.combinations();
        let names_are_known = self.values.iter().all(Option::is_some) && !self.has_numbers();
        let mut found = match self.by_filter(operation, &combinations)? {
            Some(found) => found,
            // Not the first choice: Hive 4 stumbles, and takes seconds, when there is none of these names,
            // which is what is asked while an export is waited for.
            None if names_are_known => get_partitions(operation, self.table, &self.names(&combinations))?,
            None => self.by_listing(operation)?,
        };
        // Servers compare numbers with texts, and texts as their databases do.
        found.retain(|partition| self.is_wanted(&partition.values));
        Ok(found)
    }

    fn has_numbers(&self) -> bool {
        self.comparisons.contains(&Comparison::Number)
    }

    /// Every combination of the wanted values, an empty text standing for any.
    fn combinations(&self) -> Vec<Vec<&'a str>> {
        self.values.iter().fold(vec![Vec::new()], |prefixes, values| match values {
            None => prefixes.into_iter().map(|prefix| extended(&prefix, "")).collect(),
            Some(values) => prefixes
                .iter()
                .flat_map(|prefix| values.iter().map(|value| extended(prefix, value)))
                .collect(),
        })
    }

    fn names(&self, combinations: &[Vec<&str>]) -> Vec<String> {
        let columns = || self.table.partition_columns.iter().map(|column| column.name.as_str());
        combinations.iter().map(|values| partition_name(columns().zip(values.iter().copied()))).collect()
    }

    /// `None` where the values can't be written in a filter, the server does not take it, or it picks
    /// more than one answer should hold.
    fn by_filter(
        &self,
        operation: &Operation<'_>,
        combinations: &[Vec<&str>],
    ) -> Result<Option<Vec<Partition>>, Failures> {
        let terms: Option<Vec<String>> = combinations.iter().map(|values| self.term(values)).collect();
        let Some(terms) = terms else { return Ok(None) };
        let mut found = Vec::new();
        for some in terms.chunks(FILTER_TERMS) {
            match get_partitions_by_filter(operation, self.table, &some.join(" or "), FILTER_MOST) {
                Ok(more) if more.len() < FILTER_MOST.unsigned_abs().into() => found.extend(more),
                Ok(_) => return Ok(None),
                // Servers differ in which columns they filter by, and in how they are set up.
                Err(failures) if failures.last().is_some_and(Failure::keeps_step) => return Ok(None),
                Err(failures) => return Err(failures),
            }
        }
        Ok(Some(found))
    }

    fn by_listing(&self, operation: &Operation<'_>) -> Result<Vec<Partition>, Failures> {
        let mut names = get_partition_names(operation, self.table)?;
        names.retain(|name| self.is_wanted(&values_of_name(name)));
        get_partitions(operation, self.table, &names)
    }

    /// A combination as a term of a filter; `None` where some value can't be written in one.
    fn term(&self, values: &[&str]) -> Option<String> {
        let pairs = self.table.partition_columns.iter().zip(&self.comparisons).zip(values);
        let factors: Option<Vec<String>> = pairs
            .filter(|(_, value)| !value.is_empty())
            .map(|((column, comparison), value)| {
                let constant = constant(*comparison, value)?;
                Some(format!("{} = {constant}", column.name))
            })
            .collect();
        // Without a condition, a filter would be empty.
        factors.filter(|factors| !factors.is_empty()).map(|factors| format!("({})", factors.join(" and ")))
    }

    fn is_wanted(&self, values: &[String]) -> bool {
        values.len() == self.values.len()
            && self.values.iter().zip(&self.comparisons).zip(values).all(|((wanted, comparison), value)| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.iter().any(|wanted| is_equal(*comparison, wanted, value)))
            })
    }
}

fn extended<'a>(prefix: &[&'a str], value: &'a str) -> Vec<&'a str> {
    prefix.iter().copied().chain([value]).collect()
}

fn is_equal(comparison: Comparison, one: &str, other: &str) -> bool {
    one == other || comparison == Comparison::Number && number(one).is_some() && number(one) == number(other)
}

/// A value as a filter has it. Quotes can't be escaped in one.
fn constant(comparison: Comparison, value: &str) -> Option<String> {
    match comparison {
        Comparison::Text if !value.contains(['"', '\'', '\\']) => Some(format!("\"{value}\"")),
        Comparison::Date if is_date(value) => Some(value.to_owned()),
        Comparison::Number => number(value).map(|number| number.to_string()),
        _ => None,
    }
}

/// Whether a text has the form `2026-11-22`.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn partitioned_by(table: &Table) -> String {
    let names: Vec<&str> = table.partition_columns.iter().map(|column| column.name.as_str()).collect();
    match names.as_slice() {
        [] => "it is not partitioned at all".to_owned(),
        _ => format!("it is partitioned by {}", names.join(", ")),
    }
}
