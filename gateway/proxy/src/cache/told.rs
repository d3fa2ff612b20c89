//! What servers are told of a request beside its URL, and may answer by: with a link,
//! or with a redirect to HTTPS for one.
//!
//! A plugin may have replaced the host, and a trusted proxy in front, or a policy, may
//! say what the URL was before it. Answers are told apart by that. By what each client
//! and each proxy has its own of they are not, which a server that answers by it has to
//! say; and to a request that tells what is not known here, nothing that is kept is an
//! answer.

use http::header::{self, HeaderMap, HeaderName};

use super::directives::elements;
use crate::facts::Facts;

/// What servers are told of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// What answers are told apart by beside the URL.
    pub(super) text: String,
    /// Whether it says who the client is.
    pub(super) is_user: bool,
    /// Whether it says what answers cannot be told apart by.
    pub(super) is_unknown: bool,
}

/// What a forwarding header is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// The URL that the client asked for.
    Url,
    /// The client's and the proxies' addresses and names.
    Way,
    /// Who the client is.
    User,
    Unknown,
}

impl About {
    fn of(name: &HeaderName) -> Self {
        let Some(what) = name.as_str().strip_prefix("x-forwarded-") else {
            // What there is beside those says nothing else, or is looked at apart.
            return Self::Way;
        };
        match what {
            "proto" | "protocol" | "scheme" | "ssl" | "host" | "port" | "prefix" => Self::Url,
            "for" | "by" | "server" | "client-cert" => Self::Way,
            "user"
            | "preferred-username"
            | "email"
            | "groups"
            | "access-token"
            | "tls-client-cert"
            | "tls-client-cert-info" => Self::User,
            _ => Self::Unknown,
        }
    }
}

/// Whether a header that is written on the way to servers tells answers apart.
pub(super) fn tells_apart(name: &HeaderName) -> bool {
    About::of(name) == About::Url
}

impl Told {
    /// What servers are told of a request, whose client is believed or is not.
    pub(super) fn of(facts: &Facts, is_trusted: bool) -> Self {
        let mut told = Self::default();
        let (authority, asked) = facts.authorities();
        if authority != asked {
            told.text.push_str(authority);
        }
        if is_trusted || !facts.vouched.is_empty() {
            let is_sent = |name: &HeaderName| is_trusted || facts.vouched.contains(name);
            told.hear(&facts.headers, is_sent);
        }
        told
    }

    /// Add what those headers say that are sent on.
    fn hear(&mut self, headers: &HeaderMap, is_sent: impl Fn(&HeaderName) -> bool) {
        let is_heard = |name: &&HeaderName| gatewright_wire::is_claim(name) && is_sent(name);
        let mut names: Vec<_> = headers.keys().filter(is_heard).collect();
        // In whatever order they have come.
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        for name in names {
            for value in headers.get_all(name) {
                match About::of(name) {
                    About::Url => self.put(name, &[value.as_bytes()]),
                    About::Way if *name == header::FORWARDED => {
                        for element in elements(value.as_bytes(), b',') {
                            let pairs = elements(element, b';').filter(|pair| !is_of_way(pair));
                            self.put(name, &pairs.collect::<Vec<_>>());
                        }
                    }
                    About::Way => {}
                    About::User => self.is_user = true,
                    About::Unknown => self.is_unknown = true,
                }
            }
        }
    }

    /// Add a line with these words, if there are any.
    fn put(&mut self, name: &HeaderName, words: &[&[u8]]) {
        if words.is_empty() {
            return;
        }
        self.text.push('\n');
        self.text.push_str(name.as_str());
        for word in words {
            self.text.push(';');
            // Each byte as what it is in Latin-1, so that no two texts become one.
            self.text.extend(word.iter().copied().map(char::from));
        }
    }
}

/// Whether a pair of `Forwarded` (RFC 7239 §4) is about who has sent the request on, and
/// nothing else can be read out of it: what is not well-formed may be read otherwise
/// by a server.
fn is_of_way(pair: &[u8]) -> bool {
    let is_of_node = |byte: &u8| byte.is_ascii_alphanumeric() || b".:_-[]\"".contains(byte);
    let (name, node) = match pair.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&pair[..equals], &pair[equals + 1..]),
        None => (pair, &b""[..]),
    };
    let is_way = [&b"for"[..], b"by"]
        .iter()
        .any(|way| name.eq_ignore_ascii_case(way));
    is_way && node.iter().all(is_of_node)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn told(lines: &[(&'static str, &'static str)]) -> Told {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let mut told = Told::default();
        told.hear(&headers, |_| true);
        told
    }

    #[test]
    fn what_is_said_of_the_url_tells_answers_apart_in_whatever_order_it_comes() {
        let one = told(&[("x-forwarded-prefix", "/a"), ("x-forwarded-port", "1")]);
        let same = told(&[("x-forwarded-port", "1"), ("x-forwarded-prefix", "/a")]);
        assert_eq!(one, same);
        assert!(!one.is_user && !one.is_unknown);
        for name in [
            "proto", "protocol", "scheme", "ssl", "host", "port", "prefix",
        ] {
            let name: &str = format!("x-forwarded-{name}").leak();
            assert_ne!(told(&[(name, "a")]), told(&[(name, "b")]), "{name}");
            assert_ne!(told(&[(name, "a")]), Told::default(), "{name}");
        }
        let both = told(&[("x-forwarded-host", "a"), ("x-forwarded-host", "b")]);
        assert_ne!(both, told(&[("x-forwarded-host", "a")]));
    }

    #[test]
    fn what_is_of_each_client_and_of_each_proxy_does_not() {
        for (name, value) in [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-server", "edge-7"),
            ("x-request-id", "1"),
            ("x-real-ip", "10.0.0.1"),
            ("accept", "text/html"),
            (
                "forwarded",
                "for=10.0.0.1;by=_edge, for=\"[2001:db8::1]:80\"",
            ),
        ] {
            assert_eq!(told(&[(name, value)]), Told::default(), "{name}");
        }
    }

    #[test]
    fn users_and_what_is_not_known_are_told_of() {
        let user = told(&[("x-forwarded-user", "ann")]);
        assert_eq!((user.is_user, user.is_unknown), (true, false));
        let unknown = told(&[("x-forwarded-path", "/a")]);
        assert_eq!((unknown.is_user, unknown.is_unknown), (false, true));
    }

    #[test]
    fn of_forwarded_all_counts_that_is_not_surely_an_address() {
        let plain = told(&[("forwarded", "for=10.0.0.1;host=a;proto=https")]);
        let other_client = told(&[("forwarded", "For=10.0.0.2; host=a;proto=https")]);
        assert_eq!(plain, other_client);
        let mut known = vec![plain];
        for value in [
            "for=10.0.0.1;host=b;proto=https",
            "for=10.0.0.1;host=a, proto=https",
            "for=\"10.0.0.1;host=a;proto=https\"",
            "for=\"10.0.0.1;host=b",
            "for=10.0.0.1;secret=x",
        ] {
            let one = told(&[("forwarded", value)]);
            assert!(!known.contains(&one), "{value}");
            known.push(one);
        }
    }
}
