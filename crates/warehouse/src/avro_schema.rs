//! The schema of an Avro file: its types as they are decoded, and the table's types for them.

use std::collections::HashMap;

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field, TimeUnit};
use serde_json::Value;

use crate::schema::{WALL_CLOCK, instant, list_of, map_of};

/// How deep types may lie in each other: what reads them recurses.
const MAX_DEPTH: usize = 64;
/// Types in a schema, each as often as it is referred to.
const MAX_TYPES: usize = 100_000;

/// A type as it is decoded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AvroType {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Array(Box<AvroType>),
    Map(Box<AvroType>),
    Record(Vec<(String, AvroType)>),
    /// A value of one of these, with its position before it.
    Union(Vec<AvroType>),
    /// Big-endian bytes, of a size that is fixed or stands before them.
    Decimal {
        precision: u8,
        scale: i8,
        size: Option<usize>,
    },
    Date,
    /// Since midnight.
    Time(TimeUnit),
    Timestamp {
        unit: TimeUnit,
        reading: Reading,
    },
    /// 16 bytes that are written as text.
    Uuid,
}

/// What a timestamp's number counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// 1970 in UTC.
    Instant,
    /// 1970 on the clocks of wherever it was.
    WallClock,
}

/// The columns of a file: the fields of the record that its schema must be.
pub(crate) fn columns(schema: &[u8]) -> Result<Vec<(String, AvroType)>, String> {
    let json: Value =
        serde_json::from_slice(schema).map_err(|error| format!("its schema is no JSON: {error}"))?;
    let mut parser = Parser { named: HashMap::new(), types: 0 };
    match parser.parse(&json, "", 0)? {
        AvroType::Record(fields) => Ok(fields),
        _ => Err("its schema is no record".to_owned()),
    }
}

impl AvroType {
    /// The table's type, or why there is none.
    pub(crate) fn data_type(&self) -> Result<DataType, String> {
        Ok(match self {
            AvroType::Null => DataType::Null,
            AvroType::Boolean => DataType::Boolean,
            AvroType::Int => DataType::Int32,
            AvroType::Long => DataType::Int64,
            AvroType::Float => DataType::Float32,
            AvroType::Double => DataType::Float64,
            AvroType::Bytes | AvroType::Fixed(_) => DataType::BinaryView,
            AvroType::Text | AvroType::Enum(_) | AvroType::Uuid => DataType::Utf8View,
            AvroType::Array(item) => list_of(item.data_type()?),
            AvroType::Map(value) => map_of(DataType::Utf8View, value.data_type()?),
            AvroType::Record(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|(name, of)| Ok(Field::new(name.to_lowercase(), of.data_type()?, true)))
                    .collect::<Result<_, String>>()?,
            ),
            AvroType::Union(_) => self.non_null()?.data_type()?,
            AvroType::Decimal { precision, scale, .. } => DataType::Decimal128(*precision, *scale),
            AvroType::Date => DataType::Date32,
            AvroType::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            AvroType::Timestamp { reading: Reading::Instant, .. } => instant(),
            AvroType::Timestamp { reading: Reading::WallClock, .. } => WALL_CLOCK,
        })
    }

    /// Of a union of one type and null that type.
    fn non_null(&self) -> Result<&AvroType, String> {
        let AvroType::Union(branches) = self else { return Ok(self) };
        let mut others = branches.iter().filter(|branch| **branch != AvroType::Null);
        match (others.next(), others.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Ok(&AvroType::Null),
            _ => Err("is a union of several types, which has no one type in a table".to_owned()),
        }
    }

    /// The type with every instant taken for a wall clock's time, as Hive's are once its zone is applied.
    pub(crate) fn with_wall_clocks(self) -> AvroType {
        let inner = |of: Box<AvroType>| Box::new(of.with_wall_clocks());
        match self {
            AvroType::Timestamp { unit, .. } => AvroType::Timestamp { unit, reading: Reading::WallClock },
            AvroType::Array(item) => AvroType::Array(inner(item)),
            AvroType::Map(value) => AvroType::Map(inner(value)),
            AvroType::Record(fields) => {
                AvroType::Record(fields.into_iter().map(|(name, of)| (name, of.with_wall_clocks())).collect())
            }
            AvroType::Union(branches) => {
                AvroType::Union(branches.into_iter().map(AvroType::with_wall_clocks).collect())
            }
            other => other,
        }
    }
}

