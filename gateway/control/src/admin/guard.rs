//! Who may ask, and what browsers may do with the answer.
//!
//! The listener is on a loopback address and asks for no token, so a web page
//! of a stranger must not reach it: a name of the stranger's that is made to
//! lead here (DNS rebinding) is told by the `Host` header.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::envelope::failure;

/// Nothing but our own files, nothing inline, nowhere else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Refuse whoever did not ask for a loopback name, and add what keeps browsers
/// in bounds to every answer.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = if is_local(request.headers()) {
        next.run(request).await
    } else {
        let message = "this listener answers to localhost and loopback addresses only";
        failure(StatusCode::FORBIDDEN, "forbidden_host", message.to_owned())
    };
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    // All of it is of the moment, and a new gateway has new files.
    set(header::CACHE_CONTROL, "no-store");
    response
}

/// Whether the one `Host` header names this machine alone.
fn is_local(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    host.to_str().is_ok_and(is_loopback)
}

/// Whether a `Host` value is `localhost` or a loopback address, with a port or
/// without.
fn is_loopback(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let end = bracketed.split_once(']');
        return end.is_some_and(|(address, port)| {
            let address = address.parse::<Ipv6Addr>();
            is_port(port) && address.is_ok_and(|address| address.is_loopback())
        });
    }
    let colon = host.find(':').unwrap_or(host.len());
    let (name, port) = host.split_at(colon);
    let is_name = name.eq_ignore_ascii_case("localhost");
    let is_address = || {
        name.parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
    };
    is_port(port) && (is_name || is_address())
}

/// Whether this is nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok(),
        None => text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_addresses_pass() {
        let local = [
            "localhost",
            "LocalHost:9000",
            "127.0.0.1:9000",
            "127.8.0.1",
            "[::1]",
            "[::1]:9",
        ];
        for host in local {
            assert!(is_loopback(host), "{host}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let strange = [
            "",
            ":9000",
            "example.org",
            "localhost.example.org",
            "10.0.0.1:9000",
            "127.0.0.1.example.org",
            "[::2]:9000",
            "[::1",
            "[::1]x",
            "::1",
            "localhost:",
            "localhost:99999",
            "localhost:9000:1",
        ];
        for host in strange {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn there_must_be_exactly_one_host() {
        let mut headers = HeaderMap::new();
        assert!(!is_local(&headers));
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(is_local(&headers));
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(!is_local(&headers));
    }
}
