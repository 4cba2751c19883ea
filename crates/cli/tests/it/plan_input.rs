//! What `hivecast plan` is given: names, facts, places for its results; and what it says of those that are no good.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{DAYS, Ran, Scratch};

const CLUSTER: [&str; 6] = ["--nodes", "10", "--node-cores", "16", "--node-memory", "64GiB"];

fn plan(scratch: &Scratch, more: &[&str]) -> Ran {
    scratch.hivecast(["plan", "--load-date", DAYS[0]].into_iter().chain(more.iter().copied()))
}

fn refused(scratch: &Scratch, more: &[&str]) -> String {
    plan(scratch, more).failed(2)
}

/// Commands of the first example in a page of the documentation, each as the words behind `hivecast`.
fn commands(page: &str) -> Vec<Vec<String>> {
    let example =
        page.lines().skip_while(|line| !line.starts_with("    ")).take_while(|line| !line.is_empty());
    let text = example.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    text.lines().map(|line| words(line.split(" # ").next().unwrap())).collect()
}

/// As a shell divides a line, with double quotes.
fn words(line: &str) -> Vec<String> {
    let outside_and_inside = line.split('"').enumerate();
    outside_and_inside
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

#[test]
fn the_examples_of_the_documentation_work() {
    let scratch = Scratch::sampled(100);
    let commands = commands(include_str!("../../../../docs/plan.md"));
    assert!(commands.len() >= 5 && commands.iter().any(|words| words.contains(&"--why".to_owned())));
    for command in commands {
        assert_eq!(command[..2], ["hivecast", "plan"], "{command:?}");
        scratch.hivecast(command[1..].iter().map(String::as_str)).succeeded();
    }
    assert!(scratch.join("plan.html").is_file() && scratch.join("spark/spark.conf").is_file());
}

#[test]
fn a_name_is_found_however_it_is_written() {
    let scratch = Scratch::sampled(50);
    let told = |more: &[&str]| plan(&scratch, more).succeeded().stdout;
    let memory = told(&["--why", "--memory"]);
    assert!(memory.contains("--memory = "), "{memory}");
    for same in ["memory", "--MEMORY", "--memory"] {
        assert_eq!(told(&["--why", same]), memory, "{same}");
    }
    assert!(told(&["--why", "--threads"]).contains("--threads = "));
    assert_eq!(told(&["--why", "thread"]), told(&["--why=--threads"]));
    assert!(told(&["--why", "Peak"]).contains("peak memory = "));
    let named: Value = serde_json::from_str(&told(&["--why", "PEAK", "--json"])).unwrap();
    assert_eq!(named["name"], "peak memory");
    let heap = told(&[CLUSTER.as_slice(), &["--why", "SPARK.EXECUTOR.MEMORY"]].concat());
    assert!(heap.starts_with("spark.executor.memory = "), "{heap}");

    let several = refused(&scratch, &["--why", "memory of"]);
    assert!(several.contains("memory of documents, memory of partyRelations"), "{several}");
    let near = refused(&scratch, &["--why", "peek memory"]);
    assert!(near.contains("did you mean `peak memory`?"), "{near}");
    let none = refused(&scratch, &["--why", "xyzzy"]);
    assert!(none.contains("there are: --memory, --threads, "), "{none}");
}

#[test]
fn who_asks_for_a_setting_of_spark_without_a_cluster_is_told_how_to_describe_one() {
    let scratch = Scratch::sampled(50);
    for name in ["spark.executor.memory", "Executors", "executor heap", "heap", "spark.executor.memroy"] {
        let told = refused(&scratch, &["--why", name]);
        assert!(told.contains("of a Spark cluster") && told.contains("--nodes 10 --node-cores"), "{told}");
    }
    let small = ["--nodes", "1", "--node-cores", "2", "--node-memory", "1GiB", "--why", "executors"];
    let told = refused(&scratch, &small);
    assert!(told.contains("the cluster is too small: the driver takes"), "{told}");
}

#[test]
fn bad_options_are_told() {
    let scratch = Scratch::sampled(20);
    assert!(refused(&scratch, &["--node-cores", "4"]).contains("--nodes"));
    assert!(refused(&scratch, &["--write", "x"]).contains("--nodes"));
    let price = refused(&scratch, &[CLUSTER.as_slice(), &["--core-price", "-1"]].concat());
    assert!(price.contains("--core-price") && price.contains("a number above 0"), "{price}");
    let yarn = refused(&scratch, &[CLUSTER.as_slice(), &["--yarn-maximum", "512m"]].concat());
    assert!(yarn.contains("--yarn-maximum") && yarn.contains("Usage: hivecast plan"), "{yarn}");
    let small = ["--nodes", "1", "--node-cores", "2", "--node-memory", "1GiB", "--write", "x"];
    let told = refused(&scratch, &small);
    assert!(told.contains("no settings to write") && told.contains("MiB"), "{told}");
    assert!(!scratch.join("x").exists(), "nothing is written");
    let told = plan(&scratch, &[CLUSTER.as_slice(), &["--deadline", "1s", "--json"]].concat());
    let verdict = &told.succeeded().json()["cluster"]["deadline"];
    assert_eq!(verdict["met"], "never", "Spark takes longer to start");
    assert!(verdict["would_do"].as_str().unwrap().contains("no cluster does it in 1.0 s"), "{verdict}");
    plan(&scratch, &["--deadline", "3m20s"]).succeeded();
    let told = Scratch::example().hivecast(["plan"]).failed(2);
    assert!(!told.is_empty(), "{told}");
}

#[test]
fn advice_names_no_option_that_the_command_does_not_have() {
    let scratch = Scratch::sampled(20);
    let missing = |command: &str| scratch.hivecast([command, "--load-date", "2020-01-01"]).failed(20);
    assert!(missing("build").contains("choose a load_date that exists, or wait for the export with --wait"));
    for command in ["plan", "preview"] {
        let told = missing(command);
        assert!(told.contains("choose a load_date that exists") && !told.contains("--wait"), "{told}");
    }
    let no_day = scratch.hivecast(["plan", "--load-date", "tomorrow"]).failed(2);
    assert!(no_day.contains("yesterday or latest") && !no_day.contains("A..B"), "{no_day}");
    let range = scratch.hivecast(["plan", "--load-date", "2026-11-20..2026-11-21"]).failed(2);
    assert!(range.contains("--load-date") && range.contains("give one load_date"), "{range}");
}

#[test]
fn what_is_wrong_with_facts_is_told_by_its_place() {
    let scratch = Scratch::sampled(50);
    plan(&scratch, &["--save-facts", "good.json"]).succeeded();
    let good: Value = serde_json::from_str(&scratch.read("good.json")).unwrap();
    let told = |bytes: &[u8]| {
        scratch.write("facts.json", bytes);
        let told = scratch.hivecast(["plan", "--facts", "facts.json"]).failed(2);
        assert!(told.starts_with("error: failed to read the facts facts.json: "), "{told}");
        assert!(told.contains("help: make one with `hivecast plan --save-facts FILE`"), "{told}");
        assert!(!told.contains("struct") && !told.contains("f64") && !told.contains("u64"), "{told}");
        told
    };
    let changed = |at: &str, value: Value| {
        let mut facts = good.clone();
        *facts.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = value;
        told(facts.to_string().as_bytes())
    };
    let rows = "/levels/1/rows/value";
    for (at, value, expected) in [
        ("/levels", json!([]), "levels is empty"),
        ("/tables", json!([]), "tables is empty"),
        ("/version", json!(99), "they have version 99, and this program reads version 1"),
        (&*format!("{rows}/low"), json!(-1), "field levels[1].rows.value.low is negative: -1"),
        (&*format!("{rows}/high"), json!(1e300), "field levels[1].rows.value.high is more than can be"),
        (
            &*format!("{rows}/low"),
            json!("x"),
            "field levels[1].rows.value.low is a text, and has to be a number",
        ),
        (
            &*format!("{rows}/low"),
            json!(1e9),
            "field levels[1].rows.value.low is 1000000000.0, more than levels[1]",
        ),
        (
            "/levels/1/rows/source",
            json!("magic"),
            "field levels[1].rows.source is \"magic\", which is no source",
        ),
        (
            "/levels/1/largest",
            json!([1.5]),
            "field levels[1].largest[0] is the number 1.5, and has to be a whole",
        ),
        ("/levels/0/path", json!("a"), "field levels[0].path is \"a\", and the first level is the document"),
        ("/tables/0", json!(7), "field tables[0] is the number 7, and has to be an object"),
        ("/document_bytes", json!({}), "field document_bytes.value is missing"),
    ] {
        let told = changed(at, value);
        assert!(told.contains(expected), "{told}");
    }
    assert!(told(b"{}").contains("field version is missing"));
    assert!(told(b"[]").contains("it is a list, and has to be an object"));
    assert!(told(b"{").contains("it is no JSON"));
    assert!(told(b"\xff\xfe").contains("no text in UTF-8"));
    for place in ["nowhere.json", "feeds", "good.json/x"] {
        let told = scratch.hivecast(["plan", "--facts", place]).failed(2);
        assert!(told.contains(place) && told.contains("--save-facts"), "{told}");
    }
}

#[test]
fn what_was_written_is_said() {
    let scratch = Scratch::sampled(20);
    let results = ["--write", "spark", "--page", "plan.html", "--save-facts", "facts.json"];
    let args = [["plan", "--load-date", DAYS[0]].as_slice(), &CLUSTER, &results].concat();
    let said = scratch.finish(scratch.command(args.iter().copied()).spawn().unwrap()).succeeded();
    for told in [
        "wrote what is known of the day to facts.json\n",
        "wrote the page to plan.html\n",
        "wrote Spark's settings to spark/spark.conf and spark/spark-submit.sh, although the answer is not to use",
    ] {
        assert!(said.stderr.contains(told) && !said.stdout.contains(told), "{said:?}");
    }
    // Its own it may write again, and silently.
    let quiet = scratch.hivecast(args.iter().copied()).succeeded();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn files_of_others_are_not_written_over() {
    let scratch = Scratch::sampled(20);
    let places = [
        ("plan.html", vec!["--page", "plan.html"]),
        ("facts.json", vec!["--save-facts", "facts.json"]),
        ("spark/spark.conf", [CLUSTER.as_slice(), &["--write", "spark"]].concat()),
        ("spark/spark-submit.sh", [CLUSTER.as_slice(), &["--write", "spark"]].concat()),
    ];
    for (place, more) in places {
        let foreign = "{\"mine\": \"version\"}\n# Made by hand\n";
        scratch.write(place, foreign);
        let told = refused(&scratch, &more);
        assert!(
            told.contains(&format!("{place} is there already")) && told.contains("remove it, or"),
            "{told}"
        );
        assert_eq!(scratch.read(place), foreign);
        // Nothing is lost with an empty one.
        scratch.write(place, "");
        plan(&scratch, &more).succeeded();
        assert!(scratch.read(place).len() > 1000);
    }
    let told = refused(&scratch, &["--save-facts", "plan.html"]);
    assert!(told.contains("plan.html is there already"), "{told}");
    let told = refused(&scratch, &["--save-facts", "new", "--page", "new"]);
    assert!(told.contains("two results"), "{told}");
}

#[test]
fn a_place_where_nothing_can_be_written_is_a_mistake_with_advice() {
    let scratch = Scratch::sampled(20);
    scratch.write("afile", "");
    let write = [CLUSTER.as_slice(), &["--write", "afile"]].concat();
    let long = "x".repeat(300);
    for (more, told) in [
        (["--page", "."].as_slice(), "failed to write .: it is a directory"),
        (&["--page", "afile/plan.html"], "afile is a file, and no directory"),
        (&["--save-facts", "afile/x/y"], "afile is a file, and no directory"),
        (&write, "failed to write afile/spark.conf: afile is a file, and no directory"),
        (&["--page", &long], "failed to write xxx"),
    ] {
        let said = refused(&scratch, more);
        assert!(said.contains(told) && said.contains("help: name "), "{said}");
    }
    // Rights hold root back from nothing, so this is for others.
    let closed = scratch.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(closed.join("probe"), "").is_err() {
        let said = plan(&scratch, &["--page", "closed/plan.html"]).failed(30);
        assert!(said.contains("help: "), "{said}");
    }
}

#[test]
fn a_plan_needs_no_secret_of_the_target() {
    let scratch = Scratch::sampled(20);
    // Its broker's address and its mask key are variables that are not set.
    let plan = |command: &str| scratch.hivecast([command, "--env", "kafka", "--load-date", DAYS[0]]);
    assert!(plan("plan").succeeded().stdout.contains("Use the embedded engine"));
    let told = plan("build").failed(2);
    assert!(told.contains("KAFKA_BOOTSTRAP") && told.contains("MASK_KEY"), "{told}");
    // What the warehouse needs it has to know.
    scratch.edit(
        "hivecast.yaml",
        "    warehouse: ./warehouse\n    store: ./editions-kafka",
        "    warehouse: \"${WHERE}\"\n    store: ./editions-kafka",
    );
    let told = plan("plan").failed(2);
    assert!(told.contains("WHERE") && !told.contains("MASK_KEY"), "{told}");
    // A feed that masks still has to have a key.
    scratch.edit("hivecast.yaml", "    mask_key: for-trying-out-only", "    #");
    assert!(scratch.hivecast(["plan", "--load-date", DAYS[0]]).failed(2).contains("mask_key"));
}
