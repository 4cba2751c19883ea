//! The feed and project files: as written ([`model`]), parsed with places ([`parse`]), checked
//! against real schemas ([`check`]), and the shape of the document that follows ([`document`]).
//!
//! Must not know: files of the warehouse, engines, targets. It does no I/O: callers hand it text,
//! schemas, and a [`Binder`] that knows SQL.

pub mod document;
pub mod model;

mod binder;

pub use binder::{BindError, Binder};
pub use model::*;
