//! What every store does alike.

use std::io::ErrorKind;
use std::sync::Barrier;
use std::time::{SystemTime, UNIX_EPOCH};

use hivecast_storage::{Atomic, Entry, Existing, Kind, Scheme};

use crate::support::{Place, noise, whole};

/// Names as Hive and people write them. `%3A` is part of the name and no colon.
const NAMES: [&str; 12] = [
    "load_date=2026-11-22",
    "a%3Ab=x%20y",
    "with space",
    "ünï-日本",
    "a=b+c",
    "100%",
    "%25",
    "quote'\"",
    "#hash?query",
    "tilde~ & (braces) [x] {y}",
    "__HIVE_DEFAULT_PARTITION__",
    "part-00000-5d1f.c000.snappy.parquet",
];

/// More than a store tells with one answer.
const MANY: usize = 3_000;

macro_rules! held_against {
    ($store:ident, $($case:ident),* $(,)?) => {
        mod $store {
            use super::Place;
            $(
                #[test]
                fn $case() {
                    super::$case(&Place::$store());
                }
            )*
        }
    };
}

macro_rules! every_store {
    ($($case:ident),* $(,)?) => {
        held_against!(local, $($case),*);
        held_against!(hdfs, $($case),*);
        held_against!(s3, $($case),*);
    };
}

every_store!(
    a_file_comes_back_byte_for_byte,
    ranges_are_what_was_asked_for,
    names_are_kept_as_they_are,
    thousands_of_entries_are_listed,
    what_is_not_there,
    what_is_there_stays_or_is_replaced,
    of_writers_at_once_one_wins,
    readers_share_a_file,
    a_directory_is_renamed_or_nothing_is,
    what_is_removed_is_gone_with_all_below_it,
    a_file_that_is_replaced_after_it_was_opened,
    a_put_that_fails_leaves_nothing,
    what_bytes_are_called,
    times_are_of_now,
);

fn a_file_comes_back_byte_for_byte(place: &Place) {
    for (n, length) in [0, 1, 4_096, (1 << 20), (3 << 20) + 7, (20 << 20) + 3].into_iter().enumerate() {
        let name = format!("dir/file-{n}");
        let bytes = noise(length, n as u64);
        let at = place.root.join(&name);
        place.storage.put(&place.file(&bytes), &at, Existing::Replace).unwrap();
        let entry = place.storage.stat(&at).unwrap();
        assert_eq!((entry.kind, entry.size), (Kind::File, length as u64), "{at}");
        let listed = place.storage.list(&place.root.join("dir")).unwrap();
        let listed = listed.into_iter().find(|listed| listed.name == entry.name).unwrap();
        assert_eq!((listed.kind, listed.size), (entry.kind, entry.size));
        let file = place.storage.open(&at).unwrap();
        assert_eq!(file.len(), length as u64);
        assert!(whole(file.as_ref()) == bytes, "{at} has other bytes");
    }
}

fn ranges_are_what_was_asked_for(place: &Place) {
    let bytes = noise(5 << 20, 3);
    let at = place.put("file", &bytes);
    let file = place.storage.open(&at).unwrap();
    let end = file.len();
    // Backwards, overlapping, far apart, empty, over the borders of blocks.
    let ranges = [end - 8..end, 0..4, 2..9, 7..7, (1 << 20) - 3..(1 << 20) + 3, 100..3_000_000, end..end];
    let read = file.read_ranges(&ranges).unwrap();
    for (range, read) in ranges.iter().zip(&read) {
        let expected = &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert!(read == expected, "{range:?}");
    }
    assert!(file.read_ranges(&[]).unwrap().is_empty());
    for beyond in [end - 1..end + 1, end + 1..end + 2] {
        let error = file.read_at(beyond).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains(&at.to_string()), "{error}");
    }
}

fn names_are_kept_as_they_are(place: &Place) {
    for name in NAMES {
        place.put(&format!("{name}/{name}"), name.as_bytes());
    }
    let mut expected: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    expected.sort();
    assert_eq!(place.names(""), expected);
    for name in NAMES {
        assert_eq!(place.names(name), [name]);
        let at = place.root.join(name).join(name);
        assert_eq!(place.storage.stat(&at).unwrap().name, name);
        assert_eq!(place.read(&at), name);
        place.storage.remove(&at).unwrap();
        assert_eq!(place.storage.stat(&at).unwrap_err().kind(), ErrorKind::NotFound, "{at}");
    }
}

