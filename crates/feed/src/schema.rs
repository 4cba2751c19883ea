//! JSON schemas (draft 2020-12) of the feed and project files, for editors. They are made from the
//! same tables of settings that the parser reads by.

use serde_json::{Map, Value, json};

use crate::feed_settings::FEED;
use crate::project::settings::PROJECT;
use crate::settings::{Group, Kind, Need};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
const PERCENTAGE: &str = r"^[0-9]+(\.[0-9]+)?\s*%$";
const BYTES: &str = r"^[0-9]+\s*(B|KB|MB|GB|KiB|MiB|GiB)?$";
const DURATION: &str = r"^[0-9]+\s*(ms|s|m|h)$";

/// The schema of a feed file.
pub fn feed_json_schema() -> Value {
    document(&FEED, "A Hivecast feed")
}

/// The schema of a project file.
pub fn project_json_schema() -> Value {
    document(&PROJECT, "A Hivecast project")
}

fn document(group: &'static Group, title: &str) -> Value {
    let mut definitions = Map::new();
    let root = reference(group, &mut definitions);
    let mut schema = json!({ "$schema": DRAFT, "title": title });
    schema["$ref"] = root["$ref"].clone();
    schema["$defs"] = Value::Object(definitions);
    schema
}

/// A reference to a group's definition, which is made on first use: groups nest in themselves.
fn reference(group: &'static Group, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(group.id) {
        definitions.insert(group.id.to_owned(), Value::Null);
        let definition = definition(group, definitions);
        definitions.insert(group.id.to_owned(), definition);
    }
    json!({ "$ref": format!("#/$defs/{}", group.id) })
}

fn definition(group: &'static Group, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for setting in group.settings {
        let mut schema = kind(setting.kind, definitions);
        schema["description"] = json!(setting.about);
        properties.insert(setting.name.to_owned(), schema);
        if setting.need == Need::Required {
            required.push(setting.name);
        }
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !group.exactly_one.is_empty() {
        let one = group.exactly_one.iter().map(|name| json!({ "required": [name] }));
        schema["oneOf"] = one.collect();
    }
    schema
}

fn kind(of: Kind, definitions: &mut Map<String, Value>) -> Value {
    match of {
        Kind::Text | Kind::Sql => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Pattern(pattern) => json!({ "type": ["string", "number", "boolean"], "pattern": pattern }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Percentage => json!({ "type": "string", "pattern": PERCENTAGE }),
        Kind::Bytes => json!({ "type": ["string", "integer"], "pattern": BYTES, "minimum": 1 }),
        Kind::Duration => json!({ "type": "string", "pattern": DURATION }),
        Kind::Words(words) => one_of_words(&words()),
        Kind::Group(group) => reference(group, definitions),
        Kind::MapOf(value) => {
            let value = kind(*value, definitions);
            json!({ "type": "object", "minProperties": 1, "additionalProperties": value })
        }
        Kind::ListOf(element) => {
            json!({ "type": "array", "minItems": 1, "items": kind(*element, definitions) })
        }
        Kind::AnyOf(kinds) => {
            let any: Vec<Value> = kinds.iter().map(|each| kind(*each, definitions)).collect();
            json!({ "anyOf": any })
        }
    }
}

/// Each word with its meaning. What YAML reads as a truth value or as nothing is that in JSON too.
fn one_of_words(words: &[(&'static str, &'static str)]) -> Value {
    let each = words.iter().map(|(word, about)| {
        let value = match *word {
            "true" => json!(true),
            "false" => json!(false),
            "null" => Value::Null,
            text => json!(text),
        };
        json!({ "const": value, "description": about })
    });
    json!({ "oneOf": each.collect::<Vec<_>>() })
}
