//! Servers that are dead, slow, or die.

use crate::lies::{Lie, liar, thrown};
use crate::support::{LATER, Mode, Proxy, SOON, Server, at, database, hasty, on_both, table};
use hivecast_metastore::{Address, Metastore, Retries, Timeouts, User};
use hivecast_run::{Class, Fault};
use std::net::TcpListener;
use std::time::{Duration, Instant};

on_both!(
    a_server_that_is_restarted,
    the_first_of_two_is_dead,
    the_first_of_two_fails_inside,
    a_server_that_stalls,
    the_second_takes_over,
);

/// An address where nobody listens.
fn nobody() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Address::new("127.0.0.1", listener.local_addr().unwrap().port())
}

fn says(fault: &Fault, parts: &[&str]) {
    assert_eq!(fault.class(), Class::Infrastructure, "{}", fault.chain());
    assert!(fault.advice().is_some());
    for part in parts {
        assert!(fault.chain().contains(part), "{part:?} is not in {}", fault.chain());
    }
}

fn a_server_that_is_restarted(server: Server) {
    let directory = tempfile::tempdir().unwrap();
    let proxy = Proxy::before(&server.address());
    let metastore = at(std::slice::from_ref(&proxy.address));
    let database = database(&metastore, "restarted", directory.path());
    let made = table(&metastore, &database, directory.path(), &[]);
    for _ in 0..3 {
        proxy.cut();
        assert!(metastore.table(&database, &made.name).unwrap().is_some());
    }
    // In the middle of an answer, too.
    proxy.set(Mode::CutAtAnswer);
    let fault = metastore.table(&database, &made.name).unwrap_err();
    says(&fault, &[&proxy.address.to_string(), &format!("for table {database}.{}", made.name), "closed"]);
    proxy.set(Mode::Forward);
    assert!(metastore.table(&database, &made.name).unwrap().is_some());
}

fn the_first_of_two_is_dead(server: Server) {
    let metastore = at(&[nobody(), server.address()]);
    assert!(metastore.databases().unwrap().contains(&"default".to_owned()));
    assert!(metastore.database("default").unwrap().is_some());
}

/// As where the first one's database is away.
fn the_first_of_two_fails_inside(server: Server) {
    let broken: Lie = |name, sequence| thrown(name, sequence, 1, "the database is away");
    let metastore = at(&[liar(broken), server.address()]);
    assert!(metastore.databases().unwrap().contains(&"default".to_owned()));
    assert_eq!(metastore.table("default", "no_such_table").unwrap(), None);
}

fn the_second_takes_over(server: Server) {
    let (one, two) = (Proxy::before(&server.address()), Proxy::before(&server.address()));
    let metastore = hasty(&[one.address.clone(), two.address.clone()], LATER);
    one.set(Mode::SwallowAnswers);
    metastore.databases().unwrap();
    assert_eq!(two.calls(), ["get_all_databases"]);
    // It stays with the one that answers.
    one.set(Mode::Forward);
    one.calls();
    metastore.databases().unwrap();
    assert_eq!((one.calls().len(), two.calls().len()), (0, 1));
    two.set(Mode::SwallowAnswers);
    metastore.databases().unwrap();
    assert_eq!(one.calls(), ["get_all_databases"]);
}

fn a_server_that_stalls(server: Server) {
    let proxy = Proxy::before(&server.address());
    let metastore = hasty(std::slice::from_ref(&proxy.address), LATER);
    metastore.databases().unwrap();
    proxy.set(Mode::SwallowAnswers);
    let started = Instant::now();
    let fault = metastore.tables("default").unwrap_err();
    says(&fault, &[&proxy.address.to_string(), "for the tables of database default", "no answer within 8 s"]);
    assert!(started.elapsed() < LATER * 4, "{:?}", started.elapsed());
    // The late answers must not be taken for those of other calls.
    proxy.set(Mode::Forward);
    assert!(metastore.databases().unwrap().contains(&"default".to_owned()));
}

#[test]
fn nobody_listens() {
    let (one, two) = (nobody(), nobody());
    let started = Instant::now();
    let fault = hasty(&[one.clone(), two.clone()], SOON).table("MDM", "Accounts").unwrap_err();
    says(&fault, &[&one.to_string(), &two.to_string(), "for table mdm.accounts", "refused"]);
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_name_that_is_not_known() {
    let fault = hasty(&[Address::new("no-such-host.invalid", 9083)], LATER).databases().unwrap_err();
    says(&fault, &["no-such-host.invalid:9083", "for its databases", "no connection"]);
}

/// Accepts nothing: the queue of connections that nobody takes is full, or the system does it for the
/// server and no answer comes.
#[test]
fn a_server_that_never_answers_is_given_up_within_the_whole_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let timeouts = Timeouts {
        connect: Duration::from_millis(200),
        answer: Duration::from_secs(60),
        operation: Duration::from_millis(700),
    };
    let metastore = Metastore::new(std::slice::from_ref(&address), timeouts, User::named("tester")).unwrap();
    let metastore = metastore.with_retries(Retries { rounds: 1_000, pause: Duration::ZERO });
    let started = Instant::now();
    let fault = metastore.databases().unwrap_err();
    says(&fault, &[&address.to_string(), "not done within 0.7 s"]);
    let took = started.elapsed();
    assert!(took > Duration::from_millis(600) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn no_host_is_a_mistake() {
    let fault = Metastore::new(&[], Timeouts::default(), User::current()).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
}
