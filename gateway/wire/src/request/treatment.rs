//! What becomes of each of a client's headers on the way to a server, by name.

use super::text::has;
use crate::hop::is_hop_by_hop_name;

/// What the encoder does with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Copied as it came.
    Copy,
    /// Dropped, because it belongs to the client's connection or is written anew.
    Drop,
    /// A claim about the request's way that only trusted peers may make.
    Claim,
    /// Joined into one.
    Cookie,
    /// Reduced to `trailers`.
    Te,
    /// Kept for chunked bodies only.
    Trailer,
    /// Continued.
    Via,
    /// Continued for trusted peers, otherwise dropped.
    Forwarded,
    /// Continued for trusted peers, otherwise replaced.
    ForwardedFor,
    /// Kept from trusted peers, otherwise replaced.
    ForwardedProto,
    /// Kept from trusted peers, otherwise replaced.
    ForwardedHost,
    /// Kept from trusted peers, otherwise replaced.
    RequestId,
    /// Copied, unless the attempt has one of its own.
    TraceParent,
}

/// The treatment of a header by its name in lower case.
pub(super) fn treatment(name: &str) -> Treatment {
    match name {
        "host" | "content-length" | "expect" | "x-real-ip" => Treatment::Drop,
        "cookie" => Treatment::Cookie,
        "te" => Treatment::Te,
        "trailer" => Treatment::Trailer,
        "via" => Treatment::Via,
        "forwarded" => Treatment::Forwarded,
        "x-forwarded-for" => Treatment::ForwardedFor,
        "x-forwarded-proto" => Treatment::ForwardedProto,
        "x-forwarded-host" => Treatment::ForwardedHost,
        "x-request-id" => Treatment::RequestId,
        "traceparent" => Treatment::TraceParent,
        // RFC 9440 §2.2 and §2.3.
        "client-cert" | "client-cert-chain" => Treatment::Claim,
        _ if name.starts_with("x-forwarded-") => Treatment::Claim,
        _ if is_hop_by_hop_name(name.as_bytes()) || is_alias(name) => Treatment::Drop,
        _ => Treatment::Copy,
    }
}

/// Whether a name reads as one of the above when its underscores are hyphens.
///
/// Servers that pass headers as environment variables (CGI, WSGI, Rack) cannot
/// tell `X_Forwarded_For` from `X-Forwarded-For`, so it must not slip by.
fn is_alias(name: &str) -> bool {
    /// No shorter than any name above; of longer ones only the start matters.
    const LONGEST: usize = 32;
    if !has(name, |byte| byte == b'_') {
        return false;
    }
    let mut hyphenated = [0; LONGEST];
    let length = name.len().min(LONGEST);
    for (to, from) in hyphenated.iter_mut().zip(name.bytes()) {
        *to = if from == b'_' { b'-' } else { from };
    }
    std::str::from_utf8(&hyphenated[..length])
        .is_ok_and(|hyphenated| treatment(hyphenated) != Treatment::Copy)
}

#[cfg(test)]
mod tests {
    use super::{Treatment, treatment};

    #[test]
    fn end_to_end_headers_are_copied() {
        for name in ["accept", "authorization", "x-api-key", "api_key", "origin"] {
            assert_eq!(treatment(name), Treatment::Copy, "{name}");
        }
    }

    #[test]
    fn underscores_disguise_nothing() {
        for name in [
            "x_forwarded_for",
            "x-forwarded_proto",
            "content_length",
            "transfer_encoding",
            "x_real_ip",
            "client_cert",
            "x_forwarded_some_name_that_is_longer_than_any",
        ] {
            assert_eq!(treatment(name), Treatment::Drop, "{name}");
        }
    }
}
