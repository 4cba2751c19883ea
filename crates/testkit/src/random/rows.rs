//! Tables: columns, rows, and how the rows are cut into files.

use hivecast_feed::{ColumnType, Header, TextLayout};

use super::choices::Choices;
use super::{Files, Written};
use crate::table::{Row, TableData, Value};

/// Most rows of a table.
const MAX_ROWS: usize = 16;
/// How far apart ids are at most: references hit about as often as they miss.
const ID_STEP: usize = 2;

/// The type of every decimal column.
pub(super) const DECIMAL: ColumnType = ColumnType::Decimal(9, 2);
const DECIMAL_SCALE: u32 = 2;

/// What a column is for, which decides its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Unique and not null, unless the case is faulty.
    Id,
    /// A number that may be another table's id.
    Reference,
    /// A value of few, of its type, that joins may use.
    Few,
    /// Text of all kinds.
    Text,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) column_type: ColumnType,
    pub(super) role: Role,
}

#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) format: Written,
}

/// Whether ids are what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    Unique,
    Faulty,
}

pub(super) fn schemas(choices: &mut Choices) -> Vec<Schema> {
    let count = 1 + choices.below(4);
    (0..count).map(|index| schema(choices, index)).collect()
}

fn schema(choices: &mut Choices, index: usize) -> Schema {
    // Some tables name their columns alike, some by themselves.
    let prefix = if choices.below(2) == 0 { String::new() } else { format!("t{index}_") };
    let column =
        |name: &str, column_type, role| Column { name: format!("{prefix}{name}"), column_type, role };
    let mut columns = vec![
        column("id", ColumnType::BigInt, Role::Id),
        column("r1", ColumnType::BigInt, Role::Reference),
        column("r2", ColumnType::BigInt, Role::Reference),
        column("s", ColumnType::String, Role::Few),
    ];
    let further = [
        column("n", ColumnType::Int, Role::Few),
        column("d", ColumnType::Date, Role::Few),
        column("m", DECIMAL, Role::Few),
        column("b", ColumnType::Boolean, Role::Few),
        column("t", ColumnType::String, Role::Text),
    ];
    columns.extend(further.into_iter().filter(|_| choices.below(3) > 0));
    Schema { name: format!("src{index}"), columns, format: format(choices) }
}

fn format(choices: &mut Choices) -> Written {
    if !choices.once_in(4) {
        return Written::Parquet;
    }
    Written::Text(TextLayout {
        delimiter: *choices.pick(b",|\t\x01"),
        header: *choices.pick(&[Header::Present, Header::Absent]),
        null: (*choices.pick(&["\\N", "NULL"])).to_owned(),
        ..TextLayout::default()
    })
}

pub(super) fn rows(choices: &mut Choices, schema: &Schema, ids: Ids) -> TableData {
    let mut next_id = 0;
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..choices.below(MAX_ROWS + 1) {
        let step = match ids {
            Ids::Unique => 1 + choices.below(ID_STEP),
            Ids::Faulty => choices.below(6).min(1 + ID_STEP),
        };
        next_id += step as i64;
        let id = match ids {
            Ids::Faulty if choices.once_in(40) => Value::Null,
            Ids::Faulty | Ids::Unique => Value::Int(next_id),
        };
        let mut cell = |column: &Column| match column.role {
            Role::Id => id.clone(),
            _ => cell(choices, column),
        };
        let row = schema.columns.iter().map(|column| (column.name.clone(), cell(column))).collect();
        let at = rows.len() - choices.below(rows.len() + 1);
        rows.insert(at, row);
    }
    let columns =
        schema.columns.iter().map(|column| (column.name.clone(), column.column_type.clone())).collect();
    TableData { name: schema.name.clone(), columns, rows }
}

fn cell(choices: &mut Choices, column: &Column) -> Value {
    const FEW_TEXTS: [&str; 5] = ["a", "b", "A", "é", ""];
    const TEXTS: [&str; 9] = [
        "plain",
        "",
        "say \"hi\"",
        "back\\slash",
        "tab\tand \u{1} control",
        "a,b|c;d",
        "naïve 😀 \u{2028}",
        " spaces ",
        "a text that is longer than any view keeps inline, and 'quoted' too",
    ];
    const DAYS: [i32; 5] = [0, -1, 11_016, 20_779, 20_780];
    const UNSCALED: [i64; 5] = [0, 1250, -5, 99_999_999, -99_999_999];
    const INTS: [i64; 5] = [0, 1, -1, i32::MAX as i64, i32::MIN as i64];
    if choices.once_in(6) {
        return Value::Null;
    }
    match (column.role, &column.column_type) {
        (Role::Id | Role::Reference, _) => Value::Int(choices.below(MAX_ROWS) as i64),
        (Role::Text, _) => Value::Text((*choices.pick(&TEXTS)).to_owned()),
        (Role::Few, ColumnType::Date) => Value::Date(*choices.pick(&DAYS)),
        (Role::Few, ColumnType::Boolean) => Value::Bool(choices.below(2) == 1),
        (Role::Few, ColumnType::Int) => Value::Int(*choices.pick(&INTS)),
        (Role::Few, ColumnType::Decimal(..)) => {
            Value::Decimal { unscaled: *choices.pick(&UNSCALED), scale: DECIMAL_SCALE }
        }
        (Role::Few, _) => Value::Text((*choices.pick(&FEW_TEXTS)).to_owned()),
    }
}

/// Deals the rows out to one to four files, some of which may be empty, and puts them into the order
/// in which the files hold them.
pub(super) fn files(choices: &mut Choices, schema: &Schema, data: &mut TableData) -> Files {
    let mut dealt = vec![Vec::new(); 1 + choices.below(4)];
    for row in data.rows.drain(..) {
        let file = choices.below(dealt.len());
        dealt[file].push(row);
    }
    let by_name = match &schema.format {
        Written::Parquet => true,
        Written::Text(layout) => layout.header == Header::Present,
    };
    let columns = data.columns.len();
    let mut files = Vec::new();
    for rows in dealt {
        let start = data.rows.len();
        data.rows.extend(rows);
        let order = if by_name { choices.order(columns) } else { (0..columns).collect() };
        files.push(((start..data.rows.len()).collect(), order));
    }
    Files { files, format: schema.format.clone() }
}
