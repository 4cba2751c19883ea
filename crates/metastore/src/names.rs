//! Names as Hive makes them: tables in lower case, partitions escaped.

use std::fmt::Write;

/// What stands in a partition's name for a value that is null or empty
/// (`hive.exec.default.partition.name`).
pub const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Whether Hive writes this character of a partition's column or value as `%XX`
/// (`FileUtils.charToEscape` in Hive's metastore).
fn is_escaped(c: char) -> bool {
    c < ' ' || c == '\u{7f}' || "\"#%'*/:=?\\{[]^".contains(c)
}

/// Escapes one part of a partition's name as Hive does.
pub fn escape_path_name(text: &str) -> String {
    if text.is_empty() {
        return DEFAULT_PARTITION.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            // Only characters below 128 are escaped.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Undoes [`escape_path_name`]: `%` and two hexadecimal digits are a byte, all else is itself. Hive escapes
/// nothing but ASCII; others write directories with every byte of their UTF-8 escaped.
pub fn unescape_path_name(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                // Two digits are a byte.
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The name of a partition, such as `load_date=2026-11-22/country=NL`, from its columns' names and
/// its values, both in the table's order.
pub fn partition_name<'a, 'b>(pairs: impl IntoIterator<Item = (&'a str, &'b str)>) -> String {
    let parts: Vec<String> = pairs
        .into_iter()
        .map(|(column, value)| format!("{}={}", escape_path_name(&fold(column)), escape_path_name(value)))
        .collect();
    parts.join("/")
}

/// The values in a partition's name, in its order.
pub(crate) fn values_of_name(name: &str) -> Vec<String> {
    name.split('/')
        .map(|part| unescape_path_name(part.split_once('=').map_or(part, |(_, value)| value)))
        .collect()
}

/// A database's, table's or column's name as the metastore has it.
pub(crate) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_made_as_hive_makes_them() {
        let name = partition_name([("Load_Date", "2026-11-22"), ("at", "a:b/c=d%e f"), ("c", "")]);
        assert_eq!(name, "load_date=2026-11-22/at=a%3Ab%2Fc%3Dd%25e f/c=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(values_of_name(&name), ["2026-11-22", "a:b/c=d%e f", DEFAULT_PARTITION]);
    }

    #[test]
    fn escapes_are_undone_and_nothing_else() {
        for (escaped, plain) in [
            ("2026-11-22", "2026-11-22"),
            ("2026%2D11%2d22", "2026-11-22"),
            ("a%3Ab", "a:b"),
            ("5%, %zz %3A %+1 %é", "5%, %zz : %+1 %é"),
            ("50%", "50%"),
            ("%4", "%4"),
            ("caf%C3%A9", "café"),
        ] {
            assert_eq!(unescape_path_name(escaped), plain, "{escaped}");
        }
    }

    proptest! {
        #[test]
        fn escaping_is_undone(text in ".+") {
            prop_assert_eq!(unescape_path_name(&escape_path_name(&text)), text);
        }
    }
}
