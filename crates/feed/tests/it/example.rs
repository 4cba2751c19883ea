use std::collections::BTreeMap;

use hivecast_feed::{
    EnvelopeStyle, Property, Ready, Source, Target, Warehouse, fingerprint, parse, parse_project,
};

use crate::support::FixedSecrets;

pub const FEED: &str = include_str!("../../../../examples/mdm/feeds/contracts.yaml");
pub const PROJECT: &str = include_str!("../../../../examples/mdm/hivecast.yaml");

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
    let Target::Kafka(kafka) = project.environment("kafka", &set).unwrap().target else {
        panic!("no Kafka target")
    };
    assert_eq!(kafka.properties["bootstrap.servers"], Property::Plain("localhost:9092".to_owned()));
}
