use hivecast_estimate::{Answer, Quantity, Section};

use super::words;
use crate::layout::table;
use crate::terminal;

/// Columns of a line where standard output is no terminal.
pub(super) const WIDTH: usize = 120;
/// Columns of a line, at most: longer ones are hard to follow.
const WIDTH_MAX: usize = 160;
/// And at least: in fewer there is no room for a name.
const WIDTH_LEAST: usize = 40;
/// Columns that arithmetic has beside the numbers, at least. Where there are fewer, it goes below them.
const ARITHMETIC_LEAST: usize = 36;
const INDENT: &str = "  ";
const BETWEEN: usize = 2;
/// The column that has it.
const ARITHMETIC: usize = 3;
/// Arithmetic that takes more lines has its terms' own arithmetic left out.
const ARITHMETIC_LINES: usize = 2;
/// The sign of what is left out.
const LEFT_OUT: &str = "(…)";

/// The answer for a terminal, as wide as that is: which engine and why, then every number with its arithmetic. Of a
/// sum that is longer than two lines only the terms are shown, all of them, since `--why` has the rest.
pub fn plan_table(answer: &Answer) -> String {
    plan_table_in(answer, terminal::columns().unwrap_or(WIDTH))
}

/// The same in lines of so many columns.
pub(super) fn plan_table_in(answer: &Answer, columns: usize) -> String {
    let width = columns.clamp(WIDTH_LEAST, WIDTH_MAX);
    let paragraph = |text: &str| paragraph(text, width);
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
    answer.sections.iter().for_each(|of| text.push_str(&section(of, width)));
    for note in &answer.notes {
        text.push_str(&paragraph(&format!("note: {note}")));
    }
    text.push_str(&paragraph(&more(answer)));
    text
}

fn more(answer: &Answer) -> String {
    let settings = match &answer.cluster {
        Some(plan) => format!(", or one of Spark's {} settings", plan.settings.len()),
        None => String::new(),
    };
    format!("--why NAME explains a number whole{settings}; --page FILE has all of it, with a chart.")
}

