//! Streams of numbers in an ORC stripe that are looked at before the decoder sees them. It makes room for
//! as many items of arrays and maps as their lengths add up to, whatever that is, and takes any
//! fraction of a second for one.

/// Most items of a column in one stripe. Stripes have some 64 MiB.
pub(crate) const MAX_ITEMS: u64 = 1 << 28;
/// Shortest run of a repeated number, in both encodings.
const MIN_REPEAT: usize = 3;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// How a column's integers are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunLength {
    V1,
    V2,
}

/// Fails where lengths add up to more than [`MAX_ITEMS`], or are no numbers.
pub(crate) fn check_lengths(stream: &[u8], encoding: RunLength) -> Result<(), String> {
    let mut total = 0_u64;
    numbers(stream, encoding, &mut |length, times| {
        let all = length.checked_mul(times as u64);
        total = all.and_then(|all| total.checked_add(all)).unwrap_or(u64::MAX);
        match total {
            0..=MAX_ITEMS => Ok(()),
            _ => Err(format!("a column of arrays or maps has more than {MAX_ITEMS} items in a stripe")),
        }
    })
}

/// Fails where the fraction of a timestamp is none: some versions of the writer in C++, which pyarrow
/// has, write what is below zero for those of before 1970.
pub(crate) fn check_nanoseconds(stream: &[u8], encoding: RunLength) -> Result<(), String> {
    numbers(stream, encoding, &mut |stored, _| {
        // The last three bits tell of zeros at the end, which are not stored.
        let zeros = match u32::try_from(stored & 7) {
            Ok(0) | Err(_) => 0,
            Ok(zeros) => zeros + 1,
        };
        let nanoseconds = (stored >> 3).checked_mul(10_u64.pow(zeros));
        match nanoseconds {
            Some(0..SECOND) => Ok(()),
            _ => Err("a timestamp's fraction of a second is none".to_owned()),
        }
    })
}

/// All numbers of a stream, which have no sign.
fn numbers(stream: &[u8], encoding: RunLength, take: &mut Count<'_>) -> Result<(), String> {
    let mut input = Input { bytes: stream };
    while !input.bytes.is_empty() {
        match encoding {
            RunLength::V1 => run_v1(&mut input, take)?,
            RunLength::V2 => run_v2(&mut input, take)?,
        }
    }
    Ok(())
}

/// Takes a number, and how often it comes.
type Count<'a> = dyn FnMut(u64, usize) -> Result<(), String> + 'a;

struct Input<'a> {
    bytes: &'a [u8],
}

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let Some((byte, rest)) = self.bytes.split_first() else {
            return Err("a stream of numbers is cut off".to_owned());
        };
        self.bytes = rest;
        Ok(*byte)
    }

    fn big_endian(&mut self, bytes: usize) -> Result<u64, String> {
        (0..bytes).try_fold(0, |value, _| Ok(value << 8 | u64::from(self.byte()?)))
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number has more than ten bytes".to_owned())
    }

    fn signed_varint(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Numbers of so many bits each, packed from the highest bit on.
    fn packed(&mut self, count: usize, width: usize) -> Result<Vec<u64>, String> {
        let mut values = Vec::with_capacity(count);
        let (mut held, mut bits) = (0_u128, 0);
        for _ in 0..count {
            while bits < width {
                held = held << 8 | u128::from(self.byte()?);
                bits += 8;
            }
            bits -= width;
            values.push((held >> bits) as u64 & mask(width));
            held &= (1 << bits) - 1;
        }
        Ok(values)
    }
}

fn mask(width: usize) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

fn run_v1(input: &mut Input<'_>, count: &mut Count<'_>) -> Result<(), String> {
    let header = input.byte()?.cast_signed();
    if header < 0 {
        return (0..header.unsigned_abs()).try_for_each(|_| count(input.varint()?, 1));
    }
    let times = usize::from(header.unsigned_abs()) + MIN_REPEAT;
    let delta = input.byte()?.cast_signed();
    steps(input.varint()?, i64::from(delta), times, count)
}

/// Numbers that differ by as much from one to the next.
fn steps(first: u64, delta: i64, times: usize, count: &mut Count<'_>) -> Result<(), String> {
    let mut value = first;
    for left in (0..times).rev() {
        count(value, 1)?;
        if left > 0 {
            value = step(value, delta)?;
        }
    }
    Ok(())
}

fn step(value: u64, delta: i64) -> Result<u64, String> {
    value.checked_add_signed(delta).ok_or_else(|| "a number is below zero".to_owned())
}

fn run_v2(input: &mut Input<'_>, count: &mut Count<'_>) -> Result<(), String> {
    let header = input.byte()?;
    if header >> 6 == 0 {
        let width = usize::from(header >> 3 & 7) + 1;
        let value = input.big_endian(width)?;
        return count(value, usize::from(header & 7) + MIN_REPEAT);
    }
    let code = header >> 1 & 0x1f;
    let length = (usize::from(header & 1) << 8 | usize::from(input.byte()?)) + 1;
    match header >> 6 {
        1 => input.packed(length, width_of(code))?.into_iter().try_for_each(|value| count(value, 1)),
        2 => patched(input, length, width_of(code), count),
        _ => deltas(input, length, code, count),
    }
}

