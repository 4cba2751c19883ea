//! The plan as one SQL statement.
//!
//! Each level is a query over its table: slots, `where`. A level with others below it is joined with each of
//! them, grouped by its join columns into lists of structs. The root is divided by ranges of its key's
//! CRC-32. Nothing is put into an order: that is done where the edition is written.

use hivecast_engine::nested::{LevelPlan, Names, Rows};
use hivecast_sql::spark::{quoted, sql_type};

use crate::check::has_same_text;
use crate::session::ServerKind;
use crate::tables::Sources;

/// The column of a document's part.
pub(crate) const PART: &str = "part";
/// The list of a group's rows.
const BELOW: &str = "below";
/// The values of CRC-32.
const HASHES: u64 = 1 << u32::BITS;

/// What the statement can't be made of, with the place in the feed.
pub(crate) type Refused = String;

/// The documents' rows, each with its part.
pub(crate) fn documents(
    root: LevelPlan<'_>,
    sources: &Sources,
    parts: u32,
    server: ServerKind,
) -> Result<String, Refused> {
    let key = root.key().ok_or("the document has no key")?;
    check_key(root, key)?;
    let key = format!("cast({} as string)", Names::slot(key));
    // Exact: a power of two divides a double without a rest. Rows without a key become no documents.
    let part = format!("cast(coalesce(crc32(cast({key} as binary)), 0) * {parts} / {HASHES}D as int)");
    let rows = nested(root, sources)?;
    // One task writes a part, where that can be asked for: then it is one file.
    let divided = match server {
        ServerKind::Spark => format!("\ndistribute by {PART}"),
        ServerKind::Sail => String::new(),
    };
    Ok(format!("select *, {part} as {PART} from (\n{rows}\n) documents{divided}"))
}

/// Whether a key's text is the same in both: its CRC-32 decides where a document lies.
fn check_key(root: LevelPlan<'_>, key: usize) -> Result<(), Refused> {
    let kind = root.slots()[key].data_type();
    match has_same_text(kind) {
        true => Ok(()),
        false => Err(format!("{}: a key of type {kind} is written another way in Spark", root.origin(key))),
    }
}

/// A level's rows, with all that is below them in lists.
pub(crate) fn nested(level: LevelPlan<'_>, sources: &Sources) -> Result<String, Refused> {
    let rows = rows(level, sources)?;
    if level.children().next().is_none() {
        return Ok(rows);
    }
    let mut columns = vec!["above.*".to_owned()];
    let mut joins = String::new();
    for (index, (child, parent_slots)) in level.children().enumerate() {
        let alias = format!("g{index}");
        columns.push(format!("{alias}.{BELOW} as {}", Names::child(index)));
        let grouped = grouped(child, sources)?;
        let pairs = parent_slots.iter().enumerate();
        let pairs = pairs.map(|(at, slot)| format!("above.{} = {alias}.k{at}", Names::slot(*slot)));
        let on = pairs.collect::<Vec<_>>().join(" and ");
        joins.push_str(&format!("\nleft join (\n{grouped}\n) {alias} on {on}"));
    }
    Ok(format!("select {} from (\n{rows}\n) above{joins}", columns.join(", ")))
}

/// A level's rows in lists, one for each set of join columns.
fn grouped(level: LevelPlan<'_>, sources: &Sources) -> Result<String, Refused> {
    let rows = without_ambiguous(level, sources, nested(level, sources)?);
    let slots = (0..level.slots().len()).map(Names::slot);
    let children = level.children().enumerate().map(|(index, _)| Names::child(index));
    let fields: Vec<String> = slots.chain(children).map(|name| format!("'{name}', {name}")).collect();
    let on: Vec<String> = level.on().iter().map(|slot| Names::slot(*slot)).collect();
    let keys: Vec<String> = on.iter().enumerate().map(|(at, slot)| format!("{slot} as k{at}")).collect();
    let present: Vec<String> = on.iter().map(|slot| format!("{slot} is not null")).collect();
    Ok(format!(
        "select {}, collect_list(named_struct({})) as {BELOW} from (\n{rows}\n) below_{} where {} group by {}",
        keys.join(", "),
        fields.join(", "),
        level.table().chars().filter(char::is_ascii_alphanumeric).collect::<String>(),
        present.join(" and "),
        on.join(", ")
    ))
}

/// A level's rows that join with the one above: those that have a key of their own, where others are set aside.
pub(crate) fn joining(sources: &Sources, level: LevelPlan<'_>) -> Result<String, Refused> {
    Ok(without_ambiguous(level, sources, rows(level, sources)?))
}

fn without_ambiguous(level: LevelPlan<'_>, sources: &Sources, rows: String) -> String {
    match sources.sets_elements_aside && level.rows() == Rows::Many {
        true => format!("select * from {} where not ({})", counted(level, &rows), is_ambiguous(level)),
        false => rows,
    }
}

/// A level's rows, as what follows `from`, with how many have the join columns and the element's key of each.
pub(crate) fn counted(level: LevelPlan<'_>, rows: &str) -> String {
    let columns = level.on().iter().copied().chain(level.key()).map(Names::slot);
    let columns = columns.collect::<Vec<_>>().join(", ");
    format!("(select *, count(*) over (partition by {columns}) as alike from (\n{rows}\n) rows) counted")
}

/// Whether a row of [`counted`] has no element's key of its own.
pub(crate) fn is_ambiguous(level: LevelPlan<'_>) -> String {
    let null = level.key().map(|key| format!(" or {} is null", Names::slot(key))).unwrap_or_default();
    format!("alike > 1{null}")
}

/// A level's slots of the rows that its table has after `where` and without those that gates took out.
pub(crate) fn rows(level: LevelPlan<'_>, sources: &Sources) -> Result<String, Refused> {
    let source = sources.of(level.table())?;
    let slots = slots(level)?;
    Ok(format!("select {slots} from {}", source.kept(level)))
}

/// Columns that evaluate a level's slots.
pub(crate) fn slots(level: LevelPlan<'_>) -> Result<String, Refused> {
    let slot = |(index, expression): (usize, &hivecast_sql::Expression)| {
        let told = |why: String| format!("{}: {why}", level.origin(index));
        let written = expression.to_spark().map_err(told)?;
        Ok(format!("{written} as {}", Names::slot(index)))
    };
    let slots = level.slots().iter().enumerate().map(slot).collect::<Result<Vec<_>, Refused>>()?;
    Ok(slots.join(", "))
}

/// The DDL of a table's columns.
pub(crate) fn ddl(schema: &arrow_schema::Schema) -> Result<String, Refused> {
    let column = |field: &arrow_schema::FieldRef| {
        let kind = sql_type(field.data_type())
            .ok_or_else(|| format!("column {}: Spark has no type for {}", field.name(), field.data_type()))?;
        Ok(format!("{} {kind}", quoted(field.name())))
    };
    Ok(schema.fields().iter().map(column).collect::<Result<Vec<_>, Refused>>()?.join(", "))
}
