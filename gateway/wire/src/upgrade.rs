//! Asking for another protocol on the same connection (RFC 9110 §7.8).

use http::{HeaderMap, header};

use crate::hop;

/// Protocols in which a client could speak past the gateway: requests inside
/// them would be judged by nobody.
const NEVER: [&str; 4] = ["h2c", "h2", "http", "tls"];

/// The protocol that an HTTP/1.1 request asks to switch to: what `Upgrade`
/// names, if it names one only and `Connection` lists it.
///
/// None as well for HTTP and TLS: the gateway is the one to speak them.
#[must_use]
pub fn asked(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::UPGRADE).iter();
    let value = values.next()?;
    if values.next().is_some() || !hop::is_listed(headers, &header::UPGRADE) {
        return None;
    }
    let protocol = value.to_str().ok()?.trim();
    is_allowed(protocol).then_some(protocol)
}

/// Whether a name may be that of a protocol to switch to: `name` or
/// `name/version`, and neither HTTP nor TLS.
#[must_use]
pub fn is_allowed(protocol: &str) -> bool {
    let (name, version) = protocol.split_once('/').unwrap_or((protocol, "1"));
    let is_never = NEVER.iter().any(|never| name.eq_ignore_ascii_case(never));
    is_token(name) && is_token(version) && !is_never
}

fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::asked;

    fn asking(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_protocol_is_asked_for_by_both_headers() {
        let both = asking(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ]);
        assert_eq!(asked(&both), Some("websocket"));
        assert_eq!(asked(&asking(&[("upgrade", "websocket")])), None);
        assert_eq!(asked(&asking(&[("connection", "upgrade")])), None);
    }

    #[test]
    fn nobody_switches_to_what_the_gateway_has_to_see() {
        for protocol in [
            "h2c",
            "H2C",
            "HTTP/2.0",
            "TLS/1.0",
            "",
            "web socket",
            "websocket, h2c",
        ] {
            let headers = asking(&[("connection", "upgrade"), ("upgrade", protocol)]);
            assert_eq!(asked(&headers), None, "{protocol}");
        }
        let twice = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("upgrade", "h2c"),
        ];
        assert_eq!(asked(&asking(&twice)), None);
    }
}
