//! The store's promises, held against real files.

mod build;
mod concurrent;
mod crash;
mod damage;
mod disk_full;
mod exclusion;
mod gates;
mod merge;
mod model;
mod roundtrip;
mod seek;
mod shared;
mod store;
