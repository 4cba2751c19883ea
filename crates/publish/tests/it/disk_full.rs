//! A disk that fills up. The limit is the process's own (`ulimit -f`), so that it needs no right to
//! mount; a write beyond it fails as one on a full disk does, in the middle of a buffer.

use std::process::Command;

use hivecast_publish::{Mode, Outcome};
use hivecast_run::Class;
use hivecast_testkit::conformance::editions::Edition;

use crate::fixture::Topic;

/// Set for the process that runs under the limit.
const LIMITED: &str = "HIVECAST_TEST_LIMITED";

#[test]
fn a_full_disk_leaves_nothing_half() {
    if std::env::var_os(LIMITED).is_some() {
        return under_the_limit();
    }
    // 64 to 128 KiB, whether the shell counts in blocks of 512 bytes or of 1024.
    let script =
        r#"trap '' XFSZ; ulimit -f 128; exec "$0" --exact disk_full::a_full_disk_leaves_nothing_half"#;
    let program = std::env::current_exe().expect("the test's own path");
    let output =
        Command::new("sh").args(["-c", script]).arg(program).env(LIMITED, "1").output().expect("a shell");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn under_the_limit() {
    let mut topic = Topic::new();
    topic.publish("e22");
    let (log, ledger) = (topic.log(), std::fs::read(topic.ledger()).expect("bytes"));
    let giant = format!("\"{}\"", "x".repeat(300 << 10));
    topic.editions.add(Edition::new("e23big", 23, [("giant".to_owned(), giant)]));
    let fault = topic.try_publish("e23big", Mode::Normal).expect_err("no room");
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    assert_eq!(topic.log(), log);
    assert_eq!(std::fs::read(topic.ledger()).expect("bytes"), ledger);
    let committed: u64 = log.0.iter().flatten().count() as u64;
    assert_eq!(committed, 10);
    for partition in 0..2 {
        let length = std::fs::metadata(topic.partition(partition)).expect("the file").len();
        assert!(length < 4 << 10, "what did not fit was cut off: {length} bytes");
    }
    // With room again, here by a smaller edition, the same target goes on.
    assert_eq!(topic.publish("e23").outcome, Outcome::Published);
}
