//! Hosts: as written in a route, and as asked for by a client.

/// A route's host, understood.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Host {
    /// `example.com`.
    Named(String),
    /// `*.example.com`: every name below it. Holds `.example.com`.
    Below(String),
    /// No host was written.
    Any,
}

impl Host {
    /// Understand a host as it is written.
    ///
    /// # Errors
    ///
    /// What is wrong with it and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let (name, below) = match lower.strip_prefix('*') {
            Some(suffix) => (suffix.strip_prefix('.').unwrap_or(""), true),
            None => (lower.as_str(), false),
        };
        if name.is_empty() || name.contains(['*', '/', ' ']) || without_port(name) != name {
            return Err(format!(
                "`{text}` is no host: write a name without a port, such as example.com or *.example.com"
            ));
        }
        Ok(if below {
            Self::Below(format!(".{name}"))
        } else {
            Self::Named(name.into())
        })
    }
}

/// The host of an authority; the brackets of an IPv6 address stay.
pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // The last colon of a bracketed address may be inside of the brackets.
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, without_port};

    #[test]
    fn ports_are_taken_off_and_addresses_kept() {
        assert_eq!(without_port("example.com:8443"), "example.com");
        assert_eq!(without_port("example.com"), "example.com");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*example.com",
            "a.*.b",
            "example.com:80",
            "http://a",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }
}
