//! Feeds over given tables.

use std::collections::{BTreeMap, BTreeSet};

use hivecast_feed::{
    Atomicity, BigIntegers, Chunks, ColumnType, Decimals, Element, Envelope, EnvelopeStyle, Feed, Field,
    FileFormat, Format, Gate, JoinColumn, Layout, Node, NotANumber, Nulls, Ready, Rule, Severity, Shape,
    Source, Spanned, Sql, Table, TextLayout,
};

use super::Written;
use super::choices::Choices;
use super::rows::{Column, DECIMAL, Role, Schema};

/// How deep fields lie in each other at most.
const MAX_DEPTH: usize = 5;
/// Most fields of one feed, so that cases stay readable.
const MAX_FIELDS: usize = 40;

/// Whether the feed's table reads this table of the warehouse.
pub(super) fn reads(table: &Table, name: &str) -> bool {
    matches!(&table.source, Source::Warehouse { table, .. } if table == name)
}

pub(super) fn feed(choices: &mut Choices, schemas: &[Schema]) -> Feed {
    let mut tables: Vec<(Table, &Schema)> = schemas
        .iter()
        .enumerate()
        .map(|(index, schema)| (table(choices, format!("t{index}"), schema), schema))
        .collect();
    // A second name for one of them, with a filter of its own.
    let again = choices.pick(schemas);
    tables.push((table(choices, "again".to_owned(), again), again));

    let gates = gates(choices, &tables);
    let same_keys = gates.iter().any(|gate| gate.rule == Rule::ElementKey);
    let mut writer = Writer { choices, tables: &tables, left: MAX_FIELDS, names: 0, same_keys };
    let document = writer.root();
    let nulls = *choices.pick(&[Nulls::Omit, Nulls::Keep]);
    let mut used = BTreeSet::new();
    tables_of(&document, &mut used);
    let is_used = |gate: &Gate| match &gate.rule {
        Rule::NullRate { of, .. } => used.contains(of),
        _ => true,
    };
    Feed {
        name: "random".to_owned(),
        topic: "random.documents".to_owned(),
        partitions: 1 + choices.below(6) as u32,
        topic_settings: BTreeMap::new(),
        tables: tables
            .into_iter()
            .map(|(table, _)| table)
            .filter(|table| used.contains(&table.name))
            .collect(),
        document,
        envelope: Envelope {
            style: EnvelopeStyle::Plain,
            event_type: "random".to_owned(),
            major_version: 1,
            minor_version: 0,
        },
        format: Format {
            timezone: "UTC".to_owned(),
            timestamp: "%Y-%m-%dT%H:%M:%S%.3f%:z".to_owned(),
            date: "%Y-%m-%d".to_owned(),
            nulls,
            decimals: Decimals::Text,
            nan: NotANumber::Null,
            big_integers: BigIntegers::Number,
        },
        gates: gates.into_iter().filter(is_used).collect(),
        chunks: Chunks { records: 50_000, bytes: 64 << 20, atomic: Atomicity::Chunk },
    }
}

/// Gates that let an edition pass, with something wrong in it or set aside.
fn gates(choices: &mut Choices, tables: &[(Table, &Schema)]) -> Vec<Gate> {
    let gate = |rule, severity| Gate { rule, severity, span: 0..0, places: Default::default() };
    let mut gates = Vec::new();
    match choices.below(4) {
        2 => gates.push(gate(Rule::ElementKey, Severity::Warn)),
        3 => gates.push(gate(Rule::ElementKey, Severity::Quarantine)),
        _ => {}
    }
    if choices.once_in(3) {
        gates.push(gate(Rule::DocumentKey, Severity::Quarantine));
    }
    if choices.once_in(4) {
        let (table, schema) = choices.pick(tables);
        let column = choices.pick(&schema.columns[1..]).name.clone();
        let rule = Rule::NullRate { of: table.name.clone(), column, max: 0.0 };
        gates.push(gate(rule, Severity::Quarantine));
    }
    gates
}

fn tables_of(node: &Node, used: &mut BTreeSet<String>) {
    used.insert(node.table.value.clone());
    tables_of_fields(&node.fields, used);
}

