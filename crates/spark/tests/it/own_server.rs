//! Servers that are set up in ways of their own: tokens, TLS, streams and sessions that end early.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hivecast_engine::Embedded;
use hivecast_run::{Cancel, Class};

use crate::moments::{
    At, Moment, Slow, assert_infrastructure, assert_nothing, assert_only, build_in, export, find,
};
use crate::servers::{OwnServer, Setup, Tls};
use crate::support::engine;

const TOKEN: &str = "hush-4711";
/// What a test that starts itself again as another process reads: the address.
const ADDRESS: &str = "HIVECAST_TEST_CHILD_ADDRESS";
/// What the other process prints before the class, the message and the advice.
const OUTCOME: &str = "outcome: ";

/// Connects with an address; the class, message and advice of what happened.
fn outcome(address: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), 3, 1, Slow::default());
    let store = root.path().join("store");
    let engine = engine(address);
    let at = At::new(Moment::Assembling, &store, || ());
    let built = build_in(&store, &engine, &plan, &at, &Cancel::default());
    let outcome = match &built {
        Ok(edition) => {
            assert_only(&store, &edition.description.checksum);
            format!("{} documents", edition.description.documents)
        }
        Err(fault) => {
            assert_nothing(&store);
            format!("{:?}: {} ({:?})", fault.class(), fault.chain(), fault.advice())
        }
    };
    let everything = format!("{outcome}\n{built:?}\n{engine:?}\n{}", at.told());
    assert!(
        !everything.contains(TOKEN) && !everything.contains("wrong-4711"),
        "a token is told: {everything}"
    );
    outcome
}

#[test]
fn tokens_and_certificates_are_checked_and_no_token_is_told() {
    if let Ok(address) = std::env::var(ADDRESS) {
        println!("{OUTCOME}{}", outcome(&address));
        return;
    }
    let conf = [&*format!("spark.connect.authenticate.token={TOKEN}")];
    let server = OwnServer::start(&Setup { conf: &conf, tls: Some(Tls), ..Setup::default() });
    let (plain, tls) = (server.address(), server.tls_address());
    assert_eq!(outcome(&format!("{plain}/;token={TOKEN}")), "3 documents");
    for (address, words) in [
        (format!("{plain}/;token=wrong-4711"), "Invalid authentication token"),
        (plain.to_owned(), "No authentication token"),
    ] {
        let outcome = outcome(&address);
        assert!(outcome.starts_with(&format!("{:?}: ", Class::Denied)), "{outcome}");
        assert!(outcome.contains(words) && outcome.contains("set the server's `token`"), "{outcome}");
    }
    // The machine's own certificates don't vouch for it.
    let untrusted = outcome(&format!("{tls};token={TOKEN}"));
    assert!(untrusted.starts_with(&format!("{:?}: ", Class::Infrastructure)), "{untrusted}");
    assert!(untrusted.contains("certificate") && untrusted.contains("UnknownIssuer"), "{untrusted}");
    assert!(untrusted.contains("SSL_CERT_FILE"), "{untrusted}");
    let plain_is_no_tls = outcome(&format!("{plain}/;use_ssl=true;token={TOKEN}"));
    assert!(plain_is_no_tls.starts_with(&format!("{:?}: ", Class::Usage)), "{plain_is_no_tls}");
    assert!(plain_is_no_tls.contains("nothing speaks TLS there"), "{plain_is_no_tls}");
    // The variable is the process's: another process has it.
    let trusted = |address: &str| {
        let this = "own_server::tokens_and_certificates_are_checked_and_no_token_is_told";
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([this, "--exact", "--nocapture"]).env(ADDRESS, address);
        let ran = child.env("SSL_CERT_FILE", server.authority()).output().unwrap();
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        let found = printed.split_once(OUTCOME).and_then(|(_, rest)| rest.lines().next().map(str::to_owned));
        found.unwrap_or_else(|| panic!("{printed}{}", String::from_utf8_lossy(&ran.stderr)))
    };
    assert_eq!(trusted(&format!("{tls};token={TOKEN}")), "3 documents");
    let wrong = trusted(&format!("{tls};token=wrong-4711"));
    assert!(wrong.starts_with(&format!("{:?}: ", Class::Denied)), "{wrong}");
}

