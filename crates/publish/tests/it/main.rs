//! The dir target under the suite that every target passes, and what it alone promises.

mod dir;
mod fixture;
