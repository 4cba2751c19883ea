//! Publishing whole editions, verifying them, and the dir target under the suite that every target
//! passes.

mod dir;
mod disk_full;
mod documents;
mod fixture;
mod verify;
