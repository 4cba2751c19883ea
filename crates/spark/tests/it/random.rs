//! Random feeds over random tables.

use hivecast_feed::{Rule, Severity};
use hivecast_testkit::random;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{Server, is_same, plan};

/// Sail answers in milliseconds.
const SAIL_CASES: u32 = 64;
/// Apache Spark takes a second for each statement.
const SPARK_CASES: u32 = 6;

fn random_feeds(server: Server, cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 40,
        max_global_rejects: cases * 10,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let ran = runner.run(&random::case(), |case| {
        let case = case.in_parquet();
        let warns =
            |gate: &hivecast_feed::Gate| gate.rule == Rule::ElementKey && gate.severity == Severity::Warn;
        prop_assume!(!case.feed.gates.iter().any(warns));
        let root = tempfile::tempdir().unwrap();
        case.write(root.path()).unwrap();
        let plan = plan(&case.yaml, root.path(), random::LOAD_DATE.parse().unwrap());
        prop_assume!(is_same(&plan, server, root.path()));
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn sail_gives_the_embedded_engines_edition() {
    random_feeds(Server::Sail, SAIL_CASES);
}

#[test]
fn spark_gives_the_embedded_engines_edition() {
    random_feeds(Server::Spark, SPARK_CASES);
}
