//! Join keys and ordering keys: hashing, equality and order of rows, without building any text.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Int64Array,
    StringViewArray, UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_ord::ord::{DynComparator, make_comparator};
use arrow_schema::{DataType, SortOptions};
use hivecast_run::{Fault, Result};
use xxhash_rust::xxh3::xxh3_64;

/// One column of a key.
#[derive(Clone, Debug)]
enum KeyColumn {
    Text(StringViewArray),
    Int(Int64Array),
    UInt(UInt64Array),
    Date(Date32Array),
    Decimal(Decimal128Array),
    Bool(BooleanArray),
    Binary(BinaryViewArray),
}

/// The key columns of a set of rows. A key with a null in it equals no other, as in SQL.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    columns: Vec<KeyColumn>,
    len: usize,
}

impl Keys {
    pub(crate) fn new(columns: &[ArrayRef], len: usize) -> Result<Self> {
        let columns = columns.iter().map(KeyColumn::new).collect::<Result<_>>()?;
        Ok(Keys { columns, len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.columns.iter().any(|column| column.array().is_null(row))
    }

    /// The hash of a row's key: equal keys have equal hashes, whichever table they are from.
    pub(crate) fn hash(&self, row: usize) -> u64 {
        let mut hash = 0;
        for column in &self.columns {
            hash = mix(hash ^ column.hash(row));
        }
        hash
    }

    /// Whether two rows' keys are equal. Both are free of nulls and of the same types.
    pub(crate) fn equal(&self, row: usize, other: &Keys, other_row: usize) -> bool {
        self.columns.iter().zip(&other.columns).all(|(mine, theirs)| mine.equal(row, theirs, other_row))
    }

    /// The key as people read it: `71` or `71, 9`.
    pub(crate) fn display(&self, row: usize) -> String {
        let parts: Vec<String> = self.columns.iter().map(|column| column.display(row)).collect();
        parts.join(", ")
    }
}

impl KeyColumn {
    fn new(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8View => KeyColumn::Text(array.as_string_view().clone()),
            DataType::Int64 => KeyColumn::Int(array.as_primitive::<Int64Type>().clone()),
            DataType::UInt64 => KeyColumn::UInt(array.as_primitive::<UInt64Type>().clone()),
            DataType::Date32 => KeyColumn::Date(array.as_primitive::<Date32Type>().clone()),
            DataType::Decimal128(..) => KeyColumn::Decimal(array.as_primitive::<Decimal128Type>().clone()),
            DataType::Boolean => KeyColumn::Bool(array.as_boolean().clone()),
            DataType::BinaryView => KeyColumn::Binary(array.as_binary_view().clone()),
            other => return Err(Fault::usage(format!("tables can't be joined on a column of type {other}"))),
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            KeyColumn::Text(array) => array,
            KeyColumn::Int(array) => array,
            KeyColumn::UInt(array) => array,
            KeyColumn::Date(array) => array,
            KeyColumn::Decimal(array) => array,
            KeyColumn::Bool(array) => array,
            KeyColumn::Binary(array) => array,
        }
    }

    fn hash(&self, row: usize) -> u64 {
        match self {
            KeyColumn::Text(array) => xxh3_64(array.value(row).as_bytes()),
            KeyColumn::Int(array) => mix(array.value(row) as u64),
            KeyColumn::UInt(array) => mix(array.value(row)),
            KeyColumn::Date(array) => mix(array.value(row) as u64),
            KeyColumn::Decimal(array) => xxh3_64(&array.value(row).to_le_bytes()),
            KeyColumn::Bool(array) => mix(u64::from(array.value(row))),
            KeyColumn::Binary(array) => xxh3_64(array.value(row)),
        }
    }

    fn equal(&self, row: usize, other: &KeyColumn, other_row: usize) -> bool {
        match (self, other) {
            (KeyColumn::Text(a), KeyColumn::Text(b)) => a.value(row) == b.value(other_row),
            (KeyColumn::Int(a), KeyColumn::Int(b)) => a.value(row) == b.value(other_row),
            (KeyColumn::UInt(a), KeyColumn::UInt(b)) => a.value(row) == b.value(other_row),
            (KeyColumn::Date(a), KeyColumn::Date(b)) => a.value(row) == b.value(other_row),
            (KeyColumn::Decimal(a), KeyColumn::Decimal(b)) => a.value(row) == b.value(other_row),
            (KeyColumn::Bool(a), KeyColumn::Bool(b)) => a.value(row) == b.value(other_row),
            (KeyColumn::Binary(a), KeyColumn::Binary(b)) => a.value(row) == b.value(other_row),
            _ => false,
        }
    }

    fn display(&self, row: usize) -> String {
        match self {
            KeyColumn::Text(array) => array.value(row).to_owned(),
            KeyColumn::Int(array) => array.value(row).to_string(),
            KeyColumn::UInt(array) => array.value(row).to_string(),
            KeyColumn::Date(array) => {
                array.value_as_date(row).map_or_else(|| array.value(row).to_string(), |date| date.to_string())
            }
            KeyColumn::Decimal(array) => array.value_as_string(row),
            KeyColumn::Bool(array) => array.value(row).to_string(),
            KeyColumn::Binary(array) => format!("{:x?}", array.value(row)),
        }
    }
}

/// The finalizer of MurmurHash3 (Austin Appleby), which spreads every bit over all.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

/// The order of a key column's values: nulls first, then as their type orders them, text by bytes.
pub(crate) struct KeyOrder {
    nulls: Option<NullBuffer>,
    compare: DynComparator,
    text: Option<StringViewArray>,
}

impl KeyOrder {
    pub(crate) fn new(key: &ArrayRef) -> Result<Self> {
        let options = SortOptions { descending: false, nulls_first: true };
        let compare = make_comparator(key, key, options).map_err(|error| {
            Fault::usage(format!("arrays can't be ordered by a key of type {}", key.data_type()))
                .because(error)
        })?;
        let text = key.as_string_view_opt().filter(|text| text.null_count() == 0).cloned();
        Ok(KeyOrder { nulls: key.logical_nulls(), compare, text })
    }

    pub(crate) fn is_null(&self, row: u32) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row as usize))
    }

    pub(crate) fn compare(&self, a: u32, b: u32) -> Ordering {
        match &self.text {
            Some(text) => text.value(a as usize).cmp(text.value(b as usize)),
            None => (self.compare)(a as usize, b as usize),
        }
    }
}