fn thousands_of_entries_are_listed(place: &Place) {
    let empty = place.file(b"");
    let name = |n: usize| format!("part-{n:05}");
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let empty = &empty;
            scope.spawn(move || {
                for n in (worker..MANY).step_by(8) {
                    let at = place.root.join("many").join(&name(n));
                    place.storage.put(empty, &at, Existing::Replace).unwrap();
                }
            });
        }
    });
    let expected: Vec<String> = (0..MANY).map(name).collect();
    assert_eq!(place.names("many"), expected);
    place.storage.remove(&place.root.join("many")).unwrap();
    assert_eq!(place.storage.list(&place.root.join("many")).unwrap_err().kind(), ErrorKind::NotFound);
}

fn what_is_not_there(place: &Place) {
    let file = place.put("dir/file", b"x");
    let missing = place.root.join("dir/missing");
    let errors = [
        place.storage.stat(&missing).unwrap_err(),
        place.storage.open(&missing).unwrap_err(),
        place.storage.list(&missing).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(&missing.to_string()), "{error}");
    }
    assert_eq!(place.storage.list(&file).unwrap_err().kind(), ErrorKind::NotFound);
    place.storage.remove(&missing).unwrap();

    let dir = place.root.join("dir");
    let entry = place.storage.stat(&dir).unwrap();
    assert_eq!((entry.kind, entry.name.as_str(), entry.size), (Kind::Directory, "dir", 0));
    assert!(place.storage.open(&dir).is_err());
    assert_eq!(
        place.storage.list(&place.root).unwrap().iter().map(kind).collect::<Vec<_>>(),
        [Kind::Directory]
    );
    let made = place.root.join("made/below");
    place.storage.create_dir(&made).unwrap();
    place.storage.create_dir(&made).unwrap();
    match place.storage.atomic() {
        Atomic::RenameOfDirectories => assert!(place.storage.list(&made).unwrap().is_empty()),
        Atomic::FilesAlone => {
            assert_eq!(place.storage.list(&made).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

fn kind(entry: &Entry) -> Kind {
    entry.kind
}

fn what_is_there_stays_or_is_replaced(place: &Place) {
    let at = place.put("dir/file", b"first");
    let refused = place.storage.put(&place.file(b"second"), &at, Existing::Refuse).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused}");
    assert!(refused.to_string().contains(&at.to_string()), "{refused}");
    assert_eq!(place.read(&at), "first".as_bytes());
    place.storage.put(&place.file(b"third"), &at, Existing::Replace).unwrap();
    assert_eq!(place.read(&at), "third".as_bytes());
    assert_eq!(place.names("dir"), ["file"]);
}

fn of_writers_at_once_one_wins(place: &Place) {
    const WRITERS: usize = 6;
    for round in 0..5 {
        let at = place.root.join(&format!("round-{round}/file"));
        let start = Barrier::new(WRITERS);
        let results: Vec<_> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|n| {
                    let (at, start) = (&at, &start);
                    scope.spawn(move || {
                        let file = place.file(format!("writer {n}").as_bytes());
                        start.wait();
                        place.storage.put(&file, at, Existing::Refuse).map(|()| n)
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let won: Vec<usize> = results.iter().filter_map(|result| result.as_ref().ok()).copied().collect();
        assert_eq!(won.len(), 1, "{results:?}");
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        }
        assert_eq!(place.read(&at), format!("writer {}", won[0]));
        assert_eq!(place.names(&format!("round-{round}")), ["file"]);
    }
}

fn readers_share_a_file(place: &Place) {
    let bytes = noise(3 << 20, 5);
    let at = place.put("file", &bytes);
    let file = place.storage.open(&at).unwrap();
    std::thread::scope(|scope| {
        for reader in 0..8_usize {
            let (file, bytes) = (&file, &bytes);
            scope.spawn(move || {
                for n in 0..10_usize {
                    let start = (reader * 7_919 + n * 104_729) % (bytes.len() - 50_000);
                    let read = file.read_at(start as u64..start as u64 + 50_000).unwrap();
                    assert!(read == bytes[start..start + 50_000], "{start}");
                }
            });
        }
    });
}

fn a_directory_is_renamed_or_nothing_is(place: &Place) {
    place.put("from/a/file", b"1");
    place.put("taken/other", b"2");
    let (from, to) = (place.root.join("from"), place.root.join("to"));
    if place.storage.atomic() == Atomic::FilesAlone {
        assert_eq!(place.storage.rename_dir(&from, &to).unwrap_err().kind(), ErrorKind::Unsupported);
        return;
    }
    let taken = place.storage.rename_dir(&from, &place.root.join("taken")).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists, "{taken}");
    assert_eq!(place.names("taken"), ["other"]);
    place.storage.create_dir(&place.root.join("empty")).unwrap();
    let taken = place.storage.rename_dir(&from, &place.root.join("empty")).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists, "{taken}");
    assert!(place.storage.rename_dir(&from, &place.root.join("missing/to")).is_err());
    place.storage.rename_dir(&from, &to).unwrap();
    assert_eq!(place.read(&to.join("a/file")), "1".as_bytes());
    let gone = place.storage.rename_dir(&from, &place.root.join("again")).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
}

fn what_is_removed_is_gone_with_all_below_it(place: &Place) {
    for name in ["a/1", "a/b/2", "a/b/c/3", "ab/4", "a.5"] {
        place.put(name, name.as_bytes());
    }
    place.storage.remove(&place.root.join("a/b")).unwrap();
    assert_eq!(place.names("a"), ["1"]);
    place.storage.remove(&place.root.join("a")).unwrap();
    assert_eq!(place.names(""), ["a.5", "ab"]);
    place.storage.remove(&place.root.join("a.5")).unwrap();
    assert_eq!(place.names(""), ["ab"]);
}

fn a_file_that_is_replaced_after_it_was_opened(place: &Place) {
    let bytes = noise(2 << 20, 1);
    let at = place.put("file", &bytes);
    let file = place.storage.open(&at).unwrap();
    place.storage.put(&place.file(&noise(2 << 20, 2)), &at, Existing::Replace).unwrap();
    let stale = |result: std::io::Result<bytes::Bytes>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StaleNetworkFileHandle, "{error}");
        assert!(error.to_string().contains(&at.to_string()), "{error}");
    };
    let read = file.read_at(0..file.len());
    match place.root.scheme() {
        Scheme::S3 => stale(read),
        // What was opened stays for a while, or for as long as it is open. Never the new bytes.
        Scheme::File | Scheme::Hdfs => match read {
            Ok(read) => assert!(read == bytes),
            read => stale(read),
        },
    }
    place.storage.remove(&at).unwrap();
    if place.root.scheme() == Scheme::S3 {
        stale(file.read_at(0..4));
    }
}

