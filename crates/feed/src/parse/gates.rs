use crate::diagnostic::Mistakes;
use crate::feed_settings as settings;
use crate::feed_settings::GATES;
use crate::model::{Gate, GatePlaces, Rule, Severity};
use crate::scalars::{bytes, integer, percentage, share};
use crate::section::{self, Section};
use crate::settings::Group;
use crate::tree::{Data, Node};

/// Reads a rule's own settings.
type ReadRule = fn(&Section<'_>, &mut Mistakes) -> Option<Rule>;

/// Whether a rule's breach names rows or documents that can be set aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breach {
    Separable,
    /// The same, and what breaches it can't be sent in any case.
    Unsendable,
    Whole,
}

static RULES: [(&str, &Group, Breach, ReadRule); 11] = [
    ("row_count", &settings::ROW_COUNT, Breach::Whole, row_count),
    ("row_change", &settings::ROW_CHANGE, Breach::Whole, row_change),
    ("null_rate", &settings::NULL_RATE, Breach::Separable, null_rate),
    ("allowed", &settings::ALLOWED, Breach::Separable, allowed),
    ("unique", &settings::UNIQUE, Breach::Separable, unique),
    ("orphans", &settings::ORPHANS, Breach::Separable, orphans),
    ("document_size", &settings::DOCUMENT_SIZE, Breach::Separable, document_size),
    ("document_key", &settings::DOCUMENT_KEY, Breach::Unsendable, |_, _| Some(Rule::DocumentKey)),
    ("element_key", &settings::ELEMENT_KEY, Breach::Separable, |_, _| Some(Rule::ElementKey)),
    ("mass_delete", &settings::MASS_DELETE, Breach::Whole, mass_delete),
    ("sql", &settings::QUERY, Breach::Separable, query),
];

pub(super) fn gates(node: &Node, mistakes: &mut Mistakes) -> Vec<Gate> {
    // Opened for its complaints about unknown and repeated rules; read in the order of the file.
    if Section::open(node, &GATES, mistakes).is_none() {
        return Vec::new();
    }
    let Data::Mapping(entries) = &node.data else { return Vec::new() };
    let mut gates: Vec<Gate> = Vec::new();
    for entry in entries {
        let Some((_, group, breach, read)) = RULES.iter().find(|(rule, ..)| *rule == entry.name) else {
            continue;
        };
        match &entry.value.data {
            Data::Sequence(_) => {
                let what = format!("`{}`", entry.name);
                let items = section::sequence(&entry.value, &what, mistakes).unwrap_or_default();
                gates.extend(items.iter().filter_map(|item| gate(item, group, *breach, *read, mistakes)));
            }
            Data::Null => {}
            _ => gates.extend(gate(&entry.value, group, *breach, *read, mistakes)),
        }
    }
    tell_repeated_names(&gates, mistakes);
    gates
}

fn gate(node: &Node, group: &Group, breach: Breach, read: ReadRule, mistakes: &mut Mistakes) -> Option<Gate> {
    let section = Section::open(node, group, mistakes)?;
    let severity = section.word("severity", mistakes).unwrap_or(Severity::Fail);
    if breach == Breach::Whole && severity == Severity::Quarantine {
        let message = format!("{} can't quarantine: there is nothing to set aside", group.title);
        let help = "choose `warn` or `fail`".to_owned();
        let place = section.get("severity").map_or_else(|| section.at.clone(), |node| node.span.clone());
        mistakes.add_with_help(&place, message, help);
    }
    if breach == Breach::Unsendable && severity == Severity::Warn {
        let message =
            format!("{} can't only warn: a document without a key of its own can't be sent", group.title);
        let help = "choose `fail` or `quarantine`".to_owned();
        let place = section.get("severity").map_or_else(|| section.at.clone(), |node| node.span.clone());
        mistakes.add_with_help(&place, message, help);
    }
    let rule = read(&section, mistakes)?;
    Some(Gate { rule, severity, span: section.at.clone(), places: places(&section) })
}

fn places(section: &Section<'_>) -> GatePlaces {
    let columns = match section.get("columns").map(|node| &node.data) {
        Some(Data::Sequence(items)) => items.iter().map(|item| item.span.clone()).collect(),
        _ => section.get("column").map(|node| node.span.clone()).into_iter().collect(),
    };
    GatePlaces { of: section.get("of").map(|node| node.span.clone()), columns }
}

/// Two `sql` gates of one name can't be told apart in reports.
fn tell_repeated_names(gates: &[Gate], mistakes: &mut Mistakes) {
    let mut names = Vec::new();
    for gate in gates {
        if let Rule::Query { name, .. } = &gate.rule {
            if names.contains(&name) {
                mistakes.add(&gate.span, format!("a second `sql` gate with the name `{name}`"));
            }
            names.push(name);
        }
    }
}

fn of(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<String> {
    super::name(section, "of", mistakes)
}

fn row_count(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    let of = of(section, mistakes);
    let min = section.parsed("min", integer(0, u64::MAX), mistakes);
    let max = section.parsed("max", integer(0, u64::MAX), mistakes);
    if !section.has("min") && !section.has("max") {
        mistakes.add(&section.at, "gate `row_count` needs `min`, `max` or both");
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        mistakes.add(&section.place("min"), format!("`min` {min} is more than `max` {max}"));
    }
    Some(Rule::RowCount { of: of?, min, max })
}

fn row_change(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    let of = of(section, mistakes);
    let max = section.parsed("max", percentage, mistakes);
    Some(Rule::RowChange { of: of?, max: max? })
}

fn null_rate(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    let of = of(section, mistakes);
    let column = super::name(section, "column", mistakes);
    let max = section.parsed("max", share, mistakes);
    Some(Rule::NullRate { of: of?, column: column?, max: max? })
}

fn allowed(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    let of = of(section, mistakes);
    let column = super::name(section, "column", mistakes);
    let values = texts(section, "values", mistakes);
    Some(Rule::Allowed { of: of?, column: column?, values: values? })
}

fn unique(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    let of = of(section, mistakes);
    let columns = texts(section, "columns", mistakes);
    Some(Rule::Unique { of: of?, columns: columns? })
}

fn orphans(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    let of = of(section, mistakes);
    let max = section.parsed("max", share, mistakes);
    Some(Rule::Orphans { of: of?, max: max? })
}

fn document_size(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    Some(Rule::DocumentSize { max: section.parsed("max", bytes, mistakes) })
}

fn mass_delete(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    Some(Rule::MassDelete { max: section.parsed("max", share, mistakes)? })
}

fn query(section: &Section<'_>, mistakes: &mut Mistakes) -> Option<Rule> {
    let name = super::name(section, "name", mistakes);
    let sql = super::setting_sql(section, "query", mistakes);
    Some(Rule::Query { name: name?, sql: sql? })
}

fn texts(section: &Section<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    let what = format!("`{name}`");
    let items = section::sequence(section.get(name)?, &what, mistakes)?;
    let texts = items.iter().filter_map(|item| section::text(item, &what, mistakes));
    Some(texts.map(|text| text.value).collect())
}
