//! What a consumer of a Hivecast topic needs and no more: how keys are hashed and partitioned, the
//! record headers, checksums, and the ledger's records.
//!
//! Must not know: warehouses, engines, editions on disk, Kafka clients. Kept light, so that a
//! consumer in another project can depend on it.

mod checksum;
mod headers;
mod key;
mod ledger;
mod load_date;

pub use checksum::Checksum;
pub use headers::{HEADER_EDITION, HEADER_FEED, HEADER_LOAD_DATE, HEADER_OP, Operation};
pub use key::{key_hash, murmur2, partition_of};
pub use ledger::{
    EditionId, HashRange, LEDGER_FORMAT, LEDGER_FORMAT_ONE_WRITER, LedgerKey, LedgerRecord, Manifest,
    PartitionTotals, Progress, Stage, WRITERS_MAX, WriterId, WriterSet,
};
pub use load_date::LoadDate;
