//! A topic's directory and its `topic.json`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use hivecast_run::{Fault, Result};
use serde::{Deserialize, Serialize};

use super::files;
use crate::TopicSpec;

/// The version of `topic.json`. A reader refuses a newer one.
const TOPIC_FORMAT: u32 = 1;

/// `topic.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TopicFile {
    format: u32,
    /// The topic's identity: a topic that is deleted and made again has another.
    pub(super) id: String,
    /// The feed that the topic belongs to.
    pub(super) feed: String,
    pub(super) partitions: u32,
    settings: BTreeMap<String, String>,
}

/// A random UUID (RFC 9562, version 4) from the system's source of randomness.
pub fn random_topic_id() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Fault::io("failed to read /dev/urandom", error))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

pub(super) fn partition_path(dir: &Path, partition: u32) -> PathBuf {
    dir.join(format!("partition-{partition}.ndjson"))
}

fn file_path(dir: &Path) -> PathBuf {
    dir.join("topic.json")
}

impl TopicFile {
    /// Reads a topic's file, if there is a topic.
    pub(super) fn load(dir: &Path) -> Result<Option<TopicFile>> {
        let path = file_path(dir);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound && !dir.exists() => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Fault::conflict(format!("{} is no topic: it has no topic.json", dir.display()))
                    .advise("move the directory away, or name another topic"));
            }
            Err(error) => return Err(Fault::io(format!("failed to read {}", path.display()), error)),
        };
        let damaged = || Fault::data(format!("failed to read {}", path.display()));
        let file: TopicFile = serde_json::from_slice(&json).map_err(|error| damaged().because(error))?;
        if file.format > TOPIC_FORMAT {
            let format = file.format;
            return Err(
                damaged().because(format!("format {format} is newer than this program's {TOPIC_FORMAT}"))
            );
        }
        Ok(Some(file))
    }

    /// Makes an empty topic. It is put together under another name and renamed when whole, so that
    /// a crash leaves no half of one.
    pub(super) fn create(dir: &Path, topic: &TopicSpec, id: String) -> Result<TopicFile> {
        let file = TopicFile {
            format: TOPIC_FORMAT,
            id,
            feed: topic.feed.clone(),
            partitions: topic.partitions,
            settings: topic.settings.clone(),
        };
        let root = dir.parent().unwrap_or(Path::new("."));
        let unfinished = root.join(format!(".new-{}-{}", topic.feed, topic.topic));
        let fault =
            |what: &str, error| Fault::io(format!("failed to {what} {}", unfinished.display()), error);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fault("remove", error)),
            _ => {}
        }
        fs::create_dir(&unfinished).map_err(|error| fault("make directory", error))?;
        for partition in 0..topic.partitions {
            files::write_synced(&partition_path(&unfinished, partition), b"")?;
        }
        let json = serde_json::to_vec_pretty(&file)
            .map_err(|error| Fault::bug("failed to write topic.json").because(error))?;
        files::write_synced(&file_path(&unfinished), &json)?;
        files::sync_dir(&unfinished)?;
        fs::rename(&unfinished, dir).map_err(|error| {
            Fault::io(format!("failed to rename {} to {}", unfinished.display(), dir.display()), error)
        })?;
        files::sync_dir(root)?;
        Ok(file)
    }

    /// Whether the topic is what the feed wants.
    pub(super) fn check(&self, topic: &TopicSpec) -> Result<()> {
        let TopicSpec { feed, topic: name, partitions, .. } = topic;
        if self.feed != *feed {
            return Err(Fault::conflict(format!(
                "topic {name} belongs to feed {}, not to {feed}",
                self.feed
            ))
            .advise(
                "a topic in a directory has one feed, so that each key has one writer: name another topic",
            ));
        }
        if self.partitions != *partitions {
            let what =
                format!("topic {name} has {} partitions, and feed {feed} says {partitions}", self.partitions);
            return Err(Fault::conflict(what).advise(format!(
                "keys would move between partitions: set partitions to {}, or name another topic",
                self.partitions
            )));
        }
        Ok(())
    }

    /// What the feed's settings say otherwise than the topic's, one sentence each.
    pub(super) fn settings_that_differ(&self, topic: &TopicSpec) -> Vec<String> {
        let differing = topic.settings.iter().filter(|(name, value)| self.settings.get(*name) != Some(value));
        let told = differing.map(|(name, value)| {
            let has = self.settings.get(name).map_or("none", String::as_str);
            format!("topic {}: setting {name} is {has}, and feed {} says {value}", topic.topic, topic.feed)
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_4_and_differ() {
        let ids = [random_topic_id().unwrap(), random_topic_id().unwrap()];
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 4);
        }
    }
}
