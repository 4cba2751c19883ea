//! HDFS that is broken, closed or not there.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use hivecast_run::Class;
use hivecast_storage::{Existing, HdfsLogin, Location, Settings, Stores, Timeouts};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::servers::{OwnHdfs, dead_address, silent_server};
use crate::support::{Place, noise, timed, unique, variable};

/// Impatient, so that a test need not wait; what is measured is that it takes no longer.
const IMPATIENT: Timeouts = Timeouts { connect: Duration::from_secs(1), call: Duration::from_secs(2) };
/// What a call that is given up may take in a test, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn impatient() -> Settings {
    Settings { hdfs_timeouts: IMPATIENT, ..Settings::default() }
}

fn as_user(user: &str) -> Settings {
    Settings {
        hdfs: HdfsLogin { user: Some(user.to_owned()), ..HdfsLogin::default() },
        ..Settings::default()
    }
}

#[test]
fn a_dead_name_node_is_named_within_seconds() {
    let address = dead_address();
    let place = Place::at(&format!("hdfs://{address}/warehouse"), Settings::default());
    let (took, listed) = timed(|| place.storage.list(&place.root));
    let error = listed.unwrap_err();
    assert!(took < SOON, "{took:?}");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("hdfs://{address}/warehouse")) && text.contains(&format!("({address}: ")),
        "{text}"
    );
}

#[test]
fn a_name_node_that_never_answers_costs_the_time_of_one_call() {
    let (_listener, address) = silent_server();
    let place = Place::at(&format!("hdfs://{address}/warehouse"), impatient());
    for _ in 0..2 {
        let (took, listed) = timed(|| place.storage.list(&place.root));
        let error = listed.unwrap_err();
        assert!(took >= IMPATIENT.call && took < SOON, "{took:?}");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(error.to_string().contains(&address), "{error}");
    }
}

#[test]
fn safe_mode_is_named() {
    let own = OwnHdfs::start();
    let place = own.place(Settings::default());
    let at = place.put("before", b"x");
    own.dev_hdfs("enter-safe-mode");
    assert_eq!(place.read(&at), "x".as_bytes(), "reading goes on");
    let refused = [
        place.storage.put(&place.file(b"y"), &place.root.join("after"), Existing::Refuse).unwrap_err(),
        place.storage.remove(&at).unwrap_err(),
        place.storage.create_dir(&place.root.join("dir")).unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("the name node is in safe mode"), "{error}");
        assert!(error.to_string().contains(&own.url()), "{error}");
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    }
    own.dev_hdfs("leave-safe-mode");
    place.storage.put(&place.file(b"y"), &place.root.join("after"), Existing::Refuse).unwrap();
    assert_eq!(place.names(""), ["after", "before"]);
}

#[test]
fn a_data_node_that_dies_in_the_middle_of_a_file() {
    let own = OwnHdfs::start();
    let settings = Settings {
        hdfs_timeouts: Timeouts { connect: IMPATIENT.connect, call: Duration::from_secs(8) },
        ..Settings::default()
    };
    let place = own.place(settings);
    let bytes = noise(6 << 20, 9);
    let at = place.put("file", &bytes);
    let file = place.storage.open(&at).unwrap();
    assert!(file.read_at(0..1 << 20).unwrap() == bytes[..1 << 20]);

    // A put that has sent its first blocks.
    let (fifo, written) = (place.dir.path().join("fifo"), noise(6 << 20, 4));
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let to = place.root.join("new");
    let put = std::thread::scope(|scope| {
        let put = scope.spawn(|| timed(|| place.storage.put(&fifo, &to, Existing::Refuse)));
        let mut source = File::options().write(true).open(&fifo).unwrap();
        source.write_all(&written[..5 << 20]).unwrap();
        own.signal_data_node(Signal::KILL);
        // The reader may have given up already.
        let _ = source.write_all(&written[5 << 20..]);
        drop(source);
        put.join().unwrap()
    });
    let (took, put) = put;
    let error = put.unwrap_err();
    println!("put: {took:?}: {error}");
    assert!(took < 3 * SOON, "{took:?}");
    assert!(error.to_string().contains(&own.url()), "{error}");
    assert_eq!(place.storage.stat(&to).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(place.names(""), ["file"], "nothing half-written is left");

    let (took, read) = timed(|| file.read_at(1 << 20..file.len()));
    let error = read.unwrap_err();
    println!("read: {took:?}: {error}");
    assert!(took < 2 * SOON, "{took:?}");
    assert!(error.to_string().contains(&at.to_string()), "{error}");
    assert!(!matches!(error.kind(), ErrorKind::NotFound | ErrorKind::StaleNetworkFileHandle), "{error}");
}

#[test]
fn a_data_node_that_stalls_is_given_up_in_time() {
    let own = OwnHdfs::start();
    let place = own.place(impatient());
    let bytes = noise(3 << 20, 6);
    let at = place.put("file", &bytes);
    let file = place.storage.open(&at).unwrap();
    own.signal_data_node(Signal::STOP);
    let (took, read) = timed(|| file.read_at(0..file.len()));
    let (put_took, put) =
        timed(|| place.storage.put(&place.file(&bytes), &place.root.join("new"), Existing::Refuse));
    own.signal_data_node(Signal::CONT);
    let (read, put) = (read.unwrap_err(), put.unwrap_err());
    println!("stalled read: {took:?}: {read}\nstalled put: {put_took:?}: {put}");
    assert!(took < SOON && put_took < 2 * SOON, "{took:?} {put_took:?}");
    assert!(read.to_string().contains(&at.to_string()), "{read}");
    assert!(place.read(&at) == bytes, "it is back");
    assert_eq!(place.names(""), ["file"]);
}

#[test]
fn who_may_not_is_denied() {
    let root = format!("{}/private-{}", variable("HIVECAST_TEST_HDFS"), unique());
    let private = Settings {
        hadoop: [("fs.permissions.umask-mode".to_owned(), "077".to_owned())].into(),
        ..Settings::default()
    };
    let owner = Place::at(&root, private);
    let at = owner.put("file", b"secret");
    let other = Place::at(&root, as_user("mallory"));
    let denied = [
        other.storage.list(&other.root).unwrap_err(),
        other.storage.open(&at).unwrap_err(),
        other.storage.stat(&at).unwrap_err(),
        other.storage.put(&other.file(b"x"), &other.root.join("new"), Existing::Replace).unwrap_err(),
        other.storage.create_dir(&other.root.join("dir")).unwrap_err(),
        other.storage.remove(&at).unwrap_err(),
    ];
    for error in denied {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains("mallory") && error.to_string().contains(&root), "{error}");
    }
    assert_eq!(owner.read(&at), "secret".as_bytes());
}

