//! The Kafka target against a real broker.

mod conformance;
mod denied;
mod refusals;
mod sessions;
mod support;
