//! The project: its file, the chosen environment, and the chosen feed. Paths in the file are
//! relative to it, and absolute from here on, so that a run is the same from whatever directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hivecast_edition::Store;
use hivecast_feed::{self as feed, Environment, parse_project};
use hivecast_kafka::{KafkaTarget, Settings};
use hivecast_publish::Target;
use hivecast_publish::dir::{DirTarget, random_topic_id};
use hivecast_run::{Fault, Result};
use hivecast_warehouse::Warehouse;

use crate::args::Global;
use crate::feed_file::{FeedText, all, choose};
use crate::secrets::Machine;

/// The project file's name, where `--project` does not give one.
const PROJECT_FILE: &str = "hivecast.yaml";

/// Where spilled rows lie, in the store's directory: the disk that has to hold editions anyway.
const SPILL_DIR: &str = ".spill";

/// A project with one environment chosen.
pub(crate) struct Project {
    dir: PathBuf,
    feeds: PathBuf,
    environment: Environment,
}

impl Project {
    /// Reads the project file and looks up the chosen environment's secrets.
    pub(crate) fn load(global: &Global) -> Result<Self> {
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
        let environment = project.environment(&global.env, &secrets)?;
        let feeds = dir.join(&project.feeds).components().collect();
        Ok(Project { feeds, dir, environment })
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

    /// The warehouse's directory.
    pub(crate) fn warehouse_dir(&self) -> Result<PathBuf> {
        match &self.environment.warehouse {
            feed::Warehouse::Directory(dir) => self.directory("warehouse", dir),
            feed::Warehouse::Metastore(_) => Err(self.not_offered("warehouse: { metastore: … }")),
        }
    }

    pub(crate) fn open_warehouse(&self) -> Result<Warehouse> {
        Warehouse::open(&self.warehouse_dir()?)
    }

    /// The store's directory.
    pub(crate) fn store_dir(&self) -> Result<PathBuf> {
        self.directory("store", &self.environment.store)
    }

    pub(crate) fn open_store(&self) -> Result<Store> {
        Store::open(&self.store_dir()?)
    }

    /// Where the engine may spill.
    pub(crate) fn spill_dir(&self) -> Result<PathBuf> {
        Ok(self.store_dir()?.join(SPILL_DIR))
    }

    /// Fails where the environment names an engine that this program does not have.
    pub(crate) fn require_embedded_engine(&self) -> Result<()> {
        match self.environment.engine {
            feed::Engine::Embedded => Ok(()),
            feed::Engine::Spark(_) => Err(self.not_offered("engine: sc://…")),
        }
    }

    /// The key of `mask: hmac-sha256`.
    pub(crate) fn mask_key(&self) -> Option<&[u8]> {
        self.environment.mask_key.as_ref().map(|key| key.expose().as_bytes())
    }

    /// Where documents go. Nothing is connected yet.
    pub(crate) fn open_target(&self) -> Result<Box<dyn Target>> {
        match &self.environment.target {
            feed::Target::Dir(dir) => Ok(Box::new(DirTarget::new(self.join(dir), Box::new(random_topic_id)))),
            feed::Target::Kafka(kafka) => {
                let exposed =
                    |(name, value): (&String, &feed::Property)| (name.clone(), value.expose().to_owned());
                let mut properties: BTreeMap<String, String> = kafka.properties.iter().map(exposed).collect();
                if let Some(timeout) = kafka.transaction_timeout {
                    properties.insert("transaction.timeout.ms".to_owned(), timeout.as_millis().to_string());
                }
                Ok(Box::new(KafkaTarget::new(Settings::new(properties)?, &*kafka.ledger)?))
            }
        }
    }

    fn directory(&self, setting: &str, value: &str) -> Result<PathBuf> {
        if value.contains("://") {
            return Err(self
                .not_offered(&format!("{setting}: {}", value.split("://").next().unwrap_or("")))
                .advise(format!("name a directory as `{setting}`")));
        }
        Ok(self.join(value))
    }

    /// A path of the project file, without the `.` that it may hold.
    fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.join(path).components().collect()
    }

    fn not_offered(&self, setting: &str) -> Fault {
        Fault::usage(format!("this version does not offer `{setting}`, as environment {} asks", self.env()))
            .advise("use a directory and the embedded engine, or a newer hivecast")
    }
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
        std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidData | std::io::ErrorKind::IsADirectory => {
            Fault::usage(what).because(error)
        }
        _ => Fault::io(what, error),
    }
}
