//! What joining found, summed over pieces and turned into the verdicts of gates.

use std::collections::BTreeMap;

use hivecast_edition::{GateResult, Outcome, TableDescription};
use hivecast_feed::{Feed, Rule, Severity};

use crate::documents::KeySummary;
use crate::group::Findings;
use crate::nested::LevelCounts;
use crate::nodes::{Arity, NodePlan};
use crate::row_gates::{MAX_EXAMPLES, Repeated, RowGate, Tally, outcome, percent, plural};

/// What was found at one level of the document, and about its table's rows.
#[derive(Debug, Default)]
pub(crate) struct LevelFindings {
    pub(crate) tally: Tally,
    pub(crate) joined: Joined,
    pub(crate) rows_used: u64,
}

/// What the joins of a level with the one above found, over all pieces.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    orphans: u64,
    orphan_examples: Vec<String>,
    ambiguous: u64,
    ambiguous_examples: Vec<String>,
    surplus: u64,
    set_aside: u64,
}

/// What was found, by the level's path.
#[derive(Debug, Default)]
pub(crate) struct AllFindings {
    pub(crate) levels: BTreeMap<String, LevelFindings>,
    pub(crate) keys: KeySummary,
}

impl Joined {
    /// Takes over what was counted where rows were joined elsewhere.
    pub(crate) fn take(&mut self, counts: &LevelCounts) {
        if let Some((orphans, examples)) = &counts.orphans {
            self.orphans += orphans;
            extend(&mut self.orphan_examples, examples.clone(), MAX_EXAMPLES);
        }
        if let Some(found) = &counts.ambiguous {
            self.ambiguous += found.keys;
            self.surplus += found.surplus;
            self.set_aside += found.set_aside;
            extend(&mut self.ambiguous_examples, found.examples.clone(), MAX_EXAMPLES);
        }
    }
}

impl AllFindings {
    pub(crate) fn level(&mut self, node: &NodePlan) -> &mut LevelFindings {
        self.levels.entry(node.path.clone()).or_default()
    }

    /// Adds what one piece's join found.
    pub(crate) fn add_joined(&mut self, node: &NodePlan, found: Findings) {
        let joined = &mut self.level(node).joined;
        joined.orphans += found.orphans;
        joined.ambiguous += found.ambiguous;
        joined.surplus += found.surplus;
        joined.set_aside += found.ambiguous_rows.len() as u64;
        extend(&mut joined.orphan_examples, found.orphan_examples, MAX_EXAMPLES);
        extend(&mut joined.ambiguous_examples, found.ambiguous_examples, MAX_EXAMPLES);
    }

    /// What was read of each table: of a table that several levels use, what one of them read, and
    /// what all of them brought into documents.
    pub(crate) fn tables(&self, root: &NodePlan) -> Vec<TableDescription> {
        let mut tables: Vec<TableDescription> = Vec::new();
        for node in root.walk() {
            let Some(level) = self.levels.get(&node.path) else { continue };
            match tables.iter_mut().find(|table| table.table == node.table) {
                Some(table) => table.rows_used += level.rows_used,
                None => tables.push(TableDescription {
                    table: node.table.clone(),
                    rows_read: level.tally.rows_read,
                    rows: level.tally.rows,
                    rows_used: level.rows_used,
                }),
            }
        }
        tables
    }

    /// The verdicts of all gates that are judged while building, in the feed's order, then those
    /// that are always on.
    pub(crate) fn verdicts(&self, feed: &Feed, root: &NodePlan, repeated: &Repeated) -> Vec<GateResult> {
        let mut results = Vec::new();
        let mut seen = Vec::new();
        for node in root.walk() {
            if !seen.contains(&&node.table) {
                seen.push(&node.table);
                if let Some(level) = self.levels.get(&node.path) {
                    results.extend(level.tally.verdicts(&RowGate::of(feed, &node.table, repeated)));
                }
            }
        }
        for gate in &feed.gates {
            if let Rule::Orphans { of, max } = &gate.rule {
                results.extend(self.orphans(root, of, *max, gate.severity));
            }
        }
        results.push(self.document_key(severity_of(feed, &Rule::DocumentKey)));
        let element_severity = severity_of(feed, &Rule::ElementKey);
        for node in root.walk().into_iter().filter(|node| node.arity != Arity::Root) {
            results.extend(self.ambiguous(node, element_severity));
        }
        results
    }

    fn orphans(&self, root: &NodePlan, of: &str, max: f64, severity: Severity) -> Vec<GateResult> {
        let nodes = root.walk().into_iter().filter(|node| node.table == of && node.arity != Arity::Root);
        let verdict = |node: &NodePlan| {
            let level = self.levels.get(&node.path)?;
            let (orphans, rows) = (level.joined.orphans, level.tally.rows);
            let share = if rows == 0 { 0.0 } else { orphans as f64 / rows as f64 };
            let quarantined = if severity == Severity::Quarantine { orphans } else { 0 };
            Some(GateResult {
                gate: format!("orphans of {of} in {}", node.path),
                limit: format!("<= {}", percent(max)),
                measured: format!("{} ({orphans} of {rows})", percent(share)),
                outcome: outcome(share <= max && quarantined == 0, severity),
                examples: level.joined.orphan_examples.clone(),
                quarantined,
            })
        };
        nodes.filter_map(verdict).collect()
    }

    fn document_key(&self, severity: Severity) -> GateResult {
        let keys = &self.keys;
        let holds = keys.nulls == 0 && keys.surplus == 0;
        GateResult {
            gate: "document_key".to_owned(),
            limit: "no null, no duplicate".to_owned(),
            measured: format!("{} null, {} duplicate", keys.nulls, keys.surplus),
            outcome: outcome(holds, severity),
            examples: keys.examples.clone(),
            quarantined: match severity {
                Severity::Quarantine => keys.nulls + keys.surplus + keys.excluded,
                Severity::Warn | Severity::Fail => 0,
            },
        }
    }

    fn ambiguous(&self, node: &NodePlan, severity: Severity) -> Option<GateResult> {
        let joined = &self.levels.get(&node.path)?.joined;
        let (gate, limit, severity) = match node.arity {
            Arity::One => (format!("one row for {}", node.path), "at most one row a key", Severity::Fail),
            _ => (format!("element_key of {}", node.path), "no null, no duplicate", severity),
        };
        Some(GateResult {
            gate,
            limit: limit.to_owned(),
            measured: format!(
                "{}, {} too many",
                plural(joined.ambiguous, "key"),
                plural(joined.surplus, "row")
            ),
            outcome: if joined.ambiguous == 0 { Outcome::Pass } else { outcome(false, severity) },
            examples: joined.ambiguous_examples.clone(),
            quarantined: if severity == Severity::Quarantine { joined.set_aside } else { 0 },
        })
    }
}

/// The severity that the feed gives a gate that is always on; `fail` where it says nothing.
fn severity_of(feed: &Feed, rule: &Rule) -> Severity {
    feed.gates.iter().find(|gate| gate.rule == *rule).map_or(Severity::Fail, |gate| gate.severity)
}

/// Takes more examples, up to so many in all.
pub(crate) fn extend(examples: &mut Vec<String>, more: Vec<String>, most: usize) {
    let room = most.saturating_sub(examples.len());
    examples.extend(more.into_iter().take(room));
}
