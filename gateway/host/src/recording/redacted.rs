//! What a recording holds in place of secrets: a digest under the recording's own
//! random key, so that equal values stay equal and nobody can try guesses on it.

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Headers that prove who somebody is.
const HEADERS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
];

/// Bytes of a digest that are kept.
const BYTES: usize = 16;

/// A recording's key.
pub(super) struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// A question and its answer as they are recorded. The query is a secret as
    /// it is in explanations; a session's key, because who has it has the session.
    pub(super) fn redact(&self, function: &str, of: &mut Value, answer: &mut Value) {
        match function {
            "request.query" | "request.cookie" => self.hide(answer),
            "request.header" if names_a_secret(of) => self.hide(answer),
            "request.header-bytes" if names_a_secret(&of[0]) => self.hide(answer),
            "sessions.get" => self.hide(of),
            _ => {}
        }
    }

    fn hide(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.digest(text.as_bytes()),
            Value::Array(bytes) => {
                let bytes: Vec<u8> = bytes
                    .iter()
                    .filter_map(|byte| byte.as_u64()?.try_into().ok())
                    .collect();
                *value = self.digest(&bytes).into_bytes().into();
            }
            _ => {}
        }
    }

    fn digest(&self, secret: &[u8]) -> String {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(secret)
            .finalize();
        format!("redacted-{}", HEXLOWER.encode(&digest[..BYTES]))
    }
}

fn names_a_secret(name: &Value) -> bool {
    let name = name.as_str().unwrap_or_default();
    HEADERS.iter().any(|one| one.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redacted(function: &str, mut of: Value, mut answer: Value) -> (Value, Value) {
        Key::new([7; 32]).redact(function, &mut of, &mut answer);
        (of, answer)
    }

    #[test]
    fn secrets_are_digests_and_equal_ones_stay_equal() {
        let (_, text) = redacted("request.header", json!("Authorization"), json!("Bearer x"));
        let (_, cookie) = redacted("request.cookie", json!("session"), json!("Bearer x"));
        assert_eq!(text, cookie);
        assert!(text.as_str().unwrap().starts_with("redacted-"));
        let (_, bytes) = redacted("request.header-bytes", json!(["cookie", 0]), json!([1, 2]));
        assert_eq!(bytes[0], json!(b'r'));
        let (key, slot) = redacted("sessions.get", json!("Bearer x"), json!(3));
        assert_eq!((key, slot), (text, json!(3)));
        let (_, query) = redacted("request.query", json!(null), json!("token=1"));
        assert_ne!(query, json!("token=1"));
    }

    #[test]
    fn what_is_no_secret_and_what_is_absent_stay() {
        let (_, zone) = redacted("request.header", json!("x-zone"), json!("a"));
        assert_eq!(zone, json!("a"));
        let (_, none) = redacted("request.cookie", json!("session"), json!(null));
        assert_eq!(none, json!(null));
    }

    #[test]
    fn another_key_gives_another_digest() {
        let digests = [1, 2].map(|byte| Key::new([byte; 32]).digest(b"secret"));
        assert_ne!(digests[0], digests[1]);
    }
}
