//! JSON values as values of columns.

use std::borrow::Cow;
use std::fmt;

use chrono_tz::Tz;
use serde_json::value::RawValue;

use crate::parse::without_exponent;
use crate::values::{Misfit, StructValues, Values};

/// An object's members, in their order, each value as it stands.
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

/// A text, borrowed where no escape stands in it.
struct Text<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A value that is none of its column's type: the value, for its place in the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unfit<'a>(pub(crate) &'a str);

/// Appends a JSON value. `zone` is that of instants which name none.
pub(crate) fn push<'a>(values: &mut Values, raw: &'a RawValue, zone: Tz) -> Result<(), Unfit<'a>> {
    let text = raw.get();
    let unfit = |_: Misfit| Unfit(text);
    match (values, text.as_bytes().first()) {
        (values, Some(b'n')) => {
            values.push_null();
            Ok(())
        }
        (Values::List(list), Some(b'[')) => {
            let items: Vec<&'a RawValue> = serde_json::from_str(text).map_err(|_| Unfit(text))?;
            items.into_iter().try_for_each(|item| push(&mut list.items, item, zone))?;
            list.end();
            Ok(())
        }
        (Values::Map(map), Some(b'{')) => {
            for (name, value) in members(text)? {
                map.keys.push(name.as_bytes(), zone).map_err(unfit)?;
                push(&mut map.values, value, zone)?;
            }
            map.end();
            Ok(())
        }
        (Values::Struct(fields), Some(b'{')) => push_struct(fields, text, zone),
        (Values::List(_) | Values::Map(_) | Values::Struct(_), _) | (_, Some(b'{' | b'[')) => {
            Err(Unfit(text))
        }
        (single, Some(b'"')) => {
            let plain: Text<'a> = serde_json::from_str(text).map_err(|_| Unfit(text))?;
            single.push(plain.0.as_bytes(), zone).map_err(unfit)
        }
        (decimal @ Values::Decimal(..), _) => {
            let plain = without_exponent(text).ok_or(Unfit(text))?;
            decimal.push(plain.as_bytes(), zone).map_err(unfit)
        }
        // A number or a truth value; a column of text holds it as it is written.
        (single, _) => single.push(text.as_bytes(), zone).map_err(unfit),
    }
}

fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, Unfit<'_>> {
    serde_json::from_str::<Members<'_>>(text).map(|members| members.0).map_err(|_| Unfit(text))
}

/// Fields are found by name, whatever their case; of equal names the last counts, as for Hive.
fn push_struct<'a>(fields: &mut StructValues, text: &'a str, zone: Tz) -> Result<(), Unfit<'a>> {
    let members = members(text)?;
    for (field, column) in fields.fields.iter().zip(&mut fields.columns) {
        let found = members.iter().rev().find(|(name, _)| is_name(name, field.name()));
        match found {
            Some((_, value)) => push(column, value, zone)?,
            None => column.push_null(),
        }
    }
    fields.end();
    Ok(())
}

/// Whether a name of the file is that column's, whose name is in lower case.
fn is_name(written: &str, column: &str) -> bool {
    written == column || written.to_lowercase() == column
}
