//! How HDFS and S3-compatible stores are reached, as a project file says it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::read::{Privacy, Reading, resolve_text};
use super::secret::{Secret, Secrets};
use super::settings::{HADOOP, KERBEROS, S3};
use super::template::Template;
use crate::diagnostic::Mistakes;
use crate::scalars;
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
    /// `hadoop.user`: who HDFS and the metastore take us for.
    pub hadoop_user: Option<String>,
    /// `hadoop.kerberos`.
    pub kerberos: Option<Kerberos>,
    /// `hadoop.connect_timeout` and `hadoop.call_timeout`.
    pub hadoop_timeouts: StoreTimeouts,
    /// `s3.endpoint`.
    pub s3_endpoint: Option<String>,
    /// `s3.region`.
    pub s3_region: Option<String>,
    /// `s3.access_key_id`.
    pub s3_access_key_id: Option<Secret>,
    /// `s3.secret_access_key`.
    pub s3_secret_access_key: Option<Secret>,
    /// `s3.connect_timeout` and `s3.call_timeout`.
    pub s3_timeouts: StoreTimeouts,
}

/// Who logs in to HDFS with Kerberos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kerberos {
    /// `principal`.
    pub principal: String,
    /// `keytab`: a file, relative to the project file.
    pub keytab: Option<String>,
    /// `cache`: the ticket cache, as Kerberos names it.
    pub cache: Option<String>,
}

/// How long stores may take. What is none is the client's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreTimeouts {
    /// `connect_timeout`: for a connection.
    pub connect: Option<Duration>,
    /// `call_timeout`: for one call.
    pub call: Option<Duration>,
}

impl StoreTimeouts {
    fn read(section: &Section<'_>, mistakes: &mut Mistakes) -> StoreTimeouts {
        let mut time = |name: &str| section.parsed(name, scalars::duration, mistakes);
        StoreTimeouts { connect: time("connect_timeout"), call: time("call_timeout") }
    }
}

/// As written.
#[derive(Clone, Default)]
pub(super) struct StoresDraft {
    conf_dir: Option<Template>,
    properties: BTreeMap<String, Template>,
    user: Option<Template>,
    kerberos: Option<KerberosDraft>,
    hadoop_timeouts: StoreTimeouts,
    endpoint: Option<Template>,
    region: Option<Template>,
    access_key_id: Option<Template>,
    secret_access_key: Option<Template>,
    s3_timeouts: StoreTimeouts,
}

#[derive(Clone)]
struct KerberosDraft {
    principal: Template,
    keytab: Option<Template>,
    cache: Option<Template>,
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
            draft.user = reading.setting(&hadoop, "user", Privacy::Open);
            draft.kerberos = hadoop.get("kerberos").and_then(|node| KerberosDraft::read(node, reading));
            draft.hadoop_timeouts = StoreTimeouts::read(&hadoop, reading.mistakes);
        }
        let s3 = environment.get("s3").and_then(|node| Section::open(node, &S3, reading.mistakes));
        if let Some(s3) = s3 {
            draft.endpoint = reading.setting(&s3, "endpoint", Privacy::Open);
            draft.region = reading.setting(&s3, "region", Privacy::Open);
            draft.access_key_id = reading.setting(&s3, "access_key_id", Privacy::Open);
            draft.secret_access_key = reading.setting(&s3, "secret_access_key", Privacy::Secret);
            draft.s3_timeouts = StoreTimeouts::read(&s3, reading.mistakes);
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
            hadoop_user: text(&self.user, "user"),
            hadoop_timeouts: self.hadoop_timeouts,
            s3_timeouts: self.s3_timeouts,
            s3_endpoint: text(&self.endpoint, "endpoint"),
            s3_region: text(&self.region, "region"),
            s3_access_key_id: text(&self.access_key_id, "access_key_id").map(Secret::new),
            s3_secret_access_key: text(&self.secret_access_key, "secret_access_key").map(Secret::new),
            kerberos: self.kerberos.as_ref().and_then(|kerberos| kerberos.resolve(secrets, mistakes)),
            hadoop: self
                .properties
                .iter()
                .filter_map(|(name, template)| Some((name.clone(), template.resolve(secrets, mistakes)?)))
                .collect(),
        }
    }
}

impl KerberosDraft {
    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<KerberosDraft> {
        let section = Section::open(node, &KERBEROS, reading.mistakes)?;
        let keytab = reading.setting(&section, "keytab", Privacy::Open);
        let cache = reading.setting(&section, "cache", Privacy::Open);
        let principal = reading.setting(&section, "principal", Privacy::Open)?;
        Some(KerberosDraft { principal, keytab, cache })
    }

    fn resolve(&self, secrets: &dyn Secrets, mistakes: &mut Mistakes) -> Option<Kerberos> {
        let mut text = |template: &Template, name: &str| resolve_text(template, name, secrets, mistakes);
        let keytab = self.keytab.as_ref().and_then(|template| text(template, "keytab"));
        let cache = self.cache.as_ref().and_then(|template| text(template, "cache"));
        Some(Kerberos { principal: text(&self.principal, "principal")?, keytab, cache })
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