fn tables_of_fields(fields: &[Field], used: &mut BTreeSet<String>) {
    for field in fields {
        match &field.shape {
            Shape::Value { .. } => {}
            Shape::Fields(inner) => tables_of_fields(inner, used),
            Shape::List(elements) => {
                elements.iter().for_each(|element| tables_of_fields(&element.fields, used))
            }
            Shape::One(node) | Shape::Many(node) => tables_of(node, used),
        }
    }
}

fn sql(text: impl Into<String>) -> Sql {
    Spanned { value: text.into(), span: 0..0 }
}

fn table(choices: &mut Choices, name: String, schema: &Schema) -> Table {
    let filter = choices.once_in(3).then(|| sql(condition(choices, &schema.columns, 1)));
    let text = match &schema.format {
        Written::Text(layout) => layout.clone(),
        Written::Parquet => TextLayout::default(),
    };
    let is_text = matches!(schema.format, Written::Text(_));
    let columns =
        || schema.columns.iter().map(|column| (column.name.clone(), column.column_type.clone())).collect();
    Table {
        name,
        span: 0..0,
        source: Source::Warehouse { database: None, table: schema.name.clone() },
        source_span: 0..0,
        filter,
        layout: Layout {
            format: is_text.then_some(FileFormat::Text),
            text,
            columns: is_text.then(columns),
            partition: "load_date".to_owned(),
            ready: choices.pick(&[Ready::Exists, Ready::SuccessFile]).clone(),
        },
    }
}

struct Writer<'a> {
    choices: &'a mut Choices,
    tables: &'a [(Table, &'a Schema)],
    /// Fields that may still be made.
    left: usize,
    /// Fields made so far: their names are numbered.
    names: usize,
    /// Whether elements of one array may have the same key.
    same_keys: bool,
}

impl<'a> Writer<'a> {
    fn root(&mut self) -> Node {
        let columns = &self.tables[0].1.columns;
        let id = &columns[0].name;
        let key = match self.choices.below(3) {
            0 => id.clone(),
            1 => format!("cast({id} as string)"),
            _ => format!("'K-' || cast({id} as string)"),
        };
        Node {
            table: Spanned { value: self.tables[0].0.name.clone(), span: 0..0 },
            key: Some(sql(key)),
            on: Vec::new(),
            fields: self.fields(&[0], 0),
        }
    }

    /// The fields of a level; `path` are the tables around it, its own last. A table is not put
    /// inside itself, since that has no end in real feeds.
    fn fields(&mut self, path: &[usize], depth: usize) -> Vec<Field> {
        let count = 1 + self.choices.below(5);
        (0..count).map(|_| self.field(path, depth)).collect()
    }

    fn field(&mut self, path: &[usize], depth: usize) -> Field {
        self.left = self.left.saturating_sub(1);
        self.names += 1;
        let name = match self.choices.below(12) {
            10 => format!("field \"{}\" é", self.names),
            11 => format!("f.{}", self.names),
            _ => format!("f{}", self.names),
        };
        let shape = self.shape(path, depth);
        Field { name, span: 0..0, shape }
    }

    fn shape(&mut self, path: &[usize], depth: usize) -> Shape {
        let columns = self.columns(path);
        let deep = depth >= MAX_DEPTH || self.left == 0;
        match self.choices.below(if deep { 4 } else { 12 }) {
            0..=2 => Shape::Value { sql: sql(self.choices.pick(columns).name.clone()), mask: None },
            3 | 4 => Shape::Value { sql: sql(value(self.choices, columns)), mask: None },
            5 => Shape::Fields(self.fields(path, depth + 1)),
            6 => self.list(path, depth),
            7 | 8 => self.one(path, depth),
            _ => self.many(path, depth),
        }
    }

