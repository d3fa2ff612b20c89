//! Headers that belong to one connection and must not be forwarded.
//!
//! RFC 9110 §7.6.1: a fixed set, and whatever the `Connection` header lists.

use http::{HeaderMap, HeaderName, header};

use crate::names;

/// Whether a header belongs to a single connection by its name alone.
///
/// `Trailer` is not in the set: RFC 9110 §6.6.2 leaves it to the recipient of
/// the whole message, and it announces fields which we do forward.
#[must_use]
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    is_hop_by_hop_name(name.as_str().as_bytes())
}

/// As [`is_hop_by_hop`], for a name in any case.
pub(crate) fn is_hop_by_hop_name(name: &[u8]) -> bool {
    HOP_BY_HOP
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The names of the headers that belong to a single connection.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Whether a trailer field must not be forwarded, because it would decide
/// after the fact how the message was framed, routed or authenticated
/// (RFC 9110 §6.5.1), or belongs to one connection only.
pub(crate) fn is_forbidden_in_trailers(name: &str) -> bool {
    is_hop_by_hop_name(name.as_bytes())
        || matches!(
            name,
            "authorization"
                | "content-encoding"
                | "content-length"
                | "content-range"
                | "content-type"
                | "cookie"
                | "expect"
                | "host"
                | "set-cookie"
                | "trailer"
        )
}

/// Removes the headers that belong to a single connection.
pub fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes the trailer fields of a response that must not be forwarded.
pub fn strip_from_trailers(trailers: &mut HeaderMap) {
    names::remove_all(trailers, |name| is_forbidden_in_trailers(name.as_str()));
}

/// Removes the headers that `Connection` lists, and says what else it asks for.
///
/// To be done before anyone judges a request: otherwise a client could have a
/// header taken away again that somebody has set or looked at. `TE` and `Upgrade`
/// are left, which a server is told in another form.
pub fn strip_listed(headers: &mut HeaderMap) -> ConnectionOptions {
    let options = ConnectionOptions::of(headers);
    if !options.lists_names {
        return options;
    }
    let lists = headers.get_all(header::CONNECTION).into_iter();
    let names = lists.flat_map(|list| listed(list.as_bytes()));
    let names = names.filter_map(|name| HeaderName::from_bytes(name).ok());
    let is_left = |name: &HeaderName| [header::TE, header::UPGRADE].contains(name);
    for name in names.filter(|name| !is_left(name)).collect::<Vec<_>>() {
        headers.remove(name);
    }
    headers.remove(header::CONNECTION);
    options
}

/// What the `Connection` header of a message asks for.
///
/// Gathered value by value with [`ConnectionOptions::add`]. Only when a message
/// lists names that are not hop-by-hop anyway (`lists_names`) is there a
/// reason to look at the lists again, which practically never happens.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// The sender closes the connection after this message.
    pub close: bool,
    /// An HTTP/1.0 sender offers to keep the connection.
    pub keep_alive: bool,
    /// The sender asks to switch to what `Upgrade` names.
    pub upgrade: bool,
    /// Further headers are declared hop-by-hop.
    pub lists_names: bool,
}

impl ConnectionOptions {
    /// The options of all `Connection` headers in a map.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut options = Self::default();
        for value in headers.get_all(header::CONNECTION) {
            options.add(value.as_bytes());
        }
        options
    }

    /// Adds the options in one value of a `Connection` header.
    pub fn add(&mut self, value: &[u8]) {
        // Nearly always there is but this one, and written like this.
        if value == b"keep-alive" {
            self.keep_alive = true;
            return;
        }
        for option in listed(value) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if !option.eq_ignore_ascii_case(b"te") {
                self.lists_names = true;
            }
        }
    }
}

/// The members of a comma-separated list, trimmed, without the empty ones
/// (RFC 9110 §5.6.1).
pub(crate) fn listed(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, header};
    use proptest::prelude::*;

    use super::{ConnectionOptions, is_forbidden_in_trailers, is_hop_by_hop, strip_listed};

    #[test]
    fn the_connections_own_headers_are_hop_by_hop() {
        for name in [
            "Connection",
            "Proxy-Connection",
            "Keep-Alive",
            "TE",
            "Transfer-Encoding",
            "Upgrade",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "HTTP2-Settings",
        ] {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert!(is_hop_by_hop(&name), "{name}");
            assert!(is_forbidden_in_trailers(name.as_str()), "{name}");
        }
    }

    #[test]
    fn end_to_end_headers_are_not_hop_by_hop() {
        for name in [
            header::TRAILER,
            header::CONTENT_LENGTH,
            header::HOST,
            header::COOKIE,
        ] {
            assert!(!is_hop_by_hop(&name), "{name}");
        }
    }

    #[test]
    fn options_are_gathered_over_values_in_any_case() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONNECTION, HeaderValue::from_static("Close, TE"));
        assert!(!ConnectionOptions::of(&headers).lists_names);
        headers.append(header::CONNECTION, HeaderValue::from_static(" ,X-Secret"));

        let options = ConnectionOptions::of(&headers);
        assert!(options.close && options.lists_names);
        assert!(!options.keep_alive && !options.upgrade);
        headers.append(header::CONNECTION, HeaderValue::from_static("UPGRADE"));
        assert!(ConnectionOptions::of(&headers).upgrade);
    }

    #[test]
    fn what_is_listed_is_removed_with_the_list_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret, TE"),
            ("connection", "upgrade, host"),
            ("x-secret", "1"),
            ("x-secret", "2"),
            ("x-kept", "3"),
            ("host", "a"),
            ("te", "trailers"),
            ("upgrade", "chat"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let options = strip_listed(&mut headers);
        assert!(options.close && options.upgrade && options.lists_names);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["te", "upgrade", "x-kept"]);
    }

    #[test]
    fn without_a_list_of_names_all_is_left_as_it_is() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("chat"));
        let before = headers.clone();
        assert!(!strip_listed(&mut headers).lists_names);
        assert_eq!(headers, before);
    }

    proptest! {
        #[test]
        fn any_value_is_survived(value: Vec<u8>) {
            ConnectionOptions::default().add(&value);
        }
    }
}
