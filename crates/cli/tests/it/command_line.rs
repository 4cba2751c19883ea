//! Help, usage mistakes, and the commands that need no data.

use std::fs::File;

use crate::support::Scratch;

#[test]
fn help_names_every_command_and_exit_code() {
    let help = Scratch::empty().hivecast(["--help"]).succeeded().stdout;
    insta::assert_snapshot!(help, @r"
    Publishes each day's export of a Hive warehouse to Kafka, exactly once

    Usage: hivecast [OPTIONS] <COMMAND>

    Commands:
      init     Write a new project with the example feed
      sample   Write a realistic MDM export in Hive layout, day by day with realistic changes
      check    Find every mistake that can be known before data is read
      preview  Print documents; send nothing
      build    Build the edition and hold it against its gates; send nothing
      publish  Build, gate, send exactly once, and verify what arrived
      plan     Estimate what a load_date will need: memory, executors, cores, time, money; send nothing
      verify   Read back what was published and compare it with its manifest
      tables   Show what the warehouse, or --feed, has: tables, formats, days, rows, bytes, readiness
      runs     List past runs
      doctor   Try what a publish needs, and send nothing: files, rights, brokers
      prune    Remove old editions, and with --exports old exports, but what a later publish needs
      schema   Print the JSON schema of the feed or project file, for editors
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Options of every command:
          --project <FILE>  The project file [default: hivecast.yaml here or in the nearest directory
                            above]
          --env <NAME>      Which environment of the project file [env: HIVECAST_ENV] [default: local]
          --feed <NAME>     Which feed [default: the only one there is]
          --json            Print one JSON object on standard output, for programs
      -v, --verbose         Log more
      -q, --quiet           Print nothing but results and errors

    Exit codes:
        0  done
        1  a bug in hivecast
        2  a mistake on the command line, in the feed or in the project file
       10  infrastructure: try again
       20  the data is not fit: missing, corrupt, or stopped by a gate
       30  access denied
       40  another run holds the feed
       50  conflict with what is published
      130  interrupted: run again to resume
    ");
}

#[test]
fn usage_mistakes_exit_2() {
    let scratch = Scratch::empty();
    for line in [
        "",
        "pubish",
        "publish",
        "publish --load-date tomorrow",
        "publish --load-date 2026-02-30",
        "publish --load-date 2026-11-22 --memory 2",
        "publish --load-date 2026-11-22 --threads 0",
        "publish --load-date 2026-11-22 --writer 5/4",
        "publish --load-date 2026-11-22 --backfill --replace",
        "sample --format csv",
        "publish --load-date 2026-11-22 --wait 2",
        "sample --days 0",
        "schema table",
        "runs --limit 0",
        "preview --limit 0",
        "init",
        "--quiet --verbose runs",
    ] {
        let ran = scratch.finish(scratch.command(line.split_whitespace()).spawn().unwrap());
        assert_eq!(ran.code, Some(2), "{line:?}: {}{}", ran.stdout, ran.stderr);
        assert!(!ran.stderr.is_empty(), "{line:?} says nothing");
    }
}

#[test]
fn without_a_project_it_says_how_to_get_one() {
    insta::assert_snapshot!(Scratch::empty().hivecast(["runs"]).failed(2), @r"
    error: there is no hivecast.yaml in [dir] or above it
      help: `hivecast init DIR` writes an example project; --project names a file elsewhere
    ");
    insta::assert_snapshot!(Scratch::empty().hivecast(["runs", "--project", "p.yaml"]).failed(2), @"error: failed to read the project file [dir]/p.yaml: No such file or directory (os error 2)");
}

#[test]
fn init_writes_a_project_that_is_ready() {
    let scratch = Scratch::empty();
    let said = scratch.hivecast(["init", "fraud"]).succeeded().stdout;
    insta::assert_snapshot!(said, @r"
    wrote a project to fraud:
      hivecast.yaml
      feeds/contracts.yaml

    next:
      cd fraud
      hivecast sample                          a week of a realistic export, in ./warehouse
      hivecast check                           is the feed right?
      hivecast preview                         what would be sent?
      hivecast publish --load-date latest      send it to ./topics
    ");
    insta::assert_snapshot!(scratch.hivecast(["init", "fraud"]).failed(2), @r"
    error: fraud is not empty, and nothing in it is replaced
      help: name a directory that is empty or not there yet
    ");
    assert!(scratch.read("fraud/feeds/contracts.yaml").contains("feed: contracts"));
}

#[test]
fn schemas_for_editors_are_json() {
    for file in ["feed", "project"] {
        let schema = Scratch::empty().hivecast(["schema", file]).succeeded().json();
        assert!(schema["$schema"].is_string() && schema["$defs"][file]["properties"].is_object(), "{schema}");
    }
}

#[test]
fn a_feed_is_chosen_by_name_where_there_are_several() {
    let scratch = Scratch::example();
    let feed = scratch.read("feeds/contracts.yaml");
    scratch.write("feeds/parties.yaml", feed.replace("feed: contracts", "feed: parties"));
    insta::assert_snapshot!(scratch.hivecast(["runs"]).failed(2), @r"
    error: there are 2 feeds in [dir]/feeds
      help: choose one with --feed: contracts, parties
    ");
    let ran = scratch.hivecast(["runs", "--feed", "parties"]).succeeded();
    assert_eq!(ran.stdout, "feed parties has no runs yet\n");
    scratch.hivecast(["runs", "--feed", "party"]).failed(2);
}

#[test]
fn failures_are_json_where_programs_ask() {
    let scratch = Scratch::example();
    let ran = scratch.hivecast(["--json", "--env", "nowhere", "runs"]);
    assert_eq!(ran.code, Some(2));
    let error = &ran.json()["error"];
    assert_eq!((&error["class"], &error["exit_code"]), (&"usage".into(), &2.into()), "{error}");
    assert_eq!(error["mistakes"][0]["line"], 4, "{error}");
}

#[test]
fn a_day_of_a_sample_that_is_there_names_what_to_do_about_it() {
    let scratch = Scratch::sampled(10);
    insta::assert_snapshot!(scratch.hivecast(["sample", "--days", "1", "--load-date", "2026-11-22"]).failed(2), @r"
    error: [dir]/warehouse/mdm.db/accounts/load_date=2026-11-22 and 2 directories like it are there already
      help: --force replaces such days, --extend keeps them and writes those that are missing; or name another --load-date
    ");
}

#[test]
fn two_files_of_one_feed_are_both_named() {
    let scratch = Scratch::example();
    scratch.write("feeds/copy.yaml", scratch.read("feeds/contracts.yaml"));
    insta::assert_snapshot!(scratch.hivecast(["check"]).failed(2), @r"
    error: [dir]/feeds/contracts.yaml and [dir]/feeds/copy.yaml are both feed contracts
      help: give one of them another name
    ");
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn output_that_cannot_be_written_is_exit_10_and_stops_no_run() {
    let scratch = Scratch::sampled(10);
    for line in ["--help", "schema feed", "check", "preview --load-date 2026-11-20"] {
        let ran = scratch.command(line.split(' ')).stdout(full()).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(10), "{line}: {said}");
        assert!(said.contains("error: failed to write to standard output: No space"), "{said}");
    }
    // Every day of the range is published, although the first summary can't be printed.
    let line = ["--quiet", "publish", "--load-date", "2026-11-20..2026-11-22"];
    let ran = scratch.command(line).stdout(full()).output().unwrap();
    assert_eq!(ran.status.code(), Some(10));
    let runs = scratch.hivecast(["runs", "--json"]).succeeded().json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 3, "{runs}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_stops_no_run() {
    let scratch = Scratch::sampled(10);
    let line = ["--quiet", "publish", "--load-date", "2026-11-20..2026-11-22"];
    let mut child = scratch.command(line).spawn().unwrap();
    drop(child.stdout.take());
    let ran = child.wait_with_output().unwrap();
    assert_eq!((ran.status.code(), String::from_utf8(ran.stderr).unwrap().as_str()), (Some(0), ""));
    let runs = scratch.hivecast(["runs", "--json"]).succeeded().json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 3, "{runs}");
}

#[test]
fn a_standard_error_that_is_full_or_gone_stops_no_run() {
    let scratch = Scratch::sampled(10);
    let days = ["2026-11-20", "2026-11-21"];
    let mut command = scratch.command(["--verbose", "publish", "--load-date", days[0]]);
    assert_eq!(command.stderr(full()).status().unwrap().code(), Some(0));
    let mut child = scratch.command(["--verbose", "publish", "--load-date", days[1]]).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut failing = scratch.command(["publish", "--load-date", "2030-01-01"]);
    assert_eq!(failing.stderr(full()).status().unwrap().code(), Some(20), "a failure keeps its exit code");
}

#[test]
fn programs_are_told_which_argument_is_missing() {
    let scratch = Scratch::example();
    let ran = scratch.hivecast(["publish", "--json"]);
    assert_eq!(ran.code, Some(2));
    let message = ran.json()["error"]["message"].to_string();
    assert!(message.contains("--load-date <DATE>"), "{message}");
}

#[test]
fn feeds_that_name_a_file_are_a_mistake_in_the_project() {
    let scratch = Scratch::example();
    scratch.edit("hivecast.yaml", "feeds: feeds/", "feeds: feeds/contracts.yaml");
    let said = scratch.hivecast(["check"]).failed(2);
    assert!(said.contains("`feeds` in the project file names the directory"), "{said}");
}
