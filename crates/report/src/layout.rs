/// Lays out rows in columns. The first row is the head; columns named in `right` (by index) are
/// aligned to the right. Every line starts with `indent`, and has no trailing spaces.
pub fn table(indent: &str, rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let width = widths[column];
            if right.contains(&column) {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:<width$}"));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_aligns_its_columns() {
        let rows = [["table", "rows"], ["a", "1,000"], ["long name", "7"]].map(|row| row.map(str::to_owned));
        let text = table("  ", &rows.map(Vec::from), &[1]);
        assert_eq!(text, "  table       rows\n  a          1,000\n  long name      7\n");
    }
}