/// One table, headed by the section's title. Arithmetic that does not fit goes on below itself.
fn section(section: &Section, width: usize) -> String {
    let head = [section.title, "expected", "range", "arithmetic"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for quantity in &section.quantities {
        let range = quantity.unit.show_range(quantity.value);
        rows.push(vec![quantity.name.clone(), words::expected(quantity), range, quantity.how.clone()]);
    }
    let Some(room) = arithmetic_room(&rows, width) else { return stacked(section, width) };
    let wrapped = |row: Vec<String>| {
        let lines = arithmetic(&row[ARITHMETIC], room);
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

/// Columns that the numbers leave; none where they are too few.
fn arithmetic_room(rows: &[Vec<String>], width: usize) -> Option<usize> {
    let column = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let numbers: usize = (0..ARITHMETIC).map(|index| column(index) + BETWEEN).sum();
    width.checked_sub(numbers).filter(|room| *room >= ARITHMETIC_LEAST)
}

/// A section for a narrow terminal: each number in a line of its own, its arithmetic below.
fn stacked(section: &Section, width: usize) -> String {
    let mut text = format!("{}\n", section.title);
    let indented = |indent: &str, lines: Vec<String>| -> String {
        lines.into_iter().map(|line| format!("{indent}{line}\n")).collect()
    };
    let number = |quantity: &Quantity| match quantity.unit.show_range(quantity.value) {
        range if range.is_empty() => format!("{}: {}", quantity.name, words::expected(quantity)),
        range => format!("{}: {} ({range})", quantity.name, words::expected(quantity)),
    };
    for quantity in &section.quantities {
        let below = INDENT.repeat(2);
        text.push_str(&indented(INDENT, lines(&number(quantity), width - INDENT.len())));
        text.push_str(&indented(&below, arithmetic(&quantity.how, width - below.len())));
    }
    text + "\n"
}

/// Arithmetic in lines of so many columns. None of its terms is left out, whatever they take.
fn arithmetic(text: &str, room: usize) -> Vec<String> {
    let whole = lines(text, room);
    if whole.len() <= ARITHMETIC_LINES { whole } else { lines(&terms_alone(text), room) }
}

/// A sum of terms such as `5.4 s rows (5.00 s x 1.083 million rows / cores)`, without how each came about.
fn terms_alone(sum: &str) -> String {
    const OPENING: &str = " (";
    let mut short = String::with_capacity(sum.len());
    let mut rest = sum;
    while let Some((before, inner)) = rest.split_once(OPENING) {
        let Some((_, after)) = inner.split_once(')') else { break };
        let is_term = before.ends_with(char::is_alphabetic)
            && before.contains(|character: char| character.is_ascii_digit())
            && (after.is_empty() || after.starts_with(" + "));
        short.push_str(before);
        match is_term {
            true => short.push_str(&format!(" {LEFT_OUT}")),
            false => short.push_str(&rest[before.len()..rest.len() - after.len()]),
        }
        rest = after;
    }
    short + rest
}

/// A text in lines of so many columns, all but the first indented.
fn paragraph(text: &str, width: usize) -> String {
    wrapped(text, width - INDENT.len()).join(&format!("\n{INDENT}")) + "\n"
}

/// As few lines as [`wrapped`] has, of which none is much longer than another: a line of one word is no use.
fn lines(text: &str, room: usize) -> Vec<String> {
    let fewest = wrapped(text, room);
    let longest_word = words_of(text).iter().map(|word| word.chars().count()).max().unwrap_or(0);
    let narrower = (longest_word..room).map(|room| wrapped(text, room));
    narrower.into_iter().find(|lines| lines.len() == fewest.len()).unwrap_or(fewest)
}

/// Whole words in lines of so many columns; a word that is longer has a line of its own. One line at least.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words_of(text) {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(&word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// The words of a text, of which a number and its unit are one.
fn words_of(text: &str) -> Vec<String> {
    const UNITS: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "s", "min", "h", "%"];
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', ';', ':', '.', ')']));
        match words.last_mut() {
            Some(number) if is_unit && number.ends_with(|last: char| last.is_ascii_digit()) => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_alike() {
        let text = "by the files' footers; 39.1 MiB in 8 files";
        assert_eq!(wrapped(text, 41), ["by the files' footers; 39.1 MiB in 8", "files"]);
        assert_eq!(lines(text, 41), ["by the files' footers;", "39.1 MiB in 8 files"]);
        assert_eq!(lines(text, 42), [text]);
        assert_eq!(lines("", 10), [""]);
        assert_eq!(wrapped("heap: 17.3 s, for 9", 10), ["heap:", "17.3 s,", "for 9"]);
        assert_eq!(lines("incomprehensibilities are", 9), ["incomprehensibilities", "are"]);
    }

    #[test]
    fn a_sum_keeps_its_terms() {
        let cases = [
            (
                "learned from 3 runs: 0.050 s start + 0.57 s rows (0.70 s x 0.8 rows / threads) + 1.0 s bytes (2 x 3)",
                "learned from 3 runs: 0.050 s start + 0.57 s rows (…) + 1.0 s bytes (…)",
            ),
            (
                "300 MiB + the greater of 6 tasks x 9 MiB / 0.6, and (6 tasks x 5 MiB + 72 MiB) / 0.4, in steps",
                "300 MiB + the greater of 6 tasks x 9 MiB / 0.6, and (6 tasks x 5 MiB + 72 MiB) / 0.4, in steps",
            ),
            (
                "0.007 h x (1 executor, the driver and 8 threads) x 0.05",
                "0.007 h x (1 executor, the driver and 8 threads) x 0.05",
            ),
            ("1 s start (never closed + 2 s", "1 s start (never closed + 2 s"),
        ];
        for (sum, short) in cases {
            assert_eq!(terms_alone(sum), short);
        }
    }
}
