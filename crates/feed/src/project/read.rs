use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::metastore::MetastoreDraft;
use super::secret::{Secret, Secrets, is_secret_property};
use super::settings::{ENVIRONMENT, PROJECT, TARGET, WAREHOUSE};
use super::stores::StoresDraft;
use super::template::Template;
use super::{
    DEFAULT_LEDGER, Engine, Environment, KafkaSettings, LOCAL_ENVIRONMENT, Project, Property, Setting,
    Target, Use, Warehouse,
};
use crate::diagnostic::{Diagnostics, Mistakes};
use crate::model::Span;
use crate::scalars;
use crate::section::{self, Section};
use crate::source::{Disclosure, SourceText};
use crate::tree::{self, Data, Entry, Node};

/// The scheme of a Spark Connect endpoint.
const SPARK_SCHEME: &str = "sc://";
/// The engine in this process.
const EMBEDDED: &str = "embedded";
/// A property that is derived from feed, target and writer: fencing rests on it.
const OWN_PROPERTY: &str = "transactional.id";
/// Settings of this file that hold a secret.
const SECRET_SETTINGS: [&str; 2] = ["mask_key", "secret_access_key"];
/// The properties of which one says where the cluster is.
const BOOTSTRAP: [&str; 2] = ["bootstrap.servers", "metadata.broker.list"];

/// An environment as written.
#[derive(Clone)]
pub(super) struct EnvironmentDraft {
    warehouse: WarehouseDraft,
    engine: Option<Template>,
    store: Template,
    target: TargetDraft,
    mask_key: Option<Template>,
    stores: StoresDraft,
}

#[derive(Clone)]
enum WarehouseDraft {
    Directory(Template),
    Metastore(MetastoreDraft),
}

#[derive(Clone)]
enum TargetDraft {
    Dir(Template),
    Kafka {
        properties: BTreeMap<String, Vec<Template>>,
        ledger: Option<Template>,
        transaction_timeout: Option<Duration>,
    },
}

/// What reading an environment hands from hand to hand.
pub(super) struct Reading<'m> {
    /// Whether a secret may stand in the file itself.
    literals: Literals,
    pub(super) mistakes: &'m mut Mistakes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Literals {
    Allowed,
    Refused,
}

/// Whether a value may be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    Open,
    Secret,
}

/// Reads a project file; nothing is looked up. `file_name` is what messages call it.
pub fn parse_project(file_name: &str, text: &str) -> Result<Project, Diagnostics> {
    let mut mistakes = Mistakes::default();
    let root = tree::read(text, &mut mistakes);
    let disclosure = match &root {
        Some(root) => Disclosure::AllBut(secret_places(root)),
        None if mistakes.0.is_empty() => Disclosure::AllBut(Vec::new()),
        None => Disclosure::PlacesOnly,
    };
    let source = SourceText::with_disclosure(file_name.to_owned(), text.to_owned(), disclosure);
    let empty = root.as_ref().is_none_or(|root| matches!(root.data, Data::Null));
    if empty && mistakes.0.is_empty() {
        let help = "`hivecast init DIR` writes an example".to_owned();
        mistakes.add_with_help(&(0..0), "the project file is empty", help);
    }
    let project = root.filter(|_| !empty).and_then(|root| project(&root, &source, &mut mistakes));
    match project {
        Some(project) => mistakes.into_result(&source, project),
        None => Err(Diagnostics::new(&source, mistakes.0)),
    }
}

/// Where secrets stand in the file, wherever they are written: also under a name that is mistaken or
/// in a place that is.
fn secret_places(root: &Node) -> Vec<Span> {
    let mut places = Vec::new();
    collect_secret_places(root, Privacy::Open, &mut places);
    places.sort_by_key(|span| (span.start, span.end));
    places.dedup();
    places
}

