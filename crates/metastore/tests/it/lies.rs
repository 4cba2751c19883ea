//! Servers that are no metastore, or answer what they should not.

use crate::raw::Message;
use crate::support::{LATER, SOON, hasty, head};
use hivecast_metastore::{Address, Metastore};
use hivecast_run::Class;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What a liar says to a call; `None` closes the connection.
pub(crate) type Lie = fn(name: &str, sequence: [u8; 4]) -> Option<Vec<u8>>;

const REPLY: u8 = 2;
const EXCEPTION: u8 = 3;
const TEXT: u8 = 11;
const STRUCT: u8 = 12;
const LIST: u8 = 15;

/// Answers every call with a lie, as soon as something comes.
pub(crate) fn liar(lie: Lie) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    // What is no call has an empty name.
                    let (name, sequence) = head(&buffer[..count]).unwrap_or_default();
                    match lie(&name, sequence) {
                        Some(bytes) if stream.write_all(&bytes).is_ok() => {}
                        _ => break,
                    }
                }
            });
        }
    });
    address
}

/// As [`liar`], but true to whoever introduces himself.
fn honest_at_first(name: &str, sequence: [u8; 4]) -> Option<Vec<u8>> {
    if name != "set_ugi" {
        return None;
    }
    let mut answer = Message::answer(REPLY, name, sequence);
    answer.texts(0, &["tester"]);
    answer.stop();
    Some(answer.0)
}

fn metastore(lie: Lie) -> Metastore {
    hasty(&[liar(lie)], SOON)
}

/// The failure of asking for a table, in bounded time and memory.
fn fault(lie: Lie) -> (Class, String) {
    fault_after(lie, SOON)
}

fn fault_after(lie: Lie, answer: Duration) -> (Class, String) {
    let (started, before) = (Instant::now(), peak_memory());
    let fault = hasty(&[liar(lie)], answer).table("mdm", "accounts").unwrap_err();
    assert!(started.elapsed() < answer * 20, "{:?}", started.elapsed());
    let grown = peak_memory().saturating_sub(before);
    // Other tests of this process run beside this one.
    assert!(grown < 512 << 20, "{grown} bytes");
    let text = fault.chain();
    assert!(text.contains("127.0.0.1:") && text.contains("for table mdm.accounts"), "{text}");
    assert!(text.len() < 2000, "{text}");
    (fault.class(), text)
}

/// The most memory that this process ever had, bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn strangers_are_recognised() {
    let cases: [(Lie, Class, &str); 8] = [
        (|_, _| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Class::Usage, "speaks HTTP"),
        (|_, _| Some(vec![0x15, 0x03, 0x03, 0, 2, 2, 80]), Class::Usage, "wants TLS"),
        (|_, _| Some(b"\x04\0\0\0\x13Invalid status -128".to_vec()), Class::Denied, "wants SASL (Kerberos)"),
        (|_, _| Some(vec![0, 0, 0, 9, 0x80, 1, 0, 2, 0, 0, 0, 0, 0]), Class::Usage, "in frames"),
        (|_, _| Some(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), Class::Usage, "is no Hive Metastore"),
        (|_, _| Some(vec![0xff; 10_000]), Class::Usage, "is no Hive Metastore"),
        (|name, _| name.is_empty().then(|| b"\x03\0\0\0\0".to_vec()), Class::Denied, "wants SASL (Kerberos)"),
        (|_, _| None, Class::Infrastructure, "closed the connection before it answered"),
    ];
    for (lie, class, part) in cases {
        let (found, text) = fault(lie);
        assert!(text.contains(part), "{part:?} is not in {text}");
        assert_eq!(found, class, "{text}");
    }
}

fn reply(name: &str, sequence: [u8; 4], fill: impl FnOnce(&mut Message)) -> Option<Vec<u8>> {
    honest_at_first(name, sequence).or_else(|| {
        let mut answer = Message::answer(REPLY, name, sequence);
        fill(&mut answer);
        Some(answer.0)
    })
}

