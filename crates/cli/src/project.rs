//! The project: its file, the chosen environment, and the chosen feed. Paths in the file are
//! relative to it, and absolute from here on, so that a run is the same from whatever directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hivecast_contract::key_hash;
use hivecast_edition::{Shared, Store};
use hivecast_engine::{Embedded, Engine};
use hivecast_feed::{
    self as feed, Diagnostics, Environment, MetastorePatience, Setting, StoreTimeouts, Unfit, Use,
    parse_project,
};
use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_metastore::{Address, Metastore, Retries, Timeouts, User};
use hivecast_publish::Target;
use hivecast_publish::dir::{DirTarget, random_topic_id};
use hivecast_run::{Fault, Result};
use hivecast_spark::{Endpoint, SparkEngine};
use hivecast_storage::{self as storage, HdfsLogin, Location, S3Settings, Stores};
use hivecast_warehouse::Warehouse;

use crate::args::Global;
use crate::feed_file::{FeedText, all, choose};
use crate::logging;
use crate::run::CLOCK;
use crate::secrets::Machine;

/// The project file's name, where `--project` does not give one.
const PROJECT_FILE: &str = "hivecast.yaml";

/// Where editions of a shared store are built and read, beside the project file.
const CACHE_DIR: &str = ".cache";

/// So much of a shared store's address is in its cache's name.
const CACHE_NAME_CHARS: usize = 60;

/// Where spilled rows lie, in the store's directory: the disk that has to hold editions anyway.
const SPILL_DIR: &str = ".spill";

/// A project with one environment chosen.
pub(crate) struct Project {
    dir: PathBuf,
    feeds: PathBuf,
    environment: Environment,
    used: Use,
}

impl Project {
    /// Reads the project file and looks up the chosen environment's secrets. Fails where the environment
    /// asks for what this program does not have.
    pub(crate) fn load(global: &Global) -> Result<Self> {
        match Project::open(global)? {
            (project, None) => Ok(project),
            (_, Some(unfit)) => Err(unfit.into()),
        }
    }

    /// As [`Project::load`], for who sends nothing: neither the target nor the mask key is looked up, nor is either
    /// of any use.
    pub(crate) fn load_to_read(global: &Global) -> Result<Self> {
        match Project::open_for(global, Use::Reading)? {
            (project, None) => Ok(project),
            (_, Some(unfit)) => Err(unfit.into()),
        }
    }

    /// As [`Project::load`], with what the environment asks for in vain told apart.
    pub(crate) fn open(global: &Global) -> Result<(Self, Option<Diagnostics>)> {
        Project::open_for(global, Use::Everything)
    }

    fn open_for(global: &Global, used: Use) -> Result<(Self, Option<Diagnostics>)> {
        let path = match &global.project {
            Some(path) => absolute(path)?,
            None => find(&absolute(Path::new("."))?)?,
        };
        let text = fs::read_to_string(&path).map_err(|error| {
            unreadable(format!("failed to read the project file {}", path.display()), error)
        })?;
        let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
        let project = parse_project(&path.display().to_string(), &text)?;
        let secrets = Machine { project_dir: dir.clone() };
        let environment = project.environment_for(&global.env, used, &secrets)?;
        let feeds = dir.join(&project.feeds).components().collect();
        let unfit = project.unfit(&global.env, unfit(&environment));
        Ok((Project { feeds, dir, environment, used }, unfit))
    }

    /// The same, asking a metastore that is away once instead of waiting for it: for whoever wants to know how
    /// things are now.
    pub(crate) fn impatient(mut self) -> Self {
        if let feed::Warehouse::Metastore(settings) = &mut self.environment.warehouse {
            settings.patience.rounds = Some(1);
        }
        self
    }

    /// The environment's name.
    pub(crate) fn env(&self) -> &str {
        &self.environment.name
    }

    /// The feed of this name, or the only one.
    pub(crate) fn feed(&self, name: Option<&str>) -> Result<FeedText> {
        choose(&self.feeds, name)
    }

    /// The feed of this name, or all of them where none is named.
    pub(crate) fn feeds(&self, name: Option<&str>) -> Result<Vec<FeedText>> {
        match name {
            Some(_) => Ok(vec![self.feed(name)?]),
            None => all(&self.feeds),
        }
    }

    /// Where exports lie. Fails where a directory can't be opened; a metastore is not asked yet.
    pub(crate) fn open_warehouse(&self) -> Result<Warehouse> {
        let warehouse = self.warehouse()?;
        warehouse.reach()?;
        Ok(warehouse)
    }

    /// Where exports lie. Nothing is asked yet.
    pub(crate) fn warehouse(&self) -> Result<Warehouse> {
        match self.exports()? {
            Exports::Directory(root) => Warehouse::of_directory(&Location::local(&root)?, &self.stores()),
            Exports::Url(root) => Warehouse::of_directory(&root, &self.stores()),
            Exports::Metastore(metastore) => Ok(Warehouse::of_metastore(metastore, self.stores())),
        }
    }

