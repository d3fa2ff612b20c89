//! Asking for another protocol on the same connection (RFC 9110 §7.8).

use http::{HeaderMap, header};

use crate::hop::ConnectionOptions;

/// The protocol that an HTTP/1.1 request asks to switch to: what `Upgrade`
/// names, if it names one only and `Connection`, whose options these are, lists
/// it. Whatever it names: most of it is nothing to switch to.
#[must_use]
pub fn asked(headers: &HeaderMap, connection: ConnectionOptions) -> Option<&str> {
    if !connection.upgrade {
        return None;
    }
    let mut values = headers.get_all(header::UPGRADE).iter();
    let value = values.next()?;
    match values.next() {
        None => Some(value.to_str().ok()?.trim()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use crate::hop::ConnectionOptions;

    fn asked(headers: &HeaderMap) -> Option<&str> {
        super::asked(headers, ConnectionOptions::of(headers))
    }

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
    fn who_names_two_asks_for_none() {
        let twice = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("upgrade", "chat"),
        ];
        assert_eq!(asked(&asking(&twice)), None);
    }
}
