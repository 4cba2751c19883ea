//! The feed and project files: as written ([`model`], [`Project`]), parsed with places ([`parse()`],
//! [`parse_project`]), checked against real schemas ([`check()`]), and the shape of the document that
//! follows ([`document`]).
//!
//! Must not know: files of the warehouse, engines, targets. It does no I/O: callers hand it text,
//! schemas, a [`Binder`] that knows SQL, and [`Secrets`] that know the environment.

pub mod document;
pub mod model;
pub mod schema;

mod binder;
mod check;
mod column_type;
mod diagnostic;
mod feed_settings;
mod fingerprint;
mod nearest;
mod parse;
mod project;
mod scalars;
mod section;
mod settings;
mod source;
mod tree;
mod words;

pub use binder::{BindError, Binder};
pub use check::{Checked, check, type_name};
pub use column_type::{ColumnType, UNREADABLE};
pub use diagnostic::{Color, Diagnostic, Diagnostics};
pub use fingerprint::{fingerprint, gates_fingerprint};
pub use model::*;
pub use nearest::nearest;
pub use parse::{
    DEFAULT_CHUNK_BYTES, DEFAULT_CHUNK_RECORDS, DEFAULT_DATE, DEFAULT_TIMESTAMP, Draft, draft, parse,
};
pub use project::{
    DEFAULT_LEDGER, Engine, Environment, KafkaSettings, Kerberos, LOCAL_ENVIRONMENT, MetastorePatience,
    MetastoreSettings, Project, Property, Secret, Secrets, Setting, StoreSettings, StoreTimeouts, Target,
    Unfit, Use, Warehouse, parse_project,
};
pub use source::SourceText;
