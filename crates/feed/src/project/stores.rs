//! How HDFS and S3-compatible stores are reached, as a project file says it.

use std::collections::BTreeMap;

use super::read::{Privacy, Reading, resolve_text};
use super::secret::{Secret, Secrets};
use super::settings::{HADOOP, S3};
use super::template::Template;
use crate::diagnostic::Mistakes;
use crate::section::{self, Section};
use crate::tree::{Data, Node};

/// How stores other than directories are reached. What is not set is left to the environment: Hadoop's
/// HADOOP_CONF_DIR, AWS's own variables and roles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreSettings {
    /// `hadoop.conf_dir`: the directory of `core-site.xml` and `hdfs-site.xml`, relative to the project file.
    pub hadoop_conf_dir: Option<String>,
    /// `hadoop.properties`: Hadoop's own properties, over those of the files.
    pub hadoop: BTreeMap<String, String>,
    /// `s3.endpoint`.
    pub s3_endpoint: Option<String>,
    /// `s3.region`.
    pub s3_region: Option<String>,
    /// `s3.access_key_id`.
    pub s3_access_key_id: Option<Secret>,
    /// `s3.secret_access_key`.
    pub s3_secret_access_key: Option<Secret>,
}

/// As written.
#[derive(Clone, Default)]
pub(super) struct StoresDraft {
    conf_dir: Option<Template>,
    properties: BTreeMap<String, Template>,
    endpoint: Option<Template>,
    region: Option<Template>,
    access_key_id: Option<Template>,
    secret_access_key: Option<Template>,
}

impl StoresDraft {
    /// Reads `hadoop` and `s3` of an environment.
    pub(super) fn read(environment: &Section<'_>, reading: &mut Reading<'_>) -> StoresDraft {
        let mut draft = StoresDraft::default();
        let hadoop =
            environment.get("hadoop").and_then(|node| Section::open(node, &HADOOP, reading.mistakes));
        if let Some(hadoop) = hadoop {
            draft.conf_dir = reading.setting(&hadoop, "conf_dir", Privacy::Open);
            draft.properties =
                hadoop.get("properties").map(|node| properties(node, reading)).unwrap_or_default();
        }
        let s3 = environment.get("s3").and_then(|node| Section::open(node, &S3, reading.mistakes));
        if let Some(s3) = s3 {
            draft.endpoint = reading.setting(&s3, "endpoint", Privacy::Open);
            draft.region = reading.setting(&s3, "region", Privacy::Open);
            draft.access_key_id = reading.setting(&s3, "access_key_id", Privacy::Open);
            draft.secret_access_key = reading.setting(&s3, "secret_access_key", Privacy::Secret);
        }
        draft
    }

    /// Looks every part up, and tells each that is missing.
    pub(super) fn resolve(&self, secrets: &dyn Secrets, mistakes: &mut Mistakes) -> StoreSettings {
        let mut text = |template: &Option<Template>, name: &str| {
            template.as_ref().and_then(|template| resolve_text(template, name, secrets, mistakes))
        };
        StoreSettings {
            hadoop_conf_dir: text(&self.conf_dir, "conf_dir"),
            s3_endpoint: text(&self.endpoint, "endpoint"),
            s3_region: text(&self.region, "region"),
            s3_access_key_id: text(&self.access_key_id, "access_key_id").map(Secret::new),
            s3_secret_access_key: text(&self.secret_access_key, "secret_access_key").map(Secret::new),
            hadoop: self
                .properties
                .iter()
                .filter_map(|(name, template)| Some((name.clone(), template.resolve(secrets, mistakes)?)))
                .collect(),
        }
    }
}

fn properties(node: &Node, reading: &mut Reading<'_>) -> BTreeMap<String, Template> {
    let entries = section::filled_mapping(node, "`properties`", reading.mistakes).unwrap_or_default();
    let mut properties = BTreeMap::new();
    for entry in entries {
        if matches!(entry.value.data, Data::Null) {
            let help = section::COMMA.to_owned();
            reading.mistakes.add_with_help(&entry.span, "a name without a value in `properties`", help);
            continue;
        }
        if let Some(template) = reading.template(&entry.value, &format!("`{}`", entry.name), Privacy::Open) {
            properties.insert(entry.name.clone(), template);
        }
    }
    properties
}
