//! Reads a file of facts, which a person may have written or changed: what is wrong with it is told by its place.

use std::path::Path;

use hivecast_estimate::{FACTS_VERSION, Facts, Source};
use hivecast_run::{Fault, Result};
use serde_json::{Map, Value};

use crate::project::unreadable;

/// What to do about a file that is no good.
const MAKE_ONE: &str =
    "make one with `hivecast plan --save-facts FILE`, where the project and its export are";
/// More of anything is a slip: no day has a thousand million million rows …
const ROWS_MAX: f64 = 1e15;
/// … and none an exabyte.
const BYTES_MAX: f64 = 1e18;

/// Reads what `--save-facts` wrote.
pub(super) fn read_facts(file: &Path) -> Result<Facts> {
    let what = || format!("failed to read the facts {}", file.display());
    let wrong = |why: String| Fault::usage(format!("{}: {why}", what())).advise(MAKE_ONE);
    let bytes = std::fs::read(file).map_err(|error| unreadable(what(), error).advise(MAKE_ONE))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no text in UTF-8".to_owned()))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
    check(&value).map_err(wrong)?;
    let facts: Facts = serde_json::from_value(value)
        .map_err(|error| wrong(format!("it is not what this version writes: {error}")))?;
    match facts.is_sound() {
        true => Ok(facts),
        false => Err(wrong("a number in it can't be".to_owned())),
    }
}

/// Whether it holds all that [`Facts`] has, in numbers that can be; else in which place it does not.
fn check(value: &Value) -> Result<(), String> {
    let facts = Place { path: String::new(), value };
    let version = facts.field("version")?.whole()?;
    if version != u64::from(FACTS_VERSION) {
        return Err(format!("they have version {version}, and this program reads version {FACTS_VERSION}"));
    }
    facts.field("feed")?.text()?;
    facts.field("load_date")?.text()?;
    for table in facts.field("tables")?.list()? {
        table.field("table")?.text()?;
        table.field("files")?.whole()?;
        table.field("stored_bytes")?.whole()?;
        table.field("rows")?.counted(ROWS_MAX)?;
    }
    for level in facts.field("levels")?.list()? {
        level.field("path")?.text()?;
        level.field("table")?.text()?;
        level.field("read")?.counted(ROWS_MAX)?;
        level.field("read_bytes")?.counted(BYTES_MAX)?;
        level.field("rows")?.counted(ROWS_MAX)?;
        // The document has none, nor has a level whose keys were not read.
        for rows in level.field("largest")?.items()? {
            rows.whole()?;
            rows.number(ROWS_MAX)?;
        }
        level.field("largest_error")?.whole()?;
        level.field("largest_error")?.number(ROWS_MAX)?;
    }
    let document = facts.field("levels")?.list()?[0].field("path")?;
    if !document.text()?.is_empty() {
        return Err(format!(
            "field {} is {}, and the first level is the document, with no path",
            document.path, document.value
        ));
    }
    facts.field("document_bytes")?.counted(BYTES_MAX)
}

/// A value and where it is: `levels[1].rows.value.low`.
struct Place<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Place<'a> {
    fn field(&self, name: &str) -> Result<Place<'a>, String> {
        let object: &Map<String, Value> =
            self.value.as_object().ok_or_else(|| self.is_no("an object with fields"))?;
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let value = object.get(name).ok_or_else(|| format!("field {path} is missing"))?;
        Ok(Place { path, value })
    }

    fn items(&self) -> Result<Vec<Place<'a>>, String> {
        let items = self.value.as_array().ok_or_else(|| self.is_no("a list"))?.iter().enumerate();
        Ok(items.map(|(index, value)| Place { path: format!("{}[{index}]", self.path), value }).collect())
    }

    /// A list that is not empty.
    fn list(&self) -> Result<Vec<Place<'a>>, String> {
        match self.items()? {
            items if items.is_empty() => Err(format!("{} is empty, so there is nothing to plan", self.path)),
            items => Ok(items),
        }
    }

    fn text(&self) -> Result<&'a str, String> {
        self.value.as_str().ok_or_else(|| self.is_no("a text"))
    }

    fn whole(&self) -> Result<u64, String> {
        self.value.as_u64().ok_or_else(|| self.is_no("a whole number that is not negative"))
    }

    fn number(&self, most: f64) -> Result<f64, String> {
        let number = self.value.as_f64().ok_or_else(|| self.is_no("a number"))?;
        match number {
            number if number < 0.0 => Err(format!("field {} is negative: {}", self.path, self.value)),
            number if number > most => {
                Err(format!("field {} is more than can be: {} is over {most:e}", self.path, self.value))
            }
            number => Ok(number),
        }
    }

    /// A number with its range and where it comes from.
    fn counted(&self, most: f64) -> Result<(), String> {
        let range = self.field("value")?;
        let [low, expected, high] = [range.field("low")?, range.field("expected")?, range.field("high")?];
        for (lower, upper) in [(&low, &expected), (&expected, &high)] {
            if lower.number(most)? > upper.number(most)? {
                return Err(format!(
                    "field {} is {}, more than {}, which is {}",
                    lower.path, lower.value, upper.path, upper.value
                ));
            }
        }
        let source = self.field("source")?;
        source.text()?;
        let known = serde_json::from_value::<Source>(source.value.clone());
        known
            .map(drop)
            .map_err(|_| format!("field {} is {}, which is no source of a number", source.path, source.value))
    }

    fn is_no(&self, expected: &str) -> String {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "the number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let found = match self.value {
            Value::Number(number) => format!("{found} {number}"),
            _ => found.to_owned(),
        };
        match self.path.as_str() {
            "" => format!("it is {found}, and has to be {expected}"),
            path => format!("field {path} is {found}, and has to be {expected}"),
        }
    }
}
