use std::collections::BTreeSet;

use hivecast_feed::{Feed, Rule, Severity};

use crate::masked::Masked;
use crate::row_gates::lower;

/// A gate that looks at one row at a time, for a cluster to count.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCheck {
    /// The columns that it looks at, in lower case.
    pub columns: Vec<String>,
    /// What breaches it.
    pub rule: RowRule,
    /// What becomes of rows that breach it.
    pub severity: Severity,
    /// Whether any of the columns may not be shown.
    pub is_hidden: bool,
}

/// What breaches a [`RowCheck`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowRule {
    /// Its column is null.
    Null,
    /// Its column, as text, is neither null nor one of these.
    NotAmong(BTreeSet<String>),
    /// None of its columns is null, and another row has the same values.
    Repeated,
}

/// In the order in which [`crate::row_gates::RowGate::of`] has them.
pub(super) fn of(feed: &Feed, masked: &Masked, table: &str) -> Vec<RowCheck> {
    let check = |gate: &hivecast_feed::Gate| {
        let (of, columns, rule) = match &gate.rule {
            Rule::NullRate { of, column, .. } => (of, lower([column]), RowRule::Null),
            Rule::Allowed { of, column, values } => {
                (of, lower([column]), RowRule::NotAmong(values.iter().cloned().collect()))
            }
            Rule::Unique { of, columns } => (of, lower(columns), RowRule::Repeated),
            _ => return None,
        };
        let is_hidden = columns.iter().any(|column| masked.hides(column));
        (of == table).then_some(RowCheck { columns, rule, severity: gate.severity, is_hidden })
    };
    feed.gates.iter().filter_map(check).collect()
}
