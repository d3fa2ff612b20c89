//! What browsers may ask, and what they may do with the answer.
//!
//! A web page of a stranger must not operate the gateway through the browser of
//! somebody who could. A name of the stranger's that is made to lead here (DNS
//! rebinding) is told by the `Host` header: a loopback listener answers to
//! loopback names only. On any other address names are the operator's own, and
//! every answer takes a token, which no browser sends by itself. A page that
//! asks from elsewhere is told by its `Origin`, and refused unless the
//! configuration names it. What a page only embeds or links to comes without an
//! `Origin`, and is told by `Sec-Fetch-Site`: of that, others may link to the
//! pages, and no more.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::cors;
use super::envelope::failure;
use crate::control::Control;

/// Nothing but our own files, nothing inline, nowhere else. A page that needs
/// another policy brings it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What pages of other origins may lead a browser to.
const PAGES: [&str; 8] = [
    "/",
    "/traffic",
    "/plugins",
    "/requests",
    "/events",
    "/sessions",
    "/simulations",
    "/api/docs",
];

/// How a browser says whose page asks, and what for.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// No page of another origin may embed an answer.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What requests have to look like.
#[derive(Clone)]
pub(super) struct Guard {
    /// Whether only loopback names are answered to.
    only_local: bool,
    /// Whose configuration says which pages of other origins may ask.
    control: Arc<Control>,
}

/// Who asks, as far as the browser says.
#[derive(Debug, PartialEq)]
enum Asking {
    /// No page, or one that came from here.
    Own,
    /// A page of an origin that the configuration names.
    Friend(HeaderValue),
    /// A page of another origin.
    Stranger,
}

impl Guard {
    pub(super) fn new(control: &Arc<Control>) -> Self {
        let listen = control.publisher.snapshot().config.admin.listen;
        Self {
            only_local: listen.ip().is_loopback(),
            control: Arc::clone(control),
        }
    }

    fn asking(&self, request: &Request) -> Asking {
        let headers = request.headers();
        if !headers.contains_key(header::ORIGIN) {
            return match is_embedded(headers) && !is_navigation(request) {
                true => Asking::Stranger,
                false => Asking::Own,
            };
        }
        if is_same_origin(headers) {
            return Asking::Own;
        }
        asking_from_elsewhere(
            headers,
            &self.control.publisher.snapshot().config.admin.origins,
        )
    }
}

/// Refuse whom the guard refuses, and add what keeps browsers in bounds to
/// every answer.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let asking = guard.asking(&request);
    let mut response = if guard.only_local && !is_local(headers) {
        let message = "this listener answers to localhost and loopback addresses only";
        forbidden("forbidden_host", message)
    } else {
        match &asking {
            Asking::Stranger => {
                let message = "pages of other origins may not ask, but for those in admin.origins";
                forbidden("forbidden_origin", message)
            }
            Asking::Friend(_) if cors::is_preflight(request.method(), headers) => cors::preflight(),
            Asking::Friend(_) | Asking::Own => next.run(request).await,
        }
    };
    let headers = response.headers_mut();
    if let Asking::Friend(origin) = asking {
        cors::allow(origin, headers);
    }
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(RESOURCE_POLICY, "same-origin");
    let mut set_default = |name, value| {
        let entry = headers.entry(name);
        entry.or_insert(HeaderValue::from_static(value));
    };
    // All of it is of the moment, but for the dashboard's files.
    set_default(header::CACHE_CONTROL, "no-store");
    set_default(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    response
}

fn forbidden(code: &'static str, message: &str) -> Response {
    failure(StatusCode::FORBIDDEN, code, message.to_owned())
}

/// Whether the one origin is among the friends.
fn asking_from_elsewhere(headers: &HeaderMap, friends: &[Arc<str>]) -> Asking {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if friends.iter().any(|friend| **friend == *origin) => {
            Asking::Friend(origin.clone())
        }
        _ => Asking::Stranger,
    }
}

/// Whether a page of another origin asks that does not say which. What is no
/// browser, and a person who types an address, say nothing or `none`.
fn is_embedded(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    sites.any(|site| site != "same-origin" && site != "none")
}

/// Whether a browser is led to one of the pages.
fn is_navigation(request: &Request) -> bool {
    let mode = request.headers().get(SEC_FETCH_MODE);
    request.method() == Method::GET
        && mode.is_some_and(|mode| mode == "navigate")
        && PAGES.contains(&request.uri().path())
}

/// Whether the page that asks came from here.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return false;
    };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    // A proxy of the operator's in front may speak TLS where this does not.
    let asked = origin.strip_prefix("http://");
    let asked = asked.or_else(|| origin.strip_prefix("https://"));
    asked.is_some_and(|asked| asked.eq_ignore_ascii_case(host))
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
    fn a_page_may_ask_where_it_came_from_only() {
        let asks = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:9000"));
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            is_same_origin(&headers)
        };
        assert!(asks(&["http://localhost:9000"]));
        for origin in [
            "null",
            "",
            "http://localhost",
            "http://localhost:9001",
            "http://example.org",
            "http://localhost:9000.example.org",
            "localhost:9000",
        ] {
            assert!(!asks(&[origin]), "{origin}");
        }
        assert!(!asks(&["http://localhost:9000", "http://localhost:9000"]));
    }

    #[test]
    fn a_page_from_elsewhere_may_link_to_pages_and_embed_nothing() {
        let asks = |path: &str, site: &'static str, mode: &'static str| {
            let request = Request::get(path).header(SEC_FETCH_SITE, site);
            let request = request.header(SEC_FETCH_MODE, mode);
            let request = request.body(axum::body::Body::empty()).unwrap();
            !is_embedded(request.headers()) || is_navigation(&request)
        };
        for site in ["cross-site", "same-site", "anything"] {
            for page in PAGES {
                assert!(asks(page, site, "navigate"), "{page}");
                assert!(!asks(page, site, "no-cors"), "{page}");
            }
            for path in ["/api/stream", "/api/servers", "/dashboard.js"] {
                assert!(!asks(path, site, "navigate"), "{path}");
                assert!(!asks(path, site, "no-cors"), "{path}");
            }
        }
        for site in ["same-origin", "none"] {
            assert!(asks("/api/stream", site, "no-cors"), "{site}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_may_ask_when_it_is_named_exactly() {
        let friends = ["https://ops.example".into()];
        let asks = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            asking_from_elsewhere(&headers, &friends)
        };
        let friend = HeaderValue::from_static("https://ops.example");
        assert_eq!(asks(&["https://ops.example"]), Asking::Friend(friend));
        for origin in [
            "null",
            "http://ops.example",
            "https://ops.example:8443",
            "https://ops.example.org",
            "https://a.ops.example",
        ] {
            assert_eq!(asks(&[origin]), Asking::Stranger, "{origin}");
        }
        let twice = ["https://ops.example", "https://ops.example"];
        assert_eq!(asks(&twice), Asking::Stranger);
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
