//! Calls that the client does not have, byte by byte.

use hivecast_metastore::Address;
use std::io::{Read, Write};
use std::net::TcpStream;

const MAP: u8 = 13;
const LIST: u8 = 15;
const STRUCT: u8 = 12;
const TEXT: u8 = 11;

/// A message that is built up.
#[derive(Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    /// The head of an answer to the call of this name and sequence number.
    pub(crate) fn answer(kind: u8, name: &str, sequence: [u8; 4]) -> Message {
        let mut message = Message(vec![0x80, 0x01, 0x00, kind]);
        message.bytes(name);
        message.0.extend(sequence);
        message
    }

    pub(crate) fn bytes(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend(text.as_bytes());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.0.extend(i32::try_from(count).unwrap().to_be_bytes());
    }

    pub(crate) fn field(&mut self, kind: u8, id: i16) {
        self.0.push(kind);
        self.0.extend(id.to_be_bytes());
    }

    pub(crate) fn text(&mut self, id: i16, text: &str) {
        self.field(TEXT, id);
        self.bytes(text);
    }

    pub(crate) fn texts(&mut self, id: i16, texts: &[&str]) {
        self.field(LIST, id);
        self.0.push(TEXT);
        self.count(texts.len());
        texts.iter().for_each(|text| self.bytes(text));
    }

    pub(crate) fn structure(&mut self, id: i16) {
        self.field(STRUCT, id);
    }

    pub(crate) fn stop(&mut self) {
        self.0.push(0);
    }

    fn map(&mut self, id: i16, entries: &[(&str, &str)]) {
        self.field(MAP, id);
        self.0.extend([TEXT, TEXT]);
        self.count(entries.len());
        for (name, value) in entries {
            self.bytes(name);
            self.bytes(value);
        }
    }
}

/// `create_table_req`, with the capabilities that Hive itself claims.
pub(crate) fn create_insert_only_table(server: &Address, database: &str, name: &str) {
    let mut message = Message::answer(1, "create_table_req", [0, 0, 0, 1]);
    message.structure(1);
    message.structure(1);
    message.text(1, name);
    message.text(2, database);
    message.structure(7);
    message.field(LIST, 1);
    message.0.push(STRUCT);
    message.count(1);
    message.text(1, "a");
    message.text(2, "string");
    message.stop();
    message.structure(7);
    message.text(2, "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe");
    message.stop();
    message.stop();
    message.map(9, &[("transactional", "true"), ("transactional_properties", "insert_only")]);
    message.text(12, "MANAGED_TABLE");
    message.stop();
    message.texts(9, &["HIVEMANAGEDINSERTWRITE", "HIVEMANAGEDINSERTREAD", "HIVEFULLACIDWRITE"]);
    message.text(10, "test");
    message.stop();
    message.stop();
    let mut stream = TcpStream::connect((server.host(), server.port())).expect("the server");
    stream.write_all(&message.0).expect("a call");
    let mut answer = vec![0; 4096];
    let count = stream.read(&mut answer).expect("an answer");
    let text = String::from_utf8_lossy(&answer[..count]);
    // A result without any field.
    let head = Message::answer(2, "create_table_req", [0, 0, 0, 1]).0.len();
    assert_eq!(count, head + 1, "{text}");
}
