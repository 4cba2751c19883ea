//! What `hivecast plan` knows of files that say little of themselves, and of the engine that an environment has.

use serde_json::Value;

use crate::support::{DAYS, Scratch};

const CLUSTER: [&str; 6] = ["--nodes", "10", "--node-cores", "16", "--node-memory", "64GiB"];

fn sampled(format: &str, accounts: &str) -> Scratch {
    let scratch = Scratch::example();
    let args = ["sample", "--days", "1", "--load-date", DAYS[0], "--accounts", accounts, "--format", format];
    scratch.hivecast(args).succeeded();
    scratch
}

fn plan(scratch: &Scratch, more: &[&str]) -> Value {
    let args = ["plan", "--json", "--load-date", DAYS[0]].into_iter().chain(more.iter().copied());
    scratch.hivecast(args).succeeded().json()
}

fn memory(answer: &Value) -> f64 {
    let levels = answer["facts"]["levels"].as_array().unwrap();
    levels.iter().map(|level| level["read_bytes"]["value"]["expected"].as_f64().unwrap()).sum()
}

#[test]
fn what_files_do_not_say_of_their_rows_is_guessed_and_said_to_be() {
    let known = memory(&plan(&sampled("parquet", "2000"), &[]));
    for format in ["orc", "avro"] {
        let answer = plan(&sampled(format, "2000"), &[]);
        let guessed = memory(&answer);
        assert!(
            known / 3.0 < guessed && guessed < known * 3.0,
            "{format}: {guessed} where {known} are known"
        );
        for level in answer["facts"]["levels"].as_array().unwrap() {
            assert_eq!(level["read_bytes"]["source"], "sizes", "{format}");
            let value = &level["read_bytes"]["value"];
            assert!(value["low"].as_f64() < value["expected"].as_f64(), "{format}: {value}");
            // The keys were read, and with them the rows counted.
            let exact = &level["read"]["value"];
            assert_eq!(exact["low"], exact["high"], "{format}");
        }
        // Whoever says so, a table has as many rows as its level.
        let accounts = |of: &Value| of["rows"]["value"]["expected"].as_f64().unwrap();
        assert_eq!(accounts(&answer["facts"]["tables"][0]), 2_000.0, "{format}");
        let text = answer.to_string();
        assert!(text.contains("guessed from the files' sizes"), "{text}");
    }
}

#[test]
fn what_where_leaves_is_a_guess_until_it_was_asked() {
    let scratch = sampled("parquet", "500");
    let documents = |answer: &Value| answer["facts"]["levels"][0]["rows"].clone();
    let quick = documents(&plan(&scratch, &["--quick"]));
    assert_eq!(quick["source"], "unasked");
    let value = &quick["value"];
    assert!(value["low"].as_f64() < value["expected"].as_f64(), "{value}");
    assert!(value["expected"].as_f64() < value["high"].as_f64(), "{value}");
    let told = scratch.hivecast(["plan", "--quick", "--load-date", DAYS[0]]).succeeded().stdout;
    assert!(told.contains("guessed, since `where` was not asked"), "{told}");
    assert_eq!(documents(&plan(&scratch, &[]))["source"], "scan");
}

#[test]
fn no_cluster_is_planned_for_what_spark_cannot_build() {
    let scratch = sampled("avro", "200");
    let answer = plan(&scratch, &CLUSTER);
    assert!(answer["cluster"].is_null(), "{answer}");
    let lacks = answer["cluster_lacks"].as_str().unwrap();
    assert!(lacks.contains("table accounts can't be built with Spark"), "{lacks}");
    assert_eq!(answer["choice"]["engine"], "embedded");
    let args = ["plan", "--load-date", DAYS[0], "--write", "spark"].into_iter().chain(CLUSTER);
    let told = scratch.hivecast(args).failed(2);
    assert!(told.contains("can't be built with Spark"), "{told}");
    assert!(!scratch.join("spark").exists());
    // The facts know it, too.
    scratch.hivecast(["plan", "--load-date", DAYS[0], "--save-facts", "facts.json"]).succeeded();
    let args = ["plan", "--json", "--facts", "facts.json"].into_iter().chain(CLUSTER);
    assert!(scratch.hivecast(args).succeeded().json()["cluster"].is_null());
}

#[test]
fn a_server_that_is_away_stops_no_plan() {
    let scratch = Scratch::sampled(50);
    scratch.edit(
        "hivecast.yaml",
        "store: ./editions\n",
        "store: ./editions\n    engine: \"sc://127.0.0.1:1\"\n",
    );
    let answer = plan(&scratch, &[]);
    assert_eq!(answer["choice"]["engine"], "embedded");
    assert!(answer["notes"].to_string().contains("nothing is foretold of this environment's Spark server"));
}

#[test]
fn a_history_has_the_wall_time_beside_its_parts() {
    let scratch = Scratch::sampled(300);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    scratch.hivecast(["build", "--load-date", DAYS[1]]).succeeded();
    let found = scratch.hivecast(["plan", "--history", "--json"]).succeeded().json();
    let of = |what: &str, day: &str| -> Option<f64> {
        let mut all = found["predictions"].as_array().unwrap().iter();
        all.find(|error| error["what"] == what && error["load_date"] == day)?["measured"].as_f64()
    };
    let parts: f64 =
        ["build time", "publish time", "verify time"].iter().map(|what| of(what, DAYS[0]).unwrap()).sum();
    assert!((of("wall time", DAYS[0]).unwrap() - parts).abs() < 1e-9);
    assert!(
        of("build time", DAYS[1]).is_some() && of("wall time", DAYS[1]).is_none(),
        "one part is all of it"
    );
}
