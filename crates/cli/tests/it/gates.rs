//! Gates as a person changes them between runs.

use crate::support::{DAYS, Scratch};

const SAMPLE: u64 = 300;

fn with_gate(scratch: &Scratch, gate: &str) {
    let feed = scratch.read("feeds/contracts.yaml");
    let head = feed.split("\ngates:").next().unwrap().to_owned();
    scratch.write("feeds/contracts.yaml", format!("{head}\ngates:\n  {gate}\n"));
}

#[test]
fn a_gate_that_was_changed_judges_an_edition_that_is_built_already() {
    let scratch = Scratch::sampled(SAMPLE);
    with_gate(&scratch, "allowed: { of: accounts, column: country, values: [Nowhere], severity: warn }");
    scratch.hivecast(["build", "--load-date", DAYS[0]]).succeeded();

    with_gate(&scratch, "allowed: { of: accounts, column: country, values: [Nowhere], severity: fail }");
    let told = scratch.hivecast(["publish", "--load-date", DAYS[0]]).failed(20);
    assert!(told.contains("allowed in accounts.country"), "{told}");

    with_gate(&scratch, "allowed: { of: accounts, column: country, values: [Nowhere], severity: warn }");
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "published");

    with_gate(&scratch, "allowed: { of: accounts, column: country, values: [Nowhere], severity: fail }");
    let report = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    assert_eq!(report["runs"][0]["outcome"], "already_published", "what was sent is sent");
}

#[test]
fn a_quarantined_key_is_neither_sent_nor_deleted() {
    let scratch = Scratch::sampled(SAMPLE);
    let first = scratch.hivecast(["publish", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let documents = first["runs"][0]["publish"]["documents"].as_u64().unwrap();
    with_gate(
        &scratch,
        "allowed: { of: accounts, column: country, values: [Nowhere], severity: quarantine }",
    );
    let second = scratch.hivecast(["publish", "--load-date", DAYS[1], "--json"]).succeeded().json();
    let sent = &second["runs"][0]["publish"];
    assert_eq!(sent["documents"], 0, "every country is quarantined");
    assert!(sent["tombstones"].as_u64().unwrap() < documents / 10, "only keys that are really gone: {sent}");
    // Letting them go again is another edition.
    with_gate(&scratch, "allowed: { of: accounts, column: country, values: [Nowhere], severity: warn }");
    scratch.hivecast(["publish", "--load-date", DAYS[1]]).failed(50);
    let third =
        scratch.hivecast(["publish", "--load-date", DAYS[1], "--replace", "--json"]).succeeded().json();
    assert_eq!(third["runs"][0]["publish"]["documents"], third["runs"][0]["edition"]["documents"]);
}

#[test]
fn a_failure_keeps_its_exit_code_when_nobody_can_read_about_it() {
    let scratch = Scratch::sampled(SAMPLE);
    for (line, code) in [
        (["publish", "--load-date", "2030-01-01", "--json"].as_slice(), 20),
        (["check", "--env", "nope", "--json"].as_slice(), 2),
        (["runs", "--json"].as_slice(), 10),
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = scratch.command(line.iter().copied());
        assert_eq!(command.stdout(full).status().unwrap().code(), Some(code), "{line:?}");
    }
}

#[test]
fn a_mistake_on_the_command_line_is_an_object_too_where_one_is_asked_for() {
    let ran = Scratch::empty().hivecast(["publish", "--load-date", "2026-13-01", "--json"]);
    assert_eq!(ran.code, Some(2));
    let error = &ran.json()["error"];
    assert_eq!((error["class"].as_str(), error["exit_code"].as_u64()), (Some("usage"), Some(2)));
    assert!(error["message"].as_str().unwrap().contains("2026-13-01"), "{error}");
}

#[test]
fn what_the_feed_masks_is_in_no_example_and_no_message() {
    let scratch = Scratch::sampled(SAMPLE);
    const MASKED: &str = "{ value: tax_id, mask: hmac-sha256 }";
    let feed = scratch.read("feeds/contracts.yaml");
    assert!(feed.contains(MASKED));
    let preview = |scratch: &Scratch| {
        let open = feed.replace(MASKED, "{ value: tax_id }");
        scratch.write("feeds/contracts.yaml", open);
        let json =
            scratch.hivecast(["preview", "--load-date", DAYS[0], "--limit", "400", "--json"]).succeeded();
        scratch.write("feeds/contracts.yaml", &feed);
        let documents = json.json()["documents"].as_array().unwrap().clone();
        let id = |document: &serde_json::Value| {
            document["value"]["payload"]["taxIdentifier"]["newValue"]["taxId"].as_str().map(str::to_owned)
        };
        documents.iter().filter_map(id).collect::<Vec<_>>()
    };
    let secrets = preview(&scratch);
    assert!(secrets.len() > 100);
    for gate in [
        "allowed: { of: accounts, column: tax_id, values: [none], severity: fail }",
        "sql: { name: odd, query: \"select tax_id, account_id from accounts\", severity: fail }",
        "sql: { name: odd, query: \"select upper(tax_id) as x, account_id from accounts\", severity: fail }",
        "sql: { name: odd, query: \"select tax_id x, max(account_id) from accounts group by tax_id\", severity: fail }",
    ] {
        with_gate(&scratch, gate);
        let ran = scratch.hivecast(["build", "--load-date", DAYS[0], "--json"]);
        assert_eq!(ran.code, Some(20), "{gate}: {}", ran.stderr);
        assert!(ran.stderr.contains("***"), "{gate}: {}", ran.stderr);
        let text = ran.stdout + &ran.stderr;
        let shown: Vec<_> = secrets.iter().filter(|secret| text.contains(secret.as_str())).collect();
        assert!(shown.is_empty(), "{gate} shows {shown:?}:\n{text}");
    }
    // The same gates over what is not masked do show values.
    with_gate(&scratch, "allowed: { of: accounts, column: country, values: [none], severity: fail }");
    let ran = scratch.hivecast(["build", "--load-date", DAYS[0]]).failed(20);
    assert!(!ran.contains("***"), "{ran}");
}