    /// Where exports lie, as the environment says.
    pub(crate) fn exports(&self) -> Result<Exports> {
        Ok(match &self.environment.warehouse {
            feed::Warehouse::Directory(url) if has_scheme(url) => Exports::Url(Location::parse(url)?),
            feed::Warehouse::Directory(dir) => Exports::Directory(self.join(dir)),
            feed::Warehouse::Metastore(settings) => {
                Exports::Metastore(metastore(settings, &self.environment)?)
            }
        })
    }

    /// A metastore that the environment does not name, asked as the same user. It is not asked yet.
    pub(crate) fn metastore_at(&self, addresses: &str) -> Result<Metastore> {
        let settings =
            feed::MetastoreSettings { addresses: vec![addresses.to_owned()], ..Default::default() };
        metastore(&settings, &self.environment)
    }

    /// How HDFS and S3-compatible stores are reached. Nothing is connected yet.
    pub(crate) fn stores(&self) -> Stores {
        let settings = &self.environment.stores;
        let exposed =
            |secret: &Option<feed::Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let kerberos = settings.kerberos.as_ref();
        let keytab = kerberos.and_then(|kerberos| kerberos.keytab.as_ref());
        Stores::new(storage::Settings {
            hadoop_conf_dir: settings.hadoop_conf_dir.as_ref().map(|dir| self.join(dir)),
            hadoop: settings.hadoop.clone(),
            hdfs: HdfsLogin {
                user: settings.hadoop_user.clone(),
                kerberos_principal: kerberos.map(|kerberos| kerberos.principal.clone()),
                kerberos_keytab: keytab.map(|keytab| self.join(keytab)),
                kerberos_cache: kerberos.and_then(|kerberos| kerberos.cache.clone()),
            },
            hdfs_timeouts: store_timeouts(settings.hadoop_timeouts),
            s3: S3Settings {
                endpoint: settings.s3_endpoint.clone(),
                region: settings.s3_region.clone(),
                access_key_id: exposed(&settings.s3_access_key_id),
                secret_access_key: exposed(&settings.s3_secret_access_key),
            },
            s3_timeouts: store_timeouts(settings.s3_timeouts),
        })
    }

    /// The store's directory; for one that machines share, its cache on this machine.
    pub(crate) fn store_dir(&self) -> Result<PathBuf> {
        match self.shared_store()? {
            None => Ok(self.join(&self.environment.store)),
            Some(root) => Ok(self.dir.join(CACHE_DIR).join(cache_name(&root))),
        }
    }

    pub(crate) fn open_store(&self) -> Result<Store> {
        match self.shared_store()? {
            None => Store::open(&self.store_dir()?),
            Some(root) => {
                let shared = Shared::new(self.stores().of(&root)?, root, Arc::new(CLOCK));
                Store::open_shared(&self.store_dir()?, shared)
            }
        }
    }

    /// Where editions lie, as people read it.
    pub(crate) fn store_shown(&self) -> Result<String> {
        match self.shared_store()? {
            None => Ok(self.store_dir()?.display().to_string()),
            Some(root) => Ok(root.to_string()),
        }
    }

    /// The place that machines share, where the store is one.
    fn shared_store(&self) -> Result<Option<Location>> {
        let store = &self.environment.store;
        has_scheme(store).then(|| Location::parse(store)).transpose()
    }

    /// Where the engine may spill.
    pub(crate) fn spill_dir(&self) -> Result<PathBuf> {
        Ok(self.store_dir()?.join(SPILL_DIR))
    }

    /// What builds editions. Nothing is connected yet.
    pub(crate) fn engine(&self) -> Result<Box<dyn Engine>> {
        Ok(match self.spark()? {
            Some(endpoint) => Box::new(SparkEngine::new(endpoint)),
            None => Box::new(Embedded),
        })
    }

    /// The Spark Connect server that builds editions, where one does.
    pub(crate) fn spark(&self) -> Result<Option<Endpoint>> {
        match &self.environment.engine {
            feed::Engine::Spark(endpoint) => Endpoint::parse(endpoint.expose()).map(Some),
            feed::Engine::Embedded => Ok(None),
        }
    }

    /// The key of `mask: hmac-sha256`.
    pub(crate) fn mask_key(&self) -> Option<&[u8]> {
        self.environment.mask_key.as_ref().map(|key| key.expose().as_bytes())
    }

    /// Where documents go. Nothing is connected yet.
    pub(crate) fn open_target(&self) -> Result<Box<dyn Target>> {
        if self.used == Use::Reading {
            // Nor is there a key to mask with: nothing may be sent with what stands for it.
            return Err(Fault::bug("a project that was opened to read has no target"));
        }
        match &self.environment.target {
            feed::Target::Dir(dir) => Ok(Box::new(DirTarget::new(self.join(dir), Box::new(random_topic_id)))),
            feed::Target::Kafka(kafka) => {
                Ok(Box::new(KafkaTarget::new(kafka_settings(kafka)?, &*kafka.ledger)?))
            }
        }
    }

    /// A path of the project file, without the `.` that it may hold.
    fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.join(path).components().collect()
    }
}

/// Where exports lie.
pub(crate) enum Exports {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A directory of another store.
    Url(Location),
    /// Where a metastore says.
    Metastore(Metastore),
}

