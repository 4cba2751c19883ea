use std::fmt;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

/// An order-free checksum of a set of records: the sum, modulo 2^128, of one hash a record. Two
/// multisets of records with equal sums are equal for all practical purposes; a record that is
/// missing, doubled or altered changes the sum, and the order of arrival does not.
///
/// A record's hash is XXH3-128 of the value, seeded with XXH3-64 of the key; a tombstone hashes the
/// empty value under the seed's complement, so that it differs from an empty document.
/// Written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checksum(pub u128);

impl Checksum {
    /// The checksum of one record; `None` is a tombstone.
    pub fn of_record(key: &[u8], value: Option<&[u8]>) -> Self {
        let seed = xxh3_64(key);
        Checksum(match value {
            Some(value) => xxh3_128_with_seed(value, seed),
            None => xxh3_128_with_seed(&[], !seed),
        })
    }
}

impl Add for Checksum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Checksum(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for Checksum {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 32 {
            return Err(format!("a checksum is 32 hexadecimal digits, not {text:?}"));
        }
        u128::from_str_radix(text, 16).map(Checksum).map_err(|error| format!("checksum {text:?}: {error}"))
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(records: &[(&str, Option<&str>)]) -> Checksum {
        records.iter().fold(Checksum::default(), |sum, (key, value)| {
            sum + Checksum::of_record(key.as_bytes(), value.map(str::as_bytes))
        })
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let whole = sum(&[("a", Some("1")), ("b", None)]);
        assert_eq!(whole, sum(&[("b", None), ("a", Some("1"))]));
        assert_ne!(whole, sum(&[("a", Some("1"))]), "missing");
        assert_ne!(whole, sum(&[("a", Some("1")), ("b", None), ("b", None)]), "doubled");
        assert_ne!(whole, sum(&[("a", Some("1")), ("b", Some(""))]), "a tombstone is no empty document");
        assert_ne!(whole, sum(&[("b", Some("1")), ("a", None)]), "values swapped");
    }

    #[test]
    fn text_form_round_trips() {
        let sum = sum(&[("a", Some("1"))]);
        assert_eq!(sum.to_string().parse(), Ok(sum));
        assert!("12".parse::<Checksum>().is_err());
    }
}
