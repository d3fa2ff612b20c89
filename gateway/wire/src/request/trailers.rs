//! The trailer fields of a request that a server may get.

use http::{HeaderMap, HeaderName};

use super::treatment::{Treatment, treatment};
use crate::hop::is_forbidden_in_trailers;
use crate::names;

/// Removes the trailer fields that must not be forwarded: some servers take them
/// for headers that came late.
///
/// Those are the ones that would frame, route or authenticate the request
/// (RFC 9110 §6.5.1); all that is not simply copied from its head, such as claims
/// about the client, whoever the peer is; and `withheld`, about which the head
/// says what somebody else has decided.
pub fn strip_trailers(trailers: &mut HeaderMap, withheld: &[HeaderName]) {
    let is_withheld = |name: &str| {
        let mut withheld = withheld.iter();
        withheld.any(|withheld| names::is_same(withheld.as_str(), name))
    };
    names::remove_all(trailers, |name| {
        let name = name.as_str();
        is_forbidden_in_trailers(&name.replace('_', "-"))
            || treatment(name) != Treatment::Copy
            || is_withheld(name)
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn left(names: &[&'static str], withheld: &[HeaderName]) -> Vec<String> {
        let mut trailers = HeaderMap::new();
        for name in names {
            trailers.append(*name, HeaderValue::from_static("x"));
        }
        strip_trailers(&mut trailers, withheld);
        trailers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn checksums_and_statuses_are_forwarded() {
        assert_eq!(left(&["x-checksum"], &[]), ["x-checksum"]);
        assert_eq!(left(&["grpc-status"], &[]), ["grpc-status"]);
    }

    #[test]
    fn nothing_reframes_routes_or_claims_after_the_head() {
        let names = [
            "authorization",
            "client-cert",
            "client_cert_chain",
            "content-length",
            "content_type",
            "cookie",
            "forwarded",
            "host",
            "te",
            "transfer-encoding",
            "transfer_encoding",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-real-ip",
            "x-request-id",
        ];
        assert!(left(&names, &[]).is_empty(), "{:?}", left(&names, &[]));
    }

    #[test]
    fn what_somebody_else_has_decided_is_withheld_in_every_spelling() {
        let withheld = [HeaderName::from_static("x-user")];
        let names = ["x-user", "x_user", "x-users"];
        assert_eq!(left(&names, &withheld), ["x-users"]);
    }
}
