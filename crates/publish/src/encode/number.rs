//! Numbers as text: floats in their shortest form that reads back the same, decimals with every
//! digit.

use arrow_buffer::i256;

/// Digits of one part that a wide integer is cut into: 10^38 fits 128 bits.
const PART_DIGITS: usize = 38;
const PART: i128 = 10_i128.pow(PART_DIGITS as u32);
/// 256 bits have at most 77 digits: three parts.
const PARTS: usize = 3;

/// The shortest text that reads back as the same float, as `serde_json` writes it; `NaN`,
/// `Infinity`, `-Infinity` for the rest.
pub(super) fn push_float<F: zmij::Float + Into<f64> + Copy>(value: F, out: &mut Vec<u8>) {
    let wide: f64 = value.into();
    if wide.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if wide.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        out.extend_from_slice(if wide > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
}

/// `unscaled` × 10^-`scale` with all its digits: as many decimals as a positive scale says, zeros
/// for a negative one.
pub(super) fn push_decimal(unscaled: i128, scale: i8, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut digits = itoa::Buffer::new();
    push_scaled(digits.format(unscaled.unsigned_abs()).as_bytes(), scale, out);
}

/// As [`push_decimal`], for 256 bits.
pub(super) fn push_decimal256(unscaled: i256, scale: i8, out: &mut Vec<u8>) {
    if let Some(unscaled) = unscaled.to_i128() {
        return push_decimal(unscaled, scale, out);
    }
    if unscaled < i256::ZERO {
        out.push(b'-');
    }
    let mut digits = [b'0'; PARTS * PART_DIGITS];
    let mut rest = unscaled;
    for part in digits.rchunks_exact_mut(PART_DIGITS) {
        // A remainder has the dividend's sign and is below 10^38: it fits.
        let low = rest.wrapping_rem(i256::from_i128(PART)).to_i128().unwrap_or_default().unsigned_abs();
        rest = rest.wrapping_div(i256::from_i128(PART));
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(low).as_bytes();
        part[PART_DIGITS - text.len()..].copy_from_slice(text);
    }
    let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len() - 1);
    push_scaled(&digits[first..], scale, out);
}

fn push_scaled(digits: &[u8], scale: i8, out: &mut Vec<u8>) {
    let shift = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        out.extend_from_slice(digits);
        if digits != b"0" {
            out.resize(out.len() + shift, b'0');
        }
        return;
    }
    match digits.len().checked_sub(shift) {
        Some(whole) if whole > 0 => {
            out.extend_from_slice(&digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + shift - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(unscaled: i128, scale: i8) -> String {
        let mut out = Vec::new();
        push_decimal(unscaled, scale, &mut out);
        let mut wide = Vec::new();
        push_decimal256(i256::from_i128(unscaled), scale, &mut wide);
        assert_eq!(out, wide);
        String::from_utf8(out).unwrap()
    }

    fn decimal256(unscaled: &str, scale: i8) -> String {
        let mut out = Vec::new();
        push_decimal256(i256::from_string(unscaled).unwrap(), scale, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_keep_every_digit() {
        for (unscaled, scale, expected) in [
            (1250, 2, "12.50"),
            (-1250, 2, "-12.50"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (50, 2, "0.50"),
            (0, 2, "0.00"),
            (0, 0, "0"),
            (12, 0, "12"),
            (12, -2, "1200"),
            (-12, -2, "-1200"),
            (0, -2, "0"),
            (1, 38, "0.00000000000000000000000000000000000001"),
            (i128::MAX, 0, "170141183460469231731687303715884105727"),
            (i128::MIN, 1, "-17014118346046923173168730371588410572.8"),
        ] {
            assert_eq!(decimal(unscaled, scale), expected);
        }
    }

    #[test]
    fn decimals_of_256_bits_keep_every_digit() {
        let max = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
        let min = "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
        assert_eq!(decimal256(max, 0), max);
        assert_eq!(decimal256(min, 0), min);
        let zeros = format!("1{}", "0".repeat(76));
        assert_eq!(decimal256(&zeros, 0), zeros);
        assert_eq!(decimal256(&zeros, 76), format!("1.{}", "0".repeat(76)));
        assert_eq!(decimal256(&zeros, -1), format!("{zeros}0"));
    }

    proptest! {
        #[test]
        fn floats_read_as_serde_json_writes_them(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            let single = f32::from_bits(bits as u32);
            let text = |push: &dyn Fn(&mut Vec<u8>)| {
                let mut out = Vec::new();
                push(&mut out);
                String::from_utf8(out).unwrap()
            };
            if double.is_finite() {
                let written = text(&|out| push_float(double, out));
                prop_assert_eq!(&written, &serde_json::to_string(&double).unwrap());
                prop_assert_eq!(written.parse::<f64>().unwrap().to_bits(), bits);
            }
            if single.is_finite() {
                let written = text(&|out| push_float(single, out));
                prop_assert_eq!(written, serde_json::to_string(&single).unwrap());
            }
        }
    }
}
