use arrow_schema::DataType;

/// A type as people who write feeds know it: Hive's name.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "null".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            format!("unsigned {}-bit integer", data_type.primitive_width().unwrap_or(0) * 8)
        }
        DataType::Float16 | DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "binary".to_owned()
        }
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with local time zone".to_owned(),
        DataType::Dictionary(_, values) => type_name(values),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => format!("array<{}>", type_name(element.data_type())),
        DataType::Struct(fields) => {
            let inner: Vec<String> = fields
                .iter()
                .map(|field| format!("{}:{}", field.name(), type_name(field.data_type())))
                .collect();
            format!("struct<{}>", inner.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let part = |at: usize| type_name(fields[at].data_type());
                format!("map<{},{}>", part(0), part(1))
            }
            _ => "map".to_owned(),
        },
        DataType::Time32(_) | DataType::Time64(_) => "time of day".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        other => other.to_string(),
    }
}

/// What types may be joined with each other. Decimals of different scales are told apart, since equal
/// numbers then lie as different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparable {
    Text,
    Integer,
    /// Apart, since 64 bits without a sign do not fit in 64 with one.
    Unsigned64,
    Decimal(i8),
    Boolean,
    Date,
    Binary,
}

/// How values of a type compare for `on`; none for types that can't be joined on.
pub(super) fn comparable(data_type: &DataType) -> Option<Comparable> {
    Some(match data_type {
        DataType::Dictionary(_, values) => return comparable(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Comparable::Text,
        DataType::UInt64 => Comparable::Unsigned64,
        integer if integer.is_integer() => Comparable::Integer,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Comparable::Decimal(*scale),
        DataType::Boolean => Comparable::Boolean,
        DataType::Date32 | DataType::Date64 => Comparable::Date,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Comparable::Binary
        }
        _ => return None,
    })
}

/// Whether a value can be a key: its text form is one and the same for equal values.
pub(super) fn is_key(data_type: &DataType) -> bool {
    !matches!(comparable(data_type), None | Some(Comparable::Binary))
}

/// Whether a value can be written as JSON.
pub(super) fn is_leaf(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_leaf(values),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => true,
        DataType::Timestamp(_, _) | DataType::Time32(_) | DataType::Time64(_) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            is_leaf(item.data_type())
        }
        // An object without fields says nothing, and no file holds one.
        DataType::Struct(fields) => {
            !fields.is_empty() && fields.iter().all(|field| is_leaf(field.data_type()))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if entry.len() == 2 => {
                is_key(entry[0].data_type()) && is_leaf(entry[1].data_type())
            }
            _ => false,
        },
        other => comparable(other).is_some(),
    }
}