fn a_put_that_fails_leaves_nothing(place: &Place) {
    place.put("dir/there", b"x");
    let at = place.root.join("dir/file");
    // A directory can be opened but not read.
    for existing in [Existing::Refuse, Existing::Replace] {
        place.storage.put(place.dir.path(), &at, existing).unwrap_err();
    }
    let missing = place.storage.put(&place.dir.path().join("missing"), &at, Existing::Replace).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    assert_eq!(place.names("dir"), ["there"]);
}

/// Of equal size, and within a second, which is as fine as the times of S3 are.
fn what_bytes_are_called(place: &Place) {
    let at = place.put("file", b"old");
    let old = place.storage.stat(&at).unwrap();
    assert_eq!(
        place.storage.list(&place.root).unwrap(),
        std::slice::from_ref(&old),
        "listed as it is looked at"
    );
    place.storage.put(&place.file(b"new"), &at, Existing::Replace).unwrap();
    let new = place.storage.stat(&at).unwrap();
    assert_eq!(old.size, new.size);
    match place.root.scheme() {
        Scheme::S3 => assert!(new.version.is_some() && new.version != old.version, "{new:?}"),
        Scheme::File | Scheme::Hdfs => assert_eq!((old.version, new.version), (None, None)),
    }
}

fn times_are_of_now(place: &Place) {
    const MINUTES_5: u64 = 300;
    let at = place.put("file", b"x");
    let modified = u64::try_from(place.storage.stat(&at).unwrap().modified_ns).unwrap() / 1_000_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(modified.abs_diff(now) < MINUTES_5, "{modified} is not {now}");
    let listed = place.storage.list(&place.root).unwrap();
    let listed = u64::try_from(listed[0].modified_ns).unwrap() / 1_000_000_000;
    assert!(listed.abs_diff(modified) <= 1, "{listed} is not {modified}");
}
