//! The Kafka target and its ledger
