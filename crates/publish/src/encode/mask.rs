//! Masks: what stands in place of a value that consumers must not see.

use hivecast_feed::Mask;
use hivecast_run::{Fault, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::text::push_hex;

/// How many characters [`Mask::Last4`] leaves.
const LAST: usize = 4;
/// What [`Mask::Redact`] writes.
const REDACTED: &[u8] = b"REDACTED";

/// A mask with its key, ready to use. Has no `Debug`: it holds the key's state.
#[derive(Clone)]
pub(super) enum Masking {
    /// The state after the key, cloned for each value. Boxed: it is large beside the others.
    Hmac(Box<Hmac<Sha256>>),
    Sha256,
    Last4,
    Redact,
}

impl Masking {
    /// Fails as a usage fault where the mask needs a key that is absent or empty.
    pub(super) fn new(mask: Mask, key: Option<&[u8]>, feed: &str, field: &str) -> Result<Self> {
        Ok(match mask {
            Mask::HmacSha256 => {
                let missing = || {
                    Fault::usage(format!(
                        "failed to mask field {field} of feed {feed}: hmac-sha256 needs a key and there is none"
                    ))
                    .advise("set mask_key in the project file's environment, for example to ${MASK_KEY}")
                };
                let key = key.filter(|key| !key.is_empty()).ok_or_else(missing)?;
                let state = Hmac::<Sha256>::new_from_slice(key).map_err(|_| missing())?;
                Masking::Hmac(Box::new(state))
            }
            Mask::Sha256 => Masking::Sha256,
            Mask::Last4 => Masking::Last4,
            Mask::Redact => Masking::Redact,
        })
    }

    /// Replaces the text that lies in `out` from `start` on by its mask.
    pub(super) fn replace_tail(&self, out: &mut Vec<u8>, start: usize) {
        match self {
            Masking::Hmac(state) => {
                let code = state.as_ref().clone().chain_update(&out[start..]).finalize().into_bytes();
                out.truncate(start);
                push_hex(out, &code);
            }
            Masking::Sha256 => {
                let digest = Sha256::digest(&out[start..]);
                out.truncate(start);
                push_hex(out, &digest);
            }
            Masking::Last4 => last4(out, start),
            Masking::Redact => {
                out.truncate(start);
                out.extend_from_slice(REDACTED);
            }
        }
    }
}

/// Stars for all but the last four characters; for four or fewer characters, stars for all, since
/// the mask would otherwise show the whole value.
fn last4(out: &mut Vec<u8>, start: usize) {
    let is_first_byte = |byte: &u8| byte & 0xc0 != 0x80;
    let firsts = |text: &[u8]| text.iter().filter(|byte| is_first_byte(byte)).count();
    let characters = firsts(&out[start..]);
    let (stars, shown_from) = if characters <= LAST {
        (characters, out.len())
    } else {
        let nth_last = out[start..].iter().rposition({
            let mut left = LAST;
            move |byte| {
                left -= usize::from(is_first_byte(byte));
                left == 0
            }
        });
        (characters - LAST, nth_last.map_or(out.len(), |at| start + at))
    };
    // A star is one byte and a character at least one, so the stars fit before what is shown.
    let shown = out.len() - shown_from;
    out.copy_within(shown_from.., start + stars);
    out[start..start + stars].fill(b'*');
    out.truncate(start + stars + shown);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: Mask, key: &[u8], text: &[u8]) -> String {
        let masking = Masking::new(mask, Some(key), "contracts", "taxId").unwrap();
        let mut out = b"before".to_vec();
        out.extend_from_slice(text);
        masking.replace_tail(&mut out, 6);
        assert_eq!(&out[..6], b"before");
        String::from_utf8(out[6..].to_vec()).unwrap()
    }

    #[test]
    fn hmac_has_the_vectors_of_rfc_4231() {
        let hmac = |key: &[u8], text: &[u8]| masked(Mask::HmacSha256, key, text);
        assert_eq!(
            hmac(&[0x0b; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hmac(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hmac(&[0xaa; 20], &[0xdd; 50]),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        );
        assert_eq!(
            hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn sha256_has_the_vector_of_fips_180() {
        assert_eq!(
            masked(Mask::Sha256, b"", b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn last4_counts_characters_and_never_shows_a_whole_value() {
        for (text, expected) in [
            ("123456789", "*****6789"),
            ("12345", "*2345"),
            ("1234", "****"),
            ("1", "*"),
            ("", ""),
            ("héé😀ß", "*éé😀ß"),
            ("😀😀😀😀", "****"),
        ] {
            assert_eq!(masked(Mask::Last4, b"", text.as_bytes()), expected);
        }
    }

    #[test]
    fn redact_says_nothing() {
        assert_eq!(masked(Mask::Redact, b"", b"secret"), "REDACTED");
        assert_eq!(masked(Mask::Redact, b"", b""), "REDACTED");
    }

    #[test]
    fn hmac_without_a_key_is_a_usage_fault() {
        for key in [None, Some(b"".as_slice())] {
            let fault = Masking::new(Mask::HmacSha256, key, "contracts", "taxId").err().unwrap();
            assert_eq!(fault.class(), hivecast_run::Class::Usage);
            assert!(fault.chain().contains("taxId"), "{}", fault.chain());
            assert!(fault.advice().unwrap().contains("mask_key"));
        }
    }
}
