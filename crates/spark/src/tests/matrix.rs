//! Every function, operator, cast and type of a feed's expressions, value by value, on DataFusion and on real
//! servers.
//!
//! `matrix.txt` has a case a line:
//! - `= sql`: both give the same for every row; where one can't, neither can.
//! - `= sql ! 3 7`: as above, and a server may fail for these rows where DataFusion gives a value.
//! - `= sql ?`: as above, and a server may give a value where DataFusion fails.
//! - `- sql => reason`: refused, with a reason that holds this.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use hivecast_run::Context;
use hivecast_sql::{Expression, SqlBinder, shared_functions};

use super::rows::{Maps, rows};
use super::shown::{kind, shown};
use super::{SERVERS, ask, with_session, write};
use crate::session::Session;

const CASES: &str = include_str!("matrix.txt");
/// Columns of one statement.
const COLUMNS: usize = 40;

pub(super) struct Same {
    sql: String,
    expression: Expression,
    spark: String,
    /// What DataFusion gives, by row.
    expected: BTreeMap<i64, String>,
    /// Rows for which DataFusion fails.
    failing: Vec<i64>,
    /// Rows for which servers alone may fail.
    stricter: Vec<i64>,
    may_be_laxer: bool,
}

fn lines(mark: &str) -> impl Iterator<Item = &'static str> {
    CASES.lines().filter_map(move |line| line.strip_prefix(mark))
}

fn bind(sql: &str, rows: &RecordBatch) -> Expression {
    SqlBinder::default()
        .expression(sql, &rows.schema())
        .unwrap_or_else(|error| panic!("{sql} can't be bound: {}", error.message))
}

fn same(line: &str, rows: &RecordBatch) -> Result<Same, String> {
    let (line, may_be_laxer) = match line.strip_suffix(" ?") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let (sql, stricter) = match line.rsplit_once(" ! ") {
        Some((sql, rows)) => (sql, rows.split(' ').map(|row| row.parse().unwrap()).collect()),
        None => (line, Vec::new()),
    };
    let case = same_of(sql, rows, stricter).map_err(|why| format!("{sql} is refused: {why}"))?;
    Ok(Same { may_be_laxer, ..case })
}

/// A case of which nothing is known beforehand. The error says why it is refused.
pub(super) fn same_of(sql: &str, rows: &RecordBatch, stricter: Vec<i64>) -> Result<Same, String> {
    let expression = SqlBinder::default().expression(sql, &rows.schema()).map_err(|error| error.message)?;
    let spark = expression.to_spark()?;
    let (mut expected, mut failing) = (BTreeMap::new(), Vec::new());
    for row in 0..rows.num_rows() {
        let key = row as i64 + 1;
        match expression.evaluate(&rows.slice(row, 1)) {
            Ok(value) => {
                expected.insert(key, shown(&value, 0));
            }
            Err(_) => failing.push(key),
        }
    }
    Ok(Same { sql: sql.to_owned(), expression, spark, expected, failing, stricter, may_be_laxer: true })
}

impl Same {
    /// The column of a statement: null where it is known to fail.
    fn column(&self, index: usize) -> String {
        let avoided = self.avoided();
        match avoided.is_empty() {
            true => format!("{} as a{index}", self.spark),
            false => format!("case when k not in ({avoided}) then {} end as a{index}", self.spark),
        }
    }

    /// The rows for which somebody fails.
    fn avoided(&self) -> String {
        let rows: Vec<String> = self.failing.iter().chain(&self.stricter).map(i64::to_string).collect();
        rows.join(", ")
    }

    fn wrong(&self, found: &BTreeMap<i64, String>) -> Vec<String> {
        let rows = self.expected.iter().filter(|(row, _)| !self.stricter.contains(row));
        rows.filter_map(|(row, expected)| {
            let actual = found.get(row).map(String::as_str).unwrap_or("no row");
            (actual != expected).then(|| format!("row {row}: {actual}, not {expected}"))
        })
        .collect()
    }
}

/// The table that a server reads.
pub(super) struct Table {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Table {
    pub(super) fn new() -> Table {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.parquet");
        write(&path, &rows(Maps::AsWritten));
        Table { _directory: directory, path }
    }

