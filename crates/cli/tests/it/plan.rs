//! `hivecast plan`, as a user meets it.

use serde_json::Value;

use crate::support::{DAYS, Scratch};

fn plan(scratch: &Scratch, more: &[&str]) -> Value {
    let args = ["plan", "--json", "--load-date", DAYS[0]].into_iter().chain(more.iter().copied());
    scratch.hivecast(args).succeeded().json()
}

/// A number of the answer by its name; of several sections the first that has it.
fn quantity<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let sections = answer["sections"].as_array().unwrap().iter();
    let mut quantities = sections.flat_map(|section| section["quantities"].as_array().unwrap());
    quantities.find(|found| found["name"] == name).unwrap_or_else(|| panic!("no {name} in {answer}"))
}

fn expected(answer: &Value, name: &str) -> f64 {
    quantity(answer, name)["value"]["expected"].as_f64().unwrap()
}

fn basis<'a>(answer: &'a Value, subject: &str) -> &'a Value {
    let mut models = answer["models"].as_array().unwrap().iter();
    &models.find(|model| model["subject"] == subject).unwrap_or_else(|| panic!("{answer}"))["basis"]
}

fn history(scratch: &Scratch) -> Vec<Value> {
    let text = scratch.read("editions/contracts/runs.ndjson");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const CLUSTER: [&str; 6] = ["--nodes", "10", "--node-cores", "16", "--node-memory", "64GiB"];

#[test]
fn the_facts_are_those_of_the_edition_that_is_built() {
    let scratch = Scratch::sampled(500);
    let answer = plan(&scratch, &[]);
    let report = scratch.hivecast(["build", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let edition = &report["runs"][0]["edition"];
    assert_eq!(expected(&answer, "rows of documents"), edition["documents"].as_f64().unwrap());
    for table in edition["tables"].as_array().unwrap() {
        let name = format!("rows of {}", table["table"].as_str().unwrap());
        assert_eq!(expected(&answer, &name), table["rows_read"].as_f64().unwrap(), "{name}");
    }
    let parties =
        edition["tables"].as_array().unwrap().iter().find(|table| table["table"] == "parties").unwrap();
    assert_eq!(expected(&answer, "rows of partyRelations"), parties["rows"].as_f64().unwrap());
    assert_eq!(answer["choice"]["engine"], "embedded");
    assert!(expected(&answer, "largest key of partyRelations") >= 2.0);
    // Of masked columns' values, and of all others, no answer has any.
    let text = scratch.hivecast(["plan", "--load-date", DAYS[0]]).succeeded().stdout;
    assert!(text.contains("arithmetic") && !text.contains("ACC") && !text.contains('@'), "{text}");
}

#[test]
fn a_quick_plan_reads_no_rows_and_says_what_it_guesses() {
    let scratch = Scratch::sampled(500);
    let (whole, quick) = (plan(&scratch, &[]), plan(&scratch, &["--quick"]));
    let rows = &quantity(&quick, "rows of documents")["value"];
    let truth = expected(&whole, "rows of documents");
    assert!(rows["low"].as_f64().unwrap() <= truth && truth <= rows["high"].as_f64().unwrap(), "{rows}");
    assert!(!quick.to_string().contains("largest key of"), "keys were not read");
    // The bytes of the files' columns are those of the footers, with keys read or not.
    assert_eq!(whole["facts"]["levels"][1]["read_bytes"], quick["facts"]["levels"][1]["read_bytes"]);
    // Files of other formats do not say how many rows they have.
    let avro = Scratch::example();
    avro.hivecast(["sample", "--accounts", "200", "--days", "1", "--load-date", DAYS[0], "--format", "avro"])
        .succeeded();
    let guessed = plan(&avro, &["--quick"]);
    let rows = quantity(&guessed, "rows of accounts");
    assert!(rows["how"].as_str().unwrap().contains("guessed from the files' sizes"), "{rows}");
    assert!(rows["value"]["low"].as_f64().unwrap() * 3.0 < rows["value"]["high"].as_f64().unwrap(), "{rows}");
}

#[test]
fn calibration_measures_small_shares_and_leaves_nothing_but_its_records() {
    let scratch = Scratch::sampled(3_000);
    let before = plan(&scratch, &[]);
    assert_eq!(basis(&before, "build_embedded")["by"], "default");
    let answer = plan(&scratch, &["--calibrate", "--threads", "2"]);
    assert_eq!(basis(&answer, "build_embedded")["by"], "calibrated");
    assert_eq!(basis(&answer, "memory_of_rows")["by"], "calibrated");
    assert_eq!(basis(&answer, "publish")["by"], "default", "nothing was sent");
    let records = history(&scratch);
    assert!(records.len() >= 4 && records.iter().all(|run| run["command"] == "calibrate"), "{records:?}");
    let documents = expected(&answer, "rows of documents");
    let shares: Vec<f64> =
        records.iter().map(|run| run["documents"].as_f64().unwrap() / documents * 100.0).collect();
    // So small a day goes quickly, so that larger shares are built, too.
    for (least, most, at) in [(0.3, 2.0, 0), (25.0, 40.0, shares.len() - 1)] {
        assert!(least <= shares[at] && shares[at] <= most, "{shares:?}");
    }
    let left: Vec<String> = scratch.files("editions").into_keys().collect();
    assert_eq!(left, ["contracts/runs.ndjson"], "no edition is left");
    // Another day's plan learns from them.
    let later = scratch.hivecast(["plan", "--json", "--load-date", DAYS[1]]).succeeded().json();
    assert_eq!(basis(&later, "build_embedded")["by"], "calibrated", "still no whole day was built");
}

#[test]
fn every_run_keeps_what_was_foretold_beside_what_was_measured() {
    let scratch = Scratch::sampled(500);
    scratch.hivecast(["publish", "--load-date", DAYS[0]]).succeeded();
    scratch.hivecast(["publish", "--load-date", DAYS[1]]).succeeded();
    // Nothing is done, so nothing is measured.
    scratch.hivecast(["publish", "--load-date", DAYS[1]]).succeeded();
    let runs = history(&scratch);
    let measured = |run: &Value| -> Vec<String> {
        let numbers = run["record"]["numbers"].as_array().unwrap().iter();
        let done =
            numbers.filter(|number| number["measured"].as_f64().is_some_and(|measured| measured > 0.0));
        done.map(|number| number["subject"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["build_embedded", "memory_of_rows", "publish", "verify"];
    assert_eq!(measured(&runs[0]), all);
    assert_eq!(runs[0]["record"]["numbers"][0]["basis"]["by"], "default");
    assert_eq!(runs[1]["record"]["numbers"][0]["basis"]["by"], "learned");
    assert_eq!(measured(&runs[2]), [""; 0]);
    let shown = scratch.hivecast(["plan", "--history", "--json"]).succeeded().json();
    assert_eq!(
        shown["predictions"].as_array().unwrap().len(),
        2 * (all.len() + 1),
        "and the wall time of each"
    );
    let table = scratch.hivecast(["plan", "--history"]).succeeded().stdout;
    assert!(
        table.contains("build time") && table.contains("peak memory") && table.contains(DAYS[1]),
        "{table}"
    );
}

#[test]
fn tomorrows_prediction_learns_from_todays_run() {
    let scratch = Scratch::sampled(500);
    scratch.hivecast(["build", "--load-date", DAYS[0]]).succeeded();
    let path = "editions/contracts/runs.ndjson";
    let mut run = history(&scratch).remove(0);
    // As if it had taken a minute, on another machine.
    let number = run["record"]["numbers"].as_array_mut().unwrap().iter_mut();
    number
        .filter(|number| number["subject"] == "build_embedded")
        .for_each(|number| number["measured"] = 60.0.into());
    scratch.write(path, format!("{run}\n"));
    let learned = plan(&scratch, &["--for", "build"]);
    let seconds = learned["embedded"]["wall"]["expected"].as_f64().unwrap();
    assert!((45.0..75.0).contains(&seconds), "{seconds}");
    // Runs of another environment are another machine's.
    run["env"] = "elsewhere".into();
    scratch.write(path, format!("{run}\n"));
    let default = plan(&scratch, &["--for", "build"]);
    assert!(default["embedded"]["wall"]["expected"].as_f64().unwrap() < 5.0);
}

#[test]
fn settings_and_page_are_written_and_explained() {
    let scratch = Scratch::sampled(300);
    let written =
        ["--write", "spark", "--page", "plan.html", "--save-facts", "facts.json", "--deadline", "2h"];
    let answer = plan(&scratch, &[CLUSTER.as_slice(), &written].concat());
    let conf = scratch.read("spark/spark.conf");
    let submit = scratch.read("spark/spark-submit.sh");
    for setting in answer["cluster"]["settings"].as_array().unwrap() {
        let name = setting["name"].as_str().unwrap();
        let file = if setting["of"] == "driver" { &submit } else { &conf };
        assert!(file.contains(name), "{name} is in no file");
        if let Some(value) = setting["value"].as_str() {
            assert!(file.contains(value), "{name} {value}");
        }
    }
    for name in [
        "spark.driver.cores",
        "spark.driver.memory",
        "spark.driver.memoryOverhead",
        "spark.executor.instances",
        "spark.executor.cores",
        "spark.executor.memory",
        "spark.executor.memoryOverhead",
        "spark.executor.memoryOverheadFactor",
        "spark.memory.fraction",
        "spark.memory.storageFraction",
        "spark.executor.pyspark.memory",
        "spark.python.worker.memory",
    ] {
        assert!(format!("{conf}{submit}").contains(name), "{name}");
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(scratch.join("spark/spark-submit.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "it can be run");
    assert!(scratch.read("plan.html").contains("<svg"));
    let why = |name| {
        let args = ["plan", "--load-date", DAYS[0], "--why", name].into_iter().chain(CLUSTER);
        scratch.hivecast(args)
    };
    let told = why("spark.executor.memory").succeeded().stdout;
    assert!(told.starts_with("spark.executor.memory = "), "{told}");
    let refused = why("spark.executor.memroy").failed(2);
    assert!(
        refused.contains("spark.executor.memroy") && refused.contains("spark.executor.memory"),
        "{refused}"
    );
    // The same from the facts alone, where there is no project.
    let empty = Scratch::empty();
    empty.write("facts.json", scratch.read("facts.json"));
    let args =
        ["plan", "--json", "--facts", "facts.json", "--write", "spark", "--deadline", "2h"].into_iter();
    empty.hivecast(args.chain(CLUSTER)).succeeded();
    assert_eq!(empty.read("spark/spark.conf"), conf);
    assert_eq!(empty.read("spark/spark-submit.sh"), submit);
    // Each has its reason in numbers.
    let version = env!("CARGO_PKG_VERSION");
    let mark = format!("# Made by `hivecast plan` {version}. Change nothing here: plan again.\n");
    assert!(conf.starts_with(&mark) && submit.starts_with(&format!("#!/bin/sh\n{mark}")), "{conf}{submit}");
    let joined = conf.replace("\n# ", " ");
    let executors = format!("executors = {}: ", expected(&answer, "executors"));
    for told in [
        "Feed contracts, load_date 2026-11-20",
        "Cluster: 10 nodes of 16 cores and 64 GiB",
        "--for publish --deadline 2h --nodes 10",
        "executor heap = 512 MiB: 300 MiB + ",
        "512 + 384 = 896 MiB, which YARN rounds up to 1024 MiB.",
        "(512 - 300) x 0.6 = 127 MiB",
        &executors,
    ] {
        assert!(joined.contains(told), "{told}: {conf}");
    }
    assert!(submit.contains("driver heap = "), "{submit}");
    assert_eq!(conf.matches("A fixed number of executors").count(), 1, "it is said once");
}

#[test]
fn a_history_that_cannot_be_read_stops_no_run() {
    let scratch = Scratch::sampled(20);
    std::fs::create_dir_all(scratch.join("editions/contracts/runs.ndjson")).unwrap();
    scratch.hivecast(["build", "--load-date", DAYS[0]]).succeeded();
}

#[test]
fn without_a_scan_of_the_keys_a_querys_rows_are_a_wide_guess_and_skew_is_said_to_be_unknown() {
    let scratch = Scratch::sampled(200);
    scratch.edit(
        "feeds/contracts.yaml",
        "\ndocument:",
        "\n  twice: { sql: \"select account_id, count(*) as owners from parties group by account_id\" }\n\ndocument:",
    );
    scratch.edit(
        "feeds/contracts.yaml",
        "\nenvelope:",
        "\n    owners: { one: twice, on: account_id, fields: { owners: owners } }\n\nenvelope:",
    );
    let (whole, quick) = (plan(&scratch, &[]), plan(&scratch, &["--quick"]));
    let truth = expected(&whole, "rows of owners");
    let guess = &quantity(&quick, "rows of owners")["value"];
    assert!(truth > 0.0, "{whole}");
    assert!(guess["low"].as_f64().unwrap() <= truth && truth <= guess["high"].as_f64().unwrap(), "{guess}");
    assert!(quick["notes"].to_string().contains("keys were not read"), "{}", quick["notes"]);
    assert!(!whole["notes"].to_string().contains("keys were not read"), "{}", whole["notes"]);
}

#[test]
fn one_key_with_half_of_the_rows_is_told() {
    let scratch = Scratch::example();
    scratch
        .hivecast(["sample", "--accounts", "8000", "--days", "1", "--load-date", DAYS[0], "--skew", "12000"])
        .succeeded();
    let answer = plan(&scratch, &CLUSTER);
    assert!(expected(&answer, "largest key of partyRelations") >= 11_900.0);
    let notes = answer["notes"].to_string();
    assert!(notes.contains("one key has 11,9") && notes.contains("partyRelations"), "{notes}");
}

#[test]
fn a_cluster_is_calibrated_where_it_says_its_cores() {
    let scratch = Scratch::sampled(300);
    let server = |name: &str| {
        let address =
            std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run with dev/with-services"));
        let plain = "store: ./editions\n";
        let before = scratch.read("hivecast.yaml");
        let (head, rest) = before.split_once(plain).unwrap();
        let rest: String = rest
            .lines()
            .filter(|line| !line.starts_with("    engine:"))
            .map(|line| format!("{line}\n"))
            .collect();
        scratch.write("hivecast.yaml", format!("{head}{plain}    engine: \"{address}\"\n{rest}"));
    };
    server("HIVECAST_TEST_SPARK");
    let answer = plan(&scratch, &[CLUSTER.as_slice(), &["--calibrate", "--for", "build"]].concat());
    assert_eq!(basis(&answer, "build_spark")["by"], "calibrated");
    assert_eq!(basis(&answer, "build_embedded")["by"], "default", "it did not build here");
    assert!(history(&scratch).iter().all(|run| run["record"]["load"]["cores"] == 2.0), "as the server has");
    let left: Vec<String> = scratch.files("editions").into_keys().collect();
    assert_eq!(left, ["contracts/runs.ndjson"], "no edition is left");
    // Sail has no setting for it.
    server("HIVECAST_TEST_SAIL");
    let refused = scratch.hivecast(["plan", "--calibrate", "--load-date", DAYS[0]]).failed(2);
    assert!(refused.contains("does not say how many cores"), "{refused}");
}
