//! The login with Kerberos, as far as it goes without a Kerberos server: up to the library, which reads the
//! keytab or the cache and gets no ticket. Needs MIT's `libgssapi_krb5.so.2`, as HDFS with Kerberos does.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;

use hivecast_run::Class;
use hivecast_storage::{HdfsLogin, Location, Settings, Stores};

use crate::support::Place;

/// A realm that has no server, wherever names are looked up.
const REALM: &str = "HIVECAST.INVALID";
/// Hadoop's setting that asks for it.
const ASKED: (&str, &str) = ("hadoop.security.authentication", "kerberos");

fn settings(login: HdfsLogin, hadoop: &[(&str, &str)]) -> Settings {
    let hadoop = hadoop.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Settings { hdfs: login, hadoop, ..Settings::default() }
}

fn login() -> HdfsLogin {
    HdfsLogin { kerberos_principal: Some(format!("etl@{REALM}")), ..HdfsLogin::default() }
}

/// HDFS would take a client that logs in as nobody for whoever runs it.
#[test]
fn a_principal_where_no_kerberos_is_asked_for_is_refused() {
    let location = Location::parse("hdfs://127.0.0.1:1/x").unwrap();
    let stores =
        |login: HdfsLogin, hadoop: &[(&str, &str)]| Stores::new(settings(login, hadoop)).of(&location);
    for hadoop in [&[][..], &[(ASKED.0, "simple")]] {
        let fault = stores(login(), hadoop).unwrap_err();
        assert_eq!(fault.class(), Class::Usage);
        assert!(fault.chain().contains(REALM), "{}", fault.chain());
        assert!(fault.advice().unwrap().contains(ASKED.0), "{fault:?}");
    }
    stores(login(), &[ASKED]).unwrap();

    let keytab = Some("/no/such/keytab".into());
    let fault = stores(HdfsLogin { kerberos_keytab: keytab, ..login() }, &[ASKED]).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    assert!(fault.chain().contains("/no/such/keytab"), "{}", fault.chain());
}

/// A message of Hadoop's protocol: both parts with their lengths before them.
fn message(header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut parts = vec![header.len() as u8];
    parts.extend_from_slice(header);
    parts.push(body.len() as u8);
    parts.extend_from_slice(body);
    [&(parts.len() as u32).to_be_bytes()[..], &parts].concat()
}

/// A name node that wants nothing but Kerberos, and hears no more than the first words.
fn name_node_with_kerberos() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // `RpcResponseHeaderProto`: the number of such calls, -33, and success.
    let header = [0x08, 0xdf, 0xff, 0xff, 0xff, 0x0f, 0x10, 0x00];
    // `RpcSaslProto`: to negotiate, with one way to log in.
    let field = |number: u8, text: &str| [&[number << 3 | 2, text.len() as u8], text.as_bytes()].concat();
    let way = [field(1, "KERBEROS"), field(2, "GSSAPI"), field(3, "nn"), field(4, "localhost")].concat();
    let body = [&[0x10, 0x01, 0x22, way.len() as u8][..], &way].concat();
    let answer = message(&header, &body);
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            std::thread::spawn(move || {
                // Knocking says nothing.
                if matches!(client.read(&mut [0; 1 << 12]), Ok(1..)) {
                    let _ = client.write_all(&answer);
                    // A server that hangs up first would cut the client off in the middle of its words.
                    let _ = std::io::copy(&mut client, &mut std::io::sink());
                }
            });
        }
    });
    address
}

fn counted(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

/// A ticket cache of that principal without any ticket, in version 4 of MIT's format.
fn empty_cache() -> Vec<u8> {
    let (name_type, components) = (1_u32.to_be_bytes(), 1_u32.to_be_bytes());
    [&[5, 4, 0, 0][..], &name_type, &components, &counted(REALM), &counted("etl")].concat()
}

/// A keytab with a key of that principal, in version 2 of MIT's format.
fn keytab() -> Vec<u8> {
    let short = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
    let (name_type, written) = (1_u32.to_be_bytes(), 0_u32.to_be_bytes());
    // The key's number, its type (AES-256), its length.
    let key = [&[1, 0, 18, 0, 32][..], &[7; 32]].concat();
    let entry = [&[0, 1][..], &short(REALM), &short("etl"), &name_type, &written, &key].concat();
    [&[5, 2][..], &(entry.len() as u32).to_be_bytes(), &entry].concat()
}

#[test]
fn a_login_that_fails_is_denied_with_what_the_library_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let (keytab, cache) = (file("etl.keytab", &keytab()), file("cache", &empty_cache()));
    let logins = [
        (HdfsLogin::default(), "No Kerberos credentials available"),
        // The library has the key, and nobody to ask for a ticket.
        (HdfsLogin { kerberos_keytab: Some(keytab), ..login() }, "Cannot find KDC"),
        (
            HdfsLogin { kerberos_cache: Some(format!("FILE:{}", cache.display())), ..login() },
            "Credential cache is empty",
        ),
    ];
    for (login, said) in logins {
        let address = name_node_with_kerberos();
        let place = Place::at(&format!("hdfs://{address}/warehouse"), settings(login, &[ASKED]));
        let error = place.storage.list(&place.root).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        let text = error.to_string();
        for part in ["the login failed", &address, said] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
