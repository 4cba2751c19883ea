//! Test support: the naive interpreter, random feeds, scratch services

pub mod conformance;
