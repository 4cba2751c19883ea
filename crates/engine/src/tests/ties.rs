use super::gates::{FEED, tables};
use super::{DATE, Force, build, documents, plan};

/// Elements of equal keys, whose rows are divided by one column for the join below them and by another
/// for the one above; and documents of equal keys, whose rows are divided by the branch first.
#[test]
fn rows_that_nothing_else_tells_apart_stay_in_the_inputs_order_both_ways() {
    let accounts: String = (0..60).map(|n| format!("a{},b{},1\n", n % 30, n * 7 % 11)).collect();
    let parties: String =
        (0..400).map(|n| format!("p{n},a{},r{},b{}\n", n % 40, n % 3, n * 5 % 11)).collect();
    let branches: String = (0..11).map(|n| format!("b{n},city {n}\n")).collect();
    let root = tables(&[
        ("accounts", &format!("account_id,branch,active\n{accounts}")),
        ("parties", &format!("party_id,account_id,role,branch\n{parties}")),
        ("branches", &format!("branch,city\n{branches}")),
    ]);
    let yaml = FEED.replace(
        "key: party_id, fields: {",
        "key: role, fields: { at: { one: branches, on: branch, fields: { city: city } },",
    );
    let gates = "gates: { element_key: { severity: warn }, document_key: { severity: quarantine } }\n";
    let plan = plan(&format!("{yaml}{gates}"), root.path(), DATE.parse().unwrap());
    let built = [Force::Memory, Force::Passes(1), Force::Passes(3), Force::Passes(8)].map(|force| {
        let store = tempfile::tempdir().unwrap();
        let edition = build(&plan, store.path(), force).unwrap_or_else(|fault| panic!("{}", fault.chain()));
        (edition.description.checksum.clone(), documents(&plan.checked.feed, &edition))
    });
    let elements = built[0].1["a1"]["parties"].as_array().unwrap();
    let order: Vec<&str> = elements.iter().map(|element| element["party"].as_str().unwrap()).collect();
    assert_eq!(order, ["p81", "p201", "p321", "p1", "p121", "p241", "p361", "p41", "p161", "p281"]);
    assert_eq!(built[0].1["a1"]["branch"]["city"], "city 7", "the first row of two");
    for other in &built[1..] {
        assert_eq!(other.1, built[0].1);
        assert_eq!(other.0, built[0].0);
    }
}