    /// The columns of the table that the fields are of.
    fn columns(&self, path: &[usize]) -> &'a [Column] {
        let tables = self.tables;
        path.last().map_or(&[], |table| tables[*table].1.columns.as_slice())
    }

    fn list(&mut self, path: &[usize], depth: usize) -> Shape {
        let count = 1 + self.choices.below(3);
        let elements = (0..count).map(|_| {
            let columns = self.columns(path);
            let when = (self.choices.below(3) > 0).then(|| sql(condition(self.choices, columns, 1)));
            Element { when, fields: self.fields(path, depth + 1) }
        });
        Shape::List(elements.collect())
    }

    /// A table that is not on the path, if there is one.
    fn child(&mut self, path: &[usize]) -> Option<usize> {
        let free: Vec<usize> = (0..self.tables.len()).filter(|table| !path.contains(table)).collect();
        (!free.is_empty()).then(|| *self.choices.pick(&free))
    }

    fn one(&mut self, path: &[usize], depth: usize) -> Shape {
        let Some(table) = self.child(path) else { return self.plain(path) };
        let id = self.tables[table].1.columns[0].clone();
        let mut on = vec![self.pair(&id, path)];
        // The id alone is unique, so any further column may join too.
        if self.choices.once_in(4) {
            self.add_pair(table, path, &mut on);
        }
        Shape::One(self.node(table, None, on, path, depth))
    }

    fn many(&mut self, path: &[usize], depth: usize) -> Shape {
        let Some(table) = self.child(path) else { return self.plain(path) };
        let child = self.joinable(table);
        let mut on = vec![self.pair(&child, path)];
        if self.choices.once_in(3) {
            self.add_pair(table, path, &mut on);
        }
        let id = self.tables[table].1.columns[0].name.clone();
        let key = match self.choices.below(3) {
            1 if self.same_keys => self.choices.pick(&self.tables[table].1.columns).name.clone(),
            0 | 1 => id,
            _ => format!("cast({id} as string)"),
        };
        Shape::Many(self.node(table, Some(sql(key)), on, path, depth))
    }

    fn node(
        &mut self,
        table: usize,
        key: Option<Sql>,
        on: Vec<JoinColumn>,
        path: &[usize],
        depth: usize,
    ) -> Node {
        let path = [path, &[table]].concat();
        let name = self.tables[table].0.name.clone();
        Node { table: Spanned { value: name, span: 0..0 }, key, on, fields: self.fields(&path, depth + 1) }
    }

    fn plain(&mut self, path: &[usize]) -> Shape {
        let columns = self.columns(path);
        Shape::Value { sql: sql(self.choices.pick(columns).name.clone()), mask: None }
    }

    /// A column of few values, of a type that the tables of every feed have or that this one shares.
    fn joinable(&mut self, table: usize) -> Column {
        let columns = self.tables[table].1.columns.iter();
        let joinable: Vec<&Column> = columns.filter(|column| column.role != Role::Text).collect();
        (*self.choices.pick(&joinable)).clone()
    }

    /// The child's column with one of the same type in the table around it. Where that has none, the
    /// texts of few values, which every table has.
    fn pair(&mut self, child: &Column, path: &[usize]) -> JoinColumn {
        let columns = self.columns(path);
        let same = |column: &&Column| column.column_type == child.column_type && column.role != Role::Text;
        let parents: Vec<&Column> = columns.iter().filter(same).collect();
        if parents.is_empty() {
            let prefix = child.name.split_once('_').map_or("", |(prefix, _)| prefix);
            let child = if prefix.is_empty() { "s".to_owned() } else { format!("{prefix}_s") };
            let parent =
                columns.iter().find(|column| column.role == Role::Few).map(|column| column.name.clone());
            return JoinColumn { child, parent: parent.unwrap_or_default(), span: 0..0 };
        }
        let parent = self.choices.pick(&parents).name.clone();
        JoinColumn { child: child.name.clone(), parent, span: 0..0 }
    }

    fn add_pair(&mut self, table: usize, path: &[usize], on: &mut Vec<JoinColumn>) {
        let child = self.joinable(table);
        let pair = self.pair(&child, path);
        if on.iter().all(|earlier| earlier.child != pair.child) {
            on.push(pair);
        }
    }
}

/// The columns of a type, weird texts included.
fn of_type(columns: &[Column], column_type: ColumnType) -> Vec<&str> {
    let names = columns.iter().filter(|column| column.column_type == column_type);
    names.map(|column| column.name.as_str()).collect()
}

