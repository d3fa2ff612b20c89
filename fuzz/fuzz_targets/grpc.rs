//! What a caller of gRPC says and is told: a bounded timeout, and a message
//! that can stand in a header and says what was meant.
#![no_main]

use std::time::Duration;

use gatewright_wire::grpc::{message, timeout};
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

/// Eight digits of hours.
const LONGEST: Duration = Duration::from_secs(99_999_999 * 3600);

fuzz_target!(|input: (&[u8], &str)| {
    let (value, text) = input;
    assert!(timeout(value).is_none_or(|timeout| timeout <= LONGEST));

    let encoded = message(text);
    assert!(HeaderValue::try_from(&encoded).is_ok());
    assert_eq!(decoded(&encoded), text.as_bytes());
});

/// Percent-decoding, as a caller does it.
fn decoded(encoded: &str) -> Vec<u8> {
    let mut rest = encoded.as_bytes();
    let mut bytes = Vec::new();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = (first == b'%').then(|| &encoded[encoded.len() - behind.len()..][..2]);
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    bytes
}
