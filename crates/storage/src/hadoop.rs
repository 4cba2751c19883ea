//! Hadoop's configuration: `core-site.xml`, `hdfs-site.xml`, and what the project's settings put on top.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hivecast_run::{Fault, Result};
use roxmltree::{Document, ParsingOptions};

use crate::Settings;

/// The port of a name node whose address has none.
const NAME_NODE_PORT: u16 = 8020;

/// How often a `${name}` in a value may lead to another, as in Hadoop.
const MAX_SUBSTITUTIONS: usize = 20;

/// The files that are read, in this order; the later one wins.
const FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];

/// Properties of Hadoop, and where they came from.
#[derive(Debug, Default)]
pub(crate) struct Hadoop {
    properties: BTreeMap<String, String>,
    /// The directory of the files, where there is one.
    dir: Option<PathBuf>,
}

/// The name nodes of one file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameNodes {
    /// The name service, where several nodes serve it; each node then has an id in it.
    pub(crate) service: Option<String>,
    /// Id and `host:port` of each.
    pub(crate) nodes: Vec<(String, String)>,
}

impl Hadoop {
    /// Reads the files, once. `Class::Usage` where one is no XML, or the directory that was named has none.
    pub(crate) fn load(settings: &Settings) -> Result<Hadoop> {
        let dir = settings.hadoop_conf_dir.clone().or_else(dir_of_environment);
        let mut properties = BTreeMap::new();
        for path in FILES.iter().filter_map(|name| Some(dir.as_ref()?.join(name))) {
            match fs::read_to_string(&path) {
                Ok(text) => properties.extend(parse(&path, &text)?),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Fault::io(format!("failed to read {}", path.display()), error)),
            }
        }
        if let (true, Some(dir)) = (properties.is_empty(), &settings.hadoop_conf_dir) {
            return Err(Fault::usage(format!("there is no {} in {}", FILES.join(" or "), dir.display()))
                .advise("name the directory that has Hadoop's configuration"));
        }
        properties.extend(settings.hadoop.clone());
        Ok(Hadoop { properties, dir })
    }

    /// The directory of the files.
    pub(crate) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// A property, with `${name}` and `${env.NAME}` in it resolved, and without blanks around it.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let mut value = self.properties.get(name)?.trim().to_owned();
        for _ in 0..MAX_SUBSTITUTIONS {
            let Some(start) = value.find("${") else { break };
            let Some(length) = value[start..].find('}') else { break };
            let inner = &value[start + 2..start + length];
            let inserted = match inner.strip_prefix("env.") {
                Some(variable) => env::var(variable).ok(),
                None => self.properties.get(inner).map(|other| other.trim().to_owned()),
            };
            let Some(inserted) = inserted else { break };
            value.replace_range(start..=start + length, &inserted);
        }
        Some(value)
    }

    /// All properties, as [`Hadoop::get`] gives them.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        self.properties.keys().filter_map(|name| Some((name.clone(), self.get(name)?))).collect()
    }

    /// What the authority of a location names: `host:port`, a host, a name service, or, where it is empty,
    /// the default file system. None where it is a bare word that may be a host and is no name service.
    pub(crate) fn name_nodes(&self, authority: &str) -> Result<NameNodes> {
        if authority.is_empty() {
            return self.default_name_nodes();
        }
        if let Some(service) = self.service(authority)? {
            return Ok(service);
        }
        let address = match authority.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            Some(_) => return Err(Fault::usage(format!("hdfs://{authority}/ has no number as its port"))),
            None => format!("{authority}:{NAME_NODE_PORT}"),
        };
        Ok(NameNodes { service: None, nodes: vec![(String::new(), address)] })
    }

    /// Whether the configuration has a name service of this name.
    pub(crate) fn has_service(&self, name: &str) -> bool {
        self.services().contains(name)
    }

    /// The names of all name services.
    pub(crate) fn services(&self) -> BTreeSet<String> {
        let by_nodes = self.properties.keys().filter_map(|key| key.strip_prefix("dfs.ha.namenodes."));
        let named = self.get("dfs.nameservices").unwrap_or_default();
        by_nodes.map(str::to_owned).chain(words(&named)).collect()
    }

    fn default_name_nodes(&self) -> Result<NameNodes> {
        let default = self.get("fs.defaultFS").or_else(|| self.get("fs.default.name"));
        let authority = default.as_deref().and_then(|url| url.strip_prefix("hdfs://"));
        match authority.map(|rest| rest.split('/').next().unwrap_or_default()) {
            Some(authority) if !authority.is_empty() => self.name_nodes(authority),
            _ => Err(Fault::usage(
                "a location hdfs:///… names no name node, and `fs.defaultFS` of Hadoop's configuration names none",
            )
            .advise("write hdfs://HOST:PORT/PATH, or set HADOOP_CONF_DIR")),
        }
    }

    fn service(&self, name: &str) -> Result<Option<NameNodes>> {
        if !self.has_service(name) {
            return Ok(None);
        }
        let ids = self.get(&format!("dfs.ha.namenodes.{name}"));
        let key = |id: &str| match id {
            "" => format!("dfs.namenode.rpc-address.{name}"),
            id => format!("dfs.namenode.rpc-address.{name}.{id}"),
        };
        let ids: Vec<String> = ids.map_or_else(|| vec![String::new()], |ids| words(&ids).collect());
        let mut nodes = Vec::new();
        for id in ids {
            let Some(address) = self.get(&key(&id)) else {
                return Err(Fault::usage(format!("Hadoop's configuration has no `{}`", key(&id))));
            };
            nodes.push((id, with_port(address)));
        }
        let service = nodes.iter().all(|(id, _)| !id.is_empty()).then(|| name.to_owned());
        Ok(Some(NameNodes { service, nodes }))
    }
}

