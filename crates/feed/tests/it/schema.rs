//! The JSON schemas against what the parser takes.

use hivecast_feed::schema::{feed_json_schema, project_json_schema};
use hivecast_feed::{parse, parse_project};
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

use crate::{example, parse as parse_tests, project as project_tests};

/// As much of draft 2020-12 as the schemas use. Patterns are looked at by the parser's own tests.
fn fits(schema: &Value, value: &Value, root: &Value) -> bool {
    let all = schema.as_object().expect("a schema is an object");
    all.iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "title" | "description" | "$defs" | "pattern" => true,
        "$ref" => {
            let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
            fits(root.pointer(pointer).expect("the reference leads somewhere"), value, root)
        }
        "type" => match rule {
            Value::Array(types) => types.iter().any(|kind| is_of_type(kind, value)),
            kind => is_of_type(kind, value),
        },
        "properties" => value.as_object().is_none_or(|object| {
            object.iter().all(|(name, inner)| rule.get(name).is_none_or(|rule| fits(rule, inner, root)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let listed = |name: &String| schema["properties"].get(name).is_some();
            object.iter().filter(|(name, _)| !listed(name)).all(|(_, inner)| match rule {
                Value::Bool(allowed) => *allowed,
                rule => fits(rule, inner, root),
            })
        }),
        "required" => value.as_object().is_none_or(|object| {
            rule.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "oneOf" => rule.as_array().unwrap().iter().filter(|each| fits(each, value, root)).count() == 1,
        "anyOf" => rule.as_array().unwrap().iter().any(|each| fits(each, value, root)),
        "minProperties" => {
            value.as_object().is_none_or(|object| object.len() as u64 >= rule.as_u64().unwrap())
        }
        "const" => rule == value,
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(rule, item, root))),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
        other => panic!("the schema uses {other}"),
    })
}

fn is_of_type(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        other => panic!("the schema has type {other}"),
    }
}

/// YAML as an editor sees it.
fn json_of(yaml: &str) -> Value {
    let mut parser = Parser::new_from_str(yaml);
    let mut next = || loop {
        match parser.next_event().unwrap().unwrap().0 {
            Event::StreamStart | Event::DocumentStart(_) => {}
            event => break event,
        }
    };
    let first = next();
    value(first, &mut next)
}

fn value<'a>(event: Event<'a>, next: &mut dyn FnMut() -> Event<'a>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => serde_json::from_str(&text).unwrap_or(json!(text)),
        Event::Scalar(text, ..) => json!(text),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match next() {
                    Event::SequenceEnd => return Value::Array(items),
                    event => items.push(value(event, next)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut entries = Map::new();
            loop {
                match next() {
                    Event::MappingEnd => return Value::Object(entries),
                    Event::Scalar(name, ..) => {
                        let event = next();
                        entries.insert(name.into_owned(), value(event, next));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_parser_takes_fits_the_schema() {
    let schema = feed_json_schema();
    for feed in [example::FEED, parse_tests::EVERYTHING, crate::support::GOOD] {
        parse("f", feed).unwrap();
        assert!(fits(&schema, &json_of(feed), &schema), "{feed}");
    }
    let schema = project_json_schema();
    for project in [example::PROJECT, project_tests::EVERYTHING] {
        parse_project("f", project).unwrap();
        assert!(fits(&schema, &json_of(project), &schema), "{project}");
    }
}

/// Every place of a document: the way to it.
fn ways(value: &Value, way: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(entries) => {
            entries.iter().map(|(name, inner)| (name.replace('~', "~0").replace('/', "~1"), inner)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, inner)| (index.to_string(), inner)).collect()
        }
        _ => Vec::new(),
    };
    if value.is_object() {
        all.push(way.to_owned());
    }
    for (name, inner) in children {
        ways(inner, &format!("{way}/{name}"), all);
    }
}

/// An unknown name wherever there is a mapping: parser and schema refuse the same ones. JSON is YAML,
/// so the parser reads what the schema was asked about.
#[test]
fn the_schema_refuses_an_unknown_name_where_the_parser_does() {
    type Accepts = fn(&str) -> bool;
    let cases: [(Value, &str, Accepts); 2] = [
        (feed_json_schema(), parse_tests::EVERYTHING, |text| parse("f", text).is_ok()),
        (project_json_schema(), project_tests::EVERYTHING, |text| parse_project("f", text).is_ok()),
    ];
    for (schema, yaml, accepts) in cases {
        let document = json_of(yaml);
        let mut all = Vec::new();
        ways(&document, "", &mut all);
        assert!(all.len() > 5);
        for way in all {
            let mut with = document.clone();
            with.pointer_mut(&way).unwrap()["brand_new"] = json!("int");
            assert_eq!(accepts(&with.to_string()), fits(&schema, &with, &schema), "brand_new in {way:?}");
        }
    }
}

/// Taking any one setting away: parser and schema agree on whether it can be spared.
#[test]
fn the_schema_misses_a_setting_where_the_parser_does() {
    let document = json_of(parse_tests::EVERYTHING);
    let schema = feed_json_schema();
    let mut all = Vec::new();
    ways(&document, "", &mut all);
    let mut differences = Vec::new();
    for way in all {
        let names: Vec<String> =
            document.pointer(&way).unwrap().as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut without = document.clone();
            without.pointer_mut(&way).unwrap().as_object_mut().unwrap().remove(&name);
            if fits(&schema, &without, &schema) != parse("f", &without.to_string()).is_ok() {
                differences.push(format!("{way}/{name}"));
            }
        }
    }
    // An `event` is for one style, and the default is another.
    assert_eq!(differences, ["/envelope/style"]);
}

/// Each setting of each definition is written somewhere in the two documents that hold everything, and
/// so is read by a test.
#[test]
fn every_setting_of_the_schema_is_tried() {
    for (schema, text) in
        [(feed_json_schema(), parse_tests::EVERYTHING), (project_json_schema(), project_tests::EVERYTHING)]
    {
        for (id, definition) in schema["$defs"].as_object().unwrap() {
            for (name, setting) in definition["properties"].as_object().unwrap() {
                assert!(
                    text.contains(&format!("{name}:")) || text.contains(&format!("\"{name}\":")),
                    "{id}.{name}"
                );
                assert!(setting["description"].as_str().is_some_and(|about| about.len() > 3), "{id}.{name}");
            }
        }
    }
}
