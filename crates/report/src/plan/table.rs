use hivecast_estimate::{Answer, Section};

use super::words;
use crate::layout::table;

/// Columns of a line, of which arithmetic takes what the numbers leave.
const WIDTH: usize = 110;
/// Columns that arithmetic has however long the names are.
const ARITHMETIC_LEAST: usize = 30;
const INDENT: &str = "  ";
const BETWEEN: usize = 2;
/// The column that has it.
const ARITHMETIC: usize = 3;
/// So many lines of it are shown.
const ARITHMETIC_LINES: usize = 2;
/// The sign that there is more.
const CUT: &str = " …";

/// The answer for a terminal: which engine and why, then every number with its arithmetic. What
/// of that is longer than two lines is cut, since `--why` has all of it.
pub fn plan_table(answer: &Answer) -> String {
    let facts = &answer.facts;
    let mut text = format!("{}, {}\n", facts.feed, facts.load_date);
    text.push_str(&paragraph(&format!("{}: {}.", words::engine(answer.choice.engine), answer.choice.why)));
    if let Some((_, verdict)) = words::deadline(answer) {
        text.push_str(&paragraph(&format!("{verdict}.")));
    }
    if answer.cluster.is_none() && answer.cluster_lacks.is_none() {
        text.push_str(&paragraph(&format!("{}.", words::NO_CLUSTER)));
    }
    text.push('\n');
    answer.sections.iter().for_each(|of| text.push_str(&section(of)));
    for note in &answer.notes {
        text.push_str(&paragraph(&format!("note: {note}")));
    }
    text.push_str(&more(answer));
    text
}

fn more(answer: &Answer) -> String {
    let settings = match &answer.cluster {
        Some(plan) => format!(", or one of Spark's {} settings", plan.settings.len()),
        None => String::new(),
    };
    paragraph(&format!(
        "--why NAME explains a number whole{settings}; --page FILE has all of it, with a chart."
    ))
}

/// One table, headed by the section's title. Arithmetic that does not fit goes on below itself.
fn section(section: &Section) -> String {
    let head = [section.title, "expected", "range", "arithmetic"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for quantity in &section.quantities {
        rows.push(vec![
            quantity.name.clone(),
            words::expected(quantity),
            words::range(quantity.value, quantity.unit),
            quantity.how.clone(),
        ]);
    }
    let room = arithmetic_room(&rows);
    let wrapped = |row: Vec<String>| {
        let lines = wrap(&row[ARITHMETIC], room);
        let first_of = |line: usize| {
            if line == 0 { row[..ARITHMETIC].to_vec() } else { vec![String::new(); ARITHMETIC] }
        };
        let lines = lines.into_iter().enumerate();
        lines
            .map(|(index, line)| first_of(index).into_iter().chain([line]).collect::<Vec<String>>())
            .collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = rows.into_iter().flat_map(wrapped).collect();
    table("", &rows, &[1]) + "\n"
}

fn arithmetic_room(rows: &[Vec<String>]) -> usize {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let numbers: usize = (0..ARITHMETIC).map(|column| width(column) + BETWEEN).sum();
    WIDTH.saturating_sub(numbers).max(ARITHMETIC_LEAST)
}

/// At most [`ARITHMETIC_LINES`] lines of whole words, the last with a sign where there are more.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = lines(text, room);
    if lines.len() > ARITHMETIC_LINES {
        lines.truncate(ARITHMETIC_LINES);
        if let Some(last) = lines.last_mut() {
            while last.chars().count() + CUT.chars().count() > room && last.contains(' ') {
                last.truncate(last.rfind(' ').unwrap_or_default());
            }
            // A sign of arithmetic alone at the end, or an opened parenthesis, says nothing.
            last.truncate(last.trim_end_matches([' ', ',', ';', ':', '+', 'x', '/', '(']).len());
            last.push_str(CUT);
        }
    }
    lines
}

/// A text in lines of [`WIDTH`] columns, all but the first indented.
fn paragraph(text: &str) -> String {
    lines(text, WIDTH - INDENT.len()).join(&format!("\n{INDENT}")) + "\n"
}

/// Whole words in lines of so many columns; a word that is longer has a line of its own. One line at least.
fn lines(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
