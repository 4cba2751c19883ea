//! Two runs of one feed at once: one wins, and the other is told so, whatever both write meanwhile.

use std::process::Child;

use crate::support::{DAYS, Ran, Scratch};

fn at_once(scratch: &Scratch, args: &[&str], runs: usize) -> Vec<Ran> {
    let start = |_| scratch.command(args.iter().copied()).spawn().unwrap();
    let children: Vec<Child> = (0..runs).map(start).collect();
    children.into_iter().map(|child| scratch.finish(child)).collect()
}

#[test]
fn builds_of_one_edition_at_once_all_succeed() {
    let scratch = Scratch::sampled(400);
    for _ in 0..12 {
        for ran in at_once(&scratch, &["--quiet", "build", "--load-date", DAYS[0]], 4) {
            ran.succeeded();
        }
    }
    let names: Vec<String> = scratch.files("editions").into_keys().collect();
    assert!(!names.iter().any(|name| name.contains(".tmp")), "{names:?}");
}

#[test]
fn of_two_that_publish_at_once_one_wins() {
    let scratch = Scratch::sampled(400);
    let target = scratch.join("topics");
    for round in 0..12 {
        // The editions are there from the second round on, and both runs judge them at once.
        let _ = std::fs::remove_dir_all(&target);
        let ran = at_once(&scratch, &["--quiet", "publish", "--load-date", DAYS[0]], 2);
        let mut codes: Vec<_> = ran.iter().map(|ran| ran.code).collect();
        codes.sort_unstable();
        let said: Vec<_> = ran.iter().map(|ran| ran.stderr.as_str()).collect();
        assert!(codes == [Some(0), Some(40)] || codes == [Some(0), Some(0)], "{round}: {codes:?} {said:?}");
    }
}