impl NameNodes {
    /// As people read it: `nn:8020`, or `ns1 (nn1:8020, nn2:8020)`.
    pub(crate) fn shown(&self) -> String {
        let addresses: Vec<&str> = self.nodes.iter().map(|(_, address)| address.as_str()).collect();
        match &self.service {
            Some(service) => format!("name service {service} ({})", addresses.join(", ")),
            None => format!("name node {}", addresses.join(", ")),
        }
    }
}

fn dir_of_environment() -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("HADOOP_CONF_DIR").or_else(|| Some(named("HADOOP_HOME")?.join("etc/hadoop")))
}

fn with_port(address: String) -> String {
    if address.contains(':') { address } else { format!("{address}:{NAME_NODE_PORT}") }
}

fn words(text: &str) -> impl Iterator<Item = String> + use<'_> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned)
}

fn parse(path: &Path, text: &str) -> Result<Vec<(String, String)>> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| Fault::usage(format!("{} is no XML", path.display())).because(error))?;
    let child = |property: roxmltree::Node<'_, '_>, name: &str| {
        let found = property.children().find(|node| node.has_tag_name(name))?;
        Some(found.text().unwrap_or_default().trim().to_owned())
    };
    let properties = document.root_element().children().filter(|node| node.has_tag_name("property"));
    Ok(properties.filter_map(|node| Some((child(node, "name")?, child(node, "value")?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hadoop(properties: &[(&str, &str)]) -> Hadoop {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Hadoop { properties: properties.collect(), dir: None }
    }

    fn addresses(nodes: &NameNodes) -> Vec<&str> {
        nodes.nodes.iter().map(|(_, address)| address.as_str()).collect()
    }

    #[test]
    fn services_hosts_and_the_default() {
        let hadoop = hadoop(&[
            ("fs.defaultFS", "hdfs://ns1"),
            ("dfs.nameservices", "ns1, single"),
            ("dfs.ha.namenodes.ns1", "a, b"),
            ("domain", "example.com"),
            ("dfs.namenode.rpc-address.ns1.a", "one.${domain}:9000"),
            ("dfs.namenode.rpc-address.ns1.b", " two.${domain} "),
            ("dfs.namenode.rpc-address.single", "three:8021"),
        ]);
        for authority in ["ns1", ""] {
            let nodes = hadoop.name_nodes(authority).unwrap();
            assert_eq!(nodes.service.as_deref(), Some("ns1"));
            assert_eq!(addresses(&nodes), ["one.example.com:9000", "two.example.com:8020"]);
        }
        let single = hadoop.name_nodes("single").unwrap();
        assert_eq!((single.service.as_deref(), addresses(&single)), (None, vec!["three:8021"]));
        assert_eq!(addresses(&hadoop.name_nodes("nn").unwrap()), ["nn:8020"]);
        assert_eq!(addresses(&hadoop.name_nodes("nn:9").unwrap()), ["nn:9"]);
        assert!(hadoop.name_nodes("nn:x").is_err());
        assert_eq!(hadoop.services().into_iter().collect::<Vec<_>>(), ["ns1", "single"]);
    }

    #[test]
    fn a_configuration_is_read_as_hadoop_reads_it() {
        let text = "<?xml version=\"1.0\"?>\n<?xml-stylesheet type=\"text/xsl\" href=\"configuration.xsl\"?>\n\
            <configuration><!-- a note -->\n<property><name>a</name><value> 1 </value><final>true</final></property>\n\
            <property><name>empty</name><value/></property><property><name>no value</name></property></configuration>";
        let read = parse(Path::new("core-site.xml"), text).unwrap();
        assert_eq!(read, [("a".to_owned(), "1".to_owned()), ("empty".to_owned(), String::new())]);
        let fault = parse(Path::new("/etc/core-site.xml"), "<configuration>").unwrap_err();
        assert!(fault.chain().starts_with("/etc/core-site.xml is no XML"), "{}", fault.chain());
    }

    #[test]
    fn what_leads_to_itself_ends() {
        assert_eq!(hadoop(&[("a", "${a}")]).get("a").as_deref(), Some("${a}"));
        assert_eq!(hadoop(&[("a", "${nobody has it}")]).get("a").as_deref(), Some("${nobody has it}"));
    }
}