/// An expression of any type.
fn value(choices: &mut Choices, columns: &[Column]) -> String {
    let some = |choices: &mut Choices, column_type| {
        let names = of_type(columns, column_type);
        (!names.is_empty()).then(|| choices.pick(&names).to_string())
    };
    match choices.below(9) {
        0 | 1 => text(choices, columns, 2),
        2 => (*choices.pick(&["0", "-7", "true", "'constant'", "9007199254740993"])).to_owned(),
        3 => condition(choices, columns, 1),
        4 => match some(choices, ColumnType::Int) {
            Some(name) => format!("coalesce({name}, 7)"),
            None => "coalesce(null, 'none')".to_owned(),
        },
        5 => {
            let condition = condition(choices, columns, 1);
            let date = some(choices, ColumnType::Date).unwrap_or_else(|| "'no date'".to_owned());
            format!("case when {condition} then {date} end")
        }
        6 => {
            let condition = condition(choices, columns, 1);
            let decimal = some(choices, DECIMAL).unwrap_or_else(|| "1".to_owned());
            format!("case when {condition} then {decimal} end")
        }
        7 => match some(choices, ColumnType::Int) {
            Some(name) => format!("cast({name} as bigint)"),
            None => "cast('12' as bigint)".to_owned(),
        },
        _ => {
            let condition = condition(choices, columns, 1);
            let numbers = of_type(columns, ColumnType::BigInt);
            let (then, otherwise) = (*choices.pick(&numbers), *choices.pick(&numbers));
            format!("case when {condition} then {then} else {otherwise} end")
        }
    }
}

/// An expression of type string.
fn text(choices: &mut Choices, columns: &[Column], depth: usize) -> String {
    let texts = of_type(columns, ColumnType::String);
    if depth == 0 {
        return (*choices.pick(&texts)).to_owned();
    }
    match choices.below(7) {
        0 => (*choices.pick(&["'x'", "'it''s'", "''", "'é \"quoted\"'"])).to_owned(),
        1 => format!("upper({})", text(choices, columns, depth - 1)),
        2 => format!("lower({})", text(choices, columns, depth - 1)),
        3 => {
            format!("coalesce({}, {})", text(choices, columns, depth - 1), text(choices, columns, depth - 1))
        }
        4 => format!("{} || '-' || {}", text(choices, columns, 0), text(choices, columns, depth - 1)),
        5 => {
            let castable: Vec<&Column> =
                columns.iter().filter(|column| column.column_type != ColumnType::String).collect();
            format!("cast({} as string)", choices.pick(&castable).name)
        }
        _ => {
            let condition = condition(choices, columns, depth - 1);
            let (then, otherwise) = (text(choices, columns, depth - 1), text(choices, columns, 0));
            format!("case when {condition} then {then} else {otherwise} end")
        }
    }
}

/// An expression of type boolean.
fn condition(choices: &mut Choices, columns: &[Column], depth: usize) -> String {
    let column = choices.pick(columns);
    let kinds = if depth == 0 { 6 } else { 9 };
    match choices.below(kinds) {
        0 => format!("{} is not null", column.name),
        1 => format!("{} is null", column.name),
        2 => {
            let texts = of_type(columns, ColumnType::String);
            let operator = choices.pick(&["=", "<>", "<", ">"]);
            format!("{} {operator} '{}'", choices.pick(&texts), choices.pick(&["a", "b", "A", ""]))
        }
        3 => {
            let numbers = of_type(columns, ColumnType::BigInt);
            let operator = choices.pick(&[">", "<", "=", "<>"]);
            format!("{} {operator} {}", choices.pick(&numbers), choices.below(12))
        }
        4 => {
            let alike = of_type(columns, column.column_type.clone());
            let operator = choices.pick(&["=", "<>", "<", ">"]);
            format!("{} {operator} {}", column.name, choices.pick(&alike))
        }
        5 => {
            let booleans = of_type(columns, ColumnType::Boolean);
            if booleans.is_empty() { "true".to_owned() } else { (*choices.pick(&booleans)).to_owned() }
        }
        6 => format!("not ({})", condition(choices, columns, depth - 1)),
        kind => {
            let (left, right) =
                (condition(choices, columns, depth - 1), condition(choices, columns, depth - 1));
            let operator = if kind == 7 { "and" } else { "or" };
            format!("({left}) {operator} ({right})")
        }
    }
}