fn collect_secret_places(node: &Node, privacy: Privacy, places: &mut Vec<Span>) {
    match &node.data {
        Data::Scalar(text) => {
            if (privacy == Privacy::Secret && !text.contains("${")) || holds_credentials(text) {
                places.push(node.span.clone());
            }
        }
        Data::Null => {}
        Data::Sequence(items) => {
            items.iter().for_each(|item| collect_secret_places(item, privacy, places));
        }
        Data::Mapping(entries) => {
            for Entry { name, span, value } in entries {
                let secret = privacy == Privacy::Secret
                    || is_secret_property(name)
                    || SECRET_SETTINGS.contains(&name.as_str());
                let inner = if secret { Privacy::Secret } else { Privacy::Open };
                collect_secret_places(value, inner, places);
                // A name without a value is the rest of a value that a comma cut in two.
                if matches!(value.data, Data::Null) {
                    places.push(span.clone());
                }
            }
        }
    }
}

/// Whether an address carries a password or a token: `sc://host/;token=…`, `https://user:password@host`.
fn holds_credentials(text: &str) -> bool {
    let user =
        text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()?.split_once('@'));
    text.contains("token=") || user.is_some_and(|(user, _)| user.contains(':') && !user.contains("${"))
}

fn project(root: &Node, source: &SourceText, mistakes: &mut Mistakes) -> Option<Project> {
    let section = Section::open(root, &PROJECT, mistakes)?;
    let feeds = section.text("feeds", mistakes);
    let entries = section
        .get("environments")
        .and_then(|node| section::filled_mapping(node, "`environments`", mistakes))
        .unwrap_or_default();
    let mut environments = BTreeMap::new();
    for entry in entries {
        let literals = match entry.name.as_str() {
            LOCAL_ENVIRONMENT => Literals::Allowed,
            _ => Literals::Refused,
        };
        if let Some(environment) = (Reading { literals, mistakes }).environment(&entry.value) {
            environments.insert(entry.name.clone(), environment);
        }
    }
    Some(Project {
        feeds: PathBuf::from(feeds?.value),
        environments,
        environments_at: section.place("environments"),
        source: source.clone(),
    })
}

