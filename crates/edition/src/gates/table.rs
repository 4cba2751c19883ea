use std::fmt::Write;

use crate::description::{GateResult, Outcome};

/// The results as one aligned text table, a line a gate. A gate that does not hold is followed by
/// the examples that it names. Ends with a line feed; empty where there is no gate.
pub fn table(results: &[GateResult]) -> String {
    if results.is_empty() {
        return String::new();
    }
    let rows: Vec<[&str; 4]> = results
        .iter()
        .map(|result| [word(result.outcome), &result.gate, &result.limit, &result.measured])
        .collect();
    let header = ["result", "gate", "allowed", "measured"];
    let width = |column: usize| {
        rows.iter().chain([&header]).map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    line(&mut text, &header, &widths);
    for (row, result) in rows.iter().zip(results) {
        line(&mut text, row, &widths);
        for example in result.examples.iter().filter(|_| result.outcome != Outcome::Pass) {
            let _ = writeln!(text, "{:1$}  - {example}", "", widths[0]);
        }
        if result.quarantined > 0 {
            let _ = writeln!(text, "{:1$}  set aside: {2}", "", widths[0], result.quarantined);
        }
    }
    text
}

fn line(text: &mut String, row: &[&str; 4], widths: &[usize; 3]) {
    for (cell, width) in row.iter().zip(widths) {
        let _ = write!(text, "{cell:width$}  ");
    }
    text.push_str(row[3]);
    text.push('\n');
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Warn => "WARN",
        Outcome::Quarantine => "QUARANTINE",
        Outcome::Fail => "FAIL",
        Outcome::Skip => "skip",
    }
}
