//! The same edition, whichever engine builds it: the example feed, and what its shapes don't have.

use std::path::Path;

use hivecast_run::{Cancel, Class, Context, FixedClock, Silent};
use hivecast_sample::{Destination, Existing, FileFormat, Options};

use crate::support::{DATE, Server, assert_same, plan};

pub(crate) const CONTRACTS: &str = include_str!("../../../../examples/mdm/feeds/contracts.yaml");

/// The sample export of one day.
pub(crate) fn export(root: &Path, accounts: u64, format: FileFormat) {
    let options = Options {
        to: Destination::Directory(root.to_owned()),
        database: hivecast_sample::DATABASE.to_owned(),
        accounts,
        days: 1,
        seed: 7,
        last_date: DATE.parse().unwrap(),
        format,
        skew: Some(50),
        existing: Existing::Refuse,
    };
    let context = Context { sink: &Silent, cancel: &Cancel::default(), clock: &FixedClock(0) };
    hivecast_sample::write(&options, context).unwrap_or_else(|fault| panic!("{}", fault.chain()));
}

#[test]
fn the_example_feed_is_built_alike() {
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 3_000, FileFormat::Parquet);
    let plan = plan(CONTRACTS, root.path(), DATE.parse().unwrap());
    for server in Server::ALL {
        assert_same(&plan, server, root.path());
    }
}

const GATES: &str = "
gates:
  null_rate: { of: parties, column: relation_type, max: 100%, severity: warn }
  allowed:
    - { of: accounts, column: branch_code, values: ['1', '2', '3'], severity: quarantine }
    - { of: parties, column: relation_type, values: [OWNER], severity: quarantine }
  unique: { of: addresses, columns: [city, postal_code], severity: warn }
  orphans:
    - { of: parties, max: 0.1%, severity: quarantine }
    - { of: addresses, max: 100%, severity: warn }
  sql:
    - { name: branches, query: \"select branch_code, count(*) from accounts group by branch_code having count(*) > 10\", severity: warn }
    - { name: foreign, query: \"select account_id from accounts where country <> 'Canada'\", severity: quarantine }
";

#[test]
fn gates_find_and_set_aside_the_same() {
    let (feed, _) = CONTRACTS.split_once("\ngates:\n").unwrap();
    let feed = format!("{feed}\n{GATES}");
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 1_000, FileFormat::Parquet);
    let plan = plan(&feed, root.path(), DATE.parse().unwrap());
    for server in Server::ALL {
        assert_same(&plan, server, root.path());
    }
}

#[test]
fn queries_are_tables_of_the_same_rows() {
    let tables = "
  owners: { sql: \"select account_id, count(*) as owners, min(relation_start_date) as since from parties where relation_type is not null group by account_id\", where: owners > 1 }
";
    let fields = "
    owners:
      one: owners
      on: account_id
      fields: { count: owners, since: since }
";
    let feed = CONTRACTS.replacen("\ndocument:", &format!("{tables}\ndocument:"), 1).replacen(
        "\nenvelope:",
        &format!("{fields}\nenvelope:"),
        1,
    );
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 1_000, FileFormat::Parquet);
    let plan = plan(&feed, root.path(), DATE.parse().unwrap());
    for server in Server::ALL {
        assert_same(&plan, server, root.path());
    }
}

#[test]
fn what_spark_would_build_otherwise_is_refused_with_the_reason() {
    for (from, to, expected) in [
        (
            "contractBranchCode: branch_code",
            "contractBranchCode: cast(account_start_date as string)",
            "another way in Spark",
        ),
        ("key: account_id", "key: initcap(account_id)", "initcap"),
        ("active_ind = 1", "initcap(account_id) = 'A'", "`where` of table accounts"),
    ] {
        let feed = CONTRACTS.replacen(from, to, 1);
        assert_ne!(feed, CONTRACTS);
        let root = tempfile::tempdir().unwrap();
        export(root.path(), 10, FileFormat::Parquet);
        let plan = plan(&feed, root.path(), DATE.parse().unwrap());
        let fault = hivecast_spark::check(&plan.checked, &plan.inputs).unwrap_err();
        assert_eq!(fault.class(), Class::Usage);
        assert!(fault.chain().contains(expected), "{}", fault.chain());
        assert!(fault.chain().contains("feed.yaml:"), "{}", fault.chain());
    }
}

#[test]
fn other_formats_are_refused_by_their_tables_name() {
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 10, FileFormat::Avro);
    let feed = CONTRACTS.to_owned();
    let plan = plan(&feed, root.path(), DATE.parse().unwrap());
    let fault = hivecast_spark::check(&plan.checked, &plan.inputs).unwrap_err();
    assert!(fault.chain().contains("table accounts has files that Spark reads"), "{}", fault.chain());
}