impl Reading<'_> {
    fn environment(&mut self, node: &Node) -> Option<EnvironmentDraft> {
        let section = Section::open(node, &ENVIRONMENT, self.mistakes)?;
        let warehouse = section.get("warehouse").and_then(|node| self.warehouse(node));
        let engine = section.get("engine").and_then(|node| self.engine(node));
        let store = self.setting(&section, "store", Privacy::Open);
        let target = section.get("target").and_then(|node| self.target(node));
        let mask_key = self.setting(&section, "mask_key", Privacy::Secret);
        let stores = StoresDraft::read(&section, self);
        Some(EnvironmentDraft {
            warehouse: warehouse?,
            engine,
            store: store?,
            target: target?,
            mask_key,
            stores,
        })
    }

    pub(super) fn setting(
        &mut self,
        section: &Section<'_>,
        name: &str,
        privacy: Privacy,
    ) -> Option<Template> {
        self.template(section.get(name)?, &format!("`{name}`"), privacy)
    }

    pub(super) fn template(&mut self, node: &Node, what: &str, privacy: Privacy) -> Option<Template> {
        let text = section::text(node, what, self.mistakes)?;
        match Template::parse(&text) {
            Ok(template) => {
                self.refuse_literal_secret(&template, what, privacy);
                Some(template)
            }
            Err(error) => {
                self.mistakes.add(&text.span, format!("{what}: {error}"));
                None
            }
        }
    }

    fn refuse_literal_secret(&mut self, template: &Template, what: &str, privacy: Privacy) {
        if privacy == Privacy::Secret && self.literals == Literals::Refused && template.is_literal() {
            let message =
                format!("{what} is a secret, and stands in the file; only `{LOCAL_ENVIRONMENT}` may do that");
            let help = "take it from the environment, `\"${NAME}\"`, or a file, `\"${file:/path}\"`";
            self.mistakes.add_with_help(&template.span, message, help.to_owned());
        }
    }

    fn engine(&mut self, node: &Node) -> Option<Template> {
        let template = self.template(node, "`engine`", Privacy::Open)?;
        if let Data::Scalar(text) = &node.data
            && template.is_literal()
        {
            let text = text.trim();
            if !is_engine(text) {
                tell_engine(&template.span, self.mistakes);
            } else if holds_credentials(text) {
                self.refuse_literal_secret(&template, "the token of `engine`", Privacy::Secret);
            }
        }
        Some(template)
    }

    fn warehouse(&mut self, node: &Node) -> Option<WarehouseDraft> {
        if let Data::Scalar(_) = node.data {
            return self.template(node, "`warehouse`", Privacy::Open).map(WarehouseDraft::Directory);
        }
        let section = Section::open(node, &WAREHOUSE, self.mistakes)?;
        MetastoreDraft::read(&section, self).map(WarehouseDraft::Metastore)
    }

    /// One text, or a list of them.
    pub(super) fn templates(&mut self, node: &Node, what: &str, privacy: Privacy) -> Option<Vec<Template>> {
        if let Data::Sequence(_) = node.data {
            let items = section::sequence(node, what, self.mistakes)?;
            return Some(items.iter().filter_map(|item| self.template(item, what, privacy)).collect());
        }
        self.template(node, what, privacy).map(|template| vec![template])
    }

    fn target(&mut self, node: &Node) -> Option<TargetDraft> {
        let section = Section::open(node, &TARGET, self.mistakes)?;
        if section.has("dir") {
            for own in ["ledger", "transaction_timeout"].into_iter().filter(|name| section.has(name)) {
                self.mistakes.add(&section.place(own), format!("only a Kafka target has `{own}`"));
            }
            return self.setting(&section, "dir", Privacy::Open).map(TargetDraft::Dir);
        }
        let ledger = self.setting(&section, "ledger", Privacy::Open);
        let transaction_timeout = section.parsed("transaction_timeout", scalars::duration, self.mistakes);
        let properties = self.properties(section.get("kafka")?);
        if !BOOTSTRAP.iter().any(|name| properties.contains_key(*name)) {
            self.mistakes.add(&section.place("kafka"), format!("`kafka` needs `{}`", BOOTSTRAP[0]));
        }
        Some(TargetDraft::Kafka { properties, ledger, transaction_timeout })
    }

    fn properties(&mut self, node: &Node) -> BTreeMap<String, Vec<Template>> {
        let entries = section::filled_mapping(node, "`kafka`", self.mistakes).unwrap_or_default();
        let mut properties = BTreeMap::new();
        for entry in entries {
            if entry.name == OWN_PROPERTY {
                let help = "take it out: it names the feed, the target and the writer".to_owned();
                let message = format!("`{OWN_PROPERTY}` is set by hivecast");
                self.mistakes.add_with_help(&entry.span, message, help);
            }
            if matches!(entry.value.data, Data::Null) {
                let help = section::COMMA.to_owned();
                self.mistakes.add_with_help(&entry.span, "a name without a value in `kafka`", help);
                continue;
            }
            let privacy = if is_secret_property(&entry.name) { Privacy::Secret } else { Privacy::Open };
            let what = format!("`{}`", entry.name);
            if let Some(templates) = self.templates(&entry.value, &what, privacy) {
                properties.insert(entry.name.clone(), templates);
            }
        }
        properties
    }
}

fn is_engine(text: &str) -> bool {
    text == EMBEDDED || text.strip_prefix(SPARK_SCHEME).is_some_and(|rest| !rest.is_empty())
}

/// The text is not repeated: an endpoint may hold a token.
fn tell_engine(span: &Span, mistakes: &mut Mistakes) {
    let message =
        format!("`engine` must be `{EMBEDDED}` or a Spark Connect endpoint `{SPARK_SCHEME}host:port`");
    mistakes.add(span, message);
}

impl EnvironmentDraft {
    /// Where a setting's value stands.
    pub(super) fn place(&self, setting: Setting) -> Option<Span> {
        let template = match setting {
            Setting::Warehouse => match &self.warehouse {
                WarehouseDraft::Directory(template) => Some(template),
                WarehouseDraft::Metastore(metastore) => return metastore.place().cloned(),
            },
            Setting::Engine => self.engine.as_ref(),
            Setting::Store => Some(&self.store),
            Setting::Target => match &self.target {
                TargetDraft::Dir(template) => Some(template),
                TargetDraft::Kafka { properties, .. } => properties.values().flatten().next(),
            },
        };
        template.map(|template| template.span.clone())
    }

