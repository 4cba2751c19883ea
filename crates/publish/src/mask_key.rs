//! Which key values are masked with, as the ledger may say it.

use hivecast_feed::{Feed, Field, Mask, Shape};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What is signed: a text that no value of a document is.
const CONSTANT: &[u8] = b"\0hivecast mask_key";

/// Bytes of the code that are kept: enough to tell two keys apart.
const KEPT: usize = 8;

/// A digest, 16 hexadecimal digits, that another `mask_key` would not give. It is a code made under the
/// key and cut, so that whoever reads the ledger learns no more of the key than from any masked value.
/// Empty where the feed masks nothing with a key, or there is none.
pub fn mask_key_digest(feed: &Feed, key: Option<&[u8]>) -> String {
    let Some(key) = key.filter(|key| !key.is_empty() && any_keyed(&feed.document.fields)) else {
        return String::new();
    };
    let Ok(state) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    let code = state.chain_update(CONSTANT).finalize().into_bytes();
    code.iter().take(KEPT).map(|byte| format!("{byte:02x}")).collect()
}

fn any_keyed(fields: &[Field]) -> bool {
    fields.iter().any(|field| match &field.shape {
        Shape::Value { mask, .. } => *mask == Some(Mask::HmacSha256),
        Shape::Fields(inner) => any_keyed(inner),
        Shape::List(elements) => elements.iter().any(|element| any_keyed(&element.fields)),
        Shape::One(node) | Shape::Many(node) => any_keyed(&node.fields),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(fields: &str) -> Feed {
        let text = format!(
            "feed: f\ntopic: t\npartitions: 1\ntables:\n  a: {{ source: d.a }}\n  b: {{ source: d.b }}\n\
             document:\n  from: a\n  key: id\n  fields:\n{fields}\n"
        );
        hivecast_feed::parse("f.yaml", &text).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).0
    }

    #[test]
    fn only_feeds_that_mask_with_the_key_depend_on_it() {
        let deep = "    inner:\n      many: b\n      on: id\n      key: x\n      fields:\n        \
                    list: { list: [ { fields: { v: { value: x, mask: hmac-sha256 } } } ] }";
        let digest = mask_key_digest(&feed(deep), Some(b"one"));
        assert_eq!(digest.len(), 16);
        assert_eq!(mask_key_digest(&feed(deep), Some(b"one")), digest);
        assert_ne!(mask_key_digest(&feed(deep), Some(b"two")), digest);
        assert_eq!(mask_key_digest(&feed(deep), None), "");
        let keyless = feed("    v: { value: x, mask: sha256 }");
        assert_eq!(mask_key_digest(&keyless, Some(b"one")), "");
    }
}
