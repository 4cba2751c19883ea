//! Processes that are killed in the middle of a build: the server, one of its executors, and ours.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hivecast_edition::Edition;
use hivecast_engine::{Embedded, Plan};
use hivecast_run::{Cancel, Result, Silent};

use crate::moments::{
    At, Moment, Slow, assert_infrastructure, assert_nothing, assert_only, build_in, export, find,
};
use crate::servers::{OwnServer, Setup, kill, wait_for};
use crate::support::engine;

fn checksum(store: &Path, plan: &Plan) -> String {
    let built = build_in(store, &Embedded, plan, &Silent, &Cancel::default());
    built.unwrap_or_else(|fault| panic!("{}", fault.chain())).description.checksum
}

fn must(built: Result<Edition>) -> Edition {
    built.unwrap_or_else(|fault| panic!("{} ({:?})", fault.chain(), fault.advice()))
}

/// Kills a server at each of these moments, and lets the next one, which is killed later, finish.
fn servers_killed_at(moments: &[Moment]) {
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), 6_000, 2, Slow { counting: 12, writing: 12 });
    let expected = checksum(&root.path().join("embedded"), &plan);
    let mut unfinished: Option<PathBuf> = None;
    for moment in moments.iter().map(Some).chain([None]) {
        let server = OwnServer::start(&Setup::default());
        let engine = engine(server.address());
        if let Some(store) = unfinished.take() {
            must(build_in(&store, &engine, &plan, &Silent, &Cancel::default()));
            assert_only(&store, &expected);
        }
        let Some(moment) = moment else { break };
        let store = root.path().join(format!("{moment:?}"));
        let at = At::new(*moment, &store, || kill(server.pid()));
        let built = build_in(&store, &engine, &plan, &at, &Cancel::default());
        assert!(at.has_come(), "{moment:?} did not come");
        match built {
            // Nothing was wanted of it any more.
            Ok(_) if matches!(moment, Moment::Written | Moment::Assembling) => assert_only(&store, &expected),
            Ok(_) => panic!("{moment:?}: a dead server built an edition"),
            Err(fault) => {
                assert_infrastructure(&fault, " at 127.0.0.1:", "see that the Spark Connect server runs");
                assert_nothing(&store);
            }
        }
        unfinished = Some(store);
    }
}

#[test]
#[ignore = "starts servers of its own: `cargo xtask torture` runs it"]
fn a_server_killed_while_it_joins() {
    servers_killed_at(&[Moment::Joining]);
}

#[test]
#[ignore = "takes minutes: `cargo xtask torture` runs it"]
fn servers_killed_at_every_moment() {
    use Moment::{Assembling, Connected, Counting, Joining, Writing, Written};
    servers_killed_at(&[Connected, Counting, Joining, Writing, Written, Assembling]);
}

/// What a test that starts itself again as another process reads: the address, the root, the store, and the
/// moment at which it kills itself, unless a crash point does.
const CHILD: [&str; 4] = [
    "HIVECAST_TEST_CHILD_ADDRESS",
    "HIVECAST_TEST_CHILD_ROOT",
    "HIVECAST_TEST_CHILD_STORE",
    "HIVECAST_TEST_CHILD_MOMENT",
];
const ROWS: i64 = 6_000;
const SLOW: Slow = Slow { counting: 8, writing: 12 };

/// The part of the process that is killed.
fn die(address: &str) {
    let [root, store, moment] = [CHILD[1], CHILD[2], CHILD[3]].map(|name| std::env::var(name).unwrap());
    let plan = export(Path::new(&root), ROWS, 2, SLOW);
    let moment = match moment.as_str() {
        "Counting" => Moment::Counting,
        "Joining" => Moment::Joining,
        _ => Moment::Assembling,
    };
    let us = std::process::id().to_string();
    let at = At::new(moment, Path::new(&store), || {
        if moment != Moment::Assembling {
            let _ = Command::new("kill").args(["-KILL", &us]).status();
        }
    });
    must(build_in(Path::new(&store), &engine(address), &plan, &at, &Cancel::default()));
}

#[test]
#[ignore = "takes minutes: `cargo xtask torture` runs it"]
fn what_a_killed_build_left_is_swept_and_its_job_ends() {
    if let Ok(address) = std::env::var(CHILD[0]) {
        return die(&address);
    }
    let conf = [
        "spark.connect.execute.manager.detachedTimeout=2s",
        "spark.connect.execute.manager.maintenanceInterval=500ms",
    ];
    let server = OwnServer::start(&Setup { conf: &conf, ..Setup::default() });
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), ROWS, 2, SLOW);
    let expected = checksum(&root.path().join("embedded"), &plan);
    for case in ["Counting", "Joining", "spark.written", "edition.before_rename"] {
        let store = root.path().join(case);
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "killed::what_a_killed_build_left_is_swept_and_its_job_ends",
            "--exact",
            "--include-ignored",
        ]);
        child
            .env(CHILD[0], server.address())
            .env(CHILD[1], root.path())
            .env(CHILD[2], &store)
            .env(CHILD[3], case);
        if case.contains('.') {
            child.env("HIVECAST_CRASH_AT", case);
        }
        let ran = child.output().unwrap();
        assert_eq!(ran.status.signal(), Some(9), "{case}: {}", String::from_utf8_lossy(&ran.stdout));
        assert!(case == "Counting" || !find(&store, ".tmp-").is_empty(), "{case}: nothing was left");
        wait_for("the job to end", || server.running_jobs() == 0);
        must(build_in(&store, &engine(server.address()), &plan, &Silent, &Cancel::default()));
        assert_only(&store, &expected);
    }
}

#[test]
#[ignore = "needs three JVMs: `cargo xtask torture` runs it"]
fn an_executor_killed_in_mid_build() {
    let conf = ["spark.executor.memory=600m"];
    let server =
        OwnServer::start(&Setup { master: Some("local-cluster[2,1,700]"), conf: &conf, ..Setup::default() });
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), 12_000, 4, Slow { counting: 4, writing: 12 });
    let expected = checksum(&root.path().join("embedded"), &plan);
    for moment in [Moment::Counting, Moment::Joining] {
        let store = root.path().join(format!("{moment:?}"));
        let at = At::new(moment, &store, || {
            wait_for("executors", || !server.executors().is_empty());
            kill(server.executors()[0]);
        });
        let built = build_in(&store, &engine(server.address()), &plan, &at, &Cancel::default());
        assert!(at.has_come(), "{moment:?} did not come");
        if let Err(fault) = built {
            assert_infrastructure(&fault, " at 127.0.0.1:", "run again");
            assert_nothing(&store);
            must(build_in(&store, &engine(server.address()), &plan, &Silent, &Cancel::default()));
        }
        assert_only(&store, &expected);
    }
}
