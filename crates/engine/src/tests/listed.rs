//! What a cluster's rows are checked for before an edition is made of them.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_cast::cast;
use arrow_schema::{DataType, Schema};
use hivecast_edition::{Edition, Store};
use hivecast_run::{Class, Result};

use super::{DATE, plan, with_context};
use crate::nested::{Joined, LevelCounts, LevelPlan, Names, Nesting, Parts, SqlGates, assemble};

const FEED: &str = "
feed: people
topic: people
partitions: 1
tables:
  people: { source: people, format: json, columns: { id: bigint } }
  pets: { source: pets, format: json, columns: { owner: bigint, name: string } }
document:
  from: people
  key: id
  fields: { pets: { many: pets, on: { owner: id }, key: name, fields: { name: name } } }
";

/// All rows in one part.
struct OnePart(RecordBatch);

impl Parts for OnePart {
    fn count(&self) -> u32 {
        1
    }

    fn bytes(&self, _: u32) -> u64 {
        1
    }

    fn load(&self, _: u32) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.0.clone()])
    }
}

/// A level's slots, each from the table's column that it reads.
fn slots(level: LevelPlan<'_>, columns: &[ArrayRef]) -> Vec<ArrayRef> {
    let schema = level.row_schema();
    let slot = |(index, slot): (usize, &hivecast_sql::Expression)| {
        let column = slot.columns().into_iter().next().unwrap();
        cast(&columns[column], schema.field(index).data_type()).unwrap()
    };
    level.slots().iter().enumerate().map(slot).collect()
}

/// Builds of people 1 and 2 with these pets in their lists, of which the cluster counted three.
fn build(root: &Path, owners: &[i64], names: &[&str], lists: [usize; 2]) -> Result<Edition> {
    for (table, row) in [("people", "{\"id\": 1}"), ("pets", "{\"owner\": 1, \"name\": \"Rex\"}")] {
        let dir = root.join(table).join(format!("load_date={DATE}"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("part-0.json"), row).unwrap();
    }
    let plan = plan(FEED, root, DATE.parse().unwrap());
    let nesting = Nesting::of(&plan.checked).unwrap();
    let people = nesting.root();
    let (pets, _) = people.children().next().unwrap();
    let below: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(owners.to_vec())), Arc::new(StringArray::from(names.to_vec()))];
    let schema = people.row_schema();
    let list = schema.field_with_name(&Names::child(0)).unwrap();
    let DataType::List(element) = list.data_type() else { panic!("{list:?}") };
    let DataType::Struct(fields) = element.data_type() else { panic!("{element:?}") };
    let elements = StructArray::new(fields.clone(), slots(pets, &below), None);
    let lists =
        ListArray::new(Arc::clone(element), OffsetBuffer::from_lengths(lists), Arc::new(elements), None);
    let mut columns = slots(people, &[Arc::new(Int64Array::from(vec![1, 2]))]);
    columns.push(Arc::new(lists));
    let part = OnePart(RecordBatch::try_new(Arc::new(Schema::clone(&schema)), columns).unwrap());
    let counts = |level: LevelPlan<'_>, rows: u64| LevelCounts {
        path: level.path().to_owned(),
        rows_read: rows,
        rows_judged: rows,
        rows,
        nested: rows,
        ..LevelCounts::default()
    };
    let joined = Joined {
        engine: "a test".to_owned(),
        parts: &part,
        levels: vec![counts(people, 2), counts(pets, 3)],
        queried: SqlGates::judge(&plan, &nesting, &|_, _, _| Ok(())).unwrap(),
        set_aside: &|_| Ok(()),
    };
    let store = Store::open(&root.join("store")).unwrap();
    with_context(|context| assemble(&plan, &nesting, &store, &joined, context))
}

#[test]
fn rows_below_others_are_counted_back_and_are_where_they_belong() {
    let names = ["Ada", "Rex", "Tom"];
    for (owners, lists, expected) in [
        (&[1, 1, 2][..], [2, 1], None),
        (&[1, 2], [1, 1], Some("wrote 2 rows of pets (table pets) and had counted 3")),
        (&[1, 1, 1, 2], [3, 1], Some("wrote 4 rows of pets (table pets) and had counted 3")),
        (&[1, 1, 2], [1, 2], Some("put a row of pets (table pets) below a row that has another key")),
    ] {
        let root = tempfile::tempdir().unwrap();
        let names: Vec<&str> = names.iter().copied().cycle().take(owners.len()).collect();
        let built = build(root.path(), owners, &names, lists);
        match (built, expected) {
            (Ok(edition), None) => assert_eq!(edition.description.documents, 2),
            (Err(fault), Some(expected)) => {
                assert_eq!(fault.class(), Class::Infrastructure);
                assert!(fault.chain().contains(expected), "{}", fault.chain());
            }
            (built, expected) => panic!("{:?}, not {expected:?}", built.map_err(|fault| fault.chain())),
        }
    }
}
