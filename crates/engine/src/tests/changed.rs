use hivecast_edition::Store;
use hivecast_run::Class;

use super::gates::{FEED, tables};
use super::{DATE, plan, with_context};
use crate::{Embedded, Engine};

/// A file that was overwritten after the inputs were frozen can't be read as what it was: that is no fault
/// of the data, and running again heals it.
#[test]
fn a_file_that_was_overwritten_while_it_was_read_is_to_be_tried_again() {
    let root = tables(&[
        ("accounts", "account_id,branch,active\na1,b1,1\n"),
        ("parties", "party_id,account_id,role\np1,a1,owner\n"),
        ("branches", "branch,city\nb1,Leeds\n"),
    ]);
    let plan = plan(FEED, root.path(), DATE.parse().unwrap());
    let parties = root.path().join("parties").join(format!("load_date={DATE}")).join("part-0.csv");
    std::fs::write(&parties, "party_id,account_id,role\np1,a1\n").unwrap();
    let store = tempfile::tempdir().unwrap();
    let fault = with_context(|context| {
        Embedded.build(&plan, &Store::open(store.path()).unwrap(), context).unwrap_err()
    });
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    assert!(fault.chain().contains("part-0.csv was changed"), "{}", fault.chain());
}