/// A number's width in bits, of which there are 32.
fn width_of(code: u8) -> usize {
    match code {
        0..=23 => usize::from(code) + 1,
        24 => 26,
        25 => 28,
        26 => 30,
        27 => 32,
        28 => 40,
        29 => 48,
        30 => 56,
        _ => 64,
    }
}

/// Small numbers over a base, of which some have further bits in a list of patches.
fn patched(input: &mut Input<'_>, length: usize, width: usize, count: &mut Count<'_>) -> Result<(), String> {
    let (third, fourth) = (input.byte()?, input.byte()?);
    let base = input.big_endian(usize::from(third >> 5) + 1)?;
    let patch_width = width_of(third & 0x1f);
    let gap_width = usize::from(fourth >> 5) + 1;
    if patch_width + gap_width > 64 {
        return Err("the patches of a run of numbers are too wide".to_owned());
    }
    let mut values = input.packed(length, width)?;
    let fixed = (0..32).map(width_of).find(|fixed| *fixed >= patch_width + gap_width).unwrap_or(64);
    let patches = input.packed(usize::from(fourth & 0x1f), fixed)?;
    let mut at = 0;
    for patch in patches {
        at += (patch >> patch_width.min(63)) as usize;
        let bits = patch & mask(patch_width);
        // A gap too wide for its bits is a patch of nothing.
        if bits == 0 {
            continue;
        }
        let shift = u32::try_from(width).unwrap_or(u32::MAX);
        let further = bits.checked_shl(shift).filter(|further| further >> shift == bits);
        match (values.get_mut(at), further) {
            (Some(value), Some(further)) => *value |= further,
            _ => return Err("a run of numbers is patched beyond its end".to_owned()),
        }
    }
    values.into_iter().try_for_each(|value| match value.checked_add(base) {
        Some(value) => count(value, 1),
        None => Err("a number is too long".to_owned()),
    })
}

/// Numbers by what they differ from each other, which is never the other way around within a run.
fn deltas(input: &mut Input<'_>, length: usize, code: u8, count: &mut Count<'_>) -> Result<(), String> {
    let first = input.varint()?;
    let delta = input.signed_varint()?;
    if code == 0 {
        return steps(first, delta, length, count);
    }
    count(first, 1)?;
    let mut value = step(first, delta)?;
    count(value, 1)?;
    for change in input.packed(length.saturating_sub(2), width_of(code))? {
        let change = i64::try_from(change).map_err(|_| "a number is too long".to_owned())?;
        value = step(value, if delta < 0 { -change } else { change })?;
        count(value, 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(stream: &[u8], encoding: RunLength) -> Vec<(u64, usize)> {
        let mut all = Vec::new();
        let take = &mut |value, times| {
            all.push((value, times));
            Ok(())
        };
        numbers(stream, encoding, take).unwrap();
        all
    }

    fn ones(values: &[u64]) -> Vec<(u64, usize)> {
        values.iter().map(|value| (*value, 1)).collect()
    }

    /// The examples of the format's specification.
    #[test]
    fn runs_of_both_encodings() {
        let v2 = |bytes: &[u8]| all(bytes, RunLength::V2);
        assert_eq!(v2(&[0x0a, 0x27, 0x10]), [(10_000, 5)]);
        assert_eq!(
            v2(&[0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef]),
            ones(&[23_713, 43_806, 57_005, 48_879])
        );
        assert_eq!(
            v2(&[0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46]),
            ones(&[2, 3, 5, 7, 11, 13, 17, 19, 23, 29])
        );
        let patched = v2(&[
            0x8e, 0x09, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46, 0x50, 0x5a,
            0xfc, 0xe8,
        ]);
        assert_eq!(patched, ones(&[2030, 2000, 2020, 1_000_000, 2040, 2050, 2060, 2070, 2080, 2090]));
        let v1 = |bytes: &[u8]| all(bytes, RunLength::V1);
        assert_eq!(v1(&[0x61, 0x00, 0x07]), ones(&[7; 100]));
        assert_eq!(v1(&[0xfb, 0x02, 0x03, 0x06, 0x07, 0x0b]), ones(&[2, 3, 6, 7, 11]));
    }

    #[test]
    fn what_is_too_much_or_cut_off_is_told() {
        let lengths = |bytes: &[u8]| check_lengths(bytes, RunLength::V2);
        assert_eq!(lengths(&[0x0a, 0x27, 0x10]), Ok(()));
        assert!(lengths(&[0x3f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(lengths(&[0x0a, 0x27]).is_err());
        assert!(check_lengths(&[0x00, 0xff, 0x00], RunLength::V1).is_err(), "below zero");
    }

    #[test]
    fn fractions_of_a_second() {
        let check = |stored: u64| {
            let run = [&[0x38][..], &stored.to_be_bytes()].concat();
            check_nanoseconds(&run, RunLength::V2)
        };
        for fits in [0, 999_999_999 << 3, 1 << 3 | 7, 9 << 3 | 7] {
            assert_eq!(check(fits), Ok(()), "{fits}");
        }
        // What pyarrow stores for the microsecond before 1970.
        for wrong in [1_000_000_000 << 3, 10 << 3 | 7, (-6_i64).cast_unsigned()] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
