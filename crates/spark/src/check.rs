//! What a feed may not hold where Spark builds it.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use hivecast_engine::nested::{Nesting, RowRule};
use hivecast_feed::{Checked, FileFormat, Rule, Severity};
use hivecast_run::{Fault, Result};
use hivecast_sql::spark::sql_type;
use hivecast_warehouse::Inputs;

use crate::session::ServerKind;
use crate::statement::documents;
use crate::tables::{Sources, TableFiles};

/// Fails with `Class::Usage` where Spark would build another edition than the embedded engine, with all
/// reasons.
pub fn check(checked: &Checked, inputs: &Inputs) -> Result<()> {
    check_files(checked, &TableFiles::of_inputs(inputs))
}

/// As [`check`], before anything is frozen: by the formats of the tables' files.
pub fn check_formats(checked: &Checked, formats: &BTreeMap<String, FileFormat>) -> Result<()> {
    check_files(checked, &TableFiles::of_formats(checked, formats))
}

fn check_files(checked: &Checked, files: &[TableFiles]) -> Result<()> {
    let mut reasons = Vec::new();
    tables(files, &mut reasons);
    let nesting = Nesting::of(checked)?;
    gates(checked, &nesting, &mut reasons);
    match Sources::of_feed(&nesting, checked, files) {
        Err(reason) => reasons.push(reason),
        Ok(sources) => {
            reasons.extend(documents(nesting.root(), &sources, 1, ServerKind::Spark).err());
            reasons.extend(queries(checked, &sources));
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Fault::usage(format!("feed {} can't be built with Spark: {}", checked.feed.name, reasons.join("; ")))
        .advise("build with `engine: embedded`, or write it another way"))
}

/// What Spark can't be asked in `sql` gates.
fn queries(checked: &Checked, sources: &Sources) -> Vec<String> {
    let query = |gate: &hivecast_feed::Gate| match &gate.rule {
        Rule::Query { name, sql } => {
            let why = sources.query(&sql.value, checked).err()?;
            Some(format!("gate sql {name} ({}): {why}", checked.source.spot(&sql.span)))
        }
        _ => None,
    };
    checked.feed.gates.iter().filter_map(query).collect()
}

fn tables(files: &[TableFiles], reasons: &mut Vec<String>) {
    for input in files {
        let table = &input.table;
        if input.format != FileFormat::Parquet {
            reasons.push(format!(
                "table {table} has files that Spark reads by rules of its own; it is asked to read Parquet"
            ));
            continue;
        }
        if let Some(why) = &input.peculiar {
            reasons.push(format!("table {table}: {why}"));
        }
        for field in input.schema.fields() {
            if sql_type(field.data_type()).is_none() {
                let column = field.name();
                reasons.push(format!(
                    "column {column} of table {table} is {}, which Spark does not have",
                    field.data_type()
                ));
            }
        }
    }
}

fn gates(checked: &Checked, nesting: &Nesting<'_>, reasons: &mut Vec<String>) {
    for gate in &checked.feed.gates {
        let place = checked.source.spot(&gate.span);
        if let (Rule::ElementKey, Severity::Warn) = (&gate.rule, gate.severity) {
            reasons.push(format!(
                "gate element_key ({place}): with `warn` elements of one key keep the order of the files, which Spark \
                 does not tell"
            ));
        }
    }
    for table in &checked.feed.tables {
        let Some(columns) = checked.schemas.get(&table.name) else { continue };
        for check in nesting.row_checks(&table.name) {
            if !matches!(check.rule, RowRule::NotAmong(_)) {
                continue;
            }
            let kind = columns.field_with_name(&check.columns[0]).map(|field| field.data_type().clone());
            if kind.is_ok_and(|kind| !has_same_text(&kind)) {
                reasons.push(format!(
                    "gate allowed of table {}: values of column {} are written another way in Spark",
                    table.name, check.columns[0]
                ));
            }
        }
    }
}

/// Whether a value's text is the same in both.
pub(crate) fn has_same_text(kind: &DataType) -> bool {
    kind.is_integer()
        || matches!(kind, DataType::Utf8View | DataType::Utf8 | DataType::Date32 | DataType::Boolean)
        || matches!(kind, DataType::Decimal128(_, scale) if *scale >= 0)
}
