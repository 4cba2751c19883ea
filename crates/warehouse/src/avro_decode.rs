//! Avro's binary encoding, as columns.

use arrow_schema::TimeUnit;

use crate::avro_schema::AvroType;
use crate::values::Values;

/// Items of an array that take no bytes, or entries of a map: more are not believed.
const MAX_EMPTY_ITEMS: u64 = 1 << 20;

/// Why bytes are no value of their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) String);

fn broken<T>(why: impl Into<String>) -> Result<T, Broken> {
    Err(Broken(why.into()))
}

/// Reads values from the front of a block.
pub(crate) struct Decoder<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        match self.bytes.split_at_checked(count) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => broken("a value goes on beyond the end of its block"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// A zigzag number of variable length.
    pub(crate) fn long(&mut self) -> Result<i64, Broken> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        broken("a number has more than ten bytes")
    }

    fn int(&mut self) -> Result<i32, Broken> {
        let value = self.long()?;
        i32::try_from(value).or_else(|_| broken(format!("the number {value} is no int")))
    }

    fn length(&mut self) -> Result<usize, Broken> {
        let length = self.long()?;
        usize::try_from(length).or_else(|_| broken(format!("a length of {length} bytes")))
    }

    fn sized(&mut self) -> Result<&'a [u8], Broken> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.sized()?).or_else(|_| broken("a text is not UTF-8"))
    }

    fn boolean(&mut self) -> Result<bool, Broken> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => broken(format!("the byte {other} is no truth value")),
        }
    }

    /// The items of the next block of an array or a map; 0 at its end.
    fn items(&mut self) -> Result<u64, Broken> {
        let count = self.long()?;
        if count < 0 {
            // The block's size in bytes, for those who skip it.
            self.long()?;
        }
        let count = count.unsigned_abs();
        if count > MAX_EMPTY_ITEMS && count > self.bytes.len() as u64 {
            return broken(format!("{count} items in {} bytes", self.bytes.len()));
        }
        Ok(count)
    }

    fn branch<'t>(&mut self, branches: &'t [AvroType]) -> Result<&'t AvroType, Broken> {
        let at = self.long()?;
        let found = usize::try_from(at).ok().and_then(|at| branches.get(at));
        found.ok_or_else(|| Broken(format!("the branch {at} of a union of {}", branches.len())))
    }

    fn decimal(&mut self, size: Option<usize>) -> Result<i128, Broken> {
        let bytes = match size {
            Some(size) => self.take(size)?,
            None => self.sized()?,
        };
        let sign = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        let fill = if sign { 0xff } else { 0 };
        let (extra, kept) = bytes.split_at(bytes.len().saturating_sub(16));
        let kept_sign = kept.first().is_some_and(|byte| byte & 0x80 != 0);
        if extra.iter().any(|byte| *byte != fill) || kept_sign != sign {
            return broken("a decimal has more than 38 digits");
        }
        let mut all = [fill; 16];
        all[16 - kept.len()..].copy_from_slice(kept);
        Ok(i128::from_be_bytes(all))
    }

    /// Steps over a value.
    pub(crate) fn skip(&mut self, of: &AvroType) -> Result<(), Broken> {
        match of {
            AvroType::Null => {}
            AvroType::Boolean => drop(self.boolean()?),
            AvroType::Int
            | AvroType::Long
            | AvroType::Date
            | AvroType::Time(_)
            | AvroType::Timestamp { .. }
            | AvroType::Enum(_) => drop(self.long()?),
            AvroType::Float => drop(self.take(4)?),
            AvroType::Double => drop(self.take(8)?),
            AvroType::Bytes | AvroType::Text | AvroType::Decimal { size: None, .. } => drop(self.sized()?),
            AvroType::Fixed(size) | AvroType::Decimal { size: Some(size), .. } => drop(self.take(*size)?),
            AvroType::Uuid => drop(self.take(16)?),
            AvroType::Array(item) => {
                while let count @ 1.. = self.items()? {
                    (0..count).try_for_each(|_| self.skip(item))?;
                }
            }
            AvroType::Map(value) => {
                while let count @ 1.. = self.items()? {
                    for _ in 0..count {
                        self.sized()?;
                        self.skip(value)?;
                    }
                }
            }
            AvroType::Record(fields) => fields.iter().try_for_each(|(_, of)| self.skip(of))?,
            AvroType::Union(branches) => {
                let branch = self.branch(branches)?;
                self.skip(branch)?;
            }
        }
        Ok(())
    }

    /// Appends a value to its column, which must have the type that the schema has for it.
    pub(crate) fn read(&mut self, of: &AvroType, values: &mut Values) -> Result<(), Broken> {
        match (of, values) {
            (AvroType::Null, values) => values.push_null(),
            (AvroType::Union(branches), values) => {
                let branch = self.branch(branches)?;
                self.read(branch, values)?;
            }
            (AvroType::Boolean, Values::Boolean(builder)) => builder.append_value(self.boolean()?),
            (AvroType::Int, Values::Int32(builder)) => builder.append_value(self.int()?),
            (AvroType::Long, Values::Int64(builder)) => builder.append_value(self.long()?),
            (AvroType::Float, Values::Float32(builder)) => {
                builder.append_value(f32::from_le_bytes(self.array()?));
            }
            (AvroType::Double, Values::Float64(builder)) => {
                builder.append_value(f64::from_le_bytes(self.array()?));
            }
            (AvroType::Bytes, Values::Binary(builder)) => builder.append_value(self.sized()?),
            (AvroType::Fixed(size), Values::Binary(builder)) => builder.append_value(self.take(*size)?),
            (AvroType::Text, Values::Text(builder)) => builder.append_value(self.text()?),
            (AvroType::Uuid, Values::Text(builder)) => builder.append_value(uuid(self.array()?)),
            (AvroType::Enum(symbols), Values::Text(builder)) => {
                let at = self.long()?;
                match usize::try_from(at).ok().and_then(|at| symbols.get(at)) {
                    Some(symbol) => builder.append_value(symbol),
                    None => return broken(format!("the symbol {at} of an enum of {}", symbols.len())),
                }
            }
            (AvroType::Decimal { precision, size, .. }, Values::Decimal(builder, ..)) => {
                let value = self.decimal(*size)?;
                if value.unsigned_abs() >= 10_u128.pow(u32::from(*precision)) {
                    return broken(format!("a decimal has more than {precision} digits"));
                }
                builder.append_value(value);
            }
            (AvroType::Date, Values::Date(builder)) => builder.append_value(self.int()?),
            (AvroType::Time(unit), Values::Time(builder)) => {
                builder.append_value(micros(self.long()?, *unit)?);
            }
            (AvroType::Timestamp { unit, .. }, Values::Timestamp(builder) | Values::Instant(builder)) => {
                builder.append_value(micros(self.long()?, *unit)?);
            }
            (nested, values) => self.read_nested(nested, values)?,
        }
        Ok(())
    }

    fn read_nested(&mut self, of: &AvroType, values: &mut Values) -> Result<(), Broken> {
        match (of, values) {
            (AvroType::Array(item), Values::List(list)) => {
                while let count @ 1.. = self.items()? {
                    (0..count).try_for_each(|_| self.read(item, &mut list.items))?;
                }
                list.end();
            }
            (AvroType::Map(value), Values::Map(map)) => {
                while let count @ 1.. = self.items()? {
                    for _ in 0..count {
                        self.read(&AvroType::Text, &mut map.keys)?;
                        self.read(value, &mut map.values)?;
                    }
                }
                map.end();
            }
            (AvroType::Record(fields), Values::Struct(parts)) => {
                for ((_, of), column) in fields.iter().zip(&mut parts.columns) {
                    self.read(of, column)?;
                }
                parts.end();
            }
            (of, _) => return broken(format!("a column is not of its type {of:?}")),
        }
        Ok(())
    }
}

