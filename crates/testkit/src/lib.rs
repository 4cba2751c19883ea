//! Test support: the naive interpreter, random feeds, scratch services
