use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::SchemaRef;

use super::Check;
use crate::model::{Source, Span, Sql, Table};
use crate::nearest::quoted_list;

/// A table with `sql`, and the tables that it reads.
struct Query<'a> {
    table: &'a Table,
    sql: &'a Sql,
    reads: BTreeSet<String>,
}

/// Finds every table's columns and checks `where`. The tables with `sql`, in the order in which they
/// can be made.
pub(super) fn check(check: &mut Check<'_>, given: &BTreeMap<String, SchemaRef>) -> Vec<String> {
    let feed = check.feed;
    for table in feed.tables.iter().filter(|table| matches!(table.source, Source::Warehouse { .. })) {
        match given.get(&table.name) {
            Some(columns) => {
                check.schemas.insert(table.name.clone(), columns.clone());
            }
            // Why was told by who looked for the table.
            None if check.unknown.contains(&table.name) => {}
            None => {
                let message = format!("the columns of table `{}` are not known", table.name);
                check.mistakes.add(&table.span, message);
            }
        }
    }
    let order = bind_queries(check);
    for table in &feed.tables {
        if let Some(filter) = &table.filter {
            check.bind_condition(&table.name, "where", filter);
        }
    }
    order
}

/// Binds each query once the tables that it reads are known. What is left after that reads itself,
/// or reads something mistaken.
fn bind_queries(check: &mut Check<'_>) -> Vec<String> {
    let mut waiting = queries(check);
    let mut order = Vec::new();
    loop {
        let ready = waiting.iter().position(|query| {
            query.reads.iter().all(|name| !waiting.iter().any(|other| other.table.name == *name))
        });
        let Some(ready) = ready else { break };
        let query = waiting.remove(ready);
        if let Some(columns) = bind_query(check, query.sql, &query.reads) {
            check.schemas.insert(query.table.name.clone(), columns);
        }
        order.push(query.table.name.clone());
    }
    tell_cycles(check, &waiting);
    order
}

fn queries<'a>(check: &mut Check<'a>) -> Vec<Query<'a>> {
    let feed = check.feed;
    let mut queries = Vec::new();
    for table in &feed.tables {
        if let Source::Query(sql) = &table.source
            && let Some(reads) = tables_of(check, sql)
        {
            queries.push(Query { table, sql, reads });
        }
    }
    queries
}

/// The tables that a query reads; none after telling those that the feed does not have.
pub(super) fn tables_of(check: &mut Check<'_>, sql: &Sql) -> Option<BTreeSet<String>> {
    match check.binder.tables_of(&sql.value) {
        Ok(names) => {
            let mut all_known = true;
            for name in &names {
                let place = place_of_word(check, sql, name);
                all_known &= check.table(name, &place);
            }
            all_known.then(|| names.into_iter().collect())
        }
        Err(error) => {
            check.tell(sql, error);
            None
        }
    }
}

/// Where a name first stands in a query.
fn place_of_word(check: &Check<'_>, sql: &Sql, word: &str) -> Span {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let found = sql.value.match_indices(word).find(|(at, _)| {
        let before = sql.value[..*at].chars().next_back();
        let after = sql.value[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    });
    match found {
        Some((at, _)) => check.source.within(sql, &(at..at + word.len())),
        None => sql.span.clone(),
    }
}

/// A query's columns; none where it does not bind, or where a table that it reads is not known.
pub(super) fn bind_query(check: &mut Check<'_>, sql: &Sql, reads: &BTreeSet<String>) -> Option<SchemaRef> {
    let tables: BTreeMap<String, SchemaRef> = reads
        .iter()
        .map(|name| Some((name.clone(), check.schemas.get(name)?.clone())))
        .collect::<Option<_>>()?;
    match check.binder.bind_query(&sql.value, &tables) {
        Ok(columns) => Some(columns),
        Err(error) => {
            check.tell(sql, error);
            None
        }
    }
}

/// Tells each circle of queries once, at its first table.
fn tell_cycles(check: &mut Check<'_>, waiting: &[Query<'_>]) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for query in waiting {
        let Some(circle) = circle_through(query, waiting) else { continue };
        if circle.iter().any(|name| told.contains(name)) {
            continue;
        }
        told.extend(&circle);
        let message = match circle.as_slice() {
            [one] => format!("table `{one}` reads itself"),
            names => format!("tables {} read each other in a circle", quoted_list(names)),
        };
        check.mistakes.add(&query.table.span, message);
    }
}

/// The tables on a way from a query back to itself, in reading order.
fn circle_through<'a>(start: &Query<'a>, waiting: &[Query<'a>]) -> Option<Vec<&'a str>> {
    let find = |name: &str| waiting.iter().find(|query| query.table.name == name);
    let mut ways: Vec<Vec<&'a str>> = vec![vec![start.table.name.as_str()]];
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(way) = ways.pop() {
        let Some(last) = way.last().and_then(|name| find(name)) else { continue };
        for next in last.reads.iter().filter_map(|name| find(name)) {
            let name = next.table.name.as_str();
            if name == start.table.name {
                return Some(way);
            }
            if seen.insert(name) {
                let mut longer = way.clone();
                longer.push(name);
                ways.push(longer);
            }
        }
    }
    None
}

/// A table that nothing reads is a mistake: most often a name was mistyped where it should be used.
pub(super) fn tell_unused(check: &mut Check<'_>) {
    for table in &check.feed.tables {
        if !check.used.contains(&table.name) {
            let help = "use it in `document`, a `sql` table or a gate, or take it out".to_owned();
            let message = format!("nothing uses table `{}`", table.name);
            check.mistakes.add_with_help(&table.span, message, help);
        }
    }
}
