use std::collections::BTreeSet;

use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::naive::{self, NaiveError};
use hivecast_feed::{Field, Node, Shape};

/// What a field holds: fields of its own, or those of a table.
type Below<'a> = (&'a [Field], Option<&'a Node>);

/// What a feed has in it, by name.
fn shapes(node: &Node, inside: &str, seen: &mut BTreeSet<String>) {
    if node.on.len() > 1 {
        seen.insert("composite on".to_owned());
    }
    fields(&node.fields, inside, seen);
}

fn fields(all: &[Field], inside: &str, seen: &mut BTreeSet<String>) {
    let manies = all.iter().filter(|field| matches!(field.shape, Shape::Many(_))).count();
    if manies > 1 {
        seen.insert("many beside many".to_owned());
    }
    for field in all {
        let (name, below): (&str, Vec<Below<'_>>) = match &field.shape {
            Shape::Value { .. } => ("value", vec![]),
            Shape::Fields(inner) => ("fields", vec![(inner.as_slice(), None)]),
            Shape::List(elements) => {
                ("list", elements.iter().map(|element| (element.fields.as_slice(), None)).collect())
            }
            Shape::One(node) => ("one", vec![(&[], Some(node))]),
            Shape::Many(node) => ("many", vec![(&[], Some(node))]),
        };
        seen.insert(format!("{name} in {inside}"));
        for (inner, node) in below {
            fields(inner, name, seen);
            if let Some(node) = node {
                shapes(node, name, seen);
            }
        }
    }
}

#[test]
fn cases_cover_what_they_promise() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    let (mut right, mut children, mut excluded, mut wrong) = (0, 0, 0, BTreeSet::new());
    for _ in 0..400 {
        let case = case().new_tree(&mut runner).unwrap().current();
        shapes(&case.feed.document, "root", &mut seen);
        for gate in &case.feed.gates {
            let name = format!("{:?}", gate.rule);
            seen.insert(format!("{} {:?}", name.split(' ').next().unwrap(), gate.severity));
        }
        excluded += usize::from(naive::excluded(&case).is_ok_and(|keys| !keys.is_empty()));
        match naive::documents(&case) {
            Ok(documents) if documents.is_empty() => {}
            Ok(documents) => {
                right += 1;
                children +=
                    usize::from(documents.values().any(|document| document.to_string().contains("[{")));
            }
            Err(NaiveError::Unsupported(why)) => panic!("{why}\n{case:?}"),
            Err(error) => {
                wrong.insert(format!("{error:?}").split([' ', '{']).next().unwrap().to_owned());
            }
        }
    }
    for wanted in [
        "one in many",
        "many in one",
        "many in many",
        "many beside many",
        "composite on",
        "many in list",
        "one in fields",
        "list in many",
        "fields in list",
        "one in one",
        "ElementKey Warn",
        "ElementKey Quarantine",
        "DocumentKey Quarantine",
        "NullRate Quarantine",
    ] {
        assert!(seen.contains(wanted), "{wanted} is missing: {seen:?}");
    }
    assert!(right > 200, "only {right} of 400 cases have documents");
    assert!(excluded > 10, "only {excluded} cases have documents set aside");
    assert!(children > 50, "only {children} cases have a joined child");
    for wanted in ["NullDocumentKey", "DuplicateDocumentKey", "DuplicateOne", "DuplicateElementKey"] {
        assert!(wrong.contains(wanted), "{wanted} is missing: {wrong:?}");
    }
}

#[test]
fn no_decisions_make_the_simplest_case() {
    let case = build(&mut Choices::new(Vec::new()));
    assert_eq!(naive::documents(&case), Ok(Default::default()));
    assert_eq!(case.tables.len(), 1);
    assert!(case.yaml.contains("from: t0"), "{}", case.yaml);
}

mod files {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn parquet_files_hold_every_row_once(case in case()) {
            let root = tempfile::tempdir().unwrap();
            case.write(root.path()).unwrap();
            for (table, files) in case.tables.iter().zip(&case.files) {
                let partition = root.path().join(&table.name).join(format!("load_date={LOAD_DATE}"));
                prop_assert!(partition.join("_SUCCESS").exists());
                if files.format != Written::Parquet {
                    continue;
                }
                let mut ids = Vec::new();
                for entry in std::fs::read_dir(&partition).unwrap() {
                    let path = entry.unwrap().path();
                    if path.extension().is_some_and(|extension| extension == "parquet") {
                        ids.extend(read_ids(&path, &table.columns[0].0));
                    }
                }
                let mut expected: Vec<Option<i64>> = table.rows.iter().map(|row| match row[&table.columns[0].0] {
                    crate::table::Value::Int(id) => Some(id),
                    _ => None,
                }).collect();
                ids.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(ids, expected);
            }
        }

        #[test]
        fn the_yaml_is_the_feed(case in case()) {
            let parsed = hivecast_feed::parse("random.yaml", &case.yaml);
            let Ok((feed, _)) = parsed else { panic!("refused:\n{}", case.yaml) };
            prop_assert_eq!(without_spans(&feed), without_spans(&case.feed), "{}", case.yaml);
        }
    }

    /// The feed as text, without the places in its file.
    fn without_spans(feed: &Feed) -> String {
        let mut feed = feed.clone();
        feed.gates.iter_mut().for_each(|gate| gate.places = Default::default());
        let text = format!("{feed:#?}");
        let lines = text.lines().filter(|line| {
            let line = line.trim_start();
            !line.starts_with("span: ") && !line.starts_with("source_span: ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn read_ids(path: &Path, column: &str) -> Vec<Option<i64>> {
        use arrow_array::cast::AsArray;
        use arrow_array::types::Int64Type;
        let file = std::fs::File::open(path).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let batches = reader.build().unwrap().map(|batch| batch.unwrap());
        batches
            .flat_map(|batch| {
                batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect::<Vec<_>>()
            })
            .collect()
    }
}