    /// Looks every part up, and tells each that is missing.
    pub(super) fn resolve(
        &self,
        name: &str,
        used: Use,
        secrets: &dyn Secrets,
        mistakes: &mut Mistakes,
    ) -> Option<Environment> {
        let warehouse = self.warehouse.resolve(secrets, mistakes);
        let engine = match &self.engine {
            None => Some(Engine::Embedded),
            Some(template) => resolve_engine(template, secrets, mistakes),
        };
        let store = resolve_text(&self.store, "store", secrets, mistakes);
        let target = match used {
            Use::Everything => self.target.resolve(secrets, mistakes),
            Use::Reading => Some(Target::Dir(PathBuf::new())),
        };
        let mask_key = match &self.mask_key {
            None => None,
            Some(_) if used == Use::Reading => Some(Secret::new("")),
            Some(template) => Some(Secret::new(resolve_text(template, "mask_key", secrets, mistakes)?)),
        };
        let stores = self.stores.resolve(secrets, mistakes);
        Some(Environment {
            name: name.to_owned(),
            stores,
            warehouse: warehouse?,
            engine: engine?,
            store: store?,
            target: target?,
            mask_key,
        })
    }
}

/// A setting's text; an empty variable or file is told like a missing one.
pub(super) fn resolve_text(
    template: &Template,
    setting: &str,
    secrets: &dyn Secrets,
    mistakes: &mut Mistakes,
) -> Option<String> {
    let text = template.resolve(secrets, mistakes)?;
    if text.trim().is_empty() {
        mistakes.add(&template.span, format!("`{setting}` is empty once its variables are looked up"));
        return None;
    }
    Some(text)
}

fn resolve_engine(template: &Template, secrets: &dyn Secrets, mistakes: &mut Mistakes) -> Option<Engine> {
    let text = template.resolve(secrets, mistakes)?;
    match text.trim() {
        EMBEDDED => Some(Engine::Embedded),
        endpoint if is_engine(endpoint) => Some(Engine::Spark(Secret::new(endpoint))),
        _ => {
            tell_engine(&template.span, mistakes);
            None
        }
    }
}

impl WarehouseDraft {
    fn resolve(&self, secrets: &dyn Secrets, mistakes: &mut Mistakes) -> Option<Warehouse> {
        match self {
            WarehouseDraft::Directory(template) => {
                resolve_text(template, "warehouse", secrets, mistakes).map(Warehouse::Directory)
            }
            WarehouseDraft::Metastore(metastore) => {
                metastore.resolve(secrets, mistakes).map(Warehouse::Metastore)
            }
        }
    }
}

impl TargetDraft {
    fn resolve(&self, secrets: &dyn Secrets, mistakes: &mut Mistakes) -> Option<Target> {
        let (properties, ledger, transaction_timeout) = match self {
            TargetDraft::Dir(template) => {
                let dir = resolve_text(template, "dir", secrets, mistakes)?;
                return Some(Target::Dir(PathBuf::from(dir)));
            }
            TargetDraft::Kafka { properties, ledger, transaction_timeout } => {
                (properties, ledger, *transaction_timeout)
            }
        };
        let mut resolved = BTreeMap::new();
        for (name, templates) in properties {
            let parts: Vec<String> =
                templates.iter().filter_map(|template| template.resolve(secrets, mistakes)).collect();
            let text = parts.join(",");
            let property = match is_secret_property(name) {
                true => Property::Secret(Secret::new(text)),
                false => Property::Plain(text),
            };
            resolved.insert(name.clone(), property);
        }
        let ledger = match ledger {
            Some(template) => resolve_text(template, "ledger", secrets, mistakes)?,
            None => DEFAULT_LEDGER.to_owned(),
        };
        Some(Target::Kafka(KafkaSettings { properties: resolved, ledger, transaction_timeout }))
    }
}

impl std::fmt::Debug for EnvironmentDraft {
    /// Nothing of it: the file may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvironmentDraft").finish_non_exhaustive()
    }
}
