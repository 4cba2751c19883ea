//! A warehouse that is a Hive Metastore, as a project file says it.

use std::time::Duration;

use super::read::{Privacy, Reading, resolve_text};
use super::secret::Secrets;
use super::settings::MAX_ROUNDS;
use super::template::Template;
use crate::diagnostic::Mistakes;
use crate::model::Span;
use crate::scalars;
use crate::section::Section;

/// The scheme of a Hive Metastore.
const SCHEME: &str = "thrift://";

/// A Hive Metastore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetastoreSettings {
    /// Its hosts, `thrift://host:port`, tried in turn.
    pub addresses: Vec<String>,
    /// How long it is waited for.
    pub patience: MetastorePatience,
}

/// How long a metastore is waited for. What is none is the client's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetastorePatience {
    /// `connect_timeout`: for a connection.
    pub connect: Option<Duration>,
    /// `answer_timeout`: for a host that is silent.
    pub answer: Option<Duration>,
    /// `operation_timeout`: for one question with all its calls, to whatever host.
    pub operation: Option<Duration>,
    /// `rounds`: how often all hosts are tried.
    pub rounds: Option<u32>,
    /// `pause`: before they are tried again.
    pub pause: Option<Duration>,
}

/// As written.
#[derive(Clone)]
pub(super) struct MetastoreDraft {
    addresses: Vec<Template>,
    patience: MetastorePatience,
}

impl MetastoreDraft {
    /// Reads a `warehouse` that is a mapping.
    pub(super) fn read(section: &Section<'_>, reading: &mut Reading<'_>) -> Option<MetastoreDraft> {
        let mut time = |name: &str| section.parsed(name, scalars::duration, reading.mistakes);
        let patience = MetastorePatience {
            connect: time("connect_timeout"),
            answer: time("answer_timeout"),
            operation: time("operation_timeout"),
            pause: time("pause"),
            rounds: section
                .parsed("rounds", scalars::integer(1, MAX_ROUNDS), reading.mistakes)
                .and_then(|rounds| u32::try_from(rounds).ok()),
        };
        let addresses = reading.templates(section.get("metastore")?, "`metastore`", Privacy::Open)?;
        Some(MetastoreDraft { addresses, patience })
    }

    /// Where its first address stands.
    pub(super) fn place(&self) -> Option<&Span> {
        self.addresses.first().map(|template| &template.span)
    }

    /// Looks the addresses up, and tells each that is missing or none.
    pub(super) fn resolve(
        &self,
        secrets: &dyn Secrets,
        mistakes: &mut Mistakes,
    ) -> Option<MetastoreSettings> {
        let mut addresses = Vec::new();
        for template in &self.addresses {
            let text = resolve_text(template, "metastore", secrets, mistakes)?;
            for address in text.split(',').map(str::trim) {
                if address.strip_prefix(SCHEME).is_none_or(str::is_empty) {
                    let message = format!("`metastore` must be `{SCHEME}host:port`, and is `{address}`");
                    mistakes.add(&template.span, message);
                }
                addresses.push(address.to_owned());
            }
        }
        Some(MetastoreSettings { addresses, patience: self.patience })
    }
}