/// Microseconds, of which what is smaller is cut off downwards.
fn micros(value: i64, unit: TimeUnit) -> Result<i64, Broken> {
    let found = match unit {
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1_000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value.div_euclid(1_000)),
    };
    found.ok_or_else(|| Broken(format!("the time {value} is too far away for microseconds")))
}

fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_variable_length() {
        for (bytes, value) in [
            (&[0x00][..], Ok(0)),
            (&[0x01], Ok(-1)),
            (&[0x80, 0x01], Ok(64)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(i64::MIN)),
            (&[0x80], Err(())),
            (&[0x80; 11], Err(())),
        ] {
            assert_eq!(Decoder { bytes }.long().map_err(drop), value, "{bytes:?}");
        }
    }

    #[test]
    fn decimals_of_any_size() {
        for (bytes, value) in [
            (&[][..], Ok(0)),
            (&[0xff], Ok(-1)),
            (&[0x00, 0x80], Ok(128)),
            (&[0xff; 20], Ok(-1)),
            (&[0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Err(())),
            (&[0x00, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Err(())),
        ] {
            assert_eq!(Decoder { bytes }.decimal(Some(bytes.len())).map_err(drop), value, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_value_is_told() {
        let values = |of: &AvroType| Values::new(&of.data_type().unwrap()).unwrap();
        let list = AvroType::Array(Box::new(AvroType::Int));
        for (of, bytes) in [
            (AvroType::Boolean, &[2][..]),
            (AvroType::Text, &[2, 0xff]),
            (AvroType::Text, &[1]),
            (AvroType::Int, &[0xfe, 0xff, 0xff, 0xff, 0x7f]),
            (AvroType::Union(vec![AvroType::Null, AvroType::Int]), &[4]),
            (list, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ] {
            assert!(Decoder { bytes }.read(&of, &mut values(&of)).is_err(), "{of:?}");
        }
    }
}
