//! The Kafka target and its ledger: documents and ledger records commit together in Kafka
//! transactions, and are read back as a read_committed consumer.
//!
//! Must not know: feeds' meaning, warehouses, engines, editions on disk. It is the only room that
//! knows rdkafka and librdkafka, and its module `native` the only one that calls C.

mod admin;
mod fault;
mod native;
mod probe;
mod reader;
mod session;
mod settings;
mod target;
mod wait;
mod watch;

pub use settings::{MESSAGE_QUEUE_KIB, Settings};
pub use target::{DEFAULT_LEDGER_TOPIC, KafkaTarget};
