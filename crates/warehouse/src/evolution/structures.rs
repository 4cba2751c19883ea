//! Structures whose fields changed, in every format: fields have names where columns have.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StructArray};
use arrow_schema::{DataType, Field};
use hivecast_feed::FileFormat;

use super::write::Written;
use super::{Authority, FORMATS, Matching, has_names, read_as};

const TABLE: [(&str, &str); 2] = [("id", "bigint"), ("v", "struct<a:bigint,b:bigint,c:bigint>")];

/// What one structure of these fields is read as.
fn read(format: FileFormat, fields: &[(&str, i64)]) -> String {
    let of = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (Arc::new(Field::new(*name, DataType::Int64, true)), of(*value)))
        .collect();
    let file: Written<'_> = vec![("id", of(1)), ("v", Arc::new(StructArray::from(fields)))];
    let found = read_as(format, Matching::Names, Some((Authority::Metastore, &TABLE)), &[file]);
    found.unwrap_or_else(|fault| panic!("{format:?}: {}", fault.chain())).remove(0).remove(1)
}

#[test]
fn fields_that_changed_are_found_by_name_and_in_text_by_position() {
    let whole = "{a: 1, b: 2, c: 3}";
    type Case = (&'static str, &'static [(&'static str, i64)], &'static str, &'static str);
    let cases: [Case; 6] = [
        ("as the table has them", &[("a", 1), ("b", 2), ("c", 3)], whole, whole),
        ("one was added later", &[("a", 1), ("b", 2)], "{a: 1, b: 2, c: }", "{a: 1, b: 2, c: }"),
        ("one was dropped at the end", &[("a", 1), ("b", 2), ("c", 3), ("d", 4)], whole, whole),
        (
            "one was dropped in the middle",
            &[("a", 1), ("x", 9), ("b", 2), ("c", 3)],
            whole,
            "{a: 1, b: 9, c: 2}",
        ),
        ("one was renamed", &[("x", 1), ("b", 2), ("c", 3)], "{a: , b: 2, c: 3}", whole),
        ("in another order", &[("b", 2), ("c", 3), ("a", 1)], whole, "{a: 2, b: 3, c: 1}"),
    ];
    for format in FORMATS {
        for (what, fields, by_name, by_position) in cases {
            let expected = if has_names(format) { by_name } else { by_position };
            assert_eq!(read(format, fields), expected, "{format:?}: {what}");
        }
    }
}