/// A directory with this `hdfs-site.xml`.
fn write_site(dir: &Path, properties: &[(&str, &str)]) {
    let lines: Vec<String> = properties
        .iter()
        .map(|(name, value)| format!("<property><name>{name}</name><value>{value}</value></property>\n"))
        .collect();
    std::fs::write(
        dir.join("hdfs-site.xml"),
        format!("<configuration>\n{}</configuration>\n", lines.concat()),
    )
    .unwrap();
}

fn pair(dir: &Path, first: &str, second: &str) {
    write_site(
        dir,
        &[
            ("dfs.nameservices", "warehouse"),
            ("dfs.ha.namenodes.warehouse", "one, two"),
            ("dfs.namenode.rpc-address.warehouse.one", first),
            ("dfs.namenode.rpc-address.warehouse.two", second),
        ],
    );
}

#[test]
fn an_unknown_name_service_is_a_mistake_that_says_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    pair(dir.path(), "127.0.0.1:1", "127.0.0.1:2");
    let stores =
        Stores::new(Settings { hadoop_conf_dir: Some(dir.path().to_owned()), ..Settings::default() });
    let fault = stores.of(&Location::parse("hdfs://no-such-service/x").unwrap()).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    let text = fault.chain();
    assert!(text.contains("no-such-service") && text.contains("name services warehouse"), "{text}");
    assert!(stores.of(&Location::parse("hdfs://warehouse/x").unwrap()).is_ok());

    let fault = Stores::default().of(&Location::parse("hdfs:///x").unwrap()).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    let empty = tempfile::tempdir().unwrap();
    let stores =
        Stores::new(Settings { hadoop_conf_dir: Some(empty.path().to_owned()), ..Settings::default() });
    let fault = stores.of(&Location::parse("hdfs://127.0.0.1:1/x").unwrap()).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    assert!(fault.chain().contains(empty.path().to_str().unwrap()), "{}", fault.chain());
}

#[test]
fn the_second_name_node_of_a_pair_answers_for_the_first() {
    let alive = variable("HIVECAST_TEST_HDFS").replace("hdfs://", "");
    let dir = tempfile::tempdir().unwrap();
    pair(dir.path(), &dead_address(), &alive);
    let settings = Settings {
        hadoop_conf_dir: Some(dir.path().to_owned()),
        hdfs_timeouts: IMPATIENT,
        ..Settings::default()
    };
    let place = Place::at(&format!("hdfs://warehouse/it/{}", unique()), settings.clone());
    let at = place.put("file", b"through the second");
    assert_eq!(place.read(&at), "through the second".as_bytes());

    // One that takes connections and is stuck costs one call; the next one asks the other.
    let (_listener, stuck) = silent_server();
    pair(dir.path(), &stuck, &alive);
    let stuck_first = Place::at(&place.root.to_string(), settings.clone());
    let error = stuck_first.storage.stat(&at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains(&stuck) && error.to_string().contains("warehouse"), "{error}");
    assert_eq!(stuck_first.read(&at), "through the second".as_bytes());

    pair(dir.path(), &dead_address(), &dead_address());
    let none = Place::at(&place.root.to_string(), settings);
    let (took, failed) = timed(|| none.storage.stat(&at).unwrap_err());
    assert!(took < SOON, "{took:?}");
    assert!(failed.to_string().contains("no name node can be reached"), "{failed}");
}

#[test]
fn the_default_file_system_and_hadoops_own_files() {
    let settings =
        Settings { hadoop_conf_dir: Some(variable("HIVECAST_TEST_HDFS_CONF").into()), ..Settings::default() };
    let place = Place::at(&format!("hdfs:///it/{}", unique()), settings);
    let at = place.put("file", b"default");
    assert_eq!(place.read(&at), "default".as_bytes());
}
