use std::collections::BTreeMap;

use hivecast_feed::{
    EnvelopeStyle, Property, Ready, Source, Target, Warehouse, fingerprint, parse, parse_project,
};

use crate::support::FixedSecrets;

pub(crate) const FEED: &str = include_str!("../../../../examples/mdm/feeds/contracts.yaml");
pub(crate) const PROJECT: &str = include_str!("../../../../examples/mdm/hivecast.yaml");

#[test]
fn the_example_feed_is_whole() {
    let (feed, _) = parse("contracts.yaml", FEED).unwrap();
    let sources: Vec<String> = feed
        .tables
        .iter()
        .map(|table| match &table.source {
            Source::Warehouse { database: Some(database), table } => format!("{database}.{table}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sources, ["mdm.accounts", "mdm.parties", "mdm.party_address"]);
    assert!(feed.tables.iter().all(|table| table.layout.ready == Ready::SuccessFile));
    assert_eq!(feed.envelope.style, EnvelopeStyle::Operations);
    assert_eq!(fingerprint(&feed).len(), 64);
}

#[test]
fn the_example_project_has_a_local_and_a_kafka_environment() {
    let project = parse_project("hivecast.yaml", PROJECT).unwrap();
    assert_eq!(project.feeds.to_str(), Some("feeds/"));
    let local = project.environment("local", &FixedSecrets::default()).unwrap();
    assert_eq!(local.warehouse, Warehouse::Directory("./warehouse".to_owned()));
    assert!(matches!(local.target, Target::Dir(_)));
    let set = FixedSecrets {
        variables: BTreeMap::from([("KAFKA_BOOTSTRAP", "localhost:9092"), ("MASK_KEY", "k")]),
        ..FixedSecrets::default()
    };
    let kafka = project.environment("kafka", &set).unwrap();
    assert_ne!(kafka.store, local.store, "retention in one must not take what the other's target needs");
    let Target::Kafka(kafka) = kafka.target else { panic!("no Kafka target") };
    assert_eq!(kafka.properties["bootstrap.servers"], Property::Plain("localhost:9092".to_owned()));
}

const REFERENCE: &str = include_str!("../../../../docs/feed.md");

/// The fenced YAML of the reference page.
fn blocks() -> impl Iterator<Item = &'static str> {
    REFERENCE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap())
}

#[test]
fn the_references_examples_are_whole() {
    let feeds: Vec<&str> = blocks().filter(|block| block.starts_with("feed:")).collect();
    let projects: Vec<&str> = blocks().filter(|block| block.starts_with("# hivecast.yaml")).collect();
    assert_eq!((feeds.len(), projects.len()), (1, 1));
    parse("feed.md", feeds[0]).unwrap();
    parse_project("feed.md", projects[0]).unwrap();
    let (before, after) = feeds[0].split_once("tables:\n").unwrap();
    for part in blocks().filter(|block| !feeds.contains(block) && !projects.contains(block)) {
        let feed = match part.split_once(":\n").unwrap() {
            ("tables", tables) => {
                format!("{before}tables:\n{tables}{}", &after[after.find("\ndocument").unwrap()..])
            }
            ("gates", _) => format!("{}{part}", feeds[0]),
            _ => format!("{}    {}\n", feeds[0], part.trim_end().replace('\n', "\n    ")),
        };
        parse("feed.md", &feed).unwrap_or_else(|mistakes| panic!("{mistakes}\n{feed}"));
    }
}

#[test]
fn the_reference_names_every_setting() {
    use hivecast_feed::schema::{feed_json_schema, project_json_schema};
    for schema in [feed_json_schema(), project_json_schema()] {
        for (id, definition) in schema["$defs"].as_object().unwrap() {
            for (name, setting) in definition["properties"].as_object().unwrap() {
                let named = |word: &str| {
                    REFERENCE.contains(&format!("`{word}`")) || REFERENCE.contains(&format!("{word}:"))
                };
                assert!(named(name), "{id}.{name}");
                let words = setting["oneOf"].as_array().into_iter().flatten();
                for word in words.filter_map(|word| word["const"].as_str()) {
                    assert!(named(word), "{id}.{name}: {word}");
                }
            }
        }
    }
}
