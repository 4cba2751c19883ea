//! Parts that don't fit into the memory limit.

use hivecast_run::Class;
use hivecast_sample::FileFormat;

use crate::same::{CONTRACTS, export};
use crate::support::{DATE, Server, build, plan};

/// Documents that all hold one long text: a file holds it once, and memory for each of them.
#[test]
fn a_part_of_one_long_value_is_weighed_in_memory_and_refused() {
    let text = "x".repeat(20_000);
    let feed = CONTRACTS.replacen("branch_code", &format!("\"'{text}'\""), 1);
    let root = tempfile::tempdir().unwrap();
    export(root.path(), 2_000, FileFormat::Parquet);
    let mut plan = plan(&feed, root.path(), DATE.parse().unwrap());
    plan.threads = 1;
    // The whole is over its budget, a third of the least limit that there is, and the files are far below.
    plan.memory_bytes = hivecast_engine::MIN_MEMORY_BYTES;
    for server in Server::ALL {
        let fault = build(&server.engine(), &plan, root.path()).unwrap_err();
        assert_eq!(fault.class(), Class::Usage, "{server:?}: {}", fault.chain());
        assert!(fault.chain().contains("of the documents needs"), "{server:?}: {}", fault.chain());
        assert!(fault.advice().is_some_and(|advice| advice.contains("--memory")), "{:?}", fault.advice());
    }
}
