//! Help, usage mistakes, and the commands that need no data.

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
      verify   Read back what was published and compare it with its manifest
      runs     List past runs
      prune    Remove old editions, except those that a later publish needs
      schema   Print the JSON schema of the feed or project file, for editors
      help     Print this message or the help of the given subcommand(s)

    Options:
          --project <FILE>  The project file [default: hivecast.yaml here or in the nearest directory
                            above]
          --env <NAME>      Which environment of the project file [env: HIVECAST_ENV=] [default: local]
          --feed <NAME>     Which feed [default: the only one there is]
          --json            Print one JSON object on standard output, for programs
      -v, --verbose         Log more
      -q, --quiet           Print nothing but results and errors
      -h, --help            Print help
      -V, --version         Print version

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
        "publish --load-date 2026-11-22 --writer 2/4",
        "publish --load-date 2026-11-22 --wait 2",
        "sample --days 0",
        "schema table",
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
    error: fraud is not empty
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
