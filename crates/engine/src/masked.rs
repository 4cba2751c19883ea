//! Which columns a feed hides from consumers, and so from messages.

use std::collections::BTreeSet;
use std::error::Error;

use hivecast_feed::{Checked, Feed, Field, Node, Shape};
use hivecast_run::{Class, Fault};
use hivecast_sql::{Expression, SqlBinder};

use crate::row_gates::HIDDEN;

/// The columns that masked fields are made of, and those that join with such a one, in lower case. A
/// name counts in every table: a query hands columns on under their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masked {
    names: BTreeSet<String>,
}

impl Masked {
    /// Those of a feed.
    pub(crate) fn of(checked: &Checked) -> Self {
        let mut masked = Masked::default();
        masked.node(checked, &SqlBinder::default(), &checked.feed.document);
        // Each round carries masks over one more join of a chain of them.
        while masked.spread(&checked.feed.document.fields) {}
        masked
    }

    /// Whether a column's values may not be shown.
    pub(crate) fn hides(&self, column: &str) -> bool {
        self.names.contains(&column.to_lowercase())
    }

    /// Whether an expression over a table shows what may not be shown.
    pub(crate) fn hides_any(&self, expression: &Expression, columns: &arrow_schema::Schema) -> bool {
        expression.columns().into_iter().any(|column| self.hides(columns.field(column).name()))
    }

    /// Whether SQL speaks of a column that is hidden, or of all columns.
    pub(crate) fn is_spoken_of(&self, sql: &str) -> bool {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        !self.names.is_empty()
            && (sql.contains('*') || sql.split(|letter| !is_part(letter)).any(|word| self.hides(word)))
    }

    /// Why a query failed, without the values that it may speak of.
    pub(crate) fn veil(&self, feed: &Feed, query: &str, fault: Fault) -> Fault {
        let filters = feed.tables.iter().filter_map(|table| table.filter.as_ref());
        let spoken = self.is_spoken_of(query) || filters.into_iter().any(|sql| self.is_spoken_of(&sql.value));
        if fault.class() != Class::Data || !spoken {
            return fault;
        }
        let mut told = fault.to_string();
        let mut cause = fault.source();
        while let Some(error) = cause {
            // What was attempted is said in our own words; values are in those of others.
            let more =
                if error.is::<Fault>() { error.to_string() } else { without_values(&error.to_string()) };
            if !told.ends_with(&more) {
                told.push_str(": ");
                told.push_str(&more);
            }
            cause = error.source();
        }
        let veiled = Fault::data(told);
        match fault.advice() {
            Some(advice) => veiled.advise(advice),
            None => veiled,
        }
    }

    /// Whether there is anything that may not be shown.
    pub(crate) fn hides_anything(&self) -> bool {
        !self.names.is_empty()
    }

    /// A fault without its cause, which may quote any value, where there is anything that may not be shown.
    pub(crate) fn veil_cause(&self, fault: Fault) -> Fault {
        match self.hides_anything() {
            true => Fault::new(fault.class(), fault.to_string()).because(HIDDEN),
            false => fault,
        }
    }

    /// Hides what joins with a hidden column, whichever side that is on. Says whether there is any more.
    fn spread(&mut self, fields: &[Field]) -> bool {
        let before = self.names.len();
        for field in fields {
            match &field.shape {
                Shape::Value { .. } => {}
                Shape::Fields(inner) => {
                    self.spread(inner);
                }
                Shape::List(elements) => {
                    for element in elements {
                        self.spread(&element.fields);
                    }
                }
                Shape::One(node) | Shape::Many(node) => {
                    for pair in &node.on {
                        let sides = [pair.parent.to_lowercase(), pair.child.to_lowercase()];
                        if sides.iter().any(|side| self.names.contains(side)) {
                            self.names.extend(sides);
                        }
                    }
                    self.spread(&node.fields);
                }
            }
        }
        self.names.len() > before
    }

    fn node(&mut self, checked: &Checked, binder: &SqlBinder, node: &Node) {
        self.fields(checked, binder, &node.table.value, &node.fields);
    }

    fn fields(&mut self, checked: &Checked, binder: &SqlBinder, table: &str, fields: &[Field]) {
        for field in fields {
            match &field.shape {
                Shape::Value { sql, mask: Some(_) } => {
                    let Some(columns) = checked.schemas.get(table) else { continue };
                    // A feed that was checked binds.
                    let Ok(expression) = binder.expression(&sql.value, columns) else { continue };
                    let names = expression.columns();
                    self.names
                        .extend(names.into_iter().map(|column| columns.field(column).name().to_lowercase()));
                }
                Shape::Value { mask: None, .. } => {}
                Shape::Fields(inner) => self.fields(checked, binder, table, inner),
                Shape::List(elements) => {
                    elements.iter().for_each(|element| self.fields(checked, binder, table, &element.fields));
                }
                Shape::One(node) | Shape::Many(node) => self.node(checked, binder, node),
            }
        }
    }
}

/// A message without what it may quote: all between its first apostrophe and its last, since a value may hold
/// apostrophes itself, and words that begin as numbers do, which are written bare.
fn without_values(message: &str) -> String {
    let quoted = message.find('\'').zip(message.rfind('\'')).filter(|(first, last)| first < last);
    match quoted {
        Some((first, last)) => {
            format!(
                "{}'{HIDDEN}'{}",
                without_numbers(&message[..first]),
                without_numbers(&message[last + 1..])
            )
        }
        None => without_numbers(message),
    }
}

fn without_numbers(message: &str) -> String {
    let is_number = |word: &str| {
        word.trim_start_matches(['-', '+', '.', '(', '[', '{', '"', '`'])
            .starts_with(|letter: char| letter.is_ascii_digit())
    };
    let words = message.split(' ').map(|word| if is_number(word) { HIDDEN } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lose_values_whatever_is_in_them() {
        for (message, expected) in [
            (
                "Cannot cast string 'O'Brien' to value of Int32 type",
                "Cannot cast string '***' to value of Int32 type",
            ),
            ("Can't cast value 4711 to type Int32", "Can't cast value *** to type Int32"),
            ("Overflow happened on: -4711 * 12", "Overflow happened on: *** * ***"),
            ("'4711' is no date", "'***' is no date"),
            ("Divide by zero", "Divide by zero"),
        ] {
            assert_eq!(without_values(message), expected);
        }
    }
}
