//! SHA-256 over canonical JSON: what binds an approval to a plan and an audit entry to the one before it.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

/// Lower-case hex SHA-256 of some bytes (64 characters).
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes).as_ref())
}

/// The canonical JSON of a value: object keys sorted, no whitespace, so that equal values have equal bytes.
///
/// `serde_json::Value` keeps its objects in a sorted map, which is what makes this canonical; the workspace must
/// therefore never turn on serde_json's `preserve_order`, and the test below fails if a dependency does.
pub fn canonical_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_value(value)?.to_string())
}

/// [`sha256_hex`] of [`canonical_json`].
pub fn hash_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(sha256_hex(canonical_json(value)?.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_keys() {
        let parsed: serde_json::Value = serde_json::from_str(r#"{"b": 1, "a": {"d": 2, "c": 3}}"#).unwrap();
        assert_eq!(canonical_json(&parsed).unwrap(), r#"{"a":{"c":3,"d":2},"b":1}"#);
    }

    #[test]
    fn hash_is_the_known_one_of_the_empty_object() {
        let empty = serde_json::json!({});
        assert_eq!(
            hash_json(&empty).unwrap(),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }
}
