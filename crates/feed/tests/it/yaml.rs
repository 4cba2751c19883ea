//! Files that are no YAML, or hold what has no meaning here.

use insta::assert_snapshot;

use crate::support::{GOOD, good_but, parse_mistakes};

#[test]
fn an_empty_feed() {
    assert_snapshot!(parse_mistakes(""), @r"
    error: the feed is empty
     --> feeds/contracts.yaml:1:1
      |
    1 |
      | ^
      |
      = help: `hivecast init DIR` writes an example

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes("# nothing yet\n"), @r"
    error: the feed is empty
     --> feeds/contracts.yaml:1:1
      |
    1 | # nothing yet
      | ^
      |
      = help: `hivecast init DIR` writes an example

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn unreadable_yaml() {
    assert_snapshot!(parse_mistakes("feed: contracts\ntables: { accounts: [ }\n"), @r"
    error: this is not YAML: while parsing a node, did not find expected node content
     --> feeds/contracts.yaml:2:23
      |
    2 | tables: { accounts: [ }
      |                       ^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes("feed: a\n\ttopic: b\n"), @r"
    error: this is not YAML: while scanning a plain scalar, found a tab
     --> feeds/contracts.yaml:1:7
      |
    1 | feed: a
      |       ^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes("feed: 'a\n"), @r"
    error: this is not YAML: while scanning a quoted scalar, found unexpected end of stream
     --> feeds/contracts.yaml:1:7
      |
    1 | feed: 'a
      |       ^

    1 mistake in feeds/contracts.yaml
    ");
}

#[test]
fn yaml_that_has_no_meaning_here() {
    assert_snapshot!(parse_mistakes("- feed\n"), @r"
    error: the feed must be a mapping, and this is a list
     --> feeds/contracts.yaml:1:1
      |
    1 | - feed
      | ^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&format!("{GOOD}---\nfeed: b\n")), @r"
    error: a second YAML document: the file must hold one
      --> feeds/contracts.yaml:15:1
       |
    15 | ---
       | ^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("6", "!many 6")), @r"
    error: YAML tags have no meaning here
     --> feeds/contracts.yaml:3:13
      |
    3 | partitions: !many 6
      |             ^^^^^^^

    1 mistake in feeds/contracts.yaml
    ");
    assert_snapshot!(parse_mistakes(&good_but("feed: contracts", "? [a]\n: b")), @r"
    error: a name must be plain text
     --> feeds/contracts.yaml:1:3
      |
    1 | ? [a]
      |   ^^^

    1 mistake in feeds/contracts.yaml
    ");
}
