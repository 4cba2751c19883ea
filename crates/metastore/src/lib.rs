//! A client of the Hive Metastore: databases, tables and partitions, as its servers of Hive 3 and 4
//! tell them over Thrift.
//!
//! Must not know: files, feeds, load_dates.
