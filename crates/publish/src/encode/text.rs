//! JSON strings: the same escapes as `serde_json` writes, so that bytes can be compared.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Non-zero if any of the word's eight bytes needs an escape: a control character, `"` or `\`.
///
/// A byte `b` is below `n` exactly where `b - n` borrows into a clear high bit. Flipping bit 1 moves
/// `"` (0x22) to 0x20, just above the controls, so one subtraction finds both.
#[inline]
fn marks(word: u64) -> u64 {
    let control_or_quote = word ^ (ONES * 0x02);
    let control_or_quote = control_or_quote.wrapping_sub(ONES * 0x21) & !control_or_quote;
    let backslash = word ^ (ONES * 0x5c);
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control_or_quote | backslash) & HIGH
}

#[inline]
fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether the text can stand in a JSON string as it is. Words overlap at the end, so that no byte
/// is looked at by itself but in texts of one to three.
#[inline]
pub(super) fn is_clean(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<8>() {
        let (words, _) = text.as_chunks::<8>();
        let seen = words.iter().fold(0, |seen, word| seen | marks(u64::from_le_bytes(*word)));
        return seen | marks(u64::from_le_bytes(*last)) == 0;
    }
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let halves = [u32::from_le_bytes(*first), u32::from_le_bytes(*last)].map(u64::from);
            marks(halves[0] | halves[1] << 32) == 0
        }
        _ => !text.iter().any(|byte| needs_escape(*byte)),
    }
}

/// Appends bytes, of which there are mostly few: up to 32 as two copies of a fixed size that overlap,
/// which saves the call of a copy of any size.
#[inline]
pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        0 => {}
        1 => out.push(bytes[0]),
        2..=3 => push_overlapping::<2>(out, bytes),
        4..=7 => push_overlapping::<4>(out, bytes),
        8..=16 => push_overlapping::<8>(out, bytes),
        17..=32 => push_overlapping::<16>(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}

/// Appends from `N` to `2 * N` bytes.
#[inline]
fn push_overlapping<const N: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) {
        let start = out.len();
        out.extend_from_slice(first);
        out.truncate(start + bytes.len() - N);
        out.extend_from_slice(last);
    }
}

/// Appends UTF-8 text with its escapes, without the quotes around it.
#[inline]
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if is_clean(text) {
        push_bytes(out, text);
    } else {
        push_escapes(out, text);
    }
}

#[cold]
fn push_escapes(out: &mut Vec<u8>, text: &[u8]) {
    let mut copied = 0;
    for (at, byte) in text.iter().copied().enumerate().filter(|(_, byte)| needs_escape(*byte)) {
        out.extend_from_slice(&text[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.extend_from_slice(&text[copied..]);
}

/// Escapes what lies in `out` from `start` on. Allocates only where something needs an escape.
pub(super) fn escape_tail(out: &mut Vec<u8>, start: usize) {
    if !is_clean(&out[start..]) {
        let raw = out.split_off(start);
        push_escapes(out, &raw);
    }
}

/// The text as a JSON string, with its quotes. For constant parts.
pub(super) fn json_string(text: &str) -> Vec<u8> {
    let mut out = vec![b'"'];
    push_escaped(&mut out, text.as_bytes());
    out.push(b'"');
    out
}

/// Appends bytes as Base64 with padding (RFC 4648, section 4).
pub(super) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let sextet = |at: u32| ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
        let mut four = [sextet(0), sextet(1), sextet(2), sextet(3)];
        four[chunk.len() + 1..].fill(b'=');
        out.extend_from_slice(&four);
    }
}

/// Appends bytes as lower-case hexadecimal digits.
pub(super) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        String::from_utf8(json_string(text)).unwrap()
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_is_escaped_as_serde_json_does() {
        for character in (0..=0x250).filter_map(char::from_u32) {
            for before in 0..9 {
                for after in [0, 1, 7, 8] {
                    let text = format!("{}{character}{}", "a".repeat(before), "z".repeat(after));
                    assert_eq!(escaped(&text), serde_json::to_string(&text).unwrap(), "{character:?}");
                }
            }
        }
    }

    #[test]
    fn bytes_of_every_length_are_appended_whole() {
        let bytes: Vec<u8> = (0..200).collect();
        for length in 0..=bytes.len() {
            let mut out = b"before".to_vec();
            push_bytes(&mut out, &bytes[..length]);
            assert_eq!(out, [b"before", &bytes[..length]].concat());
        }
    }

    #[test]
    fn base64_has_the_vectors_of_rfc_4648() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            push_base64(&mut out, bytes.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_as_serde_json_does(text in any::<String>()) {
            prop_assert_eq!(escaped(&text), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn a_tail_is_escaped_in_place(text in "[a-c\"\\\\\u{1}\u{1f}é]{0,20}") {
            let mut out = b"kept\"".to_vec();
            out.extend_from_slice(text.as_bytes());
            escape_tail(&mut out, 5);
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&out[5..], &quoted.as_bytes()[1..quoted.len() - 1]);
            prop_assert_eq!(&out[..5], b"kept\"");
        }
    }
}
