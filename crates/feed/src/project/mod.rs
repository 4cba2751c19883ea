//! The project file: environments, read whole, and resolved one at a time, so that only the chosen
//! one must have its variables set.

mod metastore;
mod read;
mod secret;
pub(crate) mod settings;
mod stores;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use metastore::{MetastorePatience, MetastoreSettings};
pub use secret::{Secret, Secrets};
pub use stores::{Kerberos, StoreSettings, StoreTimeouts};

use crate::diagnostic::{Diagnostics, Mistakes};
use crate::model::Span;
use crate::nearest::{did_you_mean, quoted_list};
use crate::source::SourceText;

use read::EnvironmentDraft;
pub use read::parse_project;

/// The one environment in which a secret may stand in the file itself.
pub const LOCAL_ENVIRONMENT: &str = "local";
/// The ledger's topic where the target does not say.
pub const DEFAULT_LEDGER: &str = "hivecast.ledger";

/// A project file, without what its variables stand for.
#[derive(Clone, Debug)]
pub struct Project {
    /// The directory of feed files, as written: relative to the project file.
    pub feeds: PathBuf,
    environments: BTreeMap<String, EnvironmentDraft>,
    environments_at: Span,
    source: SourceText,
}

/// An environment with every variable looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Where exports lie.
    pub warehouse: Warehouse,
    /// What builds editions.
    pub engine: Engine,
    /// Where editions are kept: a directory, relative to the project file, or a URL.
    pub store: String,
    /// Where documents go.
    pub target: Target,
    /// How HDFS and S3-compatible stores are reached.
    pub stores: StoreSettings,
    /// The key of `mask: hmac-sha256`.
    pub mask_key: Option<Secret>,
}

/// Where exports lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warehouse {
    /// A directory in Hive layout, relative to the project file, or a URL of one.
    Directory(String),
    /// A Hive Metastore that says where.
    Metastore(MetastoreSettings),
}

/// What builds editions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// In this process.
    Embedded,
    /// A Spark Connect endpoint, `sc://…`, whose parameters may hold a token.
    Spark(Secret),
}

/// Where documents go.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// NDJSON files in a directory, relative to the project file.
    Dir(PathBuf),
    /// A Kafka cluster.
    Kafka(KafkaSettings),
}

/// A Kafka cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaSettings {
    /// librdkafka's properties, as it names and reads them.
    pub properties: BTreeMap<String, Property>,
    /// The ledger's topic.
    pub ledger: String,
    /// How long a transaction may stay open before the broker aborts it.
    pub transaction_timeout: Option<Duration>,
}

/// The value of one of librdkafka's properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// May be shown.
    Plain(String),
    /// May not.
    Secret(Secret),
}

impl Property {
    /// The text itself, secret or not. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        match self {
            Property::Plain(text) => text,
            Property::Secret(secret) => secret.expose(),
        }
    }
}

/// A setting of an environment, for messages that point to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `warehouse`.
    Warehouse,
    /// `engine`.
    Engine,
    /// `store`.
    Store,
    /// `target`.
    Target,
}

/// What is wrong with a setting of an environment.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// The setting.
    pub setting: Setting,
    /// Why, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// What an environment is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Anything.
    Everything,
    /// To read the warehouse and its history, and to mask and send nothing: neither the target nor the mask key is
    /// looked up. What stands for them is good for nothing but being there.
    Reading,
}

impl Project {
    /// What the caller finds wrong with settings of an environment, where they stand in the file. None
    /// where nothing is.
    pub fn unfit(&self, environment: &str, found: Vec<Unfit>) -> Option<Diagnostics> {
        let draft = self.environments.get(environment);
        let mut mistakes = Mistakes::default();
        for Unfit { setting, message, help } in found {
            let place = draft.and_then(|draft| draft.place(setting));
            mistakes.add_with_help(place.as_ref().unwrap_or(&self.environments_at), message, help);
        }
        mistakes.into_result(&self.source, ()).err()
    }

    /// The environments' names, sorted.
    pub fn environment_names(&self) -> impl Iterator<Item = &str> {
        self.environments.keys().map(String::as_str)
    }

    /// The environment of this name with its variables and files looked up. An error tells each that
    /// is missing, or that there is no such environment.
    pub fn environment(&self, name: &str, secrets: &dyn Secrets) -> Result<Environment, Diagnostics> {
        self.environment_for(name, Use::Everything, secrets)
    }

    /// As [`Project::environment`], with no more looked up than such a use takes.
    pub fn environment_for(
        &self,
        name: &str,
        used: Use,
        secrets: &dyn Secrets,
    ) -> Result<Environment, Diagnostics> {
        let mut mistakes = Mistakes::default();
        let Some(draft) = self.environments.get(name) else {
            let names: Vec<&str> = self.environment_names().collect();
            let help = did_you_mean(name, names.iter().copied())
                .unwrap_or_else(|| format!("there are {}", quoted_list(&names)));
            mistakes.add_with_help(&self.environments_at, format!("no environment `{name}`"), help);
            return Err(Diagnostics::new(&self.source, mistakes.0));
        };
        match draft.resolve(name, used, secrets, &mut mistakes) {
            Some(environment) => mistakes.into_result(&self.source, environment),
            None => Err(Diagnostics::new(&self.source, mistakes.0)),
        }
    }
}
