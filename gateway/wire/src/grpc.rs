//! What a gateway has to know of gRPC over HTTP/2 and HTTP/3: its deadlines, and how
//! its clients are told of failures.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Version, header};

/// Whether a request is a call of gRPC: a POST over HTTP/2 or HTTP/3 of
/// `application/grpc`, perhaps with the encoding of its messages behind it. The type
/// alone proves nothing, as any request may have it.
#[must_use]
pub fn is_call(version: Version, method: &Method, headers: &HeaderMap) -> bool {
    if !matches!(version, Version::HTTP_2 | Version::HTTP_3) || method != Method::POST {
        return false;
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let rest = kind.and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// How long a caller waits, by the value of `grpc-timeout`: at most eight digits
/// and a unit. None for anything else.
#[must_use]
pub fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(count * 3600)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// The status of a call that ends with a status of HTTP, as gRPC's own mapping
/// has it, but for 413 and 504, of which a gateway knows what they mean.
#[must_use]
pub fn status_of(status: StatusCode) -> u8 {
    match status {
        StatusCode::BAD_REQUEST => 13,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 12,
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY => 14,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::GATEWAY_TIMEOUT => 4,
        _ => 2,
    }
}

/// A text as the value of `grpc-message`: percent-encoded, but for what is
/// printable in ASCII.
#[must_use]
pub fn message(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of_type(kind: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers
    }

    #[test]
    fn calls_are_told_by_their_content_type() {
        for version in [Version::HTTP_2, Version::HTTP_3] {
            let is_call = |kind| is_call(version, &Method::POST, &of_type(kind));
            assert!(is_call("application/grpc"));
            assert!(is_call("application/grpc+proto"));
            assert!(is_call("application/grpc;charset=utf-8"));
            assert!(!is_call("application/grpc-web"));
            assert!(!is_call("application/json"));
        }
    }

    #[test]
    fn nothing_is_a_call_that_grpc_does_not_send() {
        let headers = of_type("application/grpc");
        for (version, method) in [
            (Version::HTTP_2, Method::GET),
            (Version::HTTP_3, Method::GET),
            (Version::HTTP_11, Method::POST),
            (Version::HTTP_10, Method::POST),
        ] {
            assert!(!is_call(version, &method, &headers), "{version:?} {method}");
        }
    }

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        assert_eq!(timeout(b"100m"), Some(Duration::from_millis(100)));
        assert_eq!(timeout(b"1H"), Some(Duration::from_secs(3600)));
        assert_eq!(
            timeout(b"99999999n"),
            Some(Duration::from_nanos(99_999_999))
        );
        for wrong in ["", "m", "1", "1x", "-1S", "123456789S", "1.5S", " 1S"] {
            assert_eq!(timeout(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_timeout_is_longer_than_the_longest(value in "[0-9]{1,9}[HMSmun]") {
            const LONGEST: Duration = Duration::from_secs(99_999_999 * 3600);
            prop_assert!(timeout(value.as_bytes()).is_none_or(|timeout| timeout <= LONGEST));
        }

        #[test]
        fn any_message_can_stand_in_a_header(text: String) {
            prop_assert!(HeaderValue::try_from(message(&text)).is_ok());
        }
    }
}