#[test]
#[ignore = "takes minutes: `cargo xtask torture` runs it"]
fn streams_that_the_server_cuts_are_taken_up_again() {
    let conf = [
        "spark.connect.execute.reattachable.senderMaxStreamDuration=1s",
        "spark.connect.execute.manager.detachedTimeout=5s",
    ];
    let server = OwnServer::start(&Setup { conf: &conf, ..Setup::default() });
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), 8_000, 2, Slow { counting: 8, writing: 12 });
    let store = root.path().join("store");
    let at = At::new(Moment::Joining, &store, || ());
    let edition = build_in(&store, &engine(server.address()), &plan, &at, &Cancel::default());
    let edition = edition.unwrap_or_else(|fault| panic!("{} ({:?})", fault.chain(), fault.advice()));
    assert!(at.has_come(), "the statement was over too soon");
    let embedded = build_in(&root.path().join("other"), &Embedded, &plan, &at, &Cancel::default()).unwrap();
    assert_eq!(edition.description.checksum, embedded.description.checksum);
    assert_only(&store, &edition.description.checksum);
    cancelled_while_a_statement_runs(&server);
}

/// The job goes, and what it wrote with it, though the server would give it five seconds more.
fn cancelled_while_a_statement_runs(server: &OwnServer) {
    for (moment, slow) in [
        (Moment::Counting, Slow { counting: 12, writing: 0 }),
        (Moment::Joining, Slow { counting: 0, writing: 12 }),
    ] {
        let root = tempfile::tempdir().unwrap();
        let plan = export(root.path(), 200_000, 2, slow);
        let store = root.path().join("store");
        let cancel = Cancel::default();
        let at = At::soon_after(moment, &store, || {
            let runs = server.running_jobs() > 0;
            if runs {
                cancel.cancel();
            }
            runs
        });
        let fault = build_in(&store, &engine(server.address()), &plan, &at, &cancel).unwrap_err();
        assert!(at.has_come(), "{moment:?} did not come");
        assert_eq!(fault.class(), Class::Interrupted, "{moment:?}: {}", fault.chain());
        assert_eq!(server.running_jobs(), 0, "{moment:?}: a job goes on");
        assert_nothing(&store);
        // Tasks that were told late would make their directories again.
        sleep(Duration::from_secs(1));
        assert!(find(&store, "_temporary").is_empty(), "{moment:?}");
        assert_nothing(&store);
    }
}

/// Longer than the engine is silent, and shorter than its statement.
const SESSION: Duration = Duration::from_secs(13);

#[test]
#[ignore = "takes minutes: `cargo xtask torture` runs it"]
fn sessions_are_kept_alive_and_told_of_where_they_end() {
    let conf = [
        &*format!("spark.connect.session.manager.defaultSessionTimeout={}s", SESSION.as_secs()),
        "spark.connect.session.manager.maintenanceInterval=500ms",
    ];
    let server = OwnServer::start(&Setup { conf: &conf, ..Setup::default() });
    let mut rows = 20_000;
    // On a fast machine the statement must have more to do.
    loop {
        let root = tempfile::tempdir().unwrap();
        let plan = export(root.path(), rows, 1, Slow { counting: 0, writing: 24 });
        let store = root.path().join("store");
        let began = std::sync::Mutex::new(None);
        let at = At::new(Moment::Joining, &store, || *began.lock().unwrap() = Some(Instant::now()));
        let built = build_in(&store, &engine(server.address()), &plan, &at, &Cancel::default());
        let edition = built.unwrap_or_else(|fault| panic!("{} ({:?})", fault.chain(), fault.advice()));
        assert_only(&store, &edition.description.checksum);
        let ran_for = began.lock().unwrap().expect("the statement was over too soon").elapsed();
        if ran_for > SESSION + Duration::from_secs(2) {
            break;
        }
        rows *= 2;
    }
    // Where nothing is heard of us, as of a machine that slept, the session ends.
    let root = tempfile::tempdir().unwrap();
    let plan = export(root.path(), rows * 4, 1, Slow { counting: 0, writing: 24 });
    let store = root.path().join("store");
    let at = At::new(Moment::Joining, &store, || sleep(SESSION + Duration::from_secs(5)));
    let fault = build_in(&store, &engine(server.address()), &plan, &at, &Cancel::default()).unwrap_err();
    assert!(at.has_come(), "the statement was over too soon");
    assert_infrastructure(&fault, "INVALID_HANDLE", "gave the session up");
    assert_eq!(server.running_jobs(), 0, "a job goes on");
    assert_nothing(&store);
}
