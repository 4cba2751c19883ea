//! The schema of documents as an edition stores it and hands it back: one type for each kind of
//! content, whichever array encoding the engine used.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use hivecast_run::{Fault, Result};

/// The column of CRC-32 of the keys.
pub(crate) const HASH: &str = "hash";
/// The column of the keys.
pub(crate) const KEY: &str = "key";
/// The column of the documents.
pub(crate) const DOCUMENT: &str = "document";

/// The document's fields as readers get them: text and binary as views, dictionaries unpacked,
/// every list a `List`, timestamps in a unit that Parquet has.
///
/// Fails with `Class::Usage` for a type that no document can hold, naming the field.
pub fn stored_fields(fields: &Fields) -> Result<Fields> {
    fields.iter().map(|field| plain_field(field, field.name(), Text::AsViews)).collect()
}

/// The document's fields as they are handed to the Parquet writer: as [`stored_fields`], but plain
/// text and binary, which it takes as they are, stay so.
pub(crate) fn written_fields(fields: &Fields) -> Result<Fields> {
    fields.iter().map(|field| plain_field(field, field.name(), Text::AsGiven)).collect()
}

/// What becomes of text and binary with 32-bit offsets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    AsViews,
    AsGiven,
}

fn plain_field(field: &Field, path: &str, text: Text) -> Result<FieldRef> {
    Ok(Arc::new(Field::new(field.name(), plain_type(field.data_type(), path, text)?, field.is_nullable())))
}

fn plain_type(data_type: &DataType, path: &str, text: Text) -> Result<DataType> {
    let list =
        |element: &FieldRef| -> Result<DataType> { Ok(DataType::List(plain_field(element, path, text)?)) };
    Ok(match data_type {
        DataType::Utf8 | DataType::Binary if text == Text::AsGiven => data_type.clone(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::BinaryView
        }
        DataType::Dictionary(_, value) => plain_type(value, path, text)?,
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => list(element)?,
        DataType::Struct(fields) if fields.is_empty() => {
            return Err(Fault::usage(format!("field {path} is an object without fields"))
                .advise("give it a field or leave it out"));
        }
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| plain_field(field, &format!("{path}.{}", field.name()), text))
                .collect::<Result<_>>()?,
        ),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries, path, text)?, *sorted),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Interval(_)
        | DataType::Duration(_)
        | DataType::Union(_, _)
        | DataType::RunEndEncoded(_, _) => {
            return Err(Fault::usage(format!(
                "field {path} has type {data_type}, which no document can hold"
            ))
            .advise("cast it in the feed, for example to text: cast(x as string)"));
        }
        other => other.clone(),
    })
}

/// The document's fields as `edition.json` holds them.
pub(crate) fn to_json(fields: &Fields) -> Result<serde_json::Value> {
    serde_json::to_value(fields)
        .map_err(|error| Fault::bug("failed to write the document's schema").because(error))
}

/// The document's fields from `edition.json`.
pub(crate) fn from_json(json: &serde_json::Value) -> Result<Fields> {
    let fields: Vec<Field> = serde_json::from_value(json.clone())
        .map_err(|error| Fault::data("failed to read the document's schema").because(error))?;
    Ok(fields.into())
}

/// The schema of a shard whose documents have `fields`.
pub(crate) fn shard_schema(fields: &Fields) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(HASH, DataType::UInt32, false),
        Field::new(KEY, DataType::Utf8View, false),
        Field::new(DOCUMENT, DataType::Struct(fields.clone()), false),
    ]))
}

#[cfg(test)]
mod tests {
    use arrow_schema::IntervalUnit;
    use hivecast_run::Class;

    use super::*;

    fn nullable(name: &str, data_type: DataType) -> Field {
        Field::new(name, data_type, true)
    }

    #[test]
    fn each_kind_of_content_has_one_stored_type() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8));
        let given = Fields::from(vec![
            nullable("plain", DataType::Utf8),
            nullable("codes", dictionary),
            nullable("bytes", DataType::FixedSizeBinary(4)),
            nullable("second", DataType::Timestamp(TimeUnit::Second, None)),
            nullable("list", DataType::new_large_list(DataType::Binary, true)),
            nullable("object", DataType::Struct(vec![nullable("text", DataType::LargeUtf8)].into())),
            nullable("day", DataType::Date64),
            nullable("number", DataType::Int16),
        ]);
        let stored = stored_fields(&given).unwrap();
        let expected = Fields::from(vec![
            nullable("plain", DataType::Utf8View),
            nullable("codes", DataType::Utf8View),
            nullable("bytes", DataType::BinaryView),
            nullable("second", DataType::Timestamp(TimeUnit::Millisecond, None)),
            nullable("list", DataType::new_list(DataType::BinaryView, true)),
            nullable("object", DataType::Struct(vec![nullable("text", DataType::Utf8View)].into())),
            nullable("day", DataType::Date32),
            nullable("number", DataType::Int16),
        ]);
        assert_eq!(stored, expected);
        assert_eq!(stored_fields(&stored).unwrap(), stored, "what is stored stays as it is");
        assert_eq!(from_json(&to_json(&stored).unwrap()).unwrap(), stored);
        assert_eq!(written_fields(&given).unwrap()[0].data_type(), &DataType::Utf8);
    }

    #[test]
    fn what_no_document_holds_is_refused_by_its_path() {
        let inner = vec![nullable("since", DataType::Interval(IntervalUnit::MonthDayNano))];
        let fields = Fields::from(vec![nullable("party", DataType::Struct(inner.into()))]);
        let fault = stored_fields(&fields).unwrap_err();
        assert_eq!(fault.class(), Class::Usage);
        assert!(fault.chain().starts_with("field party.since has type Interval"), "{}", fault.chain());
        let empty = Fields::from(vec![nullable("nothing", DataType::Struct(Fields::empty()))]);
        assert_eq!(stored_fields(&empty).unwrap_err().class(), Class::Usage);
    }

    #[test]
    fn a_damaged_schema_is_data_that_is_not_fit() {
        assert_eq!(from_json(&serde_json::json!([{"name": 1}])).unwrap_err().class(), Class::Data);
    }
}
