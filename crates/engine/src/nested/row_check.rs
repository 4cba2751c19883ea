use std::collections::BTreeSet;

use hivecast_feed::{Feed, Rule, Severity};

use crate::row_gates::{Repeated, RowGate};

/// A gate that looks at one row at a time, for a cluster to count.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCheck {
    /// The gate, as people read it.
    pub gate: String,
    /// Why a row that breaches it is set aside.
    pub reason: String,
    /// The columns that it looks at, in lower case.
    pub columns: Vec<String>,
    /// What breaches it.
    pub rule: RowRule,
    /// What becomes of rows that breach it.
    pub severity: Severity,
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

/// In the order in which [`RowGate::of`] has them.
pub(super) fn of(feed: &Feed, table: &str) -> Vec<RowCheck> {
    let rule = |gate: &hivecast_feed::Gate| match &gate.rule {
        Rule::NullRate { of, .. } if of == table => Some(RowRule::Null),
        Rule::Allowed { of, values, .. } if of == table => {
            Some(RowRule::NotAmong(values.iter().cloned().collect()))
        }
        Rule::Unique { of, .. } if of == table => Some(RowRule::Repeated),
        _ => None,
    };
    let rules = feed.gates.iter().filter_map(|gate| Some((rule(gate)?, gate.severity)));
    let gates = RowGate::of(feed, table, &Repeated::default());
    let check = |(gate, (rule, severity)): (RowGate, (RowRule, Severity))| RowCheck {
        gate: gate.name(),
        reason: gate.reason(),
        columns: gate.columns().to_vec(),
        rule,
        severity,
    };
    gates.into_iter().zip(rules).map(check).collect()
}