#[test]
fn lies_are_bounded() {
    let cases: [(Lie, &str); 11] = [
        // The type of a call, not of an answer.
        (|n, s| honest_at_first(n, s).or_else(|| Some(Message::answer(1, n, s).0)), "makes no sense"),
        (|n, s| honest_at_first(n, s).or_else(|| Some(Message::answer(99, n, s).0)), "makes no sense"),
        // Of another call.
        (
            |n, s| honest_at_first(n, s).or_else(|| Some(Message::answer(REPLY, "other", s).0)),
            "makes no sense",
        ),
        (
            |n, s| honest_at_first(n, s).or_else(|| Some(Message::answer(REPLY, n, [0; 4]).0)),
            "makes no sense",
        ),
        // Lengths without what they announce.
        (
            |n, s| {
                reply(n, s, |answer| {
                    answer.0.extend([STRUCT, 0, 0, STRUCT, 0, 1, TEXT, 0, 1, 0x7f, 0xff, 0xff, 0xff])
                })
            },
            "makes no sense",
        ),
        (
            |n, s| {
                reply(n, s, |answer| {
                    answer.0.extend([STRUCT, 0, 0, STRUCT, 0, 1, TEXT, 0, 1, 0xff, 0xff, 0xff, 0xff])
                })
            },
            "makes no sense",
        ),
        (
            |n, s| {
                reply(n, s, |answer| {
                    answer.0.extend([STRUCT, 0, 0, STRUCT, 0, 1, LIST, 0, 8, STRUCT, 0x7f, 0xff, 0xff, 0xff])
                })
            },
            "makes no sense",
        ),
        // Structures in structures in structures.
        (|n, s| reply(n, s, |answer| answer.0.extend([STRUCT, 0, 9].repeat(20_000))), "makes no sense"),
        // Only half of it.
        (|n, s| reply(n, s, |answer| answer.structure(0)), "no answer within"),
        // One after the other.
        (
            |n, s| {
                reply(n, s, |answer| {
                    answer.stop();
                    answer.0.extend([7; 100]);
                })
            },
            "more came than the answer",
        ),
        // No text.
        (
            |n, s| {
                reply(n, s, |answer| {
                    answer.0.extend([STRUCT, 0, 0, STRUCT, 0, 1, TEXT, 0, 1, 0, 0, 0, 2, 0xff, 0xff])
                })
            },
            "makes no sense",
        ),
    ];
    for (lie, part) in cases {
        let (class, text) = fault(lie);
        assert!(text.contains(part), "{part:?} is not in {text}");
        assert_eq!(class, Class::Infrastructure, "{text}");
    }
}

/// Empty structures without end: more bytes than an answer may have.
#[test]
fn an_endless_answer_is_cut() {
    let endless: Lie = |name, sequence| {
        reply(name, sequence, |answer| {
            for field in 2..20 {
                answer.field(LIST, field);
                answer.0.extend([STRUCT, 0, 0x7f, 0xff, 0xff]);
                answer.0.resize(answer.0.len() + 0x7f_ffff, 0);
            }
        })
    };
    let (class, text) = fault_after(endless, LATER);
    assert_eq!(class, Class::Infrastructure);
    assert!(text.contains("larger than 128 MiB"), "{text}");
}

