//! Cuts: which part a row goes to, so that rows that join meet in the same part.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use hivecast_contract::key_hash;
use hivecast_run::{Fault, Result};

use crate::keys::Keys;

/// How rows are divided by their key columns into `parts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// By a hash of the key columns.
    Hash {
        /// How many parts.
        parts: u32,
    },
    /// By the CRC-32 of one text column: parts in order are ranges of the edition's order.
    Range {
        /// How many parts.
        parts: u32,
    },
}

impl Cut {
    /// Each row's part. Rows with a null in the key join nothing and are spread evenly.
    pub(crate) fn assign(self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let scale = |hash: u32, parts: u32| ((u64::from(hash) * u64::from(parts)) >> 32) as u32;
        match self {
            Cut::Hash { parts } => {
                let keys = Keys::new(columns, rows)?;
                let part = |row| {
                    if keys.is_null(row) {
                        row as u32 % parts
                    } else {
                        scale((keys.hash(row) >> 32) as u32, parts)
                    }
                };
                Ok((0..rows).map(part).collect())
            }
            Cut::Range { parts } => {
                let [text] = columns else { return Err(Fault::bug("a range is cut by one column")) };
                if text.data_type() != &DataType::Utf8View {
                    return Err(Fault::bug("a range is cut by text"));
                }
                let part = |(row, text): (usize, Option<&str>)| match text {
                    Some(text) => scale(key_hash(text.as_bytes()), parts),
                    None => row as u32 % parts,
                };
                Ok(text.as_string_view().iter().enumerate().map(part).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringViewArray;

    use super::*;

    #[test]
    fn ranges_follow_the_hash_and_nulls_are_spread() {
        let keys: Vec<String> = (0..1000).map(|key| key.to_string()).collect();
        let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(&keys));
        let parts = Cut::Range { parts: 7 }.assign(&[array], keys.len()).unwrap();
        let mut order: Vec<(u32, u32)> =
            keys.iter().zip(&parts).map(|(key, part)| (key_hash(key.as_bytes()), *part)).collect();
        order.sort_unstable();
        assert!(
            order.windows(2).all(|pair| pair[0].1 <= pair[1].1),
            "a later range never holds a smaller hash"
        );
        assert!((0..7).all(|part| parts.contains(&part)), "every range is used");

        let nulls: ArrayRef = Arc::new(StringViewArray::from(vec![None::<&str>; 3]));
        assert_eq!(Cut::Range { parts: 2 }.assign(&[Arc::clone(&nulls)], 3).unwrap(), [0, 1, 0]);
        assert_eq!(Cut::Hash { parts: 2 }.assign(&[nulls], 3).unwrap(), [0, 1, 0]);
    }
}
