//! Origins of web pages, as browsers name them.

use std::net::Ipv6Addr;
use std::sync::Arc;

/// The ports that browsers leave out.
const USUAL_PORTS: [(&str, u16); 2] = [("http", 80), ("https", 443)];

/// An origin in the form in which browsers send it: in small letters, without
/// the usual port.
pub(super) fn origin(text: &str) -> Result<Arc<str>, String> {
    parse(&text.to_ascii_lowercase()).map(Arc::from).ok_or_else(|| {
        format!(
            "{text:?} is no origin; write the scheme, the host and, if it is not the usual one, \
             the port of the page, such as \"https://ops.example\" or \"http://10.0.0.7:8080\""
        )
    })
}

fn parse(text: &str) -> Option<String> {
    let (scheme, authority) = text.split_once("://")?;
    let (_, usual) = USUAL_PORTS.iter().find(|(known, _)| *known == scheme)?;
    let (host, port) = match authority.rsplit_once(':') {
        // The colon is within an IPv6 address.
        Some((_, rest)) if rest.ends_with(']') => (authority, *usual),
        Some((host, port)) => (host, self::port(port)?),
        None => (authority, *usual),
    };
    if !is_host(host) {
        return None;
    }
    Some(match port == *usual {
        true => format!("{scheme}://{host}"),
        false => format!("{scheme}://{host}:{port}"),
    })
}

fn port(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    // Neither a sign nor zeros in front.
    (port > 0 && port.to_string() == text).then_some(port)
}

fn is_host(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for (written, sent) in [
            ("https://ops.example", "https://ops.example"),
            ("HTTPS://Ops.Example:443", "https://ops.example"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://10.0.0.7:80", "http://10.0.0.7"),
            ("https://[::1]", "https://[::1]"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(&*origin(written).unwrap(), sent, "{written}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "ops.example",
            "ops.example:8080",
            "ftp://ops.example",
            "https://",
            "https://ops.example/",
            "https://ops.example/page",
            "https://*.example",
            "https://me@ops.example",
            "https://ops.example:",
            "https://ops.example:0",
            "https://ops.example:080",
            "https://ops.example:99999",
            "https://ops..example",
            "https://[::1",
            "https://[ops]",
            "https://ops.example, https://b.example",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