#[test]
fn what_servers_throw_has_its_class() {
    // Meta, and one that is not known.
    let cases: [(Lie, Class, &str); 4] = [
        (
            |n, s| {
                thrown(
                    n,
                    s,
                    1,
                    "java.security.AccessControlException: Permission denied: user=tester\n\tat x.y",
                )
            },
            Class::Denied,
            "Permission denied: user=tester",
        ),
        (|n, s| thrown(n, s, 1, "the database is away"), Class::Infrastructure, "the database is away"),
        (|n, s| thrown(n, s, 9, "newer than you"), Class::Infrastructure, "newer than you"),
        (
            |n, s| {
                honest_at_first(n, s).or_else(|| {
                    let mut answer = Message::answer(EXCEPTION, n, s);
                    answer.text(1, "Internal error processing get_table");
                    answer.stop();
                    Some(answer.0)
                })
            },
            Class::Infrastructure,
            "Internal error processing",
        ),
    ];
    for (lie, class, part) in cases {
        let (found, text) = fault(lie);
        assert!(text.contains(part) && !text.contains("x.y"), "{part:?} is not in {text}");
        assert_eq!(found, class, "{text}");
    }
    assert_eq!(metastore(|n, s| thrown(n, s, 2, "gone")).table("mdm", "accounts").unwrap(), None);
}

pub(crate) fn thrown(name: &str, sequence: [u8; 4], field: i16, message: &str) -> Option<Vec<u8>> {
    reply(name, sequence, |answer| {
        answer.structure(field);
        answer.text(1, message);
        answer.stop();
        answer.stop();
    })
}

/// Newer servers say more, and older ones know less.
#[test]
fn older_and_newer_servers_are_understood() {
    let table = metastore(|name, sequence| match name {
        "get_table_req" | "set_ugi" => {
            let mut answer = Message::answer(EXCEPTION, name, sequence);
            answer.text(1, "Invalid method name");
            answer.field(8, 2);
            answer.count(1);
            answer.stop();
            Some(answer.0)
        }
        _ => reply(name, sequence, |answer| {
            answer.structure(0);
            answer.text(1, "accounts");
            answer.text(2, "mdm");
            // Fields that nobody knows: a list of structures, and a known number with another type.
            answer.field(LIST, 77);
            answer.0.push(STRUCT);
            answer.count(2);
            answer.text(1, "more");
            answer.stop();
            answer.stop();
            answer.texts(3, &["no", "owner"]);
            answer.text(12, "DYNAMIC_TABLE");
            answer.stop();
            answer.stop();
        }),
    });
    let found = table.table("mdm", "accounts").unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.owner), ("accounts", None));
    assert_eq!(found.kind, hivecast_metastore::TableKind::Other("DYNAMIC_TABLE".to_owned()));
}

/// A host that fails inside is asked once, and the next one instead of it; one that refuses speaks for all.
#[test]
fn another_host_is_asked_where_one_fails_inside() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let broken: Lie = |name, sequence| {
        ASKED.fetch_add(usize::from(name != "set_ugi"), Ordering::SeqCst);
        thrown(name, sequence, 1, "the database is away")
    };
    let broken_otherwise: Lie = |name, sequence| thrown(name, sequence, 9, "newer than you");
    let without_it: Lie = |name, sequence| thrown(name, sequence, 2, "gone");
    for first in [broken, broken_otherwise] {
        let both = hasty(&[liar(first), liar(without_it)], LATER);
        assert_eq!(both.table("mdm", "accounts").unwrap(), None, "the second knows");
    }
    assert_eq!(ASKED.swap(0, Ordering::SeqCst), 1);

    let hosts = [liar(broken), liar(broken_otherwise)];
    let fault = hasty(&hosts, LATER).table("mdm", "accounts").unwrap_err();
    assert_eq!(fault.class(), Class::Infrastructure);
    let text = fault.chain();
    for part in [&hosts[0].to_string(), &hosts[1].to_string(), "the database is away", "newer than you"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_eq!(ASKED.swap(0, Ordering::SeqCst), 1, "there is no other round");

    let denies: Lie = |name, sequence| thrown(name, sequence, 1, "AccessControlException: Permission denied");
    let fault = hasty(&[liar(denies), liar(without_it)], LATER).table("mdm", "accounts").unwrap_err();
    assert_eq!(fault.class(), Class::Denied, "{}", fault.chain());
}