    fn from(&self) -> String {
        format!("parquet.`{}`", self.path.display())
    }
}

/// What differs on a server, case by case.
pub(super) fn differences(
    cases: &[Same],
    table: &Table,
    session: &Session,
    context: &Context<'_>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for chunk in cases.chunks(COLUMNS) {
        let columns: Vec<String> = chunk.iter().enumerate().map(|(index, case)| case.column(index)).collect();
        let statement = format!("select k, {} from {}", columns.join(",\n"), table.from());
        match ask(session, &statement, context) {
            Ok(answer) => differences.extend(compared(chunk, &answer)),
            // One of them: each alone tells which.
            Err(_) => differences.extend(chunk.iter().flat_map(|case| alone(case, table, session, context))),
        }
    }
    for case in cases {
        let checked = match case.may_be_laxer {
            true => None,
            false => case.failing.first(),
        };
        for row in checked.into_iter().chain(&case.stricter) {
            let statement = format!("select k, {} from {} where k = {row}", case.spark, table.from());
            if let Ok(answer) = ask(session, &statement, context)
                && answer.values[0].get(row) != case.expected.get(row)
            {
                let expected = case.expected.get(row).map_or("an error", String::as_str);
                differences.push(format!("{}: row {row}: {:?}, not {expected}", case.sql, answer.values[0]));
            }
        }
    }
    differences
}

fn compared(cases: &[Same], answer: &super::Answer) -> Vec<String> {
    let mut differences = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let wrong = case.wrong(&answer.values[index]);
        if !wrong.is_empty() {
            differences.push(format!(
                "{}: {} of {} rows: {}",
                case.sql,
                wrong.len(),
                case.expected.len(),
                wrong[..wrong.len().min(3)].join("; ")
            ));
        }
        let (wanted, found) = (kind(case.expression.data_type()), kind(answer.columns[index].data_type()));
        if wanted != found {
            differences.push(format!("{}: is {found}, not {wanted}", case.sql));
        }
    }
    differences
}

fn alone(case: &Same, table: &Table, session: &Session, context: &Context<'_>) -> Vec<String> {
    // Rows that fail are left out before: Sail makes `and` of a `case` of truth values, and computes both sides.
    let avoided = case.avoided();
    let rows = if avoided.is_empty() { String::new() } else { format!(" where k not in ({avoided})") };
    let statement = format!("select k, {} as a0 from {}{rows}", case.spark, table.from());
    match ask(session, &statement, context) {
        Ok(answer) => compared(std::slice::from_ref(case), &answer),
        Err(fault) => {
            vec![format!("{}: fails: {}\n    {}", case.sql, first_line(&fault.chain()), case.spark)]
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(400).collect()
}

#[test]
fn expressions_give_the_same_on_servers() {
    let known = rows(Maps::ByKey);
    let (mut cases, mut refused) = (Vec::new(), Vec::new());
    for line in lines("= ") {
        match same(line, &known) {
            Ok(case) => cases.push(case),
            Err(why) => refused.push(why),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let table = Table::new();
    let mut wrong = Vec::new();
    for (server, variable) in SERVERS {
        with_session(variable, |session, context| {
            let found = differences(&cases, &table, session, context);
            wrong.extend(found.into_iter().map(|difference| format!("{server}: {difference}")));
        });
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_differs_is_refused_with_the_reason() {
    let known = rows(Maps::ByKey);
    for line in lines("- ") {
        let (sql, reason) = line.split_once(" => ").unwrap();
        match bind(sql, &known).to_spark() {
            Ok(written) => panic!("{sql} is not refused, but written as {written}"),
            Err(why) => assert!(why.contains(reason), "{sql} is refused, but: {why}"),
        }
    }
}

#[test]
fn the_matrix_has_every_function_that_a_feed_may_use() {
    let missing: Vec<&&str> = shared_functions()
        .iter()
        .filter(|name| !CASES.lines().any(|line| !line.starts_with('#') && calls(line, name)))
        .collect();
    assert!(missing.is_empty(), "matrix.txt has no case for {missing:?}");
}

/// Whether a function of this name is called, and none whose name only ends with it.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(&format!("{name}("))
        .any(|(at, _)| !line[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_'))
}

/// Texts reach a server as they are.
#[test]
fn literals_are_read_as_they_were_written() {
    let known = rows(Maps::ByKey);
    let texts: Vec<String> = (0..0x250)
        .map(|code| {
            format!("{}{}x", char::from_u32(code).unwrap_or(' '), char::from_u32(code).unwrap_or(' '))
        })
        .chain(["${x}", "$\\{", "\\u0041", "\\'", "--", "/* */", "\\%\\_", "a\\"].map(str::to_owned))
        .collect();
    let chunks: Vec<String> = texts.chunks(50).map(|chunk| chunk.concat()).collect();
    let cases: Vec<Same> = chunks
        .iter()
        .map(|all| same_of(&format!("'{}'", all.replace('\'', "''")), &known, Vec::new()).unwrap())
        .collect();
    let table = Table::new();
    for (server, variable) in SERVERS {
        with_session(variable, |session, context| {
            let differences = differences(&cases, &table, session, context);
            assert!(differences.is_empty(), "{server}: {}", differences.join("\n"));
        });
    }
}
