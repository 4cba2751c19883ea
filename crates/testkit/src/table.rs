//! Tables of tests as plain rows.

use std::collections::BTreeMap;

use hivecast_feed::ColumnType;

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// No value, of any type.
    Null,
    /// `boolean`
    Bool(bool),
    /// `int` or `bigint`
    Int(i64),
    /// `string`
    Text(String),
    /// `date`, in days since 1970-01-01
    Date(i32),
    /// `decimal`: `unscaled` × 10^-`scale`. Cells that are compared have the same scale.
    Decimal {
        /// All digits as one whole number.
        unscaled: i64,
        /// How many of them stand behind the point.
        scale: u32,
    },
}

/// One row, by column name.
pub type Row = BTreeMap<String, Value>;

/// A table of the warehouse.
#[derive(Clone, Debug, PartialEq)]
pub struct TableData {
    /// The warehouse's name for it.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<(String, ColumnType)>,
    /// Its rows. Each has every column.
    pub rows: Vec<Row>,
}

impl Value {
    /// The value as SQL's `cast(… as string)` writes it; `None` for null.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Text(text) => text.clone(),
            Value::Date(days) => date_text(*days),
            Value::Decimal { unscaled, scale } => decimal_text(*unscaled, *scale),
        })
    }
}

/// Finds the day by walking the years from 1970: slow and plain, since it is what faster ways are
/// held against.
fn date_text(days: i32) -> String {
    let leap = |year: i32| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut rest) = (1970, days);
    while rest < 0 {
        year -= 1;
        rest += if leap(year) { 366 } else { 365 };
    }
    while rest >= if leap(year) { 366 } else { 365 } {
        rest -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", rest + 1)
}

fn decimal_text(unscaled: i64, scale: u32) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let one = 10_u64.pow(scale);
    let magnitude = unscaled.unsigned_abs();
    match scale {
        0 => format!("{sign}{magnitude}"),
        _ => format!("{sign}{}.{:0width$}", magnitude / one, magnitude % one, width = scale as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_sql_writes_them() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_779, "2026-11-22"),
            (-25_568, "1899-12-31"),
        ] {
            assert_eq!(Value::Date(days).text().unwrap(), text);
        }
        for (unscaled, scale, text) in [(1250, 2, "12.50"), (-5, 2, "-0.05"), (7, 0, "7"), (0, 2, "0.00")] {
            assert_eq!(Value::Decimal { unscaled, scale }.text().unwrap(), text);
        }
    }
}