/// A metastore, which is told the user that HDFS is told: they take them for one.
fn metastore(settings: &feed::MetastoreSettings, environment: &Environment) -> Result<Metastore> {
    let mut hosts = Vec::new();
    for address in &settings.addresses {
        hosts.extend(Address::parse_list(address)?);
    }
    let MetastorePatience { connect, answer, operation, rounds, pause } = settings.patience;
    let (timeouts, retries) = (Timeouts::default(), Retries::default());
    let timeouts = Timeouts {
        connect: connect.unwrap_or(timeouts.connect),
        answer: answer.unwrap_or(timeouts.answer),
        operation: operation.unwrap_or(timeouts.operation),
    };
    let retries = Retries { rounds: rounds.unwrap_or(retries.rounds), pause: pause.unwrap_or(retries.pause) };
    let user = environment.stores.hadoop_user.as_ref().map_or_else(User::current, User::named);
    Ok(Metastore::new(&hosts, timeouts, user)?.with_retries(retries).with_notice(logging::warn))
}

fn store_timeouts(settings: StoreTimeouts) -> storage::Timeouts {
    let own = storage::Timeouts::default();
    storage::Timeouts {
        connect: settings.connect.unwrap_or(own.connect),
        call: settings.call.unwrap_or(own.call),
    }
}

fn kafka_settings(kafka: &feed::KafkaSettings) -> Result<Settings> {
    let exposed = |(name, value): (&String, &feed::Property)| (name.clone(), value.expose().to_owned());
    let mut properties: BTreeMap<String, String> = kafka.properties.iter().map(exposed).collect();
    if let Some(timeout) = kafka.transaction_timeout {
        properties.insert("transaction.timeout.ms".to_owned(), timeout.as_millis().to_string());
    }
    Settings::new(properties)
}

/// What an environment asks for and this program does not have.
fn unfit(environment: &Environment) -> Vec<Unfit> {
    let mut found = Vec::new();
    let mut tell = |setting: Setting, message: String, help: &str| {
        found.push(Unfit { setting, message, help: help.to_owned() });
    };
    match &environment.warehouse {
        feed::Warehouse::Metastore(settings) => {
            tell_fault(&mut tell, Setting::Warehouse, metastore(settings, environment).err());
        }
        feed::Warehouse::Directory(url) if has_scheme(url) => {
            tell_fault(&mut tell, Setting::Warehouse, Location::parse(url).err());
        }
        feed::Warehouse::Directory(_) => {}
    }
    if let feed::Engine::Spark(endpoint) = &environment.engine {
        tell_fault(&mut tell, Setting::Engine, Endpoint::parse(endpoint.expose()).err());
    }
    if has_scheme(&environment.store) {
        tell_fault(&mut tell, Setting::Store, Location::parse(&environment.store).err());
    }
    match &environment.target {
        feed::Target::Dir(dir) => tell_scheme(&mut tell, Setting::Target, "dir", &dir.to_string_lossy()),
        feed::Target::Kafka(kafka) => {
            tell_fault(&mut tell, Setting::Target, kafka_settings(kafka).err());
        }
    }
    found
}

fn tell_fault(tell: &mut dyn FnMut(Setting, String, &str), setting: Setting, fault: Option<Fault>) {
    if let Some(fault) = fault {
        tell(setting, fault.chain(), fault.advice().unwrap_or("correct it"));
    }
}

/// The address is not repeated: it may hold a password.
fn tell_scheme(tell: &mut dyn FnMut(Setting, String, &str), setting: Setting, name: &str, value: &str) {
    if let Some((scheme, _)) = value.split_once("://") {
        let message = format!("`{name}` must be a directory in this version, and is `{scheme}://…`");
        tell(setting, message, "mount it, and name the directory");
    }
}

/// A directory's name for the cache of a shared store: readable, and no other store's.
fn cache_name(root: &Location) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let shown = root.to_string();
    let readable: String = shown.chars().rev().take(CACHE_NAME_CHARS).map(plain).collect();
    let readable: String = readable.chars().rev().collect();
    format!("{}-{:08x}", readable.trim_matches(['-', '.']), key_hash(shown.as_bytes()))
}

fn has_scheme(value: &str) -> bool {
    value.contains("://")
}

fn absolute(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Fault::io(format!("failed to find {}", path.display()), error))?;
    Ok(absolute.components().collect())
}

/// The project file here or in the nearest directory above.
fn find(here: &Path) -> Result<PathBuf> {
    let candidates = here.ancestors().map(|dir| dir.join(PROJECT_FILE));
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Fault::usage(format!("there is no {PROJECT_FILE} in {} or above it", here.display()))
            .advise("`hivecast init DIR` writes an example project; --project names a file elsewhere")
    })
}

/// A file that the user named and that is not there is the user's mistake.
pub(crate) fn unreadable(what: String, error: std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::NotFound
        | std::io::ErrorKind::InvalidData
        | std::io::ErrorKind::IsADirectory
        | std::io::ErrorKind::NotADirectory => Fault::usage(what).because(error),
        _ => Fault::io(what, error),
    }
}