struct Parser {
    /// By full name; none while the type is being read, which a type within it must not refer to.
    named: HashMap<String, Option<AvroType>>,
    types: usize,
}

impl Parser {
    fn parse(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<AvroType, String> {
        self.types += 1;
        if depth > MAX_DEPTH || self.types > MAX_TYPES {
            return Err(format!("its schema has more than {MAX_DEPTH} levels or {MAX_TYPES} types"));
        }
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.parse(branch, namespace, depth + 1));
                Ok(AvroType::Union(branches.collect::<Result<_, _>>()?))
            }
            Value::Object(schema) => self.complex(schema, namespace, depth),
            other => Err(format!("its schema has {other} for a type")),
        }
    }

    fn by_name(&mut self, name: &str, namespace: &str) -> Result<AvroType, String> {
        Ok(match name {
            "null" => AvroType::Null,
            "boolean" => AvroType::Boolean,
            "int" => AvroType::Int,
            "long" => AvroType::Long,
            "float" => AvroType::Float,
            "double" => AvroType::Double,
            "bytes" => AvroType::Bytes,
            "string" => AvroType::Text,
            name => match self.named.get(&full_name(name, namespace)).or_else(|| self.named.get(name)) {
                Some(Some(found)) => {
                    let found = found.clone();
                    self.types += size_of_type(&found);
                    found
                }
                Some(None) => return Err(format!("its schema has the type {name} within itself")),
                None => return Err(format!("its schema has no type {name}")),
            },
        })
    }

    fn complex(
        &mut self,
        schema: &serde_json::Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<AvroType, String> {
        let part = |name: &str| schema.get(name).ok_or_else(|| format!("its schema lacks a type's `{name}`"));
        let kind = part("type")?;
        match kind.as_str() {
            Some("array") => {
                Ok(AvroType::Array(Box::new(self.parse(part("items")?, namespace, depth + 1)?)))
            }
            Some("map") => Ok(AvroType::Map(Box::new(self.parse(part("values")?, namespace, depth + 1)?))),
            Some("record" | "error" | "enum" | "fixed") => self.define(schema, namespace, depth),
            _ => Ok(logical(self.parse(kind, namespace, depth + 1)?, schema)),
        }
    }

    /// A type with a name, by which others may refer to it.
    fn define(
        &mut self,
        schema: &serde_json::Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<AvroType, String> {
        let text = |name: &str| schema.get(name).and_then(Value::as_str);
        let namespace = text("namespace").unwrap_or(namespace);
        let name = full_name(text("name").unwrap_or_default(), namespace);
        let within = name.rsplit_once('.').map_or("", |(within, _)| within).to_owned();
        self.named.insert(name.clone(), None);
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        let found = match text("type") {
            Some("enum") => {
                let symbols = list("symbols").ok_or("its schema lacks an enum's `symbols`")?;
                AvroType::Enum(symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            Some("fixed") => {
                let size = schema.get("size").and_then(Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                logical(AvroType::Fixed(size.ok_or("its schema lacks a fixed type's `size`")?), schema)
            }
            _ => {
                let mut fields = Vec::new();
                for field in list("fields").ok_or("its schema lacks a record's `fields`")? {
                    let name = field.get("name").and_then(Value::as_str);
                    let name = name.ok_or("its schema lacks a field's `name`")?;
                    let of = field.get("type").ok_or("its schema lacks a field's `type`")?;
                    fields.push((name.to_owned(), self.parse(of, &within, depth + 1)?));
                }
                AvroType::Record(fields)
            }
        };
        self.named.insert(name, Some(found.clone()));
        Ok(found)
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn size_of_type(of: &AvroType) -> usize {
    match of {
        AvroType::Array(inner) | AvroType::Map(inner) => 1 + size_of_type(inner),
        AvroType::Record(fields) => 1 + fields.iter().map(|(_, of)| size_of_type(of)).sum::<usize>(),
        AvroType::Union(branches) => 1 + branches.iter().map(size_of_type).sum::<usize>(),
        _ => 1,
    }
}

/// What the logical type makes of a type; one that does not fit is ignored, as Avro asks.
fn logical(plain: AvroType, schema: &serde_json::Map<String, Value>) -> AvroType {
    let number = |name: &str| schema.get(name).and_then(Value::as_u64);
    let timestamp = |unit, reading| AvroType::Timestamp { unit, reading };
    match (schema.get("logicalType").and_then(Value::as_str), &plain) {
        (Some("decimal"), AvroType::Bytes | AvroType::Fixed(_)) => {
            let size = if let AvroType::Fixed(size) = plain { Some(size) } else { None };
            let precision = number("precision").and_then(|digits| u8::try_from(digits).ok());
            let scale = number("scale").unwrap_or(0);
            match (precision, i8::try_from(scale)) {
                (Some(precision @ 1..=DECIMAL128_MAX_PRECISION), Ok(scale))
                    if scale <= precision.cast_signed() =>
                {
                    AvroType::Decimal { precision, scale, size }
                }
                _ => plain,
            }
        }
        (Some("uuid"), AvroType::Fixed(16)) => AvroType::Uuid,
        (Some("date"), AvroType::Int) => AvroType::Date,
        (Some("time-millis"), AvroType::Int) => AvroType::Time(TimeUnit::Millisecond),
        (Some("time-micros"), AvroType::Long) => AvroType::Time(TimeUnit::Microsecond),
        (Some("timestamp-millis"), AvroType::Long) => timestamp(TimeUnit::Millisecond, Reading::Instant),
        (Some("timestamp-micros"), AvroType::Long) => timestamp(TimeUnit::Microsecond, Reading::Instant),
        (Some("timestamp-nanos"), AvroType::Long) => timestamp(TimeUnit::Nanosecond, Reading::Instant),
        (Some("local-timestamp-millis"), AvroType::Long) => {
            timestamp(TimeUnit::Millisecond, Reading::WallClock)
        }
        (Some("local-timestamp-micros"), AvroType::Long) => {
            timestamp(TimeUnit::Microsecond, Reading::WallClock)
        }
        (Some("local-timestamp-nanos"), AvroType::Long) => {
            timestamp(TimeUnit::Nanosecond, Reading::WallClock)
        }
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(of: &str) -> Result<AvroType, String> {
        let schema = format!(r#"{{"type":"record","name":"r","fields":[{{"name":"A","type":{of}}}]}}"#);
        columns(schema.as_bytes()).map(|mut columns| columns.remove(0).1)
    }

    #[test]
    fn logical_types_and_unions() {
        for (of, data_type) in [
            (r#""int""#, DataType::Int32),
            (r#"["null","string"]"#, DataType::Utf8View),
            (r#"[{"type":"int","logicalType":"date"},"null"]"#, DataType::Date32),
            (
                r#"{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}"#,
                DataType::Decimal128(38, 18),
            ),
            (r#"{"type":"fixed","name":"f","size":16,"logicalType":"uuid"}"#, DataType::Utf8View),
            (r#"{"type":"string","logicalType":"uuid"}"#, DataType::Utf8View),
            (r#"{"type":"long","logicalType":"timestamp-millis"}"#, instant()),
            (r#"{"type":"long","logicalType":"local-timestamp-micros"}"#, WALL_CLOCK),
            (r#"{"type":"enum","name":"e","symbols":["X"]}"#, DataType::Utf8View),
            (r#"{"type":"array","items":["null","long"]}"#, list_of(DataType::Int64)),
        ] {
            assert_eq!(one(of).unwrap().data_type(), Ok(data_type), "{of}");
        }
        assert!(one(r#"["int","string"]"#).unwrap().data_type().is_err());
    }

    #[test]
    fn names_refer_to_types_that_are_known_and_never_to_themselves() {
        let twice = r#"{"type":"record","name":"p","namespace":"n","fields":[
            {"name":"x","type":{"type":"enum","name":"e","symbols":["A"]}},{"name":"y","type":"e"}]}"#;
        let AvroType::Record(fields) = one(twice).unwrap() else { panic!() };
        assert_eq!(fields[0].1, fields[1].1);
        for wrong in [
            r#"{"type":"record","name":"p","fields":[{"name":"x","type":["null","p"]}]}"#,
            r#""nothing""#,
            "7",
        ] {
            assert!(one(wrong).is_err(), "{wrong}");
        }
        assert!(columns(b"\"int\"").is_err() && columns(b"{").is_err());
        let deep = "{\"type\":\"array\",\"items\":".repeat(100) + "\"int\"" + &"}".repeat(100);
        assert!(one(&deep).is_err());
    }
}
