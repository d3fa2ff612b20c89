//! What of a request's headers is asked for in every request, by one look at
//! each: as many look-ups by name cost more than that.

use gatewright_wire::hop::ConnectionOptions;
use http::HeaderMap;
use http::header::HeaderValue;

use crate::explain;
use crate::identity;

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Survey<'a> {
    /// The first `Host`.
    pub(super) host: Option<&'a HeaderValue>,
    /// Whether there are others.
    pub(super) has_more_hosts: bool,
    /// What `Connection` asks for.
    pub(super) connection: ConnectionOptions,
    /// Whether it may ask to be explained.
    pub(super) asks_why: bool,
    /// Whether the client has cookies.
    pub(super) has_cookies: bool,
    /// Whether it says who a client has proved to be.
    pub(super) has_identity: bool,
}

impl<'a> Survey<'a> {
    /// Look at each header.
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut survey = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "host" => {
                    survey.has_more_hosts = survey.host.is_some();
                    survey.host.get_or_insert(value);
                }
                "cookie" => survey.has_cookies = true,
                "connection" => survey.connection.add(value.as_bytes()),
                explain::NAME => survey.asks_why = true,
                name => survey.has_identity |= identity::is_claim(name),
            }
        }
        survey
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn what_is_looked_for_is_seen_among_others_and_in_every_spelling() {
        let headers = |lines: &[(&'static str, &'static str)]| {
            let lines = lines.iter().map(|(name, value)| {
                let value = HeaderValue::from_static(value);
                (HeaderName::from_static(name), value)
            });
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, value);
            }
            headers
        };
        let one = headers(&[("accept", "*/*"), ("host", "a"), ("x-host", "b")]);
        let seen = Survey::of(&one);
        assert_eq!(seen.host.unwrap(), "a");
        assert!(!seen.has_more_hosts && !seen.connection.close);
        assert!(!seen.asks_why && !seen.has_identity && !seen.has_cookies);

        let all = headers(&[
            ("host", "a"),
            ("x-gatewright-explain", "token"),
            ("connection", "close"),
            ("cookie", "a=1"),
            ("client_cert", "forged"),
            ("host", "b"),
        ]);
        let seen = Survey::of(&all);
        assert_eq!(seen.host.unwrap(), "a");
        assert!(seen.has_more_hosts && seen.connection.close);
        assert!(seen.asks_why && seen.has_identity && seen.has_cookies);
    }
}
